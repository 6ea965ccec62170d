// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/operation_energy.hpp"

#include <fmt/format.h>

#include <map>

#include "cost/energy/units.hpp"

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
  if (unit == "accumulate" || unit == "pe")
    add(bit_product_energy(), c.planes * c.lanes, "bit products");
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

NetlistEnergy netlist_energy(const UnitEnergy& unit, const std::string& mode) {
  const ActionEnergy energy = unit.of(mode);
  NetlistEnergy f;
  f.library = unit.library;
  f.voltage_v = unit.voltage_v;
  f.zero_pj = energy.zero_pj + energy.clock_pj;
  f.timed_pj = energy.timed_pj + energy.clock_pj;
  f.clock_pj = energy.clock_pj;
  f.area_um2 = unit.area_um2;
  f.leakage_nw = unit.leakage_nw;
  f.memory_bits = unit.memory_bits;
  f.critical_path_ns = unit.critical_path_ns;
  for (const MeasuredWindow& w : unit.windows)
    if (mode.empty() || w.mode == mode) f.operations += w.actions;
  return f;
}

/// The mode that a row of the table is of: an element's products are what it is for, its sums of
/// codes are priced with the step.
std::string mode_of(const std::string& unit) { return unit == "pe" ? "product" : ""; }

/// Multiply-accumulates from the rows of elements and operand registers.
std::vector<OperationEnergy> mac_rows(const Config& c, const OperationEnergy& element,
                                      const OperationEnergy& registers) {
  struct Operands {
    const char* name;
    int column_bits, row_bits;
  };
  std::vector<OperationEnergy> rows;
  for (const Operands& o : {Operands{"W x A", c.weight_bits, c.activation_bits},
                            Operands{"W x G", c.weight_bits, c.gradient_bits},
                            Operands{"A x G", c.activation_bits, c.gradient_bits}}) {
    // The elements that sum codes are clocked with every operation.
    const double elements = (c.rows + 1.0) * (c.columns + 1.0) / (c.rows * c.columns);
    const int operations = (o.row_bits + c.planes - 1) / c.planes * o.column_bits;
    const double words = elements * operations / c.lanes;
    const double share = 1.0 / c.rows + c.planes * 1.0 / c.columns;  // registers an element
    OperationEnergy row{kMacUnit,
                        fmt::format("{}, {} x {} bits", o.name, o.column_bits, o.row_bits),
                        element.published,
                        {}};
    row.published.energy_pj *= words;
    if (row.published.energy_pj > 0)
      row.published.source += fmt::format("; {} operations of {} lanes", operations, c.lanes);
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

std::vector<OperationEnergy> operation_energies(const Config& config,
                                                const std::vector<UnitEnergies>& libraries) {
  std::vector<OperationEnergy> rows;
  std::map<std::string, std::size_t> row_of;
  for (const std::string& unit : cost_unit_names()) {
    OperationEnergy row{
        unit, cost_unit(unit, config, "").action, published_estimate(unit, config), {}};
    for (const UnitEnergies& units : libraries) {
      const auto found = units.find(unit);
      if (found == units.end()) continue;
      const NetlistEnergy f = netlist_energy(found->second, mode_of(unit));
      if (f.operations > 0) row.netlists.push_back(f);
    }
    if (libraries.empty() || row.netlists.size() != libraries.size()) continue;
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
