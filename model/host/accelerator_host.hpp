// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/schemes/scheme.hpp"
#include "model/spec/slope.hpp"

namespace solfege {

/// Value of one unit of a fixed-point master weight.
constexpr double kWeightUnit = 1.0 / (1 << kWeightFractionBits);

/// factor ~ mantissa * 2^-shift with a 15-bit mantissa, for a multiplier of 16 bits.
struct FixedScale {
  std::int32_t mantissa;
  int shift;
};
FixedScale fixed_scale(double factor);

/// Bits up to the highest that is set.
inline int bit_length(std::uint64_t value) {
  int bits = 0;
  while (value >> bits) ++bits;
  return bits;
}

/// Calls visit(node, rank) for each node of a threshold tree in heap order: node j holds the
/// rank-th threshold, counted from 1.
template <typename Visit>
void for_each_threshold(int bits, Visit visit) {
  for (int node = 1; node < 1 << bits; ++node) {
    const int level = bit_length(static_cast<std::uint64_t>(node)) - 1;
    visit(node, (2 * (node - (1 << level)) + 1) << (bits - level - 1));
  }
}

}  // namespace solfege
