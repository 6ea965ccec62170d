// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace solfege {

/// A memory macro of a source: one read-write port, `depth` words of `bits`.
struct MemoryPoint {
  long long depth = 0;
  int bits = 0;
  double read_pj = 0, write_pj = 0;  ///< an access of the whole width
  double leakage_nw = 0;             ///< 0: not given
  double area_um2 = 0;               ///< 0: not given
};

/// Points of one technology at one voltage.
struct MemoryTable {
  std::string name, source, tier;
  int node_nm = 0;
  double voltage_v = 0;
  std::vector<MemoryPoint> points;
};

/// The table of a built-in source, of cost/energy/memories/NAME.toml; empty for other names.
MemoryTable builtin_memory_table(const std::string& name);
std::vector<std::string> builtin_memory_names();

/// Reads the single-port SRAM macros of IHP SG13G2 (`*1P*.lib`) in a folder. A read is the rising
/// edge of A_CLK while enabled (A_MEN) and reading (A_REN), a write the same with A_WEN: the
/// foundry's energy of that edge, address and data pins' own events not included. InputError:
/// no such folder, no macro in it, a macro without these pins or energies.
MemoryTable read_ihp_memories(const std::string& folder);

/// Reads the user's table; schema in docs/energy.md. InputError with file and line.
MemoryTable read_memory_table(const std::string& path);

}  // namespace solfege
