// SPDX-License-Identifier: Apache-2.0
// sf_axi_write: every accepted write leaves once, in order and unchanged, and each client's idle
// means that all its own writes were answered, whatever the others do. An error names its client.
#include <deque>
#include <vector>

#include "Vsf_axi_write.h"
#include "rtl_test.hpp"

using namespace rtl_test;

TEST_CASE("clients share the channel and know their own writes") {
  Random random(11);
  Vsf_axi_write top;
  top.enable_i = top.request_valid_i = 0;
  top.m_axi_awready_i = top.m_axi_wready_i = top.m_axi_bvalid_i = top.m_axi_bresp_i = 0;
  reset(top);
  struct Write {
    int client;
    uint32_t address;
    uint64_t data, strobe;
  };
  std::deque<Write> addresses, data;  // accepted, not yet on the channel
  std::deque<int> answers;            // clients of writes on both channels or on their way there
  std::vector<int> waiting(SF_CLIENTS);
  std::vector<Write> asking(SF_CLIENTS);
  std::vector<bool> asks(SF_CLIENTS);
  int on_address = 0, on_data = 0, done = 0, alone = 0, failures = 0;
  for (int cycle = 0; cycle < 40000; ++cycle) {
    const int busy = cycle / 1000 % 2 == 0 ? 30 : 5;
    top.enable_i = random.chance(95);
    for (int client = 0; client < SF_CLIENTS; ++client) {
      if (!asks[client] && random.chance(busy)) {
        asks[client] = true;
        asking[client] = {client, static_cast<uint32_t>(random.bits(32)), random.bits(64),
                          random.bits(SF_BUS_BYTES)};
      }
      set_bit(top.request_valid_i, client, asks[client]);
      set_field(top.request_address_i, 32 * client, 32, asking[client].address);
      set_field(top.request_data_i, 8 * SF_BUS_BYTES * client, 64, asking[client].data);
      set_field(top.request_strobe_i, SF_BUS_BYTES * client, SF_BUS_BYTES, asking[client].strobe);
    }
    top.m_axi_awready_i = random.chance(70);
    top.m_axi_wready_i = random.chance(70);
    top.m_axi_bvalid_i = std::min(on_address, on_data) > 0 && random.chance(50);
    top.m_axi_bresp_i = random.chance(5) ? 2 : 0;
    settle(top);
    const bool failed = top.m_axi_bvalid_i && top.m_axi_bresp_i == 2;
    REQUIRE(top.error_o == (failed ? 1u << answers.front() : 0u));
    failures += failed;
    int all = 0;
    for (int client = 0; client < SF_CLIENTS; ++client) {
      all += waiting[client];
      REQUIRE(get_bit(top.client_idle_o, client) == (waiting[client] == 0));
    }
    REQUIRE(top.idle_o == (all == 0));
    for (const int count : waiting) alone += count == 0 && all > 0;
    if (top.m_axi_awvalid_o && top.m_axi_awready_i) {
      REQUIRE_FALSE(addresses.empty());
      REQUIRE(top.m_axi_awaddr_o == addresses.front().address);
      REQUIRE(top.m_axi_awlen_o == 0);
      addresses.pop_front();
      ++on_address;
    }
    if (top.m_axi_wvalid_o && top.m_axi_wready_i) {
      REQUIRE_FALSE(data.empty());
      REQUIRE(get_field(top.m_axi_wdata_o, 0, 64) == data.front().data);
      REQUIRE(top.m_axi_wstrb_o == data.front().strobe);
      REQUIRE(top.m_axi_wlast_o);
      data.pop_front();
      ++on_data;
    }
    if (top.m_axi_bvalid_i) {
      --waiting[answers.front()];
      answers.pop_front();
      --on_address;
      --on_data;
      ++done;
    }
    int accepted = 0;
    for (int client = 0; client < SF_CLIENTS; ++client) {
      if (!get_bit(top.request_ready_o, client)) continue;
      REQUIRE(top.enable_i);
      if (!asks[client]) continue;
      ++accepted;
      addresses.push_back(asking[client]);
      data.push_back(asking[client]);
      answers.push_back(client);
      ++waiting[client];
      asks[client] = false;
    }
    REQUIRE(accepted <= 1);
    edge(top);
  }
  CHECK(done > 3000);
  CHECK(alone > 1000);
  CHECK(failures > 100);
}
