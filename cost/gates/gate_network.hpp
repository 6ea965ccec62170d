// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cost/eda/netlist.hpp"
#include "cost/gates/gate_cell.hpp"

namespace solfege {

/// The structure of a mapped netlist in flat arrays, for simulators: gates in an order in which
/// every combinational one follows those that drive it, and the readers of each net. One clock, as
/// it is and behind clock gates (sf_clock_gate).
class GateNetwork {
 public:
  static constexpr int kUnconnected = -3;
  /// What drives a net. kMemory: the read port of a memory that is clocked.
  enum class Driver : std::uint8_t { kNone, kPort, kCombinational, kFlipFlop, kMemory, kClockGate };

  struct Gate {
    const GateCell* cell;                 ///< null: an unclocked read port
    std::uint32_t memory;                 ///< whose read port it is
    std::uint32_t first_input, inputs;    ///< in input_nets; the read address of a memory
    std::uint32_t first_output, outputs;  ///< in output_nets
    std::uint32_t row;                    ///< while every net is 0; rows see the clock high
    std::uint32_t clock_index;            ///< in `clocks`, of a flip-flop
    int clock() const { return cell == nullptr ? -1 : cell->clock; }  ///< input; -1: none
    bool sequential() const { return clock() >= 0; }
  };
  struct Reader {
    std::uint32_t gate, bit;
  };
  /// The clock, or what an sf_clock_gate lets through of another one before it in the list.
  struct Clock {
    int net = kUnconnected;
    std::uint32_t source = 0;    ///< in `clocks`; the first is its own
    int enable = Netlist::kOne;  ///< net: the source's edges come through while it is 1
  };
  /// sf_ram, sf_register_file, or Yosys' $mem_v2 with one write port and one unclocked read port.
  struct Memory {
    std::string name;  ///< of the instance
    std::size_t width = 0, depth = 0;
    bool clocked_read = false;
    int read_enable = kUnconnected;  ///< of a clocked read port
    std::vector<int> write_enable;   ///< one, or one a bit
    std::vector<int> write_address, write_data, read_address, read_data;
    std::uint32_t gate = 0;         ///< of an unclocked read port
    std::uint32_t clock_index = 0;  ///< in `clocks`
  };

  /// `library` must outlive this. `clock` empty: a combinational netlist. std::runtime_error,
  /// naming instance, pin and net: a cell that the library does not describe or that cannot be
  /// simulated, a pin that the cell does not have, a clock that is gated by anything but an
  /// sf_clock_gate, a net with two drivers, a combinational loop, a memory of another shape or of
  /// more than 2^32 bits with those before it.
  GateNetwork(const Netlist& netlist, const LibertyLibrary& library, const std::string& clock);
  GateNetwork(const GateNetwork&) = delete;
  GateNetwork& operator=(const GateNetwork&) = delete;

  std::map<std::string, std::unique_ptr<const GateCell>> cells;  ///< those that occur, by name
  std::vector<Gate> gates;        ///< combinational ones first, then flip-flops as in the netlist
  std::size_t combinational = 0;  ///< how many
  std::vector<Memory> memories;   ///< as in the netlist
  std::vector<int> input_nets, output_nets;
  std::vector<std::uint32_t> first_reader;  ///< by net, and one more
  std::vector<Reader> readers;              ///< without clock pins
  std::vector<Driver> drivers;              ///< by net
  std::vector<Clock> clocks;                ///< the port's first; empty: a combinational netlist

  int input_net(std::size_t g, std::size_t i) const { return input_nets[gates[g].first_input + i]; }
  int output_net(std::size_t g, std::size_t o) const {
    return output_nets[gates[g].first_output + o];
  }
  /// Calls `visit(g)` for each gate after those that drive it: flip-flops, then the combinational.
  template <typename Visit>
  void forward(const Visit& visit) const {
    for (std::size_t g = combinational; g < gates.size(); ++g) visit(g);
    for (std::size_t g = 0; g < combinational; ++g) visit(g);
  }

 private:
  class Builder;
};

}  // namespace solfege
