// SPDX-License-Identifier: Apache-2.0
// What the leaf tests share: a seeded generator and access to Verilator's ports of any width.
#pragma once

#include <verilated.h>

#include <catch2/catch.hpp>
#include <cstdint>

#include "tests/support/seeded_random.hpp"

// Verilator 5 asks for the simulation time of a design with delays; these have none.
inline double sc_time_stamp() { return 0; }

namespace rtl_test {

inline uint64_t seed() { return solfege::test_seed(1); }

/// Registers and memories hold random values before the reset, so that a missing one shows.
inline const bool random_start =
    (Verilated::randReset(2), Verilated::randSeed(static_cast<int>(seed() % 0x7fffffff) + 1), true);

/// The numbers of one test of the file: each has a salt of its own.
class Random : public solfege::SeededRandom {
 public:
  explicit Random(uint64_t salt) : SeededRandom(seed() * 1000003 + salt) {}
};

// Ports up to 64 bits are integers, wider ones arrays of 32-bit words.
template <typename Port>
bool get_bit(const Port& port, int index) {
  if constexpr (std::is_integral_v<Port>) {
    return (port >> index) & 1;
  } else {
    return (port[index / 32] >> (index % 32)) & 1;
  }
}

template <typename Port>
void set_bit(Port& port, int index, bool value) {
  if constexpr (std::is_integral_v<Port>) {
    port = value ? port | (Port{1} << index) : port & ~(Port{1} << index);
  } else {
    const uint32_t one = 1u << (index % 32);
    port[index / 32] = value ? port[index / 32] | one : port[index / 32] & ~one;
  }
}

template <typename Port>
uint64_t get_field(const Port& port, int low, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; ++i) value |= uint64_t{get_bit(port, low + i)} << i;
  return value;
}

template <typename Port>
void set_field(Port& port, int low, int width, uint64_t value) {
  for (int i = 0; i < width; ++i) set_bit(port, low + i, (value >> i) & 1);
}

// Outputs that answer inputs combinationally are read after settle(); edge() then ends the cycle.
template <typename Top>
void settle(Top& top) {
  top.clk_i = 0;
  top.eval();
}

template <typename Top>
void edge(Top& top) {
  top.clk_i = 1;
  top.eval();
}

template <typename Top>
void reset(Top& top) {
  top.rst_ni = 1;
  settle(top);
  top.rst_ni = 0;
  settle(top);
  edge(top);
  settle(top);
  top.rst_ni = 1;
}

}  // namespace rtl_test
