// SPDX-License-Identifier: Apache-2.0
// sf_gemm against the loops of the contract: buffer addresses, masks, planes and tile boundaries of
// every operation in order, for the three window modes and both ways to index the columns; active
// cycles against their formula.
#include <algorithm>
#include <vector>

#include "Vsf_gemm.h"
#include "model/spec/descriptor.hpp"
#include "rtl_test.hpp"
#include "sf_fields.hpp"

using namespace rtl_test;

namespace {
constexpr int kNoRow = -(1 << 20);  // of an operation without a lane
struct Operation {
  int row, column, lanes, row_plane, column_plane;
  bool row_negate, column_negate, first, capture;
};
struct Tap {
  int tap, index;
};
/// Taps of one axis that meet the map, with the operand index.
std::vector<Tap> taps(int mode, int stride, int padding, int position, int first, int count,
                      int limit) {
  std::vector<Tap> valid;
  for (int tap = first; tap < first + count; ++tap) {
    int index = 0;
    if (mode == 0) index = stride * position + tap - padding;
    if (mode == 1) {
      const int distance = position + padding - tap;
      if (distance < 0 || distance % stride != 0) continue;
      index = distance / stride;
    }
    if (mode == 2) index = stride * tap + position - padding;
    if (index >= 0 && index < limit) valid.push_back({tap, index});
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
    const int mode = random.between(0, 2), stride_log2 = random.between(0, 2);
    const int padding = random.between(0, 2), stride = 1 << stride_log2;
    const bool rows_by_tap = random.chance(40), columns_by_tile = random.chance(40);
    const int tap_y = columns_by_tile ? 1 : random.between(1, 3);
    const int tap_x = columns_by_tile ? 1 : random.between(1, 3);
    const int tap_first = random.between(0, 1);
    const int height = random.between(1, 5), width = random.between(1, 5);
    const int tile_y = random.between(1, 3), tile_x = random.between(1, 3);
    const int tile_y_first = random.between(0, 2), tile_x_first = random.between(0, 2);
    const int groups = random.between(1, 2), words = random.between(1, 3);
    const int row_planes = random.between(1, 3), column_planes = random.between(1, 3);
    const int tail = random.between(1, SF_LANES);
    const bool row_signed = random.chance(50), column_signed = random.chance(50);
    const bool clear = random.chance(80), drain = random.chance(80);
    const int row_base = random.between(0, 63), column_base = random.between(0, 63);
    const int group_stride = random.between(0, 300);
    CAPTURE(seed(), pass, mode, stride, padding, rows_by_tap, columns_by_tile);
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
    set(F_STRIDE_LOG2, 2, stride_log2);
    set(F_WORDS, 16, words);
    set(F_TAIL_LANES, 16, tail);
    set(F_COLUMN_GROUPS, 16, groups);
    set(F_COLUMN_GROUP_STRIDE, 16, group_stride);
    set(F_TILE_Y_FIRST, 16, tile_y_first);
    set(F_TILE_Y_COUNT, 16, tile_y);
    set(F_TILE_X_FIRST, 16, tile_x_first);
    set(F_TILE_X_COUNT, 16, tile_x);
    set(F_TAP_Y_FIRST, 16, tap_first);
    set(F_TAP_Y_COUNT, 16, tap_y);
    set(F_TAP_X_COUNT, 16, tap_x);
    set(F_PADDING, 16, padding);
    set(F_WINDOW_HEIGHT, 16, height);
    set(F_WINDOW_WIDTH, 16, width);
    // What the buffers hold begins with these rows of the operands' maps.
    const int row_origin = random.between(0, 3), column_origin = random.between(0, 3);
    set(F_ROW_Y_ORIGIN, 16, row_origin);
    set(F_COLUMN_Y_ORIGIN, 16, column_origin);
    const uint64_t affine = random.bits(40);
    set(F_AFFINE_SHIFT, 2, affine & 3);
    set(F_AFFINE_ROW, 10, affine >> 2 & 0x3ff);
    set(F_AFFINE_COLUMN, 10, affine >> 12 & 0x3ff);
    set(F_AFFINE_LANES, 18, affine >> 22);

    // The definition: row operand by index unless by tap; columns the other way, unless by tile too
    std::vector<Operation> wanted;
    std::vector<long> tile_operations;
    for (int py = tile_y_first; py < tile_y_first + tile_y; ++py)
      for (int px = tile_x_first; px < tile_x_first + tile_x; ++px)
        for (int group = 0; group < groups; ++group) {
          const auto ys = taps(mode, stride, padding, py, tap_first, tap_y, height);
          const auto xs = taps(mode, stride, padding, px, 0, tap_x, width);
          const std::size_t begin = wanted.size();
          for (const Tap& y : ys)
            for (const Tap& x : xs) {
              const auto place = [&](bool index, int origin) {
                return index ? (y.index - origin) * width + x.index
                             : (y.tap - origin) * tap_x + x.tap;
              };
              const bool columns_by_index = rows_by_tap || columns_by_tile;
              const int row = row_base + place(!rows_by_tap, row_origin) * row_planes * words;
              const int column = column_base + group * group_stride +
                                 place(columns_by_index, column_origin) * column_planes * words;
              for (int word = 0; word < words; ++word)
                for (int cp = 0; cp < column_planes; ++cp)
                  for (int rp = 0; rp < row_planes; ++rp)
                    wanted.push_back({row + rp * words + word, column + cp * words + word,
                                      word + 1 == words ? tail : SF_LANES, rp, cp,
                                      row_signed && rp + 1 == row_planes,
                                      column_signed && cp + 1 == column_planes, false, false});
            }
          // A tile without a tap still takes one operation, of no lane
          if (wanted.size() == begin)
            wanted.push_back({kNoRow, 0, 0, 0, 0, false, false, false, false});
          wanted[begin].first = clear;
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
    int row_read = 0, column_read = 0;
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
          REQUIRE(row_read == (operation.row & address_mask));
          REQUIRE(column_read == (operation.column & address_mask));
          REQUIRE(top.shift_o == operation.row_plane + operation.column_plane);
          REQUIRE(top.row_plane_0_o == (operation.row_plane == 0));
          REQUIRE(top.column_plane_0_o == (operation.column_plane == 0));
          REQUIRE(top.row_negate_o == operation.row_negate);
          REQUIRE(top.column_negate_o == operation.column_negate);
        }
        for (int lane = 0; lane < SF_LANES; ++lane)
          REQUIRE(get_bit(top.mask_o, lane) == (lane < operation.lanes));
        REQUIRE(top.first_o == operation.first);
        REQUIRE(top.capture_o == operation.capture);
        REQUIRE(top.affine_o == affine);
      }
      active += top.start_i || (started && !done && top.enable_i && !top.stall_o);
      if (top.start_i) started = true;
      if (!top.hold_i) {
        read = top.read_enable_o;
        row_read = top.row_address_o;
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
