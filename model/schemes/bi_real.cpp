// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/schemes/bipolar_activations.hpp"
#include "model/schemes/scaled_signs.hpp"

namespace solfege {
namespace {

/// Binary weights and activations with the triangle 2 - 2 |p| as the slope of sign(p); networks
/// have a shortcut of real numbers around every layer.
class BiReal : public BipolarActivations<ScaledSigns> {
 public:
  const char* name() const override { return "bi_real"; }
  const char* paper() const override {
    return "Liu et al., Bi-Real Net, ECCV 2018, arXiv 1808.00278, eqs. 7 and 9";
  }
  const char* deviation() const override {
    return "shortcuts are where the network has them; one alpha for a layer without batch norm; "
           "more bits have equal steps in [-1, 1]";
  }
  bool keeps_preactivation(const Layer&) const override { return true; }
  ActivationCodes activation_codes(const Layer& layer) const override {
    ActivationCodes codes = BipolarActivations<ScaledSigns>::activation_codes(layer);
    codes.triangle = true;
    return codes;
  }
  float activation_slope(const Layer&, float p) const override { return 2.0f - 2.0f * std::abs(p); }

 protected:
  /// Eq. 9: alpha, for |w| <= 1 as the update keeps it.
  double slope(double alpha, double) const override { return alpha; }
};

}  // namespace

const Scheme& bi_real_scheme() {
  static const BiReal scheme;
  return scheme;
}

}  // namespace solfege
