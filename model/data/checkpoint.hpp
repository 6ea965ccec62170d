// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace solfege {

struct Config;
struct Network;
struct Dataset;

/// What a training run must agree on with the one it continues.
struct RunIdentity {
  std::string numbers;                ///< of the engine: "fixed-point" or "float"
  std::string config, config_hash;    ///< the name is only for messages
  std::string network, network_hash;  ///< hash of the canonical text; the name only for messages
  std::string data, data_hash;  ///< shape, labels and pixels of all images; the name for messages
  std::uint64_t seed = 1;
  int batch = 1;

  static RunIdentity of(bool fixed_point, const Config& config, const Network& network,
                        const Dataset& data, std::uint64_t seed, int batch);
};

/// What the network of a run is built from, so that a checkpoint says all that its state means.
struct RunRecipe {
  std::string config;   ///< text of a configuration
  std::string network;  ///< text of a network's file
  std::string scheme;   ///< of layers that name none; empty: the file's own
  int height = 1, width = 1, channels = 1, classes = 1;  ///< of the images
};

/// Accuracy on the test images after so many steps.
struct AccuracyPoint {
  std::uint64_t step = 0;
  double accuracy = 0;
};

/// A training run between two steps. The file, little-endian:
///   "SOLFCKPT", version (32 bits), length of the file (64), then the fields of RunIdentity, those
///   of RunRecipe, the step, the history and the payload, texts and lists after their 64-bit
///   lengths, and last the XXH64 (seed 0) of all bytes before it.
struct Checkpoint {
  RunIdentity run;
  RunRecipe recipe;
  std::uint64_t step = 0;  ///< steps done
  std::vector<double> losses;
  std::vector<AccuracyPoint> accuracies;
  std::vector<std::uint8_t> payload;  ///< TrainingEngine::state()

  /// There is always a whole checkpoint under the name, the old one or the new; see write_file().
  void save(const std::string& path) const;
  /// Reads a checkpoint. Throws InputError, naming the file and what to do, if it is missing,
  /// truncated, corrupt, foreign or of another version.
  static Checkpoint load(const std::string& path);
  /// The same, and throws also if it is of another run than `expected`.
  static Checkpoint load(const std::string& path, const RunIdentity& expected);
};

}  // namespace solfege
