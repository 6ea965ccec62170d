// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/step_energy.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "cost/eda/liberty_reader.hpp"
#include "cost/energy/energy_model.hpp"
#include "cost/energy/operation_energy.hpp"
#include "cost/energy/step_sampling.hpp"
#include "gen/generator.hpp"
#include "model/data/digits.hpp"
#include "model/data/network_file.hpp"
#include "model/timing/cycle_model.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

Config tiny() { return Config::load(SOLFEGE_SOURCE_DIR "/configs/tiny.toml"); }

StepSamples sampled(const std::string& name, int windows, std::uint64_t seed) {
  const Config config = tiny();
  SamplingOptions options;
  options.batch = 6;
  options.windows = windows;
  options.seed = seed;
  const Images images = make_digits(12, 1, 1).train;
  const Network network = load_network(name, config, images);
  return sample_step(config, network, images, options);
}

MeasuredWindow measured(const std::string& mode, double represents, double pj) {
  return {mode, "conv1", "forward", represents, 10, pj, 2 * pj, 1};
}

TEST_CASE("An action's energy is the mean of its windows by what they stand for") {
  UnitEnergy unit;
  unit.windows = {measured("product", 1, 2), measured("product", 3, 6), measured("row sum", 1, 9)};
  unit.windows.push_back(measured("product", 4, 1));
  unit.windows.back().layer = "conv2";
  const ActionEnergy e = unit.of("product", "conv1", "forward");
  CHECK(e.windows == 2);
  CHECK(e.zero_pj == Approx(5));
  CHECK(e.timed_pj == Approx(10));
  CHECK(e.clock_pj == Approx(1));
  // Two windows: weights 1/4 and 3/4, deviations -3 and 1, and a factor of 2 / (2 - 1)
  CHECK(e.zero_error_pj == Approx(std::sqrt(2 * (0.75 * 0.75 + 0.75 * 0.75))));
  CHECK(e.timed_error_pj == Approx(2 * e.zero_error_pj));
  CHECK(unit.of("product").zero_pj == Approx(3));
  CHECK(unit.of("").windows == 4);
  CHECK(unit.of("product", "conv3").windows == 0);
}

TEST_CASE("Windows are shared out in proportion to the work, each kind of it its own number") {
  const StepSamples step = sampled("tiny_cnn", 5, 1);
  const auto shares = share_windows(tiny(), step.programs, 5);
  std::map<std::string, int> windows;
  std::map<std::string, double> pairs, stood_for;
  for (std::size_t p = 0; p < step.programs.size(); ++p)
    for (std::size_t i = 0; i < step.programs[p].operations.size(); ++i) {
      const Operation& o = step.programs[p].operations[i];
      const Descriptor& d = o.descriptor;
      const WindowShare& share = shares[p][i];
      if (d.opcode != Opcode::kGemm) {
        if (d.opcode != Opcode::kStream) CHECK(share.windows == 0);
        continue;
      }
      const std::string kind = o.layer + o.pass + (d.drain ? " drained" : "");
      windows[kind] += share.windows;
      pairs[kind] += static_cast<double>(gemm_operations(d, tiny()));
      stood_for[kind] += share.windows * share.represents;
    }
  REQUIRE(windows.size() > 3);
  for (const auto& [kind, count] : windows) {
    CHECK(count == 4 * 5);
    CHECK(stood_for[kind] == Approx(pairs[kind]));
  }
}

TEST_CASE("The same seed samples the same windows, each in the state of its unit") {
  const auto hash = [](const StepSamples& step) {
    std::uint64_t sum = 0;
    for (const UnitWindow& w : step.windows)
      for (std::size_t t = 0; t < w.vectors.cycles(); ++t)
        for (std::size_t p = 0; p < w.vectors.ports().size(); ++p)
          sum = sum * 1000003 + w.vectors.get(t, p);
    return sum;
  };
  const StepSamples first = sampled("tiny_cnn", 3, 3);
  CHECK(hash(first) == hash(sampled("tiny_cnn", 3, 3)));
  CHECK(hash(first) != hash(sampled("tiny_cnn", 3, 4)));
  std::map<std::string, int> units;
  for (const UnitWindow& w : first.windows) {
    ++units[w.unit];
    CHECK(w.actions > 0);
    CHECK(w.vectors.cycles() > w.warm_up);
    CHECK_FALSE(w.layer.empty());
  }
  for (const char* unit : {"pe", "accumulate", "operand_register", "correction", "stream_lane"})
    CHECK(units[unit] > 5);
}

TEST_CASE("A step's price is the sum of its lines, and clocks run as gates let them", "[yosys]") {
  const Config config = tiny();
  const Scratch scratch;
  const std::string rtl = scratch.path("rtl"), cache = scratch.path("cache");
  generate(config, rtl);
  StepSamples step = sampled("tiny_cnn", 8, 1);
  const std::vector<std::string> some = {"pe", "operand_register", "correction"};
  const UnitEnergies units = measure_units(config, rtl, kDefaultLiberty, cache, step.windows, some);
  REQUIRE(units.size() == some.size());
  TimingModel timing(config, MemoryTiming{});
  std::vector<ProgramTiming> timings;
  double cycles = 0, operations = 0, flushes = 0, tiles = 0, beats = 0;
  for (const Program& program : step.programs) {
    timings.push_back(timing.run(program));
    cycles += static_cast<double>(timings.back().cycles);
    beats += static_cast<double>(program.host_bytes) / config.bus_bytes;
    for (const OperationTiming& o : timings.back().operations)
      beats += o.read_beats + o.write_beats;
    for (const Operation& o : program.operations)
      if (const Descriptor& d = o.descriptor; d.opcode == Opcode::kGemm) {
        operations += static_cast<double>(gemm_operations(d, config));
        flushes += static_cast<double>(gemm_flushes(d, config));
        if (d.drain)
          tiles += static_cast<double>(d.tile_y_count) * d.tile_x_count * d.column_groups;
      }
  }
  const MemoryTechnology memory("ihp130");
  const auto price = [&](const UnitEnergies& of, DelayModel delays) {
    return price_step(config, step.programs, timings, of, delays, memory);
  };
  const StepEnergy e = price(units, DelayModel::kZero);
  CHECK(e.cycles == cycles);
  CHECK(e.memory_node_nm == 130);
  double sum = 0, products = 0, acting = 0, beside = 0, gates = 0, registers = 0, dram = 0;
  double errors = 0;
  for (const StepEnergyLine& line : e.lines) {
    CHECK(line.total_pj >= 0);
    CHECK((line.windows > 0) == (line.kind == EnergyKind::kData));
    sum += line.total_pj;
    errors += line.error_pj * line.error_pj;
    if (line.unit == "pe" && line.action == "product") products += line.actions;
    if (line.unit == "pe" && line.kind == EnergyKind::kClock)
      (line.action == "active cycle" ? acting : beside) += line.actions;
    if (line.unit == "pe" && line.kind == EnergyKind::kIdleClock) gates += line.actions;
    if (line.unit == "operand_register" && line.kind == EnergyKind::kClock)
      registers += line.actions;
    if (line.kind == EnergyKind::kDram) dram += line.actions;
  }
  CHECK(sum == Approx(e.logic_pj() + e.memory_pj + e.dram_pj));
  CHECK(e.data_error_pj == Approx(std::sqrt(errors)));
  CHECK(e.data_error_pj < 0.2 * e.data_pj);
  CHECK(products == operations * config.rows * config.columns);
  // Every element in every operation and flush; for each tile a capture, and as many
  // shifts into a row as there are rows behind it
  const double elements = (config.rows + 1) * (config.columns + 1);
  CHECK(acting == operations * elements);
  CHECK(tiles > 0);
  CHECK(flushes > tiles);
  CHECK(beside == flushes * elements + tiles * (elements + config.rows * (config.rows - 1) / 2 *
                                                               (config.columns + 1)));
  CHECK(gates == 3 * (config.rows + 1) * cycles);
  CHECK(registers == operations * (config.planes * config.rows + config.columns + 2));
  CHECK(dram == beats);
  CHECK(e.dram_pj == Approx(beats * dram_energy(8 * config.bus_bytes, "LPDDR4").energy_pj));
  // Glitches only add
  CHECK(price(units, DelayModel::kTimed).data_pj > e.data_pj);
  // Units without windows are named, not guessed
  CHECK(std::any_of(e.notes.begin(), e.notes.end(), [](const std::string& note) {
    return note.find("stream_lane: no windows") == 0;
  }));
  // Memories of flip-flops are logic, and no less is accessed
  const auto accesses = [](const StepEnergy& of, bool logic) {
    double count = 0;
    for (const StepEnergyLine& line : of.lines)
      if ((line.action == "read" || line.action == "write") && line.kind != EnergyKind::kDram &&
          (line.kind == EnergyKind::kData) == logic)
        count += line.actions;
    return count;
  };
  const MemoryTechnology same_node("ihp130@180nm,1.8V");
  const StepEnergy macros =
      price_step(config, step.programs, timings, units, DelayModel::kZero, same_node);
  const StepEnergy flip_flops = price_step(config, step.programs, timings, units, DelayModel::kZero,
                                           MemoryPrices(same_node, kDefaultLiberty, cache));
  CHECK(accesses(macros, true) == 0);
  CHECK(accesses(flip_flops, true) > 0);
  CHECK(accesses(flip_flops, true) + accesses(flip_flops, false) == accesses(macros, false));
  CHECK(flip_flops.memory_pj < macros.memory_pj);
  CHECK(flip_flops.logic_pj() > macros.logic_pj());
  CHECK_THROWS_AS(price_step(config, step.programs, {}, units, DelayModel::kZero, memory),
                  std::invalid_argument);

  // Another sample of the same step agrees within the errors that both state ...
  const UnitEnergies others =
      measure_units(config, rtl, kDefaultLiberty, cache, sampled("tiny_cnn", 40, 1).windows, some);
  const StepEnergy again = price(others, DelayModel::kZero);
  CHECK(again.data_error_pj < 0.7 * e.data_error_pj);
  CHECK(std::abs(again.data_pj - e.data_pj) < 4 * std::hypot(e.data_error_pj, again.data_error_pj));
  // ... and, known bad, one of operands whose bits all change does not.
  for (UnitWindow& w : step.windows)
    if (w.unit == "pe") {
      Vectors busy = w.vectors;
      for (std::size_t t = 0; t < w.vectors.cycles(); ++t) {
        busy.step();
        for (std::size_t p = 0; p < w.vectors.ports().size(); ++p)
          for (int word = 0; 64 * word < w.vectors.ports()[p].width; ++word)
            busy.set(p, p < 2 && t % 2 == 1 ? ~std::uint64_t{0} : w.vectors.get(t, p, word), word);
      }
      w.warm_up += w.vectors.cycles();
      w.vectors = busy;
    }
  const StepEnergy wrong = price(
      measure_units(config, rtl, kDefaultLiberty, cache, step.windows, some), DelayModel::kZero);
  CHECK(std::abs(wrong.data_pj - e.data_pj) > 4 * std::hypot(e.data_error_pj, wrong.data_error_pj));
}

TEST_CASE("Operations without a window, or without a library, are left out", "[yosys]") {
  const Config config = tiny();
  const Scratch scratch;
  const std::string rtl = scratch.path("rtl"), cache = scratch.path("cache");
  generate(config, rtl);
  StepSamples step = sampled("tiny_mlp", 2, 1);
  CHECK(operation_energies(config, {}).empty());
  const UnitEnergies units = measure_units(config, rtl, kDefaultLiberty, cache, step.windows,
                                           {"pe", "operand_register", "reduce"});
  CHECK(units.count("reduce") == 0);  // its windows come from a lane's netlist
  std::map<std::string, int> rows;
  for (const OperationEnergy& row : operation_energies(config, {units, units})) {
    ++rows[row.unit];
    CHECK(row.netlists.size() == 2);
  }
  CHECK(rows == std::map<std::string, int>{{"pe", 1}, {"operand_register", 1}, {kMacUnit, 3}});
}

}  // namespace
}  // namespace solfege
