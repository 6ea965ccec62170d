// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tlm_utils/simple_initiator_socket.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <systemc>
#include <tlm>

#include "model/base/error.hpp"
#include "model/base/ring.hpp"
#include "model/base/splitmix.hpp"
#include "model/spec/descriptor.hpp"
#include "sim/dut/dut_abi.hpp"
#include "sim/platform/axi_response.hpp"
#include "sim/platform/clock.hpp"
#include "sim/platform/memory_model.hpp"

namespace solfege {

/// AXI4 slave on the pins, TLM initiator towards the memory. A burst becomes one transaction a
/// beat. A read beat is read when it goes to the memory, between the acceptance of its address and
/// its return; a write beat is written when both its address and its data have been accepted, and
/// acknowledged after that. All responses are in order.
class AxiSlave : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<AxiSlave> memory{"memory"};

  AxiSlave(sc_core::sc_module_name name, int bus_bytes)
      : sc_module(name),
        bus_bytes_(static_cast<unsigned>(bus_bytes)),
        all_strobes_(bus_bytes == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bus_bytes) - 1) {
    payload_.set_streaming_width(bus_bytes_);
    payload_.set_data_length(bus_bytes_);
    payload_.set_dmi_allowed(false);
  }

  /// Also forgets every transaction under way.
  void set_model(const MemoryModel& model) {
    const MemoryModel actual = effective(model);
    latency_ps_ = kPeriodPs * static_cast<std::uint64_t>(actual.latency_cycles);
    stall_threshold_ = static_cast<unsigned>(std::lround(actual.stall_probability * 4096));
    random_ = SplitMix64(actual.stall_seed * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u);
    response_capacity_ = static_cast<std::size_t>(actual.latency_cycles) + kPipelineBeats;
    silent_address_ = actual.silent_address;
    reset();
  }

  void reset() {
    read_addresses_.reset(kQueuedBursts);
    reads_.reset(response_capacity_);
    write_addresses_.reset(kQueuedWrites);
    write_data_.reset(kQueuedWrites);
    acknowledgements_.reset(response_capacity_);
    arready_ = awready_ = wready_ = rvalid_ = bvalid_ = false;
    new_read_data_ = false;
    read_first_ = false;
    server_free_ps_ = 0;
  }

  /// At the rising edge, with the pins of the cycle that ends.
  void sample(const DutPins& pins, std::uint64_t cycle) {
    if (rvalid_ && pins.m_axi_rready_o) {
      rvalid_ = false;
      reads_.pop();
    }
    if (bvalid_ && pins.m_axi_bready_o) {
      bvalid_ = false;
      acknowledgements_.pop();
    }
    if (arready_ && pins.m_axi_arvalid_o) accept_read(pins);
    if (awready_ && pins.m_axi_awvalid_o) accept_write_address(pins);
    if (wready_ && pins.m_axi_wvalid_o) accept_write_data(pins);

    issue(cycle);

    const unsigned stalls = stall_threshold_ ? draw_stalls() : 0;
    if (!rvalid_ && !reads_.empty() && reads_.front().ready_cycle <= cycle && !(stalls & 1)) {
      rvalid_ = new_read_data_ = true;
    }
    if (!bvalid_ && !acknowledgements_.empty() && acknowledgements_.front().ready_cycle <= cycle &&
        !(stalls & 2)) {
      bvalid_ = true;
    }
    arready_ = read_addresses_.room() > 0 && !(stalls & 4);
    awready_ = write_addresses_.room() > 0 && !(stalls & 8);
    wready_ = write_data_.room() > 0 && !(stalls & 16);
  }

  /// Counts the descriptors of a program that are asked for, from here on.
  void watch_program(std::uint32_t base, std::uint32_t count) {
    program_base_ = base;
    program_count_ = count;
    fetched_ = 0;
  }
  std::uint32_t fetched() const { return fetched_; }

  /// What is under way, or held off, on the pins of this cycle; empty if nothing is.
  std::string describe(const DutPins& pins) const {
    std::string text;
    const auto add = [&](std::size_t count, const char* what) {
      if (count == 0) return;
      text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
    };
    add(rvalid_ && !pins.m_axi_rready_o, "read beat offered that the design does not take");
    add(reads_.size() - rvalid_, "read beats without answer");
    add(read_addresses_.size(), "read bursts waiting");
    add(pins.m_axi_arvalid_o && !arready_, "read address not accepted");
    add(bvalid_ && !pins.m_axi_bready_o, "write answer offered that the design does not take");
    add(acknowledgements_.size() - bvalid_, "write beats without answer");
    add(write_addresses_.size(), "write addresses waiting");
    add(write_data_.size(), "write data waiting");
    return text;
  }

  /// At the falling edge.
  void drive(DutPins& pins) {
    pins.m_axi_arready_i = arready_;
    pins.m_axi_awready_i = awready_;
    pins.m_axi_wready_i = wready_;
    pins.m_axi_rvalid_i = rvalid_;
    pins.m_axi_bvalid_i = bvalid_;
    if (new_read_data_) {
      const ReadBeat& beat = reads_.front();
      std::memcpy(pins.m_axi_rdata_i, beat.data, bus_bytes_);
      pins.m_axi_rresp_i = beat.response;
      pins.m_axi_rlast_i = beat.last;
      new_read_data_ = false;
    }
    if (bvalid_) pins.m_axi_bresp_i = acknowledgements_.front().response;
  }

 private:
  static constexpr std::size_t kQueuedBursts = 16;
  static constexpr std::size_t kQueuedWrites = 4;
  static constexpr std::size_t kPipelineBeats = 64;  // beyond what the latency holds
  static constexpr unsigned kBoundary = kPageBytes;  // no burst crosses a multiple of this

  struct ReadBurst {
    std::uint32_t address;
    unsigned beats;
  };
  struct ReadBeat {
    std::uint64_t ready_cycle;
    std::uint8_t response, last;
    std::uint8_t data[kMaxBusBytes];
  };
  struct WriteBeat {
    std::uint64_t strobes;
    std::uint8_t data[kMaxBusBytes];
  };
  struct Acknowledgement {
    std::uint64_t ready_cycle;
    std::uint8_t response;
  };

  [[noreturn]] static void violation(const std::string& what, std::uint32_t address) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%08x", address);
    throw CheckFailed("the design violates AXI4: " + what + ", address " + text);
  }

  void accept_read(const DutPins& pins) {
    ReadBurst& burst = read_addresses_.push();
    burst.address = pins.m_axi_araddr_o;
    burst.beats = pins.m_axi_arlen_o + 1u;
    if (burst.address % bus_bytes_) violation("read address not aligned to the bus", burst.address);
    if (burst.address % kBoundary + burst.beats * bus_bytes_ > kBoundary) {
      violation("read burst crosses a 4 KiB boundary", burst.address);
    }
    const std::uint32_t descriptor = (burst.address - program_base_) / kDescriptorBytes;
    if (descriptor < program_count_) fetched_ = std::max(fetched_, descriptor + 1);
  }

  void accept_write_address(const DutPins& pins) {
    const std::uint32_t address = pins.m_axi_awaddr_o;
    write_addresses_.push() = address;
    if (address % bus_bytes_) violation("write address not aligned to the bus", address);
    if (pins.m_axi_awlen_o) violation("write burst (this platform takes single beats)", address);
  }

  void accept_write_data(const DutPins& pins) {
    WriteBeat& beat = write_data_.push();
    beat.strobes = pins.m_axi_wstrb_o;
    std::memcpy(beat.data, pins.m_axi_wdata_o, bus_bytes_);
    if (!pins.m_axi_wlast_o) {
      violation("wlast low on a single beat",
                write_addresses_.empty() ? 0 : write_addresses_.front());
    }
  }

  /// Sends at most one read beat and one write beat to the memory, if it is free for them within
  /// the coming cycle. Whoever was refused goes first the next time.
  void issue(std::uint64_t cycle) {
    const bool can_read = !read_addresses_.empty() && reads_.room() > 0;
    const bool can_write =
        !write_addresses_.empty() && !write_data_.empty() && acknowledgements_.room() > 0;
    if (!can_read && !can_write) return;
    const std::uint64_t now = sc_core::sc_time_stamp().value();
    const auto admitted = [&] { return server_free_ps_ < now + kPeriodPs; };
    bool read = false;
    if (can_read && read_first_ && admitted()) {
      issue_read(cycle, now);
      read = true;
    }
    if (can_write && admitted()) issue_write(cycle, now);
    if (can_read && !read && admitted()) {
      issue_read(cycle, now);
      read = true;
    }
    read_first_ = can_read && !read;
  }

  void issue_read(std::uint64_t cycle, std::uint64_t now) {
    ReadBurst& burst = read_addresses_.front();
    ReadBeat& beat = reads_.push();
    payload_.set_read();
    payload_.set_data_ptr(beat.data);
    payload_.set_byte_enable_ptr(nullptr);
    beat.ready_cycle = cycle + transact(burst.address, now);
    beat.response = to_axi(payload_.get_response_status());
    if (beat.response != kOkay) std::memset(beat.data, 0, bus_bytes_);
    beat.last = burst.beats == 1;
    burst.address += bus_bytes_;
    if (--burst.beats == 0) read_addresses_.pop();
  }

  void issue_write(std::uint64_t cycle, std::uint64_t now) {
    WriteBeat& beat = write_data_.front();
    payload_.set_write();
    payload_.set_data_ptr(beat.data);
    if (beat.strobes == all_strobes_) {
      payload_.set_byte_enable_ptr(nullptr);
    } else {
      for (unsigned i = 0; i < bus_bytes_; ++i) {
        byte_enables_[i] = beat.strobes >> i & 1 ? TLM_BYTE_ENABLED : TLM_BYTE_DISABLED;
      }
      payload_.set_byte_enable_ptr(byte_enables_.data());
      payload_.set_byte_enable_length(bus_bytes_);
    }
    Acknowledgement& acknowledgement = acknowledgements_.push();
    acknowledgement.ready_cycle = cycle + transact(write_addresses_.front(), now);
    acknowledgement.response = to_axi(payload_.get_response_status());
    write_addresses_.pop();
    write_data_.pop();
  }

  /// Sends the payload; returns the annotated delay in whole cycles.
  std::uint64_t transact(std::uint32_t address, std::uint64_t now) {
    sc_core::sc_time delay;
    payload_.set_address(address);
    payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    memory->b_transport(payload_, delay);
    const std::uint64_t delay_ps = delay.value();
    server_free_ps_ = now + delay_ps - latency_ps_;
    if (silent_address_ && *silent_address_ - address < bus_bytes_) return kNever / 2;
    return delay_ps ? (delay_ps + kPeriodPs - 1) / kPeriodPs : 0;
  }

  /// Five independent events of the stall probability, one bit each.
  unsigned draw_stalls() {
    const std::uint64_t bits = random_.next();
    unsigned stalls = 0;
    for (unsigned i = 0; i < 5; ++i) stalls |= ((bits >> 12 * i & 4095) < stall_threshold_) << i;
    return stalls;
  }

  const unsigned bus_bytes_;
  const std::uint64_t all_strobes_;
  std::uint64_t latency_ps_ = 0;
  unsigned stall_threshold_ = 0;
  SplitMix64 random_{0};
  std::size_t response_capacity_ = kPipelineBeats;
  std::optional<std::uint64_t> silent_address_;
  std::uint32_t program_base_ = 0, program_count_ = 0, fetched_ = 0;

  Ring<ReadBurst> read_addresses_;
  Ring<ReadBeat> reads_;  // the front stays while it is on the pins
  Ring<std::uint32_t> write_addresses_;
  Ring<WriteBeat> write_data_;
  Ring<Acknowledgement> acknowledgements_;  // as reads_
  bool arready_ = false, awready_ = false, wready_ = false, rvalid_ = false, bvalid_ = false;
  bool new_read_data_ = false;        // the front of reads_ is not on the pins yet
  bool read_first_ = false;           // the last contest went to a write
  std::uint64_t server_free_ps_ = 0;  // when the memory can begin another beat

  tlm::tlm_generic_payload payload_;
  std::array<std::uint8_t, kMaxBusBytes> byte_enables_{};
};

}  // namespace solfege
