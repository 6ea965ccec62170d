// SPDX-License-Identifier: Apache-2.0
#include "model/spec/network.hpp"

#include <algorithm>

namespace solfege {

Network Network::at(const Precision& precision) const {
  Network network = *this;
  for (std::size_t k = 0; k < layers.size(); ++k) {
    Layer& layer = network.layers[k];
    const bool last = k + 1 == layers.size();
    if (layer.is_average) continue;
    if (precision.weight_bits != 0 && k > 0 && !last)
      layer.weight_bits = layer.groups == 1 ? precision.weight_bits
                                            : std::min(precision.weight_bits, kMostGroupedBits);
    if (precision.activation_bits != 0 && !last) layer.output_bits = precision.activation_bits;
  }
  for (std::size_t k = 1; k < layers.size(); ++k)
    if (const int from = input_of(static_cast<int>(k)); from >= 0)
      network.layers[k].input_bits = network.layers[static_cast<std::size_t>(from)].output_bits;
  return network;
}

}  // namespace solfege
