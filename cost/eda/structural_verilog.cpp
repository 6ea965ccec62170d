// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/structural_verilog.hpp"

#include <fmt/format.h>

#include <cctype>
#include <stdexcept>
#include <vector>

#include "cost/eda/yosys.hpp"

namespace solfege {
namespace {

/// Pins of Yosys' memory cell that the words have.
const std::map<std::string, std::string> kWordsPins = {
    {"WR_CLK", "clk_i"},         {"WR_EN", "write_enable_i"},   {"WR_ADDR", "write_address_i"},
    {"WR_DATA", "write_data_i"}, {"RD_ADDR", "read_address_i"}, {"RD_DATA", "read_data_o"}};
const std::map<std::string, std::string> kWordsParameters = {
    {"WIDTH", "Width"}, {"SIZE", "Depth"}, {"ABITS", "AddressBits"}};

bool made_up(const std::string& name) { return name.empty() || name[0] == '$' || name[0] == '_'; }

/// The name of an instance, which stays as it is: escaped if it is not plain.
std::string kept(const std::string& name, Identifiers* names) {
  const std::string plain = names->unique(name);
  return plain == name ? plain : "\\" + name + " ";
}

}  // namespace

const char* const kWordsName = "sf_fifo_words";
const char* const kWordsModule =
    R"(// The words of a queue: written at the clock's edge, read at once.
module sf_fifo_words #(
    parameter Width = 8,
    parameter Depth = 4,
    parameter AddressBits = 2
) (
    input  wire                   clk_i,
    input  wire                   write_enable_i,
    input  wire [AddressBits-1:0] write_address_i,
    input  wire [Width-1:0]       write_data_i,
    input  wire [AddressBits-1:0] read_address_i,
    output wire [Width-1:0]       read_data_o
);
  reg [Width-1:0] memory [0:Depth-1];
  assign read_data_o = memory[read_address_i];
  always @(posedge clk_i) if (write_enable_i) memory[write_address_i] <= write_data_i;
endmodule
)";

std::string Identifiers::unique(const std::string& wanted) {
  std::string name;
  for (const char c : wanted) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  while (!name.empty() && name.back() == '_') name.pop_back();
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) name = "n" + name;
  if (used_.insert(name).second) return name;
  int& number = next_[name];
  while (true)
    if (const std::string other = fmt::format("{}_{}", name, ++number); used_.insert(other).second)
      return other;
}

std::string structural_verilog(const Netlist& netlist, const std::string& name,
                               const std::map<std::string, std::string>& modules) {
  Identifiers names;
  for (const Netlist::Port& port : netlist.ports) names.unique(port.name);
  std::vector<std::string> instance_names;
  for (const Netlist::Instance& instance : netlist.instances)
    instance_names.push_back(made_up(instance.name) ? "" : kept(instance.name, &names));
  std::vector<std::string> nets(static_cast<std::size_t>(netlist.nets));
  std::string ports, declarations, assignments;
  for (const bool inputs : {true, false})
    for (const Netlist::Port& port : netlist.ports) {
      if (port.is_input != inputs || port.nets.empty()) continue;
      ports += fmt::format("{}\n  {}put wire {}{}", ports.empty() ? "" : ",", inputs ? "in" : "out",
                           port.nets.size() > 1 ? fmt::format("[{}:0] ", port.nets.size() - 1) : "",
                           port.name);
      for (std::size_t i = 0; i < port.nets.size(); ++i) {
        const std::string bit =
            port.nets.size() > 1 ? fmt::format("{}[{}]", port.name, i) : port.name;
        const int net = port.nets[i];
        if (net < 0) {
          assignments += fmt::format("  assign {} = 1'b{};\n", bit, net == Netlist::kOne ? 1 : 0);
        } else if (std::string& known = nets[static_cast<std::size_t>(net)]; !known.empty()) {
          assignments += fmt::format("  assign {} = {};\n", bit, known);
        } else if (inputs) {
          known = bit;
        } else {
          // Outputs are not read: a simulator would take a bus for a loop.
          known = names.unique(bit);
          declarations += fmt::format("  wire {};\n", known);
          assignments += fmt::format("  assign {} = {};\n", bit, known);
        }
      }
    }
  for (std::size_t i = 0; i < nets.size(); ++i) {
    if (!nets[i].empty()) continue;
    const std::string& source = i < netlist.net_names.size() ? netlist.net_names[i] : "";
    nets[i] = names.unique(made_up(source) ? fmt::format("n{}", i) : source);
    declarations += fmt::format("  wire {};\n", nets[i]);
  }
  auto bit = [&](int net) {
    if (net < 0) return std::string(net == Netlist::kOne ? "1'b1" : "1'b0");
    return nets[static_cast<std::size_t>(net)];
  };
  std::string instances;
  std::size_t gates = 0;
  for (std::size_t i = 0; i < netlist.instances.size(); ++i) {
    const Netlist::Instance& instance = netlist.instances[i];
    const bool words = instance.cell == "$mem_v2";
    const auto module = modules.find(instance.cell);
    instances += "  " + (module != modules.end() ? module->second
                         : words                 ? kWordsName
                                                 : instance.cell);
    std::string parameters, pins;
    for (const auto& [key, value] : instance.parameters) {
      const auto known = kWordsParameters.find(key);
      if (words && known == kWordsParameters.end()) continue;
      parameters += fmt::format("{}.{}({})", parameters.empty() ? "" : ", ",
                                words ? known->second : key, parameter_value(value));
    }
    if (!parameters.empty()) instances += fmt::format(" #({})", parameters);
    for (const auto& [pin, pin_nets] : instance.pins) {
      const auto known = kWordsPins.find(pin);
      if (pin_nets.empty() || (words && known == kWordsPins.end())) continue;
      std::size_t width = pin_nets.size();
      if (words && pin == "WR_EN") {
        if (std::set<int>(pin_nets.begin(), pin_nets.end()).size() != 1)
          throw std::runtime_error(fmt::format("{}: words are written in parts", name));
        width = 1;
      }
      std::string bits;
      for (std::size_t b = width; b-- > 0;) bits += (bits.empty() ? "" : ", ") + bit(pin_nets[b]);
      pins += fmt::format("{}.{}({})", pins.empty() ? "" : ", ", words ? known->second : pin,
                          width > 1 ? "{" + bits + "}" : bits);
    }
    const std::string own =
        instance_names[i].empty() ? names.unique(fmt::format("g{}", gates++)) : instance_names[i];
    instances += fmt::format(" {} ({});\n", own, pins);
  }
  return fmt::format("module {} ({}\n);\n{}{}{}endmodule\n", name, ports, declarations, instances,
                     assignments);
}

}  // namespace solfege
