// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// Affine codes with zero-points: weights between their least and greatest, activations, which ReLU
/// has cut off at 0, up to a moving average of their maximum. The gradient passes straight through.
class Fqn : public Dorefa {
 public:
  const char* name() const override { return "fqn"; }
  const char* paper() const override {
    return "Li et al., Fully Quantized Network for Object Detection, CVPR 2019, section 3";
  }
  const char* deviation() const override {
    return "batch norm is not frozen and stays in the thresholds of activations; the average keeps "
           ".99 of its value in a step, not .999, and begins at 4";
  }
  bool measures_range(const Layer&) const override { return true; }
  bool keeps_preactivation(const Layer&) const override { return true; }
  BoundRule bound_rule(const Layer&) const override { return BoundRule::kAveraged; }
  double initial_bound(const Layer&) const override { return 4.0; }
  bool keeps_weight_scale(const Layer&) const override { return true; }
  PlaneReading weight_reading(const Layer& layer) const override {
    return {false, 1, -(1 << (layer.weight_bits - 1))};
  }

  WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const override {
    const double n = code_levels(layer.weight_bits), low = std::min(weights.low, 0.0),
                 step = std::max(kLeastStep, (std::max(weights.high, 0.0) - low) / n),
                 zero_point = std::round(-low / step);
    WeightCodes codes{{}, step};
    for (int rank = 1; rank <= n; ++rank)
      codes.thresholds.push_back((rank - zero_point - 0.5) * step);
    codes.reading = PlaneReading{false, 1, -static_cast<int>(zero_point)};
    return codes;
  }
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override {
    if (!quantizes(layer.weight_bits) || weights.empty()) return weights;
    const auto [least, greatest] = std::minmax_element(weights.begin(), weights.end());
    const double low = std::min(*least, 0.0f), high = std::max(*greatest, 0.0f),
                 n = code_levels(layer.weight_bits), step = std::max(kLeastStep, (high - low) / n),
                 zero_point = std::round(-low / step);
    std::vector<float> values = weights;
    for (float& w : values)
      w = static_cast<float>(
          step * (std::clamp(std::floor(w / step + 0.5) + zero_point, 0.0, n) - zero_point));
    return values;
  }
  float weight_unit(const Layer& layer, const std::vector<float>& quantized) const override {
    if (!quantizes(layer.weight_bits) || quantized.empty()) return 0.0f;
    // Both ends of the range have codes, 0 and n_W.
    const auto [least, greatest] = std::minmax_element(quantized.begin(), quantized.end());
    const float range = std::max(*greatest, 0.0f) - std::min(*least, 0.0f);
    return range / static_cast<float>(code_levels(layer.weight_bits));
  }
  std::vector<float> weight_gradient(const Layer&, const std::vector<float>&,
                                     const std::vector<float>& gradient,
                                     MaxGradient) const override {
    return gradient;
  }

  ActivationCodes activation_codes(const Layer& layer) const override {
    const double bound = layer.activation_bound, n = code_levels(layer.output_bits);
    ActivationCodes codes{{}, bound / n, {0.0, true}, {bound, true}};
    for (int rank = 1; rank <= n; ++rank) codes.thresholds.push_back({bound * (rank - 0.5) / n});
    return codes;
  }
  std::function<float(float)> quantize_activation(const Layer& layer) const override {
    return [bound = layer.activation_bound, bits = layer.output_bits](float p) {
      const double x = std::clamp(p / bound, 0.0, 1.0);
      return static_cast<float>(bound * (quantizes(bits) ? quantize_unit(x, bits) : x));
    };
  }
  std::function<bool(float)> passes_gradient(const Layer& layer) const override {
    return [bound = layer.activation_bound](float p) { return p >= 0.0f && p <= bound; };
  }

 private:
  static constexpr double kLeastStep = 1.0 / (1 << 20);
};

}  // namespace

const Scheme& fqn_scheme() {
  static const Fqn scheme;
  return scheme;
}

}  // namespace solfege
