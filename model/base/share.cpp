// SPDX-License-Identifier: Apache-2.0
#include "model/base/share.hpp"

#include <fmt/format.h>

#include "model/base/error.hpp"

namespace solfege {

namespace fs = std::filesystem;

fs::path share_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path installed = program.parent_path().parent_path() / "share" / "solfege";
    if (fs::is_directory(installed / "rtl", error)) return installed;
  }
  const fs::path sources = SOLFEGE_SOURCE_DIR;
  if (fs::is_directory(sources / "rtl", error)) return sources;
  throw InputError(
      fmt::format("{}: not found; the program needs the Verilog there, or in ../share/solfege "
                  "beside its folder; install it with cmake --install",
                  (sources / "rtl").string()));
}

const std::map<std::string, fs::path>& rtl_modules() {
  static const auto modules = [] {
    std::map<std::string, fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(share_folder() / "rtl"))
      if (entry.path().extension() == ".v") found[entry.path().stem().string()] = entry.path();
    return found;
  }();
  return modules;
}

std::vector<std::string> rtl_paths(const std::vector<std::string>& modules) {
  std::vector<std::string> paths;
  for (const std::string& module : modules) paths.push_back(rtl_modules().at(module).string());
  return paths;
}

}  // namespace solfege
