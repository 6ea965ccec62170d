// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/spec/config.hpp"

namespace solfege {

/// The body of sf_adder_tree for a configuration, without its banner: full and half adders that add
/// the products of an element's lanes, by the weights of their planes, to its low sum. Each column
/// of bits of one weight is brought to one bit, always by the bits that are there first, so that
/// the bits of the sum arrive late only where they must.
std::string adder_tree_module(const Config& config);

}  // namespace solfege
