// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/liberty_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <set>
#include <stdexcept>
#include <string_view>

#include "cost/eda/liberty_checks.hpp"
#include "cost/eda/liberty_syntax.hpp"
#include "model/base/cache.hpp"

namespace solfege {
namespace {

using Statement = LibertyStatement;

enum class Axis { kSlew, kLoad, kOther };

constexpr double kThousandths[] = {1e-3, 1e-6, 1e-9, 1e-12, 1e-15};  // of the prefixes m u n p f

/// The tables of a timing group, and what those of a setup check are called.
struct ArcTable {
  std::string_view delay, constraint;
  LibertyTable LibertyTimingArc::*place;
};
constexpr ArcTable kArcTables[] = {
    {"cell_rise", "rise_constraint", &LibertyTimingArc::rise_delay_ns},
    {"cell_fall", "fall_constraint", &LibertyTimingArc::fall_delay_ns},
    {"rise_transition", "", &LibertyTimingArc::rise_slew_ns},
    {"fall_transition", "", &LibertyTimingArc::fall_slew_ns}};

struct Template {
  std::vector<Axis> axes;
  std::vector<std::vector<double>> indexes;
};

/// What makes a cell unusable, and the rest of the library not.
struct CellFault {
  std::string_view at;
  std::string what;
};

bool is_cell(const Statement& s) { return s.name == "cell" && s.group; }

/// The number that a text begins with, and where it ends; nullptr if it begins with none.
const char* read_number(const char* first, const char* last, double& value) {
  if (first < last && *first == '+') ++first;
  const auto [end, error] = std::from_chars(first, last, value);
  if (error == std::errc::result_out_of_range)
    value = std::strtod(std::string(first, end).c_str(), nullptr);  // 0, for one too small
  else if (error != std::errc())
    return nullptr;
  return std::isfinite(value) ? end : nullptr;
}

class Reader {
 public:
  explicit Reader(const LibertyFile& file) : file_(file) {}

  LibertyLibrary read() {
    const Statement& library = file_.library();
    library_.name = std::string(library.value);
    library_.path = file_.path();
    units(library);
    conditions(library);
    for (const Statement& s : library.statements)
      if (s.group && (s.name == "lu_table_template" || s.name == "power_lut_template"))
        templates_[s.value] = &s;
    for (const Statement& s : library.statements)
      if (is_cell(s)) library_.cells.push_back(usable_cell(s));
    return std::move(library_);
  }

 private:
  /// Of a cell, that it cannot be used; of the library, InputError.
  [[noreturn]] void fail(std::string_view at, const std::string& what,
                         const std::string& fix = "name a complete .lib file") const {
    if (in_cell_) throw CellFault{at, what};
    file_.fail(at, what, fix);
  }

  // ---- Numbers, units, conditions ----

  double number(std::string_view text) const {
    double value = 0;
    const char* last = text.data() + text.size();
    if (read_number(text.data(), last, value) != last)
      fail(text, fmt::format("`{}` should be a number", text));
    return value;
  }

  double optional_number(std::string_view text, double otherwise) const {
    return text.empty() ? otherwise : number(text);
  }

  std::vector<double> numbers(std::string_view text) const {
    std::vector<double> values;
    LibertyWords words(text);
    for (std::string_view word; words.next(word);) values.push_back(number(word));
    return values;
  }

  /// Of "1ns", "10 ps" or (1, ns): in `unit`, which is one letter.
  double scaled(const Statement& library, std::string_view key, char unit,
                const std::string& example) const {
    const Statement* s = library.find(key);
    if (s == nullptr)
      fail(library.name, fmt::format("it has no {}", key),
           fmt::format("add, for example, {}", example));
    std::string text;
    for (const std::string_view word : liberty_words(s->value)) text += word;
    double value = 1;
    const char* last = text.data() + text.size();
    const char* end = read_number(text.data(), last, value);
    if (end == nullptr) end = text.data();
    const double scale = prefix({end, static_cast<std::size_t>(last - end)}, unit) * value;
    if (!(scale > 0) || !std::isfinite(1e12 * scale))
      fail(s->value, fmt::format("{} is `{}`", key, s->value),
           fmt::format("write a number and a unit of {} with at most one of the prefixes m, u, n, "
                       "p, f, for example {}",
                       unit, example));
    return scale;
  }

  /// Of "n" + unit, without regard to case; 0 if unknown.
  static double prefix(std::string_view text, char unit) {
    const std::string lower = liberty_lower(text);
    if (lower.empty() || lower.size() > 2 || lower.back() != std::tolower(unit)) return 0;
    if (lower.size() == 1) return 1;
    if (text.front() == 'k') return 1e3;
    const std::size_t thousandths = std::string_view("munpf").find(lower.front());
    return thousandths == std::string_view::npos ? 0 : kThousandths[thousandths];
  }

  void units(const Statement& library) {
    to_ns_ = scaled(library, "time_unit", 's', "time_unit : \"1ns\"") * 1e9;
    const double volt = scaled(library, "voltage_unit", 'V', "voltage_unit : \"1V\"");
    const double farad =
        scaled(library, "capacitive_load_unit", 'F', "capacitive_load_unit (1, pf)");
    to_pf_ = farad * 1e12;
    to_pj_ = farad * volt * volt * 1e12;  // by the standard, whatever the power unit is
    if (library.find("leakage_power_unit") != nullptr)
      to_nw_ = scaled(library, "leakage_power_unit", 'W', "leakage_power_unit : \"1nW\"") * 1e9;
  }

  void conditions(const Statement& library) {
    library_.corner = std::string(library.text("default_operating_conditions"));
    const Statement* conditions = nullptr;
    for (const Statement& s : library.statements)
      if (s.group && s.name == "operating_conditions" &&
          (conditions == nullptr || s.value == library_.corner))
        conditions = &s;
    auto value = [&](std::string_view key, std::string_view nominal) {
      const std::string_view own = conditions == nullptr ? "" : conditions->text(key);
      return own.empty() ? library.text(nominal) : own;
    };
    if (conditions != nullptr) library_.corner = std::string(conditions->value);
    if (value("voltage", "nom_voltage").empty())
      fail(library.name, "it has neither operating_conditions with a voltage nor nom_voltage",
           "add nom_voltage, which energies need");
    library_.voltage_v = number(value("voltage", "nom_voltage")) *
                         scaled(library, "voltage_unit", 'V', "voltage_unit : \"1V\"");
    if (!(library_.voltage_v > 0))
      fail(library.name, fmt::format("its voltage is {} V", library_.voltage_v),
           "give the supply, above 0, which energies need");
    library_.temperature_c = optional_number(value("temperature", "nom_temperature"), 25);
    library_.default_max_slew_ns =
        optional_number(library.text("default_max_transition"), 0) * to_ns_;
    default_input_pf_ = optional_number(library.text("default_input_pin_cap"), 0) * to_pf_;
    default_leakage_ = library.text("default_cell_leakage_power");
  }

  // ---- Tables ----

  Template table_template(const Statement& s) const {
    Template t;
    for (const char* key : {"variable_1", "variable_2", "variable_3"}) {
      const std::string name = liberty_lower(s.text(key));
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
      if (index == nullptr) continue;
      indexes[i] = numbers(index->value);
      for (std::size_t k = 1; k < indexes[i].size(); ++k)
        if (indexes[i][k] <= indexes[i][k - 1])
          fail(index->value, fmt::format("{} of `{}` does not increase", kKeys[i], s.value));
    }
  }

  const Template& known_template(const Statement& s) const {
    const auto found = known_templates_.find(&s);
    if (found != known_templates_.end()) return found->second;
    return known_templates_.emplace(&s, table_template(s)).first->second;
  }

  /// Axes that are neither slew nor load (a second output's load, the clock's slew of a
  /// constraint) are taken at their first point.
  LibertyTable table(const Statement& s, double scale) const {
    LibertyTable out;
    const Statement* values = s.find("values");
    if (values == nullptr) fail(s.name, fmt::format("{} has no values", s.name));
    out.values = numbers(values->value);
    for (double& value : out.values) value *= scale;
    out.slews_ns = out.loads_pf = {0};
    Template t;
    if (!s.value.empty() && liberty_lower(s.value) != "scalar") {
      const auto found = templates_.find(s.value);
      if (found == templates_.end())
        fail(s.value, fmt::format("{} names the table template `{}`, which is not defined", s.name,
                                  s.value));
      t = known_template(*found->second);
      read_indexes(s, t.indexes);
    }
    double asked = 1;  // may be more than any integer
    for (const auto& index : t.indexes) asked *= static_cast<double>(index.size());
    const std::size_t size = out.values.size();
    if (asked != static_cast<double>(size) || size == 0)
      fail(values->value, fmt::format("{} ({}) has {} values, but its indexes ask for {:.0f}",
                                      s.name, s.value, size, asked));
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

  LibertyCell usable_cell(const Statement& s) {
    LibertyCell cell;
    in_cell_ = true;
    lost_.clear();
    try {
      read_cell(s, cell);
    } catch (const CellFault& fault) {
      cell.unusable = fmt::format("{} ({})", fault.what, file_.location(fault.at));
    }
    in_cell_ = false;
    cell.lost = std::move(lost_);
    if (!cell.unusable.empty())
      library_.notes.push_back(fmt::format("{}: cell {} is left out: {}", file_.location(s.name),
                                           cell.name, cell.unusable));
    return cell;
  }

  void read_cell(const Statement& s, LibertyCell& cell) {
    cell.name = std::string(s.value);
    cell.area_um2 = optional_number(s.text("area"), 0);
    if (cell.area_um2 < 0) fail(s.name, "its area is negative");
    cell.dont_use = liberty_is(s.text("dont_use"), true);
    grounds_.clear();
    for (const Statement& child : s.statements)
      if (child.name == "pg_pin" &&
          liberty_lower(child.text("pg_type")).find("ground") != std::string::npos)
        grounds_.push_back(child.value);
    cell.leakage_nw = leakage(s);
    int states = 0;
    bool bundles = false;
    for (const Statement& child : s.statements) {
      if (!child.group) continue;
      if (child.name == "pin") {
        for (const std::string_view name : liberty_words(child.value))
          cell.pins.push_back(pin(child, name));
      } else if (child.name == "bus" || child.name == "bundle") {
        cell.is_memory = cell.is_memory || child.name == "bus";
        bundles = bundles || child.name == "bundle";
        for (const std::string_view name : liberty_words(child.value))
          cell.pins.push_back(bus(s, child, name));
      } else if (child.name == "memory") {
        cell.is_memory = true;
      } else if (child.name == "ff") {
        ++states;
        const auto names = liberty_words(child.value);
        cell.flip_flop = LibertyFlipFlop{std::string(names.empty() ? "" : names[0]),
                                         std::string(names.size() < 2 ? "" : names[1]),
                                         std::string(child.text("clocked_on")),
                                         std::string(child.text("next_state")),
                                         std::string(child.text("clear")),
                                         std::string(child.text("preset"))};
      } else if (child.name == "latch" || child.name == "latch_bank" || child.name == "ff_bank" ||
                 child.name == "statetable") {
        cell.is_latch = true;
      }
    }
    if (states > 1) cell.is_latch = true;
    if (cell.is_latch) cell.flip_flop.reset();
    if (cell.is_latch || cell.is_memory) return;
    if (bundles) fail(s.name, "it has a bundle of pins");
    cell.unusable = cell_fault(cell);
    if (!cell.unusable.empty()) return;
    for (const std::string& lost : take_out_arcs(cell)) lost_.push_back(lost);
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

  LibertyPin pin(const Statement& s, std::string_view name) {
    LibertyPin pin;
    pin.name = std::string(name);
    pin.direction = liberty_lower(s.text("direction"));
    pin.function = std::string(s.text("function"));
    if (!s.text("three_state").empty()) pin.function.clear();  // not a function of its inputs
    pin.is_clock = liberty_is(s.text("clock"), true);
    const std::string_view capacitance = s.text("capacitance");
    const std::string_view rise = s.text("rise_capacitance"), fall = s.text("fall_capacitance");
    if (!capacitance.empty())
      pin.capacitance_pf = number(capacitance) * to_pf_;
    else if (!rise.empty() || !fall.empty())
      pin.capacitance_pf =
          (number(rise.empty() ? fall : rise) + number(fall.empty() ? rise : fall)) / 2 * to_pf_;
    else if (pin.direction == "input")
      pin.capacitance_pf = default_input_pf_;
    arcs(s, pin);
    return pin;
  }

  /// Figures of a bit; each bit's are taken to be those of the first that has them.
  LibertyPin bus(const Statement& cell, const Statement& s, std::string_view name) {
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
    for (const Statement* place : {&cell, &file_.library()})
      for (const Statement& t : place->statements)
        if (found == nullptr && t.group && t.name == "type" && t.value == type) found = &t;
    if (s.name == "bundle") {
      bus.width = static_cast<int>(liberty_words(s.text("members")).size());
    } else if (found == nullptr) {
      fail(s.name, fmt::format("bus {} has the type `{}`, which is not defined", name, type));
    } else {
      const double width = number(found->text("bit_width"));
      if (!(width >= 1 && width <= 1 << 20))
        fail(found->name, fmt::format("type {} has {} bits", type, width));
      bus.width = static_cast<int>(width);
    }
    return bus;
  }

  void arcs(const Statement& s, LibertyPin& pin) {
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
        const auto related = liberty_words(child.text("related_pin"));
        if (related.empty()) pin.power.push_back(arc);
        for (const std::string_view name : related) {
          arc.related_pin = std::string(name);
          pin.power.push_back(arc);
        }
      }
    }
  }

  /// Hold, recovery and pulse-width checks are left out; of setup, the constraint is kept.
  void timing(const Statement& s, LibertyPin& pin) {
    LibertyTimingArc arc;
    arc.type = liberty_lower(s.text("timing_type"));
    const bool wanted = arc.delays_output() || arc.is_setup();
    arc.when = std::string(s.text("when"));
    arc.sense = liberty_lower(s.text("timing_sense"));
    bool has_tables = false;
    for (const Statement& t : s.statements)
      for (const auto& [delay, constraint, place] : kArcTables)
        if (t.group && (t.name == delay || (arc.is_setup() && t.name == constraint))) {
          arc.*place = table(t, to_ns_);
          has_tables = true;
        }
    const auto related = liberty_words(s.text("related_pin"));
    if (wanted && (related.empty() || !has_tables))
      lost_.push_back(fmt::format("pin {}: a timing group without {} is left out ({})", pin.name,
                                  related.empty() ? "related_pin" : "tables of delays",
                                  file_.location(s.name)));
    if (!has_tables) return;
    for (const std::string_view name : related) {
      arc.related_pin = std::string(name);
      add(pin.timing, arc);
    }
  }

  /// Rise and fall of an arc may stand in groups of their own.
  static void add(std::vector<LibertyTimingArc>& arcs, const LibertyTimingArc& arc) {
    auto kind = [](const LibertyTimingArc& a) {
      const bool plain = a.type.empty() || a.type.rfind("combinational", 0) == 0;
      return plain ? std::string("combinational") : a.type;
    };
    for (LibertyTimingArc& other : arcs) {
      if (other.related_pin != arc.related_pin || other.when != arc.when ||
          other.sense != arc.sense || kind(other) != kind(arc))
        continue;
      bool apart = true;
      for (const ArcTable& t : kArcTables)
        apart = apart && ((other.*t.place).empty() || (arc.*t.place).empty());
      if (!apart) continue;
      for (const ArcTable& t : kArcTables)
        if (!(arc.*t.place).empty()) other.*t.place = arc.*t.place;
      other.type = kind(other);
      return;
    }
    arcs.push_back(arc);
  }

  const LibertyFile& file_;
  LibertyLibrary library_;
  double to_ns_ = 0, to_pf_ = 0, to_pj_ = 0, to_nw_ = 0;
  double default_input_pf_ = 0;
  bool in_cell_ = false;
  std::vector<std::string_view> grounds_;  ///< of the cell being read
  std::vector<std::string> lost_;          ///< of the cell being read
  std::string_view default_leakage_;
  std::map<std::string_view, const Statement*> templates_;
  mutable std::map<const Statement*, Template> known_templates_;
};

}  // namespace

LibertyLibrary read_liberty(const std::string& name) {
  const std::vector<std::string> paths = liberty_files(name);
  std::deque<LibertyFile> files;
  bool any_area = false;
  for (const std::string& path : paths)
    for (const Statement& s : files.emplace_back(path).library().statements) {
      double area = 0;
      const std::string_view text = is_cell(s) ? s.text("area") : "";
      read_number(text.data(), text.data() + text.size(), area);
      any_area = any_area || area > 0;
    }
  if (!any_area) files.front().fail(files.front().library().name, "it has no cell with an area");
  LibertyLibrary all;
  std::set<std::string> names;
  for (const LibertyFile& file : files) {
    LibertyLibrary one = Reader(file).read();
    if (all.path.empty()) {
      all.name = one.name;
      all.path = name;
      all.voltage_v = one.voltage_v;
      all.temperature_c = one.temperature_c;
      all.corner = one.corner;
      all.default_max_slew_ns = one.default_max_slew_ns;
    } else if (one.voltage_v != all.voltage_v || one.temperature_c != all.temperature_c) {
      file.fail(
          file.library().name,
          fmt::format("it is of {:g} V and {:g} C, but {} is of {:g} V and {:g} C", one.voltage_v,
                      one.temperature_c, files.front().path(), all.voltage_v, all.temperature_c),
          "name files of one corner");
    }
    all.notes.insert(all.notes.end(), one.notes.begin(), one.notes.end());
    for (LibertyCell& cell : one.cells) {
      if (names.insert(cell.name).second)
        all.cells.push_back(std::move(cell));
      else
        all.notes.push_back(
            fmt::format("{}: cell {} is there twice: the first counts", file.path(), cell.name));
    }
  }
  all.hash = liberty_hash(paths);
  // Then each arc is lost, and one note tells it.
  if (!all.has_delays())
    for (LibertyCell& cell : all.cells) cell.lost.clear();
  return all;
}

}  // namespace solfege
