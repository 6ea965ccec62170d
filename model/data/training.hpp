// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/schemes/scheme.hpp"
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

/// A trained list of numbers, with the momentum of its updates: as many, or none where all are 0.
struct TrainedValues {
  std::vector<double> value, momentum;
};

/// What training makes of a layer. Weights are [out_channel][kernel_y][kernel_x][in_channel], the
/// rest [out_channel].
struct LayerParameters {
  TrainedValues weights;
  TrainedValues bias;                                  ///< empty with batch_norm
  TrainedValues gamma, beta;                           ///< empty without batch_norm
  std::vector<double> running_mean, running_variance;  ///< likewise
  TrainedValues bound;  ///< one number, Layer::activation_bound; empty where the scheme fixes it
};

/// The integers with which the device infers. With the values of the input's and the weights' codes
/// as PlaneReading reads them, and round half up:
///   o = round(sum of their products / 2^output_shift), within +-output_limit
///   v = round(o sum_scale / 2^sum_shift) + sum_offset + v of the residual layer, within +-32767,
///       where there is a sum, else sign o
///   code = the number of thresholds that v, or its largest in the pooling window, reaches
/// The last layer has no thresholds: its logits are o output_scale + bias.
struct InferenceIntegers {
  int output_shift = 0;
  std::int32_t output_limit = 0;
  double output_scale = 1.0;                        ///< the value of a unit of o
  std::vector<std::int32_t> sign;                   ///< [out]: 1 or -1; empty in the last layer
  std::vector<std::int32_t> thresholds;             ///< [out][2^A - 1], ascending; likewise
  std::vector<std::int32_t> sum_scale, sum_offset;  ///< [out]; empty where there is no sum
  int sum_shift = 0;
};

/// The quantized layer: codes and how they are read.
struct LayerCodes {
  std::vector<std::int32_t> weights;  ///< of the weights' shape; empty without a quantizer
  /// A code c means scale (reading.step c + reading.offset), scale one number or one an output
  /// channel.
  std::vector<double> weight_scale;
  PlaneReading weight_reading;
  ActivationCodes activation;               ///< f_A; of the last layer none
  std::vector<InferenceIntegers> integers;  ///< one of an engine of integers, else none
};

/// What an engine makes of images.
struct Inference {
  std::vector<double> logits;  ///< [image][class]
  /// Of each layer but the last the codes of f_A, [image][y][x][channel] of the pooled map; empty
  /// unless they were asked for, and where the layer has no quantizer.
  std::vector<std::vector<std::int32_t>> codes;
};

/// One way of training a network: float reference, golden model, or RTL. All see the same batches.
class TrainingEngine {
 public:
  virtual ~TrainingEngine() = default;
  /// One training step on `batch` images ([image][y][x][channel] bytes). Returns the mean loss over
  /// the batch before the update, of several precisions that of the first.
  virtual double train_step(const std::uint8_t* pixels, const std::uint8_t* labels, int batch) = 0;
  /// Logits of any number of images by the current weights, and if asked for the codes between the
  /// layers.
  virtual Inference infer(const std::uint8_t* pixels, int images, bool with_codes) = 0;
  /// Classes of the images.
  std::vector<int> predict(const std::uint8_t* pixels, int images);
  virtual void set_learning_rate(double learning_rate) = 0;
  /// The share of the training that is done, for a curriculum of phases.
  virtual void set_progress(double) {}
  /// Precisions that predict() has a choice of, the first by default; training needs no choice.
  virtual std::size_t precisions() const { return 1; }
  virtual void set_precision(std::size_t) {}
  /// A number for each layer that is another one once its master weights have moved.
  virtual std::vector<std::uint64_t> weight_fingerprints() = 0;

  // ---- What is trained, a list with an entry for each layer
  virtual std::vector<LayerParameters> parameters() = 0;
  /// Training and inference go on from these, which fit the network. What else a step leaves for
  /// the next, such as shifts of gradients, stays.
  virtual void set_parameters(const std::vector<LayerParameters>& parameters) = 0;
  virtual std::vector<LayerCodes> codes() = 0;

  /// Everything the next step depends on: weights, momenta, statistics, shifts, random state.
  virtual std::vector<std::uint8_t> state() = 0;
  /// Continues from what state() gave for the same configuration, network and batch. Throws
  /// InputError if the size differs.
  virtual void restore(const std::vector<std::uint8_t>& state) = 0;
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
