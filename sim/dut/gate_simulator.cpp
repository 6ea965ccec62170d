// SPDX-License-Identifier: Apache-2.0
#include "sim/dut/gate_simulator.hpp"

#include <algorithm>
#include <random>

#include "model/base/error.hpp"

namespace solfege {
namespace {

constexpr int kMaxRounds = 10000;  // of asynchronous set and clear

}  // namespace

GateSimulator::GateSimulator(const Netlist& netlist, const LibertyLibrary& library,
                             const std::string& clock, std::uint64_t seed)
    : ports_(netlist.ports),
      network_(netlist, library, clock),
      combinational_(static_cast<std::uint32_t>(network_.combinational)),
      values_(network_.drivers.size()) {
  if (network_.clocks.size() > 1)
    throw InputError("the netlist has clock gates, which are not simulated here");
  for (const GateNetwork::Gate& gate : network_.gates)
    nodes_.push_back({gate.cell, gate.cell == nullptr ? gate.memory : gate.first_output, gate.row});
  for (const GateNetwork::Memory& memory : network_.memories) memories_.emplace_back(memory);
  dirty_.resize((combinational_ + 63) / 64);
  is_touched_.resize(nodes_.size());
  initialise(seed);
}

void GateSimulator::initialise(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (GateMemory& memory : memories_) {
    for (std::uint8_t& bit : memory.bits) bit = random() >> 63;
    if (!memory.port->clocked_read) continue;
    for (const int net : memory.port->read_data) set(net, random() >> 63);
  }
  for (std::uint32_t g = combinational_; g < nodes_.size(); ++g) {
    if (random() >> 63) nodes_[g].row ^= nodes_[g].state();
    put_out(g);
    mark(g);
    if (nodes_[g].cell->asynchronous != 0) asynchronous_.push_back(g);
  }
  for (std::uint32_t g = 0; g < combinational_; ++g) mark(g);
  settle();
}

void GateSimulator::mark(std::uint32_t g) {
  if (g < combinational_) {
    dirty_[g / 64] |= std::uint64_t{1} << (g % 64);
    first_dirty_ = std::min(first_dirty_, std::size_t{g / 64});
  } else if (is_touched_[g] == 0) {
    is_touched_[g] = 1;
    touched_.push_back(g);
  }
}

void GateSimulator::flip(int net) {
  values_.flip(net);
  const auto n = static_cast<std::size_t>(net);
  const std::uint32_t end = network_.first_reader[n + 1];
  for (std::uint32_t r = network_.first_reader[n]; r < end; ++r) {
    const GateNetwork::Reader reader = network_.readers[r];
    Node& node = nodes_[reader.gate];
    node.row ^= 1u << reader.bit;
    if (reader.gate >= combinational_ && (node.cell->asynchronous >> reader.bit & 1) != 0)
      asynchronous_.push_back(reader.gate);
    mark(reader.gate);
  }
}

void GateSimulator::put_out(std::uint32_t g) {
  const Node& node = nodes_[g];
  if (node.cell == nullptr) {
    memories_[node.first_output].read(values_, [&](int net, bool bit) { set(net, bit); });
    return;
  }
  const std::uint32_t outputs = node.cell->values[node.row];
  for (std::size_t o = 0; o < node.cell->outputs.size(); ++o)
    set(network_.output_nets[node.first_output + o], (outputs >> o & 1) != 0);
}

bool GateSimulator::settle_asynchronous() {
  std::vector<std::uint32_t> now;
  now.swap(asynchronous_);
  for (const std::uint32_t g : now) {
    Node& node = nodes_[g];
    if (node.cell->forced[node.row] != 0 && node.changes()) node.row ^= node.state();
    put_out(g);
  }
  return !now.empty();
}

void GateSimulator::settle() {
  int rounds = 0;
  do {
    if (++rounds > kMaxRounds)
      throw InputError(
          "the netlist cannot be simulated: flip-flops set and clear one another without end");
    // Whatever a gate changes lies behind it.
    for (std::size_t word = first_dirty_; word < dirty_.size(); ++word)
      while (dirty_[word] != 0) {
        const int bit = __builtin_ctzll(dirty_[word]);
        dirty_[word] &= dirty_[word] - 1;
        ++events_;
        put_out(static_cast<std::uint32_t>(word * 64) + static_cast<std::uint32_t>(bit));
      }
    first_dirty_ = dirty_.size();
  } while (settle_asynchronous());
}

void GateSimulator::rise() {
  // All take their inputs before any output moves.
  changed_.clear();
  for (const std::uint32_t g : touched_) {
    is_touched_[g] = 0;
    if (nodes_[g].changes()) changed_.push_back(g);
  }
  touched_.clear();
  read_data_.clear();
  for (GateMemory& memory : memories_) {
    if (memory.port->clocked_read && values_[memory.port->read_enable])
      memory.read(values_, [&](int net, bool bit) { read_data_.emplace_back(net, bit); });
    if (memory.write(values_) && !memory.port->clocked_read) mark(memory.port->gate);
  }
  for (const std::uint32_t g : changed_) {
    nodes_[g].row ^= nodes_[g].state();
    mark(g);  // its next state may depend on its state
    put_out(g);
  }
  for (const auto& [net, bit] : read_data_) set(net, bit);
  settle();
}

}  // namespace solfege
