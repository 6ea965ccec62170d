// SPDX-License-Identifier: Apache-2.0
#include "cost/gates/gate_simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "cost/gates/gate_loads.hpp"
#include "cost/gates/gate_state.hpp"

namespace solfege {
namespace {

using Driver = GateNetwork::Driver;

constexpr double kGateClockPins = 2;  // of a clock gate, in those of a flip-flop

}  // namespace

struct GateSimulation::Implementation {
  struct Port {
    std::size_t index;  ///< in the vectors
    std::vector<int> nets;
  };
  struct Event {
    double time;
    std::uint32_t order;
    int net;
    float slew, energy_pj;
    bool operator>(const Event& other) const {
      return time != other.time ? time > other.time : order > other.order;
    }
  };
  struct Change {
    int net;
    std::uint32_t gate;  ///< flip-flop
    int output;
  };

  Implementation(const Netlist& n, const LibertyLibrary& library, const std::string& clock)
      : netlist(n),
        clock_port(clock),
        network(n, library, clock),
        loads(network, n, library.voltage_v),
        values(network.drivers.size()) {
    dirty.resize((network.gates.size() + 63) / 64);
    pending.resize(network.drivers.size());
    runs.resize(network.clocks.size());
    for (std::size_t g = network.combinational; g < network.gates.size(); ++g)
      for (std::size_t i = 0; i < cell(g).inputs.size(); ++i)
        if ((cell(g).asynchronous >> i & 1) != 0 && network.input_net(g, i) >= 0) {
          asynchronous.push_back(g);
          break;
        }
  }

  const GateCell& cell(std::size_t gate) const { return *network.gates[gate].cell; }
  std::uint32_t state_bit(std::size_t gate) const { return 1u << cell(gate).inputs.size(); }

  // ---- State ----

  void reset() {
    clear_result();
    values = NetValues(network.drivers.size());
    std::fill(dirty.begin(), dirty.end(), 0);
    std::fill(pending.begin(), pending.end(), 0);
    changes.clear();
    memories.clear();
    for (const GateNetwork::Memory& memory : network.memories) memories.emplace_back(memory);
    read_data.clear();
    row.clear();
    for (const GateNetwork::Gate& gate : network.gates) row.push_back(gate.row);
    // A flip-flop starts as if clocked while every net was 0, so that one that stores inverted
    // data starts at 1.
    for (std::size_t g = network.combinational; g < row.size(); ++g)
      if (cell(g).next_state[row[g]] != 0) row[g] |= state_bit(g);
    network.forward([&](std::size_t g) { settle_outputs(g); });
    settled_row = row;
    for (std::uint64_t& word : dirty) word = 0;
    clear_result();
  }

  void clear_result() {
    result = GateRun();
    result.toggles.assign(network.drivers.size(), 0);
    result.ones = result.toggles;
    since.assign(network.drivers.size(), 0);
  }

  void invert(int net) {
    const auto n = static_cast<std::size_t>(net);
    if (values[net]) result.ones[n] += result.cycles - since[n];
    since[n] = static_cast<std::uint32_t>(result.cycles);
    values.flip(net);
  }

  void settle_outputs(std::size_t g) {
    const std::uint32_t outputs = cell(g).values[row[g]];
    for (std::size_t o = 0; o < cell(g).outputs.size(); ++o) {
      const int net = network.output_net(g, o);
      if (net >= 0 && values[net] != ((outputs >> o & 1) != 0)) flip(net);
    }
  }

  /// Inverts a net without counting.
  void flip(int net) {
    const auto n = static_cast<std::size_t>(net);
    invert(net);
    for (std::uint32_t r = network.first_reader[n]; r < network.first_reader[n + 1]; ++r) {
      const GateNetwork::Reader& reader = network.readers[r];
      row[reader.gate] ^= 1u << reader.bit;
      dirty[reader.gate / 64] |= std::uint64_t{1} << (reader.gate % 64);
    }
  }

  // ---- Energy ----

  double& account(Driver driver) {
    return driver == Driver::kFlipFlop ? result.energy.flip_flop_pj
                                       : result.energy.combinational_pj;
  }

  void count(int net, float internal_pj) {
    const auto n = static_cast<std::size_t>(net);
    ++result.toggles[n];
    const Driver driver = network.drivers[n];
    if (driver == Driver::kCombinational || driver == Driver::kFlipFlop) ++result.total_toggles;
    account(driver) += internal_pj + loads.event_pj[n];
  }

  void count_input(std::size_t g, float pj) {
    (cell(g).sequential() ? result.energy.flip_flop_pj : result.energy.combinational_pj) += pj;
  }

  float typical(std::size_t g, std::uint16_t energy) const {
    return energy == GateCell::kNone ? 0 : loads.typical_energy_pj[loads.first_energy[g] + energy];
  }

  // ---- Zero delay ----

  void settle_at_once() {
    for (std::size_t word = 0; word < dirty.size(); ++word)
      while (dirty[word] != 0) {
        const std::size_t g = word * 64 + static_cast<std::size_t>(__builtin_ctzll(dirty[word]));
        dirty[word] &= dirty[word] - 1;
        evaluate(g);
      }
  }

  void evaluate(std::size_t g) {
    const GateCell& c = cell(g);
    const std::uint32_t changed = row[g] ^ settled_row[g];
    for (std::uint32_t left = changed; left != 0; left &= left - 1) {
      const int i = __builtin_ctz(left);
      if (c.has_input_energy(i)) count_input(g, typical(g, c.input_energy(i, row[g])));
    }
    const std::uint32_t outputs = c.sequential() ? 0 : c.values[row[g]] ^ c.values[settled_row[g]];
    settled_row[g] = row[g];
    for (std::uint32_t left = outputs; left != 0; left &= left - 1) {
      const int o = __builtin_ctz(left);
      const int net = network.output_net(g, static_cast<std::size_t>(o));
      // The inputs that changed share the blame; the tables know one at a time.
      float sum = 0;
      int causes = 0;
      for (std::uint32_t inputs = changed; inputs != 0; inputs &= inputs - 1) {
        const std::uint16_t energy = c.energy(o, __builtin_ctz(inputs), row[g]);
        if (energy == GateCell::kNone) continue;
        sum += typical(g, energy);
        ++causes;
      }
      const float pj = causes > 1 ? sum / static_cast<float>(causes) : sum;
      if (net < 0) {
        result.energy.combinational_pj += pj;
        continue;
      }
      count(net, pj);
      flip(net);
    }
  }

  // ---- Timed ----

  void schedule(std::size_t g, int o, int cause, double now, float cause_slew) {
    const GateCell& c = cell(g);
    const GateLoads::Loaded& loaded = *loads.loaded[g];
    const int net = network.output_net(g, static_cast<std::size_t>(o));
    const bool wanted = c.values[row[g]] >> o & 1;
    const auto n = static_cast<std::size_t>(net);
    if (net < 0) return;
    if (pending[n] != 0) {
      if (wanted == values[net]) pending[n] = 0;  // a pulse too short to come through
      return;
    }
    if (wanted == values[net]) return;
    Event event{now, ++order, net, cause_slew, 0};
    const std::uint16_t delay = c.delay(o, cause, row[g]), energy = c.energy(o, cause, row[g]);
    if (delay != GateCell::kNone) {
      event.time += std::max(0.0f, loaded.delays[delay].at(cause_slew));
      event.slew = std::max(0.0f, loaded.slews[delay].at(cause_slew));
    }
    if (energy != GateCell::kNone) event.energy_pj = loaded.energies[energy].at(cause_slew);
    pending[n] = event.order;
    events.push_back(event);
    std::push_heap(events.begin(), events.end(), std::greater<>());
  }

  void propagate(int net, double now, float net_slew) {
    const auto n = static_cast<std::size_t>(net);
    invert(net);
    for (std::uint32_t r = network.first_reader[n]; r < network.first_reader[n + 1]; ++r) {
      const GateNetwork::Reader& reader = network.readers[r];
      const std::size_t g = reader.gate;
      const int i = static_cast<int>(reader.bit);
      row[g] ^= 1u << i;
      const GateCell& c = cell(g);
      if (c.has_input_energy(i)) {
        const std::uint16_t energy = c.input_energy(i, row[g]);
        if (energy != GateCell::kNone)
          count_input(g, loads.loaded[g]->energies[energy].at(net_slew));
      }
      settled_row[g] = row[g];
      if (c.sequential()) continue;
      for (int o = 0; o < static_cast<int>(c.outputs.size()); ++o) schedule(g, o, i, now, net_slew);
    }
  }

  void settle_in_time() {
    while (!events.empty()) {
      std::pop_heap(events.begin(), events.end(), std::greater<>());
      const Event event = events.back();
      events.pop_back();
      if (pending[static_cast<std::size_t>(event.net)] != event.order) continue;
      pending[static_cast<std::size_t>(event.net)] = 0;
      count(event.net, event.energy_pj);
      propagate(event.net, event.time, event.slew);
    }
    order = 0;
  }

  // ---- Cycles ----

  /// A net that no gate drives takes another value as the cycle begins.
  void drive(int net, bool timed) {
    count(net, 0);
    if (timed)
      propagate(net, 0, loads.input_slew);
    else
      flip(net);
  }

  void apply_inputs(const Vectors& inputs, std::size_t cycle, bool timed) {
    for (const Port& port : input_ports)
      for (std::size_t word = 0; word * 64 < port.nets.size(); ++word) {
        const int w = static_cast<int>(word);
        const std::uint64_t before = cycle == 0 ? 0 : inputs.get(cycle - 1, port.index, w);
        std::uint64_t changed = before ^ inputs.get(cycle, port.index, w);
        for (; changed != 0; changed &= changed - 1) {
          const int net = port.nets[word * 64 + static_cast<unsigned>(__builtin_ctzll(changed))];
          if (net >= 0) drive(net, timed);
        }
      }
    for (const auto& [net, bit] : read_data)
      if (net >= 0 && values[net] != bit) drive(net, timed);
    read_data.clear();
  }

  /// Flip-flops' outputs follow the states that the clock gave them.
  void apply_states(bool timed) {
    for (const Change& change : changes) {
      const std::size_t g = change.gate;
      const int clock = cell(g).clock;
      if (timed) {
        schedule(g, change.output, clock, 0, loads.input_slew);
        continue;
      }
      const float pj = typical(g, cell(g).energy(change.output, clock, row[g]));
      if (change.net < 0) {
        result.energy.flip_flop_pj += pj;
        continue;
      }
      count(change.net, pj);
      flip(change.net);
    }
    changes.clear();
  }

  void settle(bool timed) {
    while (true) {
      if (timed)
        settle_in_time();
      else
        settle_at_once();
      for (const std::size_t g : asynchronous)
        if (cell(g).forced[row[g]] != 0) change_state(g);
      if (changes.empty()) return;
      apply_states(timed);
    }
  }

  void change_state(std::size_t g) {
    const GateCell& c = cell(g);
    const bool state = (row[g] & state_bit(g)) != 0;
    if (state == (c.next_state[row[g]] != 0)) return;
    const std::uint32_t before = c.values[row[g]];
    row[g] ^= state_bit(g);
    settled_row[g] ^= state_bit(g);
    const std::uint32_t outputs = before ^ c.values[row[g]];
    for (std::uint32_t left = outputs; left != 0; left &= left - 1) {
      const int o = __builtin_ctz(left);
      changes.push_back(
          {network.output_net(g, static_cast<std::size_t>(o)), static_cast<std::uint32_t>(g), o});
    }
  }

  /// The falling edge in mid-cycle, when logic has settled, and the rising edge at its end.
  void clock_edges() {
    double pj = 0;
    for (std::size_t i = 0; i < network.clocks.size(); ++i) {
      const GateNetwork::Clock& clock = network.clocks[i];
      const bool reached = i == 0 || runs[clock.source] != 0;
      if (i > 0 && reached) pj += kGateClockPins * loads.flip_flop_clock_pj;
      runs[i] = reached && values[clock.enable];
      if (runs[i] != 0) pj += loads.clock_net_pj[i];
    }
    for (std::size_t g = network.combinational; g < row.size(); ++g) {
      if (runs[network.gates[g].clock_index] == 0) continue;
      const GateCell& c = cell(g);
      if (c.has_input_energy(c.clock))
        pj += typical(g, c.input_energy(c.clock, row[g] & ~(1u << c.clock))) +
              typical(g, c.input_energy(c.clock, row[g]));
      change_state(g);
    }
    result.energy.clock_pj += pj;
    for (GateMemory& memory : memories) {
      if (runs[memory.port->clock_index] == 0) continue;
      if (values[memory.port->read_enable]) {
        ++result.memory_reads;
        memory.read(values, [&](int net, bool bit) { read_data.emplace_back(net, bit); });
      }
      if (memory.write(values)) ++result.memory_writes;
    }
  }

  void match_ports(const Vectors& inputs) {
    input_ports.clear();
    for (std::size_t i = 0; i < inputs.ports().size(); ++i) {
      const Vectors::Port& given = inputs.ports()[i];
      const Netlist::Port& port = netlist.port(given.name);
      if (!port.is_input || given.name == clock_port ||
          port.nets.size() != static_cast<std::size_t>(given.width))
        throw std::invalid_argument(
            fmt::format("{}: port {} of the vectors has {} bits, but the unit's is {} of {} bits",
                        netlist.top, given.name, given.width,
                        given.name == clock_port ? "its clock, "
                        : port.is_input          ? "an input"
                                                 : "an output",
                        port.nets.size()));
      input_ports.push_back({i, port.nets});
    }
  }

  GateRun run(const Vectors& inputs, bool timed, std::size_t warm_up) {
    match_ports(inputs);
    reset();
    std::vector<const Netlist::Port*> output_ports;
    std::vector<Vectors::Port> names;
    for (const Netlist::Port& port : netlist.ports) {
      if (port.is_input) continue;
      output_ports.push_back(&port);
      names.push_back({port.name, static_cast<int>(port.nets.size())});
    }
    Vectors outputs(names);
    for (std::size_t cycle = 0; cycle < inputs.cycles(); ++cycle) {
      if (cycle == warm_up) clear_result();
      apply_inputs(inputs, cycle, timed);
      apply_states(timed);
      settle(timed);
      if (cycle >= warm_up) {
        outputs.step();
        for (std::size_t p = 0; p < output_ports.size(); ++p) {
          const std::vector<int>& nets = output_ports[p]->nets;
          for (std::size_t word = 0; word * 64 < nets.size(); ++word) {
            std::uint64_t bits = 0;
            for (std::size_t i = word * 64; i < std::min(nets.size(), word * 64 + 64); ++i)
              bits |= std::uint64_t{values[nets[i]]} << (i % 64);
            outputs.set(p, bits, static_cast<int>(word));
          }
        }
      }
      clock_edges();
      if (cycle >= warm_up) ++result.cycles;
    }
    for (std::size_t n = 0; n < since.size(); ++n)
      if (values[static_cast<int>(n)]) result.ones[n] += result.cycles - since[n];
    result.energy.leakage_nw = loads.leakage_nw;
    result.outputs = std::move(outputs);
    return std::move(result);
  }

  Netlist netlist;
  std::string clock_port;
  GateNetwork network;
  GateLoads loads;
  std::vector<char> runs;  ///< by clock: whether it has this cycle's edges
  std::vector<Port> input_ports;
  std::vector<std::size_t> asynchronous;  ///< flip-flops whose clear or preset can move
  NetValues values;
  std::vector<std::uint32_t> since;             ///< by net: cycle of its last event
  std::vector<std::uint32_t> row, settled_row;  ///< by gate
  std::vector<std::uint64_t> dirty;             ///< a bit a gate
  std::vector<std::uint32_t> pending;           ///< by net: order of the event to come, 0 if none
  std::vector<Event> events;                    ///< a heap
  std::uint32_t order = 0;
  std::vector<Change> changes;
  std::vector<GateMemory> memories;
  std::vector<std::pair<int, bool>> read_data;
  GateRun result;
};

GateSimulation::GateSimulation(const Netlist& netlist, const LibertyLibrary& library,
                               const std::string& clock)
    : implementation_(std::make_unique<Implementation>(netlist, library, clock)) {}

GateSimulation::~GateSimulation() = default;

GateRun GateSimulation::run(const Vectors& inputs, DelayModel delays, std::size_t warm_up) {
  return implementation_->run(inputs, delays == DelayModel::kTimed, warm_up);
}

double GateSimulation::flip_flop_clock_pj() const {
  return implementation_->loads.flip_flop_clock_pj;
}

double GateSimulation::critical_path_ns() const {
  return implementation_->loads.critical_path_ns(implementation_->netlist);
}

}  // namespace solfege
