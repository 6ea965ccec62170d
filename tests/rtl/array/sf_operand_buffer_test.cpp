// SPDX-License-Identifier: Apache-2.0
// sf_operand_buffer against an array of words: a word of several beats, a beat of several words;
// reads and writes at the same time, read data held until the next read.
#include <vector>

#include "Vsf_operand_buffer.h"
#include "rtl_test.hpp"

using namespace rtl_test;

namespace {
constexpr int kBeats = SF_WORD_BITS > SF_BEAT_BITS ? SF_WORD_BITS / SF_BEAT_BITS : 1;
constexpr int kWords = SF_BEAT_BITS > SF_WORD_BITS ? SF_BEAT_BITS / SF_WORD_BITS : 1;
}  // namespace

TEST_CASE("words written by beats are read whole, a cycle later") {
  Random random(8);
  Vsf_operand_buffer top;
  std::vector<bool> model(SF_WORD_BITS * SF_DEPTH), known(SF_DEPTH * kBeats);
  std::vector<bool> expected(SF_WORD_BITS);
  bool expecting = false;
  long compared = 0;
  settle(top);
  for (int cycle = 0; cycle < 20000; ++cycle) {
    top.write_enable_i = random.chance(60);
    const int address = random.between(0, SF_DEPTH - 1), beat = random.between(0, kBeats - 1);
    top.write_address_i = address;  // its low bits mean nothing where a beat holds several words
    top.write_beat_i = beat;
    std::vector<bool> data(SF_BEAT_BITS);
    for (int i = 0; i < SF_BEAT_BITS; ++i) {
      data[i] = random.chance(50);
      set_bit(top.write_data_i, i, data[i]);
    }
    top.read_enable_i = random.chance(70);
    const int from = random.between(0, SF_DEPTH - 1);
    top.read_address_i = from;
    settle(top);
    if (expecting) {
      ++compared;
      for (int i = 0; i < SF_WORD_BITS; ++i) REQUIRE(get_bit(top.read_data_o, i) == expected[i]);
    }
    if (top.read_enable_i) {
      expecting = true;
      for (int part = 0; part < kBeats; ++part)
        expecting = expecting && known[from * kBeats + part];
      for (int i = 0; i < SF_WORD_BITS; ++i) expected[i] = model[from * SF_WORD_BITS + i];
    }
    if (top.write_enable_i) {
      const int first = address / kWords * kWords;
      for (int word = 0; word < kWords; ++word) known[(first + word) * kBeats + beat] = true;
      for (int i = 0; i < SF_BEAT_BITS; ++i)
        model[first * SF_WORD_BITS + beat * SF_BEAT_BITS + i] = data[i];
    }
    edge(top);
  }
  CHECK(compared > 5000);
}
