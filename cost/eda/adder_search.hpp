// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "cost/eda/adder_cells.hpp"

namespace solfege {

/// Full adders in a module of single gates ($_AND_, $_OR_, $_XOR_), as ripple_map writes them and
/// optimisation leaves them:
///   half = a ^ b,  sum = half ^ c,  carry = (a & b) | (half & c)
/// become cells of the library, if nothing else uses what is between. Reads and writes what Yosys'
/// write_json writes; returns how many there were.
///
/// Yosys has passes for it, but extract_fa of 0.23 breaks comparisons with constants
/// (the saturation of rtl/stream/sf_stream_lane.v), and extract takes minutes.
std::size_t bind_found_adders(const std::filesystem::path& from, const std::filesystem::path& to,
                              const std::string& module, const AdderCell& adder);

}  // namespace solfege
