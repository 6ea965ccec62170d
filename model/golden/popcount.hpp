// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/spec/descriptor.hpp"

namespace solfege {

/// What a set bit of a plane adds to its code.
constexpr std::int64_t plane_weight(bool is_signed, int planes, int plane) {
  const std::int64_t weight = std::int64_t{1} << plane;
  return is_signed && plane + 1 == planes ? -weight : weight;
}

inline int count_ones(std::uint64_t word) { return __builtin_popcountll(word); }

/// Adds 2^plane to each of `bytes` * 8 codes whose bit is set.
void add_plane(const std::uint8_t* bits, std::size_t bytes, int plane, std::uint8_t* codes);

/// Nanoseconds, measured on an EPYC of 2023; only the choice of a method and the number of parts
/// depend on them. Counting: a pair of planes of 64 lanes, and preparing 64 lanes of a plane.
/// Floating point: a lane's product, and decoding a lane of a plane.
#ifdef __AVX512VPOPCNTDQ__
constexpr double kCountTime = 0.09;
#else
constexpr double kCountTime = 0.5;
#endif
constexpr double kGatherTime = 0.5, kFloatTime = 0.04, kDoubleTime = 0.09, kDecodeTime = 0.1;

struct PopcountSide {
  bool is_signed;
  int planes, members;
  int group;  ///< members of a tile; `members` is a multiple
};
/// Planes of two operand pixels, [plane][word of 64 lanes][member].
struct PopcountPair {
  const std::uint64_t* row;
  const std::uint64_t* column;
};

/// tiles[column group][row][column] = row_terms[row] + column_terms[column] + the sum over pairs
/// and lanes of the products of codes (plane_weight), times `factor`. Sum is 32 or 64 bits,
/// unsigned; only the totals need to fit, for arithmetic is modulo its size.
template <typename Sum>
void count_common(const std::vector<PopcountPair>& pairs, int words, const PopcountSide& rows,
                  const PopcountSide& columns, std::int64_t factor, const Sum* row_terms,
                  const Sum* column_terms, Sum* tiles);

}  // namespace solfege
