// SPDX-License-Identifier: Apache-2.0
#include "cli/options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "model/base/files.hpp"

namespace solfege {
namespace {

/// `check` returns what is wrong, or nothing.
CLI::Validator validator(const std::string& what,
                         const std::function<std::string(std::string&)>& check) {
  CLI::Validator result;
  result.operation(check).description(what);
  return result;
}

std::string bound(double most) {
  return most < 1e6 ? fmt::format("{}", most) : fmt::format("{:.0f}", most);
}

CLI::Validator real_number(double least, double most, bool above) {
  return validator(fmt::format(above ? "above {} to {}" : "{}..{}", least, bound(most)),
                   [=](std::string& text) -> std::string {
                     char* end = nullptr;
                     const double value = std::strtod(text.c_str(), &end);
                     const bool is_number = !text.empty() && *end == '\0' && std::isfinite(value);
                     if (is_number && value <= most && (above ? value > least : value >= least))
                       return "";
                     return above ? fmt::format(
                                        "{} is not allowed; give a number above {}, up to {:.0f}",
                                        text, least, most)
                                  : fmt::format("{} is not allowed; give a number from {} to {}",
                                                text, least, bound(most));
                   });
}

CLI::Validator place(const char* what,
                     const std::function<std::string(const std::string&)>& why_not) {
  return validator(what, [=](std::string& text) -> std::string {
    const std::string reason = why_not(text);
    return reason.empty() ? "" : fmt::format("{} cannot be written: {}", text, reason);
  });
}

}  // namespace

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  const bool open = most == std::numeric_limits<std::uint64_t>::max();
  const std::string range =
      open ? fmt::format("from {}", least) : fmt::format("{}..{}", least, most);
  return validator(range, [=](std::string& text) -> std::string {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    // CLI11 reads 010 as eight.
    const bool decimal = at == end && error == std::errc() && (text[0] != '0' || text.size() == 1);
    if (decimal && value >= least && value <= most) return "";
    return fmt::format("{} is not allowed; give a whole number from {} to {}", text, least, most);
  });
}

CLI::Validator number(double least, double most) { return real_number(least, most, false); }

CLI::Validator positive_number(double most) { return real_number(0, most, true); }

CLI::Validator output_file() {
  return place("FILE", [](const std::string& path) { return why_unwritable(path); });
}

CLI::Validator output_folder() {
  return place("FOLDER", [](const std::string& path) { return why_unwritable_folder(path); });
}

}  // namespace solfege
