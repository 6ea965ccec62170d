// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/operation_energy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "cost/energy/units.hpp"
#include "cost/gates/gate_simulation.hpp"

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

/// Windows of a unit, and how often each counts.
using Drawn = std::vector<std::pair<const UnitWindow*, int>>;

/// `count` windows of a mode (empty: of any), drawn in proportion to the actions they stand for, in
/// equal steps, so that lists in one order give the same draw.
Drawn draw(const std::vector<UnitWindow>& windows, const std::string& mode, std::size_t count) {
  double all = 0;
  for (const UnitWindow& window : windows)
    if (mode.empty() || window.mode == mode) all += window.represents;
  Drawn drawn;
  double passed = 0;
  std::size_t taken = 0;
  for (const UnitWindow& window : windows) {
    if (!mode.empty() && window.mode != mode) continue;
    passed += window.represents;
    int times = 0;
    while (taken < count &&
           (static_cast<double>(taken) + 0.5) / static_cast<double>(count) * all <= passed) {
      ++times;
      ++taken;
    }
    if (times > 0) drawn.emplace_back(&window, times);
  }
  return drawn;
}

/// A unit's netlist under windows; operations 0 where they hold none.
NetlistEnergy measure_unit(const Config& config, const std::string& unit, const std::string& rtl,
                           const LibraryFile& library, const Drawn& windows,
                           const std::string& cache_directory, const std::function<void()>& poll) {
  const CostUnit cost = cost_unit(unit, config, rtl);
  const MappedUnit mapped = map_unit(cost.design, library.path, cache_directory, poll);
  GateSimulation simulation(mapped.netlist, library.library, mapped.design.clock);
  NetlistEnergy f;
  f.library = library.library.name;
  f.voltage_v = library.library.voltage_v;
  f.area_um2 = mapped.area_um2;
  f.memory_bits = mapped.memory_bits;
  f.critical_path_ns = simulation.critical_path_ns();
  double draws = 0;
  for (const auto& [window, times] : windows) {
    if (poll) poll();
    if (window->actions == 0) continue;
    const GateRun zero = simulation.run(window->vectors, DelayModel::kZero, window->warm_up);
    const GateRun timed = simulation.run(window->vectors, DelayModel::kTimed, window->warm_up);
    f.leakage_nw = zero.energy.leakage_nw;
    const auto actions = static_cast<double>(window->actions);
    // A unit that waits pays its clock all the same; that is the idle time's, not the operation's.
    const double clock = zero.energy.clock_pj / std::max(actions, static_cast<double>(zero.cycles));
    f.zero_pj += times * ((zero.energy.dynamic_pj() - zero.energy.clock_pj) / actions + clock);
    f.timed_pj += times * ((timed.energy.dynamic_pj() - timed.energy.clock_pj) / actions + clock);
    f.clock_pj += times * clock;
    f.operations += window->actions;
    draws += times;
  }
  if (draws == 0) return f;
  f.zero_pj /= draws;
  f.timed_pj /= draws;
  f.clock_pj /= draws;
  return f;
}

/// What a unit costs beside another that it contains.
NetlistEnergy beside(NetlistEnergy f, const NetlistEnergy& front) {
  f.zero_pj -= front.zero_pj;
  f.timed_pj -= front.timed_pj;
  f.clock_pj -= front.clock_pj;
  f.area_um2 -= front.area_um2;
  f.leakage_nw -= front.leakage_nw;
  return f;
}

/// The mode that a row of the table is of: an element's products are what it is for, its sums of
/// bipolar operands are priced with the step.
std::string mode_of(const std::string& unit) { return unit == "pe" ? "product" : ""; }

/// Multiply-accumulates from the rows of elements and operand registers.
std::vector<OperationEnergy> mac_rows(const Config& c, const OperationEnergy& element,
                                      const OperationEnergy& registers) {
  struct Operands {
    const char* name;
    int a_bits, b_bits;
  };
  std::vector<OperationEnergy> rows;
  for (const Operands& o : {Operands{"W x A", c.weight_bits, c.activation_bits},
                            Operands{"W x G", c.weight_bits, c.gradient_bits},
                            Operands{"A x G", c.activation_bits, c.gradient_bits}}) {
    // The elements that sum bipolar operands take part in every plane pair.
    const double elements = (c.rows + 1.0) * (c.columns + 1.0) / (c.rows * c.columns);
    const double words = elements * o.a_bits * o.b_bits / c.lanes;
    const double share = 1.0 / c.rows + 1.0 / c.columns;  // registers an element
    OperationEnergy row{kMacUnit,
                        fmt::format("{}, {} x {} bits", o.name, o.a_bits, o.b_bits),
                        element.published,
                        {}};
    row.published.energy_pj *= words;
    if (row.published.energy_pj > 0)
      row.published.source +=
          fmt::format("; {} plane pairs of {} lanes", o.a_bits * o.b_bits, c.lanes);
    for (std::size_t i = 0; i < element.netlists.size(); ++i) {
      NetlistEnergy f = element.netlists[i];
      const NetlistEnergy& r = registers.netlists[i];
      f.zero_pj = words * (f.zero_pj + share * r.zero_pj);
      f.timed_pj = words * (f.timed_pj + share * r.timed_pj);
      f.clock_pj = words * (f.clock_pj + share * r.clock_pj);
      f.area_um2 = words * (f.area_um2 + share * r.area_um2);
      f.leakage_nw = words * (f.leakage_nw + share * r.leakage_nw);
      row.netlists.push_back(f);
    }
    rows.push_back(std::move(row));
  }
  return rows;
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
    Drawn drawn, front;
    if (found != windows.end()) drawn = draw(found->second, mode_of(unit), windows_each);
    if (windows.count("lane_front") != 0 && (unit == "threshold" || unit == "rounding"))
      front = draw(windows.at("lane_front"), unit, windows_each);
    OperationEnergy row{
        unit, cost_unit(unit, config, rtl).action, published_estimate(unit, config), {}};
    for (const LibraryFile& library : libraries) {
      auto poll = [&] {
        if (progress) progress(fmt::format("{} on {}", unit, library.library.name), done, total);
      };
      poll();
      NetlistEnergy f = measure_unit(config, unit, rtl, library, drawn, cache_directory, poll);
      if (!front.empty())
        f = beside(f,
                   measure_unit(config, "lane_front", rtl, library, front, cache_directory, poll));
      if (f.operations > 0) row.netlists.push_back(f);
      ++done;
    }
    if (row.netlists.size() != libraries.size()) continue;
    row_of[unit] = rows.size();
    rows.push_back(std::move(row));
  }
  const auto element = row_of.find("pe"), registers = row_of.find("operand_register");
  if (element != row_of.end() && registers != row_of.end())
    for (OperationEnergy& row : mac_rows(config, rows[element->second], rows[registers->second]))
      rows.push_back(std::move(row));
  return rows;
}

}  // namespace solfege
