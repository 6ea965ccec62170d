// SPDX-License-Identifier: Apache-2.0
// Binary interface between the SystemC platform and a Verilated design in a shared library. Plain
// C structs, so the platform is compiled once and only the generated design is built on demand.
#pragma once

#include <cstdint>

namespace solfege {

constexpr int kMaxBusBytes = 64;
constexpr int kDutEngines = 4;  ///< kEngines; this file is compiled apart from the model

/// Every pin of the generated top level sf_accelerator. Inputs are written before eval, outputs
/// read after it.
struct DutPins {
  // inputs
  std::uint8_t clk_i, rst_ni;
  // AXI4-Lite slave, 32-bit data
  std::uint8_t s_axil_awvalid_i, s_axil_wvalid_i, s_axil_bready_i, s_axil_arvalid_i,
      s_axil_rready_i, s_axil_wstrb_i;
  std::uint32_t s_axil_awaddr_i, s_axil_wdata_i, s_axil_araddr_i;  // addresses: 12 bits used
  // AXI4 master
  std::uint8_t m_axi_arready_i, m_axi_rvalid_i, m_axi_rlast_i, m_axi_rresp_i;
  std::uint8_t m_axi_awready_i, m_axi_wready_i, m_axi_bvalid_i, m_axi_bresp_i;
  std::uint8_t m_axi_rdata_i[kMaxBusBytes];
  // outputs
  std::uint8_t s_axil_awready_o, s_axil_wready_o, s_axil_bvalid_o, s_axil_bresp_o, s_axil_arready_o,
      s_axil_rvalid_o, s_axil_rresp_o;
  std::uint32_t s_axil_rdata_o;
  std::uint8_t m_axi_arvalid_o, m_axi_arlen_o, m_axi_rready_o;
  std::uint8_t m_axi_awvalid_o, m_axi_awlen_o, m_axi_wvalid_o, m_axi_wlast_o, m_axi_bready_o;
  std::uint32_t m_axi_araddr_o, m_axi_awaddr_o;
  std::uint8_t m_axi_wdata_o[kMaxBusBytes];
  std::uint64_t m_axi_wstrb_o;
  std::uint8_t irq_o;
  /// One bit an engine: it retired a descriptor this cycle; the three arrays then hold its tag
  /// (index in the program) and its cycles, split into advancing and stalled ones.
  std::uint8_t trace_valid_o;
  std::uint16_t trace_tag_o[kDutEngines];
  std::uint32_t trace_active_cycles_o[kDutEngines];
  std::uint32_t trace_stall_cycles_o[kDutEngines];
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
