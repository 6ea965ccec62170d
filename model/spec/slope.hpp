// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/spec/enumerations.hpp"

namespace solfege {

/// Master weights and momentum are 32-bit fixed point with this many fraction bits.
constexpr int kWeightFractionBits = 24;
/// Fraction bits of pre-activations that are elements of their own: +-16 in 16 bits.
constexpr int kSumFractionBits = 11;

/// The table of the stream unit's 1 - tanh^2 stage: kTanhSlopeEntries steps of
/// 2^-kTanhSlopeStepBits over |w|, each holding the value at its middle in units of 2^-16; beyond
/// it, the last entry.
constexpr int kTanhSlopeEntries = 256;
constexpr int kTanhSlopeStepBits = 6;

/// Entry `index` of the table, 0 .. 2^16.
std::uint32_t tanh_slope_entry(int index);
/// The slope at z, a weight or a pre-activation in its fixed point, in units of 2^-16; 0 .. 2^16.
std::uint32_t slope(SlopeFunction function, std::int32_t z);

}  // namespace solfege
