// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "model/spec/config.hpp"
#include "sim/dut/dut_library.hpp"

namespace solfege {

/// The design of a folder that write_netlist() made, simulated gate by gate behind the interface of
/// a Verilated one. Flip-flops and memories start at random. InputError if the folder holds no
/// netlist, or that of another configuration.
DutLibrary load_netlist_dut(const std::string& directory, const Config& config,
                            std::uint64_t reset_seed);

}  // namespace solfege
