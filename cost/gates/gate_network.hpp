// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cost/eda/netlist.hpp"
#include "cost/gates/gate_cell.hpp"

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

/// A mapped unit in flat arrays: gates in an order in which every combinational gate follows those
/// that drive it, nets with their loads, readers and typical slews.
class GateNetwork {
 public:
  static constexpr int kUnconnected = -3;
  enum class Driver : std::uint8_t { kNone, kPort, kCombinational, kFlipFlop, kMemory };

  /// All tables of a cell at its outputs' loads; shared by gates that are loaded alike.
  struct Loaded {
    std::vector<SlewCurve> delays, slews, energies;
  };
  struct Gate {
    const GateCell* cell;
    const Loaded* loaded;
    std::uint32_t first_input, first_output;  ///< in input_nets, output_nets
    std::uint32_t first_energy;               ///< in typical_energy_pj
  };
  struct Reader {
    std::uint32_t gate, bit;
  };
  /// An sf_ram, which the library does not describe: it has neither load nor energy.
  struct Memory {
    std::size_t width, depth;
    int write_enable, read_enable;
    std::vector<int> write_address, write_data, read_address, read_data;
  };

  GateNetwork(const Netlist& netlist, const LibertyLibrary& library, const std::string& clock);
  GateNetwork(const GateNetwork&) = delete;
  GateNetwork& operator=(const GateNetwork&) = delete;

  std::vector<Gate> gates;        ///< combinational ones first
  std::size_t combinational = 0;  ///< how many
  std::vector<Memory> memories;
  std::vector<int> input_nets, output_nets;
  std::vector<std::uint32_t> first_reader;  ///< by net, and one more
  std::vector<Reader> readers;              ///< without clock pins
  std::vector<Driver> drivers;              ///< by net
  std::vector<float> event_pj;              ///< C V^2 / 2, by net
  double clock_net_pj = 0;                  ///< of two edges
  std::vector<float> rise_slew, fall_slew;  ///< typical ones, by net
  std::vector<float> typical_energy_pj;     ///< energies at typical slews
  double leakage_nw = 0;
  float input_slew = 0;  ///< of ports and memories, ns: the sharpest in the cells' tables
  double critical_path_ns() const;

 private:
  void instances(const Netlist& netlist, const LibertyLibrary& library);
  void memory(const Netlist::Instance& instance);
  void drive(int net, Driver driver);
  void order();
  void loads(double voltage);
  void typical();
  const Loaded* loaded(const GateCell& cell, const std::vector<double>& loads);

  int clock_ = kUnconnected;
  std::vector<std::string> net_names_;
  std::vector<int> output_ports_;
  std::vector<double> load_pf_;
  std::map<std::string, std::unique_ptr<GateCell>> cells_;
  std::map<std::pair<const GateCell*, std::vector<double>>, std::unique_ptr<Loaded>> loaded_;
};

}  // namespace solfege
