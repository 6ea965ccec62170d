// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cost/eda/adder_cells.hpp"
#include "cost/eda/liberty.hpp"

namespace solfege {

/// A Liberty library as synthesis needs it: only the cells that may be used, in files small enough
/// that Yosys, which reads them for every module, does not spend its time on tables.
struct PreparedLibrary {
  std::string path;          ///< as named: a Liberty file, files, or a folder
  std::string folder;        ///< of the files below
  std::string cells_lib;     ///< pins, functions, flip-flops, areas: for Yosys
  std::string gates_genlib;  ///< combinational cells: for ABC
  std::string timing_lib;    ///< cells_lib and delay tables: for OpenSTA
  LibertyLibrary library;    ///< of cells_lib: without tables
  AdderCells adders;
  std::string hash;                ///< of the contents of all these
  std::vector<std::string> notes;  ///< cells left out and why, and timing that the rest lacks
};

/// Prepares a library, or finds it in the cache. Left out are cells marked dont_use, latches,
/// memories, clock gates, level shifters, isolation and pad cells, and those without function, or
/// with one that cannot be read. InputError: as read_liberty, files of different units, and when
/// what is left has no inverter, gate or flip-flop.
PreparedLibrary prepare_library(const std::string& liberty, const std::string& cache_directory);

}  // namespace solfege
