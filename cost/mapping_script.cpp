// SPDX-License-Identifier: Apache-2.0
#include "cost/mapping_script.hpp"

namespace solfege {

std::string bind_adders_script(const AdderCells& adders) {
  return adders.full || adders.half ? "techmap -map library/explicit_adders.v\n" : "";
}

std::string gates_script(const AdderCells& adders, AdderStyle style) {
  std::string text = "opt_expr\nopt_clean\nopt\nwreduce\npeepopt\nopt_clean\n";
  text += "alumacc\nopt\nopt -fast -full\n";
  const bool extract = adders.full && style == AdderStyle::kRipple;
  if (extract) text += "maccmap\ntechmap -map library/ripple.v\n";
  text += "techmap\nopt -fast\n";
  // A full adder of ripple.v is 3 gates deep, and constants shorten it. Yosys' own limit, 20, finds
  // no more and takes 20 times as long on barrel shifters. (0.23 ignores -d as the last option.)
  if (extract)
    text += "extract_fa -d 8 -fa\ntechmap -map library/extracted_adders.v\ntechmap\nopt -fast\n";
  return text;
}

std::string cells_script() {
  return "dfflibmap -liberty library/cells.lib\nopt -fast\n"
         "abc -genlib library/gates.genlib\nsetundef -zero -undriven\nopt_clean -purge\n";
}

}  // namespace solfege
