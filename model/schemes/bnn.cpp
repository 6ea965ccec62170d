// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/schemes/clipped_weights.hpp"

namespace solfege {
namespace {

/// Binary weights and activations, sign(x) with sign(0) = +1; gradients pass where |x| <= 1.
class Bnn : public ClippedWeights {
 public:
  const char* name() const override { return "bnn"; }
  const char* paper() const override {
    return "Hubara et al., Binarized Neural Networks, NIPS 2016, arXiv 1602.02830";
  }
  const char* deviation() const override {
    return "batch norm before pooling, where the authors pool first; more bits have equal steps in "
           "[-1, 1]; softmax loss and momentum SGD";
  }
  PlaneReading activation_reading(const Layer& layer) const override {
    return bipolar_codes(layer.output_bits);
  }
  ActivationCodes activation_codes(const Layer& layer) const override {
    const double n = code_levels(layer.output_bits);
    ActivationCodes codes{{}, 1.0 / n, {-1.0, true}, {1.0, true}};
    for (int rank = 1; rank <= n; ++rank) codes.thresholds.push_back({(2.0 * rank - 1.0 - n) / n});
    return codes;
  }
  std::function<float(float)> quantize_activation(const Layer& layer) const override {
    return [bits = layer.output_bits](float p) {
      const double clipped = std::clamp(static_cast<double>(p), -1.0, 1.0);
      if (!quantizes(bits)) return static_cast<float>(clipped);
      // Levels are odd multiples of 1 / n, on either side of 0.
      const double n = code_levels(bits), half = 0.5 * n * std::abs(clipped);
      const double step = p < 0.0f ? std::ceil(half) - 1.0 : std::floor(half);
      const double magnitude = (2.0 * std::min(step, 0.5 * (n - 1.0)) + 1.0) / n;
      return static_cast<float>(p < 0.0f ? -magnitude : magnitude);
    };
  }
  std::function<bool(float)> passes_gradient(const Layer&) const override {
    return [](float p) { return std::abs(p) <= 1.0f; };
  }
};

}  // namespace

const Scheme& bnn_scheme() {
  static const Bnn scheme;
  return scheme;
}

}  // namespace solfege
