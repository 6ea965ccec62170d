// SPDX-License-Identifier: Apache-2.0
#include "model/spec/stream_nest.hpp"

#include "model/spec/pipeline.hpp"

namespace solfege {

StreamNest::StreamNest(const Descriptor& d, bool strides_b, int stream_lanes)
    : active_(true),
      tile_order_(d.x_from_array),
      lane_shift_(static_cast<unsigned>(__builtin_ctz(static_cast<unsigned>(stream_lanes)))),
      part_shift_(4 - lane_shift_) {
  count_ = {d.count0, d.count1, d.count2, d.count3, d.count4, d.count5};
  stride_ = strides_b ? std::array<std::uint32_t, 6>{0,           d.stride_b1, d.stride_b2,
                                                     d.stride_b3, d.stride_b4, d.stride_b5}
                      : std::array<std::uint32_t, 6>{0,           d.stride_a1, d.stride_a2,
                                                     d.stride_a3, d.stride_a4, d.stride_a5};
  if (tile_order_) stride_[1] = stride_[3] = 0;
  group_chunk_ = chunk_first_ = d.chunk_first;
  sample_block_ = sample_first_ = d.sample_first;
  channels_ = d.channels;
  samples_ = d.samples;
}

bool StreamNest::row_block_end() const {
  for (unsigned loop = 0; loop < 5; ++loop)
    if (index_[loop] + 1 != count_[loop]) return false;
  return true;
}
std::uint32_t StreamNest::chunk() const {
  if (tile_order_) return group_chunk_ + index_[0];
  return chunk_first_ + ((index_[0] >> (part_shift_ + 4) << part_shift_) |
                         (index_[0] & ((1u << part_shift_) - 1)));
}
std::uint32_t StreamNest::sample() const {
  return sample_block_ + (tile_order_ ? index_[1] : index_[0] >> part_shift_ & 15u);
}
std::uint32_t StreamNest::offset() const {
  const std::uint32_t row = tile_order_ ? sample() & 15u : index_[0] >> part_shift_ & 15u;
  return base_[1] + ((chunk() >> part_shift_ << 8) | (row << 4) |
                     ((chunk() & ((1u << part_shift_) - 1)) << lane_shift_));
}

void StreamNest::advance() {
  if (last()) active_ = false;
  unsigned moves = 0;
  while (moves < 5 && index_[moves] + 1 == count_[moves]) index_[moves++] = 0;
  ++index_[moves];
  if (moves == 0) return;
  base_[moves] += stride_[moves];
  for (unsigned loop = 1; loop < moves; ++loop) base_[loop] = base_[moves];
  if (tile_order_ && moves == 2) sample_block_ += 16;
  if (tile_order_ && moves > 2) sample_block_ = sample_first_;
  if (!tile_order_ && moves == 5) sample_block_ += 16;
  if (moves == 3) group_chunk_ += count_[0];
  if (moves > 3) group_chunk_ = chunk_first_;
}

void StreamNest::seek(std::uint64_t step) {
  for (unsigned loop = 0; loop < 6; ++loop) {
    index_[loop] = static_cast<std::uint32_t>(step % count_[loop]);
    step /= count_[loop];
  }
  active_ = step == 0;
  base_[5] = index_[5] * stride_[5];
  for (unsigned loop = 5; loop-- > 1;) base_[loop] = base_[loop + 1] + index_[loop] * stride_[loop];
  group_chunk_ = chunk_first_ + index_[3] * count_[0];
  sample_block_ = sample_first_ + 16 * index_[tile_order_ ? 2 : 5];
}

bool keeps_z(const Descriptor& d, int stream_lanes) {
  return !d.x_from_array && d.count1 > 1 && (d.z_strides_b ? d.stride_b1 : d.stride_a1) == 0 &&
         d.count0 > 1 && d.count0 <= kRepeatedElements / static_cast<std::uint32_t>(stream_lanes);
}

std::uint64_t chunk_changes(const Descriptor& d, int stream_lanes) {
  const bool several = d.x_from_array ? d.count0 > 1 : stream_lanes < 16;  // in a row
  if (several) return d.steps();
  if (d.x_from_array) return d.count3 == 1 ? 1 : d.steps() / (std::uint64_t{d.count1} * d.count2);
  return d.count0 == 16 ? 1 : d.steps() / 16;
}

std::uint64_t sample_row_changes(const Descriptor& d, int stream_lanes) {
  const auto lanes = static_cast<std::uint32_t>(stream_lanes);
  const auto rows = [lanes](std::uint32_t first, std::uint32_t count) {
    return std::uint64_t{(first + count - 1) / lanes - first / lanes + 1};
  };
  if (d.accumulate_enable) return rows(d.accumulate_sample, d.count4);
  const std::uint32_t samples = d.x_from_array ? d.count1 : 16;  // that follow one another
  const std::uint64_t each = rows(d.x_from_array ? d.sample_first % 16 : 0, samples);
  // Times that they do so: of a row each they may be the same again.
  const std::uint64_t sweeps =
      d.x_from_array ? d.steps() / (std::uint64_t{d.count0} * d.count1) : d.steps() / (256 / lanes);
  if (each > 1) return sweeps * each;
  return d.x_from_array ? (d.count2 == 1 ? 1 : sweeps) : d.count5;
}

}  // namespace solfege
