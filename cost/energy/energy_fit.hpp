// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cost/eda/liberty.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "cost/energy/operand_trace.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "model/spec/config.hpp"

namespace solfege {

/// How far a model is from the gate simulation on some windows.
struct FitError {
  std::size_t windows = 0;
  double simulated_pj = 0, predicted_pj = 0;  ///< of all windows, clock included
  double total = 0;                           ///< |predicted - simulated| / simulated
  double data = 0;  ///< the same of the energy beside the clock's, which is no prediction
  double rms = 0;   ///< of relative errors, clock included, of windows above 1/20 of the mean
};

/// Energy of a cycle of one unit as a linear function of its inputs' activity.
struct UnitModel {
  std::string unit, library;
  DelayModel delays = DelayModel::kZero;
  std::vector<std::string> features;  ///< feature_names(unit), the first a cycle
  std::vector<double> coefficients;   ///< pJ a changed bit; none negative
  double clock_pj = 0;                ///< of a cycle, mean of the windows fitted on
  /// Of a register's bit that changes, and of one that is 1: some libraries' clock pins take more
  /// or less by the state. Relative to clock_pj, with the means below.
  double clock_change_pj = 0, clock_one_pj = 0;
  double mean_changes = 0, mean_ones = 0;
  double leakage_nw = 0;
  double area_um2 = 0;
  std::uint64_t flip_flops = 0;
  FitError fit, held_out;
  /// Energy of a cycle of these features, without the clock's.
  double data_pj(const std::vector<double>& features) const;
  /// Of the clock in a cycle of these features, and in one in which registers stand still.
  double clock_of(const std::vector<double>& features) const;
  double idle_clock_pj() const { return clock_pj - clock_change_pj * mean_changes; }
};

/// A window by features and by gate simulation.
struct MeasuredWindow {
  std::vector<double> features;
  double data_pj = 0;  ///< of a cycle, without the clock's
  double clock_pj = 0, leakage_nw = 0;
  std::size_t cycles = 0, actions = 0;
  std::string mode;
};

/// Called with the fraction done; may throw to stop.
using FitProgress = std::function<void(double)>;

std::vector<MeasuredWindow> measure(const Config& config, const MappedUnit& mapped,
                                    const LibertyLibrary& library, DelayModel delays,
                                    const std::vector<UnitWindow>& windows,
                                    const FitProgress& progress = {});

/// Least squares of relative errors with coefficients that are not negative. Features that never
/// occur get 0. std::invalid_argument: no windows.
UnitModel fit(const std::string& unit, const std::string& library, DelayModel delays,
              const std::vector<MeasuredWindow>& windows);
FitError error_of(const UnitModel& model, const std::vector<MeasuredWindow>& windows);

constexpr const char* kSyntheticMode = "synthetic";
/// Windows that tensors may not give, of that mode: operands of each density and switching, every
/// mode of a lane. Deterministic for a seed.
std::vector<UnitWindow> synthetic_windows(const Config& config, const std::string& unit, int count,
                                          std::uint64_t seed);

/// Fits on `fitted` and judges on `held_out`. Kept as JSON in `cache_directory` (empty: not kept)
/// under a hash of netlist, library, windows and this program's version.
UnitModel characterise(const Config& config, const MappedUnit& mapped,
                       const LibertyLibrary& library, DelayModel delays,
                       const std::vector<UnitWindow>& fitted,
                       const std::vector<UnitWindow>& held_out, const std::string& cache_directory,
                       const FitProgress& progress = {});

}  // namespace solfege
