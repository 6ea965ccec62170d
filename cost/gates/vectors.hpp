// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace solfege {

/// Values of a unit's ports over clock cycles: what a simulation is driven with, or gives.
class Vectors {
 public:
  struct Port {
    std::string name;
    int width = 1;
  };
  explicit Vectors(std::vector<Port> ports);
  const std::vector<Port>& ports() const { return ports_; }
  std::size_t cycles() const { return cycles_; }
  /// Appends a cycle in which every port is as in the one before (zero in the first).
  void step();
  /// Bits 64 word .. of a port in the last cycle.
  void set(std::size_t port, std::uint64_t value, int word = 0);
  std::uint64_t get(std::size_t cycle, std::size_t port, int word = 0) const;
  /// `bits` bits, 63 at most, from bit `at` of a port in the last cycle.
  void set_bits(std::size_t port, int at, std::uint64_t value, int bits);
  int words(std::size_t port) const { return (ports_.at(port).width + 63) / 64; }
  std::size_t port(const std::string& name) const;  ///< std::out_of_range if there is none

 private:
  std::vector<Port> ports_;
  std::vector<int> first_word_;  ///< of each port
  int words_ = 0;                ///< of a cycle
  std::size_t cycles_ = 0;
  std::vector<std::uint64_t> values_;  ///< [cycle][word]
};

}  // namespace solfege
