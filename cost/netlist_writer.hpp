// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "cost/yosys.hpp"
#include "model/config.hpp"

namespace solfege {

constexpr const char* kNetlistJson = "netlist.json";
constexpr const char* kNetlistLibrary = "cells.lib";
constexpr const char* kNetlistManifest = "manifest.json";

/// A design as gates of a library, in a folder.
struct NetlistSummary {
  std::string directory;
  std::string library, liberty;  ///< name in the Liberty file; its path
  std::string yosys;             ///< version line
  std::uint64_t cells = 0;       ///< of the library, all instances
  std::uint64_t flip_flops = 0;
  double area_um2 = 0;
  double seconds = 0;  ///< of mapping; 0 if it was in the cache
  /// Cells by module, of one instance, and the module's instances.
  struct Module {
    std::uint64_t cells = 0, instances = 0;
  };
  std::map<std::string, Module> modules;
};

/// Maps the whole device of a configuration onto a Liberty library (empty: osu018), module by
/// module, and writes to `directory`:
///   netlist.v         modules of library cells; sf_ram and sf_register_file are instances of
///   sf_*.v            the RTL's own memories; the words of sf_fifo are memories in its netlist
///   cells.v           the library's cells by their functions in the Liberty file
///   sf_accelerator.f  the list of these, for any simulator
///   netlist.json      the same netlist as Yosys' JSON, and
///   cells.lib         its cells' functions: what load_netlist_dut() simulates
///   manifest.json     configuration hash, library, tool, counts
/// Mapping is cached under what it depends on. InputError: no Yosys, unusable Liberty file, folder
/// not writable. std::runtime_error: Yosys failed, or left something unmapped.
NetlistSummary write_netlist(const Config& config, const std::string& liberty,
                             const std::string& directory, const std::string& cache_directory,
                             const YosysProgress& progress = {});

}  // namespace solfege
