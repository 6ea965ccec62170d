// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/energy_model.hpp"

namespace solfege {

/// What an on-chip memory costs; every number with its provenance.
struct MemoryFigure {
  double read_pj = 0, write_pj = 0;  ///< an access of the whole width
  double leakage_nw = 0;
  double area_um2 = 0;
  int node_nm = 0;
  double voltage_v = 0;
  std::string source;  ///< publication or macro, and how it was derived from the nearest points
  std::string tier;    ///< "foundry macro", "cacti", "published", "user", "derived"
};

/// Prices memories of any depth and width from one technology's points. One source is one node:
/// figures of two sources are never added.
class MemoryModel {
 public:
  /// `source`: "ihp130" (macros of IHP SG13G2; Liberty files in a folder given as
  /// "ihp130:FOLDER" are read instead of the built-in points), "cacti45", "cacti22", "horowitz45",
  /// or the path of the user's own TOML table. InputError for others, naming what is allowed.
  explicit MemoryModel(const std::string& source);
  /// Banks of macros side by side and stacked. Shapes: depth words of `bits`.
  MemoryFigure memory(long long depth, int bits) const;
  int node_nm() const;
  const std::string& name() const;

 private:
  struct Point {
    long long depth;
    int bits;
    MemoryFigure figure;
  };
  std::string name_;
  int node_nm_ = 0;
  std::vector<Point> points_;
};

}  // namespace solfege
