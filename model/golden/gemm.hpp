// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/golden/golden.hpp"

namespace solfege {

/// One GEMM descriptor on the golden device. Operands are read by value, code = sum of its planes'
/// weights, and multiplied as a whole: in floating point where that is exact and there are many
/// planes, else by counting the bits that planes have in common. Tiles are spread over threads.
class GoldenGemm {
 public:
  GoldenGemm(GoldenDevice& device, const Descriptor& descriptor);
  void run();

 private:
  /// The window along one axis, as the descriptor has it.
  struct Axis {
    int stride, origin, taps, map;
  };
  /// Taps that meet the operand, along one axis, and where; for each tile position.
  struct Meeting {
    int tap, index;
  };
  using Meetings = std::vector<Meeting>;
  /// Operand pixels that a tile multiplies, in pairs.
  struct Pair {
    int row, column;
  };
  /// An operand as the descriptor reads it.
  struct Side {
    const std::vector<std::uint8_t>* buffer;
    int depth, group, groups, planes;  ///< `groups` of `group` members, group_stride apart
    std::uint32_t base, group_stride;
    bool is_signed;
    std::int64_t step = 1, offset = 0;  ///< values of codes, where the scalars have factors
    int members() const { return group * groups; }
    /// Largest magnitude of a code, and of a value.
    double code_peak() const;
    double peak() const;
  };
  /// Planes of an operand, 64 lanes a word, lanes outside the contraction cleared:
  /// [pixel][plane][word][member], and each member's sum of codes.
  struct Bits {
    std::vector<std::uint64_t> words;
    std::vector<std::int64_t> sums;  ///< [pixel][member]
  };

  /// Steps and offsets of the operands that give the descriptor's scalars, where there are some.
  bool factor();
  /// The largest magnitude of a lane's product of values.
  double product_peak() const;
  Axis axis(bool y) const;
  Meetings meetings(const Axis& axis, int position) const;
  void pairs(int tile, std::vector<Pair>& list) const;
  void prepare();
  template <typename Sum>
  void run_as(Sum* tiles);
  template <typename Sum>
  void count_bits(Sum* tiles);
  template <typename Number, typename Sum>
  void multiply(Sum* tiles);
  /// Buffer word w of a pixel's plane, of one group: `group` words of L bits.
  const std::uint8_t* word(const Side& side, int group, int pixel, int plane, int w) const;
  void read_bits(const Side& side, int pixels, bool wants_sums, Bits& bits) const;
  template <typename Number>
  void decode(const Side& side, int pixel, Number* values) const;

  GoldenDevice& device_;
  const Descriptor& d_;
  const int lanes_;
  Side rows_, columns_;
  const AffineProduct affine_;
  const bool factors_;  ///< the operands have values of their own
  int tiles_ = 0, row_pixels_ = 0, column_pixels_ = 0;
  std::vector<Meetings> meetings_y_, meetings_x_;
  std::size_t most_pairs_ = 0, total_pairs_ = 0;
};

}  // namespace solfege
