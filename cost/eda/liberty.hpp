// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace solfege {

/// A Liberty lookup table in normalised units: rows by input slew in ns, columns by load in pF,
/// whatever order and units the file has. A scalar has one row and one column.
struct LibertyTable {
  std::vector<double> slews_ns, loads_pf;
  std::vector<double> values;  ///< [slew][load]; ns for timing, pJ for power
  bool empty() const { return values.empty(); }
  /// Bilinear; extrapolated from the nearest cell of the table, as timers do.
  double at(double slew_ns, double load_pf) const;
};

/// Of all timing groups of a pin that have one related pin, condition, sense and kind, and each
/// other tables: rise and fall may stand in groups of their own.
struct LibertyTimingArc {
  std::string related_pin;
  std::string when;   ///< Boolean function; empty: always
  std::string type;   ///< timing_type; empty or "combinational", "rising_edge", "falling_edge", ...
                      ///< Of setup_rising and setup_falling, the delays are the constraint, by the
                      ///< data's slew, at the clock's sharpest; other checks are left out.
  std::string sense;  ///< positive_unate, negative_unate, non_unate
  LibertyTable rise_delay_ns, fall_delay_ns, rise_slew_ns, fall_slew_ns;

  bool is_setup() const;
  bool delays_output() const;  ///< as a gate's arcs do, and a flip-flop's from clock and reset
};

/// Internal energy of a pin's event. On an input without related_pin: of that pin's own events.
struct LibertyPowerArc {
  std::string related_pin, when;
  std::string related_power_pin;  ///< ASAP7 has one table a rail; empty elsewhere
  /// The rail is a ground. Its tables tell of the supplies' energy once more, where the same charge
  /// leaves the cell: do not add them to the supplies', which add among themselves.
  bool ground_rail = false;
  LibertyTable rise_pj, fall_pj;  ///< may be negative singly
};

struct LibertyPin {
  std::string name, direction;  ///< input, output, inout, internal
  std::string function;         ///< as written; empty for inputs, and three-state outputs
  double capacitance_pf = 0;
  bool is_clock = false;
  int width = 1;  ///< of a bus, for memory macros
  std::vector<LibertyTimingArc> timing;
  std::vector<LibertyPowerArc> power;
};

struct LibertyFlipFlop {
  std::string state, inverted_state;  ///< IQ, IQN
  std::string clocked_on, next_state, clear, preset;
};

struct LibertyCell {
  static constexpr std::size_t kMaxInputs = 12, kMaxOutputs = 8;  ///< of cells that can be used

  std::string name;
  double area_um2 = 0;
  double leakage_nw = 0;  ///< mean over states where the file has them
  bool dont_use = false;
  bool is_latch = false;   ///< or any other state than one flip-flop
  bool is_memory = false;  ///< has a memory group or buses
  std::optional<LibertyFlipFlop> flip_flop;
  std::vector<LibertyPin> pins;
  std::string unusable;           ///< why nothing can be mapped to it, pads for one; empty: it can
  std::vector<std::string> lost;  ///< "pin Y: ...": timing that is missing or could not be used
  const LibertyPin* pin(const std::string& name) const;
  std::vector<const LibertyPin*> inputs() const, outputs() const;
  std::vector<std::string> input_names() const;
};

struct LibertyLibrary {
  std::string name, path;
  std::string hash;  ///< of the files' text; empty for a library that is not of a file
  double voltage_v = 0, temperature_c = 0;
  std::string corner;  ///< operating conditions' name, empty if unnamed
  double default_max_slew_ns = 0;
  std::vector<LibertyCell> cells;
  std::vector<std::string> notes;  ///< cells that cannot be used, and why
  const LibertyCell* cell(const std::string& name) const;
  /// The same for many names: the library must outlive the map.
  std::map<std::string, const LibertyCell*> cells_by_name() const;
  /// Whether any cell has tables of internal energy, or of delay; figures are poorer without.
  bool has_internal_power() const;
  bool has_delays() const;
};

/// Node of libraries that state it in their name (sky130: 130), else 0; Liberty has no such field.
int library_node_nm(const std::string& library_name);

/// The default library, osu018_stdcells.lib of Debian's qflow-tech-osu018, where CMake found it.
constexpr const char* kDefaultLiberty = SOLFEGE_DEFAULT_LIBERTY;

}  // namespace solfege
