// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// A clip to [0, alpha] with alpha held: PACT without its learning. y = alpha quantize_A(p /
/// alpha).
class Clip : public Dorefa {
 public:
  const char* name() const override { return "clip"; }
  const char* paper() const override {
    return "Choi et al., PACT, 2018, arXiv 1805.06085, with alpha held";
  }
  const char* deviation() const override { return "alpha is not learned"; }
  std::vector<SchemeParameter> parameters() const override {
    return {{"alpha", "upper bound of activations", 2.0, 0.0625, 8.0}};
  }
  ActivationCodes activation_codes(const Layer& layer) const override {
    const double alpha = parameter(layer, "alpha"), n = code_levels(layer.output_bits);
    ActivationCodes codes{{}, alpha / n, {0.0, true}, {alpha, false}};
    for (int i = 1; i <= n; ++i) codes.thresholds.push_back({alpha * (2.0 * i - 1.0) / (2.0 * n)});
    return codes;
  }
  std::function<float(float)> quantize_activation(const Layer& layer) const override {
    const double alpha = parameter(layer, "alpha");
    return [alpha, bits = layer.output_bits](float p) {
      const double x = std::clamp(p / alpha, 0.0, 1.0);
      return static_cast<float>(alpha * (quantizes(bits) ? quantize_unit(x, bits) : x));
    };
  }
  std::function<bool(float)> passes_gradient(const Layer& layer) const override {
    return [alpha = parameter(layer, "alpha")](float p) { return p >= 0.0f && p < alpha; };
  }
};

}  // namespace

const Scheme& clip_scheme() {
  static const Clip scheme;
  return scheme;
}

}  // namespace solfege
