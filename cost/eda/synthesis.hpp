// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cost/eda/fpga.hpp"
#include "cost/eda/mapping.hpp"
#include "cost/eda/timing.hpp"
#include "model/spec/config.hpp"

namespace solfege {

/// A parametrised module after mapping. Figures are of its own cells, one instance, without
/// submodules and memories.
struct ModuleArea : CellCounts {
  std::string name;  ///< module, and its parameters or the hash Yosys gives them
  std::uint64_t instances = 0;
  double total_um2() const { return area_um2 * static_cast<double>(instances); }
};

/// Storage that is no standard-cell area: sf_ram, sf_register_file, the words of sf_fifo.
struct MemoryBits {
  std::string name;
  std::uint64_t instances = 0;
  std::uint64_t bits = 0;   ///< of one instance
  std::uint64_t depth = 0;  ///< its words
};

/// sf_popcount from explicit adders against its behavioural form, same library.
struct PopcountComparison {
  int width = 0;                                   ///< N bits
  double structural_um2 = 0;                       ///< adders on the library's cells
  double behavioural_um2 = 0;                      ///< what Yosys' `synth` and ABC make of `+`
  double ratio = 0;                                ///< structural / behavioural
  std::uint64_t full_adders = 0, half_adders = 0;  ///< cells; together N - popcount(N)
  std::uint64_t behavioural_adder_cells = 0;       ///< FA or HA cells that ABC inferred
};

/// The modules of sf_popcount: both its forms, and the adders of rtl/.
std::vector<std::string> popcount_sources();

struct SynthesisOptions {
  std::string liberty;  ///< empty: kDefaultLiberty
  std::string top;      ///< module (base name or label) to stop at; empty: the whole machine
  AdderStyle adders = AdderStyle::kRipple;
  bool timing = true;
  std::optional<double> period_ns;  ///< to judge the slack by
  bool fpga = false;                ///< look-up tables of three families, for `top` or sf_pe
  int jobs = 0;                     ///< Yosys processes at once; 0: one a processor
};

struct SynthesisReport {
  std::string library;                           ///< name in the Liberty file
  std::string liberty;                           ///< its path
  std::string yosys;                             ///< version line
  std::string top;                               ///< module the figures are of
  std::string full_adder_cell, half_adder_cell;  ///< empty: plain logic, see notes
  double voltage_v = 0, temperature_c = 0;       ///< of the library
  std::string corner;
  double area_um2 = 0;              ///< all instances; the Liberty file's area unit, um2
  double sequential_um2 = 0;        ///< flip-flops' part
  double um2_per_lane = 0;          ///< area over rows x columns x lanes; whole machine only
  std::vector<ModuleArea> modules;  ///< largest total first
  std::vector<MemoryBits> memories;
  std::uint64_t memory_bits = 0;
  PopcountComparison popcount;                ///< of the configuration's lanes
  std::vector<PopcountComparison> popcounts;  ///< that one, and reference widths
  std::optional<TimingReport> timing;
  std::vector<FpgaUnit> fpga;
  int modules_mapped = 0, modules_cached = 0;
  double seconds = 0;
  std::vector<std::string> notes;
};

/// Called as phases begin and about four times a second, by the thread that called synthesize():
/// phase, how much of it is done, of how much. What it throws ends the run.
using SynthesisProgress = std::function<void(const std::string& phase, int done, int total)>;

/// Area, clock and, on request, look-up tables of a configuration's design, mapped module by module
/// without flattening. Intermediate results are cached by content. InputError: no Yosys or
/// OpenSTA, unusable Liberty file, unknown `top`. std::runtime_error: a tool failed, with the end
/// of its log.
SynthesisReport synthesize(const Config& config, const SynthesisOptions& options,
                           const std::string& cache_directory,
                           const SynthesisProgress& progress = {});

/// What synthesize() says of a popcount of so many bits.
PopcountComparison compare_popcount(int width, const PreparedLibrary& library,
                                    const std::string& cache_directory,
                                    const std::function<void()>& poll);

}  // namespace solfege
