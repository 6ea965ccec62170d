// SPDX-License-Identifier: Apache-2.0
// The descriptor's contract: encoding and decoding of every field, and what the lists derive.
#include "model/spec/descriptor.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>

#include "gen/generator.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/registers.hpp"

using namespace solfege;

namespace {

/// Every field of the opcode with random bits of its width; `fields` counts them.
Descriptor random_descriptor(Opcode opcode, std::mt19937& random, int* fields) {
  Descriptor d;
  *fields = 0;
#define SF_FILL(name, word, lsb, width, Type)                                         \
  d.name = static_cast<Type>(static_cast<std::uint32_t>(random()) >> (32 - (width))); \
  ++*fields;
  SOLFEGE_COMMON_FIELDS(SF_FILL)
  switch (opcode) {
    case Opcode::kLoad:
      SOLFEGE_LOAD_FIELDS(SF_FILL)
      break;
    case Opcode::kGemm:
      SOLFEGE_GEMM_FIELDS(SF_FILL)
      break;
    case Opcode::kStream:
      SOLFEGE_STREAM_FIELDS(SF_FILL)
      break;
    case Opcode::kTranspose:
    case Opcode::kUnfold:
      SOLFEGE_TURN_FIELDS(SF_FILL)
      break;
  }
#undef SF_FILL
  d.opcode = opcode;
  return d;
}

/// Names of fields that differ.
std::set<std::string> differences(const Descriptor& a, const Descriptor& b) {
  std::set<std::string> names;
#define SF_COMPARE(name, word, lsb, width, Type) \
  if (a.name != b.name) names.insert(#name);
  SOLFEGE_DESCRIPTOR_FIELDS(SF_COMPARE)
#undef SF_COMPARE
  return names;
}

/// The value of a localparam of the generated header, or "" where it has none.
std::string constant(const std::string& header, const std::string& name) {
  const auto at = header.find(" " + name + " = ");
  if (at == std::string::npos) return "";
  const auto from = header.find("= ", at) + 2;
  return header.substr(from, header.find(';', from) - from);
}

}  // namespace

TEST_CASE("a descriptor is decoded as it was encoded", "[descriptor]") {
  const auto seed = Catch::rngSeed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 200; ++i)
    for (const Opcode opcode :
         {Opcode::kLoad, Opcode::kGemm, Opcode::kStream, Opcode::kTranspose, Opcode::kUnfold}) {
      int fields = 0;
      const Descriptor d = random_descriptor(opcode, random, &fields);
      CAPTURE(name(opcode), fields);
      REQUIRE(fields > 6);
      REQUIRE(d.overflow().empty());
      auto words = d.encode();
      CHECK(differences(d, Descriptor::decode(words)).empty());
      // Known bad: one bit is another
      const DescriptorField& tag = descriptor_fields()[3];
      REQUIRE(std::string(tag.name) == "tag");
      words[static_cast<std::size_t>(tag.word)] ^= 1u << tag.lsb;
      CHECK(differences(d, Descriptor::decode(words)) == std::set<std::string>{"tag"});
    }
}

TEST_CASE("what a field's bits cannot hold is no descriptor", "[descriptor]") {
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.count0 = 65536;
  CHECK(d.overflow() == "count0 = 65536 of at most 65535");
  CHECK_THROWS_AS(d.encode(), std::logic_error);
  d.count0 = 1;
  d.table = static_cast<Table>(32);
  CHECK(d.overflow() == "table = 32 of at most 31");
  d.table = Table::kSample;
  CHECK(d.overflow().empty());
  d.z_enable = true;
  d.load_address = 8;  // of another opcode, and in the bit of z_enable
  CHECK_THROWS_AS(d.encode(), std::logic_error);
}

TEST_CASE("two readings give the four scalars of their products", "[descriptor]") {
  Descriptor d;
  d.read_operands(bipolar_codes(8), {false, 1, -200});  // 2c - 255 times c' - 200
  AffineProduct affine = d.affine();
  CHECK(affine.shift == 1);
  CHECK(affine.row == -400);
  CHECK(affine.column == -255);
  CHECK(affine.lanes == 255 * 200);
  for (int c : {0, 255})
    for (int other : {0, 7})
      CHECK((2 * c - 255) * (other - 200) ==
            2 * c * other + affine.row * c + affine.column * other + affine.lanes);
  d.read_operands(kSignedCodes, kUnsignedCodes);
  affine = d.affine();
  CHECK((d.row_signed && !d.column_signed));
  CHECK((affine.shift == 0 && affine.row == 0 && affine.column == 0 && affine.lanes == 0));
  CHECK_THROWS_AS(d.read_operands(bipolar_codes(12), kUnsignedCodes), std::logic_error);
  CHECK_THROWS_AS(d.read_operands({false, 3, 0}, kUnsignedCodes), std::logic_error);
}

TEST_CASE("an engine's queue keeps the words that have fields of its opcodes", "[descriptor]") {
  for (const DescriptorField& field : descriptor_fields()) CHECK(field.word < field_words());
  CHECK(field_words() == field_words(Engine::kStream));
  CHECK(field_words() <= kDescriptorWords);
  CHECK(field_words(Engine::kDma) == 5);  // load_words is in word 4
}

TEST_CASE("enumerations answer for their values only", "[descriptor]") {
  CHECK(is_valid(Quantizer::kStochasticScaled));
  CHECK_FALSE(is_valid(static_cast<Quantizer>(4)));
  CHECK_FALSE(is_valid(static_cast<Opcode>(0)));
  CHECK(std::string(name(Quantizer::kStochastic)) == "STOCHASTIC");
  CHECK(std::string(name(static_cast<Table>(7))) == "?");
  CHECK(traits(ElementType::kTagged).bytes == 4);
  CHECK(traits(static_cast<Destination>(7)).bytes == 0);
  for (const Quantizer one : {Quantizer::kStochastic, Quantizer::kStochasticScaled}) {
    Descriptor d;
    CHECK_FALSE(d.draws());
    d.quantizer = one;
    CHECK(d.draws());
  }
}

TEST_CASE("the Verilog header says what the lists say", "[descriptor]") {
  const std::string header = generate_files(Config()).at("sf_descriptor.vh");
  for (const Enumeration& enumeration : enumerations())
    for (const EnumerationMember& member : enumeration.members) {
      const std::string name = std::string(enumeration.prefix) + "_" + member.name;
      CAPTURE(name);
      CHECK(constant(header, name) ==
            std::to_string(enumeration.bits) + "'d" + std::to_string(member.value));
      CHECK(member.value < 1u << enumeration.bits);
    }
  CHECK(constant(header, "QUANTIZER_STOCHASTIC_SCALED") == "4'd3");
  CHECK(constant(header, "F_QUANTIZER") == std::to_string(32 * 32 + 24));
  CHECK(constant(header, "STATUS_TAG") == "16");
  CHECK(constant(header, "ADDRESS_WRITE_BEATS") == "12'd144");
  CHECK(constant(header, "QUANTIZER_OF_NOTHING").empty());
}

TEST_CASE("the status register is read by its fields", "[registers]") {
  const Status status = Status::decode(0xabcd0234);
  CHECK((status.busy == 0 && status.done == 0 && status.error == 1));
  CHECK((status.engine == 3 && status.code == 2 && status.tag == 0xabcd));
  CHECK(std::string(engine_name(status.engine)) == "turner");
  CHECK(std::string(engine_name(kFetch)) == "descriptor fetch");
  CHECK(std::string(error_name(0)) == "unknown");
}

TEST_CASE("geometry of a machine whose beats hold several words", "[geometry]") {
  Config config;
  config.rows = 4;
  config.columns = 32;
  config.lanes = 16;
  config.stream_lanes = 8;
  config.bus_bytes = 64;
  const Geometry g(config);
  CHECK((g.rows.word_bytes == 8 && g.rows.unit_bytes == 8 && g.rows.beat_words == 8));
  CHECK((g.rows.beat_members == 4 && g.rows.turned_members == 4));
  CHECK((g.columns.word_bytes == 64 && g.columns.unit_bytes == 64 && g.columns.beat_words == 1));
  // A beat has 32 words of 16 lanes, but the turner's square only 16 rows; 32 squares make a bank.
  CHECK((g.columns.beat_members == 32 && g.columns.turned_members == 16));
  CHECK((g.rows.unfold_samples == 4 && g.columns.unfold_samples == 32));
  CHECK((g.rows.unfold_slices == 8 && g.columns.unfold_slices == 1));
  CHECK((g.elements == 128 && g.tile_chunks == 16 && g.column_chunks == 4));
  CHECK((g.drain_rows == 4 && g.drain_blocks == 1));
  CHECK((g.block_row_chunks == 2 && g.block_chunks == 32 && g.chunks(17) == 4));
  CHECK((g.table_rows == 64 && g.threshold_rows == 64 && g.sample_rows == 32));
  CHECK((g.lane_bytes == 2 && g.lane_blocks == 1 && g.beat_bits == 512));
  CHECK(&g.side(true) == &g.columns);
}
