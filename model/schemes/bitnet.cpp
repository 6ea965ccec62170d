// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// Ternary weights where there are two bits: gamma round(clip(w / gamma, -1, 1)), ties up, with
/// gamma = mean |w| of the layer; the gradient passes straight through.
class Bitnet : public Dorefa {
 public:
  const char* name() const override { return "bitnet"; }
  const char* paper() const override {
    return "Ma et al., BitNet b1.58, 2024, arXiv 2402.17764, eqs. 1 to 3";
  }
  const char* deviation() const override {
    return "activations are DoReFa-Net's f_A, not 8 bits over each token's largest; weights of "
           "other than two bits, such as the first layer's, are DoReFa's; no epsilon beside gamma; "
           "momentum SGD instead of Adam; gradients are quantized";
  }
  PlaneReading weight_reading(const Layer& layer) const override {
    return is_ternary(layer) ? PlaneReading{false, 1, -1} : Dorefa::weight_reading(layer);
  }
  WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const override {
    if (!is_ternary(layer)) return Dorefa::weight_codes(layer, weights);
    return {{-weights.mean / 2, weights.mean / 2}, weights.mean, 1.0};
  }
  bool keeps_weight_scale(const Layer& layer) const override {
    return is_ternary(layer) || Dorefa::keeps_weight_scale(layer);
  }
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override {
    if (!is_ternary(layer)) return Dorefa::quantize_weights(layer, weights);
    double gamma = 0.0;
    for (const float w : weights) gamma += std::abs(w) / static_cast<double>(weights.size());
    std::vector<float> values(weights.size(), 0.0f);
    if (gamma == 0.0) return values;
    for (std::size_t i = 0; i < weights.size(); ++i)
      values[i] =
          static_cast<float>(gamma * std::floor(std::clamp(weights[i] / gamma, -1.0, 1.0) + 0.5));
    return values;
  }
  float weight_unit(const Layer& layer, const std::vector<float>& quantized) const override {
    if (!is_ternary(layer)) return Dorefa::weight_unit(layer, quantized);
    float gamma = 0.0f;
    for (const float value : quantized) gamma = std::max(gamma, std::abs(value));
    return gamma;
  }
  std::vector<float> weight_gradient(const Layer& layer, const std::vector<float>& weights,
                                     const std::vector<float>& gradient,
                                     MaxGradient max_gradient) const override {
    return is_ternary(layer) ? gradient
                             : Dorefa::weight_gradient(layer, weights, gradient, max_gradient);
  }

 private:
  static bool is_ternary(const Layer& layer) { return layer.weight_bits == 2; }
};

}  // namespace

const Scheme& bitnet_scheme() {
  static const Bitnet scheme;
  return scheme;
}

}  // namespace solfege
