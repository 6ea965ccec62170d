// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "model/spec/config.hpp"
#include "model/spec/program.hpp"
#include "model/timing/bus.hpp"
#include "model/timing/engines.hpp"
#include "model/timing/stream.hpp"
#include "model/timing/turner.hpp"

namespace solfege {

/// When a descriptor ran. Cycles count from the program's start.
struct OperationTiming {
  std::uint64_t start = 0, end = 0;  ///< first cycle, and the one after the last
  std::uint32_t active = 0, stall = 0;
  std::uint32_t read_beats = 0, write_beats = 0;  ///< of its engine while it ran
};

struct ProgramTiming {
  std::uint64_t cycles = 0;  ///< the device is busy: its cycle counter
  std::uint64_t read_beats = 0, write_beats = 0;
  std::vector<OperationTiming> operations;
};

/// The cycle model of the whole device: steps the control of every module clock by clock, without
/// data. Equal to the RTL in the cycles of every descriptor, advancing and stalled, and of whole
/// programs, for a memory of fixed latency and bandwidth. State that outlives a program (whose turn
/// it is on the bus) is kept, so programs must be given in the order in which the device runs them.
class TimingModel {
 public:
  TimingModel(const Config& config, const MemoryTiming& memory);
  /// `progress` (may be empty) hears of the fraction done now and then, and may stop with false;
  /// then the result is incomplete. Throws CheckFailed, with what every engine waits for, where
  /// nothing can move any more or a descriptor does not end; the model is of no use after that.
  ProgramTiming run(const Program& program, const std::function<bool(double)>& progress = nullptr);

 private:
  Config config_;
  TimedMemory memory_;
  std::uint64_t patience_;  ///< cycles in which something must move
  TimedAxiRead read_;
  TimedAxiWrite write_;
  TimedFetch fetch_;
  std::array<TimedQueue, kEngines> queues_;
  TimedArray array_;
  TimedStream stream_;
  TimedLoader loader_;
  TimedTranspose transpose_;
  TimedUnfold unfold_;
  std::uint64_t cycle_ = 0;
};

}  // namespace solfege
