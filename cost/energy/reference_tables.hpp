// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace solfege {

/// A component as architecture-level estimators see it: what its actions cost, and its area.
struct ReferenceComponent {
  struct Action {
    std::string name;
    double energy_pj = 0;
    std::string source;  ///< becomes a comment: tier, library, voltage
  };
  std::string name;  ///< `solfege.array.pe`
  std::vector<Action> actions;
  double area_um2 = 0;  ///< of one; 0: unknown, left out of the area table
  long long instances = 1;
};

/// Energy and area reference tables in the YAML form of Accelergy 0.4 (ERT in pJ, ART in um2), so
/// that its action counts can be priced with Solfege's figures. Every line carries its source.
std::string energy_reference_table(const std::vector<ReferenceComponent>& components);
std::string area_reference_table(const std::vector<ReferenceComponent>& components);

}  // namespace solfege
