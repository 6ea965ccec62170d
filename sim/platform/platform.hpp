// SPDX-License-Identifier: Apache-2.0
// The SystemC platform: a host, a memory and the buses between them, around a Verilated design.
//
//   HostProcess --TLM--> AxiLiteMaster --pins--> Dut --pins--> AxiSlave --TLM--> Memory
//        `------------------------------TLM (backdoor)----------------------------^
//
// SystemC stays inside platform.cpp; whoever uses the platform needs no header of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/spec/registers.hpp"
#include "model/timing/watchdog.hpp"
#include "sim/dut/dut_library.hpp"

namespace solfege {

/// How the memory behaves. Addresses start at 0.
struct MemoryModel {
  /// No latency, full bandwidth, no stalls, whatever the fields below say: data follows its address
  /// by one cycle, and a beat is read and another written every cycle.
  bool ideal = false;
  int latency_cycles = 4;  ///< added to that one cycle, 0..4096
  /// Reads and writes together; 0 is a whole beat of each every cycle.
  double bytes_per_cycle = 0;
  /// Chance that a channel pauses for a cycle, 0..0.95, in steps of 1/4096; each of the five draws
  /// its own.
  double stall_probability = 0;
  std::uint64_t stall_seed = 1;
  /// Reads and writes of the beat with this byte are answered with SLVERR. A write changes nothing.
  std::optional<std::uint64_t> error_address;
  /// Reads and writes of the beat with this byte are never answered, nor what comes after them.
  std::optional<std::uint64_t> silent_address;
};

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

/// A design, its memory and its host. SystemC has one simulation a process, so there can be one
/// Platform a process: constructing a second one throws std::logic_error.
class Platform {
 public:
  /// Elaborates, resets the design and checks that its ID register answers. `bus_bytes` (4..64, a
  /// power of two) is the width the design was generated for. Throws CheckFailed if the design does
  /// not answer, InputError for values out of range.
  Platform(const DutLibrary& library, int bus_bytes, const MemoryModel& model,
           std::size_t memory_bytes);
  ~Platform();
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  /// The memory's bytes, free to read and write between runs and in on_retire. Must keep its size.
  std::vector<std::uint8_t>& memory();

  /// The CONFIG_HASH register: which configuration the design was generated from.
  std::uint64_t config_hash() const;

  /// Clock cycles since construction.
  std::uint64_t cycle() const;

  /// Replaces the memory's behaviour from the next run on; contents stay. Restarts the stalls'
  /// seed.
  void set_memory_model(const MemoryModel& model);

  /// Runs a program: writes its address and length, starts the device and waits for its interrupt,
  /// then reads status and counters and clears them, all over AXI4-Lite.
  ///
  /// `on_retire` (may be empty) is called in the cycle after a descriptor retires, before memory
  /// sees any later access; false ends the run there. A run after one that stopped or timed out
  /// begins with a reset. Throws what on_retire throws, and CheckFailed if the design violates the
  /// AXI protocol or its registers do not answer.
  RunResult run(std::uint32_t descriptor_base, std::uint32_t count,
                const std::function<bool(const Retire&)>& on_retire = {},
                const Patience& patience = {});

  /// Called every few cycles of a run, which ends with what it throws. May be empty.
  void set_poll(std::function<void()> poll);

  /// Makes the next run begin with a reset.
  void reset();

  /// Writes the design's signals to an FST file while from_cycle <= cycle() <= to_cycle; one cycle
  /// is one nanosecond. The library must have been built with waveforms (else InputError). Replaces
  /// an earlier window.
  void trace(const std::string& fst_path, std::uint64_t from_cycle, std::uint64_t to_cycle);
  /// Ends the window and closes the file.
  void end_trace();

 private:
  struct Modules;
  std::unique_ptr<Modules> modules_;
};

}  // namespace solfege
