// SPDX-License-Identifier: Apache-2.0
// OpenSTA's figures of small netlists, beside what the library's tables say.
#include "cost/eda/timing.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "cost/eda/synthesis.hpp"
#include "cost/eda/timing_netlist.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "model/base/share.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/shared_liberty.hpp"

namespace solfege {
namespace {

/// A flip-flop, `length` inverters, a flip-flop; the last inverter drives `loads` more.
Netlist chain(int length, int loads = 0) {
  Netlist n;
  n.top = "chain";
  n.ports = {{"clk_i", true, {0}}, {"d_i", true, {1}}, {"q_o", false, {2}}};
  int next = 4, net = 3;
  n.instances.push_back({"first", "DFFPOSX1", {{"CLK", {0}}, {"D", {1}}, {"Q", {3}}}, {}});
  for (int i = 0; i < length; ++i) {
    n.instances.push_back({"inverter", "INVX1", {{"A", {net}}, {"Y", {next}}}, {}});
    net = next++;
  }
  n.instances.push_back({"last", "DFFPOSX1", {{"CLK", {0}}, {"D", {net}}, {"Q", {2}}}, {}});
  for (int i = 0; i < loads; ++i)
    n.instances.push_back({"load", "DFFPOSX1", {{"CLK", {0}}, {"D", {net}}, {"Q", {next++}}}, {}});
  n.nets = next;
  n.net_names.resize(static_cast<std::size_t>(next), "$");
  n.net_names[2] = "result[1]";
  return n;
}

struct Fixture {
  Scratch scratch;
  PreparedLibrary library = prepare_library("", scratch.path("cache"));
  TimingReport time(const std::map<std::string, Netlist>& netlists, const std::string& top,
                    std::optional<double> period = {}) const {
    return time_design(netlists, top, library, period, scratch.path("cache"));
  }
};

TEST_CASE("the clock is the flip-flop, the gates and the setup", "[timing]") {
  const Fixture f;
  const LibertyLibrary tables = read_liberty(kDefaultLiberty);
  std::vector<double> periods;
  for (const int length : {10, 20, 30}) {
    const TimingReport t = f.time({{"chain", chain(length)}}, "chain", 2.0);
    periods.push_back(t.period_ns);
    CHECK(t.clock_mhz == Approx(1000 / t.period_ns));
    REQUIRE(t.slack_ns);
    CHECK(*t.slack_ns == Approx(2.0 - t.period_ns));
    CHECK(t.endpoints == 3);  // two data pins, an output
    CHECK(t.buffers == 0);
    CHECK_THAT(t.opensta, Catch::StartsWith("OpenSTA"));
    CHECK(t.critical.end == "result_1/D");
    CHECK(t.critical.steps.size() == static_cast<std::size_t>(length) + 3);
    // The gate simulator reads the same tables by itself.
    const double own = GateSimulation(chain(length), tables, "clk_i").critical_path_ns();
    CHECK(t.period_ns == Approx(own).epsilon(0.10));
  }
  // Beyond its ends a chain is uniform.
  CHECK(periods[2] - periods[1] == Approx(periods[1] - periods[0]).epsilon(1e-3));
  CHECK(periods[0] > 10 * 0.02);
}

TEST_CASE("a library may be written otherwise and mean the same", "[timing]") {
  const Fixture f;
  std::ifstream file(kDefaultLiberty);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  auto replace = [&](const std::string& from, const std::string& to) {
    std::size_t count = 0;
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size()), ++count)
      text.replace(at, from.size(), to);
    REQUIRE(count > 0);
  };
  replace("clocked_on : \"CLK\"", "clocked_on : \"(CLK)\"");
  replace("clock : true;", "");
  replace("function : \"(A B)\"", "function : \" (A B)\"");
  replace("timing_type", "timing_type ");
  const std::string path = f.scratch.write("other.lib", text);
  const PreparedLibrary other = prepare_library(path, f.scratch.path("cache"));
  const TimingReport expected = f.time({{"chain", chain(10)}}, "chain"),
                     t = time_design({{"chain", chain(10)}}, "chain", other, {},
                                     f.scratch.path("cache"));
  CHECK(t.endpoints == expected.endpoints);
  CHECK(t.period_ns == expected.period_ns);
  // Yosys reads it, too
  const UnitDesign design = {"popcount", "sf_popcount", {{"Width", 3}}, popcount_sources()};
  CHECK(map_unit(design, path, f.scratch.path("cache")).full_adders == 1);
}

TEST_CASE("rise and fall in timing groups of their own give the same clock and buffers",
          "[timing]") {
  const Fixture f;
  std::ifstream file(kDefaultLiberty);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  std::size_t count = 0;
  for (std::size_t at = text.find("timing()"); at != std::string::npos;
       at = text.find("timing()", at), ++count) {
    const std::size_t rise = text.find("cell_rise", at), fall = text.find("cell_fall", at);
    const std::string head = text.substr(at, rise - at);
    const std::size_t end = text.find("timing()", at + 1);
    at = fall;
    if (fall == std::string::npos) break;
    // Setup and hold have no such tables.
    if (rise > fall || fall > end || head.find('}') != std::string::npos) {
      at = end;
      continue;
    }
    text.insert(fall, "}\n" + head);
    at = fall + head.size();
  }
  REQUIRE(count > 50);
  const std::string unit = "capacitive_load_unit (1,pf);";
  REQUIRE(text.find(unit) != std::string::npos);
  text.replace(text.find(unit), unit.size(),
               "capacitive_load_unit ( \\\n 1.0, \\\n \"pf\" \\\n );");
  const PreparedLibrary split =
      prepare_library(f.scratch.write("split.lib", text), f.scratch.path("cache"));
  CHECK(split.notes == f.library.notes);
  const TimingReport expected = f.time({{"chain", chain(5, 300)}}, "chain"),
                     t = time_design({{"chain", chain(5, 300)}}, "chain", split, {},
                                     f.scratch.path("cache"));
  CHECK(t.buffer_cell == expected.buffer_cell);
  CHECK(t.buffers == expected.buffers);
  CHECK(t.period_ns == expected.period_ns);
  // The gate simulator reads the library by itself.
  CHECK(GateSimulation(chain(10), read_liberty(split.path), "clk_i").critical_path_ns() ==
        GateSimulation(chain(10), read_liberty(kDefaultLiberty), "clk_i").critical_path_ns());
}

TEST_CASE("nets of many pins get buffer trees for timing", "[timing]") {
  const Fixture f;
  const TimingReport few = f.time({{"chain", chain(5, kMaxGateFanout - 1)}}, "chain"),
                     many = f.time({{"chain", chain(5, 300)}}, "chain");
  CHECK(few.buffers == 0);
  CHECK_FALSE(few.slack_ns);
  // 301 pins: 19 buffers, more than a gate drives, and two that drive these.
  CHECK(many.buffers == 19 + 2);
  CHECK(many.buffers_um2 == Approx(21 * f.library.library.cell(many.buffer_cell)->area_um2));
  CHECK(many.period_ns > few.period_ns);
  CHECK(many.period_ns < few.period_ns + 2);
  // Known bad: without trees the same net is far slower.
  const LibertyLibrary tables = read_liberty(kDefaultLiberty);
  const TimingNetlist bare =
      timing_netlist({{"chain", chain(5, 300)}}, "chain", tables, nullptr, kMaxFanout);
  CHECK(bare.buffers == 0);
  CHECK(GateSimulation(chain(5, 300), tables, "clk_i").critical_path_ns() > many.period_ns + 3);
}

TEST_CASE("the pins inside children count where a net gets its tree", "[timing]") {
  const Fixture f;
  // The input of a child has as many pins as a gate drives; so it has no buffer of its own.
  Netlist inner = chain(1);
  inner.top = "inner";
  for (std::size_t pin = 1; pin < kMaxGateFanout; ++pin) {
    inner.instances.push_back(
        {"load", "DFFPOSX1", {{"CLK", {0}}, {"D", {1}}, {"Q", {inner.nets++}}}, {}});
    inner.net_names.push_back("$");
  }
  Netlist outer;
  outer.top = "outer";
  outer.nets = 5;
  outer.net_names = {"clk_i", "d_i", "inside", "q_o", "r_o"};
  outer.ports = {
      {"clk_i", true, {0}}, {"d_i", true, {1}}, {"q_o", false, {3}}, {"r_o", false, {4}}};
  outer.instances = {{"g", "INVX1", {{"A", {1}}, {"Y", {2}}}, {}},
                     {"u_a", inner.top, {{"clk_i", {0}}, {"d_i", {2}}, {"q_o", {3}}}, {}}};
  const TimingReport one = f.time({{"outer", outer}, {inner.top, inner}}, "outer");
  CHECK(one.buffers == 0);
  outer.instances.push_back({"u_b", inner.top, {{"clk_i", {0}}, {"d_i", {2}}, {"q_o", {4}}}, {}});
  const TimingReport two = f.time({{"outer", outer}, {inner.top, inner}}, "outer");
  CHECK(two.buffers == 1);
}

TEST_CASE("paths cross modules and are told by the module they end in", "[timing]") {
  const Fixture f;
  Netlist inner = chain(4);
  inner.top = "$paramod\\sf_inner\\Width=s32'00000000000000000000000000000111";
  Netlist outer;
  outer.top = "outer";
  outer.nets = 6;
  outer.net_names = {"clk_i", "d_i", "middle", "end", "q_o", "other"};
  outer.ports = {{"clk_i", true, {0}}, {"d_i", true, {1}}, {"q_o", false, {4}}};
  outer.instances = {{"u_a[0]", inner.top, {{"clk_i", {0}}, {"d_i", {1}}, {"q_o", {2}}}, {}},
                     {"g", "INVX1", {{"A", {2}}, {"Y", {3}}}, {}},
                     {"u_b", inner.top, {{"clk_i", {0}}, {"d_i", {3}}, {"q_o", {4}}}, {}},
                     {"u_memory", "sf_ram", {{"clk_i", {0}}, {"read_data_o", {5}}}, {}}};
  const TimingReport t = f.time({{"outer", outer}, {inner.top, inner}}, "outer");
  REQUIRE(t.modules.size() == 2);
  CHECK(t.modules[0].module == "sf_inner Width=7");
  CHECK(t.modules[0].start_module == "sf_inner Width=7");
  CHECK(t.modules[1].module == "outer");  // its output port
  CHECK(t.modules[0].delay_ns > t.modules[1].delay_ns);
  CHECK(t.critical.delay_ns == t.modules[0].delay_ns);
  CHECK(t.endpoints == 5);
}

TEST_CASE("a unit without clock has its paths timed between ports", "[timing]") {
  const Fixture f;
  Netlist n;
  n.top = "gate";
  n.nets = 2;
  n.net_names = {"a", "y"};
  n.ports = {{"a", true, {0}}, {"y", false, {1}}};
  n.instances = {{"g", "INVX1", {{"A", {0}}, {"Y", {1}}}, {}}};
  const TimingReport t = f.time({{"gate", n}}, "gate");
  CHECK(t.endpoints == 1);
  CHECK(t.critical.start == "a");
  CHECK(t.critical.end == "y");
  CHECK(t.period_ns > 0);
  CHECK(t.period_ns < 0.2);
}

TEST_CASE("OpenSTA reads every library as it was prepared", "[timing]") {
  const Scratch scratch;
  for (const char* name : {"", "sky130hd_tt.lib", "sg13g2_stdcell_typ_1p20V_25C.lib",
                           "asap7_rvt_tt_nldm_merged.lib"}) {
    const std::string path = *name == '\0' ? kDefaultLiberty : shared_liberty(name);
    if (path.empty()) {
      WARN("SKIPPED: " << name << " is not in shared/liberty");
      continue;
    }
    INFO(path);
    const UnitDesign design = {"popcount", "sf_popcount", {{"Width", 16}}, popcount_sources()};
    const MappedUnit unit = map_unit(design, path, scratch.path("cache"));
    const LibertyLibrary tables = read_liberty(path);
    const TimingReport t =
        time_design({{unit.netlist.top, unit.netlist}}, unit.netlist.top,
                    prepare_library(path, scratch.path("cache")), {}, scratch.path("cache"));
    CHECK(t.endpoints == 5);
    const double own = GateSimulation(unit.netlist, tables, "").critical_path_ns();
    CHECK(t.period_ns == Approx(own).epsilon(0.10));
  }
}

}  // namespace
}  // namespace solfege
