// SPDX-License-Identifier: Apache-2.0
#include "model/schemes/dorefa.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace solfege {
namespace {

/// The largest |tanh w| and, through `index`, the first element that has it.
double max_tanh(const std::vector<float>& weights, std::size_t* index) {
  float largest = 0.0f;
  *index = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (std::abs(weights[i]) > largest) {
      largest = std::abs(weights[i]);
      *index = i;
    }
  }
  return std::tanh(static_cast<double>(largest));
}

/// max |tanh w|, by which the first and last layer scale their codes back; 1 for other layers.
float edge_scale(const Layer& layer, const std::vector<float>& weights) {
  if (!layer.is_edge || !quantizes(layer.weight_bits) || layer.weight_bits == 1) return 1.0f;
  float peak = 0.0f;
  for (const float w : weights) peak = std::max(peak, std::abs(w));
  return std::tanh(peak);
}

}  // namespace

// ---- The equations ----

// In double n_k x + 1/2 is exact, so ties are too.
double quantize_unit(double x, int bits) {
  const double n = static_cast<double>((std::int64_t{1} << bits) - 1);
  return std::floor(std::clamp(x, 0.0, 1.0) * n + 0.5) / n;
}

float quantize_activation(float x, int bits) {
  if (!quantizes(bits)) return std::clamp(x, 0.0f, 1.0f);
  return static_cast<float>(quantize_unit(x, bits));
}

std::vector<float> quantize_weights(const std::vector<float>& weights, int bits) {
  if (!quantizes(bits) || weights.empty()) return weights;
  std::vector<float> result(weights.size());
  if (bits == 1) {
    double sum = 0.0;
    for (const float w : weights) sum += std::abs(w);
    const float mean = static_cast<float>(sum / static_cast<double>(weights.size()));
    for (std::size_t i = 0; i < weights.size(); ++i) result[i] = weights[i] < 0 ? -mean : mean;
    return result;
  }
  std::size_t index = 0;
  const double largest = max_tanh(weights, &index);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double t = largest > 0 ? std::tanh(static_cast<double>(weights[i])) / largest : 0.0;
    result[i] = static_cast<float>(2.0 * quantize_unit(0.5 * t + 0.5, bits) - 1.0);
  }
  return result;
}

std::vector<float> weight_gradient(const std::vector<float>& weights,
                                   const std::vector<float>& gradient, int bits,
                                   MaxGradient max_gradient) {
  if (!quantizes(bits) || bits == 1) return gradient;
  std::vector<float> result(weights.size(), 0.0f);
  std::size_t index = 0;
  const double largest = max_tanh(weights, &index);
  if (largest == 0.0) return result;
  double through_max = 0.0;  // sum_j g_j t_j
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double t = std::tanh(static_cast<double>(weights[i]));
    result[i] = static_cast<float>(gradient[i] * (1.0 - t * t) / largest);
    through_max += gradient[i] * t;
  }
  if (max_gradient == MaxGradient::kChainRule) {
    const double sign = weights[index] < 0 ? -1.0 : 1.0;
    result[index] -=
        static_cast<float>((1.0 - largest * largest) * sign * through_max / (largest * largest));
  }
  return result;
}

// ---- The scheme ----

WeightCodes Dorefa::weight_codes(const Layer& layer, const WeightMeasures& weights) const {
  const int bits = layer.weight_bits;
  if (bits == 1) return {{0.0}, weights.mean, 1.0};
  const double peak = std::tanh(weights.peak), n = code_levels(bits);
  WeightCodes codes{{}, layer.is_edge ? peak : 1.0, n, true, layer.is_edge ? 1.0 : peak};
  for (int rank = 1; rank <= n; ++rank)
    codes.thresholds.push_back(std::atanh(peak * (2.0 * rank - 1.0 - n) / n));
  return codes;
}

ActivationCodes Dorefa::activation_codes(const Layer& layer) const {
  const double n = code_levels(layer.output_bits);
  ActivationCodes codes{{}, 1.0 / n, {0.0, true}, {1.0, true}};
  for (int rank = 1; rank <= n; ++rank)
    codes.thresholds.push_back({(2.0 * rank - 1.0) / (2.0 * n)});
  return codes;
}

bool Dorefa::keeps_weight_scale(const Layer& layer) const { return layer.weight_bits == 1; }

std::vector<float> Dorefa::quantize_weights(const Layer& layer,
                                            const std::vector<float>& weights) const {
  std::vector<float> values = solfege::quantize_weights(weights, layer.weight_bits);
  const float scale = edge_scale(layer, weights);
  for (float& value : values) value *= scale;
  return values;
}

float Dorefa::weight_unit(const Layer& layer, const std::vector<float>& quantized) const {
  if (!quantizes(layer.weight_bits)) return 0.0f;
  float peak = 0.0f;
  for (const float w : quantized) peak = std::max(peak, std::abs(w));
  return peak / static_cast<float>((1 << layer.weight_bits) - 1);
}

std::vector<float> Dorefa::weight_gradient(const Layer& layer, const std::vector<float>& weights,
                                           const std::vector<float>& gradient,
                                           MaxGradient max_gradient) const {
  std::vector<float> result =
      solfege::weight_gradient(weights, gradient, layer.weight_bits, max_gradient);
  const float scale = edge_scale(layer, weights);
  for (float& g : result) g *= scale;
  return result;
}

std::function<float(float)> Dorefa::quantize_activation(const Layer& layer) const {
  return [bits = layer.output_bits](float p) { return solfege::quantize_activation(p, bits); };
}

std::function<bool(float)> Dorefa::passes_gradient(const Layer&) const { return clip_passes; }

const Scheme& dorefa_scheme() {
  static const Dorefa scheme;
  return scheme;
}

}  // namespace solfege
