// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"
#include "tests/support/seeded_random.hpp"

namespace solfege {

/// Random STREAM descriptors that model/spec/legality.hpp allows, and the operands that they read.
/// Flags and enumerations are drawn over all their bits until the descriptor is legal, so that a
/// new field is tried without a word here. Shapes, strides and places are drawn so that no two
/// results of a pass lie in one place, as schedules have it.
class RandomStream {
 public:
  using Descriptors = std::vector<Descriptor>;

  /// Operands are written to `memory` from `first` on, where results go as well. What a call
  /// returns is to be run, in order, before the next call, which begins at `first` again.
  RandomStream(const Config& config, SeededRandom& random, std::vector<std::uint8_t>& memory,
               std::uint32_t first)
      : random_(random), g_(config), memory_(memory), first_(first), next_(first) {}

  /// A pass over a tensor in memory, after the fills of the tables that it needs. One that reduces
  /// sometimes comes in two parts.
  Descriptors from_memory();
  /// The same for the drain of so many tiles of the array; sums over tiles in one loop are
  /// sometimes accumulated, in one part or more.
  Descriptors from_array(int column_groups, int tiles_x, int tiles_y);

 private:
  /// Where the elements of a pass lie: the strides of its loops, the offset of the first, and how
  /// many places they span.
  struct Nest {
    std::array<std::uint32_t, 6> stride;
    std::uint32_t first, places;
  };

  Descriptor legal(const Descriptor& shape, bool gradient);
  Nest nest(const Descriptor& d, std::uint32_t places);
  void set_places(Descriptor& d, bool gradient);
  void set_planes(Descriptor& d);
  std::uint32_t take(std::uint64_t bytes, int unit);
  std::uint32_t elements(const Nest& nest, ElementType type, const Descriptor& d);
  void write(std::uint64_t address, std::int64_t value, int bytes);
  void gradients(const Descriptor& d, const Nest& nest);
  void add_tables(Descriptors& to, const Descriptor& user, bool gradient);
  template <typename Word>
  void add_table(Descriptors& to, Table table, int rows, int bits, const Word& word);

  SeededRandom& random_;
  const Geometry g_;
  std::vector<std::uint8_t>& memory_;
  const std::uint32_t first_;
  std::uint64_t next_;
  bool filled_ = false;               ///< all tables but the thresholds
  std::vector<std::int32_t> maxima_;  ///< of a gradient's samples
};

}  // namespace solfege
