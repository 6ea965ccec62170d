// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>

#include "cost/eda/netlist.hpp"

namespace solfege {

/// Plain Verilog identifiers, each given once.
class Identifiers {
 public:
  /// `wanted` with every other character as _, and a number behind it if it was given before.
  std::string unique(const std::string& wanted);

 private:
  std::set<std::string> used_;
  std::map<std::string, int> next_;
};

/// Verilog of a module called `name` as instances of cells, memories, and of `modules`, which says
/// what those are called. Ports keep their names, and so do instances and nets but for names that
/// Yosys made up, which begin with $ or _. std::runtime_error: a memory whose words are written in
/// parts.
std::string structural_verilog(const Netlist& netlist, const std::string& name,
                               const std::map<std::string, std::string>& modules);

/// The module that structural_verilog() takes for Yosys' $mem_v2: its name and its text.
extern const char *const kWordsName, *const kWordsModule;

}  // namespace solfege
