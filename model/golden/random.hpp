// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "model/spec/lfsr.hpp"

namespace solfege {

/// The numbers of model/spec/lfsr.hpp in bulk, from any number of a sequence on. A sequence in
/// which x[n+64] = x[n] + x[n+1] + x[n+3] + x[n+4] over GF(2) also has x[n+64k] = x[n] + x[n+k] +
/// x[n+3k]
/// + x[n+4k] for k = 2^j (squaring the polynomial); with k = 64 that holds between 64-bit words.
class RandomNumbers {
 public:
  RandomNumbers() = default;
  RandomNumbers(std::uint64_t state, int bits, std::uint64_t first) : bits_(bits) {
    Lfsr start(state);
    start.jump(first * static_cast<std::uint64_t>(bits));
    for (std::size_t i = 0; i < kLag; ++i) {
      words_[i] = start.next(32);
      words_[i] |= std::uint64_t{start.next(32)} << 32;
    }
    extend();
  }

  /// The next `count` (at most 256) numbers.
  void take(std::uint16_t* numbers, int count) {
    if (bits_ == 16 && position_ % 8 == 0) {
      // Earliest bit lowest: on a little-endian machine the sequence is the numbers' bytes.
      std::memcpy(numbers, reinterpret_cast<const std::uint8_t*>(words_.data()) + position_ / 8,
                  2 * static_cast<std::size_t>(count));
      position_ += 16 * static_cast<std::size_t>(count);
    } else {
      const std::uint32_t mask = (1u << bits_) - 1;
      for (int i = 0; i < count; ++i) {
        std::uint32_t piece = 0;
        std::memcpy(&piece, reinterpret_cast<const std::uint8_t*>(words_.data()) + position_ / 8,
                    4);
        numbers[i] = static_cast<std::uint16_t>((piece >> (position_ % 8)) & mask);
        position_ += static_cast<std::size_t>(bits_);
      }
    }
    if (position_ >= 64 * kLag) {
      std::memcpy(words_.data(), words_.data() + kLag, 8 * kLag);
      extend();
      position_ -= 64 * kLag;
    }
  }

 private:
  static constexpr std::size_t kLag = 64;
  /// The second half of words_ from the first. 256 numbers of 16 bits are 64 words, and a read
  /// starts in the first half; a spare word lets it run over the end.
  void extend() {
    for (std::size_t i = 0; i + 4 < kLag; ++i)
      words_[kLag + i] = words_[i] ^ words_[i + 1] ^ words_[i + 3] ^ words_[i + 4];
    for (std::size_t i = kLag - 4; i < kLag; ++i)
      words_[kLag + i] = words_[i] ^ words_[i + 1] ^ words_[i + 3] ^ words_[i + 4];
  }

  std::array<std::uint64_t, 2 * kLag + 1> words_{};
  std::size_t position_ = 0;
  int bits_ = 16;
};

}  // namespace solfege
