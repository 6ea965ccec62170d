// SPDX-License-Identifier: Apache-2.0
#include "cost/synthesis.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "gen/generator.hpp"
#include "model/error.hpp"

extern char** environ;

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultLiberty = "/usr/share/qflow/tech/osu018/osu018_stdcells.lib";

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush())
    throw InputError(fmt::format("{}: cannot be written; choose another folder", path.string()));
}

std::string trim(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n\"");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n\"") - first + 1);
}

// ---- Liberty ----

/// Value of a Liberty Boolean function. Precedence, high to low: ! and ', ^, and (* & blank), or (+
/// |).
class Function {
 public:
  Function(const std::string& text, const std::vector<std::string>& names, unsigned values)
      : text_(text), names_(names), values_(values) {}
  bool value() {
    const bool v = disjunction();
    skip();
    if (at_ != text_.size()) throw std::invalid_argument(text_);
    return v;
  }

 private:
  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  char peek() {
    skip();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool disjunction() {
    bool v = conjunction();
    while (peek() == '+' || peek() == '|') {
      ++at_;
      const bool right = conjunction();
      v = v || right;
    }
    return v;
  }
  bool conjunction() {
    bool v = exclusive();
    while (true) {
      const char c = peek();
      if (c == '*' || c == '&')
        ++at_;
      else if (!(c == '(' || c == '!' || c == '_' || std::isalnum(static_cast<unsigned char>(c))))
        return v;
      const bool right = exclusive();
      v = v && right;
    }
  }
  bool exclusive() {
    bool v = unary();
    while (peek() == '^') {
      ++at_;
      v = v != unary();
    }
    return v;
  }
  bool unary() {
    bool v = false;
    const char c = peek();
    if (c == '!') {
      ++at_;
      return !unary();
    }
    if (c == '(') {
      ++at_;
      v = disjunction();
      if (peek() != ')') throw std::invalid_argument(text_);
      ++at_;
    } else {
      std::string name;
      while (at_ < text_.size() &&
             (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_'))
        name += text_[at_++];
      const auto found = std::find(names_.begin(), names_.end(), name);
      if (found != names_.end())
        v = values_ >> (found - names_.begin()) & 1;
      else if (name == "1")
        v = true;
      else if (name != "0")
        throw std::invalid_argument(text_);
    }
    while (peek() == '\'') {
      ++at_;
      v = !v;
    }
    return v;
  }

  const std::string& text_;
  const std::vector<std::string>& names_;
  unsigned values_;
  std::size_t at_ = 0;
};

struct Pin {
  std::string name, direction, function;
};
struct Cell {
  std::string name;
  double area = -1;
  bool usable = true;  ///< neither sequential nor dont_use
  std::vector<Pin> pins;
};
struct Library {
  std::string name;
  std::vector<Cell> cells;
};

/// Reads the little of Liberty that choosing adder cells needs: groups and simple attributes.
class LibertyReader {
 public:
  explicit LibertyReader(const std::string& path) : path_(path), text_(read_text(path)) {}

  Library read() {
    std::error_code ignored;
    if (!fs::is_regular_file(path_, ignored) || access(path_.c_str(), R_OK) != 0)
      throw InputError(fmt::format(
          "{}: the Liberty file cannot be read; name an existing .lib file{}", path_,
          path_ == kDefaultLiberty ? " or run: apt-get install qflow-tech-osu018" : ""));
    group("", "");
    if (library_.name.empty()) fail("it has no `library (NAME) {` header");
    if (depth_ != 0) fail("its braces do not balance: it is truncated or damaged");
    if (std::none_of(library_.cells.begin(), library_.cells.end(),
                     [](const Cell& c) { return c.area > 0; }))
      fail("it has no cell with an area");
    return library_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(
        fmt::format("{}: not a usable Liberty file: {}; name a complete .lib file", path_, what));
  }

  /// Statements up to the group's closing brace.
  void group(const std::string& kind, const std::string& parent) {
    std::string statement;
    int parentheses = 0;
    bool quoted = false;
    while (at_ < text_.size()) {
      if (!quoted && text_.compare(at_, 2, "/*") == 0) {
        const auto end = text_.find("*/", at_ + 2);
        at_ = end == std::string::npos ? text_.size() : end + 2;
        continue;
      }
      const char c = text_[at_++];
      if (c == '\\' && at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) {
        at_ += text_[at_] == '\r' ? 2 : 1;
        continue;
      }
      if (c == '"') quoted = !quoted;
      if (quoted) {
        statement += c;
        continue;
      }
      if (c == '(') ++parentheses;
      if (c == ')') --parentheses;
      if (c == '{') {
        open(trim(statement), kind);
        statement.clear();
        parentheses = 0;
      } else if (c == '}') {
        attribute(statement, kind, parent);
        --depth_;
        if (depth_ < 0) fail("its braces do not balance: it is truncated or damaged");
        return;
      } else if (c == ';' ||
                 (c == '\n' && parentheses == 0 && statement.find(':') != std::string::npos)) {
        attribute(statement, kind, parent);
        statement.clear();
      } else {
        statement += c;
      }
    }
  }

  void open(const std::string& header, const std::string& parent) {
    ++depth_;
    const auto paren = header.find('(');
    const std::string kind = trim(header.substr(0, paren));
    const auto close = header.rfind(')');
    const std::string name =
        paren == std::string::npos || close == std::string::npos || close < paren
            ? ""
            : trim(header.substr(paren + 1, close - paren - 1));
    if (kind == "library" && parent.empty()) library_.name = name;
    if (kind == "cell" && parent == "library") {
      library_.cells.emplace_back();
      library_.cells.back().name = name;
    }
    if (parent == "cell" && !library_.cells.empty()) {
      Cell& cell = library_.cells.back();
      if (kind == "pin") cell.pins.push_back({name, "", ""});
      if (kind == "ff" || kind == "latch" || kind == "statetable" || kind == "bus" ||
          kind == "bundle")
        cell.usable = false;
    }
    group(kind, parent);
  }

  void attribute(const std::string& statement, const std::string& kind, const std::string& parent) {
    const auto colon = statement.find(':');
    if (colon == std::string::npos || library_.cells.empty()) return;
    const std::string key = trim(statement.substr(0, colon)),
                      value = trim(statement.substr(colon + 1));
    Cell& cell = library_.cells.back();
    if (kind == "cell") {
      if (key == "area") cell.area = std::strtod(value.c_str(), nullptr);
      if (key == "dont_use" && value == "true") cell.usable = false;
    } else if (kind == "pin" && parent == "cell" && !cell.pins.empty()) {
      if (key == "direction") cell.pins.back().direction = value;
      if (key == "function") cell.pins.back().function = value;
    }
  }

  std::string path_, text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Library library_;
};

/// A cell that adds its two or three inputs; outputs may be inverted.
struct Adder {
  std::string cell;
  double area = 0;
  std::vector<std::string> inputs;
  std::string sum, carry;
  bool sum_inverted = false, carry_inverted = false;
};

std::optional<Adder> find_adder(const Library& library, std::size_t inputs) {
  std::optional<Adder> best;
  const unsigned rows = 1u << inputs, all = (1u << rows) - 1;
  unsigned sum_table = 0, carry_table = 0;
  for (unsigned row = 0; row < rows; ++row) {
    const unsigned ones = (row & 1) + (row >> 1 & 1) + (row >> 2 & 1);
    sum_table |= (ones & 1) << row;
    carry_table |= (ones >> 1) << row;
  }
  for (const Cell& cell : library.cells) {
    if (!cell.usable || cell.area <= 0 || (best && best->area <= cell.area)) continue;
    Adder adder{cell.name, cell.area, {}, "", "", false, false};
    std::vector<const Pin*> outputs;
    for (const Pin& pin : cell.pins) {
      if (pin.direction == "input") adder.inputs.push_back(pin.name);
      if (pin.direction == "output") outputs.push_back(&pin);
    }
    if (adder.inputs.size() != inputs || outputs.size() != 2) continue;
    for (const Pin* pin : outputs) {
      unsigned table = 0;
      try {
        for (unsigned row = 0; row < rows; ++row)
          table |= (Function(pin->function, adder.inputs, row).value() ? 1u : 0u) << row;
      } catch (const std::invalid_argument&) {
        break;
      }
      if (table == sum_table || table == (sum_table ^ all)) {
        adder.sum = pin->name;
        adder.sum_inverted = table != sum_table;
      } else if (table == carry_table || table == (carry_table ^ all)) {
        adder.carry = pin->name;
        adder.carry_inverted = table != carry_table;
      }
    }
    if (!adder.sum.empty() && !adder.carry.empty()) best = adder;
  }
  return best;
}

std::string adder_module(const std::string& name, const Adder& adder) {
  static const char* kPorts[] = {"a_i", "b_i", "c_i"};
  std::string ports, connections;
  for (std::size_t i = 0; i < adder.inputs.size(); ++i) {
    ports += fmt::format("input {}, ", kPorts[i]);
    connections += fmt::format(".\\{} ({}), ", adder.inputs[i], kPorts[i]);
  }
  return fmt::format(
      "module {} ({}output sum_o, output carry_o);\n  wire sum, carry;\n"
      "  \\{} cell_i ({}.\\{} (sum), .\\{} (carry));\n"
      "  assign sum_o = {}sum;\n  assign carry_o = {}carry;\nendmodule\n",
      name, ports, adder.cell, connections, adder.sum, adder.carry, adder.sum_inverted ? "~" : "",
      adder.carry_inverted ? "~" : "");
}

// ---- Running Yosys ----

/// Runs a program in a folder with its output in a file; `poll` is called while it runs. The child
/// is in the terminal's process group, so Ctrl-C reaches it, and it never outlives this call.
int run(const std::vector<std::string>& command, const fs::path& folder, const std::string& output,
        const std::function<void()>& poll) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT)
    throw InputError(fmt::format("{} is not installed or not in PATH; run: apt-get install {}",
                                 command[0], command[0]));
  if (error != 0)
    throw std::runtime_error(
        fmt::format("{} cannot be started: {}", command[0], std::strerror(error)));
  int status = 0;
  try {
    int turn = 0;
    while (true) {
      const pid_t done = waitpid(child, &status, WNOHANG);
      if (done == child) break;
      if (done < 0 && errno != EINTR)
        throw std::runtime_error(
            fmt::format("waiting for {}: {}", command[0], std::strerror(errno)));
      if (poll && turn++ % 10 == 0) poll();
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
  } catch (...) {
    kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    throw;
  }
  if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
  return WEXITSTATUS(status);
}

std::string tail(const std::string& text, int lines) {
  std::size_t at = text.find_last_not_of('\n');
  if (at == std::string::npos) return "";
  while (lines-- > 0 && at != std::string::npos && at > 0) at = text.rfind('\n', at - 1);
  return text.substr(at == std::string::npos ? 0 : at);
}

struct Phase {
  std::string name, script;
};

void run_yosys(const fs::path& folder, const std::string& name, const std::vector<Phase>& phases,
               int first, int total, const SynthesisProgress& progress) {
  std::string script;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const std::string mark = fmt::format("{}.phase{}", name, i);
    fs::remove(folder / mark);
    script += fmt::format("tee -q -o {} log {}\n{}", mark, phases[i].name, phases[i].script);
  }
  write_text(folder / (name + ".ys"), script);
  const std::string log = name + ".log";
  auto poll = [&] {
    if (!progress) return;
    std::size_t at = 0;
    while (at + 1 < phases.size() && fs::exists(folder / fmt::format("{}.phase{}", name, at + 1)))
      ++at;
    progress(phases[at].name, first + static_cast<int>(at), total);
  };
  const int status = run({"yosys", "-Q", "-s", name + ".ys"}, folder, log, poll);
  for (std::size_t i = 0; i < phases.size(); ++i)
    fs::remove(folder / fmt::format("{}.phase{}", name, i));
  if (status == 0) return;
  if (status == 128 + SIGINT || status == 128 + SIGTERM)
    throw std::runtime_error("Yosys was interrupted");
  throw std::runtime_error(fmt::format("Yosys failed with status {}; the end of {}:{}", status,
                                       (folder / log).string(), tail(read_text(folder / log), 12)));
}

// ---- Yosys' statistics ----

struct Statistics {
  std::map<std::string, std::uint64_t> cells;
  double area = 0;
  std::uint64_t memory_bits = 0;
};

std::map<std::string, Statistics> read_statistics(const fs::path& path) {
  std::map<std::string, Statistics> modules;
  std::istringstream text(read_text(path));
  std::string line;
  Statistics* module = nullptr;
  bool in_cells = false;
  while (std::getline(text, line)) {
    if (line.rfind("=== ", 0) == 0) {
      const std::string name = line.substr(4, line.rfind(" ===") - 4);
      module = name == "design hierarchy" ? nullptr : &modules[name];
      in_cells = false;
      continue;
    }
    if (module == nullptr) continue;
    const auto number = [&] {
      return std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10);
    };
    if (line.find("Number of memory bits:") != std::string::npos) module->memory_bits = number();
    if (const auto at = line.rfind("': ");
        line.find("Chip area for module") != std::string::npos && at != std::string::npos)
      module->area = std::strtod(line.c_str() + at + 3, nullptr);
    if (line.find("Number of cells:") != std::string::npos) {
      in_cells = true;
    } else if (in_cells && line.rfind("     ", 0) == 0) {
      // A name may hold blanks only in theory; the count is the last word.
      const std::string row = trim(line);
      const auto blank = row.find_last_of(' ');
      if (blank != std::string::npos)
        module->cells[trim(row.substr(0, blank))] =
            std::strtoull(row.c_str() + blank + 1, nullptr, 10);
    } else {
      in_cells = false;
    }
  }
  return modules;
}

/// sf_fifo of `$paramod$5e..\sf_fifo` and `$paramod\sf_fifo\Width=s32'...`.
std::string base_name(const std::string& module) {
  const auto at = module.find('\\');
  if (module.rfind("$paramod", 0) != 0 || at == std::string::npos) return module;
  const auto end = module.find('\\', at + 1);
  return module.substr(at + 1, end == std::string::npos ? end : end - at - 1);
}

/// Short and unique: sf_popcount Width=64, sf_fifo #5e01ab.
std::string label(const std::string& module) {
  const std::string base = base_name(module);
  if (module == base) return base;
  if (module.rfind("$paramod$", 0) == 0) return fmt::format("{} #{}", base, module.substr(9, 6));
  std::string text = base;
  std::size_t at = module.find('\\', module.find('\\') + 1);
  while (at != std::string::npos) {
    const auto next = module.find('\\', at + 1);
    const std::string parameter =
        module.substr(at + 1, next == std::string::npos ? next : next - at - 1);
    const auto equals = parameter.find('='), quote = parameter.find('\'');
    text += quote == std::string::npos || equals == std::string::npos
                ? " " + parameter
                : fmt::format(" {}={}", parameter.substr(0, equals),
                              std::strtoull(parameter.c_str() + quote + 1, nullptr, 2));
    at = next;
  }
  return text;
}

// ---- Scripts ----

std::string mapping_script() { return "wreduce\nalumacc\nopt -fast\ntechmap\nopt -fast\n"; }
std::string library_script() {
  return "dfflibmap -liberty library.lib\nopt -fast\nabc -liberty library.lib\nopt_clean\n";
}

struct Setup {
  fs::path folder;
  SynthesisReport report;
  bool adders = false;  ///< adders.v binds sf_full_adder and sf_half_adder
};

Setup prepare(const Config& config, const std::string& liberty, const std::string& work_directory) {
  Setup s;
  SynthesisReport& r = s.report;
  r.liberty = fs::absolute(liberty.empty() ? kDefaultLiberty : liberty).lexically_normal().string();
  if (liberty.empty()) r.liberty = kDefaultLiberty;
  const Library library = LibertyReader(r.liberty).read();
  r.library = library.name;
  s.folder = fs::absolute(work_directory);
  std::error_code error;
  fs::create_directories(s.folder, error);
  if (error)
    throw InputError(fmt::format("{}: the folder cannot be made: {}; choose another",
                                 work_directory, error.message()));
  if (run({"yosys", "-V"}, s.folder, "version.log", {}) != 0)
    throw std::runtime_error("yosys -V failed");
  r.yosys = trim(read_text(s.folder / "version.log"));
  // Links keep odd characters of the path out of Yosys' scripts.
  fs::remove(s.folder / "library.lib");
  fs::create_symlink(r.liberty, s.folder / "library.lib");
  generate(config, (s.folder / "rtl").string());

  std::string modules;
  if (const auto full = find_adder(library, 3)) {
    r.full_adder_cell = full->cell;
    modules += adder_module("sf_full_adder", *full);
  } else {
    r.notes.push_back(fmt::format(
        "{} has no full-adder cell: the popcount's full adders are plain logic", library.name));
  }
  if (const auto half = find_adder(library, 2)) {
    r.half_adder_cell = half->cell;
    modules += adder_module("sf_half_adder", *half);
  } else {
    r.notes.push_back(fmt::format(
        "{} has no half-adder cell: the popcount's half adders are plain logic", library.name));
  }
  s.adders = !modules.empty();
  if (s.adders) write_text(s.folder / "adders.v", modules);
  return s;
}

const char* bind_adders(const Setup& s) { return s.adders ? "techmap -map adders.v\n" : ""; }

std::uint64_t instances_of(const Statistics& module, const std::string& cell) {
  const auto found = module.cells.find(cell);
  return cell.empty() || found == module.cells.end() ? 0 : found->second;
}

void compare_popcount(const Config& config, Setup& s, int first, int total,
                      const SynthesisProgress& progress) {
  auto form = [&](const char* name, const char* define, bool bind) {
    return fmt::format(
        "design -reset\nread_liberty -lib library.lib\n"
        "read_verilog -defer {} rtl/sf_popcount.v rtl/sf_popcount_adders.v rtl/sf_full_adder.v "
        "rtl/sf_half_adder.v\n"
        "chparam -set Width {} sf_popcount\nhierarchy -check -top "
        "sf_popcount\nproc\n{}flatten\nopt\n{}{}"
        "tee -q -o {}.txt stat -liberty library.lib\n",
        define, config.lanes, bind ? bind_adders(s) : "", mapping_script(), library_script(), name);
  };
  run_yosys(s.folder, "popcount",
            {{"popcount of adders", form("popcount_structural", "-DSF_POPCOUNT_STRUCTURAL", true)},
             {"behavioural popcount", form("popcount_behavioural", "", false)}},
            first, total, progress);
  auto only = [&](const char* name) {
    for (const auto& [module, statistics] :
         read_statistics(s.folder / (std::string(name) + ".txt")))
      if (base_name(module) == "sf_popcount") return statistics;
    throw std::runtime_error(
        fmt::format("{}: no sf_popcount in Yosys' statistics", (s.folder / name).string()));
  };
  const Statistics structural = only("popcount_structural"),
                   behavioural = only("popcount_behavioural");
  PopcountComparison& p = s.report.popcount;
  p.width = config.lanes;
  p.structural_um2 = structural.area;
  p.behavioural_um2 = behavioural.area;
  p.ratio = behavioural.area > 0 ? structural.area / behavioural.area : 0;
  p.full_adders = instances_of(structural, s.report.full_adder_cell);
  p.half_adders = instances_of(structural, s.report.half_adder_cell);
  p.behavioural_adder_cells = instances_of(behavioural, s.report.full_adder_cell) +
                              instances_of(behavioural, s.report.half_adder_cell);
}

bool is_memory(const std::string& module) {
  const std::string base = base_name(module);
  return base == "sf_ram" || base == "sf_register_file";
}

void map_design(Setup& s, int first, int total, const SynthesisProgress& progress) {
  std::string files;
  std::istringstream list(read_text(s.folder / "rtl" / "sf_accelerator.f"));
  for (std::string line; std::getline(list, line);)
    if (line = trim(line); line.size() > 2 && line.substr(line.size() - 2) == ".v")
      files += " rtl/" + line;
  run_yosys(
      s.folder, "design",
      {{"elaborate",
        "read_liberty -lib library.lib\n"
        "read_verilog -defer -Irtl -DSF_POPCOUNT_STRUCTURAL" +
            files +
            "\n"
            "hierarchy -check -top sf_accelerator\n"
            "tee -q -o hierarchy.txt stat\n"
            "blackbox *sf_ram* *sf_register_file*\n"},
       {"processes", "proc\nopt_expr\nopt_clean\n" + std::string(bind_adders(s)) +
                         "flatten *sf_popcount*\nopt\n"},
       {"logic", "memory -nomap\nmemory_map * *sf_fifo* %d\n" + mapping_script()},
       {"library cells", library_script() + "tee -q -o area.txt stat -liberty library.lib\n"}},
      first, total, progress);

  const auto before = read_statistics(s.folder / "hierarchy.txt");
  const auto after = read_statistics(s.folder / "area.txt");
  std::map<std::string, std::uint64_t> instances;
  std::map<std::string, std::uint64_t> own_cells;
  const std::function<void(const std::string&, std::uint64_t)> visit = [&](const std::string& name,
                                                                           std::uint64_t count) {
    instances[name] += count;
    const auto module = after.find(name);
    if (module == after.end()) return;  // a black box
    std::uint64_t cells = 0;
    for (const auto& [cell, number] : module->second.cells) {
      if (after.count(cell) != 0 || is_memory(cell))
        visit(cell, count * number);
      else if (cell.rfind("$mem", 0) == 0 && base_name(name) == "sf_fifo")
        continue;
      else if (cell[0] == '$')
        throw std::runtime_error(fmt::format("{}: {} was left unmapped in {}; see design.log",
                                             s.folder.string(), cell, name));
      else
        cells += number;
    }
    own_cells[name] = cells;
  };
  if (after.count("sf_accelerator") == 0)
    throw std::runtime_error(
        fmt::format("{}: no sf_accelerator in Yosys' statistics", s.folder.string()));
  visit("sf_accelerator", 1);
  SynthesisReport& r = s.report;
  for (const auto& [name, count] : instances) {
    if (is_memory(name) || base_name(name) == "sf_fifo") {
      const auto found = before.find(name);
      const std::uint64_t bits = found == before.end() ? 0 : found->second.memory_bits;
      r.memories.push_back({label(name), count, bits});
      r.memory_bits += bits * count;
    }
    if (is_memory(name)) continue;
    const Statistics& module = after.at(name);
    r.modules.push_back({label(name), count, module.area, own_cells[name]});
    r.area_um2 += module.area * static_cast<double>(count);
  }
  std::stable_sort(r.modules.begin(), r.modules.end(),
                   [](const ModuleArea& a, const ModuleArea& b) {
                     return a.area_um2 * static_cast<double>(a.instances) >
                            b.area_um2 * static_cast<double>(b.instances);
                   });
  std::stable_sort(r.memories.begin(), r.memories.end(),
                   [](const MemoryBits& a, const MemoryBits& b) {
                     return a.bits * a.instances > b.bits * b.instances;
                   });
  r.notes.push_back(
      "memories (sf_ram, sf_register_file, the words of sf_fifo) are not in area_um2");
  r.notes.push_back(
      "modules are mapped one by one: constants do not cross their borders; no wires, no "
      "placement");
}

SynthesisReport synthesis(const Config& config, const std::string& liberty,
                          const std::string& work_directory, const SynthesisProgress& progress,
                          bool whole) {
  const auto begin = std::chrono::steady_clock::now();
  Setup s = prepare(config, liberty, work_directory);
  const int total = whole ? 6 : 2;
  compare_popcount(config, s, 0, total, progress);
  if (whole) map_design(s, 2, total, progress);
  s.report.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return s.report;
}

}  // namespace

SynthesisReport synthesize(const Config& config, const std::string& liberty,
                           const std::string& work_directory, const SynthesisProgress& progress) {
  return synthesis(config, liberty, work_directory, progress, true);
}

SynthesisReport synthesize_popcount(const Config& config, const std::string& liberty,
                                    const std::string& work_directory,
                                    const SynthesisProgress& progress) {
  return synthesis(config, liberty, work_directory, progress, false);
}

}  // namespace solfege
