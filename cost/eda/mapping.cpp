// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/mapping.hpp"

#include <fmt/format.h>

#include "cost/eda/adder_search.hpp"
#include "cost/eda/yosys.hpp"
#include "model/base/process.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "adders found in gates, 1";  // raise when adder_search changes

/// Behind Yosys' `abc -genlib`: nothing for its own script; or for the clock, one that looks for
/// short paths first (`&if -g`) and shares no logic at the price of depth: `dc2` makes chains of
/// prefix adders, for they are smaller.
constexpr const char* kSmallest = "";
constexpr const char* kFastest =
    " -script +strash;&get,-n;&fraig,-x;&put;scorr;strash;&get,-n;&st;&if,-g,-K,6;&dch,-f;&nf;&put";

}  // namespace

std::string script_name(const std::string& module) {
  return module[0] == '$' ? module : "\\" + module;
}

std::string bind_adders_script(const AdderCells& adders) {
  return adders.full || adders.half ? "techmap -map library/explicit_adders.v\n" : "";
}

std::string Mapping::gates_script(const PreparedLibrary& library) const {
  std::string text = read + fmt::format("select {}\nmemory -nomap\n", script_name(module));
  if (!keep_memories) text += "memory_map\n";
  text += "opt_expr\nopt_clean\nopt\nwreduce\npeepopt\nopt_clean\nalumacc\nopt\n";
  if (binds_adders(library))
    text += fmt::format(
        "maccmap\ntechmap {}-map library/ripple.v\n",
        style == AdderStyle::kAuto ? fmt::format("-D LONGEST_RIPPLE={} ", kLongestRipple) : "");
  // Two rounds instead of `opt -fast`, which repeats many times to little effect: ABC follows.
  return text +
         "techmap\nopt_expr\nopt_merge\nopt_dff\nopt_expr\nopt_merge\nopt_clean\n"
         "select -clear\nwrite_json gates.json\n";
}

std::string Mapping::cells_script() const {
  return fmt::format(
             "read_json bound.json\nselect {}\nopt_clean\n"
             "dfflibmap -liberty library/cells.lib\nopt_clean\n"
             "abc -nocleanup -genlib library/gates.genlib{}\nsetundef -zero -undriven\nopt_clean "
             "-purge\n",
             script_name(module), style == AdderStyle::kRipple ? kSmallest : kFastest) +
         write;
}

bool Mapping::binds_adders(const PreparedLibrary& library) const {
  return library.adders.full && style != AdderStyle::kPrefix;
}

std::string Mapping::key(const PreparedLibrary& library) const {
  return kFormat + library.hash + gates_script(library) + cells_script();
}

void Mapping::run(const fs::path& folder, const PreparedLibrary& library,
                  const std::function<void()>& poll) const {
  run_yosys(folder, "gates", gates_script(library), library.folder, poll);
  require_ending(folder / "gates.json", "}");
  if (binds_adders(library))
    bind_found_adders(folder / "gates.json", folder / "bound.json", module, *library.adders.full);
  else
    fs::rename(folder / "gates.json", folder / "bound.json");
  run_yosys(folder, "cells", cells_script(), library.folder, poll);
  for (const char* name : {"gates.json", "bound.json"}) fs::remove(folder / name);
}

}  // namespace solfege
