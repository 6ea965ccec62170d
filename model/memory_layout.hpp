// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "model/config.hpp"
#include "model/program.hpp"

namespace solfege {

/// Hands out device memory. Regions start at 4 KiB boundaries, so bursts and beats never straddle
/// two of them; address 0 stays unused, so that 0 can mean "none".
class MemoryLayout {
 public:
  explicit MemoryLayout(const Config& config) : config_(config) {}

  /// Throws InputError when a 32-bit address no longer reaches.
  std::uint32_t take(std::uint64_t bytes);
  ElementTensor elements(const std::string& name, int rows, int pixels, int channels,
                         ElementType type);
  PackedTensor planes(const std::string& name, int rows, int pixels, int planes, int lanes,
                      bool columns, PlaneType type);
  /// Bytes up to the end of the last region.
  std::uint32_t size() const { return next_; }

 private:
  Config config_;
  std::uint32_t next_ = 4096;
};

}  // namespace solfege
