// SPDX-License-Identifier: Apache-2.0
#include "sim/dut/gate_simulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "model/base/error.hpp"

namespace solfege {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw InputError("the netlist cannot be simulated: " + what);
}

constexpr std::size_t kMaxMemoryBits = std::size_t{1} << 32;
constexpr int kMaxRounds = 10000;  // of asynchronous set and clear

std::size_t address_bits(std::size_t depth) {
  std::size_t bits = 1;
  while ((std::size_t{1} << bits) < depth) ++bits;
  return bits;
}

}  // namespace

GateSimulator::GateSimulator(const Netlist& netlist, const LibertyLibrary& library,
                             const std::string& clock, std::uint64_t seed) {
  values_.assign(static_cast<std::size_t>(netlist.nets) + 2, 0);
  for (const Netlist::Port& port : netlist.ports) {
    ports_.push_back({port.name, port.is_input, {}});
    for (const int number : port.nets) ports_.back().nets.push_back(net(number));
  }
  std::map<std::string, const LibertyCell*> by_name;
  for (const LibertyCell& cell : library.cells) by_name.emplace(cell.name, &cell);
  Instances instances;
  for (const Netlist::Instance& instance : netlist.instances) {
    if (instance.cell == "sf_ram" || instance.cell == "sf_register_file" ||
        instance.cell == "$mem_v2") {
      add_memory(instance);
      continue;
    }
    const auto found = by_name.find(instance.cell);
    if (found == by_name.end())
      fail(fmt::format("instance {} is a {}, which {} does not have", instance.name, instance.cell,
                       library.name));
    auto& cell = cells_[instance.cell];
    if (!cell) cell = std::make_unique<GateCell>(*found->second);
    instances.emplace_back(&instance, cell.get());
  }
  gate_count_ = instances.size();
  if (std::none_of(ports_.begin(), ports_.end(), [&](const Port& p) { return p.name == clock; }))
    fail(fmt::format("it has no port {}", clock));
  const Netlist::Port& port = netlist.port(clock);
  if (!port.is_input || port.nets.size() != 1 || port.nets[0] < 0)
    fail(fmt::format("{} is not an input of one bit", clock));
  order(instances, port.nets[0]);
  initialise(seed);
}

int GateSimulator::net(int number) const {
  if (number >= 0) return number;
  return static_cast<int>(values_.size()) - (number == Netlist::kOne ? 1 : 2);
}

std::vector<int> GateSimulator::pin(const Netlist::Instance& instance, const std::string& name,
                                    std::size_t width) const {
  const auto found = instance.pins.find(name);
  if (found == instance.pins.end() || found->second.size() != width)
    fail(fmt::format("pin {} of {} {} has {} bits instead of {}", name, instance.cell,
                     instance.name, found == instance.pins.end() ? 0 : found->second.size(),
                     width));
  std::vector<int> nets;
  for (const int number : found->second) nets.push_back(net(number));
  return nets;
}

void GateSimulator::add_memory(const Netlist::Instance& instance) {
  Memory m;
  if (instance.cell == "$mem_v2") {
    m.width = instance.parameter("WIDTH");
    m.depth = instance.parameter("SIZE");
    const std::size_t bits = instance.parameter("ABITS");
    if (instance.parameter("RD_PORTS") != 1 || instance.parameter("WR_PORTS") != 1 ||
        instance.parameter("RD_CLK_ENABLE") != 0 || instance.parameter("WR_CLK_ENABLE") != 1 ||
        instance.parameter("WR_CLK_POLARITY") != 1 || instance.parameter("OFFSET") != 0)
      fail(fmt::format("memory {} has other ports than a clocked write and an unclocked read",
                       instance.name));
    m.write_enable = pin(instance, "WR_EN", m.width);
    m.write_address = pin(instance, "WR_ADDR", bits);
    m.write_data = pin(instance, "WR_DATA", m.width);
    m.read_address = pin(instance, "RD_ADDR", bits);
    m.read_data = pin(instance, "RD_DATA", m.width);
  } else {
    m.width = instance.parameter("Width");
    m.depth = std::min<std::uint64_t>(instance.parameter("Depth"), kMaxMemoryBits + 1);
    const std::size_t bits = address_bits(m.depth);
    m.clocked_read = instance.cell == "sf_ram";
    m.write_enable = pin(instance, "write_enable_i", 1);
    m.write_data = pin(instance, "write_data_i", m.width);
    m.read_data = pin(instance, "read_data_o", m.width);
    m.write_address = pin(instance, m.clocked_read ? "write_address_i" : "address_i", bits);
    m.read_address = pin(instance, m.clocked_read ? "read_address_i" : "address_i", bits);
    if (m.clocked_read) m.read_enable = pin(instance, "read_enable_i", 1)[0];
  }
  std::size_t all = 0;
  for (const Memory& other : memories_) all += other.bits.size();
  if (m.width == 0 || m.depth == 0 || m.depth > (kMaxMemoryBits - all) / m.width)
    fail(fmt::format("memory {} has {} words of {} bits; allowed are 1 to {} bits, in all memories",
                     instance.name, m.depth, m.width, kMaxMemoryBits));
  m.bits.resize(m.width * m.depth);
  m.sampled.resize(m.width);
  memories_.push_back(std::move(m));
}

void GateSimulator::order(const Instances& instances, int clock) {
  // Nodes as they come: gates, then unclocked read ports
  std::vector<std::vector<int>> inputs;
  auto add_output = [&](int number) {
    output_nets_.push_back(
        number >= static_cast<int>(values_.size()) - 2 ? -1 : static_cast<std::int32_t>(number));
  };
  for (const auto& [instance, cell] : instances) {
    nodes_.push_back({cell, static_cast<std::uint32_t>(output_nets_.size()), 0});
    inputs.emplace_back();
    for (const auto& [pin, nets] : instance->pins)
      if (nets.size() > 1 || cell->library->pin(pin) == nullptr)
        fail(fmt::format("pin {} of {} ({}) has {} bits, and {} in the library", pin,
                         instance->name, instance->cell, nets.size(),
                         cell->library->pin(pin) == nullptr ? "is not" : "1"));
    for (std::size_t i = 0; i < cell->inputs.size(); ++i) {
      const auto connected = instance->pins.find(cell->inputs[i]->name);
      const bool is_open = connected == instance->pins.end() || connected->second.empty();
      const int number = is_open ? Netlist::kZero : connected->second[0];
      const bool is_clock = cell->sequential() && static_cast<int>(i) == cell->clock;
      if (is_clock != (number == clock))
        fail(fmt::format(
            "pin {} of {} ({}) {}", cell->inputs[i]->name, instance->name, instance->cell,
            is_clock ? "is not driven by the clock itself" : "is data, and the clock"));
      inputs.back().push_back(net(number));
    }
    for (const LibertyPin* output : cell->outputs) {
      const auto connected = instance->pins.find(output->name);
      const bool is_open = connected == instance->pins.end() || connected->second.empty();
      add_output(is_open ? static_cast<int>(values_.size()) : net(connected->second[0]));
    }
  }
  for (std::size_t m = 0; m < memories_.size(); ++m) {
    if (memories_[m].clocked_read) continue;
    nodes_.push_back({nullptr, static_cast<std::uint32_t>(m), 0});
    inputs.push_back(memories_[m].read_address);
  }

  // Each net has one driver at most: a port, a node, a clocked read port.
  constexpr std::int32_t kNobody = -1, kState = -2;
  std::vector<std::int32_t> driver(values_.size(), kNobody);
  auto drive = [&](int number, std::int32_t by) {
    if (number < 0 || number >= static_cast<int>(values_.size()) - 2) return;
    if (driver[static_cast<std::size_t>(number)] != kNobody)
      fail(fmt::format("net {} is driven twice", number));
    driver[static_cast<std::size_t>(number)] = by;
  };
  for (const Port& port : ports_)
    if (port.is_input)
      for (const int number : port.nets) drive(number, kState);
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    const bool sequential = node.cell != nullptr && node.cell->sequential();
    const auto by = sequential ? kState : static_cast<std::int32_t>(n);
    if (node.cell == nullptr)
      for (const int number : memories_[node.first_output].read_data) drive(number, by);
    else
      for (std::size_t o = 0; o < node.cell->outputs.size(); ++o)
        drive(output_nets_[node.first_output + o], by);
  }
  for (const Memory& memory : memories_)
    if (memory.clocked_read)
      for (const int number : memory.read_data) drive(number, kState);

  // Topological order of the combinational ones; flip-flops behind.
  std::vector<std::vector<std::uint32_t>> users(nodes_.size());
  std::vector<std::uint32_t> waiting(nodes_.size()), sorted, flip_flops;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    if (nodes_[n].cell != nullptr && nodes_[n].cell->sequential()) {
      flip_flops.push_back(n);
      continue;
    }
    for (const int number : inputs[n]) {
      const std::int32_t from = driver[static_cast<std::size_t>(number)];
      if (from < 0) continue;
      users[static_cast<std::size_t>(from)].push_back(n);
      ++waiting[n];
    }
    if (waiting[n] == 0) sorted.push_back(n);
  }
  for (std::size_t at = 0; at < sorted.size(); ++at)
    for (const std::uint32_t user : users[sorted[at]])
      if (--waiting[user] == 0) sorted.push_back(user);
  if (sorted.size() + flip_flops.size() != nodes_.size()) {
    const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](auto n) { return n != 0; });
    const auto n = static_cast<std::size_t>(stuck - waiting.begin());
    fail(fmt::format("a combinational loop through or into {}",
                     n < instances.size() ? instances[n].first->name : "a memory"));
  }
  combinational_ = static_cast<std::uint32_t>(sorted.size());
  sorted.insert(sorted.end(), flip_flops.begin(), flip_flops.end());
  std::vector<Node> nodes;
  std::vector<std::uint32_t> counts(values_.size() + 1);
  for (std::uint32_t n = 0; n < sorted.size(); ++n) {
    nodes.push_back(nodes_[sorted[n]]);
    if (nodes.back().cell == nullptr) memories_[nodes.back().first_output].node = n;
    for (const int number : inputs[sorted[n]]) ++counts[static_cast<std::size_t>(number) + 1];
  }
  nodes_ = std::move(nodes);
  for (std::size_t i = 1; i < counts.size(); ++i) counts[i] += counts[i - 1];
  first_reader_ = counts;
  readers_.resize(counts.back());
  for (std::uint32_t n = 0; n < sorted.size(); ++n)
    for (std::uint32_t bit = 0; bit < inputs[sorted[n]].size(); ++bit) {
      // rise() treats the clock's edge; rows see the clock high.
      const bool is_clock = nodes_[n].cell != nullptr && nodes_[n].cell->sequential() &&
                            static_cast<int>(bit) == nodes_[n].cell->clock;
      const auto number = static_cast<std::size_t>(inputs[sorted[n]][bit]);
      readers_[counts[number]++] = {n, is_clock ? 31 : bit};
      if (is_clock) nodes_[n].row |= 1u << bit;
    }
}

void GateSimulator::initialise(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  dirty_.assign((combinational_ + 63) / 64, 0);
  is_touched_.assign(nodes_.size(), 0);
  for (Memory& memory : memories_) {
    for (std::uint8_t& bit : memory.bits) bit = random() >> 63;
    if (!memory.clocked_read) continue;
    for (const int number : memory.read_data)
      if (random() >> 63) flip(number);
  }
  flip(net(Netlist::kOne));
  for (std::uint32_t n = combinational_; n < nodes_.size(); ++n) {
    if (random() >> 63) nodes_[n].row ^= 1u << nodes_[n].cell->inputs.size();
    put_out(n);
    mark(n);
    if (nodes_[n].cell->asynchronous != 0) asynchronous_.push_back(n);
  }
  for (std::uint32_t n = 0; n < combinational_; ++n) mark(n);
  settle();
}

void GateSimulator::mark(std::uint32_t n) {
  if (n < combinational_) {
    dirty_[n / 64] |= std::uint64_t{1} << (n % 64);
    first_dirty_ = std::min(first_dirty_, std::size_t{n / 64});
  } else if (is_touched_[n] == 0) {
    is_touched_[n] = 1;
    touched_.push_back(n);
  }
}

void GateSimulator::flip(int number) {
  values_[static_cast<std::size_t>(number)] ^= 1;
  const std::uint32_t end = first_reader_[static_cast<std::size_t>(number) + 1];
  for (std::uint32_t r = first_reader_[static_cast<std::size_t>(number)]; r < end; ++r) {
    const Reader reader = readers_[r];
    if (reader.bit == 31) continue;  // a clock
    Node& node = nodes_[reader.node];
    node.row ^= 1u << reader.bit;
    if (reader.node >= combinational_ && (node.cell->asynchronous >> reader.bit & 1) != 0)
      asynchronous_.push_back(reader.node);
    mark(reader.node);
  }
}

void GateSimulator::put_out(std::uint32_t n) {
  const Node& node = nodes_[n];
  const std::uint32_t outputs = node.cell->values[node.row];
  for (std::size_t o = 0; o < node.cell->outputs.size(); ++o) {
    const std::int32_t number = output_nets_[node.first_output + o];
    if (number >= 0 && values_[static_cast<std::size_t>(number)] != (outputs >> o & 1))
      flip(number);
  }
}

std::uint64_t GateSimulator::address(const std::vector<int>& nets) const {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < nets.size(); ++i)
    value |= std::uint64_t{values_[static_cast<std::size_t>(nets[i])]} << i;
  return value;
}

void GateSimulator::evaluate_memory(const Memory& memory) {
  const std::uint64_t at = address(memory.read_address);
  for (std::size_t i = 0; i < memory.width; ++i) {
    const bool bit = at < memory.depth && memory.bits[at * memory.width + i] != 0;
    if (values_[static_cast<std::size_t>(memory.read_data[i])] != bit) flip(memory.read_data[i]);
  }
}

void GateSimulator::evaluate(std::uint32_t n) {
  ++events_;
  if (nodes_[n].cell == nullptr)
    evaluate_memory(memories_[nodes_[n].first_output]);
  else
    put_out(n);
}

bool GateSimulator::settle_asynchronous() {
  std::vector<std::uint32_t> now;
  now.swap(asynchronous_);
  for (const std::uint32_t n : now) {
    Node& node = nodes_[n];
    const std::uint32_t state = 1u << node.cell->inputs.size();
    if (node.cell->forced[node.row] != 0 &&
        (node.cell->next_state[node.row] != 0) != ((node.row & state) != 0))
      node.row ^= state;
    put_out(n);
  }
  return !now.empty();
}

void GateSimulator::settle() {
  int rounds = 0;
  do {
    if (++rounds > kMaxRounds) fail("flip-flops set and clear one another without end");
    // Whatever a gate changes lies behind it.
    for (std::size_t word = first_dirty_; word < dirty_.size(); ++word)
      while (dirty_[word] != 0) {
        const int bit = __builtin_ctzll(dirty_[word]);
        dirty_[word] &= dirty_[word] - 1;
        evaluate(static_cast<std::uint32_t>(word * 64) + static_cast<std::uint32_t>(bit));
      }
    first_dirty_ = dirty_.size();
  } while (settle_asynchronous());
}

void GateSimulator::rise() {
  // All take their inputs before any output moves.
  changed_.clear();
  for (const std::uint32_t n : touched_) {
    is_touched_[n] = 0;
    const Node& node = nodes_[n];
    const bool state = (node.row >> node.cell->inputs.size() & 1) != 0;
    if ((node.cell->next_state[node.row] != 0) != state) changed_.push_back(n);
  }
  touched_.clear();
  for (Memory& memory : memories_) {
    memory.read = memory.clocked_read && values_[static_cast<std::size_t>(memory.read_enable)];
    if (memory.read) {
      const std::uint64_t at = address(memory.read_address);
      for (std::size_t i = 0; i < memory.width; ++i)
        memory.sampled[i] = at < memory.depth ? memory.bits[at * memory.width + i] : 0;
    }
    const std::size_t enables = memory.write_enable.size();
    bool write = false;
    for (const int enable : memory.write_enable)
      write = write || values_[static_cast<std::size_t>(enable)];
    if (!write) continue;
    const std::uint64_t at = address(memory.write_address);
    if (at >= memory.depth) continue;
    for (std::size_t i = 0; i < memory.width; ++i)
      if (enables == 1 || values_[static_cast<std::size_t>(memory.write_enable[i])])
        memory.bits[at * memory.width + i] =
            values_[static_cast<std::size_t>(memory.write_data[i])];
    if (!memory.clocked_read) mark(memory.node);
  }
  for (const std::uint32_t n : changed_) {
    nodes_[n].row ^= 1u << nodes_[n].cell->inputs.size();
    mark(n);  // its next state may depend on its state
    put_out(n);
  }
  for (const Memory& memory : memories_)
    if (memory.read)
      for (std::size_t i = 0; i < memory.width; ++i)
        if (values_[static_cast<std::size_t>(memory.read_data[i])] != memory.sampled[i])
          flip(memory.read_data[i]);
  settle();
}

}  // namespace solfege
