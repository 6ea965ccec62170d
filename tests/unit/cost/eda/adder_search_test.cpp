// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/adder_search.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "model/base/files.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

using Json = nlohmann::ordered_json;

Json gate(const char* type, int a, int b, int y) {
  return {{"type", type}, {"connections", {{"A", {a}}, {"B", {b}}, {"Y", {y}}}}};
}

/// Nets: a 2, b 3, c 4, half 5, both 6, passed 7, sum 8, carry 9.
Json full_adder() {
  Json cells = {{"g1", gate("$_XOR_", 3, 2, 5)},
                {"g2", gate("$_AND_", 2, 3, 6)},
                {"g3", gate("$_AND_", 4, 5, 7)},
                {"g4", gate("$_OR_", 7, 6, 9)},
                {"g5", gate("$_XOR_", 5, 4, 8)}};
  Json ports = {{"x", {{"direction", "input"}, {"bits", {2, 3, 4}}}},
                {"y", {{"direction", "output"}, {"bits", {8, 9}}}}};
  return {{"ports", ports}, {"cells", cells}, {"netnames", {{"x", {{"bits", {2, 3, 4}}}}}}};
}

AdderCell cell(bool inverted) {
  return {"ADDER", 1, {"P", "Q", "R"}, "S", "CO", inverted, inverted};
}

struct Outcome {
  std::size_t found;
  Json cells;
};

Outcome search(const Json& module, bool inverted = false) {
  const Scratch scratch;
  const Json design = {{"modules", {{"m", module}}}};
  const std::string from = scratch.write("from.json", design.dump()), to = scratch.path("to.json");
  const std::size_t found = bind_found_adders(from, to, "m", cell(inverted));
  return {found, Json::parse(read_file(to)).at("modules").at("m").at("cells")};
}

std::size_t count(const Json& cells, const std::string& type) {
  std::size_t number = 0;
  for (const auto& [name, cell] : cells.items()) number += cell.at("type") == type;
  return number;
}

TEST_CASE("a full adder of gates becomes the library's cell", "[adder_search]") {
  const Outcome plain = search(full_adder());
  REQUIRE(plain.found == 1);
  CHECK(count(plain.cells, "ADDER") == 1);
  CHECK(count(plain.cells, "$_OR_") == 0);
  CHECK(count(plain.cells, "$_XOR_") == 1);  // half stays, for opt_clean to remove
  for (const auto& [name, cell] : plain.cells.items()) {
    if (cell.at("type") != "ADDER") continue;
    const Json& pins = cell.at("connections");
    CHECK(pins.at("S") == Json({8}));
    CHECK(pins.at("CO") == Json({9}));
    std::vector<int> inputs;
    for (const char* pin : {"P", "Q", "R"}) inputs.push_back(pins.at(pin)[0]);
    std::sort(inputs.begin(), inputs.end());
    CHECK(inputs == std::vector<int>{2, 3, 4});
  }
  const Outcome inverted = search(full_adder(), true);
  CHECK(inverted.found == 1);
  CHECK(count(inverted.cells, "$_NOT_") == 2);
  for (const auto& [name, cell] : inverted.cells.items()) {
    if (cell.at("type") != "$_NOT_") continue;
    const int out = cell.at("connections").at("Y")[0], in = cell.at("connections").at("A")[0];
    CHECK((out == 8 || out == 9));
    CHECK(in > 9);  // a net of its own
  }
}

TEST_CASE("what only resembles a full adder stays gates", "[adder_search]") {
  auto changed = [](const char* name, const Json& gate) {
    Json module = full_adder();
    module["cells"][name] = gate;
    return search(module).found;
  };
  CHECK(changed("g1", gate("$_XOR_", 2, 2, 5)) == 0);
  CHECK(changed("g1", gate("$_OR_", 2, 3, 5)) == 0);
  CHECK(changed("g2", gate("$_AND_", 2, 4, 6)) == 0);  // of other signals
  CHECK(changed("g3", gate("$_AND_", 2, 5, 7)) == 0);
  CHECK(changed("g4", gate("$_XOR_", 6, 7, 9)) == 0);     // the same function, but not ours
  CHECK(changed("g5", gate("$_XOR_", 5, 2, 8)) == 0);     // no sum with this carry
  CHECK(changed("more", gate("$_AND_", 6, 4, 20)) == 0);  // what is between is used elsewhere
  CHECK(changed("more", gate("$_AND_", 5, 2, 20)) == 0);
  CHECK(changed("more", gate("$_AND_", 8, 9, 20)) == 1);  // results may be
  Json seen = full_adder();
  seen["ports"]["z"] = {{"direction", "output"}, {"bits", {7}}};
  CHECK(search(seen).found == 0);
}

}  // namespace
}  // namespace solfege
