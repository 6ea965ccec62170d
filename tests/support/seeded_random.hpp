// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

#include "model/base/splitmix.hpp"

namespace solfege {

/// What a random test begins with: SOLFEGE_SEED, or else `otherwise`.
inline std::uint64_t test_seed(std::uint64_t otherwise) {
  const char* text = std::getenv("SOLFEGE_SEED");
  return text != nullptr ? std::stoull(text, nullptr, 0) : otherwise;
}

/// Random numbers of a test: for one seed the same on every machine.
class SeededRandom {
 public:
  explicit SeededRandom(std::uint64_t seed) : numbers_(seed) {}

  /// `count` random bits, at most 64.
  std::uint64_t bits(int count) {
    return count == 64 ? numbers_.next() : numbers_.next() & ((std::uint64_t{1} << count) - 1);
  }
  /// A number from low to high, both included.
  int between(int low, int high) {
    return low + static_cast<int>(numbers_.next() % static_cast<std::uint64_t>(high - low + 1));
  }
  /// The same for a field of a descriptor.
  std::uint32_t field(int low, int high) { return static_cast<std::uint32_t>(between(low, high)); }
  /// Two's complement of so many bits, small magnitudes as often as large ones.
  std::int64_t mixed(int width) {
    return static_cast<std::int64_t>(numbers_.next()) >> (64 - between(1, width));
  }
  bool chance(int percent) { return between(1, 100) <= percent; }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[between(0, static_cast<int>(values.size()) - 1)];
  }
  void fill(std::vector<std::uint8_t>& bytes) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      word = i % 8 == 0 ? numbers_.next() : word >> 8;
      bytes[i] = static_cast<std::uint8_t>(word);
    }
  }

 private:
  SplitMix64 numbers_;
};

}  // namespace solfege
