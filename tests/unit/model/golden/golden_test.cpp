// SPDX-License-Identifier: Apache-2.0
#include "model/golden/golden.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "model/golden/patch.hpp"
#include "model/spec/window.hpp"
#include "tests/support/naive_device.hpp"
#include "tests/support/random_stream.hpp"
#include "tests/support/random_turn.hpp"

namespace solfege {
namespace {

constexpr std::size_t kMemory = std::size_t{6} << 20;

/// Two models with the same memory, and random descriptors for both.
class Bench : public SeededRandom {
 public:
  explicit Bench(std::uint64_t seed)
      : SeededRandom(seed),
        c_(shape()),
        golden_(c_, kMemory, 3),
        naive_(c_, kMemory),
        streams_(c_, *this, naive_.memory, 0) {
    fill(naive_.memory);
  }

  void run(const Descriptor& d) {
    golden_.memory() = naive_.memory;
    golden_.execute(d);
    naive_.execute(d);
    INFO("opcode " << name(d.opcode));
    REQUIRE(naive_.first_difference(golden_.memory()) == -1);
  }
  void run(const RandomStream::Descriptors& all) {
    for (const Descriptor& d : all) run(d);
  }

  /// A pass over a tensor in memory.
  void pass() { run(streams_.from_memory()); }

  /// Products of every mode, and the drain of their tiles.
  void product() {
    load_operands();
    Descriptor d;
    d.opcode = Opcode::kGemm;
    const bool by_tile = chance(25);
    d.window_mode = static_cast<WindowMode>(by_tile ? 0 : field(0, 2));
    d.rows_by_tap = d.window_mode == WindowMode::kBackwardWeight;
    d.columns_by_tile = by_tile;
    d.row_planes = chance(20) ? field(9, 24) : field(1, 8);
    d.column_planes = field(1, 8);
    d.row_signed = chance(30);
    d.column_signed = chance(30);
    if (chance(70)) {
      const auto reading = [this](bool is_signed, std::uint32_t planes) {
        if (planes <= 8 && chance(50)) return bipolar_codes(static_cast<int>(planes));
        return PlaneReading{is_signed, 1 << between(0, 1), between(-255, 255)};
      };
      d.read_operands(reading(d.row_signed, d.row_planes),
                      reading(d.column_signed, d.column_planes));
    } else {  // scalars that no two operands have
      d.affine_shift = field(0, 2);
      d.affine_row = field(0, 1023);
      d.affine_column = field(0, 1023);
      d.affine_lanes = field(0, (1 << 18) - 1);
    }
    d.words = field(1, 3);
    d.tail_lanes = field(1, c_.lanes);
    d.column_groups = by_tile ? 1 : field(1, 3);
    int kernel_y = between(1, 3), kernel_x = between(1, 3), out_y = between(1, 4),
        out_x = between(1, 4);
    d.stride_y = field(1, 4);
    d.stride_x = field(1, 4);
    int map_y = between(1, 5), map_x = between(1, 5), origin_y = between(-3, 3);
    if (by_tile) {
      kernel_y = kernel_x = map_x = out_x = 1;
      d.stride_y = d.stride_x = 1;
      origin_y = static_cast<int>(d.map_y_first = field(0, 2));
      map_y = out_y + origin_y;
    }
    d.window_height = static_cast<std::uint32_t>(map_y);
    d.window_width = static_cast<std::uint32_t>(map_x);
    const bool weight = d.window_mode == WindowMode::kBackwardWeight;
    d.tile_y_count = static_cast<std::uint32_t>(weight ? kernel_y : out_y);
    d.tile_x_count = static_cast<std::uint32_t>(weight ? kernel_x : out_x);
    d.tap_y_count = static_cast<std::uint32_t>(weight ? out_y : kernel_y);
    d.tap_x_count = static_cast<std::uint32_t>(weight ? out_x : kernel_x);
    d.row_base = field(0, c_.row_buffer_depth - 1);
    d.column_base = field(0, c_.column_buffer_depth - 1);
    d.column_group_stride = field(0, 40);
    set_origin(d, origin_y, by_tile ? 0 : between(-3, 3));
    const bool split = chance(20) && !by_tile;
    if (split) {
      // The contraction of one tile in two descriptors
      d.tile_y_count = d.tile_x_count = d.column_groups = 1;
      d.clear = 1;
      d.tap_y_count = 1;
      set_origin(d, origin_y, 0);
      run(d);
      d.clear = 0;
      const int step = d.window_mode == WindowMode::kForward         ? 1
                       : d.window_mode == WindowMode::kBackwardInput ? -1
                                                                     : static_cast<int>(d.stride_y);
      set_origin(d, origin_y + step, 0);
    }
    d.clear = !split;
    d.drain = 1;
    int repeats = 1;
    if (!split && chance(15)) {
      // Many tiles, so that the pass that takes them is shared by threads
      d.words = d.tap_y_count = d.tap_x_count = d.row_planes = d.column_planes = 1;
      set_origin(d, 0, 0);
      d.tail_lanes = 4;
      repeats = 12;
    }
    for (int i = 0; i < repeats; ++i) run(d);
    d.tile_y_count *= static_cast<std::uint32_t>(repeats);
    run(streams_.from_array(static_cast<int>(d.column_groups), static_cast<int>(d.tile_x_count),
                            static_cast<int>(d.tile_y_count)));
  }
  void load_operands() {
    for (const bool columns : {false, true}) {
      const int depth = columns ? c_.column_buffer_depth : c_.row_buffer_depth;
      const int group = columns ? c_.columns : c_.rows;
      Descriptor d;
      d.opcode = Opcode::kLoad;
      d.load_to_columns = columns;
      const auto beat = static_cast<std::uint32_t>(
          std::max(1, c_.bus_bytes * 8 / (group * c_.lanes)));  // words of one
      d.load_offset = field(0, 7) / beat * beat;
      d.load_words = static_cast<std::uint32_t>(depth) - d.load_offset;
      d.load_address = field(0, 999) * static_cast<std::uint32_t>(c_.bus_bytes);
      run(d);
    }
  }
  /// Planes turned, and unfolded.
  void turn() {
    run(random_transpose(Geometry(c_), *this, 0));
    run(random_unfold(Geometry(c_), *this, 0));
  }

 private:
  Config shape() {
    Config c;
    c.rows = 1 << between(1, 5);
    c.columns = 1 << between(1, 5);
    c.lanes = 1 << between(4, 7);
    c.row_buffer_depth = c.column_buffer_depth = 256;
    c.stream_lanes = 1 << between(0, 4);
    c.stream_lanes = std::min(c.stream_lanes, c.columns);
    c.stored_bits = chance(70) ? 16 : 32;
    c.table_channels = 128;
    c.threshold_channels = 64;
    c.max_batch = 64;
    c.random_bits = chance(50) ? 16 : between(4, 16);
    c.bus_bytes = std::max({8 << between(0, 3), c.lanes / 8, 4 * c.stream_lanes});
    c.activation_bits = 8;
    c.wide_bits = 32;
    return c;
  }

  Config c_;
  GoldenDevice golden_;
  NaiveDevice naive_;
  RandomStream streams_;
};

template <typename Case>
void repeat(int cases, const Case& one) {
  const char* wanted = std::getenv("SOLFEGE_CASES");
  if (wanted != nullptr) cases = std::atoi(wanted);
  for (int i = 0; i < cases; ++i) {
    const std::uint64_t seed = test_seed(20160620) + static_cast<std::uint64_t>(i);
    INFO("SOLFEGE_SEED=" << seed << " SOLFEGE_CASES=1 replays this case");
    Bench bench(seed);
    one(bench);
  }
}

}  // namespace

TEST_CASE("Stream passes in storage order are the contract's, element by element", "[golden]") {
  repeat(60, [](Bench& bench) { bench.pass(); });
}

TEST_CASE("Products and drains are the contract's, sum by sum", "[golden]") {
  repeat(60, [](Bench& bench) { bench.product(); });
}

TEST_CASE("The double-precision quotient of f_G is exact at every tie", "[golden]") {
  int wrong = 0;
  // Quotients that are integers, and their neighbours: m a multiple of 2^r, few random bits
  for (const int random_bits : {4, 6}) {
    for (int bits = 1; bits <= 8; ++bits) {
      const std::int64_t n = (1 << bits) - 1;
      for (std::uint32_t odd = 1; odd < 300; odd += 14) {
        const std::uint32_t m = odd << random_bits;
        std::uint32_t peaks[kBlock];
        std::fill(peaks, peaks + kBlock, m);
        for (std::int64_t c = 0; c <= n; ++c) {
          std::int32_t y[kPatch] = {};
          std::uint16_t numbers[kPatch];
          std::uint32_t codes[kPatch];
          for (int i = 0; i < kPatch; ++i) {
            const int u = i % (1 << random_bits);
            numbers[i] = static_cast<std::uint16_t>(u);
            // n (y + m) 2^r + m (2u + 1) = c m 2^(r+1), as near as y can be, and one beside it
            const std::int64_t wanted =
                (std::int64_t{m} * ((c << (random_bits + 1)) - 2 * u - 1)) / (n << random_bits);
            y[i] = static_cast<std::int32_t>(std::clamp<std::int64_t>(
                wanted - m + i / (1 << random_bits) % 3 - 1, -std::int64_t{m}, m));
          }
          stochastic_patch(y, peaks, numbers, bits, random_bits, false, codes);
          for (int i = 0; i < kPatch; ++i) {
            const std::int64_t numerator = n * (y[i] + std::int64_t{m}) * (1 << random_bits) +
                                           std::int64_t{m} * (2 * numbers[i] + 1);
            wrong += codes[i] != numerator / (std::int64_t{m} << (random_bits + 1));
          }
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("Faults of a schedule are refused", "[golden]") {
  const Config config;
  GoldenDevice device(config, 4096);
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.count0 = d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = d.samples = 1;
  Descriptor beyond = d;
  beyond.x_address = 4090;
  CHECK_THROWS_AS(device.execute(beyond), std::logic_error);
  Descriptor no_tile = d;
  no_tile.x_from_array = 1;
  CHECK_THROWS_AS(device.execute(no_tile), std::logic_error);
  Descriptor no_tags = d;
  no_tags.route_enable = 1;
  CHECK_THROWS_AS(device.execute(no_tags), std::logic_error);
  Descriptor load;
  load.opcode = Opcode::kLoad;
  load.load_offset = static_cast<std::uint32_t>(config.row_buffer_depth);
  load.load_words = 1;
  CHECK_THROWS_AS(device.execute(load), std::logic_error);
  Descriptor none;
  CHECK_THROWS_AS(device.execute(none), std::logic_error);
}

TEST_CASE("Turned and unfolded planes are the contract's, bit by bit", "[golden]") {
  repeat(60, [](Bench& bench) { bench.turn(); });
}

}  // namespace solfege
