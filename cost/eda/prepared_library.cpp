// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/prepared_library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "cost/eda/boolean_function.hpp"
#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/liberty_syntax.hpp"
#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string_view>;

/// Raise when preparation changes.
constexpr const char* kFormat = "solfege-library-9";

// ---- Which cells ----

/// The attribute that makes a cell a special one, which logic must not be mapped to; empty: none.
std::string_view special_mark(const LibertyStatement& cell) {
  static const Names kMarks = {"clock_gating_integrated_cell",
                               "is_level_shifter",
                               "is_isolation_cell",
                               "is_macro_cell",
                               "pad_cell",
                               "retention_cell",
                               "switch_cell_type",
                               "always_on"};
  for (const LibertyStatement& s : cell.statements)
    if (!s.group && kMarks.count(s.name) != 0 && !liberty_is(s.value, false)) return s.name;
  return "";
}

/// Why no logic is mapped to a cell; empty: it is.
std::string left_out_for(const LibertyCell& cell, const LibertyStatement& s) {
  if (!cell.unusable.empty()) return cell.unusable;
  if (cell.dont_use) return "dont_use";
  if (const std::string_view mark = special_mark(s); !mark.empty()) return std::string(mark);
  if (cell.is_memory) return "memory, or pins that are buses";
  if (cell.is_latch) return "latch, or more than one flip-flop";
  if (cell.outputs().empty()) return "no output";
  if (cell.area_um2 <= 0) return "no area";
  return "";
}

// ---- Liberty text of a part ----

const Names kLibraryGroups = {"operating_conditions"};
const Names kCellStatements = {"area", "pin", "ff"};
const Names kPinStatements = {"direction", "function", "capacitance", "clock", "max_capacitance"};
const Names kTimingStatements = {
    "related_pin",     "timing_sense",   "timing_type",     "when",
    "cell_rise",       "cell_fall",      "rise_transition", "fall_transition",
    "rise_constraint", "fall_constraint"};
const Names kUnits = {"time_unit", "voltage_unit", "capacitive_load_unit", "leakage_power_unit"};

/// Writes what tools need of some cells, in the form that all of them read: the first file's
/// header, then templates, then cells; a pin a group, a row of a table a string.
class Writer {
 public:
  Writer(const LibertyLibrary& library, const Names& cells, bool timing)
      : library_(library), cells_(cells), timing_(timing) {}

  std::string text(const std::deque<LibertyFile>& files) {
    const LibertyStatement& first = files.front().library();
    text_ = fmt::format("library ({}) {{\n", quoted(first));
    for (const LibertyStatement& s : first.statements)
      if (s.group ? kLibraryGroups.count(s.name) != 0 : s.name != "define") statement(s, "library");
    for (const LibertyFile& file : files) {
      suffix_ = &file == &files.front() ? "" : fmt::format("__{}", ++number_);
      for (const LibertyStatement& s : file.library().statements)
        if (timing_ && s.group && s.name == "lu_table_template") add_template(s);
    }
    number_ = 0;
    for (const LibertyFile& file : files) {
      suffix_ = &file == &files.front() ? "" : fmt::format("__{}", ++number_);
      for (const LibertyStatement& s : file.library().statements)
        if (s.group && s.name == "cell" && cells_.count(s.value) != 0 &&
            written_.insert(s.value).second)
          cell(s);
    }
    return text_ + "}\n";
  }

 private:
  static std::string quoted(const LibertyStatement& s) {
    return s.quoted ? fmt::format("\"{}\"", s.value) : std::string(s.value);
  }

  static std::string list(std::string_view text) {
    return fmt::format("{}", fmt::join(liberty_words(text), ", "));
  }

  void add_template(const LibertyStatement& s) {
    const std::string name = std::string(s.value) + suffix_;
    templates_[name] = &s;
    text_ += fmt::format("lu_table_template (\"{}\") {{\n", name);
    for (const LibertyStatement& child : s.statements) statement(child, s.name);
    text_ += "}\n";
  }

  void cell(const LibertyStatement& s) {
    cell_ = library_.cell(std::string(s.value));
    text_ += fmt::format("cell ({}) {{\n", quoted(s));
    for (const LibertyStatement& child : s.statements) {
      if (kCellStatements.count(child.name) == 0) continue;
      if (child.group && child.name == "pin")
        for (const std::string_view name : liberty_words(child.value)) {
          text_ += fmt::format("pin (\"{}\") {{\n", name);
          for (const LibertyStatement& part : child.statements) pin_part(part);
          if (child.find("capacitance") == nullptr)
            for (const char* key : {"rise_capacitance", "fall_capacitance"})
              if (const LibertyStatement* one = child.find(key)) statement(*one, "pin");
          text_ += "}\n";
        }
      else
        statement(child, s.name);
    }
    text_ += "}\n";
  }

  void pin_part(const LibertyStatement& s) {
    if (!s.group && kPinStatements.count(s.name) != 0) {
      if (s.name == "direction" || s.name == "clock")
        text_ += fmt::format("{} : {};\n", s.name, liberty_lower(s.value));
      else
        statement(s, "pin");
    } else if (timing_ && s.group && s.name == "timing") {
      std::string related;
      for (const std::string_view name : liberty_words(s.text("related_pin")))
        if (cell_->pin(std::string(name)) != nullptr)
          related += fmt::format("{}{}", related.empty() ? "" : " ", name);
      if (related.empty()) return;
      text_ += fmt::format("timing () {{\nrelated_pin : \"{}\";\n", related);
      for (const LibertyStatement& child : s.statements) {
        if (kTimingStatements.count(child.name) == 0 || child.name == "related_pin") continue;
        if (child.group)
          table(child);
        else
          statement(child, s.name);
      }
      text_ += "}\n";
    }
  }

  void table(const LibertyStatement& s) {
    const bool scalar = s.value.empty() || liberty_lower(s.value) == "scalar";
    const std::string name = scalar ? "scalar" : std::string(s.value) + suffix_;
    const auto known = templates_.find(name);
    std::size_t row = 0;
    text_ += fmt::format("{} (\"{}\") {{\n", s.name, name);
    for (const char* key : {"index_1", "index_2", "index_3"}) {
      const LibertyStatement* own = s.find(key);
      if (own != nullptr && !scalar) statement(*own, s.name);
      if (own == nullptr && known != templates_.end()) own = known->second->find(key);
      if (own != nullptr) row = liberty_words(own->value).size();
    }
    const auto values = liberty_words(s.text("values"));
    if (scalar || row == 0) row = values.size();
    text_ += "values (";
    for (std::size_t first = 0; first < values.size(); first += row)
      text_ += fmt::format("{}\"{}\"", first == 0 ? "" : ", ",
                           fmt::join(values.begin() + static_cast<std::ptrdiff_t>(first),
                                     values.begin() + static_cast<std::ptrdiff_t>(
                                                          std::min(first + row, values.size())),
                                     ", "));
    text_ += ");\n}\n";
  }

  void statement(const LibertyStatement& s, std::string_view parent) {
    if (s.group) {
      text_ += fmt::format("{} ({}) {{\n", s.name, quoted(s));
      for (const LibertyStatement& child : s.statements) statement(child, s.name);
      text_ += "}\n";
    } else if (s.name == "capacitive_load_unit") {
      std::string joined;
      for (const std::string_view word : liberty_words(s.value)) joined += liberty_lower(word);
      const std::size_t unit = std::min(joined.find_first_not_of("0123456789.+-e"), joined.size());
      text_ += fmt::format("{} ({}, {});\n", s.name, unit == 0 ? "1" : joined.substr(0, unit),
                           joined.substr(unit));
    } else if (s.name == "time_unit") {
      text_ += fmt::format("{} : \"{}\";\n", s.name,
                           fmt::join(liberty_words(liberty_lower(s.value)), ""));
    } else if (s.name.substr(0, 6) == "index_") {
      text_ += fmt::format("{} (\"{}\");\n", s.name, list(s.value));
    } else if (s.has_colon) {
      // Functions, whether they have quotes or not
      const bool plain = !s.quoted && s.value.find_first_not_of(
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
                                          "hijklmnopqrstuvwxyz0123456789_."
                                          "+-") == std::string_view::npos;
      text_ += s.value.find('"') != std::string_view::npos
                   ? fmt::format("{} : {};\n", s.name, s.value)
                   : fmt::format("{0} : {2}{1}{2};\n", s.name, s.value, plain ? "" : "\"");
    } else if (parent == "library" || parent == "operating_conditions") {
      text_ += fmt::format("{} ({});\n", s.name, quoted(s));
    }
  }

  const LibertyLibrary& library_;
  const Names& cells_;
  bool timing_;
  int number_ = 0;
  std::string suffix_;                                        ///< of the file's templates
  std::map<std::string, const LibertyStatement*> templates_;  ///< by their names here
  const LibertyCell* cell_ = nullptr;
  Names written_;
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
    const std::vector<std::string> inputs = cell.input_names();
    const auto outputs = cell.outputs();
    if (cell.flip_flop || outputs.size() != 1 || inputs.empty() || inputs.size() > kMaxGateInputs)
      continue;
    const BooleanFunction function(outputs[0]->function, inputs);
    bool all_matter = true;
    for (std::size_t i = 0; i < inputs.size(); ++i) all_matter &= function.depends_on(i);
    if (!all_matter) continue;
    text += fmt::format("GATE {} {:.3f} {}={}; PIN * UNKNOWN 1 999 1.00 0.00 1.00 0.00\n",
                        cell.name, cell.area_um2 * scale, outputs[0]->name,
                        expression(function, inputs, inputs.size(), 0));
  }
  return text;
}

/// What ABC and dfflibmap cannot do without.
void require_complete(const LibertyLibrary& library, const std::string& path,
                      const std::string& notes) {
  bool inverter = false, gate = false, flip_flop = false;
  for (const LibertyCell& cell : library.cells) {
    if (cell.flip_flop) {
      flip_flop = true;
      continue;
    }
    const std::vector<std::string> inputs = cell.input_names();
    if (inputs.empty() || inputs.size() > 2) continue;
    const BooleanFunction function(cell.outputs().back()->function, inputs);
    const std::uint64_t table = function.table()[0];
    inverter = inverter || (inputs.size() == 1 && table == 1);
    gate = gate || (inputs.size() == 2 && (table == 1 || table == 7 || table == 8 || table == 14));
  }
  const char* lacks = !inverter ? "inverter" : !gate ? "AND, OR, NAND or NOR gate" : "flip-flop";
  if (inverter && gate && flip_flop) return;
  throw InputError(fmt::format(
      "{}: not a usable Liberty file: it has no {} that may be used (with a function, "
      "an area, no dont_use); name a complete .lib file{}",
      path, lacks,
      notes.empty() ? "" : "; first of its notes: " + notes.substr(0, notes.find('\n'))));
}

/// Tools read the files as one, with one header.
void require_one_set_of_units(const std::deque<LibertyFile>& files) {
  for (const std::string_view unit : kUnits) {
    auto value = [&](const LibertyFile& file) {
      std::string joined;
      for (const std::string_view word : liberty_words(file.library().text(unit)))
        joined += liberty_lower(word);
      return joined;
    };
    for (const LibertyFile& file : files)
      if (value(file) != value(files.front()))
        file.fail(file.library().name,
                  fmt::format("{} is `{}`, but {} in {}", unit, file.library().text(unit),
                              files.front().library().text(unit), files.front().path()),
                  "write the files of one library in the same units");
  }
}

void prepare(const std::string& liberty, const fs::path& folder) {
  const LibertyLibrary all = read_liberty(liberty);
  std::deque<LibertyFile> files;
  for (const std::string& path : liberty_files(liberty)) files.emplace_back(path);
  require_one_set_of_units(files);
  Names cells, seen;
  std::map<std::string, std::vector<std::string>> left_out;  // by why
  std::string notes;
  for (const LibertyFile& file : files)
    for (const LibertyStatement& s : file.library().statements) {
      if (!s.group || s.name != "cell") continue;
      if (!seen.insert(s.value).second) {
        notes += fmt::format("cell {} is there twice: the first counts ({})\n", s.value,
                             file.location(s.name));
        continue;
      }
      const LibertyCell& cell = *all.cell(std::string(s.value));
      const std::string why = left_out_for(cell, s);
      if (!why.empty()) {
        left_out[why].push_back(cell.name);
        continue;
      }
      cells.insert(s.value);
      for (const std::string& lost : cell.lost)
        notes += fmt::format("cell {}, {}\n", cell.name, lost);
    }
  for (const auto& [why, names] : left_out)
    notes += fmt::format("cells left out ({}): {}\n", why, fmt::join(names, ", "));
  if (!all.has_delays())
    notes += "the library has no delays: there is no clock to be had from it\n";
  write_file(folder / "cells.lib", Writer(all, cells, false).text(files));
  write_file(folder / "timing.lib", Writer(all, cells, true).text(files));
  write_file(folder / "notes.txt", notes);
  LibertyLibrary usable = all;
  usable.cells.erase(
      std::remove_if(usable.cells.begin(), usable.cells.end(),
                     [&](const LibertyCell& cell) { return cells.count(cell.name) == 0; }),
      usable.cells.end());
  require_complete(usable, liberty, left_out.empty() ? "" : notes);
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
  const std::string hash = content_hash({kFormat, liberty_hash(liberty_files(p.path))});
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
  std::istringstream notes(read_file(folder / "notes.txt"));
  for (std::string note; std::getline(notes, note);) p.notes.push_back(note);
  return p;
}

}  // namespace solfege
