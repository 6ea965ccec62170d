// SPDX-License-Identifier: Apache-2.0
// sf_transpose against the naive device, all of memory, with random readiness and latency of the
// memory.
#include <deque>
#include <utility>

#include "Vsf_transpose.h"
#include "naive_test.hpp"
#include "tests/support/random_turn.hpp"

using namespace rtl_test;
using namespace solfege;

TEST_CASE("lanes become members, members lanes") {
  Random random(4);
  NaiveDevice naive(config(), 0x40000);
  Vsf_transpose top;
  top.clear_i = top.enable_i = top.start_i = top.request_ready_i = 0;
  top.response_valid_i = top.write_ready_i = top.writes_idle_i = 0;
  reset(top);
  for (int pass = 0; pass < 150; ++pass) {
    // Garbage everywhere, also in the members that fill up the last beat and must be ignored.
    random.fill(naive.memory);
    const Descriptor d = random_transpose(Geometry(config()), random, 0);
    CAPTURE(seed(), pass, d.plane_words, d.source_rows, d.source_lanes, d.source_columns,
            d.target_columns);
    // Anywhere in 4 GiB; and some runs are cut short, after which the next begins anew.
    const auto base = static_cast<uint32_t>(random.bits(11)) << 21;
    int clear_at = random.chance(30) ? random.between(1, 300) : -1;
    Descriptor moved = d;
    moved.source_address += base;
    moved.target_address += base;
    give(top, moved);
    std::vector<uint8_t> memory = naive.memory;
    const std::vector<uint8_t> before = memory;
    naive.execute(d);
    std::deque<std::pair<int, uint32_t>> reading;  // ready cycle, address
    const int read_ready = random.between(20, 100), write_ready = random.between(20, 100);
    const int latency = random.between(1, 30);
    int last_write = 0;
    bool started = false, done = false;
    for (int cycle = 0; !done; ++cycle) {
      REQUIRE(cycle < 200000);
      top.clear_i = cycle == clear_at;
      if (top.clear_i) {
        top.enable_i = top.start_i = top.response_valid_i = 0;
        settle(top);
        edge(top);
        memory = before;
        reading.clear();
        started = false;
        clear_at = -1;
        continue;
      }
      top.enable_i = random.chance(90);
      top.start_i = top.enable_i && !started;
      top.request_ready_i = random.chance(read_ready);
      top.write_ready_i = random.chance(write_ready);
      top.writes_idle_i = cycle > last_write + 5;
      top.response_valid_i =
          !reading.empty() && reading.front().first <= cycle && random.chance(80);
      if (top.response_valid_i) read_beat(top.response_data_i, memory, reading.front().second);
      settle(top);
      if (top.start_i) started = true;
      if (top.response_valid_i) reading.pop_front();
      if (top.request_valid_o && top.request_ready_i) {
        REQUIRE(top.request_address_o % SF_BUS_BYTES == 0);
        reading.emplace_back(cycle + random.between(1, latency), top.request_address_o - base);
      }
      if (top.write_valid_o && top.write_ready_i) {
        last_write = cycle;
        write_beat(memory, top.write_address_o - base, top.write_data_o, top.write_strobe_o);
      }
      done = top.done_o;
      edge(top);
    }
    REQUIRE(reading.empty());
    REQUIRE(naive.first_difference(memory) == -1);
  }
}
