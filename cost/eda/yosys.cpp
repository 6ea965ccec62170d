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

void run_yosys(const fs::path& folder, const std::string& name, const std::string& script,
               const std::string& library, const std::function<void()>& poll) {
  // Yosys breaks ties by all that a script holds, even this line: without it, a few netlists
  // differ.
  const std::string first = name + ".phase0";
  write_file(folder / (name + ".ys"), fmt::format("tee -q -o {} log {}\n{}", first, name, script));
  const fs::path link = folder / "library";
  if (!library.empty()) fs::create_directory_symlink(library, link);
  const std::string log = name + ".log";
  const int status = run_process({"yosys", "-Q", "-s", name + ".ys"}, folder, log, poll);
  fs::remove(folder / first);
  if (!library.empty()) fs::remove(link);
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
