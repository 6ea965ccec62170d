// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/spec/config.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/program.hpp"

namespace solfege {

/// What a region of device memory holds. The host may compute on scalars (one a channel, sample,
/// threshold or layer) and logits, and lays out the bits of images; other elements and planes are
/// the device's own.
enum class MemoryContent { kElements, kScalars, kLogits, kImages };
constexpr std::size_t kMemoryContents = 4;

struct MemoryRegion {
  std::uint32_t address = 0;
  std::uint64_t bytes = 0;
  MemoryContent content = MemoryContent::kElements;
};

/// Hands out device memory. Regions start at 4 KiB boundaries, so bursts and beats never straddle
/// two of them; address 0 stays unused, so that 0 can mean "none".
class MemoryLayout {
 public:
  explicit MemoryLayout(const Config& config) : config_(config) {}

  /// Throws InputError when a 32-bit address no longer reaches.
  std::uint32_t take(std::uint64_t bytes, MemoryContent content = MemoryContent::kScalars);
  ElementTensor elements(const std::string& name, int rows, int pixels, int channels,
                         ElementType type, MemoryContent content = MemoryContent::kElements);
  PackedTensor planes(const std::string& name, int rows, int pixels, int planes, int lanes,
                      bool columns, const PlaneReading& reading,
                      MemoryContent content = MemoryContent::kElements);
  /// Bytes up to the end of the last region.
  std::uint32_t size() const { return next_; }
  /// All that was handed out, by ascending address.
  const std::vector<MemoryRegion>& regions() const { return regions_; }

 private:
  Config config_;
  std::uint32_t next_ = kPageBytes;
  std::vector<MemoryRegion> regions_;
};

}  // namespace solfege
