// SPDX-License-Identifier: Apache-2.0
// sf_loop_nest against five nested loops, advanced in random cycles.
#include "Vsf_loop_nest.h"
#include "rtl_test.hpp"
#include "sf_fields.hpp"

using namespace rtl_test;

TEST_CASE("chunks come in the order of five nested loops") {
  Random random(2);
  Vsf_loop_nest top;
  top.start_i = top.advance_i = 0;
  reset(top);
  constexpr int kCountAt[5] = {F_COUNT0, F_COUNT1, F_COUNT2, F_COUNT3, F_COUNT4};
  constexpr int kStrideAt[5] = {0, F_STRIDE1, F_STRIDE2, F_STRIDE3, F_STRIDE4};
  for (int nest = 0; nest < 300; ++nest) {
    CAPTURE(seed(), nest);
    int count[5];
    uint32_t stride[5] = {SF_STREAM_LANES};
    for (int i = 0; i < 32; ++i) top.descriptor_i[i] = random.bits(32);
    for (int i = 0; i < 5; ++i) {
      count[i] = random.between(1, 4);
      set_field(top.descriptor_i, kCountAt[i], 16, count[i]);
      if (i > 0) {
        stride[i] = random.bits(32);
        set_field(top.descriptor_i, kStrideAt[i], 32, stride[i]);
      }
    }
    // Loop 0 or above 4: no loop counts.
    const int sample_loop = random.between(0, 7);
    const int group_loop = random.between(0, 7);
    const int channels = random.between(0, 12 * SF_STREAM_LANES);
    const int samples = random.between(0, 6);
    const int chunk_first = random.between(0, 5);
    const int sample_first = random.between(0, 3);
    set_field(top.descriptor_i, F_SAMPLE_LOOP, 3, sample_loop);
    set_field(top.descriptor_i, F_GROUP_LOOP, 3, group_loop);
    set_field(top.descriptor_i, F_CHANNELS, 16, channels);
    set_field(top.descriptor_i, F_SAMPLES, 16, samples);
    set_field(top.descriptor_i, F_CHUNK_FIRST, 16, chunk_first);
    set_field(top.descriptor_i, F_SAMPLE_FIRST, 16, sample_first);

    top.start_i = 1;
    settle(top);
    REQUIRE(top.active_o == 0);
    edge(top);
    top.start_i = 0;
    int wrong = 0;
    int at[5];
    for (at[4] = 0; at[4] < count[4]; ++at[4])
      for (at[3] = 0; at[3] < count[3]; ++at[3])
        for (at[2] = 0; at[2] < count[2]; ++at[2])
          for (at[1] = 0; at[1] < count[1]; ++at[1])
            for (at[0] = 0; at[0] < count[0]; ++at[0]) {
              uint32_t offset = 0;
              bool last = true;
              for (int i = 0; i < 5; ++i) {
                offset += at[i] * stride[i];
                last = last && at[i] == count[i] - 1;
              }
              const bool sampled = sample_loop >= 1 && sample_loop <= 4;
              const bool grouped = group_loop >= 1 && group_loop <= 4;
              const int sample = sample_first + (sampled ? at[sample_loop] : 0);
              const int chunk = chunk_first + at[0] + (grouped ? at[group_loop] * count[0] : 0);
              const bool valid = chunk * SF_STREAM_LANES < channels && sample < samples;
              do {
                top.advance_i = random.chance(60);
                settle(top);
                wrong += !top.active_o || top.offset_o != offset || top.chunk_o != chunk ||
                         top.sample_o != sample || top.valid_o != valid || top.last_o != last;
                edge(top);
              } while (!top.advance_i);
            }
    top.advance_i = 0;
    settle(top);
    REQUIRE(wrong == 0);
    REQUIRE(top.active_o == 0);
  }
}
