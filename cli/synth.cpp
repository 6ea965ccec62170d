// SPDX-License-Identifier: Apache-2.0
// solfege synth: area, clock and look-up tables of a configuration's design.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "cli/commands.hpp"
#include "cli/plot.hpp"
#include "cost/eda/netlist_writer.hpp"
#include "cost/eda/synthesis.hpp"
#include "cost/energy/memory_prices.hpp"
#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/spec/geometry.hpp"

namespace solfege {
namespace {

double share(double part, double all) { return all > 0 ? part / all : 0; }

void print_modules(const SynthesisReport& r, const Config& config) {
  const double lanes = Geometry(config).bit_products;
  fmt::print("{:<36} {:>9} {:>12} {:>13} {:>6} {:>9} {:>8} {:>7} {:>6} {:>6}\n", "module",
             "instances", "um2 each", "um2 in all", "share", "um2/lane", "cells", "FFs", "FAs",
             "HAs");
  for (const ModuleArea& m : r.modules)
    fmt::print("{:<36} {:>9} {:>12.2f} {:>13.1f} {:>5.1f}% {:>9.4g} {:>8} {:>7} {:>6} {:>6}\n",
               m.name, m.instances, m.area_um2, m.total_um2(),
               100 * share(m.total_um2(), r.area_um2), m.total_um2() / lanes, m.cells, m.flip_flops,
               m.full_adders, m.half_adders);
  fmt::print("{}: {:.6g} mm2 on {} ({:g} V, {:g} C), {:.1f} % of it flip-flops", r.top,
             r.area_um2 * 1e-6, r.library, r.voltage_v, r.temperature_c,
             100 * share(r.sequential_um2, r.area_um2));
  if (r.um2_per_lane > 0) fmt::print("; {:.4g} um2 a lane", r.um2_per_lane);
  fmt::print("\n");
}

using Prices = std::optional<MemoryPrices>;

/// What one costs; nothing unless prices were asked for.
MemoryFigure figure_of(const MemoryBits& m, const Prices& prices) {
  return prices
             ? prices->memory(static_cast<long long>(m.depth), static_cast<int>(m.bits / m.depth))
             : MemoryFigure{};
}

const char* made_of(const MemoryBits& m, const Prices& prices) {
  if (!prices) return "";
  return figure_of(m, prices).flip_flops ? "flip-flops" : "macros";
}

/// Of all memories, or of those of flip-flops.
double um2_of(const SynthesisReport& r, const Prices& prices, bool all = true) {
  double um2 = 0;
  for (const MemoryBits& m : r.memories) {
    const MemoryFigure figure = figure_of(m, prices);
    if (all || figure.flip_flops) um2 += figure.area_um2 * static_cast<double>(m.instances);
  }
  return um2;
}

void print_memories(const SynthesisReport& r, const Prices& prices) {
  if (r.memories.empty()) return;
  fmt::print("\n{:<36} {:>9} {:>12} {:>13}\n", "memory", "instances", "bits each", "bits in all");
  for (const MemoryBits& m : r.memories) {
    fmt::print("{:<36} {:>9} {:>12} {:>13}", m.name, m.instances, m.bits, m.bits * m.instances);
    if (prices)
      fmt::print(" {:>9.4f} mm2, {} x {}, {}",
                 figure_of(m, prices).area_um2 * static_cast<double>(m.instances) * 1e-6, m.depth,
                 m.bits / m.depth, made_of(m, prices));
    fmt::print("\n");
  }
  if (prices)
    fmt::print(
        "memories: {:.6g} mm2 of macros ({}) and {:.6g} mm2 of flip-flops, with the logic {:.6g} "
        "mm2\n",
        (um2_of(r, prices) - um2_of(r, prices, false)) * 1e-6, prices->name(),
        um2_of(r, prices, false) * 1e-6, (r.area_um2 + um2_of(r, prices)) * 1e-6);
  fmt::print("memories: {} bits ({} kbit), not in the area above\n", r.memory_bits,
             r.memory_bits / 1024);
}

void print_popcounts(const SynthesisReport& r) {
  fmt::print("\n");
  for (const PopcountComparison& p : r.popcounts)
    fmt::print(
        "popcount of {} bits: {:.6g} um2 from {} full and {} half adders; plain Yosys {:.6g} um2: "
        "ratio {:.3f}\n",
        p.width, p.structural_um2, p.full_adders, p.half_adders, p.behavioural_um2, p.ratio);
}

void print_timing(const TimingReport& t) {
  fmt::print("\n{:<36} {:>10}  worst path that ends there\n", "module", "ns");
  for (const TimingPath& path : t.modules)
    fmt::print("{:<36} {:>10.3f}  {} ({}) -> {}\n", path.module, path.delay_ns, path.start,
               path.start_module, path.end);
  fmt::print("critical path: {} -> {}, {} pins\n", t.critical.start, t.critical.end,
             t.critical.steps.size());
  // Runs of one cell in one module, carry chains mostly, take a line.
  const auto& steps = t.critical.steps;
  auto folder = [](const TimingStep& s) {
    return s.pin.substr(0, s.pin.rfind('/', s.pin.rfind('/') - 1) + 1);
  };
  for (std::size_t i = 0; i < steps.size();) {
    std::size_t end = i + 1;
    while (end < steps.size() && steps[end].cell == steps[i].cell &&
           folder(steps[end]) == folder(steps[i]))
      ++end;
    fmt::print("  {:>10.3f} ns  {:<28} {}\n", steps[end - 1].arrival_ns,
               end - i > 1 ? fmt::format("{} x {}", end - i, steps[i].cell) : steps[i].cell,
               steps[end - 1].pin);
    i = end;
  }
  fmt::print("clock: {:.3f} ns, {:.1f} MHz ({}, {} endpoints)", t.period_ns, t.clock_mhz, t.opensta,
             t.endpoints);
  if (t.slack_ns)
    fmt::print("; slack at {:g} ns: {:.3f} ns{}", *t.requested_ns, *t.slack_ns,
               *t.slack_ns < 0 ? " (violated)" : "");
  fmt::print("\n");
}

void print_fpga(const SynthesisReport& r) {
  if (r.fpga.empty()) return;
  fmt::print("\n{:<28} {:<16} {:>8} {:>8} {:>8} {:>6} {:>8}\n", "unit", "family", "LUTs", "FFs",
             "carries", "DSPs", "memories");
  for (const FpgaUnit& unit : r.fpga)
    fmt::print("{:<28} {:<16} {:>8} {:>8} {:>8} {:>6} {:>8}\n", unit.unit, unit.family, unit.luts,
               unit.flip_flops, unit.carries, unit.multipliers, unit.memories);
}

Json popcount_json(const PopcountComparison& p) {
  return {{"width", p.width},
          {"structural_um2", p.structural_um2},
          {"behavioural_um2", p.behavioural_um2},
          {"ratio", p.ratio},
          {"full_adders", p.full_adders},
          {"half_adders", p.half_adders},
          {"behavioural_adder_cells", p.behavioural_adder_cells}};
}

Json path_json(const TimingPath& path) {
  return {{"module", path.module},
          {"delay_ns", path.delay_ns},
          {"start", path.start},
          {"start_module", path.start_module},
          {"end", path.end}};
}

void add_timing(Json& report, const TimingReport& t) {
  Json& timing = report["timing"];
  timing = {{"source", t.opensta},          {"period_ns", t.period_ns},
            {"clock_mhz", t.clock_mhz},     {"endpoints", t.endpoints},
            {"buffer_cell", t.buffer_cell}, {"buffers", t.buffers},
            {"buffers_um2", t.buffers_um2}};
  if (t.slack_ns) {
    timing["requested_ns"] = *t.requested_ns;
    timing["slack_ns"] = *t.slack_ns;
  }
  timing["critical_path"] = path_json(t.critical);
  for (const TimingStep& step : t.critical.steps)
    timing["critical_path"]["steps"].push_back(
        {{"pin", step.pin}, {"cell", step.cell}, {"arrival_ns", step.arrival_ns}});
  for (const TimingPath& path : t.modules) timing["modules"].push_back(path_json(path));
}

Json json_of(const CommonOptions& common, const Config& config, const SynthesisReport& r,
             const Prices& prices) {
  Json report = make_report(common, config);
  const double lanes = Geometry(config).bit_products;
  report["library"] = r.library;
  report["liberty"] = r.liberty;
  report["voltage_v"] = r.voltage_v;
  report["temperature_c"] = r.temperature_c;
  report["corner"] = r.corner;
  report["yosys"] = r.yosys;
  report["full_adder_cell"] = r.full_adder_cell;
  report["half_adder_cell"] = r.half_adder_cell;
  report["top"] = r.top;
  report["area_um2"] = r.area_um2;
  report["sequential_um2"] = r.sequential_um2;
  report["um2_per_lane"] = r.um2_per_lane;
  report["clock_mhz"] = r.timing ? Json(r.timing->clock_mhz) : Json(nullptr);
  report["modules"] = Json::array();
  for (const ModuleArea& m : r.modules)
    report["modules"].push_back({{"name", m.name},
                                 {"instances", m.instances},
                                 {"area_um2", m.area_um2},
                                 {"sequential_um2", m.sequential_um2},
                                 {"total_um2", m.total_um2()},
                                 {"share", share(m.total_um2(), r.area_um2)},
                                 {"um2_per_lane", m.total_um2() / lanes},
                                 {"cells", m.cells},
                                 {"flip_flops", m.flip_flops},
                                 {"full_adders", m.full_adders},
                                 {"half_adders", m.half_adders}});
  report["memory_bits"] = r.memory_bits;
  report["memories"] = Json::array();
  for (const MemoryBits& m : r.memories)
    report["memories"].push_back({{"name", m.name},
                                  {"instances", m.instances},
                                  {"bits", m.bits},
                                  {"depth", m.depth},
                                  {"area_um2", figure_of(m, prices).area_um2},
                                  {"made_of", made_of(m, prices)},
                                  {"source", figure_of(m, prices).source}});
  report["memory_area_um2"] = nullptr;
  report["flip_flop_memory_area_um2"] = nullptr;
  if (prices) {
    report["memory_area_um2"] = um2_of(r, prices);
    report["flip_flop_memory_area_um2"] = um2_of(r, prices, false);
  }
  report["memory_source"] = prices ? prices->name() : "";
  report["popcount"] = popcount_json(r.popcount);
  for (const PopcountComparison& p : r.popcounts) report["popcounts"].push_back(popcount_json(p));
  if (r.timing) add_timing(report, *r.timing);
  for (const FpgaUnit& unit : r.fpga)
    report["fpga"].push_back({{"unit", unit.unit},
                              {"family", unit.family},
                              {"command", unit.command},
                              {"luts", unit.luts},
                              {"flip_flops", unit.flip_flops},
                              {"carries", unit.carries},
                              {"multipliers", unit.multipliers},
                              {"memories", unit.memories},
                              {"cells", unit.cells}});
  report["modules_mapped"] = r.modules_mapped;
  report["modules_cached"] = r.modules_cached;
  report["notes"] = r.notes;
  report["seconds"] = r.seconds;
  return report;
}

BarChart chart_of(const SynthesisReport& r, const Config& config) {
  constexpr std::size_t kBars = 16;
  BarChart chart;
  chart.title = fmt::format("{} of {} on {}: {:.4g} mm2 without memories", r.top, config.name,
                            r.library, r.area_um2 * 1e-6);
  chart.x_label = "mm2, all instances";
  chart.part_names = {"flip-flops", "full and half adders", "other logic"};
  std::vector<double> rest(3, 0);
  for (std::size_t i = 0; i < r.modules.size(); ++i) {
    const ModuleArea& m = r.modules[i];
    const double count = static_cast<double>(m.instances) * 1e-6;  // and mm2
    const std::vector<double> parts = {
        m.sequential_um2 * count, m.adders_um2 * count,
        std::max(0.0, m.area_um2 - m.sequential_um2 - m.adders_um2) * count};
    if (i < kBars)
      chart.bars.push_back({fmt::format("{} x {}", m.instances, m.name), parts});
    else
      for (std::size_t part = 0; part < parts.size(); ++part) rest[part] += parts[part];
  }
  if (r.modules.size() > kBars)
    chart.bars.push_back({fmt::format("{} others", r.modules.size() - kBars), rest});
  return chart;
}

int write_gates(const CommonOptions& common, const Config& config, const std::string& liberty,
                const std::string& directory) {
  const NetlistSummary netlist =
      write_netlist(config, liberty, directory, cache_directory(),
                    [](const std::string& phase) { say("netlist: " + phase); });
  fmt::print("{}: {} cells of {}, {} of them flip-flops, {:.3f} mm2, memories apart\n", directory,
             netlist.cells, netlist.library, netlist.flip_flops, netlist.area_um2 * 1e-6);
  fmt::print("simulate it: solfege verify {} --netlist {}\n", common.config_path, directory);
  Json report = make_report(common, config);
  report["library"] = netlist.library;
  report["cells"] = netlist.cells;
  report["flip_flops"] = netlist.flip_flops;
  report["area_um2"] = netlist.area_um2;
  write_report(common, report);
  return 0;
}

}  // namespace

int run_synth(const CommonOptions& common, const SynthOptions& options) {
  if (!options.plot_path.empty()) require_plottable("--plot", options.plot_path);
  const Config config = Config::load(common.config_path);
  if (!options.netlist_directory.empty())
    return write_gates(common, config, options.liberty, options.netlist_directory);
  Prices prices;
  if (!options.memory.empty())
    prices.emplace(MemoryTechnology(options.memory),
                   options.liberty.empty() ? kDefaultLiberty : options.liberty,
                   cache_directory() + "/units");
  SynthesisOptions wanted = options;
  wanted.adders = options.adder_style == "prefix"   ? AdderStyle::kPrefix
                  : options.adder_style == "ripple" ? AdderStyle::kRipple
                                                    : AdderStyle::kAuto;
  wanted.timing = !options.no_timing;
  SynthesisReport r;
  {
    std::optional<Progress> progress;
    std::string shown;
    r = synthesize(config, wanted, cache_directory(),
                   [&](const std::string& phase, int done, int total) {
                     if (phase != shown) progress.emplace(shown = phase, total);
                     progress->at(done);
                   });
  }
  print_modules(r, config);
  print_memories(r, prices);
  print_popcounts(r);
  if (r.timing) print_timing(*r.timing);
  print_fpga(r);
  print_notes(r.notes);
  fmt::print("{}; {} modules mapped, {} from the cache, {:.1f} s\n", r.yosys, r.modules_mapped,
             r.modules_cached, r.seconds);
  write_report(common, json_of(common, config, r, prices));
  if (!options.plot_path.empty()) plot_bars(options.plot_path, chart_of(r, config));
  return 0;
}

}  // namespace solfege
