// SPDX-License-Identifier: Apache-2.0
// Drives sf_array, Verilated, every cycle with random operands and times it: cycles/s and binary
// operations/s (cycles x rows x columns x lanes). Before the clock runs, tiles of the same stream
// are compared with sums made in plain C++, so that only a correct array is timed.
//
//   array_bench SECONDS   prints one JSON object
// Macros: SF_ROWS, SF_COLUMNS, SF_LANES, SF_DRAIN_LANES, SF_ACCUMULATOR_BITS as the model was
// built.
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "Vsf_array.h"
#include "verilated.h"

namespace {

constexpr int kRows = SF_ROWS, kColumns = SF_COLUMNS, kLanes = SF_LANES;
constexpr int kTileOperations = 64;  // of a tile; draining one takes fewer cycles
constexpr int kWeightOperations = kTileOperations / 4;  ///< of one weight
constexpr int kTiles = 8;  // of different operands, then again from the first
constexpr int kWords = kTiles * kTileOperations;
static_assert(kRows * kColumns / SF_DRAIN_LANES < kTileOperations);

using Row = std::vector<std::uint8_t>;

/// A port of up to 64 bits is an integer in Verilator's interface, a wider one an array of words.
template <typename Port>
void drive(Port& port, const Row& bytes) {
  std::memcpy(&port, bytes.data(), bytes.size());
}

double user_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec);
}

class Bench {
 public:
  Bench() : rows_(kWords), columns_(kWords) {
    std::mt19937_64 random(1);
    const auto fill = [&](Row& bytes, int words) {
      bytes.resize(static_cast<std::size_t>(words * kLanes / 8));
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    };
    for (int word = 0; word < kWords; ++word) {
      fill(rows_[word], kRows);
      fill(columns_[word], kColumns);
    }
    array_->rst_ni = 0;
    array_->mask_i = ~std::uint64_t{0} >> (64 - kLanes);
    clock();
    array_->rst_ni = 1;
    array_->valid_i = 1;
  }

  /// One operation: 16 each of weights 1, 2, 4 and 8.
  void step() {
    const int word = static_cast<int>(cycle_ % kWords), place = word % kTileOperations;
    drive(array_->rows_i, rows_[word]);
    drive(array_->columns_i, columns_[word]);
    array_->row_plane_0_i = array_->column_plane_0_i = 1;  // the extra row and column work too
    array_->row_planes_i = 1;
    array_->flush_i = place % kWeightOperations == kWeightOperations - 1;
    array_->first_i = place < kWeightOperations;
    array_->capture_i = place == kTileOperations - 1;
    array_->shift_i = place / kWeightOperations;
    array_->take_i = array_->tile_valid_o;
    clock();
    ++cycle_;
  }

  /// Runs the tiles once and compares every drained sum; exits when one differs.
  void check() {
    std::size_t taken = 0;
    const std::size_t chunks = kRows * kColumns / SF_DRAIN_LANES;
    while (taken < kTiles * chunks) {
      array_->eval();
      if (array_->tile_valid_o) {
        const int tile = static_cast<int>(taken / chunks) % kTiles;
        const std::size_t chunk = taken % chunks, first = chunk * SF_DRAIN_LANES;
        for (std::size_t lane = 0; lane < SF_DRAIN_LANES; ++lane) {
          const std::size_t row = (first + lane) / kColumns, column = (first + lane) % kColumns;
          if (sum_of(lane) != expected(tile, row, column)) {
            std::fprintf(stderr, "array_bench: tile %d row %zu column %zu differs\n", tile, row,
                         column);
            std::exit(1);
          }
        }
        ++taken;
      }
      step();
    }
  }

 private:
  void clock() {
    array_->clk_i = 0;
    array_->eval();
    array_->clk_i = 1;
    array_->eval();
  }

  std::uint64_t sum_of(std::size_t lane) const {
    std::uint64_t value = 0;
    for (std::size_t bit = 0; bit < SF_ACCUMULATOR_BITS; ++bit) {
      const std::size_t place = lane * SF_ACCUMULATOR_BITS + bit;
      value |= std::uint64_t{array_->chunk_o[place / 32] >> place % 32 & 1} << bit;
    }
    return value;
  }

  std::uint64_t expected(int tile, std::size_t row, std::size_t column) const {
    std::uint64_t sum = 0;
    for (int place = 0; place < kTileOperations; ++place) {
      const int word = tile * kTileOperations + place;
      for (std::size_t byte = 0; byte < kLanes / 8; ++byte) {
        const unsigned both =
            rows_[word][row * kLanes / 8 + byte] & columns_[word][column * kLanes / 8 + byte];
        sum += static_cast<std::uint64_t>(__builtin_popcount(both)) << place / kWeightOperations;
      }
    }
    return sum;
  }

  std::unique_ptr<Vsf_array> array_ = std::make_unique<Vsf_array>();
  std::vector<Row> rows_, columns_;
  std::uint64_t cycle_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1;
  Bench bench;
  bench.check();
  using Clock = std::chrono::steady_clock;
  constexpr int kSlice = 1000;
  double cycles = 0, user = 0, wall = 0;
  const double user_start = user_seconds();
  const auto start = Clock::now();
  do {
    for (int i = 0; i < kSlice; ++i) bench.step();
    cycles += kSlice;
    user = user_seconds() - user_start;
    wall = std::chrono::duration<double>(Clock::now() - start).count();
  } while (user < seconds && wall < 10 * seconds);
  std::printf("{\"cycles\": %.0f, \"user_seconds\": %.4f, \"wall_seconds\": %.4f}\n", cycles, user,
              wall);
}
