// SPDX-License-Identifier: Apache-2.0
// sf_loop_nest against the formulas of model/spec/descriptor.hpp, in both orders, advanced in
// random cycles.
#include "Vsf_loop_nest.h"
#include "rtl_test.hpp"
#include "sf_fields.hpp"

using namespace rtl_test;

namespace {

constexpr int kLanes = SF_STREAM_LANES;
constexpr int kParts = 16 / kLanes;  // chunks of a block row

struct Nest {
  bool tile_order, strides_b, accumulate;
  int count[6];
  uint32_t stride[6];
  int channels, samples, chunk_first, sample_first, accumulate_sample, accumulate_tile;
};

Nest random_nest(Random& random) {
  Nest n{};
  n.tile_order = random.chance(50);
  n.strides_b = random.chance(50);
  n.accumulate = random.chance(50);
  for (int i = 0; i < 6; ++i) {
    n.count[i] = random.between(1, 3);
    n.stride[i] = static_cast<uint32_t>(random.bits(32));
  }
  if (n.tile_order) {
    n.count[1] = random.between(1, 16);
  } else {
    // Whole blocks, or the consecutive words of a table
    n.count[0] =
        random.chance(70) ? random.between(1, 2) * 16 * kParts : random.between(1, 40 * kParts);
  }
  n.channels = random.between(0, 3 * 16);
  n.samples = random.between(0, 48);
  n.chunk_first = n.tile_order ? random.between(0, 5) : kParts * random.between(0, 3);
  n.sample_first = random.between(0, 20);
  n.accumulate_sample = random.between(0, 60000);
  n.accumulate_tile = random.between(0, 200);
  return n;
}

void give(Vsf_loop_nest& top, Random& random, const Nest& n) {
  constexpr int kCountAt[6] = {F_COUNT0, F_COUNT1, F_COUNT2, F_COUNT3, F_COUNT4, F_COUNT5};
  constexpr int kStrideAt[2][6] = {
      {0, F_STRIDE_A1, F_STRIDE_A2, F_STRIDE_A3, F_STRIDE_A4, F_STRIDE_A5},
      {0, F_STRIDE_B1, F_STRIDE_B2, F_STRIDE_B3, F_STRIDE_B4, F_STRIDE_B5}};
  for (int i = 0; i < 32; ++i) top.descriptor_i[i] = static_cast<uint32_t>(random.bits(32));
  for (int i = 0; i < 6; ++i) {
    set_field(top.descriptor_i, kCountAt[i], 16, n.count[i]);
    if (i > 0) set_field(top.descriptor_i, kStrideAt[n.strides_b][i], 32, n.stride[i]);
  }
  set_field(top.descriptor_i, F_X_FROM_ARRAY, 1, n.tile_order);
  set_field(top.descriptor_i, F_ACCUMULATE_ENABLE, 1, n.accumulate);
  set_field(top.descriptor_i, F_CHANNELS, 16, n.channels);
  set_field(top.descriptor_i, F_SAMPLES, 16, n.samples);
  set_field(top.descriptor_i, F_CHUNK_FIRST, 16, n.chunk_first);
  set_field(top.descriptor_i, F_SAMPLE_FIRST, 16, n.sample_first);
  set_field(top.descriptor_i, F_ACCUMULATE_SAMPLE, 16, n.accumulate_sample);
  set_field(top.descriptor_i, F_ACCUMULATE_TILE, 8, n.accumulate_tile);
  top.strides_b_i = n.strides_b;
}

/// What the outputs must be at indices `at`; counts the differences.
int differences(const Vsf_loop_nest& top, const Nest& n, const int* at) {
  int row, chunk, sample;
  uint32_t offset;
  if (n.tile_order) {
    sample = n.sample_first + 16 * at[2] + at[1];
    chunk = n.chunk_first + at[3] * n.count[0] + at[0];
    row = sample % 16;
    offset = at[2] * n.stride[2] + at[4] * n.stride[4] + at[5] * n.stride[5] +
             256 * (chunk * kLanes / 16) + 16 * row + chunk * kLanes % 16;
  } else {
    row = at[0] / kParts % 16;
    sample = n.sample_first + 16 * at[5] + row;
    chunk = n.chunk_first + at[0] / kParts / 16 * kParts + at[0] % kParts;
    offset = 256 * (n.chunk_first / kParts) + at[0] * kLanes;
    for (int i = 1; i < 6; ++i) offset += at[i] * n.stride[i];
  }
  bool end[6], last = true;
  for (int i = 0; i < 6; ++i) {
    end[i] = at[i] == n.count[i] - 1;
    last = last && end[i];
  }
  int wrong = 0;
  wrong += !top.active_o || top.last_o != last;
  wrong += top.valid_o != (chunk * kLanes < n.channels && sample < n.samples);
  wrong += top.offset_o != offset || top.chunk_o != chunk || top.sample_o != sample;
  wrong += top.scale_sample_o != (n.accumulate ? (n.accumulate_sample + at[4]) % 65536 : sample);
  wrong += top.route_index_o != (at[3] * n.count[1] + at[1]) % 256;
  wrong += top.pool_index_o != (at[2] * n.count[1] + at[1]) % 256;
  wrong += top.window_first_o != (at[1] == 0 && at[2] == 0);
  wrong += top.window_last_o != (end[1] && end[2]);
  wrong += top.place_o != at[0];
  wrong += top.again_o != (at[1] > 0);
  wrong += top.position_o != (at[2] * n.count[1] + at[1]) * n.count[0] + at[0];
  wrong += top.sum_tile_o != n.accumulate_tile + at[3];
  wrong += top.sum_first_o != (at[4] == 0) || top.sum_last_o != end[4];
  wrong += top.pixel_end_o != end[0];
  wrong += top.row_block_end_o != (end[0] && end[1] && end[2] && end[3] && end[4]);
  return wrong;
}

}  // namespace

TEST_CASE("chunks come in the order of six nested loops") {
  Random random(2);
  Vsf_loop_nest top;
  top.start_i = top.advance_i = 0;
  reset(top);
  for (int trial = 0; trial < 300; ++trial) {
    CAPTURE(seed(), trial);
    const Nest n = random_nest(random);
    CAPTURE(n.tile_order, n.strides_b, n.count[0], n.count[1], n.count[2], n.count[3], n.count[4],
            n.count[5]);
    give(top, random, n);
    top.start_i = 1;
    settle(top);
    REQUIRE(top.active_o == 0);
    edge(top);
    top.start_i = 0;
    int wrong = 0;
    int at[6];
    for (at[5] = 0; at[5] < n.count[5]; ++at[5])
      for (at[4] = 0; at[4] < n.count[4]; ++at[4])
        for (at[3] = 0; at[3] < n.count[3]; ++at[3])
          for (at[2] = 0; at[2] < n.count[2]; ++at[2])
            for (at[1] = 0; at[1] < n.count[1]; ++at[1])
              for (at[0] = 0; at[0] < n.count[0]; ++at[0]) do {
                  top.advance_i = random.chance(70);
                  settle(top);
                  wrong += differences(top, n, at);
                  edge(top);
                } while (!top.advance_i);
    top.advance_i = 0;
    settle(top);
    REQUIRE(wrong == 0);
    REQUIRE(top.active_o == 0);
  }
}
