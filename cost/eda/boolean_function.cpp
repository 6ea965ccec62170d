// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/boolean_function.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace solfege {
namespace {

using Table = std::vector<std::uint64_t>;

/// Recursive descent over whole truth tables: all rows at once, 64 a word.
class Parser {
 public:
  Parser(const std::string& text, const std::vector<std::string>& names)
      : text_(text), names_(names), words_(((std::size_t{1} << names.size()) + 63) / 64) {}

  Table function() {
    const Table table = disjunction();
    if (peek() != '\0') fail(fmt::format("`{}` is unexpected", peek()));
    return table;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::invalid_argument(
        fmt::format("function \"{}\": {} at character {}", text_, what, at_ + 1));
  }

  static bool of_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '[' || c == ']' ||
           c == '.' || c == '$';
  }

  char peek() {
    while (at_ < text_.size() && (std::isspace(static_cast<unsigned char>(text_[at_])) ||
                                  text_[at_] == '\\' || text_[at_] == '"'))
      ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  Table disjunction() {
    Table left = conjunction();
    while (peek() == '+' || peek() == '|') {
      ++at_;
      const Table right = conjunction();
      for (std::size_t i = 0; i < words_; ++i) left[i] |= right[i];
    }
    return left;
  }

  Table conjunction() {
    Table left = exclusive();
    while (true) {
      const char c = peek();
      if (c == '*' || c == '&')
        ++at_;
      else if (c != '(' && c != '!' && !of_name(c))
        return left;
      const Table right = exclusive();
      for (std::size_t i = 0; i < words_; ++i) left[i] &= right[i];
    }
  }

  Table exclusive() {
    Table left = unary();
    while (peek() == '^') {
      ++at_;
      const Table right = unary();
      for (std::size_t i = 0; i < words_; ++i) left[i] ^= right[i];
    }
    return left;
  }

  Table unary() {
    if (++depth_ > 200) fail("too deeply nested");
    const char c = peek();
    Table table;
    if (c == '!') {
      ++at_;
      table = inverted(unary());
    } else if (c == '(') {
      ++at_;
      table = disjunction();
      if (peek() != ')') fail("`)` is missing");
      ++at_;
    } else {
      table = operand();
    }
    while (peek() == '\'') {
      ++at_;
      table = inverted(std::move(table));
    }
    --depth_;
    return table;
  }

  Table operand() {
    const std::size_t first = at_;
    while (at_ < text_.size() && of_name(text_[at_])) ++at_;
    const std::string name = text_.substr(first, at_ - first);
    if (name.empty()) fail("an operand is missing");
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found != names_.end()) return input(static_cast<std::size_t>(found - names_.begin()));
    if (name == "1") return Table(words_, ~std::uint64_t{0});
    if (name == "0") return Table(words_, 0);
    fail(fmt::format("`{}` is no input of the cell,", name));
  }

  Table input(std::size_t index) const {
    static constexpr std::uint64_t kMasks[] = {0xaaaaaaaaaaaaaaaaull, 0xccccccccccccccccull,
                                               0xf0f0f0f0f0f0f0f0ull, 0xff00ff00ff00ff00ull,
                                               0xffff0000ffff0000ull, 0xffffffff00000000ull};
    Table table(words_);
    for (std::size_t i = 0; i < words_; ++i)
      table[i] = index < 6 ? kMasks[index] : (i >> (index - 6) & 1 ? ~std::uint64_t{0} : 0);
    return table;
  }

  Table inverted(Table table) const {
    for (std::uint64_t& word : table) word = ~word;
    return table;
  }

  const std::string& text_;
  const std::vector<std::string>& names_;
  std::size_t words_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

BooleanFunction::BooleanFunction(const std::string& text, const std::vector<std::string>& inputs)
    : inputs_(inputs.size()) {
  if (inputs.size() > kMaxInputs)
    throw std::invalid_argument(fmt::format("function \"{}\": {} inputs, at most {} are allowed",
                                            text, inputs.size(), kMaxInputs));
  table_ = Parser(text, inputs).function();
  if (inputs_ < 6) table_[0] &= (std::uint64_t{1} << (1u << inputs_)) - 1;
}

bool BooleanFunction::depends_on(std::size_t input) const {
  const std::size_t bit = std::size_t{1} << input;
  for (std::size_t row = 0; row < std::size_t{1} << inputs_; ++row)
    if ((row & bit) == 0 && value(row) != value(row | bit)) return true;
  return false;
}

}  // namespace solfege
