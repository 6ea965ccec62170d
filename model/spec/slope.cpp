// SPDX-License-Identifier: Apache-2.0
#include "model/spec/slope.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace solfege {

std::uint32_t tanh_slope_entry(int index) {
  const double middle = (index + 0.5) / (1 << kTanhSlopeStepBits);
  const double tangent = std::tanh(middle);
  return static_cast<std::uint32_t>(std::lround((1.0 - tangent * tangent) * 65536.0));
}

std::uint32_t slope(SlopeFunction function, std::int32_t z) {
  static const auto table = [] {
    std::array<std::uint32_t, kTanhSlopeEntries> entries{};
    for (int i = 0; i < kTanhSlopeEntries; ++i)
      entries[static_cast<std::size_t>(i)] = tanh_slope_entry(i);
    return entries;
  }();
  const std::uint32_t magnitude =
      z < 0 ? 0u - static_cast<std::uint32_t>(z) : static_cast<std::uint32_t>(z);
  constexpr std::uint32_t one = 1u << kSumFractionBits;
  if (function == SlopeFunction::kNone) return 65536;
  if (function == SlopeFunction::kTriangle)
    return (one - std::min(magnitude, one)) << (16 - kSumFractionBits);
  const std::uint32_t step = magnitude >> (kWeightFractionBits - kTanhSlopeStepBits);
  return table[std::min<std::uint32_t>(step, kTanhSlopeEntries - 1)];
}

}  // namespace solfege
