// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/descriptor.hpp"
#include "model/program.hpp"

namespace solfege {

// What the stages of the stream unit do to the 256 elements of a block, [row][channel]. Plain loops
// over all of a block, whatever lanes are valid: callers mask the results.

constexpr int kPatch = kBlockElements;

/// Where a factor of 16 entries goes: one for all, one a channel, one a row.
enum class Spread { kOne, kChannel, kRow };

/// Tags of a kTagged element are bits 16..23, the value is below.
constexpr std::int32_t tagged_value(std::int32_t element) {
  return static_cast<std::int16_t>(element);
}
constexpr std::int32_t tagged_tag(std::int32_t element) { return (element >> 16) & 0xff; }

constexpr int bytes_of(ElementType type) {
  return type == ElementType::kUnsigned8 ? 1 : type == ElementType::kSigned16 ? 2 : 4;
}

/// `count` elements of memory, as they are (sign-extended; tagged ones whole).
void read_elements(const std::uint8_t* memory, ElementType type, int count, std::int32_t* values);
/// Writes elements where keep is not 0 (all if null).
void write_elements(std::uint8_t* memory, Destination type, int count, const std::int32_t* values,
                    const std::int32_t* tags, const std::int32_t* keep);

/// p = x * factor. Wide holds every product.
template <typename Wide, typename Source>
void multiply_patch(const Source* x, const std::int32_t* factor, Spread spread, Wide* products) {
  for (int row = 0; row < kBlock; ++row) {
    std::int32_t factors[kBlock];
    for (int c = 0; c < kBlock; ++c)
      factors[c] = factor[spread == Spread::kOne ? 0 : spread == Spread::kChannel ? c : row];
    for (int c = 0; c < kBlock; ++c)
      products[kBlock * row + c] = static_cast<Wide>(x[kBlock * row + c]) * factors[c];
  }
}

/// The rounding shift, half up, then saturation to 32 bits.
template <typename Wide>
void round_patch(const Wide* values, int shift, std::int32_t* rounded) {
  constexpr Wide high = 0x7fffffff, low = -high - 1;
  if (shift == 0) {
    for (int i = 0; i < kPatch; ++i) {
      const Wide value = values[i];
      rounded[i] = static_cast<std::int32_t>(value > high ? high : value < low ? low : value);
    }
    return;
  }
  if (shift >= static_cast<int>(8 * sizeof(Wide))) {
    // Less than half in magnitude: a narrow type is only chosen for values that it holds.
    for (int i = 0; i < kPatch; ++i) rounded[i] = 0;
    return;
  }
  for (int i = 0; i < kPatch; ++i) {
    // floor(v / 2^s + 1/2) is floor(v / 2^s) plus the bit below
    const Wide value = (values[i] >> shift) + ((values[i] >> (shift - 1)) & 1);
    rounded[i] = static_cast<std::int32_t>(value > high ? high : value < low ? low : value);
  }
}

/// x <- saturate(round(x (1 - tanh^2 z))), z a weight.
void slope_patch(std::int32_t* x, const std::int32_t* z);

/// y = x + z + offset[channel], clipped to +-limit. Null: 0. Wide holds the sums.
template <typename Wide>
void add_patch(const std::int32_t* x, const std::int32_t* z, const std::int32_t* offset,
               std::int32_t limit, std::int32_t* y) {
  const std::int32_t none[kBlock] = {};
  if (offset == nullptr) offset = none;
  const Wide high = limit, low = -high;
  for (int row = 0; row < kBlock; ++row) {
    for (int c = 0; c < kBlock; ++c) {
      const int i = kBlock * row + c;
      const Wide sum = static_cast<Wide>(x[i]) + (z != nullptr ? z[i] : 0) + offset[c];
      y[i] = static_cast<std::int32_t>(sum > high ? high : sum < low ? low : sum);
    }
  }
}

/// y <- 0 where z is not in [low, high] of its channel.
void mask_patch(std::int32_t* y, const std::int32_t* z, const std::int32_t* low,
                const std::int32_t* high);
/// z <- 0 where its tag is not `index`.
void route_patch(std::int32_t* z, const std::int32_t* tags, std::int32_t index);
/// best <- larger of best and y; its tag becomes `index` where y is strictly larger.
void pool_patch(std::int32_t* best, std::int32_t* tags, const std::int32_t* y, std::int32_t index);
/// y <- -32768 where number < threshold.
void drop_patch(std::int32_t* y, const std::uint16_t* numbers, std::uint32_t threshold);

/// Codes of the threshold unit: thresholds[node - 1][channel], a tree in heap order of `bits`
/// levels.
void threshold_patch(const std::int32_t* y, const std::int32_t* thresholds, int bits,
                     std::uint32_t* codes);
/// Codes c of f_G for |y| <= m[row], by numbers of `random_bits`; or the low bits of m (2c - n).
/// c = floor(n (y + m) / (2m) + (2U + 1) / 2^(r+1)); n where m = 0.
void stochastic_patch(const std::int32_t* y, const std::uint32_t* m, const std::uint16_t* numbers,
                      int bits, int random_bits, bool scaled, std::uint32_t* codes);

/// Byte p of result[2 row + half]: plane p of the codes' `byte`-th byte, channels 8 half ..
void planes_patch(const std::uint32_t* codes, int byte, std::uint64_t* result);

}  // namespace solfege
