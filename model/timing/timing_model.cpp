// SPDX-License-Identifier: Apache-2.0
#include "model/timing/timing_model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/base/error.hpp"
#include "model/base/interrupt.hpp"
#include "model/timing/cycle_model.hpp"
#include "model/timing/watchdog.hpp"

namespace solfege {
namespace {

// Clients of the bus, as rtl/device/sf_device.v numbers them
enum Reader { kReadFetch = 0, kReadLoad, kReadX, kReadZ, kReadTurn };
enum Writer { kWriteElements = 0, kWritePlanes, kWriteTurn };
constexpr int kReaderEngine[] = {-1, kDma, kStream, kStream, kTurner};
constexpr int kWriterEngine[] = {kStream, kStream, kTurner};

[[noreturn]] void stuck(const Program& program, const ProgramTiming& timing, std::size_t fetched,
                        const std::string& what) {
  std::vector<bool> retired;
  for (const OperationTiming& operation : timing.operations) retired.push_back(operation.end != 0);
  throw CheckFailed(fmt::format("watchdog: in the timing model {}; {}", what,
                                describe_standstill(program, retired, fetched)));
}

}  // namespace

TimingModel::TimingModel(const Config& config, const MemoryTiming& memory)
    : config_(config),
      memory_(memory, config.bus_bytes),
      patience_(1000 + 2 * memory_.slowest_answer()),
      fetch_(config.bus_bytes),
      queues_{TimedQueue(config.descriptor_queue_depth), TimedQueue(config.descriptor_queue_depth),
              TimedQueue(config.descriptor_queue_depth), TimedQueue(config.descriptor_queue_depth)},
      array_(config),
      stream_(config_),
      loader_(config),
      transpose_(config),
      unfold_(config) {
  memory_.step(false, 0, false, false, ++cycle_);  // out of reset, the memory is ready
}

ProgramTiming TimingModel::run(const Program& program,
                               const std::function<bool(double)>& progress) {
  ProgramTiming result;
  result.operations.resize(program.operations.size());
  static const Descriptor kNone;
  std::array<std::uint8_t, 8> tokens{};
  std::array<bool, kEngines> started{}, done{}, stalled{};
  std::array<std::uint64_t, kEngines> limits{};  // cycles the running descriptors may advance
  bool starting = true;
  std::uint64_t now = 0;
  std::size_t retired_count = 0;
  std::uint64_t last_move = 0;  // the last cycle in which anything advanced

  for (;;) {
    // ---- What the registers offer in this cycle ----
    const bool response = memory_.rvalid;
    const int owner = response ? read_.owner() : -1;
    unsigned reads = 0, writes = 0;
    if (fetch_.request_valid()) reads |= 1u << kReadFetch;
    if (loader_.request_valid()) reads |= 1u << kReadLoad;
    if (stream_.x_request()) reads |= 1u << kReadX;
    if (stream_.z_request()) reads |= 1u << kReadZ;
    if (transpose_.read_request() || unfold_.read_request()) reads |= 1u << kReadTurn;
    if (stream_.elements_request()) writes |= 1u << kWriteElements;
    if (stream_.planes_request()) writes |= 1u << kWritePlanes;
    if (transpose_.write_request() || unfold_.write_request()) writes |= 1u << kWriteTurn;
    const int reader = read_.choose(reads, memory_.arready);
    const int writer = write_.choose(writes, memory_.awready, memory_.wready);
    const bool turn_idle = write_.client_idle(kWriteTurn);
    const bool unfolding = unfold_.busy();

    // ---- What moves ----
    for (std::size_t e = 0; e < kEngines; ++e) started[e] = queues_[e].starts(program, tokens);
    stream_.evaluate(array_.tile_valid(), writer == kWriteElements, writer == kWritePlanes,
                     write_.client_idle(kWriteElements) && write_.client_idle(kWritePlanes));
    unfold_.evaluate(unfolding && reader == kReadTurn, unfolding && writer == kWriteTurn,
                     turn_idle);
    const bool turn_asked = !unfolding && reader == kReadTurn;
    const bool turn_put = !unfolding && writer == kWriteTurn;
    done = {array_.done(stream_.takes_tile()), stream_.done(), loader_.done(),
            unfolding ? unfold_.done() : transpose_.done(turn_idle)};
    stalled = {array_.stall(stream_.takes_tile()), stream_.stall(),
               loader_.stall(owner == kReadLoad),
               unfolding ? unfold_.stall() : transpose_.stall(turn_asked, turn_put, turn_idle)};

    const bool quiet = read_.idle() && write_.idle() && !read_.valid;
    bool finished = !fetch_.active();
    for (const TimedQueue& queue : queues_) finished = finished && queue.idle();
    result.read_beats += response;
    result.write_beats += write_.data_valid && memory_.wready;
    if (!starting && finished && quiet) {
      result.cycles = now + 1;
      ++cycle_;
      // The bus rests, but the memory's ready signals follow.
      write_.step(-1, memory_.awready, memory_.wready, memory_.bvalid);
      memory_.step(false, 0, false, false, cycle_);
      return result;
    }

    // ---- Clock edge ----
    const int given_to =
        fetch_.giving() ? static_cast<int>(program.operations[fetch_.index()].descriptor.engine())
                        : -1;
    const bool given = given_to >= 0 && queues_[static_cast<std::size_t>(given_to)].ready();
    const std::size_t given_index = fetch_.index();
    auto descriptor = [&](std::size_t e) -> const Descriptor& {
      return started[e] ? program.operations[queues_[e].index].descriptor : kNone;
    };
    unsigned reader_beats = 1;
    if (reader == kReadFetch) reader_beats = fetch_.request_beats();
    if (reader == kReadLoad) reader_beats = loader_.request_beats();

    const bool turn_starts_unfold =
        started[kTurner] && descriptor(kTurner).opcode == Opcode::kUnfold;
    array_.step(started[kArray], descriptor(kArray), stream_.takes_tile());
    stream_.step(started[kStream], descriptor(kStream), reader == kReadX, reader == kReadZ,
                 owner == kReadX, owner == kReadZ);
    loader_.step(started[kDma], descriptor(kDma), reader == kReadLoad, owner == kReadLoad);
    transpose_.step(started[kTurner] && !turn_starts_unfold, descriptor(kTurner), turn_asked,
                    !unfolding && owner == kReadTurn, turn_put, turn_idle);
    unfold_.step(turn_starts_unfold, descriptor(kTurner), unfolding && owner == kReadTurn);

    for (std::size_t e = 0; e < kEngines; ++e) {
      TimedQueue& queue = queues_[e];
      const bool retired = queue.running && done[e];
      const std::size_t index = queue.index;
      if (started[e]) {
        OperationTiming& timing = result.operations[index];
        timing.start = now;
        timing.active = 1;
        limits[e] = 1000 + 2 * active_cycles(program.operations[index].descriptor, config_);
        for (std::uint32_t mask = program.operations[index].descriptor.wait_mask; mask != 0;
             mask &= mask - 1)
          --tokens[static_cast<std::size_t>(__builtin_ctz(mask))];
      } else if (queue.running) {
        OperationTiming& timing = result.operations[index];
        if (reader >= 0 && kReaderEngine[reader] == static_cast<int>(e))
          timing.read_beats += reader_beats;
        if (writer >= 0 && kWriterEngine[writer] == static_cast<int>(e)) ++timing.write_beats;
        if (stalled[e])
          ++timing.stall;
        else
          ++timing.active;
        if (timing.active > limits[e])
          stuck(program, result, fetch_.active() ? fetch_.index() : result.operations.size(),
                fmt::format("descriptor {} advances for more than {} cycles, its bound", index,
                            limits[e]));
        if (retired) {
          timing.end = now + 1;
          ++retired_count;
        }
      }
      queue.step(started[e], retired, given && given_to == static_cast<int>(e), given_index);
      if (retired)
        for (std::uint32_t mask = program.operations[index].descriptor.signal_mask; mask != 0;
             mask &= mask - 1)
          ++tokens[static_cast<std::size_t>(__builtin_ctz(mask))];
    }
    fetch_.step(reader == kReadFetch, owner == kReadFetch, given);
    if (starting) {
      fetch_.start(program.operations.size());
      starting = false;
    }

    const bool arready = memory_.arready, awready = memory_.awready, wready = memory_.wready,
               rlast = memory_.rlast, bvalid = memory_.bvalid;
    ++cycle_;
    ++now;
    memory_.step(read_.valid, read_.beats, write_.address_valid, write_.data_valid, cycle_);
    read_.step(reader, reader_beats, arready, response, rlast);
    write_.step(writer, awready, wready, bvalid);
    bool moved = response || bvalid || reader >= 0 || writer >= 0 || given;
    for (std::size_t e = 0; e < kEngines; ++e)
      moved = moved || started[e] || (queues_[e].running && !stalled[e]);
    if (moved) last_move = now;
    if (now - last_move > patience_)
      stuck(program, result, fetch_.active() ? fetch_.index() : result.operations.size(),
            fmt::format("nothing moves for {} cycles", patience_));
    if ((now & 0xfffff) == 0) Interrupt::check();
    if (progress && (now & 0xfffff) == 0 &&
        !progress(static_cast<double>(retired_count) /
                  static_cast<double>(program.operations.size())))
      return result;
  }
}

}  // namespace solfege
