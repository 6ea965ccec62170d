// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "model/spec/descriptor.hpp"

namespace solfege {

/// The steps of a STREAM descriptor in order: which chunk, sample, and elements each of them takes
/// (model/spec/descriptor.hpp, "STREAM"). For the timing model and the traces; the golden model,
/// rtl/device/sf_loop_nest.v and the tests' oracle state it for themselves.
class StreamNest {
 public:
  StreamNest() = default;
  /// `strides_b`: offset() goes by the b strides. At the first step.
  StreamNest(const Descriptor& d, bool strides_b, int stream_lanes);
  void advance();
  /// To a step below d.steps().
  void seek(std::uint64_t step);

  bool active() const { return active_; }  ///< false after the last step
  bool last() const { return index_[5] + 1 == count_[5] && row_block_end(); }
  std::uint32_t index(unsigned loop) const { return index_[loop]; }
  std::uint32_t chunk() const;
  std::uint32_t sample() const;
  /// Whether lane `lane` is inside the tensor.
  bool valid(std::uint32_t lane = 0) const {
    return (chunk() << lane_shift_) + lane < channels_ && sample() < samples_;
  }
  /// Elements from the tensor's address to lane 0's.
  std::uint32_t offset() const;
  std::uint32_t window_index() const { return index_[2] * count_[1] + index_[1]; }
  bool pixel_end() const { return index_[0] + 1 == count_[0]; }
  bool row_block_end() const;
  bool window_last() const { return index_[1] + 1 == count_[1] && index_[2] + 1 == count_[2]; }
  bool sum_last() const { return index_[4] + 1 == count_[4]; }

 private:
  bool active_ = false, tile_order_ = false;
  unsigned lane_shift_ = 0, part_shift_ = 0;
  std::array<std::uint32_t, 6> index_{}, count_{}, stride_{};
  std::array<std::uint32_t, 6> base_{};  ///< of this loop and those outside it: indices by strides
  std::uint32_t group_chunk_ = 0, chunk_first_ = 0, sample_block_ = 0, sample_first_ = 0,
                channels_ = 0, samples_ = 0;
};

/// Whether the chunks of z in a turn of loop 1 are kept, because they come again in its next turns.
bool keeps_z(const Descriptor& d, int stream_lanes);
/// Steps of a STREAM descriptor at which the chunk changes, and the row of the sample table, the
/// first step included: there the stream unit reads the tables that the pass uses.
std::uint64_t chunk_changes(const Descriptor& d, int stream_lanes);
std::uint64_t sample_row_changes(const Descriptor& d, int stream_lanes);

}  // namespace solfege
