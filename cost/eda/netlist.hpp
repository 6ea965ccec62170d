// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace solfege {

/// A flat netlist of library cells (and of black boxes: sf_ram, sf_clock_gate), one integer a net.
struct Netlist {
  static constexpr int kZero = -1, kOne = -2;  ///< constant nets
  struct Port {
    std::string name;
    bool is_input = false;
    std::vector<int> nets;  ///< least significant first
  };
  struct Instance {
    std::string name, cell;
    std::map<std::string, std::vector<int>> pins;
    std::map<std::string, std::string> parameters;  ///< of black boxes, as Yosys writes them
    /// A parameter that is a number. InputError, naming the cell, if there is none.
    std::uint64_t parameter(const std::string& name) const;
  };
  std::string top;
  int nets = 0;                        ///< 0 .. nets - 1, each on some pin or port
  std::vector<std::string> net_names;  ///< one name each, for reports and VCD
  std::vector<Port> ports;
  std::vector<Instance> instances;
  const Port* find_port(const std::string& name) const;  ///< nullptr if there is none
  const Port& port(const std::string& name) const;       ///< std::out_of_range if there is none
};

/// A number as Yosys writes parameters: 32 or more binary digits, else decimal.
/// std::invalid_argument if it is none, or has more than 64 bits.
std::uint64_t parameter_value(const std::string& digits);

/// Reads what Yosys' write_json wrote of one flattened module.
Netlist read_netlist(const std::string& json_path, const std::string& top);

/// All modules of such a file, by name; black boxes left out.
std::map<std::string, Netlist> read_netlist_modules(const std::string& json_path);

/// One module of all instances below `top`: an instance of a module in the map is replaced by its
/// contents, others stay. Nets have no names. Undriven input ports read as 0. InputError, naming
/// the cell: no such top, a module that contains itself, a pin that the module does not have, or
/// with more bits than it has, more instances than memory holds.
Netlist flatten(const std::map<std::string, Netlist>& modules, const std::string& top);

}  // namespace solfege
