// SPDX-License-Identifier: Apache-2.0
#include "model/host/tiler.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace solfege {

std::vector<ChannelPart> channel_parts(const Layer& layer) {
  const int ins = layer.group_inputs(), outs = layer.out_channels / layer.groups;
  int together = 1;
  while (together < layer.groups && (together * ins % kBlock != 0 || together * outs % kBlock != 0))
    ++together;
  std::vector<ChannelPart> parts;
  for (int group = 0; group < layer.groups; group += together) {
    const int count = std::min(together, layer.groups - group);
    parts.push_back({group * ins, count * ins, group * outs, count * outs});
  }
  return parts;
}

Span operand_span(WindowMode mode, int stride, int padding, int tile_first, int tile_last,
                  int tap_first, int tap_last, int limit) {
  int low = 0, high = 0;
  switch (mode) {
    case WindowMode::kForward:
      low = stride * tile_first + tap_first - padding;
      high = stride * tile_last + tap_last - padding;
      break;
    case WindowMode::kBackwardInput:
      // A negative dividend is rounded up too, and the result clamped to 0.
      low = (tile_first + padding - tap_last + stride - 1) / stride;
      high = (tile_last + padding - tap_first) / stride;
      break;
    case WindowMode::kBackwardWeight:
      low = stride * tap_first + tile_first - padding;
      high = stride * tap_last + tile_last - padding;
      break;
  }
  low = std::clamp(low, 0, limit - 1);
  return {low, std::clamp(high, low, limit - 1)};
}

ProductShape::ProductShape(WindowMode mode, const Layer& layer)
    : tile_height(layer.out_height),
      tile_width(layer.out_width),
      tap_height(layer.kernel_height),
      tap_width(layer.kernel_width),
      map_height(layer.in_height),
      map_width(layer.in_width) {
  if (mode == WindowMode::kBackwardInput) {
    std::swap(tile_height, map_height);
    std::swap(tile_width, map_width);
  } else if (mode == WindowMode::kBackwardWeight) {
    std::swap(tile_height, tap_height);
    std::swap(tile_width, tap_width);
  }
}

namespace {

/// How far each loop of a product goes in one descriptor. Windows walk over the map of one operand,
/// that of the array's rows, or of its columns for a weight gradient; the other has the taps.
class Cut {
 public:
  Cut(WindowMode mode, const Layer& layer, const PackedTensor& rows, const PackedTensor& columns,
      const BufferRoom& row_room, const BufferRoom& column_room)
      : mode_(mode),
        layer_(layer),
        by_tap_(mode == WindowMode::kBackwardWeight),
        map_(by_tap_ ? columns : rows),
        taps_(by_tap_ ? rows : columns),
        map_room_(by_tap_ ? column_room : row_room),
        tap_room_(by_tap_ ? row_room : column_room),
        shape_(mode, layer),
        tap_rows(shape_.tap_height),
        tile_rows(shape_.tile_height),
        tile_columns(shape_.tile_width),
        words(rows.words()) {
    const int group_words = columns.pixels * columns.pixel_words();
    if (map_.pixels == 1 && taps_.pixels == 1) {
      words = contraction_words(words, rows.planes, columns.planes, row_room, column_room);
      const bool of_columns = group_words > column_room.words;
      if (words == 0) shortage = {of_columns, of_columns ? group_words : rows.pixel_words()};
    } else if (tap_rows * tap_line() > tap_room_.words) {
      cut_taps();
    } else {
      cut_tiles();
      if (shortage.words != 0 && shape_.tap_height > 1) cut_taps();
    }
    const bool is_whole = tap_rows == shape_.tap_height && words == rows.words() && !bands_;
    const int first_words =  // of the first of several column groups
        by_tap_ ? map_words(0, shape_.tap_height) : group_words;
    while (is_whole && groups < columns.groups() &&
           groups * group_words + first_words <= column_room.words)
      ++groups;
  }

  /// Rows of the map that tiles and taps meet.
  Span rows_met(int tile, int tiles, int tap, int taps) const {
    return operand_span(mode_, layer_.stride_height, layer_.padding_height, tile, tile + tiles - 1,
                        tap, tap + taps - 1, shape_.map_height);
  }
  /// Columns of the map for tiles: all, or with the fewest around them that begin and end with
  /// beats.
  Span columns_met(int tile, int tiles) const {
    if (!bands_) return {0, shape_.map_width - 1};
    const Span met = operand_span(mode_, layer_.stride_width, layer_.padding_width, tile,
                                  tile + tiles - 1, 0, shape_.tap_width - 1, shape_.map_width);
    const int unit = beat_pixels();
    return {met.first / unit * unit, std::min((met.last / unit + 1) * unit, shape_.map_width) - 1};
  }

 private:
  int tap_line() const { return shape_.tap_width * taps_.pixel_words(); }
  int beat_pixels() const {
    return map_room_.beat_words / std::gcd(map_room_.beat_words, map_.pixel_words());
  }
  /// Rows of a band lie apart in memory, and go side by side into the buffer in whole beats.
  bool can_band() const { return shape_.tap_height == 1 || shape_.map_width % beat_pixels() == 0; }

  /// Fewer rows of taps, for a tile at a time.
  void cut_taps() {
    tile_rows = tile_columns = 1;
    bands_ = can_band();
    shortage = {};
    int need = 0;
    for (tap_rows = shape_.tap_height - 1; tap_rows > 0; --tap_rows) {
      if (tap_rows * tap_line() > tap_room_.words) continue;
      need = 0;
      for (int tap = 0; tap < shape_.tap_height; tap += tap_rows)
        need = std::max(need, map_words(tap, tap_rows));
      if (need <= map_room_.words) return;
    }
    shortage = need == 0 ? Shortage{!by_tap_, tap_line()} : Shortage{by_tap_, need};
  }

  /// As many rows of tiles as what they meet of the map fits; if not one fits, bands of it.
  void cut_tiles() {
    const auto need = [&] { return map_words(0, shape_.tap_height); };
    while (tile_rows > 1 && need() > map_room_.words) --tile_rows;
    bands_ = need() > map_room_.words && can_band();
    for (int count = 2; bands_ && tile_columns > 1 && need() > map_room_.words; ++count)
      tile_columns = (shape_.tile_width + count - 1) / count;
    if (need() > map_room_.words) shortage = {by_tap_, need()};
  }

  /// Most words of the map that the tiles of a descriptor meet.
  int map_words(int tap, int taps) const {
    int lines = 0, width = 0;
    for (int first = 0; first < shape_.tile_height; first += tile_rows)
      lines = std::max(lines, rows_met(first, std::min(tile_rows, shape_.tile_height - first), tap,
                                       std::min(taps, shape_.tap_height - tap))
                                  .count());
    for (int first = 0; first < shape_.tile_width; first += tile_columns)
      width = std::max(
          width, columns_met(first, std::min(tile_columns, shape_.tile_width - first)).count());
    return lines * width * map_.pixel_words();
  }

  const WindowMode mode_;
  const Layer& layer_;
  const bool by_tap_;
  const PackedTensor &map_, &taps_;
  const BufferRoom map_room_, tap_room_;
  const ProductShape shape_;
  bool bands_ = false;  ///< of the map's rows only the columns that tiles meet

 public:
  int tap_rows, tile_rows, tile_columns, words, groups = 1;
  Shortage shortage;
};

}  // namespace

int contraction_words(int words, int row_planes, int column_planes, const BufferRoom& rows,
                      const BufferRoom& columns) {
  int part = std::min(rows.words / row_planes, columns.words / column_planes);
  if (part >= words) return words;
  const int beat = std::max(rows.beat_words, columns.beat_words);
  part = part / beat * beat;
  return words % beat == 0 ? part : 0;
}

SampleBlock block_samples(const PackedTensor& rows, const PackedTensor& columns, int column_groups,
                          int most, int tiles) {
  const auto passes = [](int count, int together) { return (count + together - 1) / together; };
  const auto bytes = [](const PackedTensor& tensor) {
    return static_cast<double>(tensor.group_stride());
  };
  SampleBlock best{1, 1};
  double least = 0;
  for (int group = std::min({column_groups, most, tiles}); group > 0; --group)
    for (int row_group = 1; row_group <= std::min(rows.groups(), tiles / group); ++row_group) {
      const double loaded = bytes(rows) * rows.groups() * passes(column_groups, group) +
                            bytes(columns) * column_groups * passes(rows.groups(), row_group);
      if (least != 0 && loaded >= least) continue;
      least = loaded;
      best = {row_group, group};
    }
  return best;
}

std::vector<Tile> tile_product(WindowMode mode, const Layer& layer, const PackedTensor& rows,
                               const PackedTensor& columns, const BufferRoom& row_room,
                               const BufferRoom& column_room, Shortage* shortage) {
  const Cut cut(mode, layer, rows, columns, row_room, column_room);
  *shortage = cut.shortage;
  std::vector<Tile> tiles;
  if (shortage->words != 0) return tiles;
  const ProductShape shape(mode, layer);
  Tile t{};
  const auto add_tile = [&] {
    t.lines = cut.rows_met(t.tile_y, t.tiles_y, t.tap, t.taps);
    t.places = cut.columns_met(t.tile_x, t.tiles_x);
    tiles.push_back(t);
  };
  for (t.group = 0; t.group < columns.groups(); t.group += cut.groups) {
    t.groups = std::min(cut.groups, columns.groups() - t.group);
    for (t.row_group = 0; t.row_group < rows.groups(); ++t.row_group)
      for (t.tile_y = 0; t.tile_y < shape.tile_height; t.tile_y += cut.tile_rows) {
        t.tiles_y = std::min(cut.tile_rows, shape.tile_height - t.tile_y);
        for (t.tile_x = 0; t.tile_x < shape.tile_width; t.tile_x += cut.tile_columns) {
          t.tiles_x = std::min(cut.tile_columns, shape.tile_width - t.tile_x);
          for (t.tap = 0; t.tap < shape.tap_height; t.tap += cut.tap_rows) {
            t.taps = std::min(cut.tap_rows, shape.tap_height - t.tap);
            for (t.word_first = 0; t.word_first < rows.words(); t.word_first += cut.words) {
              t.words = std::min(cut.words, rows.words() - t.word_first);
              add_tile();
            }
          }
        }
      }
  }
  return tiles;
}

}  // namespace solfege
