// SPDX-License-Identifier: Apache-2.0
#include "model/timing/engines.hpp"

#include <algorithm>

#include "model/timing/cycle_model.hpp"

namespace solfege {

TimedFetch::TimedFetch(int bus_bytes) {
  const unsigned beats = static_cast<unsigned>(kDescriptorBytes / bus_bytes);
  bursts_ = beats > kBurstBeats ? beats / kBurstBeats : 1;
  burst_beats_ = beats / bursts_;
}

void TimedFetch::step(bool asked, bool response, bool given) {
  switch (state_) {
    case State::kIdle:
      break;
    case State::kAsk:
      if (asked) state_ = State::kGet;
      break;
    case State::kGet:
      if (!response || ++beat_ < burst_beats_) break;
      beat_ = 0;
      if (++burst_ < bursts_) {
        state_ = State::kAsk;
      } else {
        burst_ = 0;
        state_ = State::kProducts;
      }
      break;
    case State::kProducts:
      state_ = State::kCheck;
      break;
    case State::kCheck:
      state_ = State::kGive;
      break;
    case State::kGive:
      if (!given) break;
      ++index_;
      state_ = --left_ == 0 ? State::kIdle : State::kAsk;
      break;
  }
}

unsigned TimedLoader::request_beats() const {
  const std::uint32_t page_beats = kPageBytes / bus_bytes_;
  return std::min({ask_left_, page_beats - address_ / bus_bytes_ % page_beats, kBurstBeats});
}

void TimedLoader::step(bool start, const Descriptor& d, bool asked, bool response) {
  if (start) {
    address_ = d.load_address;
    ask_left_ = get_left_ =
        d.load_words * static_cast<std::uint32_t>(geometry_.side(d.load_to_columns).word_bytes) /
        bus_bytes_;
    busy_ = true;
    return;
  }
  if (done()) busy_ = false;
  if (asked) {
    const std::uint32_t beats = request_beats();
    address_ += beats * bus_bytes_;
    ask_left_ -= beats;
  }
  if (response) --get_left_;
}

TimedArray::TimedArray(const Config& config)
    : config_(config), chunks_a_tile_(static_cast<unsigned>(Geometry(config).tile_chunks)) {}

void TimedArray::step(bool start, const Descriptor& d, bool take) {
  const bool stalled = stall(take);
  const bool capture = (captures_ & 8u) != 0 && !stalled;
  if (!stalled) captures_ = captures_ << 1 & 15u;
  const bool finished = run_ && last_op() && !stalled;
  if (!stalled) {
    // The runner takes a prepared tile when it is idle or at its last operation.
    const bool take_next = prepare_ == kReady && (!run_ || last_op());
    if (finished && drain_) captures_ |= 1u;
    if (take_next) {
      run_ = true;
      left_ = tiles_[next_tile_];
      last_tile_ = next_last_;
      if (next_last_) {
        prepare_ = kIdle;
      } else {
        prepare_ = kBase;
        if (++group_ == groups_) {
          group_ = 0;
          ++next_tile_;
        }
      }
    } else {
      if (finished)
        run_ = false;
      else if (run_)
        --left_;
      if (prepare_ != kIdle && prepare_ != kReady && ++prepare_ == kReady)
        next_last_ = group_ + 1 == groups_ && next_tile_ + 1 == tiles_.size();
    }
  }
  if (start) {  // one cycle long, whatever the array waits for; the preparer is idle
    prepare_ = 1;
    tiles_ = tile_operations(d, config_);
    next_tile_ = 0;
    group_ = 0;
    groups_ = d.column_groups;
    drain_ = d.drain;
  }
  if (capture)
    tile_valid_ = true;
  else if (tile_done(take))
    tile_valid_ = false;
  if (take) taken_ = tile_done(take) ? 0 : taken_ + 1;
}

}  // namespace solfege
