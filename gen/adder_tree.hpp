// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/spec/config.hpp"

namespace solfege {

/// Full and half adders, in Verilog, that add up bits: bits[w] names those of weight 2^w. Each
/// column of bits of one weight is brought to one bit, always by the bits that are there first, so
/// that the bits of the sum, `sum`[w], arrive late only where they must. Modulo 2^bits.size().
std::string adder_tree_cells(const std::vector<std::vector<std::string>>& bits,
                             const std::string& sum);

/// The body of sf_adder_tree for a configuration, without its banner: it adds the products of an
/// element's lanes, by the weights of their planes, to its low sum.
std::string adder_tree_module(const Config& config);

/// The same as sf_look_up_tree, in cells grouped for look-up tables of six inputs: three products,
/// or up to six bits of one weight, make one bit of each weight that they can have; a carry chain
/// adds the two rows that are left.
std::string look_up_tree_module(const Config& config);

}  // namespace solfege
