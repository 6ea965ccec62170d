// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace solfege {

/// A descriptor an engine has completed.
struct Retire {
  int engine = 0;         ///< 0 array, 1 stream, 2 dma, 3 turner
  std::uint16_t tag = 0;  ///< index of the descriptor in the program
  std::uint32_t active_cycles = 0;
  std::uint32_t stall_cycles = 0;
  std::uint64_t cycle = 0;  ///< clock cycles since the platform was constructed
};

/// How a run ended: exactly one of done, error, stopped and timed_out.
struct RunResult {
  bool done = false;       ///< the device completed every descriptor
  bool error = false;      ///< the device reported an error; see error_code and error_tag
  bool stopped = false;    ///< on_retire returned false; the counters were not read
  bool timed_out = false;  ///< neither within the patience; the counters show where it stands
  int error_code = 0;
  int error_engine = 0;  ///< 0 array, 1 stream, 2 dma, 3 turner, 4 descriptor fetch
  int error_tag = 0;     ///< of the descriptor at fault
  Counters counters;
  std::uint64_t first_cycle = 0;  ///< the start register was written
  std::uint64_t last_cycle = 0;   ///< the interrupt was seen, or the run given up
  std::uint32_t fetched = 0;      ///< descriptors that have been asked for
  std::string bus;  ///< timed_out: what the memory bus waits for; empty if for nothing
};

}  // namespace solfege
