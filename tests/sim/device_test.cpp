// SPDX-License-Identifier: Apache-2.0
// What the device does with programs it must refuse, and with a memory that fails: stop with a
// code that names engine and descriptor, write nothing more, and run the next program. State space:
// the four error codes in the engines that use memory and in the fetch, each followed by a good
// program; then stream unit and turner at the same time. One Platform a process, so one test case.
// Descriptors are made by hand from the contract.
#define CATCH_CONFIG_MAIN
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <random>

#include "gen/generator.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/program.hpp"
#include "sim/platform/platform.hpp"

using namespace solfege;

namespace {

constexpr std::uint32_t kProgram = 0x80000;
constexpr std::uint32_t kSource = 0x1000, kTarget = 0x2000, kBytes = 4 * kBlockElements;
constexpr std::uint32_t kPlanes = 0x4000, kTurnedPlanes = 0x5000;

Operation operation(const Descriptor& descriptor) {
  Operation made;
  made.descriptor = descriptor;
  return made;
}

/// One block of 16 x 16 elements of 32 bits, multiplied by 1.
Descriptor copy_block(const Config& config) {
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.x_type = ElementType::kSigned32;
  d.destination = Destination::kSigned32;
  d.x_address = kSource;
  d.destination_address = kTarget;
  d.scale_x = 1;
  d.count0 = static_cast<std::uint32_t>(kBlockElements / config.stream_lanes);
  d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = d.samples = kBlock;
  return d;
}

/// All rows of a table.
Descriptor fill_table(const Config& config) {
  Descriptor d = copy_block(config);
  d.destination = Destination::kTable;
  d.count0 = static_cast<std::uint32_t>(config.table_channels / config.stream_lanes);
  d.channels = d.samples = 0xffff;
  return d;
}
Descriptor fill_samples(const Config& config) {
  Descriptor d = fill_table(config);
  d.table = Table::kSample;
  d.count0 = static_cast<std::uint32_t>(std::max(1, config.max_batch / config.stream_lanes));
  return d;
}

/// L rows of one word, turned: L rows of one word.
Descriptor turn_block(const Config& config) {
  Descriptor d;
  d.opcode = Opcode::kTranspose;
  d.source_address = kPlanes;
  d.target_address = kTurnedPlanes;
  d.plane_words = d.source_words = d.target_words = 1;
  d.source_rows = d.source_lanes = static_cast<std::uint32_t>(config.lanes);
  return d;
}

/// The same block, one pixel of each of L samples, as an unfolding without a window: a sample's
/// channels become L rows of one lane.
Descriptor unfold_block(const Config& config) {
  Descriptor d = turn_block(config);
  d.opcode = Opcode::kUnfold;
  d.plane_words = 0;
  d.unfold_planes = d.unfold_height = d.unfold_width = 1;
  d.unfold_out_height = d.unfold_out_width = 1;
  d.unfold_kernel_height = d.unfold_kernel_width = 1;
  d.unfold_stride_height = d.unfold_stride_width = 1;
  d.unfold_tap_rows = static_cast<std::uint32_t>(config.lanes);
  return d;
}

Descriptor load_words(const Config&) {
  Descriptor d;
  d.opcode = Opcode::kLoad;
  d.load_address = kPlanes;
  d.load_words = 8;
  return d;
}

/// One tile of one operation, left in the accumulators.
Descriptor gemm_tile(const Config& config) {
  Descriptor d;
  d.opcode = Opcode::kGemm;
  d.row_planes = d.column_planes = d.words = d.column_groups = 1;
  d.tail_lanes = static_cast<std::uint32_t>(config.lanes);
  d.tile_y_count = d.tile_x_count = d.tap_y_count = d.tap_x_count = 1;
  d.window_height = d.window_width = d.clear = 1;
  d.stride_y = d.stride_x = d.reach_y = d.reach_x = 1;
  return d;
}

using Make = Descriptor (*)(const Config&);
struct Illegal {
  const char* what;
  Make make;
  void (*spoil)(Descriptor&);
};
const Illegal kIllegal[] = {
    {"no opcode", copy_block, [](Descriptor& d) { d.opcode = Opcode(9); }},
    {"stream without steps", copy_block, [](Descriptor& d) { d.count1 = 0; }},
    {"stream without channels", copy_block, [](Descriptor& d) { d.channels = 0; }},
    {"load past the buffer", load_words, [](Descriptor& d) { d.load_offset = 0xffff; }},
    {"load of nothing", load_words, [](Descriptor& d) { d.load_words = 0; }},
    {"load beside beats", load_words, [](Descriptor& d) { d.load_address += 2; }},
    {"gemm without words", gemm_tile, [](Descriptor& d) { d.words = 0; }},
    {"gemm without strides", gemm_tile, [](Descriptor& d) { d.stride_y = 0; }},
    {"gemm by tile with taps", gemm_tile,
     [](Descriptor& d) {
       d.columns_by_tile = 1;
       d.tap_x_count = 2;
     }},
    {"transposition of no plane", turn_block, [](Descriptor& d) { d.plane_words = 0; }},
    {"transposition beside words", turn_block, [](Descriptor& d) { d.target_address += 2; }},
    {"unfolding of no plane", unfold_block, [](Descriptor& d) { d.unfold_planes = 0; }},
    {"unfolding without strides", unfold_block, [](Descriptor& d) { d.unfold_stride_width = 0; }},
    {"unfolding without taps", unfold_block, [](Descriptor& d) { d.unfold_kernel_width = 0; }},
    {"unfolding of an empty map", unfold_block, [](Descriptor& d) { d.unfold_height = 0; }},
    {"stream from beside a chunk", copy_block, [](Descriptor& d) { d.x_address += 2; }},
    {"stream to beside a chunk", copy_block, [](Descriptor& d) { d.destination_address += 2; }},
    {"stream by odd strides", copy_block, [](Descriptor& d) { d.stride_a1 = 1; }},
    {"more rows than a table has", fill_table, [](Descriptor& d) { d.count0 += 1; }},
    {"more samples than their table has", fill_samples, [](Descriptor& d) { d.count1 += 1; }},
    {"transposition from beside words", turn_block, [](Descriptor& d) { d.source_address += 2; }},
    {"transposition of lanes beyond the words", turn_block,
     [](Descriptor& d) { d.source_lanes += 1; }},
    {"transposition of rows beyond the target", turn_block,
     [](Descriptor& d) { d.source_rows += 1; }},
    {"unfolding of pixels beyond the target", unfold_block,
     [](Descriptor& d) { d.unfold_out_height = 0x7fff; }},
    {"unfolding of maps that no counter holds", unfold_block,
     [](Descriptor& d) { d.unfold_width = 0x8000; }},
    {"taps that share beats", unfold_block, [](Descriptor& d) { d.unfold_tap_rows -= 1; }},
};

}  // namespace

TEST_CASE("Bad programs and bus errors stop the device with a code") {
  const Config config = Config::load(std::string(SOLFEGE_SOURCE_DIR) + "/configs/tiny.toml");
  const char* design = std::getenv("SOLFEGE_DESIGN");  // another design: scripts/mutate
  const std::string directory = design != nullptr ? design : generate_cached(config);
  MemoryModel memory;
  Platform platform(build_dut(directory), config.bus_bytes, memory, 1 << 20);
  const auto lanes = static_cast<std::uint32_t>(config.lanes), word = lanes / 8;
  REQUIRE(config.rows < config.lanes);  // the block below is of several groups

  std::mt19937 random(1);
  auto byte = [&](std::uint32_t address) -> std::uint8_t& { return platform.memory()[address]; };
  auto run = [&](const std::vector<Descriptor>& descriptors) {
    for (std::uint32_t i = 0; i < kBytes; ++i) {
      byte(kSource + i) = static_cast<std::uint8_t>(random() | 1);  // never -2^31
      byte(kTarget + i) = 0;
    }
    for (std::uint32_t i = 0; i < lanes * word; ++i) {
      byte(kPlanes + i) = static_cast<std::uint8_t>(random());
      byte(kTurnedPlanes + i) = 0;
    }
    Program program;
    for (const Descriptor& descriptor : descriptors)
      program.operations.push_back(operation(descriptor));
    const auto words = program.encode();
    std::memcpy(platform.memory().data() + kProgram, words.data(), 4 * words.size());
    return platform.run(kProgram, static_cast<std::uint32_t>(descriptors.size()), {}, {100000});
  };
  auto copied = [&] { return std::equal(&byte(kSource), &byte(kSource) + kBytes, &byte(kTarget)); };
  // One word, one plane and one pixel: row r is the r-th word
  auto bit = [&](std::uint32_t base, std::uint32_t row, std::uint32_t lane) {
    return byte(base + row * word + lane / 8) >> (lane % 8) & 1;
  };
  auto turned = [&] {
    for (std::uint32_t row = 0; row < lanes; ++row)
      for (std::uint32_t lane = 0; lane < lanes; ++lane)
        if (bit(kPlanes, row, lane) != bit(kTurnedPlanes, lane, row)) return false;
    return true;
  };
  // Samples are pixels now, and there is one lane
  auto unfolded = [&] {
    const auto group = static_cast<std::uint32_t>(config.rows);
    for (std::uint32_t sample = 0; sample < lanes; ++sample)
      for (std::uint32_t channel = 0; channel < lanes; ++channel) {
        const std::uint32_t row = (channel / group * lanes + sample) * group + channel % group;
        if (bit(kTurnedPlanes, row, 0) != bit(kPlanes, sample, channel)) return false;
      }
    return true;
  };
  auto check_good = [&] {
    const RunResult good = run({copy_block(config), turn_block(config)});
    CHECK(good.done);
    CHECK(copied());
    CHECK(turned());
    CHECK(good.counters.stream_active > 0);
    CHECK(good.counters.turner_active > 0);
    CHECK(good.counters.read_beats > 0);
    // The block's elements, and L rows of L lanes in beats that hold them whole
    const int turned_bytes = config.lanes * config.lanes / 8;
    CHECK(good.counters.write_beats ==
          static_cast<std::uint64_t>(1024 / config.bus_bytes +
                                     turned_bytes / Geometry(config).rows.unit_bytes));
    CHECK(good.counters.array_active == 0);
  };

  // 0: nothing has run yet, and what waits is the turner: no other engine's descriptor is named
  Descriptor stuck = turn_block(config);
  stuck.wait_mask = 0x80;
  const RunResult first_run = run({gemm_tile(config), stuck});
  CHECK(first_run.error);
  CHECK(ErrorCode(first_run.error_code) == ErrorCode::kDeadlock);
  CHECK(first_run.error_engine == kTurner);
  CHECK(first_run.error_tag == 1);
  check_good();

  // 1: an illegal descriptor after a good one; its tag is reported
  for (const Illegal& illegal : kIllegal) {
    INFO(illegal.what);
    Descriptor bad = illegal.make(config);
    const RunResult fine = run({bad});
    CHECK(fine.done);
    illegal.spoil(bad);
    const RunResult result = run({copy_block(config), bad});
    CHECK(result.error);
    CHECK(ErrorCode(result.error_code) == ErrorCode::kIllegalDescriptor);
    CHECK(result.error_engine == kFetch);
    CHECK(result.error_tag == 1);
    check_good();
  }

  // 2: the memory answers with an error, to a read or a write of stream unit, turner or DMA
  auto unfold = unfold_block(config);
  for (const auto& [descriptor, address] :
       std::vector<std::pair<Descriptor, std::uint32_t>>{{copy_block(config), kSource + 128},
                                                         {copy_block(config), kTarget + 128},
                                                         {turn_block(config), kPlanes + 8},
                                                         {turn_block(config), kTurnedPlanes + 8},
                                                         {unfold, kPlanes + 8},
                                                         {unfold, kTurnedPlanes + 8},
                                                         {load_words(config), kPlanes}}) {
    CAPTURE(descriptor.opcode, address);
    MemoryModel failing = memory;
    failing.error_address = address;
    platform.set_memory_model(failing);
    const RunResult result = run({gemm_tile(config), gemm_tile(config), descriptor});
    CHECK(result.error);
    CHECK(ErrorCode(result.error_code) == ErrorCode::kBus);
    const auto opcode = descriptor.opcode;
    CHECK(result.error_engine == traits(opcode).engine);
    CHECK(result.error_tag == 2);
    CHECK_FALSE(copied());
    CHECK_FALSE(turned());
    platform.set_memory_model(memory);
    check_good();
  }

  // The same while another engine is at work: the stream unit copies again and again, the DMA fails
  {
    MemoryModel failing = memory;
    failing.error_address = kPlanes;
    platform.set_memory_model(failing);
    std::vector<Descriptor> mixed(6, copy_block(config));
    mixed[1] = load_words(config);
    const RunResult result = run(mixed);
    CHECK(ErrorCode(result.error_code) == ErrorCode::kBus);
    CHECK(result.error_engine == kDma);
    CHECK(result.error_tag == 1);
    // The fetch fails at the third descriptor
    failing.error_address = kProgram + 2 * kDescriptorBytes + 4;
    platform.set_memory_model(failing);
    const RunResult fetch = run(std::vector<Descriptor>(4, copy_block(config)));
    CHECK(ErrorCode(fetch.error_code) == ErrorCode::kBus);
    CHECK(fetch.error_engine == kFetch);
    CHECK(fetch.error_tag == 2);
    platform.set_memory_model(memory);
    check_good();
  }

  // A program that is not aligned, or that runs over the end of addresses, is not begun. One across
  // a page is (the platform itself refuses bursts that cross 4 KiB).
  for (const auto& [base, count] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {kProgram + 64, 1}, {kProgram + 4, 1}, {kProgram - 4, 1}, {0xffffff80u, 2}}) {
    CAPTURE(base, count);
    const RunResult result = platform.run(base, count, {}, {100000});
    CHECK(result.error);
    CHECK(ErrorCode(result.error_code) == ErrorCode::kProgram);
    CHECK(result.error_engine == kFetch);
    CHECK(result.error_tag == 0);
    CHECK(result.counters.read_beats == 0);
    check_good();
  }
  {
    run({copy_block(config), turn_block(config)});
    const auto copy =
        Program{{operation(copy_block(config)), operation(turn_block(config))}}.encode();
    std::fill(&byte(kTarget), &byte(kTarget) + kBytes, std::uint8_t{0});
    std::memcpy(platform.memory().data() + kProgram - kDescriptorBytes, copy.data(),
                4 * copy.size());
    CHECK(platform.run(kProgram - kDescriptorBytes, 2, {}, {100000}).done);
    CHECK(copied());
  }

  // 3: a token that nobody signals; nothing may be written
  for (const Make make : {Make{copy_block}, Make{turn_block}}) {
    Descriptor waiting = make(config);
    waiting.wait_mask = 0x80;
    const RunResult result = run({waiting});
    CHECK(result.error);
    CHECK(ErrorCode(result.error_code) == ErrorCode::kDeadlock);
    CHECK(result.error_engine == waiting.engine());
    CHECK(result.error_tag == 0);
    for (std::uint32_t i = 0; i < lanes * word; ++i) CHECK(byte(kTurnedPlanes + i) == 0);
    CHECK_FALSE(copied());
    check_good();
  }

  // Of several that wait the first of the program is named: the others wait for it.
  {
    Descriptor root = load_words(config), follower = copy_block(config);
    root.wait_mask = 0x80;
    root.signal_mask = follower.wait_mask = kPacked;
    const RunResult result = run({turn_block(config), root, follower});
    CHECK(ErrorCode(result.error_code) == ErrorCode::kDeadlock);
    CHECK(result.error_engine == kDma);
    CHECK(result.error_tag == 1);
    CHECK(turned());
    check_good();
  }

  // Tokens order the engines: unfolding waits for the copy, the load for the unfolding
  Descriptor first = copy_block(config), second = unfold, third = load_words(config);
  first.signal_mask = second.wait_mask = kPacked;
  second.signal_mask = third.wait_mask = kTurned;
  third.load_address = kTurnedPlanes;
  std::vector<int> engines;
  const RunResult ordered = run({third, second, first});
  CHECK(ordered.done);
  CHECK(copied());
  CHECK(unfolded());
  const auto words = Program{{operation(third), operation(second), operation(first)}}.encode();
  std::memcpy(platform.memory().data() + kProgram, words.data(), 4 * words.size());
  CHECK(platform
            .run(kProgram, 3,
                 [&](const Retire& retire) {
                   engines.push_back(retire.engine);
                   return true;
                 },
                 {100000})
            .done);
  CHECK(engines == std::vector<int>{1, 3, 2});
}
