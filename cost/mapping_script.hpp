// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cost/adder_cells.hpp"

namespace solfege {

/// How adders other than the explicit ones are built. Chains of full adders are smallest;
/// parallel-prefix logic is fastest.
enum class AdderStyle { kRipple, kPrefix };

// Parts of Yosys scripts, shared by units and the whole design. They run in a folder where
// `library` is a PreparedLibrary's folder, on the selected modules, after `proc`.

/// sf_full_adder and sf_half_adder become cells of the library, which nothing looks into later.
std::string bind_adders_script(const AdderCells& adders);
/// From words to single gates: arithmetic as adder chains, full adders of the library found in
/// what is left of them after optimisation.
std::string gates_script(const AdderCells& adders, AdderStyle style);
/// From gates and registers to cells of the library.
std::string cells_script();

}  // namespace solfege
