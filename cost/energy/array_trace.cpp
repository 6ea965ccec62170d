// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/array_trace.hpp"

#include <cstring>
#include <utility>

#include "model/spec/pipeline.hpp"
#include "model/spec/plane_pairs.hpp"
#include "model/spec/window.hpp"

namespace solfege {
namespace {

int ones(const LaneWord& word) {
  int count = 0;
  for (const std::uint64_t part : word) count += __builtin_popcountll(part);
  return count;
}

}  // namespace

std::uint32_t gemm_tiles(const Descriptor& d) {
  return d.tile_y_count * d.tile_x_count * d.column_groups;
}

std::vector<ArrayOperation> tile_operations(const Config& config, const Descriptor& d,
                                            std::uint32_t tile) {
  const auto group = tile % d.column_groups;
  const std::uint32_t tile_x = tile / d.column_groups % d.tile_x_count;
  const std::uint32_t tile_y = tile / d.column_groups / d.tile_x_count;
  const int width = static_cast<int>(d.window_width), taps_x = static_cast<int>(d.tap_x_count);
  const auto ys = window_taps(window_axis(d, true), tile_y);
  const auto xs = window_taps(window_axis(d, false), tile_x);
  std::vector<ArrayOperation> list;
  for (const PlanePair& pair : plane_pairs(d, config.planes)) {
    for (const WindowTap& y : ys)
      for (const WindowTap& x : xs) {
        const int by_tap = y.tap * taps_x + x.tap;
        const int by_index = (y.index - static_cast<int>(d.map_y_first)) * width + x.index;
        const auto row_pixel = static_cast<std::uint32_t>(d.rows_by_tap ? by_tap : by_index);
        const auto column_pixel =
            static_cast<std::uint32_t>(d.rows_by_tap || d.columns_by_tile ? by_index : by_tap);
        for (std::uint32_t word = 0; word < d.words; ++word) {
          ArrayOperation o;
          o.row_word = d.row_base + (row_pixel * d.row_planes + pair.row_plane) * d.words + word;
          o.column_word = d.column_base + group * d.column_group_stride +
                          (column_pixel * d.column_planes + pair.column_plane) * d.words + word;
          o.column_word %= static_cast<std::uint32_t>(config.column_buffer_depth);
          o.row_planes = pair.row_planes;
          o.plane_words = d.words;
          o.lanes = word + 1 == d.words ? d.tail_lanes : static_cast<std::uint32_t>(config.lanes);
          o.row_plane_0 = pair.row_plane == 0;
          o.column_plane_0 = pair.column_plane == 0;
          o.row_negate = d.row_signed && pair.row_plane + 1 == d.row_planes;
          o.column_negate = d.column_signed && pair.column_plane + 1 == d.column_planes;
          o.shift = pair.row_plane + pair.column_plane;
          list.push_back(o);
        }
      }
    if (!list.empty()) list.back().flush = pair.flush;
  }
  if (list.empty()) list.emplace_back();
  list.back().flush = true;
  list.back().capture = d.drain != 0;
  // As many words as a low sum holds; the first flush begins the sum.
  std::uint32_t summed = 0;
  bool first = d.clear != 0;
  for (ArrayOperation& o : list) {
    o.first = first;
    o.flush = o.flush || ++summed == kLowWords;
    if (!o.flush) continue;
    summed = 0;
    first = false;
  }
  return list;
}

ArraySlice::ArraySlice(const Config& config, const GoldenDevice& device, const Descriptor& d,
                       std::vector<int> columns)
    : config_(config),
      geometry_(config),
      device_(device),
      d_(d),
      columns_(std::move(columns)),
      accumulator_mask_((std::uint64_t{1} << config.accumulator_bits) - 1) {}

void ArraySlice::start(std::uint32_t first_tile) {
  elements_.assign(static_cast<std::size_t>((config_.rows + 1) * (columns() + 1)), {});
  control_ = {};
  offered_ = operand_ = low_ = high_ = {};
  offered_.flush = true;  // what comes begins a weight
  operand_enable_ = hold_ = tile_valid_ = false;
  chunk_ = row_ = 0;
  operations_ = 0;
  tile_index_ = first_tile;
  tile_ = tile_operations(config_, d_, first_tile);
  position_ = tile_cycles_ = 0;
  offer();
  operand_enable_ = offered_.valid;
}

/// The next operation at the operand registers' inputs, or none while a tile is prepared.
void ArraySlice::offer() {
  offered_.valid = false;
  if (position_ == tile_.size() && tile_cycles_ >= kTileInterval) {
    if (tile_index_ + 1 >= gemm_tiles(d_)) return;
    tile_ = tile_operations(config_, d_, ++tile_index_);
    position_ = tile_cycles_ = 0;
  }
  ++tile_cycles_;
  if (position_ == tile_.size()) return;
  offered_.valid = true;
  offered_.clear = offered_.flush;
  offered_.operation = tile_[position_++];
  offered_.flush = offered_.operation.flush;
  offered_.tile = tile_index_;
}

LaneWord ArraySlice::masked(const LaneWord& word, std::uint32_t lanes) const {
  LaneWord result{};
  for (std::uint32_t part = 0; part < 4; ++part) {
    const std::uint32_t from = 64 * part;
    if (lanes >= from + 64)
      result[part] = word[part];
    else if (lanes > from)
      result[part] = word[part] & ((std::uint64_t{1} << (lanes - from)) - 1);
  }
  return result;
}

LaneWord ArraySlice::operand(bool of_columns, int member, std::uint32_t plane) const {
  const auto bytes = static_cast<std::size_t>(geometry_.lane_bytes);
  const auto group = static_cast<std::size_t>(geometry_.side(of_columns).group);
  const ArrayOperation& o = offered_.operation;
  const std::size_t word = of_columns ? o.column_word
                                      : (o.row_word + plane * o.plane_words) %
                                            static_cast<std::uint32_t>(config_.row_buffer_depth);
  const std::size_t place = (word * group + static_cast<std::size_t>(member)) * bytes;
  LaneWord result{};
  std::memcpy(result.data(), device_.buffer(of_columns).data() + place, bytes);
  return result;
}

LaneWord ArraySlice::operand_mask() const {
  return masked({~0ull, ~0ull, ~0ull, ~0ull}, offered_.operation.lanes);
}

std::uint64_t ArraySlice::drain_input(int row, int column) const {
  return row < config_.rows - 1 ? element(row + 1, column).drain : 0;
}

bool ArraySlice::clock() {
  const int width = columns() + 1, rows = config_.rows;
  const int chunks = geometry_.column_chunks;
  // ---- Clock edge: elements by the control of the cycle that ends ----
  for (int row = 0; row <= rows; ++row)
    for (int column = 0; column < width; ++column) {
      Element& e = elements_[static_cast<std::size_t>(row * width + column)];
      if (control_.capture)
        e.drain = e.high;
      else if (row < control_.drain_shifts)
        e.drain = drain_input(row, column);
      if (control_.flush) {
        const std::uint64_t term = static_cast<std::uint64_t>(e.low) << control_.shift;
        const std::uint64_t before = control_.high_clear ? 0 : e.high;
        e.high = (control_.negate[kind(row, column)] ? before - term : before + term) &
                 accumulator_mask_;
      }
      if (control_.accumulate) {
        if (control_.low_clear) e.low = 0;
        for (std::size_t plane = 0; plane < e.rows.size(); ++plane) {
          LaneWord product;
          for (std::size_t i = 0; i < product.size(); ++i)
            product[i] = e.rows[plane][i] & e.column[i];
          e.low += static_cast<std::uint32_t>(ones(product)) << plane;
        }
      }
      if (operand_enable_) {
        const ArrayOperation& o = offered_.operation;
        for (std::uint32_t plane = 0; plane < e.rows.size(); ++plane)
          e.rows[plane] = row < rows && plane < o.row_planes
                              ? masked(operand(false, row, plane), o.lanes)
                          : row == rows && plane == 0 && o.row_plane_0 ? operand_mask()
                                                                       : LaneWord{};
        e.column = column < width - 1
                       ? masked(operand(true, columns_[static_cast<std::size_t>(column)]), o.lanes)
                   : o.column_plane_0 ? operand_mask()
                                      : LaneWord{};
      }
    }
  const bool captured = control_.capture;
  const bool was_valid = tile_valid_;
  if (was_valid) {
    const bool last_chunk = chunk_ + 1 == chunks, last_row = row_ + 1 == rows;
    if (last_chunk && last_row) tile_valid_ = false;
    chunk_ = last_chunk ? 0 : chunk_ + 1;
    if (last_chunk) row_ = last_row ? 0 : row_ + 1;
  }
  if (captured) tile_valid_ = true;
  if (!hold_) {
    high_ = low_;
    low_ = operand_;
    operand_ = offered_;
    if (operand_.valid) ++operations_;
    offer();
  }
  // ---- The cycle that begins ----
  const bool captures = high_.valid && high_.operation.capture;
  const bool flushes = low_.valid && low_.flush;
  hold_ = captures && tile_valid_;
  control_.capture = captures && !tile_valid_;
  control_.flush = flushes && !hold_;
  control_.drain_shifts = tile_valid_ && chunk_ + 1 == chunks ? rows - 1 - row_ : 0;
  operand_enable_ = offered_.valid && !hold_;
  control_.accumulate = operand_.valid && !hold_;
  control_.low_clear = control_.accumulate && operand_.clear;
  if (flushes) {
    const ArrayOperation& o = low_.operation;
    control_.high_clear = o.first;
    control_.negate = {o.row_negate != o.column_negate, o.row_negate, o.column_negate, false};
    control_.shift = o.shift;
  }
  return offered_.valid || position_ < tile_.size() || tile_index_ + 1 < gemm_tiles(d_) ||
         operand_.valid || low_.valid || high_.valid || tile_valid_;
}

}  // namespace solfege
