// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/golden/golden.hpp"
#include "model/golden/patch.hpp"
#include "model/golden/random.hpp"

namespace solfege {

/// One STREAM descriptor on the golden device: a patch of a block (256 elements) at a time, in
/// parts that run on several threads. Parts are independent: elements belong to one, random
/// numbers are known by their place, and reductions are integers, merged at the end.
class GoldenStream {
 public:
  GoldenStream(GoldenDevice& device, const Descriptor& descriptor);
  void run();

 private:
  /// A thread's scratch, in block layout, and its share of the reductions. std::make_unique clears
  /// it: lanes outside a patch are computed like the others, from something.
  struct Worker {
    alignas(64) std::int32_t x[kPatch], z[kPatch], z_tags[kPatch];
    alignas(64) std::int64_t wide_x[kPatch];
    alignas(64) std::int32_t product[kPatch];
    alignas(64) std::int64_t wide_product[kPatch];
    alignas(64) __int128 widest_product[kPatch];
    alignas(64) std::int32_t y[kPatch], scaled_z[kPatch], entries[kPatch], more_entries[kPatch];
    alignas(64) std::int32_t best[kPatch], best_tags[kPatch];
    alignas(64) std::int32_t keep[kPatch];
    alignas(64) std::uint32_t codes[kPatch], magnitudes[kPatch];
    alignas(64) std::uint64_t planes[kPatch / 8];
    alignas(64) std::uint16_t numbers[kPatch];
    std::vector<std::int32_t> node_thresholds;
    std::vector<std::uint16_t> tile_numbers;
    RandomNumbers random;
    // What keep[] and magnitudes[] are for
    std::array<int, 5> cover{-1, 0, 0, 0, 0};
    std::uint32_t magnitude_sample = 0;
    std::vector<std::uint32_t> max;
    std::vector<std::int64_t> sum, second;
  };
  /// The part of a block at hand: rows and columns of it, and at most `count` elements from its
  /// start.
  struct Patch {
    std::uint32_t channel = 0, sample = 0;  ///< of the block's first element
    std::uint32_t pack_channel = 0;         ///< the channel, counted from the pass's first
    int row_first = 0, row_end = kBlock, column_first = 0, column_end = kBlock, count = kPatch;
    std::uint32_t z_offset = 0, offset = 0;  ///< elements from z's and the destination's addresses
    std::uint32_t pixel = 0;                 ///< result pixel of the row block
    std::int32_t route_index = 0;
  };
  enum class Width { k32, k64, k128 };
  /// Indices of loops 1..5.
  using Loops = std::array<std::uint32_t, 6>;

  void choose_widths();
  void memory_part(Worker& w, std::uint64_t first, std::uint64_t end);
  template <typename Element>
  void tile_part(Worker& w, const Element* tiles, std::uint64_t first, std::uint64_t end);
  template <typename Element>
  void tile_item(Worker& w, const Element* tiles, const Loops& at);
  template <typename Element>
  void accumulate(Worker& w, const Element* row_block, const Patch& patch, std::uint32_t group,
                  std::size_t column, int row_shift);
  template <typename Wide, typename Element>
  void accumulate_as(Wide* products, std::vector<Wide>& state, const Element* row_block,
                     const Patch& patch, std::uint32_t group, std::size_t column, int row_shift);
  std::uint32_t offset(const Loops& at, bool b) const;
  std::uint8_t* elements(std::uint32_t base, std::uint32_t offset, int bytes, int count);

  void scale_x(Worker& w, const Patch& patch, bool wide_source);
  void round_x(Worker& w);
  void combine(Worker& w, const Patch& patch);
  const std::int32_t* mask(Worker& w, const Patch& patch);
  void finish(Worker& w, const Patch& patch, std::int32_t* y, const std::int32_t* tags);
  void reduce(Worker& w, const Patch& patch, const std::int32_t* y);
  /// Adds a patch to the sums of its samples.
  void sum_samples(Worker& w, const Patch& patch, const std::int32_t* y);
  void flush_magnitudes(Worker& w);
  void quantize(Worker& w, const Patch& patch, const std::int32_t* y, const std::int32_t* keep);
  void pack(Worker& w, const Patch& patch);
  void finish_table();
  void merge(const Worker& w);
  void flush();
  /// Entries of a table for the 16 channels from `channel`; wraps like the table's address.
  const std::int32_t* channels(const std::vector<std::int32_t>& table, std::uint32_t channel,
                               std::int32_t* scratch) const;

  GoldenDevice& device_;
  const Descriptor& d_;
  const int lanes_;
  const bool tile_order_;
  const std::uint32_t width_;  ///< elements of loop 0
  std::uint32_t patches_ = 0;  ///< patches of a pixel, in storage order
  Width x_width_ = Width::k32, z_width_ = Width::k32, sum_width_ = Width::k32;
  double y_bound_ = 0;  ///< no magnitude of the rounded x is larger
  std::int32_t constant_x_ = 0, constant_z_ = 0;
  std::vector<std::int32_t> channel_x_, channel_z_, sample_x_;  ///< factors from tables, signed
  std::vector<std::int32_t> table_;  ///< words that a pass makes for a table
};

}  // namespace solfege
