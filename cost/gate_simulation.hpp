// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cost/liberty.hpp"
#include "cost/netlist.hpp"
#include "cost/vectors.hpp"

namespace solfege {

/// kZero: each net goes once, or not at all, from settled value to settled value. kTimed: NLDM
/// delays, glitches included; pulses shorter than the gate's delay are swallowed (inertial). The
/// truth after placement lies in between or near; reports give both.
enum class DelayModel { kZero, kTimed };

/// Energy of a run, pJ in all. Internal energy by the cells' tables, and C V^2 / 2 of an event on
/// each net, C of the driven pins (no wires before placement).
struct GateEnergy {
  double combinational_pj = 0;
  double flip_flop_pj = 0;  ///< outputs and data pins of flip-flops
  double clock_pj = 0;      ///< clock pins: paid in every cycle
  double leakage_nw = 0;    ///< power, not energy: times cycle time is the caller's
  double dynamic_pj() const { return combinational_pj + flip_flop_pj + clock_pj; }
};

struct GateRun {
  std::size_t cycles = 0;
  GateEnergy energy;
  std::vector<std::uint64_t> toggles;                 ///< by net
  std::uint64_t total_toggles = 0;                    ///< of nets that a cell drives
  std::vector<double> dynamic_pj_by_cycle;            ///< clock included
  std::uint64_t memory_reads = 0, memory_writes = 0;  ///< of sf_ram black boxes inside
  Vectors outputs{{}};                                ///< output ports, settled, by cycle
};

/// Simulates a mapped unit cycle by cycle. A cycle: input ports take their new values, logic
/// settles, outputs are recorded, then the clock rises (flip-flops and sf_ram take theirs). Nets
/// and state start at 0, and the first `warm_up` cycles are not counted.
class GateSimulation {
 public:
  /// `clock` empty: a combinational unit. std::runtime_error: a cell that the library does not
  /// describe (latch, missing function), a combinational loop.
  GateSimulation(const Netlist& netlist, const LibertyLibrary& library, const std::string& clock);
  ~GateSimulation();
  GateRun run(const Vectors& inputs, DelayModel delays, std::size_t warm_up = 0);
  /// Longest path through the timing tables, ns: an estimate beside OpenSTA's.
  double critical_path_ns() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace solfege
