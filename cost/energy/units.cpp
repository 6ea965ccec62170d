// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/units.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "cost/energy/stream_trace.hpp"
#include "model/base/share.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/pipeline.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// Modules of the configuration's own folder, and wrappers of the source tree.
class Sources {
 public:
  explicit Sources(const std::string& rtl) : rtl_(rtl) {}
  Sources& wrapper(const std::string& module) {
    paths_.push_back((share_folder() / "cost/energy/units" / (module + ".v")).string());
    return *this;
  }
  Sources& modules(const std::vector<std::string>& names) {
    for (const std::string& name : names) paths_.push_back((rtl_ / (name + ".v")).string());
    return *this;
  }
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  fs::path rtl_;
  std::vector<std::string> paths_;
};

const std::vector<std::string> kAccumulate = {"sf_accumulate", "sf_adder_tree", "sf_full_adder",
                                              "sf_half_adder"};
const std::vector<std::string> kLane = {
    "sf_stream_lane", "sf_stream_front", "sf_threshold_coder", "sf_stochastic_coder",
    "sf_ram",         "sf_clock_gate",   "sf_tanh_slope",      "sf_round_shift",
    "sf_pool",        "sf_stream_sum"};

}  // namespace

const std::vector<std::string>& cost_unit_names() {
  static const std::vector<std::string> names = {
      "accumulate",  "pe",      "operand_register", "correction",
      "stream_lane", "reduce",  "random_shared",    "random_private",
      "threshold",   "rounding"};
  return names;
}

std::map<std::string, MachineUnit> machine_units(const Config& c) {
  // The array has an extra row and column, and their masks beside the operand registers.
  return {{"pe", {(c.rows + 1) * (c.columns + 1), 3 * (c.rows + 1)}},
          {"operand_register", {c.planes * c.rows + c.columns + 2, 1}},
          {"correction", {c.stream_lanes, 0}},
          {"stream_lane", {c.stream_lanes, c.stream_lanes}},
          {"reduce", {c.stream_lanes, 1}},
          {"random_shared", {1, 0}}};
}

std::vector<Vectors::Port> pe_inputs(int planes, int lanes, int accumulator_bits) {
  return {{"rows_i", planes * lanes},
          {"column_i", lanes},
          {"low_clear_i", 1},
          {"flush_i", 1},
          {"high_clear_i", 1},
          {"negate_i", 1},
          {"shift_i", 6},
          {"capture_i", 1},
          {"drain_shift_i", 1},
          {"drain_i", accumulator_bits}};
}

void set_planes(Vectors* vectors, std::size_t port, int lanes,
                const std::vector<LaneWord>& planes) {
  std::vector<std::uint64_t> words((planes.size() * static_cast<std::size_t>(lanes) + 63) / 64, 0);
  for (std::size_t plane = 0; plane < planes.size(); ++plane)
    for (int lane = 0; lane < lanes; lane += std::min(lanes, 64)) {
      const std::size_t bit =
          plane * static_cast<std::size_t>(lanes) + static_cast<std::size_t>(lane);
      std::uint64_t word = planes[plane][static_cast<std::size_t>(lane / 64)];
      if (lanes < 64) word &= (std::uint64_t{1} << lanes) - 1;
      words[bit / 64] |= word << bit % 64;
    }
  for (std::size_t i = 0; i < words.size(); ++i) vectors->set(port, words[i], static_cast<int>(i));
}

CostUnit cost_unit(const std::string& name, const Config& c, const std::string& rtl) {
  Sources sources(rtl);
  CostUnit unit;
  UnitDesign& design = unit.design;
  design.name = name;
  const Geometry geometry(c);
  if (name == "accumulate") {
    design.top = "sf_accumulate";
    design.parameters = {{"Planes", c.planes}, {"Lanes", c.lanes}, {"LowBits", geometry.low_bits}};
    design.clock.clear();
    sources.modules(kAccumulate);
    unit.inputs = {
        {"rows_i", c.planes * c.lanes}, {"column_i", c.lanes}, {"low_i", geometry.low_bits}};
    unit.action = "plane products of a word, counted and added to the low sum";
  } else if (name == "pe") {
    design.top = "sf_unit_pe";
    design.parameters = {{"Planes", c.planes},
                         {"Lanes", c.lanes},
                         {"LowBits", geometry.low_bits},
                         {"AccumulatorBits", c.accumulator_bits}};
    sources.wrapper(design.top).modules({"sf_pe"}).modules(kAccumulate);
    unit.inputs = pe_inputs(c.planes, c.lanes, c.accumulator_bits);
    unit.action = "a word of row planes by one of a column plane in a processing element";
  } else if (name == "operand_register") {
    design.top = "sf_unit_operand_register";
    design.parameters = {{"Lanes", c.lanes}};
    sources.wrapper(design.top);
    unit.inputs = {{"enable_i", 1}, {"word_i", c.lanes}, {"mask_i", c.lanes}, {"use_i", 1}};
    unit.action = "an operand word registered";
  } else if (name == "correction") {
    design.top = "sf_affine";
    design.parameters = {{"Bits", c.accumulator_bits}};
    design.clock.clear();
    sources.modules({"sf_affine"});
    unit.inputs = {{"shift_i", 2},
                   {"column_factor_i", 10},
                   {"sum_i", c.accumulator_bits},
                   {"column_sum_i", c.accumulator_bits},
                   {"row_term_i", c.accumulator_bits},
                   {"lanes_term_i", c.accumulator_bits}};
    unit.action = "a drained sum of codes made one of values";
  } else if (name == "stream_lane") {
    design.top = "sf_stream_lane";
    const LaneShape s(c);
    design.parameters = {{"AccumulatorBits", s.accumulator_bits},
                         {"StoredBits", s.stored_bits},
                         {"WideBits", s.wide_bits},
                         {"RandomBits", s.random_bits},
                         {"ThresholdBits", s.threshold_bits},
                         {"TableRows", s.table_rows},
                         {"ThresholdRows", s.threshold_rows},
                         {"Positions", s.positions},
                         {"Places", s.places}};
    sources.modules(kLane);
    unit.inputs = lane_ports(s);
    unit.action = "an element in a stream lane";
  } else if (name == "reduce") {
    design.top = "sf_reduce_lane";
    sources.modules({"sf_reduce_lane"});
    unit.inputs = {{"take_i", 1}, {"take_second_i", 1}, {"absolute_i", 1}, {"dot_i", 1},
                   {"mask_i", 1}, {"y_i", 32},          {"z_i", 16},       {"again_i", 1},
                   {"keep_i", 1}, {"seen_i", 1},        {"sum_i", 64},     {"second_i", 64}};
    unit.action = "an element in the reductions";
  } else if (name == "random_shared" || name == "random_private") {
    design.top = "sf_lfsr";
    design.parameters = {{"RandomBits", c.random_bits},
                         {"Numbers", name == "random_shared" ? c.stream_lanes : 1}};
    sources.modules({"sf_lfsr"});
    unit.inputs = {{"load_i", 1}, {"state_i", 64}, {"step_i", 1}};
    unit.action = name == "random_shared" ? "random numbers for all lanes" : "a random number";
  } else if (name == "threshold") {
    design.top = "sf_threshold_coder";
    design.parameters = {{"ThresholdBits", c.activation_bits},
                         {"ThresholdRows", Geometry(c).threshold_rows}};
    sources.modules({"sf_threshold_coder", "sf_ram", "sf_clock_gate"});
    unit.inputs = {{"go_i", 1},    {"code_enable_i", 1}, {"bits_i", 4},
                   {"y_i", 32},    {"per_channel_i", 1}, {"row_1_i", 16},
                   {"write_i", 1}, {"write_node_i", 8},  {"write_row_i", 16}};
    unit.action = "an element through thresholds";
  } else if (name == "rounding") {
    design.top = "sf_stochastic_coder";
    design.parameters = {{"RandomBits", c.random_bits}};
    sources.modules({"sf_stochastic_coder", "sf_clock_gate"});
    unit.inputs = {{"go_i", 1},
                   {"code_enable_i", 1},
                   {"bits_i", 4},
                   {"y_i", 32},
                   {"maximum_i", 32 * static_cast<int>(kCoderStages)},
                   {"random_i", c.random_bits}};
    unit.action = "an element stochastically rounded";
  } else {
    throw std::out_of_range("no unit " + name);
  }
  design.sources = sources.paths();
  return unit;
}

}  // namespace solfege
