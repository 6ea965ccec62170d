// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/schemes/clipped_weights.hpp"

namespace solfege {
namespace {

/// Weights of k bits with a sign: -(2^(k-1) - 1) to 2^(k-1) - 1, over the latter, 0 among them; of
/// one bit -1 and 1. Activations in [0, 1] have k bits, as DoReFa-Net's.
class Wrpn : public ClippedWeights {
 public:
  const char* name() const override { return "wrpn"; }
  const char* paper() const override {
    return "Mishra et al., WRPN: Wide Reduced-Precision Networks, ICLR 2018, arXiv 1709.01134";
  }
  const char* deviation() const override {
    return "how much wider layers are is said by the network's channels; gradients are quantized";
  }
  PlaneReading weight_reading(const Layer& layer) const override {
    if (layer.weight_bits == 1) return bipolar_codes(1);
    return {false, 1, 1 - (1 << (layer.weight_bits - 1))};
  }
  /// Beyond the levels' first threshold, so that not all codes are 0.
  std::optional<double> initial_limit(const Layer& layer) const override {
    if (layer.weight_bits == 1 || layer.weight_bits > 4) return {};
    return std::min(1.0, 1.5 / steps(layer));
  }

 protected:
  double steps(const Layer& layer) const override {
    return layer.weight_bits == 1 ? 0.5 : code_levels(layer.weight_bits - 1);
  }
};

}  // namespace

const Scheme& wrpn_scheme() {
  static const Wrpn scheme;
  return scheme;
}

}  // namespace solfege
