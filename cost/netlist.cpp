// SPDX-License-Identifier: Apache-2.0
#include "cost/netlist.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unordered_map>

#include "model/error.hpp"

namespace solfege {
namespace {

using nlohmann::json;

/// Yosys numbers nets of the whole design; here they are dense.
class Nets {
 public:
  /// Undriven bits (x, z) read as 0.
  int number(const json& bit) {
    if (bit.is_string()) return bit.get<std::string>() == "1" ? Netlist::kOne : Netlist::kZero;
    return numbers_.emplace(bit.get<int>(), static_cast<int>(numbers_.size())).first->second;
  }
  std::vector<int> numbers(const json& bits) {
    std::vector<int> nets;
    for (const json& bit : bits) nets.push_back(number(bit));
    return nets;
  }
  /// kZero for nets that nothing is connected to.
  int known(const json& bit) const {
    const auto found = bit.is_string() ? numbers_.end() : numbers_.find(bit.get<int>());
    return found == numbers_.end() ? Netlist::kZero : found->second;
  }
  int count() const { return static_cast<int>(numbers_.size()); }

 private:
  std::unordered_map<int, int> numbers_;
};

/// As in Verilog: of a vector, with the index that the declaration gives the bit.
std::string bit_name(const std::string& name, const json& net, std::size_t bit) {
  const std::size_t width = net.at("bits").size();
  const int offset = net.value("offset", 0);
  if (width == 1 && offset == 0) return name;
  const std::size_t index = net.value("upto", 0) != 0 ? width - 1 - bit : bit;
  return fmt::format("{}[{}]", name, offset + static_cast<int>(index));
}

Netlist convert(const json& module, const std::string& top) {
  Netlist netlist;
  netlist.top = top;
  Nets nets;
  for (const auto& [name, port] : module.at("ports").items()) {
    const std::string direction = port.at("direction");
    if (direction != "input" && direction != "output")
      throw std::invalid_argument(
          fmt::format("port {} is {}, not input or output", name, direction));
    netlist.ports.push_back({name, direction == "input", nets.numbers(port.at("bits"))});
  }
  for (const auto& [name, cell] : module.at("cells").items()) {
    Netlist::Instance instance{name, cell.at("type"), {}, {}};
    for (const auto& [pin, bits] : cell.at("connections").items())
      instance.pins[pin] = nets.numbers(bits);
    if (cell.contains("parameters"))
      for (const auto& [key, value] : cell.at("parameters").items())
        instance.parameters[key] = value.is_string() ? value.get<std::string>() : value.dump();
    netlist.instances.push_back(std::move(instance));
  }
  // Names of the source before names that Yosys made up; among equals the first.
  netlist.nets = nets.count();
  netlist.net_names.resize(static_cast<std::size_t>(netlist.nets));
  const json& names = module.at("netnames");
  for (const int hidden : {0, 1})
    for (const auto& [key, named] : names.items()) {
      const json& bits = named.at("bits");
      for (std::size_t i = 0; i < bits.size() && named.value("hide_name", 0) == hidden; ++i) {
        const int net = nets.known(bits[i]);
        if (net < 0) continue;
        std::string& name = netlist.net_names[static_cast<std::size_t>(net)];
        if (name.empty()) name = bit_name(key, named, i);
      }
    }
  for (std::size_t i = 0; i < netlist.net_names.size(); ++i)
    if (netlist.net_names[i].empty()) netlist.net_names[i] = fmt::format("net{}", i);
  return netlist;
}

}  // namespace

const Netlist::Port& Netlist::port(const std::string& wanted) const {
  for (const Port& port : ports)
    if (port.name == wanted) return port;
  throw std::out_of_range(fmt::format("{} has no port {}", top, wanted));
}

Netlist read_netlist(const std::string& json_path, const std::string& top) {
  const char* fix = "write it with Yosys: write_json FILE";
  std::ifstream file(json_path);
  if (!file) throw InputError(fmt::format("{}: the netlist cannot be read; {}", json_path, fix));
  try {
    const json document = json::parse(file);
    const json& modules = document.at("modules");
    if (!modules.contains(top)) {
      std::string found;
      for (const auto& [name, module] : modules.items())
        found += (found.empty() ? "" : ", ") + name;
      throw InputError(fmt::format("{}: has no module {}; it has: {}", json_path, top, found));
    }
    return convert(modules.at(top), top);
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: no netlist in JSON: {}; {}", json_path, error.what(), fix));
  } catch (const std::invalid_argument& error) {
    throw InputError(fmt::format("{}: module {}: {}", json_path, top, error.what()));
  }
}

}  // namespace solfege
