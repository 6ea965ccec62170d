// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/units.hpp"

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

const std::vector<std::string> kPopcount = {"sf_popcount", "sf_popcount_adders", "sf_full_adder",
                                            "sf_half_adder"};
const std::vector<std::string> kLane = {
    "sf_stream_lane",      "sf_stream_front", "sf_threshold_coder",
    "sf_stochastic_coder", "sf_ram",          "sf_clock_gate",
    "sf_tanh_slope",       "sf_round_shift",  "sf_pool"};

}  // namespace

const std::vector<std::string>& cost_unit_names() {
  static const std::vector<std::string> names = {
      "and_popcount", "pe",      "operand_register", "correction",
      "stream_lane",  "reduce",  "random_shared",    "random_private",
      "threshold",    "rounding"};
  return names;
}

std::map<std::string, MachineUnit> machine_units(const Config& c) {
  // The array has an extra row and column, and one mask beside the operand registers.
  return {{"pe", {(c.rows + 1) * (c.columns + 1), 2 * (c.rows + 1)}},
          {"operand_register", {c.rows + c.columns + 1, 1}},
          {"correction", {c.stream_lanes, 0}},
          {"stream_lane", {c.stream_lanes, c.stream_lanes}},
          {"reduce", {c.stream_lanes, 1}},
          {"random_shared", {1, 0}}};
}

std::vector<Vectors::Port> pe_inputs(int lanes, int accumulator_bits) {
  return {{"a_i", lanes},        {"b_i", lanes},
          {"count_enable_i", 1}, {"sum_enable_i", 1},
          {"sum_clear_i", 1},    {"negate_i", 1},
          {"shift_i", 6},        {"capture_i", 1},
          {"drain_shift_i", 1},  {"drain_i", accumulator_bits}};
}

CostUnit cost_unit(const std::string& name, const Config& c, const std::string& rtl) {
  Sources sources(rtl);
  CostUnit unit;
  UnitDesign& design = unit.design;
  design.name = name;
  if (name == "and_popcount") {
    design.top = "sf_unit_and_popcount";
    design.parameters = {{"Lanes", c.lanes}};
    design.clock.clear();
    sources.wrapper(design.top).modules(kPopcount);
    unit.inputs = {{"a_i", c.lanes}, {"b_i", c.lanes}};
    unit.action = "plane products of a word and their popcount";
  } else if (name == "pe") {
    design.top = "sf_unit_pe";
    design.parameters = {{"Lanes", c.lanes}, {"AccumulatorBits", c.accumulator_bits}};
    sources.wrapper(design.top).modules({"sf_pe"}).modules(kPopcount);
    unit.inputs = pe_inputs(c.lanes, c.accumulator_bits);
    unit.action = "a plane pair of a word in a processing element";
  } else if (name == "operand_register") {
    design.top = "sf_unit_operand_register";
    design.parameters = {{"Lanes", c.lanes}};
    sources.wrapper(design.top);
    unit.inputs = {{"enable_i", 1}, {"word_i", c.lanes}, {"mask_i", c.lanes}};
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
                   {"row_term_i", c.accumulator_bits}};
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
                   {"mask_i", 1}, {"y_i", 32},          {"z_i", 16},       {"seen_i", 1},
                   {"sum_i", 64}, {"second_i", 64}};
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
