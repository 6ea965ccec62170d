// SPDX-License-Identifier: Apache-2.0
#include "model/spec/stream_nest.hpp"

#include <catch2/catch.hpp>
#include <random>

namespace solfege {
namespace {

constexpr int kLanes = 4;

Descriptor random_nest(std::mt19937& random) {
  const auto up_to = [&](std::uint32_t most) { return random() % most + 1; };
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.x_from_array = random() % 2;
  d.count0 = up_to(16);
  d.count1 = up_to(4);
  d.count2 = up_to(3);
  d.count3 = up_to(3);
  d.count4 = up_to(3);
  d.count5 = up_to(2);
  d.chunk_first = d.x_from_array ? up_to(5) : 16 / kLanes * up_to(3);
  d.sample_first = 16 * up_to(3);
  d.channels = up_to(60);
  d.samples = up_to(100);
  for (std::uint32_t* stride :
       {&d.stride_a1, &d.stride_a2, &d.stride_a3, &d.stride_a4, &d.stride_a5, &d.stride_b1,
        &d.stride_b2, &d.stride_b3, &d.stride_b4, &d.stride_b5})
    *stride = up_to(5000);
  return d;
}

bool same(const StreamNest& a, const StreamNest& b) {
  return a.active() == b.active() && a.chunk() == b.chunk() && a.sample() == b.sample() &&
         a.offset() == b.offset() && a.valid(1) == b.valid(1) && a.last() == b.last() &&
         a.window_index() == b.window_index() && a.sum_last() == b.sum_last();
}

TEST_CASE("A step of the stream's nest is the same however it is reached") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    const Descriptor d = random_nest(random);
    const bool b = round % 2 == 1;
    StreamNest walked(d, b, kLanes);
    std::uint64_t wrong = 0, apart = 0, steps = 0;
    for (; walked.active(); walked.advance(), ++steps) {
      StreamNest sought(d, b, kLanes);
      sought.seek(steps);
      wrong += !same(walked, sought);
      // Known bad: the step after it is another
      if (steps + 1 < d.steps()) {
        sought.seek(steps + 1);
        apart += same(walked, sought) ? 0 : 1;
      }
    }
    CHECK(steps == d.steps());
    CHECK(wrong == 0);
    CHECK(apart + 1 == steps);
  }
}

TEST_CASE("Changes of the chunk and of the row of samples are those that a walk counts") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 400; ++round) {
    const int lanes = 1 << (1 + round % 4);
    Descriptor d = random_nest(random);
    const auto unsigned_lanes = static_cast<std::uint32_t>(lanes);
    d.sample_first = random() % 40;
    if (d.x_from_array) {
      d.count0 = random() % 2 + 1;
      d.count1 = random() % (16 - d.sample_first % 16) + 1;  // within a block of rows
      d.accumulate_enable = random() % 2;
      if (d.accumulate_enable) d.count3 = d.count5 = 1;
      d.accumulate_sample = random() % 50;
    } else {
      d.count0 = 256 / unsigned_lanes * (random() % 3 + 1);  // whole blocks
      d.sample_first = 0;
      d.chunk_first = 0;
    }
    std::uint64_t chunks = 0, rows = 0;
    std::uint32_t chunk = 0, row = 0;
    bool begun = false;
    for (StreamNest nest(d, false, lanes); nest.active(); nest.advance()) {
      const std::uint32_t sample =
          d.accumulate_enable ? d.accumulate_sample + nest.index(4) : nest.sample();
      chunks += !begun || nest.chunk() != chunk;
      rows += !begun || sample / unsigned_lanes != row;
      begun = true;
      chunk = nest.chunk();
      row = sample / unsigned_lanes;
    }
    INFO("round " << round << ", " << lanes << " lanes, from the array: " << d.x_from_array
                  << ", counts " << d.count0 << " " << d.count1 << " " << d.count2 << " "
                  << d.count3 << " " << d.count4 << " " << d.count5);
    CHECK(chunk_changes(d, lanes) == chunks);
    CHECK(sample_row_changes(d, lanes) == rows);
  }
}

}  // namespace
}  // namespace solfege
