// SPDX-License-Identifier: Apache-2.0
// What the device does with programs it must refuse, and with a memory that fails: stop with a
// code, write nothing more, and run the next program. State space: the three error codes, each
// followed by a good program. One Platform a process, so one test case.
#define CATCH_CONFIG_MAIN
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "gen/generator.hpp"
#include "model/scheduler.hpp"
#include "sim/platform.hpp"

using namespace solfege;

namespace {

constexpr std::uint32_t kProgram = 0x80000;
constexpr std::uint32_t kSource = 0x1000, kTarget = 0x2000;

Program copy_program(const Config& config) {
  ProgramBuilder builder(config);
  builder.set_place("test", "copy");
  ElementTensor source{"source", kSource, 4, 1, 16, 4}, target{"target", kTarget, 4, 1, 16, 4};
  StreamPass pass;
  pass.x = &source;
  pass.store = &target;
  builder.stream(source, pass, "copy");
  return builder.take();
}

void put(Platform& platform, const Program& program) {
  const auto words = program.encode();
  std::memcpy(platform.memory().data() + kProgram, words.data(), 4 * words.size());
}

}  // namespace

TEST_CASE("Bad programs and bus errors stop the device with a code") {
  const Config config = Config::load(std::string(SOLFEGE_SOURCE_DIR) + "/configs/tiny.toml");
  const std::string directory = dut_cache_directory() + "/generated-" + config.hash();
  generate(config, directory);
  MemoryModel memory;
  Platform platform(build_dut(directory), config.bus_bytes, memory, 1 << 20);

  auto run_copy = [&] {
    for (int i = 0; i < 256; ++i)
      platform.memory()[kSource + static_cast<std::size_t>(i)] =
          static_cast<std::uint8_t>(i * 7 + 1);
    std::fill_n(platform.memory().begin() + kTarget, 256, std::uint8_t{0});
    put(platform, copy_program(config));
    return platform.run(kProgram, 1, {}, 100000);
  };
  auto copied = [&] {
    return std::equal(platform.memory().begin() + kSource,
                      platform.memory().begin() + kSource + 256,
                      platform.memory().begin() + kTarget);
  };
  auto check_good = [&] {
    const RunResult good = run_copy();
    CHECK(good.done);
    CHECK(copied());
  };
  check_good();

  // 1: an illegal descriptor after a good one; its tag is reported
  for (const auto& spoil :
       {+[](Descriptor& d) { d.opcode = 9; }, +[](Descriptor& d) { d.count1 = 0; },
        +[](Descriptor& d) { d.x_type = 3; }, +[](Descriptor& d) { d.channels = 0; },
        +[](Descriptor& d) {
          d.sum_enable = d.sum_per_channel = 1;
          d.chunk_first = 60000;
        }}) {
    Program program = copy_program(config);
    program.operations.push_back(program.operations.front());
    spoil(program.operations.back().descriptor);
    put(platform, program);
    const RunResult result = platform.run(kProgram, 2, {}, 100000);
    CHECK(result.error);
    CHECK(result.error_code == 1);
    CHECK(result.error_tag == 1);
    check_good();
  }

  // 2: the memory answers with an error, to a read or a write
  for (const std::uint32_t address : {kSource + 128, kTarget + 128}) {
    MemoryModel failing = memory;
    failing.error_address = address;
    platform.set_memory_model(failing);
    const RunResult result = run_copy();
    CHECK(result.error);
    CHECK(result.error_code == 2);
    CHECK_FALSE(copied());
    platform.set_memory_model(memory);
    check_good();
  }

  // 3: a token that nobody signals; nothing may be written
  {
    Program program = copy_program(config);
    program.operations.front().descriptor.wait_mask = 0x80;
    std::fill_n(platform.memory().begin() + kTarget, 256, std::uint8_t{0});
    put(platform, program);
    const RunResult result = platform.run(kProgram, 1, {}, 100000);
    CHECK(result.error);
    CHECK(result.error_code == 3);
    CHECK_FALSE(copied());
    check_good();
  }
}
