// SPDX-License-Identifier: Apache-2.0
// sf_array against integer products: operands' planes, one or several of the rows at once, weights
// of several operations and signs, masks, the four scalars that make values of codes, which change
// from tile to tile, tiles of one operation and of several, with bubbles between operations and a
// drain that takes when it likes while the next tile is computed.
#include <array>
#include <deque>
#include <vector>

#include "Vsf_array.h"
#include "rtl_test.hpp"

using namespace rtl_test;

namespace {
constexpr int kRows = SF_ROWS, kColumns = SF_COLUMNS, kLanes = SF_LANES, kPlanes = SF_PLANES;
constexpr int kLatency = 3;  // cycles from a tile's last operation to its capture
using Tile = std::array<int64_t, kRows * kColumns>;

/// The scalars of a tile: 2^shift S + row A + column B + lanes N.
struct Affine {
  int shift = 0;
  int64_t row = 0, column = 0, lanes = 0;
  uint64_t bits() const {
    return (static_cast<uint64_t>(lanes) & 0x3ffff) << 22 |
           (static_cast<uint64_t>(column) & 0x3ff) << 12 |
           (static_cast<uint64_t>(row) & 0x3ff) << 2 | static_cast<uint64_t>(shift);
  }
};
/// Sums over operations and valid lanes: of products of codes, of codes, of lanes.
struct Sums {
  int64_t product[kRows * kColumns] = {}, row[kRows] = {}, column[kColumns] = {}, lanes = 0;
  Tile values(const Affine& a) const {
    Tile tile{};
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < kColumns; ++c)
        tile[r * kColumns + c] = product[r * kColumns + c] * (1 << a.shift) + a.row * row[r] +
                                 a.column * column[c] + a.lanes * lanes;
    return tile;
  }
};

struct Totals {
  int tiles = 0;
  int overlapped = 0;  // operations that entered while a tile was draining
  int held = 0;        // cycles in which a tile waited for the one before
  int single = 0;      // tiles of one operation
};

/// Tiles of up to `longest` operations.
Totals run(Random& random, Vsf_array& top, int longest, int operate, int take, int tiles) {
  Totals totals;
  Affine affine;
  Sums sum;
  std::deque<std::pair<int, Tile>> flying;  // cycle of its capture, values
  Tile draining{};
  bool visible = false;
  int position = 0;
  int left = 0;         // operations of this tile
  int weight_left = 0;  // and of this weight
  int shift = 0;
  bool row_negate = false, column_negate = false;
  bool first = true, tile_begins = true;
  for (int cycle = 0; totals.tiles < tiles; ++cycle) {
    REQUIRE(cycle < 400 * tiles);
    if (left == 0) {
      left = random.between(1, longest);
      first = totals.tiles == 0 || random.chance(80);  // else the sums go on from the last tile's
      affine = {random.between(0, 3), random.between(-512, 511), random.between(-512, 511),
                random.between(-(1 << 17), (1 << 17) - 1)};
    }
    if (weight_left == 0) {
      weight_left = random.between(1, left);
      shift = random.between(0, 6);
      row_negate = random.chance(50);
      column_negate = random.chance(50);
    }
    const bool last = left == 1, flush = weight_left == 1;
    top.valid_i = random.chance(operate);
    const bool capture = last && random.chance(90);
    // Without valid, and the last two without a flush, these mean nothing.
    top.flush_i = top.valid_i ? flush : random.chance(50);
    top.first_i = top.valid_i && flush ? first : random.chance(50);
    top.capture_i = top.valid_i && flush ? capture : random.chance(50);
    // Only the operation that captures says the tile's scalars.
    set_field(top.affine_i, 0, 40, top.valid_i && capture ? affine.bits() : random.bits(40));
    const int row_plane = random.chance(40)   ? 0
                          : random.chance(40) ? shift
                                              : random.between(0, shift);
    const int column_plane = shift - row_plane;
    top.row_planes_i = 1 | random.bits(kPlanes);
    top.row_plane_0_i = row_plane == 0;
    top.column_plane_0_i = column_plane == 0;
    top.row_negate_i = row_negate;
    top.column_negate_i = column_negate;
    top.shift_i = shift;
    top.mask_i = random.chance(30) ? (1u << kLanes) - 1 : random.bits(kLanes);
    for (int bit = 0; bit < kPlanes * kRows * kLanes; bit += 16)
      set_field(top.rows_i, bit, 16, random.bits(16));
    for (int bit = 0; bit < kColumns * kLanes; bit += 16)
      set_field(top.columns_i, bit, 16, random.bits(16));
    top.take_i = visible && random.chance(take);
    settle(top);

    REQUIRE(static_cast<bool>(top.tile_valid_o) == visible);
    if (visible) {
      for (int lane = 0; lane < SF_DRAIN_LANES; ++lane) {
        const uint64_t got =
            get_field(top.chunk_o, lane * SF_ACCUMULATOR_BITS, SF_ACCUMULATOR_BITS);
        const uint64_t mask = (1ULL << SF_ACCUMULATOR_BITS) - 1;
        const int64_t expected = draining[position * SF_DRAIN_LANES + lane];
        CAPTURE(seed(), cycle, position, lane);
        REQUIRE(got == (static_cast<uint64_t>(expected) & mask));
      }
    }
    const bool done = top.take_i && position == kRows * kColumns / SF_DRAIN_LANES - 1;
    // A complete tile waits at the last stage until the last chunk of the one before is taken.
    const bool hold = visible && !done && !flying.empty() && flying.front().first == cycle;
    REQUIRE(static_cast<bool>(top.hold_o) == hold);
    totals.held += hold;
    if (hold)
      for (auto& tile : flying) ++tile.first;
    if (top.valid_i && !hold) {
      totals.overlapped += visible;
      const bool begins = tile_begins;
      if (begins && first) sum = {};
      tile_begins = last;
      if (flush) first = false;
      const int64_t row_weight = (row_negate ? -1 : 1) * (int64_t{1} << row_plane);
      const int64_t column_weight = (column_negate ? -1 : 1) * (int64_t{1} << column_plane);
      for (int lane = 0; lane < kLanes; ++lane) {
        if (!get_bit(top.mask_i, lane)) continue;
        for (int r = 0; r < kRows; ++r) {
          int64_t code = 0;  // of the planes that there are
          for (int plane = 0; plane < kPlanes; ++plane)
            if (get_bit(top.row_planes_i, plane) &&
                get_bit(top.rows_i, (plane * kRows + r) * kLanes + lane))
              code += int64_t{1} << plane;
          if (column_plane == 0) sum.row[r] += row_weight * code;
          for (int c = 0; c < kColumns; ++c)
            if (get_bit(top.columns_i, c * kLanes + lane))
              sum.product[r * kColumns + c] += row_weight * column_weight * code;
        }
        if (row_plane == 0)
          for (int c = 0; c < kColumns; ++c)
            if (get_bit(top.columns_i, c * kLanes + lane)) sum.column[c] += column_weight;
        if (row_plane == 0 && column_plane == 0) ++sum.lanes;
      }
      totals.single += begins && last;
      --left;
      --weight_left;
      if (capture) {
        flying.emplace_back(cycle + kLatency, sum.values(affine));
      }
    }
    if (top.take_i) ++position;
    if (done) {
      visible = false;
      ++totals.tiles;
    }
    if (!hold && !flying.empty() && flying.front().first == cycle) {
      draining = flying.front().second;
      flying.pop_front();
      visible = true;
      position = 0;
    }
    edge(top);
  }
  top.valid_i = top.take_i = 0;
  for (int i = 0; i < 6; ++i) {
    settle(top);
    edge(top);
  }
  return totals;
}
}  // namespace

TEST_CASE("tiles are integer products") {
  Random random(5);
  Vsf_array top;
  top.clear_i = top.valid_i = top.take_i = 0;
  reset(top);
  int overlapped = 0, held = 0, single = 0;
  for (const int longest : {1, 2, 4, 12})
    for (const auto& [operate, take] :
         std::vector<std::pair<int, int>>{{100, 100}, {100, 40}, {50, 100}, {60, 30}}) {
      CAPTURE(longest, operate, take);
      // A run may leave a sum and tiles on their way: clearing must leave nothing.
      const Totals totals = run(random, top, longest, operate, take, 60);
      overlapped += totals.overlapped;
      held += totals.held;
      single += totals.single;
      top.clear_i = 1;
      settle(top);
      edge(top);
      top.clear_i = 0;
    }
  REQUIRE(overlapped > 1000);
  REQUIRE(held > 1000);
  REQUIRE(single > 200);
}

TEST_CASE("clear drops a tile that is draining and one that is on its way") {
  Random random(6);
  Vsf_array top;
  top.clear_i = top.valid_i = top.take_i = 0;
  reset(top);
  for (int wait = 0; wait < 9; ++wait) {
    top.valid_i = top.flush_i = top.capture_i = top.first_i = 1;
    top.row_plane_0_i = top.column_plane_0_i = 1;
    top.take_i = 0;
    settle(top);
    edge(top);
    top.valid_i = 0;
    for (int i = 0; i < wait; ++i) {
      settle(top);
      top.take_i = top.tile_valid_o;
      settle(top);
      edge(top);
    }
    top.take_i = 0;
    top.clear_i = 1;
    settle(top);
    edge(top);
    top.clear_i = 0;
    for (int i = 0; i < 6; ++i) {
      settle(top);
      REQUIRE(!top.tile_valid_o);
      edge(top);
    }
    run(random, top, 12, 80, 80, 3);
  }
}
