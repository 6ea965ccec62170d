// SPDX-License-Identifier: Apache-2.0
// The exponents of a post-training quantization are the best of those that a search over all finds,
// and a criterion that is another chooses otherwise.
#include "model/reference/calibration.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "model/data/dataset.hpp"
#include "model/data/network_file.hpp"
#include "model/reference/float_engine.hpp"
#include "model/schemes/scheme.hpp"
#include "tests/support/random_training.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/seeded_random.hpp"

namespace solfege {
namespace {

constexpr ImageShape kShape{8, 8, 2, 5};
constexpr int kImages = 20;

struct Bench {
  explicit Bench(std::uint64_t seed) {
    const Scratch scratch;
    const std::string path = scratch.write("n.toml", R"(
scheme = "qcode"
[[layer]]
type = "conv"
channels = 6
kernel = 3
padding = 1
output_bits = 4
[[layer]]
type = "conv"
channels = 7
kernel = 3
batch_norm = true
scheme = "dorefa"
[[layer]]
type = "fc"
channels = 9
weight_bits = 4
output_bits = 4
[[layer]]
type = "fc"
)");
    network =
        load_network(path, Config::load(SOLFEGE_SOURCE_DIR "/tests/configs/square.toml"), kShape);
    FloatEngine engine(network, seed);
    parameters = engine.parameters();
    // A few weights far out, which a mean square can leave aside and a range cannot
    for (LayerParameters& layer : parameters) layer.weights.value[3] *= 40.0;
    RandomTraining random(kShape, seed);
    images.height = kShape.height;
    images.width = kShape.width;
    images.channels = kShape.channels;
    images.pixels = random.images(kImages);
    images.labels.assign(kImages, 1);
  }
  Network calibrate(Criterion criterion,
                    const std::function<double(const Network&)>& classify = {}) {
    return calibrated(network, parameters, images, kImages, criterion, classify);
  }
  double squares(std::size_t k, double exponent) const {
    Layer layer = network.layers[k];
    layer.scheme_parameters["weight_exponent"] = exponent;
    const std::vector<double>& w = parameters[k].weights.value;
    const std::vector<float> values =
        scheme_of(layer).quantize_weights(layer, std::vector<float>(w.begin(), w.end()));
    double sum = 0.0;
    for (std::size_t i = 0; i < w.size(); ++i) sum += (w[i] - values[i]) * (w[i] - values[i]);
    return sum;
  }

  Network network;
  std::vector<LayerParameters> parameters;
  Images images;
};

double exponent(const Network& network, std::size_t k, const char* name) {
  return network.layers[k].scheme_parameters.at(name);
}

}  // namespace

TEST_CASE("Exponents by mean square are the best of all", "[calibration]") {
  const std::uint64_t seed = test_seed(20261127);
  CAPTURE(seed);
  Bench bench(seed);
  const Network found = bench.calibrate(Criterion::kSquaredError);
  for (const std::size_t k : {0u, 2u, 3u}) {
    CAPTURE(k);
    const double chosen = exponent(found, k, "weight_exponent");
    for (double other = -8.0; other <= 20.0; ++other)
      CHECK(bench.squares(k, chosen) <= bench.squares(k, other) * (1.0 + 1e-6));
    CHECK(bench.squares(k, chosen) < bench.squares(k, chosen + 3.0));
  }
  CHECK(found.layers[1].scheme_parameters.empty());  // another scheme
  CHECK(found.layers[3].scheme_parameters.count("activation_exponent") == 0);
  // Activations of the first layer: of 4 bits, below the bound that the float network reaches
  FloatEngine reference(bench.network, 1, false);
  reference.set_parameters(bench.parameters);
  std::vector<std::vector<float>> values;
  reference.outputs(bench.images.image(0), kImages, &values);
  const float most = *std::max_element(values[0].begin(), values[0].end());
  const double step = std::exp2(-exponent(found, 0, "activation_exponent"));
  CHECK(step * 7 <= 2.0 * most);
  CHECK(step * 7 > most / 64);
}

TEST_CASE("Exponents by accuracy move only where that classifies more rightly", "[calibration]") {
  const std::uint64_t seed = test_seed(20261127);
  CAPTURE(seed);
  Bench bench(seed);
  const Network start = bench.calibrate(Criterion::kSquaredError);
  int asked = 0;
  // One layer's weights are better an exponent higher; all else is as good.
  const double wanted = exponent(start, 2, "weight_exponent") + 1.0;
  const Network found = bench.calibrate(Criterion::kAccuracy, [&](const Network& tried) {
    ++asked;
    return exponent(tried, 2, "weight_exponent") == wanted ? 0.9 : 0.8;
  });
  CHECK(asked > 5);
  CHECK(exponent(found, 2, "weight_exponent") == wanted);
  for (const std::size_t k : {0u, 3u})
    CHECK(exponent(found, k, "weight_exponent") == exponent(start, k, "weight_exponent"));
  // Where nothing is better, nothing moves.
  const Network same = bench.calibrate(Criterion::kAccuracy, [](const Network&) { return 0.5; });
  for (const std::size_t k : {0u, 2u, 3u})
    CHECK(same.layers[k].scheme_parameters == start.layers[k].scheme_parameters);
}

TEST_CASE("Exponents by divergence follow the histogram", "[calibration]") {
  const std::uint64_t seed = test_seed(20261127);
  CAPTURE(seed);
  Bench bench(seed);
  const Network by_squares = bench.calibrate(Criterion::kSquaredError),
                by_divergence = bench.calibrate(Criterion::kDivergence);
  // Both keep to the exponents from the one that clips nothing on.
  for (const std::size_t k : {0u, 2u, 3u}) {
    CAPTURE(k);
    double most = 0.0;
    for (const double w : bench.parameters[k].weights.value) most = std::max(most, std::abs(w));
    const int codes = (1 << (bench.network.layers[k].weight_bits - 1)) - 1;
    const double whole = std::floor(std::log2(codes / most));
    for (const Network* one : {&by_squares, &by_divergence}) {
      CHECK(exponent(*one, k, "weight_exponent") >= whole);
      CHECK(exponent(*one, k, "weight_exponent") <= whole + 5.0);
    }
  }
  CHECK(criterion_of("kl") == Criterion::kDivergence);
  CHECK_THROWS_AS(criterion_of("best"), std::logic_error);
}

}  // namespace solfege
