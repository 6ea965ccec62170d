// SPDX-License-Identifier: Apache-2.0
#include "model/timing/bus.hpp"

#include <algorithm>
#include <cmath>

namespace solfege {
namespace {

// As sim/platform/platform.cpp has them
constexpr std::uint64_t kPeriodPs = 1000;
constexpr std::size_t kQueuedBursts = 16;
constexpr unsigned kQueuedWrites = 4;
constexpr std::size_t kPipelineBeats = 64;

}  // namespace

TimedMemory::TimedMemory(const MemoryTiming& timing, int bus_bytes)
    : latency_(static_cast<std::uint64_t>(timing.latency_cycles)),
      service_ps_(timing.bytes_per_cycle > 0 ? static_cast<std::uint64_t>(std::llround(
                                                   bus_bytes * kPeriodPs / timing.bytes_per_cycle))
                                             : 0),
      response_room_(1) {
  while (response_room_ < latency_ + kPipelineBeats) response_room_ *= 2;
}

void TimedMemory::step(bool arvalid, unsigned beats, bool awvalid, bool wvalid,
                       std::uint64_t cycle) {
  if (rvalid) {
    rvalid = false;
    reads_.pop_front();
  }
  if (bvalid) {
    bvalid = false;
    acknowledgements_.pop_front();
  }
  if (arready && arvalid) bursts_.push_back(beats);
  if (awready && awvalid) ++write_addresses_;
  if (wready && wvalid) ++write_data_;
  issue(cycle);
  if (!reads_.empty() && reads_.front().ready_cycle <= cycle) {
    rvalid = true;
    rlast = reads_.front().last;
  }
  if (!acknowledgements_.empty() && acknowledgements_.front() <= cycle) bvalid = true;
  arready = bursts_.size() < kQueuedBursts;
  awready = write_addresses_ < kQueuedWrites;
  wready = write_data_ < kQueuedWrites;
}

std::uint64_t TimedMemory::transact(std::uint64_t now_ps) {
  if (service_ps_ == 0) {
    server_free_ps_ = now_ps;
    return latency_;
  }
  server_free_ps_ = std::max(server_free_ps_, now_ps) + service_ps_;
  return (server_free_ps_ - now_ps + latency_ * kPeriodPs + kPeriodPs - 1) / kPeriodPs;
}

void TimedMemory::issue(std::uint64_t cycle) {
  const bool can_read = !bursts_.empty() && reads_.size() < response_room_;
  const bool can_write =
      write_addresses_ > 0 && write_data_ > 0 && acknowledgements_.size() < response_room_;
  if (!can_read && !can_write) return;
  const std::uint64_t now_ps = cycle * kPeriodPs;
  auto admitted = [&] { return server_free_ps_ < now_ps + kPeriodPs; };
  bool read = false;
  auto issue_read = [&] {
    const bool last = bursts_.front() == 1;
    reads_.push_back({cycle + transact(now_ps), last});
    if (last)
      bursts_.pop_front();
    else
      --bursts_.front();
    read = true;
  };
  if (can_read && read_first_ && admitted()) issue_read();
  if (can_write && admitted()) {
    acknowledgements_.push_back(cycle + transact(now_ps));
    --write_addresses_;
    --write_data_;
  }
  if (can_read && !read && admitted()) issue_read();
  read_first_ = can_read && !read;
}

}  // namespace solfege
