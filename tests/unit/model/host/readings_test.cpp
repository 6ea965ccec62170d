// SPDX-License-Identifier: Apache-2.0
// What readings of codes ask of a training: padding that is unfolded, dropout, bounds of weights.
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
  CHECK(padded.input_signed.address != 0);
  CHECK(padded.input_signed.planes == padded.layer.input_bits + 1);
  CHECK(padded.input_unfolded.reading.is_signed);
  CHECK(padded.input_unfolded.planes == padded.input_signed.planes);
  CHECK(binary.layer(1).codes.reading.offset != 0);
  // Known others: images, and codes that have a 0
  CHECK(binary.layer(0).input_signed.address == 0);
  const AcceleratorEngine dorefa = engine_for(network_text("dorefa"));
  CHECK(dorefa.layer(2).input_signed.address == 0);
  CHECK(dorefa.layer(2).input_unfolded.planes == dorefa.layer(2).layer.input_bits);
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
