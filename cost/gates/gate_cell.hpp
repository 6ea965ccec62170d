// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cost/eda/liberty.hpp"

namespace solfege {

/// A library cell made ready for simulation: every function a table by the cell's row, the bits of
/// its inputs (and, above them, of a flip-flop's state), and for every event the choice of Liberty
/// tables that price and time it.
struct GateCell {
  static constexpr std::uint16_t kNone = 0xffff;

  /// Tables of one kind of event, a pin's edge. Tables of arcs that are equally good are averaged,
  /// those of different rails added: weights.
  struct Energy {
    int input;  ///< whose slew the tables are read at
    bool input_rises;
    std::vector<std::pair<const LibertyTable*, double>> tables;
  };
  struct Delay {
    int output, input;
    bool output_rises, input_rises;
    const LibertyTable *delay_ns, *slew_ns;
  };

  /// std::runtime_error: latch, memory, output without function, more than 12 inputs, clocked
  /// otherwise than by one pin's rising edge.
  explicit GateCell(const LibertyCell& cell);

  const LibertyCell* library;
  std::vector<const LibertyPin*> inputs, outputs;
  int row_bits;                      ///< of inputs and state
  std::vector<std::uint8_t> values;  ///< by row, bit o of output o
  bool sequential() const { return clock >= 0; }
  int clock = -1;                        ///< input
  std::vector<std::uint8_t> next_state;  ///< by row; after clear and preset
  std::vector<std::uint8_t> forced;      ///< by row: whether clear or preset is active
  std::uint32_t asynchronous = 0;        ///< inputs that clear or preset

  /// Events of output `o` caused by input `i`, the row being that after the event.
  std::uint16_t delay(int o, int i, std::uint32_t row) const { return delays_[at(o, i, row)]; }
  std::uint16_t energy(int o, int i, std::uint32_t row) const { return energies_[at(o, i, row)]; }
  /// Of input `i`'s own event.
  std::uint16_t input_energy(int i, std::uint32_t row) const {
    return input_energies_[(static_cast<std::size_t>(i) << row_bits) | row];
  }
  bool has_input_energy(int i) const { return has_input_energy_ >> i & 1; }

  std::vector<Delay> delay_tables;
  std::vector<Energy> energy_tables;
  std::vector<int> energy_outputs;  ///< whose load energy_tables[k] are read at; -1: inputs'

 private:
  std::size_t at(int o, int i, std::uint32_t row) const {
    return ((static_cast<std::size_t>(o) * inputs.size() + static_cast<std::size_t>(i))
            << row_bits) |
           row;
  }
  void functions();
  void choose();

  std::vector<std::uint16_t> delays_, energies_, input_energies_;
  std::uint32_t has_input_energy_ = 0;
};

}  // namespace solfege
