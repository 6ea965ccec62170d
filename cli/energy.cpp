// SPDX-License-Identifier: Apache-2.0
// solfege energy: what operations, a step, and other datapaths cost.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/commands.hpp"
#include "cli/energy_report.hpp"
#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "cost/eda/prepared_library.hpp"
#include "cost/energy/units.hpp"
#include "cost/gates/activity_file.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "gen/generator.hpp"
#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/interrupt.hpp"
#include "model/data/network_file.hpp"

namespace solfege {
namespace {

/// Real macros, with read and write energies by the foundry.
constexpr const char* kDefaultMemory = "ihp130";

/// Of each tensor, for the comparison of datapaths.
constexpr std::size_t kComparedValues = 20000;

/// Writes a file that was asked for.
void write_wanted(const std::string& path, const std::string& text) {
  if (!path.empty()) write_file(path, text);
}

// ---- The netlists' tiers ----

/// A training step's operands, and its tensors as reals.
struct SampledStep {
  StepSamples samples;
  TrainingValues values;  ///< only for a comparison
};

/// Samples a step of a training run: not the first, which starts from untrained statistics, and one
/// in which every layer has a gradient.
SampledStep sample(const Config& config, const Network& network, const Images& images,
                   const EnergyOptions& options) {
  SamplingOptions sampling;
  sampling.batch = std::min(options.batch, images.count());
  sampling.windows = options.windows;
  SampledStep step;
  Progress progress("operands", 100);
  step.samples = sample_step(config, network, images, sampling, [&](double done) {
    Interrupt::check();
    progress.at(std::lround(100 * done));
  });
  if (options.compare)
    step.values = training_values(network, images, sampling.batch, kComparedValues, sampling.seed);
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

PricedStep price_sampled(const Config& config, const StepSamples& samples,
                         const UnitEnergies& units, const std::string& liberty,
                         const std::string& cache, const EnergyOptions& options) {
  TimingModel timing(config, MemoryTiming{});
  std::vector<ProgramTiming> timings;
  for (const Program& program : samples.programs) timings.push_back(timing.run(program));
  const MemoryPrices memory(
      MemoryTechnology(options.memory.empty() ? kDefaultMemory : options.memory), liberty, cache);
  PricingOptions pricing;
  pricing.dram = options.dram;
  pricing.cycle_ns = options.cycle_ns;
  const auto priced = [&](DelayModel delays) {
    return price_step(config, samples.programs, timings, units, delays, memory, pricing);
  };
  return {priced(DelayModel::kZero), priced(DelayModel::kTimed),
          multiply_accumulates(samples.programs)};
}

/// Netlists and the activity of their first windows, for other power tools.
void write_activity(const std::string& directory, const Config& config, const std::string& rtl,
                    const std::vector<std::string>& liberties,
                    const std::vector<UnitWindow>& windows, const std::string& cache) {
  std::map<std::string, const UnitWindow*> first;
  for (const UnitWindow& window : windows) first.emplace(window.unit, &window);
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& liberty : liberties) {
    const LibertyLibrary library = read_liberty(liberty);
    for (const auto& [unit, window] : first) {
      const MappedUnit mapped = map_unit(cost_unit(unit, config, rtl).design, liberty, cache);
      GateSimulation simulation(mapped.netlist, library, mapped.design.clock);
      const GateRun run = simulation.run(window->vectors, DelayModel::kTimed, window->warm_up);
      const std::string stem = library.name + "_" + unit;
      const double cycle_ns = std::max(1.0, 1.25 * simulation.critical_path_ns());
      files.emplace_back(stem + ".saif",
                         switching_activity(mapped.netlist, run, mapped.design.clock, cycle_ns));
      files.emplace_back(stem + ".v", read_file(mapped.netlist_verilog));
    }
  }
  write_files(directory, files);
  fmt::print("activity of {} units for {} libraries in {}\n", first.size(), liberties.size(),
             directory);
}

/// Bit planes against parallel units, each on operands quantized from the step's tensors.
Comparison compare(const Config& config, const TrainingValues& values, const std::string& liberty,
                   const std::string& cache, const std::string& memory_source) {
  ComparisonOptions options;
  options.config = config;
  options.rtl = generate_cached(config);
  options.values = values;
  const int node_nm = library_node_nm(read_liberty(liberty).name);
  if (!memory_source.empty()) {
    const MemoryTechnology memory(memory_source);
    if (memory.node_nm() == node_nm)
      options.memory = memory_source;
    else
      fmt::print("\nwith memory: left out on {}, which is of {} than {} ({} nm)\n", liberty,
                 node_nm == 0 ? "an unknown node, which may be another" : "another node",
                 memory.name(), memory.node_nm());
  }
  Progress progress("compare", 100);
  return compare_datapaths(liberty, cache, options,
                           [&](const std::string& what, int done, int total) {
                             Interrupt::check();
                             progress.at(100L * done / total, what);
                           });
}

/// What the published tables and the netlists give.
struct Priced {
  std::vector<OperationEnergy> operations;
  BarChart chart;
};

/// Operations, the step and other datapaths from netlists: prints them, and adds them to the
/// report.
Priced price_netlists(const Config& config, const Network& network, const Images& images,
                      const EnergyOptions& options, const std::vector<std::string>& liberties,
                      Json& report) {
  const std::string rtl = generate_cached(config), cache = cache_directory() + "/units";
  SampledStep step = sample(config, network, images, options);
  std::vector<UnitEnergies> units;
  {
    Progress progress("netlists", 100);
    const auto show = [&](const std::string& what, double done) {
      Interrupt::check();
      progress.at(std::lround(100 * done), what);
    };
    add_windows_behind(config, rtl, liberties.front(), cache, &step.samples.windows, show);
    for (const std::string& liberty : liberties)
      units.push_back(measure_units(config, rtl, liberty, cache, step.samples.windows, {}, show));
  }
  Priced priced;
  priced.operations = operation_energies(config, units);
  print_sampled_step(step.samples);
  report["priced_step"] = step.samples.step;
  report["zero_gradient_share"] = Json::array();
  for (const LayerGradient& g : step.samples.gradients)
    report["zero_gradient_share"].push_back({{"layer", g.layer}, {"share", g.zero_share}});
  print_operations(priced.operations);
  report["netlist_operations"] = json_of(priced.operations);
  report["netlist_steps"] = Json::array();
  for (std::size_t i = 0; i < units.size(); ++i) {
    const PricedStep one =
        price_sampled(config, step.samples, units[i], liberties[i], cache, options);
    print_step(one);
    if (i == 0) priced.chart = chart_of(one.timed, options.network);
    report["netlist_steps"].push_back(json_of(one));
  }
  if (!options.activity_directory.empty())
    write_activity(options.activity_directory, config, rtl, liberties, step.samples.windows, cache);
  if (!options.compare) return priced;
  report["comparisons"] = Json::array();
  for (const std::string& liberty : liberties) {
    const Comparison result = compare(config, step.values, liberty, cache, options.memory);
    fmt::print("\n{}", comparison_text(result));
    report["comparisons"].push_back(json_of(result));
  }
  return priced;
}

/// What a library lacks that figures need.
void print_library_notes(const LibertyLibrary& library) {
  if (!library.has_internal_power())
    fmt::print("note: {} has no internal power: energies are of nets alone\n", library.name);
  if (!library.has_delays())
    fmt::print("note: {} has no delays: its timed figures are of gates without any\n",
               library.name);
}

}  // namespace

int run_energy(const CommonOptions& common, const EnergyOptions& options) {
  // What is refused is refused before anything is printed.
  if (!options.plot_path.empty()) require_plottable("--plot", options.plot_path);
  const Config config = Config::load(common.config_path);
  std::vector<std::string> liberties = options.liberties;
  if (liberties.empty()) liberties.push_back(kDefaultLiberty);
  if (!options.memory.empty()) (void)MemoryTechnology(options.memory);
  std::vector<std::string> notes;
  if (!options.published_only)
    for (const std::string& liberty : liberties) {
      const PreparedLibrary library = prepare_library(liberty, cache_directory() + "/units");
      for (const std::string& note : library.notes)
        notes.push_back(fmt::format("{}: {}", library.library.name, note));
    }
  Dataset data;
  Network network;
  if (!options.published_only) {
    data = load_images(options.data, options.resize, options.network);
    network = load_network(options.network, config, data.train, options.scheme);
  }
  const EnergyReport published = price(config, programs_of(config, options), options.dram);
  Json report = make_report(common, config);
  report["network"] = options.network;
  report["batch"] = options.batch;
  report_published(published, report);
  print_published(published);

  Priced priced{{}, chart_of(published, options.network)};
  if (!options.published_only) {
    for (const std::string& liberty : liberties) print_library_notes(read_liberty(liberty));
    priced = price_netlists(config, network, data.train, options, liberties, report);
  }
  const std::vector<ReferenceComponent> components =
      components_of(config, priced.operations, published);
  if (!options.art_path.empty() &&
      std::none_of(components.begin(), components.end(),
                   [](const ReferenceComponent& c) { return c.area_um2 > 0; }))
    notes.push_back("--art has no entry: areas are of netlists, and there are none");
  print_notes(notes);
  for (const std::string& note : notes) report["notes"].push_back(note);
  if (!options.plot_path.empty()) plot_bars(options.plot_path, priced.chart);
  write_wanted(options.csv_path, csv_of(priced.operations, published));
  write_wanted(options.ert_path, energy_reference_table(components));
  write_wanted(options.art_path, area_reference_table(components));
  write_report(common, report);
  return 0;
}

}  // namespace solfege
