// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace solfege {

/// Bits of the lowest `width` (at most 128) that differ.
double bit_changes(__int128 a, __int128 b, int width = 64);
/// Changes of an adder's sum and carries.
double adder_changes(__int128 a, __int128 b, __int128 a_before, __int128 b_before, int width);
/// Changes of a ripple adder's sum and carries while they settle, on top of those from settled
/// value to settled value; each bit takes the same time.
double ripple_settling(std::uint64_t a, std::uint64_t b, std::uint64_t sum, std::uint64_t a_before,
                       std::uint64_t b_before, std::uint64_t sum_before, std::uint64_t mask);

/// What changes in a multiplier as Yosys' maccmap builds it: partial products, the full adders that
/// take three rows to two, and the last adder.
struct MultiplierChanges {
  double partial = 0, tree = 0, last = 0;
  void add(__int128 a, std::int64_t b, __int128 a_before, std::int64_t b_before, int b_bits,
           int width);
};

/// The full adders of sf_popcount_adders. Nets: -1 is 0, lanes first, then outputs.
struct PopcountTree {
  struct Adder {
    int a, b, c, sum, carry;
    std::size_t height;
  };
  explicit PopcountTree(int width);
  int nets;
  std::vector<Adder> adders;

 private:
  struct Node {
    std::vector<int> bits;
    std::size_t height;
  };
  Node count(const int* inputs, int width);
};

/// Changes of the adders' nets by height, over 64 cycles at once, a bit each: from settled value to
/// settled value, and those that come on top while all adders take the same time.
struct PopcountChanges {
  static constexpr std::size_t kHeights = 8;
  /// `lanes`: each lane's bits over the cycles; `counted`: cycles whose change from the one before
  /// counts.
  PopcountChanges(const PopcountTree& tree, const std::vector<std::uint64_t>& lanes,
                  std::uint64_t counted);
  std::array<double, kHeights> by_height{}, settling{};
};

}  // namespace solfege
