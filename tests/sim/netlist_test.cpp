// SPDX-License-Identifier: Apache-2.0
// Flattening, netlists as text, and the gate simulator, on designs small enough to know the answer.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "cost/eda/netlist_writer.hpp"
#include "model/base/error.hpp"
#include "sim/dut/gate_simulator.hpp"

using namespace solfege;
using Catch::Contains;

namespace {

constexpr int kZero = Netlist::kZero, kOne = Netlist::kOne;
using Pins = std::map<std::string, std::vector<int>>;

std::uint64_t seed() {
  const char* text = std::getenv("SOLFEGE_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 20261121;
}

LibertyPin pin(const std::string& name, const std::string& function = "") {
  LibertyPin p;
  p.name = name;
  p.direction = function.empty() ? "input" : "output";
  p.function = function;
  return p;
}

LibertyLibrary library() {
  LibertyLibrary lib;
  lib.name = "small";
  auto cell = [&](const std::string& name, std::vector<LibertyPin> pins) -> LibertyCell& {
    lib.cells.emplace_back();
    lib.cells.back().name = name;
    lib.cells.back().pins = std::move(pins);
    return lib.cells.back();
  };
  cell("INV", {pin("A"), pin("Y", "!A")});
  cell("NAND2", {pin("A"), pin("B"), pin("Y", "!(A B)")});
  cell("XOR2", {pin("A"), pin("B"), pin("Y", "A^B")});
  cell("HA", {pin("A"), pin("B"), pin("S", "A^B"), pin("C", "A B")});
  cell("DFF", {pin("D"), pin("CK"), pin("Q", "IQ"), pin("QN", "IQN")}).flip_flop =
      LibertyFlipFlop{"IQ", "IQN", "CK", "D", "", ""};
  cell("DFFR", {pin("D"), pin("CK"), pin("RN"), pin("Q", "IQ")}).flip_flop =
      LibertyFlipFlop{"IQ", "IQN", "CK", "D", "!RN", ""};
  return lib;
}

std::string binary(unsigned value) {
  std::string text(32, '0');
  for (int i = 0; i < 32; ++i)
    if (value >> i & 1) text[static_cast<std::size_t>(31 - i)] = '1';
  return text;
}

Netlist design(int nets, std::vector<Netlist::Port> ports,
               std::vector<Netlist::Instance> instances) {
  Netlist n;
  n.top = "top";
  n.nets = nets;
  n.ports = std::move(ports);
  n.instances = std::move(instances);
  for (int i = 0; i < nets; ++i) n.net_names.push_back("net" + std::to_string(i));
  return n;
}

/// Ports by name as numbers.
class Bench {
 public:
  explicit Bench(const Netlist& netlist, std::uint64_t reset_seed = 1)
      : lib_(library()), sim_(netlist, lib_, "clk", reset_seed) {}
  void set(const std::string& name, std::uint64_t value) {
    const auto& nets = port(name).nets;
    for (std::size_t i = 0; i < nets.size(); ++i) sim_.set(nets[i], value >> i & 1);
    sim_.settle();
  }
  std::uint64_t get(const std::string& name) const {
    const auto& nets = port(name).nets;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < nets.size(); ++i) value |= std::uint64_t{sim_.get(nets[i])} << i;
    return value;
  }
  void clock() { sim_.rise(); }
  GateSimulator& simulator() { return sim_; }

 private:
  const Netlist::Port& port(const std::string& name) const {
    for (const auto& p : sim_.ports())
      if (p.name == name) return p;
    throw std::out_of_range(name);
  }
  LibertyLibrary lib_;
  GateSimulator sim_;
};

/// A counter of two bits with asynchronous reset: nets clk 0, rn 1, q 2 3, d 4 5, carry 6.
Netlist counter() {
  return design(7, {{"clk", true, {0}}, {"rn", true, {1}}, {"q", false, {2, 3}}},
                {{"half", "HA", {{"A", {2}}, {"B", {kOne}}, {"S", {4}}, {"C", {6}}}, {}},
                 {"sum", "XOR2", {{"A", {3}}, {"B", {6}}, {"Y", {5}}}, {}},
                 {"q0", "DFFR", {{"D", {4}}, {"CK", {0}}, {"RN", {1}}, {"Q", {2}}}, {}},
                 {"q1", "DFFR", {{"D", {5}}, {"CK", {0}}, {"RN", {1}}, {"Q", {3}}}, {}}});
}

}  // namespace

TEST_CASE("flip-flops start at random, are cleared at once, and count") {
  bool starts[4] = {};
  for (std::uint64_t s = 1; s <= 32; ++s) {
    Bench bench(counter(), s);
    bench.set("rn", 1);
    starts[bench.get("q")] = true;
    bench.set("rn", 0);
    REQUIRE(bench.get("q") == 0);
    bench.clock();
    REQUIRE(bench.get("q") == 0);
    bench.set("rn", 1);
    for (unsigned i = 1; i < 10; ++i) {
      bench.clock();
      REQUIRE(bench.get("q") == i % 4);
    }
    REQUIRE(bench.simulator().events() > 0);
  }
  // The reset is active until rn rises, so nothing of the random start is left to see.
  REQUIRE(starts[0]);
  Netlist plain = counter();
  for (Netlist::Instance& instance : plain.instances)
    if (instance.cell == "DFFR") {
      instance.cell = "DFF";
      instance.pins.erase("RN");
    }
  for (bool& start : starts) start = false;
  for (std::uint64_t s = 1; s <= 64; ++s) starts[Bench(plain, s).get("q")] = true;
  REQUIRE((starts[0] && starts[1] && starts[2] && starts[3]));
}

TEST_CASE("all flip-flops take what was there before the edge") {
  // A ring of two: they exchange their values; QN is the inverse.
  const Netlist ring = design(4, {{"clk", true, {0}}, {"q", false, {1, 2}}, {"qn", false, {3}}},
                              {{"a", "DFF", {{"D", {2}}, {"CK", {0}}, {"Q", {1}}, {"QN", {3}}}, {}},
                               {"b", "DFF", {{"D", {1}}, {"CK", {0}}, {"Q", {2}}}, {}}});
  for (std::uint64_t s = 1; s <= 8; ++s) {
    Bench bench(ring, s);
    for (int i = 0; i < 4; ++i) {
      const auto q = bench.get("q");
      REQUIRE(bench.get("qn") == (~q & 1));
      bench.clock();
      REQUIRE(bench.get("q") == ((q >> 1) | (q & 1) << 1));
    }
  }
}

TEST_CASE("memories: what is read, when, and what a write in the same cycle does") {
  // clk 0, address 1 2, data 3..5, enable 6, read enable 7, read data 8..10
  const Pins common = {{"clk_i", {0}},
                       {"write_enable_i", {6}},
                       {"write_data_i", {3, 4, 5}},
                       {"read_data_o", {8, 9, 10}}};
  const std::vector<Netlist::Port> ports = {{"clk", true, {0}},        {"address", true, {1, 2}},
                                            {"data", true, {3, 4, 5}}, {"write", true, {6}},
                                            {"read", true, {7}},       {"out", false, {8, 9, 10}}};
  const std::map<std::string, std::string> shape = {{"Width", binary(3)}, {"Depth", binary(3)}};
  Pins ram = common, file = common;
  ram.insert({{"read_enable_i", {7}}, {"read_address_i", {1, 2}}, {"write_address_i", {1, 2}}});
  file.insert({"address_i", {1, 2}});
  const Pins words = {{"WR_CLK", {0}},        {"WR_EN", {6, 6, 6}}, {"WR_ADDR", {1, 2}},
                      {"WR_DATA", {3, 4, 5}}, {"RD_ADDR", {1, 2}},  {"RD_DATA", {8, 9, 10}},
                      {"RD_CLK", {kZero}},    {"RD_EN", {kOne}}};
  const std::map<std::string, std::string> ports_of_words = {
      {"WIDTH", binary(3)},   {"SIZE", binary(3)},     {"ABITS", binary(2)},
      {"OFFSET", binary(0)},  {"RD_PORTS", binary(1)}, {"WR_PORTS", binary(1)},
      {"RD_CLK_ENABLE", "0"}, {"WR_CLK_ENABLE", "1"},  {"WR_CLK_POLARITY", "1"}};
  const struct {
    Netlist::Instance instance;
    bool clocked;
  } kinds[] = {{{"m", "sf_ram", ram, shape}, true},
               {{"m", "sf_register_file", file, shape}, false},
               {{"m", "$mem_v2", words, ports_of_words}, false}};
  for (const auto& kind : kinds) {
    CAPTURE(kind.instance.cell, seed());
    Bench bench(design(11, ports, {kind.instance}));
    std::mt19937_64 random(seed());
    std::uint64_t expected[3] = {}, out = 0;
    auto cycle = [&](std::uint64_t address, std::uint64_t data, bool write, bool read) {
      bench.set("address", address);
      bench.set("data", data);
      bench.set("write", write);
      bench.set("read", read);
      if (!kind.clocked && address < 3) REQUIRE(bench.get("out") == expected[address]);
      if (read) out = expected[address];
      bench.clock();
      if (write) expected[address] = data;
      if (kind.clocked && read) REQUIRE(bench.get("out") == out);
      if (!kind.clocked) REQUIRE(bench.get("out") == expected[address]);
    };
    for (std::uint64_t a = 0; a < 3; ++a) {
      expected[a] = kind.clocked ? 0 : (bench.set("address", a), bench.get("out"));
      cycle(a, a, true, false);
    }
    for (int i = 0; i < 500; ++i) cycle(random() % 3, random() % 8, random() % 2, random() % 2);
    if (!kind.clocked) continue;
    bench.set("read", 0);  // the last word is held
    const auto held = bench.get("out");
    bench.set("write", 0);
    bench.set("address", 1);
    bench.clock();
    REQUIRE(bench.get("out") == held);
  }
}

TEST_CASE("what cannot be simulated is named") {
  const std::vector<Netlist::Port> ports = {{"clk", true, {0}}, {"a", true, {1}}};
  auto refused = [&](int nets, std::vector<Netlist::Instance> instances, const std::string& text) {
    REQUIRE_THROWS_WITH(Bench(design(nets, ports, std::move(instances))), Contains(text));
  };
  refused(3, {{"g", "MUX9", {{"A", {1}}, {"Y", {2}}}, {}}}, "instance g is a MUX9");
  refused(3,
          {{"g", "INV", {{"A", {1}}, {"Y", {2}}}, {}}, {"h", "INV", {{"A", {1}}, {"Y", {2}}}, {}}},
          "driven twice");
  refused(4,
          {{"g", "NAND2", {{"A", {1}}, {"B", {3}}, {"Y", {2}}}, {}},
           {"h", "INV", {{"A", {2}}, {"Y", {3}}}, {}}},
          "a combinational loop, through or into instance g (NAND2)");
  refused(4, {{"gate", "NAND2", {{"A", {1}}, {"B", {0}}, {"Y", {2}}}, {}}},
          "pin B of instance gate (NAND2) is data, but driven by the clock");
  refused(3, {{"f", "DFF", {{"D", {1}}, {"CK", {1}}, {"Q", {2}}}, {}}},
          "pin CK of instance f (DFF) is not driven by the clock itself");
  refused(3, {{"m", "sf_ram", {{"clk_i", {0}}}, {{"Width", binary(4)}, {"Depth", binary(4)}}}},
          "pin write_enable_i of instance m (sf_ram) has 0 bits instead of 1");
}

TEST_CASE("cells and memories of other shapes are named") {
  const std::vector<Netlist::Port> ports = {{"clk", true, {0}}, {"a", true, {1}}};
  auto refused = [&](Netlist::Instance instance, const std::string& text) {
    INFO(text);
    REQUIRE_THROWS_AS(Bench(design(9, ports, {instance})), std::runtime_error);
    REQUIRE_THROWS_WITH(Bench(design(9, ports, {instance})), Contains(text));
  };
  refused({"g", "INV", {{"A", {1, 1}}, {"Y", {2}}}, {}},
          "pin A of instance g (INV) has 2 bits instead of 1");
  refused({"g", "INV", {{"A", {1}}, {"Z", {2}}}, {}},
          "pin Z of instance g (INV) is not a pin in the library");
  auto ram = [](const std::string& width, const std::string& depth, std::size_t bits) {
    const std::vector<int> address(bits, 1);
    return Netlist::Instance{"m",
                             "sf_ram",
                             {{"clk_i", {0}},
                              {"write_enable_i", {1}},
                              {"read_enable_i", {1}},
                              {"write_data_i", {1, 1}},
                              {"read_data_o", {2, 3}},
                              {"write_address_i", address},
                              {"read_address_i", address}},
                             {{"Width", width}, {"Depth", depth}}};
  };
  REQUIRE_NOTHROW(Bench(design(9, ports, {ram("2", binary(4), 2)})));
  refused(ram("2", std::string(70, '9'), 2), "cell m (sf_ram): parameter Depth");
  refused(ram("2", "-4", 2), "parameter Depth: `-4`");
  refused(ram("2", "x", 2), "parameter Depth: `x`");
  refused(ram("2", "", 2), "parameter Depth: ``");
  refused(ram("2", std::string(32, 'x'), 2), "parameter Depth");
  refused(ram("0", binary(4), 2), "write_data_i");
  refused(ram("2", "9999999999999999999", 33), "memory m has");
  refused(ram("2", "0", 1), "memory m has 0 words");
  Netlist::Instance bare = ram("2", "4", 2);
  bare.parameters.erase("Depth");
  refused(bare, "cell m (sf_ram) has no parameter Depth");
  Netlist::Instance other = ram("2", "4", 2);
  other.pins["clk_i"] = {1};
  refused(other, "pin clk_i of instance m (sf_ram) is not driven by the clock itself");
  other = ram("2", "4", 2);
  other.pins["write_data_i"] = {1, 0};
  refused(other, "pin write_data_i of instance m (sf_ram) is data, but driven by the clock");
  other = ram("2", "4", 2);
  other.pins["read_data_o"] = {2, 1};
  refused(other, "driven twice, once by pin read_data_o of instance m (sf_ram)");
  // Two words of one bit, whose read address is what they read
  const Netlist::Instance words = {"m",
                                   "$mem_v2",
                                   {{"WR_CLK", {0}},
                                    {"WR_EN", {1}},
                                    {"WR_ADDR", {1}},
                                    {"WR_DATA", {1}},
                                    {"RD_ADDR", {2}},
                                    {"RD_DATA", {2}}},
                                   {{"WIDTH", "1"},
                                    {"SIZE", "2"},
                                    {"ABITS", "1"},
                                    {"OFFSET", "0"},
                                    {"RD_PORTS", "1"},
                                    {"WR_PORTS", "1"},
                                    {"RD_CLK_ENABLE", "0"},
                                    {"WR_CLK_ENABLE", "1"},
                                    {"WR_CLK_POLARITY", "1"}}};
  refused(words, "a combinational loop, through or into instance m ($mem_v2)");
  for (const auto& [parameter, value] : {std::pair{"RD_PORTS", "2"},
                                         {"RD_CLK_ENABLE", "1"},
                                         {"WR_CLK_POLARITY", "0"},
                                         {"ABITS", "99"}}) {
    other = words;
    other.parameters[parameter] = value;
    refused(other, "memory m has other ports");
  }
  // Cleared while set, and set while cleared: no end.
  LibertyLibrary odd = library();
  odd.cells.back().flip_flop = LibertyFlipFlop{"IQ", "IQN", "CK", "D", "!RN", "RN"};
  const Netlist ring =
      design(9, ports,
             {{"f", "DFFR", {{"D", {1}}, {"CK", {0}}, {"RN", {3}}, {"Q", {2}}}, {}},
              {"i", "INV", {{"A", {2}}, {"Y", {3}}}, {}}});
  REQUIRE_THROWS_AS(GateSimulator(ring, odd, "clk", 1), InputError);
  REQUIRE_THROWS_WITH(GateSimulator(ring, odd, "clk", 1), Contains("without end"));
  REQUIRE_THROWS_WITH(GateSimulator(ring, odd, "clock", 1), Contains("no port clock"));
}

TEST_CASE("a hierarchy that cannot be flattened is named by its cell") {
  using Modules = std::map<std::string, Netlist>;
  auto refused = [&](Modules modules, const std::string& text) {
    INFO(text);
    for (auto& [name, module] : modules) module.top = name;
    REQUIRE_THROWS_AS(flatten(modules, "top"), InputError);
    REQUIRE_THROWS_WITH(flatten(modules, "top"), Contains(text));
  };
  const std::vector<Netlist::Port> ports = {{"a", true, {0}}, {"y", false, {1}}};
  auto of = [&](const std::string& child) {
    return design(2, ports, {{"u", child, {{"a", {0}}, {"y", {1}}}, {}}});
  };
  refused({}, "no module top");
  refused({{"top", of("top")}}, "module top contains itself, as cell u");
  refused({{"top", of("b")}, {"b", of("c")}, {"c", of("b")}},
          "module b contains itself, as cell u.u.u");
  refused({{"top", design(2, {{"a", true, {0}}, {"a", false, {1}}}, {})}}, "two ports a");
  Modules chain = {{"top", of("m0")}};
  for (int i = 0; i < 1000; ++i) chain["m" + std::to_string(i)] = of("m" + std::to_string(i + 1));
  refused(chain, "nested more than");
  // Thirty modules of two instances each are a thousand million.
  Modules doubled;
  for (int i = 0; i < 30; ++i) {
    const std::string child = "m" + std::to_string(i + 1);
    doubled[i == 0 ? "top" : "m" + std::to_string(i)] =
        design(2, ports, {{"u", child, {}, {}}, {"v", child, {}, {}}});
  }
  doubled["m30"] = design(0, {}, {});
  refused(doubled, "more than");
  Modules wide = {{"top", design(2, ports, {{"u", "b", {{"a", {0, 0}}}, {}}})},
                  {"b", design(2, ports, {})}};
  refused(wide, "cell u: pin a has 2 bits, but the port of module b has 1");
  wide["b"] = design(2, {{"y", false, {1}}}, {});
  refused(wide, "cell u: module b has no port a");
}

TEST_CASE("JSON that is no netlist is refused by file, module and cell") {
  const auto path = std::filesystem::temp_directory_path() /
                    ("solfege-netlist-" + std::to_string(std::random_device()()) + ".json");
  auto refused = [&](const std::string& text, const std::string& part) {
    INFO(text);
    std::ofstream(path) << text;
    REQUIRE_THROWS_AS(read_netlist_modules(path.string()), InputError);
    REQUIRE_THROWS_WITH(read_netlist_modules(path.string()),
                        Contains(path.string()) && Contains(part));
  };
  auto module = [](const std::string& ports, const std::string& cells) {
    return R"({"modules": {"top": {"ports": )" + ports + R"(, "cells": )" + cells +
           R"(, "netnames": {}}}})";
  };
  const std::string cell = R"({"g": {"type": "INV", "connections": {"A": [)";
  for (const char* text : {"", "[]", "7", "{}", R"({"modules": 3})", R"({"modules": {"top": []}})"})
    refused(text, "JSON");
  refused(std::string(50000, '['), "JSON");
  refused(module(R"({"a": {"direction": "inout", "bits": [2]}})", "{}"), "port a is inout");
  refused(module(R"({"a": {"direction": "input", "bits": 2}})", "{}"), "not a list");
  for (const char* bit : {"-2", "1.5", "99999999999", R"("q")", "null", "[2]"})
    refused(module("{}", cell + bit + "]}}}"), "cell g: a bit is");
  refused(module("{}", R"({"g": {"connections": {}}})"), "type");
  std::ofstream(path) << module("{}", cell + R"("x", "z", "0"]}}})");
  REQUIRE(read_netlist_modules(path.string()).at("top").instances[0].pins.at("A") ==
          std::vector<int>{kZero, kZero, kZero});
  std::filesystem::remove(path);
}

TEST_CASE("a hierarchy becomes one module: constants, through-connections, open pins") {
  // pass: y = a, z = 1; unit: inverts a, and b if it is connected
  std::map<std::string, Netlist> modules;
  modules["pass"] = design(1, {{"a", true, {0}}, {"y", false, {0}}, {"z", false, {kOne}}}, {});
  modules["unit"] = design(
      4, {{"a", true, {0}}, {"b", true, {1}}, {"y", false, {2, 3}}},
      {{"i", "INV", {{"A", {0}}, {"Y", {2}}}, {}}, {"j", "INV", {{"A", {1}}, {"Y", {3}}}, {}}});
  modules["top"] = design(7, {{"clk", true, {6}}, {"a", true, {0}}, {"y", false, {3, 4, 2, 5}}},
                          {{"p", "pass", {{"a", {0}}, {"y", {1}}, {"z", {2}}}, {}},
                           {"u", "unit", {{"a", {1}}, {"y", {3, 4}}}, {}},
                           {"v", "unit", {{"a", {2}}, {"b", {3}}, {"y", {5}}}, {}}});
  const Netlist flat = flatten(modules, "top");
  REQUIRE(flat.instances.size() == 4);
  REQUIRE(flat.instances[0].name == "u.i");
  REQUIRE(flat.port("y").nets[2] == kOne);
  Bench bench(flat);
  for (const unsigned a : {0u, 1u, 0u}) {
    bench.set("a", a);
    REQUIRE(bench.get("y") == ((a ^ 1) | 2 | 4));  // y1: b is open, read as 0; y3: INV of 1
  }
  // The same design as JSON and back
  const auto path = std::filesystem::temp_directory_path() /
                    ("solfege-netlist-" + std::to_string(std::random_device()()) + ".json");
  std::ofstream(path) << netlist_json(modules);
  const auto read = read_netlist_modules(path.string());
  REQUIRE(read.size() == 3);
  const Netlist again = flatten(read, "top");
  REQUIRE(again.instances.size() == flat.instances.size());
  Bench second(again);
  second.set("a", 1);
  REQUIRE(second.get("y") == 6);
  std::ofstream(path) << "{\"modules\": [";
  REQUIRE_THROWS_AS(read_netlist_modules(path.string()), InputError);
  std::filesystem::remove(path);
  // and as Verilog
  const std::string verilog = netlist_verilog(modules);
  REQUIRE_THAT(verilog, Contains("module top ("));
  REQUIRE_THAT(verilog, Contains("INV ") && Contains("unit u (") && Contains("unit v ("));
}
