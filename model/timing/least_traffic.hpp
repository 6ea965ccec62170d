// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "model/spec/geometry.hpp"
#include "model/spec/program.hpp"

namespace solfege {

/// The bytes that operations have to move between them at least: each operand is read once and each
/// result written once, however often descriptors come back to it, and no beat is filled in part.
class LeastTraffic {
 public:
  explicit LeastTraffic(const Config& config) : geometry_(config) {}
  void add(const Operation& operation);
  std::uint64_t bytes() const;

 private:
  /// Bytes from `begin` on, as a part of what is read or written.
  using Intervals = std::map<std::uint64_t, std::uint64_t>;
  static void unite(Intervals& intervals, std::uint64_t begin, std::uint64_t bytes);
  /// Elements that a stream reader takes from `address`, in the order of A or B strides.
  void read_elements(const Descriptor& d, bool strides_b, std::uint32_t address, ElementType type);

  const Geometry geometry_;
  Intervals loaded_, written_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t>
      elements_;  ///< by address, chunk
};

}  // namespace solfege
