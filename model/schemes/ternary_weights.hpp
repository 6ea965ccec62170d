// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/schemes/dorefa.hpp"

namespace solfege {

/// Where weights have two bits: -alpha, 0 or alpha, with alpha and the least magnitude that is not
/// 0 both multiples of mean |w|, ties up; the gradient passes straight through. Weights of other
/// bits, such as the first layer's, are DoReFa-Net's. A base of schemes.
class TernaryWeights : public Dorefa {
 public:
  PlaneReading weight_reading(const Layer& layer) const override {
    return is_ternary(layer) ? PlaneReading{false, 1, -1} : Dorefa::weight_reading(layer);
  }
  WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const override {
    if (!is_ternary(layer)) return Dorefa::weight_codes(layer, weights);
    const double least = least_factor() * weights.mean;
    return {{-least, least}, alpha_factor() * weights.mean, 1.0};
  }
  bool keeps_weight_scale(const Layer& layer) const override {
    return is_ternary(layer) || Dorefa::keeps_weight_scale(layer);
  }
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override {
    if (!is_ternary(layer)) return Dorefa::quantize_weights(layer, weights);
    double mean = 0.0;
    for (const float w : weights) mean += std::abs(w) / static_cast<double>(weights.size());
    const double least = least_factor() * mean, alpha = alpha_factor() * mean;
    std::vector<float> values = weights;
    for (float& w : values) w = static_cast<float>(w < -least ? -alpha : w < least ? 0.0 : alpha);
    return values;
  }
  float weight_unit(const Layer& layer, const std::vector<float>& quantized) const override {
    if (!is_ternary(layer)) return Dorefa::weight_unit(layer, quantized);
    float alpha = 0.0f;
    for (const float w : quantized) alpha = std::max(alpha, std::abs(w));
    return alpha;
  }
  std::vector<float> weight_gradient(const Layer& layer, const std::vector<float>& weights,
                                     const std::vector<float>& gradient,
                                     MaxGradient max_gradient) const override {
    return is_ternary(layer) ? gradient
                             : Dorefa::weight_gradient(layer, weights, gradient, max_gradient);
  }

 protected:
  virtual double least_factor() const = 0;
  virtual double alpha_factor() const = 0;

 private:
  static bool is_ternary(const Layer& layer) { return layer.weight_bits == 2; }
};

}  // namespace solfege
