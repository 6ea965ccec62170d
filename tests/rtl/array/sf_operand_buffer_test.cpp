// SPDX-License-Identifier: Apache-2.0
// sf_operand_buffer against an array of words: a word of several beats, a beat of several words;
// one or two words read at once, from different banks; neighbours swapped where both sides say so;
// reads and writes at the same time, read data held until the next read.
#include <vector>

#include "Vsf_operand_buffer.h"
#include "rtl_test.hpp"

using namespace rtl_test;

namespace {
constexpr int kBeats = SF_WORD_BITS > SF_BEAT_BITS ? SF_WORD_BITS / SF_BEAT_BITS : 1;
constexpr int kWords = SF_BEAT_BITS > SF_WORD_BITS ? SF_BEAT_BITS / SF_WORD_BITS : 1;
constexpr int kBanks = kWords > SF_PLANES ? kWords : SF_PLANES;
}  // namespace

TEST_CASE("words written by beats are read whole, a cycle later") {
  Random random(8);
  Vsf_operand_buffer top;
  // By place, where a swap has been undone: where write and read agree, the words are as written.
  std::vector<bool> model(SF_WORD_BITS * SF_DEPTH), known(SF_DEPTH * kBeats);
  std::vector<bool> expected[SF_PLANES];
  bool expecting[SF_PLANES] = {};
  long compared = 0, pairs = 0;
  settle(top);
  for (int cycle = 0; cycle < 20000; ++cycle) {
    top.write_enable_i = random.chance(60);
    const int address = random.between(0, SF_DEPTH - 1), beat = random.between(0, kBeats - 1);
    const bool write_swap = kBanks > 1 && random.chance(30);
    top.write_address_i = address;  // its low bits mean nothing where a beat holds several words
    top.write_beat_i = beat;
    top.write_swap_i = write_swap;
    std::vector<bool> data(SF_BEAT_BITS);
    for (int i = 0; i < SF_BEAT_BITS; ++i) {
      data[i] = random.chance(50);
      set_bit(top.write_data_i, i, data[i]);
    }
    int from[SF_PLANES], bank[SF_PLANES];
    for (int plane = 0; plane < SF_PLANES; ++plane) {
      const bool swap = kBanks > 1 && random.chance(30);
      from[plane] = random.between(0, SF_DEPTH - 1) ^ swap;
      bank[plane] = from[plane] % kBanks;
      set_field(top.read_address_i, plane * SF_ADDRESS_BITS, SF_ADDRESS_BITS, from[plane] ^ swap);
      set_bit(top.read_swap_i, plane, swap);
      // Of two words in one bank only one can be read.
      const bool clash = plane == 1 && get_bit(top.read_enable_i, 0) && bank[0] == bank[1];
      set_bit(top.read_enable_i, plane, !clash && random.chance(70));
    }
    settle(top);
    for (int plane = 0; plane < SF_PLANES; ++plane) {
      if (!expecting[plane]) continue;
      ++compared;
      for (int i = 0; i < SF_WORD_BITS; ++i)
        REQUIRE(get_bit(top.read_data_o, plane * SF_WORD_BITS + i) == expected[plane][i]);
    }
    pairs += SF_PLANES > 1 && top.read_enable_i == 3;
    for (int plane = 0; plane < SF_PLANES; ++plane) {
      // A read elsewhere in its bank takes a word that was read before.
      if (plane == 1 ? get_bit(top.read_enable_i, 0) : SF_PLANES > 1) expecting[plane] = false;
      if (!get_bit(top.read_enable_i, plane)) continue;
      expecting[plane] = true;
      for (int part = 0; part < kBeats; ++part)
        expecting[plane] = expecting[plane] && known[from[plane] * kBeats + part];
      expected[plane].assign(model.begin() + from[plane] * SF_WORD_BITS,
                             model.begin() + (from[plane] + 1) * SF_WORD_BITS);
    }
    if (top.write_enable_i) {
      const int first = address / kWords * kWords;
      for (int word = 0; word < kWords; ++word) {
        const int place = (kWords > 1 ? first + word : address) ^ write_swap;
        known[place * kBeats + beat] = true;
        for (int i = 0; i < SF_BEAT_BITS / kWords; ++i)
          model[place * SF_WORD_BITS + beat * SF_BEAT_BITS + i] =
              data[word * (SF_BEAT_BITS / kWords) + i];
      }
    }
    edge(top);
  }
  CHECK(compared > 4000);
  if (SF_PLANES > 1) CHECK(pairs > 2000);
}
