// SPDX-License-Identifier: Apache-2.0
#include "model/host/host_memory.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "model/host/device.hpp"

namespace solfege {

std::uint8_t* HostMemory::access(std::uint32_t address, std::size_t count,
                                 std::size_t value_bytes) {
  const auto after = std::upper_bound(
      regions_.begin(), regions_.end(), address,
      [](std::uint32_t wanted, const MemoryRegion& region) { return wanted < region.address; });
  const std::uint64_t end = address + std::uint64_t{count} * value_bytes;
  if (after == regions_.begin() || end > std::prev(after)->address + std::prev(after)->bytes)
    throw std::logic_error(fmt::format(
        "the host accesses {} bytes at 0x{:x}, which are not of one region of the layout",
        count * value_bytes, address));
  accesses_[static_cast<std::size_t>(std::prev(after)->content)] += count;
  return device_->memory().data() + address;
}

}  // namespace solfege
