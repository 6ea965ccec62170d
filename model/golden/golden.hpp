// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/base/worker_pool.hpp"
#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"

namespace solfege {

/// The bit-exact golden model: what each descriptor does to memory, buffers and tables, at the
/// level of integer values (codes are decoded by their planes' weights;
/// tests/unit/model/golden/golden_test.cpp checks it element by element), so that it checks the
/// RTL's arithmetic independently. Descriptors run in program order, each on all cores; results do
/// not depend on their number. Shares no code with the RTL; memory layouts are the contract.
class GoldenDevice {
 public:
  /// `threads` 0: as many as the machine has.
  GoldenDevice(const Config& config, std::size_t memory_bytes, int threads = 0);

  std::vector<std::uint8_t>& memory() { return memory_; }

  /// Runs one descriptor. Throws std::logic_error if it leaves the memory or drains a tile that is
  /// not there: a fault of the scheduler.
  void execute(const Descriptor& descriptor);

  // ---- For observers between descriptors ----
  const std::vector<std::uint8_t>& memory() const { return memory_; }
  /// Bytes of an operand buffer: words of R or C times L bits.
  const std::vector<std::uint8_t>& buffer(bool columns) const {
    return columns ? column_buffer_ : row_buffer_;
  }
  /// Sums captured and not yet drained, in order of drain: [tile][R][C].
  std::size_t pending_sums() const { return tiles_.size(); }
  std::int64_t pending_sum(std::size_t index) const {
    const std::size_t place = tiles_.begin + index;
    return tiles_.is_wide ? tiles_.wide.at(place) : tiles_.narrow.at(place);
  }
  /// Words of a per-channel table; threshold `node` 1 .. 2^k - 1 of a table row and lane.
  const std::vector<std::int32_t>& table(Table table) const {
    return tables_.at(static_cast<std::size_t>(table));
  }
  std::int32_t threshold(std::size_t row, std::size_t node, std::size_t lane) const {
    const auto lanes = static_cast<std::size_t>(config_.stream_lanes);
    const std::size_t nodes = static_cast<std::size_t>(threshold_nodes_);
    const std::size_t index = (row * nodes + node - 1) * lanes + lane;
    return index < thresholds_.size() ? thresholds_[index] : 0;
  }
  std::uint32_t sample_scale(std::size_t sample) const {
    return samples_[sample % samples_.size()];
  }

 private:
  friend class GoldenGemm;
  friend class GoldenStream;

  /// Sums that the array has captured and the stream unit has not yet taken, in order of drain:
  /// [tile][R][C]. 32 bits wide while all of them fit.
  struct Tiles {
    std::vector<std::int32_t> narrow;
    std::vector<std::int64_t> wide;
    bool is_wide = false;
    std::size_t begin = 0, end = 0;
    double bound = 0;  ///< no magnitude is larger
    std::size_t size() const { return end - begin; }
    /// Room for `count` sums more, at most `bound`; returns the index of the first.
    std::size_t append(std::size_t count, double bound);
    void take(std::size_t count);
  };

  void load(const Descriptor& d);
  void transpose(const Descriptor& d);
  void unfold(const Descriptor& d);
  std::uint8_t* at(std::uint64_t address, std::uint64_t bytes);
  /// Cuts 0 .. count - 1 into parts for the workers: work(worker, first, end). `cost` estimates
  /// nanoseconds of one; little work stays with the caller.
  template <typename Work>
  void parallel(std::uint64_t count, double cost, const Work& work) {
    constexpr double kWorthwhile = 40e3;
    const double total = static_cast<double>(count) * cost;
    std::uint64_t parts = 1;
    if (pool_.workers() > 1 && total > kWorthwhile) {
      parts = static_cast<std::uint64_t>(total / (kWorthwhile / 2));
      parts = std::min(parts, 4 * static_cast<std::uint64_t>(pool_.workers()));
    }
    parts = std::min(parts, count);
    pool_.run(static_cast<int>(parts), [&](int worker, int part) {
      const auto index = static_cast<std::uint64_t>(part);
      work(worker, count * index / parts, count * (index + 1) / parts);
    });
  }

  const Config config_;
  const Geometry geometry_;
  std::vector<std::uint8_t> memory_;
  WorkerPool pool_;
  std::vector<std::uint8_t> row_buffer_, column_buffer_;
  std::vector<std::int64_t> sums_;  ///< running sums of the tile that spans descriptors, [R][C]
  Tiles tiles_;
  std::array<std::vector<std::int32_t>, kChannelTables> tables_;  ///< by Table, a word a channel
  std::vector<std::int32_t> thresholds_;  ///< as loaded last: [row][node 1 .. 2^k - 1][lane]
  int threshold_nodes_ = 1;
  std::vector<std::uint32_t> samples_;
  std::vector<std::uint32_t> max_;
  std::vector<std::int64_t> sum_, second_;
  std::vector<std::int64_t> accumulated_;   ///< sums over samples, [tile][row][column]
  std::vector<__int128> accumulated_wide_;  ///< the same where products have more than 64 bits
};

}  // namespace solfege
