// SPDX-License-Identifier: Apache-2.0
#include "model/spec/network.hpp"

namespace solfege {

Network Network::at(const Precision& precision) const {
  Network network = *this;
  for (std::size_t k = 0; k < layers.size(); ++k) {
    Layer& layer = network.layers[k];
    const bool last = k + 1 == layers.size();
    if (precision.weight_bits != 0 && k > 0 && !last) layer.weight_bits = precision.weight_bits;
    if (precision.activation_bits == 0) continue;
    if (!last) layer.output_bits = precision.activation_bits;
    if (k > 0) layer.input_bits = precision.activation_bits;
  }
  return network;
}

}  // namespace solfege
