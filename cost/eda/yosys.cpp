// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/yosys.hpp"

#include <fmt/format.h>

#include <sstream>
#include <stdexcept>

#include "model/base/files.hpp"
#include "model/base/process.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

}  // namespace

const std::string& yosys_version() {
  static const std::string version = tool_version({"yosys", "-V"});
  return version;
}

void run_yosys(const fs::path& folder, const std::string& name,
               const std::vector<YosysPhase>& phases, const YosysProgress& progress) {
  auto mark = [&](std::size_t i) { return fmt::format("{}.phase{}", name, i); };
  std::string script;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    fs::remove(folder / mark(i));
    script += fmt::format("tee -q -o {} log {}\n{}", mark(i), phases[i].name, phases[i].script);
  }
  write_file(folder / (name + ".ys"), script);
  const std::string log = name + ".log";
  auto poll = [&] {
    if (!progress) return;
    std::size_t at = 0;
    while (at + 1 < phases.size() && fs::exists(folder / mark(at + 1))) ++at;
    progress(phases[at].name, static_cast<int>(at));
  };
  const int status = run_process({"yosys", "-Q", "-s", name + ".ys"}, folder, log, poll);
  for (std::size_t i = 0; i < phases.size(); ++i) fs::remove(folder / mark(i));
  for (const auto& entry : fs::directory_iterator(folder))  // of abc -nocleanup
    if (entry.path().filename().string().rfind("_tmp_", 0) == 0) fs::remove_all(entry.path());
  if (status == 0) return;
  throw std::runtime_error(fmt::format("Yosys failed with status {}; the end of {}:{}", status,
                                       (folder / log).string(),
                                       last_lines(read_file(folder / log), 12)));
}

std::uint64_t YosysStatistics::cells_of(const std::string& type) const {
  const auto found = cells.find(type);
  return found == cells.end() ? 0 : found->second;
}

std::map<std::string, YosysStatistics> read_statistics(const fs::path& path) {
  std::map<std::string, YosysStatistics> modules;
  std::istringstream text(read_file(path));
  std::string line;
  YosysStatistics* module = nullptr;
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

std::string base_name(const std::string& module) {
  const auto at = module.find('\\');
  if (module.rfind("$paramod", 0) != 0 || at == std::string::npos) return module;
  const auto end = module.find('\\', at + 1);
  return module.substr(at + 1, end == std::string::npos ? end : end - at - 1);
}

}  // namespace solfege
