// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/schemes/clipped_weights.hpp"

namespace solfege {
namespace {

/// Weights of +-H, with H of each layer as weights of so many inputs and outputs are initialised.
/// The master weights are w / H, in [-1, 1]; the authors' code divides the learning rate by H^2
/// instead.
class BinaryConnect : public ClippedWeights {
 public:
  const char* name() const override { return "binary_connect"; }
  const char* paper() const override {
    return "Courbariaux et al., BinaryConnect, NIPS 2015, arXiv 1511.00363";
  }
  const char* deviation() const override {
    return "binarization is deterministic; H counts output channels, not their kernels; weights of "
           "more bits have equal steps; activations and gradients have the network's bits";
  }

 protected:
  double scale(const Layer& layer) const override {
    return std::sqrt(1.5 / (layer.fan_in() + layer.out_channels));
  }
};

}  // namespace

const Scheme& binary_connect_scheme() {
  static const BinaryConnect scheme;
  return scheme;
}

}  // namespace solfege
