// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cost/eda/mapped_unit.hpp"
#include "cost/gates/vectors.hpp"

namespace solfege {

/// A datapath that the bit-serial array is compared with; Verilog in cost/compare/baselines/.
struct BaselineUnit {
  enum class Kind { kMultiplier, kIntegerMac, kMergedMac, kBfloatMac, kFusedDot };
  std::string name;  ///< "int8", "int8 x 4", "bf16", "int4 multiplier"
  Kind kind = Kind::kIntegerMac;
  int bits = 8;               ///< of either operand
  int lanes = 1;              ///< products summed into one accumulator: MACs a cycle
  int accumulator_bits = 32;  ///< storage; 0 for a bare multiplier
  int random_bits = 0;        ///< of stochastic rounding
  UnitDesign design = {};
  bool is_float() const { return kind == Kind::kBfloatMac || kind == Kind::kFusedDot; }
  /// Bits of an operand's integers; of a float's significand.
  int significand_bits() const { return !is_float() ? bits : bits == 16 ? 8 : 4; }
};

/// Signed multiply-accumulate, product and accumulator registered: sf_integer_mac. Accumulators as
/// for the array: 16 bits above the product, for 65536 products.
BaselineUnit integer_mac(int bits, int lanes = 1);
/// The same sum by the tree of the bit-plane element: arrival-driven, the accumulator one of its
/// rows, so that there is no product register and no enable (sums are held by adding zeros).
/// Generated, and kept in `cache_directory` by its content.
BaselineUnit merged_mac(int bits, int lanes, const std::string& cache_directory);
/// The first one without registers and accumulator: sf_multiplier. A lower bound of any parallel
/// MAC.
BaselineUnit integer_multiplier(int bits);
/// bfloat16 products accumulated in fp32 (fraction_bits = 23), or bfloat16 (7); random_bits > 0
/// rounds stochastically: sf_bf16_mac. Random bits come from outside, their source is not in it.
BaselineUnit bfloat_mac(int fraction_bits, int random_bits = 0);
/// Places of the products of a fused dot product, as many as single precision has.
constexpr int kFusedPlaces = 24;
/// Dot product of `lanes` bfloat16 (bits = 16) or e4m3 (8) products, aligned to the greatest
/// exponent and added as integers; the sum is one, too, to be rounded once after it is drained:
/// sf_fused_dot.
BaselineUnit fused_dot(int bits, int lanes);
/// The baselines of a report: a bare int4 multiplier, int4, int8, int16; dot products of int2, int4
/// and int8 over words of `word_bits` (what a bit-plane element takes) and of 64, as built plainly
/// and merged; bf16 to fp32, bf16 to bf16 with stochastic rounding, fused bf16 and e4m3. Operands
/// come registered, as rows and columns of an array share them.
std::vector<BaselineUnit> baseline_units(int word_bits, const std::string& cache_directory);

/// fp32 has no netlist here, only published figures.
struct PublishedMac {
  std::string name;
  double multiply_pj = 0, add_pj = 0;
  int node_nm = 0;
  std::string source, tier;
  double mac_pj() const { return multiply_pj + add_pj; }
};
const std::vector<PublishedMac>& published_macs();

/// Integer code of x for symmetric quantization of [-limit, limit] to n bits, ties away from zero,
/// clipped.
std::int64_t symmetric_code(double x, double limit, int bits);
/// Nearest bfloat16, ties to even; below the least normal number zero.
std::uint16_t bfloat_bits(float x);
/// Nearest e4m3 (bias 7, subnormals, no infinity), ties to even, clipped to +-448.
std::uint8_t e4m3_bits(float x);
float e4m3_value(std::uint8_t code);

/// What drives a baseline: operands in order, a sum of `contraction` MACs after another, each
/// captured and then shifted out through the rows of an array while the next is formed.
struct SumDrive {
  std::size_t cycles = 1000;
  std::size_t contraction = 576;  ///< MACs of a sum
  int rows = 16;                  ///< of the array
  std::uint64_t seed = 1;         ///< of draws from a and b, drained neighbours, rounding
  /// Neighbours' sums that pass through the element's drain register in the time of a sum:
  /// rows - 1 - r in row r, (rows - 1) / 2 in the mean over the rows, and over two sums here.
  int drain_shifts(std::size_t sum) const { return (rows - 1 + static_cast<int>(sum % 2)) / 2; }
};

/// Stimulus of a unit's ports. Values are drawn from `a` and `b`; integers are quantized
/// symmetrically with the clipping limit of least squared error, bfloat16 rounded, e4m3 rounded
/// after the largest magnitude is scaled to 448. A bare multiplier gets the operands alone.
Vectors baseline_vectors(const BaselineUnit& unit, const std::vector<float>& a,
                         const std::vector<float>& b, const SumDrive& drive);

}  // namespace solfege
