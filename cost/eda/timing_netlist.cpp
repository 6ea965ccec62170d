// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/timing_netlist.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "cost/eda/boolean_function.hpp"

namespace solfege {
namespace {

using Cells = std::unordered_map<std::string, const LibertyCell*>;

/// Plain and unique identifiers.
class Names {
 public:
  std::string unique(const std::string& wanted) {
    std::string name;
    for (const char c : wanted) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) name = "i" + name;
    if (used_.insert(name).second) return name;
    for (int i = 2;; ++i)
      if (const std::string other = fmt::format("{}_{}", name, i); used_.insert(other).second)
        return other;
  }

 private:
  std::set<std::string> used_;
};

/// What a module shows its parents.
struct Interface {
  std::string name;
  std::set<std::string> inputs, clock_ports, reset_ports;
  std::vector<std::pair<std::string, std::string>> children;  ///< instance, module
  std::uint64_t buffers = 0;                                  ///< of one instance, without children
};

bool depends_on(const std::string& function, const LibertyCell& cell, const std::string& pin) {
  if (function.empty()) return false;
  std::vector<std::string> inputs;
  for (const LibertyPin& p : cell.pins)
    if (p.direction == "input") inputs.push_back(p.name);
  const BooleanFunction f(function, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i] == pin && f.depends_on(i)) return true;
  return false;
}

// Input pins whose edge or level acts without the data's path: clock, and asynchronous reset
bool is_reset_pin(const LibertyCell& cell, const std::string& pin) {
  return cell.flip_flop && (depends_on(cell.flip_flop->clear, cell, pin) ||
                            depends_on(cell.flip_flop->preset, cell, pin));
}
bool is_clock_pin(const LibertyCell& cell, const LibertyPin& pin) {
  return cell.flip_flop && depends_on(cell.flip_flop->clocked_on, cell, pin.name);
}

class ModuleWriter {
 public:
  ModuleWriter(const Netlist& netlist, const Cells& cells,
               const std::map<std::string, Interface>& modules, const LibertyCell* buffer,
               std::size_t fanout)
      : netlist_(netlist), cells_(cells), modules_(modules), buffer_(buffer), fanout_(fanout) {}

  std::string write(Interface& self) {
    connect();
    grow_trees();
    find_special_ports(self);
    std::string ports, declarations;
    for (const Netlist::Port& port : netlist_.ports) {
      if (port.nets.empty()) continue;
      ports += (ports.empty() ? "" : ", ") + port.name;
      const std::string range =
          port.nets.size() == 1 ? "" : fmt::format("[{}:0] ", port.nets.size() - 1);
      declarations +=
          fmt::format("  {} {}{};\n", port.is_input ? "input" : "output", range, port.name);
    }
    std::string text = fmt::format("module {} ({});\n{}", self.name, ports, declarations);
    for (const std::string& wire : wires_) text += fmt::format("  wire {};\n", wire);
    for (const Instance& instance : instances_) {
      std::string pins;
      for (const auto& [pin, nets] : instance.pins) {
        std::string bits;
        for (std::size_t i = nets.size(); i-- > 0;) bits += (bits.empty() ? "" : ", ") + nets[i];
        pins += fmt::format("{}.{}({})", pins.empty() ? "" : ", ", pin,
                            nets.size() == 1 ? bits : "{" + bits + "}");
      }
      text += fmt::format("  {} {} ({});\n", instance.type, instance.name, pins);
      if (!instance.child.empty()) self.children.emplace_back(instance.name, instance.child);
    }
    for (const auto& [output, source] : assignments_)
      text += fmt::format("  assign {} = {};\n", output, source);
    self.buffers = buffers_;
    return text + "endmodule\n";
  }

 private:
  struct Instance {
    std::string type, name, child;
    std::map<std::string, std::vector<std::string>> pins;
  };
  struct Load {
    std::size_t instance;
    std::string pin;
    std::size_t bit;
  };
  struct Net {
    std::string name;
    std::vector<Load> loads;
    bool clock = false, reset = false;
  };

  std::string bit_of(const Netlist::Port& port, std::size_t bit) const {
    return port.nets.size() == 1 ? port.name : fmt::format("{}[{}]", port.name, bit);
  }

  void name_nets() {
    nets_.resize(static_cast<std::size_t>(netlist_.nets));
    for (const bool inputs : {true, false})
      for (const Netlist::Port& port : netlist_.ports) {
        if (port.is_input != inputs) continue;
        for (std::size_t i = 0; i < port.nets.size(); ++i) {
          const int net = port.nets[i];
          const std::string bit = bit_of(port, i);
          if (net < 0)
            assignments_.emplace_back(bit, net == Netlist::kOne ? "1'b1" : "1'b0");
          else if (std::string& name = nets_[static_cast<std::size_t>(net)].name; name.empty())
            name = bit;
          else
            assignments_.emplace_back(bit, name);
        }
      }
    for (std::size_t i = 0; i < nets_.size(); ++i) {
      if (!nets_[i].name.empty()) continue;
      nets_[i].name = fmt::format("n{}", i);
      wires_.push_back(nets_[i].name);
    }
  }

  void connect() {
    for (const Netlist::Port& port : netlist_.ports) names_.unique(port.name);
    name_nets();
    std::size_t gates = 0;
    for (const Netlist::Instance& source : netlist_.instances) {
      const auto module = modules_.find(source.cell);
      const auto cell = cells_.find(source.cell);
      if (module == modules_.end() && cell == cells_.end()) continue;  // a memory
      Instance instance;
      const bool leaf = cell != cells_.end();
      instance.type = leaf ? source.cell : module->second.name;
      if (!leaf) {
        instance.child = source.cell;
        instance.name = names_.unique(source.name);
      } else if (cell->second->flip_flop) {
        instance.name = names_.unique(driven_name(source, *cell->second));
      } else {
        instance.name = names_.unique(fmt::format("g{}", gates++));
      }
      const std::size_t index = instances_.size();
      for (const auto& [pin, nets] : source.pins) {
        if (nets.empty()) continue;
        bool input, clock, reset;
        if (leaf) {
          const LibertyPin* description = cell->second->pin(pin);
          if (description == nullptr)
            throw std::runtime_error(fmt::format("cell {} has no pin {}", source.cell, pin));
          input = description->direction == "input";
          clock = is_clock_pin(*cell->second, *description);
          reset = is_reset_pin(*cell->second, pin);
        } else {
          clock = module->second.clock_ports.count(pin) != 0;
          reset = module->second.reset_ports.count(pin) != 0;
          input = module->second.inputs.count(pin) != 0;
        }
        std::vector<std::string>& bits = instance.pins[pin];
        for (std::size_t i = 0; i < nets.size(); ++i) {
          if (nets[i] < 0) {
            bits.emplace_back(nets[i] == Netlist::kOne ? "1'b1" : "1'b0");
            continue;
          }
          Net& net = nets_[static_cast<std::size_t>(nets[i])];
          bits.push_back(net.name);
          if (!input) continue;
          net.loads.push_back({index, pin, i});
          net.clock = net.clock || clock;
          net.reset = net.reset || reset;
        }
      }
      instances_.push_back(std::move(instance));
    }
  }

  /// A flip-flop's output net, if the source has a name for it.
  std::string driven_name(const Netlist::Instance& source, const LibertyCell& cell) const {
    for (const LibertyPin& pin : cell.pins) {
      const auto found = source.pins.find(pin.name);
      if (pin.direction != "output" || found == source.pins.end() || found->second.empty() ||
          found->second[0] < 0)
        continue;
      const std::string& name = netlist_.net_names[static_cast<std::size_t>(found->second[0])];
      return name.empty() || name[0] == '$' ? "ff" : name;
    }
    return "ff";
  }

  void grow_trees() {
    if (buffer_ == nullptr) return;
    std::string in, out;
    for (const LibertyPin& pin : buffer_->pins) {
      if (pin.direction == "input") in = pin.name;
      if (pin.direction == "output") out = pin.name;
    }
    for (Net& net : nets_) {
      if (net.clock) continue;
      while (net.loads.size() > fanout_) {
        const std::size_t groups = (net.loads.size() + fanout_ - 1) / fanout_;
        std::vector<Load> roots;
        for (std::size_t group = 0; group < groups; ++group) {
          const std::string wire = fmt::format("b{}", buffers_);
          wires_.push_back(wire);
          const std::size_t first = group * net.loads.size() / groups,
                            last = (group + 1) * net.loads.size() / groups;
          for (std::size_t i = first; i < last; ++i) {
            const Load& load = net.loads[i];
            instances_[load.instance].pins[load.pin][load.bit] = wire;
          }
          roots.push_back({instances_.size(), in, 0});
          instances_.push_back({buffer_->name,
                                names_.unique(fmt::format("buffer{}", buffers_++)),
                                "",
                                {{in, {net.name}}, {out, {wire}}}});
        }
        net.loads = std::move(roots);
      }
    }
  }

  void find_special_ports(Interface& self) const {
    for (const Netlist::Port& port : netlist_.ports) {
      if (!port.is_input) continue;
      self.inputs.insert(port.name);
      for (const int net : port.nets) {
        if (net < 0) continue;
        if (nets_[static_cast<std::size_t>(net)].clock) self.clock_ports.insert(port.name);
        if (nets_[static_cast<std::size_t>(net)].reset) self.reset_ports.insert(port.name);
      }
    }
  }

  const Netlist& netlist_;
  const Cells& cells_;
  const std::map<std::string, Interface>& modules_;
  const LibertyCell* buffer_;
  std::size_t fanout_;
  Names names_;
  std::vector<Net> nets_;
  std::vector<std::string> wires_;
  std::vector<Instance> instances_;
  std::vector<std::pair<std::string, std::string>> assignments_;
  std::uint64_t buffers_ = 0;
};

}  // namespace

const LibertyCell* best_buffer(const LibertyLibrary& library, std::size_t fanout) {
  const LibertyCell* best = nullptr;
  double best_delay = 0;
  for (const LibertyCell& cell : library.cells) {
    if (cell.flip_flop || cell.pins.empty()) continue;
    const LibertyPin *input = nullptr, *output = nullptr;
    std::size_t signals = 0;
    for (const LibertyPin& pin : cell.pins) {
      if (pin.direction == "input") input = &pin;
      if (pin.direction == "output") output = &pin;
      signals += pin.direction == "input" || pin.direction == "output";
    }
    if (signals != 2 || input == nullptr || output == nullptr || output->timing.empty()) continue;
    if (BooleanFunction(output->function, {input->name}).table()[0] != 2) continue;
    // In the middle of a tree: the load is as many of itself, the slew its own; of several arcs,
    // the slowest.
    const double load = input->capacitance_pf * static_cast<double>(fanout);
    auto worst = [&](LibertyTable LibertyTimingArc::*table, double slew) {
      std::optional<double> most;
      for (const LibertyTimingArc& arc : output->timing)
        if (arc.delays_output() && !(arc.*table).empty())
          most = std::max(most.value_or((arc.*table).at(slew, load)), (arc.*table).at(slew, load));
      return most;
    };
    double slew = 0;
    for (int i = 0; i < 4; ++i) {
      const auto rise = worst(&LibertyTimingArc::rise_slew_ns, slew),
                 fall = worst(&LibertyTimingArc::fall_slew_ns, slew);
      if (rise && fall) slew = std::max(*rise, *fall);
    }
    const auto rise = worst(&LibertyTimingArc::rise_delay_ns, slew),
               fall = worst(&LibertyTimingArc::fall_delay_ns, slew);
    if (!rise || !fall) continue;
    const double delay = std::max(*rise, *fall);
    if (best == nullptr || delay < best_delay) {
      best = &cell;
      best_delay = delay;
    }
  }
  return best;
}

TimingNetlist timing_netlist(const std::map<std::string, Netlist>& netlists, const std::string& top,
                             const LibertyLibrary& library, const LibertyCell* buffer,
                             std::size_t fanout) {
  Cells cells;
  for (const LibertyCell& cell : library.cells) cells[cell.name] = &cell;
  std::map<std::string, Interface> written;
  TimingNetlist result;
  const std::function<void(const std::string&)> write = [&](const std::string& name) {
    if (written.count(name) != 0) return;
    const Netlist& netlist = netlists.at(name);
    for (const Netlist::Instance& instance : netlist.instances)
      if (netlists.count(instance.cell) != 0) write(instance.cell);
    Interface self;
    self.name = fmt::format("m{}", written.size());
    ModuleWriter writer(netlist, cells, written, buffer, fanout);
    result.verilog += writer.write(self);
    result.buffers_in[name] = self.buffers;
    written[name] = std::move(self);
  };
  write(top);
  const Interface& self = written.at(top);
  result.top = self.name;
  result.clocks.assign(self.clock_ports.begin(), self.clock_ports.end());
  result.resets.assign(self.reset_ports.begin(), self.reset_ports.end());
  for (const std::string& port : self.inputs)
    if (self.clock_ports.count(port) == 0) result.inputs.push_back(port);
  const std::function<void(const std::string&, const std::string&)> walk =
      [&](const std::string& path, const std::string& module) {
        result.modules[path] = module;
        result.buffers += written.at(module).buffers;
        for (const auto& [instance, child] : written.at(module).children)
          walk(path + instance + "/", child);
      };
  walk("", top);
  return result;
}

}  // namespace solfege
