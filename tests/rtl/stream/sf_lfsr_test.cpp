// SPDX-License-Identifier: Apache-2.0
// sf_lfsr against the bit-serial definition x[n+64] = x[n] ^ x[n+1] ^ x[n+3] ^ x[n+4].
#include <deque>

#include "Vsf_lfsr.h"
#include "rtl_test.hpp"

using namespace rtl_test;

namespace {
constexpr int kUsed = SF_RANDOM_BITS * SF_NUMBERS;

class Serial {
 public:
  explicit Serial(uint64_t state) {
    for (int i = 0; i < 64; ++i) bits_.push_back((state >> i) & 1);
  }
  bool next() {
    bits_.push_back(bits_[0] ^ bits_[1] ^ bits_[3] ^ bits_[4]);
    const bool bit = bits_.front();
    bits_.pop_front();
    return bit;
  }

 private:
  std::deque<bool> bits_;
};
}  // namespace

TEST_CASE("the sequence is the definition's, whatever the pauses") {
  Random random(1);
  Vsf_lfsr top;
  int wrong = 0;
  for (int start = 0; start < 20; ++start) {
    const uint64_t state = start == 0 ? 1 : random.bits(64) | 1;
    top.load_i = 1;
    top.step_i = random.chance(50);  // a load wins over a step
    top.state_i = state;
    settle(top);
    edge(top);
    top.load_i = 0;
    Serial serial(state);
    for (int step = 0; step < 200; ++step) {
      for (top.step_i = 0; random.chance(30);) {
        settle(top);
        edge(top);
      }
      top.step_i = 1;
      settle(top);
      for (int i = 0; i < kUsed; ++i) wrong += get_bit(top.numbers_o, i) != serial.next();
      edge(top);
    }
  }
  REQUIRE(wrong == 0);
}
