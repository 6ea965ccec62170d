// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/memory_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string_view>

#include "cost/eda/boolean_function.hpp"
#include "cost/eda/liberty_reader.hpp"
#include "model/base/error.hpp"
#include "model/base/share.hpp"
#include "model/base/toml_file.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUserTier = "user";

/// Where the built-in tables are, a file each.
fs::path builtin_folder() { return share_folder() / "cost/energy/memories"; }

/// Energy of the clock's rising edge while the control pins are as given, pJ.
std::optional<double> clock_energy(const LibertyPin& clock, std::size_t controls) {
  static const std::vector<std::string> kControls = {"A_MEN", "A_WEN", "A_REN"};
  std::optional<double> sum;
  for (const LibertyPowerArc& arc : clock.power) {
    if (!arc.when.empty() && !BooleanFunction(arc.when, kControls).value(controls)) continue;
    if (!arc.rise_pj.empty())
      sum = sum.value_or(0) +
            arc.rise_pj.at(arc.rise_pj.slews_ns.empty() ? 0 : arc.rise_pj.slews_ns.front(), 0);
  }
  return sum;
}

MemoryPoint ihp_point(const LibertyCell& cell, const std::string& path) {
  constexpr std::size_t kEnable = 1, kWrite = 2, kRead = 4;  // bits of the row of kControls
  const LibertyPin* clock = cell.pin("A_CLK");
  const LibertyPin* address = cell.pin("A_ADDR");
  const LibertyPin* data = cell.pin("A_DIN");
  if (clock == nullptr || address == nullptr || data == nullptr)
    throw InputError(
        fmt::format("{}: cell {} has no pins A_CLK, A_ADDR and A_DIN, so it is no single-port SRAM "
                    "macro of IHP; "
                    "take the file out of the folder, or put its figures into a TOML table",
                    path, cell.name));
  std::optional<double> read, write;
  try {
    read = clock_energy(*clock, kEnable | kRead);
    write = clock_energy(*clock, kEnable | kWrite);
  } catch (const std::invalid_argument& error) {
    throw InputError(
        fmt::format("{}: cell {}, pin A_CLK: the condition of an energy is not of A_MEN, A_WEN, "
                    "A_REN ({}); use "
                    "the foundry's file",
                    path, cell.name, error.what()));
  }
  if (read.value_or(0) <= 0 || write.value_or(0) <= 0)
    throw InputError(fmt::format(
        "{}: cell {}, pin A_CLK has no rise energy of {}; use the foundry's complete file", path,
        cell.name, read.value_or(0) <= 0 ? "a read (A_MEN & A_REN)" : "a write (A_MEN & A_WEN)"));
  if (address->width > 30)
    throw InputError(fmt::format("{}: cell {}: address of {} bits; at most 30", path, cell.name,
                                 address->width));
  return {1LL << address->width, data->width, *read, *write, cell.leakage_nw, cell.area_um2};
}

/// Reads one kind of table with messages that name file, line, key, value, what is allowed, fix.
class TableReader {
 public:
  TableReader(const std::string& path, const toml::table& table, std::string where)
      : path_(path), table_(table), where_(std::move(where)) {}

  void keys(const std::vector<std::string_view>& allowed) const {
    for (const auto& [key, node] : table_) {
      if (std::find(allowed.begin(), allowed.end(), key.str()) == allowed.end())
        throw InputError(
            fmt::format("{}: {}{} is no key of a memory table; allowed are {}; remove it",
                        location(path_, node), where_, key.str(), fmt::join(allowed, ", ")));
    }
  }
  std::string text(const char* key) const {
    const toml::node& node = required(key, "a string");
    const auto value = node.value<std::string>();
    if (!node.is_string() || value->empty()) wrong(key, node, "a string that is not empty");
    return *value;
  }
  long long integer(const char* key, long long low, long long high) const {
    const std::string allowed = fmt::format("an integer from {} to {}", low, high);
    const toml::node& node = required(key, allowed);
    if (!node.is_integer()) wrong(key, node, allowed);
    const long long value = *node.value<std::int64_t>();
    if (value < low || value > high) wrong(key, node, allowed);
    return value;
  }
  /// Above `low`; or `low` itself if it is what absence means.
  double number(const char* key, double low, double high, std::optional<double> absent = {}) const {
    const std::string allowed = fmt::format("a number {} {:g} and at most {:g}",
                                            absent ? "of at least" : "above", low, high);
    if (absent && !table_.contains(key)) return *absent;
    const toml::node& node = required(key, allowed);
    if (!node.is_number()) wrong(key, node, allowed);
    const double value = *node.value<double>();
    if (!(value > low || (absent && value == low)) || !(value <= high)) wrong(key, node, allowed);
    return value;
  }

 private:
  const toml::node& required(const char* key, const std::string& allowed) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr)
      throw InputError(fmt::format("{}:{}: {}{} is missing; add it: {}", path_,
                                   table_.source().begin.line, where_, key, allowed));
    return *node;
  }
  [[noreturn]] void wrong(const char* key, const toml::node& node,
                          const std::string& allowed) const {
    throw InputError(fmt::format("{}: {}{} = {}; allowed is {}; correct the value",
                                 location(path_, node), where_, key, describe(node), allowed));
  }

  const std::string& path_;
  const toml::table& table_;
  std::string where_;
};

MemoryPoint read_point(const std::string& path, const toml::table& table, std::size_t index) {
  constexpr double kMany = 1e12;
  const TableReader reader(path, table, fmt::format("points[{}].", index));
  reader.keys({"depth", "bits", "read_pj", "write_pj", "leakage_nw", "area_um2"});
  MemoryPoint p;
  p.depth = reader.integer("depth", 1, 1LL << 30);
  p.bits = static_cast<int>(reader.integer("bits", 1, 65536));
  p.read_pj = reader.number("read_pj", 0, kMany);
  p.write_pj = reader.number("write_pj", 0, kMany);
  p.leakage_nw = reader.number("leakage_nw", 0, kMany, 0.0);
  p.area_um2 = reader.number("area_um2", 0, kMany, 0.0);
  return p;
}

/// Interpolation is monotone because the points are.
void check_monotone(const std::string& path, std::vector<MemoryPoint> points) {
  std::sort(points.begin(), points.end(), [](const MemoryPoint& a, const MemoryPoint& b) {
    return a.bits != b.bits ? a.bits < b.bits : a.depth < b.depth;
  });
  struct Column {
    const char* name;
    double MemoryPoint::*value;
  };
  static constexpr Column kColumns[] = {{"read_pj", &MemoryPoint::read_pj},
                                        {"write_pj", &MemoryPoint::write_pj},
                                        {"leakage_nw", &MemoryPoint::leakage_nw},
                                        {"area_um2", &MemoryPoint::area_um2}};
  for (std::size_t i = 1; i < points.size(); ++i) {
    const MemoryPoint &a = points[i - 1], &b = points[i];
    if (a.bits != b.bits) continue;
    if (a.depth == b.depth)
      throw InputError(
          fmt::format("{}: points: {} x {} stands there twice; leave one", path, a.depth, a.bits));
    for (const Column& column : kColumns) {
      if (b.*column.value < a.*column.value)
        throw InputError(fmt::format(
            "{}: points: {} falls from {:g} to {:g} while the depth grows from {} to {} (bits = "
            "{}); "
            "a deeper memory must not cost less: correct the value, or remove the point",
            path, column.name, a.*column.value, b.*column.value, a.depth, b.depth, a.bits));
    }
  }
  for (const Column& column : {kColumns[2], kColumns[3]}) {
    const auto given = static_cast<std::size_t>(std::count_if(
        points.begin(), points.end(), [&](const MemoryPoint& p) { return p.*column.value != 0; }));
    if (given != 0 && given != points.size())
      throw InputError(fmt::format(
          "{}: points: {} is given (not 0) for {} of {} points; give it for all or for none", path,
          column.name, given, points.size()));
  }
}

}  // namespace

MemoryTable builtin_memory_table(const std::string& name) {
  const auto names = builtin_memory_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) return {};
  return read_memory_table((builtin_folder() / (name + ".toml")).string());
}

std::vector<std::string> builtin_memory_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(builtin_folder()))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

MemoryTable read_ihp_memories(const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored))
    throw InputError(fmt::format(
        "{}: no such folder; name the one with IHP's SRAM Liberty files after \"ihp130:\"",
        folder));
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const fs::path plain = entry.path().extension() == ".gz" ? entry.path().stem() : entry.path();
    if (plain.extension() == ".lib" && name.find("1P") != std::string::npos)
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  MemoryTable table{"ihp130:" + folder, "", "foundry macro", 130, 0, {}};
  std::string corner;
  for (const fs::path& file : files) {
    const LibertyLibrary library = read_liberty(file.string());
    if (table.voltage_v == 0) {
      table.voltage_v = library.voltage_v;
      corner = library.corner;
    }
    if (library.voltage_v != table.voltage_v || library.corner != corner)
      throw InputError(fmt::format(
          "{}: corner {} at {:g} V, but {} is of {} at {:g} V; a table has one corner: keep one "
          "corner's files in the folder",
          file.string(), library.corner, library.voltage_v, files.front().string(), corner,
          table.voltage_v));
    for (const LibertyCell& cell : library.cells) {
      if (!cell.unusable.empty())
        throw InputError(fmt::format("{}: cell {} cannot be used: {}; use the foundry's file",
                                     file.string(), cell.name, cell.unusable));
      if (cell.is_memory) table.points.push_back(ihp_point(cell, file.string()));
    }
  }
  if (table.points.empty())
    throw InputError(fmt::format(
        "{}: no Liberty file of a single-port SRAM macro (*1P*.lib with a memory cell); use the "
        "folder libs.ref/sg13g2_sram/lib of IHP's open PDK",
        folder));
  table.source =
      fmt::format("IHP SG13G2 single-port SRAM macros, foundry Liberty in {}, {}, {:g} V", folder,
                  corner, table.voltage_v);
  check_monotone(folder, table.points);
  return table;
}

MemoryTable read_memory_table(const std::string& path) {
  const toml::table file = parse_toml_file(path);
  const TableReader reader(path, file, "");
  reader.keys({"name", "tier", "node_nm", "voltage_v", "source", "points"});
  MemoryTable table;
  table.name = reader.text("name");
  table.source = reader.text("source");
  table.tier = file.contains("tier") ? reader.text("tier") : kUserTier;
  table.node_nm = static_cast<int>(reader.integer("node_nm", 1, 10000));
  table.voltage_v = reader.number("voltage_v", 0, 100);
  const toml::node* node = file.get("points");
  const toml::array* points = node == nullptr ? nullptr : node->as_array();
  if (points == nullptr || points->empty())
    throw InputError(fmt::format(
        "{}: points {}; a memory table needs at least one [[points]] with depth, bits, read_pj, "
        "write_pj: add it",
        node == nullptr ? path : location(path, *node),
        node == nullptr ? "is missing" : "is not a list of tables"));
  for (std::size_t i = 0; i < points->size(); ++i) {
    const toml::table* point = points->get(i)->as_table();
    if (point == nullptr)
      throw InputError(fmt::format("{}: points[{}] is {}; allowed is a table: write [[points]]",
                                   location(path, *points->get(i)), i, describe(*points->get(i))));
    table.points.push_back(read_point(path, *point, i));
  }
  check_monotone(path, table.points);
  return table;
}

}  // namespace solfege
