// SPDX-License-Identifier: Apache-2.0
#include "sim/platform/memory_model.hpp"

#include <string>

#include "model/base/error.hpp"

namespace solfege {

void check(const MemoryModel& model) {
  if (model.latency_cycles < 0 || model.latency_cycles > 4096) {
    throw InputError("memory latency " + std::to_string(model.latency_cycles) +
                     ": must be 0 to 4096 cycles");
  }
  if (!(model.bytes_per_cycle == 0 ||
        (model.bytes_per_cycle >= 1.0 / 64 && model.bytes_per_cycle <= 4096))) {
    throw InputError("memory bandwidth " + std::to_string(model.bytes_per_cycle) +
                     ": must be 0 (unlimited) or 1/64 to 4096 bytes a cycle");
  }
  if (!(model.stall_probability >= 0 && model.stall_probability <= 0.95)) {
    throw InputError("memory stall probability " + std::to_string(model.stall_probability) +
                     ": must be 0 to 0.95");
  }
}

MemoryModel effective(MemoryModel model) {
  check(model);
  if (model.ideal) {
    model.latency_cycles = 0;
    model.bytes_per_cycle = 0;
    model.stall_probability = 0;
  }
  return model;
}

}  // namespace solfege
