// SPDX-License-Identifier: Apache-2.0
#include "cost/operation_energy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cost/gate_simulation.hpp"
#include "cost/mapped_unit.hpp"
#include "cost/units.hpp"

namespace solfege {
namespace {

/// The published estimate of the same operation, from 45 nm tables; 0 where there is none.
EnergyFigure published_estimate(const std::string& unit, const Config& c) {
  EnergyFigure sum;
  std::string how;
  auto add = [&](const EnergyFigure& figure, double times, const std::string& what) {
    sum.energy_pj += times * figure.energy_pj;
    sum.node_nm = figure.node_nm;
    sum.source = figure.source.substr(0, figure.source.find(';'));
    how += fmt::format("{}{} {}", how.empty() ? "" : ", ", times, what);
    sum.tier = "derived";
  };
  const int accumulator = c.accumulator_bits;
  if (unit == "and_popcount" || unit == "pe") add(bit_product_energy(), c.lanes, "bit products");
  if (unit == "pe" || unit == "correction")
    add(add_energy(accumulator), 1, fmt::format("{}-bit addition", accumulator));
  if (unit == "threshold") add(add_energy(32), c.activation_bits, "32-bit comparisons");
  if (unit == "rounding") {
    add(multiply_energy(32, c.random_bits + 1), 1,
        fmt::format("32 x {} bit multiplication", c.random_bits + 1));
    add(add_energy(64), 3 + c.gradient_bits, "64-bit additions");
  }
  if (!how.empty()) sum.source += "; " + how;
  return sum;
}

struct LibraryFile {
  std::string path;
  LibertyLibrary library;
};

struct Measured {
  NetlistEnergy figure;
  bool any = false;
};

Measured measure_unit(const Config& config, const std::string& unit, const std::string& rtl,
                      const LibraryFile& library, const std::vector<const UnitWindow*>& windows,
                      const std::string& cache_directory, const std::function<void()>& poll) {
  const MappedUnit mapped =
      map_unit(cost_unit(unit, config, rtl).design, library.path, cache_directory, poll);
  GateSimulation simulation(mapped.netlist, library.library, mapped.design.clock);
  Measured m;
  NetlistEnergy& f = m.figure;
  f.library = library.library.name;
  f.voltage_v = library.library.voltage_v;
  f.area_um2 = mapped.area_um2;
  f.memory_bits = mapped.memory_bits;
  f.critical_path_ns = simulation.critical_path_ns();
  for (const UnitWindow* window : windows) {
    if (poll) poll();
    const GateRun zero = simulation.run(window->vectors, DelayModel::kZero, window->warm_up);
    const GateRun timed = simulation.run(window->vectors, DelayModel::kTimed, window->warm_up);
    // A unit that waits pays its clock all the same; that is the idle time's, not the operation's.
    const double busy = static_cast<double>(window->actions) /
                        static_cast<double>(std::max<std::size_t>(1, zero.cycles));
    const double clock = zero.energy.clock_pj * std::min(1.0, busy);
    f.zero_pj += zero.energy.dynamic_pj() - zero.energy.clock_pj + clock;
    f.timed_pj += timed.energy.dynamic_pj() - timed.energy.clock_pj + clock;
    f.clock_pj += clock;
    f.operations += window->actions;
    f.leakage_nw = zero.energy.leakage_nw;
  }
  m.any = f.operations > 0;
  if (m.any) {
    const auto count = static_cast<double>(f.operations);
    f.zero_pj /= count;
    f.timed_pj /= count;
    f.clock_pj /= count;
  }
  return m;
}

}  // namespace

std::vector<OperationEnergy> operation_energies(const Config& config, const std::string& rtl,
                                                const std::vector<std::string>& liberties,
                                                const WindowsByUnit& windows,
                                                std::size_t windows_each,
                                                const std::string& cache_directory,
                                                const OperationProgress& progress) {
  std::vector<LibraryFile> libraries;
  for (const std::string& path : liberties) libraries.push_back({path, read_liberty(path)});
  std::vector<OperationEnergy> rows;
  std::map<std::string, std::size_t> row_of;
  const auto& names = cost_unit_names();
  const int total = static_cast<int>(names.size() * libraries.size());
  int done = 0;
  for (const std::string& unit : names) {
    const auto found = windows.find(unit);
    std::vector<const UnitWindow*> chosen;
    if (found != windows.end()) {
      const std::size_t count = std::min(windows_each, found->second.size());
      for (std::size_t i = 0; i < count; ++i)
        chosen.push_back(&found->second[i * found->second.size() / count]);
    }
    OperationEnergy row{
        unit, cost_unit(unit, config, rtl).action, published_estimate(unit, config), {}};
    for (const LibraryFile& library : libraries) {
      auto poll = [&] {
        if (progress) progress(fmt::format("{} on {}", unit, library.library.name), done, total);
      };
      poll();
      if (!chosen.empty()) {
        const Measured m = measure_unit(config, unit, rtl, library, chosen, cache_directory, poll);
        if (m.any) row.netlists.push_back(m.figure);
      }
      ++done;
    }
    if (row.netlists.size() != libraries.size()) continue;
    row_of[unit] = rows.size();
    rows.push_back(std::move(row));
  }
  const auto front = row_of.find("lane_front");
  for (const char* quantizer : {"threshold", "rounding"}) {
    const auto row = row_of.find(quantizer);
    if (row == row_of.end() || front == row_of.end()) continue;
    for (std::size_t i = 0; i < libraries.size(); ++i) {
      NetlistEnergy& f = rows[row->second].netlists[i];
      const NetlistEnergy& beside = rows[front->second].netlists[i];
      f.zero_pj -= beside.zero_pj;
      f.timed_pj -= beside.timed_pj;
      f.clock_pj -= beside.clock_pj;
      f.area_um2 -= beside.area_um2;
      f.leakage_nw -= beside.leakage_nw;
    }
  }
  return rows;
}

}  // namespace solfege
