// SPDX-License-Identifier: Apache-2.0
#pragma once

#define TOML_HEADER_ONLY 1
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "model/base/error.hpp"
#include "model/base/files.hpp"

namespace solfege {

/// Parses the text of a TOML file. Throws InputError, in one line, when it is not TOML.
inline toml::table parse_toml(const std::string& text, const std::string& path) {
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}:{}: not valid TOML: {}; correct this line", path,
                                 error.source().begin.line, error.description()));
  }
}

/// Reads a TOML file. Throws InputError, in one line, when it cannot be read or is not TOML.
inline toml::table parse_toml_file(const std::string& path) {
  return parse_toml(read_file(path), path);
}

/// "file:line" of a node, the way editors can jump to.
inline std::string location(const std::string& path, const toml::node& node) {
  return fmt::format("{}:{}", path, node.source().begin.line);
}

/// Value and type of a node for messages, in one line: `"two" (a string)`.
inline std::string describe(const toml::node& node) {
  std::ostringstream type;
  type << node.type();
  std::string noun = type.str();
  noun = (noun.find_first_of("aeiou") == 0 ? "an " : "a ") + noun;
  if (!node.is_value()) return noun;
  // toml++ prints 0.90000000000000002 for 0.9, and {fmt} may leave out the point of 2.0.
  if (const auto* number = node.as_floating_point()) {
    std::string text = fmt::format("{}", number->get());
    if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
    return fmt::format("{} ({})", text, noun);
  }
  std::ostringstream value;
  value << toml::node_view<const toml::node>(node);
  std::string text = value.str();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return fmt::format("{} ({})", text, noun);
}

}  // namespace solfege
