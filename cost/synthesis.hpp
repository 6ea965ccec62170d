// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/config.hpp"

namespace solfege {

/// A parametrised module after mapping.
struct ModuleArea {
  std::string name;  ///< module, and its parameters or the hash Yosys gives them
  std::uint64_t instances = 0;
  double area_um2 = 0;      ///< of its own cells, one instance, without submodules and memories
  std::uint64_t cells = 0;  ///< library cells, one instance
};

/// Storage that is no standard-cell area: sf_ram, sf_register_file, the words of sf_fifo.
struct MemoryBits {
  std::string name;
  std::uint64_t instances = 0;
  std::uint64_t bits = 0;  ///< of one instance
  double kilobits() const { return static_cast<double>(bits) / 1024; }
};

/// sf_popcount from explicit adders against its behavioural form, same library.
struct PopcountComparison {
  int width = 0;                                   ///< N bits
  double structural_um2 = 0;                       ///< adders on the library's cells
  double behavioural_um2 = 0;                      ///< `+` through ABC
  double ratio = 0;                                ///< structural / behavioural
  std::uint64_t full_adders = 0, half_adders = 0;  ///< cells; together N - popcount(N)
  std::uint64_t behavioural_adder_cells = 0;       ///< FA or HA cells that ABC inferred
};

struct SynthesisReport {
  std::string library;                           ///< name in the Liberty file
  std::string liberty;                           ///< its path
  std::string yosys;                             ///< version line
  std::string full_adder_cell, half_adder_cell;  ///< empty: plain logic, see notes
  double area_um2 = 0;              ///< all instances; the Liberty file's area unit, um2
  std::vector<ModuleArea> modules;  ///< largest total first
  std::vector<MemoryBits> memories;
  std::uint64_t memory_bits = 0;
  PopcountComparison popcount;
  std::optional<double> clock_mhz;  ///< not estimated yet
  double seconds = 0;
  std::vector<std::string> notes;
};

/// Called as phases begin and about four times a second: phase, its number from 0, all phases.
using SynthesisProgress = std::function<void(const std::string& phase, int done, int total)>;

/// Area by Yosys: generates the design into `work_directory`/rtl and maps it module by module,
/// without flattening, onto a Liberty library (empty: osu018 of Debian's qflow-tech-osu018).
/// Scripts and logs stay in `work_directory`. InputError: no Yosys, unusable Liberty file.
/// std::runtime_error: Yosys failed, with the log's path and tail.
SynthesisReport synthesize(const Config& config, const std::string& liberty,
                           const std::string& work_directory,
                           const SynthesisProgress& progress = {});

/// Only the popcount comparison of synthesize(); seconds instead of minutes. Fills the library's
/// fields too.
SynthesisReport synthesize_popcount(const Config& config, const std::string& liberty,
                                    const std::string& work_directory,
                                    const SynthesisProgress& progress = {});

}  // namespace solfege
