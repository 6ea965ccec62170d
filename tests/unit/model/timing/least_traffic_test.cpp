// SPDX-License-Identifier: Apache-2.0
#include "model/timing/least_traffic.hpp"

#include <catch2/catch.hpp>

namespace solfege {
namespace {

Operation load(std::uint32_t address, std::uint32_t words) {
  Operation operation;
  operation.descriptor.opcode = Opcode::kLoad;
  operation.descriptor.load_address = address;
  operation.descriptor.load_words = words;
  return operation;
}

Operation pass(std::uint32_t x_address, std::uint32_t pixels) {
  Operation operation;
  Descriptor& d = operation.descriptor;
  d.opcode = Opcode::kStream;
  d.x_type = ElementType::kSigned16;
  d.x_address = x_address;
  d.count0 = 16;
  d.count1 = pixels;
  d.stride_a1 = 256;
  d.count2 = d.count3 = d.count4 = d.count5 = 1;
  return operation;
}

TEST_CASE("Words that are loaded again count once", "[cycles]") {
  const Config config;
  const auto word = static_cast<std::uint64_t>(Geometry(config).rows.word_bytes);
  LeastTraffic least(config);
  least.add(load(4096, 10));
  CHECK(least.bytes() == 10 * word);
  least.add(load(4096, 10));
  CHECK(least.bytes() == 10 * word);
  const auto at = [word](std::uint64_t words) {
    return static_cast<std::uint32_t>(4096 + words * word);
  };
  least.add(load(at(5), 10));  // half of it is new
  CHECK(least.bytes() == 15 * word);
  least.add(load(at(20), 2));
  CHECK(least.bytes() == 17 * word);
  least.add(load(at(2), 19));  // joins both
  CHECK(least.bytes() == 22 * word);
}

TEST_CASE("Elements that passes read again count once, results where they are written",
          "[cycles]") {
  const Config config;
  LeastTraffic least(config);
  Operation first = pass(1 << 16, 9);
  least.add(first);
  CHECK(least.bytes() == 9 * 256 * 2);
  Operation second = first;
  second.writes = {{"result", 1 << 20, 512, 2}};
  least.add(second);
  least.add(second);
  CHECK(least.bytes() == 9 * 256 * 2 + 512);
  // z of a pooled map, read once for each window
  Operation spread = pass(1 << 16, 9);
  Descriptor& d = spread.descriptor;
  d.z_enable = d.z_strides_b = 1;
  d.z_type = ElementType::kTagged;
  d.z_address = 1 << 18;
  d.count1 = 2;
  d.stride_b1 = 0;
  d.count2 = 5;
  d.stride_a2 = 512;
  d.stride_b2 = 256;
  LeastTraffic routed(config);
  routed.add(spread);
  CHECK(routed.bytes() == 2 * 5 * 256 * 2 + 5 * 256 * 4);
}

}  // namespace
}  // namespace solfege
