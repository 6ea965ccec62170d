// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cost/eda/elaborated_design.hpp"
#include "cost/eda/prepared_library.hpp"

namespace solfege {

struct TimingStep {
  std::string pin, cell;
  double arrival_ns = 0;
};

struct TimingPath {
  double delay_ns = 0;               ///< shortest period it allows: setup time included
  std::string start, end;            ///< pins or ports
  std::string start_module, module;  ///< labels; of ports the top's
  std::vector<TimingStep> steps;     ///< the critical path's only
};

/// By OpenSTA: no wires, ideal clock, ports at the clock edge, reset not timed. Nets of more than
/// kMaxFanout pins get trees of the library's best buffer first, in the timing netlist only.
struct TimingReport {
  double period_ns = 0;  ///< of the worst path
  double clock_mhz = 0;
  std::optional<double> requested_ns, slack_ns;
  TimingPath critical;
  std::vector<TimingPath> modules;  ///< worst path that ends in each module, worst first
  std::size_t endpoints = 0;        ///< flip-flops' data pins and outputs that were timed
  std::string buffer_cell;          ///< empty: the library has none, nets are unbuffered
  std::uint64_t buffers = 0;
  double buffers_um2 = 0;  ///< not in the areas of modules
  std::string opensta;     ///< version line
};

constexpr std::size_t kMaxFanout = 16;

/// Timing of a mapped design, modules linked, memories left out: paths from and to them are not
/// timed. `netlists` has every module below `top`. InputError: no OpenSTA.
TimingReport time_design(const std::map<std::string, Netlist>& netlists, const std::string& top,
                         const PreparedLibrary& library, std::optional<double> period_ns,
                         const std::string& cache_directory,
                         const std::function<void()>& poll = {});

}  // namespace solfege
