// SPDX-License-Identifier: Apache-2.0
#include "cost/compare/comparison.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace solfege {
namespace {

/// Area of an element with its share of registers and of the extra row and column.
double share_um2(const DatapathMeasurement& m, const ArrayShape& s) {
  const double rows = s.rows, columns = s.columns;
  const double extra = m.extra_elements ? (rows + columns + 1) / (rows * columns) : 0;
  return m.element_um2 * (1 + extra) + m.row_register_um2 / columns + m.column_register_um2 / rows;
}

std::string interval(const EnergyInterval& e) {
  const auto number = [](double v) { return fmt::format("{:#.4g}", v); };
  return e.zero_pj == e.timed_pj ? number(e.zero_pj)
                                 : fmt::format("{} .. {}", number(e.zero_pj), number(e.timed_pj));
}

std::string area(double um2) { return um2 > 0 ? fmt::format("{:.5g}", um2) : "-"; }

}  // namespace

EnergyInterval pass_pj_per_mac(const DatapathMeasurement& m, const PassEnergy& pass,
                               const ArrayShape& shape) {
  const double a_row = 1.0 / shape.columns, a_column = 1.0 / shape.rows;  // share of an element
  EnergyInterval cell = pass.element + pass.row_register * a_row + pass.column_register * a_column;
  if (m.extra_elements)  // their corner is taken for one of the row sums
    cell = cell + pass.row_sum * (a_row + a_row * a_column) + pass.column_sum * a_column;
  return cell * (1 / pass.macs_per_cycle);
}

FetchCost fetch_cost(const MemoryTechnology& memory, long long row_depth, int row_bits,
                     long long column_depth, int column_bits) {
  const MemoryFigure row = memory.memory(row_depth, row_bits);
  const MemoryFigure column = memory.memory(column_depth, column_bits);
  FetchCost f;
  f.row_pj_per_bit = row.read_pj / row_bits;
  f.column_pj_per_bit = column.read_pj / column_bits;
  f.um2 = row.area_um2 > 0 && column.area_um2 > 0 ? row.area_um2 + column.area_um2 : 0;
  f.node_nm = memory.node_nm();
  f.source = fmt::format("{} x {} rows: {}", row_depth, row_bits, row.source);
  if (row_depth != column_depth || row_bits != column_bits)
    f.source += fmt::format("; {} x {} columns: {}", column_depth, column_bits, column.source);
  f.tier = row.tier;
  return f;
}

DatapathCost datapath_cost(const DatapathMeasurement& m, const ArrayShape& shape,
                           const FetchCost* fetch) {
  DatapathCost c;
  c.name = m.name;
  c.critical_path_ns = m.critical_path_ns;
  c.tier = m.tier;
  c.source = m.source;
  c.node_nm = m.node_nm;
  c.operands = m.operands;
  c.is_bit_planes = m.is_bit_planes;
  c.operand_bits = m.operand_bits;
  if (fetch != nullptr) require_one_node(m.name, m.node_nm, "operand buffers", fetch->node_nm);
  const double um2 = share_um2(m, shape);
  const double elements = static_cast<double>(shape.rows) * shape.columns;
  double macs = 0, fetched_um2 = 0;
  EnergyInterval fetched;
  for (const PassEnergy& pass : m.passes) {
    const EnergyInterval pj = pass_pj_per_mac(m, pass, shape);
    c.passes.emplace_back(pass.name, pj);
    c.pj_per_mac = c.pj_per_mac + pj * pass.macs;
    c.um2_per_mac_per_cycle += um2 / pass.macs_per_cycle * pass.macs;
    macs += pass.macs;
    if (fetch == nullptr) continue;
    const double fetch_pj = (pass.row_bits * fetch->row_pj_per_bit / shape.columns +
                             pass.column_bits * fetch->column_pj_per_bit / shape.rows) /
                            pass.macs_per_cycle;
    fetched = fetched + (pj + EnergyInterval{fetch_pj, fetch_pj, fetch_pj}) * pass.macs;
    fetched_um2 += (um2 + fetch->um2 / elements) / pass.macs_per_cycle * pass.macs;
  }
  c.pj_per_mac = c.pj_per_mac * (1 / macs);
  c.um2_per_mac_per_cycle /= macs;
  if (fetch != nullptr) {
    c.with_memory_pj = fetched * (1 / macs);
    if (fetch->um2 > 0) c.with_memory_um2 = fetched_um2 / macs;
  }
  return c;
}

void find_losses(std::vector<DatapathCost>* rows) {
  for (DatapathCost& planes : *rows) {
    if (!planes.is_bit_planes) continue;
    planes.loses_to.clear();
    for (const DatapathCost& other : *rows)
      if (!other.is_bit_planes && other.operands == planes.operands &&
          other.node_nm == planes.node_nm && other.operand_bits >= planes.operand_bits &&
          other.pj_per_mac.gated_pj < planes.pj_per_mac.gated_pj)
        planes.loses_to.push_back(other.name);
  }
}

DatapathCost published_cost(const PublishedMac& mac) {
  DatapathCost c;
  c.name = fmt::format("{}, {} nm", mac.name, mac.node_nm);
  c.pj_per_mac = {mac.mac_pj(), mac.mac_pj(), mac.mac_pj()};
  c.tier = mac.tier;
  c.source = mac.source;
  c.node_nm = mac.node_nm;
  return c;
}

std::optional<double> BreakEven::bits() const {
  for (std::size_t i = 1; i < serial.size(); ++i) {
    const double below = std::log(serial[i - 1] / parallel[i - 1]);
    const double above = std::log(serial[i] / parallel[i]);
    if (below <= 0 && above > 0)
      return first_bits + static_cast<double>(i - 1) + below / (below - above);
  }
  return {};
}

std::string BreakEven::verdict() const {
  if (serial.empty()) return "not measured";
  const int last = first_bits + static_cast<int>(serial.size()) - 1;
  std::vector<int> cheaper;  // bits at which the bit planes are
  for (std::size_t i = 0; i < serial.size(); ++i)
    if (serial[i] <= parallel[i]) cheaper.push_back(first_bits + static_cast<int>(i));
  if (cheaper.empty())
    return fmt::format("{} cheaper at all of {} to {} bits", parallel_name, first_bits, last);
  if (cheaper.size() == serial.size())
    return fmt::format("{} cheaper at all of {} to {} bits", serial_name, first_bits, last);
  const auto at = bits();
  if (at && cheaper.front() == first_bits && cheaper.back() < *at &&
      cheaper.size() == static_cast<std::size_t>(cheaper.back() - first_bits + 1))
    return fmt::format("{} cheaper up to {:.1f} bits", serial_name, *at);
  return fmt::format("{} cheaper at {} of {} to {} bits", serial_name, fmt::join(cheaper, ", "),
                     first_bits, last);
}

std::string comparison_text(const Comparison& c) {
  const auto node = [](int nm) { return nm == 0 ? "?" : fmt::format("{}", nm); };
  std::string text =
      fmt::format("Datapaths on {} ({}, {:g} V, {} nm), {} x {} elements; bit planes of {} lanes\n",
                  c.library, c.corner.empty() ? "corner not named" : c.corner, c.voltage_v,
                  node(c.node_nm), c.shape.rows, c.shape.columns, c.lanes);
  text += fmt::format("{}, {}\n", c.liberty, c.yosys);
  text += fmt::format("memory: {}\n\n", c.memory.empty() ? "none" : c.memory);
  constexpr const char* kRow = "{:<33} {:>5} {:>20} {:>8} {:>12} {:>20} {:>12} {:>8}  {}\n";
  text += fmt::format(kRow, "MAC of a training step", "node", "pJ, zero .. timed", "gated",
                      "um2/(MAC/c)", "with memory, pJ", "um2/(MAC/c)", "path, ns", "tier");
  std::string operands = c.rows.empty() ? "" : c.rows.front().operands;
  for (const DatapathCost& r : c.rows) {
    if (!r.operands.empty() && r.operands != operands)
      text += fmt::format("{}\n", operands = r.operands);
    text += fmt::format(kRow, r.name, node(r.node_nm), interval(r.pj_per_mac),
                        fmt::format("{:.3g}", r.pj_per_mac.gated_pj), area(r.um2_per_mac_per_cycle),
                        r.with_memory_pj ? interval(*r.with_memory_pj) : "-",
                        r.with_memory_um2 ? area(*r.with_memory_um2) : "-",
                        r.critical_path_ns > 0 ? fmt::format("{:.3g}", r.critical_path_ns) : "-",
                        r.tier);
  }
  text += "\nParallel datapaths that take operands as wide for less energy (timed, gated):\n";
  for (const DatapathCost& r : c.rows)
    if (r.is_bit_planes)
      text +=
          fmt::format("  {}: {}\n", r.name,
                      r.loses_to.empty() ? "none" : fmt::format("{}", fmt::join(r.loses_to, "; ")));
  if (!c.break_even.empty())
    text += "\nBreak-even: MACs of b x b bits, uniform codes, bit planes / parallel\n";
  std::string pair;
  for (const BreakEven& b : c.break_even) {
    const std::string title = fmt::format("{} / {}", b.serial_name, b.parallel_name);
    if (title != pair) text += title + "\n";
    pair = title;
    text += fmt::format("  {}: {}\n   ", b.what, b.verdict());
    for (std::size_t i = 0; i < b.serial.size(); ++i)
      text += fmt::format(" {}: {:.3g}/{:.3g} ", b.first_bits + static_cast<int>(i), b.serial[i],
                          b.parallel[i]);
    text += "\n";
  }
  text += "\n";
  for (const std::string& note : c.notes) text += "- " + note + "\n";
  return text;
}

}  // namespace solfege
