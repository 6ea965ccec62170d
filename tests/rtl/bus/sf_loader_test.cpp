// SPDX-License-Identifier: Apache-2.0
// sf_loader: every beat asked for once and in order, in bursts that keep AXI's rules, and written
// to its place, for words of several beats and beats of several words.
#include <deque>
#include <vector>

#include "Vsf_loader.h"
#include "rtl_test.hpp"
#include "sf_fields.hpp"

using namespace rtl_test;

TEST_CASE("a load fills the words of one buffer") {
  Random random(10);
  Vsf_loader top;
  top.clear_i = top.enable_i = top.start_i = top.request_ready_i = top.response_valid_i = 0;
  reset(top);
  int swapped = 0;
  for (int pass = 0; pass < 300; ++pass) {
    const bool columns = random.chance(50);
    const int word_bytes = columns ? SF_COLUMN_WORD_BYTES : SF_ROW_WORD_BYTES;
    const int beats_of_word = std::max(1, word_bytes / SF_BUS_BYTES);
    const int words_of_beat = std::max(1, SF_BUS_BYTES / word_bytes);
    const int words = words_of_beat * random.between(1, 200);
    const int offset = words_of_beat * random.between(0, 50);
    const uint32_t address = SF_BUS_BYTES * random.between(0, 100000);
    CAPTURE(seed(), pass, columns, words, offset, address);
    for (int i = 0; i < 32; ++i) top.descriptor_i[i] = random.bits(32);
    set_field(top.descriptor_i, F_LOAD_ADDRESS, 32, address);
    set_field(top.descriptor_i, F_LOAD_TO_COLUMNS, 1, columns);
    set_field(top.descriptor_i, F_LOAD_OFFSET, 16, offset);
    set_field(top.descriptor_i, F_LOAD_WORDS, 16, words);
    const int planes = random.between(1, 5);
    const int plane_words =
        random.chance(50) ? words_of_beat * random.between(1, 6) : random.between(1, 13);
    set_field(top.descriptor_i, F_LOAD_PLANES, 6, planes);
    set_field(top.descriptor_i, F_LOAD_PLANE_WORDS, 16, plane_words);
    const int beats = words * word_bytes / SF_BUS_BYTES, ready = random.between(20, 100);
    int asked = 0, got = 0, active = 0;
    bool started = false, done = false;
    for (int cycle = 0; !done; ++cycle) {
      REQUIRE(cycle < 100000);
      top.enable_i = 1;
      top.start_i = !started;
      top.request_ready_i = random.chance(ready);
      top.response_valid_i = got < asked && random.chance(70);
      settle(top);
      active += top.start_i || (started && !top.stall_o);
      started = true;
      if (top.response_valid_i) {
        REQUIRE(top.write_columns_o == columns);
        REQUIRE(top.write_rows_o == !columns);
        REQUIRE(top.write_address_o == offset + got * words_of_beat / beats_of_word);
        REQUIRE(top.write_beat_o == got % beats_of_word);
        // Planes of whole rows of banks: the odd ones' words beside their places
        if (top.write_rows_o) {
          const int plane = got * words_of_beat / beats_of_word / plane_words % planes;
          const bool swap = SF_PLANES > 1 && plane_words % SF_ROW_BANKS == 0 && plane % 2 == 1;
          REQUIRE(top.write_swap_o == swap);
          swapped += swap;
        }
        ++got;
      } else {
        REQUIRE_FALSE((top.write_rows_o || top.write_columns_o));
      }
      if (top.request_valid_o && top.request_ready_i) {
        const int burst = top.request_length_o + 1;
        const uint32_t from = top.request_address_o, last = from + burst * SF_BUS_BYTES - 1;
        REQUIRE(from == address + asked * SF_BUS_BYTES);
        REQUIRE(burst <= 16);
        REQUIRE(from / 4096 == last / 4096);
        asked += burst;
      }
      done = top.done_o;
      edge(top);
    }
    REQUIRE(asked == beats);
    REQUIRE(got == beats);
    CHECK(active == beats + 2);
  }
  CHECK((swapped > 100) == (SF_PLANES > 1));
}

TEST_CASE("a load that is cleared asks for nothing more and writes nothing") {
  Random random(11);
  Vsf_loader top;
  top.clear_i = top.enable_i = top.start_i = top.request_ready_i = top.response_valid_i = 0;
  reset(top);
  for (int pass = 0; pass < 20; ++pass) {
    CAPTURE(seed(), pass);
    for (int i = 0; i < 32; ++i) top.descriptor_i[i] = 0;
    set_field(top.descriptor_i, F_LOAD_WORDS, 16, 64);
    top.enable_i = top.start_i = 1;
    settle(top);
    edge(top);
    top.start_i = 0;
    bool asks = false;
    for (int cycle = random.between(1, 4); cycle > 0; --cycle) {
      settle(top);
      asks = asks || top.request_valid_o;
      edge(top);
    }
    REQUIRE(asks);
    top.clear_i = 1;
    settle(top);
    edge(top);
    top.clear_i = 0;
    for (int cycle = 0; cycle < 20; ++cycle) {
      top.request_ready_i = random.chance(50);
      top.response_valid_i = random.chance(50);  // of what was asked for before
      settle(top);
      REQUIRE_FALSE((top.request_valid_o || top.done_o || top.write_rows_o || top.write_columns_o));
      edge(top);
    }
    top.request_ready_i = top.response_valid_i = 0;
  }
}
