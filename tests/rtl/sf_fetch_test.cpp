// SPDX-License-Identifier: Apache-2.0
// sf_fetch's legality of STREAM descriptors: each rule refuses one change of a legal pass.
#include <functional>

#include "Vsf_fetch.h"
#include "model/descriptor.hpp"
#include "rtl_test.hpp"

using namespace rtl_test;
using namespace solfege;

namespace {

constexpr uint32_t kChannels = SF_TABLE_ROWS * SF_STREAM_LANES;

/// Whether one descriptor is handed on; it comes in beats, after a random wait.
bool accepted(Vsf_fetch& top, Random& random, const Descriptor& d) {
  const auto words = d.encode();
  top.base_i = 0x1000;
  top.count_i = 1;
  top.start_i = 1;
  settle(top);
  edge(top);
  top.start_i = 0;
  int beat = -1;
  for (int cycle = 0; cycle < 500; ++cycle) {
    top.request_ready_i = random.chance(50);
    top.response_valid_i = beat >= 0 && random.chance(50);
    if (top.response_valid_i)
      for (int word = 0; word < SF_BUS_BYTES / 4; ++word)
        set_field(top.response_data_i, 32 * word, 32, words[beat * SF_BUS_BYTES / 4 + word]);
    settle(top);
    const bool handed = top.descriptor_valid_o != 0, refused = top.error_o;
    if (top.request_valid_o && top.request_ready_i) beat = 0;
    if (top.response_valid_i && ++beat == kDescriptorBytes / SF_BUS_BYTES) beat = -1;
    edge(top);
    if (handed || refused) {
      settle(top);
      REQUIRE(handed != refused);
      REQUIRE(!top.active_o);
      return handed;
    }
  }
  FAIL("neither handed on nor refused");
  return false;
}

Descriptor from_memory() {
  Descriptor d;
  d.opcode = uint32_t(Opcode::kStream);
  d.count0 = 256 / SF_STREAM_LANES;
  d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = 16;
  d.samples = 16;
  d.x_type = uint32_t(ElementType::kTagged);
  d.pack_enable = 1;
  d.pack_planes = 1;
  return d;
}

Descriptor from_array() {
  Descriptor d = from_memory();
  d.pack_enable = d.pack_planes = 0;
  d.x_from_array = 1;
  d.count0 = 1;
  return d;
}

}  // namespace

TEST_CASE("illegal passes are refused, their legal neighbours are not") {
  Random random(13);
  Vsf_fetch top;
  top.clear_i = top.start_i = top.request_ready_i = top.response_valid_i = 0;
  top.enable_i = 1;
  top.descriptor_ready_i = 0xf;
  reset(top);
  struct Rule {
    const char* what;
    bool array;
    std::function<void(Descriptor&)> legal, illegal;
  };
  const auto same = [](Descriptor&) {};
  std::vector<Rule> rules = {
      {"opcode", false, same, [](Descriptor& d) { d.opcode = 15; }},
      {"count0", false, same, [](Descriptor& d) { d.count0 = 0; }},
      {"count1", false, same, [](Descriptor& d) { d.count1 = 0; }},
      {"count2", false, same, [](Descriptor& d) { d.count2 = 0; }},
      {"count3", false, same, [](Descriptor& d) { d.count3 = 0; }},
      {"count4", false, same, [](Descriptor& d) { d.count4 = 0; }},
      {"count5", false, same, [](Descriptor& d) { d.count5 = 0; }},
      {"channels", false, same, [](Descriptor& d) { d.channels = 0; }},
      {"rows of tables", false,
       [](Descriptor& d) {
         d.offset_enable = 1;
         d.channels = kChannels;
       },
       [](Descriptor& d) {
         d.offset_enable = 1;
         d.channels = kChannels + 1;
       }},
      {"tables that no stage reads", false, [](Descriptor& d) { d.channels = 65535; },
       [](Descriptor& d) {
         d.channels = 65535;
         d.sum_enable = d.sum_per_channel = 1;
       }},
      {"samples of maxima", false,
       [](Descriptor& d) {
         d.max_enable = d.max_per_sample = 1;
         d.samples = SF_MAX_SAMPLES;
       },
       [](Descriptor& d) {
         d.max_enable = d.max_per_sample = 1;
         d.samples = SF_MAX_SAMPLES + 1;
       }},
      {"a window's state", false,
       [](Descriptor& d) {
         d.pool_enable = 1;
         d.count0 = 16 * SF_TABLE_ROWS;
       },
       [](Descriptor& d) {
         d.pool_enable = 1;
         d.count0 = 16 * SF_TABLE_ROWS + 256 / SF_STREAM_LANES;
       }},
      {"pooling the array", true, same, [](Descriptor& d) { d.pool_enable = 1; }},
      {"packing the array", true, same,
       [](Descriptor& d) { d.pack_enable = d.pack_planes = 1, d.count0 = 256 / SF_STREAM_LANES; }},
      {"accumulating", true, [](Descriptor& d) { d.accumulate_enable = 1, d.count4 = 3; },
       [](Descriptor& d) { d.accumulate_enable = 1, d.count3 = 3; }},
      {"accumulating from memory", false, same, [](Descriptor& d) { d.accumulate_enable = 1; }},
      {"packing whole blocks", false, same, [](Descriptor& d) { d.count0 += 1; }},
      {"packing from a block's start", false, [](Descriptor& d) { d.sample_first = 16; },
       [](Descriptor& d) { d.sample_first = 8; }},
      {"planes", false, [](Descriptor& d) { d.pack_planes = SF_WIDE_BITS; },
       [](Descriptor& d) { d.pack_planes = SF_WIDE_BITS + 1; }},
      {"no planes", false, same, [](Descriptor& d) { d.pack_planes = 0; }},
      {"a narrow destination", false, [](Descriptor& d) { d.destination = 1, d.narrow = 1; },
       [](Descriptor& d) { d.destination = 1; }},
      {"a tagged destination", false, [](Descriptor& d) { d.destination = 4, d.narrow = 1; },
       [](Descriptor& d) { d.destination = 4; }},
      {"destination", false, [](Descriptor& d) { d.destination = 2; },
       [](Descriptor& d) { d.destination = 5, d.narrow = 1; }},
      {"second sum", false,
       [](Descriptor& d) { d.second_sum = 2, d.sum_enable = d.sum_per_channel = 1; },
       [](Descriptor& d) { d.second_sum = 3, d.sum_enable = d.sum_per_channel = 1; }},
      {"second sum of a tensor", false, [](Descriptor& d) { d.sum_enable = 1; },
       [](Descriptor& d) { d.second_sum = 1, d.sum_enable = 1; }},
      {"scalar", false, same, [](Descriptor& d) { d.scale_x_source = 3; }},
      {"table", false, same, [](Descriptor& d) { d.table = 7; }},
      {"quantizer bits", false, [](Descriptor& d) { d.quantizer = 1, d.quantizer_bits = 8; },
       [](Descriptor& d) { d.quantizer = 1, d.quantizer_bits = 9; }},
      {"no quantizer bits", false, same, [](Descriptor& d) { d.quantizer = 1; }},
      {"seed of dropout", false, [](Descriptor& d) { d.drop_enable = 1, d.random_high = 1; },
       [](Descriptor& d) { d.drop_enable = 1; }},
      {"seed of f_G", false,
       [](Descriptor& d) { d.quantizer = 2, d.quantizer_bits = 4, d.random_low = 1; },
       [](Descriptor& d) { d.quantizer = 2, d.quantizer_bits = 4; }},
  };
  for (const Rule& rule : rules) {
    CAPTURE(seed(), rule.what);
    Descriptor legal = rule.array ? from_array() : from_memory();
    Descriptor illegal = legal;
    rule.legal(legal);
    rule.illegal(illegal);
    CHECK(accepted(top, random, legal));
    CHECK(!accepted(top, random, illegal));
  }
}
