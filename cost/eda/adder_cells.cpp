// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/adder_cells.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "cost/eda/boolean_function.hpp"

namespace solfege {
namespace {

std::optional<AdderCell> find_adder(const LibertyLibrary& library, std::size_t inputs) {
  const std::uint64_t rows = std::uint64_t{1} << inputs, all = (std::uint64_t{1} << rows) - 1;
  std::uint64_t sum_table = 0, carry_table = 0;
  for (std::uint64_t row = 0; row < rows; ++row) {
    const std::uint64_t ones = (row & 1) + (row >> 1 & 1) + (row >> 2 & 1);
    sum_table |= (ones & 1) << row;
    carry_table |= (ones >> 1) << row;
  }
  std::optional<AdderCell> best;
  for (const LibertyCell& cell : library.cells) {
    if (cell.dont_use || cell.is_latch || cell.is_memory || cell.flip_flop) continue;
    if (cell.area_um2 <= 0 || (best && best->area_um2 <= cell.area_um2)) continue;
    AdderCell adder;
    adder.cell = cell.name;
    adder.area_um2 = cell.area_um2;
    adder.inputs = cell.input_names();
    const auto outputs = cell.outputs();
    if (adder.inputs.size() != inputs || outputs.size() != 2) continue;
    for (const LibertyPin* pin : outputs) {
      if (pin->function.empty()) continue;
      const std::uint64_t table = BooleanFunction(pin->function, adder.inputs).table()[0];
      if (table == sum_table || table == (sum_table ^ all)) {
        adder.sum = pin->name;
        adder.sum_inverted = table != sum_table;
      } else if (table == carry_table || table == (carry_table ^ all)) {
        adder.carry = pin->name;
        adder.carry_inverted = table != carry_table;
      }
    }
    if (!adder.sum.empty() && !adder.carry.empty()) best = adder;
  }
  return best;
}

/// Statements that instantiate the cell and give it the nets sum and carry.
std::string instance(const AdderCell& adder, const std::vector<std::string>& inputs,
                     const std::string& sum, const std::string& carry) {
  std::string connections;
  for (std::size_t i = 0; i < adder.inputs.size(); ++i)
    connections += fmt::format(".\\{} ({}), ", adder.inputs[i], inputs[i]);
  return fmt::format(
      "  wire cell_sum, cell_carry;\n"
      "  \\{} cell_i ({}.\\{} (cell_sum), .\\{} (cell_carry));\n"
      "  assign {} = {}cell_sum;\n  assign {} = {}cell_carry;\n",
      adder.cell, connections, adder.sum, adder.carry, sum, adder.sum_inverted ? "~" : "", carry,
      adder.carry_inverted ? "~" : "");
}

}  // namespace

void CellCounts::add(const LibertyCell& cell, const AdderCells& adders) {
  ++cells;
  area_um2 += cell.area_um2;
  if (cell.flip_flop) {
    ++flip_flops;
    sequential_um2 += cell.area_um2;
  }
  const bool full = adders.full && cell.name == adders.full->cell,
             half = adders.half && cell.name == adders.half->cell;
  full_adders += full;
  half_adders += half;
  if (full || half) adders_um2 += cell.area_um2;
}

AdderCells find_adder_cells(const LibertyLibrary& library) {
  AdderCells adders;
  adders.full = find_adder(library, 3);
  adders.half = find_adder(library, 2);
  for (const auto& [cell, name] : {std::pair(&adders.full, "full"), {&adders.half, "half"}})
    if (!*cell)
      adders.notes.push_back(fmt::format("{} has no {}-adder cell: {} adders are plain logic",
                                         library.name, name, name));
  return adders;
}

std::string explicit_adders_map(const AdderCells& adders) {
  std::string text;
  if (adders.full)
    text +=
        "module sf_full_adder (input a_i, input b_i, input c_i, output sum_o, output carry_o);\n" +
        instance(*adders.full, {"a_i", "b_i", "c_i"}, "sum_o", "carry_o") + "endmodule\n";
  if (adders.half)
    text += "module sf_half_adder (input a_i, input b_i, output sum_o, output carry_o);\n" +
            instance(*adders.half, {"a_i", "b_i"}, "sum_o", "carry_o") + "endmodule\n";
  return text;
}

std::string ripple_map() {
  return R"((* techmap_celltype = "$alu" *)
module ripple_adder (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  input CI, BI;
  (* force_downto *) output [Y_WIDTH-1:0] X, Y, CO;
`ifdef LONGEST_RIPPLE
  wire _TECHMAP_FAIL_ = Y_WIDTH > `LONGEST_RIPPLE;
`endif
  (* force_downto *) wire [Y_WIDTH-1:0] a, b_extended;
  \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_a (.A(A), .Y(a));
  \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_b (.A(B), .Y(b_extended));
  (* force_downto *) wire [Y_WIDTH-1:0] b = b_extended ^ {Y_WIDTH{BI}};
  wire [Y_WIDTH:0] carry;
  assign carry[0] = CI;
  assign X = a ^ b;
  assign Y = X ^ carry[Y_WIDTH-1:0];
  assign CO = carry[Y_WIDTH:1];
  genvar i;
  generate
    for (i = 0; i < Y_WIDTH; i = i + 1) begin : bits
      assign carry[i+1] = (a[i] & b[i]) | (X[i] & carry[i]);
    end
  endgenerate
endmodule
)";
}

}  // namespace solfege
