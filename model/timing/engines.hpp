// SPDX-License-Identifier: Apache-2.0
// Timing twins of fetch, queues, loader and array (see bus.hpp for the conventions).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/pipeline.hpp"
#include "model/spec/program.hpp"

namespace solfege {

/// sf_fetch: one descriptor at a time, in program order.
class TimedFetch {
 public:
  TimedFetch(int bus_bytes);
  void start(std::size_t count) {
    left_ = count;
    index_ = 0;
    state_ = count == 0 ? State::kIdle : State::kAsk;
  }
  bool active() const { return state_ != State::kIdle; }
  bool request_valid() const { return state_ == State::kAsk; }
  unsigned request_beats() const { return burst_beats_; }
  /// The descriptor offered to its queue, if giving().
  bool giving() const { return state_ == State::kGive; }
  std::size_t index() const { return index_; }
  void step(bool asked, bool response, bool given);

 private:
  enum class State { kIdle, kAsk, kGet, kProducts, kCheck, kGive };
  unsigned bursts_, burst_beats_;
  State state_ = State::kIdle;
  unsigned burst_ = 0, beat_ = 0;
  std::size_t index_ = 0, left_ = 0;
};

/// sf_engine_queue: waits for tokens, starts, retires.
class TimedQueue {
 public:
  explicit TimedQueue(int depth) : depth_(static_cast<std::size_t>(depth)) {}
  bool ready() const { return waiting_.size() < depth_; }
  bool idle() const { return !loaded && waiting_.empty(); }
  bool loaded = false, running = false;
  std::size_t index = 0;  ///< of the descriptor in the program
  /// Starts in this cycle?
  bool starts(const Program& program, const std::array<std::uint8_t, 8>& tokens) const {
    if (!loaded || running) return false;
    for (std::uint32_t mask = program.operations[index].descriptor.wait_mask; mask != 0;
         mask &= mask - 1)
      if (tokens[static_cast<std::size_t>(__builtin_ctz(mask))] == 0) return false;
    return true;
  }
  void step(bool started, bool retired, bool pushed, std::size_t pushed_index) {
    const bool pop = !waiting_.empty() && (!loaded || retired);
    if (started)
      running = true;
    else if (retired)
      running = false;
    if (pop) {
      index = waiting_.front();
      waiting_.pop_front();
      loaded = true;
    } else if (retired) {
      loaded = false;
    }
    if (pushed) waiting_.push_back(pushed_index);
  }

 private:
  std::size_t depth_;
  std::deque<std::size_t> waiting_;
};

/// sf_loader
class TimedLoader {
 public:
  explicit TimedLoader(const Config& config)
      : geometry_(config), bus_bytes_(static_cast<std::uint32_t>(config.bus_bytes)) {}
  bool request_valid() const { return busy_ && ask_left_ != 0; }
  unsigned request_beats() const;
  bool done() const { return busy_ && get_left_ == 0; }
  bool stall(bool response) const { return busy_ && get_left_ != 0 && !response; }
  bool busy() const { return busy_; }
  void step(bool start, const Descriptor& d, bool asked, bool response);

 private:
  const Geometry geometry_;
  const std::uint32_t bus_bytes_;
  bool busy_ = false;
  std::uint32_t address_ = 0, ask_left_ = 0, get_left_ = 0;
};

/// sf_gemm and the drain of sf_array
class TimedArray {
 public:
  explicit TimedArray(const Config& config);
  /// A complete tile waits for the drain registers, of which a chunk is taken or not; everything
  /// here holds.
  bool stall(bool take) const { return (captures_ & 8u) != 0 && tile_valid_ && !tile_done(take); }
  bool done(bool take) const { return run_ && last_op() && !stall(take) && last_tile_; }
  bool tile_valid() const { return tile_valid_; }
  void step(bool start, const Descriptor& d, bool take);

 private:
  // States of the preparer (rtl/array/sf_gemm.v)
  static constexpr int kIdle = 0, kBase = kTileBase, kReady = kTileReady;
  bool last_op() const { return left_ == 1; }
  bool tile_done(bool take) const { return take && taken_ + 1 == chunks_a_tile_; }

  const Config config_;
  unsigned chunks_a_tile_;
  std::vector<std::uint32_t> tiles_;  ///< operations of each tile position
  std::size_t next_tile_ = 0;
  std::uint32_t group_ = 0, groups_ = 1;
  int prepare_ = kIdle;
  bool run_ = false, drain_ = false, last_tile_ = false, next_last_ = false;
  std::uint64_t left_ = 0;
  bool tile_valid_ = false;
  unsigned captures_ = 0;  ///< shift register: last operation to the capture of its tile
  unsigned taken_ = 0;
};

}  // namespace solfege
