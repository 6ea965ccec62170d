// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/spec/descriptor.hpp"

namespace solfege {

/// A tap of an axis that meets the operand, and the operand's index there.
struct WindowTap {
  int tap, index;
};

/// The window rule along one axis: the taps from `tap_first` on that meet an operand of `limit`
/// indices at tile position `position`, by the descriptor's mode, stride and padding. (GoldenGemm,
/// rtl/cells/sf_window_axis.v and the tests' oracle state it for themselves.)
inline std::vector<WindowTap> window_taps(const Descriptor& d, std::uint32_t position,
                                          std::uint32_t tap_first, std::uint32_t tap_count,
                                          std::uint32_t limit) {
  const std::int64_t stride = std::int64_t{1} << d.stride_log2, p = position;
  std::vector<WindowTap> list;
  for (std::int64_t t = tap_first; t < std::int64_t{tap_first} + tap_count; ++t) {
    std::int64_t index = 0;
    switch (d.window_mode) {
      case WindowMode::kForward:
        index = stride * p + t - d.padding;
        break;
      case WindowMode::kBackwardInput:
        index = p + d.padding - t;
        if (index < 0 || index % stride != 0) continue;
        index /= stride;
        break;
      case WindowMode::kBackwardWeight:
        index = stride * t + p - d.padding;
        break;
    }
    if (index >= 0 && index < limit) list.push_back({static_cast<int>(t), static_cast<int>(index)});
  }
  return list;
}

}  // namespace solfege
