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
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <systemc>
#include <utility>

#include "model/spec/descriptor.hpp"
#include "model/timing/watchdog.hpp"
#include "sim/dut/dut_library.hpp"
#include "sim/platform/axi_lite_master.hpp"
#include "sim/platform/axi_slave.hpp"
#include "sim/platform/clock.hpp"
#include "sim/platform/run_result.hpp"

namespace solfege {

static_assert(kDutEngines == kEngines);

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
  const sc_core::sc_time half_period_;
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

}  // namespace solfege
