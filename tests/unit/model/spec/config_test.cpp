// SPDX-License-Identifier: Apache-2.0
#include "model/spec/config.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "model/base/error.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

/// Loads `text` and requires an InputError that names the file and contains `parts`.
void require_refused(const std::string& text, std::vector<std::string> parts) {
  const Scratch scratch;
  const std::string path = scratch.write("bad.toml", text);
  INFO(text);
  parts.push_back(path);
  require_error<InputError>([&] { Config::load(path); }, parts);
}

Config load_text(const std::string& text) {
  const Scratch scratch;
  return Config::load(scratch.write("some.toml", text));
}

TEST_CASE("shipped configurations are valid and distinct", "[config]") {
  std::vector<std::string> hashes;
  for (const char* name : {"w1a2g4", "w1a2g4_x64", "w1a2g6", "w2a4g8", "w8a8g8", "tiny"}) {
    INFO(name);
    const Config config = Config::load(fmt::format("{}/configs/{}.toml", SOLFEGE_SOURCE_DIR, name));
    CHECK(config.name == name);
    CHECK(config.hash().size() == 16);
    CHECK(std::find(hashes.begin(), hashes.end(), config.hash()) == hashes.end());
    hashes.push_back(config.hash());
  }
}

TEST_CASE("an empty file is the default machine, and w1a2g4 spells it out", "[config]") {
  const Config empty = load_text("");
  CHECK(empty.canonical() == Config().canonical());
  const Config spelled = Config::load(SOLFEGE_SOURCE_DIR "/configs/w1a2g4.toml");
  CHECK(spelled.canonical() == empty.canonical());
  CHECK(spelled.hash() == empty.hash());  // the name is only a label
  CHECK(spelled.name != empty.name);
}

TEST_CASE("every key reaches its field and the hash", "[config]") {
  const Config config = load_text(R"(
[bits]
weight = 2
activation = 3
gradient = 5
edge = 7
wide = 25
[array]
rows = 8
columns = 32
planes = 1
lanes = 128
accumulator_bits = 47
max_contraction = 5000
row_buffer_depth = 1024
column_buffer_depth = 512
buffer_bank_depth = 256
[stream]
lanes = 8
stored_bits = 16
table_channels = 64
threshold_channels = 32
sum_tiles = 8
max_batch = 128
[random]
bits = 12
seed = 9223372036854775807
[memory]
bus_bytes = 32
descriptor_queue_depth = 8
)");
  CHECK(config.canonical() ==
        "bits.weight = 2\nbits.activation = 3\nbits.gradient = 5\nbits.edge = 7\nbits.wide = 25\n"
        "array.rows = 8\narray.columns = 32\narray.planes = 1\narray.lanes = 128\n"
        "array.accumulator_bits = 47\narray.max_contraction = 5000\narray.row_buffer_depth = 1024\n"
        "array.column_buffer_depth = 512\narray.buffer_bank_depth = 256\nstream.lanes = "
        "8\nstream.stored_bits = 16\n"
        "stream.table_channels = 64\nstream.threshold_channels = 32\nstream.sum_tiles = "
        "8\nstream.max_batch = 128\n"
        "random.bits = 12\nrandom.seed = 9223372036854775807\nmemory.bus_bytes = 32\n"
        "memory.descriptor_queue_depth = 8\n");
  CHECK(config.weight_bits == 2);
  CHECK(config.columns == 32);
  CHECK(config.stream_lanes == 8);
  CHECK(config.random_seed == 9223372036854775807u);
  CHECK(config.descriptor_queue_depth == 8);
  Config other = config;
  other.random_seed = 2;
  CHECK(other.hash() != config.hash());
}

TEST_CASE("the hash is XXH64 of the canonical text", "[config]") {
  // Caches are keyed by it: a change here changes every key. Computed apart from libxxhash.
  CHECK(Config().hash() == "b5bc870d07bdc112");
}

TEST_CASE("bitwidths are 1 to 8", "[config]") {
  for (const char* key : {"weight", "activation", "gradient", "edge"}) {
    const std::string name = fmt::format("bits.{}", key);
    require_refused(fmt::format("[bits]\n{} = 0\n", key), {name + " = 0", "1 to 8", "set " + name});
    require_refused(fmt::format("[bits]\n{} = 9\n", key), {name + " = 9", "1 to 8", name + " = 8"});
    CHECK_NOTHROW(load_text(fmt::format("[bits]\n{} = 1\n", key)));
    CHECK_NOTHROW(load_text(fmt::format("[bits]\n{} = 8\n", key)));
  }
}

TEST_CASE("values outside their range are refused, with the nearest allowed", "[config]") {
  require_refused("[array]\nrows = 24\n",
                  {"array.rows = 24", "powers of two from 2 to 64", "set array.rows = 16"});
  require_refused("[array]\nlanes = 512\n", {"array.lanes = 512", "set array.lanes = 256"});
  require_refused("[array]\nlanes = 8\n", {"array.lanes = 8", "16 to 256", "set array.lanes = 16"});
  require_refused("[array]\nrow_buffer_depth = 1000\n",
                  {"array.row_buffer_depth", "powers of two", "set array.row_buffer_depth = 512"});
  require_refused("[array]\ncolumn_buffer_depth = 32\n",
                  {"array.column_buffer_depth", "powers of two", "= 64"});
  require_refused("[array]\naccumulator_bits = 49\n", {"array.accumulator_bits = 49", "16 to 48"});
  require_refused("[stream]\nstored_bits = 24\n", {"stream.stored_bits = 24", "16 to 32"});
  require_refused("[random]\nbits = 17\n", {"random.bits = 17", "4 to 16"});
  require_refused("[random]\nseed = 0\n", {"random.seed = 0", "LFSR", "set random.seed = 1"});
  require_refused("[random]\nseed = -5\n", {"random.seed = -5"});
  // Would fit after truncation to 32 bits.
  require_refused("[bits]\nweight = 4294967297\n", {"bits.weight = 4294967297", "1 to 8"});
}

TEST_CASE("unknown sections and keys are refused, with the known ones", "[config]") {
  require_refused("[bits]\nwieght = 1\n", {":2:", "bits.wieght", "unknown key", "weight"});
  require_refused("[byts]\nweight = 1\n", {"byts", "unknown section", "[bits]", "[memory]"});
  require_refused("weight = 1\n", {"weight = 1", "unknown section"});
}

TEST_CASE("wrong types are refused", "[config]") {
  require_refused("[bits]\nweight = \"two\"\n", {"bits.weight", "a string", "1 to 8"});
  require_refused("[bits]\nweight = \"\"\"\ntwo\"\"\"\n", {"bits.weight", "a string"});
  require_refused("[bits]\nweight = 2.0\n", {"bits.weight = 2.0", "floating-point"});
  require_refused("[bits]\nweight = true\n", {"bits.weight = true", "boolean"});
  require_refused("[bits]\nweight = [1]\n", {"bits.weight", "an array"});
  require_refused("bits = 3\n", {"bits = 3", "not a section", "write [bits]"});
  require_refused("[[bits]]\nweight = 1\n", {"bits", "not a section"});
}

TEST_CASE("files that are not TOML or not there are refused", "[config]") {
  require_refused("[bits\nweight = 1\n", {":1:", "not valid TOML"});
  require_refused("[bits]\nweight = 1\nweight = 2\n", {"not valid TOML", "weight"});
  const Scratch scratch;
  const std::string missing = scratch.path("missing.toml");
  require_error<InputError>([&] { Config::load(missing); }, {missing, "no such file"});
  require_error<InputError>([&] { Config::load(scratch.path()); }, {scratch.path(), "a folder"});
}

TEST_CASE("accumulators must hold the longest contraction", "[config]") {
  // sign + log2(65536) + two codes of the edge layers
  CHECK(Config().required_accumulator_bits() == 1 + 16 + 8 + 8);
  Config config;
  config.max_contraction = 65537;
  CHECK(config.required_accumulator_bits() == 34);
  config.max_contraction = 65535;
  CHECK(config.required_accumulator_bits() == 33);

  require_refused("[array]\naccumulator_bits = 32\n",
                  {"array.accumulator_bits = 32", "accumulator too narrow", "need 33 bits, has 32",
                   "set array.accumulator_bits = 33", "or array.max_contraction = 32768"});
  // Both ways to mend it do.
  CHECK_NOTHROW(load_text("[array]\naccumulator_bits = 32\nmax_contraction = 32768\n"));
  CHECK_NOTHROW(load_text("[array]\naccumulator_bits = 33\n"));
  require_refused("[array]\naccumulator_bits = 16\n",
                  {"accumulator too narrow", "set array.accumulator_bits = 33"});
}

TEST_CASE("a wide operand holds a scaled gradient", "[config]") {
  require_refused("[bits]\nwide = 23\n", {"bits.wide = 23", "24 to 32", "set bits.wide = 24"});
  CHECK_NOTHROW(load_text("[bits]\nwide = 22\nedge = 6\n"));
  require_refused("[stream]\nstored_bits = 32\n", {"bits.wide = 24", "set bits.wide = 32"});
  CHECK_NOTHROW(
      load_text("[bits]\nwide = 32\n[stream]\nstored_bits = 32\n[array]\nmax_contraction = 256\n"));
}

TEST_CASE("stream lanes fit the array, the tables and the bus", "[config]") {
  require_refused("[array]\ncolumns = 8\n",
                  {"stream.lanes = 16", "min(array.columns, array.lanes) = 8"});
  require_refused("[stream]\ntable_channels = 8\n",
                  {"stream.table_channels = 8", "powers of two from 16 to 8192",
                   "set stream.table_channels = 16"});
  require_refused("[stream]\nthreshold_channels = 4\n",
                  {"stream.threshold_channels = 4", "set stream.threshold_channels = 16"});
  require_refused("[memory]\nbus_bytes = 32\n",
                  {"memory.bus_bytes = 32", "4 * stream.lanes = 64", "set memory.bus_bytes = 64"});
  require_refused("[memory]\nbus_bytes = 8\n",
                  {"memory.bus_bytes = 8", "powers of two from 4 * stream.lanes = 64 to 64"});
  require_refused("[array]\nlanes = 256\n[stream]\nlanes = 2\n[memory]\nbus_bytes = 16\n",
                  {"array.lanes = 256", "from 16 to 8 * memory.bus_bytes = 128", "= 128 or"});
}

TEST_CASE("a beat may hold several operand words", "[config]") {
  CHECK_NOTHROW(load_text("[array]\nlanes = 16\n"));  // 32 bytes on a bus of 64
  CHECK_NOTHROW(load_text("[array]\nrows = 2\nlanes = 16\n"));
  CHECK_NOTHROW(load_text("[array]\nrows = 64\ncolumns = 2\nlanes = 16\n[stream]\nlanes = 2\n"));
}

TEST_CASE("validate checks a configuration built by hand, under the given name", "[config]") {
  Config config;
  CHECK_NOTHROW(config.validate("hand"));
  config.lanes = 48;
  require_error<InputError>([&] { config.validate("hand"); }, {"hand: array.lanes = 48"});
}

}  // namespace
}  // namespace solfege
