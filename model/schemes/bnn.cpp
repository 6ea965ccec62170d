// SPDX-License-Identifier: Apache-2.0
#include "model/schemes/bipolar_activations.hpp"
#include "model/schemes/clipped_weights.hpp"

namespace solfege {
namespace {

/// Binary weights and activations, sign(x) with sign(0) = +1; gradients pass where |x| <= 1.
class Bnn : public BipolarActivations<ClippedWeights> {
 public:
  const char* name() const override { return "bnn"; }
  const char* paper() const override {
    return "Hubara et al., Binarized Neural Networks, NIPS 2016, arXiv 1602.02830";
  }
  const char* deviation() const override {
    return "batch norm before pooling, where the authors pool first; more bits have equal steps in "
           "[-1, 1]; softmax loss and momentum SGD";
  }

 protected:
  bool passes_at_one() const override { return true; }
};

}  // namespace

const Scheme& bnn_scheme() {
  static const Bnn scheme;
  return scheme;
}

}  // namespace solfege
