// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cost/energy/adder_activity.hpp"
#include "model/spec/config.hpp"
#include "model/spec/geometry.hpp"

namespace solfege {

/// The one list of sf_stream_lane's inputs: X(name, width); ports are called name_i. Widths are
/// expressions in LaneShape s.
// clang-format off
#define SOLFEGE_LANE_INPUTS(X)                                                                   \
  X(go, 1) X(scale_x_source, 2) X(scale_z_source, 1) X(offset_enable, 1) X(tanh_enable, 1)       \
  X(mask_enable, 1) X(z_enable, 1) X(z_tagged, 1) X(route_enable, 1) X(accumulate_enable, 1)     \
  X(pool_enable, 1) X(drop_enable, 1) X(drop_threshold, 16) X(narrow, 1)                         \
  X(scale_x, s.stored_bits) X(scale_z, 16) X(shift_x, 6) X(shift_z, 6) X(pack_enable, 1)         \
  X(quantizer, 2) X(quantizer_bits, 4) X(threshold_per_channel, 1)                               \
  X(x, s.value_bits) X(z, 32) X(chunk, 16) X(route_index, 8)                                     \
  X(sample_1, 32) X(sample_7, 32) X(sample_17, 32)                                               \
  X(position_1, s.position_bits) X(position_2, s.position_bits) X(sum_first_2, 1) X(step_2, 1)   \
  X(place_5, s.place_bits) X(place_6, s.place_bits) X(window_first_6, 1) X(pool_index_6, 8)      \
  X(step_6, 1) X(random_6, s.random_bits) X(chunk_8, 16)                                         \
  X(table_write, 5) X(table_row, 16) X(threshold_write, 1) X(threshold_node, 8)                  \
  X(threshold_row, 16)
// clang-format on

/// Parameters of sf_stream_lane that follow from a configuration.
struct LaneShape {
  explicit LaneShape(const Config& config);
  int stored_bits, wide_bits, random_bits, threshold_bits, accumulator_bits;
  int table_rows, threshold_rows, positions, places;
  int value_bits, position_bits, place_bits, product_bits, sum_bits;
};

struct LaneInputs {
#define SOLFEGE_MEMBER(name, width) std::uint64_t name = 0;
  SOLFEGE_LANE_INPUTS(SOLFEGE_MEMBER)
#undef SOLFEGE_MEMBER
};

/// What changes in a lane, as numbers of bits that differ from the cycle before: registers and the
/// values between them, in groups that share a kind of hardware.
// clang-format off
#define SOLFEGE_LANE_ACTIVITY(X)                                                                 \
  X(inputs) X(chunk) X(places) X(samples) X(random) X(words) X(scales) X(x_operand) X(z_operand)           \
  X(z_beside) X(x_partial) X(x_tree) X(x_last) X(x_product) X(x_add) X(x_sum)                    \
  X(z_partial) X(z_tree) X(z_last) X(z_product) X(offset) X(test) X(x_shift) X(x_round) X(x_4)   \
  X(z_shift) X(z_round) X(z_4) X(slope_table) X(slope) X(slope_partial) X(slope_tree)            \
  X(slope_last) X(x_5) X(y_add) X(y_limit) X(y_6) X(y_7) X(pool) X(y_plus_m) X(scaled)           \
  X(noise_partial) X(noise_tree) X(noise_last) X(first_division) X(division) X(remainder)        \
  X(quotient) X(y_beside) X(compare) X(thresholds) X(scaled_partial) X(scaled_tree)              \
  X(scaled_last) X(code) X(register_changes) X(register_ones)
// clang-format on
struct LaneActivity {
#define SOLFEGE_MEMBER(name) double name = 0;
  SOLFEGE_LANE_ACTIVITY(SOLFEGE_MEMBER)
#undef SOLFEGE_MEMBER
};

/// sf_stream_lane clock by clock: the same outputs, and how many bits change inside. Tables
/// included.
class StreamLane {
 public:
  explicit StreamLane(const Config& config);
  /// One cycle: inputs take their values, logic settles; then the clock rises.
  void clock(const LaneInputs& in);
  // Settled in the cycle just run
  std::uint32_t y() const { return settled_.y_7; }
  std::uint8_t tag() const { return settled_.tag_7; }
  std::uint16_t z() const { return settled_.z_low_7; }
  std::uint32_t code() const { return settled_.code; }
  const LaneActivity& activity() const { return activity_; }

 private:
  using Wide = __int128;
  struct Registers {
    std::array<std::int32_t, 5> words{};
    std::int64_t x_1 = 0;
    std::int32_t z_1 = 0;
    std::array<std::uint8_t, 7> z_tag{};  ///< by stage
    std::array<std::uint16_t, 8> z_low{};
    Wide product_x_2 = 0, sum_3 = 0, sum_so_far = 0;
    std::int64_t product_z_2 = 0, product_z_3 = 0;
    std::array<std::int32_t, 6> offset{};
    std::array<bool, 6> pass{};
    std::array<std::uint32_t, 5> slope{};
    std::int32_t x_4 = 0, z_4 = 0, x_5 = 0, z_5 = 0, y_6 = 0;
    std::int32_t best = 0;
    std::uint8_t best_tag = 0;
    std::uint32_t y_7 = 0;
    std::uint8_t tag_7 = 0;
    std::uint16_t z_low_7 = 0;
    std::uint32_t random_7 = 0;
    std::uint64_t scaled_8 = 0, noise_8 = 0;
    std::uint32_t sample_8 = 0;
    std::int32_t y_8 = 0;
    std::array<std::uint64_t, 18> remainder{}, divisor{};
    std::array<std::uint8_t, 18> quotient{}, found{};
    std::array<std::int32_t, 18> y{};
    std::array<std::uint16_t, 18> row{};
    std::array<std::int32_t, 8> threshold{};
    std::uint32_t code = 0;
  };
  /// Values between registers that cost energy.
  struct Logic {
    std::int64_t scale_x = 0, scale_z = 0;
    Wide sum_2 = 0, halves_x = 0, rounded_x = 0;
    std::int64_t halves_z = 0, rounded_z = 0;
    std::uint32_t slope = 0;
    std::int64_t sloped = 0, y_sum = 0;
    std::int32_t limited = 0, pooled = 0;
    std::uint64_t y_plus_m = 0, scaled = 0, noise = 0, first_remainder = 0, first_divisor = 0;
    std::array<std::uint64_t, 18> difference{};
    std::uint64_t scaled_code = 0;
  };
  /// Bits of all registers that differ from `before`, or that are 1.
  double registers_changed(const Registers& before) const;
  void settle(const LaneInputs& in, Logic* logic) const;
  void count_changes(const LaneInputs& in, const Logic& logic);
  void edge(const LaneInputs& in, const Logic& logic);

  const LaneShape shape_;
  std::array<std::vector<std::int32_t>, 5> tables_;
  std::array<std::vector<std::int32_t>, 8> levels_;
  std::vector<Wide> sums_;
  std::vector<std::pair<std::int32_t, std::uint8_t>> pool_;
  Registers now_, settled_;  ///< after the last edge, and before it
  Logic before_;
  Registers registers_before_;
  LaneInputs inputs_before_;
  LaneActivity activity_;
};

}  // namespace solfege
