// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.hpp"
#include "model/program.hpp"

namespace solfege {

/// Plane-pair word operations the array executes for a GEMM descriptor (one a cycle): valid taps
/// only, and one idle operation for a tile without any.
std::uint64_t gemm_operations(const Descriptor& d);

/// Cycles in which the engine advances for a descriptor, from its start to its retirement; equal to
/// what the RTL counts. Waiting for memory, tokens or another engine is stalling and not part of
/// it.
std::uint64_t active_cycles(const Descriptor& d, const Config& config);

/// Bytes a descriptor moves over the memory bus, in whole beats.
struct Traffic {
  std::uint64_t read_beats = 0, write_beats = 0;
};
Traffic traffic(const Descriptor& d, const Config& config);

/// One row of the report: a layer's pass.
struct PassCycles {
  std::string name, pass;
  double ideal_cycles = 0;         ///< useful plane-pair words / array size
  std::uint64_t array_cycles = 0;  ///< GEMMs occupy the array
  std::uint64_t cycles = 0;        ///< from the first start to the last end of its operations, not
                                   ///< overlapped by earlier passes
  std::uint64_t bytes = 0;
  std::string bound_by;  ///< array, stream or memory: which is busiest
};

struct StepCycles {
  double ideal_cycles = 0;
  std::uint64_t array_cycles = 0, cycles = 0, bytes_moved = 0;
  std::vector<PassCycles> passes;
};

/// Cycles of a whole step: descriptors' active cycles, the tokens between engines, the drain
/// handshake tile by tile, and the memory bus at one beat a cycle and direction. An estimate where
/// engines share the bus: their beats are not interleaved cycle by cycle.
StepCycles step_cycles(const std::vector<Program>& programs, const Config& config);

}  // namespace solfege
