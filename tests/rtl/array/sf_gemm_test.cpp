// SPDX-License-Identifier: Apache-2.0
// sf_gemm against the loops of the contract: buffer addresses, masks, planes, weights and tile
// boundaries of every operation in order, for the three window modes and both ways to index the
// columns; active cycles against their formula.
#include <algorithm>
#include <vector>

#include "Vsf_gemm.h"
#include "model/spec/descriptor.hpp"
#include "model/spec/pipeline.hpp"
#include "rtl_test.hpp"
#include "sf_fields.hpp"

using namespace rtl_test;

namespace {
constexpr int kLowWords = solfege::kLowWords;
constexpr int kNoRow = -(1 << 20);  // of an operation without a lane
struct Operation {
  int row, column, lanes, row_plane, row_planes, column_plane;
  bool row_negate, column_negate, flush, first, capture;
};
struct Tap {
  int tap, index;
};
/// One axis of the windows.
struct Axis {
  int mode, stride, origin, taps, map;
  int unit() const { return mode == 0 ? 1 : stride; }
  int phase() const { return ((origin % unit()) + unit()) % unit(); }
  int place() const { return (origin - phase()) / unit(); }
  int reach() const { return ((mode == 1 ? taps : map) + unit() - 1) / unit(); }
};
/// Its taps that meet the map at a tile, with the operand index.
std::vector<Tap> taps(const Axis& axis, int position) {
  std::vector<Tap> valid;
  for (int tap = 0; tap < axis.taps; ++tap)
    for (int index = 0; index < axis.map; ++index) {
      const int p = axis.origin + position;
      const bool meets = axis.mode == 0   ? index == axis.origin + axis.stride * position + tap
                         : axis.mode == 1 ? axis.stride * index + tap == p
                                          : index == p + axis.stride * tap;
      if (meets) valid.push_back({tap, index});
    }
  return valid;
}
}  // namespace

TEST_CASE("operations follow the loops of the contract") {
  Random random(9);
  Vsf_gemm top;
  top.clear_i = top.enable_i = top.start_i = top.hold_i = 0;
  reset(top);
  for (int pass = 0; pass < 400; ++pass) {
    const int mode = random.between(0, 2);
    const bool rows_by_tap = random.chance(40), columns_by_tile = random.chance(40);
    const auto axis = [&](int tap_count) {
      const bool wide = random.chance(10);
      return Axis{mode, wide ? random.between(6, 63) : random.between(1, 5), random.between(-9, 7),
                  tap_count, wide ? random.between(1, 200) : random.between(1, 9)};
    };
    const Axis y = axis(columns_by_tile ? 1 : random.between(1, 7));
    const Axis x = axis(columns_by_tile ? 1 : random.between(1, 7));
    const int tile_y = random.between(1, 5), tile_x = random.between(1, 5);
    const int groups = random.between(1, 2), words = random.between(1, 6);
    const int row_planes = random.between(1, 6), column_planes = random.between(1, 5);
    const int tail = random.between(1, SF_LANES);
    const bool row_signed = random.chance(50), column_signed = random.chance(50);
    const bool clear = random.chance(80), drain = random.chance(80);
    const int row_base = random.between(0, 63), column_base = random.between(0, 63);
    const int group_stride = random.between(0, 300);
    CAPTURE(seed(), pass, mode, y.stride, y.origin, x.stride, x.origin, rows_by_tap,
            columns_by_tile);
    for (int i = 0; i < solfege::kDescriptorWords; ++i) top.descriptor_i[i] = random.bits(32);
    auto set = [&](int field, int bits, uint64_t value) {
      set_field(top.descriptor_i, field, bits, value);
    };
    set(F_ROW_BASE, 16, row_base);
    set(F_COLUMN_BASE, 16, column_base);
    set(F_ROW_PLANES, 6, row_planes);
    set(F_ROW_SIGNED, 1, row_signed);
    set(F_COLUMN_PLANES, 6, column_planes);
    set(F_COLUMN_SIGNED, 1, column_signed);
    set(F_CLEAR, 1, clear);
    set(F_DRAIN, 1, drain);
    set(F_ROWS_BY_TAP, 1, rows_by_tap);
    set(F_COLUMNS_BY_TILE, 1, columns_by_tile);
    set(F_WINDOW_MODE, 2, mode);
    set(F_WORDS, 16, words);
    set(F_TAIL_LANES, 16, tail);
    set(F_COLUMN_GROUPS, 16, groups);
    set(F_COLUMN_GROUP_STRIDE, 16, group_stride);
    set(F_TILE_Y_COUNT, 16, tile_y);
    set(F_TILE_X_COUNT, 16, tile_x);
    set(F_TAP_Y_COUNT, 16, y.taps);
    set(F_TAP_X_COUNT, 16, x.taps);
    set(F_WINDOW_HEIGHT, 16, y.map);
    set(F_WINDOW_WIDTH, 16, x.map);
    set(F_STRIDE_Y, 6, y.stride);
    set(F_STRIDE_X, 6, x.stride);
    set(F_PLACE_Y, 16, y.place());
    set(F_PLACE_X, 16, x.place());
    set(F_PHASE_Y, 6, y.phase());
    set(F_PHASE_X, 6, x.phase());
    set(F_REACH_Y, 16, y.reach());
    set(F_REACH_X, 16, x.reach());
    // What the buffers hold begins with this row of the operand's map.
    const int map_first = random.between(0, 3);
    set(F_MAP_Y_FIRST, 16, map_first);
    const uint64_t affine = random.bits(40);
    set(F_AFFINE_SHIFT, 2, affine & 3);
    set(F_AFFINE_ROW, 10, affine >> 2 & 0x3ff);
    set(F_AFFINE_COLUMN, 10, affine >> 12 & 0x3ff);
    set(F_AFFINE_LANES, 18, affine >> 22);

    // Groups of row planes, the negative one by itself, by a column plane: by weight, where all
    // groups are counted as full ones.
    struct Pair {
      int row, rows, column, weight;
    };
    std::vector<Pair> pairs;
    const int plain = row_planes - row_signed;
    int groups_before = 0;
    for (int row = 0; row < row_planes; ++groups_before) {
      const int rows = row < plain ? std::min(SF_PLANES, plain - row) : 1;
      for (int column = 0; column < column_planes; ++column)
        pairs.push_back({row, rows, column, groups_before * SF_PLANES + column});
      row += rows;
    }
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const Pair& a, const Pair& b) { return a.weight < b.weight; });

    // The definition: row operand by index unless by tap; columns the other way, unless by tile too
    std::vector<Operation> wanted;
    std::vector<long> tile_operations;
    for (int py = 0; py < tile_y; ++py)
      for (int px = 0; px < tile_x; ++px)
        for (int group = 0; group < groups; ++group) {
          const std::size_t begin = wanted.size();
          int summed = 0;
          bool first = clear;
          for (const Pair& pair : pairs)
            for (const Tap& ty : taps(y, py))
              for (const Tap& tx : taps(x, px)) {
                const int by_index = (ty.index - map_first) * x.map + tx.index;
                const int by_tap = ty.tap * x.taps + tx.tap;
                const bool columns_by_index = rows_by_tap || columns_by_tile;
                const int row = row_base + (rows_by_tap ? by_tap : by_index) * row_planes * words;
                const int column = column_base + group * group_stride +
                                   (columns_by_index ? by_index : by_tap) * column_planes * words;
                for (int word = 0; word < words; ++word)
                  wanted.push_back(
                      {row + pair.row * words + word, column + pair.column * words + word,
                       word + 1 == words ? tail : SF_LANES, pair.row, pair.rows, pair.column,
                       row_signed && pair.row + 1 == row_planes,
                       column_signed && pair.column + 1 == column_planes, false, false, false});
              }
          // A tile without a tap still takes one operation, of no lane
          if (wanted.size() == begin)
            wanted.push_back({kNoRow, 0, 0, 0, 1, 0, false, false, false, false, false});
          // Of one weight and sign, and no more than the low sums hold
          for (std::size_t i = begin; i < wanted.size(); ++i) {
            Operation& o = wanted[i];
            const bool last = i + 1 == wanted.size();
            o.first = first;
            o.flush =
                last || ++summed == kLowWords ||
                wanted[i + 1].row_plane + wanted[i + 1].column_plane !=
                    o.row_plane + o.column_plane ||
                ((row_signed || column_signed) && wanted[i + 1].column_plane != o.column_plane);
            if (!o.flush) continue;
            summed = 0;
            first = false;
          }
          wanted.back().capture = drain;
          tile_operations.push_back(static_cast<long>(wanted.size() - begin));
        }
    long formula = 8, last = 0;
    for (std::size_t tile = 0; tile < tile_operations.size(); ++tile) {
      if (tile > 0) formula += std::max(6L, last);
      last = tile_operations[tile];
    }
    formula += last + 1;

    const bool slow = random.chance(50);
    std::size_t next = 0;
    int row_read[SF_PLANES] = {}, swap_read[SF_PLANES] = {}, planes_read = 0, column_read = 0;
    long active = 0;
    bool started = false, done = false, read = false;
    const uint32_t address_mask = (1u << SF_ROW_ADDRESS_BITS) - 1;
    for (int cycle = 0; !done || read; ++cycle) {
      REQUIRE(cycle < 200000);
      top.enable_i = random.chance(slow ? 80 : 100);
      top.start_i = top.enable_i && !started;
      top.hold_i = slow && random.chance(30);  // what is offered stays
      settle(top);
      REQUIRE(top.valid_o == read);
      REQUIRE(top.stall_o == top.hold_i);
      if (top.valid_o && !top.hold_i) {
        REQUIRE(next < wanted.size());
        const Operation& operation = wanted[next++];
        CAPTURE(next);
        if (operation.row != kNoRow) {
          for (int plane = 0; plane < operation.row_planes; ++plane) {
            REQUIRE(row_read[plane] == (operation.row + plane * words & address_mask));
            const bool swaps = SF_PLANES > 1 && words % SF_ROW_BANKS == 0;
            REQUIRE(swap_read[plane] == (swaps && (operation.row_plane + plane) % 2 == 1));
          }
          REQUIRE(planes_read == (1 << operation.row_planes) - 1);
          REQUIRE(top.row_planes_o == planes_read);
          REQUIRE(column_read == (operation.column & address_mask));
          REQUIRE(top.shift_o == operation.row_plane + operation.column_plane);
          REQUIRE(top.row_plane_0_o == (operation.row_plane == 0));
          REQUIRE(top.column_plane_0_o == (operation.column_plane == 0));
          REQUIRE(top.row_negate_o == operation.row_negate);
          REQUIRE(top.column_negate_o == operation.column_negate);
        }
        for (int lane = 0; lane < SF_LANES; ++lane)
          REQUIRE(get_bit(top.mask_o, lane) == (lane < operation.lanes));
        REQUIRE(top.flush_o == operation.flush);
        if (operation.flush) REQUIRE(top.first_o == operation.first);
        REQUIRE(top.capture_o == operation.capture);
        REQUIRE(top.affine_o == affine);
      }
      active += top.start_i || (started && !done && top.enable_i && !top.stall_o);
      if (top.start_i) started = true;
      if (!top.hold_i) {
        read = top.column_enable_o;
        planes_read = top.row_enable_o;
        for (int plane = 0; plane < SF_PLANES; ++plane) {
          row_read[plane] = static_cast<int>(
              get_field(top.row_address_o, plane * SF_ROW_ADDRESS_BITS, SF_ROW_ADDRESS_BITS));
          swap_read[plane] = get_bit(top.row_swap_o, plane);
        }
        column_read = top.column_address_o;
      }
      done = done || top.done_o;
      edge(top);
    }
    REQUIRE(next == wanted.size());
    CHECK(active == formula);
    top.hold_i = 0;
  }
}
