// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/base/interrupt.hpp"
#include "model/golden/golden.hpp"
#include "model/spec/program.hpp"

namespace solfege {

/// What the host sees of an accelerator: its memory, and running a program to the end.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::vector<std::uint8_t>& memory() = 0;
  /// Runs the program; on return its results are in memory.
  virtual void run(const Program& program) = 0;
};

/// The golden model as a device.
class GoldenOnly : public Device {
 public:
  GoldenOnly(const Config& config, std::size_t memory_bytes) : golden_(config, memory_bytes) {}
  std::vector<std::uint8_t>& memory() override { return golden_.memory(); }
  void run(const Program& program) override {
    for (const Operation& operation : program.operations) {
      Interrupt::check();
      golden_.execute(operation.descriptor);
    }
  }

 private:
  GoldenDevice golden_;
};

}  // namespace solfege
