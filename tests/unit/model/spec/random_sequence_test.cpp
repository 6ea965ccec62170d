// SPDX-License-Identifier: Apache-2.0
// The random numbers of a run, as its first descriptors start them: uniform from the first draw on,
// and independent of those of neighbouring seeds.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "model/base/splitmix.hpp"
#include "model/data/network_file.hpp"
#include "model/golden/random.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/spec/lfsr.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

constexpr int kDraws = 32;
constexpr std::uint64_t kSeeds = 2000;

using Draws = std::vector<double>;  ///< in (0, 1)

Draws draws_from(std::uint64_t state, int bits) {
  RandomNumbers numbers(state, bits, 0);
  std::uint16_t taken[kDraws];
  numbers.take(taken, kDraws);
  Draws draws;
  for (const std::uint16_t one : taken) draws.push_back((one + 0.5) / (1 << bits));
  return draws;
}

/// The first draws of runs with the seeds 1, 2, ...
std::vector<Draws> first_draws(const std::function<std::uint64_t(std::uint64_t)>& state_of,
                               int bits) {
  std::vector<Draws> draws;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed)
    draws.push_back(draws_from(state_of(seed), bits));
  return draws;
}

/// The largest deviation of what a sequence that is uniform and independent over seeds would show,
/// in standard deviations.
struct Deviations {
  double mean = 0;         ///< of a seed's draws from 1/2
  double chi_square = 0;   ///< of the n-th draws over all seeds in 16 bins, from 15
  double correlation = 0;  ///< of the draws of seeds that lie 1 to 8 apart
};

Deviations deviations(const std::vector<Draws>& draws) {
  Deviations worst;
  for (const Draws& one : draws) {
    double sum = 0;
    for (const double draw : one) sum += draw - 0.5;
    worst.mean = std::max(worst.mean, std::abs(sum) / std::sqrt(kDraws / 12.0));
  }
  for (std::size_t n = 0; n < kDraws; ++n) {
    double bins[16] = {}, chi_square = 0;
    for (const Draws& one : draws) ++bins[static_cast<int>(16 * one[n])];
    const double expected = static_cast<double>(draws.size()) / 16;
    for (const double bin : bins) chi_square += (bin - expected) * (bin - expected) / expected;
    worst.chi_square = std::max(worst.chi_square, (chi_square - 15) / std::sqrt(30.0));
  }
  for (std::size_t apart = 1; apart <= 8; ++apart) {
    double sum = 0;
    for (std::size_t s = 0; s + apart < draws.size(); ++s)
      for (std::size_t n = 0; n < kDraws; ++n)
        sum += 12 * (draws[s][n] - 0.5) * (draws[s + apart][n] - 0.5);
    worst.correlation =
        std::max(worst.correlation,
                 std::abs(sum) / std::sqrt(kDraws * static_cast<double>(draws.size() - apart)));
  }
  return worst;
}

}  // namespace

TEST_CASE("Random numbers are uniform and independent over neighbouring seeds", "[random]") {
  const int bits = GENERATE(4, 9, 16);
  CAPTURE(bits);
  const Deviations mixed = deviations(first_draws(seeded_state, bits));
  CAPTURE(mixed.mean, mixed.chi_square, mixed.correlation);
  CHECK(mixed.mean < 4.5);  // of 2000 seeds; .0007 % of a normal distribution lie beyond
  CHECK(mixed.chi_square < 4.5);
  CHECK(mixed.correlation < 4.5);
  // Known bad: the seed itself as the state
  const Deviations raw = deviations(first_draws([](std::uint64_t seed) { return seed; }, bits));
  CHECK(raw.chi_square > 50);
  CHECK(raw.correlation > 50);
}

TEST_CASE("A run's first draws are those of its mixed seed", "[random]") {
  const Scratch scratch;
  const std::string path = scratch.write("network.toml", R"(
[[layer]]
type = "conv"
channels = 4
kernel = 3
[[layer]]
type = "fc"
)");
  Config config = Config::load(SOLFEGE_SOURCE_DIR "/configs/tiny.toml");
  std::vector<std::uint64_t> states;
  for (const std::uint64_t seed : {1, 2, 3}) {
    config.random_seed = seed;
    const Network network = load_network(path, config, {8, 8, 2, 4});
    AcceleratorEngine engine(config, network, 2, 1, [&](std::size_t bytes) {
      return std::make_unique<GoldenOnly>(config, bytes);
    });
    std::uint64_t first = 0;
    for (const Program& program : engine.step_programs())
      for (const Operation& operation : program.operations) {
        const Descriptor& d = operation.descriptor;
        if (first == 0 && d.opcode == Opcode::kStream && d.stochastic()) first = d.random_state();
      }
    REQUIRE(first != 0);
    CHECK(first == seeded_state(seed));
    CHECK(first != seed);
    states.push_back(first);
  }
  CHECK(states[0] != states[1]);
  CHECK(states[1] != states[2]);
}

TEST_CASE("No seed gives the state that stays 0", "[random]") {
  // splitmix64 mixes this seed to 0
  SplitMix64 zero(0 - 0x9E3779B97F4A7C15ull);
  REQUIRE(zero.next() == 0);
  CHECK(seeded_state(0 - 0x9E3779B97F4A7C15ull) != 0);
}

}  // namespace solfege
