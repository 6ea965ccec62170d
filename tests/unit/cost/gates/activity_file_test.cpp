// SPDX-License-Identifier: Apache-2.0
#include "cost/gates/activity_file.hpp"

#include <catch2/catch.hpp>
#include <cstdio>

#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

TEST_CASE("activity files say what the simulation saw", "[gates]") {
  const Scratch scratch;
  UnitDesign design;
  design.name = design.top = "counter";
  design.sources = {scratch.write("counter.v", R"(module counter (
  input wire clk_i, input wire up_i, output reg [2:0] count_o);
  always @(posedge clk_i) if (up_i) count_o <= count_o + 3'd1;
endmodule
)")};
  const MappedUnit unit = map_unit(design, kDefaultLiberty, scratch.path("cache"));
  const LibertyLibrary library = read_liberty(kDefaultLiberty);
  GateSimulation simulation(unit.netlist, library, "clk_i");
  Vectors inputs({{"up_i", 1}});
  for (const int up : {0, 1, 1, 0, 1, 1, 1, 1, 1, 1}) {
    inputs.step();
    inputs.set(0, static_cast<std::uint64_t>(up));
  }
  const GateRun run = simulation.run(inputs, DelayModel::kZero, 1);
  // Counted cycles 1 .. 9 show 0 1 2 2 3 4 5 6 7
  const std::string saif = switching_activity(unit.netlist, run, "clk_i", 2);
  CHECK(saif.find("(DURATION 18000)") != std::string::npos);
  auto line = [&](const std::string& name) {
    std::array<int, 3> numbers{};
    const auto at = saif.find("\n(" + name + " (T0 ");
    REQUIRE(at != std::string::npos);
    REQUIRE(std::sscanf(saif.c_str() + at + 1 + name.size() + 1, " (T0 %d) (T1 %d) (TX 0) (TC %d)",
                        &numbers[0], &numbers[1], &numbers[2]) == 3);
    return numbers;
  };
  CHECK(line(R"(count_o\[0\])") == std::array<int, 3>{10000, 8000, 7});
  CHECK(line(R"(count_o\[1\])") == std::array<int, 3>{8000, 10000, 3});
  CHECK(line(R"(count_o\[2\])") == std::array<int, 3>{10000, 8000, 1});
  CHECK(line("clk_i") == std::array<int, 3>{9000, 9000, 18});
  // Each cell is an instance with its pins: as many CLK pins as flip-flops.
  std::size_t clocks = 0;
  for (std::size_t at = saif.find("\n(CLK "); at != std::string::npos;
       at = saif.find("\n(CLK ", at + 1))
    ++clocks;
  CHECK(clocks == unit.flip_flops);
  CHECK(std::count(saif.begin(), saif.end(), '(') == std::count(saif.begin(), saif.end(), ')'));
}

}  // namespace
}  // namespace solfege
