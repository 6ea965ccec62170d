// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cost/energy/energy_model.hpp"
#include "cost/energy/unit_energy.hpp"
#include "model/spec/config.hpp"

namespace solfege {

/// What one operation costs by one library's netlist.
struct NetlistEnergy {
  std::string library;
  double voltage_v = 0;
  double zero_pj = 0, timed_pj = 0;  ///< an operation; the unit's clock while it works included
  double clock_pj = 0;               ///< of it: clock pins
  double area_um2 = 0, leakage_nw = 0;
  std::uint64_t memory_bits = 0;  ///< of sf_ram inside, in neither energy nor area
  double critical_path_ns = 0;
  std::size_t operations = 0;  ///< that the simulated windows held
};

/// A row of the table of operations.
struct OperationEnergy {
  std::string unit, operation;
  EnergyFigure published;               ///< energy_pj 0: no published figure
  std::vector<NetlistEnergy> netlists;  ///< one a library, in the order asked for
};

/// Unit of the rows that follow from those of the elements: multiply-accumulates at (W, A), (W, G)
/// and (A, G) bits. Each has its operations' share of a word, of the operand registers that an
/// element's row and column share, and of the array's extra row and column; area is that of one
/// multiply-accumulate a cycle.
constexpr const char* kMacUnit = "mac";

/// Operations of a configuration's units, from the windows of a step on each library. Units that
/// were not measured are left out. The quantizers' figures are what they cost beside the lane's
/// front stages under the same elements.
std::vector<OperationEnergy> operation_energies(const Config& config,
                                                const std::vector<UnitEnergies>& libraries);

}  // namespace solfege
