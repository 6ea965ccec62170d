// SPDX-License-Identifier: Apache-2.0
#include "model/timing/turner.hpp"

#include <algorithm>

namespace solfege {
namespace {

std::uint32_t u32(int value) { return static_cast<std::uint32_t>(value); }

}  // namespace

// ---- Transpose ----

bool TimedTranspose::stall(bool asked, bool put, bool writes_idle) const {
  switch (state_) {
    case State::kRead:
      return !(asked || block_read());
    case State::kWrite:
      return !(put || all_put());
    case State::kWait:
      return !writes_idle;
    default:
      return false;
  }
}

void TimedTranspose::step(bool start, const Descriptor& d, bool asked, bool response, bool put,
                          bool writes_idle) {
  switch (state_) {
    case State::kIdle:
      if (!start) return;
      rows_ = d.source_rows;
      channels_ = d.source_lanes;
      planes_ = d.plane_words;
      words_ = d.source_words;
      blocks_ = d.target_words;
      source_members_ = u32(geometry_.side(d.source_columns).turned_members);
      target_members_ = u32(geometry_.side(d.target_columns).turned_members);
      plane_ = word_ = block_ = asked_ = got_ = put_ = 0;
      state_ = State::kRead;
      return;
    case State::kRead:
      if (block_read()) {
        state_ = State::kWrite;
        put_ = 0;
        return;
      }
      if (asked) asked_ += source_members_;
      if (response) got_ += source_members_;
      return;
    case State::kWrite:
      if (!all_put()) {
        if (put) put_ += target_members_;
        return;
      }
      asked_ = got_ = 0;
      state_ = State::kRead;
      if (++plane_ < planes_) return;
      plane_ = 0;
      if (++word_ < words_) return;
      word_ = 0;
      if (++block_ == blocks_) state_ = State::kWait;
      return;
    case State::kWait:
      if (writes_idle) state_ = State::kIdle;
      return;
  }
}

// ---- Unfold ----

std::uint32_t unfold_slices(const Descriptor& d, const Geometry& geometry) {
  const Geometry::Side& side = geometry.side(d.source_columns);
  const std::uint32_t of_pixel = d.unfold_planes * d.source_words;
  const std::uint32_t first = d.source_address / u32(side.word_bytes);
  auto slices = u32(side.unfold_slices);
  while ((of_pixel | first) % slices != 0) slices /= 2;
  return slices;
}

void TimedUnfold::evaluate(bool asked, bool sent, bool writes_idle) {
  asked_ = asked;
  sent_ = sent;
  written_ = out_valid_ && beats_.ready(out_address_, sent);
  const bool run = running();
  step_ = asked || (run && scan_ && room() && !in_map());
  load_ = run && next_ == Next::kReady && (!scan_ || (step_ && scan_end()));
  const Tag tag = tags_.front();
  fill_ = run && !tags_.empty() && !full_ && (answers_ != 0 || !tag.read);
  take_answer_ = fill_ && tag.read;
  const bool last_fill = fill_ && tag.last;
  put_ = run && drain_ && (!out_valid_ || written_);
  last_put_ = put_ && drain_sample_ + 1 == drained_block_.samples &&
              drain_lane_ + members_step_ >= drain_lanes() && drain_slice_ + 1 == slices_;
  swap_ = (full_ || last_fill) && (!drain_ || last_put_);
  done_ = flushing() && beats_.empty() && writes_idle;
  const bool ahead = (fill_ && filled_ >= drained_) || (put_ && drained_ >= filled_);
  stall_ = state_ == kRun ? !ahead : state_ == kWait ? !done_ : false;
}

void TimedUnfold::step(bool start, const Descriptor& d, bool response) {
  const bool begin = state_ == kBegin;
  const bool finish = last_put_ && drained_block_.final;
  beats_.step(out_valid_, written_, out_address_, sent_);
  step_asker(response);
  if (load_)
    load_scan();
  else if (next_ == Next::kSum)
    next_ = Next::kProduct;
  else if (next_ == Next::kProduct)
    next_ = Next::kReady;
  else if (begin)
    next_ = Next::kSum;
  step_banks();
  if (state_ == kIdle) {
    if (!start) return;
    d_ = d;
    samples_step_ = u32(geometry_.side(d.source_columns).unfold_samples);
    members_step_ = u32(geometry_.side(d.target_columns).turned_members);
    slices_ = unfold_slices(d, geometry_);
    tap_y_ = tap_x_ = slice_ = sample_ = 0;
    filled_ = drained_ = 0;
    state_ = 1;
  } else if (state_ == kRun) {
    if (finish) state_ = kWait;
  } else if (state_ == kWait) {
    if (done_) state_ = kIdle;
  } else {
    ++state_;
  }
}

/// Asks for the pixels of a scan, one after another.
void TimedUnfold::step_asker(bool response) {
  const bool ends_block = step_ && block_end();
  Block pushed = block_;
  pushed.final = pushed.final && scan_end();
  if (ends_block) block_.word = block_.word + 1;
  if (step_) tags_.push() = {in_map(), block_end()};
  if (ends_block) blocks_.push() = pushed;
  if (asked_) ++reserved_;
  if (take_answer_) --reserved_;
  if (response) ++answers_;
  if (take_answer_) --answers_;
  if (step_) {
    const bool ended = scan_end();
    lane_ = lane_ + 1 == lanes_ ? 0 : lane_ + 1;
    if (out_x_ + 1 == d_.unfold_out_width) {
      out_x_ = 0;
      x_ = x_first_;
      ++out_y_;
      y_ += d_.unfold_stride_height;
    } else {
      ++out_x_;
      x_ += d_.unfold_stride_width;
    }
    if (ended) scan_ = false;
  }
}

/// The next scan: of other samples or slices, or another tap.
void TimedUnfold::load_scan() {
  const std::uint32_t samples_left = d_.source_rows - sample_;
  const bool last_sample = samples_left <= samples_step_;
  const bool last_slices = slice_ + slices_ == d_.unfold_planes * d_.source_words;
  const bool last_tap_x = tap_x_ + 1 == d_.unfold_kernel_width;
  const bool last_tap_y = tap_y_ + 1 == d_.unfold_kernel_height;
  scan_ = true;
  out_x_ = out_y_ = lane_ = 0;
  x_first_ = x_ = static_cast<std::int64_t>(tap_x_) - d_.unfold_padding_width;
  y_ = static_cast<std::int64_t>(tap_y_) - d_.unfold_padding_height;
  block_.samples = last_sample ? samples_left : samples_step_;
  block_.tap_row = (tap_y_ * d_.unfold_kernel_width + tap_x_) * d_.unfold_tap_rows;
  block_.sample = sample_;
  block_.slice = slice_;
  block_.word = 0;
  block_.final = last_sample && last_slices && last_tap_x && last_tap_y;
  next_ = block_.final ? Next::kNone : Next::kSum;
  sample_ = last_sample ? 0 : sample_ + samples_step_;
  if (last_sample) {
    slice_ = last_slices ? 0 : slice_ + slices_;
    if (last_slices) {
      tap_x_ = last_tap_x ? 0 : tap_x_ + 1;
      if (last_tap_x) ++tap_y_;
    }
  }
}

/// Of the beat that is drained next.
std::uint32_t TimedUnfold::drain_address() const {
  const Block& block = drained_block_;
  const Geometry::Side& side = geometry_.side(d_.target_columns);
  const auto group = u32(side.group), lane_bytes = u32(geometry_.lane_bytes);
  const std::uint32_t slice = block.slice + drain_slice_;
  const std::uint32_t row = block.tap_row + slice % d_.source_words * lanes_ + drain_lane_;
  const std::uint32_t words =
      ((row / group * d_.source_rows + block.sample + drain_sample_) * d_.unfold_planes +
       slice / d_.source_words) *
          d_.target_words +
      block.word;
  return d_.target_address + (words * group + row % group) * lane_bytes;
}

/// Channels of the slice that is drained.
std::uint32_t TimedUnfold::drain_lanes() const {
  const std::uint32_t word = (drained_block_.slice + drain_slice_) % d_.source_words;
  return std::min(lanes_, d_.source_lanes - word * lanes_);
}

/// Fills one bank while the other drains.
void TimedUnfold::step_banks() {
  const bool last_fill = fill_ && tags_.front().last;
  if (fill_) tags_.pop();
  if (put_) out_address_ = drain_address();
  if (put_)
    out_valid_ = true;
  else if (written_)
    out_valid_ = false;
  if (swap_) {
    full_ = false;
    drain_ = true;
    drained_block_ = blocks_.front();
    blocks_.pop();
    drain_slice_ = drain_lane_ = drain_sample_ = filled_ = drained_ = 0;
  } else {
    if (last_fill) full_ = true;
    if (last_put_) drain_ = false;
    if (fill_) ++filled_;
    if (put_) {
      ++drained_;
      if (++drain_sample_ == drained_block_.samples) {
        drain_sample_ = 0;
        drain_lane_ += members_step_;
        if (drain_lane_ >= drain_lanes()) {
          drain_lane_ = 0;
          ++drain_slice_;
        }
      }
    }
  }
}

}  // namespace solfege
