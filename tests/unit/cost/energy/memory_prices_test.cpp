// SPDX-License-Identifier: Apache-2.0
// Memories of flip-flops: the netlist against an array of words, its figures against bounds that
// are known without it, and the choice between it and macros. SOLFEGE_SEED replays.
#include "cost/energy/memory_prices.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <random>

#include "cost/eda/liberty_reader.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

/// The IHP macros, as if they were of the default library's node.
constexpr const char* kSameNode = "ihp130@180nm,1.8V";

TEST_CASE("a memory of flip-flops reads and writes as sf_ram does", "[memory]") {
  const char* text = std::getenv("SOLFEGE_SEED");
  const unsigned long seed = text != nullptr ? std::stoul(text) : 4;
  std::cout << "SOLFEGE_SEED=" << seed << '\n';
  std::mt19937_64 random(seed);
  const Scratch cache;
  constexpr std::uint64_t kDepth = 6, kCycles = 400;
  const UnitDesign design = words_design(kDepth, 9);
  const MappedUnit unit = map_unit(design, kDefaultLiberty, cache.path());
  CHECK(unit.flip_flops == 9 * (kDepth + 1));
  CHECK(unit.clock_gates == kDepth + 2);
  Vectors in({{"write_enable_i", 1},
              {"write_address_i", 3},
              {"write_data_i", 9},
              {"read_enable_i", 1},
              {"read_address_i", 3}});
  std::vector<std::uint64_t> words(kDepth), expected, never_written;
  std::uint64_t read = 0, first = 0;
  for (std::uint64_t cycle = 0; cycle < kDepth + kCycles; ++cycle) {
    in.step();
    const bool fills = cycle < kDepth;
    in.set(0, fills || random() % 2);
    in.set(1, fills ? cycle : random() % kDepth);
    in.set(2, random());
    in.set(3, cycle == kDepth || random() % 2);
    in.set(4, random() % 4 == 0 ? in.get(cycle, 1) : random() % kDepth);  // often where is written
    expected.push_back(read);
    never_written.push_back(first);
    if (in.get(cycle, 3) != 0) read = words[in.get(cycle, 4)];
    if (in.get(cycle, 0) != 0) words[in.get(cycle, 1)] = in.get(cycle, 2);
    if (fills) first = in.get(cycle, 2);
  }
  GateSimulation simulation(unit.netlist, read_liberty(kDefaultLiberty), design.clock);
  for (const DelayModel delays : {DelayModel::kZero, DelayModel::kTimed}) {
    const GateRun run = simulation.run(in, delays);
    std::size_t wrong = 0, noticed = 0;
    for (std::size_t cycle = kDepth + 1; cycle < in.cycles(); ++cycle) {
      wrong += run.outputs.get(cycle, 0) != expected[cycle];
      noticed += run.outputs.get(cycle, 0) != never_written[cycle];
    }
    CHECK(wrong == 0);
    CHECK(noticed > 100);  // known bad: a memory that keeps what it had
  }
}

TEST_CASE("flip-flops cost as many as there are, and their accesses", "[memory]") {
  const Scratch cache;
  const LibertyLibrary library = read_liberty(kDefaultLiberty);
  const double flip_flop = library.cell("DFFPOSX1")->area_um2;
  const MemoryFigure small = flip_flop_memory(kDefaultLiberty, cache.path(), 4, 16);
  CHECK(small.flip_flops);
  CHECK(small.tier == "netlist");
  CHECK(small.node_nm == 180);
  // 64 of words, 16 of what is read, six gates; and less than as much again for the multiplexer
  CHECK(small.area_um2 > 86 * flip_flop);
  CHECK(small.area_um2 < 2 * 86 * flip_flop);
  CHECK(small.read_pj > 0);
  CHECK(small.write_pj > 0);
  // Slices of the width are alike
  const MemoryFigure wide = flip_flop_memory(kDefaultLiberty, cache.path(), 4, 48);
  const MemoryFigure half = flip_flop_memory(kDefaultLiberty, cache.path(), 4, 24);
  CHECK(wide.area_um2 == Approx(2 * half.area_um2));
  CHECK(wide.read_pj == Approx(2 * half.read_pj));
  CHECK(wide.source.find("2 times") != std::string::npos);
  // More words to choose from
  const MemoryFigure deep = flip_flop_memory(kDefaultLiberty, cache.path(), 8, 16);
  CHECK(deep.area_um2 > small.area_um2 + 64 * flip_flop);
  CHECK(deep.read_pj > small.read_pj);
}

TEST_CASE("a memory is of what takes less area, at one node", "[memory]") {
  const Scratch cache;
  const MemoryTechnology macros(kSameNode);
  const MemoryPrices prices(macros, kDefaultLiberty, cache.path());
  const MemoryFigure& small = prices.memory(4, 8);
  CHECK(small.flip_flops);
  CHECK(small.area_um2 < macros.memory(4, 8).area_um2);
  CHECK(small.area_um2 == flip_flop_memory(kDefaultLiberty, cache.path(), 4, 8).area_um2);
  const MemoryFigure& large = prices.memory(1024, 64);
  CHECK_FALSE(large.flip_flops);
  CHECK(large.area_um2 == macros.memory(1024, 64).area_um2);
  // Of another node, and without a library: macros
  const MemoryTechnology other("ihp130");
  for (const MemoryPrices& of_macros :
       {MemoryPrices(other, kDefaultLiberty, cache.path()), MemoryPrices(macros)})
    CHECK_FALSE(of_macros.memory(4, 8).flip_flops);
  // A source without areas leaves nothing to compare
  CHECK_FALSE(MemoryPrices(MemoryTechnology("horowitz45@180nm,1.8V"), kDefaultLiberty, cache.path())
                  .memory(4, 8)
                  .flip_flops);
}

}  // namespace
}  // namespace solfege
