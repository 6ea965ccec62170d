// SPDX-License-Identifier: Apache-2.0
// Nothing hangs silently: how long a program may take, and what its engines wait for if it takes
// longer. The messages of all watchdogs begin with "watchdog: ".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/spec/program.hpp"
#include "model/timing/timing_model.hpp"

namespace solfege {

/// Bounds of a simulated run, in cycles.
struct Patience {
  std::uint64_t total = std::uint64_t{1} << 40;  ///< from the start to the end
  std::uint64_t quiet = std::uint64_t{1} << 40;  ///< without any descriptor retiring
};

/// Bounds that a working design keeps: several times what the timing model predicts, and more where
/// each of the memory's five channels pauses with a chance of `stall_probability`, 0..0.95.
Patience patience_for(const ProgramTiming& predicted, double stall_probability);

/// What each engine with unfinished descriptors waits for, in one line: its oldest descriptor that
/// has not retired, and the token, descriptor or engine that this one waits for. `retired` has an
/// entry for each operation of the program; those from `fetched` on have not reached the engines.
std::string describe_standstill(const Program& program, const std::vector<bool>& retired,
                                std::size_t fetched);

}  // namespace solfege
