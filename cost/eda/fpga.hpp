// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cost/eda/elaborated_design.hpp"

namespace solfege {

/// A unit on programmable logic, as Yosys maps it.
struct FpgaUnit {
  std::string unit;    ///< module's label
  std::string family;  ///< "xilinx 7-series", "ice40", "ecp5"
  std::string command;
  std::uint64_t luts = 0;  ///< look-up tables; a CCU2C of ecp5 is two of them
  std::uint64_t flip_flops = 0, carries = 0, multipliers = 0, memories = 0;
  std::map<std::string, std::uint64_t> cells;  ///< all, by type
};

/// The same unit in the three families.
std::vector<FpgaUnit> map_fpga(const ElaboratedDesign& design, const std::string& module,
                               const std::string& cache_directory,
                               const std::function<void(const std::string& family)>& poll = {});

}  // namespace solfege
