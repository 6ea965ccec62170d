// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cost/eda/liberty.hpp"
#include "cost/eda/netlist.hpp"
#include "cost/gates/gate_cell.hpp"

namespace solfege {

/// Simulates a flat netlist of library cells and memories, two values, no delays: what it costs
/// goes with the gates whose inputs change, and nothing is compiled, so that a netlist of a million
/// cells starts at once. One clock, rising edge; flip-flops may be set and cleared asynchronously.
/// Memories are sf_ram, sf_register_file and Yosys' $mem_v2 (one write port, one unclocked read
/// port). Flip-flops and memories start at random.
class GateSimulator {
 public:
  /// InputError, naming the instance: a cell that the library does not describe, a pin that the
  /// cell does not have, a clock that is gated, a net with two drivers, a combinational loop, a
  /// memory of another shape or without end. std::runtime_error: a cell that cannot be simulated.
  GateSimulator(const Netlist& netlist, const LibertyLibrary& library, const std::string& clock,
                std::uint64_t seed);

  struct Port {
    std::string name;
    bool is_input;
    std::vector<int> nets;
  };
  const std::vector<Port>& ports() const { return ports_; }

  /// Sets an input port's nets; settle() carries it on.
  void set(int net, bool value) {
    if (values_[static_cast<std::size_t>(net)] != value) flip(net);
  }
  bool is_constant(int net) const { return net >= static_cast<int>(values_.size()) - 2; }
  bool get(int net) const { return values_[static_cast<std::size_t>(net)]; }
  void settle();
  /// The clock's rising edge; inputs must have been settled.
  void rise();

  std::size_t gates() const { return gate_count_; }
  std::uint64_t events() const { return events_; }  ///< gates and memories evaluated so far

 private:
  /// Combinational nodes come first, in an order in which each follows its drivers.
  struct Node {
    const GateCell* cell;  ///< null: the read port of memories_[first_output]
    std::uint32_t first_output;
    std::uint32_t row;  ///< bits of the inputs and, of a flip-flop, its state above them
  };
  struct Reader {
    std::uint32_t node, bit;
  };
  struct Memory {
    std::size_t width = 0, depth = 0;
    bool clocked_read = false;
    int read_enable = 0;
    std::vector<int> write_address, write_data, write_enable;  ///< enable of one bit, or of each
    std::vector<int> read_address, read_data;
    std::vector<std::uint8_t> bits;
    std::uint32_t node = 0;             ///< of an unclocked read port
    std::vector<std::uint8_t> sampled;  ///< by a clocked one, to be put out
    bool read = false;
  };

  using Instances = std::vector<std::pair<const Netlist::Instance*, const GateCell*>>;
  int net(int number) const;
  std::vector<int> pin(const Netlist::Instance& instance, const std::string& name,
                       std::size_t width) const;
  void add_memory(const Netlist::Instance& instance);
  void order(const Instances& instances, int clock);
  void initialise(std::uint64_t seed);
  std::uint64_t address(const std::vector<int>& nets) const;
  void flip(int net);
  void mark(std::uint32_t node);
  void put_out(std::uint32_t node);
  void evaluate(std::uint32_t node);
  void evaluate_memory(const Memory& memory);
  bool settle_asynchronous();

  std::vector<Port> ports_;
  std::map<std::string, std::unique_ptr<GateCell>> cells_;
  std::vector<Node> nodes_;
  std::uint32_t combinational_ = 0;
  std::size_t gate_count_ = 0;
  std::vector<std::int32_t> output_nets_;  ///< -1: open
  std::vector<Memory> memories_;
  std::vector<std::uint8_t> values_;  ///< by net, and the constants 0 and 1 behind them
  std::vector<std::uint32_t> first_reader_;
  std::vector<Reader> readers_;
  std::vector<std::uint64_t> dirty_;         ///< combinational nodes to evaluate
  std::size_t first_dirty_ = 0;              ///< no word below it is set
  std::vector<std::uint32_t> touched_;       ///< flip-flops whose next state may be another
  std::vector<std::uint8_t> is_touched_;     ///< by node
  std::vector<std::uint32_t> asynchronous_;  ///< flip-flops whose set or clear has changed
  std::vector<std::uint32_t> changed_;       ///< scratch of rise()
  std::uint64_t events_ = 0;
};

}  // namespace solfege
