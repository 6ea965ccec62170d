// SPDX-License-Identifier: Apache-2.0
// sf_write_combiner against an array of bytes that takes each write at once.
#include <vector>

#include "Vsf_write_combiner.h"
#include "rtl_test.hpp"

using namespace rtl_test;

TEST_CASE("memory ends as if each write had gone there at once") {
  constexpr int kMemoryBytes = 8 * SF_BUS_BYTES;
  Random random(3);
  Vsf_write_combiner top;
  top.clear_i = top.want_i = top.push_i = top.flush_i = top.request_ready_i = 0;
  reset(top);
  std::vector<uint8_t> memory(kMemoryBytes), expected(kMemoryBytes);
  int pushes = 0, requests = 0, comparisons = 0;
  bool want = false;
  int address = 0;
  for (int cycle = 0; cycle < 40000; ++cycle) {
    CAPTURE(seed(), cycle);
    const bool quiet = cycle / 200 % 4 == 3;  // now and then all writes leave
    if (!want && !quiet && random.chance(70)) {
      want = true;
      // Neighbours mostly, so that beats combine; data never crosses its beat.
      if (random.chance(25))
        address = random.between(0, kMemoryBytes / SF_DATA_BYTES - 1) * SF_DATA_BYTES;
      else
        address = (address + SF_DATA_BYTES) % kMemoryBytes;
      for (int byte = 0; byte < SF_DATA_BYTES; ++byte) {
        set_field(top.data_i, 8 * byte, 8, random.bits(8));
        set_bit(top.strobe_i, byte, random.chance(80));
      }
    }
    top.want_i = want;
    top.address_i = address;
    top.flush_i = quiet || random.chance(5);
    top.request_ready_i = random.chance(40);
    top.push_i = 0;
    settle(top);
    const bool ready = top.ready_o;
    top.push_i = want && ready && random.chance(70);
    settle(top);
    REQUIRE(static_cast<bool>(top.ready_o) == ready);  // does not hang on push
    if (top.empty_o) {
      REQUIRE(!top.request_valid_o);
      REQUIRE(memory == expected);
      ++comparisons;
    }
    if (top.request_valid_o && top.request_ready_i) {
      ++requests;
      REQUIRE(top.request_address_o % SF_BUS_BYTES == 0);
      REQUIRE(top.request_address_o < kMemoryBytes);
      for (int byte = 0; byte < SF_BUS_BYTES; ++byte)
        if (get_bit(top.request_strobe_o, byte))
          memory[top.request_address_o + byte] = get_field(top.request_data_o, 8 * byte, 8);
    }
    if (top.push_i) {
      ++pushes;
      want = false;
      for (int byte = 0; byte < SF_DATA_BYTES; ++byte)
        if (get_bit(top.strobe_i, byte))
          expected[address + byte] = get_field(top.data_i, 8 * byte, 8);
    }
    edge(top);
  }
  REQUIRE(comparisons > 1000);
  REQUIRE(requests * 3 < pushes * 2);  // it does combine
}
