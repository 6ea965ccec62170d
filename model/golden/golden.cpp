// SPDX-License-Identifier: Apache-2.0
#include "model/golden/golden.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "model/golden/gemm.hpp"
#include "model/golden/stream.hpp"
#include "model/spec/legality.hpp"

namespace solfege {

GoldenDevice::GoldenDevice(const Config& config, std::size_t memory_bytes, int threads)
    : config_(config),
      geometry_(config),
      memory_(memory_bytes),
      pool_(threads),
      row_buffer_(static_cast<std::size_t>(geometry_.rows.depth) * geometry_.rows.word_bytes),
      column_buffer_(static_cast<std::size_t>(geometry_.columns.depth) *
                     geometry_.columns.word_bytes),
      sums_(static_cast<std::size_t>(geometry_.elements)),
      samples_(static_cast<std::size_t>(config.max_batch)),
      max_(static_cast<std::size_t>(config.max_batch)),
      sum_(static_cast<std::size_t>(config.table_channels)),
      second_(static_cast<std::size_t>(config.table_channels)),
      accumulated_(static_cast<std::size_t>(geometry_.elements * config.sum_tiles)),
      accumulated_wide_(accumulated_.size()) {
  for (auto& table : tables_) table.resize(static_cast<std::size_t>(config.table_channels));
}

std::uint8_t* GoldenDevice::at(std::uint64_t address, std::uint64_t bytes) {
  if (address + bytes > memory_.size())
    throw std::logic_error(
        fmt::format("golden: access to {:#x}..{:#x} leaves the memory of {:#x} bytes", address,
                    address + bytes, memory_.size()));
  return memory_.data() + address;
}

void GoldenDevice::execute(const Descriptor& d) {
  if (const char* rule = broken_rule(d, config_))
    throw std::logic_error(
        fmt::format("golden: an illegal descriptor ({} {}), for which must hold: {}",
                    name(d.opcode), static_cast<std::uint32_t>(d.opcode), rule));
  switch (d.opcode) {
    case Opcode::kLoad:
      return load(d);
    case Opcode::kGemm:
      return GoldenGemm(*this, d).run();
    case Opcode::kStream:
      return GoldenStream(*this, d).run();
    case Opcode::kTranspose:
      return transpose(d);
    case Opcode::kUnfold:
      return unfold(d);
  }
}

void GoldenDevice::load(const Descriptor& d) {
  const auto word_bytes = static_cast<std::size_t>(geometry_.side(d.load_to_columns).word_bytes);
  auto& buffer = d.load_to_columns ? column_buffer_ : row_buffer_;
  const std::size_t bytes = d.load_words * word_bytes;
  const std::size_t offset = d.load_offset * word_bytes;
  std::memcpy(buffer.data() + offset, at(d.load_address, bytes), bytes);
}

// ---- Captured tiles ----

std::size_t GoldenDevice::Tiles::append(std::size_t count, double magnitude) {
  if (begin == end) {
    begin = end = 0;
    bound = 0;
    is_wide = false;
  }
  bound = std::max(bound, magnitude);
  if (bound >= 2147483648.0 && !is_wide) {
    is_wide = true;
    if (wide.size() < end) wide.resize(end);
    std::copy(narrow.begin() + static_cast<std::ptrdiff_t>(begin),
              narrow.begin() + static_cast<std::ptrdiff_t>(end),
              wide.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  const std::size_t first = end;
  end += count;
  // Never shrunk: the memory is used again and again.
  if (is_wide && wide.size() < end) wide.resize(end);
  if (!is_wide && narrow.size() < end) narrow.resize(end);
  return first;
}

void GoldenDevice::Tiles::take(std::size_t count) { begin += count; }

}  // namespace solfege
