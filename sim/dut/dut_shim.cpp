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
// words, least significant first. On a little-endian host both are the bytes of the bus in order.
template <typename Integer>
void write_port(Integer& port, const std::uint8_t* bytes) {
  std::memcpy(&port, bytes, sizeof port);
}

template <std::size_t kWords>
void write_port(VlWide<kWords>& port, const std::uint8_t* bytes) {
  std::memcpy(port.data(), bytes, kWords * sizeof(EData));
}

template <typename Integer>
void read_port(const Integer& port, void* bytes) {
  std::memcpy(bytes, &port, sizeof port);
}

template <std::size_t kWords>
void read_port(const VlWide<kWords>& port, void* bytes) {
  std::memcpy(bytes, port.data(), kWords * sizeof(EData));
}

void write_inputs(Vsf_accelerator& model, const solfege::DutPins& pins) {
  model.clk_i = pins.clk_i;
  model.rst_ni = pins.rst_ni;
  model.s_axil_awvalid_i = pins.s_axil_awvalid_i;
  model.s_axil_awaddr_i = pins.s_axil_awaddr_i & kCsrAddressMask;
  model.s_axil_wvalid_i = pins.s_axil_wvalid_i;
  model.s_axil_wdata_i = pins.s_axil_wdata_i;
  model.s_axil_wstrb_i = pins.s_axil_wstrb_i & 0xf;
  model.s_axil_bready_i = pins.s_axil_bready_i;
  model.s_axil_arvalid_i = pins.s_axil_arvalid_i;
  model.s_axil_araddr_i = pins.s_axil_araddr_i & kCsrAddressMask;
  model.s_axil_rready_i = pins.s_axil_rready_i;
  model.m_axi_arready_i = pins.m_axi_arready_i;
  model.m_axi_rvalid_i = pins.m_axi_rvalid_i;
  model.m_axi_rlast_i = pins.m_axi_rlast_i;
  model.m_axi_rresp_i = pins.m_axi_rresp_i;
  model.m_axi_awready_i = pins.m_axi_awready_i;
  model.m_axi_wready_i = pins.m_axi_wready_i;
  model.m_axi_bvalid_i = pins.m_axi_bvalid_i;
  model.m_axi_bresp_i = pins.m_axi_bresp_i;
  write_port(model.m_axi_rdata_i, pins.m_axi_rdata_i);
}

static_assert(sizeof(Vsf_accelerator::trace_tag_o) == sizeof(solfege::DutPins::trace_tag_o));
static_assert(sizeof(Vsf_accelerator::trace_stall_cycles_o) ==
              sizeof(solfege::DutPins::trace_stall_cycles_o));

void read_outputs(const Vsf_accelerator& model, solfege::DutPins& pins) {
  pins.s_axil_awready_o = model.s_axil_awready_o;
  pins.s_axil_wready_o = model.s_axil_wready_o;
  pins.s_axil_bvalid_o = model.s_axil_bvalid_o;
  pins.s_axil_bresp_o = model.s_axil_bresp_o;
  pins.s_axil_arready_o = model.s_axil_arready_o;
  pins.s_axil_rvalid_o = model.s_axil_rvalid_o;
  pins.s_axil_rresp_o = model.s_axil_rresp_o;
  pins.s_axil_rdata_o = model.s_axil_rdata_o;
  pins.m_axi_arvalid_o = model.m_axi_arvalid_o;
  pins.m_axi_araddr_o = model.m_axi_araddr_o;
  pins.m_axi_arlen_o = model.m_axi_arlen_o;
  pins.m_axi_rready_o = model.m_axi_rready_o;
  pins.m_axi_awvalid_o = model.m_axi_awvalid_o;
  pins.m_axi_awaddr_o = model.m_axi_awaddr_o;
  pins.m_axi_awlen_o = model.m_axi_awlen_o;
  pins.m_axi_wvalid_o = model.m_axi_wvalid_o;
  pins.m_axi_wlast_o = model.m_axi_wlast_o;
  pins.m_axi_bready_o = model.m_axi_bready_o;
  pins.irq_o = model.irq_o;
  pins.trace_valid_o = model.trace_valid_o;
  // Payloads mean something only under their valid.
  if (pins.m_axi_wvalid_o) {
    pins.m_axi_wstrb_o = model.m_axi_wstrb_o;
    read_port(model.m_axi_wdata_o, pins.m_axi_wdata_o);
  }
  if (pins.trace_valid_o) {
    read_port(model.trace_tag_o, pins.trace_tag_o);
    read_port(model.trace_active_cycles_o, pins.trace_active_cycles_o);
    read_port(model.trace_stall_cycles_o, pins.trace_stall_cycles_o);
  }
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
  write_inputs(*dut->model, *pins);
  dut->model->eval();
  read_outputs(*dut->model, *pins);
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
