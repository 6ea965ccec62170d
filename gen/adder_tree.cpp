// SPDX-License-Identifier: Apache-2.0
#include "gen/adder_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

#include "model/spec/geometry.hpp"

namespace solfege {
namespace {

/// A bit of some column: when it is there, in adders; its place among all; its name.
using Bit = std::tuple<int, int, std::string>;
using Column = std::priority_queue<Bit, std::vector<Bit>, std::greater<>>;

using Bits = std::vector<std::vector<std::string>>;  ///< names by weight

/// Columns of bits that are being brought to few, and the cells that do.
class Tree {
 public:
  explicit Tree(const Bits& bits) : columns_(bits.size()) {
    for (std::size_t weight = 0; weight < bits.size(); ++weight)
      for (const std::string& bit : bits[weight]) give(weight, 0, bit);
  }
  std::size_t weights() const { return columns_.size(); }
  std::size_t height(std::size_t weight) const { return columns_[weight].size(); }
  void comment(std::size_t weight) { text_ += fmt::format("\n  // Weight 2^{}\n", weight); }

  /// Takes the bits that are there first; `ready` becomes that of the latest, if it is later.
  std::vector<std::string> take(std::size_t weight, std::size_t count, int* ready) {
    std::vector<std::string> bits;
    for (; bits.size() < count; columns_[weight].pop()) {
      *ready = std::max(*ready, std::get<0>(columns_[weight].top()));
      bits.push_back(std::get<2>(columns_[weight].top()));
    }
    return bits;
  }
  /// What would be beyond the last weight is dropped.
  void give(std::size_t weight, int ready, const std::string& bit) {
    if (weight < columns_.size()) columns_[weight].emplace(ready, place_++, bit);
  }
  /// Names of the sum and the carry of two or three bits.
  std::pair<std::string, std::string> add(const std::vector<std::string>& inputs) {
    const auto names = next();
    text_ += inputs.size() == 3
                 ? fmt::format(
                       "  wire {0}, {1};\n  sf_full_adder u_{5} (.a_i({2}), .b_i({3}), "
                       ".c_i({4}), .sum_o({0}), .carry_o({1}));\n",
                       names.first, names.second, inputs[0], inputs[1], inputs[2], cells_++)
                 : fmt::format(
                       "  wire {0}, {1};\n  sf_half_adder u_{4} (.a_i({2}), .b_i({3}), "
                       ".sum_o({0}), .carry_o({1}));\n",
                       names.first, names.second, inputs[0], inputs[1], cells_++);
    return names;
  }
  /// Their sum alone.
  std::string exclusive_or(const std::vector<std::string>& inputs) {
    const std::string sum = next().first;
    text_ += fmt::format("  wire {} = {};\n", sum, fmt::join(inputs, " ^ "));
    ++cells_;
    return sum;
  }
  /// Two or three bits by a cell; in the last column by exclusive or.
  void reduce(std::size_t weight) {
    int ready = 0;
    const auto inputs = take(weight, std::min<std::size_t>(3, height(weight)), &ready);
    if (weight + 1 == columns_.size()) return give(weight, ready + 1, exclusive_or(inputs));
    const auto [sum, carry] = add(inputs);
    give(weight, ready + 1, sum);
    give(weight + 1, ready + 1, carry);
  }
  /// Four to six bits to a bit of each of three weights, as look-up tables of six inputs can at
  /// once.
  void compress(std::size_t weight) {
    int ready = 0;
    const auto in = take(weight, std::min<std::size_t>(6, height(weight)), &ready);
    const auto first = add({in[0], in[1], in[2]});
    std::pair<std::string, std::string> second = {in[3], ""};
    if (in.size() > 4) second = add({in.begin() + 3, in.end()});
    const auto low = add({first.first, second.first});
    std::vector<std::string> carries = {first.second, low.second};
    if (in.size() > 4) carries.push_back(second.second);
    const auto high = add(carries);
    give(weight, ready + 1, low.first);
    give(weight + 1, ready + 1, high.first);
    give(weight + 2, ready + 1, high.second);
  }
  /// The bit of a column that is there first, which is taken; 0 if there is none.
  std::string top(std::size_t weight) {
    int ready = 0;
    return height(weight) > 0 ? take(weight, 1, &ready).front() : "1'b0";
  }
  const std::string& text() const { return text_; }

 private:
  std::pair<std::string, std::string> next() const {
    return {fmt::format("sum_{}", cells_), fmt::format("carry_{}", cells_)};
  }
  std::vector<Column> columns_;
  std::string text_;
  int place_ = 0, cells_ = 0;
};

/// The same in look-up tables of six inputs, for products of two bits: three products first, then
/// up to six bits at once, and a carry chain for the two rows that are left.
std::string look_up_tree(const Bits& products, const Bits& others, const std::string& sum) {
  Bits bits(others.size());
  Tree tree(bits);
  for (std::size_t weight = 0; weight < products.size(); ++weight)
    for (std::size_t i = 0; i < products[weight].size(); i += 3) {
      const std::vector<std::string> in(
          products[weight].begin() + static_cast<std::ptrdiff_t>(i),
          products[weight].begin() +
              static_cast<std::ptrdiff_t>(std::min(i + 3, products[weight].size())));
      if (in.size() == 1) {
        tree.give(weight, 0, in[0]);
        continue;
      }
      const auto [low, high] = tree.add(in);
      tree.give(weight, 1, low);
      tree.give(weight + 1, 1, high);
    }
  for (std::size_t weight = 0; weight < others.size(); ++weight)
    for (const std::string& bit : others[weight]) tree.give(weight, 0, bit);
  std::string rows[2];
  for (std::size_t weight = 0; weight < tree.weights(); ++weight) {
    tree.comment(weight);
    while (tree.height(weight) > 2)
      if (tree.height(weight) > 3 && weight + 2 < tree.weights())
        tree.compress(weight);
      else
        tree.reduce(weight);
    for (std::string& row : rows) {
      const std::string bit = tree.top(weight);
      row = row.empty() ? bit : bit + ", " + row;
    }
  }
  return tree.text() + fmt::format("\n  assign {} = {{{}}} + {{{}}};\n", sum, rows[0], rows[1]);
}

/// The head of a module that adds an element's products to its low sum.
std::string tree_head(const Config& config, const std::string& name) {
  const int low_bits = Geometry(config).low_bits, products = config.planes * config.lanes;
  return fmt::format(
      "// products_i: plane p at p*Lanes, of weight 2^p. Modulo 2^LowBits: sf_pe keeps the sum "
      "below "
      "that.\n"
      "`default_nettype none\n"
      "module {5} #(\n"
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
      config.planes, config.lanes, low_bits, products - 1, low_bits - 1, name);
}

constexpr const char* kTail = "endmodule\n`default_nettype wire\n";

Bits products_of(const Config& config) {
  Bits bits(static_cast<std::size_t>(Geometry(config).low_bits));
  for (int i = 0; i < config.planes * config.lanes; ++i)
    bits.at(static_cast<std::size_t>(i / config.lanes)).push_back(fmt::format("products_i[{}]", i));
  return bits;
}

Bits low_of(const Config& config) {
  Bits bits(static_cast<std::size_t>(Geometry(config).low_bits));
  for (std::size_t bit = 0; bit < bits.size(); ++bit)
    bits[bit].push_back(fmt::format("low_i[{}]", bit));
  return bits;
}

}  // namespace

std::string adder_tree_cells(const std::vector<std::vector<std::string>>& bits,
                             const std::string& sum) {
  Tree tree(bits);
  std::string outputs;
  for (std::size_t weight = 0; weight < tree.weights(); ++weight) {
    tree.comment(weight);
    while (tree.height(weight) > 1) tree.reduce(weight);
    outputs += fmt::format("  assign {}[{}] = {};\n", sum, weight, tree.top(weight));
  }
  return tree.text() + "\n" + outputs;
}

std::string adder_tree_module(const Config& config) {
  Bits bits = products_of(config);
  const Bits low = low_of(config);
  for (std::size_t weight = 0; weight < bits.size(); ++weight)
    bits[weight].push_back(low[weight].front());
  return tree_head(config, "sf_adder_tree") + adder_tree_cells(bits, "low_o") + kTail;
}

std::string look_up_tree_module(const Config& config) {
  return tree_head(config, "sf_look_up_tree") +
         look_up_tree(products_of(config), low_of(config), "low_o") + kTail;
}

}  // namespace solfege
