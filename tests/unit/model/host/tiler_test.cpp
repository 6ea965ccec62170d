// SPDX-License-Identifier: Apache-2.0
// Products cut for buffers of random sizes: every tile meets every tap and word once, and what it
// meets is in the buffers.
#include "model/host/tiler.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <tuple>

#include "model/spec/geometry.hpp"
#include "tests/support/seeded_random.hpp"

namespace solfege {
namespace {

/// Of the windowed operand, where tile and tap of an axis meet; -1: outside the map, or between
/// the strides.
int met(WindowMode mode, int stride, int padding, int tile, int tap, int limit) {
  int place = 0;
  switch (mode) {
    case WindowMode::kForward:
      place = stride * tile + tap - padding;
      break;
    case WindowMode::kBackwardInput:
      place = tile + padding - tap;
      if (place % stride != 0) return -1;
      place /= stride;
      break;
    case WindowMode::kBackwardWeight:
      place = stride * tap + tile - padding;
      break;
  }
  return place >= 0 && place < limit ? place : -1;
}

struct Product {
  WindowMode mode;
  Layer layer;
  PackedTensor rows, columns;
};

PackedTensor tensor(int rows, int pixels, int planes, int lanes, int group) {
  PackedTensor t;
  t.rows = rows;
  t.pixels = pixels;
  t.planes = planes;
  t.lanes = lanes;
  t.group = group;
  t.word_lanes = 16;
  return t;
}

Product random_product(SeededRandom& random) {
  Product p;
  Layer& l = p.layer;
  p.mode = random.pick({WindowMode::kForward, WindowMode::kForward, WindowMode::kBackwardInput,
                        WindowMode::kBackwardInput, WindowMode::kBackwardWeight});
  const bool is_pixel = random.chance(30);
  const auto axis = [&](int& in, int& out, int& kernel, int& stride, int& padding) {
    if (is_pixel) return;
    in = random.between(1, 12);
    kernel = random.between(1, 4);
    padding = random.between(0, kernel - 1);
    stride = random.between(1, 3);
    while (in + 2 * padding < kernel) ++in;
    out = (in + 2 * padding - kernel) / stride + 1;
  };
  axis(l.in_height, l.out_height, l.kernel_height, l.stride_height, l.padding_height);
  axis(l.in_width, l.out_width, l.kernel_width, l.stride_width, l.padding_width);
  const ProductShape shape(p.mode, l);
  const int map = shape.map_height * shape.map_width, taps = shape.tap_height * shape.tap_width;
  const bool by_tap = p.mode == WindowMode::kBackwardWeight;
  const int lanes = random.between(1, is_pixel ? 400 : 40);
  p.rows = tensor(random.between(1, 9), by_tap ? taps : map, random.between(1, 4), lanes, 4);
  p.columns = tensor(random.between(1, 20), by_tap ? map : taps, random.between(1, 3), lanes, 8);
  return p;
}

TEST_CASE("tiles of a product meet every tap once, and find their operands", "[tiler]") {
  const std::uint64_t seed = test_seed(20261128);
  SeededRandom random(seed);
  CAPTURE(seed);
  std::map<std::string, int> seen;
  for (int round = 0; round < 3000; ++round) {
    const Product p = random_product(random);
    const ProductShape shape(p.mode, p.layer);
    const auto room = [&] {
      return BufferRoom{random.pick({8, 24, 64, 200, 1000, 4000}), random.pick({1, 2, 4})};
    };
    const BufferRoom row_room = room(), column_room = room();
    Shortage shortage;
    const std::vector<Tile> tiles =
        tile_product(p.mode, p.layer, p.rows, p.columns, row_room, column_room, &shortage);
    CAPTURE(round, number(p.mode), row_room.words, row_room.beat_words, column_room.words);
    if (shortage.words != 0) {
      ++seen["refused"];
      CHECK(tiles.empty());
      CHECK(shortage.words > (shortage.columns ? column_room : row_room).words -
                                 (shortage.columns ? column_room : row_room).beat_words);
      continue;
    }
    const bool by_tap = p.mode == WindowMode::kBackwardWeight;
    const Layer& l = p.layer;
    // By column group, row group, tile and row of taps: words so far
    std::map<std::tuple<int, int, int, int, int>, int> words;
    int wrong = 0;
    for (const Tile& t : tiles) {
      const bool part = t.words < p.rows.words();
      const PackedTensor& map = by_tap ? p.columns : p.rows;
      const PackedTensor& taps = by_tap ? p.rows : p.columns;
      const BufferRoom& map_room = by_tap ? column_room : row_room;
      const BufferRoom& tap_room = by_tap ? row_room : column_room;
      const bool band = t.places.count() < shape.map_width;
      seen["words"] += part;
      seen["bands"] += band && !by_tap;
      seen["bands of columns"] += band && by_tap;
      seen["taps"] += t.taps < shape.tap_height && !by_tap;
      seen["taps of rows"] += t.taps < shape.tap_height && by_tap;
      const auto behind = [&](bool of_columns, const PackedTensor& tensor) {
        return of_columns ? (t.groups - 1) * tensor.pixels * tensor.pixel_words() : 0;
      };
      const int map_words =
          part ? t.words * map.planes
               : behind(by_tap, map) + t.lines.count() * t.places.count() * map.pixel_words();
      const int tap_words =
          part ? t.words * taps.planes
               : behind(!by_tap, taps) + t.taps * shape.tap_width * taps.pixel_words();
      wrong += map_words > map_room.words || tap_words > tap_room.words;
      // What a LOAD brings in pieces begins and ends with beats.
      for (const BufferRoom& each : {row_room, column_room})
        if (part)
          wrong += p.rows.words() % each.beat_words != 0 || t.word_first % each.beat_words != 0;
      if (band && t.lines.count() > 1)
        wrong += t.places.first * map.pixel_words() % map_room.beat_words != 0 ||
                 t.places.count() * map.pixel_words() % map_room.beat_words != 0 ||
                 shape.map_width * map.pixel_words() % map_room.beat_words != 0;
      for (int group = t.group; group < t.group + t.groups; ++group)
        for (int y = t.tile_y; y < t.tile_y + t.tiles_y; ++y)
          for (int x = t.tile_x; x < t.tile_x + t.tiles_x; ++x)
            for (int tap = t.tap; tap < t.tap + t.taps; ++tap) {
              int& so_far = words[{group, t.row_group, y, x, tap}];
              wrong += so_far != t.word_first;
              so_far += t.words;
              const int line =
                  met(p.mode, l.stride_height, l.padding_height, y, tap, shape.map_height);
              if (line >= 0) wrong += line < t.lines.first || line > t.lines.last;
              for (int tap_x = 0; tap_x < shape.tap_width; ++tap_x) {
                const int place =
                    met(p.mode, l.stride_width, l.padding_width, x, tap_x, shape.map_width);
                if (place >= 0) wrong += place < t.places.first || place > t.places.last;
              }
            }
    }
    CHECK(wrong == 0);
    const std::size_t all =
        static_cast<std::size_t>(p.columns.groups() * p.rows.groups() * shape.tile_height *
                                 shape.tile_width * shape.tap_height);
    CHECK(words.size() == all);
    for (const auto& [tile, count] : words) wrong += count != p.rows.words();
    CHECK(wrong == 0);
    ++seen["cut"];
  }
  for (const char* kind :
       {"refused", "cut", "words", "bands", "bands of columns", "taps", "taps of rows"}) {
    CAPTURE(kind);
    CHECK(seen[kind] > 20);
  }
}

}  // namespace
}  // namespace solfege
