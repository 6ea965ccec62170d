// SPDX-License-Identifier: Apache-2.0
// Units mapped by Yosys onto real libraries: what cells they get, that they compute what their
// Verilog says (gate simulation against C++; SOLFEGE_SEED replays), and the cache.
#include "cost/eda/mapped_unit.hpp"

#include <bitset>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <random>

#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/synthesis.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "model/base/error.hpp"
#include "model/base/share.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/shared_liberty.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

UnitDesign popcount(int width) {
  return {"popcount", "sf_popcount", {{"Width", width}}, popcount_sources(), ""};
}

std::vector<std::string> entries(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

std::mt19937_64 seeded() {
  const char* text = std::getenv("SOLFEGE_SEED");
  const unsigned long seed = text != nullptr ? std::stoul(text) : 5;
  std::cout << "SOLFEGE_SEED=" << seed << '\n';
  return std::mt19937_64(seed);
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

/// Everything that adder cells are found in: sums, differences, products, comparisons with signals
/// and constants, saturation, absolute values.
constexpr const char* kArithmetic = R"(module arithmetic (
    input wire clk_i,
    input wire enable_i,
    input wire signed [11:0] a_i,
    input wire signed [11:0] b_i,
    input wire [7:0] c_i,
    output reg signed [23:0] product_o,
    output reg signed [15:0] sum_o,
    output reg signed [9:0] saturated_o,
    output reg [11:0] magnitude_o,
    output reg [4:0] tests_o
);
  wire signed [12:0] wide = a_i - b_i;
  always @(posedge clk_i) if (enable_i) begin
    product_o <= a_i * b_i;
    sum_o <= a_i + b_i + $signed({1'b0, c_i}) - 16'sd300;
    saturated_o <= (wide > 13'sd511) ? 10'sd511 : (wide < -13'sd512) ? -10'sd512 : wide[9:0];
    magnitude_o <= a_i[11] ? -a_i : a_i;
    tests_o <= {a_i < b_i, a_i >= 12'sd100, c_i > 8'd37, a_i == b_i, {4'b0, c_i} <= a_i};
  end
endmodule
)";

struct Results {
  std::int64_t product = 0, sum = 0, saturated = 0, magnitude = 0, tests = 0;
};

Results expected(std::int64_t a, std::int64_t b, std::int64_t c) {
  const std::int64_t wide = a - b;
  // Of a signed and an unsigned operand Verilog compares unsigned.
  const std::int64_t unsigned_a = a & 0xfff;
  return {a * b, a + b + c - 300,
          wide > 511    ? 511
          : wide < -512 ? -512
                        : wide,
          a < 0 ? -a : a,
          (a < b) << 4 | (a >= 100) << 3 | (c > 37) << 2 | (a == b) << 1 | (c <= unsigned_a)};
}

TEST_CASE("mapped arithmetic computes what its Verilog says, on every library", "[mapped_unit]") {
  const Scratch scratch;
  const UnitDesign design = {"arithmetic", "arithmetic", {}, {scratch.write("a.v", kArithmetic)}};
  std::mt19937_64 random = seeded();
  std::vector<std::string> libraries = {kDefaultLiberty};
  for (const char* name :
       {"sky130hd_tt.lib", "sg13g2_stdcell_typ_1p20V_25C.lib", "asap7_rvt_tt_nldm_merged.lib"}) {
    const std::string path = shared_liberty(name);
    if (path.empty())
      WARN("SKIPPED: " << name << " is not in shared/liberty");
    else
      libraries.push_back(path);
  }
  for (const std::string& path : libraries) {
    INFO(path);
    const MappedUnit unit = map_unit(design, path, scratch.path("cache"));
    const bool has_adders = unit.notes.empty();
    CHECK(unit.notes.size() == (has_adders ? 0u : 2u));
    // 12 x 12 partial products alone need a hundred.
    CHECK((has_adders ? unit.full_adders > 100 : unit.full_adders == 0));
    // Yosys merges two that are equal.
    CHECK(unit.flip_flops == 24 + 16 + 10 + 12 + 5 - 1);
    CHECK(unit.sequential_um2 > 0);
    CHECK(unit.area_um2 > unit.sequential_um2);

    const LibertyLibrary library = read_liberty(path);
    GateSimulation simulation(unit.netlist, library, "clk_i");
    Vectors inputs({{"enable_i", 1}, {"a_i", 12}, {"b_i", 12}, {"c_i", 8}});
    const std::vector<int> corners = {0, 1, -1, 2047, -2048, 511, -512, 100, 99};
    std::vector<std::array<std::int64_t, 3>> operands;
    for (int i = 0; i < 600; ++i) {
      auto operand = [&]() -> std::int64_t {
        if (random() % 4 == 0) return corners[random() % corners.size()];
        return static_cast<std::int64_t>(random() % 4096) - 2048;
      };
      operands.push_back({operand(), operand(), static_cast<std::int64_t>(random() % 256)});
      inputs.step();
      inputs.set(0, 1);
      for (std::size_t k = 0; k < 3; ++k)
        inputs.set(k + 1, static_cast<std::uint64_t>(operands.back()[k]) & (k < 2 ? 0xfff : 0xff));
    }
    const GateRun run = simulation.run(inputs, DelayModel::kZero);
    int wrong = 0;
    auto check = [&](const char* port, std::size_t cycle, std::int64_t value, int width) {
      const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
      wrong += run.outputs.get(cycle, run.outputs.port(port)) !=
               (static_cast<std::uint64_t>(value) & mask);
    };
    for (std::size_t i = 1; i < operands.size(); ++i) {
      const auto& [a, b, c] = operands[i - 1];
      const Results r = expected(a, b, c);
      check("product_o", i, r.product, 24);
      check("sum_o", i, r.sum, 16);
      check("saturated_o", i, r.saturated, 10);
      check("magnitude_o", i, r.magnitude, 12);
      check("tests_o", i, r.tests, 5);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("memories inside a unit are black boxes and their bits are counted", "[mapped_unit]") {
  const Scratch scratch;
  const std::string top = scratch.write("top.v", R"(module top (
    input wire clk_i, input wire write_i, input wire [4:0] address_i, input wire [6:0] data_i,
    output wire [6:0] data_o);
  sf_ram #(.Width(7), .Depth(32)) u_ram (
      .clk_i(clk_i), .write_enable_i(write_i), .write_address_i(address_i),
      .write_data_i(data_i), .read_enable_i(~write_i), .read_address_i(address_i),
      .read_data_o(data_o));
endmodule
)");
  const MappedUnit unit =
      map_unit({"top", "top", {}, {top, rtl_paths({"sf_ram"})[0]}}, "", scratch.path("cache"));
  CHECK(unit.memory_bits == 7 * 32);
  CHECK(unit.flip_flops == 0);
  CHECK(unit.cells == 1);  // the inverter of write_i
}

TEST_CASE("a mapped unit is cached by content", "[mapped_unit]") {
  const Scratch scratch;
  const std::string cache = scratch.path("cache"), source = scratch.path("unit.v");
  auto write = [&](const char* gate) {
    scratch.write("unit.v", std::string("module unit (input wire a, input wire b, output wire y);"
                                        "\n  assign y = a ") +
                                gate + " b;\nendmodule\n");
  };
  const UnitDesign design = {"unit", "unit", {}, {source}, ""};
  int polls = 0;
  auto poll = [&] { ++polls; };
  write("&");
  const double first = map_unit(design, "", cache, poll).area_um2;
  CHECK(polls > 0);
  const auto after_first = entries(cache);
  polls = 0;
  CHECK(map_unit(design, "", cache, poll).area_um2 == first);
  CHECK(polls == 0);  // nothing ran
  CHECK(entries(cache) == after_first);
  write("^");
  CHECK(map_unit(design, "", cache, poll).area_um2 > first);
  CHECK(polls > 0);
  CHECK(entries(cache).size() == after_first.size() + 1);
}

TEST_CASE("an interrupted mapping leaves nothing in the cache", "[mapped_unit]") {
  const Scratch scratch;
  const std::string cache = scratch.path("cache");
  map_unit(popcount(2), "", cache);  // the library is there
  const auto before = entries(cache);
  struct Stop {};
  CHECK_THROWS_AS(map_unit(popcount(3), "", cache, [] { throw Stop(); }), Stop);
  CHECK(entries(cache) == before);
  // What a killed process left is removed by the next that adds something.
  fs::create_directory(fs::path(cache) / "abcdef.part");
  map_unit(popcount(3), "", cache);
  for (const std::string& name : entries(cache)) CHECK(fs::path(name).extension() != ".part");
  CHECK(entries(cache).size() == before.size() + 1);
}

TEST_CASE("units that cannot be mapped are refused with a reason", "[mapped_unit]") {
  const Scratch scratch;
  const std::string cache = scratch.path("cache");
  require_error<InputError>(
      [&] {
        map_unit({"gone", "gone", {}, {scratch.path("gone.v")}}, "", cache);
      },
      {"gone.v", "missing"});
  const std::string broken = scratch.write("broken.v", "module broken (input a output b);\n");
  try {
    map_unit({"broken", "broken", {}, {broken}}, "", cache);
    FAIL("accepted");
  } catch (const std::runtime_error& error) {
    CHECK_THAT(error.what(), Catch::Contains("syntax error"));
  }
  const std::string latch =
      scratch.write("latch.v",
                    "module latch (input wire e, input wire d, output reg q);\n"
                    "  always @* if (e) q = d;\nendmodule\n");
  try {
    map_unit({"latch", "latch", {}, {latch}, ""}, "", cache);
    FAIL("accepted");
  } catch (const std::runtime_error& error) {
    CHECK_THAT(error.what(), Catch::Contains("left unmapped"));
  }
}

}  // namespace
}  // namespace solfege
