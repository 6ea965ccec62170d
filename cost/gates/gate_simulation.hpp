// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cost/eda/liberty.hpp"
#include "cost/eda/netlist.hpp"
#include "cost/gates/vectors.hpp"

namespace solfege {

/// kZero: each net goes once, or not at all, from settled value to settled value. kTimed: NLDM
/// delays, glitches included; pulses shorter than the gate's delay are swallowed (inertial). The
/// truth after placement lies in between or near; reports give both.
enum class DelayModel { kZero, kTimed };

/// Energy of a run, pJ in all. Internal energy by the cells' tables, and C V^2 / 2 of an event on
/// each net, C of the driven pins: no wires before placement, nothing at output ports. The unit
/// bears its input ports' nets, so that units joined at ports count every pin once. sf_ram has
/// neither load nor energy here: see GateRun's counts and MemoryTechnology.
struct GateEnergy {
  double combinational_pj = 0;  ///< with input ports' nets and those that an sf_ram drives
  double flip_flop_pj = 0;      ///< outputs and data pins of flip-flops
  double clock_pj = 0;          ///< clock pins and clock gates, in the cycles that reach them
  double leakage_nw = 0;        ///< power, not energy: times cycle time is the caller's
  double dynamic_pj() const { return combinational_pj + flip_flop_pj + clock_pj; }
};

/// Everything here is of the counted cycles, that is without warm-up.
struct GateRun {
  std::size_t cycles = 0;
  GateEnergy energy;
  std::vector<std::uint64_t> toggles;                 ///< by net
  std::vector<std::uint64_t> ones;                    ///< by net: cycles in which it settled at 1
  std::uint64_t total_toggles = 0;                    ///< of nets that a cell drives
  std::uint64_t memory_reads = 0, memory_writes = 0;  ///< of sf_ram black boxes inside
  Vectors outputs{{}};                                ///< output ports, settled, by cycle
};

/// Simulates a mapped unit cycle by cycle. A cycle: input ports take their new values, and outputs
/// of flip-flops and sf_ram what the last clock edge gave them; logic settles, outputs are
/// recorded, the clock falls; then it rises (flip-flops and sf_ram take theirs). Inputs and
/// memories start at 0, flip-flops as if clocked when every net was 0, and the first `warm_up`
/// cycles are not counted. What stands behind an sf_clock_gate sees the edges of those cycles in
/// which the gate's enable has settled at 1. The gate, a latch and an AND, pays as two flip-flops'
/// clock pins do, in every cycle that its own clock has.
///
/// Which tables price an event: those of the input that caused it, by `when` at the row after it.
/// Where several inputs change at once, zero-delay takes their mean; slews are then a net's typical
/// ones, the mean over the arcs that drive it. Timed, every event has the slew that its arc gives
/// it. Input ports, the clock and sf_ram change at time 0, with the sharpest slew that the cells'
/// tables know; a cycle lasts until all is still.
class GateSimulation {
 public:
  /// `library` must outlive this. `clock` empty: a combinational unit. std::runtime_error: what
  /// GateNetwork refuses, and a memory that is read without a clock.
  GateSimulation(const Netlist& netlist, const LibertyLibrary& library, const std::string& clock);
  ~GateSimulation();
  /// Ports that `inputs` does not have stay 0. std::invalid_argument, std::out_of_range: a port
  /// that is no input of the unit, or of another width.
  GateRun run(const Vectors& inputs, DelayModel delays, std::size_t warm_up = 0);
  /// Energy of a flip-flop's clock pin in a cycle, the mean of all.
  double flip_flop_clock_pj() const;
  /// Longest path through the timing tables, ns: an estimate beside OpenSTA's.
  double critical_path_ns() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace solfege
