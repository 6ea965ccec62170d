// SPDX-License-Identifier: Apache-2.0
#include "model/spec/memory_layout.hpp"

#include <fmt/format.h>

#include "model/base/error.hpp"

namespace solfege {

std::uint32_t MemoryLayout::take(std::uint64_t bytes, MemoryContent content) {
  const std::uint32_t address = next_;
  const std::uint64_t end = next_ + whole_pages(bytes);
  if (end > 0xf0000000u)
    throw InputError(
        "the tensors need more than the 4 GiB a 32-bit address reaches, whatever the "
        "configuration; "
        "lower --batch or choose a smaller network");
  next_ = static_cast<std::uint32_t>(end);
  regions_.push_back({address, bytes, content});
  return address;
}

ElementTensor MemoryLayout::elements(const std::string& name, int rows, int pixels, int channels,
                                     ElementType type, MemoryContent content) {
  ElementTensor t{name, 0, rows, pixels, channels, type};
  // Not by size(), whose strides are of 32 bits: they hold what is accepted here.
  t.address = take(static_cast<std::uint64_t>(blocks(rows)) * static_cast<std::uint64_t>(pixels) *
                       t.pixel_stride() * static_cast<std::uint64_t>(t.bytes()),
                   content);
  return t;
}

PackedTensor MemoryLayout::planes(const std::string& name, int rows, int pixels, int planes,
                                  int lanes, bool columns, const PlaneReading& reading,
                                  MemoryContent content) {
  const int group = columns ? config_.columns : config_.rows;
  PackedTensor t{name, 0, rows, pixels, planes, lanes, columns, reading, group, config_.lanes};
  t.address = take(static_cast<std::uint64_t>(t.groups()) * static_cast<std::uint64_t>(t.pixels) *
                       static_cast<std::uint64_t>(t.pixel_words()) * t.group_word_bytes(),
                   content);
  return t;
}

}  // namespace solfege
