// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cost/gates/gate_network.hpp"

namespace solfege {

/// The values of a network's nets, constants included; they start at 0.
class NetValues {
 public:
  explicit NetValues(std::size_t nets) : bits_(nets + 2) { bits_[index(Netlist::kOne)] = 1; }
  bool operator[](int net) const { return bits_[index(net)] != 0; }
  void flip(int net) { bits_[index(net)] ^= 1; }
  /// Up to 64 nets as a number, least significant first.
  std::uint64_t number(const std::vector<int>& nets) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < nets.size(); ++i)
      value |= std::uint64_t{bits_[index(nets[i])]} << i;
    return value;
  }

 private:
  static_assert(Netlist::kOne == -2 && Netlist::kZero == -1);  // they lie before net 0
  static std::size_t index(int net) { return static_cast<std::size_t>(net + 2); }
  std::vector<std::uint8_t> bits_;
};

/// What a memory of a network holds; it starts at 0.
struct GateMemory {
  explicit GateMemory(const GateNetwork::Memory& memory)
      : port(&memory), bits(memory.width * memory.depth) {}

  /// Calls `give(net, bit)` with the word at the read address, 0 beyond the last.
  template <typename Give>
  void read(const NetValues& values, const Give& give) const {
    const std::uint64_t at = values.number(port->read_address);
    for (std::size_t i = 0; i < port->width; ++i)
      give(port->read_data[i], at < port->depth && bits[at * port->width + i] != 0);
  }

  /// A rising edge at the write port. Returns whether anything was enabled.
  bool write(const NetValues& values) {
    const std::vector<int>& enables = port->write_enable;
    if (std::none_of(enables.begin(), enables.end(), [&](int net) { return values[net]; }))
      return false;
    const std::uint64_t at = values.number(port->write_address);
    for (std::size_t i = 0; i < port->width && at < port->depth; ++i)
      if (values[enables[enables.size() == 1 ? 0 : i]])
        bits[at * port->width + i] = values[port->write_data[i]];
    return true;
  }

  const GateNetwork::Memory* port;
  std::vector<std::uint8_t> bits;  ///< [word][bit]
};

}  // namespace solfege
