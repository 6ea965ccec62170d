// SPDX-License-Identifier: Apache-2.0
// solfege energy: what operations, a step, and other datapaths cost.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cli/commands.hpp"
#include "cli/plot.hpp"
#include "cost/activity_file.hpp"
#include "cost/comparison.hpp"
#include "cost/energy_fit.hpp"
#include "cost/gate_simulation.hpp"
#include "cost/mapped_unit.hpp"
#include "cost/operation_energy.hpp"
#include "cost/reference_tables.hpp"
#include "cost/units.hpp"
#include "gen/generator.hpp"
#include "model/accelerator_engine.hpp"
#include "model/batches.hpp"
#include "model/error.hpp"
#include "sim/dut_library.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// A folder that goes with the run.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(fs::temp_directory_path() / fmt::format("solfege-{}-{}", name, getpid())) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

/// Whole or not at all.
void write_file(const char* option, const std::string& path, const std::string& text) {
  if (path.empty()) return;
  std::ofstream file(path + ".part", std::ios::binary);
  file << text;
  if (!file.flush() || std::rename((path + ".part").c_str(), path.c_str()) != 0)
    throw InputError(
        fmt::format("{} {}: cannot be written; name a file in an existing folder", option, path));
}

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

/// What units see in the second step of a training run: the first leaves weights and statistics
/// that are no longer those of the start. Units whose stimulus is no tensor get synthetic windows.
WindowsByUnit sampled_windows(const Config& config, const EnergyOptions& options) {
  const Dataset data = load_images(options.step.data, options.step.resize, options.step.network);
  const Images& images = data.train;
  const int batch = std::min(options.step.batch, images.count());
  const Network network = load_network(options.step.network, config, images.height, images.width,
                                       images.channels, images.classes);
  WindowsByUnit windows;
  TraceOptions trace;
  trace.windows = 1;
  TracedDevice* device = nullptr;
  AcceleratorEngine engine(config, network, batch, 1, [&](std::size_t bytes) {
    auto made = std::make_unique<TracedDevice>(
        config, bytes, OperandTrace(config, trace, [&](const Operation&, const UnitWindow& window) {
          windows[window.unit].push_back(window);
        }));
    device = made.get();
    return made;
  });
  Batches batches(images, batch, 1);
  std::vector<std::uint8_t> pixels, labels;
  for (const bool sampled : {false, true}) {
    device->enabled = sampled;
    batches.next(pixels, labels);
    engine.train_step(pixels.data(), labels.data(), batch);
  }
  for (const std::string& unit : cost_unit_names())
    if (windows.count(unit) == 0) windows[unit] = synthetic_windows(config, unit, 16, 1);
  return windows;
}

std::string source_of(const NetlistEnergy& f, const char* tier) {
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
      "netlist figures: toggles of the mapped unit under operands of this network's second step, "
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

/// Components for Accelergy: the first library's timed figures, or the published ones.
std::vector<ReferenceComponent> components_of(const Config& config,
                                              const std::vector<OperationEnergy>& rows,
                                              const EnergyReport& published) {
  std::vector<ReferenceComponent> components;
  for (const OperationEnergy& row : rows) {
    const NetlistEnergy& f = row.netlists.front();
    long long instances = 1;
    if (row.unit == "pe" || row.unit == "and_popcount")
      instances = static_cast<long long>(config.rows + 1) * (config.columns + 1);
    if (row.unit == "operand_register") instances = config.rows + config.columns;
    if (row.unit == "stream_lane" || row.unit == "reduce" || row.unit == "correction")
      instances = config.stream_lanes;
    components.push_back({"solfege." + row.unit,
                          {{row.operation, f.timed_pj, source_of(f, "timed")}},
                          f.area_um2,
                          instances});
  }
  if (!rows.empty()) return components;
  for (const EnergyLine& line : published.actions) {
    const std::string name = "solfege." + line.unit;
    auto found = std::find_if(components.begin(), components.end(),
                              [&](const ReferenceComponent& c) { return c.name == name; });
    if (found == components.end()) found = components.insert(found, {name, {}, 0, 1});
    found->actions.push_back({fmt::format("{}, {} bits", line.name, line.bits),
                              line.figure.energy_pj, line.figure.tier + ", " + line.figure.source});
  }
  return components;
}

/// Netlists and the activity of their first windows, for other power tools.
void write_activity(const std::string& directory, const Config& config, const std::string& rtl,
                    const std::vector<std::string>& liberties, const WindowsByUnit& windows,
                    const std::string& cache) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    throw InputError(fmt::format("--activity {}: the folder cannot be made: {}; choose another",
                                 directory, error.message()));
  for (const std::string& liberty : liberties) {
    const LibertyLibrary library = read_liberty(liberty);
    for (const auto& [unit, list] : windows) {
      if (list.empty()) continue;
      const MappedUnit mapped = map_unit(cost_unit(unit, config, rtl).design, liberty, cache);
      GateSimulation simulation(mapped.netlist, library, mapped.design.clock);
      const GateRun run =
          simulation.run(list.front().vectors, DelayModel::kTimed, list.front().warm_up);
      const std::string stem = (fs::path(directory) / (library.name + "_" + unit)).string();
      const double cycle_ns = std::max(1.0, 1.25 * simulation.critical_path_ns());
      write_file("--activity", stem + ".saif",
                 switching_activity(mapped.netlist, run, mapped.design.clock, cycle_ns));
      fs::copy_file(mapped.netlist_verilog, stem + ".v", fs::copy_options::overwrite_existing,
                    error);
      if (error)
        throw InputError(
            fmt::format("--activity {}.v: cannot be written: {}", stem, error.message()));
    }
  }
  fmt::print("activity of {} units for {} libraries in {}\n", windows.size(), liberties.size(),
             directory);
}

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
              {"node_nm", row.node_nm}};
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

}  // namespace

int run_energy(const CommonOptions& common, const EnergyOptions& options) {
  if (!options.plot_path.empty()) require_plottable("--plot", options.plot_path);
  const Config config = Config::load(common.config_path);
  std::vector<std::string> liberties = options.liberties;
  if (liberties.empty()) liberties.push_back(kDefaultLiberty);
  if (!options.memory.empty()) (void)MemoryTechnology(options.memory);  // refuses before long work
  const EnergyReport published = price(config, programs_of(config, options.step), options.dram);
  Json report = make_report(common, config);
  report["network"] = options.step.network;
  report["batch"] = options.step.batch;
  report_published(published, report);
  print_published(published);

  std::vector<OperationEnergy> operations;
  if (!options.published_only) {
    for (const std::string& liberty : liberties) (void)read_liberty(liberty);
    const TemporaryFolder work("energy");
    const std::string rtl = work.path() + "/rtl", cache = dut_cache_directory() + "/units";
    generate(config, rtl);
    const WindowsByUnit windows = sampled_windows(config, options);
    {
      Progress progress("netlists", 100);
      operations = operation_energies(config, rtl, liberties, windows, 32, cache,
                                      [&](const std::string& what, int done, int total) {
                                        progress.at(100L * done / total, what);
                                      });
    }
    print_operations(operations);
    report["netlist_operations"] = json_of(operations);
    if (!options.activity_directory.empty())
      write_activity(options.activity_directory, config, rtl, liberties, windows, cache);
    if (options.compare) {
      report["comparisons"] = Json::array();
      for (const std::string& liberty : liberties) {
        ComparisonOptions comparison;
        comparison.shape = {config.rows, config.columns};
        comparison.lanes = config.lanes;
        comparison.accumulator_bits = config.accumulator_bits;
        comparison.buffer_depth = config.row_buffer_depth;
        comparison.memory = options.memory;
        Progress progress("compare", 100);
        const Comparison result = compare_datapaths(
            liberty, cache, comparison, [&](const std::string& what, int done, int total) {
              progress.at(100L * done / total, what);
            });
        fmt::print("\n{}", comparison_text(result));
        report["comparisons"].push_back(json_of(result));
      }
    }
  }
  write_file("--csv", options.csv_path, csv_of(operations, published));
  const std::vector<ReferenceComponent> components = components_of(config, operations, published);
  write_file("--ert", options.ert_path, energy_reference_table(components));
  write_file("--art", options.art_path, area_reference_table(components));
  write_report(common, report);
  return 0;
}

}  // namespace solfege
