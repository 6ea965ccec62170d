// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/energy_fit.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "cost/eda/liberty_reader.hpp"
#include "cost/energy/energy_model.hpp"
#include "cost/energy/step_energy.hpp"
#include "cost/energy/unit_features.hpp"
#include "cost/energy/units.hpp"
#include "gen/generator.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/digits.hpp"
#include "model/data/network_file.hpp"
#include "model/timing/cycle_model.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

Config tiny() { return Config::load(SOLFEGE_SOURCE_DIR "/configs/tiny.toml"); }

MeasuredWindow measured(const std::vector<double>& features, double data_pj) {
  MeasuredWindow m;
  m.features = features;
  m.data_pj = data_pj;
  m.clock_pj = 2;
  m.cycles = m.actions = 10;
  return m;
}

TEST_CASE("A fit finds the energies that made its windows, none negative") {
  SplitMix64 random(1);
  std::vector<MeasuredWindow> windows;
  const std::size_t count = feature_names("operand_register").size();
  std::vector<double> truth(count, 0);
  truth[0] = 0.5;
  truth[2] = 0.3;
  truth[4] = 1.7;
  for (int i = 0; i < 100; ++i) {
    std::vector<double> f(count);
    double pj = 0;
    for (std::size_t k = 0; k < count; ++k) {
      f[k] = k == 0 ? 1 : 4 * random.uniform();
      pj += truth[k] * f[k];
    }
    windows.push_back(measured(f, pj));
    // A clock pin that takes more with a register that changes, less with one that holds a 1
    windows.back().clock_pj = 2 + 0.1 * f[count - 2] - 0.05 * f[count - 1];
  }
  const UnitModel model = fit("operand_register", "none", DelayModel::kZero, windows);
  for (std::size_t k = 0; k < count; ++k)
    CHECK(model.coefficients[k] == Approx(truth[k]).margin(1e-6));
  CHECK(model.fit.total < 1e-9);
  CHECK(model.clock_change_pj == Approx(0.1));
  CHECK(model.clock_one_pj == Approx(-0.05));
  CHECK(model.clock_of(windows[3].features) == Approx(windows[3].clock_pj));
  CHECK(model.idle_clock_pj() == Approx(2 - 0.05 * model.mean_ones));

  // Known bad: energies that the features do not explain leave an error, and are not explained away
  // by negative energies.
  for (MeasuredWindow& w : windows) w.data_pj = 5 - w.features[4] + random.uniform();
  const UnitModel wrong = fit("operand_register", "none", DelayModel::kZero, windows);
  CHECK(wrong.fit.rms > 0.1);
  for (const double c : wrong.coefficients) CHECK(c >= 0);
  CHECK_THROWS_AS(fit("operand_register", "none", DelayModel::kZero, {}), std::invalid_argument);
}

TEST_CASE("Errors are of totals: windows may balance, their spread is reported") {
  UnitModel model;
  model.unit = "operand_register";
  model.coefficients = {1};
  model.clock_pj = 2;
  const FitError e = error_of(model, {measured({1}, 2), measured({1}, 1)});
  CHECK(e.windows == 2);
  CHECK(e.simulated_pj == Approx(70));
  CHECK(e.predicted_pj == Approx(60));
  CHECK(e.total == Approx(1.0 / 7));
  CHECK(e.data == Approx(1.0 / 3));
  CHECK(e.rms == Approx(std::sqrt((0.25 * 0.25 + 0) / 2)));
}

TEST_CASE("Features of a popcount are the toggles of its adders") {
  const Config config = tiny();
  const auto names = feature_names("and_popcount");
  auto index = [&](const std::string& name) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  UnitWindow window{"and_popcount", "", Vectors(cost_unit("and_popcount", config, "").inputs), 1,
                    4};
  for (const std::uint64_t a : {0x0000, 0xffff, 0xffff, 0x0000, 0x0001}) {
    window.vectors.step();
    window.vectors.set(0, a);
    window.vectors.set(1, 0xfff1);
  }
  const auto f = window_features(config, window);
  CHECK(f[index("cycle")] == 1);
  CHECK(f[index("a")] == Approx((16 + 0 + 16 + 1) / 4.0));
  CHECK(f[index("b")] == 0);
  CHECK(f[index("product")] == Approx((13 + 0 + 13 + 1) / 4.0));
  // 0 -> 13 = 0b01101 ones -> 0 -> 1: the last height holds the increment by the 16th lane, with a
  // sum and a carry each bit; sums 01101 and 00001 change at its outputs.
  CHECK(f[index("adders 5")] == 0);
  CHECK(f[index("adders 4")] >= (3 + 3 + 1) / 4.0);
}

/// Windows of a step of a network, by unit.
std::map<std::string, std::vector<UnitWindow>> windows_of(const Config& config,
                                                          const std::string& name,
                                                          std::uint64_t seed) {
  SamplingOptions options;
  options.batch = 8;
  options.seed = seed;
  options.trace.windows = 1;
  const Images images = make_digits(16, 1, seed).train;
  const Network network =
      load_network(name, config, images.height, images.width, images.channels, images.classes);
  std::map<std::string, std::vector<UnitWindow>> windows;
  sample_step(config, network, images, options, {},
              [&](const UnitWindow& w) { windows[w.unit].push_back(w); });
  return windows;
}

TEST_CASE("Array units: fitted on one network, right on another, zero-delay and timed", "[yosys]") {
  const Config config = tiny();
  const Scratch scratch;
  generate(config, scratch.path("rtl"));
  CharacterisationOptions options;
  options.cache_directory = scratch.path("cache");
  options.synthetic_windows = 300;
  options.tensor_windows = 150;
  options.units = {"and_popcount", "pe", "operand_register", "correction", "random_shared"};
  for (const DelayModel delays : {DelayModel::kZero, DelayModel::kTimed}) {
    options.delays = delays;
    const UnitModels models = characterise_units(config, scratch.path("rtl"), options);
    REQUIRE(models.size() == options.units.size());
    for (const auto& [unit, model] : models) {
      INFO(unit << (delays == DelayModel::kTimed ? ", timed" : ", zero-delay")
                << ": held-out total " << model.held_out.total << ", data " << model.held_out.data);
      CHECK(model.held_out.windows >= 3);
      CHECK(model.held_out.simulated_pj > 0);
      CHECK(model.held_out.total < 0.05);
      CHECK(model.fit.total < 0.05);
    }
    CHECK(models.at("and_popcount").clock_pj == 0);
    CHECK(models.at("pe").clock_pj > 1);
  }
  // Kept: a second time nothing is simulated
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path("cache")))
    files += std::filesystem::exists(entry.path() / "model.json");
  CHECK(files == 2 * options.units.size());
  int simulated = 0;
  characterise_units(config, scratch.path("rtl"), options, [&](const std::string& what, double) {
    simulated += what.find("gate simulation") != std::string::npos;
  });
  CHECK(simulated == 0);

  // Known bad: a model fitted on a unit with wrong operands misses the other network
  const LibertyLibrary library = read_liberty(kDefaultLiberty);
  const MappedUnit mapped = map_unit(cost_unit("pe", config, scratch.path("rtl")).design,
                                     kDefaultLiberty, scratch.path("cache"));
  auto held_out =
      measure(config, mapped, library, DelayModel::kZero, windows_of(config, "tiny_cnn", 9)["pe"]);
  auto wrong = held_out;
  for (std::size_t i = 0; i < wrong.size(); ++i)
    wrong[i].features = held_out[(i + 1) % wrong.size()].features;
  const UnitModel model = fit("pe", library.name, DelayModel::kZero, held_out);
  CHECK(error_of(model, wrong).rms > 4 * error_of(model, held_out).rms);
}

TEST_CASE("The netlist of a lane's quantizer does what the lane's model does", "[yosys]") {
  const Config config = tiny();
  const Scratch scratch;
  generate(config, scratch.path("rtl"));
  const LibertyLibrary library = read_liberty(kDefaultLiberty);
  const CostUnit unit = cost_unit("threshold", config, scratch.path("rtl"));
  const MappedUnit mapped = map_unit(unit.design, kDefaultLiberty, scratch.path("cache"));
  GateSimulation simulation(mapped.netlist, library, unit.design.clock);
  std::vector<UnitWindow> windows = synthetic_windows(config, "threshold", 10, 2);
  const auto traced = windows_of(config, "tiny_mlp", 3).at("threshold");
  windows.insert(windows.end(), traced.begin(), traced.end());
  REQUIRE(windows.size() > 10);
  int codes = 0;
  for (const UnitWindow& window : windows) {
    const GateRun run = simulation.run(window.vectors, DelayModel::kZero);
    StreamLane lane(config);
    const std::size_t y = run.outputs.port("y_o"), code = run.outputs.port("code_o");
    std::size_t wrong = 0;
    for (std::size_t t = 0; t < window.vectors.cycles(); ++t) {
      lane.clock(quantizer_inputs("threshold", window.vectors, t));
      if (t < window.warm_up) continue;
      wrong += run.outputs.get(t, y) != lane.y();
      wrong += run.outputs.get(t, code) != lane.code();
      codes += lane.code() != 0;
    }
    CHECK(wrong == 0);
  }
  CHECK(codes > 50);
}

TEST_CASE("A step's price is the sum of its lines, and clocks run as gates let them", "[yosys]") {
  const Config config = tiny();
  const Scratch scratch;
  generate(config, scratch.path("rtl"));
  CharacterisationOptions options;
  options.cache_directory = scratch.path("cache");
  options.synthetic_windows = 100;
  options.tensor_windows = 50;
  options.units = {"pe", "operand_register", "correction"};
  const UnitModels models = characterise_units(config, scratch.path("rtl"), options);
  SamplingOptions sampling;
  sampling.batch = 6;
  sampling.trace.windows = 1;
  const Images images = make_digits(12, 1, 1).train;
  const Network network = load_network("tiny_cnn", config, images.height, images.width,
                                       images.channels, images.classes);
  const StepSamples step = sample_step(config, network, images, sampling);
  TimingModel timing(config, MemoryTiming{});
  std::vector<ProgramTiming> timings;
  double cycles = 0, operations = 0, tiles = 0, beats = 0;
  for (const Program& program : step.programs) {
    timings.push_back(timing.run(program));
    cycles += static_cast<double>(timings.back().cycles);
    for (const OperationTiming& o : timings.back().operations)
      beats += o.read_beats + o.write_beats;
    for (const Operation& o : program.operations)
      if (const Descriptor& d = o.descriptor; d.opcode == Opcode::kGemm) {
        operations += static_cast<double>(gemm_operations(d));
        if (d.drain)
          tiles += static_cast<double>(d.tile_y_count) * d.tile_x_count * d.column_groups;
      }
  }
  const MemoryTechnology memory("ihp130");
  const StepEnergy e = price_step(config, step, timings, models, memory);
  CHECK(e.cycles == cycles);
  CHECK(e.memory_node_nm == 130);
  double sum = 0, products = 0, acting = 0, beside = 0, gates = 0, registers = 0, dram = 0;
  for (const StepEnergyLine& line : e.lines) {
    CHECK(line.total_pj >= 0);
    sum += line.total_pj;
    if (line.unit == "pe" && line.action == "product") products += line.actions;
    if (line.unit == "pe" && line.kind == EnergyKind::kClock)
      (line.action == "active cycle" ? acting : beside) += line.actions;
    if (line.unit == "pe" && line.kind == EnergyKind::kIdleClock) gates += line.actions;
    if (line.unit == "operand_register" && line.kind == EnergyKind::kClock)
      registers += line.actions;
    if (line.kind == EnergyKind::kDram) dram += line.actions;
  }
  CHECK(sum == Approx(e.logic_pj() + e.memory_pj + e.dram_pj));
  CHECK(products == operations * config.rows * config.columns);
  // Every element in every operation; for each tile a cycle more, a capture, and a shift a row
  const double elements = (config.rows + 1) * (config.columns + 1);
  CHECK(acting == operations * elements);
  CHECK(tiles > 0);
  CHECK(beside == tiles * elements * (1 + 1 + config.rows));
  CHECK(gates == 2 * (config.rows + 1) * cycles);
  CHECK(registers == operations * (config.rows + config.columns + 1));
  CHECK(dram == beats);
  CHECK(e.dram_pj == Approx(beats * dram_energy(8 * config.bus_bytes, "LPDDR4").energy_pj));
  // Units without a model are named, not guessed
  CHECK(std::any_of(e.notes.begin(), e.notes.end(), [](const std::string& note) {
    return note.find("stream_lane: no model") == 0;
  }));
  CHECK_THROWS_AS(price_step(config, step, {}, models, memory), std::invalid_argument);

  // More switching costs more: the same step with every operand bit changing twice as often
  StepSamples busier = step;
  for (auto& program : busier.samples)
    for (auto& samples : program)
      for (auto& [key, sample] : samples)
        for (std::size_t i = 1; i < sample.features.size(); ++i) sample.features[i] *= 2;
  const StepEnergy more = price_step(config, busier, timings, models, memory);
  CHECK(more.data_pj > 1.7 * e.data_pj);
  CHECK(more.data_pj <= Approx(2 * e.data_pj));
  CHECK(more.clock_pj == Approx(e.clock_pj));
}

}  // namespace
}  // namespace solfege
