// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace solfege {

/// The random sequence of the rounding units (rtl/stream/sf_lfsr.v): x[n+64] = x[n] ^ x[n+1] ^
/// x[n+3] ^ x[n+4] over GF(2), period 2^64 - 1. The state is its next 64 bits, earliest lowest;
/// never 0.
class Lfsr {
 public:
  explicit Lfsr(std::uint64_t state) : state_(state) {}

  /// The next `bits` (1..60) of the sequence, earliest lowest.
  std::uint32_t next(int bits) {
    const auto value = static_cast<std::uint32_t>(state_ & ((std::uint64_t{1} << bits) - 1));
    const std::uint64_t fresh = state_ ^ (state_ >> 1) ^ (state_ >> 3) ^ (state_ >> 4);
    state_ = (state_ >> bits) | (fresh << (64 - bits));
    return value;
  }
  /// Skips `bits` bits in time logarithmic in their number.
  void jump(std::uint64_t bits);
  std::uint64_t state() const { return state_; }

 private:
  std::uint64_t state_;
};

/// The start state of a run with this seed: the seed's bits are mixed (splitmix64), for the
/// sequence would begin with the seed itself, and states that differ in few bits have draws in
/// common. Never 0.
std::uint64_t seeded_state(std::uint64_t seed);

}  // namespace solfege
