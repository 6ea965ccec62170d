// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/energy_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cost/energy/memory_table.hpp"
#include "model/base/error.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/stream_nest.hpp"
#include "model/timing/cycle_model.hpp"

namespace solfege {
namespace {

constexpr const char* kHorowitz = "Horowitz, ISSCC 2014, 45 nm, 0.9 V";
// Published points, pJ.
constexpr double kAdd8 = 0.03, kAdd16 = 0.05, kAdd32 = 0.1;
constexpr double kMultiply8 = 0.2, kMultiply32 = 3.1;
constexpr const char* kSramTable = "horowitz45";

double between(double x, double x0, double y0, double x1, double y1) {
  return y0 + (y1 - y0) * (x - x0) / (x1 - x0);
}

EnergyFigure published(double pj) { return {pj, 45, kHorowitz, "published"}; }
EnergyFigure derived(double pj, const std::string& how) {
  return {pj, 45, fmt::format("{}; {}", kHorowitz, how), "derived"};
}

/// Collects the actions of one descriptor.
class Counter {
 public:
  Counter(const Config& config, const std::string& dram)
      : config_(config), geometry_(config), dram_(dram) {}

  const std::vector<EnergyLine>& count(const Descriptor& d, const OperationTiming& timing) {
    lines_.clear();
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
      case Opcode::kTranspose:
      case Opcode::kUnfold:
        break;  // their memory traffic only
    }
    const int beat_bits = geometry_.beat_bits;
    add("DRAM", "DRAM read, " + dram_, beat_bits, timing.read_beats, dram_energy(beat_bits, dram_));
    add("DRAM", "DRAM write, " + dram_, beat_bits, timing.write_beats,
        dram_energy(beat_bits, dram_));
    return lines_;
  }

  /// Images that the host writes.
  EnergyLine images(std::uint64_t bytes) const {
    const int beat_bits = geometry_.beat_bits;
    const auto beats = 8 * bytes / static_cast<std::uint64_t>(beat_bits);
    return {"DRAM", "DRAM write, " + dram_, beat_bits, beats, dram_energy(beat_bits, dram_)};
  }

 private:
  void add(const std::string& unit, const std::string& name, int bits, std::uint64_t count,
           const EnergyFigure& figure) {
    if (count != 0) lines_.push_back({unit, name, bits, count, figure});
  }

  /// Of a word of an operand buffer, which lies in one memory.
  EnergyFigure buffer_energy(const Geometry::Side& side) const {
    return sram_energy(side.word_bits, static_cast<double>(side.bank_depth) * side.word_bytes);
  }

  void load(const Descriptor& d) {
    const Geometry::Side& side = geometry_.side(d.load_to_columns);
    add("operand buffers", d.load_to_columns ? "column buffer word write" : "row buffer word write",
        side.word_bits, d.load_words, buffer_energy(side));
  }

  void gemm(const Descriptor& d) {
    const std::uint64_t operations = gemm_operations(d, config_);
    const std::uint64_t row_words = gemm_row_words(d, config_);
    const auto rows = static_cast<std::uint64_t>(config_.rows);
    const auto columns = static_cast<std::uint64_t>(config_.columns);
    const auto lanes = static_cast<std::uint64_t>(config_.lanes);
    const int low = geometry_.low_bits, wide = config_.accumulator_bits;
    add("array", "bit product and its adder", 1, row_words * rows * columns * lanes,
        bit_product_energy());
    // A row's codes are summed in plane 0 of the column, a column's in plane 0 of the row.
    const std::uint64_t row_sums = row_words * rows / d.column_planes;
    const std::uint64_t column_sums = row_words * columns / d.row_planes;
    add("array", "bit product of the sums of codes", 1,
        (row_sums + column_sums + row_words / (d.row_planes * d.column_planes)) * lanes,
        bit_product_energy());
    const std::uint64_t elements = (rows + 1) * (columns + 1);
    add("accumulators", "low sum update", low, operations * rows * columns, add_energy(low));
    add("accumulators", "high sum update", wide, gemm_flushes(d, config_) * elements,
        add_energy(wide));
    if (d.drain != 0) {
      const std::uint64_t tiles = std::uint64_t{d.tile_y_count} * d.tile_x_count * d.column_groups;
      add("accumulators", "affine correction of a drained sum", wide, tiles * rows * columns,
          add_energy(wide));
    }
    const int row_bits = geometry_.rows.word_bits, column_bits = geometry_.columns.word_bits;
    add("operand buffers", "row buffer word read", row_bits, row_words,
        buffer_energy(geometry_.rows));
    add("operand buffers", "column buffer word read", column_bits, operations,
        buffer_energy(geometry_.columns));
  }

  void stream(const Descriptor& d) {
    const std::uint64_t steps = d.steps();
    const std::uint64_t elements = steps * static_cast<std::uint64_t>(config_.stream_lanes);
    auto compute = [&](const std::string& name, int bits, std::uint64_t each,
                       const EnergyFigure& figure) {
      add("stream unit", name, bits, elements * each, figure);
    };
    // Per-lane tables of 32-bit words
    const EnergyFigure table_word = sram_energy(32, 4.0 * geometry_.table_rows);
    const bool add_z = d.adds_z();
    const int x_bits = d.x_from_array != 0 ? config_.accumulator_bits : 8 * traits(d.x_type).bytes;
    compute("multiply x by its scale", x_bits, 1, multiply_energy(x_bits, config_.stored_bits));
    if (add_z) {
      const int z_bits = 8 * traits(d.z_type).bytes;
      compute("multiply z by its scale", z_bits, 1, multiply_energy(z_bits, 16));
    }
    if (d.slopes()) compute("multiply by a slope", 32, 1, multiply_energy(32, 17));
    const std::uint64_t adds = (add_z ? 1u : 0u) + (d.offset_enable != 0 ? 1u : 0u);
    compute("add", 32, adds, add_energy(32));
    if (d.accumulate_enable != 0) compute("add to the sum over samples", 64, 1, add_energy(64));
    if (d.pool_enable != 0) compute("max-pool compare", 16, 1, add_energy(16));
    if (d.sums_twice()) {
      compute("multiply for the second sum", 16, 1, multiply_energy(16, 16));
      compute("reduction add", 64, 1, add_energy(64));
    }
    if (d.mask_enable != 0) compute("mask compare", 32, 2, add_energy(32));
    if (d.max_enable != 0) compute("maximum compare", 32, 1, add_energy(32));
    if (d.sum_enable != 0) compute("reduction add", 64, 1, add_energy(64));
    const auto tables = d.channel_tables();
    const auto lanes = static_cast<std::uint64_t>(config_.stream_lanes);
    add("stream unit", "channel table read", 32,
        static_cast<std::uint64_t>(std::count(tables.begin(), tables.end(), true)) *
            chunk_changes(d, config_.stream_lanes) * lanes,
        table_word);
    if (d.fills_table()) compute("table write", 32, 1, table_word);

    if (d.pack_enable == 0) {
      if (d.scale_x_source == Scalar::kSample) sample_read(d);
      return;
    }
    if (traits(d.quantizer).compares) {
      compute("threshold compare", 32, d.quantizer_bits, add_energy(32));
      compute("threshold table read", 32, d.quantizer_bits, table_word);
    }
    if (d.stochastic()) {
      const int noise = config_.random_bits + 1;
      compute("stochastic rounding: scale the random number", 32, 1, multiply_energy(32, noise));
      // y + M, n (y + M), and the sum of both parts
      compute("stochastic rounding: set-up add", 64, 3, add_energy(64));
      compute("stochastic rounding: division step", 64, d.quantizer_bits, add_energy(64));
      if (d.quantizer == Quantizer::kStochasticScaled)
        compute("multiply the code by its sample's scale", 32, 1, multiply_energy(32, 10));
      EnergyFigure bit =
          derived(3 * kAdd8 / 8, "a bit is three XORs, each at most 1/8 of an 8-bit addition");
      add("random source", "random bit", 1,
          elements * static_cast<std::uint64_t>(config_.random_bits), bit);
    }
    if (d.stochastic() || d.scale_x_source == Scalar::kSample) sample_read(d);
  }

  /// A row of the sample table has the scales of as many samples as there are lanes.
  void sample_read(const Descriptor& d) {
    const int bits = 32 * config_.stream_lanes;
    add("stream unit", "sample table read", bits, sample_row_changes(d, config_.stream_lanes),
        sram_energy(bits, 4.0 * config_.max_batch));
  }

  const Config& config_;
  const Geometry geometry_;
  std::string dram_;
  std::vector<EnergyLine> lines_;
};

EnergyShare& share(std::vector<EnergyShare>& shares, const std::string& name,
                   const std::string& pass) {
  for (EnergyShare& s : shares)
    if (s.name == name && s.pass == pass) return s;
  shares.push_back({name, pass, 0, 0});
  return shares.back();
}

void add(std::vector<EnergyLine>& actions, const EnergyLine& line) {
  for (EnergyLine& known : actions)
    if (known.unit == line.unit && known.name == line.name && known.bits == line.bits) {
      known.count += line.count;
      return;
    }
  actions.push_back(line);
}

}  // namespace

EnergyFigure add_energy(int bits) {
  if (bits == 8) return published(kAdd8);
  if (bits == 16) return published(kAdd16);
  if (bits == 32) return published(kAdd32);
  const double n = bits;
  if (bits < 8) return derived(kAdd8 * n / 8, "8-bit addition, proportional to the bits");
  if (bits < 16)
    return derived(between(n, 8, kAdd8, 16, kAdd16), "linear between 8- and 16-bit addition");
  if (bits < 32)
    return derived(between(n, 16, kAdd16, 32, kAdd32), "linear between 16- and 32-bit addition");
  return derived(kAdd32 * n / 32, "32-bit addition, proportional to the bits");
}

EnergyFigure multiply_energy(int a_bits, int b_bits) {
  if (a_bits == 8 && b_bits == 8) return published(kMultiply8);
  if (a_bits == 32 && b_bits == 32) return published(kMultiply32);
  const double products = static_cast<double>(a_bits) * b_bits;
  if (products <= 64)
    return derived(kMultiply8 * products / 64,
                   "8 x 8 multiplication, proportional to the bit products");
  if (products <= 1024)
    return derived(between(products, 64, kMultiply8, 1024, kMultiply32),
                   "linear in bit products between 8 x 8 and 32 x 32 multiplication");
  return derived(kMultiply32 * products / 1024,
                 "32 x 32 multiplication, proportional to the bit products");
}

EnergyFigure bit_product_energy() {
  return derived(kMultiply8 / 64,
                 "1/64 of an 8 x 8 multiplication: a bit product and an adder cell");
}

EnergyFigure sram_energy(int bits, double capacity_bytes) {
  static const std::vector<MemoryPoint> points = builtin_memory_table(kSramTable).points;
  const auto kilobytes = [](const MemoryPoint& p) {
    return static_cast<double>(p.depth * p.bits) / 8 / 1024;
  };
  const auto size = [&](const MemoryPoint& p) {
    return kilobytes(p) < 1024 ? fmt::format("{:g} KB", kilobytes(p))
                               : fmt::format("{:g} MB", kilobytes(p) / 1024);
  };
  const double capacity = capacity_bytes / 1024;
  std::size_t next = 0;  // the first point that is as large
  while (next < points.size() && kilobytes(points[next]) < capacity) ++next;
  const MemoryPoint& nearest = points[std::min(next, points.size() - 1)];
  double word = nearest.read_pj;
  std::string how = fmt::format("{} bits of {}", nearest.bits, size(nearest));
  const bool given = next < points.size() && kilobytes(nearest) == capacity;
  if (next == 0 && !given) {
    how += " as an upper bound for less";
  } else if (next == points.size()) {
    how += " as a lower bound for more";
  } else if (!given) {
    const MemoryPoint& before = points[next - 1];
    word = between(std::log2(capacity), std::log2(kilobytes(before)), before.read_pj,
                   std::log2(kilobytes(nearest)), nearest.read_pj);
    how = fmt::format("{} bits of {} to {}, linear in log2(capacity)", nearest.bits, size(before),
                      size(nearest));
  }
  if (bits == nearest.bits && given) return published(word);
  return derived(word * bits / nearest.bits,
                 how + (bits == nearest.bits ? "" : ", proportional to the bits"));
}

EnergyFigure dram_energy(int bits, const std::string& type) {
  struct Row {
    const char* type;
    double pj_per_bit;
    const char* source;
  };
  static constexpr const char* kAccelergy = "Accelergy, cacti_wrapper.py";
  static const Row kRows[] = {{"LPDDR4", 8, kAccelergy},
                              {"LPDDR", 40, "Malladi, ISCA 2012, in Accelergy, cacti_wrapper.py"},
                              {"DDR3", 70, kAccelergy},
                              {"GDDR5", 14, kAccelergy},
                              {"HBM2", 3.9, "O'Connor, MICRO 2017, in Accelergy, cacti_wrapper.py"},
                              {"HMC", 4.2, kAccelergy}};
  std::string known;
  for (const Row& row : kRows) {
    if (type == row.type)
      return {row.pj_per_bit * bits, 0, fmt::format("{} pJ/bit, {}", row.pj_per_bit, row.source),
              "published"};
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.type);
  }
  throw InputError(
      fmt::format("DRAM type {} has no published figure here: allowed are {}; choose one of them",
                  type, known));
}

EnergyReport price(const Config& config, const std::vector<Program>& step,
                   const std::string& dram) {
  EnergyReport report;
  report.dram = dram;
  (void)dram_energy(1, dram);  // refuses an unknown type, even with nothing to price
  Counter counter(config, dram);
  TimingModel timing(config, MemoryTiming{});
  const auto add_line = [&](const EnergyLine& line, const std::string& layer,
                            const std::string& pass) {
    const bool off_chip = line.unit == "DRAM";
    const double pj = line.total_pj();
    EnergyShare* const of_unit = &share(report.units, line.unit, "");
    EnergyShare* const of_pass = &share(report.passes, layer, pass);
    for (EnergyShare* s : {of_unit, of_pass}) (off_chip ? s->dram_pj : s->on_chip_pj) += pj;
    (off_chip ? report.dram_pj : report.on_chip_pj) += pj;
    add(report.actions, line);
  };
  for (const Program& program : step) {
    const ProgramTiming timings = timing.run(program);
    if (program.host_bytes > 0)
      add_line(counter.images(program.host_bytes), "images", "from the host");
    for (std::size_t i = 0; i < program.operations.size(); ++i) {
      const Operation& operation = program.operations[i];
      for (const EnergyLine& line : counter.count(operation.descriptor, timings.operations[i]))
        add_line(line, operation.layer, operation.pass);
    }
  }
  const double accumulate = add_energy(config.accumulator_bits).energy_pj;
  auto mac = [&](const char* name, int a, int b) {
    const double pairs = static_cast<double>(a) * b;
    report.macs.push_back({name, a, b,
                           pairs * (bit_product_energy().energy_pj + accumulate / config.lanes),
                           multiply_energy(a, b).energy_pj + accumulate});
  };
  mac("W x A", config.weight_bits, config.activation_bits);
  mac("W x G", config.weight_bits, config.gradient_bits);
  mac("A x G", config.activation_bits, config.gradient_bits);
  report.notes = {
      "on-chip figures are all 45 nm; DRAM is another technology and not added to them",
      "not priced, for want of a published 45 nm figure: registers, clock, shifters, wires, "
      "leakage, control, "
      "the transposer's block",
      "memories below 8 KB are priced as 8 KB: an upper bound",
      "independent of the data: operand density alone changes a popcount's energy 2 to 3 times"};
  return report;
}

}  // namespace solfege
