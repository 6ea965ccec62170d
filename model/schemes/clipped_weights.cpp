// SPDX-License-Identifier: Apache-2.0
#include "model/schemes/clipped_weights.hpp"

#include <algorithm>
#include <cmath>

namespace solfege {

WeightCodes ClippedWeights::weight_codes(const Layer& layer, const WeightMeasures&) const {
  // Levels are -steps, -steps + 1 ... steps, over steps; a threshold lies between two of them.
  const double levels = steps(layer), codes = 2.0 * levels;
  WeightCodes result{{}, scale(layer), levels * weight_reading(layer).step, false, scale(layer)};
  for (int rank = 1; rank <= codes; ++rank)
    result.thresholds.push_back((rank - 0.5 - levels) / levels);
  return result;
}

std::vector<float> ClippedWeights::quantize_weights(const Layer& layer,
                                                    const std::vector<float>& weights) const {
  std::vector<float> values = weights;
  const double levels = steps(layer);
  for (float& w : values) {
    const double clipped = std::clamp(static_cast<double>(w), -1.0, 1.0);
    const double level = std::min(std::floor((clipped + 1.0) * levels + 0.5), 2.0 * levels);
    w = static_cast<float>(scale(layer) *
                           (quantizes(layer.weight_bits) ? (level - levels) / levels : clipped));
  }
  return values;
}

float ClippedWeights::weight_unit(const Layer& layer, const std::vector<float>&) const {
  const double levels = steps(layer) * weight_reading(layer).step;
  return quantizes(layer.weight_bits) ? static_cast<float>(scale(layer) / levels) : 0.0f;
}

std::vector<float> ClippedWeights::weight_gradient(const Layer& layer, const std::vector<float>&,
                                                   const std::vector<float>& gradient,
                                                   MaxGradient) const {
  std::vector<float> result = gradient;
  for (float& g : result) g = static_cast<float>(g / scale(layer));
  return result;
}

}  // namespace solfege
