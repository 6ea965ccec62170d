// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// A clip to [0, alpha] with alpha of each layer learned: y = alpha quantize_A(p / alpha); dy/dp is
/// 1 where 0 <= p < alpha, dy/dalpha is 1 where p >= alpha.
class Pact : public Dorefa {
 public:
  const char* name() const override { return "pact"; }
  const char* paper() const override { return "Choi et al., PACT, 2018, arXiv 1805.06085"; }
  const char* deviation() const override {
    return "weight decay of alpha is that of the weights; gradients are quantized";
  }
  std::vector<SchemeParameter> parameters() const override {
    return {{"alpha", "upper bound of activations before training", 2.0, 0.0625, 8.0}};
  }
  BoundRule bound_rule(const Layer&) const override { return BoundRule::kLearned; }
  double initial_bound(const Layer& layer) const override { return parameter(layer, "alpha"); }
  ActivationCodes activation_codes(const Layer& layer) const override {
    const double alpha = layer.activation_bound, n = code_levels(layer.output_bits);
    ActivationCodes codes{{}, alpha / n, {0.0, true}, {alpha, false}};
    for (int i = 1; i <= n; ++i) codes.thresholds.push_back({alpha * (2.0 * i - 1.0) / (2.0 * n)});
    return codes;
  }
  std::function<float(float)> quantize_activation(const Layer& layer) const override {
    return [alpha = layer.activation_bound, bits = layer.output_bits](float p) {
      const double x = std::clamp(p / alpha, 0.0, 1.0);
      return static_cast<float>(alpha * (quantizes(bits) ? quantize_unit(x, bits) : x));
    };
  }
  std::function<bool(float)> passes_gradient(const Layer& layer) const override {
    return [alpha = layer.activation_bound](float p) { return p >= 0.0f && p < alpha; };
  }
};

}  // namespace

const Scheme& pact_scheme() {
  static const Pact scheme;
  return scheme;
}

}  // namespace solfege
