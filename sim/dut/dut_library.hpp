// SPDX-License-Identifier: Apache-2.0
// Builds the simulator of a generated design on demand and caches it by content.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/dut/dut_abi.hpp"

namespace solfege {

/// What may differ between two simulators of one design.
struct DutOptions {
  bool waveforms = false;            ///< can write FST files; slower
  int threads = 1;                   ///< threads of the Verilated model, 1..64
  std::vector<std::string> defines;  ///< Verilog macros, "NAME" or "NAME=VALUE"
  bool adder_tree = false;           ///< the form of the elements that is synthesised
  std::uint64_t reset_seed = 1;      ///< of what registers and memories hold before the reset
};

/// A loaded simulator: the functions of dut_abi.hpp. A Verilated one stays loaded until the process
/// ends.
struct DutLibrary {
  std::string path;        ///< the shared object
  bool cache_hit = false;  ///< it was there already; nothing was compiled
  bool waveforms = false;  ///< the trace functions write files

  std::function<SolfegeDut*()> create;
  std::function<decltype(solfege_dut_destroy)> destroy;
  std::function<decltype(solfege_dut_eval)> eval;
  std::function<decltype(solfege_dut_trace_open)> trace_open;
  std::function<decltype(solfege_dut_trace_dump)> trace_dump;
  std::function<decltype(solfege_dut_trace_close)> trace_close;
};

/// Returns the simulator of the design in `generated_dir`, building it first if no cached one has
/// the same content: every file of `generated_dir`/sf_accelerator.f (one path a line, relative to
/// the list; `+incdir+DIR` and comments allowed; headers `.vh`, `.svh` are for inclusion only), the
/// shim, the options, the tools' versions and the processor. It is an entry of the cache: see
/// cached_folder(). Progress goes to stderr; the compiler's output is kept as `build.log` beside
/// the library.
///
/// Throws InputError for missing files or tools and bad options; std::runtime_error with the end of
/// the log and its path if compilation fails.
DutLibrary build_dut(const std::string& generated_dir, const DutOptions& options = {});

}  // namespace solfege
