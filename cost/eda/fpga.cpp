// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/fpga.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "cost/eda/yosys.hpp"
#include "model/base/cache.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// A family's primitives by how their names begin; the rest is counted in `cells` only. Commands
/// stop before their last part, which names what is anonymous, for hours in a whole machine, and
/// checks.
struct Family {
  const char *name, *command;
  bool six_inputs;  ///< of its look-up tables; else four
  std::vector<std::string> luts, flip_flops, carries, multipliers, memories;
};

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"xilinx 7-series",
       "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -run begin:check",
       true,
       {"LUT"},
       {"FD", "LD"},
       {"CARRY"},
       {"DSP"},
       {"RAM", "SRL"}},
      {"ice40",
       "synth_ice40 -dsp -run begin:check",
       false,
       {"SB_LUT4"},
       {"SB_DFF"},
       {"SB_CARRY"},
       {"SB_MAC"},
       {"SB_RAM"}},
      {"ecp5",
       "synth_ecp5 -nowidelut -run begin:check",
       false,
       {"LUT4"},
       {"TRELLIS_FF"},
       {"CCU2C"},
       {"MULT"},
       {"DP16KD", "TRELLIS_DPR"}}};
  return all;
}

std::uint64_t count(const std::map<std::string, std::uint64_t>& cells,
                    const std::vector<std::string>& beginnings) {
  std::uint64_t sum = 0;
  for (const auto& [cell, number] : cells)
    if (std::any_of(beginnings.begin(), beginnings.end(),
                    [&](const std::string& b) { return cell.rfind(b, 0) == 0; }))
      sum += number;
  return sum;
}

}  // namespace

std::vector<FpgaUnit> map_fpga(const ElaboratedDesign& design, const std::string& module,
                               const std::string& cache_directory,
                               const std::function<void(const std::string& family)>& poll) {
  std::vector<FpgaUnit> units;
  for (const Family& family : families()) {
    const std::string script = fmt::format(
        "read_rtlil generic.il\nhierarchy -top {}\nrename -top unit\n{} -top unit\n"
        "tee -q -o cells.txt stat\n",
        script_name(module), family.command);
    const std::string text = generic_rtlil(design, module, family.six_inputs);
    const fs::path folder =
        cached_folder(cache_directory, "fpga-" + content_hash({yosys_version(), script, text}),
                      [&](const fs::path& part) {
                        write_file(part / "generic.il", text);
                        run_yosys(part, "fpga", script, "", [&] {
                          if (poll) poll(family.name);
                        });
                        fs::remove(part / "generic.il");
                      });
    const auto statistics = read_statistics(folder / "cells.txt");
    const auto found = statistics.find("unit");
    if (found == statistics.end())
      throw std::runtime_error(fmt::format("{}: Yosys gave no statistics", folder.string()));
    FpgaUnit unit;
    unit.unit = module_label(module);
    unit.family = family.name;
    unit.command = family.command;
    unit.cells = found->second.cells;
    unit.carries = count(unit.cells, family.carries);
    unit.luts = count(unit.cells, family.luts);
    if (std::string(family.name) == "ecp5") unit.luts += 2 * unit.carries;
    unit.flip_flops = count(unit.cells, family.flip_flops);
    unit.multipliers = count(unit.cells, family.multipliers);
    unit.memories = count(unit.cells, family.memories);
    units.push_back(std::move(unit));
  }
  return units;
}

}  // namespace solfege
