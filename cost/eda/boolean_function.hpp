// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace solfege {

/// A Boolean function of Liberty as its truth table. Operators, binding tightest first: `!a` and
/// `a'`, `^`, and (`*`, `&`, or a blank), or (`+`, `|`); constants 0 and 1.
class BooleanFunction {
 public:
  static constexpr std::size_t kMaxInputs = 16;

  /// Bit i of a row's number is `inputs[i]`. std::invalid_argument, saying what and where, if the
  /// text is no function of these inputs, or there are more than kMaxInputs.
  BooleanFunction(const std::string& text, const std::vector<std::string>& inputs);

  std::size_t inputs() const { return inputs_; }
  bool value(std::size_t row) const { return table_[row / 64] >> (row % 64) & 1; }
  /// 2^inputs() bits, and nothing beyond them in the last word.
  const std::vector<std::uint64_t>& table() const { return table_; }
  bool depends_on(std::size_t input) const;

 private:
  std::size_t inputs_;
  std::vector<std::uint64_t> table_;
};

}  // namespace solfege
