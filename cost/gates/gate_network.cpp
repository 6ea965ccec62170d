// SPDX-License-Identifier: Apache-2.0
#include "cost/gates/gate_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace solfege {
namespace {

constexpr const char* kClockGate = "sf_clock_gate";
constexpr std::size_t kMaxMemoryBits = std::size_t{1} << 32;

std::size_t address_bits(std::size_t depth) {
  std::size_t bits = 1;
  while ((std::size_t{1} << bits) < depth) ++bits;
  return bits;
}

}  // namespace

/// Fills a network from a netlist: ports, then instances, then order.
class GateNetwork::Builder {
 public:
  Builder(GateNetwork& network, const Netlist& netlist) : n_(network), netlist_(netlist) {
    n_.drivers.assign(static_cast<std::size_t>(netlist.nets), Driver::kNone);
  }

  void ports(const std::string& clock) {
    for (const Netlist::Port& port : netlist_.ports) {
      if (port.is_input)
        for (const int net : port.nets) drive(net, Driver::kPort, nullptr, port.name);
      if (port.name != clock) continue;
      if (!port.is_input || port.nets.size() != 1 || port.nets[0] < 0)
        fail(fmt::format("its clock {} is not an input of one bit", clock));
      add_clock(port.nets[0], 0, Netlist::kOne);
    }
    if (!clock.empty() && n_.clocks.empty()) fail(fmt::format("it has no port {}", clock));
    clock_gates();
  }

  void instances(const LibertyLibrary& library) {
    const auto by_name = library.cells_by_name();
    for (const Netlist::Instance& instance : netlist_.instances) {
      if (instance.cell == kClockGate) continue;
      if (instance.cell == "sf_ram" || instance.cell == "sf_register_file" ||
          instance.cell == "$mem_v2") {
        add_memory(instance);
        continue;
      }
      const auto found = by_name.find(instance.cell);
      if (found == by_name.end())
        fail(fmt::format("instance {} is a {}, which the library {} does not have", instance.name,
                         instance.cell, library.name));
      auto& cell = n_.cells[instance.cell];
      if (!cell) cell = std::make_unique<GateCell>(*found->second);
      add_cell(instance, *cell);
    }
  }

  /// Sorts gates topologically; flip-flops come last.
  void order() {
    list_readers();
    std::vector<Gate> sorted, flip_flops;
    std::vector<std::uint32_t> waiting(n_.gates.size()), ready;
    for (std::uint32_t g = 0; g < n_.gates.size(); ++g) {
      const Gate& gate = n_.gates[g];
      if (gate.sequential()) {
        flip_flops.push_back(gate);
        continue;
      }
      for (std::uint32_t i = 0; i < gate.inputs; ++i) {
        const int net = n_.input_net(g, i);
        if (net >= 0 && n_.drivers[static_cast<std::size_t>(net)] == Driver::kCombinational)
          ++waiting[g];
      }
      if (waiting[g] == 0) ready.push_back(g);
    }
    for (std::size_t at = 0; at < ready.size(); ++at) {
      const Gate& gate = n_.gates[ready[at]];
      sorted.push_back(gate);
      for (std::uint32_t o = 0; o < gate.outputs; ++o) {
        const int net = n_.output_net(ready[at], o);
        if (net < 0) continue;
        const auto n = static_cast<std::size_t>(net);
        for (std::uint32_t r = n_.first_reader[n]; r < n_.first_reader[n + 1]; ++r) {
          const std::uint32_t reader = n_.readers[r].gate;
          if (!n_.gates[reader].sequential() && --waiting[reader] == 0) ready.push_back(reader);
        }
      }
    }
    n_.combinational = sorted.size();
    if (n_.combinational + flip_flops.size() != n_.gates.size()) {
      std::size_t g = 0;
      while (waiting[g] == 0) ++g;
      fail(fmt::format("a combinational loop, through or into instance {} ({})",
                       instances_[g]->name, instances_[g]->cell));
    }
    sorted.insert(sorted.end(), flip_flops.begin(), flip_flops.end());
    n_.gates = std::move(sorted);
    for (std::uint32_t g = 0; g < n_.combinational; ++g)
      if (n_.gates[g].cell == nullptr) n_.memories[n_.gates[g].memory].gate = g;
    list_readers();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(fmt::format("{} cannot be simulated: {}", netlist_.top, what));
  }

  /// A pin of an instance, or without one a port.
  static std::string place(const Netlist::Instance* instance, const std::string& pin) {
    if (instance == nullptr) return "port " + pin;
    return fmt::format("pin {} of instance {} ({})", pin, instance->name, instance->cell);
  }

  void drive(int net, Driver driver, const Netlist::Instance* instance, const std::string& pin) {
    if (net < 0) return;
    const auto n = static_cast<std::size_t>(net);
    if (n_.drivers[n] != Driver::kNone)
      fail(fmt::format("net {} is driven twice, once by {}",
                       n < netlist_.net_names.size() ? netlist_.net_names[n] : std::to_string(net),
                       place(instance, pin)));
    n_.drivers[n] = driver;
  }

  void add_clock(int net, std::uint32_t source, int enable) {
    clock_of_[net] = static_cast<std::uint32_t>(n_.clocks.size());
    n_.clocks.push_back({net, source, enable});
  }

  /// Clocks behind gates, each after the one that it is made of.
  void clock_gates() {
    std::vector<const Netlist::Instance*> left;
    for (const Netlist::Instance& instance : netlist_.instances)
      if (instance.cell == kClockGate) left.push_back(&instance);
    const auto pin = [this](const Netlist::Instance& gate, const char* name) {
      const auto found = gate.pins.find(name);
      if (found == gate.pins.end() || found->second.size() != 1)
        fail(fmt::format("{} is not one bit", place(&gate, name)));
      return found->second[0];
    };
    for (std::size_t before = left.size() + 1; left.size() < before;) {
      before = left.size();
      std::vector<const Netlist::Instance*> later;
      for (const Netlist::Instance* gate : left) {
        const auto source = clock_of_.find(pin(*gate, "clk_i"));
        if (source == clock_of_.end()) {
          later.push_back(gate);
          continue;
        }
        const int net = pin(*gate, "clk_o");
        drive(net, Driver::kClockGate, gate, "clk_o");
        add_clock(net, source->second, pin(*gate, "enable_i"));
      }
      left = later;
    }
    if (!left.empty()) check_clock(pin(*left[0], "clk_i"), true, *left[0], "clk_i");
    for (const Netlist::Instance& instance : netlist_.instances)
      if (instance.cell == kClockGate)
        check_clock(pin(instance, "enable_i"), false, instance, "enable_i");
  }

  /// The index of the clock that drives the net; 0 where none has to. Fails where data should be a
  /// clock, or a clock data.
  std::uint32_t check_clock(int net, bool is_clock, const Netlist::Instance& instance,
                            const std::string& pin) const {
    const auto found = clock_of_.find(net);
    if (is_clock != (found != clock_of_.end()))
      fail(fmt::format("{} {}", place(&instance, pin),
                       is_clock ? "is not driven by the clock itself: clocks gated by other cells "
                                  "than sf_clock_gate, or other clocks, cannot be simulated"
                                : "is data, but driven by the clock"));
    return is_clock ? found->second : 0;
  }

  /// Its nets are those that the caller adds next.
  Gate& add_gate(const Netlist::Instance& instance, const GateCell* cell, std::size_t inputs,
                 std::size_t outputs) {
    instances_.push_back(&instance);
    n_.gates.push_back({cell, static_cast<std::uint32_t>(n_.memories.size()),
                        static_cast<std::uint32_t>(n_.input_nets.size()),
                        static_cast<std::uint32_t>(inputs),
                        static_cast<std::uint32_t>(n_.output_nets.size()),
                        static_cast<std::uint32_t>(outputs), 0, 0});
    return n_.gates.back();
  }

  void add_cell(const Netlist::Instance& instance, const GateCell& cell) {
    for (const auto& [pin, nets] : instance.pins) {
      if (cell.library->pin(pin) == nullptr)
        fail(fmt::format("{} is not a pin in the library", place(&instance, pin)));
      if (nets.size() > 1)
        fail(fmt::format("{} has {} bits instead of 1", place(&instance, pin), nets.size()));
    }
    auto net = [&](const LibertyPin& pin, int otherwise) {
      const auto connected = instance.pins.find(pin.name);
      return connected == instance.pins.end() || connected->second.empty() ? otherwise
                                                                           : connected->second[0];
    };
    Gate& gate = add_gate(instance, &cell, cell.inputs.size(), cell.outputs.size());
    for (std::size_t i = 0; i < cell.inputs.size(); ++i) {
      const int from = net(*cell.inputs[i], Netlist::kZero);
      const bool is_clock = static_cast<int>(i) == cell.clock;
      const std::uint32_t clock = check_clock(from, is_clock, instance, cell.inputs[i]->name);
      if (is_clock) gate.clock_index = clock;
      n_.input_nets.push_back(from);
      if (is_clock || from == Netlist::kOne) gate.row |= 1u << i;
    }
    for (const LibertyPin* pin : cell.outputs) {
      n_.output_nets.push_back(net(*pin, kUnconnected));
      drive(n_.output_nets.back(), cell.sequential() ? Driver::kFlipFlop : Driver::kCombinational,
            &instance, pin->name);
    }
  }

  void add_memory(const Netlist::Instance& instance) {
    Memory m;
    m.name = instance.name;
    auto pin = [&](const char* name, std::size_t width, bool is_clock = false) {
      const auto found = instance.pins.find(name);
      const std::size_t bits = found == instance.pins.end() ? 0 : found->second.size();
      if (bits != width)
        fail(fmt::format("{} has {} bits instead of {}", place(&instance, name), bits, width));
      for (const int net : found->second) {
        const std::uint32_t clock = check_clock(net, is_clock, instance, name);
        if (is_clock) m.clock_index = clock;
      }
      return found->second;
    };
    const char* read_data = "read_data_o";
    if (instance.cell == "$mem_v2") {
      read_data = "RD_DATA";
      m.width = instance.parameter("WIDTH");
      m.depth = instance.parameter("SIZE");
      const std::size_t bits = instance.parameter("ABITS");
      if (instance.parameter("RD_PORTS") != 1 || instance.parameter("WR_PORTS") != 1 ||
          instance.parameter("RD_CLK_ENABLE") != 0 || instance.parameter("WR_CLK_ENABLE") != 1 ||
          instance.parameter("WR_CLK_POLARITY") != 1 || instance.parameter("OFFSET") != 0 ||
          bits > address_bits(kMaxMemoryBits))
        fail(fmt::format("memory {} has other ports than a clocked write and an unclocked read",
                         instance.name));
      pin("WR_CLK", 1, true);
      m.write_enable = pin("WR_EN", m.width);
      m.write_address = pin("WR_ADDR", bits);
      m.write_data = pin("WR_DATA", m.width);
      m.read_address = pin("RD_ADDR", bits);
    } else {
      m.width = instance.parameter("Width");
      m.depth = std::min<std::uint64_t>(instance.parameter("Depth"), kMaxMemoryBits + 1);
      const std::size_t bits = address_bits(m.depth);
      m.clocked_read = instance.cell == "sf_ram";
      pin("clk_i", 1, true);
      m.write_enable = pin("write_enable_i", 1);
      m.write_data = pin("write_data_i", m.width);
      m.write_address = pin(m.clocked_read ? "write_address_i" : "address_i", bits);
      m.read_address = pin(m.clocked_read ? "read_address_i" : "address_i", bits);
      if (m.clocked_read) m.read_enable = pin("read_enable_i", 1)[0];
    }
    m.read_data = pin(read_data, m.width);
    if (m.width == 0 || m.depth == 0 || m.depth > (kMaxMemoryBits - memory_bits_) / m.width)
      fail(fmt::format(
          "memory {} has {} words of {} bits; allowed are 1 to {} bits, in all memories",
          instance.name, m.depth, m.width, kMaxMemoryBits));
    memory_bits_ += m.width * m.depth;
    for (const int net : m.read_data)
      drive(net, m.clocked_read ? Driver::kMemory : Driver::kCombinational, &instance, read_data);
    if (!m.clocked_read) {
      add_gate(instance, nullptr, m.read_address.size(), m.read_data.size());
      n_.input_nets.insert(n_.input_nets.end(), m.read_address.begin(), m.read_address.end());
      n_.output_nets.insert(n_.output_nets.end(), m.read_data.begin(), m.read_data.end());
    }
    n_.memories.push_back(std::move(m));
  }

  void list_readers() {
    const std::size_t nets = n_.drivers.size();
    n_.first_reader.assign(nets + 1, 0);
    for (const bool count : {true, false}) {
      for (std::uint32_t g = 0; g < n_.gates.size(); ++g)
        for (std::uint32_t i = 0; i < n_.gates[g].inputs; ++i) {
          const int net = n_.input_net(g, i);
          if (net < 0 || static_cast<int>(i) == n_.gates[g].clock()) continue;
          std::uint32_t& at = n_.first_reader[static_cast<std::size_t>(net)];
          if (count)
            ++at;
          else
            n_.readers[--at] = {g, i};
        }
      if (!count) break;
      for (std::size_t net = 0; net < nets; ++net) n_.first_reader[net + 1] += n_.first_reader[net];
      n_.readers.resize(n_.first_reader[nets]);
    }
  }

  GateNetwork& n_;
  const Netlist& netlist_;
  std::vector<const Netlist::Instance*> instances_;  ///< of gates, until they are sorted
  std::map<int, std::uint32_t> clock_of_;            ///< index in `clocks` by net
  std::size_t memory_bits_ = 0;
};

GateNetwork::GateNetwork(const Netlist& netlist, const LibertyLibrary& library,
                         const std::string& clock_port) {
  Builder builder(*this, netlist);
  builder.ports(clock_port);
  builder.instances(library);
  builder.order();
}

}  // namespace solfege
