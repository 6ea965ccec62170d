// SPDX-License-Identifier: Apache-2.0
#include "model/training.hpp"

#include <algorithm>
#include <cmath>

#include "model/dataset.hpp"

namespace solfege {
namespace {

double initial_gain(const Layer& layer) {
  if (layer.weight_bits == 1) return 1.0;
  return 1.0;
}

}  // namespace

std::vector<float> initial_weights(const Network& network, int index, std::uint64_t seed) {
  const Layer& layer = network.layers.at(static_cast<std::size_t>(index));
  const double bound = initial_gain(layer) * std::sqrt(6.0 / layer.fan_in());
  // Seeds of neighbouring layers are scattered by a first draw, so their sequences do not overlap.
  SplitMix64 scatter(seed);
  std::uint64_t start = scatter.next();
  for (int i = 0; i < index; ++i) start = scatter.next();
  SplitMix64 random(start);
  std::vector<float> weights(static_cast<std::size_t>(layer.out_channels) * layer.fan_in());
  for (float& weight : weights) {
    weight = static_cast<float>(bound * (2.0 * static_cast<double>(random.uniform()) - 1.0));
  }
  return weights;
}

double accuracy(TrainingEngine& engine, const Images& images, int batch) {
  int correct = 0;
  for (int first = 0; first < images.count(); first += batch) {
    const int size = std::min(batch, images.count() - first);
    const std::vector<int> classes = engine.predict(images.image(first), size);
    for (int i = 0; i < size; ++i) correct += classes[i] == images.labels[first + i];
  }
  return images.count() == 0 ? 0.0 : static_cast<double>(correct) / images.count();
}

}  // namespace solfege
