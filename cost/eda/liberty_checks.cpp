// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/liberty_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <stdexcept>
#include <string_view>

#include "cost/eda/boolean_function.hpp"

namespace solfege {
namespace {

using Names = std::vector<std::string>;

bool is_plain(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_$.[]").find(c) != std::string_view::npos;
  });
}

/// Old libraries have supplies among the pins.
bool is_supply(const LibertyPin& pin) {
  return pin.function.empty() && pin.timing.empty() && pin.power.empty() && pin.capacitance_pf == 0;
}

Names with_states(Names names, const LibertyFlipFlop& ff) {
  for (const std::string& state : {ff.state, ff.inverted_state})
    if (!state.empty()) names.push_back(state);
  return names;
}

/// What is wrong with a function of these pins; empty: nothing.
std::string function_fault(const std::string& function, const Names& names) {
  try {
    if (!function.empty()) BooleanFunction(function, names);
    return "";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

std::string pins_fault(const LibertyCell& cell) {
  if (!is_plain(cell.name)) return "its name is not of letters, digits, _, $, ., [ and ]";
  for (const LibertyPin& pin : cell.pins) {
    if (!is_plain(pin.name))
      return fmt::format("the name of pin `{}` is not of letters, digits, _, $, ., [ and ]",
                         pin.name);
    if (cell.pin(pin.name) != &pin) return fmt::format("it has two pins {}", pin.name);
    if (pin.direction == "inout" && !is_supply(pin))
      return fmt::format("pin {} is inout", pin.name);
  }
  const std::size_t inputs = cell.inputs().size(), outputs = cell.outputs().size();
  if (inputs > LibertyCell::kMaxInputs || outputs > LibertyCell::kMaxOutputs ||
      inputs + outputs > BooleanFunction::kMaxInputs)
    return fmt::format("it has {} inputs and {} outputs; at most {} and {}, {} together, are used",
                       inputs, outputs, LibertyCell::kMaxInputs, LibertyCell::kMaxOutputs,
                       BooleanFunction::kMaxInputs);
  return "";
}

/// "no falling delay from A", unless the pin has both.
void require_arc(const LibertyPin& pin, const std::string& from, bool setup, Names& lost) {
  bool rise = false, fall = false;
  for (const LibertyTimingArc& arc : pin.timing) {
    if (arc.related_pin != from || !(setup ? arc.is_setup() : arc.delays_output())) continue;
    rise = rise || !arc.rise_delay_ns.empty();
    fall = fall || !arc.fall_delay_ns.empty();
  }
  if (rise && fall) return;
  lost.push_back(fmt::format("pin {}: no {}{} {}", pin.name,
                             rise   ? "falling "
                             : fall ? "rising "
                                    : "",
                             setup ? "setup time before" : "delay from", from));
}

void require_arcs(const LibertyCell& cell, Names& lost) {
  const Names inputs = cell.input_names();
  auto all_of = [&](const std::string& function) {
    Names found;
    const BooleanFunction f(function,
                            cell.flip_flop ? with_states(inputs, *cell.flip_flop) : inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (f.depends_on(i)) found.push_back(inputs[i]);
    return found;
  };
  if (!cell.flip_flop) {
    for (const LibertyPin* output : cell.outputs())
      for (const std::string& input : all_of(output->function))
        require_arc(*output, input, false, lost);
    return;
  }
  const Names clocks = all_of(cell.flip_flop->clocked_on);
  for (const std::string& clock : clocks) {
    for (const LibertyPin* output : cell.outputs()) require_arc(*output, clock, false, lost);
    for (const std::string& input : all_of(cell.flip_flop->next_state))
      if (input != clock) require_arc(*cell.pin(input), clock, true, lost);
  }
}

}  // namespace

std::string cell_fault(const LibertyCell& cell) {
  if (const std::string fault = pins_fault(cell); !fault.empty()) return fault;
  Names names = cell.input_names();
  auto fault = [&](const std::string& function, const std::string& what) {
    const std::string why = function_fault(function, names);
    return why.empty() ? why : fmt::format("{}: {}", what, why);
  };
  std::string why;
  if (cell.flip_flop) {
    const LibertyFlipFlop& ff = *cell.flip_flop;
    if (ff.next_state.empty() || ff.clocked_on.empty())
      return "its flip-flop has no next_state or no clocked_on";
    names = with_states(names, ff);
    for (const auto& [function, what] : {std::pair(&ff.clocked_on, "clocked_on"),
                                         {&ff.next_state, "next_state"},
                                         {&ff.clear, "clear"},
                                         {&ff.preset, "preset"}})
      if (why.empty()) why = fault(*function, what);
  }
  for (const LibertyPin& pin : cell.pins) {
    if (pin.direction != "output" || !why.empty()) continue;
    if (pin.function.empty())
      return fmt::format("output {} has no function, or is three-state", pin.name);
    why = fault(pin.function, pin.name);
  }
  return why;
}

std::vector<std::string> take_out_arcs(LibertyCell& cell) {
  Names names = cell.input_names(), lost;
  for (const LibertyPin* output : cell.outputs()) names.push_back(output->name);
  std::map<std::string, std::string> faults;  // by condition
  for (LibertyPin& pin : cell.pins) {
    auto unusable = [&](const auto& arc) {
      const auto [known, added] = faults.emplace(arc.when, "");
      if (added) known->second = function_fault(arc.when, names);
      std::string what = known->second;
      if (!arc.related_pin.empty() && cell.pin(arc.related_pin) == nullptr)
        what = fmt::format("related_pin {} is no pin of the cell", arc.related_pin);
      if (!what.empty())
        lost.push_back(fmt::format("pin {}: an arc is left out: {}", pin.name, what));
      return !what.empty();
    };
    pin.timing.erase(std::remove_if(pin.timing.begin(), pin.timing.end(), unusable),
                     pin.timing.end());
    pin.power.erase(std::remove_if(pin.power.begin(), pin.power.end(), unusable), pin.power.end());
  }
  require_arcs(cell, lost);
  return lost;
}

}  // namespace solfege
