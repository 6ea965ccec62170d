// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cost/compare/baselines.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "cost/gates/vectors.hpp"
#include "model/spec/config.hpp"

namespace solfege {

/// Codes of one operand of a GEMM on the bit-plane array, in order; a draw takes any of them.
struct PlaneOperand {
  std::vector<std::uint32_t> codes;
  int planes = 1;
};

/// DoReFa codes of values (f_A, f_W, f_G). f_G rounds stochastically with `seed`, by the values'
/// largest magnitude.
PlaneOperand activation_codes(const std::vector<float>& values, int bits);
PlaneOperand weight_codes(const std::vector<float>& values, int bits);
PlaneOperand gradient_codes(const std::vector<float>& values, int bits, std::uint64_t seed);
/// Every code equally often.
PlaneOperand uniform_codes(int bits);

/// Elements of the array, by what their operands are.
enum class Element { kProduct, kRowSum, kColumnSum };

/// What drives one element of the array through whole sums, in the array's order: for pair of
/// planes, for word; a complete sum is shifted out and its neighbours' follow (but for the extra
/// row, which keeps its own) while the next begins. At least `cycles` after the first sum: whole
/// sums.
struct SerialDrive : SumDrive {
  Config config;  ///< planes, lanes, accumulator_bits
};

struct SerialVectors {
  Vectors element;          ///< pe_inputs()
  std::size_t warm_up = 0;  ///< first cycles: the first sum
};
SerialVectors serial_vectors(const PlaneOperand& row, const PlaneOperand& column, Element element,
                             const SerialDrive& drive);
/// The words alone: ports of the unit accumulate, its low sum 0.
Vectors word_vectors(const PlaneOperand& row, const PlaneOperand& column, const SerialDrive& drive);
/// Inputs of a register of `port` of another unit: ports of operand_register().
Vectors register_vectors(const Vectors& from, std::size_t port);

/// Operations that multiply a word of one by a word of the other.
std::size_t pair_count(const PlaneOperand& row, const PlaneOperand& column, const Config& config);

/// Of a row or column of an array. Isolated: words are 0 for the elements in cycles without any.
UnitDesign operand_register(int bits, bool isolated = false);

}  // namespace solfege
