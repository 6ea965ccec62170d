// SPDX-License-Identifier: Apache-2.0
// The stimulus that the reductions are priced with, against sums made here, and against the mapped
// netlist of sf_reduce_lane under it. SOLFEGE_SEED replays.
#include "cost/energy/reduce_lane.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <random>

#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "cost/energy/units.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "model/base/share.hpp"
#include "model/spec/config.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

TEST_CASE("the reductions' stimulus holds the sums that the netlist makes", "[yosys]") {
  const char* given = std::getenv("SOLFEGE_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  INFO("SOLFEGE_SEED=" << seed);
  std::mt19937_64 random(seed);
  const Config config = Config::load(SOLFEGE_SOURCE_DIR "/configs/tiny.toml");
  const CostUnit unit =
      cost_unit("reduce", config, rtl_modules().at("sf_reduce_lane").parent_path().string());
  const Scratch scratch;
  const MappedUnit mapped = map_unit(unit.design, kDefaultLiberty, scratch.path("cache"));
  const LibertyLibrary library = read_liberty(kDefaultLiberty);
  GateSimulation simulation(mapped.netlist, library, unit.design.clock);
  for (const ReduceMode& mode :
       {ReduceMode{true, false, false, false}, ReduceMode{true, true},
        ReduceMode{true, true, false, true}, ReduceMode{true, false, true, false}}) {
    INFO("second " << mode.second << ", absolute " << mode.absolute << ", dot " << mode.dot);
    ReduceLane lane(mode);
    Vectors vectors(unit.inputs);
    std::vector<ReduceElement> elements(300);
    for (ReduceElement& e : elements) {
      e.take = random() % 4 != 0;
      e.inside = random() % 8 != 0;
      e.y = static_cast<std::uint32_t>(static_cast<std::int32_t>(random() % 65536) - 32768);
      e.z = static_cast<std::uint16_t>(random());
      e.row = static_cast<std::uint32_t>(random() % 3);
      lane.clock(e, &vectors);
    }
    const GateRun run = simulation.run(vectors, DelayModel::kZero);
    const std::size_t sum = run.outputs.port("sum_o"), second = run.outputs.port("second_o");
    std::map<std::uint32_t, std::int64_t> sums, seconds;
    std::size_t wrong = 0, checked = 0;
    for (std::size_t t = 0; t + 1 < elements.size(); ++t) {
      const ReduceElement& e = elements[t];
      if (!e.take) continue;
      const std::int64_t y = e.inside ? static_cast<std::int32_t>(e.y) : 0;
      sums[e.row] += mode.absolute ? std::abs(y) : y;
      seconds[e.row] += y * (mode.dot ? static_cast<std::int16_t>(e.z) : y);
      // A taken chunk is in the sums a cycle later.
      wrong += static_cast<std::int64_t>(run.outputs.get(t + 1, sum)) != sums[e.row];
      if (mode.second)
        wrong += static_cast<std::int64_t>(run.outputs.get(t + 1, second)) != seconds[e.row];
      ++checked;
    }
    CHECK(wrong == 0);
    CHECK(checked > 100);
    // Known bad: tables of another mode
    Vectors other(unit.inputs);
    ReduceLane swapped({true, mode.second, !mode.absolute, mode.dot});
    for (const ReduceElement& e : elements) swapped.clock(e, &other);
    const GateRun bad = simulation.run(other, DelayModel::kZero);
    CHECK(bad.outputs.get(elements.size() - 1, sum) != run.outputs.get(elements.size() - 1, sum));
  }
}

}  // namespace
}  // namespace solfege
