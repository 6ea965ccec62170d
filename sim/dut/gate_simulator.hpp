// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cost/gates/gate_state.hpp"

namespace solfege {

/// Simulates a flat netlist of library cells and memories, two values, no delays: what it costs
/// goes with the gates whose inputs change, and nothing is compiled, so that a netlist of a million
/// cells starts at once. One clock, rising edge; flip-flops may be set and cleared asynchronously.
/// Memories are those of GateNetwork. Flip-flops and memories start at random.
class GateSimulator {
 public:
  /// `library` must outlive this. std::runtime_error: what GateNetwork refuses. InputError, here
  /// and in settle() and rise(): flip-flops set and clear one another without end.
  GateSimulator(const Netlist& netlist, const LibertyLibrary& library, const std::string& clock,
                std::uint64_t seed);

  const std::vector<Netlist::Port>& ports() const { return ports_; }

  /// Sets a net of an input port; settle() carries it on.
  void set(int net, bool value) {
    if (net >= 0 && values_[net] != value) flip(net);
  }
  bool get(int net) const { return values_[net]; }
  void settle();
  /// The clock's rising edge; inputs must have been settled.
  void rise();

  std::uint64_t events() const { return events_; }  ///< gates and memories evaluated so far

 private:
  /// What evaluating a gate of the network touches, close together.
  struct Node {
    const GateCell* cell;  ///< null: the read port of memories_[first_output]
    std::uint32_t first_output, row;
    std::uint32_t state() const { return 1u << cell->inputs.size(); }  ///< a flip-flop's, in row
    bool changes() const { return (cell->next_state[row] != 0) != ((row & state()) != 0); }
  };
  void initialise(std::uint64_t seed);
  void flip(int net);
  void mark(std::uint32_t gate);
  void put_out(std::uint32_t gate);
  bool settle_asynchronous();

  std::vector<Netlist::Port> ports_;
  GateNetwork network_;
  std::uint32_t combinational_;  ///< of the network's gates
  NetValues values_;
  std::vector<Node> nodes_;  ///< by gate
  std::vector<GateMemory> memories_;
  std::vector<std::uint64_t> dirty_;             ///< combinational gates to evaluate
  std::size_t first_dirty_ = 0;                  ///< no word below it is set
  std::vector<std::uint32_t> touched_;           ///< flip-flops whose next state may be another
  std::vector<std::uint8_t> is_touched_;         ///< by gate
  std::vector<std::uint32_t> asynchronous_;      ///< flip-flops whose set or clear has changed
  std::vector<std::uint32_t> changed_;           ///< scratch of rise()
  std::vector<std::pair<int, bool>> read_data_;  ///< also
  std::uint64_t events_ = 0;
};

}  // namespace solfege
