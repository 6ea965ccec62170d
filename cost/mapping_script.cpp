// SPDX-License-Identifier: Apache-2.0
#include "cost/mapping_script.hpp"

namespace solfege {

std::string bind_adders_script(const AdderCells& adders) {
  return adders.full || adders.half ? "techmap -map library/explicit_adders.v\n" : "";
}

std::string gates_script(const AdderCells& adders, AdderStyle style) {
  const bool extract = adders.full && style == AdderStyle::kRipple;
  std::string text = "opt_expr\nopt_clean\nopt\nwreduce\npeepopt\nopt_clean\nalumacc\nopt\n";
  if (extract) text += "maccmap\ntechmap -map library/ripple.v\n";
  // Two rounds instead of `opt -fast`, which repeats many times to little effect: ABC follows.
  text += "techmap\nopt_expr\nopt_merge\nopt_dff\nopt_expr\nopt_merge\nopt_clean\n";
  // The search is held to what ripple.v makes: without limits it takes minutes. Yosys 0.23 wants
  // another option after each number.
  if (extract)
    text +=
        "extract_fa -d 4 -b 4 -fa\ntechmap -map library/extracted_adders.v\ntechmap\n"
        "opt_clean\n";
  return text;
}

std::string cells_script() {
  return "dfflibmap -liberty library/cells.lib\nopt_clean\n"
         "abc -genlib library/gates.genlib\nsetundef -zero -undriven\nopt_clean -purge\n";
}

}  // namespace solfege
