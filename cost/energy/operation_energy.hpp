// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cost/eda/liberty.hpp"
#include "cost/energy/energy_model.hpp"
#include "cost/energy/operand_trace.hpp"
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
/// and (A, G) bits. Each has its plane pairs' share of a word, of the operand registers that an
/// element's row and column share, and of the array's extra row and column; area is that of one
/// multiply-accumulate a cycle.
constexpr const char* kMacUnit = "mac";

using WindowsByUnit = std::map<std::string, std::vector<UnitWindow>>;
/// Called before each unit and library: what, how many done, of how many. May throw to stop.
using OperationProgress = std::function<void(const std::string&, int, int)>;

/// Operations of a configuration's units, each from `windows_each` draws of its windows, in
/// proportion to the actions they stand for. Units without a window are left out. The quantizers'
/// figures are what they cost beside the lane's front stages under the same elements. `rtl`: a
/// folder that generate() wrote.
std::vector<OperationEnergy> operation_energies(const Config& config, const std::string& rtl,
                                                const std::vector<std::string>& liberties,
                                                const WindowsByUnit& windows,
                                                std::size_t windows_each,
                                                const std::string& cache_directory,
                                                const OperationProgress& progress = {});

}  // namespace solfege
