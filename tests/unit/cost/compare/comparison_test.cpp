// SPDX-License-Identifier: Apache-2.0
// The comparison's arithmetic against sums made by hand, its stimulus against integer products, and
// the whole on osu018 against relations that any correct run keeps.
#include "cost/compare/comparison.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <iostream>

#include "cost/compare/serial_drive.hpp"
#include "cost/eda/liberty_reader.hpp"
#include "cost/energy/units.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "gen/generator.hpp"
#include "model/base/error.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

/// Numbers chosen so that every part shows as a decimal of its own.
DatapathMeasurement planes() {
  DatapathMeasurement m;
  m.name = "planes";
  m.element_um2 = 800;
  m.row_register_um2 = 40;
  m.column_register_um2 = 80;
  m.extra_elements = true;
  m.critical_path_ns = 2;
  m.tier = "netlist";
  m.node_nm = 130;
  PassEnergy p;
  p.name = "forward";
  p.macs = 3;
  p.macs_per_cycle = 8;  // 16 lanes, 1 x 2 planes
  p.element = {16, 32};
  p.row_sum = {8, 16};
  p.column_sum = {4, 8};
  p.row_register = {2, 2};
  p.column_register = {1, 1};
  p.row_bits = p.column_bits = 16;
  m.passes.push_back(p);
  p.name = "backward_input";
  p.macs = 1;
  p.macs_per_cycle = 4;
  m.passes.push_back(p);
  return m;
}

TEST_CASE("an element's energy and area have its share of what rows and columns have in common",
          "[comparison]") {
  const ArrayShape shape{4, 2};  // a row is shared by 2 elements, a column by 4
  const DatapathMeasurement m = planes();
  // 16 + 2/2 + 1/4 + 8 (1/2 + 1/8) + 4/4 = 23.25 a cycle
  const EnergyInterval first = pass_pj_per_mac(m, m.passes[0], shape);
  CHECK(first.zero_pj == Approx(23.25 / 8));
  CHECK(first.timed_pj == Approx((32 + 1 + .25 + 10 + 2) / 8));
  const DatapathCost c = datapath_cost(m, shape);
  CHECK(c.pj_per_mac.zero_pj == Approx((3 * 23.25 / 8 + 23.25 / 4) / 4));
  // 800 (1 + 7/8) + 40/2 + 80/4 = 1540 um2; 1/8 MAC a cycle weighs 3, 1/4 weighs 1
  CHECK(c.um2_per_mac_per_cycle == Approx(1540 * (3. / 8 + 1. / 4) / 4));
  CHECK(c.passes.size() == 2);
  CHECK(!c.with_memory_pj);

  DatapathMeasurement parallel = m;
  parallel.extra_elements = false;
  CHECK(pass_pj_per_mac(parallel, m.passes[0], shape).zero_pj == Approx(17.25 / 8));
}

TEST_CASE("operand fetch is shared by the elements of a row and of a column", "[comparison]") {
  const ArrayShape shape{4, 2};
  const DatapathMeasurement m = planes();
  FetchCost fetch;
  fetch.row_pj_per_bit = 1;
  fetch.column_pj_per_bit = 2;
  fetch.um2 = 8000;
  fetch.node_nm = 130;
  const DatapathCost c = datapath_cost(m, shape, &fetch);
  // 16 bits of a row for 2 elements, 16 of a column for 4: 8 + 8 pJ a cycle
  const double fetched = (3 * 16. / 8 + 16. / 4) / 4;
  CHECK(c.with_memory_pj->zero_pj == Approx(c.pj_per_mac.zero_pj + fetched));
  CHECK(c.with_memory_pj->timed_pj == Approx(c.pj_per_mac.timed_pj + fetched));
  CHECK(*c.with_memory_um2 == Approx(2540 * (3. / 8 + 1. / 4) / 4));
  fetch.node_nm = 22;
  require_error<InputError>([&] { datapath_cost(m, shape, &fetch); },
                            {"planes (130 nm)", "22 nm", "cannot be added"});

  const FetchCost sram = fetch_cost(MemoryTechnology("ihp130"), 2048, 256, 2048, 128);
  CHECK(sram.row_pj_per_bit == Approx(122.394 / 64));
  CHECK(sram.column_pj_per_bit == Approx(122.394 / 64));
  CHECK(sram.um2 == Approx(6 * 491633.6));
  CHECK(sram.node_nm == 130);
}

TEST_CASE("bit planes lose to what takes their operands for less", "[comparison]") {
  const auto row = [](const char* name, bool planes, int bits, double pj, const char* operands) {
    DatapathCost c;
    c.name = name;
    c.is_bit_planes = planes;
    c.operand_bits = bits;
    c.pj_per_mac.gated_pj = pj;
    c.operands = operands;
    c.node_nm = 130;
    return c;
  };
  std::vector<DatapathCost> rows = {
      row("planes", true, 4, 1, "step"),    row("narrow", false, 2, .5, "step"),
      row("wide", false, 8, .9, "step"),    row("dear", false, 4, 1.1, "step"),
      row("bare", false, 0, .1, "step"),    row("other", false, 4, .5, "4 x 4"),
      row("planes 4", true, 4, .4, "4 x 4")};
  find_losses(&rows);
  CHECK(rows[0].loses_to == std::vector<std::string>{"wide"});
  CHECK(rows[2].loses_to.empty());
  CHECK(rows[6].loses_to.empty());
}

TEST_CASE("the break-even bitwidth lies where both cost the same", "[comparison]") {
  BreakEven e;
  e.serial_name = "planes";
  e.parallel_name = "multiplier";
  e.first_bits = 2;
  e.serial = {4, 9, 16, 25};     // b^2
  e.parallel = {8, 12, 16, 20};  // 4 b: the same at 4 bits
  REQUIRE(e.bits());
  CHECK(*e.bits() == Approx(4));
  CHECK(e.verdict() == "planes cheaper at 2, 3, 4 of 2 to 5 bits");
  e.parallel = {8, 10, 12, 14};  // crosses between 3 and 4
  CHECK(*e.bits() == Approx(3 + std::log(10. / 9) / (std::log(10. / 9) + std::log(16. / 12))));
  CHECK(e.verdict() == "planes cheaper up to 3.3 bits");
  e.parallel = {1, 1, 1, 1};
  CHECK(!e.bits());
  CHECK(e.verdict() == "multiplier cheaper at all of 2 to 5 bits");
  e.parallel = {100, 100, 100, 100};
  CHECK(!e.bits());
  CHECK(e.verdict() == "planes cheaper at all of 2 to 5 bits");
  e.parallel = {1, 10, 20, 30};  // the other way round
  CHECK(!e.bits());
  CHECK(e.verdict() == "planes cheaper at 3, 4, 5 of 2 to 5 bits");
}

TEST_CASE("codes are those of the paper's quantizers", "[comparison]") {
  CHECK(activation_codes({-1, 0, .16f, .17f, .5f, 1, 2}, 2).codes ==
        std::vector<std::uint32_t>{0, 0, 0, 1, 2, 3, 3});
  CHECK(weight_codes({-.1f, 0, .1f}, 1).codes == std::vector<std::uint32_t>{0, 1, 1});
  CHECK(weight_codes({-1, 0, 1}, 2).codes == std::vector<std::uint32_t>{0, 2, 3});
  CHECK(weight_codes({0, 0}, 2).codes == std::vector<std::uint32_t>{2, 2});
  // f_G has no bias: the mean code of many draws is the value.
  const PlaneOperand g = gradient_codes(std::vector<float>(20000, .3f), 4, 5);
  CHECK(g.codes.front() == 15);  // its own maximum
  std::vector<float> mixed(20000, .3f);
  mixed.push_back(1);
  double mean = 0;
  const PlaneOperand h = gradient_codes(mixed, 4, 5);
  for (std::size_t i = 0; i + 1 < h.codes.size(); ++i) mean += h.codes[i] / 20000.;
  CHECK(mean == Approx(15 * 1.3 / 2).margin(.02));
  CHECK(uniform_codes(3).codes.size() == 8);
}

TEST_CASE("the stimulus makes the element sum the integer product", "[comparison]") {
  static const Scratch cache;
  const LibertyLibrary library = read_liberty(kDefaultLiberty);
  for (const int planes : {1, 2}) {
    SerialDrive drive;
    drive.config.planes = planes;
    drive.config.accumulator_bits = 24;
    drive.contraction = 80;
    drive.cycles = 200;
    drive.rows = 7;
    const std::string rtl = cache.path("rtl" + std::to_string(planes));
    generate(drive.config, rtl);
    const MappedUnit unit =
        map_unit(cost_unit("pe", drive.config, rtl).design, kDefaultLiberty, cache.path());
    GateSimulation simulation(unit.netlist, library, "clk_i");
    const PlaneOperand row = uniform_codes(3), column = uniform_codes(2);
    // 5 words of 3 x 2 planes a sum
    const std::size_t groups = planes == 1 ? 3 : 2, sum_cycles = 5 * groups * 2;
    CHECK(pair_count(row, column, drive.config) == groups * 2);
    for (const Element element : {Element::kProduct, Element::kRowSum, Element::kColumnSum}) {
      const SerialVectors v = serial_vectors(row, column, element, drive);
      const GateRun run = simulation.run(v.element, DelayModel::kZero);
      // What the words say, summed as the element is told to: low while one weight lasts, flushed
      // with its shift.
      std::int64_t low = 0, high = 0;
      std::size_t captures = 0;
      for (std::size_t c = 0; c + 1 < v.element.cycles(); ++c) {
        const auto in = [&](std::size_t port) { return v.element.get(c, port); };
        if (in(PePort::kCapture)) {
          CHECK(static_cast<std::int64_t>(run.outputs.get(c + 1, 0)) == high);
          ++captures;
        }
        if (in(PePort::kFlush))
          high = (in(PePort::kHighClear) ? 0 : high) + (low << in(PePort::kShift));
        if (in(PePort::kLowClear)) low = 0;
        for (int plane = 0; plane < planes; ++plane)
          low += std::int64_t{__builtin_popcountll(in(PePort::kRows) >> 16 * plane & 0xffff &
                                                   in(PePort::kColumn))}
                 << plane;
      }
      CHECK(captures == v.element.cycles() / sum_cycles - 1);  // the last is complete at the end
      CHECK(v.warm_up == sum_cycles + 1);
    }
    // The sums of codes: a mask for the other operand, in its plane 0 only
    const SerialVectors sums = serial_vectors(row, column, Element::kRowSum, drive);
    std::uint64_t whole = 0;
    for (std::size_t c = 0; c < sum_cycles; ++c) {
      const std::uint64_t mask = sums.element.get(c, PePort::kColumn);
      CHECK((mask == 0 || mask == 0xffff));
      whole += mask == 0xffff;
    }
    CHECK(whole == sum_cycles / 2);
  }
}

TEST_CASE("datapaths compared on osu018", "[comparison]") {
  const Scratch scratch;
  ComparisonOptions o;
  o.rtl = scratch.path("rtl");
  generate(o.config, o.rtl);
  o.bits = {{1, 1, 4}, {1, 2, 4}, {8, 8, 8}};
  o.cycles = 200;
  o.contraction = 64;
  o.largest_bits = 4;
  int calls = 0, total = 0;
  const Comparison c =
      compare_datapaths("", scratch.path(), o, [&](const std::string&, int done, int all) {
        CHECK(done == calls++);
        total = all;
      });
  CHECK(calls == total);
  CHECK(c.node_nm == 180);
  CHECK(c.voltage_v == 1.8);
  CHECK_THAT(c.yosys, Catch::StartsWith("Yosys"));
  const auto row = [&](const std::string& name) -> const DatapathCost& {
    for (const DatapathCost& r : c.rows)
      if (r.name == name) return r;
    throw std::logic_error("no row " + name);
  };
  const DatapathCost &w1a1 = row("(1, 1, 4) bit planes"), &w1a2 = row("(1, 2, 4) bit planes"),
                     &w8 = row("(8, 8, 8) bit planes"), &int8 = row("int8");
  for (const DatapathCost& r : c.rows) {
    INFO(r.name);
    CHECK(r.pj_per_mac.zero_pj > 0);
    CHECK(r.pj_per_mac.timed_pj >= r.pj_per_mac.zero_pj);
    CHECK((r.tier == "published" || r.node_nm == 180));
    CHECK(!r.with_memory_pj);
  }
  // The element is the same, so area goes with the operations, each of up to two row planes:
  // (1 + 2 + 2) / 3, (1 + 2 + 4) / 3, and 4 x 8.
  CHECK(w1a2.um2_per_mac_per_cycle / w1a1.um2_per_mac_per_cycle == Approx(7. / 5));
  CHECK(w8.um2_per_mac_per_cycle / w1a1.um2_per_mac_per_cycle == Approx(96. / 5));
  CHECK(w1a1.pj_per_mac.zero_pj < w1a2.pj_per_mac.zero_pj);
  CHECK(w1a2.pj_per_mac.zero_pj < int8.pj_per_mac.zero_pj);
  CHECK(w8.pj_per_mac.zero_pj > int8.pj_per_mac.zero_pj);  // bit planes lose at 8 bits
  CHECK(row("int16").pj_per_mac.zero_pj > int8.pj_per_mac.zero_pj);
  CHECK(row("int8 x 2").um2_per_mac_per_cycle < int8.um2_per_mac_per_cycle);
  CHECK(row("fp32, 45 nm").pj_per_mac.zero_pj == Approx(4.6));
  // Symmetric widths, beside the same widths of integers
  for (const char* name : {"2 x 2 bit planes", "4 x 4 bit planes", "8 x 8 bit planes"})
    CHECK(row(name).is_bit_planes);
  CHECK(row("4 x 4 bit planes").um2_per_mac_per_cycle /
            row("2 x 2 bit planes").um2_per_mac_per_cycle ==
        Approx(4));
  for (const char* name :
       {"int2 x 8", "int4 x 4", "int8 x 2", "int2 x 32", "int4 x 16", "int8 x 8"}) {
    INFO(name);
    // The tree that holds its sum is cheaper than the same with a product register.
    CHECK(row(std::string(name) + ", merged sum").pj_per_mac.gated_pj <
          row(name).pj_per_mac.gated_pj);
  }
  CHECK(row("4 x 4 bit planes").loses_to.size() > 0);
  const double bf16 = row("bf16, sum bf16, stochastic").pj_per_mac.gated_pj;
  const double fused = row("bf16 x 4, fused").pj_per_mac.gated_pj;
  CHECK(fused < bf16);
  CHECK(row("fp8 e4m3 x 8, fused").pj_per_mac.gated_pj < fused);
  REQUIRE(c.break_even.size() == 16);
  for (const BreakEven& e : c.break_even) CHECK(e.serial.size() == 3);
  const std::string text = comparison_text(c);
  std::cout << text;
  for (const char* part :
       {"(1, 2, 4) bit planes", "int8", "bf16", "published", "180 nm", "drawn: "})
    CHECK_THAT(text, Catch::Contains(part));

  // The memory's node must be the library's.
  o.memory = "cacti22";
  require_error<InputError>([&] { compare_datapaths("", scratch.path(), o); },
                            {"osu018_stdcells (180 nm)", "cacti22 (22 nm)", "cacti22@NODEnm"});
  o.memory = "ihp130@180nm,1.8V";
  o.bits = {{1, 2, 4}};
  o.largest_bits = 1;
  o.symmetric = {4};
  const Comparison with = compare_datapaths("", scratch.path(), o);
  CHECK_THAT(with.memory, Catch::Contains("SCALED on request"));
  for (const DatapathCost& r : with.rows) {
    INFO(r.name);
    if (r.tier == "published" || r.name == "int4 multiplier") continue;
    CHECK(r.with_memory_pj->zero_pj > r.pj_per_mac.zero_pj);
    CHECK(*r.with_memory_um2 > r.um2_per_mac_per_cycle);
  }
}

TEST_CASE("the node of a library is what its process' name says", "[comparison]") {
  CHECK(library_node_nm("osu018_stdcells") == 180);
  CHECK(library_node_nm("sky130_fd_sc_hd__tt_025C_1v80") == 130);
  CHECK(library_node_nm("sg13g2_stdcell_typ_1p20V_25C") == 130);
  CHECK(library_node_nm("asap7sc7p5t_RVT_TT_nldm_merged") == 7);
  CHECK(library_node_nm("NangateOpenCellLibrary") == 45);
  CHECK(library_node_nm("my_own") == 0);
}

}  // namespace
}  // namespace solfege
