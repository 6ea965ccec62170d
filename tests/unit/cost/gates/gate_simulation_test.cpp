// SPDX-License-Identifier: Apache-2.0
#include "cost/gates/gate_simulation.hpp"

#include <catch2/catch.hpp>

#include "cost/eda/liberty_reader.hpp"
#include "model/base/error.hpp"
#include "tests/support/gate_icarus.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

// 2 V: an event on 1 fF of pins is 2 fJ.
const std::string kHand = R"lib(
library (hand) {
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW";
  capacitive_load_unit (1, pf); nom_voltage : 2;
  lu_table_template (by_both) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0.1, 0.3"); index_2 ("0, 0.01"); }
  cell (INV) { area : 1; cell_leakage_power : 0.5;
    pin (A) { direction : input; capacitance : 0.003; }
    pin (Y) { direction : output; function : "!A";
      timing () { related_pin : A; timing_sense : negative_unate;
        cell_rise (by_both) { values ("0.2, 0.3", "0.4, 0.5"); }
        cell_fall (by_both) { values ("0.15, 0.25", "0.35, 0.45"); }
        rise_transition (by_both) { values ("0.1, 0.1", "0.1, 0.1"); }
        fall_transition (by_both) { values ("0.1, 0.1", "0.1, 0.1"); } }
      internal_power () { related_pin : A;
        rise_power (by_both) { values ("0.010, 0.020", "0.030, 0.040"); }
        fall_power (by_both) { values ("-0.005, -0.005", "-0.005, -0.005"); } } } }
  cell (AND2) { area : 1; cell_leakage_power : 0.25;
    pin (A) { direction : input; capacitance : 0.004;
      internal_power () { when : "!B"; rise_power (scalar) { values (0.01); }
        fall_power (scalar) { values (0.02); } } }
    pin (B) { direction : input; capacitance : 0.002; }
    pin (Y) { direction : output; function : "A B";
      timing () { related_pin : "A B"; timing_sense : positive_unate;
        cell_rise (scalar) { values (@); } cell_fall (scalar) { values (@); }
        rise_transition (scalar) { values (0.1); } fall_transition (scalar) { values (0.1); } }
      internal_power () { related_pin : A; when : B;
        rise_power (scalar) { values (0.1); } fall_power (scalar) { values (0.2); } }
      internal_power () { related_pin : B;
        rise_power (scalar) { values (0.3); } fall_power (scalar) { values (0.4); } } } }
  cell (OR2) { area : 1;
    pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "A + B"; } }
  cell (ONE) { area : 1; pin (Y) { direction : output; function : "1"; } }
  cell (LATCH) { area : 1; latch (IQ, IQN) { enable : G; data_in : D; }
    pin (G) { direction : input; } pin (D) { direction : input; }
    pin (Q) { direction : output; function : IQ; } }
  cell (BARE) { area : 1; pin (A) { direction : input; } pin (Y) { direction : output; } }
  cell (DFF) { area : 4; cell_leakage_power : 2;
    ff (IQ, IQN) { clocked_on : CK; next_state : D; }
    pin (CK) { direction : input; clock : true; capacitance : 0.005;
      internal_power () { when : "!(D ^ Q)"; rise_power (scalar) { values (0.1); }
        fall_power (scalar) { values (0.2); } }
      internal_power () { when : "D ^ Q"; rise_power (scalar) { values (0); }
        fall_power (scalar) { values (0.35); } } }
    pin (D) { direction : input; capacitance : 0.001;
      timing () { related_pin : CK; timing_type : setup_rising;
        rise_constraint (scalar) { values (0.07); } fall_constraint (scalar) { values (0.06); } }
      internal_power () { rise_power (scalar) { values (0.01); }
        fall_power (scalar) { values (0.02); } } }
    pin (Q) { direction : output; function : IQ;
      timing () { related_pin : CK; timing_type : rising_edge; timing_sense : non_unate;
        cell_rise (scalar) { values (0.5); } cell_fall (scalar) { values (0.4); }
        rise_transition (scalar) { values (0.1); } fall_transition (scalar) { values (0.1); } }
      internal_power () { related_pin : CK; rise_power (scalar) { values (1); }
        fall_power (scalar) { values (2); } } } }
  cell (DFFN) { area : 4;
    ff (IQ, IQN) { clocked_on : CK; next_state : "!D"; clear : "!R"; }
    pin (CK) { direction : input; } pin (D) { direction : input; } pin (R) { direction : input; }
    pin (Q) { direction : output; function : IQ; } pin (QN) { direction : output; function : IQN; } }
  cell (DFALL) { area : 4; ff (IQ, IQN) { clocked_on : "!CK"; next_state : D; }
    pin (CK) { direction : input; } pin (D) { direction : input; }
    pin (Q) { direction : output; function : IQ; } }
})lib";

LibertyLibrary hand(const std::string& and_delay = "0.05") {
  const Scratch scratch;
  std::string text = kHand;
  for (auto at = text.find('@'); at != std::string::npos; at = text.find('@'))
    text.replace(at, 1, and_delay);
  return read_liberty(scratch.write("hand.lib", text));
}

/// A netlist in a line: nets by name, ports and instances in order.
class Drawing {
 public:
  Drawing& port(const std::string& name, bool input, int width = 1) {
    Netlist::Port port{name, input, {}};
    for (int i = 0; i < width; ++i)
      port.nets.push_back(net(width == 1 ? name : name + std::to_string(i)));
    netlist_.ports.push_back(port);
    return *this;
  }
  Drawing& cell(const std::string& type, const std::map<std::string, std::string>& pins) {
    Netlist::Instance instance{"u" + std::to_string(netlist_.instances.size()), type, {}, {}};
    for (const auto& [pin, name] : pins) instance.pins[pin] = {net(name)};
    netlist_.instances.push_back(instance);
    return *this;
  }
  int net(const std::string& name) {
    if (name == "0") return Netlist::kZero;
    if (name == "1") return Netlist::kOne;
    for (std::size_t i = 0; i < netlist_.net_names.size(); ++i)
      if (netlist_.net_names[i] == name) return static_cast<int>(i);
    netlist_.net_names.push_back(name);
    return netlist_.nets++;
  }
  Netlist& netlist() {
    netlist_.top = "drawing";
    return netlist_;
  }

 private:
  Netlist netlist_;
};

Vectors sequence(const std::vector<std::string>& names,
                 const std::vector<std::vector<std::uint64_t>>& cycles, int width = 1) {
  std::vector<Vectors::Port> ports;
  for (const std::string& name : names) ports.push_back({name, width});
  Vectors vectors(ports);
  for (const auto& cycle : cycles) {
    vectors.step();
    for (std::size_t i = 0; i < cycle.size(); ++i) vectors.set(i, cycle[i]);
  }
  return vectors;
}

/// Energies by cycle: what each adds to that of the cycles before.
void check_cycles(GateSimulation& simulation, const Vectors& inputs, DelayModel delays,
                  const std::vector<double>& expected, std::size_t warm_up = 0) {
  REQUIRE(inputs.cycles() == warm_up + expected.size());
  Vectors so_far(inputs.ports());
  double before = 0;
  for (std::size_t cycle = 0; cycle < inputs.cycles(); ++cycle) {
    so_far.step();
    for (std::size_t port = 0; port < inputs.ports().size(); ++port)
      so_far.set(port, inputs.get(cycle, port));
    if (cycle < warm_up) continue;
    INFO("cycle " << cycle);
    const double pj = simulation.run(so_far, delays, warm_up).energy.dynamic_pj();
    CHECK(pj - before == Approx(expected[cycle - warm_up]).margin(1e-7));
    before = pj;
  }
}

/// y = a & !a: always 0 when settled, with a pulse when `a` rises.
Drawing hazard() {
  return Drawing()
      .port("a", true)
      .port("y", false)
      .cell("INV", {{"A", "a"}, {"Y", "n"}})
      .cell("AND2", {{"A", "a"}, {"B", "n"}, {"Y", "y"}});
}

TEST_CASE("two cells' energy is what it is by hand", "[gates]") {
  Drawing drawing = hazard();
  const Vectors inputs = sequence({"a"}, {{0}, {1}, {0}});
  const LibertyLibrary library = hand();
  GateSimulation simulation(drawing.netlist(), library, "");
  // Net a has 7 fF: .014 pJ an event; n has 2 fF: .004.
  const GateRun zero = simulation.run(inputs, DelayModel::kZero);
  // a rises: n falls, -.005; AND2's A rises while B is 0, .01.
  // a falls: n rises, .010 + .010 * 2 / 10; A falls while B is 1, for which there is no table.
  check_cycles(simulation, inputs, DelayModel::kZero,
               {0, 0.014 - 0.005 + 0.004 + 0.01, 0.014 + 0.012 + 0.004});
  CHECK(zero.cycles == 3);
  CHECK(zero.total_toggles == 2);
  CHECK(zero.toggles[static_cast<std::size_t>(drawing.net("a"))] == 2);
  CHECK(zero.toggles[static_cast<std::size_t>(drawing.net("y"))] == 0);
  CHECK(zero.energy.leakage_nw == Approx(0.75));
  CHECK(zero.energy.flip_flop_pj == 0);
  CHECK(zero.energy.clock_pj == 0);

  // Timed: y rises after .05, by A with B still 1: .1. n falls at .15 + .1 * 2 / 10 = .17, y
  // .05 later by B: .4. As a falls, B is 0: .02.
  const GateRun timed = simulation.run(inputs, DelayModel::kTimed);
  check_cycles(simulation, inputs, DelayModel::kTimed,
               {0, 0.014 + 0.1 - 0.005 + 0.004 + 0.4, 0.014 + 0.02 + 0.012 + 0.004});
  CHECK(timed.toggles[static_cast<std::size_t>(drawing.net("y"))] == 2);
  // a -> n rising .2 + .1 * 2 / 10, n -> y .05.
  CHECK(simulation.critical_path_ns() == Approx(0.27));

  // An AND2 slower than the pulse is long swallows it.
  const LibertyLibrary slow = hand("0.18");
  GateSimulation swallows(drawing.netlist(), slow, "");
  const GateRun swallowed = swallows.run(inputs, DelayModel::kTimed);
  check_cycles(swallows, inputs, DelayModel::kTimed,
               {0, 0.014 - 0.005 + 0.004, 0.014 + 0.02 + 0.012 + 0.004});
  CHECK(swallowed.toggles[static_cast<std::size_t>(drawing.net("y"))] == 0);
  const LibertyLibrary just = hand("0.165");
  CHECK(GateSimulation(drawing.netlist(), just, "").run(inputs, DelayModel::kTimed).total_toggles ==
        4);
}

TEST_CASE("inputs that change at once share an event, and warm-up is not counted", "[gates]") {
  Drawing drawing;
  drawing.port("a", true).port("b", true).port("y", false);
  drawing.cell("AND2", {{"A", "a"}, {"B", "b"}, {"Y", "y"}});
  const LibertyLibrary library = hand();
  GateSimulation simulation(drawing.netlist(), library, "");
  const Vectors inputs = sequence({"a", "b"}, {{0, 0}, {1, 1}, {0, 1}, {0, 0}});
  const GateRun run = simulation.run(inputs, DelayModel::kZero, 1);
  // Both rise: the mean of .1 and .3. A falls under B: .2.
  check_cycles(simulation, inputs, DelayModel::kZero, {0.008 + 0.004 + 0.2, 0.008 + 0.2, 0.004}, 1);
  CHECK(run.cycles == 3);
  CHECK(run.outputs.cycles() == 3);
  CHECK(run.outputs.get(0, run.outputs.port("y")) == 1);
  CHECK(run.outputs.get(1, 0) == 0);
  // A second run starts anew.
  check_cycles(simulation, inputs, DelayModel::kZero, {0, 0.212, 0.208, 0.004});
}

TEST_CASE("a flip-flop's clock, data and output are paid apart", "[gates]") {
  Drawing drawing;
  drawing.port("clk", true).port("d", true).port("y", false);
  drawing.cell("DFF", {{"CK", "clk"}, {"D", "d"}, {"Q", "q"}});
  drawing.cell("INV", {{"A", "q"}, {"Y", "y"}});
  const LibertyLibrary library = hand();
  GateSimulation simulation(drawing.netlist(), library, "clk");
  const Vectors inputs = sequence({"d"}, {{0}, {1}, {1}, {0}});
  for (const DelayModel delays : {DelayModel::kZero, DelayModel::kTimed}) {
    const GateRun run = simulation.run(inputs, delays);
    // Clock: two edges on 5 fF, and by `when` .3 with D = Q, else .35.
    // d: 1 fF. q: 3 fF and 1 pJ inside; y falls, -.005.
    check_cycles(simulation, inputs, delays,
                 {0.32, 0.002 + 0.01 + 0.37, 1 + 0.006 - 0.005 + 0.32, 0.002 + 0.02 + 0.37});
    CHECK(run.energy.clock_pj == Approx(2 * 0.32 + 2 * 0.37));
    CHECK(run.energy.flip_flop_pj == Approx(0.01 + 1.006 + 0.02));
    CHECK(run.energy.combinational_pj == Approx(0.002 - 0.005 + 0.002));
    for (const auto& [cycle, y] : {std::pair{0, 1}, {1, 1}, {2, 0}, {3, 0}})
      CHECK(run.outputs.get(static_cast<std::size_t>(cycle), 0) == static_cast<unsigned>(y));
  }
  // clk -> q rising .5, then y falling .15.
  CHECK(simulation.critical_path_ns() == Approx(0.65));
}

TEST_CASE("shift registers, inverted states, constants, clears and unconnected outputs",
          "[gates]") {
  Drawing drawing;
  drawing.port("clk", true).port("d", true).port("r", true).port("q", false).port("n", false);
  drawing.cell("DFFN", {{"CK", "clk"}, {"D", "d"}, {"R", "1"}, {"QN", "s"}, {"Q", "unread"}});
  drawing.cell("DFF", {{"CK", "clk"}, {"D", "s"}, {"Q", "q"}});
  drawing.cell("DFFN", {{"CK", "clk"}, {"D", "0"}, {"R", "c"}, {"Q", "n"}});
  drawing.cell("AND2", {{"A", "r"}, {"B", "1"}, {"Y", "c"}});
  drawing.cell("ONE", {{"Y", "one"}});
  drawing.cell("AND2", {{"A", "one"}, {"B", "0"}});
  const LibertyLibrary library = hand();
  GateSimulation simulation(drawing.netlist(), library, "clk");
  const Vectors inputs = sequence({"d", "r"}, {{1, 1}, {0, 1}, {0, 1}, {1, 0}, {0, 1}, {0, 1}});
  for (const DelayModel delays : {DelayModel::kZero, DelayModel::kTimed}) {
    const GateRun run = simulation.run(inputs, delays);
    std::vector<std::uint64_t> q, n;
    for (std::size_t i = 0; i < run.cycles; ++i) {
      q.push_back(run.outputs.get(i, run.outputs.port("q")));
      n.push_back(run.outputs.get(i, run.outputs.port("n")));
    }
    CHECK(q == std::vector<std::uint64_t>{0, 0, 1, 0, 0, 1});
    // It is clocked to 1, and cleared at once in cycle 3, to be 1 again two cycles later.
    CHECK(n == std::vector<std::uint64_t>{0, 1, 1, 0, 0, 1});
  }
}

TEST_CASE("sf_ram reads before it writes, holds, and is counted", "[gates]") {
  Drawing drawing;
  drawing.port("clk_i", true).port("write", true, 4).port("read", true, 4).port("data", true, 4);
  drawing.port("q", false, 4);
  Netlist& netlist = drawing.netlist();
  auto nets = [&](const std::string& port, std::size_t first, std::size_t count) {
    const auto& all = netlist.port(port).nets;
    return std::vector<int>(all.begin() + static_cast<std::ptrdiff_t>(first),
                            all.begin() + static_cast<std::ptrdiff_t>(first + count));
  };
  netlist.instances.push_back({"m",
                               "sf_ram",
                               {{"clk_i", nets("clk_i", 0, 1)},
                                {"write_enable_i", nets("write", 3, 1)},
                                {"write_address_i", nets("write", 0, 3)},
                                {"write_data_i", nets("data", 0, 4)},
                                {"read_enable_i", nets("read", 3, 1)},
                                {"read_address_i", nets("read", 0, 3)},
                                {"read_data_o", nets("q", 0, 4)}},
                               {{"Width", "00000000000000000000000000000100"}, {"Depth", "6"}}});
  const LibertyLibrary library = hand();
  GateSimulation simulation(netlist, library, "clk_i");
  const std::uint64_t enable = 8;
  const Vectors inputs = sequence({"write", "read", "data"},
                                  {{enable | 1, enable | 1, 5},  // reads what was there before: 0
                                   {0, enable | 1, 9},
                                   {enable | 2, 0, 7},           // holds 5
                                   {enable | 7, enable | 7, 3},  // beyond its depth: 0
                                   {0, enable | 2, 0},
                                   {0, 0, 0}},
                                  4);
  for (const DelayModel delays : {DelayModel::kZero, DelayModel::kTimed}) {
    const GateRun run = simulation.run(inputs, delays);
    std::vector<std::uint64_t> q;
    for (std::size_t i = 0; i < run.cycles; ++i) q.push_back(run.outputs.get(i, 0));
    CHECK(q == std::vector<std::uint64_t>{0, 0, 5, 5, 0, 7});
    CHECK(run.memory_reads == 4);
    CHECK(run.memory_writes == 3);
  }
  auto refuse = [&](const std::string& pin, const std::vector<int>& pin_nets,
                    const std::vector<std::string>& parts) {
    Netlist broken = netlist;
    broken.instances.back().pins[pin] = pin_nets;
    require_error<std::runtime_error>([&] { GateSimulation(broken, library, "clk_i"); }, parts);
  };
  refuse("clk_i", nets("read", 0, 1), {"pin clk_i of instance m (sf_ram)", "the clock itself"});
  refuse("write_enable_i", nets("clk_i", 0, 1), {"pin write_enable_i", "driven by the clock"});
  refuse("read_address_i", nets("read", 0, 2), {"pin read_address_i", "2 bits instead of 3"});
  refuse("read_data_o", nets("data", 0, 4), {"net data0 is driven twice", "pin read_data_o"});
  netlist.instances.back().parameters.erase("Depth");
  require_error<InputError>([&] { GateSimulation(netlist, library, "clk_i"); },
                            {"cell m (sf_ram)", "Depth"});
}

TEST_CASE("flip-flops and memories behind clock gates see the edges that these let through",
          "[gates]") {
  Drawing drawing;
  drawing.port("clk", true).port("d", true).port("outer", true).port("inner", true);
  drawing.port("q", false).port("p", false);
  drawing.cell("sf_clock_gate", {{"clk_i", "half"}, {"enable_i", "inner"}, {"clk_o", "rare"}});
  drawing.cell("sf_clock_gate", {{"clk_i", "clk"}, {"enable_i", "outer"}, {"clk_o", "half"}});
  drawing.cell("DFF", {{"CK", "half"}, {"D", "d"}, {"Q", "q"}});
  drawing.cell("DFF", {{"CK", "rare"}, {"D", "d"}, {"Q", "p"}});
  const LibertyLibrary library = hand();
  GateSimulation simulation(drawing.netlist(), library, "clk");
  // d is always unlike what the flip-flops hold, or they would not show whether they are clocked.
  const Vectors inputs = sequence(
      {"d", "outer", "inner"}, {{1, 0, 0}, {1, 0, 1}, {1, 1, 0}, {0, 1, 0}, {1, 1, 1}, {0, 0, 0}});
  const double pin = simulation.flip_flop_clock_pj();
  CHECK(pin == Approx(0.32));
  for (const DelayModel delays : {DelayModel::kZero, DelayModel::kTimed}) {
    const GateRun run = simulation.run(inputs, delays);
    std::vector<std::uint64_t> q, p;
    for (std::size_t i = 0; i < run.cycles; ++i) {
      q.push_back(run.outputs.get(i, run.outputs.port("q")));
      p.push_back(run.outputs.get(i, run.outputs.port("p")));
    }
    CHECK(q == std::vector<std::uint64_t>{0, 0, 0, 1, 0, 1});
    CHECK(p == std::vector<std::uint64_t>{0, 0, 0, 0, 0, 1});
    // The outer gate pays in six cycles, the inner in the three in which the outer is open; the
    // flip-flops are clocked four times with D unlike Q.
    CHECK(run.energy.clock_pj == Approx((6 + 3) * 2 * pin + 4 * 0.37));
  }
  const auto refuse = [&](const std::string& from, const std::string& enable,
                          const std::vector<std::string>& parts) {
    Drawing broken;
    broken.port("clk", true).port("a", true).port("y", false);
    broken.cell("sf_clock_gate", {{"clk_i", from}, {"enable_i", enable}, {"clk_o", "gated"}});
    broken.cell("INV", {{"A", parts.empty() ? "gated" : "a"}, {"Y", "y"}});
    require_error<std::runtime_error>(
        [&] { GateSimulation(broken.netlist(), library, "clk"); },
        parts.empty() ? std::vector<std::string>{"u1", "driven by the clock"} : parts);
  };
  refuse("a", "a", {"pin clk_i of instance u0", "the clock itself"});
  refuse("clk", "clk", {"pin enable_i of instance u0", "driven by the clock"});
  refuse("clk", "a", {});  // what it lets through is read as data
}

TEST_CASE("netlists that cannot be simulated are refused by name", "[gates]") {
  const LibertyLibrary library = hand();
  auto refuse = [&](Drawing drawing, const std::string& clock,
                    const std::vector<std::string>& parts) {
    require_error<std::runtime_error>([&] { GateSimulation(drawing.netlist(), library, clock); },
                                      parts);
  };
  auto ports = [] { return Drawing().port("clk", true).port("a", true).port("y", false); };
  refuse(ports().cell("NOR9", {{"Y", "y"}}), "", {"u0", "NOR9", "hand"});
  refuse(ports().cell("LATCH", {{"D", "a"}, {"Q", "y"}}), "", {"LATCH", "latch"});
  refuse(ports().cell("BARE", {{"A", "a"}, {"Y", "y"}}), "", {"BARE", "no function"});
  refuse(ports().cell("DFALL", {{"D", "a"}, {"CK", "clk"}, {"Q", "y"}}), "clk",
         {"DFALL", "rising edge"});
  refuse(ports().cell("DFF", {{"D", "a"}, {"CK", "a"}, {"Q", "y"}}), "clk", {"u0", "clock"});
  refuse(ports().cell("DFF", {{"D", "a"}, {"CK", "clk"}, {"Q", "y"}}), "", {"u0", "clock"});
  refuse(ports().cell("INV", {{"A", "clk"}, {"Y", "y"}}), "clk", {"u0", "driven by the clock"});
  refuse(ports()
             .cell("OR2", {{"A", "a"}, {"B", "y"}, {"Y", "n"}})
             .cell("AND2", {{"A", "n"}, {"B", "a"}, {"Y", "y"}}),
         "", {"combinational loop"});
  refuse(ports().cell("INV", {{"A", "a"}, {"Y", "y"}}).cell("INV", {{"A", "a"}, {"Y", "y"}}), "",
         {"net y", "driven twice"});
  refuse(ports().cell("INV", {{"A", "clk"}, {"Y", "a"}}), "", {"net a", "driven twice"});
  refuse(ports().cell("INV", {{"A", "a"}, {"Z", "y"}}), "", {"pin Z of instance u0 (INV)"});
  refuse(ports(), "clock", {"drawing", "no port clock"});
  refuse(ports(), "y", {"clock y is not an input"});
  // A word of one bit, which the simulation of the device takes
  Drawing words = ports().port("address", true);
  words.netlist().instances.push_back({"words",
                                       "sf_register_file",
                                       {{"clk_i", {words.net("clk")}},
                                        {"write_enable_i", {words.net("a")}},
                                        {"address_i", {words.net("address")}},
                                        {"write_data_i", {words.net("a")}},
                                        {"read_data_o", {words.net("y")}}},
                                       {{"Width", "1"}, {"Depth", "2"}}});
  refuse(words, "clk", {"memory words", "read without a clock"});

  Drawing good = ports().cell("INV", {{"A", "a"}, {"Y", "y"}});
  GateSimulation simulation(good.netlist(), library, "clk");
  CHECK_THROWS_AS(simulation.run(sequence({"b"}, {{0}}), DelayModel::kZero), std::out_of_range);
  CHECK_THROWS_AS(simulation.run(sequence({"y"}, {{0}}), DelayModel::kZero), std::invalid_argument);
  CHECK_THROWS_AS(simulation.run(sequence({"clk"}, {{0}}), DelayModel::kZero),
                  std::invalid_argument);
  CHECK_THROWS_AS(simulation.run(sequence({"a"}, {{0}}, 2), DelayModel::kZero),
                  std::invalid_argument);
  CHECK(simulation.run(Vectors({{"a", 1}}), DelayModel::kTimed).cycles == 0);
}

TEST_CASE("vectors hold wide ports, and Icarus reads them", "[gates]") {
  Vectors vectors({{"a", 3}, {"b", 70}, {"c", 1}});
  vectors.step();
  vectors.set(0, 0xfe);  // more than it has bits
  vectors.set(1, 0x123456789abcdef0);
  vectors.set(1, 0xff, 1);
  vectors.step();
  vectors.set(vectors.port("c"), 1);
  CHECK(vectors.get(0, 0) == 6);
  CHECK(vectors.get(1, 1, 1) == 0x3f);
  CHECK(vectors.get(0, 2) == 0);
  CHECK_THROWS_AS(vectors.port("d"), std::out_of_range);
  CHECK_THROWS_AS(vectors.get(2, 0), std::out_of_range);
  CHECK_THROWS_AS(vectors.set(0, 0, 1), std::out_of_range);
  // 110 11_1111 0001...: 74 bits in 19 digits.
  CHECK(hexadecimal_lines(vectors) == "37e2468acf13579bde0\n37e2468acf13579bde1\n");
}

TEST_CASE("netlists come from Yosys' JSON", "[gates]") {
  const Scratch scratch;
  const std::string json = R"({"modules": {"t": {
    "ports": {"a": {"direction": "input", "bits": [7, 9]},
              "y": {"direction": "output", "bits": [7, "1", 12, "x"]}},
    "cells": {"g": {"type": "INV", "parameters": {"W": "0101", "N": 5},
                    "connections": {"A": [9], "Y": [12], "Z": []}}},
    "netnames": {"a": {"bits": [7, 9]}, "_1_": {"hide_name": 1, "bits": [12]},
                 "n": {"hide_name": 0, "bits": [12], "offset": 3},
                 "u": {"hide_name": 0, "bits": [20, 21], "upto": 1}}}}})";
  const Netlist n = read_netlist(scratch.write("n.json", json), "t");
  CHECK(n.nets == 3);  // without u, which nothing is connected to
  REQUIRE(n.port("a").nets.size() == 2);
  CHECK(n.port("a").is_input);
  CHECK(n.port("y").nets[0] == n.port("a").nets[0]);
  CHECK(n.port("y").nets[1] == Netlist::kOne);
  CHECK(n.port("y").nets[3] == Netlist::kZero);
  auto name = [&](int net) { return n.net_names[static_cast<std::size_t>(net)]; };
  CHECK(name(n.port("a").nets[1]) == "a[1]");
  CHECK(name(n.port("y").nets[2]) == "n[3]");
  REQUIRE(n.instances.size() == 1);
  CHECK(n.instances[0].pins.at("Y")[0] == n.port("y").nets[2]);
  CHECK(n.instances[0].pins.at("Z").empty());
  CHECK(n.instances[0].parameters.at("W") == "0101");
  CHECK(n.instances[0].parameters.at("N") == "5");
  CHECK_THROWS_AS(n.port("z"), std::out_of_range);
  require_error<InputError>([&] { read_netlist(scratch.path("n.json"), "u"); },
                            {"no module u", "t"});
  require_error<InputError>([&] { read_netlist(scratch.path("m.json"), "u"); }, {"cannot be read"});
  require_error<InputError>([&] { read_netlist(scratch.write("b.json", "{"), "t"); },
                            {"write_json"});
  require_error<InputError>(
      [&] {
        read_netlist(scratch.write("i.json", R"({"modules": {"t": {"ports": {"a":
          {"direction": "inout", "bits": [1]}}}}})"),
                     "t");
      },
      {"inout"});
}

}  // namespace
}  // namespace solfege
