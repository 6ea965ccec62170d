// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/step_energy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <tuple>

#include "cost/energy/energy_model.hpp"
#include "cost/energy/stream_trace.hpp"
#include "cost/energy/units.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/pipeline.hpp"
#include "model/spec/stream_nest.hpp"
#include "model/timing/cycle_model.hpp"

namespace solfege {
namespace {

constexpr double kPicojouleOfNanowattNanosecond = 1e-6;

/// Steps whose values leave: the last visits of pooling windows and of sums over samples.
std::uint64_t stream_results(const Descriptor& d) {
  std::uint64_t results = d.steps();
  if (d.pool_enable) results /= std::uint64_t{d.count1} * d.count2;
  if (d.accumulate_enable) results = d.accumulate_last ? results / d.count4 : 0;
  return results;
}

class Pricer {
 public:
  Pricer(const Config& config, const UnitEnergies& units, DelayModel delays,
         const MemoryPrices& memory, const PricingOptions& options)
      : c_(config),
        geometry_(config),
        shape_(config),
        units_(units),
        timed_(delays == DelayModel::kTimed),
        memory_(memory),
        options_(options) {}

  void operation(const Operation& operation, const OperationTiming& timing) {
    layer_ = operation.layer;
    pass_ = operation.pass;
    const Descriptor& d = operation.descriptor;
    switch (d.opcode) {
      case Opcode::kLoad:
        load(d);
        break;
      case Opcode::kGemm:
        gemm(d);
        break;
      case Opcode::kStream:
        stream(d);
        break;
      default:
        break;
    }
    const int bits = geometry_.beat_bits;
    const double beat = dram_energy(bits, options_.dram).energy_pj;
    line("DRAM", "read beat", EnergyKind::kDram, timing.read_beats, timing.read_beats * beat);
    line("DRAM", "write beat", EnergyKind::kDram, timing.write_beats, timing.write_beats * beat);
  }

  /// Images that the host writes.
  void images(std::uint64_t bytes) {
    layer_ = "images";
    pass_ = "from the host";
    const int bits = geometry_.beat_bits;
    const double beats = 8.0 * static_cast<double>(bytes) / bits;
    line("DRAM", "write beat", EnergyKind::kDram, beats,
         beats * dram_energy(bits, options_.dram).energy_pj);
  }

  StepEnergy finish(double cycles) {
    layer_.clear();
    pass_.clear();
    StepEnergy e;
    e.cycles = cycles;
    e.cycle_ns = options_.cycle_ns;
    for (const auto& [unit, machine] : machine_units(c_)) {
      const UnitEnergy* energy = find(unit);
      if (energy == nullptr) continue;
      const double count = machine.count;
      if (machine.clock_gates > 0) {
        const double gates = machine.clock_gates * cycles;
        line(unit, "clock gate", EnergyKind::kIdleClock, gates, gates * gate_clock(*energy));
      } else {
        const double idle = count * cycles - clocked_[unit];
        line(unit, "idle cycle", EnergyKind::kIdleClock, idle, idle * energy->idle_clock_pj);
      }
      const double leakage =
          energy->leakage_nw * count * cycles * options_.cycle_ns * kPicojouleOfNanowattNanosecond;
      line(unit, "leakage", EnergyKind::kLeakage, count * cycles, leakage);
    }
    for (StepEnergyLine& l : lines_) {
      // The actions of a line share its windows, so data_line() has added their errors up; lines
      // have windows of their own, so that here the squares of the errors add up.
      e.data_error_pj = std::hypot(e.data_error_pj, l.error_pj);
      double* const sums[] = {&e.data_pj,    &e.clock_pj,  &e.idle_clock_pj,
                              &e.leakage_pj, &e.memory_pj, &e.dram_pj};
      *sums[static_cast<int>(l.kind)] += l.total_pj;
    }
    e.lines = lines_;
    for (const std::string& key : missing_)
      e.notes.push_back(fmt::format("{}: no operands were sampled, priced without data", key));
    for (const std::string& unit : unmeasured_)
      e.notes.push_back(fmt::format("{}: no windows, not priced", unit));
    return e;
  }

  std::string library() const { return units_.empty() ? "" : units_.begin()->second.library; }

 private:
  const UnitEnergy* find(const std::string& unit) {
    const auto found = units_.find(unit);
    if (found != units_.end()) return &found->second;
    unmeasured_.insert(unit);
    return nullptr;
  }

  /// What an action costs in this layer's pass, or else in any.
  const ActionEnergy& action(const std::string& name, const UnitEnergy& unit,
                             const std::string& mode) {
    const auto [place, fresh] =
        actions_.try_emplace(std::make_tuple(name, mode, layer_, pass_), ActionEnergy{});
    ActionEnergy& energy = place->second;
    if (fresh) {
      energy = unit.of(mode, layer_, pass_);
      if (energy.windows == 0) energy = unit.of(mode);
      if (energy.windows == 0) missing_.insert(name + "/" + mode);
    }
    return energy;
  }

  /// A gate's own clock pins: a latch and an AND, taken as two flip-flops of the unit.
  static double gate_clock(const UnitEnergy& unit) { return 2 * unit.flip_flop_clock_pj; }
  /// Without windows all flip-flops count, as if every gate in the unit were open.
  static double active_clock(const UnitEnergy& unit, const ActionEnergy& energy) {
    return energy.windows > 0 ? energy.clock_pj
                              : static_cast<double>(unit.flip_flops) * unit.flip_flop_clock_pj;
  }

  void line(const std::string& unit, const std::string& action, EnergyKind kind, double actions,
            double pj) {
    if (actions == 0) return;
    const auto key = std::make_tuple(layer_, pass_, unit, action, kind);
    const auto [place, fresh] = index_.emplace(key, lines_.size());
    if (fresh) lines_.push_back({layer_, pass_, unit, action, kind, 0, 0});
    lines_[place->second].actions += actions;
    lines_[place->second].total_pj += pj;
  }
  /// Data of `actions`, as the windows of their kind have it.
  void data_line(const std::string& unit, const std::string& name, double actions,
                 const ActionEnergy& energy) {
    if (actions == 0) return;
    line(unit, name, EnergyKind::kData, actions,
         actions * (timed_ ? energy.timed_pj : energy.zero_pj));
    StepEnergyLine& at =
        lines_[index_.at(std::make_tuple(layer_, pass_, unit, name, EnergyKind::kData))];
    at.windows = energy.windows;
    at.error_pj += actions * (timed_ ? energy.timed_error_pj : energy.zero_error_pj);
  }

  /// The part of an element's clock that a high sum has, or a drain register: with gates of their
  /// own.
  double wide_share() {
    const UnitEnergy* unit = find("pe");
    return unit == nullptr ? 0 : c_.accumulator_bits / static_cast<double>(unit->flip_flops);
  }

  /// `actions` of a unit in one of its modes, of which each takes a cycle of a share of the unit's
  /// clock.
  void act(const std::string& name, const std::string& mode, double actions,
           double clock_share = 1) {
    const UnitEnergy* unit = find(name);
    if (unit == nullptr || actions == 0) return;
    const ActionEnergy& energy = action(name, *unit, mode);
    data_line(name, mode, actions, energy);
    line(name, "active cycle", EnergyKind::kClock, actions,
         actions * clock_share * active_clock(*unit, energy));
    clocked_[name] += actions;
  }

  /// Cycles in which a share of a unit's clock runs beside its actions.
  void clock_only(const std::string& name, double cycles, double clock_share = 1) {
    const UnitEnergy* unit = find(name);
    if (unit == nullptr || cycles <= 0) return;
    line(name, "clocked beside", EnergyKind::kClock, cycles,
         cycles * clock_share * unit->idle_clock_pj);
    clocked_[name] += cycles;
  }

  /// Cycles in which a pass of the stream unit has lanes advance beside its steps: the gates in
  /// the lanes are open as in these.
  void drain_lanes(const std::string& mode, double cycles) {
    const UnitEnergy* unit = find("stream_lane");
    if (unit == nullptr) return;
    line("stream_lane", "clocked beside", EnergyKind::kClock, cycles,
         cycles * active_clock(*unit, action("stream_lane", *unit, mode)));
    clocked_["stream_lane"] += cycles;
  }

  void access(const std::string& unit, bool write, long long depth, int bits, double count) {
    if (count == 0) return;
    const MemoryFigure& figure = memory_.memory(depth, bits);
    const std::string action = write ? "write" : "read";
    const double pj = count * (write ? figure.write_pj : figure.read_pj);
    if (!figure.flip_flops) {
      line(unit, action, EnergyKind::kMemory, count, pj);
      return;
    }
    line(unit, action, EnergyKind::kData, count, pj);
    lines_[index_.at(std::make_tuple(layer_, pass_, unit, action, EnergyKind::kData))].windows = 1;
  }

  /// An operand buffer is banks of words, or of a bus beat each where a word is wider.
  void buffer(const std::string& unit, bool write, const Geometry::Side& side, double words) {
    const int part = std::min(side.word_bits, geometry_.beat_bits);
    access(unit, write, side.bank_depth, part, words * side.word_bits / part);
  }

  void load(const Descriptor& d) {
    if (d.load_to_columns)
      buffer("column buffer", true, geometry_.columns, d.load_words);
    else
      buffer("row buffer", true, geometry_.rows, d.load_words);
  }

  void gemm(const Descriptor& d) {
    const auto operations = static_cast<double>(gemm_operations(d, c_));
    const auto row_words = static_cast<double>(gemm_row_words(d, c_));
    const double elements = machine_units(c_).at("pe").count, wide = wide_share();
    act("pe", "product", operations * c_.rows * c_.columns, 1 - 2 * wide);
    act("pe", "row sum", operations * c_.rows, 1 - 2 * wide);
    act("pe", "column sum", operations * c_.columns, 1 - 2 * wide);
    act("pe", "lane count", operations, 1 - 2 * wide);
    clock_only("pe", static_cast<double>(gemm_flushes(d, c_)) * elements, wide);
    act("operand_register", "row", row_words * c_.rows);
    act("operand_register", "column", operations * c_.columns);
    // The masks, and planes that a group has not
    clock_only("operand_register", operations * 2 + (operations * c_.planes - row_words) * c_.rows);
    if (d.drain) {
      const double tiles = static_cast<double>(d.tile_y_count) * d.tile_x_count * d.column_groups;
      act("correction", "", tiles * c_.rows * c_.columns);
      // The sums' capture, and the shifts that drain it: Rows - 1 - r into row r
      const double shifts = c_.rows * (c_.rows - 1) / 2.0 * (c_.columns + 1);
      clock_only("pe", tiles * (elements + shifts), wide);
    }
    buffer("row buffer", false, geometry_.rows, row_words);
    buffer("column buffer", false, geometry_.columns, operations);
  }

  void stream(const Descriptor& d) {
    const auto steps = static_cast<double>(d.steps());
    const auto results = static_cast<double>(stream_results(d));
    const double lanes = c_.stream_lanes;
    act("stream_lane", stream_mode(d), steps * lanes);
    drain_lanes(stream_mode(d), kLaneStages * lanes);  // until the last step has left
    if ((d.pack_enable && d.stochastic()) || d.drop_enable || d.grid_enable)
      act("random_shared", "", results);
    if (d.max_enable || d.sum_enable) reduce(d, results * lanes, steps * lanes);

    // Memories of the lanes
    const auto used = d.channel_tables();
    const auto tables = static_cast<double>(std::count(used.begin(), used.end(), true));
    if (d.z_enable && keeps_z(d, c_.stream_lanes)) {
      const int bits = 32 * c_.stream_lanes;
      const long long kept = kRepeatedElements / static_cast<unsigned>(c_.stream_lanes);
      access("repeated chunks", true, kept, bits, steps / d.count1);
      access("repeated chunks", false, kept, bits, steps - steps / d.count1);
    }
    access("channel tables", false, shape_.table_rows, 32,
           tables * static_cast<double>(chunk_changes(d, c_.stream_lanes)) * lanes);
    if (d.fills_table() && d.table != Table::kSample)
      access(d.table == Table::kThreshold ? "thresholds" : "channel tables", true,
             shape_.table_rows, 32, results * lanes);
    if (d.accumulate_enable)
      for (const bool write : {false, true})
        access("sums over samples", write, shape_.positions, shape_.sum_bits, steps * lanes);
    if (d.pool_enable)
      for (const bool write : {false, true})
        access("pooling states", write, shape_.places, 40, steps * lanes);
    if (d.pack_enable && traits(d.quantizer).compares)
      for (int level = 0; level < static_cast<int>(d.quantizer_bits); ++level)
        access("thresholds", false,
               static_cast<long long>(level < shape_.threshold_bits ? shape_.threshold_rows : 1)
                   << level,
               32,
               // The root only where the row changes
               (level > 0                 ? steps
                : d.threshold_per_channel ? static_cast<double>(chunk_changes(d, c_.stream_lanes))
                                          : 1) *
                   lanes);
    if (d.scale_x_source == Scalar::kSample || (d.pack_enable && d.stochastic()))
      access("sample scales", false, geometry_.sample_rows, 32 * c_.stream_lanes,
             static_cast<double>(sample_row_changes(d, c_.stream_lanes)));
  }

  /// Times that the row of the sums changes, while no result is late.
  double reduced_rows(const Descriptor& d) const {
    return static_cast<double>(d.sum_per_channel  ? chunk_changes(d, c_.stream_lanes)
                               : d.sum_per_sample ? d.steps()
                                                  : 1);
  }

  /// All steps pass the reductions' inputs; results are taken and summed.
  void reduce(const Descriptor& d, double results, double steps) {
    if (const UnitEnergy* unit = find("reduce")) {
      const ActionEnergy& energy = action("reduce", *unit, reduce_mode(d));
      data_line("reduce", "element", steps, energy);
      line("reduce", "active cycle", EnergyKind::kClock, results,
           results * active_clock(*unit, energy));
    }
    for (const bool write : {false, true}) {
      if (d.max_enable) access("reductions", write, c_.max_batch, 32, results / c_.stream_lanes);
      if (d.sum_enable)
        access("reductions", write, shape_.table_rows, 64 * c_.stream_lanes,
               std::min(results / c_.stream_lanes, reduced_rows(d)) * (d.sums_twice() ? 2 : 1));
    }
  }

  const Config& c_;
  const Geometry geometry_;
  const LaneShape shape_;
  const UnitEnergies& units_;
  const bool timed_;
  const MemoryPrices& memory_;
  const PricingOptions& options_;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, ActionEnergy> actions_;
  std::string layer_, pass_;
  std::vector<StepEnergyLine> lines_;
  std::map<std::tuple<std::string, std::string, std::string, std::string, EnergyKind>, std::size_t>
      index_;
  std::map<std::string, double> clocked_;  ///< cycles that actions have paid
  std::set<std::string> missing_, unmeasured_;
};

}  // namespace

StepEnergy price_step(const Config& config, const std::vector<Program>& programs,
                      const std::vector<ProgramTiming>& timings, const UnitEnergies& units,
                      DelayModel delays, const MemoryPrices& memory,
                      const PricingOptions& options) {
  if (timings.size() != programs.size())
    throw std::invalid_argument("a timing for each program of the step is needed");
  Pricer pricer(config, units, delays, memory, options);
  double cycles = 0;
  for (std::size_t p = 0; p < programs.size(); ++p) {
    cycles += static_cast<double>(timings[p].cycles);
    pricer.images(programs[p].host_bytes);
    const auto& operations = programs[p].operations;
    for (std::size_t i = 0; i < operations.size(); ++i)
      pricer.operation(operations[i], timings[p].operations.at(i));
  }
  StepEnergy energy = pricer.finish(cycles);
  energy.library = pricer.library();
  energy.memory = memory.name();
  energy.memory_node_nm = memory.node_nm();
  energy.dram = options.dram;
  energy.notes.push_back(
      "not priced: control, address generators, memory interfaces, descriptors, packing and "
      "turning of planes, the maximum over the lanes, leakage of memories, wires");
  energy.notes.push_back(
      "memories are macros, or flip-flops where these are smaller and of the same node, which "
      "count "
      "as logic; macros smaller than the smallest point of their source are priced as that point: "
      "an upper bound");
  return energy;
}

}  // namespace solfege
