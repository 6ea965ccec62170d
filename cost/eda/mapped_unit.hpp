// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cost/eda/adder_cells.hpp"
#include "cost/eda/netlist.hpp"

namespace solfege {

/// A piece of hardware to be mapped, and priced, by itself.
struct UnitDesign {
  std::string name;                       ///< in reports: and_popcount, pe, stream_lane, int8_mac
  std::string top;                        ///< its Verilog module
  std::map<std::string, int> parameters;  ///< of the module
  std::vector<std::string> sources;       ///< paths of Verilog files; includes beside them
  std::string clock = "clk_i";            ///< port; empty: combinational
};

struct MappedUnit : CellCounts {
  UnitDesign design;
  Netlist netlist;
  std::uint64_t memory_bits = 0;              ///< of sf_ram inside, which are black boxes
  std::uint64_t clock_gates = 0;              ///< sf_clock_gate inside, black boxes too
  std::string yosys;                          ///< version line
  std::string netlist_verilog, netlist_json;  ///< files in the cache
  std::vector<std::string> notes;             ///< what the library lacks, and what follows
};

/// Maps a unit, flattened, onto a Liberty library with Yosys: explicit adders and `+` on the
/// library's full and half adders where it has any, the rest by ABC. Cached in
/// `cache_directory` under a hash of sources, parameters, library and Yosys' version; interrupted
/// runs leave nothing there. `poll` is called about four times a second; what it throws ends the
/// run. InputError: no Yosys, unusable library. std::runtime_error: Yosys failed, with the end of
/// its log.
MappedUnit map_unit(const UnitDesign& design, const std::string& liberty,
                    const std::string& cache_directory, const std::function<void()>& poll = {});

}  // namespace solfege
