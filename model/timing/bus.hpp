// SPDX-License-Identifier: Apache-2.0
// Timing twins of the memory bus: what moves in which cycle, without data. Each struct mirrors the
// registers of the module it names; outputs are read before step(), step() is the clock edge.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

namespace solfege {

/// The memory the cycle model assumes: one beat read and one written a cycle after a fixed latency,
/// or a server of `bytes_per_cycle` (reads and writes together; 0: unlimited).
struct MemoryTiming {
  int latency_cycles = 4;
  double bytes_per_cycle = 0;
};

/// The platform's AXI slave and memory (sim/platform/platform.cpp).
class TimedMemory {
 public:
  TimedMemory(const MemoryTiming& timing, int bus_bytes);
  bool arready = false, awready = false, wready = false, rvalid = false, rlast = false,
       bvalid = false;
  /// At the rising edge that ends `cycle`'s predecessor, with the requests of the cycle that ends.
  void step(bool arvalid, unsigned beats, bool awvalid, bool wvalid, std::uint64_t cycle);
  /// Cycles between a beat's turn and its answer at most.
  std::uint64_t slowest_answer() const { return latency_ + service_ps_ / 1000; }

 private:
  struct Beat {
    std::uint64_t ready_cycle;
    bool last;
  };
  void issue(std::uint64_t cycle);
  std::uint64_t transact(std::uint64_t now_ps);

  std::uint64_t latency_, service_ps_;
  std::size_t response_room_;
  std::deque<unsigned> bursts_;
  std::deque<Beat> reads_;
  std::deque<std::uint64_t> acknowledgements_;
  unsigned write_addresses_ = 0, write_data_ = 0;
  bool read_first_ = false;
  std::uint64_t server_free_ps_ = 0;
};

/// sf_axi_read: round robin over the clients, owners of outstanding bursts in order.
class TimedAxiRead {
 public:
  static constexpr int kClients = 5;  ///< fetch, load, x, z, turner
  bool valid = false;                 ///< arvalid
  unsigned beats = 0;                 ///< arlen + 1
  bool idle() const { return owners_.empty(); }
  /// The client whose request is taken in this cycle, or -1.
  int choose(unsigned request_valid, bool arready) const {
    if (owners_.size() >= kOutstanding || (valid && !arready) || request_valid == 0) return -1;
    for (int i = 0; i < kClients; ++i) {
      const int client = (turn_ + i) % kClients;
      if (request_valid >> client & 1) return client;
    }
    return -1;
  }
  /// The client that a beat in this cycle belongs to.
  int owner() const { return owners_.front(); }
  void step(int taken, unsigned taken_beats, bool arready, bool rvalid, bool rlast) {
    if (rvalid && rlast) owners_.pop_front();
    if (taken >= 0) {
      owners_.push_back(taken);
      turn_ = taken == kClients - 1 ? 0 : taken + 1;
      valid = true;
      beats = taken_beats;
    } else if (arready) {
      valid = false;
    }
  }

 private:
  static constexpr std::size_t kOutstanding = 32;
  int turn_ = 0;
  std::deque<int> owners_;
};

/// sf_axi_write: the first client that asks, single beats.
class TimedAxiWrite {
 public:
  static constexpr int kClients = 3;  ///< elements, planes, turner
  bool address_valid = false, data_valid = false;
  bool idle() const { return waiting_ == 0; }
  /// Every accepted write of the client has been answered.
  bool client_idle(int client) const { return until_[static_cast<std::size_t>(client)] == 0; }
  int choose(unsigned request_valid, bool awready, bool wready) const {
    if ((address_valid && !awready) || (data_valid && !wready) || (waiting_ & 128u) != 0) return -1;
    return request_valid == 0 ? -1 : __builtin_ctz(request_valid);
  }
  void step(int taken, bool awready, bool wready, bool bvalid) {
    if (taken >= 0) {
      address_valid = data_valid = true;
    } else {
      if (awready) address_valid = false;
      if (wready) data_valid = false;
    }
    const unsigned waiting = waiting_ + (taken >= 0 ? 1u : 0u) - (bvalid ? 1u : 0u);
    for (int client = 0; client < kClients; ++client) {
      unsigned& until = until_[static_cast<std::size_t>(client)];
      if (client == taken)
        until = waiting;
      else if (bvalid && until != 0)
        --until;
    }
    waiting_ = waiting;
  }

 private:
  unsigned waiting_ = 0;
  std::array<unsigned, kClients> until_{};
};

}  // namespace solfege
