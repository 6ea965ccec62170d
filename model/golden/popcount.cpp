// SPDX-License-Identifier: Apache-2.0
#include "model/golden/popcount.hpp"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace solfege {
namespace {

/// Eight words at a time.
#ifdef __AVX512VPOPCNTDQ__
constexpr int kVector = 8;
using Vector = __m512i;
inline Vector load(const std::uint64_t* from) { return _mm512_loadu_si512(from); }
inline Vector everywhere(std::uint64_t word) {
  return _mm512_set1_epi64(static_cast<long long>(word));
}
inline Vector count_both(Vector a, Vector b) { return _mm512_popcnt_epi64(_mm512_and_si512(a, b)); }
inline Vector add(Vector a, Vector b) { return _mm512_add_epi64(a, b); }
inline Vector zero() { return _mm512_setzero_si512(); }
inline void store(std::uint64_t* to, Vector v) { _mm512_storeu_si512(to, v); }
#else
constexpr int kVector = 2;
struct Vector {
  std::uint64_t word[kVector];
};
inline Vector load(const std::uint64_t* from) { return {{from[0], from[1]}}; }
inline Vector everywhere(std::uint64_t word) { return {{word, word}}; }
inline Vector count_both(Vector a, Vector b) {
  return {{static_cast<std::uint64_t>(count_ones(a.word[0] & b.word[0])),
           static_cast<std::uint64_t>(count_ones(a.word[1] & b.word[1]))}};
}
inline Vector add(Vector a, Vector b) { return {{a.word[0] + b.word[0], a.word[1] + b.word[1]}}; }
inline Vector zero() { return {{0, 0}}; }
inline void store(std::uint64_t* to, Vector v) {
  to[0] = v.word[0];
  to[1] = v.word[1];
}
#endif

/// What a block of products has in common.
struct Contraction {
  const std::vector<PopcountPair>& pairs;
  int words;
  const PopcountSide& rows;
  const PopcountSide& columns;
  std::int64_t factor;
};

/// kRows x (kVectors * kVector) members from row r, column c on; adds to totals[row][column].
template <int kRows, int kVectors, typename Sum>
void block(const Contraction& k, int r, int c, Sum* totals) {
  const int row_members = k.rows.members, column_members = k.columns.members;
  for (int i = 0; i < k.rows.planes; ++i) {
    for (int j = 0; j < k.columns.planes; ++j) {
      Vector counts[kRows][kVectors];
      for (auto& line : counts)
        for (Vector& count : line) count = zero();
      for (const PopcountPair& pair : k.pairs) {
        const std::uint64_t* row =
            pair.row + static_cast<std::ptrdiff_t>(i) * k.words * row_members + r;
        const std::uint64_t* column =
            pair.column + static_cast<std::ptrdiff_t>(j) * k.words * column_members + c;
        for (int w = 0; w < k.words; ++w, row += row_members, column += column_members) {
          Vector right[kVectors];
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) right[v] = load(column + kVector * v);
#pragma GCC unroll 8
          for (int x = 0; x < kRows; ++x) {
            const Vector left = everywhere(row[x]);
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v)
              counts[x][v] = add(counts[x][v], count_both(left, right[v]));
          }
        }
      }
      const auto weight =
          static_cast<Sum>(plane_weight(k.rows.is_signed, k.rows.planes, i) *
                           plane_weight(k.columns.is_signed, k.columns.planes, j) * k.factor);
      for (int x = 0; x < kRows; ++x) {
        std::uint64_t line[kVectors * kVector];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) store(line + kVector * v, counts[x][v]);
        Sum* to = totals + x * kVectors * kVector;
        for (int y = 0; y < kVectors * kVector; ++y) to[y] += weight * static_cast<Sum>(line[y]);
      }
    }
  }
}

/// The block from row r, column c of a column group on, with its terms, into the group's tile.
template <int kRows, int kVectors, typename Sum>
void tile_block(const Contraction& k, int group, int r, int c, const Sum* row_terms,
                const Sum* column_terms, Sum* tile) {
  constexpr int kColumns = kVectors * kVector;
  const int first = group * k.columns.group + c;
  Sum totals[kRows * kColumns];
  for (int x = 0; x < kRows; ++x)
    for (int y = 0; y < kColumns; ++y)
      totals[x * kColumns + y] = row_terms[r + x] + column_terms[first + y];
  block<kRows, kVectors>(k, r, first, totals);
  for (int x = 0; x < kRows; ++x)
    std::memcpy(tile + (r + x) * k.columns.group + c, totals + x * kColumns,
                sizeof(Sum) * kColumns);
}

/// One sum, word by word.
template <typename Sum>
Sum count_one(const Contraction& k, int r, int c) {
  Sum total = 0;
  for (int i = 0; i < k.rows.planes; ++i)
    for (int j = 0; j < k.columns.planes; ++j) {
      Sum count = 0;
      for (const PopcountPair& pair : k.pairs)
        for (int w = 0; w < k.words; ++w)
          count +=
              static_cast<Sum>(count_ones(pair.row[(i * k.words + w) * k.rows.members + r] &
                                          pair.column[(j * k.words + w) * k.columns.members + c]));
      total += count *
               static_cast<Sum>(plane_weight(k.rows.is_signed, k.rows.planes, i) *
                                plane_weight(k.columns.is_signed, k.columns.planes, j) * k.factor);
    }
  return total;
}

/// The bits of each byte value as eight bytes 0 or 1.
const std::array<std::uint64_t, 256>& byte_bits() {
  static const auto table = [] {
    std::array<std::uint64_t, 256> bytes{};
    for (std::size_t value = 0; value < 256; ++value)
      for (std::size_t bit = 0; bit < 8; ++bit)
        bytes[value] |= std::uint64_t{value >> bit & 1} << (8 * bit);
    return bytes;
  }();
  return table;
}

}  // namespace

void add_plane(const std::uint8_t* bits, std::size_t bytes, int plane, std::uint8_t* codes) {
  std::size_t i = 0;
#ifdef __AVX512BW__
  const __m512i weight = _mm512_set1_epi8(static_cast<char>(1 << plane));
  for (; i + 8 <= bytes; i += 8) {
    std::uint64_t mask = 0;
    std::memcpy(&mask, bits + i, 8);
    std::uint8_t* to = codes + 8 * i;
    _mm512_storeu_si512(
        to, _mm512_or_si512(_mm512_loadu_si512(to), _mm512_maskz_mov_epi8(mask, weight)));
  }
#endif
  const auto& spread = byte_bits();
  for (; i < bytes; ++i) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, codes + 8 * i, 8);
    eight |= spread[bits[i]] << plane;
    std::memcpy(codes + 8 * i, &eight, 8);
  }
}

template <typename Sum>
void count_common(const std::vector<PopcountPair>& pairs, int words, const PopcountSide& rows,
                  const PopcountSide& columns, std::int64_t factor, const Sum* row_terms,
                  const Sum* column_terms, Sum* tiles) {
  const Contraction k{pairs, words, rows, columns, factor};
  const int m = rows.members, n = columns.group;
  for (int group = 0; group * n < columns.members; ++group) {
    Sum* tile = tiles + static_cast<std::ptrdiff_t>(group) * m * n;
    auto run = [&](auto kernel, int r, int c) {
      kernel(k, group, r, c, row_terms, column_terms, tile);
    };
    for (int r = 0; r < m;) {
      const int height = m - r >= 8 ? 8 : m - r >= 4 ? 4 : 2;
      for (int c = 0; c < n;) {
        if (n - c >= 2 * kVector) {
          if (height == 8) run(tile_block<8, 2, Sum>, r, c);
          if (height == 4) run(tile_block<4, 2, Sum>, r, c);
          if (height == 2) run(tile_block<2, 2, Sum>, r, c);
          c += 2 * kVector;
        } else if (n - c >= kVector) {
          if (height == 8) run(tile_block<8, 1, Sum>, r, c);
          if (height == 4) run(tile_block<4, 1, Sum>, r, c);
          if (height == 2) run(tile_block<2, 1, Sum>, r, c);
          c += kVector;
        } else {
          // Fewer columns than a vector
          for (int x = r; x < r + height; ++x)
            tile[x * n + c] =
                row_terms[x] + column_terms[group * n + c] + count_one<Sum>(k, x, group * n + c);
          ++c;
        }
      }
      r += height;
    }
  }
}

template void count_common(const std::vector<PopcountPair>&, int, const PopcountSide&,
                           const PopcountSide&, std::int64_t, const std::uint32_t*,
                           const std::uint32_t*, std::uint32_t*);
template void count_common(const std::vector<PopcountPair>&, int, const PopcountSide&,
                           const PopcountSide&, std::int64_t, const std::uint64_t*,
                           const std::uint64_t*, std::uint64_t*);

}  // namespace solfege
