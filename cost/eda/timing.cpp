// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/timing.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>

#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/timing_netlist.hpp"
#include "cost/eda/yosys.hpp"
#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"
#include "model/base/process.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPackage = "opensta";
constexpr double kTrialPeriodNs = 100;  // any will do: slack tells the delay

struct Endpoint {
  std::string start, end;
  double slack = 0;
};

/// Rows of `report_checks -format summary`: startpoint, endpoint, slack, each point followed by
/// its cell in parentheses.
std::vector<Endpoint> read_summary(const std::string& text) {
  std::vector<Endpoint> endpoints;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<std::string> row;
    for (std::string word; words >> word;)
      if (word[0] != '(') row.push_back(word);
    char* end = nullptr;
    if (row.size() != 3) continue;
    const double slack = std::strtod(row[2].c_str(), &end);
    if (*end == '\0') endpoints.push_back({row[0], row[1], slack});
  }
  return endpoints;
}

/// Rows `delay time edge pin (cell)` of a full path report.
std::vector<TimingStep> read_path(const std::string& text) {
  std::vector<TimingStep> steps;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("data arrival time") != std::string::npos) break;
    double delay = 0, time = 0;
    std::string edge, pin, cell;
    std::istringstream words(line);
    if (!(words >> delay >> time >> edge >> pin)) continue;
    if (edge != "^" && edge != "v") continue;
    words >> cell;
    if (cell.size() > 2) cell = cell.substr(1, cell.size() - 2);
    steps.push_back({pin, cell, time});
  }
  return steps;
}

/// The module an instance path lies in: its longest prefix that is a module's.
std::string module_of(const TimingNetlist& netlist, const std::string& point) {
  for (std::size_t at = point.rfind('/'); at != std::string::npos; at = point.rfind('/', at - 1)) {
    const auto found = netlist.modules.find(point.substr(0, at + 1));
    if (found != netlist.modules.end()) return module_label(found->second);
    if (at == 0) break;
  }
  return module_label(netlist.modules.at(""));
}

std::string script_of(const TimingNetlist& netlist, double period) {
  std::string text = fmt::format(
      "read_liberty library/timing.lib\nif {{[llength [get_libs *]] == 0}} {{ exit 1 }}\n"
      "read_verilog design.v\nlink_design {}\n"
      "set_cmd_units -time ns\n",
      netlist.top);
  text += fmt::format("create_clock -name clock -period {:.6f}", period);
  if (!netlist.clocks.empty())
    text += fmt::format(" [get_ports {{{}}}]", fmt::join(netlist.clocks, " "));
  text += "\n";
  text += "set_output_delay 0 -clock clock [all_outputs]\n";
  for (const std::string& port : netlist.inputs)
    text += fmt::format("set_input_delay 0 -clock clock [get_ports {}]\n", port);
  for (const std::string& port : netlist.resets)
    text += fmt::format("set_false_path -from [get_ports {}]\n", port);
  return text +
         "report_checks -path_delay max -format summary -digits 6 -group_count 100000000 "
         "> endpoints.txt\n"
         "report_checks -path_delay max -format full -digits 6 > critical.txt\nexit\n";
}

const std::string& opensta_version() {
  static const std::string version = "OpenSTA " + tool_version({"sta", "-version"}, kPackage);
  return version;
}

TimingPath path_of(const Endpoint& endpoint, const TimingNetlist& netlist, double delay_ns) {
  return {delay_ns,
          endpoint.start,
          endpoint.end,
          module_of(netlist, endpoint.start),
          module_of(netlist, endpoint.end),
          {}};
}

}  // namespace

TimingReport time_design(const std::map<std::string, Netlist>& netlists, const std::string& top,
                         const PreparedLibrary& library, std::optional<double> period_ns,
                         const std::string& cache_directory, const std::function<void()>& poll) {
  const LibertyLibrary tables = read_liberty(library.timing_lib);
  const LibertyCell* buffer = best_buffer(tables, kMaxFanout);
  const TimingNetlist netlist = timing_netlist(netlists, top, tables, buffer, kMaxFanout);
  const std::string script = script_of(netlist, kTrialPeriodNs);
  const fs::path folder = cached_folder(
      cache_directory,
      "timing-" + content_hash({library.hash, script, netlist.verilog, opensta_version()}),
      [&](const fs::path& part) {
        write_file(part / "design.v", netlist.verilog);
        write_file(part / "timing.tcl", script);
        fs::create_directory_symlink(library.folder, part / "library");
        const int status = run_process({"sta", "-no_splash", "-exit", "timing.tcl"}, part,
                                       "timing.log", poll, kPackage);
        const std::string log = read_file(part / "timing.log");
        // It goes on after an error, with the wrong design: the first one tells.
        if (const std::size_t error = log.find("Error:"); error != std::string::npos) {
          const std::string line = log.substr(error, log.find('\n', error) - error);
          if (line.find("timing.lib") != std::string::npos)
            throw InputError(fmt::format(
                "{}: OpenSTA cannot read what it was given of it: {}; correct the library",
                library.path, line));
          throw std::runtime_error(fmt::format("OpenSTA: {}", line));
        }
        if (status != 0 || !fs::exists(part / "critical.txt"))
          throw std::runtime_error(fmt::format(
              "OpenSTA failed with status {}; the end of its log:{}", status, last_lines(log, 12)));
        require_ending(part / "critical.txt", "");
        require_ending(part / "endpoints.txt", "");
        fs::remove(part / "library");
        fs::remove(part / "design.v");
      });

  TimingReport report;
  report.opensta = opensta_version();
  report.requested_ns = period_ns;
  report.buffers = netlist.buffers;
  if (buffer != nullptr) {
    report.buffer_cell = buffer->name;
    report.buffers_um2 = buffer->area_um2 * static_cast<double>(netlist.buffers);
  }
  std::vector<Endpoint> endpoints = read_summary(read_file(folder / "endpoints.txt"));
  std::stable_sort(endpoints.begin(), endpoints.end(),
                   [](const Endpoint& a, const Endpoint& b) { return a.slack < b.slack; });
  report.endpoints = endpoints.size();
  if (endpoints.empty()) return report;  // nothing but wires and memories
  auto delay = [&](const Endpoint& e) { return kTrialPeriodNs - e.slack; };
  report.period_ns = delay(endpoints[0]);
  if (report.period_ns > 0) report.clock_mhz = 1e3 / report.period_ns;
  if (period_ns) report.slack_ns = *period_ns - report.period_ns;
  report.critical = path_of(endpoints[0], netlist, report.period_ns);
  report.critical.steps = read_path(read_file(folder / "critical.txt"));
  for (const Endpoint& endpoint : endpoints) {
    TimingPath path = path_of(endpoint, netlist, delay(endpoint));
    if (std::none_of(report.modules.begin(), report.modules.end(),
                     [&](const TimingPath& p) { return p.module == path.module; }))
      report.modules.push_back(std::move(path));
  }
  return report;
}

}  // namespace solfege
