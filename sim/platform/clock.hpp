// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <systemc>

namespace solfege {

/// A clock period is one nanosecond of SystemC. kNever is a cycle that no simulation reaches.
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kHalfPeriodPs = 500;
constexpr std::uint64_t kPeriodPs = 2 * kHalfPeriodPs;

inline sc_core::sc_time picoseconds(std::uint64_t count) {
  return sc_core::sc_time::from_value(count);
}

}  // namespace solfege
