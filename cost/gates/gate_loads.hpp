// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "cost/gates/gate_network.hpp"

namespace solfege {

/// A Liberty table at one load: piecewise linear in the slew, extrapolated.
struct SlewCurve {
  std::vector<float> slews, values;
  float at(float slew) const {
    if (values.size() == 1) return values[0];
    std::size_t i = 0;
    while (i + 2 < slews.size() && slew >= slews[i + 1]) ++i;
    return values[i] + (values[i + 1] - values[i]) * (slew - slews[i]) / (slews[i + 1] - slews[i]);
  }
};

/// What the gates of a network drive and pay: loads and typical slews of nets, energies of events,
/// leakage. sf_ram, which the library does not describe, has neither load nor energy.
class GateLoads {
 public:
  /// All tables of a cell at its outputs' loads; shared by gates that are loaded alike.
  struct Loaded {
    std::vector<SlewCurve> delays, slews, energies;
  };

  /// Of the network of `netlist`; `network` must outlive this. std::runtime_error, naming it: a
  /// memory with an unclocked read port, which would need a delay.
  GateLoads(const GateNetwork& network, const Netlist& netlist, double voltage);

  std::vector<const Loaded*> loaded;        ///< by gate
  std::vector<std::uint32_t> first_energy;  ///< by gate, in typical_energy_pj
  std::vector<float> event_pj;              ///< C V^2 / 2, by net
  std::vector<double> clock_net_pj;         ///< of two edges, by clock
  double flip_flop_clock_pj = 0;            ///< a flip-flop's clock pin in a cycle, the mean of all
  std::vector<float> rise_slew, fall_slew;  ///< typical ones, by net
  std::vector<float> typical_energy_pj;     ///< energies at typical slews
  double leakage_nw = 0;
  float input_slew = 0;  ///< of ports and memories, ns: the sharpest in the cells' tables
  double critical_path_ns(const Netlist& netlist) const;

 private:
  void capacitances(double voltage);
  void typical();
  void flip_flop_clock();
  const Loaded* tables(const GateCell& cell, const std::vector<double>& loads);

  const GateNetwork& network_;
  std::map<std::pair<const GateCell*, std::vector<double>>, std::unique_ptr<Loaded>> tables_;
};

}  // namespace solfege
