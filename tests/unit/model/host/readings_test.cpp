// SPDX-License-Identifier: Apache-2.0
// What readings of codes ask of a training: padding that is unfolded, dropout, bounds of weights.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "model/base/error.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"
#include "tests/support/dorefa_helpers.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

constexpr int kBatch = 6, kSide = 8, kChannels = 2, kClasses = 4;

/// Three padded convolutions, the last two with batch norm, so that their inputs are unfolded.
std::string network_text(const std::string& scheme, const std::string& more = "") {
  std::string text = "scheme = \"" + scheme + "\"\nlearning_rate = 4\n";
  for (const char* batch_norm : {"false", "true", "true"})
    text += std::string("[[layer]]\ntype = \"conv\"\nchannels = 12\nkernel = 3\npadding = 1\n") +
            "batch_norm = " + batch_norm + "\n" + more;
  return text + "[[layer]]\ntype = \"fc\"\n";
}

AcceleratorEngine engine_for(const std::string& text) {
  const Config config = Config::load(SOLFEGE_SOURCE_DIR "/configs/tiny.toml");
  const Scratch scratch;
  const Network network =
      load_network(scratch.write("n.toml", text), config, {kSide, kSide, kChannels, kClasses});
  return AcceleratorEngine(config, network, kBatch, 1,
                           [config](std::size_t bytes) -> std::unique_ptr<Device> {
                             return std::make_unique<GoldenOnly>(config, bytes);
                           });
}

std::int32_t largest_weight(AcceleratorEngine& engine, int layer) {
  std::int32_t largest = 0;
  for (const std::int32_t w : engine.weights(layer)) largest = std::max(largest, std::abs(w));
  return largest;
}

}  // namespace

TEST_CASE("Codes without a 0 are unfolded as values, others as they are", "[readings]") {
  const AcceleratorEngine binary = engine_for(network_text("bnn"));
  const LayerState& padded = binary.layer(2);
  REQUIRE(padded.lanes == WeightGradientLanes::kPixels);
  REQUIRE(!padded.input_signed.empty());
  CHECK(padded.input_signed.front().planes == padded.layer.input_bits + 1);
  CHECK(padded.input_unfolded.front().reading.is_signed);
  CHECK(padded.input_unfolded.front().planes == padded.input_signed.front().planes);
  CHECK(binary.layer(1).codes.front().reading.offset != 0);
  // Known others: images, and codes that have a 0
  CHECK(binary.layer(0).input_signed.empty());
  const AcceleratorEngine dorefa = engine_for(network_text("dorefa"));
  CHECK(dorefa.layer(2).input_signed.empty());
  CHECK(dorefa.layer(2).input_unfolded.front().planes == dorefa.layer(2).layer.input_bits);
}

TEST_CASE("Groups are multiplied in parts of whole blocks of channels", "[readings]") {
  const auto parts = [](int ins, int outs, int groups) {
    Layer layer;
    layer.in_channels = ins;
    layer.out_channels = outs;
    layer.groups = groups;
    std::vector<std::vector<int>> list;
    for (const ChannelPart& p : channel_parts(layer))
      list.push_back({p.in_first, p.ins, p.out_first, p.outs});
    return list;
  };
  using Parts = std::vector<std::vector<int>>;
  CHECK(parts(7, 20, 1) == Parts{{0, 7, 0, 20}});
  CHECK(parts(96, 256, 2) == Parts{{0, 48, 0, 128}, {48, 48, 128, 128}});
  CHECK(parts(40, 80, 40) == Parts{{0, 16, 0, 32}, {16, 16, 32, 32}, {32, 8, 64, 16}});
  CHECK(parts(24, 24, 3) == Parts{{0, 16, 0, 16}, {16, 8, 16, 8}});
  CHECK(parts(20, 30, 10) == Parts{{0, 20, 0, 30}});  // no fewer groups fill blocks
}

/// A layer of 32 channels in `groups`, behind one that has as many.
std::string grouped_text(const char* groups, const char* more, const char* scheme = "dorefa") {
  return fmt::format(
      "scheme = \"{}\"\n[[layer]]\ntype = \"conv\"\nchannels = 32\nkernel = 3\npadding = 1\n"
      "[[layer]]\ntype = \"conv\"\nchannels = 32\nkernel = 3\npadding = 1\ngroups = {}\n{}"
      "[[layer]]\ntype = \"fc\"\n",
      scheme, groups, more);
}

TEST_CASE("Between groups that share a part weights are 0, and stay 0", "[readings]") {
  const auto holes = [](AcceleratorEngine& engine) {
    const LayerState& s = engine.layer(1);
    const auto* weights =
        reinterpret_cast<const std::int32_t*>(engine.device().memory().data() + s.weights.address);
    std::size_t zeros = 0;
    for (std::size_t i = 0; i < s.weights.size(); ++i) zeros += weights[i] == 0;
    return zeros;
  };
  for (const char* groups : {"2", "8", "\"depthwise\""}) {
    INFO("groups = " << groups);
    AcceleratorEngine engine = engine_for(grouped_text(groups, ""));
    const LayerState& s = engine.layer(1);
    const bool shared = groups != std::string("2");
    CHECK(s.has_holes() == shared);
    CHECK(s.parts.size() == 2);
    // A 0 takes a bit more.
    CHECK(s.weight_codes.front().planes == s.layer.weight_bits + (shared ? 1 : 0));
    CHECK(s.weight_codes.front().reading.is_signed == shared);
    const std::size_t places = s.weights.size(), weights = engine.weights(1).size();
    CHECK(weights == static_cast<std::size_t>(32 * 9 * s.layer.group_inputs()));
    CHECK((weights < places) == shared);
    const std::vector<std::int32_t> before = engine.weights(1);
    const std::vector<std::uint8_t> pixels(kBatch * kSide * kSide * kChannels, 100),
        labels(kBatch, 1);
    for (int step = 0; step < 2; ++step) {
      engine.train_step(pixels.data(), labels.data(), kBatch);
      CHECK(holes(engine) >= places - weights);
      CHECK(holes(engine) < places - weights + weights / 2);
    }
    CHECK(engine.weights(1) != before);
  }
}

TEST_CASE("Weights that leave no code for a 0 between groups are refused", "[readings]") {
  CHECK_NOTHROW(engine_for(grouped_text("2", "weight_bits = 8\n")));
  CHECK_NOTHROW(engine_for(grouped_text("8", "weight_bits = 7\n")));
  CHECK_THROWS_WITH(
      engine_for(grouped_text("8", "weight_bits = 8\n")),
      Catch::Contains("layer conv1: weight_bits = 8") && Catch::Contains("set weight_bits = 7"));
  CHECK_NOTHROW(engine_for(grouped_text("2", "weight_bits = 1\n", "wage")));
  CHECK_NOTHROW(engine_for(grouped_text("8", "weight_bits = 2\n", "wage")));
  CHECK_THROWS_WITH(
      engine_for(grouped_text("8", "weight_bits = 1\n", "wage")),
      Catch::Contains("layer conv1: weight_bits = 1") && Catch::Contains("set weight_bits = 2"));
}

TEST_CASE("Dropout is refused where codes have no 0", "[readings]") {
  require_error<InputError>([] { engine_for(network_text("bnn", "dropout = 0.25\n")); },
                            {"dropout = 0.25", "scheme bnn", "remove the key"});
  CHECK_NOTHROW(engine_for(network_text("dorefa", "dropout = 0.25\n")));
}

TEST_CASE("The update keeps master weights within the scheme's bound", "[readings]") {
  // 4 a step times a gradient moves weights far beyond 1.
  const std::int32_t one = 1 << 24;
  for (const char* scheme : {"bnn", "wrpn", "binary_connect", "dorefa"}) {
    CAPTURE(scheme);
    AcceleratorEngine engine = engine_for(network_text(scheme));
    SplitMix64 random(3);
    std::int32_t largest = 0;
    for (int step = 0; step < 8; ++step) {
      std::vector<std::uint8_t> pixels(kBatch * kSide * kSide * kChannels), labels(kBatch);
      for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.next());
      for (std::uint8_t& label : labels)
        label = static_cast<std::uint8_t>(random.next() % kClasses);
      engine.train_step(pixels.data(), labels.data(), kBatch);
      for (int layer = 0; layer < 4; ++layer)
        largest = std::max(largest, largest_weight(engine, layer));
    }
    if (scheme == std::string("dorefa"))
      CHECK(largest > one);  // known bad: a scheme without a bound
    else
      CHECK(largest == one - 1);
  }
}

}  // namespace solfege
