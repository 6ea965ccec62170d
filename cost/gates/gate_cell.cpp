// SPDX-License-Identifier: Apache-2.0
#include "cost/gates/gate_cell.hpp"

#include <fmt/format.h>

#include <map>
#include <stdexcept>

#include "cost/eda/boolean_function.hpp"

namespace solfege {
namespace {

[[noreturn]] void unusable(const LibertyCell& cell, const std::string& why) {
  throw std::runtime_error(fmt::format("cell {} cannot be simulated: {}", cell.name, why));
}

/// `when` conditions may name outputs: they are read as those of the row.
class Conditions {
 public:
  Conditions(const GateCell& gate) : gate_(gate), names_(gate.library->input_names()) {
    for (const LibertyPin* pin : gate.outputs) names_.push_back(pin->name);
  }
  bool holds(const std::string& when, std::uint32_t row) {
    auto found = functions_.find(when);
    if (found == functions_.end()) {
      try {
        found = functions_.emplace(when, BooleanFunction(when, names_)).first;
      } catch (const std::invalid_argument& error) {
        unusable(*gate_.library, fmt::format("a `when`: {}", error.what()));
      }
    }
    const std::size_t inputs = gate_.inputs.size();
    const std::size_t pins = row & ((std::size_t{1} << inputs) - 1);
    return found->second.value(pins | static_cast<std::size_t>(gate_.values[row]) << inputs);
  }

 private:
  const GateCell& gate_;
  std::vector<std::string> names_;
  std::map<std::string, BooleanFunction> functions_;
};

/// Those whose condition holds; else those without one; of outputs, whose event must have some
/// price and delay, else all.
template <typename Arc>
std::vector<const Arc*> applicable(const std::vector<const Arc*>& arcs, std::uint32_t row,
                                   Conditions& conditions, bool output) {
  std::vector<const Arc*> chosen;
  for (const Arc* arc : arcs)
    if (!arc->when.empty() && conditions.holds(arc->when, row)) chosen.push_back(arc);
  if (!chosen.empty()) return chosen;
  for (const Arc* arc : arcs)
    if (arc->when.empty()) chosen.push_back(arc);
  return chosen.empty() && output ? arcs : chosen;
}

/// The energies of a pin's events that another causes, or no other.
std::vector<const LibertyPowerArc*> energies_of(const LibertyPin& pin, const std::string& cause) {
  std::vector<const LibertyPowerArc*> arcs;
  for (const LibertyPowerArc& arc : pin.power)
    if (arc.related_pin.empty() || arc.related_pin == cause) arcs.push_back(&arc);
  return arcs;
}

using WeightedTables = std::vector<std::pair<const LibertyTable*, double>>;

/// Averages within a rail and adds over rails. Where supplies and grounds both have tables, these
/// are two accounts of one energy (over ASAP7's 4777 output arcs, rise plus fall at the ground is
/// within .13 % of that at the supply): their mean.
WeightedTables mix(const std::vector<const LibertyPowerArc*>& arcs, bool rises, std::uint32_t row,
                   Conditions& conditions, bool output) {
  std::map<std::string, std::vector<const LibertyPowerArc*>> rails;
  for (const LibertyPowerArc* arc : arcs)
    if (!(rises ? arc->rise_pj : arc->fall_pj).empty())
      rails[arc->related_power_pin].push_back(arc);
  bool kinds[2] = {false, false};
  for (const auto& [rail, candidates] : rails) kinds[candidates.front()->ground_rail] = true;
  const double share = kinds[0] && kinds[1] ? 0.5 : 1;
  WeightedTables tables;
  for (const auto& [rail, candidates] : rails) {
    const auto chosen = applicable(candidates, row, conditions, output);
    for (const LibertyPowerArc* arc : chosen)
      tables.emplace_back(rises ? &arc->rise_pj : &arc->fall_pj,
                          share / static_cast<double>(chosen.size()));
  }
  return tables;
}

}  // namespace

GateCell::GateCell(const LibertyCell& cell)
    : library(&cell), inputs(cell.inputs()), outputs(cell.outputs()) {
  if (!cell.unusable.empty()) unusable(cell, cell.unusable);
  if (cell.is_latch) unusable(cell, "it is a latch, or holds more than one flip-flop");
  if (cell.is_memory) unusable(cell, "it is a memory");
  if (inputs.size() > LibertyCell::kMaxInputs || outputs.size() > LibertyCell::kMaxOutputs)
    unusable(cell, fmt::format("it has {} inputs and {} outputs, at most {} and {} are allowed",
                               inputs.size(), outputs.size(), LibertyCell::kMaxInputs,
                               LibertyCell::kMaxOutputs));
  functions();
  choose();
}

void GateCell::functions() {
  const LibertyCell& cell = *library;
  std::vector<std::string> names = cell.input_names();
  const std::size_t pins = names.size();
  if (cell.flip_flop) names.push_back(cell.flip_flop->state);
  row_bits = static_cast<int>(names.size());
  const std::size_t rows = std::size_t{1} << names.size();
  if (cell.flip_flop) names.push_back(cell.flip_flop->inverted_state);
  // The inverted state is no bit of the row: outside of reset it is the state's complement.
  auto table = [&](const std::string& text, const std::string& what) {
    try {
      const BooleanFunction function(text, names);
      std::vector<std::uint8_t> bits(rows);
      for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t inverted = cell.flip_flop ? (~row >> pins & 1) << (pins + 1) : 0;
        bits[row] = function.value(row | inverted);
      }
      return bits;
    } catch (const std::invalid_argument& error) {
      unusable(cell, fmt::format("{}: {}", what, error.what()));
    }
  };
  values.assign(rows, 0);
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (outputs[o]->function.empty())
      unusable(cell, fmt::format("output {} has no function, or is three-state", outputs[o]->name));
    const auto bits = table(outputs[o]->function, outputs[o]->name);
    for (std::size_t row = 0; row < rows; ++row)
      values[row] = static_cast<std::uint8_t>(values[row] | bits[row] << o);
  }
  if (!cell.flip_flop) return;

  const LibertyFlipFlop& ff = *cell.flip_flop;
  const BooleanFunction clocked(ff.clocked_on, names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!clocked.depends_on(i)) continue;
    if (clock >= 0 || i >= pins) unusable(cell, "its clock is gated inside");
    clock = static_cast<int>(i);
  }
  if (clock < 0 || clocked.value(0)) unusable(cell, "it is not clocked by a rising edge");
  next_state = table(ff.next_state, "next_state");
  forced.assign(rows, 0);
  for (const auto& [text, value] : {std::pair{ff.preset, 1}, std::pair{ff.clear, 0}}) {
    if (text.empty()) continue;
    const auto active = table(text, value ? "preset" : "clear");
    const BooleanFunction function(text, names);
    for (std::size_t i = 0; i < pins; ++i)
      if (function.depends_on(i)) asynchronous |= 1u << i;
    for (std::size_t row = 0; row < rows; ++row) {
      if (!active[row]) continue;
      forced[row] = 1;
      next_state[row] = static_cast<std::uint8_t>(value);
    }
  }
}

void GateCell::choose() {
  const int pins = static_cast<int>(inputs.size());
  const std::uint32_t rows = std::uint32_t{1} << row_bits;
  Conditions conditions(*this);
  std::map<std::pair<int, std::pair<std::pair<int, bool>, WeightedTables>>, std::uint16_t> known;
  // Tables of events are few against rows, so that each is kept once.
  auto energy_choice = [&](int output, int input, bool input_rises, WeightedTables tables) {
    if (tables.empty()) return kNone;
    const auto [at, added] =
        known.emplace(std::pair{output, std::pair{std::pair{input, input_rises}, tables}},
                      static_cast<std::uint16_t>(energy_tables.size()));
    if (added) {
      energy_tables.push_back({input, input_rises, std::move(tables)});
      energy_outputs.push_back(output);
    }
    return at->second;
  };

  delays_.assign(outputs.size() * inputs.size() << row_bits, kNone);
  energies_ = delays_;
  input_energies_.assign(inputs.size() << row_bits, kNone);
  for (int i = 0; i < pins; ++i) {
    const LibertyPin& input = *inputs[static_cast<std::size_t>(i)];
    const auto own = energies_of(input, input.name);
    for (std::uint32_t row = 0; row < rows && !own.empty(); ++row) {
      const bool rises = row >> i & 1;
      input_energies_[(static_cast<std::size_t>(i) << row_bits) | row] =
          energy_choice(-1, i, rises, mix(own, rises, row, conditions, false));
      has_input_energy_ |= 1u << i;
    }
    for (int o = 0; o < static_cast<int>(outputs.size()); ++o) {
      const LibertyPin& output = *outputs[static_cast<std::size_t>(o)];
      const auto power = energies_of(output, input.name);
      std::vector<const LibertyTimingArc*> timing;
      for (const LibertyTimingArc& arc : output.timing)
        if (arc.related_pin == input.name && arc.delays_output()) timing.push_back(&arc);
      std::map<std::pair<const LibertyTimingArc*, bool>, std::uint16_t> timed[2];
      for (std::uint32_t row = 0; row < rows; ++row) {
        const bool input_rises = row >> i & 1, rises = values[row] >> o & 1;
        energies_[at(o, i, row)] =
            energy_choice(o, i, input_rises, mix(power, rises, row, conditions, true));
        std::vector<const LibertyTimingArc*> fitting;
        for (const LibertyTimingArc* arc : timing)
          if (!(rises ? arc->rise_delay_ns : arc->fall_delay_ns).empty() &&
              arc->sense != (rises == input_rises ? "negative_unate" : "positive_unate"))
            fitting.push_back(arc);
        if (fitting.empty()) continue;
        const LibertyTimingArc* arc = applicable(fitting, row, conditions, true).front();
        const auto [found, added] = timed[rises].emplace(
            std::pair{arc, input_rises}, static_cast<std::uint16_t>(delay_tables.size()));
        if (added)
          delay_tables.push_back({o, i, rises, input_rises,
                                  rises ? &arc->rise_delay_ns : &arc->fall_delay_ns,
                                  rises ? &arc->rise_slew_ns : &arc->fall_slew_ns});
        delays_[at(o, i, row)] = found->second;
      }
    }
  }
}

}  // namespace solfege
