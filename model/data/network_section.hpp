// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/toml_file.hpp"
#include "model/data/network_keys.hpp"

namespace solfege {

/// A quantity of both axes of a map.
struct Axes {
  int height, width;
};

/// One table of the file: the top level, or one [[layer]].
class Section {
 public:
  Section(const std::string& path, std::string prefix, const toml::table& table)
      : path_(path), prefix_(std::move(prefix)), table_(table) {}

  std::string where() const { return fmt::format("{}:{}", path_, table_.source().begin.line); }
  std::string where(std::string_view name) const {
    const toml::node* node = table_.get(name);
    return node == nullptr ? where() : location(path_, *node);
  }
  std::string key(std::string_view key) const { return fmt::format("{}{}", prefix_, key); }
  bool has(std::string_view key) const { return table_.contains(key); }

  /// Refuses keys that `is_key` does not find in network_keys(). `what` names the kind of table.
  template <typename IsKey>
  void allow(IsKey is_key, std::string_view what) const {
    std::vector<std::string> names;
    for (const NetworkKey& known : network_keys())
      if (is_key(known)) names.push_back(known.name);
    for (const auto& [name, node] : table_) {
      if (std::find(names.begin(), names.end(), name.str()) != names.end()) continue;
      throw InputError(fmt::format(
          "{}: {} = {} is not a key of {}: allowed are {}; correct or remove it",
          location(path_, node), key(name.str()), describe(node), what, fmt::join(names, ", ")));
    }
  }

  std::optional<std::string> text(std::string_view name, std::string_view range,
                                  std::string_view example) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return std::nullopt;
    if (node->is_string()) return node->as_string()->get();
    refuse(name, describe(*node), "is not a string", range, example);
  }

  std::optional<int> integer(std::string_view name, int min, int max) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return std::nullopt;
    const std::string range = fmt::format("{} to {}", min, max);
    if (!node->is_integer()) {
      refuse(name, describe(*node), "is not an integer", range, fmt::to_string(min));
    }
    const std::int64_t value = node->as_integer()->get();
    if (value < min || value > max) {
      refuse(name, fmt::to_string(value), "is out of range", range,
             fmt::to_string(value < min ? min : max));
    }
    return static_cast<int>(value);
  }

  /// A number for both axes, or a list [height, width].
  std::optional<Axes> by_axis(std::string_view name, int min, int max) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr || node->is_integer()) {
      const std::optional<int> both = integer(name, min, max);
      return both ? std::optional<Axes>({*both, *both}) : std::nullopt;
    }
    const toml::array* list = node->as_array();
    const std::string range = fmt::format("{} to {}, or a list [height, width] of such", min, max);
    const std::string example = fmt::format("[{0}, {0}]", std::max(min, 1));
    if (list == nullptr || list->size() != 2)
      refuse(name, describe(*node), "is neither an integer nor a list of two", range, example);
    int sides[2];
    for (std::size_t i = 0; i < 2; ++i) {
      const toml::node& element = *list->get(i);
      if (!element.is_integer())
        refuse(name, value(name), "is not a list of integers", range, example);
      const std::int64_t side = element.as_integer()->get();
      if (side < min || side > max) refuse(name, value(name), "is out of range", range, example);
      sides[i] = static_cast<int>(side);
    }
    return Axes{sides[0], sides[1]};
  }

  /// The key's value as the file has it.
  std::string value(std::string_view name) const {
    const toml::node* node = table_.get(name);
    const toml::array* list = node->as_array();
    if (list == nullptr) return describe(*node);
    std::vector<std::string> elements;
    for (const toml::node& element : *list)
      elements.push_back(element.is_integer() ? fmt::to_string(element.as_integer()->get())
                                              : describe(element));
    return fmt::format("[{}]", fmt::join(elements, ", "));
  }

  /// A finite number that `allowed` accepts; `range` says the same in words.
  template <typename Allowed>
  double number(std::string_view name, double fallback, Allowed allowed,
                std::string_view range) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return fallback;
    const std::string example = fmt::to_string(fallback);
    if (!node->is_number()) refuse(name, describe(*node), "is not a number", range, example);
    const double value = *node->value<double>();
    // Written so that NaN is refused: it allows nothing.
    if (!(std::isfinite(value) && allowed(value))) {
      refuse(name, fmt::to_string(value), "is out of range", range, example);
    }
    return value;
  }

  bool flag(std::string_view name) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return false;
    if (node->is_boolean()) return node->as_boolean()->get();
    refuse(name, describe(*node), "is not a truth value", "true, false", "true");
  }

  /// A list of `min` to `max` positive integers, each up to `limit`; empty if the key is not there.
  std::vector<int> integers(std::string_view name, std::size_t min, std::size_t max, int limit,
                            std::string_view range, std::string_view example) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return {};
    const toml::array* array = node->as_array();
    if (array == nullptr || array->size() < min || array->size() > max)
      refuse(name, describe(*node), "is not such a list", range, example);
    std::vector<int> values;
    for (const toml::node& element : *array) {
      const std::int64_t value = element.is_integer() ? element.as_integer()->get() : 0;
      if (value < 1 || value > limit)
        refuse(name, fmt::format("[... {} ...]", describe(element)), "is out of range", range,
               example);
      values.push_back(static_cast<int>(value));
    }
    return values;
  }

  const toml::node* node(std::string_view name) const { return table_.get(name); }

  [[noreturn]] void refuse(std::string_view name, std::string_view value, std::string_view wrong,
                           std::string_view range, std::string_view example) const {
    fail(name, value, wrong, range, fmt::format("set {} = {}", name, example));
  }

  [[noreturn]] void fail(std::string_view name, std::string_view value, std::string_view wrong,
                         std::string_view range, std::string_view fix) const {
    throw InputError(fmt::format("{}: {} = {} {}: allowed are {}; {}", where(name), key(name),
                                 value, wrong, range, fix));
  }

 private:
  std::string path_;
  std::string prefix_;
  const toml::table& table_;
};

struct Position {
  int index = 0, count = 0;
  bool first() const { return index == 0; }
  bool last() const { return index == count - 1; }
};

}  // namespace solfege
