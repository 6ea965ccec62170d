// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "cost/eda/adder_cells.hpp"
#include "cost/eda/netlist.hpp"
#include "model/spec/config.hpp"

namespace solfege {

constexpr const char* kNetlistJson = "netlist.json";
constexpr const char* kNetlistLibrary = "cells.lib";
constexpr const char* kNetlistManifest = "manifest.json";

/// All instances of cells.
struct NetlistSummary : CellCounts {
  std::string library;  ///< name in the Liberty file
  int modules = 0;      ///< different ones
};

/// Maps the whole device of a configuration onto a Liberty library (empty: osu018), module by
/// module as synthesize() does and with its cache, and writes to `directory`:
///   netlist.v         modules of library cells; sf_ram and sf_register_file are instances of
///   sf_*.v            the RTL's own memories; netlist.v has a memory for the words of sf_fifo
///   cells.v           the library's cells by their functions in the Liberty file
///   sf_accelerator.f  the list of these, for any simulator
///   netlist.json      the same netlist as Yosys writes JSON, and
///   cells.lib         its cells' functions: what load_netlist_dut() simulates
///   manifest.json     configuration hash, library, tool, counts
/// InputError: no Yosys, unusable Liberty file, folder not writable. std::runtime_error: Yosys
/// failed, or left something unmapped.
NetlistSummary write_netlist(const Config& config, const std::string& liberty,
                             const std::string& directory, const std::string& cache_directory,
                             const std::function<void(const std::string& phase)>& progress = {});

/// What netlist_verilog() calls the modules: sf_fifo_2 for `$paramod$5e..\\sf_fifo`.
std::map<std::string, std::string> verilog_names(const std::map<std::string, Netlist>& modules);

/// Structural Verilog of modules that instantiate one another, cells and memories. Ports, and
/// instances of modules and memories, keep their names.
std::string netlist_verilog(const std::map<std::string, Netlist>& modules);

/// What read_netlist_modules() reads.
std::string netlist_json(const std::map<std::string, Netlist>& modules);

}  // namespace solfege
