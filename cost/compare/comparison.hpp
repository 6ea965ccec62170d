// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cost/compare/baselines.hpp"
#include "cost/compare/training_values.hpp"
#include "cost/energy/memory_energy.hpp"

namespace solfege {

/// An energy at both tiers of delay, pJ.
struct EnergyInterval {
  double zero_pj = 0, timed_pj = 0;
  double gated_pj = 0;  ///< timed, registers that change rarely clocked only when they may
  EnergyInterval operator+(const EnergyInterval& o) const {
    return {zero_pj + o.zero_pj, timed_pj + o.timed_pj, gated_pj + o.gated_pj};
  }
  EnergyInterval operator*(double f) const { return {zero_pj * f, timed_pj * f, gated_pj * f}; }
};

/// R x C elements, each row and each column with one register of its operand word, which its
/// elements share. A bit-plane array has an extra row and column of elements besides.
struct ArrayShape {
  int rows = 16, columns = 16;
};

/// One of the passes of a training step on one kind of element: energies of a cycle of each part.
struct PassEnergy {
  std::string name;                    ///< forward, backward_input, backward_weight
  double macs = 1;                     ///< its weight: MACs of the step
  double macs_per_cycle = 1;           ///< of one element: lanes / plane pairs for bit planes
  EnergyInterval element;              ///< clock included
  EnergyInterval row_sum, column_sum;  ///< elements of the extra column and row; zero without
  EnergyInterval row_register, column_register;
  double row_bits = 0, column_bits = 0;  ///< fetched for a row, and a column, each cycle
};

/// What an element and its share of the array cost; the input of the comparison.
struct DatapathMeasurement {
  std::string name;
  double element_um2 = 0, row_register_um2 = 0, column_register_um2 = 0;
  bool extra_elements = false;  ///< an extra row and column of elements (bit planes)
  double critical_path_ns = 0;  ///< of the element, by the library's tables
  std::vector<PassEnergy> passes;
  std::string tier, source;
  int node_nm = 0;
  std::string operands;  ///< what the passes multiply
  bool is_bit_planes = false;
  int operand_bits = 0;  ///< of the widest that it takes; 0: not held against others
};

/// Operand buffers: what a bit costs, and all of both. The same memory for every datapath: as many
/// bits, in banks of one shape, read as wide as needed.
struct FetchCost {
  double row_pj_per_bit = 0, column_pj_per_bit = 0;
  double um2 = 0;  ///< of both buffers; 0: not given
  int node_nm = 0;
  std::string source, tier;
};
/// For buffers of `depth` words of `bits`.
FetchCost fetch_cost(const MemoryTechnology& memory, long long row_depth, int row_bits,
                     long long column_depth, int column_bits);

/// A row of the table. Energies and areas are the mean over the passes, weighted by their MACs.
struct DatapathCost {
  std::string name;
  EnergyInterval pj_per_mac;
  double um2_per_mac_per_cycle = 0;              ///< 0: not known
  double critical_path_ns = 0;                   ///< 0: not known
  std::optional<EnergyInterval> with_memory_pj;  ///< per MAC, operand fetch included
  std::optional<double> with_memory_um2;         ///< per MAC a cycle, buffers included
  std::vector<std::pair<std::string, EnergyInterval>> passes;  ///< per MAC, datapath alone
  std::string tier, source;
  int node_nm = 0;
  std::string operands;  ///< what it multiplies: "training step", "4 x 4 bits, uniform codes"
  bool is_bit_planes = false;
  int operand_bits = 0;
  /// Bit planes: names of the parallel datapaths that take the same operands, as wide as theirs,
  /// for less energy (timed, gated).
  std::vector<std::string> loses_to;
};

/// Fills `loses_to` of the bit planes among the rows.
void find_losses(std::vector<DatapathCost>* rows);

/// Energy per MAC of a pass: element, its share of registers, and of the extra row and column.
EnergyInterval pass_pj_per_mac(const DatapathMeasurement& m, const PassEnergy& pass,
                               const ArrayShape& shape);
/// The table's row. With `fetch`, InputError unless it is of the same node.
DatapathCost datapath_cost(const DatapathMeasurement& m, const ArrayShape& shape,
                           const FetchCost* fetch = nullptr);
DatapathCost published_cost(const PublishedMac& mac);

/// Costs of b x b bit MACs for b = first, first + 1, ..., of bit planes and of a parallel unit.
struct BreakEven {
  std::string what;  ///< "energy, timed"
  std::string serial_name, parallel_name;
  int first_bits = 2;
  std::vector<double> serial, parallel;
  /// Bits at which both cost the same, log-linear between neighbours; bit planes are cheaper
  /// below. Empty if one is cheaper throughout: see `verdict`.
  std::optional<double> bits() const;
  std::string verdict() const;
};

struct Comparison {
  std::string library, liberty, corner, yosys;
  int node_nm = 0;
  double voltage_v = 0;
  ArrayShape shape;
  int lanes = 0;
  std::string memory;  ///< its source; empty: none of this node
  std::vector<DatapathCost> rows;
  std::vector<BreakEven> break_even;
  std::vector<std::string> notes;
  double seconds = 0;
};

/// The printable table.
std::string comparison_text(const Comparison& comparison);

struct ComparisonOptions {
  std::vector<std::array<int, 3>> bits = {{1, 1, 4}, {1, 2, 4}, {1, 2, 6}, {2, 4, 8}, {8, 8, 8}};
  Config config;                                ///< of the array, its elements and its buffers
  std::string rtl;                              ///< the folder that generate() wrote for it
  std::size_t contraction = 576;                ///< MACs of a sum: 64 channels of 3 x 3
  std::array<double, 3> pass_macs = {1, 1, 1};  ///< forward, backward_input, backward_weight
  std::size_t cycles = 2000;                    ///< simulated for each figure, at least
  std::uint64_t seed = 1;
  TrainingValues values;  ///< empty: gaussian_values()
  int node_nm = 0;        ///< of the library; 0: library_node_nm()
  std::string memory;     ///< a MemoryTechnology's source; empty: without memory
  ArrayShape shape() const { return {config.rows, config.columns}; }
  std::vector<int> symmetric = {2, 4, 8};  ///< widths of rows of b x b bits, uniform codes
  int largest_bits = 8;                    ///< of the break-even sweep, from 2
};

/// Called before each unit and run: what, how many done, of how many.
using ComparisonProgress = std::function<void(const std::string&, int, int)>;

/// Maps every datapath onto the library, simulates it with operands quantized from one set of
/// values, and fills the table. InputError: library or memory unusable, nodes that differ.
Comparison compare_datapaths(const std::string& liberty, const std::string& cache_directory,
                             const ComparisonOptions& options,
                             const ComparisonProgress& progress = {});

}  // namespace solfege
