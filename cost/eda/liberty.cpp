// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/liberty.hpp"

#include <algorithm>
#include <cstddef>

namespace solfege {
namespace {

/// Index of the cell of the table that `x` is in, or the nearest.
std::size_t segment(const std::vector<double>& points, double x) {
  const auto above = std::upper_bound(points.begin() + 1, points.end() - 1, x);
  return static_cast<std::size_t>(above - points.begin()) - 1;
}

std::vector<const LibertyPin*> pins_of(const LibertyCell& cell, const char* direction) {
  std::vector<const LibertyPin*> pins;
  for (const LibertyPin& pin : cell.pins)
    if (pin.direction == direction) pins.push_back(&pin);
  return pins;
}

}  // namespace

double LibertyTable::at(double slew_ns, double load_pf) const {
  const std::size_t columns = loads_pf.size();
  auto row = [&](std::size_t r) {
    const double* v = values.data() + r * columns;
    if (columns == 1) return v[0];
    const std::size_t c = segment(loads_pf, load_pf);
    return v[c] + (v[c + 1] - v[c]) * (load_pf - loads_pf[c]) / (loads_pf[c + 1] - loads_pf[c]);
  };
  if (slews_ns.size() == 1) return row(0);
  const std::size_t r = segment(slews_ns, slew_ns);
  const double low = row(r), high = row(r + 1);
  return low + (high - low) * (slew_ns - slews_ns[r]) / (slews_ns[r + 1] - slews_ns[r]);
}

const LibertyPin* LibertyCell::pin(const std::string& wanted) const {
  for (const LibertyPin& pin : pins)
    if (pin.name == wanted) return &pin;
  return nullptr;
}

std::vector<const LibertyPin*> LibertyCell::inputs() const { return pins_of(*this, "input"); }
std::vector<const LibertyPin*> LibertyCell::outputs() const { return pins_of(*this, "output"); }

std::vector<std::string> LibertyCell::input_names() const {
  std::vector<std::string> names;
  for (const LibertyPin* pin : inputs()) names.push_back(pin->name);
  return names;
}

const LibertyCell* LibertyLibrary::cell(const std::string& wanted) const {
  for (const LibertyCell& cell : cells)
    if (cell.name == wanted) return &cell;
  return nullptr;
}

std::map<std::string, const LibertyCell*> LibertyLibrary::cells_by_name() const {
  std::map<std::string, const LibertyCell*> all;
  for (const LibertyCell& cell : cells) all.emplace(cell.name, &cell);
  return all;
}

bool LibertyLibrary::has_internal_power() const {
  for (const LibertyCell& cell : cells)
    for (const LibertyPin& pin : cell.pins)
      if (!pin.power.empty()) return true;
  return false;
}

bool LibertyLibrary::has_delays() const {
  for (const LibertyCell& cell : cells)
    for (const LibertyPin& pin : cell.pins)
      if (!pin.timing.empty()) return true;
  return false;
}

bool LibertyTimingArc::is_setup() const {
  return type == "setup_rising" || type == "setup_falling";
}

bool LibertyTimingArc::delays_output() const {
  return type.empty() || type.rfind("combinational", 0) == 0 || type == "rising_edge" ||
         type == "falling_edge" || type == "clear" || type == "preset";
}

int library_node_nm(const std::string& name) {
  // What the name of the process says; there is no field for it in Liberty.
  static const std::pair<const char*, int> kProcesses[] = {
      {"osu018", 180}, {"osu035", 350}, {"osu05", 500}, {"sky130", 130},
      {"sg13g2", 130}, {"asap7", 7},    {"angate", 45}};  // Nangate, NanGate
  for (const auto& [process, nm] : kProcesses)
    if (name.find(process) != std::string::npos) return nm;
  return 0;
}

}  // namespace solfege
