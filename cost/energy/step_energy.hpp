// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cost/energy/memory_prices.hpp"
#include "cost/energy/unit_energy.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "model/spec/config.hpp"
#include "model/spec/program.hpp"
#include "model/timing/timing_model.hpp"

namespace solfege {

/// What a line's energy is of, and of which technology. Idle clock: the pins of clock gates, and
/// the clocks of units without gates while they stand still.
enum class EnergyKind { kData, kClock, kIdleClock, kLeakage, kMemory, kDram };

struct StepEnergyLine {
  std::string layer, pass;  ///< empty for what belongs to the step: idle clocks, leakage
  std::string unit;         ///< "pe", "operand_register", ..., "row buffer", "DRAM"
  std::string action;       ///< "product", "row sum", "read" ...
  EnergyKind kind = EnergyKind::kData;
  double actions = 0;
  double total_pj = 0;
  std::size_t windows = 0;  ///< data: simulated ones that the figure rests on
  double error_pj = 0;      ///< data: standard error of total_pj by their spread
  double pj() const { return actions > 0 ? total_pj / actions : 0; }
};

struct StepEnergy {
  std::string library;  ///< of the logic
  std::string memory, dram;
  int memory_node_nm = 0;
  double cycles = 0, cycle_ns = 0;
  double data_pj = 0, clock_pj = 0, idle_clock_pj = 0, leakage_pj = 0;  ///< logic
  double memory_pj = 0;                                                 ///< on-chip, of its node
  double dram_pj = 0;
  double data_error_pj = 0;  ///< standard error
  std::vector<StepEnergyLine> lines;
  std::vector<std::string> notes;  ///< what is not priced, and where operands were not sampled
  double logic_pj() const { return data_pj + clock_pj + idle_clock_pj + leakage_pj; }
};

struct PricingOptions {
  double cycle_ns = 10;         ///< clock period, for leakage
  std::string dram = "LPDDR4";  ///< of dram_energy()
};

/// Prices a step: actions of each operation by the windows of their unit, mode, layer and pass
/// (`units`, zero-delay or timed), else by those of the mode in any layer; clocks while units act,
/// and beside that as their gates (sf_clock_gate) let them through; memories by `memory`, whose
/// node is stated and whose sum is kept apart from the logic's, but for those of flip-flops, which
/// are logic. `timings`: one a program.
StepEnergy price_step(const Config& config, const std::vector<Program>& programs,
                      const std::vector<ProgramTiming>& timings, const UnitEnergies& units,
                      DelayModel delays, const MemoryPrices& memory,
                      const PricingOptions& options = {});

}  // namespace solfege
