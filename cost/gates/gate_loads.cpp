// SPDX-License-Identifier: Apache-2.0
#include "cost/gates/gate_loads.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace solfege {
namespace {

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

GateLoads::GateLoads(const GateNetwork& network, const Netlist& netlist, double voltage)
    : network_(network) {
  for (const GateNetwork::Memory& memory : network.memories)
    if (!memory.clocked_read)
      throw std::runtime_error(
          fmt::format("{}: memory {} is read without a clock: its energy and delay are not known",
                      netlist.top, memory.name));
  for (const Netlist::Instance& instance : netlist.instances) {
    const auto cell = network.cells.find(instance.cell);
    if (cell != network.cells.end()) leakage_nw += cell->second->library->leakage_nw;
  }
  for (const auto& [name, cell] : network.cells)
    for (const GateCell::Delay& d : cell->delay_tables) {
      const auto sharpest = static_cast<float>(d.delay_ns->slews_ns.front());
      if (sharpest > 0 && (input_slew == 0 || sharpest < input_slew)) input_slew = sharpest;
    }
  capacitances(voltage);
  typical();
  flip_flop_clock();
}

void GateLoads::capacitances(double voltage) {
  std::vector<double> load_pf(network_.drivers.size());
  for (std::size_t g = 0; g < network_.gates.size(); ++g)
    for (std::size_t i = 0; i < network_.gates[g].inputs; ++i) {
      const int net = network_.input_net(g, i);
      if (net >= 0)
        load_pf[static_cast<std::size_t>(net)] += network_.gates[g].cell->inputs[i]->capacitance_pf;
    }
  for (const double load : load_pf)
    event_pj.push_back(static_cast<float>(load * voltage * voltage / 2));
  for (const GateNetwork::Clock& clock : network_.clocks)
    clock_net_pj.push_back(2.0 * event_pj[static_cast<std::size_t>(clock.net)]);
  for (std::size_t g = 0; g < network_.gates.size(); ++g) {
    std::vector<double> of_outputs;
    for (std::size_t o = 0; o < network_.gates[g].outputs; ++o) {
      const int net = network_.output_net(g, o);
      of_outputs.push_back(net < 0 ? 0 : load_pf[static_cast<std::size_t>(net)]);
    }
    loaded.push_back(tables(*network_.gates[g].cell, of_outputs));
  }
}

const GateLoads::Loaded* GateLoads::tables(const GateCell& cell, const std::vector<double>& loads) {
  auto& entry = tables_[{&cell, loads}];
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
void GateLoads::typical() {
  rise_slew.assign(network_.drivers.size(), input_slew);
  fall_slew = rise_slew;
  auto slew = [&](std::size_t g, int input, bool rises) {
    const int net = network_.input_net(g, static_cast<std::size_t>(input));
    return net < 0 ? input_slew : (rises ? rise_slew : fall_slew)[static_cast<std::size_t>(net)];
  };
  network_.forward([&](std::size_t g) {
    const std::vector<GateCell::Delay>& delays = network_.gates[g].cell->delay_tables;
    for (std::size_t o = 0; o < network_.gates[g].outputs; ++o) {
      const int net = network_.output_net(g, o);
      if (net < 0) continue;
      float sum[2] = {0, 0};
      int count[2] = {0, 0};
      for (std::size_t k = 0; k < delays.size(); ++k) {
        const GateCell::Delay& d = delays[k];
        if (d.output != static_cast<int>(o)) continue;
        sum[d.output_rises] += loaded[g]->slews[k].at(slew(g, d.input, d.input_rises));
        ++count[d.output_rises];
      }
      for (const bool rises : {true, false})
        if (count[rises] > 0)
          (rises ? rise_slew : fall_slew)[static_cast<std::size_t>(net)] =
              sum[rises] / static_cast<float>(count[rises]);
    }
  });
  for (std::size_t g = 0; g < loaded.size(); ++g) {
    first_energy.push_back(static_cast<std::uint32_t>(typical_energy_pj.size()));
    const std::vector<GateCell::Energy>& energies = network_.gates[g].cell->energy_tables;
    for (std::size_t k = 0; k < energies.size(); ++k)
      typical_energy_pj.push_back(
          loaded[g]->energies[k].at(slew(g, energies[k].input, energies[k].input_rises)));
  }
}

void GateLoads::flip_flop_clock() {
  const std::size_t flip_flops = network_.gates.size() - network_.combinational;
  if (flip_flops == 0) return;
  for (const double pj : clock_net_pj) flip_flop_clock_pj += pj;
  for (std::size_t g = network_.combinational; g < network_.gates.size(); ++g) {
    const GateNetwork::Gate& gate = network_.gates[g];
    if (!gate.cell->has_input_energy(gate.clock())) continue;
    for (const std::uint32_t row : {gate.row, gate.row & ~(1u << gate.clock())}) {
      const std::uint16_t energy = gate.cell->input_energy(gate.clock(), row);
      if (energy != GateCell::kNone)
        flip_flop_clock_pj += typical_energy_pj[first_energy[g] + energy];
    }
  }
  flip_flop_clock_pj /= static_cast<double>(flip_flops);
}

double GateLoads::critical_path_ns(const Netlist& netlist) const {
  struct Edge {
    float arrival = 0, slew = 0;
  };
  std::vector<Edge> edges[2];  // by direction and net
  for (auto& of_nets : edges) of_nets.assign(network_.drivers.size(), {0, input_slew});
  auto input = [&](std::size_t g, std::size_t pin, bool rises) {
    const int net = network_.input_net(g, pin);
    return net < 0 ? Edge{-1, input_slew} : edges[rises][static_cast<std::size_t>(net)];
  };
  network_.forward([&](std::size_t g) {
    const GateNetwork::Gate& gate = network_.gates[g];
    for (std::size_t k = 0; k < gate.cell->delay_tables.size(); ++k) {
      const GateCell::Delay& d = gate.cell->delay_tables[k];
      if (gate.sequential() && d.input != gate.clock()) continue;
      const int net = network_.output_net(g, static_cast<std::size_t>(d.output));
      const Edge from = input(g, static_cast<std::size_t>(d.input), d.input_rises);
      if (net < 0 || from.arrival < 0) continue;
      const auto n = static_cast<std::size_t>(net);
      Edge& to = edges[d.output_rises][n];
      if (network_.drivers[n] != GateNetwork::Driver::kPort && to.arrival == 0) to.slew = 0;
      to.arrival = std::max(to.arrival, from.arrival + loaded[g]->delays[k].at(from.slew));
      to.slew = std::max(to.slew, loaded[g]->slews[k].at(from.slew));
    }
  });
  double longest = 0;
  for (const Netlist::Port& port : netlist.ports)
    for (const int net : port.nets)
      for (const bool rises : {false, true})
        if (!port.is_input && net >= 0)
          longest = std::max<double>(longest, edges[rises][static_cast<std::size_t>(net)].arrival);
  for (std::size_t g = network_.combinational; g < loaded.size(); ++g)
    for (std::size_t i = 0; i < network_.gates[g].inputs; ++i)
      for (const LibertyTimingArc& arc : network_.gates[g].cell->inputs[i]->timing)
        for (const bool rises : {false, true}) {
          const LibertyTable& setup = rises ? arc.rise_delay_ns : arc.fall_delay_ns;
          const Edge from = input(g, i, rises);
          if (arc.type != "setup_rising" || setup.empty() || from.arrival < 0) continue;
          longest = std::max<double>(
              longest, from.arrival + std::max(0.0, setup.at(from.slew, setup.loads_pf[0])));
        }
  return longest;
}

}  // namespace solfege
