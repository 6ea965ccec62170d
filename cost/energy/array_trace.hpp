// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cost/energy/units.hpp"
#include "model/golden/golden.hpp"
#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"

namespace solfege {

/// One operation of the array, as sf_gemm offers it beside the operand words.
struct ArrayOperation {
  std::uint32_t row_word = 0, column_word = 0;    ///< buffer addresses; of the rows' first plane
  std::uint32_t row_planes = 0, plane_words = 0;  ///< planes of the group, and how far apart
  std::uint32_t lanes = 0;                        ///< valid ones: the lane mask
  bool flush = false, first = false, capture = false;
  bool row_plane_0 = true, column_plane_0 = true;
  bool row_negate = false, column_negate = false;
  std::uint32_t shift = 0;
};

std::uint32_t gemm_tiles(const Descriptor& d);
/// Operations of a tile in the order of sf_gemm: pair of planes, tap y, tap x, word. A tile without
/// taps has one, of no lanes.
std::vector<ArrayOperation> tile_operations(const Config& config, const Descriptor& d,
                                            std::uint32_t tile);

/// A slice of the array, clock by clock, with the operands of the golden device's buffers: all rows
/// (and the extra one) of some columns (and the extra one). Its results are those of sf_array, and
/// its signals those that sf_pe sees. The stream unit takes a chunk a cycle.
class ArraySlice {
 public:
  /// What a processing element holds, and the words that its operand registers do.
  struct Element {
    std::array<LaneWord, 2> rows{};  ///< by plane
    LaneWord column{};
    std::uint32_t low = 0;
    std::uint64_t high = 0, drain = 0;  ///< modulo 2^AccumulatorBits
  };
  /// What an element sums: products, codes of a row or of a column, valid lanes.
  enum Kind { kProduct, kRowSum, kColumnSum, kLanes, kKinds };
  /// Signals of the current cycle.
  struct Control {
    std::array<bool, kKinds> negate{};
    bool accumulate = false;  ///< an operation is summed
    bool low_clear = false, flush = false, high_clear = false;
    bool capture = false;
    int drain_shifts = 0;  ///< rows whose drain registers take the next row's, from row 0
    std::uint32_t shift = 0;
  };

  /// Columns `columns` of C; the extra column of lane masks follows them.
  ArraySlice(const Config& config, const GoldenDevice& device, const Descriptor& d,
             std::vector<int> columns);
  /// Runs tiles from `first_tile`; state before it is 0.
  void start(std::uint32_t first_tile);
  /// To the next clock cycle. False when no operation is left and the pipeline is empty.
  bool clock();

  const Control& control() const { return control_; }
  /// Row R is the extra one; column index `columns` the extra one.
  const Element& element(int row, int column) const {
    return elements_[static_cast<std::size_t>(row * (columns() + 1) + column)];
  }
  int columns() const { return static_cast<int>(columns_.size()); }
  Kind kind(int row, int column) const {
    return static_cast<Kind>((row == config_.rows ? kColumnSum : 0) +
                             (column == columns() ? kRowSum : 0));
  }
  /// What a row's drain register would take from the next row's.
  std::uint64_t drain_input(int row, int column) const;
  /// The operand registers' inputs of this cycle: buffer words before the mask.
  bool operand_enable() const { return operand_enable_; }
  LaneWord operand(bool of_columns, int member, std::uint32_t plane = 0) const;
  LaneWord operand_mask() const;
  std::uint32_t row_planes() const { return offered_.operation.row_planes; }  ///< of the operation
  /// A chunk is taken in this cycle: its place among the columns' chunks.
  bool takes() const { return tile_valid_; }
  int head_chunk() const { return chunk_; }
  /// Operations at the operand registers' output so far, and in this cycle.
  std::uint64_t operations() const { return operations_; }

 private:
  struct Stage {
    bool valid = false, flush = false, clear = false;  ///< clear: begins a weight
    ArrayOperation operation;
    std::uint32_t tile = 0;
  };
  void offer();
  LaneWord masked(const LaneWord& word, std::uint32_t lanes) const;

  const Config& config_;
  const Geometry geometry_;
  const GoldenDevice& device_;
  const Descriptor& d_;
  std::vector<int> columns_;
  std::uint64_t accumulator_mask_;
  std::vector<Element> elements_;
  Control control_;
  // Sequencer
  std::vector<ArrayOperation> tile_;
  std::uint32_t tile_index_ = 0;
  std::size_t position_ = 0, tile_cycles_ = 0;
  // Pipeline: offered, operand registers, low sums, high sums
  Stage offered_, operand_, low_, high_;
  bool operand_enable_ = false, hold_ = false;
  bool tile_valid_ = false;
  int chunk_ = 0, row_ = 0;
  std::uint64_t operations_ = 0;
};

}  // namespace solfege
