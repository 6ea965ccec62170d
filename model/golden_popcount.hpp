// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/descriptor.hpp"

namespace solfege {

/// What a set bit of a plane adds to its code's value, and the value with all bits clear. A bipolar
/// plane is 2^i (2b - 1), so that its bits add 2^(i+1) to -(2^planes - 1).
constexpr std::int64_t plane_weight(PlaneType type, int planes, int plane) {
  const std::int64_t weight = std::int64_t{1} << plane;
  return type == PlaneType::kBipolar                         ? 2 * weight
         : type == PlaneType::kSigned && plane + 1 == planes ? -weight
                                                             : weight;
}
constexpr std::int64_t plane_offset(PlaneType type, int planes) {
  return type == PlaneType::kBipolar ? 1 - (std::int64_t{1} << planes) : 0;
}

inline int count_ones(std::uint64_t word) { return __builtin_popcountll(word); }

/// Adds 2^plane to each of `bytes` * 8 codes whose bit is set.
void add_plane(const std::uint8_t* bits, std::size_t bytes, int plane, std::uint8_t* codes);

/// Costs of a product by its method in hundredths of a nanosecond, measured (bench in
/// tests/unit/golden_test.cpp): counting, a pair of planes and 64 lanes; floating point, a lane.
#ifdef __AVX512VPOPCNTDQ__
constexpr double kCountCost = 6;
#else
constexpr double kCountCost = 50;
#endif
constexpr double kFloatCost = 3, kDoubleCost = 6;

struct PopcountSide {
  PlaneType type;
  int planes, members;
};
/// Planes of two operand pixels, [plane][word of 64 lanes][member].
struct PopcountPair {
  const std::uint64_t* row;
  const std::uint64_t* column;
};

/// sums[row member][column member] = sum over pairs and lanes of the products of the bits' values
/// (plane_weight, without the offset).
void count_common(const std::vector<PopcountPair>& pairs, int words, const PopcountSide& rows,
                  const PopcountSide& columns, std::int64_t* sums);

}  // namespace solfege
