// SPDX-License-Identifier: Apache-2.0
#include "model/host/tiler.hpp"

#include <algorithm>
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

Span operand_rows(WindowMode mode, const Layer& layer, int tile_first, int tile_last, int tap_first,
                  int tap_last, int limit) {
  const int stride = layer.stride_height, padding = layer.padding_height;
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

/// How far each loop of a product goes in one descriptor.
class Cut {
 public:
  Cut(WindowMode mode, const Layer& layer, const PackedTensor& rows, const PackedTensor& columns,
      int row_half, int column_half)
      : mode_(mode),
        layer_(layer),
        rows_(rows),
        columns_(columns),
        shape_(mode, layer),
        by_tap_(mode == WindowMode::kBackwardWeight),
        group_words_(columns.pixels * columns.pixel_words()),
        tap_rows(shape_.tap_height),
        tile_rows(shape_.tile_height) {
    if (by_tap_)
      cut_taps(row_half, column_half);
    else if (group_words_ > column_half)
      shortage = {true, group_words_};
    if (shortage.words != 0) return;
    split = tap_rows < shape_.tap_height;
    if (!split) groups = std::max(1, std::min(columns.groups(), column_half / group_words_));
    if (split) tile_rows = 1;
    if (!by_tap_) cut_tiles(row_half);
  }

 private:
  /// Of backward_weight: fewer rows of taps where an operand of all does not fit.
  void cut_taps(int row_half, int column_half) {
    const auto row_need = [&](int taps) { return taps * shape_.tap_width * rows_.pixel_words(); };
    const auto column_need = [&](int taps) {
      if (taps == shape_.tap_height) return group_words_;
      int most = 0;
      for (int tile = 0; tile < shape_.tile_height; ++tile)
        for (int tap = 0; tap < shape_.tap_height; tap += taps)
          most = std::max(
              most, operand_rows(mode_, layer_, tile, tile, tap,
                                 std::min(tap + taps, shape_.tap_height) - 1, shape_.map_height)
                        .count());
      return most * shape_.map_width * columns_.pixel_words();
    };
    while (tap_rows > 1 && (row_need(tap_rows) > row_half || column_need(tap_rows) > column_half))
      --tap_rows;
    if (row_need(1) > row_half)
      shortage = {false, row_need(1)};
    else if (column_need(1) > column_half)
      shortage = {true, column_need(1)};
  }

  /// Of the others: as many rows of tiles as their operand rows fit.
  void cut_tiles(int row_half) {
    const auto need = [&](int tiles) {
      int most = 0;
      for (int first = 0; first < shape_.tile_height; first += tiles)
        most = std::max(most, operand_rows(mode_, layer_, first,
                                           std::min(first + tiles, shape_.tile_height) - 1, 0,
                                           shape_.tap_height - 1, shape_.map_height)
                                      .count() *
                                  shape_.map_width * rows_.pixel_words());
      return most;
    };
    while (tile_rows > 1 && need(tile_rows) > row_half) --tile_rows;
    if (need(tile_rows) > row_half) shortage = {false, need(tile_rows)};
  }

  const WindowMode mode_;
  const Layer& layer_;
  const PackedTensor &rows_, &columns_;
  const ProductShape shape_;
  const bool by_tap_;
  const int group_words_;

 public:
  int tap_rows, tile_rows, groups = 1;
  bool split = false;  ///< the contraction takes several descriptors, a tile each
  Shortage shortage;
};

}  // namespace

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
                               const PackedTensor& columns, int row_half, int column_half,
                               Shortage* shortage) {
  const Cut cut(mode, layer, rows, columns, row_half, column_half);
  *shortage = cut.shortage;
  std::vector<Tile> tiles;
  if (shortage->words != 0) return tiles;
  const ProductShape shape(mode, layer);
  const bool by_tap = mode == WindowMode::kBackwardWeight;
  const int tiles_x = cut.split ? 1 : shape.tile_width;
  for (int group = 0; group < columns.groups(); group += cut.groups)
    for (int row_group = 0; row_group < rows.groups(); ++row_group)
      for (int tile_y = 0; tile_y < shape.tile_height; tile_y += cut.tile_rows)
        for (int tile_x = 0; tile_x < shape.tile_width; tile_x += tiles_x)
          for (int tap = 0; tap < shape.tap_height; tap += cut.tap_rows) {
            Tile t{};
            t.group = group;
            t.groups = std::min(cut.groups, columns.groups() - group);
            t.row_group = row_group;
            t.tile_y = tile_y;
            t.tiles_y = std::min(cut.tile_rows, shape.tile_height - tile_y);
            t.tile_x = tile_x;
            t.tiles_x = tiles_x;
            t.tap = tap;
            t.taps = std::min(cut.tap_rows, shape.tap_height - tap);
            const Span span = operand_rows(mode, layer, tile_y, tile_y + t.tiles_y - 1, tap,
                                           tap + t.taps - 1, shape.map_height);
            // The operand that a window meets has the window's rows, the other its taps.
            t.row_first = by_tap ? tap : span.first;
            t.row_count = by_tap ? t.taps : span.count();
            t.column_first = by_tap && cut.split ? span.first : 0;
            t.column_count = !by_tap     ? shape.tap_height
                             : cut.split ? span.count()
                                         : shape.map_height;
            tiles.push_back(t);
          }
  return tiles;
}

}  // namespace solfege
