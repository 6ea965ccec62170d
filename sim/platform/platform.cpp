// SPDX-License-Identifier: Apache-2.0
// How a cycle works. SystemC's clock signal and wide data types would cost more than the design, so
// the pins are one plain struct and the modules meet at the clock edges in a fixed order:
//
//   rising edge   1. retirements are reported, 2. the adapters sample the pins as they stood before
//                 the edge and decide their next outputs, 3. the design sees clk = 1 with its
//                 inputs still unchanged: its registers take what the last cycle computed.
//   falling edge  the adapters drive what they decided; the design sees clk = 0 and its
//                 combinational outputs settle for the next rising edge.
//
// Every output of an adapter is therefore a register, and no handshake depends on evaluation order.
#include "sim/platform/platform.hpp"

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <stdexcept>
#include <systemc>
#include <tlm>
#include <utility>

#include "model/base/error.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"

/// libsystemc.so contains a main that calls this one and does not link without it. The program has
/// a main of its own, so it never runs.
int sc_main(int, char**) { return 1; }

namespace solfege {
namespace {

using sc_core::sc_time;

static_assert(kDutEngines == kEngines);

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kHalfPeriodPs = 500;
constexpr std::uint64_t kPeriodPs = 2 * kHalfPeriodPs;

sc_time picoseconds(std::uint64_t count) { return sc_time::from_value(count); }

enum Response : std::uint8_t { kOkay = 0, kSlaveError = 2, kDecodeError = 3 };

Response to_axi(tlm::tlm_response_status status) {
  if (status == tlm::TLM_OK_RESPONSE) return kOkay;
  return status == tlm::TLM_ADDRESS_ERROR_RESPONSE ? kDecodeError : kSlaveError;
}

tlm::tlm_response_status to_tlm(std::uint8_t response) {
  if (response <= 1) return tlm::TLM_OK_RESPONSE;
  return response == kDecodeError ? tlm::TLM_ADDRESS_ERROR_RESPONSE
                                  : tlm::TLM_GENERIC_ERROR_RESPONSE;
}

void check(const MemoryModel& model) {
  if (model.latency_cycles < 0 || model.latency_cycles > 4096) {
    throw InputError("memory latency " + std::to_string(model.latency_cycles) +
                     ": must be 0 to 4096 cycles");
  }
  if (!(model.bytes_per_cycle == 0 ||
        (model.bytes_per_cycle >= 1.0 / 64 && model.bytes_per_cycle <= 4096))) {
    throw InputError("memory bandwidth " + std::to_string(model.bytes_per_cycle) +
                     ": must be 0 (unlimited) or 1/64 to 4096 bytes a cycle");
  }
  if (!(model.stall_probability >= 0 && model.stall_probability <= 0.95)) {
    throw InputError("memory stall probability " + std::to_string(model.stall_probability) +
                     ": must be 0 to 0.95");
  }
}

/// The model with what `ideal` implies.
MemoryModel effective(MemoryModel model) {
  check(model);
  if (model.ideal) {
    model.latency_cycles = 0;
    model.bytes_per_cycle = 0;
    model.stall_probability = 0;
  }
  return model;
}

/// A queue in a fixed ring; a slot keeps its address until it is popped.
template <typename T>
class Ring {
 public:
  /// Drops the contents and makes room for `capacity` elements.
  void reset(std::size_t capacity) {
    std::size_t size = 1;
    while (size < capacity) size *= 2;
    slots_.resize(size);
    mask_ = size - 1;
    head_ = tail_ = 0;
  }
  bool empty() const { return head_ == tail_; }
  std::size_t size() const { return tail_ - head_; }
  std::size_t room() const { return slots_.size() - size(); }
  T& front() { return slots_[head_ & mask_]; }
  /// Appends a slot with whatever it held before and returns it.
  T& push() { return slots_[tail_++ & mask_]; }
  void pop() { ++head_; }

 private:
  std::vector<T> slots_;
  std::size_t mask_ = 0, head_ = 0, tail_ = 0;
};

// ---- memory

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
  void transport(tlm::tlm_generic_payload& payload, sc_time& delay) {
    if (model_.bytes_per_cycle > 0) {
      const sc_time& now = sc_core::sc_time_stamp();
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
  sc_time latency_;
  sc_time server_free_;
};

// ---- bus adapters

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
    random_ = actual.stall_seed * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u;
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
    sc_time delay;
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
    random_ += 0x9E3779B97F4A7C15u;  // splitmix64
    std::uint64_t bits = random_;
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EBu;
    bits ^= bits >> 31;
    unsigned stalls = 0;
    for (unsigned i = 0; i < 5; ++i) stalls |= ((bits >> 12 * i & 4095) < stall_threshold_) << i;
    return stalls;
  }

  const unsigned bus_bytes_;
  const std::uint64_t all_strobes_;
  std::uint64_t latency_ps_ = 0;
  unsigned stall_threshold_ = 0;
  std::uint64_t random_ = 0;
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

  void transport(tlm::tlm_generic_payload& payload, sc_time& delay) {
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

// ---- design

/// The Verilated design and its clock: one process an edge. Calls the adapters as the top of this
/// file describes.
class Dut : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Dut);

  Dut(sc_core::sc_module_name name, const DutLibrary& library, AxiLiteMaster& control,
      AxiSlave& bus)
      : sc_module(name),
        library_(library),
        control_(control),
        bus_(bus),
        model_(library.create()),
        half_period_(picoseconds(kHalfPeriodPs)) {
    library_.eval(model_, &pins_);
    SC_METHOD(rising_edge);
    SC_METHOD(falling_edge);
    sensitive << falling_;
    dont_initialize();
  }

  /// Ends the model; no edge may follow.
  void destroy() {
    if (model_) library_.destroy(model_);
    model_ = nullptr;
  }

  void set_reset(bool asserted) { pins_.rst_ni = !asserted; }

  std::uint64_t cycle() const { return cycle_; }

  /// Who hears of retirements; must outlive the simulation that follows. Null for nobody.
  void set_listener(const std::function<bool(const Retire&)>* on_retire) {
    on_retire_ = on_retire;
    stop_requested_ = false;
  }

  /// Notifies `woken()` at the first cycle with the interrupt high, a stop by the listener, an
  /// exception, or when the patience is over.
  void arm(const Patience& patience) {
    const auto later = [&](std::uint64_t cycles) {
      return cycles < kNever - cycle_ ? cycle_ + cycles : kNever;
    };
    deadline_ = later(patience.total);
    quiet_ = patience.quiet;
    quiet_deadline_ = later(quiet_);
    armed_ = true;
  }
  const sc_core::sc_event& woken() const { return wake_; }

  bool interrupt() const { return pins_.irq_o; }
  const DutPins& pins() const { return pins_; }
  void set_poll(std::function<void()> poll) { poll_ = std::move(poll); }
  bool stop_requested() const { return stop_requested_; }

  /// The exception of a clock edge, if there was one; forgets it.
  std::exception_ptr take_failure() { return std::exchange(failure_, nullptr); }

  void trace(const std::string& path, std::uint64_t from, std::uint64_t to) {
    library_.trace_close(model_);
    trace_path_ = path;
    trace_from_ = from;
    trace_to_ = to;
    trace_open_ = false;
  }

  void end_trace() {
    library_.trace_close(model_);
    trace_from_ = kNever;
  }

 private:
  void rising_edge() {
    next_trigger(rising_);
    falling_.notify(half_period_);
    ++cycle_;
    try {
      if (pins_.trace_valid_o) {
        if (quiet_ < kNever - cycle_) quiet_deadline_ = cycle_ + quiet_;
        retire();
      }
      if (armed_ && poll_ && cycle_ % kPollCycles == 0) poll_();
      control_.sample(pins_);
      if (pins_.rst_ni) bus_.sample(pins_, cycle_);
    } catch (...) {  // must not unwind through the SystemC kernel
      if (!failure_) failure_ = std::current_exception();
    }
    if (armed_ && (pins_.irq_o || stop_requested_ || cycle_ >= deadline_ ||
                   cycle_ >= quiet_deadline_ || failure_)) {
      armed_ = false;
      wake_.notify(sc_core::SC_ZERO_TIME);
    }
    evaluate(1);
  }

  void falling_edge() {
    rising_.notify(half_period_);
    control_.drive(pins_);
    bus_.drive(pins_);
    evaluate(0);
  }

  void evaluate(std::uint8_t clock) {
    pins_.clk_i = clock;
    library_.eval(model_, &pins_);
    if (cycle_ >= trace_from_) dump(clock);
  }

  void dump(std::uint8_t clock) {
    if (!trace_open_) library_.trace_open(model_, trace_path_.c_str());
    trace_open_ = true;
    if (cycle_ > trace_to_) return end_trace();
    library_.trace_dump(model_, cycle_ * kPeriodPs + (clock ? 0 : kHalfPeriodPs));
  }

  void retire() {
    if (!on_retire_ || !*on_retire_) return;
    for (int engine = 0; engine < kEngines; ++engine) {
      if (!(pins_.trace_valid_o >> engine & 1)) continue;
      Retire event;
      event.engine = engine;
      event.tag = pins_.trace_tag_o[engine];
      event.active_cycles = pins_.trace_active_cycles_o[engine];
      event.stall_cycles = pins_.trace_stall_cycles_o[engine];
      event.cycle = cycle_;
      if (stop_requested_ || (*on_retire_)(event)) continue;
      stop_requested_ = true;
    }
  }

  static constexpr std::uint64_t kPollCycles = 64;

  DutLibrary library_;
  AxiLiteMaster& control_;
  AxiSlave& bus_;
  SolfegeDut* model_;
  DutPins pins_{};
  const sc_time half_period_;
  sc_core::sc_event rising_, falling_, wake_;
  std::uint64_t cycle_ = 0;

  bool armed_ = false;
  std::uint64_t deadline_ = kNever, quiet_ = kNever, quiet_deadline_ = kNever;
  std::function<void()> poll_;
  bool stop_requested_ = false;
  const std::function<bool(const Retire&)>* on_retire_ = nullptr;
  std::exception_ptr failure_;

  std::string trace_path_;
  std::uint64_t trace_from_ = kNever, trace_to_ = kNever;
  bool trace_open_ = false;
};

// ---- host

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
    sc_time delay;
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

}  // namespace

// ---- platform

struct Platform::Modules {
  Modules(const DutLibrary& library, int bus_bytes, const MemoryModel& model, std::size_t bytes)
      : memory("memory", bytes),
        bus("bus", bus_bytes),
        control("control"),
        dut("dut", library, control, bus),
        host("host"),
        waveforms(library.waveforms) {
    host.control.bind(control.socket);
    host.memory.bind(memory.host);
    bus.memory.bind(memory.bus);
    set_model(model);
  }

  void set_model(const MemoryModel& model) {
    memory.set_model(model);
    bus.set_model(model);
  }

  /// In the host's thread.
  void reset_design() {
    constexpr int kResetCycles = 8;
    dut.set_reset(true);
    bus.reset();
    control.reset();
    host.wait_cycles(kResetCycles);
    dut.set_reset(false);
    host.wait_cycles(kResetCycles);
  }

  Memory memory;
  AxiSlave bus;
  AxiLiteMaster control;
  Dut dut;
  HostProcess host;
  const bool waveforms;
  std::uint64_t config_hash = 0;
  bool needs_reset = false;
};

Platform::Platform(const DutLibrary& library, int bus_bytes, const MemoryModel& model,
                   std::size_t memory_bytes) {
  if (bus_bytes < 4 || bus_bytes > kMaxBusBytes || (bus_bytes & (bus_bytes - 1))) {
    throw InputError("bus_bytes = " + std::to_string(bus_bytes) +
                     ": must be a power of two, 4 to " + std::to_string(kMaxBusBytes));
  }
  if (memory_bytes == 0 || memory_bytes > std::uint64_t{1} << 32) {
    throw InputError("memory of " + std::to_string(memory_bytes) +
                     " bytes: must be 1 byte to 4 GiB, the reach of the design's addresses");
  }
  check(model);
  static bool constructed = false;
  if (constructed) throw std::logic_error("one Platform a process: SystemC elaborates once");
  constructed = true;

  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 0);
  modules_ = std::make_unique<Modules>(library, bus_bytes, model, memory_bytes);
  Modules& m = *modules_;
  m.host.execute([&] {
    m.reset_design();
    if (m.host.read_register(registers::id) != kDeviceId) {
      throw CheckFailed(library.path + ": not a Solfege design, its ID register differs");
    }
    m.config_hash = m.host.read_register_pair(registers::config_hash);
    if (!m.host.probe_memory(memory_bytes - 1)) throw std::logic_error("memory not connected");
  });
}

Platform::~Platform() {
  // The design must close its waveforms. The modules stay: SystemC's kernel refers to them until
  // the process ends, and destroying modules of a paused simulation is not something it supports.
  modules_->dut.destroy();
  modules_.release();
}

std::vector<std::uint8_t>& Platform::memory() { return modules_->memory.bytes(); }

std::uint64_t Platform::config_hash() const { return modules_->config_hash; }

std::uint64_t Platform::cycle() const { return modules_->dut.cycle(); }

void Platform::set_poll(std::function<void()> poll) { modules_->dut.set_poll(std::move(poll)); }

void Platform::set_memory_model(const MemoryModel& model) { modules_->set_model(model); }

void Platform::reset() { modules_->needs_reset = true; }

RunResult Platform::run(std::uint32_t descriptor_base, std::uint32_t count,
                        const std::function<bool(const Retire&)>& on_retire,
                        const Patience& patience) {
  Modules& m = *modules_;
  RunResult result;
  const auto job = [&] {
    if (m.needs_reset) m.reset_design();
    m.needs_reset = true;  // until this run has ended well
    m.host.write_register(registers::descriptor_base, descriptor_base);
    m.host.write_register(registers::descriptor_count, count);
    result.first_cycle = m.dut.cycle();
    m.bus.watch_program(descriptor_base, count);
    m.host.write_register(registers::control, registers::control_start);
    m.dut.arm(patience);
    m.host.wait_for(m.dut.woken());
    result.last_cycle = m.dut.cycle();
    result.fetched = m.bus.fetched();
    result.bus = m.bus.describe(m.dut.pins());
    if (const std::exception_ptr failure = m.dut.take_failure()) std::rethrow_exception(failure);
    if (m.dut.stop_requested()) {
      result.stopped = true;
      return;
    }

    const Status status = Status::decode(m.host.read_register(registers::status));
    result.error = status.error;
    result.done = status.done && !result.error;
    result.timed_out = !status.done && !result.error;
    result.error_code = status.code;
    result.error_engine = status.engine;
    result.error_tag = status.tag;
    std::uint32_t address = registers::counters;
#define SOLFEGE_READ(name, meaning)                          \
  result.counters.name = m.host.read_register_pair(address); \
  address += registers::counter_bytes;
    SOLFEGE_COUNTERS(SOLFEGE_READ)
#undef SOLFEGE_READ
    if (result.timed_out) return;
    m.host.write_register(registers::control, registers::control_clear);
    if (const std::exception_ptr failure = m.dut.take_failure()) std::rethrow_exception(failure);
    m.needs_reset = false;
  };
  const auto deafen = [](Dut* dut) { dut->set_listener(nullptr); };
  m.dut.set_listener(&on_retire);
  const std::unique_ptr<Dut, decltype(deafen)> listening(&m.dut, deafen);
  m.host.execute(job);
  return result;
}

void Platform::trace(const std::string& fst_path, std::uint64_t from_cycle,
                     std::uint64_t to_cycle) {
  if (!modules_->waveforms) {
    throw InputError("waveforms need a simulator built for them (DutOptions::waveforms)");
  }
  modules_->dut.trace(fst_path, from_cycle, to_cycle);
}

void Platform::end_trace() { modules_->dut.end_trace(); }

}  // namespace solfege
