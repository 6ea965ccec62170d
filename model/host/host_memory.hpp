// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/spec/memory_layout.hpp"

namespace solfege {

class Device;

/// The host's way to the device's memory: every access names a range of one region of the layout,
/// and the values read or written are counted by what the region holds. So the number of elements
/// that the host touches in a step is measured, not claimed.
class HostMemory {
 public:
  HostMemory() = default;
  HostMemory(Device& device, std::vector<MemoryRegion> regions)
      : device_(&device), regions_(std::move(regions)) {}

  /// `count` values of type T from `address` on, for reading or for writing; the pointer is good
  /// until the device runs. Throws std::logic_error where the range is not within one region.
  template <typename T>
  const T* read(std::uint32_t address, std::size_t count = 1) {
    return reinterpret_cast<const T*>(access(address, count, sizeof(T)));
  }
  template <typename T>
  T* write(std::uint32_t address, std::size_t count = 1) {
    return reinterpret_cast<T*>(access(address, count, sizeof(T)));
  }

  /// Values read or written so far in regions of this kind.
  std::uint64_t accesses(MemoryContent content) const {
    return accesses_[static_cast<std::size_t>(content)];
  }

 private:
  std::uint8_t* access(std::uint32_t address, std::size_t count, std::size_t value_bytes);

  Device* device_ = nullptr;
  std::vector<MemoryRegion> regions_;  ///< ascending
  std::array<std::uint64_t, kMemoryContents> accesses_{};
};

}  // namespace solfege
