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
  std::string config, config_hash;    ///< the name is only for messages
  std::string network, network_hash;  ///< hash of the canonical text; the name only for messages
  std::string data, data_hash;  ///< shape, labels and pixels of all images; the name for messages
  std::uint64_t seed = 1;
  int batch = 1;

  static RunIdentity of(const Config& config, const Network& network, const Dataset& data,
                        std::uint64_t seed, int batch);
};

/// Accuracy on the test images after so many steps.
struct AccuracyPoint {
  std::uint64_t step = 0;
  double accuracy = 0;
};

/// A training run between two steps. The file, little-endian:
///   "SOLFCKPT", version (32 bits), length of the file (64), then the fields of RunIdentity, the
///   step, the history and the payload, texts and lists after their 64-bit lengths, and last the
///   XXH64 (seed 0) of all bytes before it.
struct Checkpoint {
  RunIdentity run;
  std::uint64_t step = 0;  ///< steps done
  std::vector<double> losses;
  std::vector<AccuracyPoint> accuracies;
  std::vector<std::uint8_t> payload;  ///< AcceleratorEngine::state()

  /// There is always a whole checkpoint under the name, the old one or the new; see write_file().
  void save(const std::string& path) const;
  /// Reads a checkpoint of the run `expected`. Throws InputError, naming the file and what to do,
  /// if it is missing, truncated, corrupt, foreign, of another version or of another run.
  static Checkpoint load(const std::string& path, const RunIdentity& expected);
};

}  // namespace solfege
