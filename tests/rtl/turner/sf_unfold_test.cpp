// SPDX-License-Identifier: Apache-2.0
// sf_unfold against the definition (model/spec/descriptor.hpp), every byte it may write, with
// random readiness and latency of the memory; its cycles against their formula.
#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "Vsf_unfold.h"
#include "rtl_test.hpp"
#include "sf_fields.hpp"

using namespace rtl_test;

namespace {
constexpr int kWordBytes = SF_LANES / 8;
constexpr int kBeatWords = SF_BUS_BYTES / kWordBytes;

int up_to(int value, int step) { return (value + step - 1) / step * step; }

struct Packed {
  uint32_t base;
  int pixels, planes, words, group;
  uint32_t word(int row, int pixel, int plane, int index) const {
    return base + ((((row / group * pixels + pixel) * planes + plane) * words + index) * group +
                   row % group) *
                      kWordBytes;
  }
  uint32_t bytes(int rows) const {
    return up_to(rows, group) * pixels * planes * words * kWordBytes;
  }
};
}  // namespace

TEST_CASE("lanes along channels become lanes along output pixels, once for each tap") {
  Random random(7);
  Vsf_unfold top;
  top.clear_i = top.enable_i = top.start_i = top.request_ready_i = 0;
  top.response_valid_i = top.write_ready_i = top.writes_idle_i = 0;
  reset(top);
  double fast_cycles = 0, fast_active = 0;
  for (int pass = 0; pass < 120; ++pass) {
    const int planes = random.between(1, 3), rows = random.between(1, 2 * SF_ROWS + 3);
    const int lanes = random.between(1, SF_LANES + SF_LANES / 2);
    const bool small = random.chance(30);
    const int height = small ? 1 : random.between(1, 9), width = small ? 1 : random.between(1, 11);
    const int stride_log2 = random.between(0, 2), stride = 1 << stride_log2;
    const int kernel_y = random.between(1, 3), kernel_x = random.between(1, 3);
    const int padding = random.between(0, 2);
    const int out_y = std::max(1, (height + 2 * padding - kernel_y) / stride + 1);
    const int out_x = std::max(1, (width + 2 * padding - kernel_x) / stride + 1);
    const int pixels = out_y * out_x;
    const bool from_columns = random.chance(50), to_columns = random.chance(50);
    const int source_group = from_columns ? SF_COLUMNS : SF_ROWS;
    const int target_group = to_columns ? SF_COLUMNS : SF_ROWS;
    const int samples =
        std::min({source_group, kBeatWords, std::max(1, 4096 / SF_LANES / SF_LANES)});
    const int members = std::min({target_group, kBeatWords, SF_LANES});
    const int tap_rows = up_to(lanes, members) + members * random.between(0, 2);
    const int unit = std::min(SF_BUS_BYTES, kWordBytes * std::min(source_group, target_group));
    const Packed source{0x4000u + unit * random.between(0, 3), height * width, planes,
                        (lanes + SF_LANES - 1) / SF_LANES, source_group};
    const int taps = kernel_y * kernel_x;
    Packed target{0, rows, planes, (pixels + SF_LANES - 1) / SF_LANES, target_group};
    target.base = up_to(source.base + source.bytes(rows), 4096) + SF_BUS_BYTES;
    CAPTURE(seed(), pass, planes, rows, lanes, height, width, stride, kernel_y, kernel_x, padding,
            out_y, out_x, from_columns, to_columns, tap_rows);

    for (int i = 0; i < 32; ++i) top.descriptor_i[i] = random.bits(32);
    auto set = [&](int field, int bits, uint64_t value) {
      set_field(top.descriptor_i, field, bits, value);
    };
    set(F_SOURCE_ADDRESS, 32, source.base);
    set(F_TARGET_ADDRESS, 32, target.base);
    set(F_SOURCE_ROWS, 16, rows);
    set(F_SOURCE_LANES, 16, lanes);
    set(F_SOURCE_COLUMNS, 1, from_columns);
    set(F_TARGET_COLUMNS, 1, to_columns);
    set(F_UNFOLD_PLANES, 6, planes);
    set(F_SOURCE_WORDS, 16, source.words);
    set(F_TARGET_WORDS, 16, target.words);
    set(F_UNFOLD_HEIGHT, 16, height);
    set(F_UNFOLD_WIDTH, 16, width);
    set(F_UNFOLD_OUT_HEIGHT, 16, out_y);
    set(F_UNFOLD_OUT_WIDTH, 16, out_x);
    set(F_UNFOLD_KERNEL_HEIGHT, 8, kernel_y);
    set(F_UNFOLD_KERNEL_WIDTH, 8, kernel_x);
    set(F_UNFOLD_PADDING, 8, padding);
    set(F_UNFOLD_STRIDE_LOG2, 2, stride_log2);
    set(F_UNFOLD_TAP_ROWS, 16, tap_rows);

    // Garbage everywhere, also past the rows and lanes that exist
    std::vector<uint8_t> memory(target.base);
    for (uint8_t& byte : memory) byte = random.bits(8);
    std::map<uint32_t, uint8_t> written;
    std::deque<std::pair<int, uint32_t>> reading;  // ready cycle, address
    const bool fast = random.chance(40);           // a memory that keeps up
    const int read_ready = fast ? 100 : random.between(20, 100);
    const int write_ready = fast ? 100 : random.between(20, 100);
    const int latency = fast ? 8 : random.between(1, 30);
    int last_write = 0, active = 0, cycle = 0, rewritten = 0, outside = 0, partial = 0;
    bool started = false, done = false;
    for (; !done; ++cycle) {
      REQUIRE(cycle < 2000000);
      top.enable_i = fast || random.chance(90);
      top.start_i = top.enable_i && !started;
      top.request_ready_i = random.chance(read_ready);
      top.write_ready_i = random.chance(write_ready);
      top.writes_idle_i = cycle > last_write + 5;
      top.response_valid_i =
          !reading.empty() && reading.front().first <= cycle && (fast || random.chance(80));
      if (top.response_valid_i)
        for (int byte = 0; byte < SF_BUS_BYTES; ++byte) {
          const uint32_t at = reading.front().second + byte;
          set_field(top.response_data_i, 8 * byte, 8, at < memory.size() ? memory[at] : 0);
        }
      settle(top);
      active += top.start_i || (started && top.enable_i && !top.stall_o);
      if (top.start_i) started = true;
      if (top.response_valid_i) reading.pop_front();
      if (top.request_valid_o && top.request_ready_i) {
        REQUIRE(top.request_address_o % SF_BUS_BYTES == 0);
        const uint32_t from = top.request_address_o;
        outside += from + SF_BUS_BYTES <= source.base || from >= source.base + source.bytes(rows);
        reading.emplace_back(cycle + (fast ? latency : random.between(1, latency)), from);
      }
      if (top.write_valid_o && top.write_ready_i) {
        REQUIRE(top.write_address_o % SF_BUS_BYTES == 0);
        last_write = cycle;
        int bytes = 0;
        for (int byte = 0; byte < SF_BUS_BYTES; ++byte) {
          if (!get_bit(top.write_strobe_o, byte)) continue;
          ++bytes;
          rewritten += written.count(top.write_address_o + byte);
          written[top.write_address_o + byte] = get_field(top.write_data_o, 8 * byte, 8);
        }
        partial += bytes != members * kWordBytes;
      }
      done = top.done_o;
      edge(top);
    }
    REQUIRE(reading.empty());
    REQUIRE(outside == 0);
    REQUIRE(rewritten == 0);
    REQUIRE(partial == 0);

    int wrong = 0, missing = 0;
    std::size_t expected_bytes = 0;
    for (int tap = 0; tap < taps; ++tap)
      for (int channel = 0; channel < up_to(lanes, members); ++channel)
        for (int sample = 0; sample < rows; ++sample)
          for (int plane = 0; plane < planes; ++plane)
            for (int word = 0; word < target.words; ++word) {
              const uint32_t to = target.word(tap * tap_rows + channel, sample, plane, word);
              expected_bytes += kWordBytes;
              for (int lane = 0; lane < SF_LANES; ++lane) {
                const int o = word * SF_LANES + lane;
                const int y = o / out_x * stride + tap / kernel_x - padding;
                const int x = o % out_x * stride + tap % kernel_x - padding;
                bool bit = false;
                if (o < pixels && y >= 0 && y < height && x >= 0 && x < width)
                  bit = memory[source.word(sample, y * width + x, plane, channel / SF_LANES) +
                               channel % SF_LANES / 8] >>
                            channel % 8 &
                        1;
                const auto found = written.find(to + lane / 8);
                if (found == written.end())
                  ++missing;
                else
                  wrong += (found->second >> lane % 8 & 1) != bit;
              }
            }
    REQUIRE(missing == 0);
    REQUIRE(wrong == 0);
    REQUIRE(written.size() == expected_bytes);  // and nothing else

    long formula = 9, before = 0;
    for (int scan = 0; scan < taps * source.words * planes; ++scan)
      for (int first = 0; first < rows; first += samples) {
        const int left = lanes - scan / planes % source.words * SF_LANES;
        for (int pixel = 0; pixel < pixels; pixel += SF_LANES) {
          formula += std::max<long>(std::min(SF_LANES, pixels - pixel), before);
          before = std::min(samples, rows - first) *
                   (up_to(std::min(SF_LANES, left), members) / members);
        }
      }
    formula += before;
    CHECK(active == formula);
    if (fast) {
      fast_cycles += cycle;
      fast_active += active;
    }
  }
  // Reading, turning and writing overlap: with a memory that keeps up, few cycles are lost
  INFO("cycles " << fast_cycles << ", advancing " << fast_active);
  CHECK(fast_cycles < 1.2 * fast_active);
  std::printf("%.3f cycles for each advancing one\n", fast_cycles / fast_active);
}
