// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>

#include "model/schemes/scheme.hpp"

namespace solfege {

/// f_A of a scheme whose weights are those of `Weights`: sign(p), sign(0) = +1, of one bit; of
/// more, equal steps in [-1, 1], odd multiples of 1 / n_A. Gradients pass where |p| <= 1, or < 1.
template <typename Weights>
class BipolarActivations : public Weights {
 public:
  PlaneReading activation_reading(const Layer& layer) const override {
    return bipolar_codes(layer.output_bits);
  }
  ActivationCodes activation_codes(const Layer& layer) const override {
    const double n = code_levels(layer.output_bits);
    ActivationCodes codes{{}, 1.0 / n, {-1.0, passes_at_one()}, {1.0, passes_at_one()}};
    for (int rank = 1; rank <= n; ++rank) codes.thresholds.push_back({(2.0 * rank - 1.0 - n) / n});
    return codes;
  }
  std::function<float(float)> quantize_activation(const Layer& layer) const override {
    return [bits = layer.output_bits](float p) {
      const double clipped = std::clamp(static_cast<double>(p), -1.0, 1.0);
      if (!quantizes(bits)) return static_cast<float>(clipped);
      // Levels lie on either side of 0.
      const double n = code_levels(bits), half = 0.5 * n * std::abs(clipped);
      const double step = p < 0.0f ? std::ceil(half) - 1.0 : std::floor(half);
      const double magnitude = (2.0 * std::min(step, 0.5 * (n - 1.0)) + 1.0) / n;
      return static_cast<float>(p < 0.0f ? -magnitude : magnitude);
    };
  }
  std::function<bool(float)> passes_gradient(const Layer&) const override {
    return [at_one = passes_at_one()](float p) {
      return at_one ? std::abs(p) <= 1.0f : std::abs(p) < 1.0f;
    };
  }

 protected:
  virtual bool passes_at_one() const { return false; }
};

}  // namespace solfege
