// SPDX-License-Identifier: Apache-2.0
// Binary interface between the SystemC platform and a Verilated design in a shared library. Plain
// C structs, so the platform is compiled once and only the generated design is built on demand.
#pragma once

#include <cstdint>

namespace solfege {

constexpr int kMaxBusBytes = 64;
constexpr int kDutEngines = 4;  ///< kEngines; this file is compiled apart from the model

using DutBus = std::uint8_t[kMaxBusBytes];
using DutTags = std::uint16_t[kDutEngines];
using DutCycles = std::uint32_t[kDutEngines];

// Every pin of the generated top level sf_accelerator, but outputs that are constant. The AXI4-Lite
// slave has 32 bits of data and 12 of address. trace_valid_o has one bit an engine: it retired a
// descriptor this cycle; the three arrays then hold its tag (index in the program) and its cycles,
// split into advancing and stalled ones.
// clang-format off
#define SOLFEGE_DUT_PINS(INPUT, OUTPUT)                                                          \
  INPUT(std::uint8_t, clk_i)             INPUT(std::uint8_t, rst_ni)                             \
  INPUT(std::uint8_t, s_axil_awvalid_i)  INPUT(std::uint32_t, s_axil_awaddr_i)                   \
  INPUT(std::uint8_t, s_axil_wvalid_i)   INPUT(std::uint32_t, s_axil_wdata_i)                    \
  INPUT(std::uint8_t, s_axil_wstrb_i)    INPUT(std::uint8_t, s_axil_bready_i)                    \
  INPUT(std::uint8_t, s_axil_arvalid_i)  INPUT(std::uint32_t, s_axil_araddr_i)                   \
  INPUT(std::uint8_t, s_axil_rready_i)                                                           \
  INPUT(std::uint8_t, m_axi_arready_i)   INPUT(std::uint8_t, m_axi_rvalid_i)                     \
  INPUT(std::uint8_t, m_axi_rlast_i)     INPUT(std::uint8_t, m_axi_rresp_i)                      \
  INPUT(DutBus, m_axi_rdata_i)                                                                   \
  INPUT(std::uint8_t, m_axi_awready_i)   INPUT(std::uint8_t, m_axi_wready_i)                     \
  INPUT(std::uint8_t, m_axi_bvalid_i)    INPUT(std::uint8_t, m_axi_bresp_i)                      \
  OUTPUT(std::uint8_t, s_axil_awready_o) OUTPUT(std::uint8_t, s_axil_wready_o)                   \
  OUTPUT(std::uint8_t, s_axil_bvalid_o)  OUTPUT(std::uint8_t, s_axil_bresp_o)                    \
  OUTPUT(std::uint8_t, s_axil_arready_o) OUTPUT(std::uint8_t, s_axil_rvalid_o)                   \
  OUTPUT(std::uint8_t, s_axil_rresp_o)   OUTPUT(std::uint32_t, s_axil_rdata_o)                   \
  OUTPUT(std::uint8_t, m_axi_arvalid_o)  OUTPUT(std::uint32_t, m_axi_araddr_o)                   \
  OUTPUT(std::uint8_t, m_axi_arlen_o)    OUTPUT(std::uint8_t, m_axi_rready_o)                    \
  OUTPUT(std::uint8_t, m_axi_awvalid_o)  OUTPUT(std::uint32_t, m_axi_awaddr_o)                   \
  OUTPUT(std::uint8_t, m_axi_awlen_o)    OUTPUT(std::uint8_t, m_axi_wvalid_o)                    \
  OUTPUT(std::uint8_t, m_axi_wlast_o)    OUTPUT(std::uint64_t, m_axi_wstrb_o)                    \
  OUTPUT(DutBus, m_axi_wdata_o)          OUTPUT(std::uint8_t, m_axi_bready_o)                    \
  OUTPUT(std::uint8_t, irq_o)            OUTPUT(std::uint8_t, trace_valid_o)                     \
  OUTPUT(DutTags, trace_tag_o)                                                                   \
  OUTPUT(DutCycles, trace_active_cycles_o) OUTPUT(DutCycles, trace_stall_cycles_o)
// clang-format on

/// The pins' values. Inputs are written before eval, outputs read after it.
struct DutPins {
#define SOLFEGE_PIN(type, name) type name;
  SOLFEGE_DUT_PINS(SOLFEGE_PIN, SOLFEGE_PIN)
#undef SOLFEGE_PIN
};

}  // namespace solfege

extern "C" {
struct SolfegeDut;
/// `reset_seed` decides what registers and memories hold before the reset.
SolfegeDut* solfege_dut_create(std::uint64_t reset_seed);
void solfege_dut_destroy(SolfegeDut*);
void solfege_dut_eval(SolfegeDut*, solfege::DutPins*);
/// Waveforms (only in libraries built for them): opens an FST file; dump appends the state at
/// `time`.
void solfege_dut_trace_open(SolfegeDut*, const char* path);
void solfege_dut_trace_dump(SolfegeDut*, std::uint64_t time);
void solfege_dut_trace_close(SolfegeDut*);
}
