// SPDX-License-Identifier: Apache-2.0
// The commands about a design rather than a training run: generate, verify, cycles, energy, synth.
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "gen/generator.hpp"
#include "model/accelerator_engine.hpp"
#include "model/cycle_model.hpp"
#include "model/dataset.hpp"
#include "model/error.hpp"
#include "sim/verify.hpp"

namespace solfege {
namespace {

/// The programs of one training step of a network on a configuration.
std::vector<Program> programs_of(const Config& config, const StepOptions& options) {
  const Dataset data = options.data.empty() ? make_digits(1, 1, 1) : load_dataset(options.data);
  const Network network = load_network(options.network, config, data.train.height, data.train.width,
                                       data.train.channels, data.train.classes);
  AcceleratorEngine engine(config, network, options.batch, 1, [&](std::size_t bytes) { return std::make_unique<GoldenOnly>(config, bytes); });
  return engine.step_programs();
}

}  // namespace

int run_generate(const CommonOptions& common, const std::string& directory) {
  const Config config = Config::load(common.config_path);
  generate(config, directory);
  const auto files = generate_files(config);
  fmt::print("{} files in {}, configuration {} ({})\n", files.size(), directory, config.name, config.hash());
  Json report = make_report(common, config);
  report["directory"] = directory;
  for (const auto& [name, text] : files) report["files"].push_back(name);
  write_report(common, report);
  return 0;
}

int run_verify(const CommonOptions& common, VerifyOptions options) {
  const Config config = Config::load(common.config_path);
  if (options.seed == 0)
    options.seed = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) & 0xffffffffu;
  fmt::print("verify {}: {} cases, seed {}\n", config.name, options.cases, options.seed);
  std::fflush(stdout);
  VerifyResult result;
  {
    Progress progress("verify", options.cases);
    result = verify(config, options.cases, options.seed, options.first_case, options.simulation.rtl(),
                    [&](int done) { progress.at(done); });
  }
  for (const std::string& failure : result.failures) fmt::print("{}\n", failure);
  fmt::print("{} cases, {} mismatched, {} descriptors' cycles apart, {} bits compared, {} cycles stalled\n",
             result.cases, result.mismatched_cases, result.cycles_apart, result.compared_bits, result.stall_cycles);
  if (result.mismatched_cases > 0)
    fmt::print("replay: solfege verify {} --seed {} --cases 1 --first-case N\n", common.config_path, result.seed);
  Json report = make_report(common, config);
  report["cases"] = result.cases;
  report["mismatched_cases"] = result.mismatched_cases;
  report["cycles_apart"] = result.cycles_apart;
  report["compared_bits"] = result.compared_bits;
  report["seed"] = result.seed;
  write_report(common, report);
  return result.mismatched_cases == 0 && result.cycles_apart == 0 ? 0 : 1;
}

int run_cycles(const CommonOptions& common, const StepOptions& options) {
  const Config config = Config::load(common.config_path);
  const StepCycles step = step_cycles(programs_of(config, options), config);
  Json report = make_report(common, config);
  report["network"] = options.network;
  report["batch"] = options.batch;
  report["ideal_cycles"] = step.ideal_cycles;
  report["array_cycles"] = step.array_cycles;
  report["cycles"] = step.cycles;
  report["array_efficiency"] = step.ideal_cycles / static_cast<double>(step.array_cycles);
  report["utilisation"] = step.ideal_cycles / static_cast<double>(step.cycles);
  report["bytes_moved"] = step.bytes_moved;
  report["layers"] = Json::array();
  fmt::print("{:<8} {:<18} {:>12} {:>12} {:>12} {:>12}  bound by\n", "layer", "pass", "ideal", "array", "step", "bytes");
  for (const PassCycles& pass : step.passes) {
    fmt::print("{:<8} {:<18} {:>12.0f} {:>12} {:>12} {:>12}  {}\n", pass.name, pass.pass, pass.ideal_cycles,
               pass.array_cycles, pass.cycles, pass.bytes, pass.bound_by);
    report["layers"].push_back({{"name", pass.name}, {"pass", pass.pass}, {"ideal_cycles", pass.ideal_cycles},
                                {"array_cycles", pass.array_cycles}, {"cycles", pass.cycles},
                                {"bytes_moved", pass.bytes}, {"bound_by", pass.bound_by}});
  }
  fmt::print("{:<27} {:>12.0f} {:>12} {:>12} {:>12}\n", "step", step.ideal_cycles, step.array_cycles, step.cycles, step.bytes_moved);
  fmt::print("array efficiency {:.3f} (ideal / array), utilisation {:.3f} (ideal / step)\n",
             step.ideal_cycles / static_cast<double>(step.array_cycles), step.ideal_cycles / static_cast<double>(step.cycles));
  write_report(common, report);
  return 0;
}

int run_energy(const CommonOptions&, const StepOptions&) { throw InputError("energy: not yet"); }
int run_synth(const CommonOptions&, const std::string&) { throw InputError("synth: not yet"); }

}  // namespace solfege
