// SPDX-License-Identifier: Apache-2.0
// The commands about a design rather than a training run: generate, verify, cycles.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cli/commands.hpp"
#include "cli/plot.hpp"
#include "gen/generator.hpp"
#include "model/base/error.hpp"
#include "model/base/interrupt.hpp"
#include "model/data/dataset.hpp"
#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/spec/geometry.hpp"
#include "model/timing/cycle_model.hpp"
#include "sim/verify.hpp"

namespace solfege {

std::vector<Program> programs_of(const Config& config, const StepOptions& options) {
  const ImageShape images = images_shape(options.data, options.resize, options.network);
  const Network network = load_network(options.network, config, images, options.scheme);
  AcceleratorEngine engine(config, network, options.batch, 1, [&](std::size_t bytes) {
    return std::make_unique<GoldenOnly>(config, bytes);
  });
  return engine.step_programs();
}

int run_generate(const CommonOptions& common, const std::string& directory) {
  const Config config = Config::load(common.config_path);
  generate(config, directory);
  const auto files = generate_files(config);
  fmt::print("{} files in {}, configuration {} ({})\n", files.size(), directory, config.name,
             config.hash());
  Json report = make_report(common, config);
  report["directory"] = directory;
  for (const auto& [name, text] : files) report["files"].push_back(name);
  write_report(common, report);
  return 0;
}

int run_verify(const CommonOptions& common, VerifyOptions options) {
  const Config config = Config::load(common.config_path);
  if (options.seed == 0)
    options.seed =
        static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) &
        0xffffffffu;
  fmt::print("verify {}: {} cases, seed {}\n", config.name, options.cases, options.seed);
  std::fflush(stdout);
  VerifyResult result;
  {
    Progress progress("verify", options.cases);
    result = verify(config, options.cases, options.seed, options.first_case, options.simulation,
                    [&](int done) { progress.at(done); });
  }
  for (const std::string& failure : result.failures) fmt::print("{}\n", failure);
  fmt::print(
      "{} cases, {} mismatched, {} descriptors' cycles apart, {} bits compared, {} cycles "
      "stalled\n",
      result.cases, result.mismatched_cases, result.cycles_apart, result.compared_bits,
      result.stall_cycles);
  if (result.mismatched_cases > 0)
    fmt::print("replay: solfege verify {} --seed {} --cases 1 --first-case N\n", common.config_path,
               result.seed);
  Json report = make_report(common, config);
  report["cases"] = result.cases;
  report["mismatched_cases"] = result.mismatched_cases;
  report["cycles_apart"] = result.cycles_apart;
  report["compared_bits"] = result.compared_bits;
  report["seed"] = result.seed;
  write_report(common, report);
  return result.mismatched_cases == 0 && result.cycles_apart == 0 ? 0 : 1;
}

namespace {

double ratio(double a, std::uint64_t b) { return b == 0 ? 0.0 : a / static_cast<double>(b); }

void print_cycles(const StepCycles& step) {
  std::size_t width = 8;
  for (const PassCycles& pass : step.passes) width = std::max(width, pass.name.size());
  fmt::print("{:<{}} {:<18} {:>11} {:>11} {:>6} {:>11} {:>11} {:>11} {:>12}  bound by\n", "layer",
             width, "pass", "ideal", "array", "used", "stream", "turner", "step", "bytes");
  for (const PassCycles& pass : step.passes) {
    const std::string used =
        pass.array_cycles == 0 ? ""
                               : fmt::format("{:.3f}", ratio(pass.ideal_cycles, pass.array_cycles));
    fmt::print("{:<{}} {:<18} {:>11.0f} {:>11} {:>6} {:>11} {:>11} {:>11} {:>12}  {}\n", pass.name,
               width, pass.pass, pass.ideal_cycles, pass.array_cycles, used, pass.stream_cycles,
               pass.turner_cycles, pass.cycles, pass.bytes(), pass.bound_by);
  }
  fmt::print("{:<{}} {:>11.0f} {:>11} {:>42} {:>12}\n", "step", width + 19, step.ideal_cycles,
             step.array_cycles, step.cycles, step.bytes_moved);
  fmt::print("array efficiency {:.3f} (ideal / array), utilisation {:.3f} (ideal / step)\n",
             ratio(step.ideal_cycles, step.array_cycles), ratio(step.ideal_cycles, step.cycles));
  fmt::print("memory: {} bytes; {} if every pass read once what it reads, and filled its beats\n",
             step.bytes_moved, step.least_bytes);
  // Where the step's cycles beyond the ideal go
  std::vector<const PassCycles*> losses;
  for (const PassCycles& pass : step.passes) losses.push_back(&pass);
  auto lost = [](const PassCycles* pass) {
    return static_cast<double>(pass->cycles) - pass->ideal_cycles;
  };
  std::sort(losses.begin(), losses.end(),
            [&](const PassCycles* a, const PassCycles* b) { return lost(a) > lost(b); });
  fmt::print("beyond the ideal:");
  for (std::size_t i = 0; i < std::min<std::size_t>(5, losses.size()); ++i)
    fmt::print("{} {} {} {:.1f} % ({})", i == 0 ? "" : ",", losses[i]->name, losses[i]->pass,
               100.0 * ratio(lost(losses[i]), step.cycles), losses[i]->bound_by);
  fmt::print("\n");
}

Roofline roofline_of(const Config& config, const StepCycles& step, const CyclesOptions& options) {
  Roofline roofline;
  const double array_size = Geometry(config).bit_products;
  roofline.title = fmt::format("{} on {}, batch {}", options.network, config.name, options.batch);
  roofline.peak_operations_per_cycle = array_size;
  roofline.bytes_per_cycle =
      options.memory.bytes_per_cycle > 0 ? options.memory.bytes_per_cycle : config.bus_bytes;
  for (const PassCycles& pass : step.passes) {
    const double operations = pass.ideal_cycles * array_size;
    // Reads and writes have a channel each: the busier one counts.
    const auto bytes = static_cast<double>(std::max(pass.read_bytes, pass.write_bytes));
    if (operations > 0 && bytes > 0 && pass.array_cycles > 0)
      roofline.points.push_back({pass.name, pass.pass, operations / bytes,
                                 operations / static_cast<double>(pass.array_cycles)});
  }
  return roofline;
}

}  // namespace

int run_cycles(const CommonOptions& common, const CyclesOptions& options) {
  if (!options.plot_path.empty()) require_plottable("--plot", options.plot_path);
  const Config config = Config::load(common.config_path);
  const std::vector<Program> programs = programs_of(config, options);
  std::vector<ProgramTiming> timings;
  {
    Progress progress("cycles", static_cast<int>(programs.size()));
    TimingModel timing(config, options.memory);
    for (const Program& program : programs) {
      Interrupt::check();
      timings.push_back(timing.run(program));
      progress.at(static_cast<int>(timings.size()));
    }
  }
  const StepCycles step = step_cycles(programs, timings, config);
  Json report = make_report(common, config);
  report["network"] = options.network;
  report["batch"] = options.batch;
  report["memory"] = {{"latency_cycles", options.memory.latency_cycles},
                      {"bytes_per_cycle", options.memory.bytes_per_cycle}};
  report["ideal_cycles"] = step.ideal_cycles;
  report["array_cycles"] = step.array_cycles;
  report["cycles"] = step.cycles;
  report["array_efficiency"] = ratio(step.ideal_cycles, step.array_cycles);
  report["utilisation"] = ratio(step.ideal_cycles, step.cycles);
  report["bytes_moved"] = step.bytes_moved;
  report["bytes_least"] = step.least_bytes;
  report["layers"] = Json::array();
  for (const PassCycles& pass : step.passes)
    report["layers"].push_back({{"name", pass.name},
                                {"pass", pass.pass},
                                {"ideal_cycles", pass.ideal_cycles},
                                {"array_cycles", pass.array_cycles},
                                {"utilisation", ratio(pass.ideal_cycles, pass.array_cycles)},
                                {"stream_cycles", pass.stream_cycles},
                                {"turner_cycles", pass.turner_cycles},
                                {"cycles", pass.cycles},
                                {"bytes_moved", pass.bytes()},
                                {"bytes_read", pass.read_bytes},
                                {"bytes_written", pass.write_bytes},
                                {"bytes_least", pass.least_bytes},
                                {"bound_by", pass.bound_by}});
  print_cycles(step);
  write_report(common, report);
  if (!options.plot_path.empty())
    plot_roofline(options.plot_path, roofline_of(config, step, options));
  return 0;
}

}  // namespace solfege
