// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/config.hpp"
#include "model/descriptor.hpp"

namespace solfege {

/// The bit-exact golden model: what each descriptor does to memory, buffers and tables, at the
/// level of integer values (never of plane products, so that it checks the RTL's arithmetic
/// independently). Descriptors run in program order. Shares no code with the RTL; memory layouts
/// are the contract.
class GoldenDevice {
 public:
  GoldenDevice(const Config& config, std::size_t memory_bytes);

  std::vector<std::uint8_t>& memory() { return memory_; }

  /// Runs one descriptor. Throws std::logic_error if it leaves the memory or drains a tile that is
  /// not there: a fault of the scheduler.
  void execute(const Descriptor& descriptor);

 private:
  struct Operand;

  void load(const Descriptor& d);
  void gemm(const Descriptor& d);
  template <typename Number>
  void gemm_as(const Descriptor& d);
  template <typename Product>
  void stream_as(const Descriptor& d);
  void transpose(const Descriptor& d);
  template <typename Number>
  void decode(const std::vector<std::uint8_t>& buffer, int depth, int group, std::uint32_t base,
              const Descriptor& d, bool rows, Number* values) const;
  void flush(const Descriptor& d);
  std::uint8_t* at(std::uint64_t address, std::uint64_t bytes);

  const Config config_;
  std::vector<std::uint8_t> memory_;
  std::vector<std::uint8_t> row_buffer_, column_buffer_;
  std::vector<std::int64_t> sums_;     ///< running sums of the tile that spans descriptors, [R][C]
  std::vector<std::int64_t> drained_;  ///< captured tiles, [tile][R][C], consumed in order
  std::size_t drained_next_ = 0;
  std::array<std::vector<std::int32_t>, 5> tables_;  ///< by Table, a word a channel
  /// Thresholds as loaded: [lane][level] -> (row << level) + prefix, like the RTL's memories.
  std::vector<std::int32_t> thresholds_;  ///< [row][node][lane], node 1..2^k-1 of the last load
  int threshold_nodes_ = 1;
  std::vector<std::uint32_t> samples_;
  std::vector<std::uint32_t> max_;
  std::vector<std::int64_t> sum_;
};

}  // namespace solfege
