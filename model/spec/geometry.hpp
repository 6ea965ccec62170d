// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/spec/config.hpp"
#include "model/spec/pipeline.hpp"
#include "model/spec/program.hpp"

namespace solfege {

/// No burst of the memory bus crosses a multiple of this address.
constexpr int kPageBytes = 4096;
/// Bytes in pages, rounded up.
constexpr std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}
/// Bits of the numbers up to `most`.
constexpr int bits_of(std::uint64_t most) { return most == 0 ? 0 : 1 + bits_of(most / 2); }
/// Bits of a bank of sf_unfold, at least a square of L x L.
constexpr int kUnfoldBankBits = 8192;

/// The numbers that follow from a Config and that more than one part of the program asks for: each
/// is computed here and nowhere else. R, C, L and S are array.rows, array.columns, array.lanes and
/// stream.lanes. The ranges of Config make every division exact unless a comment says otherwise.
struct Geometry {
  /// What a side of the array, its rows or its columns, makes of operands.
  struct Side {
    int group;           ///< R or C: members, whose words of L bits make an operand word
    int depth;           ///< operand words of its buffer
    int word_bits;       ///< of an operand word
    int word_bytes;      ///< the same in bytes
    int unit_bytes;      ///< an operand word, or a beat of the bus if that is less
    int beat_words;      ///< operand words that a beat holds, 1 if none whole: a load's least
    int banks;           ///< of its buffer, over which the words of a beat or of planes are spread
    int bank_depth;      ///< words of a memory of its buffer, which is a part of a bank
    int beat_members;    ///< members of one operand word that a beat holds
    int turned_members;  ///< members that share a read or write of the turner: at most L of them
    int unfold_samples;  ///< members of an unfolded source that share a read
    int unfold_slices;   ///< most words of theirs that do

    Side(const Config& c, int members, int buffer_depth, int planes)
        : group(members),
          depth(buffer_depth),
          word_bits(members * c.lanes),
          word_bytes(word_bits / 8),
          unit_bytes(std::min(word_bytes, c.bus_bytes)),
          beat_words(c.bus_bytes / unit_bytes),
          banks(std::max(beat_words, planes)),
          bank_depth(std::min(c.buffer_bank_depth, depth / banks)),
          beat_members(std::min(members, 8 * c.bus_bytes / c.lanes)),
          turned_members(std::min(beat_members, c.lanes)),
          unfold_samples(std::min(members, unfold_words(c))),
          unfold_slices(unfold_words(c) / unfold_samples) {}

    /// Words of L bits that a block of sf_unfold has of a pixel.
    static int unfold_words(const Config& c) {
      return std::min(8 * c.bus_bytes / c.lanes,
                      std::max(1, kUnfoldBankBits / (c.lanes * c.lanes)));
    }
  };

  Config config;
  Side rows, columns;
  const Side& side(bool of_columns) const { return of_columns ? columns : rows; }

  // Array
  int elements;         ///< processing elements, R C
  double bit_products;  ///< of a cycle, R C L times the planes of an element
  int low_bits;         ///< of the sum of words of one weight
  int tile_chunks;      ///< chunks of S sums in a tile
  int sum_positions;    ///< chunks whose sums over samples are held
  int column_chunks;    ///< chunks of S sums in a row of the array
  int drain_rows;       ///< rows of a tile in one block of elements
  int drain_blocks;     ///< row blocks of a tile
  int lane_bytes;       ///< of a word of L bits
  int lane_blocks;      ///< blocks of 16 channels in a word of L bits

  // Stream unit
  int block_row_chunks;  ///< chunks of S channels in a row of a block
  int block_chunks;      ///< and in a block: steps that pass over it
  int table_rows;        ///< of a per-channel table, S channels each
  int threshold_rows;    ///< with thresholds of their own
  int sample_rows;       ///< of the sample table; the last may not be full
  int pool_places;       ///< states of the pooling stage

  // Memory
  int beat_bits;

  explicit Geometry(const Config& c)
      : config(c),
        rows(c, c.rows, c.row_buffer_depth, c.planes),
        columns(c, c.columns, c.column_buffer_depth, 1),
        elements(c.rows * c.columns),
        bit_products(static_cast<double>(elements) * c.lanes * c.planes),
        low_bits(std::min(
            bits_of(static_cast<std::uint64_t>(kLowWords) * c.lanes * ((1 << c.planes) - 1)),
            c.accumulator_bits - 1)),
        tile_chunks(elements / c.stream_lanes),
        sum_positions(tile_chunks * c.sum_tiles),
        column_chunks(c.columns / c.stream_lanes),
        drain_rows(std::min(c.rows, kBlock)),
        drain_blocks(blocks(c.rows)),
        lane_bytes(c.lanes / 8),
        lane_blocks(c.lanes / kBlock),
        block_row_chunks(kBlock / c.stream_lanes),
        block_chunks(kBlockElements / c.stream_lanes),
        table_rows(c.table_channels / c.stream_lanes),
        threshold_rows(c.threshold_channels / c.stream_lanes),
        sample_rows(std::max(1, c.max_batch / c.stream_lanes)),
        pool_places(kBlock * table_rows),
        beat_bits(8 * c.bus_bytes) {}

  /// Chunks of S channels in the blocks that hold so many channels.
  int chunks(int channels) const { return blocks(channels) * block_row_chunks; }
};

}  // namespace solfege
