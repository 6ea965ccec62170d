// SPDX-License-Identifier: Apache-2.0
#include "model/timing/stream.hpp"

#include <algorithm>

namespace solfege {
namespace {

unsigned log2_of(std::uint32_t value) { return static_cast<unsigned>(31 - __builtin_clz(value)); }

}  // namespace

// ---- Reader ----

void TimedReader::start(const Descriptor& d, bool strides_b, std::uint32_t address,
                        ElementType type, bool keeps, const Config& config) {
  nest_ = StreamNest(d, strides_b, config.stream_lanes);
  address_ = address;
  bus_bytes_ = static_cast<std::uint32_t>(config.bus_bytes);
  size_log2_ = log2_of(static_cast<std::uint32_t>(traits(type).bytes));
  keeps_ = keeps;
  running_ = true;
  last_valid_ = false;
}

void TimedReader::step(bool asked, bool response, bool take) {
  const bool head_new = !chunks_.empty() && chunks_.front() == Chunk::kNewBeat;
  const bool give = !chunks_.empty() && (!head_new || beat_used_ != 0) && (!out_valid_ || take);
  const bool beat_pop = give && head_new;
  const bool placed_taken = placed_ && ahead_.size() < kAhead;
  const bool counts = running_ && nest_.active() && (!placed_ || placed_taken);
  const bool decided = can_ask() && (ahead_.front() == Chunk::kSameBeat || asked);
  if (decided) {
    chunks_.push() = ahead_.front();
    ahead_.pop();
  }
  if (placed_taken) {
    const bool fresh = placed_valid_ && !(last_valid_ && last_beat_ == placed_beat_);
    ahead_.push() = fresh ? Chunk::kNewBeat : Chunk::kSameBeat;
    if (fresh) {
      last_valid_ = true;
      last_beat_ = placed_beat_;
    }
    placed_ = false;
  }
  if (counts) {
    placed_ = true;
    placed_valid_ = nest_.valid() && !(keeps_ && nest_.index(1) != 0);
    placed_beat_ = (address_ + (nest_.offset() << size_log2_)) & ~(bus_bytes_ - 1);
    nest_.advance();
    if (!nest_.active()) running_ = false;
  }
  if (asked) --credit_;
  if (beat_pop) ++credit_;
  if (give) chunks_.pop();
  if (response) ++beat_used_;
  if (beat_pop) --beat_used_;
  if (give)
    out_valid_ = true;
  else if (take)
    out_valid_ = false;
}

// ---- Pack ----

TimedPack::TimedPack(const Config& config)
    : geometry_(config),
      word_bytes_(static_cast<unsigned>(geometry_.lane_bytes)),
      cell_last_(static_cast<unsigned>(geometry_.block_chunks - 1)),
      word_blocks_(static_cast<unsigned>(geometry_.lane_blocks)) {}

void TimedPack::start(const Descriptor& d) {
  enable_ = d.pack_enable;
  const Geometry::Side& side = geometry_.side(d.pack_columns);
  group_ = static_cast<unsigned>(side.group);
  set_members_ = static_cast<unsigned>(std::min(side.beat_members, kBlock));
  planes_ = d.pack_planes;
  samples_ = d.samples;
  group_stride_ = d.pack_group_stride;
  group_bytes_ = group_ * word_bytes_;
  pixel_bytes_ = d.pack_pixel_stride * group_bytes_;
  plane_bytes_ = d.pack_plane_stride * group_bytes_;
  position_ = word_block_ = 0;
  row_ = d.sample_first;
  pack_address_ = d.pack_address;
  pixel_base_ = word_base_ =
      pack_address_ + row_ / group_ * group_stride_ + row_ % group_ * word_bytes_;
}

bool TimedPack::last_set() const {
  const std::uint32_t row_after = emit_row_ + set_members_;
  const bool group_over = group_ <= 16 && row_after % group_ == 0;
  return row_after >= 16 || (group_over && emit_group_ + group_ >= samples_);
}

void TimedPack::step(bool take, bool pixel_end, bool row_block_end, bool write_ready) {
  take = take && enable_;
  const bool sending = send(write_ready);
  const bool ending = emit_end(write_ready);
  const bool block_taken = take && position_ == cell_last_;
  const std::uint32_t group_row = row_ / group_ * group_;
  const bool emit_start = block_taken && group_row < samples_;
  if (sending) {
    out_ = true;
    out_address_ = emit_address_;
  } else if (write_ready) {
    out_ = false;
  }
  if (emit_start) {
    emit_plane_ = emit_row_ = 0;
    emit_group_ = group_row;
    emit_group_base_ = emit_set_base_ = emit_address_ = word_base_ + 2 * word_block_;
    emit_ = true;
  } else {
    if (sending) {
      if (emit_plane_ + 1 != planes_) {
        ++emit_plane_;
        emit_address_ += plane_bytes_;
      } else {
        emit_plane_ = 0;
        emit_row_ += set_members_;
        if (group_ <= 16 && emit_row_ % group_ == 0) {
          emit_group_base_ += group_stride_;
          emit_group_ += group_;
          emit_set_base_ = emit_group_base_;
        } else {
          emit_set_base_ += set_members_ * word_bytes_;
        }
        emit_address_ = emit_set_base_;
      }
    }
    if (ending) emit_ = false;
  }
  if (!take) return;
  position_ = block_taken ? 0 : position_ + 1;
  if (!block_taken) return;
  if (row_block_end) {
    row_ += 16;
    pixel_base_ = word_base_ =
        pack_address_ + row_ / group_ * group_stride_ + row_ % group_ * word_bytes_;
    word_block_ = 0;
  } else if (pixel_end) {
    pixel_base_ += pixel_bytes_;
    word_base_ = pixel_base_;
    word_block_ = 0;
  } else if (word_block_ + 1 == word_blocks_) {
    word_base_ += group_bytes_;
    word_block_ = 0;
  } else {
    ++word_block_;
  }
}

// ---- Stream unit ----

TimedStream::TimedStream(const Config& config)
    : config_(config),
      elements_(config.bus_bytes),
      planes_(config.bus_bytes, kPlaneBeats),
      pack_(config) {
  lanes_ = static_cast<std::uint32_t>(config.stream_lanes);
}

void TimedStream::evaluate(bool tile_valid, bool elements_granted, bool planes_granted,
                           bool writes_idle) {
  elements_sent_ = elements_granted;
  planes_sent_ = planes_granted;
  writes_idle_ = writes_idle;
  const bool wanted = element_wanted();
  element_ready_ = elements_.ready(slot(kResultStage).address, elements_granted);
  plane_ready_ = planes_.ready(plane_address(), planes_granted);
  const bool head_ready =
      (from_array_ ? tile_valid : read_x_.valid()) && (!z_enable_ || read_z_.valid());
  go_ = state_ == State::kRun && (!nest_.active() || head_ready) && !(wanted && !element_ready_) &&
        !pack_.blocked(slot(kLaneStages).result);
  step_ = go_ && nest_.active();
  done_ = state_ == State::kWait && writes_idle;
  const bool flushed = elements_.empty() && planes_.empty();
  switch (state_) {
    case State::kIdle:
      stall_ = false;
      break;
    case State::kRun:
      stall_ = !go_;
      break;
    case State::kEmit:
      stall_ = pack_.busy();
      break;
    case State::kReduce:
      stall_ = reduce_writes() && !plane_ready_;
      break;
    case State::kFlush:
      stall_ = !flushed;
      break;
    case State::kWait:
      stall_ = !writes_idle;
      break;
  }
}

void TimedStream::step_reduce(bool ready) {
  reduce_done_ = false;
  if (reduce_writes() && !ready) return;
  if (word_) {  // written, or added to a sum
    reduce_done_ = word_last_;
    if (word_max_ && reduce_ != Flush::kMax)
      reduce_address_ = sum_base_;
    else if (word_writes_)
      reduce_address_ += word_max_ ? 4 : 8;
  }
  word_ = reduce_ != Flush::kIdle;
  word_max_ = reduce_ == Flush::kMax;
  if (reduce_ == Flush::kIdle) {
    reduce_index_ = lane_ = 0;
    if (!reduce_start_) return;
    reduce_address_ = max_ ? max_address_ : sum_base_;
    if (reduce_flush_ && max_)
      reduce_ = Flush::kMax;
    else if (reduce_flush_ && sum_)
      reduce_ = Flush::kSum;
    else
      reduce_done_ = true;
    return;
  }
  if (reduce_ == Flush::kMax) {
    const bool last = ++reduce_index_ == max_count_;
    word_writes_ = true;
    word_last_ = last && !sum_;
    if (!last) return;
    reduce_index_ = 0;
    reduce_ = sum_ ? Flush::kSum : Flush::kIdle;
    return;
  }
  const bool last_lane = lane_ + 1 == lanes_;
  word_writes_ = per_channel_ || last_lane;
  const bool last = word_writes_ && reduce_index_ + 1 == sums_count_;
  const bool more = second_ && reduce_ == Flush::kSum;
  word_last_ = last && !more;
  lane_ = last_lane || last ? 0 : lane_ + 1;
  if (word_writes_) reduce_index_ = last ? 0 : reduce_index_ + 1;
  if (last) reduce_ = more ? Flush::kSecond : Flush::kIdle;
}

void TimedStream::step(bool start, const Descriptor& d, bool x_asked, bool z_asked, bool x_response,
                       bool z_response) {
  // Parts see the values of this cycle; the order below keeps those apart from the next one's.
  const bool flushing = flush();
  const bool flushed = elements_.empty() && planes_.empty();
  const bool push_element = element_wanted() && go_;
  const bool want_plane = plane_wanted();
  const std::uint32_t plane_to = plane_address();
  const Slot at18 = slot(kLaneStages);
  const bool pack_busy = pack_.busy(), reduce_done = reduce_done_;

  elements_.step(element_wanted(), push_element, slot(kResultStage).address, elements_sent_);
  planes_.step(want_plane, want_plane && plane_ready_, plane_to, planes_sent_);
  pack_.step(at18.result && go_, at18.pixel_end, at18.row_block_end, plane_ready_);
  step_reduce(plane_ready_);
  reduce_start_ = false;

  bool emptied = false;
  if (go_) {
    emptied = !nest_.active() && steps_inside_ == 0;
    Slot next;
    if (step_) {
      next.step = true;
      next.result = (!pool_ || nest_.window_last()) &&
                    (!accumulate_ || (accumulate_last_ && nest_.sum_last()));
      next.inside = nest_.valid();
      next.pixel_end = nest_.pixel_end();
      next.row_block_end = nest_.row_block_end();
      next.address = destination_ + nest_.offset() * element_bytes_;
    }
    if (at18.step) --steps_inside_;
    if (next.step) ++steps_inside_;
    slots_[head_ & 31u] = next;
    ++head_;
  }
  read_x_.step(x_asked, x_response, step_ && !from_array_);
  read_z_.step(z_asked, z_response, step_ && z_enable_);
  if (step_) nest_.advance();

  switch (state_) {
    case State::kIdle:
      if (start) state_ = State::kRun;
      break;
    case State::kRun:
      if (emptied) state_ = State::kEmit;
      break;
    case State::kEmit:
      if (!pack_busy) {
        state_ = State::kReduce;
        reduce_start_ = true;
      }
      break;
    case State::kReduce:
      if (reduce_done) state_ = State::kFlush;
      break;
    case State::kFlush:
      if (flushing && flushed) state_ = State::kWait;
      break;
    case State::kWait:
      if (writes_idle_) state_ = State::kIdle;
      break;
  }
  if (!start) return;
  from_array_ = d.x_from_array;
  z_enable_ = d.z_enable;
  stores_ = d.stores();
  element_bytes_ = static_cast<std::uint32_t>(traits(d.destination).bytes);
  destination_ = d.destination_address;
  pool_ = d.pool_enable;
  accumulate_ = d.accumulate_enable;
  accumulate_last_ = d.accumulate_last;
  reduce_flush_ = d.reduce_flush;
  max_ = d.max_enable;
  sum_ = d.sum_enable;
  second_ = d.sums_twice();
  per_channel_ = d.sum_per_channel;
  max_count_ = d.max_per_sample ? d.samples : 1;
  sums_count_ = d.sums();
  max_address_ = d.max_address;
  sum_base_ = d.sum_address;
  nest_ = StreamNest(d, d.destination_strides_b, config_.stream_lanes);
  if (!from_array_) read_x_.start(d, false, d.x_address, d.x_type, false, config_);
  if (z_enable_)
    read_z_.start(d, d.z_strides_b, d.z_address, d.z_type, keeps_z(d, config_.stream_lanes),
                  config_);
  pack_.start(d);
}

}  // namespace solfege
