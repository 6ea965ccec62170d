// SPDX-License-Identifier: Apache-2.0
// Timing twins of sf_transpose and sf_unfold (see bus.hpp for the conventions).
#pragma once

#include <cstdint>

#include "model/base/ring.hpp"
#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/pipeline.hpp"
#include "model/timing/combiner.hpp"

namespace solfege {

/// sf_transpose
class TimedTranspose {
 public:
  explicit TimedTranspose(const Config& config)
      : geometry_(config), lanes_(static_cast<std::uint32_t>(config.lanes)) {}
  bool read_request() const { return state_ == State::kRead && !all_asked(); }
  bool write_request() const { return state_ == State::kWrite && !all_put(); }
  bool busy() const { return state_ != State::kIdle; }
  bool done(bool writes_idle) const { return state_ == State::kWait && writes_idle; }
  bool stall(bool asked, bool put, bool writes_idle) const;
  void step(bool start, const Descriptor& d, bool asked, bool response, bool put, bool writes_idle);

 private:
  enum class State { kIdle, kRead, kWrite, kWait };
  bool all_asked() const { return asked_ >= lanes_ || block_ * lanes_ + asked_ >= rows_; }
  bool all_put() const { return put_ >= lanes_ || word_ * lanes_ + put_ >= channels_; }
  bool block_read() const { return all_asked() && got_ == asked_; }

  const Geometry geometry_;
  const std::uint32_t lanes_;
  State state_ = State::kIdle;
  std::uint32_t rows_ = 0, channels_ = 0, planes_ = 0, words_ = 0, blocks_ = 0, source_members_ = 1,
                target_members_ = 1;
  std::uint32_t plane_ = 0, word_ = 0, block_ = 0, asked_ = 0, got_ = 0, put_ = 0;
};

/// Slices (words of a plane for the members of a group) that a scan of sf_unfold takes.
std::uint32_t unfold_slices(const Descriptor& d, const Geometry& geometry);

/// sf_unfold, and the beats that sf_turner holds for it
class TimedUnfold {
 public:
  explicit TimedUnfold(const Config& config)
      : geometry_(config),
        lanes_(static_cast<std::uint32_t>(config.lanes)),
        beats_(config.bus_bytes, kTurnedBeats) {}
  bool read_request() const {
    return running() && scan_ && room() && in_map() && reserved_ < kUnfoldAnswers;
  }
  bool write_request() const { return beats_.request_valid(out_valid_, out_address_, flushing()); }
  bool busy() const { return state_ != 0; }
  /// Works out what moves, once the memory's grants of this cycle are known.
  void evaluate(bool asked, bool written, bool writes_idle);
  bool stall() const { return stall_; }
  bool done() const { return done_; }
  void step(bool start, const Descriptor& d, bool response);

 private:
  void step_asker(bool response);
  void load_scan();
  void step_banks();
  // States of the RTL: idle, preparation (cycle by cycle), run, wait
  static constexpr unsigned kIdle = 0, kBegin = kUnfoldPreparation, kRun = kBegin + 1,
                            kWait = kRun + 1;
  enum class Next { kNone, kSum, kProduct, kReady };
  struct Tag {
    bool read, last;
  };
  struct Block {
    std::uint32_t samples = 0;
    std::uint32_t tap_row = 0, sample = 0, word = 0;  ///< of the target, the first
    std::uint32_t slice = 0;                          ///< of the source's pixel, the first
    bool final = false;
  };
  bool running() const { return state_ == kRun; }
  bool flushing() const { return state_ == kWait && !out_valid_; }
  std::uint32_t drain_address() const;
  std::uint32_t drain_lanes() const;
  bool room() const {
    return tags_.size() < kUnfoldTags && (blocks_.size() < kUnfoldBlocks || lane_ != 0);
  }
  bool in_map() const {
    return x_ >= 0 && y_ >= 0 && x_ < static_cast<std::int64_t>(d_.unfold_width) &&
           y_ < static_cast<std::int64_t>(d_.unfold_height);
  }
  bool scan_end() const {
    return out_x_ + 1 == d_.unfold_out_width && out_y_ + 1 == d_.unfold_out_height;
  }
  bool block_end() const { return scan_end() || lane_ + 1 == lanes_; }

  const Geometry geometry_;
  const std::uint32_t lanes_;
  Descriptor d_;
  unsigned state_ = kIdle;
  Next next_ = Next::kNone;
  std::uint32_t samples_step_ = 1, members_step_ = 1, slices_ = 1;
  // Indices of the next scan
  std::uint32_t tap_y_ = 0, tap_x_ = 0, slice_ = 0, sample_ = 0;
  // The current scan
  bool scan_ = false;
  std::uint32_t out_x_ = 0, out_y_ = 0, lane_ = 0;
  std::int64_t x_first_ = 0, x_ = 0, y_ = 0;
  Block block_;
  // Under way
  unsigned reserved_ = 0, answers_ = 0;
  Ring<Tag> tags_{kUnfoldTags};
  Ring<Block> blocks_{kUnfoldBlocks};
  // Banks
  bool full_ = false, drain_ = false, out_valid_ = false;
  std::uint32_t filled_ = 0, drained_ = 0, drain_slice_ = 0, drain_lane_ = 0, drain_sample_ = 0;
  Block drained_block_;
  std::uint32_t out_address_ = 0;
  TimedCombiner beats_;
  // This cycle
  bool asked_ = false, sent_ = false, written_ = false, step_ = false, load_ = false, fill_ = false,
       take_answer_ = false, put_ = false, last_put_ = false, swap_ = false, stall_ = false,
       done_ = false;
};

}  // namespace solfege
