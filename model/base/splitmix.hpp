// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace solfege {

/// splitmix64 (Steele, Lea and Flood 2014): 64 random bits a call, the same on every machine.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  /// Uniform over all 64-bit numbers.
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  /// Uniform in the open interval (0, 1), from the top 23 bits, centred: (U + 1/2) / 2^23.
  float uniform() { return (static_cast<float>(next() >> 41) + 0.5f) * 0x1p-23f; }

 private:
  std::uint64_t state_;
};

}  // namespace solfege
