// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

#include "cost/gates/vectors.hpp"

namespace solfege {

/// What a pass asks of its reductions.
struct ReduceMode {
  bool sums = true, second = false;  ///< sums of y (or |y|), second sums
  bool absolute = false, dot = false;
};

/// A cycle of sf_reduce_lane: whether a chunk is taken, its element, and its row of the tables.
struct ReduceElement {
  bool take = false, inside = true;
  std::uint32_t y = 0;
  std::uint16_t z = 0;
  std::uint32_t row = 0;
};

/// The lane's registers and its part of the tables, which begin empty.
class ReduceLane {
 public:
  explicit ReduceLane(const ReduceMode& mode) : mode_(mode) {}
  /// Appends a cycle of the unit's ports, in the order of its CostUnit, and moves on.
  void clock(const ReduceElement& element, Vectors* vectors);

 private:
  struct Row {
    bool seen = false;
    std::uint64_t sum = 0, second = 0;
  };
  const ReduceMode mode_;
  bool taken_ = false, again_ = false;
  Row kept_;  ///< sums of the row, while its chunks follow one another
  std::uint32_t row_ = 0, value_ = 0, product_ = 0;
  std::map<std::uint32_t, Row> rows_;
};

}  // namespace solfege
