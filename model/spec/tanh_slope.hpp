// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace solfege {

/// Master weights and momentum are 32-bit fixed point with this many fraction bits.
constexpr int kWeightFractionBits = 24;

/// The table of the stream unit's 1 - tanh^2 stage: kTanhSlopeEntries steps of
/// 2^-kTanhSlopeStepBits over |w|, each holding the value at its middle in units of 2^-16; beyond
/// it, the last entry.
constexpr int kTanhSlopeEntries = 256;
constexpr int kTanhSlopeStepBits = 6;

/// Entry `index` of the table, 0 .. 2^16.
std::uint32_t tanh_slope_entry(int index);
/// 1 - tanh^2(w) in units of 2^-16 for a weight in fixed point; what the stage computes.
std::uint32_t tanh_slope(std::int32_t weight);

}  // namespace solfege
