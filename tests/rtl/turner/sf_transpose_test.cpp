// SPDX-License-Identifier: Apache-2.0
// sf_transpose against the definition, bit by bit, with random readiness and latency of the memory.
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "Vsf_transpose.h"
#include "rtl_test.hpp"
#include "sf_fields.hpp"

using namespace rtl_test;

namespace {
constexpr int kWordBytes = SF_LANES / 8;

// Address of a word of planes packed group by group
uint32_t word_address(uint32_t base, int index, int group, int planes, int plane, int words,
                      int word) {
  return base +
         (((index / group * planes + plane) * words + word) * group + index % group) * kWordBytes;
}
}  // namespace

TEST_CASE("lanes become members, members lanes") {
  Random random(4);
  Vsf_transpose top;
  top.clear_i = top.enable_i = top.start_i = top.request_ready_i = 0;
  top.response_valid_i = top.write_ready_i = top.writes_idle_i = 0;
  reset(top);
  for (int pass = 0; pass < 150; ++pass) {
    const int planes = random.between(1, 4);
    const int rows = random.between(1, 3 * SF_LANES);
    const int lanes = random.between(1, 3 * SF_LANES);
    const bool from_columns = random.chance(50), to_columns = random.chance(50);
    const int source_group = from_columns ? SF_COLUMNS : SF_ROWS;
    const int target_group = to_columns ? SF_COLUMNS : SF_ROWS;
    const int source_words = (lanes + SF_LANES - 1) / SF_LANES;
    const int target_words = (rows + SF_LANES - 1) / SF_LANES;
    CAPTURE(seed(), pass, planes, rows, lanes, from_columns, to_columns);
    const uint32_t source = 0x4000, target = 0x20000;

    for (int i = 0; i < 32; ++i) top.descriptor_i[i] = random.bits(32);
    set_field(top.descriptor_i, F_SOURCE_ADDRESS, 32, source);
    set_field(top.descriptor_i, F_TARGET_ADDRESS, 32, target);
    set_field(top.descriptor_i, F_PLANE_WORDS, 32, planes);
    set_field(top.descriptor_i, F_SOURCE_ROWS, 16, rows);
    set_field(top.descriptor_i, F_SOURCE_LANES, 16, lanes);
    set_field(top.descriptor_i, F_SOURCE_COLUMNS, 1, from_columns);
    set_field(top.descriptor_i, F_TARGET_COLUMNS, 1, to_columns);
    set_field(top.descriptor_i, F_SOURCE_WORDS, 16, source_words);
    set_field(top.descriptor_i, F_TARGET_WORDS, 16, target_words);

    // Garbage everywhere, also in the members that fill up the last beat and must be ignored.
    std::vector<uint8_t> memory(0x40000);
    for (uint8_t& byte : memory) byte = random.bits(8);
    std::map<uint32_t, uint8_t> written;
    std::deque<std::pair<int, uint32_t>> reading;  // ready cycle, address
    const int read_ready = random.between(20, 100), write_ready = random.between(20, 100);
    const int latency = random.between(1, 30);
    int last_write = 0;
    bool started = false, done = false;
    for (int cycle = 0; !done; ++cycle) {
      REQUIRE(cycle < 200000);
      top.enable_i = random.chance(90);
      top.start_i = top.enable_i && !started;
      top.request_ready_i = random.chance(read_ready);
      top.write_ready_i = random.chance(write_ready);
      top.writes_idle_i = cycle > last_write + 5;
      top.response_valid_i =
          !reading.empty() && reading.front().first <= cycle && random.chance(80);
      if (top.response_valid_i)
        for (int byte = 0; byte < SF_BUS_BYTES; ++byte)
          set_field(top.response_data_i, 8 * byte, 8, memory[reading.front().second + byte]);
      settle(top);
      if (top.start_i) started = true;
      if (top.response_valid_i) reading.pop_front();
      if (top.request_valid_o && top.request_ready_i) {
        REQUIRE(top.request_address_o % SF_BUS_BYTES == 0);
        reading.emplace_back(cycle + random.between(1, latency), top.request_address_o);
        REQUIRE(top.request_address_o < memory.size());
      }
      if (top.write_valid_o && top.write_ready_i) {
        last_write = cycle;
        for (int byte = 0; byte < SF_BUS_BYTES; ++byte) {
          if (!get_bit(top.write_strobe_o, byte)) continue;
          written[top.write_address_o + byte] = get_field(top.write_data_o, 8 * byte, 8);
        }
      }
      done = top.done_o;
      edge(top);
    }
    REQUIRE(reading.empty());

    int wrong = 0, missing = 0;
    for (int plane = 0; plane < planes; ++plane) {
      for (int lane = 0; lane < lanes; ++lane) {
        for (int member = 0; member < target_words * SF_LANES; ++member) {
          const uint32_t to = word_address(target, lane, target_group, planes, plane, target_words,
                                           member / SF_LANES) +
                              member % SF_LANES / 8;
          if (!written.count(to)) {
            ++missing;
            continue;
          }
          bool expected = false;  // members that do not exist read as zero
          if (member < rows) {
            const uint32_t from = word_address(source, member, source_group, planes, plane,
                                               source_words, lane / SF_LANES) +
                                  lane % SF_LANES / 8;
            expected = (memory[from] >> (lane % 8)) & 1;
          }
          wrong += ((written[to] >> (member % 8)) & 1) != expected;
        }
      }
    }
    REQUIRE(missing == 0);
    REQUIRE(wrong == 0);
    // Nothing outside the target's groups
    const int groups = (lanes + target_group - 1) / target_group;
    REQUIRE(written.begin()->first >= target);
    REQUIRE(written.rbegin()->first <
            target + groups * planes * target_words * target_group * kWordBytes);
  }
}
