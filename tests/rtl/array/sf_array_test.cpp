// SPDX-License-Identifier: Apache-2.0
// sf_array against integer products: every combination of plane types, which change from tile to
// tile, masks, weights and signs, tiles of one operation and of several, with bubbles between
// operations and a drain that takes when it likes while the next tile is computed.
#include <array>
#include <deque>
#include <vector>

#include "Vsf_array.h"
#include "rtl_test.hpp"

using namespace rtl_test;

namespace {
constexpr int kRows = SF_ROWS, kColumns = SF_COLUMNS, kLanes = SF_LANES;
constexpr int kLatency = 3;  // cycles from a tile's last operation to its capture
using Tile = std::array<int64_t, kRows * kColumns>;

int value_of(bool bit, bool bipolar) { return bit ? 1 : bipolar ? -1 : 0; }

struct Totals {
  int tiles = 0;
  int overlapped = 0;  // operations that entered while a tile was draining
  int held = 0;        // cycles in which a tile waited for the one before
  int single = 0;      // tiles of one operation
};

/// Tiles of up to `longest` operations.
Totals run(Random& random, Vsf_array& top, int longest, int operate, int take, int tiles) {
  Totals totals;
  bool row_bipolar = false, column_bipolar = false;
  Tile sum{};
  std::deque<std::pair<int, Tile>> flying;  // cycle of its capture, values
  Tile draining{};
  bool visible = false;
  int position = 0;
  int left = 0;  // operations of this tile
  bool first = true;
  for (int cycle = 0; totals.tiles < tiles; ++cycle) {
    REQUIRE(cycle < 400 * tiles);
    if (left == 0) {
      left = random.between(1, longest);
      first = totals.tiles == 0 || random.chance(80);  // else the sums go on from the last tile's
      if (first) {
        row_bipolar = random.chance(50);
        column_bipolar = random.chance(50);
      }
    }
    const bool last = left == 1;
    top.valid_i = random.chance(operate);
    const bool capture = last && random.chance(90);
    top.capture_i = top.valid_i ? capture : random.chance(50);  // means nothing without valid
    top.row_bipolar_i = top.valid_i ? row_bipolar : random.chance(50);
    top.column_bipolar_i = top.valid_i ? column_bipolar : random.chance(50);
    top.first_i = first;
    top.negate_i = random.chance(50);
    top.shift_i = random.between(0, 8);
    top.mask_i = random.chance(30) ? (1u << kLanes) - 1 : random.bits(kLanes);
    set_field(top.rows_i, 0, 32, random.bits(32));
    set_field(top.columns_i, 0, 32, random.bits(32));
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
    // A complete tile waits at the last stage while the one before is drained.
    const bool hold = visible && !flying.empty() && flying.front().first == cycle;
    REQUIRE(static_cast<bool>(top.hold_o) == hold);
    totals.held += hold;
    if (hold)
      for (auto& tile : flying) ++tile.first;
    if (top.valid_i && !hold) {
      totals.overlapped += visible;
      const bool first_operation = first;
      if (first) sum = {};
      first = false;
      for (int r = 0; r < kRows; ++r)
        for (int c = 0; c < kColumns; ++c) {
          int64_t product = 0;
          for (int lane = 0; lane < kLanes; ++lane)
            if (get_bit(top.mask_i, lane))
              product += value_of(get_bit(top.rows_i, r * kLanes + lane), row_bipolar) *
                         value_of(get_bit(top.columns_i, c * kLanes + lane), column_bipolar);
          product *= int64_t{1} << top.shift_i;
          sum[r * kColumns + c] += top.negate_i ? -product : product;
        }
      totals.single += first_operation && last;
      --left;
      if (capture) {
        flying.emplace_back(cycle + kLatency, sum);
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
    top.valid_i = top.capture_i = top.first_i = 1;
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
