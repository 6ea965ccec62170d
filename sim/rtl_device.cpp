// SPDX-License-Identifier: Apache-2.0
#include "sim/rtl_device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <map>

#include "gen/generator.hpp"
#include "model/base/error.hpp"
#include "model/base/interrupt.hpp"
#include "model/base/progress.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/registers.hpp"
#include "model/timing/cycle_model.hpp"
#include "model/timing/watchdog.hpp"
#include "sim/dut/netlist_dut.hpp"

namespace solfege {
namespace {

/// Descriptors of the largest program the device is given room for.
constexpr std::size_t kProgramCapacity = 65536;

std::uint64_t differing_bits(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    bits += static_cast<std::uint64_t>(__builtin_popcount(static_cast<unsigned>(a[i] ^ b[i])));
  return bits;
}

DutLibrary load(const Config& config, const RtlOptions& options) {
  if (!options.netlist_directory.empty())
    return load_netlist_dut(options.netlist_directory, config, options.dut.reset_seed);
  const std::string directory =
      options.design_directory.empty() ? generate_cached(config) : options.design_directory;
  DutOptions dut = options.dut;
  dut.waveforms = dut.waveforms || !options.fst_path.empty();
  return build_dut(directory, dut);
}

}  // namespace

RtlDevice::RtlDevice(const Config& config, std::size_t memory_bytes, const RtlOptions& options)
    : config_(config), lockstep_(options.lockstep) {
  const DutLibrary library = load(config, options);
  program_address_ = static_cast<std::uint32_t>(whole_pages(memory_bytes));
  platform_ = std::make_unique<Platform>(library, config.bus_bytes, options.memory,
                                         program_address_ + kProgramCapacity * kDescriptorBytes);
  if (fmt::format("{:016x}", platform_->config_hash()) != config.hash())
    throw CheckFailed("the simulator answers with the hash of another configuration");
  if (!options.fst_path.empty()) {
    waveforms_ = std::make_unique<WaveformFile>(options.fst_path);
    platform_->trace(waveforms_->part().string(), options.fst_from, options.fst_to);
  }
  platform_->set_poll(Interrupt::check);
  memory_model_ = effective(options.memory);
  memory_timing_ = {memory_model_.latency_cycles, memory_model_.bytes_per_cycle};
  stall_probability_ = memory_model_.stall_probability;
  if (lockstep_) golden_ = std::make_unique<GoldenDevice>(config, program_address_);
}

RtlDevice::~RtlDevice() = default;

void RtlDevice::finish_waveforms() {
  if (!waveforms_) return;
  platform_->end_trace();
  if (!waveforms_->finish())
    say(fmt::format("solfege: note: no waveforms: the runs ended at cycle {}, before --fst-from",
                    platform_->cycle()));
}

bool RtlDevice::compare(const Operation& operation, std::size_t index, const Region& region,
                        const std::uint8_t* expected, std::uint64_t cycle) {
  const std::uint8_t* got = platform_->memory().data() + region.address;
  tally_.compared_bits += std::uint64_t{8} * region.bytes;
  if (std::memcmp(expected, got, region.bytes) == 0) return true;
  tally_.mismatched_bits += differing_bits(expected, got, region.bytes);
  std::size_t byte = 0;
  while (expected[byte] == got[byte]) ++byte;
  const std::size_t width = static_cast<std::size_t>(region.element_bytes);
  const std::size_t first = byte / width * width;
  auto hex = [&](const std::uint8_t* from) {
    std::string text;
    for (std::size_t i = width; i-- > 0;) text += fmt::format("{:02x}", from[first + i]);
    return text;
  };
  tally_.first_difference = fmt::format(
      "descriptor {} ({} {}: {}), tensor {}, index {}: expected 0x{}, got 0x{}, cycle {}", index,
      operation.layer, operation.pass, operation.label, region.tensor, first / width, hex(expected),
      hex(got), cycle);
  return false;
}

void RtlDevice::place(const Program& program) {
  if (program.operations.size() > kProgramCapacity)
    throw InputError(fmt::format("a program of {} descriptors exceeds {}; lower --batch",
                                 program.operations.size(), kProgramCapacity));
  const auto words = program.encode();
  std::memcpy(memory().data() + program_address_, words.data(), words.size() * 4);
}

void RtlDevice::run_after_error(const Program& program, std::uint32_t error_address) {
  place(program);
  const std::vector<std::uint8_t> before = memory();
  MemoryModel failing = memory_model_;
  failing.error_address = error_address;
  platform_->set_memory_model(failing);
  const Patience patience =
      patience_for(TimingModel(config_, memory_timing_).run(program), stall_probability_);
  const RunResult result = platform_->run(
      program_address_, static_cast<std::uint32_t>(program.operations.size()), {}, patience);
  platform_->set_memory_model(memory_model_);
  if (result.timed_out)
    throw CheckFailed(fmt::format(
        "watchdog: the device does not finish after a bus error at 0x{:08x}: {} cycles since its "
        "start; memory: {}",
        error_address, result.last_cycle - result.first_cycle, result.bus));
  if (result.error && result.error_code != static_cast<int>(ErrorCode::kBus))
    throw CheckFailed(fmt::format("a bus error at 0x{:08x} stopped the device with error {} ({})",
                                  error_address, result.error_code, error_name(result.error_code)));
  std::copy(before.begin(), before.end(), memory().begin());
  timing_.reset();
  run(program, false);
  timing_.reset();
  platform_->reset();
}

/// One run of a program: what has retired so far, and how it compares.
class RtlDevice::Run {
 public:
  Run(RtlDevice& device, const Program& program, const ProgramTiming& timing, bool predicts)
      : device_(device),
        program_(program),
        timing_(timing),
        predicts_(predicts),
        retired_(program.operations.size()) {}

  /// A descriptor has retired. False: what it wrote differs.
  bool retire(const Retire& retire) {
    Interrupt::check();
    if (device_.waveforms_) device_.waveforms_->check();
    const std::size_t index = retire.tag;
    if (index >= retired_.size() || retired_[index])
      throw CheckFailed(fmt::format(
          "the device retires descriptor {}{}", index,
          index < retired_.size() ? " twice"
                                  : fmt::format(", and the program has {}", retired_.size())));
    retired_[index] = true;
    EngineCycles& engine = engines_[static_cast<std::size_t>(retire.engine)];
    ++engine.descriptors;
    engine.active += retire.active_cycles;
    engine.stall += retire.stall_cycles;
    last_retired_ = retire.cycle;
    check_cycles(retire);
    ++device_.tally_.descriptors;
    return !device_.lockstep_ || check_writes(index, retire.cycle);
  }

  /// The run has ended: throws CheckFailed if it did not end well, or does not add up.
  void finish(const RunResult& result) {
    check_end(result);
    check_counters(result.counters);
    if (device_.lockstep_) check_memory(result.last_cycle);
  }

 private:
  struct EngineCycles {
    std::uint64_t descriptors = 0, active = 0, stall = 0;
  };

  void check_cycles(const Retire& retire) {
    const std::size_t index = retire.tag;
    const Operation& operation = program_.operations[index];
    const std::uint64_t predicted = active_cycles(operation.descriptor, device_.config_);
    device_.tally_.simulated_cycles += retire.active_cycles;
    device_.tally_.stall_cycles += retire.stall_cycles;
    device_.tally_.predicted_cycles += predicted;
    bool apart = predicted != retire.active_cycles;
    if (predicts_) {
      const OperationTiming& expected = timing_.operations[index];
      apart =
          apart || expected.active != retire.active_cycles || expected.stall != retire.stall_cycles;
    }
    if (apart && ++device_.tally_.cycles_apart == 1)
      device_.tally_.first_difference_in_cycles = fmt::format(
          "descriptor {} ({} {}: {}): {} advancing and {} waiting, predicted {}{}", index,
          operation.layer, operation.pass, operation.label, retire.active_cycles,
          retire.stall_cycles, predicted,
          predicts_ ? fmt::format(", timing model {} and {}", timing_.operations[index].active,
                                  timing_.operations[index].stall)
                    : "");
  }

  bool check_writes(std::size_t index, std::uint64_t cycle) {
    const Operation& operation = program_.operations[index];
    if (operation.writes.empty()) return true;
    // Program order is an order of the dependences, so everything up to here may run in the golden
    // model. What other engines have not yet retired is kept: later ones may overwrite it.
    for (; golden_next_ <= index; ++golden_next_) {
      const Operation& next = program_.operations[golden_next_];
      device_.golden_->execute(next.descriptor);
      if (golden_next_ == index || next.writes.empty()) continue;
      std::vector<std::uint8_t>& kept = ahead_[golden_next_];
      for (const Region& region : next.writes) {
        const std::uint8_t* from = device_.golden_->memory().data() + region.address;
        kept.insert(kept.end(), from, from + region.bytes);
      }
    }
    const auto kept = ahead_.find(index);
    const std::uint8_t* from = kept == ahead_.end() ? nullptr : kept->second.data();
    bool equal = true;
    for (const Region& region : operation.writes) {
      const std::uint8_t* expected = device_.golden_->memory().data() + region.address;
      if (from != nullptr) {
        expected = from;
        from += region.bytes;
      }
      equal = device_.compare(operation, index, region, expected, cycle) && equal;
    }
    ahead_.erase(index);
    return equal;
  }

  std::string standstill(const RunResult& result) const {
    return describe_standstill(program_, retired_, result.fetched) +
           (result.bus.empty() ? "" : "; memory: " + result.bus);
  }

  void check_end(const RunResult& result) const {
    if (result.error) {
      const auto tag = static_cast<std::size_t>(result.error_tag);
      throw CheckFailed(fmt::format(
          "the device stopped with error {} ({}), {}, at descriptor {} ({}); {}", result.error_code,
          error_name(result.error_code), engine_name(result.error_engine), result.error_tag,
          tag < program_.operations.size() ? program_.operations[tag].label : "?",
          standstill(result)));
    }
    if (result.timed_out)
      throw CheckFailed(fmt::format(
          "watchdog: the device does not finish: {} cycles since its start, {} since a descriptor "
          "retired, {} predicted in all; {}",
          result.last_cycle - result.first_cycle,
          result.last_cycle - std::max(last_retired_, result.first_cycle), timing_.cycles,
          standstill(result)));
    if (const auto left = std::find(retired_.begin(), retired_.end(), false);
        result.done && left != retired_.end())
      throw CheckFailed(fmt::format("the device is done, and descriptor {} has not retired",
                                    left - retired_.begin()));
    if (result.stopped) throw CheckFailed("first difference: " + device_.tally_.first_difference);
  }

  void check_counters(const Counters& c) {
    // The counters count what the descriptors report, but for the cycle of each one's start.
    const std::pair<std::uint64_t, std::uint64_t> counted[] = {{c.array_active, c.array_stall},
                                                               {c.stream_active, c.stream_stall},
                                                               {c.dma_active, c.dma_stall},
                                                               {c.turner_active, c.turner_stall}};
    for (std::size_t engine = 0; engine < engines_.size(); ++engine)
      if (counted[engine].first + engines_[engine].descriptors != engines_[engine].active ||
          counted[engine].second != engines_[engine].stall)
        throw CheckFailed(fmt::format(
            "the counters of engine {} show {} advancing and {} waiting cycles, its {} descriptors "
            "{} and {}",
            engine, counted[engine].first, counted[engine].second, engines_[engine].descriptors,
            engines_[engine].active, engines_[engine].stall));
    if (predicts_ && timing_.cycles != c.cycles && ++device_.tally_.cycles_apart == 1)
      device_.tally_.first_difference_in_cycles =
          fmt::format("program of {} descriptors: {} cycles in all, predicted {}",
                      program_.operations.size(), c.cycles, timing_.cycles);
  }

  void check_memory(std::uint64_t cycle) {
    const auto& memory = device_.memory();
    for (; golden_next_ < program_.operations.size(); ++golden_next_)
      device_.golden_->execute(program_.operations[golden_next_].descriptor);
    // Nothing may have been written beside the tensors that were compared.
    if (std::memcmp(device_.golden_->memory().data(), memory.data(),
                    device_.golden_->memory().size()) != 0) {
      Operation last;
      last.label = "end of program";
      device_.compare(
          last, program_.operations.size(),
          {"whole memory", 0, static_cast<std::uint32_t>(device_.golden_->memory().size()), 4},
          device_.golden_->memory().data(), cycle);
      throw CheckFailed("first difference: " + device_.tally_.first_difference);
    }
  }

  RtlDevice& device_;
  const Program& program_;
  const ProgramTiming& timing_;
  const bool predicts_;
  std::vector<bool> retired_;
  std::uint64_t last_retired_ = 0;
  std::array<EngineCycles, kDutEngines> engines_;
  std::size_t golden_next_ = 0;
  std::map<std::size_t, std::vector<std::uint8_t>> ahead_;  ///< operation -> bytes of its writes
};

void RtlDevice::run(const Program& program) { run(program, stall_probability_ == 0); }

void RtlDevice::run(const Program& program, bool predicts) {
  place(program);
  const auto& memory = platform_->memory();
  // What the host has written since the last run; the device's own writes were compared then.
  if (lockstep_) std::memcpy(golden_->memory().data(), memory.data(), golden_->memory().size());

  // A run that does not end well leaves the device to be reset, so the model starts anew, too.
  std::unique_ptr<TimingModel> model = std::move(timing_);
  if (model == nullptr) model = std::make_unique<TimingModel>(config_, memory_timing_);
  const ProgramTiming timing = model->run(program);
  Run run(*this, program, timing, predicts);
  const RunResult result = platform_->run(
      program_address_, static_cast<std::uint32_t>(program.operations.size()),
      [&run](const Retire& retire) { return run.retire(retire); },
      patience_for(timing, stall_probability_));
  Counters& sum = tally_.counters;
#define SOLFEGE_ADD(name, meaning) sum.name += result.counters.name;
  SOLFEGE_COUNTERS(SOLFEGE_ADD)
#undef SOLFEGE_ADD
  if (predicts) tally_.predicted_device_cycles += timing.cycles;
  run.finish(result);
  timing_ = std::move(model);
}

}  // namespace solfege
