// SPDX-License-Identifier: Apache-2.0
// AcceleratorEngine::state() holds everything the next step depends on: restored into an engine
// that has trained something else, so that whatever is missing would be wrong. Files and the
// command line are tested in checkpoint_test.cpp and tests/system.
#include <catch2/catch.hpp>

#include "model/base/error.hpp"
#include "model/data/network_file.hpp"
#include "tests/support/dorefa_helpers.hpp"
#include "tests/support/random_training.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

constexpr int kBatch = 6;
constexpr ImageShape kShape{8, 8, 2, 4};

const char* const kNetwork = R"(
weight_decay = 0.001
[[layer]]
type = "conv"
channels = 6
kernel = 3
padding = 1
pool = 3
pool_stride = 2
pool_padding = 1
[[layer]]
type = "conv"
channels = 10
kernel = 3
padding = 1
batch_norm = true
dropout = 0.25
[[layer]]
type = "conv"
channels = 10
kernel = 3
padding = 1
batch_norm = true
residual = 2
[[layer]]
type = "conv"
channels = 7
kernel = 3
stride = 2
padding = 1
batch_norm = true
residual = 3
[[layer]]
type = "avgpool"
[[layer]]
type = "fc"
channels = 9
weight_bits = 3
[[layer]]
type = "fc"
)";

}  // namespace

TEST_CASE("A step resumed from a saved state continues bit-identically", "[checkpoint]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  const Scratch scratch;
  const Config config = Config::load(SOLFEGE_SOURCE_DIR "/tests/configs/square.toml");
  const Network network = load_network(scratch.write("n.toml", kNetwork), config, kShape);
  const auto make = [&](std::uint64_t own) { return golden_engine(config, network, kBatch, own); };
  constexpr int kSteps = 8;
  const auto whole = make(seed);
  RandomTraining batches(kShape, seed);
  std::vector<std::vector<std::uint8_t>> states;
  std::vector<double> losses;
  for (int step = 0; step < kSteps; ++step) {
    states.push_back(whole->state());
    losses.push_back(batches.step(*whole, kBatch));
    whole->set_learning_rate(0.9 * network.learning_rate);  // belongs to the state
  }
  states.push_back(whole->state());
  for (int from = 0; from <= kSteps; ++from) {
    CAPTURE(from);
    const auto resumed = make(seed + 1);
    RandomTraining others(kShape, seed + 2);
    for (int step = 0; step < 3; ++step) others.step(*resumed, kBatch);
    RandomTraining rest(kShape, seed);
    const auto skipped = make(seed + 3);
    for (int step = 0; step < from; ++step) rest.step(*skipped, kBatch);
    CHECK(resumed->state() != states[static_cast<std::size_t>(from)]);
    resumed->restore(states[static_cast<std::size_t>(from)]);
    CHECK(resumed->state() == states[static_cast<std::size_t>(from)]);
    for (int step = from; step < kSteps; ++step) {
      CHECK(rest.step(*resumed, kBatch) == losses[static_cast<std::size_t>(step)]);
      resumed->set_learning_rate(0.9 * network.learning_rate);
      CHECK(resumed->state() == states[static_cast<std::size_t>(step + 1)]);
    }
    // Inference too depends on the state alone.
    const std::vector<std::uint8_t> pixels = rest.images(4);
    CHECK(resumed->predict(pixels.data(), 4) == whole->predict(pixels.data(), 4));
    for (std::size_t k = 0; k < network.layers.size(); ++k)
      CHECK(resumed->weights(static_cast<int>(k)) == whole->weights(static_cast<int>(k)));
  }
  // Known bad: a single byte of the state counts.
  const auto spoilt = make(seed);
  std::vector<std::uint8_t> state = states[3];
  state[0] ^= 1;  // the random sequence
  spoilt->restore(state);
  RandomTraining rest(kShape, seed);
  const auto skipped = make(seed);
  for (int step = 0; step < 3; ++step) rest.step(*skipped, kBatch);
  rest.step(*spoilt, kBatch);
  spoilt->set_learning_rate(0.9 * network.learning_rate);
  CHECK(spoilt->state() != states[4]);
  // A state of another size is refused and changes nothing.
  const std::vector<std::uint8_t> before = spoilt->state();
  state.pop_back();
  require_error<InputError>([&] { spoilt->restore(state); }, {"does not fit"});
  CHECK(spoilt->state() == before);
}

}  // namespace solfege
