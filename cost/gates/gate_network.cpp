// SPDX-License-Identifier: Apache-2.0
#include "cost/gates/gate_network.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace solfege {
namespace {

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

SlewCurve curve(const std::vector<std::pair<const LibertyTable*, double>>& tables, double load) {
  SlewCurve c;
  for (const double slew : tables.front().first->slews_ns) {
    double value = 0;
    for (const auto& [table, weight] : tables) value += weight * table->at(slew, load);
    c.slews.push_back(static_cast<float>(slew));
    c.values.push_back(static_cast<float>(value));
  }
  return c;
}

}  // namespace

GateNetwork::GateNetwork(const Netlist& netlist, const LibertyLibrary& library,
                         const std::string& clock)
    : net_names_(netlist.net_names) {
  drivers.assign(static_cast<std::size_t>(netlist.nets), Driver::kNone);
  if (!clock.empty()) {
    const Netlist::Port& port = netlist.port(clock);
    if (!port.is_input || port.nets.size() != 1)
      fail(fmt::format("{}: {} is not an input of one bit", netlist.top, clock));
    clock_ = port.nets[0];
  }
  for (const Netlist::Port& port : netlist.ports)
    for (const int net : port.nets) {
      if (port.is_input)
        drive(net, Driver::kPort);
      else
        output_ports_.push_back(net);
    }
  instances(netlist, library);
  for (const auto& [name, cell] : cells_)
    for (const GateCell::Delay& d : cell->delay_tables) {
      const auto sharpest = static_cast<float>(d.delay_ns->slews_ns.front());
      if (sharpest > 0 && (input_slew == 0 || sharpest < input_slew)) input_slew = sharpest;
    }
  order();
  loads(library.voltage_v);
  typical();
}

void GateNetwork::drive(int net, Driver driver) {
  if (net < 0) return;
  Driver& current = drivers[static_cast<std::size_t>(net)];
  if (current != Driver::kNone)
    fail(fmt::format("net {} is driven twice", net_names_[static_cast<std::size_t>(net)]));
  current = driver;
}

void GateNetwork::instances(const Netlist& netlist, const LibertyLibrary& library) {
  std::map<std::string, const LibertyCell*> by_name;
  for (const LibertyCell& cell : library.cells) by_name.emplace(cell.name, &cell);
  for (const Netlist::Instance& instance : netlist.instances) {
    if (instance.cell == "sf_ram") {
      memory(instance);
      continue;
    }
    const auto found = by_name.find(instance.cell);
    if (found == by_name.end())
      fail(fmt::format("{}: instance {} is a {}, which the library {} does not have", netlist.top,
                       instance.name, instance.cell, library.name));
    auto& cell = cells_[instance.cell];
    if (!cell) cell = std::make_unique<GateCell>(*found->second);
    leakage_nw += found->second->leakage_nw;
    Gate gate{cell.get(), nullptr, static_cast<std::uint32_t>(input_nets.size()),
              static_cast<std::uint32_t>(output_nets.size()), 0};
    auto net = [&](const LibertyPin& pin, int otherwise) {
      const auto connected = instance.pins.find(pin.name);
      return connected == instance.pins.end() || connected->second.empty() ? otherwise
                                                                           : connected->second[0];
    };
    for (std::size_t i = 0; i < cell->inputs.size(); ++i) {
      input_nets.push_back(net(*cell->inputs[i], Netlist::kZero));
      const bool is_clock = cell->sequential() && static_cast<int>(i) == cell->clock;
      if (is_clock != (clock_ != kUnconnected && input_nets.back() == clock_))
        fail(fmt::format("{}: pin {} of instance {} ({}) {}", netlist.top, cell->inputs[i]->name,
                         instance.name, instance.cell,
                         is_clock ? "is not driven by the unit's clock: gated or other clocks "
                                    "cannot be simulated"
                                  : "is data, but driven by the clock"));
    }
    for (const LibertyPin* pin : cell->outputs) {
      output_nets.push_back(net(*pin, kUnconnected));
      drive(output_nets.back(), cell->sequential() ? Driver::kFlipFlop : Driver::kCombinational);
    }
    gates.push_back(gate);
  }
}

void GateNetwork::memory(const Netlist::Instance& instance) {
  Memory m;
  m.width = instance.parameter("Width");
  m.depth = instance.parameter("Depth");
  auto nets = [&](const char* pin) {
    const auto found = instance.pins.find(pin);
    if (found == instance.pins.end()) fail(fmt::format("sf_ram {} has no {}", instance.name, pin));
    return found->second;
  };
  m.write_enable = nets("write_enable_i").at(0);
  m.read_enable = nets("read_enable_i").at(0);
  m.write_address = nets("write_address_i");
  m.write_data = nets("write_data_i");
  m.read_address = nets("read_address_i");
  m.read_data = nets("read_data_o");
  if (nets("clk_i").at(0) != clock_ || clock_ == kUnconnected)
    fail(fmt::format("sf_ram {} is not driven by the unit's clock", instance.name));
  if (m.write_data.size() != m.width || m.read_data.size() != m.width)
    fail(fmt::format("sf_ram {} is not {} bits wide", instance.name, m.width));
  for (const int net : m.read_data) drive(net, Driver::kMemory);
  memories.push_back(std::move(m));
}

/// Sorts gates topologically, and lists the readers of each net.
void GateNetwork::order() {
  const std::size_t nets = drivers.size();
  std::vector<std::uint32_t> waiting(gates.size());
  auto list_readers = [&] {
    first_reader.assign(nets + 1, 0);
    readers.clear();
    for (const bool count : {true, false}) {
      for (std::uint32_t g = 0; g < gates.size(); ++g)
        for (std::uint32_t i = 0; i < gates[g].cell->inputs.size(); ++i) {
          const int net = input_nets[gates[g].first_input + i];
          if (net < 0 || static_cast<int>(i) == gates[g].cell->clock) continue;
          std::uint32_t& at = first_reader[static_cast<std::size_t>(net)];
          if (count)
            ++at;
          else
            readers[--at] = {g, i};
        }
      if (!count) break;
      for (std::size_t net = 0; net < nets; ++net) first_reader[net + 1] += first_reader[net];
      readers.resize(first_reader[nets]);
    }
  };
  list_readers();
  std::vector<Gate> sorted, flip_flops;
  std::vector<std::uint32_t> ready;
  for (std::uint32_t g = 0; g < gates.size(); ++g) {
    if (gates[g].cell->sequential()) {
      flip_flops.push_back(gates[g]);
      continue;
    }
    for (std::size_t i = 0; i < gates[g].cell->inputs.size(); ++i) {
      const int net = input_nets[gates[g].first_input + i];
      if (net >= 0 && drivers[static_cast<std::size_t>(net)] == Driver::kCombinational)
        ++waiting[g];
    }
    if (waiting[g] == 0) ready.push_back(g);
  }
  for (std::size_t at = 0; at < ready.size(); ++at) {
    const Gate& gate = gates[ready[at]];
    sorted.push_back(gate);
    for (std::size_t o = 0; o < gate.cell->outputs.size(); ++o) {
      const int net = output_nets[gate.first_output + o];
      if (net < 0) continue;
      for (std::uint32_t r = first_reader[static_cast<std::size_t>(net)];
           r < first_reader[static_cast<std::size_t>(net) + 1]; ++r)
        if (!gates[readers[r].gate].cell->sequential() && --waiting[readers[r].gate] == 0)
          ready.push_back(readers[r].gate);
    }
  }
  combinational = sorted.size();
  if (combinational + flip_flops.size() != gates.size()) {
    std::size_t g = 0;
    while (waiting[g] == 0) ++g;
    const int net = output_nets[gates[g].first_output];
    fail(fmt::format("a combinational loop, through or into net {}",
                     net < 0 ? "?" : net_names_[static_cast<std::size_t>(net)]));
  }
  sorted.insert(sorted.end(), flip_flops.begin(), flip_flops.end());
  gates = std::move(sorted);
  list_readers();
}

void GateNetwork::loads(double voltage) {
  const std::size_t nets = drivers.size();
  load_pf_.assign(nets, 0);
  for (const Gate& gate : gates)
    for (std::size_t i = 0; i < gate.cell->inputs.size(); ++i) {
      const int net = input_nets[gate.first_input + i];
      if (net >= 0) load_pf_[static_cast<std::size_t>(net)] += gate.cell->inputs[i]->capacitance_pf;
    }
  event_pj.resize(nets);
  for (std::size_t net = 0; net < nets; ++net)
    event_pj[net] = static_cast<float>(load_pf_[net] * voltage * voltage / 2);
  if (clock_ >= 0) clock_net_pj = 2.0 * event_pj[static_cast<std::size_t>(clock_)];
  for (Gate& gate : gates) {
    std::vector<double> of_outputs;
    for (std::size_t o = 0; o < gate.cell->outputs.size(); ++o) {
      const int net = output_nets[gate.first_output + o];
      of_outputs.push_back(net < 0 ? 0 : load_pf_[static_cast<std::size_t>(net)]);
    }
    gate.loaded = loaded(*gate.cell, of_outputs);
  }
}

const GateNetwork::Loaded* GateNetwork::loaded(const GateCell& cell,
                                               const std::vector<double>& loads) {
  auto& entry = loaded_[{&cell, loads}];
  if (entry) return entry.get();
  entry = std::make_unique<Loaded>();
  for (const GateCell::Delay& d : cell.delay_tables) {
    const double load = loads[static_cast<std::size_t>(d.output)];
    entry->delays.push_back(curve({{d.delay_ns, 1.0}}, load));
    if (d.slew_ns->empty())
      entry->slews.push_back({{0}, {0}});
    else
      entry->slews.push_back(curve({{d.slew_ns, 1.0}}, load));
  }
  for (std::size_t k = 0; k < cell.energy_tables.size(); ++k) {
    const int output = cell.energy_outputs[k];
    entry->energies.push_back(curve(cell.energy_tables[k].tables,
                                    output < 0 ? 0 : loads[static_cast<std::size_t>(output)]));
  }
  return entry.get();
}

/// A net's typical slew is the mean over the arcs that drive it, at their inputs' typical slews.
void GateNetwork::typical() {
  const std::size_t nets = drivers.size();
  rise_slew.assign(nets, input_slew);
  fall_slew.assign(nets, input_slew);
  auto slew = [&](const Gate& gate, int input, bool rises) {
    const int net = input_nets[gate.first_input + static_cast<std::size_t>(input)];
    return net < 0 ? input_slew : (rises ? rise_slew : fall_slew)[static_cast<std::size_t>(net)];
  };
  auto outputs = [&](const Gate& gate) {
    for (std::size_t o = 0; o < gate.cell->outputs.size(); ++o) {
      const int net = output_nets[gate.first_output + o];
      if (net < 0) continue;
      float sum[2] = {0, 0};
      int count[2] = {0, 0};
      for (std::size_t k = 0; k < gate.cell->delay_tables.size(); ++k) {
        const GateCell::Delay& d = gate.cell->delay_tables[k];
        if (d.output != static_cast<int>(o)) continue;
        sum[d.output_rises] += gate.loaded->slews[k].at(slew(gate, d.input, d.input_rises));
        ++count[d.output_rises];
      }
      if (count[1] > 0)
        rise_slew[static_cast<std::size_t>(net)] = sum[1] / static_cast<float>(count[1]);
      if (count[0] > 0)
        fall_slew[static_cast<std::size_t>(net)] = sum[0] / static_cast<float>(count[0]);
    }
  };
  for (std::size_t g = combinational; g < gates.size(); ++g) outputs(gates[g]);
  for (std::size_t g = 0; g < combinational; ++g) outputs(gates[g]);
  for (Gate& gate : gates) {
    gate.first_energy = static_cast<std::uint32_t>(typical_energy_pj.size());
    for (std::size_t k = 0; k < gate.cell->energy_tables.size(); ++k) {
      const GateCell::Energy& e = gate.cell->energy_tables[k];
      typical_energy_pj.push_back(gate.loaded->energies[k].at(slew(gate, e.input, e.input_rises)));
    }
  }
}

double GateNetwork::critical_path_ns() const {
  struct Edge {
    float arrival = 0, slew = 0;
  };
  std::vector<Edge> edges[2];  // by direction and net
  for (auto& of_nets : edges) of_nets.assign(drivers.size(), {0, input_slew});
  double longest = 0;
  auto input = [&](const Gate& gate, int pin, bool rises) {
    const int net = input_nets[gate.first_input + static_cast<std::size_t>(pin)];
    return net < 0 ? Edge{-1, input_slew} : edges[rises][static_cast<std::size_t>(net)];
  };
  auto outputs = [&](const Gate& gate) {
    for (std::size_t k = 0; k < gate.cell->delay_tables.size(); ++k) {
      const GateCell::Delay& d = gate.cell->delay_tables[k];
      if (gate.cell->sequential() && d.input != gate.cell->clock) continue;
      const int net = output_nets[gate.first_output + static_cast<std::size_t>(d.output)];
      const Edge from = input(gate, d.input, d.input_rises);
      if (net < 0 || from.arrival < 0) continue;
      Edge& to = edges[d.output_rises][static_cast<std::size_t>(net)];
      if (drivers[static_cast<std::size_t>(net)] != Driver::kPort && to.arrival == 0) to.slew = 0;
      to.arrival = std::max(to.arrival, from.arrival + gate.loaded->delays[k].at(from.slew));
      to.slew = std::max(to.slew, gate.loaded->slews[k].at(from.slew));
    }
  };
  for (std::size_t g = combinational; g < gates.size(); ++g) outputs(gates[g]);
  for (std::size_t g = 0; g < combinational; ++g) outputs(gates[g]);
  for (const int net : output_ports_)
    for (const bool rises : {false, true})
      if (net >= 0)
        longest = std::max<double>(longest, edges[rises][static_cast<std::size_t>(net)].arrival);
  for (std::size_t g = combinational; g < gates.size(); ++g)
    for (std::size_t i = 0; i < gates[g].cell->inputs.size(); ++i)
      for (const LibertyTimingArc& arc : gates[g].cell->inputs[i]->timing)
        for (const bool rises : {false, true}) {
          const LibertyTable& setup = rises ? arc.rise_delay_ns : arc.fall_delay_ns;
          const Edge from = input(gates[g], static_cast<int>(i), rises);
          if (arc.type != "setup_rising" || setup.empty() || from.arrival < 0) continue;
          longest = std::max<double>(
              longest, from.arrival + std::max(0.0, setup.at(from.slew, setup.loads_pf[0])));
        }
  return longest;
}

}  // namespace solfege
