// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/schemes/scheme.hpp"

namespace solfege {

// The equations of DoReFa-Net (arXiv 1606.06160v3) for weights and activations in float; f_G is
// the same for all schemes (model/reference/float_layers.hpp). Equation numbers are the paper's.

/// quantize_k of eq. 5, ties up: round(n_k x) / n_k of x clipped to [0, 1].
double quantize_unit(double x, int bits);

/// f_A, eqs. 5 and 11: quantize_k of x clipped to [0, 1]; result in [0, 1]. Without a quantizer the
/// clipped x.
float quantize_activation(float x, int bits);

/// Whether the clip to [0, 1] passes a gradient at x: 0 <= x <= 1, both inclusive.
constexpr bool clip_passes(float x) { return x >= 0.0f && x <= 1.0f; }

/// f_W of a layer, as values. bits = 1 (eq. 7): sign(w) * mean|w|, sign(0) = +1. bits > 1 (eq. 9):
/// 2 quantize_k(tanh(w) / (2 max|tanh w|) + 1/2) - 1, ties up, in [-1, 1]. All zeros give the codes
/// just above the middle, as w = 0 does. Without a quantizer w itself.
std::vector<float> quantize_weights(const std::vector<float>& weights, int bits);

/// Gradient through f_W: dC/dw of the master weights from dC/df_W, same shape. bits = 1 (eq. 8):
/// identity. bits > 1 (eq. 10): g_i (1 - t_i^2) / M with t = tanh w, M = max|t|, the rounding
/// passed straight through; with kChainRule the element m of the maximum (first of equals) instead
/// gets (1 - t_m^2) (g_m / M - sign(t_m) sum_j g_j t_j / M^2). All weights zero: zeros.
std::vector<float> weight_gradient(const std::vector<float>& weights,
                                   const std::vector<float>& gradient, int bits,
                                   MaxGradient max_gradient);

/// DoReFa-Net. The first and the last layer scale their codes back to the weights' size, s =
/// tanh(max |w|), for no batch norm follows that would. Other schemes take from it what their
/// papers leave as it is.
class Dorefa : public Scheme {
 public:
  const char* name() const override { return "dorefa"; }
  const char* paper() const override {
    return "Zhou et al., DoReFa-Net, 2016, arXiv 1606.06160v3, eqs. 5 to 12";
  }
  const char* deviation() const override {
    return "momentum SGD instead of Adam; the maximum of f_W is a constant in eq. 10";
  }
  WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const override;
  ActivationCodes activation_codes(const Layer& layer) const override;
  bool keeps_weight_scale(const Layer& layer) const override;
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override;
  /// The largest weight has the largest code, n_W.
  float weight_unit(const Layer& layer, const std::vector<float>& quantized) const override;
  std::vector<float> weight_gradient(const Layer& layer, const std::vector<float>& weights,
                                     const std::vector<float>& gradient,
                                     MaxGradient max_gradient) const override;
  std::function<float(float)> quantize_activation(const Layer& layer) const override;
  std::function<bool(float)> passes_gradient(const Layer& layer) const override;
};

}  // namespace solfege
