// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <cstdint>
#include <cstring>
#include <systemc>
#include <tlm>

#include "model/base/error.hpp"
#include "sim/dut/dut_abi.hpp"
#include "sim/platform/axi_response.hpp"
#include "sim/platform/clock.hpp"

namespace solfege {

/// AXI4-Lite master on the pins, TLM target towards the host: one blocking 32-bit access at a time.
/// A device that does not answer leaves TLM_INCOMPLETE_RESPONSE.
class AxiLiteMaster : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<AxiLiteMaster> socket{"socket"};

  explicit AxiLiteMaster(sc_core::sc_module_name name) : sc_module(name) {
    socket.register_b_transport(this, &AxiLiteMaster::transport);
  }

  void reset() { awvalid_ = wvalid_ = bready_ = arvalid_ = rready_ = false; }

  void sample(const DutPins& pins) {
    if (!bready_ && !rready_) return;
    if (pins.s_axil_awready_o) awvalid_ = false;
    if (pins.s_axil_wready_o) wvalid_ = false;
    if (pins.s_axil_arready_o) arvalid_ = false;
    if (bready_ && pins.s_axil_bvalid_o) {
      finish(to_tlm(pins.s_axil_bresp_o));
    } else if (rready_ && pins.s_axil_rvalid_o) {
      data_ = pins.s_axil_rdata_o;
      finish(to_tlm(pins.s_axil_rresp_o));
    } else if (++waited_ > kPatience) {
      finish(tlm::TLM_INCOMPLETE_RESPONSE);
    }
  }

  void drive(DutPins& pins) const {
    pins.s_axil_awvalid_i = awvalid_;
    pins.s_axil_wvalid_i = wvalid_;
    pins.s_axil_bready_i = bready_;
    pins.s_axil_arvalid_i = arvalid_;
    pins.s_axil_rready_i = rready_;
    pins.s_axil_awaddr_i = pins.s_axil_araddr_i = address_;
    pins.s_axil_wdata_i = data_;
    pins.s_axil_wstrb_i = 0xf;
  }

 private:
  static constexpr int kPatience = 1000;  // cycles

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    wait(delay);
    delay = sc_core::SC_ZERO_TIME;
    if (payload.get_data_length() != sizeof data_ || payload.get_byte_enable_ptr()) {
      payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
      return;
    }
    address_ = static_cast<std::uint32_t>(payload.get_address());
    waited_ = 0;
    if (payload.is_write()) {
      std::memcpy(&data_, payload.get_data_ptr(), sizeof data_);
      awvalid_ = wvalid_ = bready_ = true;
    } else {
      arvalid_ = rready_ = true;
    }
    wait(finished_);
    if (payload.is_read()) std::memcpy(payload.get_data_ptr(), &data_, sizeof data_);
    payload.set_response_status(status_);
  }

  void finish(tlm::tlm_response_status status) {
    reset();
    status_ = status;
    finished_.notify(sc_core::SC_ZERO_TIME);
  }

  bool awvalid_ = false, wvalid_ = false, bready_ = false, arvalid_ = false, rready_ = false;
  std::uint32_t address_ = 0, data_ = 0;
  int waited_ = 0;
  tlm::tlm_response_status status_ = tlm::TLM_INCOMPLETE_RESPONSE;
  sc_core::sc_event finished_;
};

}  // namespace solfege
