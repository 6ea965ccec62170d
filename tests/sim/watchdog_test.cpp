// SPDX-License-Identifier: Apache-2.0
// Nothing hangs silently. State space: programs that cannot end (a token that nobody gives, a
// descriptor without end), in the timing model; a memory that stops answering reads or writes, and
// a design whose registers never answer, in simulation; each message says what waits for what, and
// the next good program runs as if nothing had happened. A design that never retires is a system
// test. One Platform a process, so ctest runs the two cases apart.
#define CATCH_CONFIG_MAIN
#include "model/timing/watchdog.hpp"

#include <catch2/catch.hpp>

#include "model/base/error.hpp"
#include "sim/rtl_device.hpp"

using namespace solfege;
using Catch::Contains;
using Catch::StartsWith;

namespace {

constexpr std::uint32_t kSource = 0x1000, kTarget = 0x2000, kSilent = 0x8000;

Config tiny() { return Config::load(std::string(SOLFEGE_SOURCE_DIR) + "/configs/tiny.toml"); }

std::uint32_t u32(int value) { return static_cast<std::uint32_t>(value); }

/// Copies a block of 16 x 16 elements of 32 bits.
Operation copy(const Config& config, std::uint32_t from = kSource, std::uint32_t to = kTarget) {
  Operation made;
  made.layer = "layer";
  made.pass = "pass";
  made.label = "copy";
  Descriptor& d = made.descriptor;
  d.opcode = Opcode::kStream;
  d.x_type = ElementType::kSigned32;
  d.destination = Destination::kSigned32;
  d.x_address = from;
  d.destination_address = to;
  d.scale_x = 1;
  d.count0 = u32(kBlockElements / config.stream_lanes);
  d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = d.samples = kBlock;
  made.writes.push_back({"block", to, 4 * kBlockElements, 4});
  return made;
}

Operation load() {
  Operation made;
  made.label = "load planes";
  made.descriptor.opcode = Opcode::kLoad;
  made.descriptor.load_address = 0x4000;
  made.descriptor.load_words = 4;
  return made;
}

Operation with_tokens(Operation operation, std::uint32_t wait, std::uint32_t signal) {
  operation.descriptor.wait_mask = wait;
  operation.descriptor.signal_mask = signal;
  return operation;
}

std::string failure(RtlDevice& device, const std::vector<Operation>& operations) {
  try {
    device.run(Program{operations});
  } catch (const CheckFailed& failed) {
    return failed.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("What cannot end is stopped, and says what waits for what", "[programs]") {
  const Config config = tiny();
  RtlOptions options;
  options.lockstep = true;
  options.memory.silent_address = kSilent + 64;
  RtlDevice device(config, std::size_t{1} << 16, options);
  for (std::uint32_t i = 0; i < 4 * kBlockElements; ++i)
    device.memory()[kSource + i] = static_cast<std::uint8_t>(i * 7 | 1);
  auto check_good = [&] {
    CHECK(failure(device, {with_tokens(copy(config), 0, kStored),
                           with_tokens(load(), kStored, 0)}) == "none");
    CHECK(device.tally().cycles_apart == 0);
  };
  check_good();

  // Of the two that wait for "stored" only one can have it.
  std::string message =
      failure(device, {with_tokens(copy(config), 0, kStored), with_tokens(load(), kStored, 0),
                       with_tokens(load(), kStored, 0)});
  CHECK_THAT(message, StartsWith("watchdog: in the timing model nothing moves"));
  CHECK_THAT(message,
             Contains("DMA: descriptor 2 ( : load planes) waits for token stored, which no "
                      "descriptor left gives"));
  check_good();

  // Each waits for the other.
  message = failure(
      device, {with_tokens(load(), kStored, kLoaded), with_tokens(copy(config), kLoaded, kStored)});
  CHECK_THAT(message,
             Contains("stream unit: descriptor 1 (layer pass: copy) waits for token loaded of "
                      "descriptor 0 ( : load planes) in the DMA"));
  CHECK_THAT(message,
             Contains("DMA: descriptor 0 ( : load planes) waits for token stored of descriptor 1 "
                      "(layer pass: copy) in the stream unit"));

  // A loop of no turns is one of 2^32.
  Operation endless = copy(config);
  endless.descriptor.count0 = 0;
  CHECK_THAT(failure(device, {endless}),
             StartsWith("watchdog: in the timing model descriptor 0 advances"));
  check_good();

  // A memory that stops answering
  message = failure(device, {copy(config, kSilent)});
  CHECK_THAT(message, StartsWith("watchdog: the device does not finish"));
  CHECK_THAT(message, Contains("stream unit: descriptor 0 (layer pass: copy) does not finish"));
  CHECK_THAT(message, Contains("memory: ") && Contains("read beats without answer"));
  check_good();
  message = failure(device, {copy(config, kSource, kSilent)});
  CHECK_THAT(message, StartsWith("watchdog: the device does not finish"));
  CHECK_THAT(message, Contains("write beats without answer"));
  check_good();
}

TEST_CASE("A design whose registers never answer is given up", "[registers]") {
  DutLibrary silent;
  silent.path = "nothing";
  silent.create = [] { return reinterpret_cast<SolfegeDut*>(std::uintptr_t{1}); };
  silent.destroy = [](SolfegeDut*) {};
  silent.eval = [](SolfegeDut*, DutPins*) {};
  CHECK_THROWS_WITH(Platform(silent, 64, MemoryModel{}, 4096),
                    StartsWith("watchdog: control register 0x000 does not answer"));
}

TEST_CASE("Bounds grow with what is predicted and with pauses", "[programs]") {
  ProgramTiming timing;
  timing.cycles = 1000000;
  timing.operations.resize(2);
  timing.operations[1].start = 1000;
  timing.operations[1].end = 501000;
  const Patience calm = patience_for(timing, 0), nervous = patience_for(timing, 0.5);
  CHECK(calm.total >= 2 * timing.cycles);
  CHECK(calm.total <= 10 * timing.cycles);
  CHECK(calm.quiet >= 2 * 500000);
  CHECK(calm.quiet < calm.total);
  CHECK(nervous.total > 5 * calm.total);
  CHECK(nervous.quiet > 5 * calm.quiet);
}
