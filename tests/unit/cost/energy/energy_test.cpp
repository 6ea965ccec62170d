// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "cost/energy/energy_model.hpp"
#include "model/base/error.hpp"
#include "model/spec/window.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

Operation operation(const Descriptor& d, const std::string& pass) {
  Operation o;
  o.descriptor = d;
  o.layer = "fc";
  o.pass = pass;
  return o;
}

const EnergyLine& find(const EnergyReport& report, const std::string& name) {
  for (const EnergyLine& line : report.actions)
    if (line.name == name) return line;
  FAIL("no action " << name);
  throw std::logic_error("unreachable");
}

Config small() {
  Config c;
  c.rows = c.columns = 2;
  c.planes = 1;
  c.lanes = 16;
  c.accumulator_bits = 32;
  c.max_contraction = 16;
  c.row_buffer_depth = c.column_buffer_depth = 1024;  // memories of 8 KB
  c.bus_bytes = 8;
  c.stream_lanes = 1;
  c.validate("small");
  return c;
}

/// 3 words, 2 x 4 planes, one tap, one tile: 24 word operations.
Descriptor gemm() {
  Descriptor d;
  d.opcode = Opcode::kGemm;
  d.row_planes = 2;
  d.column_planes = 4;
  d.words = 3;
  d.column_groups = d.tile_y_count = d.tile_x_count = d.tap_y_count = d.tap_x_count = 1;
  d.window_height = d.window_width = d.stride_y = d.stride_x = 1;
  d.drain = 1;
  return d;
}

TEST_CASE("a GEMM's actions and energy are those counted by hand", "[energy]") {
  Program program;
  program.operations.push_back(operation(gemm(), "forward"));
  const EnergyReport r = price(small(), {program});
  CHECK(find(r, "bit product and its adder").count == 24 * 4 * 16);
  CHECK(find(r, "bit product of the sums of codes").count ==
        (24 / 4 * 2 + 24 / 2 * 2 + 24 / 8) * 16);
  CHECK(find(r, "low sum update").count == 24 * 4);
  CHECK(find(r, "low sum update").bits == 12);       // 128 words of 16
  CHECK(find(r, "high sum update").count == 5 * 9);  // weights 1 to 16, of 3 x 3 elements
  CHECK(find(r, "affine correction of a drained sum").count == 4);
  CHECK(find(r, "row buffer word read").count == 24);
  CHECK(find(r, "row buffer word read").bits == 32);
  // 2160 x .2/64 + 96 low sums + (45 + 4) x .1 + 48 x 10 x 32/64
  CHECK(r.on_chip_pj == Approx(6.75 + 96 * add_energy(12).energy_pj + 4.9 + 240));
  CHECK(r.dram_pj == 0);
  REQUIRE(r.units.size() == 3);
  CHECK(r.units[0].on_chip_pj == Approx(6.75));
  REQUIRE(r.passes.size() == 1);
  CHECK(r.passes[0].name == "fc");
  CHECK(r.passes[0].on_chip_pj == Approx(r.on_chip_pj));
}

TEST_CASE("padding's taps are not priced", "[energy]") {
  Descriptor d = gemm();
  d.tap_x_count = 3;  // one pixel wide, padding 1: one of three taps is inside
  d.tap_y_count = 3;
  set_origin(d, -1, -1);
  Program program;
  program.operations.push_back(operation(d, "forward"));
  CHECK(find(price(small(), {program}), "row buffer word read").count == 24);
}

TEST_CASE("a stochastic pass pays for its random bits, a load for its bytes", "[energy]") {
  Descriptor s;
  s.opcode = Opcode::kStream;
  s.count0 = kBlockElements;
  s.count1 = s.count2 = s.count3 = s.count4 = s.count5 = 1;
  s.channels = s.samples = kBlock;
  s.x_type = ElementType::kSigned16;
  s.pack_enable = 1;
  s.pack_pixel_stride = 4;
  s.pack_plane_stride = 1;
  s.pack_group_stride = 4 * 2 * 16 / 8;
  s.pack_planes = s.quantizer_bits = 4;
  s.quantizer = Quantizer::kStochastic;
  Descriptor l;
  l.opcode = Opcode::kLoad;
  l.load_words = 6;
  Program program;
  program.operations = {operation(l, "forward"), operation(s, "backward")};
  const EnergyReport r = price(small(), {program});
  CHECK(find(r, "random bit").count == kBlockElements * 16);
  CHECK(find(r, "stochastic rounding: division step").count == kBlockElements * 4);
  CHECK(find(r, "row buffer word write").count == 6);
  REQUIRE(r.passes.size() == 2);
  // 6 words of 4 bytes are 3 beats; 256 elements of 2 bytes are read, 4 bits of each written.
  CHECK(r.passes[0].dram_pj == Approx(3 * dram_energy(64, "LPDDR4").energy_pj));
  CHECK(r.passes[1].dram_pj == Approx((64 + 16) * dram_energy(64, "LPDDR4").energy_pj));
  double sum = 0;
  for (const EnergyLine& line : r.actions) sum += line.total_pj();
  CHECK(sum == Approx(r.on_chip_pj + r.dram_pj));
}

TEST_CASE("every figure states node, source and tier, and nodes do not mix", "[energy]") {
  CHECK(add_energy(32).tier == "published");
  CHECK(add_energy(24).energy_pj == Approx(0.075));
  CHECK(add_energy(24).tier == "derived");
  CHECK(multiply_energy(8, 8).energy_pj == Approx(0.2));
  CHECK(multiply_energy(2, 4).energy_pj == Approx(0.025));
  CHECK(sram_energy(64, 32768).tier == "published");
  CHECK(sram_energy(64, 16384).energy_pj == Approx(15));
  CHECK(dram_energy(64, "HBM2").energy_pj == Approx(249.6));
  require_error<InputError>([] { dram_energy(1, "DDR9"); }, {"DDR9", "LPDDR4", "choose"});
  Program program;
  program.operations.push_back(operation(gemm(), "forward"));
  for (const EnergyLine& line : price(small(), {program}).actions) {
    CHECK(line.figure.node_nm == 45);
    CHECK_THAT(line.figure.source, Catch::Contains("Horowitz"));
  }
}

TEST_CASE("a wider multiplication costs more both ways", "[energy]") {
  Config c = small();
  c.weight_bits = 1;
  c.activation_bits = 2;
  c.gradient_bits = 4;
  const EnergyReport r = price(c, {});
  REQUIRE(r.macs.size() == 3);
  CHECK(r.macs[0].bit_serial_pj == Approx(2 * (0.2 / 64 + 0.1 / 16)));
  CHECK(r.macs[0].bit_parallel_pj == Approx(0.2 / 32 + 0.1));
  CHECK(r.macs[2].bit_serial_pj == Approx(4 * r.macs[0].bit_serial_pj));
}

}  // namespace
}  // namespace solfege
