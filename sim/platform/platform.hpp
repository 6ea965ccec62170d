// SPDX-License-Identifier: Apache-2.0
// The SystemC platform: a host, a memory and the buses between them, around a Verilated design.
//
//   HostProcess --TLM--> AxiLiteMaster --pins--> Dut --pins--> AxiSlave --TLM--> Memory
//        `------------------------------TLM (backdoor)----------------------------^
//
// SystemC stays inside this folder; whoever uses the platform needs no header of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/spec/registers.hpp"
#include "model/timing/watchdog.hpp"
#include "sim/dut/dut_library.hpp"
#include "sim/platform/memory_model.hpp"
#include "sim/platform/run_result.hpp"

namespace solfege {

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
