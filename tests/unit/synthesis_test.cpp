// SPDX-License-Identifier: Apache-2.0
#include "cost/synthesis.hpp"

#include <bitset>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "model/error.hpp"
#include "tests/unit/scratch.hpp"

namespace solfege {
namespace {

constexpr const char* kOsu018 = "/usr/share/qflow/tech/osu018/osu018_stdcells.lib";

std::string osu018() {
  std::ostringstream text;
  text << std::ifstream(kOsu018).rdbuf();
  REQUIRE(text.str().size() > 1000);
  return text.str();
}

/// Without one cell's group: `cell (NAME) { ... }` up to the next cell.
std::string without(std::string text, const std::string& cell) {
  const auto first = text.find("cell (" + cell + ")");
  REQUIRE(first != std::string::npos);
  return text.erase(first, text.find("\ncell (", first) + 1 - first);
}

Config tiny() { return Config::load(SOLFEGE_SOURCE_DIR "/configs/tiny.toml"); }

TEST_CASE("the popcount has N - popcount(N) adder cells and beats ABC", "[synthesis]") {
  const Scratch scratch;
  for (const int lanes : {8, 16, 64}) {
    Config config = tiny();
    config.lanes = lanes;
    const SynthesisReport r = synthesize_popcount(config, "", scratch.path(std::to_string(lanes)));
    INFO(lanes);
    CHECK(r.library == "osu018_stdcells");
    CHECK_THAT(r.yosys, Catch::StartsWith("Yosys"));
    CHECK(r.full_adder_cell == "FAX1");
    CHECK(r.half_adder_cell == "HAX1");
    CHECK(r.popcount.full_adders + r.popcount.half_adders ==
          static_cast<std::size_t>(lanes) - std::bitset<16>(static_cast<unsigned>(lanes)).count());
    // Known bad: ABC infers no adder cell, so the behavioural form has none.
    CHECK(r.popcount.behavioural_adder_cells == 0);
    CHECK(r.popcount.ratio < (lanes == 64 ? 0.66 : 0.75));  // measured: .73 for 8 bits
    CHECK(r.popcount.ratio == Approx(r.popcount.structural_um2 / r.popcount.behavioural_um2));
    CHECK(r.notes.empty());
  }
}

TEST_CASE("a library without adder cells falls back to logic and says so", "[synthesis]") {
  const Scratch scratch;
  const std::string library =
      scratch.write("no adders.lib", without(without(osu018(), "FAX1"), "HAX1"));
  const SynthesisReport r = synthesize_popcount(tiny(), library, scratch.path("work"));
  CHECK(r.full_adder_cell.empty());
  CHECK(r.popcount.full_adders == 0);
  CHECK(r.popcount.half_adders == 0);
  CHECK(r.popcount.structural_um2 > 0);
  REQUIRE(r.notes.size() == 2);
  CHECK_THAT(r.notes[0], Catch::Contains("no full-adder cell"));
}

TEST_CASE("an unusable Liberty file is refused before Yosys runs", "[synthesis]") {
  const Scratch scratch;
  const std::string whole = osu018();
  auto refuse = [&](const std::string& path, const std::string& why) {
    require_error<InputError>([&] { synthesize(tiny(), path, scratch.path("work")); }, {path, why});
    CHECK_FALSE(std::filesystem::exists(scratch.path("work")));
  };
  refuse(scratch.path("missing.lib"), "cannot be read");
  refuse(scratch.write("truncated.lib", whole.substr(0, whole.size() / 2)), "truncated");
  refuse(scratch.write("other.lib", "module x; endmodule\n"), "header");
  refuse(scratch.write("empty.lib", ""), "header");
  refuse(scratch.write("cells.lib", "library (none) { cell (A) { } }\n"), "no cell with an area");
}

// Minutes: run by name, or with the tag.
TEST_CASE("a whole machine has area by module and memories apart", "[.][synthesis-whole]") {
  const Scratch scratch;
  int calls = 0;
  const Config config = tiny();
  const SynthesisReport r =
      synthesize(config, "", scratch.path("work"), [&](const std::string&, int done, int total) {
        ++calls;
        CHECK(done < total);
      });
  CHECK(calls > 0);
  double area = 0;
  std::uint64_t elements = 0, memory = 0;
  for (const ModuleArea& module : r.modules) {
    area += module.area_um2 * static_cast<double>(module.instances);
    if (module.name.rfind("sf_pe ", 0) == 0) elements += module.instances;
  }
  for (const MemoryBits& bits : r.memories) memory += bits.bits * bits.instances;
  CHECK(area == Approx(r.area_um2));
  CHECK(elements == static_cast<std::uint64_t>((config.rows + 1) * (config.columns + 1)));
  CHECK(memory == r.memory_bits);
  CHECK(memory > static_cast<std::uint64_t>(config.rows * config.lanes * config.row_buffer_depth));
  CHECK_FALSE(r.clock_mhz);
}

}  // namespace
}  // namespace solfege
