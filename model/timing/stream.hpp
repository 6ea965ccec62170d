// SPDX-License-Identifier: Apache-2.0
// Timing twin of sf_stream and its parts (see bus.hpp for the conventions).
#pragma once

#include <array>
#include <cstdint>

#include "model/base/ring.hpp"
#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/pipeline.hpp"
#include "model/spec/stream_nest.hpp"
#include "model/timing/combiner.hpp"

namespace solfege {

/// sf_stream_reader
class TimedReader {
 public:
  /// `keeps`: what loop 1 goes over again is read once.
  void start(const Descriptor& d, bool strides_b, std::uint32_t address, ElementType type,
             bool keeps, const Config& config);
  bool request_valid() const {
    return can_ask() && ahead_.front() == Chunk::kNewBeat && credit_ != 0;
  }
  bool valid() const { return out_valid_; }
  void step(bool asked, bool response, bool take);
  bool idle() const {
    return !running_ && !placed_ && ahead_.empty() && chunks_.empty() && !out_valid_;
  }

 private:
  enum class Chunk : std::uint8_t { kSameBeat, kNewBeat };  ///< in the beat before it or the next
  static constexpr std::size_t kAhead = 2;
  bool can_ask() const { return !ahead_.empty() && chunks_.size() < kChunksAhead; }

  StreamNest nest_;
  std::uint32_t address_ = 0, bus_bytes_ = 64, placed_beat_ = 0, last_beat_ = 0;
  unsigned size_log2_ = 0;
  bool keeps_ = false, running_ = false, placed_ = false, placed_valid_ = false,
       last_valid_ = false, out_valid_ = false;
  Ring<Chunk> ahead_{kAhead};  ///< to be asked for
  unsigned credit_ = kBeatsAhead, beat_used_ = 0;
  Ring<Chunk> chunks_{kChunksAhead};
};

/// sf_pack
class TimedPack {
 public:
  explicit TimedPack(const Config& config);
  void start(const Descriptor& d);
  bool busy() const { return emit_ || out_; }
  bool write_valid() const { return out_; }
  std::uint32_t write_address() const { return out_address_; }
  /// The pipeline must wait: a block is complete and the one before is not yet written.
  bool blocked(bool result) const { return result && enable_ && position_ == cell_last_ && emit_; }
  void step(bool take, bool pixel_end, bool row_block_end, bool write_ready);

 private:
  bool send(bool write_ready) const { return emit_ && (!out_ || write_ready); }
  bool last_set() const;
  bool emit_end(bool write_ready) const {
    return send(write_ready) && emit_plane_ + 1 == planes_ && last_set();
  }

  const Geometry geometry_;
  unsigned word_bytes_, cell_last_, word_blocks_;
  bool enable_ = false;
  std::uint32_t planes_ = 1, samples_ = 0, group_ = 1, group_stride_ = 0, group_bytes_ = 0,
                pixel_bytes_ = 0, plane_bytes_ = 0, set_members_ = 1;
  // Where the block at hand belongs
  unsigned position_ = 0, word_block_ = 0;
  std::uint32_t row_ = 0, pixel_base_ = 0, word_base_ = 0, pack_address_ = 0;
  // Emission
  bool emit_ = false, out_ = false;
  std::uint32_t emit_plane_ = 0, emit_row_ = 0, emit_group_ = 0, emit_group_base_ = 0,
                emit_set_base_ = 0, emit_address_ = 0, out_address_ = 0;
};

/// sf_stream
class TimedStream {
 public:
  explicit TimedStream(const Config& config);

  // Requests of this cycle
  bool x_request() const { return read_x_.request_valid(); }
  bool z_request() const { return read_z_.request_valid(); }
  bool elements_request() const {
    return elements_.request_valid(element_wanted(), slot(kResultStage).address, flush());
  }
  bool planes_request() const {
    return planes_.request_valid(plane_wanted(), plane_address(), flush());
  }
  /// Works out what moves, once the memory's grants of this cycle are known.
  void evaluate(bool tile_valid, bool elements_granted, bool planes_granted, bool writes_idle);
  bool takes_tile() const { return step_ && from_array_; }
  bool stall() const { return stall_; }
  bool done() const { return done_; }
  bool busy() const { return state_ != State::kIdle; }
  void step(bool start, const Descriptor& d, bool x_asked, bool z_asked, bool x_response,
            bool z_response);

 private:
  enum class State { kIdle, kRun, kEmit, kReduce, kFlush, kWait };
  enum class Flush { kIdle, kMax, kSum, kSecond };
  struct Slot {
    bool step = false, result = false, inside = false, pixel_end = false, row_block_end = false;
    std::uint32_t address = 0;
  };
  const Slot& slot(unsigned stage) const { return slots_[(head_ - stage) & 31u]; }
  bool flush() const { return state_ == State::kFlush; }
  bool element_wanted() const {
    return state_ == State::kRun && stores_ && slot(kResultStage).result &&
           slot(kResultStage).inside;
  }
  bool reduce_writes() const { return word_ && word_writes_; }
  bool plane_wanted() const { return pack_.write_valid() || reduce_writes(); }
  std::uint32_t plane_address() const {
    return reduce_writes() ? reduce_address_ : pack_.write_address();
  }
  void step_reduce(bool ready);

  const Config& config_;
  StreamNest nest_;
  TimedReader read_x_, read_z_;
  TimedCombiner elements_, planes_;
  TimedPack pack_;
  State state_ = State::kIdle;
  bool from_array_ = false, z_enable_ = false, stores_ = false, pool_ = false, accumulate_ = false,
       accumulate_last_ = false, pack_enable_ = false;
  std::uint32_t element_bytes_ = 4, destination_ = 0;
  std::array<Slot, 32> slots_{};
  unsigned head_ = 0, steps_inside_ = 0;
  // Reductions' results
  Flush reduce_ = Flush::kIdle;
  bool reduce_start_ = false, reduce_done_ = false, reduce_flush_ = false, max_ = false,
       sum_ = false, second_ = false, per_channel_ = false;
  bool word_ = false, word_writes_ = false, word_max_ = false, word_last_ = false;
  std::uint32_t max_count_ = 1, sums_count_ = 1, max_address_ = 0, sum_base_ = 0,
                reduce_address_ = 0, reduce_index_ = 0, lane_ = 0, lanes_ = 1;
  // This cycle
  bool go_ = false, step_ = false, stall_ = false, done_ = false, element_ready_ = false,
       plane_ready_ = false, elements_sent_ = false, planes_sent_ = false, writes_idle_ = false;
};

}  // namespace solfege
