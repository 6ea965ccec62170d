// SPDX-License-Identifier: Apache-2.0
#include "model/golden/patch.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "model/spec/slope.hpp"

namespace solfege {

void read_elements(const std::uint8_t* memory, ElementType type, int count, std::int32_t* values) {
  if (type == ElementType::kUnsigned8) {
    for (int i = 0; i < count; ++i) values[i] = memory[i];
  } else if (type == ElementType::kSigned16) {
    for (int i = 0; i < count; ++i) {
      std::int16_t value = 0;
      std::memcpy(&value, memory + 2 * i, 2);
      values[i] = value;
    }
  } else {
    std::memcpy(values, memory, 4 * static_cast<std::size_t>(count));
  }
}

void write_elements(std::uint8_t* memory, Destination type, int count, const std::int32_t* values,
                    const std::int32_t* tags, const std::int32_t* keep) {
  if (type == Destination::kSigned16) {
    auto* elements = reinterpret_cast<std::int16_t*>(memory);
    if (keep == nullptr) {
      for (int i = 0; i < count; ++i) elements[i] = static_cast<std::int16_t>(values[i]);
    } else {
      for (int i = 0; i < count; ++i)
        if (keep[i] != 0) elements[i] = static_cast<std::int16_t>(values[i]);
    }
    return;
  }
  auto* elements = reinterpret_cast<std::int32_t*>(memory);
  const bool tagged = type == Destination::kTagged;
  for (int i = 0; i < count; ++i) {
    if (keep != nullptr && keep[i] == 0) continue;
    elements[i] = tagged ? (values[i] & 0xffff) | (tags[i] << 16) : values[i];
  }
}

void slope_patch(SlopeFunction function, std::int32_t* x, const std::int32_t* z) {
  for (int i = 0; i < kPatch; ++i) {
    const std::int64_t product = std::int64_t{x[i]} * slope(function, z[i]);
    x[i] = static_cast<std::int32_t>(
        std::clamp<std::int64_t>((product >> 16) + ((product >> 15) & 1), INT32_MIN, INT32_MAX));
  }
}

void mask_patch(std::int32_t* __restrict y, const std::int32_t* __restrict z,
                const std::int32_t* __restrict low, const std::int32_t* __restrict high) {
  for (int i = 0; i < kPatch; ++i) y[i] = (z[i] >= low[i]) & (z[i] <= high[i]) ? y[i] : 0;
}

void route_patch(std::int32_t* __restrict z, const std::int32_t* __restrict tags,
                 std::int32_t index) {
  for (int i = 0; i < kPatch; ++i) z[i] = tags[i] == index ? z[i] : 0;
}

void pool_patch(std::int32_t* __restrict best, std::int32_t* __restrict tags,
                const std::int32_t* __restrict y, std::int32_t index) {
  for (int i = 0; i < kPatch; ++i) {
    const bool larger = y[i] > best[i];
    best[i] = larger ? y[i] : best[i];
    tags[i] = larger ? index : tags[i];
  }
}

void grid_patch(std::int32_t* y, const std::uint16_t* numbers, int random_bits) {
  for (int i = 0; i < kPatch; ++i) y[i] = (y[i] + numbers[i]) & ~((1 << random_bits) - 1);
}

void drop_patch(std::int32_t* y, const std::uint16_t* numbers, std::uint32_t threshold) {
  for (int i = 0; i < kPatch; ++i) y[i] = numbers[i] < threshold ? -32768 : y[i];
}

namespace {

/// The whole tree by selection: what a node says, by what its children say.
template <int kLevels>
std::uint32_t walk(std::int32_t y, const std::int32_t* thresholds, int node) {
  const std::uint32_t reached = y >= thresholds[(node - 1) * kPatch] ? 1 : 0;
  if constexpr (kLevels == 1) {
    return reached;
  } else {
    const std::uint32_t low = walk<kLevels - 1>(y, thresholds, 2 * node);
    const std::uint32_t high = walk<kLevels - 1>(y, thresholds, 2 * node + 1);
    return reached << (kLevels - 1) | (reached != 0 ? high : low);
  }
}

template <int kLevels>
void walk_patch(const std::int32_t* __restrict y, const std::int32_t* thresholds,
                std::uint32_t* __restrict codes) {
  constexpr int kNodes = (1 << kLevels) - 1;
  std::int32_t spread[kNodes * kPatch];
  for (int node = 0; node < kNodes; ++node)
    spread_patch(thresholds + node * kBlock, Spread::kChannel, spread + node * kPatch);
  for (int i = 0; i < kPatch; ++i) codes[i] = walk<kLevels>(y[i], spread + i, 1);
}

}  // namespace

void threshold_patch(const std::int32_t* y, const std::int32_t* thresholds, int bits,
                     std::uint32_t* codes) {
  switch (bits) {
    case 1:
      return walk_patch<1>(y, thresholds, codes);
    case 2:
      return walk_patch<2>(y, thresholds, codes);
    case 3:
      return walk_patch<3>(y, thresholds, codes);
    default:
      break;
  }
  for (int i = 0; i < kPatch; ++i) {
    std::uint32_t node = 1;
    for (int level = 0; level < bits; ++level) {
      const std::int32_t threshold =
          thresholds[(node - 1) * kBlock + static_cast<std::uint32_t>(i % kBlock)];
      node = 2 * node + (y[i] >= threshold ? 1 : 0);
    }
    codes[i] = node - (1u << bits);
  }
}

void stochastic_patch(const std::int32_t* __restrict y, const std::uint32_t* m,
                      const std::uint16_t* __restrict numbers, int bits, int random_bits,
                      bool scaled, std::uint32_t* __restrict codes) {
  const std::int32_t levels = (1 << bits) - 1;
  std::int32_t c[kPatch];
  if (*std::max_element(m, m + kBlock) <= 1u << 24) {
    // (n (y + m) 2^r + m (2U + 1)) / (m 2^(r+1)) in double: the numerator, and half more, is
    // exact below 2^53. With the half, a quotient is 2^-42 or more from an integer, and the
    // two roundings move it by less than 2^-44: its floor is right.
    double middle[kPatch], reciprocal[kPatch];
    for (int row = 0; row < kBlock; ++row) {
      const std::uint64_t divisor = std::uint64_t{m[row]} << (random_bits + 1);
      std::fill_n(middle + kBlock * row, kBlock, static_cast<double>(m[row]));
      std::fill_n(reciprocal + kBlock * row, kBlock,
                  m[row] == 0 ? 0.0 : 1.0 / static_cast<double>(divisor));
    }
    const double scale = std::int64_t{levels} << random_bits;
    for (int i = 0; i < kPatch; ++i) {
      const double numerator =
          (static_cast<double>(y[i]) + middle[i]) * scale +
          middle[i] * static_cast<double>(2 * static_cast<std::int32_t>(numbers[i]) + 1) + 0.5;
      c[i] = static_cast<std::int32_t>(numerator * reciprocal[i]);
    }
  } else {
    for (int i = 0; i < kPatch; ++i) {
      const std::uint32_t peak = m[i / kBlock];
      const auto numerator =
          (static_cast<unsigned __int128>(levels *
                                          static_cast<unsigned __int128>(std::int64_t{y[i]} + peak))
           << random_bits) +
          static_cast<unsigned __int128>(peak) * (2u * numbers[i] + 1u);
      if (peak != 0)
        c[i] = static_cast<std::int32_t>(
            numerator / (static_cast<unsigned __int128>(peak) << (random_bits + 1)));
    }
  }
  for (int row = 0; row < kBlock; ++row)  // any code: the sample's gradients are 0 times it
    if (m[row] == 0) std::fill_n(c + kBlock * row, kBlock, levels);
  if (!scaled) {
    std::memcpy(codes, c, sizeof c);
    return;
  }
  std::int32_t peaks[kPatch];
  spread_patch(reinterpret_cast<const std::int32_t*>(m), Spread::kRow, peaks);
  for (int i = 0; i < kPatch; ++i)
    codes[i] = static_cast<std::uint32_t>(peaks[i]) * static_cast<std::uint32_t>(2 * c[i] - levels);
}

void planes_patch(const std::uint32_t* codes, int byte, std::uint64_t* result) {
  std::array<std::uint8_t, kPatch> bytes;
  for (std::size_t i = 0; i < kPatch; ++i)
    bytes[i] = static_cast<std::uint8_t>(codes[i] >> (8 * byte));
  std::memcpy(result, bytes.data(), kPatch);
  // Each eight bytes are a matrix of 8 x 8 bits: transposed in three steps of swaps.
  for (int i = 0; i < kPatch / 8; ++i) {
    std::uint64_t x = result[i];
    std::uint64_t swap = (x ^ (x >> 7)) & 0x00aa00aa00aa00aau;
    x ^= swap ^ (swap << 7);
    swap = (x ^ (x >> 14)) & 0x0000cccc0000ccccu;
    x ^= swap ^ (swap << 14);
    swap = (x ^ (x >> 28)) & 0x00000000f0f0f0f0u;
    x ^= swap ^ (swap << 28);
    result[i] = x;
  }
}

}  // namespace solfege
