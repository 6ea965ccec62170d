// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// Ternary weights where there are two bits: alpha sign(w) where |w| > .7 mean |w|, else 0; the
/// gradient passes straight through.
class Ternary : public Dorefa {
 public:
  const char* name() const override { return "ternary"; }
  const char* paper() const override {
    return "Li and Liu, Ternary Weight Networks, 2016, arXiv 1605.04711, eqs. 3 to 6";
  }
  const char* deviation() const override {
    return "alpha is 1.484 mean |w|, what eq. 4 gives for normal weights; weights of other than "
           "two "
           "bits, such as the first layer's, are DoReFa's";
  }
  PlaneReading weight_reading(const Layer& layer) const override {
    return is_ternary(layer) ? PlaneReading{false, 1, -1} : Dorefa::weight_reading(layer);
  }
  WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const override {
    if (!is_ternary(layer)) return Dorefa::weight_codes(layer, weights);
    const double least = kLeast * weights.mean;
    return {{-least, least}, kAlpha * weights.mean, 1.0};
  }
  bool keeps_weight_scale(const Layer& layer) const override {
    return is_ternary(layer) || Dorefa::keeps_weight_scale(layer);
  }
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override {
    if (!is_ternary(layer)) return Dorefa::quantize_weights(layer, weights);
    const double mean = mean_magnitude(weights);
    std::vector<float> values = weights;
    for (float& w : values)
      w = std::abs(w) > kLeast * mean ? std::copysign(static_cast<float>(kAlpha * mean), w) : 0.0f;
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

 private:
  static constexpr double kLeast = 0.7, kAlpha = 1.484;
  static bool is_ternary(const Layer& layer) { return layer.weight_bits == 2; }
  static double mean_magnitude(const std::vector<float>& weights) {
    double sum = 0.0;
    for (const float w : weights) sum += std::abs(w);
    return weights.empty() ? 0.0 : sum / static_cast<double>(weights.size());
  }
};

}  // namespace

const Scheme& ternary_scheme() {
  static const Ternary scheme;
  return scheme;
}

}  // namespace solfege
