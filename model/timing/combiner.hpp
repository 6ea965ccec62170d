// SPDX-License-Identifier: Apache-2.0
// Timing twin of sf_write_combiner (see bus.hpp for the conventions).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace solfege {

class TimedCombiner {
 public:
  explicit TimedCombiner(int bus_bytes, std::uint32_t lines = 1)
      : mask_(~(static_cast<std::uint32_t>(bus_bytes) - 1)), lines_(lines) {}
  bool empty() const { return held_ == 0; }
  bool request_valid(bool want, std::uint32_t address, bool flush) const {
    return (want && evicts(address)) || (flush && !empty());
  }
  bool ready(std::uint32_t address, bool granted) const { return !evicts(address) || granted; }
  /// `push` takes a write of `address`; `sent`: a request was granted, for a wanted write of
  /// `address` or in a flush.
  void step(bool want, bool push, std::uint32_t address, bool sent) {
    const bool hit = holds(address);
    if (sent) {
      const auto oldest = lines_.begin() + next_;
      const auto line = want && evicts(address)
                            ? oldest
                            : std::find_if(lines_.begin(), lines_.end(),
                                           [](const Line& one) { return one.held; });
      // What is taken for a beat that leaves is held on.
      if (!(push && hit && line->beat == (address & mask_))) {
        line->held = false;
        --held_;
      }
    }
    if (!push || hit) return;
    lines_[next_] = {true, address & mask_};
    ++held_;
    next_ = (next_ + 1) % static_cast<std::uint32_t>(lines_.size());
  }

 private:
  struct Line {
    bool held = false;
    std::uint32_t beat = 0;
  };
  bool holds(std::uint32_t address) const {
    return std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
      return line.held && line.beat == (address & mask_);
    });
  }
  bool evicts(std::uint32_t address) const { return lines_[next_].held && !holds(address); }

  std::uint32_t mask_, next_ = 0, held_ = 0;
  std::vector<Line> lines_;
};

}  // namespace solfege
