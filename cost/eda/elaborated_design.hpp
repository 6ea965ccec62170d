// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cost/eda/mapping.hpp"
#include "cost/eda/netlist.hpp"
#include "cost/eda/prepared_library.hpp"
#include "model/spec/config.hpp"

namespace solfege {

/// A parametrised module of the design, as Yosys' RTLIL.
struct ElaboratedModule {
  std::string name, text;
  std::string ports;               ///< the same as a black box
  std::set<std::string> children;  ///< modules it instantiates, memories too
  bool is_memory = false;          ///< sf_ram or sf_register_file
  std::uint64_t memory_bits = 0;   ///< of its own memories
  std::uint64_t memory_depth = 0;  ///< and words, of a memory
};

/// The whole design, elaborated once; its modules are then mapped one by one.
struct ElaboratedDesign {
  std::string top;
  std::filesystem::path folder;  ///< with rtl/, design.il, and before mapping generic.il
  std::map<std::string, ElaboratedModule> modules;
};

/// Generates and elaborates the design of a configuration, trees of adders bound to
/// the library's cells; or finds it in the cache.
ElaboratedDesign elaborate(const Config& config, const PreparedLibrary& library,
                           const std::string& cache_directory,
                           const std::function<void()>& poll = {});

/// Maps a module (its children are black boxes) to cells of the library, or finds it in the cache,
/// whatever configuration it was mapped for. The words of sf_fifo stay a $mem_v2 cell.
Netlist map_module(const ElaboratedDesign& design, const std::string& module,
                   const PreparedLibrary& library, AdderStyle style,
                   const std::string& cache_directory, const std::function<void()>& poll = {});
bool is_mapped(const ElaboratedDesign& design, const std::string& module,
               const PreparedLibrary& library, AdderStyle style,
               const std::string& cache_directory);

/// A module and those that it contains, memories too, each once.
std::vector<std::string> modules_below(const ElaboratedDesign& design, const std::string& top);

/// A module and all below it before mapping, memories with their contents, in RTLIL. The elements'
/// tree is of adder cells, or grouped for look-up tables of six inputs.
std::string generic_rtlil(const ElaboratedDesign& design, const std::string& module,
                          bool look_up_tree);

/// Short and unique: sf_lfsr Numbers=16, sf_fifo #5e01ab.
std::string module_label(const std::string& module);

}  // namespace solfege
