// SPDX-License-Identifier: Apache-2.0
#include "cost/liberty.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string_view>

#include "cost/boolean_function.hpp"
#include "cost/liberty_syntax.hpp"
#include "model/cache.hpp"

namespace solfege {
namespace {

using Statement = LibertyStatement;

enum class Axis { kSlew, kLoad, kOther };

struct Template {
  std::vector<Axis> axes;
  std::vector<std::vector<double>> indexes;
};

class Reader {
 public:
  explicit Reader(const std::string& path) : file_(path) {}

  LibertyLibrary read() {
    const Statement& library = file_.library();
    library_.name = std::string(library.value);
    library_.path = file_.path();
    library_.hash = content_hash({file_.text()});
    bool any_area = false;
    for (const Statement& s : library.statements)
      if (s.name == "cell" && s.group && optional_number(s.text("area"), 0) > 0) any_area = true;
    if (!any_area) file_.fail(library.name, "it has no cell with an area");
    units(library);
    conditions(library);
    for (const Statement& s : library.statements)
      if (s.name == "lu_table_template" || s.name == "power_lut_template")
        templates_[s.value] = table_template(s);
    for (const Statement& s : library.statements)
      if (s.name == "cell" && s.group) library_.cells.push_back(cell(s));
    return std::move(library_);
  }

 private:
  // ---- Numbers, units, conditions ----

  double number(std::string_view text) const {
    double value = 0;
    const char* first = text.data();
    if (!text.empty() && *first == '+') ++first;
    const auto [end, error] = std::from_chars(first, text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      file_.fail(text, fmt::format("`{}` should be a number", text));
    return value;
  }

  double optional_number(std::string_view text, double otherwise) const {
    return text.empty() ? otherwise : number(text);
  }

  /// Numbers separated by anything that is no part of one.
  std::vector<double> numbers(std::string_view text) const {
    std::vector<double> values;
    const char *at = text.data(), *end = at + text.size();
    while (true) {
      while (at < end && (*at == ' ' || *at == ',' || *at == '"' || *at == '\\' || *at == '\n' ||
                          *at == '\t' || *at == '\r' || *at == '+'))
        ++at;
      if (at == end) return values;
      double value = 0;
      const auto [next, error] = std::from_chars(at, end, value);
      if (error != std::errc() || !std::isfinite(value))
        file_.fail({at, 1}, fmt::format("a list of numbers has `{}`", *at));
      values.push_back(value);
      at = next;
    }
  }

  /// Of "1ns" or "10ps": in `unit`, which is one letter.
  double scaled(const Statement& library, std::string_view key, char unit) const {
    const Statement* s = library.find(key);
    if (s == nullptr)
      file_.fail(library.name, fmt::format("it has no {}", key),
                 fmt::format("add, for example, {} : \"1n{}\"", key, unit));
    const std::string_view text = s->value;
    double value = 1;
    const auto [next, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    std::string_view suffix =
        text.substr(error == std::errc() ? static_cast<std::size_t>(next - text.data()) : 0);
    while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
    const double scale = prefix(suffix, unit);
    if (scale == 0 || value <= 0)
      file_.fail(text, fmt::format("{} is `{}`", key, text),
                 fmt::format("write a number and a unit of {} with at most one of the prefixes "
                             "m, u, n, p, f, for example \"1n{}\"",
                             unit, unit));
    return value * scale;
  }

  /// Of "n" + unit, without regard to case; 0 if unknown.
  static double prefix(std::string_view text, char unit) {
    auto lower = [](char c) { return static_cast<char>(std::tolower(c)); };
    if (text.empty() || text.size() > 2 || lower(text.back()) != lower(unit)) return 0;
    if (text.size() == 1) return 1;
    switch (lower(text.front())) {
      case 'm':
        return 1e-3;
      case 'u':
        return 1e-6;
      case 'n':
        return 1e-9;
      case 'p':
        return 1e-12;
      case 'f':
        return 1e-15;
    }
    return text.front() == 'k' ? 1e3 : 0;
  }

  void units(const Statement& library) {
    to_ns_ = scaled(library, "time_unit", 's') * 1e9;
    const double volt = scaled(library, "voltage_unit", 'V');
    const Statement* load = library.find("capacitive_load_unit");
    if (load == nullptr)
      file_.fail(library.name, "it has no capacitive_load_unit",
                 "add, for example, capacitive_load_unit (1, pf)");
    const auto comma = load->value.find(',');
    double scale = 0;
    if (comma != std::string_view::npos)
      scale = prefix(stripped(load->value.substr(comma + 1)), 'F') *
              number(stripped(load->value.substr(0, comma)));
    if (scale <= 0)
      file_.fail(load->value, fmt::format("capacitive_load_unit is `{}`", load->value),
                 "write (NUMBER, pf) or (NUMBER, ff)");
    to_pf_ = scale * 1e12;
    to_pj_ = scale * volt * volt * 1e12;  // by the standard, whatever the power unit is
    to_nw_ =
        library.find("leakage_power_unit") ? scaled(library, "leakage_power_unit", 'W') * 1e9 : 0;
  }

  static std::string_view stripped(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n\"");
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n\"") - first + 1);
  }

  void conditions(const Statement& library) {
    library_.corner = std::string(library.text("default_operating_conditions"));
    const Statement* conditions = nullptr;
    for (const Statement& s : library.statements)
      if (s.name == "operating_conditions" && (conditions == nullptr || s.value == library_.corner))
        conditions = &s;
    auto value = [&](std::string_view key, std::string_view nominal) {
      const std::string_view own = conditions == nullptr ? "" : conditions->text(key);
      return own.empty() ? library.text(nominal) : own;
    };
    if (conditions != nullptr) library_.corner = std::string(conditions->value);
    if (value("voltage", "nom_voltage").empty())
      file_.fail(library.name, "it has neither operating_conditions with a voltage nor nom_voltage",
                 "add nom_voltage, which energies need");
    library_.voltage_v =
        number(value("voltage", "nom_voltage")) * scaled(library, "voltage_unit", 'V');
    if (!(library_.voltage_v > 0))
      file_.fail(library.name, fmt::format("its voltage is {} V", library_.voltage_v),
                 "give the supply, above 0, which energies need");
    library_.temperature_c = optional_number(value("temperature", "nom_temperature"), 25);
    library_.default_max_slew_ns =
        optional_number(library.text("default_max_transition"), 0) * to_ns_;
    default_input_pf_ = optional_number(library.text("default_input_pin_cap"), 0) * to_pf_;
    default_leakage_ = library.text("default_cell_leakage_power");
  }

  // ---- Tables ----

  Template table_template(const Statement& s) {
    Template t;
    for (const char* key : {"variable_1", "variable_2", "variable_3"}) {
      const std::string_view name = s.text(key);
      if (name.empty()) break;
      const bool slew = name == "input_net_transition" || name == "input_transition_time" ||
                        name == "constrained_pin_transition";
      t.axes.push_back(slew                                     ? Axis::kSlew
                       : name == "total_output_net_capacitance" ? Axis::kLoad
                                                                : Axis::kOther);
    }
    t.indexes.resize(t.axes.size());
    read_indexes(s, t.indexes);
    return t;
  }

  void read_indexes(const Statement& s, std::vector<std::vector<double>>& indexes) const {
    static constexpr std::string_view kKeys[] = {"index_1", "index_2", "index_3"};
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      const Statement* index = s.find(kKeys[i]);
      if (index != nullptr) indexes[i] = numbers(index->value);
      for (std::size_t k = 1; k < indexes[i].size(); ++k)
        if (indexes[i][k] <= indexes[i][k - 1])
          file_.fail(index == nullptr ? s.name : index->value,
                     fmt::format("{} of `{}` does not increase", kKeys[i], s.value));
    }
  }

  /// Axes that are neither slew nor load (a second output's load, the clock's slew of a
  /// constraint) are taken at their first point.
  LibertyTable table(const Statement& s, double scale) const {
    LibertyTable out;
    const Statement* values = s.find("values");
    if (values == nullptr) file_.fail(s.name, fmt::format("{} has no values", s.name));
    out.values = numbers(values->value);
    for (double& value : out.values) value *= scale;
    out.slews_ns = out.loads_pf = {0};
    Template t;
    if (s.value != "scalar") {
      const auto found = templates_.find(s.value);
      if (found == templates_.end())
        file_.fail(
            s.value,
            fmt::format("{} names the table template `{}`, which is not defined", s.name, s.value),
            "define it with lu_table_template or power_lut_template");
      t.axes = found->second.axes;
      t.indexes = found->second.indexes;
      read_indexes(s, t.indexes);
    }
    std::size_t size = 1;
    for (const auto& index : t.indexes) size *= index.size();
    if (size != out.values.size() || size == 0)
      file_.fail(values->value,
                 fmt::format("{} ({}) has {} values, but its indexes ask for {}", s.name, s.value,
                             out.values.size(), size),
                 "make the values match the template");
    std::size_t slew_stride = 0, load_stride = 0, stride = size;
    for (std::size_t i = 0; i < t.axes.size(); ++i) {
      stride /= t.indexes[i].size();
      if (t.axes[i] == Axis::kOther) continue;
      const bool slew = t.axes[i] == Axis::kSlew;
      (slew ? slew_stride : load_stride) = stride;
      auto& points = slew ? out.slews_ns : out.loads_pf;
      points = std::move(t.indexes[i]);
      for (double& point : points) point *= slew ? to_ns_ : to_pf_;
    }
    if (load_stride == 1 && slew_stride == out.loads_pf.size()) return out;
    std::vector<double> ordered;
    for (std::size_t i = 0; i < out.slews_ns.size(); ++i)
      for (std::size_t k = 0; k < out.loads_pf.size(); ++k)
        ordered.push_back(out.values[i * slew_stride + k * load_stride]);
    out.values = std::move(ordered);
    return out;
  }

  // ---- Cells ----

  LibertyCell cell(const Statement& s) {
    LibertyCell cell;
    cell.name = std::string(s.value);
    cell.area_um2 = optional_number(s.text("area"), 0);
    cell.dont_use = s.text("dont_use") == "true";
    grounds_.clear();
    for (const Statement& child : s.statements)
      if (child.name == "pg_pin" && child.text("pg_type").find("ground") != std::string_view::npos)
        grounds_.push_back(child.value);
    cell.leakage_nw = leakage(s);
    int states = 0;
    for (const Statement& child : s.statements) {
      if (!child.group) continue;
      if (child.name == "pin") {
        for (const std::string& name : words(child.value)) cell.pins.push_back(pin(child, name));
      } else if (child.name == "bus" || child.name == "bundle") {
        cell.is_memory = cell.is_memory || child.name == "bus";
        for (const std::string& name : words(child.value)) cell.pins.push_back(bus(child, name));
      } else if (child.name == "memory") {
        cell.is_memory = true;
      } else if (child.name == "ff") {
        ++states;
        const auto names = words(child.value);
        cell.flip_flop = LibertyFlipFlop{
            names.empty() ? "" : names[0],         names.size() < 2 ? "" : names[1],
            std::string(child.text("clocked_on")), std::string(child.text("next_state")),
            std::string(child.text("clear")),      std::string(child.text("preset"))};
      } else if (child.name == "latch" || child.name == "latch_bank" || child.name == "ff_bank" ||
                 child.name == "statetable") {
        cell.is_latch = true;
      }
    }
    if (states > 1) cell.is_latch = true;
    if (cell.is_latch) cell.flip_flop.reset();
    if (!cell.is_latch && !cell.is_memory) check_functions(s, cell);
    return cell;
  }

  bool is_ground(std::string_view rail) const {
    return std::find(grounds_.begin(), grounds_.end(), rail) != grounds_.end();
  }

  /// Means over the states given, added over the supplies; else the cell's single figure.
  double leakage(const Statement& s) const {
    struct Rail {
      double states = 0, always = 0;
      int count = 0;
    };
    std::map<std::string_view, Rail> rails;
    for (const Statement& child : s.statements) {
      if (child.name != "leakage_power" || !child.group || child.text("value").empty()) continue;
      if (is_ground(child.text("related_pg_pin"))) continue;
      const std::string_view when = child.text("when");
      Rail& rail = rails[child.text("related_pg_pin")];
      const double value = number(child.text("value"));
      if (when.empty()) {
        rail.always += value;
      } else {
        rail.states += value;
        ++rail.count;
      }
    }
    double sum = 0;
    for (const auto& [name, rail] : rails)
      sum += rail.count > 0 ? rail.states / rail.count : rail.always;
    if (rails.empty()) {
      const std::string_view own = s.text("cell_leakage_power");
      sum = optional_number(own.empty() ? default_leakage_ : own, 0);
    }
    if (sum != 0 && to_nw_ == 0)
      file_.fail(file_.library().name, "it has leakage but no leakage_power_unit",
                 "add, for example, leakage_power_unit : \"1nW\"");
    return sum * to_nw_;
  }

  /// Names separated by blanks or commas.
  static std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> names;
    for (std::size_t at = 0; at < text.size();) {
      at = text.find_first_not_of(" ,\t\r\n\"\\", at);
      if (at == text.npos) break;
      const auto end = std::min(text.find_first_of(" ,\t\r\n\"\\", at), text.size());
      names.emplace_back(text.substr(at, end - at));
      at = end;
    }
    return names;
  }

  LibertyPin pin(const Statement& s, const std::string& name) const {
    LibertyPin pin;
    pin.name = name;
    pin.direction = std::string(s.text("direction"));
    pin.function = std::string(s.text("function"));
    if (!s.text("three_state").empty()) pin.function.clear();  // not a function of its inputs
    pin.is_clock = s.text("clock") == "true";
    const std::string_view capacitance = s.text("capacitance");
    if (!capacitance.empty())
      pin.capacitance_pf = number(capacitance) * to_pf_;
    else if (pin.direction == "input")
      pin.capacitance_pf = default_input_pf_;
    arcs(s, pin);
    return pin;
  }

  /// Figures of a bit; each bit's are taken to be those of the first that has them.
  LibertyPin bus(const Statement& s, const std::string& name) const {
    LibertyPin bus = pin(s, name);
    double capacitance = 0;
    int bits = 0;
    for (const Statement& child : s.statements) {
      if (child.name != "pin" || !child.group) continue;
      LibertyPin bit = pin(child, name);
      if (bus.direction.empty()) bus.direction = bit.direction;
      if (bus.timing.empty()) bus.timing = std::move(bit.timing);
      if (bus.power.empty()) bus.power = std::move(bit.power);
      if (child.find("capacitance") == nullptr) continue;
      capacitance += bit.capacitance_pf;
      ++bits;
    }
    if (s.find("capacitance") == nullptr && bits > 0) bus.capacitance_pf = capacitance / bits;
    const std::string_view type = s.text("bus_type");
    const Statement* found = nullptr;
    for (const Statement& t : file_.library().statements)
      if (t.name == "type" && t.value == type) found = &t;
    if (s.name == "bundle") {
      bus.width = static_cast<int>(words(s.text("members")).size());
    } else if (found == nullptr) {
      file_.fail(s.name, fmt::format("bus {} has the type `{}`, which is not defined", name, type),
                 "define it with a type group");
    } else {
      bus.width = static_cast<int>(number(found->text("bit_width")));
    }
    return bus;
  }

  void arcs(const Statement& s, LibertyPin& pin) const {
    for (const Statement& child : s.statements) {
      if (!child.group) continue;
      if (child.name == "timing") {
        timing(child, pin);
      } else if (child.name == "internal_power") {
        LibertyPowerArc arc;
        arc.when = std::string(child.text("when"));
        arc.related_power_pin = std::string(child.text("related_pg_pin"));
        arc.ground_rail = is_ground(arc.related_power_pin);
        for (const Statement& t : child.statements) {
          if (!t.group) continue;
          if (t.name == "rise_power" || t.name == "power") arc.rise_pj = table(t, to_pj_);
          if (t.name == "fall_power" || t.name == "power") arc.fall_pj = table(t, to_pj_);
        }
        if (arc.rise_pj.empty() && arc.fall_pj.empty()) continue;
        for_related(child, pin.power, arc);
      }
    }
  }

  /// Hold, recovery and pulse-width checks are left out; of setup, the constraint is kept.
  void timing(const Statement& s, LibertyPin& pin) const {
    LibertyTimingArc arc;
    arc.type = std::string(s.text("timing_type"));
    const bool setup = arc.type == "setup_rising" || arc.type == "setup_falling";
    arc.when = std::string(s.text("when"));
    arc.sense = std::string(s.text("timing_sense"));
    for (const Statement& t : s.statements) {
      if (!t.group) continue;
      if (t.name == "cell_rise" || (setup && t.name == "rise_constraint"))
        arc.rise_delay_ns = table(t, to_ns_);
      else if (t.name == "cell_fall" || (setup && t.name == "fall_constraint"))
        arc.fall_delay_ns = table(t, to_ns_);
      else if (t.name == "rise_transition")
        arc.rise_slew_ns = table(t, to_ns_);
      else if (t.name == "fall_transition")
        arc.fall_slew_ns = table(t, to_ns_);
    }
    if (arc.rise_delay_ns.empty() && arc.fall_delay_ns.empty()) return;
    for_related(s, pin.timing, arc);
  }

  template <typename Arc>
  static void for_related(const Statement& s, std::vector<Arc>& arcs, Arc& arc) {
    const auto pins = words(s.text("related_pin"));
    if (pins.empty()) {
      arcs.push_back(std::move(arc));
      return;
    }
    for (const std::string& name : pins) {
      arc.related_pin = name;
      arcs.push_back(arc);
    }
  }

  void check_functions(const Statement& s, const LibertyCell& cell) {
    std::vector<std::string> inputs;
    for (const LibertyPin& pin : cell.pins)
      if (pin.direction == "input") inputs.push_back(pin.name);
    const std::vector<std::string> pins = inputs;
    auto check = [&](const std::string& function, const char* what) {
      if (function.empty()) return;
      try {
        BooleanFunction(function, inputs);
      } catch (const std::invalid_argument& error) {
        file_.fail(s.name, fmt::format("cell {}, {}: {}", cell.name, what, error.what()),
                   "correct the function");
      }
    };
    if (cell.flip_flop) {
      const LibertyFlipFlop& ff = *cell.flip_flop;
      for (const std::string& state : {ff.state, ff.inverted_state})
        if (!state.empty()) inputs.push_back(state);
      check(ff.clocked_on, "clocked_on");
      check(ff.next_state, "next_state");
      check(ff.clear, "clear");
      check(ff.preset, "preset");
    }
    for (const LibertyPin& pin : cell.pins) {
      if (pin.direction != "output") continue;
      check(pin.function, pin.name.c_str());
      if (pin.function.empty())
        library_.notes.push_back(
            fmt::format("{}:{}: cell {} cannot be simulated: output {} has no function, or is "
                        "three-state",
                        file_.path(), file_.line(s.name), cell.name, pin.name));
    }
  }

  LibertyFile file_;
  LibertyLibrary library_;
  double to_ns_ = 0, to_pf_ = 0, to_pj_ = 0, to_nw_ = 0;
  double default_input_pf_ = 0;
  std::vector<std::string_view> grounds_;  ///< of the cell being read
  std::string_view default_leakage_;
  std::map<std::string_view, Template> templates_;
};

/// Index of the cell of the table that `x` is in, or the nearest.
std::size_t segment(const std::vector<double>& points, double x) {
  const auto above = std::upper_bound(points.begin() + 1, points.end() - 1, x);
  return static_cast<std::size_t>(above - points.begin()) - 1;
}

}  // namespace

double LibertyTable::at(double slew_ns, double load_pf) const {
  const std::size_t columns = loads_pf.size();
  auto row = [&](std::size_t r) {
    const double* v = values.data() + r * columns;
    if (columns == 1) return v[0];
    const std::size_t c = segment(loads_pf, load_pf);
    return v[c] + (v[c + 1] - v[c]) * (load_pf - loads_pf[c]) / (loads_pf[c + 1] - loads_pf[c]);
  };
  if (slews_ns.size() == 1) return row(0);
  const std::size_t r = segment(slews_ns, slew_ns);
  const double low = row(r), high = row(r + 1);
  return low + (high - low) * (slew_ns - slews_ns[r]) / (slews_ns[r + 1] - slews_ns[r]);
}

const LibertyPin* LibertyCell::pin(const std::string& wanted) const {
  for (const LibertyPin& pin : pins)
    if (pin.name == wanted) return &pin;
  return nullptr;
}

const LibertyCell* LibertyLibrary::cell(const std::string& wanted) const {
  for (const LibertyCell& cell : cells)
    if (cell.name == wanted) return &cell;
  return nullptr;
}

bool LibertyLibrary::has_internal_power() const {
  for (const LibertyCell& cell : cells)
    for (const LibertyPin& pin : cell.pins)
      if (!pin.power.empty()) return true;
  return false;
}

bool LibertyLibrary::has_delays() const {
  for (const LibertyCell& cell : cells)
    for (const LibertyPin& pin : cell.pins)
      if (!pin.timing.empty()) return true;
  return false;
}

LibertyLibrary read_liberty(const std::string& path) { return Reader(path).read(); }

}  // namespace solfege
