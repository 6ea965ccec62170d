// SPDX-License-Identifier: Apache-2.0
// sf_stream between a slow memory and an array that drains in random cycles, against the naive
// device: all of memory after each random descriptor, and the cycles in which the unit did not
// wait.
#include <deque>

#include "Vsf_stream.h"
#include "naive_test.hpp"
#include "tests/support/random_stream.hpp"

using namespace rtl_test;
using namespace solfege;

namespace {

constexpr int kLanes = SF_STREAM_LANES;
constexpr size_t kBytes = 6 << 20;

constexpr uint64_t kNever = UINT64_MAX;

/// Cycles in which the reductions leave: a word each, and the lanes of a tensor's sum one by one;
/// and one in which the first is read.
uint64_t reduction_cycles(const Descriptor& d) {
  if (!d.reduce_flush) return 0;
  uint64_t cycles = 0;
  if (d.max_enable) cycles += d.max_per_sample ? d.samples : 1;
  if (d.sum_enable)
    cycles += d.sum_per_channel ? d.channels * (1 + d.sums_twice())
                                : kLanes * (d.sum_per_sample ? d.samples : 1);
  return cycles == 0 ? 0 : cycles + 1;
}

class Bench {
 public:
  Bench() : random(11), naive(config(), kBytes), streams(config(), random, naive.memory, 0) {
    top.clear_i = top.start_i = 0;
    top.tile_valid_i = top.x_response_valid_i = top.z_response_valid_i = 0;
    top.enable_i = 1;
    reset(top);
    random.fill(naive.memory);
  }

  void run(const RandomStream::Descriptors& all) {
    for (const Descriptor& d : all) run(d);
  }
  /// Runs one descriptor on both; they must agree. The array drains random sums. A halt after so
  /// many active cycles, then a clear, as after an error of another engine, end the pass on the
  /// module alone: nothing may come of it afterwards.
  void run(const Descriptor& d, uint64_t halt = kNever) {
    CAPTURE(d.x_from_array, d.count0, d.count1, d.count2, d.count3, d.count4, d.count5, d.x_type,
            d.z_enable, d.z_type, d.pool_enable, d.route_enable, d.accumulate_enable, d.destination,
            d.table, d.quantizer, d.pack_enable, d.max_enable, d.sum_enable, d.sample_first,
            d.samples, d.channels);
    give(top, d);
    for (uint64_t i = 0; d.x_from_array && i < d.steps() * kLanes; ++i)
      naive.drained.push_back(random.mixed(SF_ACCUMULATOR_BITS - 4));
    std::deque<NaiveDevice::Integer> tile = naive.drained;
    std::vector<uint8_t> memory = naive.memory;
    if (halt == kNever) naive.execute(d);
    const int answer = random.between(10, 100), accept = random.between(10, 100),
              drain = random.between(30, 100);
    struct Read {
      bool z;
      uint32_t address;
    };
    std::deque<Read> reads;
    uint64_t active = 1, stalled = 0;  // the start counts, as in sf_engine_queue
    top.start_i = 1;
    settle(top);
    edge(top);
    top.start_i = 0;
    for (bool done = false; !done && (active < halt || !reads.empty());) {
      top.enable_i = active < halt;
      top.x_request_ready_i = random.chance(answer);
      top.z_request_ready_i = random.chance(answer);
      top.element_request_ready_i = random.chance(accept);
      top.pack_request_ready_i = random.chance(accept);
      top.writes_idle_i = random.chance(50);
      top.tile_valid_i = !tile.empty() && random.chance(drain);
      if (top.tile_valid_i)
        for (int lane = 0; lane < kLanes; ++lane)
          set_field(top.tile_chunk_i, lane * SF_ACCUMULATOR_BITS, SF_ACCUMULATOR_BITS,
                    static_cast<uint64_t>(tile[lane]));
      const bool respond = !reads.empty() && random.chance(answer);
      top.x_response_valid_i = respond && !reads.front().z;
      top.z_response_valid_i = respond && reads.front().z;
      if (respond) {
        read_beat(top.response_data_i, memory, reads.front().address);
        reads.pop_front();
      }
      settle(top);
      if (top.x_request_valid_o && top.x_request_ready_i)
        reads.push_back({false, top.x_request_address_o});
      if (top.z_request_valid_o && top.z_request_ready_i)
        reads.push_back({true, top.z_request_address_o});
      if (top.element_request_valid_o && top.element_request_ready_i)
        write_beat(memory, top.element_request_address_o, top.element_request_data_o,
                   top.element_request_strobe_o);
      if (top.pack_request_valid_o && top.pack_request_ready_i)
        write_beat(memory, top.pack_request_address_o, top.pack_request_data_o,
                   top.pack_request_strobe_o);
      // A halt offers nothing new; elements that wait for a beat to leave may let it go.
      if (!top.enable_i) REQUIRE_FALSE(offers());
      if (top.tile_take_o) {
        REQUIRE(top.tile_valid_i);
        tile.erase(tile.begin(), tile.begin() + kLanes);
      }
      done = top.done_o;
      (top.stall_o ? stalled : active) += 1;
      REQUIRE(stalled < 3000000);
      edge(top);
    }
    if (halt != kNever) return clear();
    settle(top);
    CHECK(reads.empty());
    CHECK(tile.empty());
    CHECK(naive.drained.empty());
    CHECK(active == d.steps() + 25 + reduction_cycles(d));
    REQUIRE(naive.first_difference(memory) == -1);
  }

  Random random;
  NaiveDevice naive;
  RandomStream streams;
  Vsf_stream top;

 private:
  bool offers() const {
    return top.x_request_valid_o || top.z_request_valid_o || top.pack_request_valid_o ||
           top.tile_take_o;
  }
  void clear() {
    naive.drained.clear();
    top.x_response_valid_i = top.z_response_valid_i = 0;
    top.enable_i = 0;
    settle(top);
    REQUIRE_FALSE(offers());  // a halt offers nothing new, wherever it comes
    top.clear_i = 1;
    settle(top);
    edge(top);
    top.clear_i = 0;
    top.enable_i = top.tile_valid_i = top.writes_idle_i = 1;
    for (int i = 0; i < 40; ++i) {
      settle(top);
      REQUIRE_FALSE((offers() || top.element_request_valid_o || top.done_o));
      edge(top);
    }
  }
};

}  // namespace

TEST_CASE("passes from memory do as the contract says") {
  Bench bench;
  for (int pass = 0; pass < 70; ++pass) {
    CAPTURE(seed(), pass);
    bench.run(bench.streams.from_memory());
  }
}

TEST_CASE("passes from the array do as the contract says, and sums over samples span them") {
  Bench bench;
  Random& random = bench.random;
  for (int pass = 0; pass < 70; ++pass) {
    CAPTURE(seed(), pass);
    bench.run(bench.streams.from_array(random.pick({1, 1, 2}), random.between(1, 3),
                                       random.pick({1, 1, 2})));
  }
}

TEST_CASE("a pass reads anew the beat with which the pass before ended") {
  Bench bench;
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.count0 = d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = d.samples = 16;
  d.x_type = ElementType::kSigned32;
  d.scale_x = 1;
  d.destination = Destination::kSigned32;
  d.x_address = 0x1000;
  d.destination_address = 0x2000;
  for (int pass = 0; pass < 60; ++pass) {
    CAPTURE(seed(), pass);
    for (int byte = 0; byte < 4 * kLanes; ++byte)
      bench.naive.memory[0x1000 + static_cast<size_t>(byte)] = uint8_t(bench.random.bits(8));
    bench.run(d);
  }
}

TEST_CASE("a pass that is cleared at any time leaves nothing behind") {
  Bench bench;
  Random& random = bench.random;
  for (int pass = 0; pass < 120; ++pass) {
    CAPTURE(seed(), pass);
    const auto all =
        random.chance(60) ? bench.streams.from_memory() : bench.streams.from_array(1, 2, 1);
    // Tables stay whole. Often the halt comes when little more than the reductions is left.
    for (const Descriptor& d : all) {
      if (d.fills_table() || pass % 2 == 1) {
        bench.run(d);
        continue;
      }
      const auto reductions = static_cast<int>(reduction_cycles(d));
      const int total = static_cast<int>(d.steps()) + 25 + reductions;
      bench.run(d, random.chance(50) ? random.between(2, total - 1)
                                     : total - random.between(1, 24 + reductions));
    }
  }
}
