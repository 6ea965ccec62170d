// SPDX-License-Identifier: Apache-2.0
// The Verilated side of the binary interface. It is compiled into the shared library of each
// generated design (see dut_library.cpp), never into the program itself.
#include <cstddef>
#include <cstring>
#include <memory>

#include "Vsf_accelerator.h"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
#endif

// Everything else in the library is hidden, so two designs can be loaded side by side.
#pragma GCC visibility push(default)
#include "dut_abi.hpp"
#pragma GCC visibility pop

/// The opaque handle of the interface: a model with a simulation context of its own.
struct SolfegeDut {
  VerilatedContext context;
  std::unique_ptr<Vsf_accelerator> model;
#if VM_TRACE_FST
  std::unique_ptr<VerilatedFstC> trace;
#endif
};

namespace {

constexpr std::uint32_t kCsrAddressMask = 0xfff;

// Verilator holds a port of up to 64 bits in an integer and a wider one in an array of 32-bit
// words, least significant first. On a little-endian host both are the bytes of the pin in order.
template <typename Port, typename Pin>
void write_port(Port& port, const Pin& pin) {
  static_assert(sizeof port <= sizeof pin);
  std::memcpy(&port, &pin, sizeof port);
}

template <typename Port, typename Pin>
void read_port(const Port& port, Pin& pin) {
  static_assert(sizeof port <= sizeof pin);
  std::memcpy(&pin, &port, sizeof port);
}

}  // namespace

SolfegeDut* solfege_dut_create(std::uint64_t reset_seed) {
  auto dut = std::make_unique<SolfegeDut>();
  constexpr int kRandom = 2;
  dut->context.randReset(kRandom);
  dut->context.randSeed(static_cast<int>(reset_seed % 0x7fffffff + 1));
#if VM_TRACE_FST
  dut->context.traceEverOn(true);
#endif
  dut->model = std::make_unique<Vsf_accelerator>(&dut->context, "sf_accelerator");
  return dut.release();
}

void solfege_dut_destroy(SolfegeDut* dut) {
  if (!dut) return;
  solfege_dut_trace_close(dut);
  dut->model->final();
  delete dut;
}

void solfege_dut_eval(SolfegeDut* dut, solfege::DutPins* pins) {
  Vsf_accelerator& model = *dut->model;
#define SOLFEGE_SKIP(type, name)
#define SOLFEGE_WRITE(type, name) write_port(model.name, pins->name);
#define SOLFEGE_READ(type, name) read_port(model.name, pins->name);
  SOLFEGE_DUT_PINS(SOLFEGE_WRITE, SOLFEGE_SKIP)
  // Verilator takes it that the bits above a port's width are 0.
  model.s_axil_awaddr_i &= kCsrAddressMask;
  model.s_axil_araddr_i &= kCsrAddressMask;
  model.s_axil_wstrb_i &= 0xf;
  model.eval();
  SOLFEGE_DUT_PINS(SOLFEGE_SKIP, SOLFEGE_READ)
}

#if VM_TRACE_FST

void solfege_dut_trace_open(SolfegeDut* dut, const char* path) {
  constexpr int kAllLevels = 99;
  dut->trace = std::make_unique<VerilatedFstC>();
  dut->model->trace(dut->trace.get(), kAllLevels);
  dut->trace->open(path);
}

void solfege_dut_trace_dump(SolfegeDut* dut, std::uint64_t time) {
  if (dut->trace) dut->trace->dump(time);
}

void solfege_dut_trace_close(SolfegeDut* dut) {
  if (dut->trace) dut->trace->close();
  dut->trace.reset();
}

#else

void solfege_dut_trace_open(SolfegeDut*, const char*) {}
void solfege_dut_trace_dump(SolfegeDut*, std::uint64_t) {}
void solfege_dut_trace_close(SolfegeDut*) {}

#endif
