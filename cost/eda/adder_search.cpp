// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/adder_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "model/base/files.hpp"

namespace solfege {
namespace {

using Json = nlohmann::ordered_json;

/// A gate of two inputs; nets are Yosys' bit numbers.
struct Gate {
  std::string cell;
  int low = 0, high = 0, output = 0;
};

struct Found {
  std::string carry_cell, sum_cell;
  int a = 0, b = 0, c = 0, carry = 0, sum = 0;
};

class Search {
 public:
  explicit Search(const Json& module) {
    for (const auto& [name, cell] : module.at("cells").items()) read(name, cell);
    for (const auto& [name, port] : module.at("ports").items())
      for (const Json& bit : port.at("bits"))
        if (bit.is_number()) uses_[bit.get<int>()] += 2;  // as good as used elsewhere
    // Names are not uses, except of wires that must stay.
    for (const auto& [name, net] : module.at("netnames").items())
      if (net.contains("attributes") && net.at("attributes").contains("keep"))
        for (const Json& bit : net.at("bits"))
          if (bit.is_number()) uses_[bit.get<int>()] += 2;
  }

  std::vector<Found> run() const {
    std::vector<Found> found;
    for (const Gate& carry : ors_)
      for (const auto& [both, passed] :
           {std::pair(carry.low, carry.high), std::pair(carry.high, carry.low)})
        if (Found f; adder(carry, both, passed, f)) {
          found.push_back(f);
          break;
        }
    return found;
  }

 private:
  void read(const std::string& name, const Json& cell) {
    const std::string type = cell.at("type");
    const Json& pins = cell.at("connections");
    const bool gate = type == "$_AND_" || type == "$_OR_" || type == "$_XOR_";
    for (const auto& [pin, bits] : pins.items())
      if (!gate || pin != "Y")
        for (const Json& bit : bits)
          if (bit.is_number()) ++uses_[bit.get<int>()];
    if (!gate) return;
    const Json &a = pins.at("A")[0], &b = pins.at("B")[0], &y = pins.at("Y")[0];
    if (!a.is_number() || !b.is_number() || !y.is_number()) return;
    Gate g{name, std::min(a.get<int>(), b.get<int>()), std::max(a.get<int>(), b.get<int>()),
           y.get<int>()};
    if (type == "$_OR_") {
      ors_.push_back(g);
    } else if (type == "$_AND_") {
      ands_[g.output] = g;
    } else {
      xors_[g.output] = g;
      xor_of_[{g.low, g.high}] = g;
    }
  }

  int uses(int net) const {
    const auto found = uses_.find(net);
    return found == uses_.end() ? 0 : found->second;
  }

  /// Whether `carry` = both | passed is the carry of a full adder with a sum.
  bool adder(const Gate& carry, int both_net, int passed_net, Found& f) const {
    const auto both = ands_.find(both_net), passed = ands_.find(passed_net);
    if (both == ands_.end() || passed == ands_.end()) return false;
    if (uses(both_net) != 1 || uses(passed_net) != 1) return false;
    for (const auto& [half_net, c] : {std::pair(passed->second.low, passed->second.high),
                                      std::pair(passed->second.high, passed->second.low)}) {
      const auto half = xors_.find(half_net);
      if (half == xors_.end() || half->second.low != both->second.low ||
          half->second.high != both->second.high || half->second.low == half->second.high)
        continue;
      const auto sum = xor_of_.find(std::minmax({half_net, c}));
      if (sum == xor_of_.end() || uses(half_net) != 2) continue;
      f = {carry.cell, sum->second.cell, half->second.low,  half->second.high,
           c,          carry.output,     sum->second.output};
      return f.a != c && f.b != c;
    }
    return false;
  }

  std::vector<Gate> ors_;
  std::unordered_map<int, Gate> ands_, xors_;  // by output
  std::map<std::pair<int, int>, Gate> xor_of_;
  std::unordered_map<int, int> uses_;
};

int largest_net(const Json& module) {
  int largest = 1;
  auto see = [&](const Json& bits) {
    for (const Json& bit : bits)
      if (bit.is_number()) largest = std::max(largest, bit.get<int>());
  };
  for (const auto& [name, net] : module.at("netnames").items()) see(net.at("bits"));
  for (const auto& [name, cell] : module.at("cells").items())
    for (const auto& [pin, bits] : cell.at("connections").items()) see(bits);
  return largest;
}

Json cell_of(const std::string& type, const Json& directions, const Json& connections) {
  return {{"hide_name", 1},
          {"type", type},
          {"parameters", Json::object()},
          {"attributes", Json::object()},
          {"port_directions", directions},
          {"connections", connections}};
}

}  // namespace

std::size_t bind_found_adders(const std::filesystem::path& from, const std::filesystem::path& to,
                              const std::string& name, const AdderCell& adder) {
  Json design = Json::parse(read_file(from));
  Json& module = design.at("modules").at(name);
  const std::vector<Found> found = Search(module).run();
  int next = largest_net(module) + 1;
  Json& cells = module.at("cells");
  // Erasing from an ordered object is slow: the cells that stay are copied.
  std::unordered_map<std::string, bool> replaced;
  for (const Found& f : found) replaced[f.carry_cell] = replaced[f.sum_cell] = true;
  Json kept = Json::object();
  for (auto& [cell, description] : cells.items())
    if (replaced.count(cell) == 0) kept[cell] = std::move(description);
  cells = std::move(kept);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Found& f = found[i];
    const int inputs[] = {f.a, f.b, f.c};
    Json directions, connections;
    for (std::size_t pin = 0; pin < 3; ++pin) {
      directions[adder.inputs[pin]] = "input";
      connections[adder.inputs[pin]] = {inputs[pin]};
    }
    auto output = [&](const std::string& pin, int net, bool inverted, const char* what) {
      directions[pin] = "output";
      connections[pin] = {inverted ? next : net};
      if (!inverted) return;
      cells[fmt::format("$found_adder${}${}", i, what)] =
          cell_of("$_NOT_", {{"A", "input"}, {"Y", "output"}}, {{"A", {next}}, {"Y", {net}}});
      ++next;
    };
    output(adder.sum, f.sum, adder.sum_inverted, "sum");
    output(adder.carry, f.carry, adder.carry_inverted, "carry");
    cells[fmt::format("$found_adder${}", i)] = cell_of(adder.cell, directions, connections);
  }
  write_file(to, design.dump());
  return found.size();
}

}  // namespace solfege
