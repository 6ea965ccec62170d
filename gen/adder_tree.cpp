// SPDX-License-Identifier: Apache-2.0
#include "gen/adder_tree.hpp"

#include <fmt/format.h>

#include <functional>
#include <queue>
#include <tuple>
#include <vector>

#include "model/spec/geometry.hpp"

namespace solfege {
namespace {

/// A bit of some column: when it is there, in adders; its place among all; its name.
using Bit = std::tuple<int, int, std::string>;
using Column = std::priority_queue<Bit, std::vector<Bit>, std::greater<>>;

}  // namespace

std::string adder_tree_cells(const std::vector<std::vector<std::string>>& bits,
                             const std::string& sum_name) {
  std::vector<Column> columns(bits.size() + 1);
  int place = 0, cells = 0;
  for (std::size_t weight = 0; weight < bits.size(); ++weight)
    for (const std::string& bit : bits[weight]) columns[weight].emplace(0, place++, bit);
  std::string text;
  for (std::size_t weight = 0; weight < bits.size(); ++weight) {
    Column& column = columns[weight];
    const bool last = weight + 1 == bits.size();
    text += fmt::format("\n  // Weight 2^{}\n", weight);
    while (column.size() > 1) {
      std::vector<std::string> inputs;
      int ready = 0;
      while (inputs.size() < 3 && !column.empty()) {
        ready = std::get<0>(column.top());  // the latest so far
        inputs.push_back(std::get<2>(column.top()));
        column.pop();
      }
      const std::string sum = fmt::format("sum_{}", cells), carry = fmt::format("carry_{}", cells);
      if (last)
        text += fmt::format("  wire {} = {};\n", sum, fmt::join(inputs, " ^ "));
      else if (inputs.size() == 3)
        text += fmt::format(
            "  wire {0}, {1};\n  sf_full_adder u_{5} (.a_i({2}), .b_i({3}), .c_i({4}), "
            ".sum_o({0}), "
            ".carry_o({1}));\n",
            sum, carry, inputs[0], inputs[1], inputs[2], cells);
      else
        text += fmt::format(
            "  wire {0}, {1};\n  sf_half_adder u_{4} (.a_i({2}), .b_i({3}), .sum_o({0}), "
            ".carry_o({1}));\n",
            sum, carry, inputs[0], inputs[1], cells);
      column.emplace(ready + 1, place++, sum);
      if (!last) columns[weight + 1].emplace(ready + 1, place++, carry);
      ++cells;
    }
    text += fmt::format("  assign {}[{}] = {};\n", sum_name, weight,
                        column.empty() ? "1'b0" : std::get<2>(column.top()));
  }
  return text;
}

std::string adder_tree_module(const Config& config) {
  const int low_bits = Geometry(config).low_bits, products = config.planes * config.lanes;
  std::string text = fmt::format(
      "// products_i: plane p at p*Lanes, of weight 2^p. Modulo 2^LowBits: sf_pe keeps the sum "
      "below "
      "that.\n"
      "`default_nettype none\n"
      "module sf_adder_tree #(\n"
      "    parameter Planes = {0},  // of this tree; no others\n"
      "    parameter Lanes = {1},\n"
      "    parameter LowBits = {2}\n"
      ") (\n"
      "    input  wire [{3}:0] products_i,\n"
      "    input  wire [{4}:0] low_i,\n"
      "    output wire [{4}:0] low_o\n"
      ");\n"
      "  // Parameters that cannot be: elaboration stops at a module that is nowhere.\n"
      "  generate\n"
      "    if (Planes != {0} || Lanes != {1} || LowBits != {2}) begin : "
      "gen_the_tree_is_of_another_shape\n"
      "      sf_error_the_tree_is_of_another_shape u_error ();\n"
      "    end\n"
      "  endgenerate\n",
      config.planes, config.lanes, low_bits, products - 1, low_bits - 1);
  std::vector<std::vector<std::string>> columns(static_cast<std::size_t>(low_bits));
  for (int i = 0; i < products; ++i)
    columns.at(static_cast<std::size_t>(i / config.lanes))
        .push_back(fmt::format("products_i[{}]", i));
  for (int bit = 0; bit < low_bits; ++bit)
    columns[static_cast<std::size_t>(bit)].push_back(fmt::format("low_i[{}]", bit));
  return text + adder_tree_cells(columns, "low_o") + "endmodule\n`default_nettype wire\n";
}

}  // namespace solfege
