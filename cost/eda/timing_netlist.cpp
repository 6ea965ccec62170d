// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/timing_netlist.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>

#include "cost/eda/boolean_function.hpp"
#include "cost/eda/structural_verilog.hpp"

namespace solfege {
namespace {

using Cells = std::map<std::string, const LibertyCell*>;

/// What a module shows its parents.
struct Interface {
  std::set<std::string> inputs, clock_ports, reset_ports;
  std::vector<std::pair<std::string, std::string>> children;  ///< instance, module
  std::map<std::string, std::vector<std::size_t>> pins;       ///< that hang on the bits of an input
  std::uint64_t buffers = 0;                                  ///< of one instance, without children
};

bool depends_on(const std::string& function, const LibertyCell& cell, const std::string& pin) {
  if (function.empty()) return false;
  const std::vector<std::string> inputs = cell.input_names();
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

/// Makes of a module's netlist the one that is timed, and says what its parents must know.
class TimedModule {
 public:
  TimedModule(const Netlist& source, const Cells& cells,
              const std::map<std::string, Interface>& modules, Interface* self)
      : source_(source), cells_(cells), modules_(modules), self_(*self), netlist_(source) {
    for (const Netlist::Port& port : source.ports) names_.unique(port.name);
    netlist_.net_names.clear();
    netlist_.instances.clear();
    nets_.resize(static_cast<std::size_t>(source.nets));
    for (const Netlist::Instance& instance : source.instances) connect(instance);
    for (const Netlist::Port& port : source.ports) {
      if (!port.is_input) continue;
      self_.inputs.insert(port.name);
      for (const int net : port.nets) {
        if (net < 0) continue;
        if (nets_[static_cast<std::size_t>(net)].clock) self_.clock_ports.insert(port.name);
        if (nets_[static_cast<std::size_t>(net)].reset) self_.reset_ports.insert(port.name);
      }
    }
  }

  /// Trees of `buffer` where more than kMaxGateFanout pins, those inside children among them, hang
  /// on a net that is no clock.
  void grow_trees(const LibertyCell& buffer, std::size_t fanout) {
    const std::string in = buffer.inputs().back()->name, out = buffer.outputs().back()->name;
    for (std::size_t root = 0; root < nets_.size(); ++root) {
      std::vector<Load>& loads = nets_[root].loads;
      while (!nets_[root].clock && pins_of(loads) > kMaxGateFanout) {
        const std::size_t groups = (pins_of(loads) + fanout - 1) / fanout, all = pins_of(loads);
        std::vector<Load> roots;
        std::size_t pins = 0;
        for (std::size_t first = 0; first < loads.size();) {
          const int wire = netlist_.nets++;
          // Groups of about the same number of pins, none of too many
          const std::size_t until = (roots.size() + 1) * all / groups;
          std::size_t own = 0;
          do {
            const Load& load = loads[first++];
            netlist_.instances[load.instance].pins[load.pin][load.bit] = wire;
            own += load.pins;
          } while (first < loads.size() && pins + own < until && own + loads[first].pins <= fanout);
          pins += own;
          roots.push_back({netlist_.instances.size(), in, 0, 1});
          netlist_.instances.push_back({names_.unique(fmt::format("buffer{}", self_.buffers++)),
                                        buffer.name,
                                        {{in, {static_cast<int>(root)}}, {out, {wire}}},
                                        {}});
        }
        loads = std::move(roots);
      }
    }
  }

  /// What parents must know of the inputs' nets, once the trees stand.
  void count_pins() {
    for (const Netlist::Port& port : source_.ports) {
      if (!port.is_input) continue;
      for (const int net : port.nets)
        self_.pins[port.name].push_back(
            net < 0 ? 0 : pins_of(nets_[static_cast<std::size_t>(net)].loads));
    }
  }

  const Netlist& netlist() const { return netlist_; }

 private:
  struct Load {
    std::size_t instance;
    std::string pin;
    std::size_t bit, pins;  ///< 1, or of a child's input those inside
  };
  struct Net {
    std::vector<Load> loads;
    bool clock = false, reset = false;
  };

  static std::size_t pins_of(const std::vector<Load>& loads) {
    std::size_t pins = 0;
    for (const Load& load : loads) pins += load.pins;
    return pins;
  }

  void connect(const Netlist::Instance& source) {
    const auto module = modules_.find(source.cell);
    const auto cell = cells_.find(source.cell);
    const bool leaf = cell != cells_.end();
    if (module == modules_.end() && !leaf) return;  // a memory
    Netlist::Instance instance = source;
    if (!leaf) {
      instance.name = names_.unique(source.name);
      self_.children.emplace_back(instance.name, source.cell);
    } else if (cell->second->flip_flop) {
      instance.name = names_.unique(driven_name(source, *cell->second));
    } else {
      instance.name.clear();
    }
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
      for (std::size_t i = 0; input && i < nets.size(); ++i) {
        if (nets[i] < 0) continue;
        Net& net = nets_[static_cast<std::size_t>(nets[i])];
        std::size_t pins = 1;
        if (!leaf) {
          const auto inside = module->second.pins.find(pin);
          if (inside != module->second.pins.end() && i < inside->second.size())
            pins = inside->second[i];
        }
        net.loads.push_back({netlist_.instances.size(), pin, i, pins});
        net.clock = net.clock || clock;
        net.reset = net.reset || reset;
      }
    }
    netlist_.instances.push_back(std::move(instance));
  }

  /// A flip-flop's output net, if the source has a name for it.
  std::string driven_name(const Netlist::Instance& source, const LibertyCell& cell) const {
    for (const LibertyPin& pin : cell.pins) {
      const auto found = source.pins.find(pin.name);
      if (pin.direction != "output" || found == source.pins.end() || found->second.empty() ||
          found->second[0] < 0)
        continue;
      const std::string& name = source_.net_names[static_cast<std::size_t>(found->second[0])];
      return name.empty() || name[0] == '$' ? "ff" : name;
    }
    return "ff";
  }

  const Netlist& source_;
  const Cells& cells_;
  const std::map<std::string, Interface>& modules_;
  Interface& self_;
  Netlist netlist_;
  Identifiers names_;
  std::vector<Net> nets_;
};

}  // namespace

const LibertyCell* best_buffer(const LibertyLibrary& library, std::size_t fanout) {
  const LibertyCell* best = nullptr;
  double best_delay = 0;
  for (const LibertyCell& cell : library.cells) {
    const auto inputs = cell.inputs(), outputs = cell.outputs();
    if (cell.flip_flop || inputs.size() != 1 || outputs.size() != 1) continue;
    const LibertyPin *input = inputs[0], *output = outputs[0];
    if (output->timing.empty()) continue;
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
  const Cells cells = library.cells_by_name();
  std::map<std::string, Interface> written;
  std::map<std::string, std::string> names;
  TimingNetlist result;
  const std::function<void(const std::string&)> write = [&](const std::string& name) {
    if (written.count(name) != 0) return;
    const Netlist& netlist = netlists.at(name);
    for (const Netlist::Instance& instance : netlist.instances)
      if (netlists.count(instance.cell) != 0) write(instance.cell);
    Interface self;
    TimedModule module(netlist, cells, written, &self);
    if (buffer != nullptr) module.grow_trees(*buffer, fanout);
    module.count_pins();
    names[name] = fmt::format("m{}", written.size());
    result.verilog += structural_verilog(module.netlist(), names[name], names);
    written[name] = std::move(self);
  };
  write(top);
  const Interface& self = written.at(top);
  result.top = names.at(top);
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
