// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/reference_tables.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace solfege {
namespace {

/// A JSON string is a YAML string.
std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

/// Accelergy writes the number of instances into the name.
std::string full_name(const ReferenceComponent& component) {
  return quoted(component.instances == 1
                    ? component.name
                    : fmt::format("{}[1..{}]", component.name, component.instances));
}

/// A comment ends with its line.
std::string comment(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

/// In YAML, a list without entries is not the same as none.
std::string tables(const char* kind, const std::string& entries) {
  return fmt::format("{}:\n  version: '0.4'\n  tables:{}\n{}", kind, entries.empty() ? " []" : "",
                     entries);
}

}  // namespace

std::string energy_reference_table(const std::vector<ReferenceComponent>& components) {
  std::string yaml;
  for (const ReferenceComponent& component : components) {
    if (component.actions.empty()) continue;
    yaml += fmt::format("    - name: {}\n      actions:\n", full_name(component));
    for (const ReferenceComponent::Action& action : component.actions)
      yaml += fmt::format(
          "        - name: {}\n          arguments: {{}}\n          energy: {:.9g}  # pJ; {}\n",
          quoted(action.name), action.energy_pj, comment(action.source));
  }
  return tables("ERT", yaml);
}

std::string area_reference_table(const std::vector<ReferenceComponent>& components) {
  std::string yaml;
  for (const ReferenceComponent& component : components)
    if (component.area_um2 > 0)
      yaml += fmt::format("    - name: {}\n      area: {:.9g}  # um2\n", full_name(component),
                          component.area_um2);
  return tables("ART", yaml);
}

}  // namespace solfege
