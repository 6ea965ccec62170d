// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cost/eda/liberty.hpp"

namespace solfege {

/// A cell that adds its two or three inputs; outputs may be inverted.
struct AdderCell {
  std::string cell;
  double area_um2 = 0;
  std::vector<std::string> inputs;
  std::string sum, carry;  ///< pins
  bool sum_inverted = false, carry_inverted = false;
};

struct AdderCells {
  std::optional<AdderCell> full, half;
  std::vector<std::string> notes;  ///< what the library lacks, and what follows
};

/// Cells of a netlist, counted: of flip-flops and adder cells, too.
struct CellCounts {
  double area_um2 = 0, sequential_um2 = 0, adders_um2 = 0;
  std::uint64_t cells = 0, flip_flops = 0, full_adders = 0, half_adders = 0;
  void add(const LibertyCell& cell, const AdderCells& adders);
};

/// The smallest adders of a library, known by the truth tables of their outputs.
AdderCells find_adder_cells(const LibertyLibrary& library);

/// Verilog for Yosys' techmap that binds sf_full_adder and sf_half_adder to the cells, where there
/// are any; empty without both.
std::string explicit_adders_map(const AdderCells& adders);
/// `+`, `-` and comparisons as chains of the gates that bind_found_adders() knows.
std::string ripple_map();

}  // namespace solfege
