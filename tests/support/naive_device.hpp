// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"

namespace solfege {

/// model/spec/descriptor.hpp read aloud: every descriptor one element, one lane, one bit at a time,
/// in the order of the contract. Slow, and as plain as possible: what GoldenDevice and the modules
/// of rtl/ are checked against.
class NaiveDevice {
 public:
  NaiveDevice(const Config& config, std::size_t memory_bytes);
  void execute(const Descriptor& d);
  /// The first place at which the memory of another device differs; -1 if none does.
  std::ptrdiff_t first_difference(const std::vector<std::uint8_t>& other) const;

  using Integer = __int128;
  std::vector<std::uint8_t> memory;
  std::deque<Integer> drained;  ///< sums that left the array and that no STREAM has taken, in order

 private:
  struct PlanesAt {
    std::uint64_t address;
    int pixels, planes, words, group;
  };

  void load(const Descriptor& d);
  void gemm(const Descriptor& d);
  void stream(const Descriptor& d);
  void transpose(const Descriptor& d);
  void unfold(const Descriptor& d);
  Integer operand(const Descriptor& d, bool of_rows, int pixel, int group, int member,
                  int lane) const;
  Integer element(std::uint64_t address, ElementType type, std::uint32_t offset, int* tag) const;
  int code(const Descriptor& d, Integer y, std::uint32_t m, std::uint32_t random,
           std::uint32_t chunk, std::uint32_t lane) const;
  int turned_lanes(const Descriptor& d) const;
  bool bit(const PlanesAt& planes, int row, int pixel, int plane, int lane) const;
  void set_bit(const PlanesAt& planes, int row, int pixel, int plane, int lane, bool value);
  void write(std::uint64_t address, int bytes, std::uint64_t value);

  Config c_;
  std::vector<std::uint8_t> row_buffer_, column_buffer_;
  std::vector<Integer> running_;
  std::map<int, std::map<std::uint32_t, std::int32_t>> tables_;      ///< by Table and channel
  std::map<std::array<std::uint32_t, 3>, std::int32_t> thresholds_;  ///< row, node, lane
  std::map<std::uint32_t, std::uint32_t> max_;
  std::map<std::uint32_t, Integer> sum_, second_;
  std::map<std::array<std::uint32_t, 5>, Integer> partial_;  ///< tile, i2, i1, i0, lane
};

}  // namespace solfege
