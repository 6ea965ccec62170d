// SPDX-License-Identifier: Apache-2.0
#include "cost/mapping_script.hpp"

namespace solfege {

std::string bind_adders_script(const AdderCells& adders) {
  return adders.full || adders.half ? "techmap -map library/explicit_adders.v\n" : "";
}

std::string gates_script(const AdderCells& adders, AdderStyle style) {
  std::string text = "opt_expr\nopt_clean\nopt\nwreduce\npeepopt\nopt_clean\nalumacc\nopt\n";
  // Full adders are written down, not found afterwards: extract_fa of Yosys 0.23 breaks the
  // saturation of rtl/sf_stream_lane.v (its comparisons with constants).
  if (adders.full && style == AdderStyle::kRipple)
    text +=
        "maccmap\ntechmap -map library/ripple.v\nopt -fast\n"
        "techmap -map library/extracted_adders.v\n";
  // Two rounds instead of `opt -fast`, which repeats many times to little effect: ABC follows.
  return text + "techmap\nopt_expr\nopt_merge\nopt_dff\nopt_expr\nopt_merge\nopt_clean\n";
}

std::string cells_script() {
  return "dfflibmap -liberty library/cells.lib\nopt_clean\n"
         "abc -genlib library/gates.genlib\nsetundef -zero -undriven\nopt_clean -purge\n";
}

}  // namespace solfege
