// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/netlist.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unordered_map>

#include "model/base/error.hpp"
#include "model/base/files.hpp"

namespace solfege {
namespace {

using nlohmann::json;

/// Yosys numbers nets of the whole design; here they are dense.
class Nets {
 public:
  /// Undriven bits (x, z) read as 0.
  int number(const json& bit) {
    if (bit.is_string()) {
      const std::string& value = bit.get_ref<const std::string&>();
      if (value == "1") return Netlist::kOne;
      if (value == "0" || value == "x" || value == "z") return Netlist::kZero;
    }
    if (!bit.is_number_integer() || bit < 0 || bit > std::numeric_limits<int>::max())
      throw std::invalid_argument(
          fmt::format("a bit is {}; allowed are numbers of nets, \"0\", \"1\", \"x\" and \"z\"",
                      bit.dump(-1, ' ', false, json::error_handler_t::replace)));
    return numbers_.emplace(bit.get<int>(), static_cast<int>(numbers_.size())).first->second;
  }
  std::vector<int> numbers(const json& bits) {
    if (!bits.is_array()) throw std::invalid_argument("bits are not a list");
    std::vector<int> nets;
    for (const json& bit : bits) nets.push_back(number(bit));
    return nets;
  }
  /// kZero for nets that nothing is connected to.
  int known(const json& bit) const {
    const bool is_net =
        bit.is_number_integer() && bit >= 0 && bit <= std::numeric_limits<int>::max();
    const auto found = is_net ? numbers_.find(bit.get<int>()) : numbers_.end();
    return found == numbers_.end() ? Netlist::kZero : found->second;
  }
  int count() const { return static_cast<int>(numbers_.size()); }

 private:
  std::unordered_map<int, int> numbers_;
};

/// As in Verilog: of a vector, with the index that the declaration gives the bit.
std::string bit_name(const std::string& name, const json& net, std::size_t bit) {
  const std::size_t width = net.at("bits").size();
  const auto offset = net.value("offset", std::int64_t{0});
  if (width == 1 && offset == 0) return name;
  const std::size_t index = net.value("upto", 0) != 0 ? width - 1 - bit : bit;
  // Unsigned, so that no sum overflows
  return fmt::format("{}[{}]", name,
                     static_cast<std::int64_t>(static_cast<std::uint64_t>(offset) + index));
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
    try {
      for (const auto& [pin, bits] : cell.at("connections").items())
        instance.pins[pin] = nets.numbers(bits);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(fmt::format("cell {}: {}", name, error.what()));
    }
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

std::uint64_t parameter_value(const std::string& digits) {
  const int base = digits.size() >= 32 ? 2 : 10;
  const std::size_t first = std::min(digits.find_first_not_of('0'), digits.size());
  std::uint64_t value = 0;
  const char* last = digits.data() + digits.size();
  if (!digits.empty() && first == digits.size()) return 0;
  const auto [end, error] = std::from_chars(digits.data() + first, last, value, base);
  if (end != last || error != std::errc())
    throw std::invalid_argument(fmt::format("`{}` is no number below 2^64", digits));
  return value;
}

std::uint64_t Netlist::Instance::parameter(const std::string& wanted) const {
  const auto found = parameters.find(wanted);
  try {
    if (found != parameters.end()) return parameter_value(found->second);
  } catch (const std::invalid_argument& error) {
    throw InputError(
        fmt::format("cell {} ({}): parameter {}: {}", name, cell, wanted, error.what()));
  }
  throw InputError(fmt::format("cell {} ({}) has no parameter {}: set it where it is instantiated",
                               name, cell, wanted));
}

const Netlist::Port* Netlist::find_port(const std::string& wanted) const {
  for (const Port& port : ports)
    if (port.name == wanted) return &port;
  return nullptr;
}

const Netlist::Port& Netlist::port(const std::string& wanted) const {
  if (const Port* found = find_port(wanted)) return *found;
  throw std::out_of_range(fmt::format("{} has no port {}", top, wanted));
}

namespace {

const char* const kFix = "write it with Yosys: write_json FILE";

/// Calls `use` with the modules of a file; its exceptions become InputErrors.
template <typename Use>
auto with_modules(const std::string& json_path, const Use& use) {
  const std::string text = read_file(json_path, kFix);
  try {
    const json document = json::parse(text);
    return use(document.at("modules"));
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: no netlist in JSON: {}; {}", json_path, error.what(), kFix));
  } catch (const std::invalid_argument& error) {
    throw InputError(fmt::format("{}: {}", json_path, error.what()));
  }
}

Netlist convert_named(const json& module, const std::string& name) {
  try {
    return convert(module, name);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(fmt::format("module {}: {}", name, error.what()));
  }
}

/// Nets of which some are one and the same, or constant.
class Unions {
 public:
  int make(int count) {
    const int first = static_cast<int>(parent_.size());
    for (int i = 0; i < count; ++i) parent_.push_back(first + i);
    return first;
  }
  int find(int net) {
    if (net < 0) return net;
    int root = net;
    while (root >= 0 && parent_[static_cast<std::size_t>(root)] != root)
      root = parent_[static_cast<std::size_t>(root)];
    while (net >= 0 && net != root) {
      int& up = parent_[static_cast<std::size_t>(net)];
      net = up;
      up = root;
    }
    return root;
  }
  void join(int a, int b) {
    a = find(a);
    b = find(b);
    if (a == b || (a < 0 && b < 0)) return;
    if (a < 0) std::swap(a, b);
    parent_[static_cast<std::size_t>(a)] = b;
  }
  int count() const { return static_cast<int>(parent_.size()); }

 private:
  std::vector<int> parent_;
};

class Flattener {
 public:
  explicit Flattener(const std::map<std::string, Netlist>& modules) : modules_(modules) {}

  Netlist run(const std::string& top) {
    const auto found = modules_.find(top);
    if (found == modules_.end()) throw InputError(fmt::format("it has no module {}", top));
    const Netlist& module = found->second;
    flat_.top = top;
    flat_.ports = module.ports;
    for (const Netlist::Port& port : flat_.ports)
      if (flat_.find_port(port.name) != &port)
        throw InputError(fmt::format("module {} has two ports {}", top, port.name));
    place(module, "", nets_.make(module.nets));
    std::vector<int> dense(static_cast<std::size_t>(nets_.count()), -1);
    auto number = [&](int& net) {
      net = nets_.find(net);
      if (net < 0) return;
      int& n = dense[static_cast<std::size_t>(net)];
      if (n < 0) n = flat_.nets++;
      net = n;
    };
    for (Netlist::Port& port : flat_.ports)
      for (int& net : port.nets) number(net);
    for (Netlist::Instance& instance : flat_.instances)
      for (auto& [pin, nets] : instance.pins)
        for (int& net : nets) number(net);
    return std::move(flat_);
  }

 private:
  void place(const Netlist& module, const std::string& path, int first) {
    if (std::find(open_.begin(), open_.end(), &module) != open_.end())
      throw InputError(fmt::format("module {} contains itself, as cell {}", module.top,
                                   path.substr(0, path.empty() ? 0 : path.size() - 1)));
    if (open_.size() >= kMaxDepth)
      throw InputError(
          fmt::format("cell {}: modules are nested more than {} deep", path, kMaxDepth));
    open_.push_back(&module);
    auto flat = [&](int net) { return net < 0 ? net : first + net; };
    for (const Netlist::Instance& instance : module.instances) {
      const auto found = modules_.find(instance.cell);
      if (found == modules_.end()) {
        Netlist::Instance copy = instance;
        copy.name = path + instance.name;
        for (auto& [pin, nets] : copy.pins)
          for (int& net : nets) net = flat(net);
        if (flat_.instances.size() >= kMaxInstances)
          throw InputError(
              fmt::format("module {} has more than {} cells", flat_.top, kMaxInstances));
        flat_.instances.push_back(std::move(copy));
        continue;
      }
      const Netlist& child = found->second;
      check_pins(instance, child, path);
      if (++placed_ > kMaxInstances || nets_.count() > kMaxNets - child.nets)
        throw InputError(fmt::format("module {} has more than {} instances, or more than {} nets",
                                     flat_.top, kMaxInstances, kMaxNets));
      const int child_first = nets_.make(child.nets);
      for (const Netlist::Port& port : child.ports) {
        const auto pin = instance.pins.find(port.name);
        for (std::size_t i = 0; i < port.nets.size(); ++i) {
          const bool connected = pin != instance.pins.end() && i < pin->second.size();
          if (!connected && !port.is_input) continue;
          const int inner = port.nets[i] < 0 ? port.nets[i] : child_first + port.nets[i];
          nets_.join(connected ? flat(pin->second[i]) : Netlist::kZero, inner);
        }
      }
      place(child, path + instance.name + ".", child_first);
    }
    open_.pop_back();
  }

  static void check_pins(const Netlist::Instance& instance, const Netlist& child,
                         const std::string& path) {
    for (const auto& [pin, nets] : instance.pins) {
      const Netlist::Port* port = child.find_port(pin);
      if (port == nullptr)
        throw InputError(fmt::format("cell {}{}: module {} has no port {}", path, instance.name,
                                     child.top, pin));
      if (nets.size() > port->nets.size())
        throw InputError(
            fmt::format("cell {}{}: pin {} has {} bits, but the port of module {} has {}", path,
                        instance.name, pin, nets.size(), child.top, port->nets.size()));
    }
  }

  // Far above the machine of any configuration that gates can be simulated of; a few modules may
  // ask for any number.
  static constexpr std::size_t kMaxDepth = 200, kMaxInstances = 10000000;
  static constexpr int kMaxNets = 200000000;

  const std::map<std::string, Netlist>& modules_;
  std::vector<const Netlist*> open_;  ///< those that are being placed, outermost first
  std::size_t placed_ = 0;            ///< instances of modules
  Netlist flat_;
  Unions nets_;
};

}  // namespace

Netlist read_netlist(const std::string& json_path, const std::string& top) {
  return with_modules(json_path, [&](const json& modules) {
    if (!modules.contains(top)) {
      std::string found;
      for (const auto& [name, module] : modules.items())
        found += (found.empty() ? "" : ", ") + name;
      throw InputError(fmt::format("{}: has no module {}; it has: {}", json_path, top, found));
    }
    return convert_named(modules.at(top), top);
  });
}

std::map<std::string, Netlist> read_netlist_modules(const std::string& json_path) {
  return with_modules(json_path, [](const json& modules) {
    std::map<std::string, Netlist> all;
    for (const auto& [name, module] : modules.items()) {
      const json attributes = module.value("attributes", json::object());
      if (attributes.contains("blackbox") || attributes.contains("whitebox")) continue;
      all.emplace(name, convert_named(module, name));
    }
    return all;
  });
}

Netlist flatten(const std::map<std::string, Netlist>& modules, const std::string& top) {
  return Flattener(modules).run(top);
}

}  // namespace solfege
