// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/spec/network.hpp"
#include "model/spec/program.hpp"

namespace solfege {

/// Channels of a layer that are multiplied with each other, and with no others: as few groups
/// together as fill whole blocks of channels on both sides; all of them where none do. The last
/// part may have fewer groups.
struct ChannelPart {
  int in_first, ins, out_first, outs;
};
std::vector<ChannelPart> channel_parts(const Layer& layer);

/// The operand rows, or columns, [first, last] of a map of `limit` that tiles tile_first..tile_last
/// meet over taps tap_first..tap_last.
struct Span {
  int first, last;
  int count() const { return last - first + 1; }
};
Span operand_span(WindowMode mode, int stride, int padding, int tile_first, int tile_last,
                  int tap_first, int tap_last, int limit);

/// What half of an operand buffer takes: how many words of a tensor, if whole pixels are asked for
/// (OperandBuffer::half_words), and the words of a beat, which a load brings at least.
struct BufferRoom {
  int words, beat_words;
};

/// Words of a contraction of `words` that a descriptor takes, so that all planes of one pixel fit
/// both halves: all of them, or fewer in whole beats; 0 where that is not possible.
int contraction_words(int words, int row_planes, int column_planes, const BufferRoom& rows,
                      const BufferRoom& columns);

/// The positions of a layer's product: tiles p of the result, taps t of the contraction, and the
/// map of the operand whose rows d a window meets.
struct ProductShape {
  ProductShape(WindowMode mode, const Layer& layer);
  int tile_height, tile_width;
  int tap_height, tap_width;
  int map_height, map_width;
};

/// What one GEMM descriptor does, and what it needs in the halves of the operand buffers, in rows
/// of the operands' maps. Rows of the array run over row group `row_group`.
struct Tile {
  int group, groups;  ///< first column group, and how many
  int row_group;
  int tile_y, tiles_y;  ///< first row of tiles, and how many
  int tile_x, tiles_x;
  int tap, taps;          ///< first row of taps, and how many
  int word_first, words;  ///< of the contraction; fewer than all only where operands have one pixel
  /// Rows and columns of the map that windows walk over, of the operand of the array's rows, or of
  /// its columns for a weight gradient. Fewer than all columns only where not one row of tiles
  /// fits.
  Span lines, places;
};

/// The tiles of a weight gradient by pixels whose sums over samples are held together, as row
/// groups and column groups, and how many.
struct SampleBlock {
  int row_groups, column_groups;
  int tiles() const { return row_groups * column_groups; }
};
/// The block of at most `tiles` tiles for which the fewest bytes are loaded: the rows again for
/// each block of columns, the columns again for each block of rows. `column_groups` groups of
/// columns are next to each other, and `most` of them fit half a buffer.
SampleBlock block_samples(const PackedTensor& rows, const PackedTensor& columns, int column_groups,
                          int most, int tiles);

/// Words of half a buffer that an operand needs at least, and has not.
struct Shortage {
  bool columns = false;
  int words = 0;  ///< 0: none
};

/// Cuts a product into tiles that fit the halves of the operand buffers. The order is that of the
/// drains: column groups, row groups, rows of tiles, tiles of a row, taps, words. No tiles where
/// one does not fit: `shortage` then says what it needs.
std::vector<Tile> tile_product(WindowMode mode, const Layer& layer, const PackedTensor& rows,
                               const PackedTensor& columns, const BufferRoom& row_room,
                               const BufferRoom& column_room, Shortage* shortage);

}  // namespace solfege
