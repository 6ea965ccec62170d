// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cost/eda/netlist.hpp"
#include "cost/eda/prepared_library.hpp"

namespace solfege {

/// A design in the Verilog that OpenSTA 2.0 reads: plain identifiers, no expressions.
struct TimingNetlist {
  std::string verilog, top;
  std::vector<std::string> clocks, resets;     ///< ports of the top: of flip-flops
  std::vector<std::string> inputs;             ///< and the others
  std::map<std::string, std::string> modules;  ///< instance path, ending in /, to module's name
  std::uint64_t buffers = 0;                   ///< of all instances
};

/// What gates and flip-flops drive themselves, as weak as most are; a buffer drives more.
constexpr std::size_t kMaxGateFanout = 6;

/// The library's fastest buffer at the fan-out of a tree; nullptr if it has none. `library` with
/// timing tables.
const LibertyCell* best_buffer(const LibertyLibrary& library, std::size_t fanout);

/// Memories are left out. Nets of more than `fanout` pins, clocks excepted, get trees of `buffer`.
/// Flip-flops are named after the nets they drive.
TimingNetlist timing_netlist(const std::map<std::string, Netlist>& netlists, const std::string& top,
                             const LibertyLibrary& library, const LibertyCell* buffer,
                             std::size_t fanout);

}  // namespace solfege
