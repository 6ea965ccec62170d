// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_stream.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <type_traits>

#include "model/spec/legality.hpp"

namespace solfege {
namespace {

bool possible(bool) { return true; }
template <typename Enum>
bool possible(Enum value) {
  return is_valid(value);
}

/// What a field of so many bits can be in a legal descriptor.
template <typename Type>
std::set<std::uint32_t> possible_values(int width) {
  std::set<std::uint32_t> all;
  for (std::uint32_t value = 0; value < 1u << width; ++value)
    if (possible(static_cast<Type>(value))) all.insert(value);
  return all;
}

}  // namespace

TEST_CASE("Random passes are legal, and take every value of every flag and enumeration",
          "[random_stream]") {
  Config c;
  c.rows = 8;
  c.columns = 32;
  c.stream_lanes = GENERATE(1, 4, 16);
  c.table_channels = c.threshold_channels = 64;
  c.max_batch = 64;
  c.activation_bits = 4;
  const std::uint64_t seed = test_seed(1);
  INFO("SOLFEGE_SEED=" << seed << ", stream lanes " << c.stream_lanes);
  SeededRandom random(seed);
  std::vector<std::uint8_t> memory(std::size_t{6} << 20);
  RandomStream streams(c, random, memory, 0);
  std::map<std::string, std::set<std::uint32_t>> seen;  // by field
  for (int i = 0; i < 600; ++i) {
    const auto passes =
        random.chance(60)
            ? streams.from_memory()
            : streams.from_array(random.between(1, 2), random.between(1, 3), random.between(1, 2));
    for (const Descriptor& d : passes) {
      const char* rule = broken_rule(d, c);
      INFO((rule == nullptr ? "legal" : rule));
      REQUIRE(rule == nullptr);
      REQUIRE(Descriptor::decode(d.encode()).encode() == d.encode());
#define SOLFEGE_NOTE(name, word, lsb, width, Type) \
  if constexpr (!std::is_same_v<Type, Number>)     \
    seen[#name].insert(static_cast<std::uint32_t>(d.name));
      SOLFEGE_STREAM_FIELDS(SOLFEGE_NOTE)
#undef SOLFEGE_NOTE
    }
  }
  seen["scale_z_source"].insert(number(Scalar::kSample));  // which only x may have
#define SOLFEGE_CHECK(name, word, lsb, width, Type) \
  if constexpr (!std::is_same_v<Type, Number>) CHECK(seen[#name] == possible_values<Type>(width));
  SOLFEGE_STREAM_FIELDS(SOLFEGE_CHECK)
#undef SOLFEGE_CHECK
}

}  // namespace solfege
