// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <systemc>
#include <tlm>
#include <vector>

#include "sim/platform/clock.hpp"
#include "sim/platform/memory_model.hpp"

namespace solfege {

/// Bytes from address 0 behind two target sockets: `bus`, timed, and `host`, the backdoor.
/// b_transport never waits; the annotated delay is the time to the data, or to the write's
/// acknowledgement. Requests share one server of the model's bandwidth and then take its latency.
class Memory : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<Memory> bus{"bus"};
  tlm_utils::simple_target_socket<Memory> host{"host"};

  Memory(sc_core::sc_module_name name, std::size_t size) : sc_module(name), bytes_(size) {
    bus.register_b_transport(this, &Memory::transport);
    bus.register_transport_dbg(this, &Memory::transport_debug);
    host.register_b_transport(this, &Memory::transport);
    host.register_transport_dbg(this, &Memory::transport_debug);
  }

  std::vector<std::uint8_t>& bytes() { return bytes_; }

  void set_model(const MemoryModel& model) {
    model_ = effective(model);
    latency_ = picoseconds(kPeriodPs * static_cast<std::uint64_t>(model_.latency_cycles));
    server_free_ = sc_core::SC_ZERO_TIME;
  }

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    if (model_.bytes_per_cycle > 0) {
      const sc_core::sc_time& now = sc_core::sc_time_stamp();
      const double service = payload.get_data_length() * kPeriodPs / model_.bytes_per_cycle;
      server_free_ = std::max(server_free_, now) +
                     picoseconds(static_cast<std::uint64_t>(std::llround(service)));
      delay += server_free_ - now;
    }
    delay += latency_;

    if (model_.error_address && *model_.error_address >= payload.get_address() &&
        *model_.error_address - payload.get_address() < payload.get_data_length()) {
      payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
      return;
    }
    access(payload);
  }

  unsigned transport_debug(tlm::tlm_generic_payload& payload) {
    return access(payload) ? payload.get_data_length() : 0;
  }

  bool access(tlm::tlm_generic_payload& payload) {
    const std::uint64_t address = payload.get_address();
    const std::size_t length = payload.get_data_length();
    if (length > bytes_.size() || address > bytes_.size() - length) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return false;
    }
    std::uint8_t* here = bytes_.data() + address;
    if (payload.is_read()) {
      std::memcpy(payload.get_data_ptr(), here, length);
    } else if (payload.is_write()) {
      write(payload, here, length);
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return true;
  }

  static void write(const tlm::tlm_generic_payload& payload, std::uint8_t* here,
                    std::size_t length) {
    const std::uint8_t* enables = payload.get_byte_enable_ptr();
    const std::uint8_t* data = payload.get_data_ptr();
    if (!enables) {
      std::memcpy(here, data, length);
      return;
    }
    for (std::size_t i = 0; i < length; ++i) {
      if (enables[i % payload.get_byte_enable_length()]) here[i] = data[i];
    }
  }

  std::vector<std::uint8_t> bytes_;
  MemoryModel model_;
  sc_core::sc_time latency_;
  sc_core::sc_time server_free_;
};

}  // namespace solfege
