// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>

#include "cost/compare/comparison.hpp"
#include "cost/compare/serial_drive.hpp"
#include "cost/eda/liberty_reader.hpp"
#include "cost/energy/units.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "model/spec/geometry.hpp"

namespace solfege {
namespace {

/// A mapped unit and its simulation.
struct Unit {
  MappedUnit mapped;
  std::unique_ptr<GateSimulation> simulation;
};

class Measurement {
 public:
  Measurement(const std::string& liberty, const std::string& cache,
              const ComparisonOptions& options, const ComparisonProgress& progress, int total)
      : liberty_(liberty.empty() ? kDefaultLiberty : liberty),
        cache_(cache),
        options_(options),
        progress_(progress),
        total_(total),
        library_(read_liberty(liberty_)) {
    values_ =
        options.values.activations.empty() ? gaussian_values(20000, options.seed) : options.values;
    node_nm_ = options.node_nm != 0 ? options.node_nm : library_node_nm(library_.name);
  }

  const LibertyLibrary& library() const { return library_; }
  const std::string& liberty() const { return liberty_; }
  const TrainingValues& values() const { return values_; }
  const std::string& yosys() const { return yosys_; }
  const std::vector<std::string>& notes() const { return notes_; }
  int node_nm() const { return node_nm_; }

  void begin(const std::string& what) {
    if (progress_) progress_(what, done_++, total_);
  }

  Unit& unit(const UnitDesign& design) {
    auto& slot = units_[design.name];
    if (slot == nullptr) {
      slot = std::make_unique<Unit>();
      slot->mapped = map_unit(design, liberty_, cache_);
      slot->simulation =
          std::make_unique<GateSimulation>(slot->mapped.netlist, library_, design.clock);
      yosys_ = slot->mapped.yosys;
      if (units_.size() == 1) notes_ = slot->mapped.notes;
    }
    return *slot;
  }

  /// Mean energy of a cycle.
  EnergyInterval energy(Unit& unit, const Vectors& inputs, std::size_t warm_up) {
    const auto pj = [&](const GateRun& run) {
      return run.energy.dynamic_pj() / static_cast<double>(run.cycles);
    };
    const GateRun zero = unit.simulation->run(inputs, DelayModel::kZero, warm_up);
    const GateRun timed = unit.simulation->run(inputs, DelayModel::kTimed, warm_up);
    EnergyInterval e{pj(zero), pj(timed), pj(timed)};
    if (unit.mapped.flip_flops > 0)
      e.gated_pj -= timed.energy.clock_pj / static_cast<double>(timed.cycles) /
                    static_cast<double>(unit.mapped.flip_flops) * resting_bits(inputs, warm_up);
    return e;
  }

  /// Flip-flops whose clock a gate could stop, in the mean of the cycles: sums of elements that
  /// keep their value, as wide as what is drained.
  static double resting_bits(const Vectors& inputs, std::size_t warm_up) {
    const auto find = [&](const std::string& name) {
      std::size_t port = 0;
      while (port < inputs.ports().size() && inputs.ports()[port].name != name) ++port;
      return port;
    };
    const std::size_t none = inputs.ports().size(), drain = find("drain_i");
    if (drain == none) return 0;
    const auto resting = [&](std::initializer_list<const char*> enables) {
      std::size_t cycles = 0;
      for (std::size_t cycle = warm_up; cycle < inputs.cycles(); ++cycle)
        cycles += std::all_of(enables.begin(), enables.end(), [&](const char* enable) {
          return inputs.get(cycle, find(enable)) == 0;
        });
      return inputs.ports()[drain].width * static_cast<double>(cycles) /
             static_cast<double>(inputs.cycles() - warm_up);
    };
    return resting({"capture_i", "drain_shift_i"}) +
           (find("flush_i") == none ? 0 : resting({"flush_i"}));
  }

  SumDrive sum_drive() const {
    return {options_.cycles, options_.contraction, options_.config.rows, options_.seed};
  }
  SerialDrive serial_drive() const { return {sum_drive(), options_.config}; }
  UnitDesign design(const std::string& name) const {
    return cost_unit(name, options_.config, options_.rtl).design;
  }

  /// Bit planes of one pass.
  PassEnergy serial_pass(const std::string& name, double macs, const PlaneOperand& row,
                         const PlaneOperand& column) {
    const SerialDrive drive = serial_drive();
    const Config& c = options_.config;
    Unit& element = unit(design("pe"));
    PassEnergy p;
    p.name = name;
    p.macs = macs;
    const auto pairs = static_cast<double>(pair_count(row, column, c));
    p.macs_per_cycle = c.lanes / pairs;
    p.row_bits = c.lanes * (row.planes * column.planes / pairs);
    p.column_bits = c.lanes;
    const SerialVectors v = serial_vectors(row, column, Element::kProduct, drive);
    p.element = energy(element, v.element, v.warm_up);
    p.row_register = energy(unit(operand_register(c.planes * c.lanes)),
                            register_vectors(v.element, PePort::kRows), v.warm_up);
    p.column_register = energy(unit(operand_register(c.lanes, true)),
                               register_vectors(v.element, PePort::kColumn), v.warm_up);
    p.row_sum =
        energy(element, serial_vectors(row, column, Element::kRowSum, drive).element, v.warm_up);
    p.column_sum =
        energy(element, serial_vectors(row, column, Element::kColumnSum, drive).element, v.warm_up);
    return p;
  }

  /// An element and the registers of its operands, of so many bits; 0: it has none.
  DatapathMeasurement datapath(const std::string& name, const UnitDesign& design, int row_bits,
                               int column_bits) {
    DatapathMeasurement m;
    m.name = name;
    m.tier = "netlist";
    m.source = fmt::format("{}, {:g} V, mapped and simulated gate by gate", library_.name,
                           library_.voltage_v);
    m.node_nm = node_nm_;
    Unit& element = unit(design);
    m.element_um2 = element.mapped.area_um2;
    m.critical_path_ns = element.simulation->critical_path_ns();
    if (row_bits > 0) m.row_register_um2 = unit(operand_register(row_bits)).mapped.area_um2;
    if (column_bits > 0)
      m.column_register_um2 = unit(operand_register(column_bits)).mapped.area_um2;
    return m;
  }

  DatapathMeasurement serial(const std::string& name) {
    const Config& c = options_.config;
    DatapathMeasurement m = datapath(name, design("pe"), c.planes * c.lanes, c.lanes);
    m.extra_elements = m.is_bit_planes = true;
    return m;
  }

  DatapathMeasurement baseline(const BaselineUnit& b) {
    const bool bare = b.kind == BaselineUnit::Kind::kMultiplier;
    const int bits = bare ? 0 : b.lanes * b.bits;
    DatapathMeasurement m = datapath(b.name, b.design, bits, bits);
    m.operand_bits = bare ? 0 : b.significand_bits();
    return m;
  }

  PassEnergy baseline_pass(const BaselineUnit& b, const std::string& name, double macs,
                           const std::vector<float>& row, const std::vector<float>& column) {
    // The first sum warms up, so that the accumulator and the drain are as in operation.
    const auto lanes = static_cast<std::size_t>(b.lanes);
    const std::size_t sum = (options_.contraction + lanes - 1) / lanes, warm_up = sum + 3;
    SumDrive drive = sum_drive();
    drive.cycles = warm_up + (options_.cycles + sum - 1) / sum * sum;  // whole sums
    const Vectors v = baseline_vectors(b, row, column, drive);
    PassEnergy p;
    p.name = name;
    p.macs = macs;
    p.macs_per_cycle = b.lanes;
    p.row_bits = p.column_bits = b.lanes * b.bits;
    p.element = energy(unit(b.design), v, warm_up);
    if (b.kind == BaselineUnit::Kind::kMultiplier) return p;
    Unit& reg = unit(operand_register(b.lanes * b.bits));
    p.row_register = energy(reg, register_vectors(v, 0), warm_up);
    p.column_register = energy(reg, register_vectors(v, 1), warm_up);
    return p;
  }

 private:
  const std::string liberty_, cache_;
  const ComparisonOptions& options_;
  const ComparisonProgress& progress_;
  const int total_;
  LibertyLibrary library_;
  TrainingValues values_;
  int node_nm_ = 0, done_ = 0;
  std::map<std::string, std::unique_ptr<Unit>> units_;
  std::string yosys_;
  std::vector<std::string> notes_;
};

constexpr const char* kTrainingStep = "training step";

/// Rows and columns of each pass as docs/architecture.md maps them.
DatapathMeasurement training_step(Measurement& m, const std::array<int, 3>& bits,
                                  const ComparisonOptions& o) {
  const auto [w, a, g] = bits;
  DatapathMeasurement d = m.serial(fmt::format("({}, {}, {}) bit planes", w, a, g));
  d.operands = kTrainingStep;
  d.operand_bits = std::max({w, a, g});
  const PlaneOperand weights = weight_codes(m.values().weights, w);
  const PlaneOperand activations = activation_codes(m.values().activations, a);
  const PlaneOperand gradients = gradient_codes(m.values().gradients, g, o.seed);
  d.passes = {m.serial_pass("forward", o.pass_macs[0], activations, weights),
              m.serial_pass("backward_input", o.pass_macs[1], gradients, weights),
              m.serial_pass("backward_weight", o.pass_macs[2], gradients, activations)};
  return d;
}

DatapathMeasurement training_step(Measurement& m, const BaselineUnit& unit,
                                  const ComparisonOptions& o) {
  DatapathMeasurement d = m.baseline(unit);
  d.operands = kTrainingStep;
  const TrainingValues& v = m.values();
  d.passes = {m.baseline_pass(unit, "forward", o.pass_macs[0], v.activations, v.weights),
              m.baseline_pass(unit, "backward_input", o.pass_macs[1], v.gradients, v.weights),
              m.baseline_pass(unit, "backward_weight", o.pass_macs[2], v.gradients, v.activations)};
  return d;
}

/// Every code of symmetric b-bit integers equally often.
std::vector<float> uniform_values(int bits) {
  std::vector<float> values;
  const int top = (1 << (bits - 1)) - 1;
  for (int code = -top; code <= top; ++code) values.push_back(static_cast<float>(code));
  return values;
}

DatapathMeasurement symmetric_planes(Measurement& m, int bits) {
  DatapathMeasurement d = m.serial(fmt::format("{0} x {0} bit planes", bits));
  d.operand_bits = bits;
  d.passes = {m.serial_pass("uniform", 1, uniform_codes(bits), uniform_codes(bits))};
  return d;
}

DatapathMeasurement symmetric_integers(Measurement& m, const BaselineUnit& unit) {
  DatapathMeasurement d = m.baseline(unit);
  const std::vector<float> values = uniform_values(unit.bits);
  d.passes = {m.baseline_pass(unit, "uniform", 1, values, values)};
  return d;
}

/// Rows of b x b bits, every code equally often: bit planes, and the integer units of that width.
std::vector<DatapathMeasurement> symmetric_rows(Measurement& m, int bits,
                                                const std::vector<BaselineUnit>& units) {
  std::vector<DatapathMeasurement> rows = {symmetric_planes(m, bits)};
  for (const BaselineUnit& unit : units)
    if (!unit.is_float() && unit.bits == bits && unit.kind != BaselineUnit::Kind::kMultiplier) {
      rows.push_back(symmetric_integers(m, unit));
      rows.back().name += fmt::format(" ({0} x {0})", bits);
    }
  for (DatapathMeasurement& row : rows)
    row.operands = fmt::format("{0} x {0} bits, uniform codes", bits);
  return rows;
}

/// Costs at b x b bits of bit planes and of what they are held against.
struct Sweep {
  std::string serial_name, parallel_name;
  std::vector<DatapathCost> serial, parallel;
};

void add_break_even(std::vector<BreakEven>& result, const Sweep& s) {
  const auto add = [&](const char* what, auto value) {
    BreakEven e;
    e.what = what;
    e.serial_name = s.serial_name;
    e.parallel_name = s.parallel_name;
    for (const DatapathCost& c : s.serial) e.serial.push_back(value(c));
    for (const DatapathCost& c : s.parallel) e.parallel.push_back(value(c));
    result.push_back(e);
  };
  add("energy, zero-delay (pJ)", [](const DatapathCost& c) { return c.pj_per_mac.zero_pj; });
  add("energy, timed (pJ)", [](const DatapathCost& c) { return c.pj_per_mac.timed_pj; });
  add("area x cycles (um2)", [](const DatapathCost& c) { return c.um2_per_mac_per_cycle; });
  add("area x time (um2 ns)",
      [](const DatapathCost& c) { return c.um2_per_mac_per_cycle * c.critical_path_ns; });
}

std::vector<BreakEven> sweep(Measurement& m, const ComparisonOptions& o, const std::string& cache) {
  Sweep units{"bit planes", "multiply-accumulate", {}, {}};
  Sweep words{"bit planes", "dot product of as wide a word", {}, {}};
  Sweep merged{"bit planes", "dot product of as wide a word, merged sum", {}, {}};
  Sweep bare{"AND and count alone", "multiplier alone", {}, {}};
  for (int b = 2; b <= o.largest_bits; ++b) {
    m.begin(fmt::format("break-even at {} bits", b));
    const DatapathMeasurement planes = symmetric_planes(m, b);
    const auto parallel = [&](const BaselineUnit& unit) {
      return datapath_cost(symmetric_integers(m, unit), o.shape());
    };
    const int lanes = std::max(1, o.config.lanes / b);
    units.serial.push_back(datapath_cost(planes, o.shape()));
    words.serial.push_back(units.serial.back());
    merged.serial.push_back(units.serial.back());
    units.parallel.push_back(parallel(integer_mac(b)));
    words.parallel.push_back(parallel(integer_mac(b, lanes)));
    merged.parallel.push_back(parallel(merged_mac(b, lanes, cache)));

    const UnitDesign design = m.design("accumulate");
    DatapathMeasurement popcount = m.datapath("bit planes", design, 0, 0);
    popcount.passes = planes.passes;
    PassEnergy& p = popcount.passes[0];
    p.element = m.energy(m.unit(design),
                         word_vectors(uniform_codes(b), uniform_codes(b), m.serial_drive()), 1);
    p.row_register = p.column_register = {};
    bare.serial.push_back(datapath_cost(popcount, o.shape()));
    bare.parallel.push_back(parallel(integer_multiplier(b)));
  }
  std::vector<BreakEven> result;
  for (const Sweep* s : {&units, &words, &merged, &bare}) add_break_even(result, *s);
  return result;
}

}  // namespace

Comparison compare_datapaths(const std::string& liberty, const std::string& cache_directory,
                             const ComparisonOptions& options, const ComparisonProgress& progress) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<BaselineUnit> baselines = baseline_units(options.config.lanes, cache_directory);
  const int total =
      static_cast<int>(options.bits.size() + baselines.size() + options.symmetric.size()) +
      std::max(0, options.largest_bits - 1);
  Measurement m(liberty, cache_directory, options, progress, total);
  Comparison c;
  std::optional<FetchCost> fetch;
  if (!options.memory.empty()) {
    const MemoryTechnology memory(options.memory);
    require_one_node("library " + m.library().name, m.node_nm(), options.memory, memory.node_nm());
    const Geometry geometry(options.config);
    fetch = fetch_cost(memory, geometry.rows.depth, geometry.rows.word_bits, geometry.columns.depth,
                       geometry.columns.word_bits);
    c.memory = fetch->source;
    if (memory.voltage_v() != m.library().voltage_v)
      c.notes.push_back(fmt::format("the memory is at {:g} V, the datapaths at {:g} V",
                                    memory.voltage_v(), m.library().voltage_v));
  }
  const FetchCost* memory = fetch ? &*fetch : nullptr;
  for (const auto& bits : options.bits) {
    m.begin(fmt::format("({}, {}, {})", bits[0], bits[1], bits[2]));
    c.rows.push_back(datapath_cost(training_step(m, bits, options), options.shape(), memory));
  }
  for (const BaselineUnit& unit : baselines) {
    m.begin(unit.name);
    const bool bare = unit.kind == BaselineUnit::Kind::kMultiplier;
    c.rows.push_back(
        datapath_cost(training_step(m, unit, options), options.shape(), bare ? nullptr : memory));
  }
  for (const PublishedMac& mac : published_macs()) c.rows.push_back(published_cost(mac));
  for (const int bits : options.symmetric) {
    m.begin(fmt::format("{0} x {0}", bits));
    for (const DatapathMeasurement& row : symmetric_rows(m, bits, baselines))
      c.rows.push_back(datapath_cost(row, options.shape(), memory));
  }
  find_losses(&c.rows);
  c.break_even = sweep(m, options, cache_directory);

  c.library = m.library().name;
  c.liberty = m.liberty();
  c.corner = m.library().corner;
  c.voltage_v = m.library().voltage_v;
  c.node_nm = m.node_nm();
  c.yosys = m.yosys();
  c.shape = options.shape();
  c.lanes = options.config.lanes;
  c.notes.insert(c.notes.end(), m.notes().begin(), m.notes().end());
  c.notes.push_back("operands, quantized for each datapath from the same values: " +
                    m.values().source);
  c.notes.push_back(
      "training step: mean over forward, backward_input and backward_weight, weighted by their "
      "MACs; zero-delay and timed are an interval");
  c.notes.push_back(
      "gated: timed, and the long sums and drain registers of every row are clocked only in cycles "
      "in which they act; the gates themselves are left out. Of the rows of an array each drains "
      "as long as sums behind it have to pass");
  c.notes.push_back(
      fmt::format("an element bears its share of operand registers, of the extra elements that sum "
                  "an operand's "
                  "codes (bit planes only), and of draining a sum of {} MACs",
                  options.contraction));
  c.notes.push_back(
      "not in it, for any: wires (before placement), leakage, sequencing, the correction of a "
      "drained sum, the source of random bits, writing the buffers");
  c.notes.push_back(
      "path: the longest through the netlist by the library's tables; adders are mapped as ripple "
      "carries for least energy, so no datapath is at its fastest");
  if (fetch)
    c.notes.push_back(
        "with memory: every cycle a word of each buffer, shared by the row or column; buffers of "
        "the "
        "same capacity for all, read as wide as the operands need");
  c.notes.push_back(
      "published figures are of the node and voltage named, and never combined with the library's");
  c.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return c;
}

}  // namespace solfege
