// SPDX-License-Identifier: Apache-2.0
#include "cost/compare/training_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/reference/float_engine.hpp"
#include "model/reference/float_layers.hpp"
#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

double multiply_accumulates(const Layer& layer) {
  return static_cast<double>(layer.fan_in()) * layer.out_channels * layer.out_height *
         layer.out_width;
}

/// Index of the inner layer with the most work; 0, the first layer, if there is none.
std::size_t busiest_inner_layer(const Network& network) {
  std::size_t busiest = 0;
  for (std::size_t k = 1; k + 1 < network.layers.size(); ++k)
    if (!network.layers[k].is_average &&
        (busiest == 0 ||
         multiply_accumulates(network.layers[k]) > multiply_accumulates(network.layers[busiest])))
      busiest = k;
  return busiest;
}

std::vector<float> spread(const std::vector<float>& values, std::size_t count) {
  if (values.size() <= count) return values;
  std::vector<float> kept;
  for (std::size_t i = 0; i < count; ++i) kept.push_back(values[i * values.size() / count]);
  return kept;
}

}  // namespace

float largest_magnitude(const float* values, std::size_t count) {
  float most = 0;
  for (std::size_t i = 0; i < count; ++i) most = std::max(most, std::abs(values[i]));
  return most;
}

TrainingValues gaussian_values(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  TrainingValues v;
  for (std::size_t i = 0; i < count; ++i) {
    v.activations.push_back(std::clamp(normal(random), 0.0f, 1.0f));
    v.weights.push_back(normal(random));
    v.gradients.push_back(normal(random));
  }
  v.source = fmt::format(
      "drawn: activations clip(N(0, 1), 0, 1), weights and gradients N(0, 1), seed {}", seed);
  return v;
}

TrainingValues training_values(const Network& network, const Images& images, int batch,
                               std::size_t count, std::uint64_t seed) {
  const std::size_t k = busiest_inner_layer(network);
  if (k == 0) return gaussian_values(count, seed);
  batch = std::min(batch, images.count());
  FloatEngine engine(network, seed);
  for (int step = 0; step < 2; ++step) {
    const int first = step * batch % std::max(1, images.count() - batch + 1);
    engine.train_step(images.image(first), images.labels.data() + first, batch);
  }
  const FloatEngine::State& before = engine.state(static_cast<int>(k) - 1);
  const FloatEngine::State& layer = engine.state(static_cast<int>(k));
  TrainingValues v;
  v.activations = spread(before.pooled.empty() ? before.output : before.pooled, count);
  for (float& a : v.activations) a = std::clamp(a, 0.0f, 1.0f);
  v.weights = spread(layer.weights.value, count);
  std::vector<float> gradients = layer.convolution_gradient;
  const std::size_t sample = gradients.size() / static_cast<std::size_t>(batch);
  for (std::size_t first = 0; first + sample <= gradients.size(); first += sample) {
    const float most = largest_magnitude(gradients.data() + first, sample);
    for (std::size_t i = first; most > 0 && i < first + sample; ++i) gradients[i] /= most;
  }
  v.gradients = spread(gradients, count);
  for (const auto* values : {&v.activations, &v.weights, &v.gradients})
    if (largest_magnitude(values->data(), values->size()) == 0) return gaussian_values(count, seed);
  v.source = fmt::format("{} of {}, step 2 of {} images, float reference with quantizers",
                         network.layers[k].name, network.name, batch);
  return v;
}

}  // namespace solfege
