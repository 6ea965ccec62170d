// SPDX-License-Identifier: Apache-2.0
#include "sim/platform/platform.hpp"

#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include "model/base/error.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"
#include "sim/platform/axi_lite_master.hpp"
#include "sim/platform/axi_slave.hpp"
#include "sim/platform/dut.hpp"
#include "sim/platform/host_process.hpp"
#include "sim/platform/memory.hpp"

/// libsystemc.so contains a main that calls this one and does not link without it. The program has
/// a main of its own, so it never runs.
int sc_main(int, char**) { return 1; }

namespace solfege {

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
