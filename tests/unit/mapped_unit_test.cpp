// SPDX-License-Identifier: Apache-2.0
#include "cost/mapped_unit.hpp"

#include <bitset>
#include <catch2/catch.hpp>

#include "cost/liberty.hpp"
#include "model/error.hpp"
#include "tests/unit/scratch.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> rtl(const std::vector<std::string>& modules) {
  std::vector<std::string> paths;
  for (const std::string& name : modules)
    paths.push_back(std::string(SOLFEGE_SOURCE_DIR "/rtl/") + name + ".v");
  return paths;
}

UnitDesign popcount(int width) {
  return {"popcount",
          "sf_popcount",
          {{"Width", width}},
          rtl({"sf_popcount", "sf_popcount_adders", "sf_full_adder", "sf_half_adder"}),
          ""};
}

TEST_CASE("a popcount is N - popcount(N) adder cells and nothing else", "[mapped_unit]") {
  const Scratch scratch;
  for (const unsigned width : {1u, 2u, 3u, 7u, 16u, 21u, 64u}) {
    INFO(width);
    const MappedUnit unit = map_unit(popcount(static_cast<int>(width)), "", scratch.path());
    CHECK(unit.cells == width - std::bitset<32>(width).count());
    CHECK(unit.full_adders + unit.half_adders == unit.cells);
    CHECK(unit.netlist.instances.size() == unit.cells);
    CHECK(unit.flip_flops == 0);
    CHECK(unit.memory_bits == 0);
    CHECK(unit.notes.empty());
    CHECK(unit.netlist.port("bits_i").nets.size() == width);
  }
}

}  // namespace
}  // namespace solfege
