// SPDX-License-Identifier: Apache-2.0
// The platform around a stand-in design that copies memory: builds it, runs it against memories of
// every temper, breaks things on purpose. SystemC has one simulation a process, so all cases share
// one platform and this file is a program of its own.
#define CATCH_CONFIG_MAIN
#include "sim/platform/platform.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gen/generator.hpp"
#include "model/base/error.hpp"
#include "sim/dut/dut_library.hpp"
#include "sim/waveform_file.hpp"

using solfege::build_dut;
using solfege::DutLibrary;
using solfege::DutOptions;
using solfege::MemoryModel;
using solfege::Platform;
using solfege::Retire;
using solfege::RunResult;

namespace fs = std::filesystem;

namespace {

#ifdef SF_BUS_BYTES
constexpr int kBusBytes = SF_BUS_BYTES;
#else
constexpr int kBusBytes = 8;
#endif
constexpr std::uint32_t kWriteOffset = 0x10000;  // of the exerciser
constexpr std::size_t kMemoryBytes = 0x40100;    // ends inside a 4 KiB page, as a burst may
constexpr int kErrorRead = 1, kErrorWrite = 2;

/// A scratch directory with an empty simulator cache and a design, gone when the program ends. The
/// `verilator` first in PATH counts its calls.
class Workshop {
 public:
  Workshop() : root_(fs::temp_directory_path() / ("sf-platform-" + std::to_string(getpid()))) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "bin");
    write_design(design());
    original_path_ = std::getenv("PATH");
    std::ofstream(root_ / "bin" / "verilator")
        << "#!/bin/sh\necho \"$@\" >> '" << (root_ / "calls").string() << "'\nPATH='"
        << original_path_ << "'\nexec verilator \"$@\"\n";
    fs::permissions(root_ / "bin" / "verilator", fs::perms::owner_all);
    setenv("PATH", ((root_ / "bin").string() + ":" + original_path_).c_str(), 1);
    setenv("SOLFEGE_CACHE", (root_ / "cache").c_str(), 1);
  }
  ~Workshop() { fs::remove_all(root_); }

  fs::path root() const { return root_; }
  fs::path design() const { return root_ / "design"; }
  const std::string& original_path() const { return original_path_; }

  static void write_design(const fs::path& directory) {
    fs::create_directories(directory);
    const fs::path source = fs::path(SOLFEGE_SOURCE_DIR) / "tests/sim/sf_bus_exerciser.v";
    fs::copy_file(source, directory / "exerciser.v", fs::copy_options::overwrite_existing);
    std::ofstream(directory / "sf_accelerator.f") << "// a comment\n\n+incdir+.\n  exerciser.v\n";
    std::ofstream(directory / "sf_descriptor.vh")
        << solfege::generate_files(solfege::Config()).at("sf_descriptor.vh");
  }

  int verilator_calls() const {
    std::ifstream in(root_ / "calls");
    int lines = 0;
    for (std::string line; std::getline(in, line);) ++lines;
    return lines;
  }

 private:
  fs::path root_;
  std::string original_path_;
};

Workshop& workshop() {
  static Workshop instance;
  return instance;
}

DutOptions options() {
  DutOptions options;
  options.waveforms = true;
  options.defines = {"SF_BUS_BYTES=" + std::to_string(kBusBytes)};
  return options;
}

DutLibrary library() { return build_dut(workshop().design().string(), options()); }

Platform& platform() {
  workshop();
  static Platform instance(library(), kBusBytes, MemoryModel{}, kMemoryBytes);
  return instance;
}

/// Fills the memory at random; returns a copy.
std::vector<std::uint8_t> scramble() {
  static std::mt19937 random(1);
  for (std::uint8_t& byte : platform().memory()) byte = static_cast<std::uint8_t>(random());
  return platform().memory();
}

/// What the exerciser should leave: `beats` inverted copies.
std::vector<std::uint8_t> expected(std::vector<std::uint8_t> memory, std::size_t base,
                                   std::size_t beats) {
  for (std::size_t i = base; i < base + beats * kBusBytes; ++i) {
    memory[i + kWriteOffset] = static_cast<std::uint8_t>(~memory[i]);
  }
  return memory;
}

/// Runs over a scrambled memory and checks everything that does not depend on its speed.
RunResult copy(const MemoryModel& model, std::uint32_t base, std::uint32_t count) {
  CAPTURE(model.latency_cycles, model.bytes_per_cycle, model.stall_probability, model.stall_seed);
  platform().set_memory_model(model);
  const auto before = scramble();
  std::vector<Retire> retired;
  const RunResult result = platform().run(base, count, [&](const Retire& event) {
    // nothing is outstanding when a descriptor retires
    CHECK(platform().memory() == expected(before, base, 4 * count));
    retired.push_back(event);
    return true;
  });
  CHECK(result.done);
  CHECK_FALSE(result.error);
  CHECK_FALSE(result.stopped);
  CHECK_FALSE(result.timed_out);
  CHECK(platform().memory() == expected(before, base, 4 * count));
  CHECK(result.counters.read_beats == 4 * count);
  CHECK(result.counters.write_beats == 4 * count);
  CHECK(result.counters.cycles == result.counters.dma_active + result.counters.dma_stall);
  CHECK(result.last_cycle - result.first_cycle >= result.counters.cycles);
  REQUIRE(retired.size() == 1);
  CHECK(retired[0].engine == 2);
  CHECK(retired[0].tag == count);
  CHECK(retired[0].active_cycles + retired[0].stall_cycles == result.counters.cycles);
  CHECK(retired[0].cycle <= result.last_cycle);
  return result;
}

MemoryModel ideal_memory() {
  MemoryModel model;
  model.ideal = true;
  model.latency_cycles = 99;  // must not matter
  return model;
}

/// First and last time of an FST file, in picoseconds: big-endian, after a type and a length.
std::pair<std::uint64_t, std::uint64_t> times_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(9);
  std::uint64_t times[2] = {};
  for (std::uint64_t& time : times) {
    for (int i = 0; i < 8; ++i) time = time << 8 | static_cast<std::uint64_t>(in.get());
  }
  return {times[0], times[1]};
}

}  // namespace

TEST_CASE("a simulator is built once and then found", "[build]") {
  workshop();
  DutOptions plain = options();
  plain.waveforms = false;
  const DutLibrary first = build_dut(workshop().design().string(), plain);
  CHECK_FALSE(first.cache_hit);
  const fs::path entry = fs::path(first.path).parent_path();
  CHECK(fs::exists(entry / "build.log"));
  const int calls = workshop().verilator_calls();
  CHECK(calls >= 1);

  const auto start = std::chrono::steady_clock::now();
  const DutLibrary second = build_dut(workshop().design().string(), plain);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  CHECK(second.cache_hit);
  CHECK(second.path == first.path);
  CHECK(workshop().verilator_calls() == calls);
  CHECK(elapsed.count() < 0.2);

  // The same text is the same simulator wherever it lies.
  const fs::path elsewhere = workshop().root() / "else where";
  Workshop::write_design(elsewhere);
  CHECK(build_dut(elsewhere.string(), plain).path == first.path);
  CHECK(workshop().verilator_calls() == calls);

  // What an interrupted build may leave is not taken for a simulator. A space in the design's path
  // does no harm.
  fs::remove(first.path);
  fs::create_directories(entry.string() + ".part/obj_dir/Vsf_accelerator.mk");
  const DutLibrary again = build_dut(elsewhere.string(), plain);
  CHECK_FALSE(again.cache_hit);
  CHECK(again.path == first.path);
  CHECK(fs::exists(first.path));
  CHECK_FALSE(fs::exists(entry.string() + ".part"));

  // A library that was cut short is not loaded: it would end the process.
  const auto whole = fs::file_size(first.path);
  fs::resize_file(first.path, whole / 2);
  CHECK_FALSE(build_dut(elsewhere.string(), plain).cache_hit);
  CHECK(fs::file_size(first.path) == whole);
}

TEST_CASE("what prevents a build is told", "[build]") {
  workshop();
  const fs::path broken = workshop().root() / "broken";
  Workshop::write_design(broken);

  SECTION("Verilog that does not parse: the log's end and its place; nothing half-built stays") {
    std::ofstream(broken / "exerciser.v", std::ios::app) << "module module;\n";
    CHECK_THROWS_WITH(build_dut(broken.string(), options()),
                      Catch::Contains("syntax error") && Catch::Contains(".failed.log"));
    for (const auto& entry : fs::directory_iterator(workshop().root() / "cache")) {
      CHECK(entry.path().extension() != ".part");
    }
  }
  SECTION("a file that is not there") {
    fs::remove(broken / "exerciser.v");
    CHECK_THROWS_AS(build_dut(broken.string(), options()), solfege::InputError);
  }
  SECTION("no file list") {
    CHECK_THROWS_AS(build_dut((broken / "nowhere").string(), options()), solfege::InputError);
  }
  SECTION("no Verilator") {
    const std::string path = std::getenv("PATH");
    setenv("PATH", "/nonexistent", 1);
    CHECK_THROWS_WITH(build_dut(broken.string(), options()), Catch::Contains("scripts/demo"));
    setenv("PATH", path.c_str(), 1);
  }
  SECTION("a macro that would not survive a shell") {
    DutOptions bad;
    bad.defines = {"A=$(reboot)"};
    CHECK_THROWS_AS(build_dut(broken.string(), bad), solfege::InputError);
  }
}

TEST_CASE("the platform identifies the design", "[platform]") {
  CHECK(platform().config_hash() == 0x0123456789ABCDEFull);
  CHECK_THROWS_AS(Platform(library(), kBusBytes, MemoryModel{}, 4096), std::logic_error);
}

TEST_CASE("an ideal memory moves a beat in and a beat out every cycle", "[platform]") {
  const RunResult small = copy(ideal_memory(), 0x1000, 64);
  const RunResult large = copy(ideal_memory(), 0x1000, 128);
  // 256 more beats take exactly 256 more cycles
  CHECK(large.counters.cycles - small.counters.cycles == 256);
  CHECK(small.counters.cycles < 256 + 10);
}

TEST_CASE("latency and bandwidth cost what they say", "[platform]") {
  const std::uint64_t ideal = copy(ideal_memory(), 0x2000, 64).counters.cycles;

  MemoryModel slow;
  slow.latency_cycles = 40;
  slow.bytes_per_cycle = 2;
  const std::uint64_t bound = 2 * 256 * kBusBytes / 2;  // read and written
  const std::uint64_t cycles = copy(slow, 0x2000, 64).counters.cycles;
  CHECK(cycles >= bound);
  CHECK(cycles < bound + bound / 50 + 2 * 40 + ideal);

  // a single burst is all latency: once for the read, once for the write
  const std::uint64_t fast_burst = copy(ideal_memory(), 0x2000, 1).counters.cycles;
  MemoryModel distant;
  distant.latency_cycles = 40;
  CHECK(copy(distant, 0x2000, 1).counters.cycles == fast_burst + 80);

  // one byte enables a cycle short of the bus: still within a percent of the bound
  MemoryModel half;
  half.latency_cycles = 0;
  half.bytes_per_cycle = kBusBytes;
  const std::uint64_t halved = copy(half, 0x2000, 128).counters.cycles;
  CHECK(halved >= 1024);
  CHECK(halved < 1024 + 20);
}

TEST_CASE("random stalls change the time and nothing else", "[platform]") {
  const std::uint64_t ideal = copy(ideal_memory(), 0x3000, 100).counters.cycles;
  for (const double probability : {0.05, 0.3, 0.7, 0.95}) {
    for (const std::uint64_t seed : {1, 2, 3}) {
      MemoryModel stalling;
      stalling.stall_probability = probability;
      stalling.stall_seed = seed;
      stalling.latency_cycles = static_cast<int>(seed) - 1;
      const std::uint64_t cycles = copy(stalling, 0x3000, 100).counters.cycles;
      CHECK(cycles > ideal);
      CHECK(copy(stalling, 0x3000, 100).counters.cycles == cycles);  // replayable
    }
  }
}

TEST_CASE("write strobes choose bytes", "[platform]") {
  platform().set_memory_model(ideal_memory());
  const auto before = scramble();
  const RunResult result = platform().run(0x1000, 1u << 31 | 16);
  CHECK(result.done);
  auto wanted = expected(before, 0x1000, 64);
  for (std::size_t i = 0; i < wanted.size(); i += 2) wanted[i] = before[i];
  CHECK(platform().memory() == wanted);
}

TEST_CASE("an injected bus error reaches the device and comes back", "[platform]") {
  MemoryModel model = ideal_memory();
  scramble();

  model.error_address = 0x1000 + 37 * kBusBytes + 1;
  platform().set_memory_model(model);
  const auto before = platform().memory();
  RunResult result = platform().run(0x1000, 32);
  CHECK(result.error);
  CHECK_FALSE(result.done);
  CHECK(result.error_code == kErrorRead);
  CHECK(result.error_tag == 32);
  CHECK(result.counters.read_beats == 128);  // the rest still arrives
  CHECK(platform().memory() != before);

  model.error_address = 0x1000 + kWriteOffset + 5 * kBusBytes;
  platform().set_memory_model(model);
  const auto untouched = scramble();
  result = platform().run(0x1000, 32);
  CHECK(result.error);
  CHECK(result.error_code == kErrorWrite);
  auto wanted = expected(untouched, 0x1000, 128);
  for (int i = 0; i < kBusBytes; ++i) {
    wanted[*model.error_address + i] = untouched[*model.error_address + i];
  }
  CHECK(platform().memory() == wanted);

  copy(ideal_memory(), 0x1000, 32);  // and all is well again
}

TEST_CASE("an address outside the memory is an error", "[platform]") {
  platform().set_memory_model(ideal_memory());
  scramble();
  RunResult result = platform().run(kMemoryBytes - 2 * kBusBytes, 1);  // reads run out
  CHECK(result.error);
  CHECK(result.error_code == kErrorRead);
  result = platform().run(kMemoryBytes - 0x4000, 4);  // only writes do
  CHECK(result.error);
  CHECK(result.error_code == kErrorWrite);
  copy(ideal_memory(), 0x1000, 8);
}

TEST_CASE("a design that breaks AXI is caught", "[platform]") {
  platform().set_memory_model(ideal_memory());
  CHECK_THROWS_WITH(platform().run(0x1001, 4), Catch::Contains("not aligned"));
  CHECK_THROWS_WITH(platform().run(0x2000 - kBusBytes, 4), Catch::Contains("4 KiB"));
  copy(ideal_memory(), 0x1000, 8);
}

TEST_CASE("the listener can stop a run or throw through it", "[platform]") {
  platform().set_memory_model(ideal_memory());
  const RunResult result = platform().run(0x1000, 8, [](const Retire&) { return false; });
  CHECK(result.stopped);
  CHECK_FALSE(result.done);
  copy(ideal_memory(), 0x1000, 8);
  CHECK_THROWS_AS(
      platform().run(0x1000, 8, [](const Retire&) -> bool { throw std::out_of_range("mine"); }),
      std::out_of_range);
  copy(ideal_memory(), 0x1000, 8);
}

TEST_CASE("a run that does not end is given up", "[platform]") {
  MemoryModel slow;
  slow.bytes_per_cycle = 0.5;
  platform().set_memory_model(slow);
  const RunResult result = platform().run(0x1000, 256, {}, {500});
  CHECK(result.timed_out);
  CHECK_FALSE(result.done);
  CHECK(result.counters.cycles >= 490);
  CHECK(result.counters.read_beats < 1024);
  CHECK(result.last_cycle - result.first_cycle < 520);
  copy(ideal_memory(), 0x1000, 8);
}

TEST_CASE("a memory model out of range is refused", "[platform]") {
  MemoryModel model;
  model.stall_probability = 1;
  CHECK_THROWS_AS(platform().set_memory_model(model), solfege::InputError);
  model = {};
  model.latency_cycles = -1;
  CHECK_THROWS_AS(platform().set_memory_model(model), solfege::InputError);
  model = {};
  model.bytes_per_cycle = -2;
  CHECK_THROWS_AS(platform().set_memory_model(model), solfege::InputError);
}

TEST_CASE("a window of cycles is written as waveforms", "[platform]") {
  const fs::path first = workshop().root() / "first.fst";
  const fs::path second = workshop().root() / "second.fst";
  const std::uint64_t now = platform().cycle();
  platform().trace(first.string(), now + 10, now + 60);
  copy(ideal_memory(), 0x1000, 64);
  CHECK(times_of(first) == std::make_pair((now + 10) * 1000, (now + 60) * 1000 + 500));
  const auto size = fs::file_size(first);
  platform().trace(second.string(), 0, ~std::uint64_t{0} - 1);
  copy(ideal_memory(), 0x1000, 64);
  platform().trace((workshop().root() / "third.fst").string(), ~std::uint64_t{0},
                   ~std::uint64_t{0});
  CHECK(fs::file_size(first) == size);
  CHECK(fs::file_size(second) > size);
  CHECK_THROWS_AS(solfege::WaveformFile("/nonexistent/x.fst"), solfege::InputError);
}

TEST_CASE("the platform's cost of a cycle", "[platform]") {
  // A device that waits: the eval is as short as it gets, and so is the adapters' work.
  MemoryModel crawling;
  crawling.bytes_per_cycle = 1.0 / 64;
  platform().set_memory_model(crawling);
  constexpr std::uint64_t kCycles = 2000000;
  auto start = std::chrono::steady_clock::now();
  platform().run(0x1000, 4000, {}, {kCycles});
  std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  std::cerr << "waiting: " << elapsed.count() / kCycles << " ns a cycle\n";

  platform().set_memory_model(ideal_memory());
  std::uint64_t cycles = 0;
  start = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i)
    cycles += platform().run(0x0, 0x10000 / kBusBytes / 4).counters.cycles;
  elapsed = std::chrono::steady_clock::now() - start;
  const double cost = elapsed.count() / static_cast<double>(cycles);
  std::cerr << "a beat in and a beat out: " << cost << " ns a cycle\n";
  CHECK(cost < 5000);  // generous: shared and instrumented machines
}
