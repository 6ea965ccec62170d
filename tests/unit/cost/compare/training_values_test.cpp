// SPDX-License-Identifier: Apache-2.0
#include "cost/compare/training_values.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "model/data/digits.hpp"
#include "model/data/network_file.hpp"
#include "model/spec/config.hpp"

namespace solfege {
namespace {

Network network(const std::string& name, const Images& images) {
  return load_network(name, Config::load(SOLFEGE_SOURCE_DIR "/configs/tiny.toml"), images);
}

TEST_CASE("values of a step are the busiest inner layer's", "[training_values]") {
  const Images images = make_digits(16, 1, 5).train;
  const Network cnn = network("tiny_cnn", images);
  const TrainingValues v = training_values(cnn, images, 8, 500, 1);
  CHECK(v.activations.size() == 500);
  CHECK(v.gradients.size() == 500);
  CHECK(!v.weights.empty());
  CHECK_THAT(v.source, Catch::Contains("tiny_cnn") && Catch::Contains("step 2 of 8 images"));
  for (const float a : v.activations) CHECK((a >= 0 && a <= 1));
  const auto [low, high] = std::minmax_element(v.gradients.begin(), v.gradients.end());
  CHECK(std::max(-*low, *high) <= 1);
  // Real tensors: some activations are clipped, gradients are mostly small, weights are not normal
  CHECK(std::count(v.activations.begin(), v.activations.end(), 0.0f) > 10);
  CHECK(std::count_if(v.gradients.begin(), v.gradients.end(),
                      [](float g) { return std::abs(g) < 0.25f; }) > 250);
  // All of the tensor, each sample over its largest: that is 1 in every sample
  const TrainingValues all = training_values(cnn, images, 8, 1u << 30, 1);
  const std::size_t sample = all.gradients.size() / 8;
  for (std::size_t first = 0; first + sample <= all.gradients.size(); first += sample) {
    float most = 0;
    for (std::size_t i = first; i < first + sample; ++i)
      most = std::max(most, std::abs(all.gradients[i]));
    CHECK((most == 1 || most == 0));
  }
  // The same seed gives the same, another one not
  CHECK(training_values(cnn, images, 8, 500, 1).gradients == v.gradients);
  CHECK(training_values(cnn, images, 8, 500, 2).gradients != v.gradients);
}

TEST_CASE("networks without a hidden layer are compared on drawn values, which is said",
          "[training_values]") {
  const Images images = make_digits(16, 1, 5).train;
  Network shallow = network("tiny_mlp", images);
  shallow.layers.erase(shallow.layers.begin() + 1, shallow.layers.end() - 1);
  REQUIRE(shallow.layers.size() == 2);
  const TrainingValues v = training_values(shallow, images, 8, 500, 1);
  CHECK_THAT(v.source, Catch::StartsWith("drawn"));
  CHECK(v.weights == gaussian_values(500, 1).weights);
}

}  // namespace
}  // namespace solfege
