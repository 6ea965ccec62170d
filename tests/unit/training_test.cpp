// SPDX-License-Identifier: Apache-2.0
#include "model/training.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "model/config.hpp"
#include "model/network.hpp"

namespace solfege {
namespace {

float largest(const std::vector<float>& weights) {
  float result = 0;
  for (const float weight : weights) result = std::max(result, std::abs(weight));
  return result;
}

TEST_CASE("weights of batch-normalised networks start in proportion", "[training]") {
  const Network network = load_network("svhn-d", Config(), 40, 40, 3, 10);
  for (int k = 0; k < 8; ++k) {
    const Layer& layer = network.layers[static_cast<std::size_t>(k)];
    INFO(layer.name);
    std::vector<float> weights = initial_weights(network, k, 3);
    const double he = std::sqrt(6.0 / layer.fan_in());
    if (k == 0 || k == 7) {
      // One weight is 1 so that f_W, which divides by the maximum, does not make the rest large.
      CHECK(std::count(weights.begin(), weights.end(), 1.0f) == 1);
      weights.erase(std::find(weights.begin(), weights.end(), 1.0f));
      CHECK(largest(weights) <= 0.6 * he);
    } else {
      CHECK(largest(weights) <= 0.5 * he);
    }
    CHECK(largest(weights) > 0.4 * he);
  }
}

TEST_CASE("weights of other networks and of normalised first layers have no anchor", "[training]") {
  const Network mlp = load_network("tiny_mlp", Config(), 28, 28, 1, 10);
  const Network pool = load_network("tiny_pool", Config(), 28, 28, 1, 10);
  for (const Network* network : {&mlp, &pool}) {
    const std::vector<float> weights = initial_weights(*network, 0, 3);
    CHECK(std::count(weights.begin(), weights.end(), 1.0f) == 0);
  }
  Network unquantized = load_network("tiny_residual", Config(), 28, 28, 1, 10);
  CHECK(largest(initial_weights(unquantized, 0, 3)) == 1.0f);
  unquantized.layers[0].weight_bits = 32;
  CHECK(largest(initial_weights(unquantized, 0, 3)) < 1.0f);
}

}  // namespace
}  // namespace solfege
