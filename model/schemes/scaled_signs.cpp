// SPDX-License-Identifier: Apache-2.0
#include "model/schemes/scaled_signs.hpp"

#include <algorithm>
#include <cmath>

namespace solfege {
namespace {

/// Keeps the ratios of a channel whose weights are all 0 finite.
constexpr double kLeastAlpha = 1.0 / (1 << 16);

/// Calls visit(first, count, alpha) for the weights that share an alpha.
template <typename Visit>
void for_each_alpha(std::size_t groups, const std::vector<float>& weights, Visit visit) {
  const std::size_t count = weights.size() / groups;
  for (std::size_t first = 0; first < weights.size(); first += count) {
    double sum = 0.0;
    for (std::size_t i = first; i < first + count; ++i) sum += std::abs(double{weights[i]});
    visit(first, count, std::max(kLeastAlpha, sum / static_cast<double>(count)));
  }
}

}  // namespace

WeightCodes ScaledSigns::weight_codes(const Layer& layer, const WeightMeasures& weights) const {
  if (layer.weight_bits != 1) return Dorefa::weight_codes(layer, weights);
  const double row = layer.fan_in();
  if (!measures_rows(layer)) {
    const double alpha = std::max(kLeastAlpha, weights.mean);
    return {{0.0}, alpha, 1.0, false, 1.0 / slope(alpha, row * layer.out_channels)};
  }
  // The gradient that the device multiplies holds alpha already, as that of a sum of signs.
  WeightCodes codes{{0.0}};
  for (const double mean : weights.row_means) {
    const double alpha = std::max(kLeastAlpha, mean);
    codes.row_scales.push_back(alpha);
    codes.row_slopes.push_back(slope(alpha, row) / alpha);
  }
  return codes;
}

std::vector<float> ScaledSigns::quantize_weights(const Layer& layer,
                                                 const std::vector<float>& weights) const {
  if (layer.weight_bits != 1 || weights.empty()) return Dorefa::quantize_weights(layer, weights);
  std::vector<float> values = weights;
  const auto groups = static_cast<std::size_t>(measures_rows(layer) ? layer.out_channels : 1);
  for_each_alpha(groups, weights, [&](std::size_t first, std::size_t count, double alpha) {
    for (std::size_t i = first; i < first + count; ++i)
      values[i] = static_cast<float>(weights[i] < 0.0f ? -alpha : alpha);
  });
  return values;
}

std::vector<float> ScaledSigns::weight_gradient(const Layer& layer,
                                                const std::vector<float>& weights,
                                                const std::vector<float>& gradient,
                                                MaxGradient max_gradient) const {
  if (layer.weight_bits != 1)
    return Dorefa::weight_gradient(layer, weights, gradient, max_gradient);
  std::vector<float> result = gradient;
  const auto groups = static_cast<std::size_t>(measures_rows(layer) ? layer.out_channels : 1);
  for_each_alpha(groups, weights, [&](std::size_t first, std::size_t count, double alpha) {
    for (std::size_t i = first; i < first + count; ++i)
      result[i] *= static_cast<float>(slope(alpha, static_cast<double>(count)));
  });
  return result;
}

}  // namespace solfege
