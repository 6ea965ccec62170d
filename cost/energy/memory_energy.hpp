// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cost/energy/energy_model.hpp"
#include "cost/energy/memory_table.hpp"

namespace solfege {

/// What an on-chip memory costs; every number with its provenance.
struct MemoryFigure {
  double read_pj = 0, write_pj = 0;  ///< an access of the whole width
  double leakage_nw = 0;             ///< 0 where the source gives none, which `source` says
  double area_um2 = 0;               ///< likewise
  int node_nm = 0;
  double voltage_v = 0;
  std::string source;  ///< publication or macro, and how it was derived from the nearest points
  std::string
      tier;  ///< "foundry macro", "cacti", "published", "user", "derived", "scaled", "netlist"
  bool flip_flops = false;  ///< of the logic's cells: it counts as logic
};

/// Prices memories of any depth and width from one technology's points. One source is one node:
/// figures of two sources are never added.
///
/// A memory is banks of the table's macros: whole banks of the widest macro side by side, the rest
/// of the width in the single macro of least read + write energy that holds it; deeper memories are
/// stacked, an access going to one of the stack. Between the depths of two points of one width
/// every figure follows the power law through both (log figure linear in log depth). Shallower than
/// the smallest point: that point, an upper bound. Wires between banks are not priced: a lower
/// bound, said in `source`.
class MemoryTechnology {
 public:
  /// `source`: "ihp130" (macros of IHP SG13G2; Liberty files in a folder given as
  /// "ihp130:FOLDER" are read instead of the built-in points), "cacti45", "cacti22", "horowitz45",
  /// or the path of the user's own TOML table. "@NODEnm,VOLTAGEV" behind it, as in
  /// "cacti22@7nm,0.7V", asks by name for scaling to another node: energy by node x voltage^2,
  /// area by node^2, no leakage; tier "scaled". InputError for others, naming what is allowed.
  explicit MemoryTechnology(const std::string& source);
  /// InputError unless depth >= 1 and 1 <= bits <= 65536.
  MemoryFigure memory(long long depth, int bits) const;
  int node_nm() const { return node_nm_; }
  double voltage_v() const { return voltage_v_; }
  const std::string& name() const { return name_; }  ///< the source as given

 private:
  struct Curve {
    int bits = 0;
    std::vector<MemoryPoint> points;  ///< by depth
  };
  struct Bank {
    MemoryPoint figure;  ///< of the whole stack; an access is to one bank of it
    std::string how;
    bool exact = false;
  };
  static Bank bank(const Curve& curve, long long depth);
  std::string name_, source_, tier_;
  int node_nm_ = 0;
  double voltage_v_ = 0;
  std::vector<Curve> curves_;  ///< by width
};

/// Refuses to combine figures of two technology nodes: InputError naming both and the remedy
/// (a memory of that node, or scaling asked for by name). A node of 0 is unknown and refused too.
void require_one_node(const std::string& what, int node_nm, const std::string& other,
                      int other_node_nm);

}  // namespace solfege
