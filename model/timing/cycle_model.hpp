// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/spec/config.hpp"
#include "model/spec/program.hpp"
#include "model/timing/timing_model.hpp"

namespace solfege {

/// Word operations the array executes for a GEMM descriptor (one a cycle), each a group of row
/// planes by a plane of the columns: valid taps only, and one idle operation for a tile without
/// any.
std::uint64_t gemm_operations(const Descriptor& d, const Config& config);

/// Words of row planes that these operations read, and flushes of the elements' low sums.
std::uint64_t gemm_row_words(const Descriptor& d, const Config& config);
std::uint64_t gemm_flushes(const Descriptor& d, const Config& config);

/// Cycles in which the engine advances for a descriptor, from its start to its retirement; equal to
/// what the RTL counts. Waiting for memory, tokens or another engine is stalling and not part of
/// it.
std::uint64_t active_cycles(const Descriptor& d, const Config& config);

/// Operations of each tile of a GEMM, in order (column groups, innermost, share one figure).
std::vector<std::uint32_t> tile_operations(const Descriptor& d, const Config& config);

/// One row of the report: a layer's pass.
struct PassCycles {
  std::string name, pass;
  double ideal_cycles = 0;         ///< useful plane-pair words / array size
  std::uint64_t array_cycles = 0;  ///< GEMMs occupy the array, waiting for the drain included
  std::uint64_t stream_cycles = 0, turner_cycles = 0;  ///< these engines are occupied
  std::uint64_t cycles = 0;  ///< by which its operations move the end of the step on
  std::uint64_t read_bytes = 0, write_bytes = 0;  ///< whole beats
  std::uint64_t least_bytes = 0;  ///< if it read and wrote once what it touches: LeastTraffic
  std::string bound_by;           ///< array, stream, turner or memory: which is busiest
  std::uint64_t bytes() const { return read_bytes + write_bytes; }
};

struct StepCycles {
  double ideal_cycles = 0;
  std::uint64_t array_cycles = 0, cycles = 0, bytes_moved = 0, least_bytes = 0;
  std::vector<PassCycles> passes;
};

/// The cycles of a whole step by layer and pass, from the timing of its programs (which follow one
/// another: the host waits for each, in no time).
StepCycles step_cycles(const std::vector<Program>& programs,
                       const std::vector<ProgramTiming>& timings, const Config& config);

}  // namespace solfege
