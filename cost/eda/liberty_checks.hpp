// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cost/eda/liberty.hpp"

namespace solfege {

/// Why no logic can be mapped to a cell that is neither a latch nor a memory: a pin of two
/// directions, a function that cannot be read, too many pins. Empty: it can.
std::string cell_fault(const LibertyCell& cell);

/// Takes out the arcs from pins that the cell does not have and under conditions that cannot be
/// read. Returns these, and the arcs that should be there and are not, as "pin Y: no delay from A".
std::vector<std::string> take_out_arcs(LibertyCell& cell);

}  // namespace solfege
