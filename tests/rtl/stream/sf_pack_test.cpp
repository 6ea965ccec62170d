// SPDX-License-Identifier: Apache-2.0
// sf_pack against the address formula of model/spec/descriptor.hpp: random tensors in storage
// order, with gaps between results and a memory that is slow to take writes.
#include <map>

#include "Vsf_pack.h"
#include "rtl_test.hpp"
#include "sf_fields.hpp"

using namespace rtl_test;

namespace {

constexpr int kChunk = SF_STREAM_LANES, kWide = SF_WIDE_BITS, kWord = SF_LANES / 8;
constexpr int kBeatMembers = std::min(16, SF_BUS_BYTES / kWord);
constexpr int kMembers =
    std::max(std::min(SF_ROWS, kBeatMembers), std::min(SF_COLUMNS, kBeatMembers));

struct Pass {
  bool columns;
  int row_blocks, pixels, channel_blocks, planes, sample_first, samples, channels;
  uint32_t address, group_stride, pixel_stride, plane_stride;
};

Pass random_pass(Random& random) {
  Pass p{};
  p.columns = random.chance(50);
  const int group = p.columns ? SF_COLUMNS : SF_ROWS;
  p.row_blocks = random.between(1, 5);
  p.pixels = random.between(1, 4);
  p.channel_blocks = random.between(1, 2 + SF_LANES / 16);
  p.planes = random.between(1, kWide);
  p.sample_first = random.chance(50) ? 0 : 16 * random.between(0, 9);
  p.samples = p.sample_first + std::max(0, 16 * p.row_blocks - random.between(0, 24));
  p.channels = std::max(1, 16 * p.channel_blocks - random.between(0, 20));
  // Strides that keep words apart, with holes
  const int words = (16 * p.channel_blocks + SF_LANES - 1) / SF_LANES;
  p.plane_stride = words + random.between(0, 2);
  p.pixel_stride = p.planes * p.plane_stride + random.between(0, 3);
  p.group_stride = (p.pixels * p.pixel_stride + random.between(0, 3)) * group * kWord;
  p.address = 64 * random.between(0, 1 << 20);
  return p;
}

void give(Vsf_pack& top, Random& random, const Pass& p) {
  for (int i = 0; i < 32; ++i) top.descriptor_i[i] = static_cast<uint32_t>(random.bits(32));
  set_field(top.descriptor_i, F_PACK_ENABLE, 1, 1);
  set_field(top.descriptor_i, F_PACK_COLUMNS, 1, p.columns);
  set_field(top.descriptor_i, F_PACK_PLANES, 6, p.planes);
  set_field(top.descriptor_i, F_PACK_ADDRESS, 32, p.address);
  set_field(top.descriptor_i, F_PACK_GROUP_STRIDE, 32, p.group_stride);
  set_field(top.descriptor_i, F_PACK_PIXEL_STRIDE, 16, p.pixel_stride);
  set_field(top.descriptor_i, F_PACK_PLANE_STRIDE, 16, p.plane_stride);
  set_field(top.descriptor_i, F_SAMPLE_FIRST, 16, p.sample_first);
  set_field(top.descriptor_i, F_SAMPLES, 16, p.samples);
}

}  // namespace

TEST_CASE("codes become planes at the addresses of the formula") {
  Random random(7);
  Vsf_pack top;
  top.clear_i = top.start_i = top.valid_i = top.go_i = top.write_ready_i = 0;
  top.enable_i = 1;
  reset(top);
  for (int trial = 0; trial < 120; ++trial) {
    const Pass p = random_pass(random);
    CAPTURE(seed(), trial, p.columns, p.row_blocks, p.pixels, p.channel_blocks, p.planes,
            p.sample_first, p.samples, p.channels);
    const int group = p.columns ? SF_COLUMNS : SF_ROWS;
    const int set = std::min(group, kBeatMembers);
    const int ready = random.between(5, 100), flow = random.between(20, 100);
    give(top, random, p);
    std::map<uint32_t, uint8_t> written, expected;
    int wrong_writes = 0, blocked = 0;

    top.start_i = 1;
    settle(top);
    edge(top);
    top.start_i = 0;
    auto cycle = [&](bool valid) {
      top.write_ready_i = random.chance(ready);
      top.enable_i = random.chance(95);
      top.valid_i = valid;
      top.go_i = 0;
      settle(top);
      top.go_i = valid && !top.blocked_o && top.enable_i && random.chance(flow);
      blocked += top.blocked_o;
      REQUIRE((valid || !top.blocked_o));
      settle(top);
      if (top.write_valid_o && top.write_ready_i) {
        // A write is part of one beat, and no byte is written twice.
        const uint32_t beat = top.write_address_o / SF_BUS_BYTES;
        for (int byte = 0; byte < kMembers * kWord; ++byte) {
          if (!get_bit(top.write_strobe_o, byte)) continue;
          const uint32_t address = top.write_address_o + byte;
          wrong_writes += address / SF_BUS_BYTES != beat || byte >= set * kWord;
          wrong_writes +=
              !written.emplace(address, get_field(top.write_data_o, 8 * byte, 8)).second;
        }
      }
      const bool went = top.go_i;
      edge(top);
      return went;
    };
    // The pipeline before the packer is longer than its set-up.
    for (int i = 0; i < 18; ++i) cycle(false);

    for (int block = 0; block < p.row_blocks; ++block)
      for (int n = 0; n < p.pixels; ++n)
        for (int channel_block = 0; channel_block < p.channel_blocks; ++channel_block)
          for (int row = 0; row < 16; ++row)
            for (int part = 0; part < 16; part += kChunk) {
              const int s = p.sample_first + 16 * block + row;
              top.pixel_end_i =
                  channel_block == p.channel_blocks - 1 && row == 15 && part + kChunk == 16;
              top.row_block_end_i = top.pixel_end_i && n == p.pixels - 1;
              for (int lane = 0; lane < kChunk; ++lane) {
                const int c = 16 * channel_block + part + lane;
                const bool inside = s < p.samples && c < p.channels;
                const auto code = static_cast<uint32_t>(random.bits(kWide));
                set_field(top.codes_i, lane * kWide, kWide, code);
                set_field(top.mask_i, lane, 1, inside);
                if (s / group * group >= p.samples) continue;  // of no group
                for (int plane = 0; plane < p.planes; ++plane) {
                  const uint32_t word =
                      p.address + s / group * p.group_stride +
                      ((n * p.pixel_stride + plane * p.plane_stride + c / SF_LANES) * group +
                       s % group) *
                          kWord;
                  const int bit = c % SF_LANES;
                  expected[word + bit / 8] |= (inside && (code >> plane & 1)) << bit % 8;
                }
              }
              while (!cycle(true)) {
              }
            }
    for (int guard = 0; guard < 200000 && top.busy_o; ++guard) cycle(false);
    REQUIRE(top.busy_o == 0);
    REQUIRE(wrong_writes == 0);
    REQUIRE(written == expected);
    // A memory that takes every write leaves little to wait for when few planes are written.
    if (ready == 100 && p.planes * 16 <= 256 / kChunk) REQUIRE(blocked == 0);
  }
}
