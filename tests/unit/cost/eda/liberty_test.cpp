// SPDX-License-Identifier: Apache-2.0
#include <zlib.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>

#include "cost/eda/boolean_function.hpp"
#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/prepared_library.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/shared_liberty.hpp"

namespace solfege {
namespace {

// In units that all differ from ours, with the load as the first axis of one table and the second
// of another, one forgotten semicolon, and comments where they hurt.
const std::string kTiny = R"lib(
/* a comment */
library (tiny) {
  time_unit : "10ps"; voltage_unit : "100mV"; leakage_power_unit : 1pW;
  capacitive_load_unit (10, "ff");
  nom_voltage : 7;  // wrong corner
  default_max_transition : 50;
  operating_conditions (slow) { voltage : 18; temperature : 125; }
  operating_conditions (typ) { voltage : 20; temperature : 25; }
  default_operating_conditions : typ;
  power_lut_template (energy_late) { variable_1 : input_transition_time;
    index_1 ("1, 2"); }
  lu_table_template (load_first) {
    variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;
    index_1 ("1, 3"); index_2 ("10, 20, 40"); }
  lu_table_template (check) { variable_1 : related_pin_transition;
    variable_2 : constrained_pin_transition; index_1 ("1, 2"); index_2 ("3, 4, 5"); }
  type (word) { base_type : array; data_type : bit; bit_width : 12; bit_from : 11; bit_to : 0; }
  cell (NAND) {
    area : 2.5; dont_use : true;
    leakage_power () { when : "A & !B"; value : 4000; }
    leakage_power () { when : "!A"; value : 2000; }
    pin ("A", B) { direction : input; capacitance : 0.5; }
    pin (Y) { direction : output; function : "(A B)'";
      timing () { related_pin : "A B"; timing_sense : negative_unate
        when : "B"
        cell_rise (load_first) { values ("1, 2, 3", \
                                         "4, 5, 6"); }
        cell_fall (scalar) { values ("7"); }
        rise_transition (load_first) { index_1 ("2, 4"); values ("1,1,1", "3,3,3"); }
      }
      internal_power () { related_pin : A; power (energy_late) { values ("1, 3"); } }
    }
  }
  cell (FLOP) {
    area : 9; cell_leakage_power : 1;
    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; clear : "!R"; }
    pin (CK) { direction : input; clock : true; capacitance : 1; }
    pin (D) { direction : input; rise_capacitance : 9; capacitance : 1;
      timing () { related_pin : CK; timing_type : setup_rising;
        rise_constraint (check) { values ("1, 2, 3", "4, 5, 6"); } }
      timing () { related_pin : CK; timing_type : hold_rising;
        rise_constraint (check) { values ("1, 2, 3", "4, 5, 6"); } } }
    pin (R) { direction : input; capacitance : 1; }
    pin (Q) { direction : output; function : IQ; }
  }
  cell (LATCH) { area : 1; latch (a, b) { enable : E; } pin (Q) { direction : output; } }
  cell (GATED) { area : 1; statetable ("a", "b") { table : "L : - : L"; } }
  cell (THREE) { area : 1; pin (A) { direction : input; } pin (E) { direction : input; }
    pin (Y) { direction : output; function : A; three_state : "!E"; } }
  cell (BARE) { area : 1; pin (A) { direction : input; } pin (Y) { direction : output; } }
  cell (RAM) { area : 1000; memory () { type : ram; address_width : 3; }
    bus (ADDR) { bus_type : word; direction : input;
      pin (ADDR[0]) { capacitance : 1; } pin (ADDR[1]) { capacitance : 2; }
      pin (ADDR[11:0]) { internal_power () { when : "EN"; rise_power (scalar) { values (5); }
        fall_power (scalar) { values (6); } } } }
  }
})lib";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("Liberty's units, axes and groups come out as ours", "[liberty]") {
  const Scratch scratch;
  const LibertyLibrary l = read_liberty(scratch.write("tiny.lib", kTiny));
  CHECK(l.name == "tiny");
  CHECK(l.corner == "typ");
  CHECK(l.voltage_v == Approx(2.0));
  CHECK(l.temperature_c == 25);
  CHECK(l.default_max_slew_ns == Approx(0.5));
  REQUIRE(l.cells.size() == 7);
  CHECK(l.cell("nothing") == nullptr);

  const LibertyCell& nand = *l.cell("NAND");
  CHECK(nand.area_um2 == 2.5);
  CHECK(nand.dont_use);
  CHECK(nand.leakage_nw == Approx(3.0));  // the mean of 4000 and 2000 pW
  REQUIRE(nand.pins.size() == 3);
  CHECK(nand.pin("B")->capacitance_pf == Approx(0.005));
  const LibertyPin& y = *nand.pin("Y");
  CHECK(y.function == "(A B)'");
  REQUIRE(y.timing.size() == 2);
  CHECK(y.timing[1].related_pin == "B");
  CHECK(y.timing[1].sense == "negative_unate");
  CHECK(y.timing[1].when == "B");
  // Rows are slews: 0.1, 0.2, 0.4 ns; columns are loads: 0.01, 0.03 pF.
  const LibertyTable& rise = y.timing[0].rise_delay_ns;
  CHECK(rise.slews_ns.size() == 3);
  CHECK(rise.loads_pf.size() == 2);
  CHECK(rise.at(0.1, 0.01) == Approx(0.01));
  CHECK(rise.at(0.2, 0.03) == Approx(0.05));
  CHECK(rise.at(0.3, 0.02) == Approx(0.04));   // the middle of 2, 3, 5, 6
  CHECK(rise.at(0.5, 0.05) == Approx(0.095));  // beyond both ends: 3 + .5 + 2 * 3, in 10 ps
  CHECK(rise.at(0.0, 0.01) == Approx(0.0).margin(1e-12));
  CHECK(y.timing[0].fall_delay_ns.at(3, 4) == Approx(0.07));
  CHECK(y.timing[0].rise_slew_ns.at(0.1, 0.03) == Approx(0.02));  // its own index_1: 2, 4
  REQUIRE(y.power.size() == 1);
  // 10 fF (0.1 V)^2 = 0.1 fJ
  CHECK(y.power[0].rise_pj.at(0.015, 99) == Approx(2e-4));
  CHECK(y.power[0].fall_pj.at(0.015, 99) == Approx(2e-4));

  const LibertyCell& flop = *l.cell("FLOP");
  CHECK(flop.leakage_nw == Approx(0.001));
  REQUIRE(flop.flip_flop);
  CHECK(flop.flip_flop->state == "IQ");
  CHECK(flop.flip_flop->inverted_state == "IQN");
  CHECK(flop.flip_flop->clocked_on == "CK");
  CHECK(flop.flip_flop->clear == "!R");
  CHECK(flop.pin("CK")->is_clock);
  REQUIRE(flop.pin("D")->timing.size() == 1);  // without hold
  CHECK(flop.pin("D")->timing[0].rise_delay_ns.at(0.05, 0) == Approx(0.03));

  CHECK(l.cell("LATCH")->is_latch);
  CHECK(l.cell("GATED")->is_latch);
  CHECK(l.cell("THREE")->pin("Y")->function.empty());
  REQUIRE(l.notes.size() == 2);
  CHECK_THAT(l.notes[0], Catch::Contains("THREE"));
  CHECK_THAT(l.notes[1], Catch::Contains("BARE"));

  const LibertyPin& address = *l.cell("RAM")->pin("ADDR");
  CHECK(l.cell("RAM")->is_memory);
  CHECK(address.width == 12);
  CHECK(address.capacitance_pf == Approx(0.015));
  REQUIRE(address.power.size() == 1);
  CHECK(address.power[0].fall_pj.at(0, 0) == Approx(6e-4));
}

TEST_CASE("unusable Liberty files are refused with file, line and remedy", "[liberty]") {
  const Scratch scratch;
  auto refuse = [&](const std::string& text, const std::vector<std::string>& parts) {
    const std::string path = scratch.write("bad.lib", text);
    std::vector<std::string> all = parts;
    all.push_back(path);
    require_error<InputError>([&] { read_liberty(path); }, all);
  };
  require_error<InputError>([&] { read_liberty(scratch.path("none.lib")); }, {"cannot be read"});
  require_error<InputError>([&] { read_liberty(scratch.path()); }, {"no Liberty file"});
  refuse("", {"header"});
  refuse("module x; endmodule", {"header"});
  refuse("library (a) { cell (b) { } }", {"no cell with an area"});
  refuse(kTiny.substr(0, kTiny.size() - 1), {":3:", "library (tiny)", "truncated"});
  refuse(kTiny + "}", {"braces do not balance"});
  refuse(replaced(kTiny, "/* a comment */", "/* a comment"), {"never closed"});
  for (const char* unit : {"time_unit : \"10ps\";", "voltage_unit : \"100mV\";"})
    refuse(replaced(kTiny, unit, ""), {"it has no " + std::string(unit).substr(0, 9)});
  refuse(replaced(kTiny, "capacitive_load_unit (10, \"ff\");", ""), {"no capacitive_load_unit"});
  refuse(replaced(kTiny, "leakage_power_unit : 1pW;", ""), {"leakage_power_unit"});
  refuse(replaced(kTiny, "\"10ps\"", "\"10 parsec\""), {":4:", "10 parsec", "for example"});
  refuse(replaced(kTiny, "(10, \"ff\")", "(10, furlong)"),
         {":5:", "furlong", "capacitive_load_unit (1, pf)"});
  refuse(replaced(kTiny, "(10, \"ff\")", "(10)"), {"capacitive_load_unit"});
  refuse(replaced(kTiny, "area : 2.5;", "area = 2.5;"), {"`area`"});
  refuse(replaced(kTiny, "(A B)'\"", "(A B)'"), {"a string that begins here is never closed"});
  refuse(std::string("\0\0\0", 3), {"header"});
  refuse("library (x) { \x01 }", {"the byte 0x01 begins no statement"});
  std::string deep = "library (x) ";
  for (int i = 0; i < 5000; ++i) deep += "{ a (b) ";
  refuse(deep, {"nested too deeply"});
}

TEST_CASE("a cell that cannot be read is left out, the others are not", "[liberty]") {
  const Scratch scratch;
  auto left_out = [&](const std::string& text, const std::string& cell,
                      const std::vector<std::string>& parts) {
    const LibertyLibrary l = read_liberty(scratch.write("odd.lib", text));
    INFO(cell << ": " << l.cell(cell)->unusable);
    CHECK(l.cell("LATCH")->unusable.empty());
    std::string notes;
    for (const std::string& note : l.notes) notes += note + "\n";
    for (const std::string& part : parts) CHECK_THAT(l.cell(cell)->unusable, Catch::Contains(part));
    CHECK_THAT(notes, Catch::Contains("odd.lib:"));
    CHECK_THAT(notes, Catch::Contains("cell " + cell + " is left out: " + l.cell(cell)->unusable));
  };
  left_out(replaced(kTiny, "\"4, 5, 6\"", "\"4, 5\""), "NAND", {"has 5 values", "ask for 6"});
  left_out(replaced(kTiny, "\"4, 5, 6\"", "\"4, 5, x\""), "NAND", {"`x`"});
  left_out(replaced(kTiny, "index_1 (\"1, 2\"); }", "index_1 (\"2, 1\"); }"), "NAND",
           {"does not increase"});
  left_out(replaced(kTiny, "cell_rise (load_first)", "cell_rise (unheard)"), "NAND",
           {"`unheard`", "not defined"});
  left_out(replaced(kTiny, "(A B)'", "(A C)'"), "NAND", {"Y: ", "`C`"});
  left_out(replaced(kTiny, "(A B)'", "(A B"), "NAND", {"`)` is missing"});
  left_out(replaced(kTiny, "capacitance : 0.5", "capacitance : big"), "NAND", {"`big`", "number"});
  left_out(replaced(kTiny, "capacitance : 0.5", "capacitance : 1e999"), "NAND", {"1e999"});
  left_out(replaced(kTiny, "area : 2.5", "area : -2.5"), "NAND", {"negative"});
  left_out(
      replaced(kTiny, "pin (\"A\", B) { direction : input;", "pin (\"A\", B) { direction : inout;"),
      "NAND", {"pin A is inout"});
  const std::string supply =
      replaced(kTiny, "pin (Y) { dir", "pin (VDD) { direction : inout; } pin (Y) { dir");
  CHECK(read_liberty(scratch.write("supply.lib", supply)).cell("NAND")->unusable.empty());
  left_out(replaced(kTiny, "pin (\"A\", B)", "pin (\"A\", A, B)"), "NAND", {"two pins A"});
  left_out(replaced(kTiny, "cell (NAND)", "cell (\"N*ND\")"), "N*ND", {"its name"});
  left_out(replaced(kTiny, "next_state : \"D\"", "next_state : \"X\""), "FLOP", {"`X`"});
  left_out(replaced(kTiny, "next_state : \"D\";", ""), "FLOP", {"no next_state"});
  left_out(replaced(kTiny, "bus_type : word", "bus_type : byte"), "RAM", {"`byte`", "not defined"});
  left_out(replaced(kTiny, "bit_width : 12", "bit_width : 1e12"), "RAM", {"bits"});
  std::string pins;
  for (int i = 0; i < 13; ++i) pins += "pin (I" + std::to_string(i) + ") { direction : input; } ";
  left_out(replaced(kTiny, "pin (Y) {", pins + "pin (Y) {"), "NAND", {"15 inputs", "at most 12"});
}

/// The whole of a library but its cells: units may be given in all of Liberty's ways.
std::string header(const std::string& units) {
  return "library (one) {\n" + units + R"lib(
  nom_voltage : 1.8;
  cell (INV) { area : 1; pin (A) { direction : input; capacitance : 2; }
    pin (Y) { direction : output; function : "!A";
      timing () { related_pin : A; cell_rise (t) { values ("1, 2", "3, 4"); }
                  cell_fall (t) { values ("1, 2", "3, 4"); } } } }
  lu_table_template (t) { index_2 ("1, 2"); index_1 ("1, 2");
    variable_2 : total_output_net_capacitance; variable_1 : input_net_transition; }
})lib";
}

TEST_CASE("one tokenizer reads the arguments of all attributes", "[liberty]") {
  const Scratch scratch;
  const std::string volt = "voltage_unit : \"1V\"; ", second = "time_unit : \"1ns\"; ";
  auto capacitance = [&](const std::string& unit) {
    const LibertyLibrary l = read_liberty(scratch.write("one.lib", header(volt + second + unit)));
    CHECK(l.cell("INV")->lost.empty());
    CHECK(l.cell("INV")->pin("Y")->timing.at(0).rise_delay_ns.values ==
          std::vector<double>{1, 2, 3, 4});
    return l.cell("INV")->pin("A")->capacitance_pf;
  };
  for (const char* unit :
       {"capacitive_load_unit (1, pf);", "capacitive_load_unit (1,pf)",
        "capacitive_load_unit(1 pf);", "capacitive_load_unit (\"1\", \"pf\");",
        "capacitive_load_unit (\"1 pf\");", "capacitive_load_unit (\"1,pf\");",
        "capacitive_load_unit (1pF);", "capacitive_load_unit (1.0e0, PF);",
        "capacitive_load_unit ((1), (pf));", "capacitive_load_unit ( \\\n 1.0, \\\n \"pf\" \\\n );",
        "capacitive_load_unit ( \\ \r\n 1.0, \\\r\n \"pf\" );",
        "capacitive_load_unit ( /* one */ 1, // of\n pf /* farad */ );",
        "capacitive_load_unit : \"1pf\";", "capacitive_load_unit (1000, ff);",
        "capacitive_load_unit (\n1,\npf\n)\n;"}) {
    INFO(unit);
    CHECK(capacitance(unit) == Approx(2));
  }
  for (const char* time : {"time_unit : 1ns;", "time_unit :\n \"1 ns\"", "time_unit (1, ns);",
                           "time_unit : \"1000ps\";", "time_unit : \"1NS\";", "time_unit : ns;",
                           "time_unit : /* 1 */ \"1e-9s\";"}) {
    INFO(time);
    const LibertyLibrary l = read_liberty(scratch.write(
        "one.lib", header(volt + time + std::string("\n capacitive_load_unit (1, pf);"))));
    CHECK(l.cell("INV")->pin("Y")->timing.at(0).fall_delay_ns.at(2, 2) == Approx(4));
  }
  const std::string both =
      replaced(header(volt + second + "capacitive_load_unit (1, pf);"), "capacitance : 2",
               "rise_capacitance : 3; fall_capacitance : 4");
  CHECK(read_liberty(scratch.write("both.lib", both)).cell("INV")->pin("A")->capacitance_pf ==
        Approx(3.5));
  // What is quoted is no comment, and a comment may hold quotes.
  const std::string odd =
      replaced(header(volt + second + "capacitive_load_unit (1, pf);"), "nom_voltage",
               "comment : \"a // b /* c\"; /* \" */ nom_voltage");
  CHECK(read_liberty(scratch.write("odd.lib", "\xef\xbb\xbf" + odd)).voltage_v == 1.8);
}

TEST_CASE("Boolean values count whatever their case", "[liberty]") {
  const Scratch scratch;
  for (const char* yes : {"true", "TRUE", "True", "\"TRUE\"", "1"})
    CHECK(read_liberty(scratch.write("t.lib", replaced(kTiny, "dont_use : true",
                                                       std::string("dont_use : ") + yes)))
              .cell("NAND")
              ->dont_use);
  for (const char* no : {"false", "FALSE", "\"False\"", "0"})
    CHECK_FALSE(read_liberty(scratch.write("t.lib", replaced(kTiny, "dont_use : true",
                                                             std::string("dont_use : ") + no)))
                    .cell("NAND")
                    ->dont_use);
  CHECK(read_liberty(scratch.write("t.lib", replaced(kTiny, "clock : true", "clock : TRUE")))
            .cell("FLOP")
            ->pin("CK")
            ->is_clock);
}

TEST_CASE("timing groups of one arc are one, and one that is lost is told", "[liberty]") {
  const Scratch scratch;
  // A NAND of two groups for each input: rise in one, fall in the other.
  const std::string text =
      replaced(header("voltage_unit : \"1V\"; time_unit : \"1ns\"; capacitive_load_unit (1, pf);"),
               "cell (INV)",
               R"lib(cell (NAND) { area : 1; pin (A, B) { direction : input; }
    pin (Y) { direction : output; function : "!(A B)";
      timing () { related_pin : "A B"; timing_type : combinational_rise;
        cell_rise (scalar) { values ("1"); } rise_transition (scalar) { values ("2"); } }
      timing () { related_pin : "A B"; timing_type : combinational_fall;
        cell_fall (scalar) { values ("3"); } fall_transition (scalar) { values ("4"); } }
      timing () { related_pin : A; when : "B"; cell_rise (scalar) { values ("5"); } }
      timing () { related_pin : A; when : "!B"; cell_rise (scalar) { values ("6"); } }
      timing () { related_pin : A; timing_type : three_state_disable; }
    } }
  cell (INV))lib");
  const LibertyLibrary l = read_liberty(scratch.write("split.lib", text));
  const std::vector<LibertyTimingArc>& arcs = l.cell("NAND")->pin("Y")->timing;
  CHECK(l.cell("NAND")->lost.empty());
  REQUIRE(arcs.size() == 4);
  for (const std::size_t i : {0, 1}) {
    CHECK(arcs[i].related_pin == (i == 0 ? "A" : "B"));
    CHECK(arcs[i].rise_delay_ns.at(0, 0) == 1);
    CHECK(arcs[i].rise_slew_ns.at(0, 0) == 2);
    CHECK(arcs[i].fall_delay_ns.at(0, 0) == 3);
    CHECK(arcs[i].fall_slew_ns.at(0, 0) == 4);
  }
  CHECK(arcs[2].rise_delay_ns.at(0, 0) == 5);
  CHECK(arcs[3].rise_delay_ns.at(0, 0) == 6);
  auto lost = [&](const std::string& from, const std::string& to, const std::string& what) {
    const LibertyLibrary one = read_liberty(scratch.write("lost.lib", replaced(text, from, to)));
    std::string all;
    for (const std::string& note : one.cell("NAND")->lost) all += note + "\n";
    CHECK(one.cell("NAND")->unusable.empty());
    CHECK_THAT(all, Catch::Contains(what));
  };
  const std::string fall = "related_pin : \"A B\"; timing_type : combinational_fall;";
  lost(fall, "timing_type : combinational_fall;", "pin Y: a timing group without related_pin");
  lost(fall, "timing_type : combinational_fall;", "pin Y: no falling delay from B");
  lost(fall, "related_pin : \"A C\";", "pin Y: an arc is left out: related_pin C is no pin");
  lost(fall, "related_pin : A;", "pin Y: no falling delay from B");
  lost("when : \"B\"", "when : \"B *\"", "pin Y: an arc is left out: function \"B *\"");
  lost("cell_fall (scalar) { values (\"3\"); } fall_transition (scalar) { values (\"4\"); }", "",
       "pin Y: a timing group without tables of delays");
  const LibertyLibrary setup = read_liberty(scratch.write(
      "setup.lib", replaced(kTiny, "timing_type : setup_rising", "timing_type : hold_rising")));
  CHECK_THAT(setup.cell("FLOP")->lost,
             Catch::VectorContains(std::string("pin D: no setup time before CK")));
}

TEST_CASE("a library may be packed, in several files, or include others", "[liberty]") {
  const Scratch scratch;
  const std::string whole = scratch.write("whole.lib", kTiny);
  const LibertyLibrary expected = read_liberty(whole);
  const std::string packed = scratch.path("packed.lib.gz");
  gzFile file = gzopen(packed.c_str(), "wb");
  REQUIRE(gzwrite(file, kTiny.data(), static_cast<unsigned>(kTiny.size())) > 0);
  gzclose(file);
  CHECK(read_liberty(packed).hash == expected.hash);
  CHECK(read_liberty(packed).cell("NAND")->area_um2 == 2.5);
  std::string bytes = read_file(packed);
  const std::string cut = scratch.write("cut.lib.gz", bytes.substr(0, bytes.size() / 2));
  require_error<InputError>([&] { read_liberty(cut); }, {cut, "damaged"});
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
  const std::string spoilt = scratch.write("spoilt.lib.gz", bytes);
  require_error<InputError>([&] { read_liberty(spoilt); }, {spoilt});

  // The same header, half of the cells each.
  const std::size_t first = kTiny.find("  cell (NAND)"), second = kTiny.find("  cell (FLOP)");
  std::filesystem::create_directory(scratch.path("folder"));
  const std::string a = scratch.write("folder/a.lib", kTiny.substr(0, second) + "}"),
                    b = scratch.write("folder/b.lib",
                                      kTiny.substr(0, first) + kTiny.substr(second));
  for (const std::string& name : {a + "," + b, scratch.path("folder"), a + "," + b + "," + a}) {
    const LibertyLibrary l = read_liberty(name);
    REQUIRE(l.cells.size() == expected.cells.size());
    for (const LibertyCell& cell : expected.cells) {
      CHECK(l.cell(cell.name)->area_um2 == cell.area_um2);
      CHECK(l.cell(cell.name)->unusable == cell.unusable);
    }
  }
  CHECK_THAT(read_liberty(a + "," + a).notes,
             Catch::VectorContains(a + ": cell NAND is there twice: the first counts"));
  const std::string other =
      scratch.write("hot.lib", replaced(kTiny, "voltage : 20", "voltage : 21"));
  require_error<InputError>([&] { read_liberty(a + "," + other); }, {other, "2.1 V", "one corner"});
  require_error<InputError>([&] { read_liberty(a + "," + scratch.path("none.lib")); },
                            {"none.lib", "cannot be read"});

  scratch.write("cells.inc", kTiny.substr(first, second - first));
  const std::string including =
      scratch.write("including.lib", kTiny.substr(0, first) + "include_file (\"cells.inc\");" +
                                         kTiny.substr(second));
  CHECK(read_liberty(including).cell("NAND")->area_um2 == 2.5);
  scratch.write("bad.inc", "\n\ncell (X) { area = 3; }");
  require_error<InputError>(
      [&] {
        read_liberty(
            scratch.write("bad.lib", replaced(read_file(including), "cells.inc", "bad.inc")));
      },
      {"bad.inc:3:"});
  const std::string self = scratch.write("self.lib", "library (x) { include_file (loop.inc); }");
  scratch.write("loop.inc", "include_file (loop.inc);");
  require_error<InputError>([&] { read_liberty(self); }, {"loop.inc:1:", "include"});
}

TEST_CASE("the parts for tools have one form, and tell what was left out", "[liberty]") {
  const Scratch scratch;
  const std::string text = replaced(
      header("voltage_unit : \"1V\"; time_unit : \"1 NS\"; capacitive_load_unit ( \\\n \"1\" pf);"),
      "cell (INV)",
      R"lib(cell (NAND) { area : 1; pin (A, B) { direction : "INPUT"; } pin (Z) { direction : output;
        function : !(A*B); timing () { related_pin : "A"; cell_rise (t) { values ("1 2 3 4"); } } } }
  cell (CHEAP) { area : 0.1; dont_use : TRUE; pin (A) { direction : input; } pin (Y) { direction : output; function : A; } }
  cell (PAD) { area : 1; pin (P) { direction : inout; capacitance : 1; } pin (Y) { direction : output; function : P; } }
  cell (FLOP) { area : 2; ff (IQ, IQN) { next_state : D; clocked_on : CK; } pin (D) { direction : input; }
    pin (CK) { direction : input; clock : TRUE; } pin (Q) { direction : output; function : "IQ"; } }
  cell (INV))lib");
  const PreparedLibrary p = prepare_library(scratch.write("odd.lib", text), scratch.path("cache"));
  for (const char* note :
       {"cell NAND, pin Z: no falling delay from A", "cell NAND, pin Z: no delay from B",
        "cell FLOP, pin D: no setup time before CK", "cells left out (dont_use): CHEAP",
        "cells left out (pin P is inout): PAD"})
    CHECK_THAT(p.notes, Catch::VectorContains(std::string(note)));
  const std::string cells = read_file(p.cells_lib), timing = read_file(p.timing_lib);
  for (const char* part :
       {"capacitive_load_unit (1, pf);", "time_unit : \"1ns\";",
        "pin (\"A\") {\ndirection : input;", "function : \"!(A*B)\";", "clock : true;"})
    CHECK_THAT(cells, Catch::Contains(part));
  CHECK_THAT(cells, !Catch::Contains("CHEAP") && !Catch::Contains("PAD"));
  // Templates stand before the cells that use them; a row of a table is a string.
  CHECK(timing.find("lu_table_template (\"t\")") < timing.find("cell (NAND)"));
  CHECK_THAT(timing, Catch::Contains("values (\"1, 2\", \"3, 4\");"));

  // In another file a template of the same name may be another.
  const std::string two = scratch.write(
      "two.lib",
      replaced(
          replaced(header("voltage_unit : \"1V\"; time_unit : 1ns; capacitive_load_unit (1, pf);"),
                   "index_1 (\"1, 2\")", "index_1 (\"3, 4\")"),
          "cell (INV)", "cell (BUF)"));
  const PreparedLibrary both =
      prepare_library(scratch.path("odd.lib") + "," + two, scratch.path("cache"));
  const LibertyLibrary read = read_liberty(both.timing_lib);
  CHECK(read.cell("INV")->pin("Y")->timing.at(0).rise_delay_ns.slews_ns ==
        std::vector<double>{1, 2});
  CHECK(read.cell("BUF")->pin("Y")->timing.at(0).rise_delay_ns.slews_ns ==
        std::vector<double>{3, 4});
  const std::string kilo = scratch.write("kilo.lib", replaced(read_file(two), "1ns", "10ns"));
  require_error<InputError>(
      [&] { prepare_library(scratch.path("odd.lib") + "," + kilo, scratch.path("cache")); },
      {kilo, "time_unit", "same units"});
}

TEST_CASE("Boolean functions of Liberty, against evaluation by hand", "[liberty]") {
  const std::vector<std::string> abc = {"A", "B", "C"};
  auto table = [&](const std::string& text) { return BooleanFunction(text, abc).table()[0]; };
  CHECK(table("A") == 0xaa);
  CHECK(table("B") == 0xcc);
  CHECK(table("(A B)") == 0x88);  // a blank is and
  CHECK(table("A*B") == 0x88);
  CHECK(table("A&B|C") == 0xf8);
  CHECK(table("A+B C") == 0xea);      // and binds tighter than or
  CHECK(table("A ^ B * C") == 0x60);  // and xor tighter than and
  CHECK(table("!A'") == 0xaa);
  CHECK(table("(A B)' + !C") == 0x7f);
  CHECK(table("!(A^B^C)") == 0x69);
  CHECK(table("0") == 0);
  CHECK(table("1") == 0xff);
  CHECK(BooleanFunction("1", {}).value(0));
  CHECK(BooleanFunction("A", abc).depends_on(0));
  CHECK_FALSE(BooleanFunction("A + !A", abc).depends_on(0));
  for (const char* bad : {"", "A B)", "(A", "A+", "D", "A ! B +", "A # B"})
    CHECK_THROWS_AS(BooleanFunction(bad, abc), std::invalid_argument);
  // More than one word of table.
  std::vector<std::string> nine;
  std::string all;
  for (int i = 0; i < 9; ++i) {
    nine.push_back("X[" + std::to_string(i) + "]");
    all += (i ? " ^ " : "") + nine.back();
  }
  const BooleanFunction parity(all, nine);
  for (std::size_t row = 0; row < 512; ++row)
    CHECK(parity.value(row) == (__builtin_popcountll(row) % 2 == 1));
}

struct Expected {
  std::string path, name;
  double voltage;
  std::size_t cells, flip_flops;
  std::string cell, pin;  ///< an input
  double capacitance_pf;
};

TEST_CASE("real libraries are read whole", "[liberty]") {
  const std::vector<Expected> libraries = {
      {kDefaultLiberty, "osu018_stdcells", 1.8, 32, 3, "FAX1", "A", 0.0613054},
      {shared_liberty("sky130hd_tt.lib"), "sky130_fd_sc_hd__tt_025C_1v80", 1.8, 428, 45,
       "sky130_fd_sc_hd__ha_1", "A", 0.003026},
      {shared_liberty("sg13g2_stdcell_typ_1p20V_25C.lib"), "sg13g2_stdcell_typ_1p20V_25C", 1.2, 78,
       3, "", "", 0},
      {shared_liberty("asap7_rvt_tt_nldm_merged.lib"), "asap7sc7p5t_RVT_TT_nldm_merged", 0.7, 202,
       17, "", "", 0}};
  for (const Expected& e : libraries) {
    if (e.path.empty()) {
      WARN("SKIPPED: " << e.name << " is not in shared/liberty");
      continue;
    }
    INFO(e.path);
    const auto start = std::chrono::steady_clock::now();
    const LibertyLibrary l = read_liberty(e.path);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));  // measured: .6 s
    CHECK(l.name == e.name);
    CHECK(l.voltage_v == Approx(e.voltage));
    CHECK(l.cells.size() == e.cells);
    std::size_t flip_flops = 0;
    for (const LibertyCell& cell : l.cells) {
      flip_flops += cell.flip_flop.has_value();
      for (const LibertyPin& pin : cell.pins)
        for (const LibertyPowerArc& arc : pin.power)
          if (!arc.rise_pj.empty()) CHECK(std::abs(arc.rise_pj.at(0.05, 0.005)) < 3);
    }
    CHECK(flip_flops == e.flip_flops);
    if (!e.cell.empty())
      CHECK(l.cell(e.cell)->pin(e.pin)->capacitance_pf == Approx(e.capacitance_pf));
  }
  // Its tables index (load, slew): FAX1's first row of YC's rise delays from A is at load .005.
  const LibertyLibrary osu018 = read_liberty(kDefaultLiberty);
  const LibertyTable& delay = osu018.cell("FAX1")->pin("YC")->timing[0].rise_delay_ns;
  CHECK(delay.at(0.18, 0.005) == Approx(0.128075));
  CHECK(delay.at(0.06, 0.0125) == Approx(0.130601));
}

TEST_CASE("a ground's tables retell the supply's energy", "[liberty]") {
  const std::string path = shared_liberty("asap7_rvt_tt_nldm_merged.lib");
  if (path.empty()) {
    WARN("SKIPPED: asap7 is not in shared/liberty");
    return;
  }
  // That is why the simulation takes the mean: over a rise and a fall both rails see one charge.
  const LibertyLibrary library = read_liberty(path);
  double sums[2] = {0, 0};
  for (const LibertyCell& cell : library.cells)
    for (const LibertyPin& pin : cell.pins)
      for (const LibertyPowerArc& arc : pin.power)
        if (pin.direction == "output" && !arc.rise_pj.empty() && !arc.fall_pj.empty())
          sums[arc.ground_rail] += arc.rise_pj.at(0.02, 0.003) + arc.fall_pj.at(0.02, 0.003);
  CHECK(sums[0] > 1);
  CHECK(sums[1] == Approx(sums[0]).epsilon(0.02));
}

TEST_CASE("memory macros have buses and an energy for each access", "[liberty]") {
  const std::string path = shared_liberty("sram/RM_IHPSG13_1P_8192x32_c4_typ_1p20V_25C.lib");
  if (path.empty()) {
    WARN("SKIPPED: the SRAM macros are not in shared/liberty");
    return;
  }
  const LibertyLibrary library = read_liberty(path);
  REQUIRE(library.cells.size() == 1);
  const LibertyCell& macro = library.cells[0];
  CHECK(macro.is_memory);
  CHECK(macro.area_um2 == Approx(939914.928));
  CHECK(macro.pin("A_ADDR")->width == 13);
  CHECK(macro.pin("A_DIN")->width == 32);
  CHECK(macro.pin("A_DOUT")->direction == "output");
  double read = 0;
  for (const LibertyPowerArc& arc : macro.pin("A_CLK")->power)
    if (arc.when == "A_MEN  & !A_WEN & A_REN") read = arc.rise_pj.at(0, 0);
  CHECK(read == Approx(230.3533));
}

}  // namespace
}  // namespace solfege
