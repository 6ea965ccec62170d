// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/schemes/scheme.hpp"
#include "model/spec/slope.hpp"

namespace solfege {

/// Value of one unit of a fixed-point master weight.
constexpr double kWeightUnit = 1.0 / (1 << kWeightFractionBits);

/// factor ~ mantissa * 2^-shift with a 15-bit mantissa, for a multiplier of 16 bits.
struct FixedScale {
  std::int32_t mantissa;
  int shift;
};
FixedScale fixed_scale(double factor);

}  // namespace solfege
