// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cost/gates/vectors.hpp"
#include "model/golden/golden.hpp"
#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/pipeline.hpp"

namespace solfege {

/// The one list of sf_stream_lane's inputs, but for clock, descriptor and samples_7: X(name,
/// width); ports are called name_i. Widths are expressions in LaneShape s.
// clang-format off
#define SOLFEGE_LANE_INPUTS(X)                                                                   \
  X(x, s.value_bits) X(z, 32) X(chunk, 16) X(chunk_new, 1) X(route_index, 8)                     \
  X(sample_1, 32)                                                                                \
  X(position_1, s.position_bits) X(position_2, s.position_bits) X(sum_first_2, 1) X(step_2, 1)   \
  X(place_5, s.place_bits) X(place_6, s.place_bits) X(window_first_6, 1) X(pool_index_6, 8)      \
  X(step_6, 1) X(random_6, s.random_bits) X(chunk_8, 16) X(turn, 3)                              \
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

/// The inputs of a lane in a cycle; go_i is always 1.
struct LaneInputs {
  EncodedDescriptor descriptor{};
  std::array<std::uint32_t, kLaneStages - kResultStage> samples_7{};  ///< at stages 7 to 17
#define SOLFEGE_MEMBER(name, width) std::uint64_t name = 0;
  SOLFEGE_LANE_INPUTS(SOLFEGE_MEMBER)
#undef SOLFEGE_MEMBER
};

/// Ports of sf_stream_lane's inputs: go_i, descriptor_i, samples_7_i, then in the order of
/// SOLFEGE_LANE_INPUTS.
std::vector<Vectors::Port> lane_ports(const LaneShape& shape);
void append(const LaneInputs& inputs, Vectors* vectors);
/// What a pass does in a lane, by the names of its fields: "array+mask+z", "memory+thresholds2".
std::string stream_mode(const Descriptor& d);

/// What enters a lane's head in a cycle, and what it carries along.
struct LaneItem {
  EncodedDescriptor descriptor{};  ///< of the pass
  std::uint64_t x = 0;
  std::uint32_t z = 0, chunk = 0, route_index = 0, pool_index = 0, place = 0, position = 0;
  std::uint32_t sample = 0;  ///< value of the sample table for this step
  std::uint32_t random = 0;
  std::uint32_t table_write = 0, table_row = 0, node = 0;
  bool window_first = false, sum_first = false;
  bool moves = false;  ///< a step, not a bubble
};
/// The inputs in each cycle: every value at the stage at which the lane takes it.
std::vector<LaneInputs> lane_cycles(const std::vector<LaneItem>& items);

/// Windows of a STREAM descriptor as one lane of the stream unit sees them, with the operands that
/// the golden device holds before it executes the descriptor. The unit never waits.
class StreamTrace {
 public:
  StreamTrace(const Config& config, const GoldenDevice& device, const Descriptor& d);

  struct Window {
    std::vector<LaneInputs> cycles;
    std::size_t warm_up = 0;          ///< cycles before the window: tables and states are loaded
    std::vector<bool> step_result_7;  ///< a result is at stage 7
    std::vector<bool> result_7;       ///< and the lane is inside the tensor
    std::vector<std::uint16_t> chunk_7, sample_7;
    std::vector<std::uint64_t> step;  ///< that is at the head; steps() where there is none
  };
  std::uint64_t steps() const { return steps_; }
  /// Steps first .. first + count - 1 at the head, one a cycle.
  Window window(std::uint64_t first, std::size_t count, int lane) const;
  std::uint64_t results_before(std::uint64_t step) const;

 private:
  struct Step {
    std::uint64_t number = 0, x = 0;
    std::uint32_t z = 0;
    std::uint32_t chunk = 0, sample = 0, scale_sample = 0, route_index = 0, pool_index = 0;
    std::uint32_t place = 0, position = 0;
    bool window_first = false, sum_first = false, result = false, valid = false;
    std::uint32_t offset_a = 0, offset_b = 0;  ///< elements
  };
  Step step(std::uint64_t number, int lane) const;
  std::uint64_t element(std::uint32_t address, ElementType type, std::uint32_t offset) const;
  void load_tables(const std::vector<Step>& visited, int lane, std::vector<LaneItem>* items) const;
  void load_sums(std::uint64_t first, const std::vector<Step>& visited, int lane,
                 std::vector<LaneItem>* items) const;
  void bubbles(const EncodedDescriptor& pass, int count, std::vector<LaneItem>* items) const;

  const Config& config_;
  const GoldenDevice& device_;
  const Descriptor& d_;
  const LaneShape shape_;
  std::uint64_t steps_;
  EncodedDescriptor pass_, loading_, summing_high_, summing_low_;
};

}  // namespace solfege
