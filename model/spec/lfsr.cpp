// SPDX-License-Identifier: Apache-2.0
#include "model/spec/lfsr.hpp"

#include <array>
#include <cstddef>

#include "model/base/splitmix.hpp"

namespace solfege {
namespace {

/// A linear map of states: column i is the image of bit i.
using Map = std::array<std::uint64_t, 64>;

std::uint64_t image_of(const Map& map, std::uint64_t state) {
  std::uint64_t image = 0;
  for (std::size_t i = 0; i < 64; ++i)
    if (state >> i & 1) image ^= map[i];
  return image;
}

/// powers[k] skips 2^k bits.
const std::array<Map, 64>& powers() {
  static const auto table = [] {
    std::array<Map, 64> maps{};
    for (std::size_t i = 0; i < 64; ++i) {
      Lfsr one(std::uint64_t{1} << i);
      one.next(1);
      maps[0][i] = one.state();
    }
    for (std::size_t k = 1; k < 64; ++k)
      for (std::size_t i = 0; i < 64; ++i) maps[k][i] = image_of(maps[k - 1], maps[k - 1][i]);
    return maps;
  }();
  return table;
}

}  // namespace

void Lfsr::jump(std::uint64_t bits) {
  for (std::size_t k = 0; bits != 0; ++k, bits >>= 1)
    if (bits & 1) state_ = image_of(powers()[k], state_);
}

std::uint64_t seeded_state(std::uint64_t seed) {
  SplitMix64 mixed(seed);
  std::uint64_t state = mixed.next();
  while (state == 0) state = mixed.next();
  return state;
}

}  // namespace solfege
