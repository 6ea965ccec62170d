// SPDX-License-Identifier: Apache-2.0
// sf_unfold against the naive device, all of memory, with random readiness and latency of the
// memory; its cycles against their formula.
#include <algorithm>
#include <deque>
#include <utility>

#include "Vsf_unfold.h"
#include "naive_test.hpp"
#include "tests/support/random_turn.hpp"

using namespace rtl_test;
using namespace solfege;

namespace {
int steps_of(int count, int step) { return (count + step - 1) / step; }
}  // namespace

TEST_CASE("lanes along channels become lanes along output pixels, once for each tap") {
  Random random(7);
  const Geometry geometry(config());
  NaiveDevice naive(config(), 5 << 20);
  Vsf_unfold top;
  top.clear_i = top.enable_i = top.start_i = top.request_ready_i = 0;
  top.response_valid_i = top.write_ready_i = top.writes_idle_i = 0;
  reset(top);
  double fast_cycles = 0, fast_active = 0;
  for (int pass = 0; pass < 120; ++pass) {
    // Garbage everywhere, also past the rows and lanes that exist
    random.fill(naive.memory);
    const Descriptor d = random_unfold(geometry, random, 0x4000);
    CAPTURE(seed(), pass, d.unfold_planes, d.source_rows, d.source_lanes, d.unfold_height,
            d.unfold_width, d.unfold_stride_height, d.unfold_stride_width, d.unfold_kernel_height,
            d.unfold_kernel_width, d.unfold_padding_height, d.unfold_padding_width,
            d.unfold_out_height, d.unfold_out_width, d.source_columns, d.target_columns,
            d.unfold_tap_rows);
    // Anywhere in 4 GiB; and some runs are cut short, after which the next begins anew.
    const auto base = static_cast<uint32_t>(random.bits(10)) << 22;
    int clear_at = random.chance(30) ? random.between(1, 600) : -1;
    Descriptor moved = d;
    moved.source_address += base;
    moved.target_address += base;
    give(top, moved);
    const int members = geometry.side(d.target_columns).turned_members;
    const int samples = geometry.side(d.source_columns).unfold_samples;
    const int rows = d.source_rows, lanes = d.source_lanes, planes = d.unfold_planes;
    const int pixels = d.unfold_out_height * d.unfold_out_width;
    const int taps = d.unfold_kernel_height * d.unfold_kernel_width;
    const int words = d.source_words;
    int slices = SF_BUS_BYTES * 8 / SF_LANES;  // of a beat, and of a block of 8192 bits
    slices = std::min(slices, std::max(1, 8192 / (SF_LANES * SF_LANES))) / samples;
    const auto place = d.source_address / (geometry.side(d.source_columns).group * SF_LANES / 8);
    while (planes * words % slices != 0 || place % slices != 0) slices /= 2;
    std::vector<uint8_t> memory = naive.memory;
    const std::vector<uint8_t> unturned = memory;
    naive.execute(d);
    std::deque<std::pair<int, uint32_t>> reading;  // ready cycle, address
    const bool fast = random.chance(40);           // a memory that keeps up
    const int read_ready = fast ? 100 : random.between(20, 100);
    const int write_ready = fast ? 100 : random.between(20, 100);
    const int latency = fast ? 8 : random.between(1, 30);
    int last_write = 0, active = 0, cycle = 0, written = 0, outside = 0, partial = 0;
    bool started = false, done = false;
    for (; !done; ++cycle) {
      REQUIRE(cycle < 2000000);
      top.clear_i = cycle == clear_at;
      if (top.clear_i) {
        top.enable_i = top.start_i = top.response_valid_i = 0;
        settle(top);
        edge(top);
        memory = unturned;
        reading.clear();
        started = false;
        active = written = outside = partial = last_write = 0;
        cycle = clear_at = -1;
        continue;
      }
      top.enable_i = fast || random.chance(90);
      top.start_i = top.enable_i && !started;
      top.request_ready_i = random.chance(read_ready);
      top.write_ready_i = random.chance(write_ready);
      top.writes_idle_i = cycle > last_write + 5;
      top.response_valid_i =
          !reading.empty() && reading.front().first <= cycle && (fast || random.chance(80));
      if (top.response_valid_i) read_beat(top.response_data_i, memory, reading.front().second);
      settle(top);
      active += top.start_i || (started && top.enable_i && !top.stall_o);
      if (top.start_i) started = true;
      if (top.response_valid_i) reading.pop_front();
      if (top.request_valid_o && top.request_ready_i) {
        REQUIRE(top.request_address_o % SF_BUS_BYTES == 0);
        const uint32_t from = top.request_address_o - base;
        outside += from + SF_BUS_BYTES <= d.source_address || from >= d.target_address;
        reading.emplace_back(cycle + (fast ? latency : random.between(1, latency)), from);
      }
      if (top.write_valid_o && top.write_ready_i) {
        REQUIRE(top.write_address_o % SF_BUS_BYTES == 0);
        last_write = cycle;
        const int bytes =
            write_beat(memory, top.write_address_o - base, top.write_data_o, top.write_strobe_o);
        partial += bytes != members * SF_LANES / 8;
        written += bytes;
      }
      done = top.done_o;
      edge(top);
    }
    REQUIRE(reading.empty());
    REQUIRE(outside == 0);
    REQUIRE(partial == 0);
    REQUIRE(naive.first_difference(memory) == -1);
    // No byte twice
    CHECK(written == taps * planes * rows * d.target_words * steps_of(lanes, members) * members *
                         SF_LANES / 8);

    long formula = 23, before = 0;
    for (int scan = 0; scan < taps * planes * words; scan += slices)
      for (int first = 0; first < rows; first += samples)
        for (int pixel = 0; pixel < pixels; pixel += SF_LANES) {
          formula += std::max<long>(std::min(SF_LANES, pixels - pixel), before);
          before = 0;
          for (int slice = scan; slice < scan + slices; ++slice) {
            const int left = lanes - slice % words * SF_LANES;
            before += std::min(samples, rows - first) * steps_of(std::min(SF_LANES, left), members);
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
