// SPDX-License-Identifier: Apache-2.0
#include "model/data/training.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/interrupt.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/dataset.hpp"
#include "model/schemes/scheme.hpp"

namespace solfege {
namespace {

bool uses_batch_norm(const Network& network) {
  return std::any_of(network.layers.begin(), network.layers.end(),
                     [](const Layer& layer) { return layer.batch_norm; });
}

/// Gains found by search (MNIST, CIFAR-10 and digits).
///
/// W > 1: f_W divides by the maximum, so the gain leaves the forward pass as it is and sets the
/// pace instead: an update moves the quantized weights by rate / bound^2.
/// Without batch normalisation it must be slow between the first and the last layer: such weights
/// are large, and so are the gradients behind them.
/// W = 1: the gain scales the pre-activations, through mean|w|, and the pace of sign flips. Behind
/// a fully-connected layer's nearly saturated inputs small ones learn best; a stack of convolutions
/// starts below the first threshold of f_A, and so without gradients, unless they are larger.
/// Batch normalisation takes the scale away and leaves the pace.
double initial_gain(const Network& network, const Layer& layer, bool first_or_last) {
  const bool keeps_scale = scheme_of(layer).keeps_weight_scale(layer);
  if (layer.batch_norm) return keeps_scale ? 0.5 : 0.3;
  if (first_or_last && uses_batch_norm(network)) return 0.6;
  if (first_or_last || !quantizes(layer.weight_bits)) return 0.8;
  if (!keeps_scale) return 4.8;
  const bool fully_connected = layer.out_height == 1 && layer.out_width == 1;
  return fully_connected ? 0.3 : 0.7;
}

}  // namespace

std::vector<float> initial_weights(const Network& network, int index, std::uint64_t seed) {
  const Layer& layer = network.layers.at(static_cast<std::size_t>(index));
  if (layer.is_average) return {};
  const bool first_or_last = index == 0 || index + 1 == static_cast<int>(network.layers.size());
  const double bound = scheme_of(layer).initial_limit(layer).value_or(
      initial_gain(network, layer, first_or_last) * std::sqrt(6.0 / layer.fan_in()));
  // Seeds of neighbouring layers are scattered by a first draw, so their sequences do not overlap.
  SplitMix64 scatter(seed);
  std::uint64_t start = scatter.next();
  for (int i = 0; i < index; ++i) start = scatter.next();
  SplitMix64 random(start);
  std::vector<float> weights(static_cast<std::size_t>(layer.out_channels) * layer.fan_in());
  for (float& weight : weights) {
    weight = static_cast<float>(bound * (2.0 * static_cast<double>(random.uniform()) - 1.0));
  }
  const int grid_log2 = scheme_of(layer).weight_grid_log2(layer);
  if (grid_log2 != kNoWeightGrid)
    for (float& weight : weights)
      weight = std::ldexp(std::nearbyint(std::ldexp(weight, -grid_log2)), grid_log2);
  return weights;
}

std::vector<StepPart> step_parts(const Network& network, std::size_t phase) {
  const std::size_t count = network.precisions.size();
  std::vector<StepPart> parts;
  switch (network.curriculum) {
    case Curriculum::kSingle:
    case Curriculum::kPhases:
      return {{phase}};
    case Curriculum::kJoint:
      for (std::size_t p = 0; p < count; ++p)
        parts.push_back({p, true, true, p == 0, p + 1 == count});
      return parts;
    case Curriculum::kGuided:
      return {{1, true, false}, {0, true, true}, {1, false, true}};
  }
  return parts;
}

std::size_t phase_at(const Network& network, double share) {
  const auto phases = network.precisions.size();
  return std::min(phases - 1, static_cast<std::size_t>(share * static_cast<double>(phases)));
}

std::vector<int> TrainingEngine::predict(const std::uint8_t* pixels, int images) {
  const std::vector<double> logits = infer(pixels, images, false).logits;
  return classes_of(logits, static_cast<int>(logits.size()) / images);
}

double accuracy(TrainingEngine& engine, const Images& images, int batch) {
  int correct = 0;
  for (int first = 0; first < images.count(); first += batch) {
    Interrupt::check();
    const int size = std::min(batch, images.count() - first);
    const std::vector<int> classes = engine.predict(images.image(first), size);
    for (int i = 0; i < size; ++i) correct += classes[i] == images.labels[first + i];
  }
  return images.count() == 0 ? 0.0 : static_cast<double>(correct) / images.count();
}

}  // namespace solfege
