// SPDX-License-Identifier: Apache-2.0
#include "cli/energy_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <optional>

#include "cost/energy/units.hpp"

namespace solfege {

// ---- The published tier ----

void print_published(const EnergyReport& energy) {
  fmt::print("{:<16} {:<46} {:>5} {:>12} {:>14} {:>14}  {}\n", "unit", "operation", "bits",
             "pJ each", "count", "total uJ", "node, source, tier");
  for (const EnergyLine& line : energy.actions)
    fmt::print("{:<16} {:<46} {:>5} {:>12.5f} {:>14} {:>14.3f}  {}, {}, {}\n", line.unit, line.name,
               line.bits, line.figure.energy_pj, line.count, line.total_pj() * 1e-6,
               line.figure.node_nm ? fmt::format("{} nm", line.figure.node_nm) : energy.dram,
               line.figure.source.substr(0, line.figure.source.find(':')), line.figure.tier);
  fmt::print("\n");
  for (const MacEnergy& mac : energy.macs)
    fmt::print(
        "multiply-accumulate {} ({} x {} bits): bit-serial {:.4f} pJ, parallel multiplier {:.4f} "
        "pJ\n",
        mac.name, mac.a_bits, mac.b_bits, mac.bit_serial_pj, mac.bit_parallel_pj);
  fmt::print("step: {:.2f} uJ on chip at {} nm; beside it {:.2f} uJ of {}\n",
             energy.on_chip_pj * 1e-6, energy.node_nm, energy.dram_pj * 1e-6, energy.dram);
  for (const std::string& note : energy.notes) fmt::print("note: {}\n", note);
}

void report_published(const EnergyReport& energy, Json& report) {
  report["operations"] = Json::array();
  for (const EnergyLine& line : energy.actions)
    report["operations"].push_back({{"unit", line.unit},
                                    {"name", line.name},
                                    {"bits", line.bits},
                                    {"energy_pj", line.figure.energy_pj},
                                    {"count", line.count},
                                    {"total_pj", line.total_pj()},
                                    {"node_nm", line.figure.node_nm},
                                    {"source", line.figure.source},
                                    {"tier", line.figure.tier}});
  // The total is of one node; DRAM devices have none and stand beside it.
  report["step_total_pj"] = energy.on_chip_pj;
  report["step_dram_pj"] = energy.dram_pj;
  report["node_nm"] = energy.node_nm;
  report["dram"] = energy.dram;
  for (const EnergyShare& unit : energy.units)
    if (unit.on_chip_pj > 0) report["breakdown"][unit.name] = unit.on_chip_pj;
  report["layers"] = Json::array();
  for (const EnergyShare& pass : energy.passes)
    report["layers"].push_back({{"name", pass.name},
                                {"pass", pass.pass},
                                {"on_chip_pj", pass.on_chip_pj},
                                {"dram_pj", pass.dram_pj}});
  report["macs"] = Json::array();
  for (const MacEnergy& mac : energy.macs)
    report["macs"].push_back({{"name", mac.name},
                              {"a_bits", mac.a_bits},
                              {"b_bits", mac.b_bits},
                              {"bit_serial_pj", mac.bit_serial_pj},
                              {"bit_parallel_pj", mac.bit_parallel_pj}});
  report["notes"] = energy.notes;
}

// ---- The netlists' tiers ----

namespace {

/// The row of this name, added behind the others where it is missing.
template <typename Row>
Row& row_of(std::vector<Row>& rows, const std::string& name) {
  for (Row& row : rows)
    if (row.name == name) return row;
  rows.emplace_back().name = name;
  return rows.back();
}

/// Sums of lines by a key, in order of appearance.
struct Share {
  std::string name;
  double logic_pj = 0, memory_pj = 0, dram_pj = 0;
};
std::vector<Share> shares(const StepEnergy& step,
                          const std::function<std::string(const StepEnergyLine&)>& key) {
  std::vector<Share> sums;
  for (const StepEnergyLine& line : step.lines) {
    Share& sum = row_of(sums, key(line));
    (line.kind == EnergyKind::kMemory ? sum.memory_pj
     : line.kind == EnergyKind::kDram ? sum.dram_pj
                                      : sum.logic_pj) += line.total_pj;
  }
  return sums;
}
std::string pass_of(const StepEnergyLine& line) {
  return line.layer.empty() ? "clock gates, idle clocks, leakage" : line.layer + " " + line.pass;
}
std::string unit_of(const StepEnergyLine& line) { return line.unit; }

const char* kind_name(EnergyKind kind) {
  static const char* const kNames[] = {"data", "clock", "idle clock", "leakage", "memory", "dram"};
  return kNames[static_cast<int>(kind)];
}

}  // namespace

/// Accesses of memories, with what one costs: the mean where banks of several shapes serve.
static void print_accesses(const StepEnergy& step) {
  struct Access {
    std::string name;
    double count = 0, pj = 0;
  };
  std::vector<Access> rows;
  for (const StepEnergyLine& line : step.lines) {
    if (line.kind != EnergyKind::kMemory && line.kind != EnergyKind::kDram) continue;
    Access& row = row_of(rows, line.unit + " " + line.action);
    row.count += line.actions;
    row.pj += line.total_pj;
  }
  fmt::print("\n{:<32} {:>14} {:>14}\n", "memory access", "accesses", "pJ each");
  for (const Access& row : rows)
    fmt::print("{:<32} {:>14.0f} {:>14.3f}\n", row.name, row.count, row.pj / row.count);
}

void print_sampled_step(const StepSamples& samples) {
  std::vector<std::string> dead, shares;
  for (const LayerGradient& g : samples.gradients) {
    shares.push_back(fmt::format("{} {:.3f}", g.layer, g.zero_share));
    if (g.zero_share == 1.0) dead.push_back(g.layer);
  }
  fmt::print(
      "\npriced step: step {} of the training, {}\n  share of gradients that are exactly 0: {}\n",
      samples.step,
      dead.empty() ? "the first after step 1 in which every layer has a gradient"
                   : fmt::format("though in none up to it every layer has a gradient: {} has none",
                                 fmt::join(dead, ", ")),
      fmt::join(shares, ", "));
}

/// Logic, on-chip memories and DRAM of a training multiply-accumulate, timed; nothing where logic
/// and memories are of two nodes.
static std::optional<double> whole_pj_per_mac(const PricedStep& priced) {
  const StepEnergy& e = priced.timed;
  if (priced.macs == 0 || e.memory_node_nm != library_node_nm(e.library)) return {};
  return (e.logic_pj() + e.memory_pj + e.dram_pj) / priced.macs;
}

void print_step(const PricedStep& priced) {
  const StepEnergy &zero = priced.zero, &timed = priced.timed;
  for (const bool by_unit : {false, true}) {
    const auto rows = shares(timed, by_unit ? unit_of : pass_of);
    fmt::print("\n{:<32} {:>14} {:>14} {:>14}\n", by_unit ? "unit" : "layer and pass", "logic uJ",
               "memory uJ", "DRAM uJ");
    for (const Share& row : rows)
      fmt::print("{:<32} {:>14.3f} {:>14.3f} {:>14.3f}\n", row.name, row.logic_pj * 1e-6,
                 row.memory_pj * 1e-6, row.dram_pj * 1e-6);
  }
  print_accesses(timed);
  auto line = [&](const char* name, double z, double t) {
    fmt::print("{:<32} {:>14.3f} .. {:.3f} uJ\n", name, z * 1e-6, t * 1e-6);
  };
  fmt::print("\nstep on {}, zero-delay .. timed, {:.0f} cycles of {} ns\n", timed.library,
             timed.cycles, timed.cycle_ns);
  line("  data", zero.data_pj, timed.data_pj);
  line("  standard error of data", zero.data_error_pj, timed.data_error_pj);
  line("  clock of acting units", zero.clock_pj, timed.clock_pj);
  line("  clock gates, idle clocks", zero.idle_clock_pj, timed.idle_clock_pj);
  line("  leakage", zero.leakage_pj, timed.leakage_pj);
  line("  logic in all", zero.logic_pj(), timed.logic_pj());
  fmt::print("{:<32} {:>14.3f} uJ ({} nm, not added to the logic)\n", "  memories, " + timed.memory,
             timed.memory_pj * 1e-6, timed.memory_node_nm);
  fmt::print("{:<32} {:>14.3f} uJ (not added either)\n", "  DRAM, " + timed.dram,
             timed.dram_pj * 1e-6);
  fmt::print("  a training multiply-accumulate ({:.0f} of them): logic {:.4f} .. {:.4f} pJ\n",
             priced.macs, zero.logic_pj() / priced.macs, timed.logic_pj() / priced.macs);
  if (const auto whole = whole_pj_per_mac(priced))
    fmt::print("  with on-chip memories and DRAM beside it: {:.4f} + {:.4f} + {:.4f} = {:.4f} pJ\n",
               timed.logic_pj() / priced.macs, timed.memory_pj / priced.macs,
               timed.dram_pj / priced.macs, *whole);
  for (const std::string& note : timed.notes) fmt::print("note: {}\n", note);
}

Json json_of(const PricedStep& priced) {
  auto totals = [](const StepEnergy& e) {
    return Json{{"data_pj", e.data_pj},       {"data_standard_error_pj", e.data_error_pj},
                {"clock_pj", e.clock_pj},     {"idle_clock_pj", e.idle_clock_pj},
                {"leakage_pj", e.leakage_pj}, {"logic_pj", e.logic_pj()}};
  };
  const StepEnergy& timed = priced.timed;
  Json json = {
      {"library", timed.library},
      {"cycles", timed.cycles},
      {"cycle_ns", timed.cycle_ns},
      {"multiply_accumulates", priced.macs},
      {"pj_per_mac", nullptr},
      {"zero_delay", totals(priced.zero)},
      {"timed", totals(timed)},
      {"memory",
       {{"source", timed.memory}, {"node_nm", timed.memory_node_nm}, {"pj", timed.memory_pj}}},
      {"dram", {{"type", timed.dram}, {"pj", timed.dram_pj}}},
      {"lines", Json::array()},
      {"notes", timed.notes}};
  if (const auto whole = whole_pj_per_mac(priced)) json["pj_per_mac"] = *whole;
  for (std::size_t i = 0; i < timed.lines.size(); ++i) {
    const StepEnergyLine &t = timed.lines[i], &z = priced.zero.lines.at(i);
    json["lines"].push_back({{"layer", t.layer},
                             {"pass", t.pass},
                             {"unit", t.unit},
                             {"action", t.action},
                             {"kind", kind_name(t.kind)},
                             {"count", t.actions},
                             {"zero_delay_pj", z.total_pj},
                             {"timed_pj", t.total_pj},
                             {"windows", t.windows},
                             {"standard_error_pj", t.error_pj}});
  }
  return json;
}

static std::string source_of(const NetlistEnergy& f, const char* tier) {
  return fmt::format("{} netlist, {} V, {}", f.library, f.voltage_v, tier);
}

void print_operations(const std::vector<OperationEnergy>& rows) {
  if (rows.empty()) return;
  fmt::print("\n{:<17} {:<44} {:>10}", "unit", "pJ an operation", "published");
  for (const NetlistEnergy& f : rows.front().netlists)
    fmt::print("  {:>32} {:>10} {:>10}", f.library.substr(0, 20) + ": zero-delay", "timed", "um2");
  fmt::print("\n");
  for (const OperationEnergy& row : rows) {
    fmt::print("{:<17} {:<44} {:>10}", row.unit, row.operation,
               row.published.energy_pj > 0 ? fmt::format("{:.4f}", row.published.energy_pj) : "-");
    for (const NetlistEnergy& f : row.netlists)
      fmt::print("  {:>32.5f} {:>10.5f} {:>10.2f}", f.zero_pj, f.timed_pj, f.area_um2);
    fmt::print("\n");
  }
  fmt::print(
      "netlist figures: toggles of the mapped unit under operands of the priced step, "
      "no wires; truth lies near the interval from zero-delay to timed\n");
}

Json json_of(const std::vector<OperationEnergy>& rows) {
  Json list = Json::array();
  for (const OperationEnergy& row : rows) {
    Json netlists = Json::array();
    for (const NetlistEnergy& f : row.netlists)
      netlists.push_back({{"library", f.library},
                          {"voltage_v", f.voltage_v},
                          {"zero_delay_pj", f.zero_pj},
                          {"timed_pj", f.timed_pj},
                          {"clock_pj", f.clock_pj},
                          {"area_um2", f.area_um2},
                          {"leakage_nw", f.leakage_nw},
                          {"memory_bits", f.memory_bits},
                          {"critical_path_ns", f.critical_path_ns},
                          {"operations", f.operations}});
    Json published = nullptr;
    if (row.published.energy_pj > 0)
      published = {{"energy_pj", row.published.energy_pj},
                   {"node_nm", row.published.node_nm},
                   {"source", row.published.source},
                   {"tier", row.published.tier}};
    list.push_back({{"unit", row.unit},
                    {"operation", row.operation},
                    {"published", published},
                    {"netlists", netlists}});
  }
  return list;
}

std::string csv_of(const std::vector<OperationEnergy>& rows, const EnergyReport& published) {
  std::string csv = "unit,operation,tier,energy_pj,node_nm,source\n";
  auto quoted = [](std::string text) {
    for (std::size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at + 2))
      text.insert(at, "\"");
    return "\"" + text + "\"";
  };
  auto line = [&](const std::string& unit, const std::string& operation, const std::string& tier,
                  double pj, int node, const std::string& source) {
    csv += fmt::format("{},{},{},{:.9g},{},{}\n", quoted(unit), quoted(operation), quoted(tier), pj,
                       node == 0 ? std::string() : std::to_string(node), quoted(source));
  };
  for (const OperationEnergy& row : rows) {
    if (row.published.energy_pj > 0)
      line(row.unit, row.operation, row.published.tier, row.published.energy_pj,
           row.published.node_nm, row.published.source);
    for (const NetlistEnergy& f : row.netlists) {
      const int node = library_node_nm(f.library);
      line(row.unit, row.operation, "zero-delay", f.zero_pj, node, source_of(f, "zero-delay"));
      line(row.unit, row.operation, "timed", f.timed_pj, node, source_of(f, "timed"));
    }
  }
  for (const EnergyLine& l : published.actions)
    line(l.unit, l.name, l.figure.tier, l.figure.energy_pj, l.figure.node_nm, l.figure.source);
  return csv;
}

std::vector<ReferenceComponent> components_of(const Config& config,
                                              const std::vector<OperationEnergy>& rows,
                                              const EnergyReport& published) {
  std::vector<ReferenceComponent> components;
  const std::map<std::string, MachineUnit> machine = machine_units(config);
  for (const OperationEnergy& row : rows) {
    const auto instances = machine.find(row.unit);
    if (instances == machine.end()) continue;  // a part of another, or not in it
    const NetlistEnergy& f = row.netlists.front();
    components.push_back({"solfege." + row.unit,
                          {{row.operation, f.timed_pj, source_of(f, "timed")}},
                          f.area_um2,
                          instances->second.count});
  }
  if (!rows.empty()) return components;
  for (const EnergyLine& line : published.actions)
    row_of(components, "solfege." + line.unit)
        .actions.push_back({fmt::format("{}, {} bits", line.name, line.bits), line.figure.energy_pj,
                            line.figure.tier + ", " + line.figure.source});
  return components;
}

/// The largest bar first, in a unit that keeps numbers short.
static void arrange(BarChart* chart) {
  const auto length = [](const Bar& bar) {
    return std::accumulate(bar.parts.begin(), bar.parts.end(), 0.0);
  };
  std::stable_sort(chart->bars.begin(), chart->bars.end(),
                   [&](const Bar& a, const Bar& b) { return length(a) > length(b); });
  if (chart->bars.empty() || length(chart->bars.front()) < 5000) return;
  chart->x_label = "mJ";
  for (Bar& bar : chart->bars)
    for (double& part : bar.parts) part *= 1e-3;
}

BarChart chart_of(const StepEnergy& step, const std::string& network) {
  BarChart chart{fmt::format("{} on {}: a training step's logic, timed", network, step.library),
                 "uJ",
                 {"data", "clock, acting", "clock gates, idle clocks", "leakage"},
                 {}};
  for (const StepEnergyLine& line : step.lines) {
    const auto part = static_cast<std::size_t>(line.kind);
    if (part >= chart.part_names.size()) continue;
    Bar& bar = row_of(chart.bars, line.unit);
    bar.parts.resize(chart.part_names.size());
    bar.parts[part] += line.total_pj * 1e-6;
  }
  arrange(&chart);
  return chart;
}
BarChart chart_of(const EnergyReport& published, const std::string& network) {
  BarChart chart{fmt::format("{}: a training step on chip, published tables, {} nm", network,
                             published.node_nm),
                 "uJ",
                 {"on chip"},
                 {}};
  for (const EnergyShare& unit : published.units)
    if (unit.on_chip_pj > 0) chart.bars.push_back({unit.name, {unit.on_chip_pj * 1e-6}});
  arrange(&chart);
  return chart;
}

// ---- Bit planes against parallel units ----

Json json_of(const Comparison& c) {
  Json json = {{"library", c.library},     {"corner", c.corner},          {"node_nm", c.node_nm},
               {"voltage_v", c.voltage_v}, {"memory", c.memory},          {"lanes", c.lanes},
               {"rows", Json::array()},    {"break_even", Json::array()}, {"notes", c.notes},
               {"seconds", c.seconds}};
  auto interval = [](const EnergyInterval& e) {
    return Json{{"zero_delay_pj", e.zero_pj}, {"timed_pj", e.timed_pj}};
  };
  for (const DatapathCost& row : c.rows) {
    Json r = {{"name", row.name},
              {"per_mac", interval(row.pj_per_mac)},
              {"um2_per_mac_per_cycle", row.um2_per_mac_per_cycle},
              {"critical_path_ns", row.critical_path_ns},
              {"with_memory", nullptr},
              {"with_memory_um2", nullptr},
              {"tier", row.tier},
              {"source", row.source},
              {"node_nm", row.node_nm},
              {"operands", row.operands},
              {"loses_to", row.loses_to}};
    r["per_mac"]["timed_gated_pj"] = row.pj_per_mac.gated_pj;
    if (row.with_memory_pj) r["with_memory"] = interval(*row.with_memory_pj);
    if (row.with_memory_um2) r["with_memory_um2"] = *row.with_memory_um2;
    for (const auto& [pass, e] : row.passes) r["passes"][pass] = interval(e);
    json["rows"].push_back(r);
  }
  for (const BreakEven& b : c.break_even) {
    Json bits = nullptr;
    if (b.bits()) bits = *b.bits();
    json["break_even"].push_back({{"what", b.what},
                                  {"serial", b.serial},
                                  {"parallel", b.parallel},
                                  {"first_bits", b.first_bits},
                                  {"bits", bits},
                                  {"verdict", b.verdict()}});
  }
  return json;
}

}  // namespace solfege
