// SPDX-License-Identifier: Apache-2.0
#include "model/golden_popcount.hpp"

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

/// kRows x (kVectors * kVector) members, one pair of planes.
template <int kRows, int kVectors>
void block(const std::vector<PopcountPair>& pairs, int words, std::ptrdiff_t row_plane,
           std::ptrdiff_t column_plane, int row_members, int column_members, std::int64_t weight,
           std::int64_t* sums) {
  Vector counts[kRows][kVectors];
  for (auto& line : counts)
    for (Vector& count : line) count = zero();
  for (const PopcountPair& pair : pairs) {
    const std::uint64_t* row = pair.row + row_plane;
    const std::uint64_t* column = pair.column + column_plane;
    for (int w = 0; w < words; ++w, row += row_members, column += column_members) {
      Vector right[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) right[v] = load(column + kVector * v);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Vector left = everywhere(row[r]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
          counts[r][v] = add(counts[r][v], count_both(left, right[v]));
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    std::uint64_t line[kVectors * kVector];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(line + kVector * v, counts[r][v]);
    for (int c = 0; c < kVectors * kVector; ++c)
      sums[r * column_members + c] += weight * static_cast<std::int64_t>(line[c]);
  }
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

void count_common(const std::vector<PopcountPair>& pairs, int words, const PopcountSide& rows,
                  const PopcountSide& columns, std::int64_t* sums) {
  const int m = rows.members, n = columns.members;
  std::fill(sums, sums + static_cast<std::ptrdiff_t>(m) * n, 0);
  for (int i = 0; i < rows.planes; ++i) {
    for (int j = 0; j < columns.planes; ++j) {
      const std::int64_t weight =
          plane_weight(rows.type, rows.planes, i) * plane_weight(columns.type, columns.planes, j);
      const std::ptrdiff_t row_plane = static_cast<std::ptrdiff_t>(i) * words * m;
      const std::ptrdiff_t column_plane = static_cast<std::ptrdiff_t>(j) * words * n;
      auto run = [&](auto kernel, int r, int c) {
        kernel(pairs, words, row_plane + r, column_plane + c, m, n, weight,
               sums + static_cast<std::ptrdiff_t>(r) * n + c);
      };
      for (int r = 0; r < m;) {
        const int height = m - r >= 8 ? 8 : m - r >= 4 ? 4 : m - r >= 2 ? 2 : 1;
        for (int c = 0; c < n;) {
          if (n - c >= 2 * kVector) {
            if (height == 8) run(block<8, 2>, r, c);
            if (height == 4) run(block<4, 2>, r, c);
            if (height == 2) run(block<2, 2>, r, c);
            if (height == 1) run(block<1, 2>, r, c);
            c += 2 * kVector;
          } else if (n - c >= kVector) {
            for (int k = 0; k < height; ++k) run(block<1, 1>, r + k, c);
            c += kVector;
          } else {
            // Fewer columns than a vector: word by word
            for (int k = 0; k < height; ++k)
              for (const PopcountPair& pair : pairs)
                for (int w = 0; w < words; ++w)
                  sums[(r + k) * n + c] +=
                      weight * count_ones(pair.row[row_plane + w * m + r + k] &
                                          pair.column[column_plane + w * n + c]);
            ++c;
          }
        }
        r += height;
      }
    }
  }
}

}  // namespace solfege
