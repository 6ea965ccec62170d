// SPDX-License-Identifier: Apache-2.0
// Netlists as text: structural Verilog, and the JSON of Yosys.
#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "cost/eda/netlist_writer.hpp"
#include "cost/eda/yosys.hpp"

namespace solfege {
namespace {

constexpr const char* kWords = "sf_fifo_words";
constexpr const char* kWordsModule =
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

/// Pins of Yosys' memory cell that kWords has.
const std::map<std::string, std::string> kWordsPins = {
    {"WR_CLK", "clk_i"},         {"WR_EN", "write_enable_i"},   {"WR_ADDR", "write_address_i"},
    {"WR_DATA", "write_data_i"}, {"RD_ADDR", "read_address_i"}, {"RD_DATA", "read_data_o"}};
const std::map<std::string, std::string> kWordsParameters = {
    {"WIDTH", "Width"}, {"SIZE", "Depth"}, {"ABITS", "AddressBits"}};

/// Plain and unique identifiers.
class Names {
 public:
  std::string unique(const std::string& wanted) {
    std::string name;
    for (const char c : wanted) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    while (!name.empty() && name.back() == '_') name.pop_back();
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) name = "n" + name;
    if (used_.insert(name).second) return name;
    int& number = next_[name];
    while (true)
      if (const std::string other = fmt::format("{}_{}", name, ++number);
          used_.insert(other).second)
        return other;
  }

 private:
  std::set<std::string> used_;
  std::map<std::string, int> next_;
};

std::string verilog_of(const Netlist& netlist, const std::string& name,
                       const std::map<std::string, std::string>& modules) {
  Names names;
  for (const Netlist::Port& port : netlist.ports) names.unique(port.name);
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
    const bool made_up = source.empty() || source[0] == '$' || source[0] == '_';
    nets[i] = names.unique(made_up ? fmt::format("n{}", i) : source);
    declarations += fmt::format("  wire {};\n", nets[i]);
  }
  auto bit = [&](int net) {
    if (net < 0) return std::string(net == Netlist::kOne ? "1'b1" : "1'b0");
    return nets[static_cast<std::size_t>(net)];
  };
  std::string instances;
  std::size_t gates = 0;
  for (const Netlist::Instance& instance : netlist.instances) {
    const bool words = instance.cell == "$mem_v2";
    const auto module = modules.find(instance.cell);
    instances += "  " + (module != modules.end() ? module->second : words ? kWords : instance.cell);
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
      for (std::size_t i = width; i-- > 0;) bits += (bits.empty() ? "" : ", ") + bit(pin_nets[i]);
      pins += fmt::format("{}.{}({})", pins.empty() ? "" : ", ", words ? known->second : pin,
                          width > 1 ? "{" + bits + "}" : bits);
    }
    // Instances of modules keep their names, so that tools find them; gates have none of their own.
    const std::string own = module != modules.end() || !instance.parameters.empty()
                                ? "\\" + instance.name
                                : names.unique(fmt::format("g{}", gates++));
    instances += fmt::format(" {} ({});\n", own, pins);
  }
  return fmt::format("module {} ({}\n);\n{}{}{}endmodule\n", name, ports, declarations, instances,
                     assignments);
}

}  // namespace

std::map<std::string, std::string> verilog_names(const std::map<std::string, Netlist>& modules) {
  Names names;
  names.unique(kWords);
  std::map<std::string, std::string> all;
  for (const auto& [name, module] : modules) all[name] = names.unique(base_name(name));
  return all;
}

std::string netlist_verilog(const std::map<std::string, Netlist>& modules) {
  const auto names = verilog_names(modules);
  std::string text;
  for (const auto& [name, module] : modules) text += verilog_of(module, names.at(name), names);
  return "// GENERATED by solfege: do not edit.  SPDX-License-Identifier: Apache-2.0\n" +
         std::string(kWordsModule) + text;
}

std::string netlist_json(const std::map<std::string, Netlist>& modules) {
  using Json = nlohmann::ordered_json;
  auto bits = [](const std::vector<int>& nets) {
    Json array = Json::array();
    for (const int net : nets) {
      if (net < 0)
        array.push_back(net == Netlist::kOne ? "1" : "0");
      else
        array.push_back(net + 2);  // Yosys numbers from 2
    }
    return array;
  };
  Json document;
  document["creator"] = "solfege";
  for (const auto& [name, netlist] : modules) {
    Json& module = document["modules"][name];
    module["attributes"] = Json::object();
    module["ports"] = Json::object();
    module["cells"] = Json::object();
    module["netnames"] = Json::object();
    for (const Netlist::Port& port : netlist.ports)
      module["ports"][port.name] = {{"direction", port.is_input ? "input" : "output"},
                                    {"bits", bits(port.nets)}};
    for (const Netlist::Instance& instance : netlist.instances) {
      Json cell = {{"type", instance.cell}};
      if (!instance.parameters.empty()) cell["parameters"] = instance.parameters;
      cell["connections"] = Json::object();
      for (const auto& [pin, nets] : instance.pins) cell["connections"][pin] = bits(nets);
      module["cells"][instance.name] = std::move(cell);
    }
    for (std::size_t i = 0; i < netlist.net_names.size(); ++i)
      module["netnames"][netlist.net_names[i]] = {{"hide_name", 0},
                                                  {"bits", bits({static_cast<int>(i)})}};
  }
  return document.dump();
}

}  // namespace solfege
