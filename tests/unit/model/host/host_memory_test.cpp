// SPDX-License-Identifier: Apache-2.0
// What the host touches is counted, and gradients that do not fit their shift are made again.
#include "model/host/host_memory.hpp"

#include <catch2/catch.hpp>

#include "model/base/splitmix.hpp"
#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"
#include "tests/support/dorefa_helpers.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

constexpr int kBatch = 4, kSide = 8, kChannels = 2, kClasses = 4;

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
type = "fc"
channels = 9
[[layer]]
type = "fc"
)";

struct Batch {
  explicit Batch(std::uint64_t seed) {
    SplitMix64 random(seed);
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.next());
    for (std::uint8_t& label : labels) label = static_cast<std::uint8_t>(random.next() % kClasses);
  }
  std::vector<std::uint8_t> pixels = std::vector<std::uint8_t>(kBatch * kSide * kSide * kChannels);
  std::vector<std::uint8_t> labels = std::vector<std::uint8_t>(kBatch);
  double train(AcceleratorEngine& engine) const {
    return engine.train_step(pixels.data(), labels.data(), kBatch);
  }
};

/// The golden model, with a host that does something between programs.
class Meddled : public GoldenOnly {
 public:
  using GoldenOnly::GoldenOnly;
  void run(const Program& program) override {
    GoldenOnly::run(program);
    if (meddle) meddle();
  }
  std::function<void()> meddle;
};

struct Bench {
  explicit Bench(const std::string& text = kNetwork) {
    const Scratch scratch;
    network = load_network(scratch.write("network.toml", text), config,
                           {kSide, kSide, kChannels, kClasses});
    engine =
        std::make_unique<AcceleratorEngine>(config, network, kBatch, 1, [&](std::size_t bytes) {
          auto made = std::make_unique<Meddled>(config, bytes);
          device = made.get();
          return made;
        });
  }
  LayerState& layer(int k) { return const_cast<LayerState&>(engine->layer(k)); }

  const Config config = Config::load(SOLFEGE_SOURCE_DIR "/configs/tiny.toml");
  Network network;
  Meddled* device = nullptr;
  std::unique_ptr<AcceleratorEngine> engine;
};

}  // namespace

TEST_CASE("Values that the host reads and writes are counted by what they are", "[host]") {
  const Config config;
  MemoryLayout layout(config);
  const std::uint32_t scalars = layout.take(8);
  const ElementTensor elements = layout.elements("elements", 16, 1, 16, ElementType::kSigned16);
  const ElementTensor logits =
      layout.elements("logits", 1, 1, 4, ElementType::kSigned32, MemoryContent::kLogits);
  const PackedTensor planes = layout.planes("planes", 4, 1, 2, 16, false, kUnsignedCodes);
  GoldenOnly device(config, layout.size());
  HostMemory host(device, layout.regions());
  *host.write<std::int32_t>(scalars + 4) = 7;
  CHECK(*host.read<std::int32_t>(scalars + 4) == 7);
  CHECK(host.accesses(MemoryContent::kScalars) == 2);
  CHECK(host.accesses(MemoryContent::kElements) == 0);
  host.read<std::int16_t>(elements.element_address(3, 0, 5));
  host.write<std::int16_t>(elements.address, 256);
  host.read<std::uint8_t>(planes.address, 3);
  CHECK(host.accesses(MemoryContent::kElements) == 1 + 256 + 3);
  host.write<std::int32_t>(logits.address, 4);
  CHECK(host.accesses(MemoryContent::kLogits) == 4);
  CHECK(host.accesses(MemoryContent::kImages) == 0);
  CHECK_THROWS_AS(host.read<std::int32_t>(scalars, 3), std::logic_error);  // over its end
  CHECK_THROWS_AS(host.read<std::int32_t>(0), std::logic_error);           // before the first
  CHECK_THROWS_AS(host.read<std::int16_t>(elements.address, 257), std::logic_error);
}

TEST_CASE("A host that reads elements in a step raises the count", "[host]") {
  Bench bench;
  const Batch batch(1);
  batch.train(*bench.engine);
  CHECK(bench.engine->host_element_operations() == 0);
  int programs = 0;
  bench.device->meddle = [&] {
    if (programs++ == 0) bench.engine->weights(2);  // known bad
  };
  batch.train(*bench.engine);
  REQUIRE(programs > 0);
  CHECK(bench.engine->host_element_operations() == bench.engine->layer(2).weights.size());
}

TEST_CASE("Every layer moves in every step, whatever shift the step before left", "[gradient]") {
  // Normal, far too coarse, and far too fine for the gradients
  const int error = GENERATE(0, 25, -25);
  CAPTURE(error);
  Bench bench;
  for (int step = 0; step < 4; ++step) {
    CAPTURE(step);
    const std::vector<std::uint64_t> before = bench.engine->weight_fingerprints();
    std::vector<int> shifts;
    for (int k = 0; k + 1 < 4; ++k) {
      shifts.push_back(bench.layer(k).gradient_shift);
      bench.layer(k).gradient_shift = std::clamp(shifts.back() + error, 0, 62);
    }
    Batch(static_cast<std::uint64_t>(step)).train(*bench.engine);
    const std::vector<std::uint64_t> after = bench.engine->weight_fingerprints();
    for (int k = 0; k < 4; ++k) {
      CAPTURE(k);
      CHECK(before[static_cast<std::size_t>(k)] != after[static_cast<std::size_t>(k)]);
      CHECK(bench.engine->zero_gradient_share(k) < 1.0);
      // The largest gradient of the step makes use of its 16 bits and is not cut off.
      if (k == 3) continue;
      const LayerState& s = bench.engine->layer(k);
      const auto* maxima = reinterpret_cast<const std::uint32_t*>(
          bench.engine->device().memory().data() + s.gradient_max);
      const std::uint32_t peak = *std::max_element(maxima, maxima + kBatch);
      CHECK(peak >= 128);
      CHECK(peak < 32767);
      CHECK(std::abs(s.gradient_shift - shifts[static_cast<std::size_t>(k)]) <= 7);
    }
  }
}

TEST_CASE("A gradient that is truly zero stays so, and its shift too", "[gradient]") {
  Bench bench;
  Batch batch(1);
  batch.train(*bench.engine);
  // No clip passes anything: beta far below 0
  LayerState& s = bench.layer(1);
  std::fill(s.beta.begin(), s.beta.end(), -1000.0);
  const int shift = s.gradient_shift, below = bench.layer(0).gradient_shift;
  batch.train(*bench.engine);
  CHECK(bench.engine->zero_gradient_share(1) == 1.0);
  CHECK(bench.engine->zero_gradient_share(0) == 1.0);
  CHECK(bench.engine->zero_gradient_share(2) < 1.0);
  CHECK(s.gradient_shift == shift);
  CHECK(bench.layer(0).gradient_shift == below);
}

}  // namespace solfege
