// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <systemc>
#include <tlm>
#include <utility>

#include "model/base/error.hpp"
#include "sim/platform/clock.hpp"

namespace solfege {

/// The host: a thread that carries out one job at a time, with a register and a memory socket.
class HostProcess : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<HostProcess> control{"control"};
  tlm_utils::simple_initiator_socket<HostProcess> memory{"memory"};
  SC_HAS_PROCESS(HostProcess);

  explicit HostProcess(sc_core::sc_module_name name) : sc_module(name) { SC_THREAD(work); }

  /// Simulates until `job`, run in the host's thread, has returned. Rethrows what it throws.
  void execute(std::function<void()> job) {
    job_ = std::move(job);
    submitted_.notify(sc_core::SC_ZERO_TIME);
    sc_core::sc_start();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  // Only in jobs:

  std::uint32_t read_register(std::uint32_t address) {
    std::uint32_t value = 0;
    access(tlm::TLM_READ_COMMAND, address, value);
    return value;
  }

  std::uint64_t read_register_pair(std::uint32_t address) {
    const std::uint64_t low = read_register(address);
    return low | std::uint64_t{read_register(address + 4)} << 32;
  }

  void write_register(std::uint32_t address, std::uint32_t value) {
    access(tlm::TLM_WRITE_COMMAND, address, value);
  }

  void wait_cycles(std::uint64_t count) { wait(picoseconds(count * kPeriodPs)); }
  void wait_for(const sc_core::sc_event& event) { wait(event); }

  /// Whether the memory answers a backdoor read of its last byte: all sockets lead where they
  /// should.
  bool probe_memory(std::uint64_t last_byte) {
    std::uint8_t byte = 0;
    tlm::tlm_generic_payload payload;
    payload.set_read();
    payload.set_address(last_byte);
    payload.set_data_ptr(&byte);
    payload.set_data_length(1);
    return memory->transport_dbg(payload) == 1;
  }

 private:
  void work() {
    for (;;) {
      while (!job_) wait(submitted_);
      try {
        std::exchange(job_, nullptr)();
      } catch (...) {
        failure_ = std::current_exception();
      }
      sc_core::sc_pause();
      wait(sc_core::SC_ZERO_TIME);  // the pause takes effect here
    }
  }

  void access(tlm::tlm_command command, std::uint32_t address, std::uint32_t& value) {
    tlm::tlm_generic_payload payload;
    sc_core::sc_time delay;
    payload.set_command(command);
    payload.set_address(address);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    payload.set_data_length(sizeof value);
    payload.set_streaming_width(sizeof value);
    control->b_transport(payload, delay);
    if (payload.is_response_ok()) return;
    char text[16];
    std::snprintf(text, sizeof text, "0x%03x", address);
    if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE)
      throw CheckFailed(std::string("watchdog: control register ") + text + " does not answer");
    throw CheckFailed(std::string("control register ") + text + " answers with a bus error");
  }

  std::function<void()> job_;
  sc_core::sc_event submitted_;
  std::exception_ptr failure_;
};

}  // namespace solfege
