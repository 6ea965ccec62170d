// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace solfege {

/// How the memory behaves. Addresses start at 0.
struct MemoryModel {
  /// No latency, full bandwidth, no stalls, whatever the fields below say: data follows its address
  /// by one cycle, and a beat is read and another written every cycle.
  bool ideal = false;
  int latency_cycles = 4;  ///< added to that one cycle, 0..4096
  /// Reads and writes together; 0 is a whole beat of each every cycle.
  double bytes_per_cycle = 0;
  /// Chance that a channel pauses for a cycle, 0..0.95, in steps of 1/4096; each of the five draws
  /// its own.
  double stall_probability = 0;
  std::uint64_t stall_seed = 1;
  /// Reads and writes of the beat with this byte are answered with SLVERR. A write changes nothing.
  std::optional<std::uint64_t> error_address;
  /// Reads and writes of the beat with this byte are never answered, nor what comes after them.
  std::optional<std::uint64_t> silent_address;
};

/// Throws InputError for values out of range.
void check(const MemoryModel& model);

/// The model, checked, with what `ideal` implies.
MemoryModel effective(MemoryModel model);

}  // namespace solfege
