// SPDX-License-Identifier: Apache-2.0
#include "model/schemes/bipolar_activations.hpp"
#include "model/schemes/scaled_signs.hpp"

namespace solfege {
namespace {

/// Binary weights times the mean of each filter's magnitudes, and binary activations.
class XnorNet : public BipolarActivations<ScaledSigns> {
 public:
  const char* name() const override { return "xnor_net"; }
  const char* paper() const override {
    return "Rastegari et al., XNOR-Net, ECCV 2016, arXiv 1603.05279";
  }
  const char* deviation() const override {
    return "no map K of the inputs' scales, which the authors' code has not either; filters are "
           "not "
           "centred; one alpha for a layer without batch norm; pooling between batch norm and sign";
  }

 protected:
  /// Section 3.1: 1 / n + alpha, for |w| <= 1 as the update keeps it.
  double slope(double alpha, double n) const override { return 1.0 / n + alpha; }
};

}  // namespace

const Scheme& xnor_net_scheme() {
  static const XnorNet scheme;
  return scheme;
}

}  // namespace solfege
