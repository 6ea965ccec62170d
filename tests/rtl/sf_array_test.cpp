// SPDX-License-Identifier: Apache-2.0
// sf_array against integer products: every combination of plane types, masks, weights and signs,
// with bubbles between operations and a drain that takes when it likes while the next tile is
// computed.
#include <array>
#include <deque>
#include <vector>

#include "Vsf_array.h"
#include "rtl_test.hpp"

using namespace rtl_test;

namespace {
constexpr int kRows = SF_ROWS, kColumns = SF_COLUMNS, kLanes = SF_LANES;
constexpr int kLatency = 4;  // cycles from a tile's last operation to tile_valid_o
using Tile = std::array<int64_t, kRows * kColumns>;

int value_of(bool bit, bool bipolar) { return bit ? 1 : bipolar ? -1 : 0; }

struct Totals {
  int tiles = 0;
  int overlapped = 0;  // operations that entered while a tile was draining
};

Totals run(Random& random, Vsf_array& top, bool row_bipolar, bool column_bipolar, int operate,
           int take, int tiles) {
  Totals totals;
  Tile sum{};
  std::deque<std::pair<int, Tile>> flying;  // cycle it must appear, values
  bool pending = false;  // as in sf_gemm: one tile from its last operation to its last take
  Tile draining{};
  bool visible = false;
  int position = 0;
  int left = 0;  // operations of this tile
  bool first = true;
  for (int cycle = 0; totals.tiles < tiles; ++cycle) {
    REQUIRE(cycle < 400 * tiles);
    if (!flying.empty() && flying.front().first == cycle) {
      draining = flying.front().second;
      flying.pop_front();
      visible = true;
      position = 0;
    }
    if (left == 0) {
      left = random.between(1, 12);
      first = totals.tiles == 0 || random.chance(80);  // else the sums go on from the last tile's
    }
    const bool last = left == 1;
    top.valid_i = random.chance(operate) && !(last && pending);
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
    REQUIRE(static_cast<bool>(top.tile_done_o) == done);
    if (top.valid_i) {
      totals.overlapped += visible;
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
      --left;
      if (capture) {
        flying.emplace_back(cycle + kLatency, sum);
        pending = true;
      }
    }
    if (top.take_i) ++position;
    if (done) {
      visible = pending = false;
      ++totals.tiles;
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
  int overlapped = 0;
  for (int types = 0; types < 4; ++types)
    for (const auto& [operate, take] :
         std::vector<std::pair<int, int>>{{100, 100}, {100, 40}, {50, 100}, {60, 30}}) {
      CAPTURE(types, operate, take);
      // A run may leave an uncaptured sum, never a pending tile; clearing must leave nothing
      // either.
      overlapped += run(random, top, types & 1, types & 2, operate, take, 60).overlapped;
      top.clear_i = random.chance(50);
      settle(top);
      edge(top);
      top.clear_i = 0;
    }
  REQUIRE(overlapped > 1000);
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
    run(random, top, true, true, 80, 80, 3);
  }
}
