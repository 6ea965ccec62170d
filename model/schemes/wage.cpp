// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// Weights, activations, gradients and errors as multiples of powers of two: a number of k bits has
/// steps of 2^(1-k) within +-(1 - 2^(1-k)).
class Wage : public Dorefa {
 public:
  const char* name() const override { return "wage"; }
  const char* paper() const override {
    return "Wu et al., WAGE: Training and Inference with Integers, ICLR 2018, arXiv 1802.04680";
  }
  const char* deviation() const override {
    return "weights are clipped to a power of two after the update; the first layer's rule holds "
           "for "
           "all; the error of the logits has 16 bits; a weight of 1 bit is a sign, an activation "
           "of 1 bit has "
           "the steps of 2";
  }
  PlaneReading weight_reading(const Layer& layer) const override {
    return layer.weight_bits == 1 ? bipolar_codes(1)
                                  : PlaneReading{false, 1, 1 - steps(layer.weight_bits)};
  }
  GradientRule gradient_rule(const Layer&) const override { return GradientRule::kNearest; }
  bool learns_bias(const Layer&) const override { return false; }
  Loss loss() const override { return Loss::kSquares; }
  int weight_grid_log2(const Layer&) const override { return -7; }  // k_G = 8
  int weight_limit_log2(const Layer& layer) const override {
    return std::max(2, layer.weight_bits) == 2 ? -1 : 0;
  }
  /// Eq. 8
  std::optional<double> initial_limit(const Layer& layer) const override {
    return std::max(std::sqrt(3.0 / layer.fan_in()), 1.5 / steps(layer.weight_bits));
  }
  bool keeps_weight_scale(const Layer&) const override { return true; }

  WeightCodes weight_codes(const Layer& layer, const WeightMeasures&) const override {
    const int least = 1 - steps(layer.weight_bits);
    WeightCodes codes{{}, scale(layer), static_cast<double>(steps(layer.weight_bits))};
    if (layer.weight_bits == 1) return {{0.0}, codes.scale, codes.levels};
    for (int level = least + 1; level <= -least; ++level)
      codes.thresholds.push_back((level - 0.5) / steps(layer.weight_bits));
    return codes;
  }
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override {
    std::vector<float> values = weights;
    const int bits = layer.weight_bits;
    for (float& w : values)
      w = static_cast<float>(scale(layer) * (!quantizes(bits) ? w
                                             : bits == 1      ? std::copysign(0.5, w + 0.0f)
                                                              : on_steps(w, bits)));
    return values;
  }
  float weight_unit(const Layer& layer, const std::vector<float>&) const override {
    if (!quantizes(layer.weight_bits)) return 0.0f;
    return static_cast<float>(scale(layer) / steps(layer.weight_bits));
  }
  /// Its scale does not matter, for the update divides by its maximum.
  std::vector<float> weight_gradient(const Layer&, const std::vector<float>&,
                                     const std::vector<float>& gradient,
                                     MaxGradient) const override {
    return gradient;
  }

  ActivationCodes activation_codes(const Layer& layer) const override {
    const double n = steps(layer.output_bits);
    ActivationCodes codes{{}, 1.0 / n, {0.0, false}, {1.0 - 1.0 / n, true}};
    for (int level = 1; level < n; ++level) codes.thresholds.push_back({(level - 0.5) / n});
    return codes;
  }
  std::function<float(float)> quantize_activation(const Layer& layer) const override {
    return [bits = layer.output_bits](float p) {
      const float rectified = std::max(p, 0.0f);
      return quantizes(bits) ? static_cast<float>(on_steps(rectified, bits))
                             : std::min(rectified, 1.0f);
    };
  }
  std::function<bool(float)> passes_gradient(const Layer& layer) const override {
    return [bits = layer.output_bits](float p) {
      return p > 0.0f && p <= (quantizes(bits) ? 1.0 - 1.0 / steps(bits) : 1.0);
    };
  }

 private:
  static int steps(int bits) { return 1 << (std::max(2, bits) - 1); }
  /// Q(C(x)), eqs. 5 and 6, ties up.
  static double on_steps(double x, int bits) {
    const double n = steps(bits);
    return std::clamp(std::floor(x * n + 0.5), 1.0 - n, n - 1.0) / n;
  }
  /// Eqs. 7 and 9: 1 / alpha, which keeps products of few-bit weights from growing with the fan-in.
  static double scale(const Layer& layer) {
    const double ratio = 1.5 / steps(layer.weight_bits) / std::sqrt(3.0 / layer.fan_in());
    return 1.0 / std::max(1.0, std::exp2(std::round(std::log2(ratio))));
  }
};

}  // namespace

const Scheme& wage_scheme() {
  static const Wage scheme;
  return scheme;
}

}  // namespace solfege
