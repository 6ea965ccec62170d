// SPDX-License-Identifier: Apache-2.0
// Every scheme says one thing twice, in float and as integers; and what the two new ones are.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <set>
#include <string>

#include "model/base/error.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/network_file.hpp"
#include "model/schemes/scheme.hpp"
#include "model/spec/config.hpp"
#include "tests/support/dorefa_helpers.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

Layer layer_of(const Scheme& scheme, int bits) {
  Layer layer;
  layer.scheme = scheme.name();
  layer.weight_bits = layer.output_bits = bits;
  layer.activation_bound = scheme.initial_bound(layer);
  return layer;
}

/// The value of the code that a bank of thresholds gives.
double value_of(const ActivationCodes& codes, const PlaneReading& reading, double p) {
  const auto code = std::count_if(codes.thresholds.begin(), codes.thresholds.end(),
                                  [&](const Bound& bound) { return bound.reached_by(p); });
  return codes.step * (reading.step * static_cast<double>(code) + reading.offset);
}

/// All that the device can measure of weights [channel][..].
WeightMeasures measures_of(const std::vector<float>& weights, std::size_t channels) {
  WeightMeasures measures;
  measures.row_means.resize(channels);
  const std::size_t row = weights.size() / channels;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double w = weights[i], magnitude = std::abs(w);
    measures.peak = std::max(measures.peak, magnitude);
    measures.mean += magnitude / static_cast<double>(weights.size());
    measures.row_means[i / row] += magnitude / static_cast<double>(row);
    measures.low = std::min(measures.low, w);
    measures.high = std::max(measures.high, w);
  }
  return measures;
}

/// Points of activations at which the float equations and the thresholds disagree.
int disagreements(const Scheme& scheme, const Layer& layer, const ActivationCodes& codes,
                  std::uint64_t seed) {
  SplitMix64 random(seed);
  const auto quantize = scheme.quantize_activation(layer);
  const auto passes = scheme.passes_gradient(layer);
  std::vector<float> points = {
      0.0f, -0.0f, -1e-30f, 1e-30f, 1e6f, -1e6f, static_cast<float>(codes.low.at)};
  for (int i = 0; i < 2000; ++i)
    points.push_back(static_cast<float>((3.0 * random.uniform() - 1.0) * codes.high.at));
  int apart = 0;
  for (const float p : points) {
    if (std::any_of(codes.thresholds.begin(), codes.thresholds.end(), [&](const Bound& bound) {
          return bound.at != 0.0 && std::abs(bound.at - p) < 1e-6;
        }))
      continue;
    apart += std::abs(quantize(p) - value_of(codes, scheme.activation_reading(layer), p)) > 1e-5;
    const bool below = codes.high.inclusive ? p <= codes.high.at : p < codes.high.at;
    apart += passes(p) != (codes.low.reached_by(p) && below);
    const double slope = codes.triangle ? 2.0 - 2.0 * std::abs(p) : 1.0;
    apart += passes(p) && std::abs(scheme.activation_slope(layer, p) - slope) > 1e-5;
  }
  return apart;
}

}  // namespace

TEST_CASE("Activations of every scheme: thresholds say what the float equations say", "[schemes]") {
  const std::uint64_t seed = test_seed();
  for (const Scheme* scheme : schemes())
    for (int bits = 1; bits <= 8; ++bits) {
      CAPTURE(seed, scheme->name(), bits);
      const Layer layer = layer_of(*scheme, bits);
      ActivationCodes codes = scheme->activation_codes(layer);
      REQUIRE(codes.thresholds.size() < std::size_t{1} << bits);
      CHECK(std::is_sorted(codes.thresholds.begin(), codes.thresholds.end(),
                           [](const Bound& a, const Bound& b) { return a.at < b.at; }));
      CHECK(disagreements(*scheme, layer, codes, seed) == 0);
      // Known bad: a threshold that is a tenth of the range off, and a bound on the wrong side
      ActivationCodes moved = codes;
      moved.thresholds.back().at += 0.1 * codes.high.at;
      CHECK(disagreements(*scheme, layer, moved, seed) > 0);
      codes.low.inclusive = !codes.low.inclusive;
      CHECK(disagreements(*scheme, layer, codes, seed) > 0);
    }
}

TEST_CASE("Weights of every scheme: thresholds say what the float equations say", "[schemes]") {
  const std::uint64_t seed = test_seed();
  for (const Scheme* scheme : schemes())
    for (int bits = 1; bits <= 8; ++bits)
      for (const bool edge : {false, true}) {
        CAPTURE(seed, scheme->name(), bits, edge);
        SplitMix64 random(seed);
        Layer layer = layer_of(*scheme, bits);
        layer.is_edge = edge;
        layer.batch_norm = !edge;
        layer.in_channels = 100;
        layer.out_channels = 5;
        std::vector<float> w = random_values(500, &random);
        for (std::size_t i = 0; i < w.size(); ++i) w[i] *= 0.2f * static_cast<float>(i / 100 + 1);
        const WeightCodes codes = scheme->weight_codes(layer, measures_of(w, 5));
        REQUIRE(codes.thresholds.size() < std::size_t{1} << bits);
        CHECK(codes.row_scales.size() == (scheme->measures_rows(layer) ? 5 : 0));
        const PlaneReading reading = codes.reading.value_or(scheme->weight_reading(layer));
        const auto apart = [&](double moved) {
          const std::vector<float> expected = scheme->quantize_weights(layer, w);
          int count = 0;
          for (std::size_t i = 0; i < w.size(); ++i) {
            const auto above =
                std::upper_bound(codes.thresholds.begin(), codes.thresholds.end(), w[i] + moved);
            const auto code = static_cast<double>(above - codes.thresholds.begin());
            count += std::abs(codes.scale / codes.levels * codes.row_scale(i / 100) *
                                  (reading.step * code + reading.offset) -
                              expected[i]) > 1e-5;
          }
          return count;
        };
        CHECK(apart(0.0) <= 2);  // within float rounding of a threshold
        CHECK(apart(0.1) > 2);
      }
}

TEST_CASE("Any-Precision's truncated codes are the high planes of 8-bit codes", "[schemes]") {
  const Scheme& scheme = *find_scheme("any_precision");
  const Scheme& dorefa = *find_scheme("dorefa");
  SplitMix64 random(test_seed());
  const std::vector<float> w = random_values(500, &random);
  const WeightMeasures measures = measures_of(w, 5);
  const auto code_of = [](const std::vector<double>& thresholds, double x) {
    return std::upper_bound(thresholds.begin(), thresholds.end(), x) - thresholds.begin();
  };
  Layer whole = layer_of(dorefa, 8);
  const std::vector<double> all = dorefa.weight_codes(whole, measures).thresholds;
  const ActivationCodes f_a = dorefa.activation_codes(whole);
  for (int bits = 2; bits <= 7; ++bits) {
    CAPTURE(bits);
    Layer layer = layer_of(scheme, bits);
    const WeightCodes anew = scheme.weight_codes(layer, measures);
    layer.scheme_parameters["truncate"] = 1.0;
    const WeightCodes cut = scheme.weight_codes(layer, measures);
    const std::vector<float> values = scheme.quantize_weights(layer, w);
    int apart = 0, wrong = 0;
    for (std::size_t i = 0; i < w.size(); ++i) {
      const auto code = code_of(cut.thresholds, w[i]);
      CHECK(code == code_of(all, w[i]) >> (8 - bits));
      apart += code != code_of(anew.thresholds, w[i]);
      const double n = (1 << bits) - 1;
      wrong += std::abs(values[i] - cut.scale * (2.0 * static_cast<double>(code) - n) / n) > 1e-5;
    }
    CHECK(apart > 0);
    CHECK(wrong <= 2);  // within float rounding of a threshold
    CHECK(disagreements(scheme, layer, scheme.activation_codes(layer), 1) == 0);
    // Of the 256 codes of activations, those that quantizing anew would make another of: as many as
    // the paper's authors' code has (2 to 6 bits).
    Layer other = layer_of(dorefa, bits);
    const ActivationCodes few = dorefa.activation_codes(other),
                          high = scheme.activation_codes(layer);
    int differing = 0;
    for (int code = 0; code < 256; ++code) {
      const auto count = [&](const ActivationCodes& codes) {
        return std::count_if(codes.thresholds.begin(), codes.thresholds.end(),
                             [&](const Bound& bound) { return bound.reached_by(code / 255.0); });
      };
      differing += count(few) != count(high);
    }
    if (bits <= 6)
      CHECK((differing >= 42 && differing <= 56));
    else
      CHECK(differing == 0);
  }
  CHECK(f_a.thresholds.size() == 255);
}

TEST_CASE("HWGQ has the paper's levels and bounds", "[schemes]") {
  const Scheme& scheme = *find_scheme("hwgq");
  const ActivationCodes codes = scheme.activation_codes(layer_of(scheme, 2));
  CHECK(codes.step == Approx(0.538).margin(0.0005));
  CHECK(codes.thresholds[0].at == 0.0);
  CHECK(!codes.thresholds[0].inclusive);
  CHECK(codes.thresholds[1].at == Approx(0.807).margin(0.0005));
  CHECK(codes.thresholds[2].at == Approx(1.345).margin(0.0005));
  CHECK(codes.high.at == Approx(1.614).margin(0.001));
  // Steps halve, nearly, with every bit, and the top level grows.
  for (int bits = 1; bits < 8; ++bits) {
    const ActivationCodes few = scheme.activation_codes(layer_of(scheme, bits));
    const ActivationCodes more = scheme.activation_codes(layer_of(scheme, bits + 1));
    CHECK(more.step > 0.5 * few.step);
    CHECK(more.step < 0.7 * few.step);
    CHECK(more.high.at > few.high.at);
  }
  // Of one bit: the mean of the positive half of a Gaussian
  CHECK(scheme.activation_codes(layer_of(scheme, 1)).step == Approx(std::sqrt(2.0 / M_PI)));
}

TEST_CASE("PACT's alpha begins where the network says", "[schemes]") {
  const Config config;
  const Scratch scratch;
  const std::string layers =
      "[[layer]]\ntype = \"fc\"\nchannels = 8\n[[layer]]\ntype = \"fc\"\nchannels = 8\nalpha = 4\n"
      "[[layer]]\ntype = \"fc\"\nchannels = 8\nscheme = \"hwgq\"\n[[layer]]\ntype = \"fc\"\n";
  const auto load = [&](const std::string& text, const std::string& scheme = {}) {
    return load_network(scratch.write("n.toml", text), config, {8, 8, 1, 10}, scheme);
  };
  const auto alpha = [](const Layer& layer) { return scheme_of(layer).initial_bound(layer); };
  const Network network = load("scheme = \"pact\"\nalpha = 3\n" + layers);
  CHECK(alpha(network.layers[0]) == 3.0);
  CHECK(alpha(network.layers[1]) == 4.0);
  CHECK(network.layers[2].scheme == "hwgq");
  // A scheme that is asked for is that of layers that name none.
  const Network held = load("alpha = 3\n" + layers, "pact");
  CHECK(held.layers[0].scheme == "pact");
  CHECK(held.layers[2].scheme == "hwgq");
  CHECK(canonical(network) != canonical(load("scheme = \"pact\"\nalpha = 2.5\n" + layers)));
  require_error<InputError>([&] { load("scheme = \"pacts\"\n" + layers); },
                            {"scheme = \"pacts\"", "pact, hwgq"});
  require_error<InputError>([&] { load("scheme = \"pact\"\nalpha = 9\n" + layers); },
                            {"alpha = 9", "0.0625 to 8"});
  require_error<InputError>([&] { load(layers); },
                            {"alpha = 4", "no parameter of scheme dorefa", "leave it out"});
  // A parameter that no layer uses would change nothing; a scheme that is asked for may do without.
  const std::string plain = "alpha = 3\n[[layer]]\ntype = \"fc\"\n";
  require_error<InputError>([&] { load(plain); },
                            {"alpha = 3", "any layer's scheme", "set scheme = \"pact\""});
  CHECK(load(plain, "hwgq").layers[0].scheme == "hwgq");
}

TEST_CASE("Every scheme has a name of its own and says where it comes from", "[schemes]") {
  std::set<std::string> names;
  for (const Scheme* scheme : schemes()) {
    CHECK(names.insert(scheme->name()).second);
    CHECK(std::string(scheme->paper()).find(" 20") != std::string::npos);  // a year
    CHECK(find_scheme(scheme->name()) == scheme);
    CHECK(scheme_names().find(scheme->name()) != std::string::npos);
  }
  CHECK(names.count("dorefa") == 1);
  for (const MissingScheme& scheme : missing_schemes()) {
    CHECK(names.insert(scheme.name).second);
    CHECK(find_scheme(scheme.name) == nullptr);
    CHECK(std::string(scheme.reason).size() > 20);
  }
  CHECK(find_scheme("unheard") == nullptr);
  Layer layer;
  layer.scheme = "unheard";
  CHECK_THROWS_AS(scheme_of(layer), std::logic_error);
}

}  // namespace solfege
