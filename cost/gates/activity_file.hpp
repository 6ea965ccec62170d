// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cost/eda/netlist.hpp"
#include "cost/gates/gate_simulation.hpp"

namespace solfege {

/// The activity of a gate simulation in SAIF 2.0, so that others can price it again: the unit as
/// instance `unit` with its nets, each cell as an instance with its pins. Times are in cycles of
/// `cycle_ns`; T1 by settled values, TC with the glitches that the simulation had. The clock of the
/// unit rises and falls in each cycle.
std::string switching_activity(const Netlist& netlist, const GateRun& run, const std::string& clock,
                               double cycle_ns);

}  // namespace solfege
