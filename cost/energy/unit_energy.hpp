// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cost/energy/operand_trace.hpp"
#include "model/spec/config.hpp"

namespace solfege {

/// A window's energies by the gate simulation of its unit.
struct MeasuredWindow {
  std::string mode, layer, pass;  ///< as in UnitWindow
  double represents = 1;
  std::size_t actions = 0;
  double zero_pj = 0, timed_pj = 0;  ///< of an action, zero-delay and timed, without the clock's
  double clock_pj = 0;               ///< of a cycle, with the clock gates inside
};

/// What an action costs by some windows: means weighted with what the windows represent, and
/// their standard errors by the windows' spread.
struct ActionEnergy {
  std::size_t windows = 0;
  double zero_pj = 0, timed_pj = 0, clock_pj = 0;
  double zero_error_pj = 0, timed_error_pj = 0;
};
ActionEnergy mean(const std::vector<const MeasuredWindow*>& windows);

/// A unit on one library.
struct UnitEnergy {
  std::string library;
  double voltage_v = 0, area_um2 = 0, critical_path_ns = 0;
  double leakage_nw = 0;          ///< mean of the windows
  double idle_clock_pj = 0;       ///< of a cycle in which the clock runs and nothing changes
  double flip_flop_clock_pj = 0;  ///< of a cycle, a flip-flop's share of the clock
  std::uint64_t flip_flops = 0;
  std::uint64_t memory_bits = 0;  ///< of sf_ram inside, in neither energy nor area
  std::vector<MeasuredWindow> windows;
  /// The windows that are of a mode, a layer and a pass; an empty one is any.
  ActionEnergy of(const std::string& mode, const std::string& layer = "",
                  const std::string& pass = "") const;
};
using UnitEnergies = std::map<std::string, UnitEnergy>;

/// Called with what goes on and the fraction done; may throw to stop.
using MeasureProgress = std::function<void(const std::string&, double)>;

/// Adds the windows of units behind stream lanes, whose operands the lane's netlist puts out.
/// `rtl`: a folder that generate() wrote; `cache_directory` of netlists. Nothing is added twice.
void add_windows_behind(const Config& config, const std::string& rtl, const std::string& liberty,
                        const std::string& cache_directory, std::vector<UnitWindow>* windows,
                        const MeasureProgress& progress = {});

/// Maps each unit that has windows onto the library and simulates its netlist under them, gate by
/// gate. `units` empty: all.
UnitEnergies measure_units(const Config& config, const std::string& rtl, const std::string& liberty,
                           const std::string& cache_directory,
                           const std::vector<UnitWindow>& windows,
                           const std::vector<std::string>& units = {},
                           const MeasureProgress& progress = {});

}  // namespace solfege
