// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/spec/network.hpp"

namespace solfege {

struct Images;

/// splitmix64 (Steele, Lea and Flood 2014): 64 random bits a call, the same on every machine.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  /// Uniform over all 64-bit numbers.
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  /// Uniform in the open interval (0, 1), from the top 23 bits, centred: (U + 1/2) / 2^23.
  float uniform() { return (static_cast<float>(next() >> 41) + 0.5f) * 0x1p-23f; }

 private:
  std::uint64_t state_;
};

/// One way of training a network: float reference, golden model, or RTL. All see the same batches.
class TrainingEngine {
 public:
  virtual ~TrainingEngine() = default;
  /// One training step on `batch` images ([image][y][x][channel] bytes). Returns the mean
  /// cross-entropy loss over the batch before the update.
  virtual double train_step(const std::uint8_t* pixels, const std::uint8_t* labels, int batch) = 0;
  /// Classes of `batch` images by the current weights.
  virtual std::vector<int> predict(const std::uint8_t* pixels, int batch) = 0;
  virtual void set_learning_rate(double learning_rate) = 0;
  /// A number for each layer that is another one once its master weights have moved.
  virtual std::vector<std::uint64_t> weight_fingerprints() = 0;
};

/// XXH64 of these bytes.
std::uint64_t fingerprint(const void* bytes, std::size_t count);

/// Initial weights of layer `index`, [out_channel][kernel_y][kernel_x][in_channel], uniform in
/// +-sqrt(6 / fan_in) * gain, the same for every engine; biases start at 0. In networks with batch
/// normalisation, quantized first and last layers without it have one weight of 1 among them.
/// Deterministic over machines: own splitmix64 generator, one sequence per (seed, index).
std::vector<float> initial_weights(const Network& network, int index, std::uint64_t seed);

/// The fraction of `images` that `engine` classifies as labelled, in [0, 1], `batch` images at a
/// time (the last batch may be smaller). 0 for no images.
double accuracy(TrainingEngine& engine, const Images& images, int batch);

}  // namespace solfege
