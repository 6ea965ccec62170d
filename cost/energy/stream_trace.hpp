// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cost/energy/stream_lane.hpp"
#include "cost/gates/vectors.hpp"
#include "model/golden/golden.hpp"
#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"

namespace solfege {

/// Ports of sf_stream_lane's inputs, in the order of SOLFEGE_LANE_INPUTS.
std::vector<Vectors::Port> lane_ports(const LaneShape& shape);
void append(const LaneInputs& inputs, Vectors* vectors);
LaneInputs lane_inputs(const Vectors& vectors, std::size_t cycle);
/// What a pass does, in words that reports group by: "x from array, z, max, thresholds 2".
std::string stream_mode(const Descriptor& d);

/// What enters a lane's head in a cycle, and what it carries along.
struct LaneItem {
  LaneInputs settings;  ///< inputs that are stable during a pass
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
  /// Where a step's result goes: elements from the destination's address, and the bit of memory
  /// that holds plane 0 of its code.
  std::uint64_t element_index(std::uint64_t step, int lane) const;
  std::uint64_t code_bit(std::uint64_t step, int lane) const;

 private:
  struct Step {
    std::uint64_t x = 0;
    std::uint32_t z = 0;
    std::uint32_t chunk = 0, sample = 0, scale_sample = 0, route_index = 0, pool_index = 0;
    std::uint32_t place = 0, position = 0;
    bool window_first = false, sum_first = false, result = false, valid = false;
    std::uint32_t offset_a = 0, offset_b = 0;  ///< elements
    std::array<std::uint32_t, 6> index{};
  };
  Step step(std::uint64_t number, int lane) const;
  std::uint64_t element(std::uint32_t address, ElementType type, std::uint32_t offset) const;
  LaneInputs settings() const;
  void load_tables(const std::vector<Step>& visited, int lane, std::vector<LaneItem>* items) const;
  void load_sums(std::uint64_t first, const std::vector<Step>& visited, int lane,
                 std::vector<LaneItem>* items) const;
  void bubbles(const LaneInputs* settings, int count, std::vector<LaneItem>* items) const;

  const Config& config_;
  const GoldenDevice& device_;
  const Descriptor& d_;
  const LaneShape shape_;
  std::uint64_t steps_;
  LaneInputs pass_, loading_, summing_high_, summing_low_;
};

}  // namespace solfege
