// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model/spec/descriptor.hpp"
#include "model/spec/program.hpp"

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

/// `count` elements of memory, as they are (sign-extended; tagged ones whole).
void read_elements(const std::uint8_t* memory, ElementType type, int count, std::int32_t* values);
/// Writes elements where keep is not 0 (all if null).
void write_elements(std::uint8_t* memory, Destination type, int count, const std::int32_t* values,
                    const std::int32_t* tags, const std::int32_t* keep);

/// 16 entries over the whole block, so that loops over it are plain.
inline void spread_patch(const std::int32_t* entries, Spread spread, std::int32_t* block) {
  for (int row = 0; row < kBlock; ++row, block += kBlock) {
    if (spread == Spread::kChannel) {
      std::memcpy(block, entries, kBlock * sizeof *block);
    } else {
      const std::int32_t entry = entries[spread == Spread::kOne ? 0 : row];
      for (int c = 0; c < kBlock; ++c) block[c] = entry;
    }
  }
}

/// p = x * factor. Wide holds every product.
template <typename Wide, typename Source>
void multiply_patch(const Source* __restrict x, const std::int32_t* __restrict factors,
                    Wide* __restrict products) {
  for (int i = 0; i < kPatch; ++i) products[i] = static_cast<Wide>(x[i]) * factors[i];
}
template <typename Wide, typename Source>
void multiply_patch(const Source* __restrict x, std::int32_t factor, Wide* __restrict products) {
  const Wide wide = factor;
  for (int i = 0; i < kPatch; ++i) products[i] = static_cast<Wide>(x[i]) * wide;
}

/// The rounding shift, half up, then saturation to 32 bits.
template <typename Wide>
void round_patch(const Wide* __restrict values, int shift, std::int32_t* __restrict rounded) {
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

/// x <- saturate(round(x slope(z))).
void slope_patch(SlopeFunction function, std::int32_t* x, const std::int32_t* z);

/// y <- y + more, then clipped to +-limit. Wide holds the sum.
template <typename Wide>
void add_patch(const std::int32_t* __restrict more, std::int32_t limit,
               std::int32_t* __restrict y) {
  const Wide high = limit, low = -high;
  for (int i = 0; i < kPatch; ++i) {
    const Wide sum = static_cast<Wide>(y[i]) + more[i];
    y[i] = static_cast<std::int32_t>(sum > high ? high : sum < low ? low : sum);
  }
}
/// The same of three, clipped once.
template <typename Wide>
void add_patch(const std::int32_t* __restrict z, const std::int32_t* __restrict offsets,
               std::int32_t limit, std::int32_t* __restrict y) {
  const Wide high = limit, low = -high;
  for (int i = 0; i < kPatch; ++i) {
    const Wide sum = static_cast<Wide>(y[i]) + z[i] + offsets[i];
    y[i] = static_cast<std::int32_t>(sum > high ? high : sum < low ? low : sum);
  }
}
inline void clip_patch(std::int32_t limit, std::int32_t* y) {
  for (int i = 0; i < kPatch; ++i) y[i] = y[i] > limit ? limit : y[i] < -limit ? -limit : y[i];
}

/// y <- 0 where z is not in [low, high].
void mask_patch(std::int32_t* y, const std::int32_t* z, const std::int32_t* low,
                const std::int32_t* high);
/// z <- 0 where its tag is not `index`.
void route_patch(std::int32_t* z, const std::int32_t* tags, std::int32_t index);
/// best <- larger of best and y; its tag becomes `index` where y is strictly larger.
void pool_patch(std::int32_t* best, std::int32_t* tags, const std::int32_t* y, std::int32_t index);
/// y <- -32768 where number < threshold.
void drop_patch(std::int32_t* y, const std::uint16_t* numbers, std::uint32_t threshold);

/// y <- a multiple of 2^random_bits, below y or above it by the number.
void grid_patch(std::int32_t* y, const std::uint16_t* numbers, int random_bits);

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
