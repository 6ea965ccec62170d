// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/spec/descriptor.hpp"

namespace solfege {

/// One axis of a GEMM's windows.
struct WindowAxis {
  WindowMode mode;
  std::int64_t stride, origin;
  int taps, map;
  /// Of which the origin is a multiple but for its phase.
  std::int64_t unit() const { return mode == WindowMode::kForward ? 1 : stride; }
  /// Positions of the index that moves by the stride, or by 1 in the forward mode.
  int fine() const { return mode == WindowMode::kBackwardInput ? taps : map; }
};

inline WindowAxis window_axis(const Descriptor& d, bool y) {
  WindowAxis axis{d.window_mode, y ? d.stride_y : d.stride_x, 0,
                  static_cast<int>(y ? d.tap_y_count : d.tap_x_count),
                  static_cast<int>(y ? d.window_height : d.window_width)};
  const auto place = static_cast<std::int16_t>(y ? d.place_y : d.place_x);
  axis.origin = place * axis.unit() + (y ? d.phase_y : d.phase_x);
  return axis;
}

/// Sets the origins of a GEMM whose mode, strides, taps and map are set, and the reaches.
inline void set_origin(Descriptor& d, std::int64_t y, std::int64_t x) {
  const auto set = [&d](bool is_y, std::int64_t origin, std::uint32_t& place, std::uint32_t& phase,
                        std::uint32_t& reach) {
    const WindowAxis axis = window_axis(d, is_y);
    const std::int64_t unit = axis.unit(), rest = (origin % unit + unit) % unit;
    place = static_cast<std::uint32_t>((origin - rest) / unit) & 0xffff;
    phase = static_cast<std::uint32_t>(rest);
    reach = static_cast<std::uint32_t>((axis.fine() + unit - 1) / unit);
  };
  set(true, y, d.place_y, d.phase_y, d.reach_y);
  set(false, x, d.place_x, d.phase_x, d.reach_x);
}

/// A tap of an axis that meets the operand, and the operand's index there.
struct WindowTap {
  int tap, index;
};

/// The window rule along one axis: the taps that meet an operand index at tile position `p`.
/// (GoldenGemm, rtl/cells/sf_window_axis.v and the tests' oracle state it for themselves.)
inline std::vector<WindowTap> window_taps(const WindowAxis& axis, std::uint32_t p) {
  std::vector<WindowTap> list;
  for (int t = 0; t < axis.taps; ++t) {
    std::int64_t index = axis.origin + p;
    switch (axis.mode) {
      case WindowMode::kForward:
        index = axis.origin + axis.stride * p + t;
        break;
      case WindowMode::kBackwardInput:
        index -= t;
        if (index < 0 || index % axis.stride != 0) continue;
        index /= axis.stride;
        break;
      case WindowMode::kBackwardWeight:
        index += axis.stride * t;
        break;
    }
    if (index >= 0 && index < axis.map) list.push_back({t, static_cast<int>(index)});
  }
  return list;
}

}  // namespace solfege
