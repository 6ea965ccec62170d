// SPDX-License-Identifier: Apache-2.0
#include "cost/gates/activity_file.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cmath>

namespace solfege {
namespace {

/// SAIF escapes what is no letter, digit or underscore, brackets included.
std::string escaped(const std::string& name) {
  std::string text;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') text += '\\';
    text += c;
  }
  return text;
}

}  // namespace

std::string switching_activity(const Netlist& netlist, const GateRun& run, const std::string& clock,
                               double cycle_ns) {
  const auto cycle_ps = static_cast<std::uint64_t>(std::llround(1000 * cycle_ns));
  int clock_net = -3;  // no net
  if (!clock.empty()) clock_net = netlist.port(clock).nets.at(0);
  auto activity = [&](const std::string& name, int net) {
    std::uint64_t ones = net == Netlist::kOne ? run.cycles : 0, toggles = 0;
    if (net >= 0) {
      ones = run.ones[static_cast<std::size_t>(net)];
      toggles = run.toggles[static_cast<std::size_t>(net)];
    }
    std::uint64_t high_ps = ones * cycle_ps;
    if (net == clock_net) {
      high_ps = run.cycles * (cycle_ps / 2);
      toggles = 2 * run.cycles;
    }
    return fmt::format("({} (T0 {}) (T1 {}) (TX 0) (TC {}) (IG 0))\n", escaped(name),
                       run.cycles * cycle_ps - high_ps, high_ps, toggles);
  };
  std::string saif = fmt::format(
      "(SAIFILE\n(SAIFVERSION \"2.0\")\n(DIRECTION \"backward\")\n(DESIGN \"{}\")\n"
      "(DIVIDER / )\n(TIMESCALE 1 ps)\n(DURATION {})\n(INSTANCE unit\n(NET\n",
      netlist.top, run.cycles * cycle_ps);
  for (int net = 0; net < netlist.nets; ++net)
    saif += activity(netlist.net_names[static_cast<std::size_t>(net)], net);
  saif += ")\n";
  for (const Netlist::Instance& instance : netlist.instances) {
    saif += fmt::format("(INSTANCE {}\n(PORT\n", escaped(instance.name));
    for (const auto& [pin, nets] : instance.pins)
      for (std::size_t i = 0; i < nets.size(); ++i)
        saif += activity(nets.size() == 1 ? pin : fmt::format("{}[{}]", pin, i), nets[i]);
    saif += "))\n";
  }
  return saif + "))\n";
}

}  // namespace solfege
