// SPDX-License-Identifier: Apache-2.0
#include "model/schemes/ternary_weights.hpp"

namespace solfege {
namespace {

/// Ternary weights: gamma round(clip(w / gamma, -1, 1)) with gamma = mean |w| of the layer.
class Bitnet : public TernaryWeights {
 public:
  const char* name() const override { return "bitnet"; }
  const char* paper() const override {
    return "Ma et al., BitNet b1.58, 2024, arXiv 2402.17764, eqs. 1 to 3";
  }
  const char* deviation() const override {
    return "activations are DoReFa-Net's f_A, not 8 bits over each token's largest; weights of "
           "other than "
           "two bits, such as the first layer's, are DoReFa's; no epsilon beside gamma; momentum "
           "SGD "
           "instead of Adam; gradients are quantized";
  }

 protected:
  double least_factor() const override { return 0.5; }
  double alpha_factor() const override { return 1.0; }
};

}  // namespace

const Scheme& bitnet_scheme() {
  static const Bitnet scheme;
  return scheme;
}

}  // namespace solfege
