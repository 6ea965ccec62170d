// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/spec/network.hpp"

namespace solfege {

struct Images;

/// What a training step does with one of the network's precisions.
struct StepPart {
  std::size_t precision = 0;
  bool forward = true, backward = true;
  bool first = true, last = true;  ///< of those whose gradients update the same weights
};
/// All of a step, in order; `phase` is the precision that a curriculum of phases has come to.
std::vector<StepPart> step_parts(const Network& network, std::size_t phase);
/// The phase of a training of which this share is done.
std::size_t phase_at(const Network& network, double share);

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
  /// The share of the training that is done, for a curriculum of phases.
  virtual void set_progress(double) {}
  /// Precisions that predict() has a choice of, the first by default; training needs no choice.
  virtual std::size_t precisions() const { return 1; }
  virtual void set_precision(std::size_t) {}
  /// A number for each layer that is another one once its master weights have moved.
  virtual std::vector<std::uint64_t> weight_fingerprints() = 0;
};

/// Initial weights of layer `index`, [out_channel][kernel_y][kernel_x][in_channel], uniform in
/// +-sqrt(6 / fan_in) * gain, the same for every engine; biases start at 0. In networks with batch
/// normalisation, quantized first and last layers without it have one weight of 1 among them.
/// Deterministic over machines: own splitmix64 generator, one sequence per (seed, index).
std::vector<float> initial_weights(const Network& network, int index, std::uint64_t seed);

/// The fraction of `images` that `engine` classifies as labelled, in [0, 1], `batch` images at a
/// time (the last batch may be smaller). 0 for no images.
double accuracy(TrainingEngine& engine, const Images& images, int batch);

/// The class of each sample: the largest of its `classes` logits, the first of equals.
template <typename Number>
std::vector<int> classes_of(const std::vector<Number>& logits, int classes) {
  std::vector<int> list;
  for (auto first = logits.begin(); first != logits.end(); first += classes)
    list.push_back(static_cast<int>(std::max_element(first, first + classes) - first));
  return list;
}

}  // namespace solfege
