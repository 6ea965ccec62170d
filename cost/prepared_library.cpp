// SPDX-License-Identifier: Apache-2.0
#include "cost/prepared_library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "cost/boolean_function.hpp"
#include "cost/liberty_syntax.hpp"
#include "model/cache.hpp"
#include "model/error.hpp"
#include "model/files.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string_view>;

/// Raise when preparation changes.
constexpr const char* kFormat = "solfege-library-6";

// ---- Which cells ----

/// Special cells, which logic must not be mapped to: attributes of Liberty that say so.
bool is_special(const LibertyStatement& cell) {
  static const Names kMarks = {"clock_gating_integrated_cell",
                               "is_level_shifter",
                               "is_isolation_cell",
                               "is_macro_cell",
                               "pad_cell",
                               "retention_cell",
                               "switch_cell_type",
                               "always_on"};
  return std::any_of(cell.statements.begin(), cell.statements.end(), [](const auto& s) {
    return !s.group && kMarks.count(s.name) != 0 && s.value != "false";
  });
}

/// Outputs all have functions; flip-flops have a next state.
bool has_functions(const LibertyCell& cell) {
  int outputs = 0;
  for (const LibertyPin& pin : cell.pins) {
    if (pin.direction != "output") continue;
    ++outputs;
    if (pin.function.empty()) return false;
  }
  return outputs > 0 && (!cell.flip_flop || (!cell.flip_flop->next_state.empty() &&
                                             !cell.flip_flop->clocked_on.empty()));
}

// ---- Liberty text of a part ----

const Names kLibraryGroups = {"operating_conditions"};
const Names kCellStatements = {"area", "pin", "ff"};
const Names kPinStatements = {"direction", "function", "capacitance", "clock", "max_capacitance"};
const Names kTimingStatements = {
    "related_pin",     "timing_sense",   "timing_type",     "when",
    "cell_rise",       "cell_fall",      "rise_transition", "fall_transition",
    "rise_constraint", "fall_constraint"};

class Writer {
 public:
  Writer(const Names& cells, bool timing) : cells_(cells), timing_(timing) {}
  std::string text(const LibertyStatement& library) {
    statement(library, "");
    return std::move(text_);
  }

 private:
  bool keep(const LibertyStatement& s, std::string_view parent) const {
    if (parent.empty()) return true;
    if (parent == "library") {
      if (s.name == "cell") return cells_.count(s.value) != 0;
      return !s.group || kLibraryGroups.count(s.name) != 0 ||
             (timing_ && s.name == "lu_table_template");
    }
    if (parent == "cell") return kCellStatements.count(s.name) != 0;
    if (parent == "pin")
      return kPinStatements.count(s.name) != 0 || (timing_ && s.name == "timing");
    if (parent == "timing") return kTimingStatements.count(s.name) != 0;
    return true;  // all of a flip-flop, a table, operating conditions
  }

  void statement(const LibertyStatement& s, std::string_view parent) {
    if (!keep(s, parent)) return;
    // As in the file: with quotes where it has them, and its form of attribute.
    bool quoted = false;
    if (s.value.data() != nullptr) {
      const char* before = s.value.data() - 1;
      while (std::isspace(static_cast<unsigned char>(*before)) != 0) --before;
      quoted = *before == '"';
    }
    const char* sign = s.name.data() + s.name.size();
    while (*sign != ':' && *sign != '(') ++sign;
    const std::string_view quote = quoted ? "\"" : "";
    if (s.group) {
      text_ += fmt::format("{} ({}{}{}) {{\n", s.name, quote, s.value, quote);
      for (const LibertyStatement& child : s.statements) statement(child, s.name);
      text_ += "}\n";
    } else if (*sign == ':') {
      text_ += fmt::format("{} : {}{}{};\n", s.name, quote, s.value, quote);
    } else {
      text_ += fmt::format("{} ({}{}{});\n", s.name, quote, s.value, quote);
    }
  }

  const Names& cells_;
  bool timing_;
  std::string text_;
};

// ---- ABC's gates ----

/// Shannon's expansion: the same in every dialect of functions.
std::string expression(const BooleanFunction& f, const std::vector<std::string>& inputs,
                       std::size_t decided, std::size_t row) {
  const std::size_t count = std::size_t{1} << decided;
  bool all = true, none = true;
  for (std::size_t low = 0; low < count; ++low) {
    const bool value = f.value(row | low);
    all = all && value;
    none = none && !value;
  }
  if (all) return "1";
  if (none) return "0";
  const std::string& name = inputs[decided - 1];
  const std::string zero = expression(f, inputs, decided - 1, row),
                    one = expression(f, inputs, decided - 1, row | count / 2);
  if (zero == one) return zero;
  std::string text;
  if (one != "0") text = one == "1" ? name : fmt::format("{}*{}", name, one);
  if (zero != "0")
    text += fmt::format("{}{}", text.empty() ? "" : "+",
                        zero == "1" ? "!" + name : fmt::format("!{}*{}", name, zero));
  return one != "0" && zero != "0" ? "(" + text + ")" : text;
}

constexpr std::size_t kMaxGateInputs = 6;  // ABC's mappers know no larger cells

/// Unit delays, as ABC takes them from Liberty itself. Areas are scaled up where they are small:
/// ABC keeps three decimals.
std::string genlib(const LibertyLibrary& library) {
  double smallest = 0;
  for (const LibertyCell& cell : library.cells)
    if (cell.area_um2 > 0 && (smallest == 0 || cell.area_um2 < smallest)) smallest = cell.area_um2;
  const double scale = std::max(1.0, 10 / smallest);
  std::string text = "GATE _const0_ 0.00 z=CONST0;\nGATE _const1_ 0.00 z=CONST1;\n";
  for (const LibertyCell& cell : library.cells) {
    std::vector<std::string> inputs;
    const LibertyPin* output = nullptr;
    int outputs = 0;
    for (const LibertyPin& pin : cell.pins) {
      if (pin.direction == "input") inputs.push_back(pin.name);
      if (pin.direction == "output") {
        output = &pin;
        ++outputs;
      }
    }
    if (cell.flip_flop || outputs != 1 || inputs.empty() || inputs.size() > kMaxGateInputs)
      continue;
    const BooleanFunction function(output->function, inputs);
    bool all_matter = true;
    for (std::size_t i = 0; i < inputs.size(); ++i) all_matter &= function.depends_on(i);
    if (!all_matter) continue;
    text += fmt::format("GATE {} {:.3f} {}={}; PIN * UNKNOWN 1 999 1.00 0.00 1.00 0.00\n",
                        cell.name, cell.area_um2 * scale, output->name,
                        expression(function, inputs, inputs.size(), 0));
  }
  return text;
}

/// What ABC and dfflibmap cannot do without.
void require_complete(const LibertyLibrary& library, const std::string& path) {
  bool inverter = false, gate = false, flip_flop = false;
  for (const LibertyCell& cell : library.cells) {
    if (cell.flip_flop) {
      flip_flop = true;
      continue;
    }
    std::vector<std::string> inputs;
    const LibertyPin* output = nullptr;
    for (const LibertyPin& pin : cell.pins) {
      if (pin.direction == "input") inputs.push_back(pin.name);
      if (pin.direction == "output") output = &pin;
    }
    if (inputs.empty() || inputs.size() > 2) continue;
    const BooleanFunction function(output->function, inputs);
    const std::uint64_t table = function.table()[0];
    inverter = inverter || (inputs.size() == 1 && table == 1);
    gate = gate || (inputs.size() == 2 && (table == 1 || table == 7 || table == 8 || table == 14));
  }
  const char* lacks = !inverter ? "inverter" : !gate ? "AND, OR, NAND or NOR gate" : "flip-flop";
  if (inverter && gate && flip_flop) return;
  throw InputError(
      fmt::format("{}: not a usable Liberty file: it has no {} that may be used (with a function, "
                  "an area, no dont_use); name a complete .lib file",
                  path, lacks));
}

void prepare(const std::string& liberty, const fs::path& folder) {
  const LibertyLibrary all = read_liberty(liberty);
  const LibertyFile file(liberty);
  Names cells;
  std::string notes;
  for (const LibertyStatement& s : file.library().statements) {
    if (!s.group || s.name != "cell") continue;
    const LibertyCell* cell = all.cell(std::string(s.value));
    if (cell == nullptr || cell->dont_use || cell->is_latch || cell->is_memory ||
        cell->area_um2 <= 0 || is_special(s))
      continue;
    if (has_functions(*cell))
      cells.insert(s.value);
    else if (std::any_of(cell->pins.begin(), cell->pins.end(),
                         [](const LibertyPin& pin) { return pin.direction == "output"; }))
      notes += fmt::format("cell {} is not used: an output has no function\n", cell->name);
  }
  write_file(folder / "cells.lib", Writer(cells, false).text(file.library()));
  write_file(folder / "timing.lib", Writer(cells, true).text(file.library()));
  write_file(folder / "notes.txt", notes);
  LibertyLibrary usable = all;
  usable.cells.erase(
      std::remove_if(usable.cells.begin(), usable.cells.end(),
                     [&](const LibertyCell& cell) { return cells.count(cell.name) == 0; }),
      usable.cells.end());
  require_complete(usable, liberty);
  write_file(folder / "gates.genlib", genlib(usable));
  const AdderCells adders = find_adder_cells(usable);
  write_file(folder / "explicit_adders.v", explicit_adders_map(adders));
  write_file(folder / "ripple.v", ripple_map());
}

}  // namespace

PreparedLibrary prepare_library(const std::string& liberty, const std::string& cache_directory) {
  PreparedLibrary p;
  p.path = liberty.empty() ? kDefaultLiberty : liberty;
  // Of the content: the same library under another path is the same.
  const std::string hash = content_hash({kFormat, LibertyFile(p.path).text()});
  const fs::path folder = cached_folder(cache_directory, "library-" + hash,
                                        [&](const fs::path& part) { prepare(p.path, part); });
  p.folder = folder;
  p.cells_lib = folder / "cells.lib";
  p.gates_genlib = folder / "gates.genlib";
  p.timing_lib = folder / "timing.lib";
  p.library = read_liberty(p.cells_lib);
  p.library.path = p.path;
  p.adders = find_adder_cells(p.library);
  p.hash = hash;
  const std::string notes = read_file(folder / "notes.txt");
  for (std::size_t at = 0; at < notes.size();) {
    const auto end = notes.find('\n', at);
    p.notes.push_back(notes.substr(at, end - at));
    at = end + 1;
  }
  return p;
}

}  // namespace solfege
