// SPDX-License-Identifier: Apache-2.0
// solfege energy: what operations, a step, and other datapaths cost.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
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
#include "cost/step_energy.hpp"
#include "cost/units.hpp"
#include "gen/generator.hpp"
#include "model/error.hpp"
#include "sim/dut_library.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// Real macros, with read and write energies by the foundry.
constexpr const char* kDefaultMemory = "ihp130";

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

/// A training step's operands by operation, and the windows of each unit.
struct SampledStep {
  StepSamples samples;
  WindowsByUnit windows;
};

/// Samples the second step of a training run: the first leaves weights and statistics that are no
/// longer those of the start. Units that see no tensor get synthetic windows.
SampledStep sample(const Config& config, const EnergyOptions& options) {
  const Dataset data = load_images(options.step.data, options.step.resize, options.step.network);
  const Images& images = data.train;
  const Network network = load_network(options.step.network, config, images.height, images.width,
                                       images.channels, images.classes);
  SamplingOptions sampling;
  sampling.batch = std::min(options.step.batch, images.count());
  sampling.trace.windows = 2;
  SampledStep step;
  Progress progress("operands", 100);
  step.samples = sample_step(
      config, network, images, sampling,
      [&](const std::string&, double done) { progress.at(std::lround(100 * done)); },
      [&](const UnitWindow& window) { step.windows[window.unit].push_back(window); });
  for (const std::string& unit : cost_unit_names())
    if (step.windows.count(unit) == 0) step.windows[unit] = synthetic_windows(config, unit, 16, 1);
  return step;
}

/// Multiply-accumulates that the network needs in a step.
double multiply_accumulates(const std::vector<Program>& programs) {
  double count = 0;
  for (const Program& program : programs)
    for (const Operation& o : program.operations)
      if (o.useful_plane_pairs > 0)
        count += static_cast<double>(o.useful_plane_pairs) /
                 (o.descriptor.row_planes * o.descriptor.column_planes);
  return count;
}

/// The step at both tiers of delay on one library.
struct PricedStep {
  StepEnergy zero, timed;
  UnitModels models;  ///< timed
  double macs = 0;
};

PricedStep price_sampled(const Config& config, const std::string& rtl, const StepSamples& samples,
                         const std::string& liberty, const std::string& cache,
                         const EnergyOptions& options) {
  TimingModel timing(config, options.step.memory);
  std::vector<ProgramTiming> timings;
  for (const Program& program : samples.programs) timings.push_back(timing.run(program));
  const MemoryTechnology memory(options.memory.empty() ? kDefaultMemory : options.memory);
  PricingOptions pricing;
  pricing.dram = options.dram;
  pricing.cycle_ns = options.cycle_ns;
  CharacterisationOptions characterisation;
  characterisation.liberty = liberty;
  characterisation.cache_directory = cache;
  characterisation.synthetic_windows = 300;
  characterisation.tensor_windows = 150;
  PricedStep priced;
  priced.macs = multiply_accumulates(samples.programs);
  for (const DelayModel delays : {DelayModel::kZero, DelayModel::kTimed}) {
    Progress progress(delays == DelayModel::kZero ? "models, zero-delay" : "models, timed", 100);
    characterisation.delays = delays;
    UnitModels models = characterise_units(
        config, rtl, characterisation,
        [&](const std::string& what, double done) { progress.at(std::lround(100 * done), what); });
    (delays == DelayModel::kZero ? priced.zero : priced.timed) =
        price_step(config, samples, timings, models, memory, pricing);
    priced.models = std::move(models);
  }
  return priced;
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
    const std::string name = key(line);
    auto found =
        std::find_if(sums.begin(), sums.end(), [&](const Share& s) { return s.name == name; });
    if (found == sums.end()) found = sums.insert(sums.end(), {name, 0, 0, 0});
    (line.kind == EnergyKind::kMemory ? found->memory_pj
     : line.kind == EnergyKind::kDram ? found->dram_pj
                                      : found->logic_pj) += line.total_pj;
  }
  return sums;
}
std::string pass_of(const StepEnergyLine& line) {
  return line.layer.empty() ? "idle clocks, leakage" : line.layer + " " + line.pass;
}
std::string unit_of(const StepEnergyLine& line) { return line.unit; }

const char* kind_name(EnergyKind kind) {
  static const char* const kNames[] = {"data", "clock", "idle clock", "leakage", "memory", "dram"};
  return kNames[static_cast<int>(kind)];
}

void print_step(const PricedStep& priced) {
  const StepEnergy &zero = priced.zero, &timed = priced.timed;
  fmt::print("\nunit models on {}: error on another network's tensors, timed\n", timed.library);
  for (const auto& [unit, model] : priced.models)
    fmt::print("  {:<18} {:5.2f} % of {} windows' energy ({:.2f} % rms a window)\n", unit,
               100 * model.held_out.total, model.held_out.windows, 100 * model.held_out.rms);
  for (const bool by_unit : {false, true}) {
    const auto rows = shares(timed, by_unit ? unit_of : pass_of);
    fmt::print("\n{:<32} {:>14} {:>14} {:>14}\n", by_unit ? "unit" : "layer and pass", "logic uJ",
               "memory uJ", "DRAM uJ");
    for (const Share& row : rows)
      fmt::print("{:<32} {:>14.3f} {:>14.3f} {:>14.3f}\n", row.name, row.logic_pj * 1e-6,
                 row.memory_pj * 1e-6, row.dram_pj * 1e-6);
  }
  auto line = [&](const char* name, double z, double t) {
    fmt::print("{:<32} {:>14.3f} .. {:.3f} uJ\n", name, z * 1e-6, t * 1e-6);
  };
  fmt::print("\nstep on {}, zero-delay .. timed, {:.0f} cycles of {} ns\n", timed.library,
             timed.cycles, timed.cycle_ns);
  line("  data", zero.data_pj, timed.data_pj);
  line("  clock of acting units", zero.clock_pj, timed.clock_pj);
  line("  clock of idle units", zero.idle_clock_pj, timed.idle_clock_pj);
  line("  leakage", zero.leakage_pj, timed.leakage_pj);
  line("  logic in all", zero.logic_pj(), timed.logic_pj());
  fmt::print("{:<32} {:>14.3f} uJ ({} nm, not added to the logic)\n", "  memories, " + timed.memory,
             timed.memory_pj * 1e-6, timed.memory_node_nm);
  fmt::print("{:<32} {:>14.3f} uJ (not added either)\n", "  DRAM, " + timed.dram,
             timed.dram_pj * 1e-6);
  fmt::print("  a training multiply-accumulate ({:.0f} of them): logic {:.4f} .. {:.4f} pJ\n",
             priced.macs, zero.logic_pj() / priced.macs, timed.logic_pj() / priced.macs);
  for (const std::string& note : timed.notes) fmt::print("note: {}\n", note);
}

Json json_of(const PricedStep& priced) {
  auto totals = [](const StepEnergy& e) {
    return Json{{"data_pj", e.data_pj},
                {"clock_pj", e.clock_pj},
                {"idle_clock_pj", e.idle_clock_pj},
                {"leakage_pj", e.leakage_pj},
                {"logic_pj", e.logic_pj()}};
  };
  const StepEnergy& timed = priced.timed;
  Json json = {
      {"library", timed.library},
      {"cycles", timed.cycles},
      {"cycle_ns", timed.cycle_ns},
      {"multiply_accumulates", priced.macs},
      {"zero_delay", totals(priced.zero)},
      {"timed", totals(timed)},
      {"memory",
       {{"source", timed.memory}, {"node_nm", timed.memory_node_nm}, {"pj", timed.memory_pj}}},
      {"dram", {{"type", timed.dram}, {"pj", timed.dram_pj}}},
      {"lines", Json::array()},
      {"models", Json::array()},
      {"notes", timed.notes}};
  for (std::size_t i = 0; i < timed.lines.size(); ++i) {
    const StepEnergyLine &t = timed.lines[i], &z = priced.zero.lines.at(i);
    json["lines"].push_back({{"layer", t.layer},
                             {"pass", t.pass},
                             {"unit", t.unit},
                             {"action", t.action},
                             {"kind", kind_name(t.kind)},
                             {"count", t.actions},
                             {"zero_delay_pj", z.total_pj},
                             {"timed_pj", t.total_pj}});
  }
  for (const auto& [unit, model] : priced.models)
    json["models"].push_back({{"unit", unit},
                              {"fit_error", model.fit.total},
                              {"held_out_error", model.held_out.total},
                              {"held_out_rms", model.held_out.rms},
                              {"held_out_windows", model.held_out.windows}});
  return json;
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

/// Energy of the step's logic by unit; memories and DRAM are of other technologies and not drawn.
BarChart chart_of(const StepEnergy& step, const std::string& network) {
  BarChart chart{fmt::format("{} on {}: a training step's logic, timed", network, step.library),
                 "uJ",
                 {"data", "clock, acting", "clock, idle", "leakage"},
                 {}};
  for (const StepEnergyLine& line : step.lines) {
    const auto part = static_cast<std::size_t>(line.kind);
    if (part >= chart.part_names.size()) continue;
    auto bar = std::find_if(chart.bars.begin(), chart.bars.end(),
                            [&](const Bar& b) { return b.name == line.unit; });
    if (bar == chart.bars.end())
      bar = chart.bars.insert(bar, {line.unit, std::vector<double>(chart.part_names.size())});
    bar->parts[part] += line.total_pj * 1e-6;
  }
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
  return chart;
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

  BarChart chart = chart_of(published, options.step.network);
  std::vector<OperationEnergy> operations;
  if (!options.published_only) {
    for (const std::string& liberty : liberties) (void)read_liberty(liberty);
    const TemporaryFolder work("energy");
    const std::string rtl = work.path() + "/rtl", cache = dut_cache_directory() + "/units";
    generate(config, rtl);
    const SampledStep step = sample(config, options);
    const WindowsByUnit& windows = step.windows;
    {
      Progress progress("netlists", 100);
      operations = operation_energies(config, rtl, liberties, windows, 32, cache,
                                      [&](const std::string& what, int done, int total) {
                                        progress.at(100L * done / total, what);
                                      });
    }
    print_operations(operations);
    report["netlist_operations"] = json_of(operations);
    report["netlist_steps"] = Json::array();
    for (const std::string& liberty : liberties) {
      const PricedStep priced = price_sampled(config, rtl, step.samples, liberty, cache, options);
      print_step(priced);
      if (liberty == liberties.front()) chart = chart_of(priced.timed, options.step.network);
      report["netlist_steps"].push_back(json_of(priced));
    }
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
        const int node_nm = library_node_nm(read_liberty(liberty).name);
        if (!options.memory.empty()) {
          const MemoryTechnology memory(options.memory);
          if (memory.node_nm() == node_nm)
            comparison.memory = options.memory;
          else
            fmt::print("\nwith memory: left out on {}, which is of another node than {} ({} nm)\n",
                       liberty, memory.name(), memory.node_nm());
        }
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
  if (!options.plot_path.empty()) plot_bars(options.plot_path, chart);
  write_file("--csv", options.csv_path, csv_of(operations, published));
  const std::vector<ReferenceComponent> components = components_of(config, operations, published);
  write_file("--ert", options.ert_path, energy_reference_table(components));
  write_file("--art", options.art_path, area_reference_table(components));
  write_report(common, report);
  return 0;
}

}  // namespace solfege
