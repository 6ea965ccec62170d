// SPDX-License-Identifier: Apache-2.0
#include "model/spec/tanh_slope.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace solfege {

std::uint32_t tanh_slope_entry(int index) {
  const double middle = (index + 0.5) / (1 << kTanhSlopeStepBits);
  const double tangent = std::tanh(middle);
  return static_cast<std::uint32_t>(std::lround((1.0 - tangent * tangent) * 65536.0));
}

std::uint32_t tanh_slope(std::int32_t weight) {
  static const auto table = [] {
    std::array<std::uint32_t, kTanhSlopeEntries> entries{};
    for (int i = 0; i < kTanhSlopeEntries; ++i)
      entries[static_cast<std::size_t>(i)] = tanh_slope_entry(i);
    return entries;
  }();
  const std::uint32_t magnitude =
      weight < 0 ? 0u - static_cast<std::uint32_t>(weight) : static_cast<std::uint32_t>(weight);
  const std::uint32_t step = magnitude >> (kWeightFractionBits - kTanhSlopeStepBits);
  return table[std::min<std::uint32_t>(step, kTanhSlopeEntries - 1)];
}

}  // namespace solfege
