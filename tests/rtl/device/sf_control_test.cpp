// SPDX-License-Identifier: Apache-2.0
// sf_control: the AXI4-Lite port against a model of the register map, with every order and distance
// of addresses and data, back-pressure and strobes; no output of the port follows an input within a
// cycle. Then runs: what status says of each failure, and when done, error and counters go.
#include <deque>
#include <map>

#include "Vsf_control.h"
#include "model/spec/registers.hpp"
#include "rtl_test.hpp"

using namespace rtl_test;
using namespace solfege;

namespace {

constexpr int kOkay = 0, kSlaveError = 2;
constexpr uint32_t kMapEnd =
    registers::counters + registers::counter_bytes * registers::counter_count;

void quiet(Vsf_control& top) {
  top.s_axil_awvalid_i = top.s_axil_wvalid_i = top.s_axil_arvalid_i = 0;
  top.s_axil_bready_i = top.s_axil_rready_i = 0;
  top.quiet_i = top.finished_i = 1;
  top.progress_i = top.illegal_i = top.bus_error_i = top.unfinished_i = top.count_events_i = 0;
  reset(top);
}

/// The port's outputs, packed.
uint64_t outputs(const Vsf_control& top) {
  return top.s_axil_awready_o | top.s_axil_wready_o << 1 | top.s_axil_arready_o << 2 |
         top.s_axil_bvalid_o << 3 | top.s_axil_rvalid_o << 4 | top.s_axil_bresp_o << 5 |
         top.s_axil_rresp_o << 7 | uint64_t{top.s_axil_rdata_o} << 16;
}

/// One write with address and data together, and its response.
int write(Vsf_control& top, uint32_t address, uint32_t value, int strobes = 15) {
  top.s_axil_awaddr_i = address;
  top.s_axil_wdata_i = value;
  top.s_axil_wstrb_i = strobes;
  top.s_axil_awvalid_i = top.s_axil_wvalid_i = top.s_axil_bready_i = 1;
  for (int cycle = 0; cycle < 20; ++cycle) {
    settle(top);
    const bool address_goes = top.s_axil_awvalid_i && top.s_axil_awready_o;
    const bool data_goes = top.s_axil_wvalid_i && top.s_axil_wready_o,
               answered = top.s_axil_bvalid_o;
    const int response = top.s_axil_bresp_o;
    edge(top);
    if (address_goes) top.s_axil_awvalid_i = 0;
    if (data_goes) top.s_axil_wvalid_i = 0;
    if (answered) {
      top.s_axil_bready_i = 0;
      settle(top);
      return response;
    }
  }
  FAIL("no response");
  return 0;
}

uint32_t read(Vsf_control& top, uint32_t address, int response = kOkay) {
  top.s_axil_araddr_i = address;
  top.s_axil_arvalid_i = top.s_axil_rready_i = 1;
  for (int cycle = 0; cycle < 20; ++cycle) {
    settle(top);
    const bool goes = top.s_axil_arvalid_i && top.s_axil_arready_o, answered = top.s_axil_rvalid_o;
    const uint32_t value = top.s_axil_rdata_o;
    if (answered) CHECK(top.s_axil_rresp_o == response);
    edge(top);
    if (goes) top.s_axil_arvalid_i = 0;
    if (answered) {
      top.s_axil_rready_i = 0;
      settle(top);
      return value;
    }
  }
  FAIL("no response");
  return 0;
}

/// The status; the bits of the register that are no field read 0.
Status status(Vsf_control& top) {
  uint32_t fields = 0;
#define SF_FIELD(name, NAME, lsb, width, meaning) fields |= ((1u << (width)) - 1) << (lsb);
  SOLFEGE_STATUS_FIELDS(SF_FIELD)
#undef SF_FIELD
  const uint32_t word = read(top, registers::status);
  CHECK((word & ~fields) == 0);
  return Status::decode(word);
}

void start(Vsf_control& top, uint32_t base = 0x1000, uint32_t count = 3) {
  write(top, registers::descriptor_base, base);
  write(top, registers::descriptor_count, count);
  top.finished_i = 0;
  top.progress_i = 1;
  write(top, registers::control, registers::control_start);
}

void cycles(Vsf_control& top, int count) {
  for (int i = 0; i < count; ++i) {
    settle(top);
    edge(top);
  }
  settle(top);
}

}  // namespace

TEST_CASE("the control port keeps to AXI4-Lite and to the map") {
  Random random(17);
  Vsf_control top;
  quiet(top);
  struct Data {
    uint32_t value;
    int strobes;
  };
  std::deque<uint32_t> addresses, reads;  // taken, not yet answered
  std::deque<Data> data;
  std::map<uint32_t, uint32_t> held = {{registers::descriptor_base, 0},
                                       {registers::descriptor_count, 0}};
  int writes = 0, answered_reads = 0, refused_writes = 0, refused_reads = 0, apart = 0;
  bool address_waits = false, data_waits = false, read_waits = false;
  const auto pick_address = [&] {
    const uint32_t inside = 4 * uint32_t(random.between(0, int(kMapEnd / 4)));
    return (random.chance(80) ? inside : uint32_t(random.bits(12))) | uint32_t(random.bits(2));
  };
  uint64_t before = 0;
  bool answer_waits = false, data_answer_waits = false;
  for (int cycle = 0; cycle < 60000; ++cycle) {
    // Stretches of hurry and of sloth, for each channel its own
    const auto often = [&](int channel) { return (cycle / 500 + channel) % 3 == 0 ? 100 : 25; };
    if (!address_waits && random.chance(often(0))) {
      address_waits = true;
      top.s_axil_awaddr_i = pick_address();
      // A start would make a run of it; that is the other case's.
      if ((top.s_axil_awaddr_i & ~3u) == registers::control) address_waits = false;
    }
    if (!data_waits && random.chance(often(1))) {
      data_waits = true;
      top.s_axil_wdata_i = uint32_t(random.bits(32));
      top.s_axil_wstrb_i = int(random.bits(4));
    }
    if (!read_waits && random.chance(often(2))) {
      read_waits = true;
      top.s_axil_araddr_i = pick_address();
    }
    const int b = random.chance(often(1)), r = random.chance(often(0));
    // The same state with nothing offered: the outputs must not tell the difference.
    top.s_axil_awvalid_i = top.s_axil_wvalid_i = top.s_axil_arvalid_i = 0;
    top.s_axil_bready_i = top.s_axil_rready_i = 0;
    settle(top);
    const uint64_t idle = outputs(top);
    top.s_axil_awvalid_i = address_waits;
    top.s_axil_wvalid_i = data_waits;
    top.s_axil_arvalid_i = read_waits;
    top.s_axil_bready_i = b;
    top.s_axil_rready_i = r;
    settle(top);
    REQUIRE(outputs(top) == idle);
    // A response stays as it is until it is taken.
    if (answer_waits) {
      REQUIRE(top.s_axil_bvalid_o);
      REQUIRE((before >> 5 & 3) == top.s_axil_bresp_o);
    }
    if (data_answer_waits) {
      REQUIRE(top.s_axil_rvalid_o);
      REQUIRE(before >> 16 == top.s_axil_rdata_o);
      REQUIRE((before >> 7 & 3) == top.s_axil_rresp_o);
    }
    before = outputs(top);
    answer_waits = top.s_axil_bvalid_o && !b;
    data_answer_waits = top.s_axil_rvalid_o && !r;
    if (top.s_axil_bvalid_o && b) {
      REQUIRE_FALSE(addresses.empty());
      REQUIRE_FALSE(data.empty());
      const uint32_t at = addresses.front() & ~3u;
      const auto place = held.find(at);
      REQUIRE(top.s_axil_bresp_o == (place == held.end() ? kSlaveError : kOkay));
      refused_writes += place == held.end();
      addresses.pop_front();
      data.pop_front();
      ++writes;
    }
    if (top.s_axil_rvalid_o && r) {
      REQUIRE_FALSE(reads.empty());
      const uint32_t at = reads.front() & ~3u;
      const bool known = (at < kMapEnd && at >= registers::counters) ||
                         (at <= registers::descriptor_count && at != registers::control);
      REQUIRE(top.s_axil_rresp_o == (known ? kOkay : kSlaveError));
      if (!known) REQUIRE(top.s_axil_rdata_o == 0);
      if (at == registers::id) REQUIRE(top.s_axil_rdata_o == kDeviceId);
      refused_reads += !known;
      reads.pop_front();
      ++answered_reads;
    }
    if (top.s_axil_arvalid_i && top.s_axil_arready_o) {
      reads.push_back(top.s_axil_araddr_i);
      read_waits = false;
    }
    if (top.s_axil_awvalid_i && top.s_axil_awready_o) {
      addresses.push_back(top.s_axil_awaddr_i);
      address_waits = false;
    }
    if (top.s_axil_wvalid_i && top.s_axil_wready_o) {
      data.push_back({top.s_axil_wdata_i, top.s_axil_wstrb_i});
      data_waits = false;
    }
    apart += addresses.size() != data.size();
    // The port takes no second address or data beyond the one that waits for the answer before.
    REQUIRE(addresses.size() <= 2);
    REQUIRE(data.size() <= 2);
    REQUIRE(reads.size() <= 1);
    const bool bvalid = top.s_axil_bvalid_o;
    edge(top);
    settle(top);
    // The write took place in the cycle that raised bvalid.
    if (top.s_axil_bvalid_o && !bvalid) {
      const auto place = held.find(addresses.front() & ~3u);
      if (place != held.end())
        for (int byte = 0; byte < 4; ++byte)
          if (data.front().strobes >> byte & 1) {
            const uint32_t mask = 255u << 8 * byte;
            place->second = (place->second & ~mask) | (data.front().value & mask);
          }
    }
    REQUIRE(top.descriptor_base_o == held[registers::descriptor_base]);
    REQUIRE(top.descriptor_count_o == held[registers::descriptor_count]);
    REQUIRE(!top.start_o);
  }
  CHECK(writes > 5000);
  CHECK(answered_reads > 5000);
  CHECK(refused_writes > 500);
  CHECK(refused_reads > 300);
  CHECK(apart > 5000);
}

TEST_CASE("a run's end is told, with engine and tag of what failed") {
  Random random(18);
  Vsf_control top;
  quiet(top);
  for (int word = 0; word < 3; ++word) top.tag_i[word] = uint32_t(random.bits(32));
  const auto tag = [&](int engine) { return int(get_field(top.tag_i, 16 * engine, 16)); };
  const Status fresh = status(top);
  CHECK((!fresh.busy && !fresh.done && !fresh.error));
  CHECK((fresh.engine == 0 && fresh.code == 0 && fresh.tag == 0));

  // Ends, and the next start clears done (and the interrupt) but no counter
  start(top);
  CHECK((status(top).busy && !status(top).done && !top.irq_o));
  top.count_events_i = 1;
  cycles(top, 10);
  top.count_events_i = 0;
  top.finished_i = 1;
  cycles(top, 2);
  CHECK((status(top).done && !status(top).busy && top.irq_o));
  const uint32_t counted = read(top, registers::counters);
  CHECK(read(top, registers::counters + 8) == 10);
  start(top);
  CHECK((status(top).busy && !status(top).done && !top.irq_o));
  CHECK(read(top, registers::counters) > counted);
  top.finished_i = 1;
  cycles(top, 2);
  CHECK(status(top).done);
  write(top, registers::control, registers::control_clear);
  CHECK((!status(top).done && read(top, registers::counters) == 0));

  const auto fails = [&](const char* what, int code, int engine, int expected_tag) {
    INFO(what);
    if (!top.quiet_i) {
      // Nothing is told before what is outstanding has been answered.
      cycles(top, 5);
      CHECK((top.halt_o && !top.irq_o));
      top.quiet_i = 1;
    }
    cycles(top, 2);
    CHECK(top.irq_o);
    const Status failed = status(top);
    CHECK((failed.error && !failed.done && !failed.busy));
    CHECK(failed.code == code);
    CHECK(failed.engine == engine);
    CHECK(failed.tag == expected_tag);
    // A start without a clear is none.
    write(top, registers::control, registers::control_start);
    CHECK((status(top).error && !status(top).busy));
    write(top, registers::control, registers::control_clear);
    const Status cleared = status(top);
    CHECK((!cleared.error && cleared.code == 0 && cleared.engine == 0 && cleared.tag == 0));
    CHECK(!top.halt_o);
  };
  for (int engine = 0; engine < 5; ++engine) {
    start(top);
    top.quiet_i = 0;
    top.bus_error_i = 1 << engine;
    cycles(top, 1);
    top.bus_error_i = 0;
    cycles(top, 1);
    top.illegal_i = 1;  // too late to be named
    cycles(top, 1);
    top.illegal_i = 0;
    fails("bus error", 2, engine, tag(engine));
  }
  start(top);
  top.quiet_i = 0;
  top.illegal_i = 1;
  cycles(top, 1);
  top.illegal_i = 0;
  fails("illegal descriptor", 1, 4, tag(4));
  start(top);
  top.illegal_i = 1;
  top.bus_error_i = 31;
  cycles(top, 1);
  top.illegal_i = top.bus_error_i = 0;
  fails("illegal descriptor and bus errors at once", 1, 4, tag(4));

  for (int round = 0; round < 20; ++round) {
    start(top);
    top.progress_i = 0;
    top.unfinished_i = random.between(1, 15);
    set_field(top.tag_i, 0, 32, random.bits(32));
    set_field(top.tag_i, 32, 32, random.bits(32));
    if (round % 4 == 0) set_field(top.tag_i, 0, 64, ~0ull);
    int lowest = -1;
    for (int engine = 3; engine >= 0; --engine)
      if (top.unfinished_i >> engine & 1 && (lowest < 0 || tag(engine) <= tag(lowest)))
        lowest = engine;
    // Up to then something moved; a cycle that moves starts the count anew.
    cycles(top, 1000);
    top.progress_i = 1;
    cycles(top, 1);
    top.progress_i = 0;
    cycles(top, 1024);
    CHECK(!top.halt_o);
    cycles(top, 1);
    CHECK(top.halt_o);
    fails("deadlock", 3, lowest, tag(lowest));
  }
  // Programs that may not lie where they do, each beside one that may
  struct Place {
    uint32_t base, count;
    bool legal;
  };
  for (const Place& place : {Place{0x1000, 5, true},
                             {0x1080, 5, false},
                             {0x1001, 1, false},
                             {0x1100, 0, true},
                             {0xffffff00u, 1, true},
                             {0xffffff00u, 2, false},
                             {0, 1u << 24, true},
                             {0, (1u << 24) + 1, false},
                             {0x100, 0xffffffffu, false}}) {
    CAPTURE(place.base, place.count);
    bool started = false;
    write(top, registers::descriptor_base, place.base);
    write(top, registers::descriptor_count, place.count);
    top.s_axil_awaddr_i = registers::control;
    top.s_axil_wdata_i = top.s_axil_awvalid_i = top.s_axil_wvalid_i = 1;
    for (int cycle = 0; cycle < 8; ++cycle) {
      settle(top);
      started = started || top.start_o;
      edge(top);
      top.s_axil_awvalid_i = top.s_axil_wvalid_i = 0;
      top.s_axil_bready_i = 1;
    }
    settle(top);
    top.s_axil_bready_i = 0;
    CHECK(started == place.legal);
    if (!place.legal) {
      fails("program", 4, 4, 0);
    } else {
      top.finished_i = 1;
      cycles(top, 3);
      CHECK(status(top).done);
    }
  }
}
