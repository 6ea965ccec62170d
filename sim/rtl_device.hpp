// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "model/host/device.hpp"
#include "model/spec/config.hpp"
#include "model/timing/timing_model.hpp"
#include "sim/platform/platform.hpp"
#include "sim/waveform_file.hpp"

namespace solfege {

struct RtlOptions {
  bool lockstep = false;  ///< compare every tensor with the golden model after every descriptor
  MemoryModel memory;
  DutOptions dut;
  std::string design_directory;   ///< of generate(), simulated as it stands; empty: made anew
  std::string netlist_directory;  ///< of write_netlist(), simulated in the RTL's place
  std::string fst_path;           ///< empty: no waveforms
  std::uint64_t fst_from = 0, fst_to = 100000;  ///< cycles
};

/// What the runs so far have shown. Descriptors: cycles in which their engine advances, and those
/// in which it only waits (`stall`). Step: the device's own count of busy cycles, all engines
/// together.
struct RtlTally {
  std::uint64_t compared_bits = 0, mismatched_bits = 0;
  std::uint64_t simulated_cycles = 0, predicted_cycles = 0, stall_cycles = 0;
  std::uint64_t descriptors = 0,
                cycles_apart =
                    0;  ///< descriptors and programs whose cycles differ from the model's
  /// Whole programs by the timing model; 0 where the memory pauses at random.
  std::uint64_t predicted_device_cycles = 0;
  Counters counters;             ///< of the device, summed over runs
  std::string first_difference;  ///< empty while all is equal
  std::string first_difference_in_cycles;
};

/// The Verilated design, or its netlist, as a device, alone or in lockstep with the golden model.
class RtlDevice : public Device {
 public:
  /// Generates and builds the simulator if it is not cached.
  RtlDevice(const Config& config, std::size_t memory_bytes, const RtlOptions& options);
  ~RtlDevice() override;

  std::vector<std::uint8_t>& memory() override { return platform_->memory(); }
  /// Throws CheckFailed with the first difference in lockstep, when the device reports an error,
  /// and, with what every engine waits for, when it takes many times what the timing model
  /// predicts.
  void run(const Program& program) override;

  /// Interrupts the program by a memory that answers one beat with a bus error, which must end it
  /// if it uses that beat; then runs it as run() does, to show that the device has forgotten the
  /// first attempt. Compares no waiting cycles, which depend on what the first attempt left in the
  /// arbiters. Throws CheckFailed like run().
  void run_after_error(const Program& program, std::uint32_t error_address);

  const RtlTally& tally() const { return tally_; }

  /// Ends the waveforms, if there are any, once all runs are done. InputError if they cannot be
  /// written.
  void finish_waveforms();

 private:
  class Run;
  /// `predicts`: the timing model is exact, as without pauses and when started from a reset.
  void run(const Program& program, bool predicts);
  void place(const Program& program);  ///< writes it to where the device fetches programs
  /// Compares one region with its expected bytes; returns false and notes the difference if there
  /// is one.
  bool compare(const Operation& operation, std::size_t index, const Region& region,
               const std::uint8_t* expected, std::uint64_t cycle);

  Config config_;
  std::unique_ptr<WaveformFile> waveforms_;  ///< null: none; outlives its writer
  std::unique_ptr<Platform> platform_;
  std::unique_ptr<GoldenDevice> golden_;
  MemoryModel memory_model_;
  MemoryTiming memory_timing_;
  double stall_probability_ = 0;         ///< of the memory's channels
  std::unique_ptr<TimingModel> timing_;  ///< null before the first run, and after a failed one
  std::uint32_t program_address_;
  bool lockstep_;
  RtlTally tally_;
};

}  // namespace solfege
