// SPDX-License-Identifier: Apache-2.0
// What goes in and out of both engines: parameters, codes, states.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>

#include "model/base/error.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/host/accelerator_host.hpp"
#include "model/reference/float_engine.hpp"
#include "model/schemes/scheme.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/seeded_random.hpp"

namespace solfege {
namespace {

constexpr int kBatch = 4, kSide = 8, kChannels = 2, kClasses = 5;

const char* const kNetwork = R"(
[[layer]]
type = "conv"
channels = 6
kernel = 3
padding = 1
pool = 2
[[layer]]
type = "conv"
channels = 10
kernel = 3
padding = 1
batch_norm = true
[[layer]]
type = "conv"
channels = 10
kernel = 3
padding = 1
batch_norm = true
residual = 2
[[layer]]
type = "fc"
channels = 9
weight_bits = 3
[[layer]]
type = "fc"
)";

Config square() { return Config::load(SOLFEGE_SOURCE_DIR "/tests/configs/square.toml"); }

/// With batch norm, unless the scheme's gradients are rounded as they are.
Network network_of(const Scratch& scratch, const std::string& scheme) {
  std::string text = kNetwork;
  const std::string key = "batch_norm = true\n";
  if (scheme == "wage")
    for (std::size_t at = 0; (at = text.find(key)) != std::string::npos;)
      text.erase(at, key.size());
  return load_network(scratch.write("n.toml", text), square(), {kSide, kSide, kChannels, kClasses},
                      scheme);
}

std::unique_ptr<TrainingEngine> make(bool fixed_point, const Network& network, std::uint64_t seed) {
  if (!fixed_point) return std::make_unique<FloatEngine>(network, seed);
  const Config config = square();
  return std::make_unique<AcceleratorEngine>(config, network, kBatch, seed,
                                             [&](std::size_t bytes) -> std::unique_ptr<Device> {
                                               return std::make_unique<GoldenOnly>(config, bytes);
                                             });
}

std::vector<std::uint8_t> images(SplitMix64& random, int count) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * kSide * kSide * kChannels));
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.next());
  return pixels;
}

double train(TrainingEngine& engine, SplitMix64& random) {
  const std::vector<std::uint8_t> pixels = images(random, kBatch);
  std::vector<std::uint8_t> labels(kBatch);
  for (std::uint8_t& label : labels) label = static_cast<std::uint8_t>(random.next() % kClasses);
  return engine.train_step(pixels.data(), labels.data(), kBatch);
}

bool same(const TrainedValues& a, const TrainedValues& b) {
  return a.value == b.value && a.momentum == b.momentum;
}
bool same(const LayerParameters& a, const LayerParameters& b) {
  return same(a.weights, b.weights) && same(a.bias, b.bias) && same(a.gamma, b.gamma) &&
         same(a.beta, b.beta) && same(a.bound, b.bound) && a.running_mean == b.running_mean &&
         a.running_variance == b.running_variance;
}

TEST_CASE("An engine that is given another one's parameters infers alike", "[parameters]") {
  const std::uint64_t seed = test_seed(20261127);
  CAPTURE(seed);
  const Scratch scratch;
  for (const Scheme* scheme : schemes()) {
    const Network network = network_of(scratch, scheme->name());
    for (const bool fixed_point : {true, false}) {
      CAPTURE(scheme->name(), fixed_point);
      SplitMix64 random(seed);
      const auto trained = make(fixed_point, network, seed);
      for (int step = 0; step < 4; ++step) train(*trained, random);
      // What is read out changes nothing of the training.
      const std::vector<std::uint8_t> state = trained->state();
      const std::vector<LayerParameters> parameters = trained->parameters();
      const std::vector<LayerCodes> codes = trained->codes();
      const std::vector<std::uint8_t> pixels = images(random, 6);
      const Inference inferred = trained->infer(pixels.data(), 6, true);
      CHECK(trained->state() == state);
      CHECK(inferred.logits.size() == 6 * kClasses);
      REQUIRE(inferred.codes.size() == 4);
      CHECK(inferred.codes[0].size() == 6 * 4 * 4 * 6);

      const auto other = make(fixed_point, network, seed + 1);
      train(*other, random);
      CHECK(other->infer(pixels.data(), 6, false).logits != inferred.logits);
      other->set_parameters(parameters);
      const std::vector<LayerParameters> again = other->parameters();
      const std::vector<LayerCodes> codes_again = other->codes();
      for (std::size_t k = 0; k < network.layers.size(); ++k) {
        CAPTURE(k);
        CHECK(same(again[k], parameters[k]));
        CHECK(codes_again[k].weights == codes[k].weights);
        CHECK(codes_again[k].weight_scale == codes[k].weight_scale);
        REQUIRE(codes_again[k].integers.size() == (fixed_point ? 1 : 0));
        if (!fixed_point) continue;
        CHECK(codes_again[k].integers[0].thresholds == codes[k].integers[0].thresholds);
        CHECK(codes_again[k].integers[0].output_shift == codes[k].integers[0].output_shift);
      }
      const Inference inferred_again = other->infer(pixels.data(), 6, true);
      CHECK(inferred_again.logits == inferred.logits);
      CHECK(inferred_again.codes == inferred.codes);
      CHECK(other->infer(pixels.data(), 6, false).codes.empty());
      // Momenta that are left out are 0.
      std::vector<LayerParameters> plain = parameters;
      for (LayerParameters& p : plain)
        for (TrainedValues* values : {&p.weights, &p.bias, &p.gamma, &p.beta, &p.bound})
          values->momentum.clear();
      other->set_parameters(plain);
      const std::vector<double> momentum = other->parameters().back().bias.momentum;
      CHECK(momentum == std::vector<double>(kClasses, 0.0));
    }
  }
}

TEST_CASE("Codes of weights, as they are read, are f_W of the master weights", "[parameters]") {
  const std::uint64_t seed = test_seed(20261127);
  CAPTURE(seed);
  const Scratch scratch;
  for (const Scheme* scheme : schemes()) {
    const Network network = network_of(scratch, scheme->name());
    for (const bool fixed_point : {true, false}) {
      CAPTURE(scheme->name(), fixed_point);
      SplitMix64 random(seed);
      const auto engine = make(fixed_point, network, seed);
      train(*engine, random);
      const std::vector<LayerParameters> parameters = engine->parameters();
      const std::vector<LayerCodes> codes = engine->codes();
      for (std::size_t k = 0; k < network.layers.size(); ++k) {
        CAPTURE(k);
        const Layer& layer = network.layers[k];
        const std::vector<double>& master = parameters[k].weights.value;
        const std::vector<float> expected = scheme_of(layer).quantize_weights(
            layer, std::vector<float>(master.begin(), master.end()));
        const PlaneReading reading = codes[k].weight_reading;
        const std::vector<double>& scales = codes[k].weight_scale;
        const std::size_t row = expected.size() / static_cast<std::size_t>(layer.out_channels);
        REQUIRE(codes[k].weights.size() == expected.size());
        REQUIRE((scales.size() == 1 || scales.size() * row == expected.size()));
        std::size_t apart = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
          const double value = scales[scales.size() == 1 ? 0 : i / row] *
                               (reading.step * codes[k].weights[i] + reading.offset);
          apart += std::abs(value - static_cast<double>(expected[i])) > 1e-4 ? 1 : 0;
        }
        // A weight may lie at a threshold, where float and fixed point round apart.
        CHECK(apart <= expected.size() / 100);
        const auto [least, most] =
            std::minmax_element(codes[k].weights.begin(), codes[k].weights.end());
        CHECK(*least < *most);
      }
    }
  }
}

TEST_CASE("The float engine resumed from a saved state continues alike", "[parameters]") {
  const std::uint64_t seed = test_seed(20261127);
  CAPTURE(seed);
  const Scratch scratch;
  const Network network = network_of(scratch, "dorefa");
  for (const Optimizer optimizer : {Optimizer::kMomentum, Optimizer::kAdam}) {
    const auto make_float = [&](std::uint64_t own) {
      return FloatEngine(network, own, true, MaxGradient::kConstant, optimizer);
    };
    FloatEngine whole = make_float(seed), resumed = make_float(seed + 1);
    SplitMix64 random(seed), other(seed + 2);
    for (int step = 0; step < 3; ++step) train(whole, random);
    for (int step = 0; step < 2; ++step) train(resumed, other);
    const std::vector<std::uint8_t> state = whole.state();
    CHECK(resumed.state() != state);
    resumed.restore(state);
    SplitMix64 rest = random;
    for (int step = 0; step < 3; ++step) CHECK(train(resumed, rest) == train(whole, random));
    CHECK(resumed.state() == whole.state());
    // Known bad: a state of another size is refused, and one with another byte is another.
    std::vector<std::uint8_t> spoilt = state;
    spoilt[0] ^= 1;
    resumed.restore(spoilt);
    CHECK(resumed.state() != state);
    spoilt.pop_back();
    require_error<InputError>([&] { resumed.restore(spoilt); }, {"does not fit"});
  }
}

}  // namespace
}  // namespace solfege
