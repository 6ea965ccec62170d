// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cost/eda/mapped_unit.hpp"
#include "cost/gates/vectors.hpp"
#include "model/spec/config.hpp"

namespace solfege {

/// L lanes of a plane, L <= 256.
using LaneWord = std::array<std::uint64_t, 4>;

/// A priced piece of a configuration's hardware: what to map, and what to drive it with.
struct CostUnit {
  UnitDesign design;
  std::vector<Vectors::Port> inputs;  ///< without the clock
  std::string action;                 ///< what one cycle of it does
};

/// The inputs of a processing element, without the clock: their places in pe_inputs().
struct PePort {
  enum : std::size_t {
    kRows,
    kColumn,
    kLowClear,
    kFlush,
    kHighClear,
    kNegate,
    kShift,
    kCapture,
    kDrainShift,
    kDrain
  };
};
std::vector<Vectors::Port> pe_inputs(int planes, int lanes, int accumulator_bits);
/// Drives a port with a word of each plane.
void set_planes(Vectors* vectors, std::size_t port, int lanes, const std::vector<LaneWord>& planes);

/// Units of which a machine has many, and whose energy is taken from their netlists:
///   accumulate        products of words, counted and added to a low sum; a part of pe
///   pe                processing element: accumulate, its low and its high sum
///   operand_register  a word of the array's operand registers
///   correction        a drained sum of codes made one of values
///   stream_lane       a lane of the stream unit, all its stages
///   reduce            a lane of the reductions; their tables are memories
///   random_shared     random source as the design has it: numbers for all lanes a step
///   random_private    a random source of one number a step
///   threshold         the threshold quantizer of a lane (f_A, f_W); a part of stream_lane
///   rounding          its stochastic quantizer (f_G); a part of stream_lane
const std::vector<std::string>& cost_unit_names();
/// How many of a unit a machine has, and through how many gates their clock comes; 0: it always
/// runs.
struct MachineUnit {
  int count = 0, clock_gates = 0;
};
/// The units a machine consists of; the others are parts of these, or alternatives.
std::map<std::string, MachineUnit> machine_units(const Config& config);

/// A unit with the parameters that the generator gives it for `config`. `rtl` is a folder that
/// generate() wrote. std::out_of_range for an unknown name.
CostUnit cost_unit(const std::string& name, const Config& config, const std::string& rtl);

}  // namespace solfege
