// SPDX-License-Identifier: Apache-2.0
#include "model/data/training.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "model/data/network_file.hpp"
#include "model/spec/config.hpp"
#include "model/spec/network.hpp"

namespace solfege {
namespace {

float largest(const std::vector<float>& weights) {
  float result = 0;
  for (const float weight : weights) result = std::max(result, std::abs(weight));
  return result;
}

TEST_CASE("weights of batch-normalised networks start in proportion", "[training]") {
  const Network network = load_network("svhn-d", Config(), {40, 40, 3, 10});
  for (int k = 0; k < 8; ++k) {
    const Layer& layer = network.layers[static_cast<std::size_t>(k)];
    INFO(layer.name);
    const std::vector<float> weights = initial_weights(network, k, 3);
    const double he = std::sqrt(6.0 / layer.fan_in());
    const double gain = k == 0 ? 0.3 : k == 7 ? 0.6 : 0.5;  // 8 bits, the last, 1 bit
    CHECK(largest(weights) <= gain * he);
    CHECK(largest(weights) > 0.8 * gain * he);
  }
}

}  // namespace
}  // namespace solfege
