// SPDX-License-Identifier: Apache-2.0
#include "sim/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "model/error.hpp"
#include "model/scheduler.hpp"
#include "model/training.hpp"

namespace solfege {
namespace {

class Random {
 public:
  explicit Random(std::uint64_t seed) : generator_(seed) {}
  std::uint64_t bits() { return generator_.next(); }
  int in(int low, int high) {
    return low + static_cast<int>(bits() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return in(1, 100) <= percent; }

 private:
  SplitMix64 generator_;
};

/// Memory every case lays its tensors out in.
constexpr std::size_t kMemoryBytes = std::size_t{16} << 20;

class Case {
 public:
  Case(const Config& config, std::vector<std::uint8_t>& memory, std::uint64_t seed)
      : config_(config), memory_(memory), random_(seed), builder_(config) {
    std::fill(memory_.begin(), memory_.begin() + static_cast<std::ptrdiff_t>(kMemoryBytes),
              std::uint8_t{0});
  }

  Program make() {
    const int kind = random_.in(0, 9);
    builder_.set_place("random", "verify");
    if (kind < 5)
      product();
    else if (kind < 9)
      pass();
    else
      corner_turn();
    return builder_.take();
  }

 private:
  std::uint32_t take(std::size_t bytes) {
    const std::uint32_t address = next_;
    next_ += static_cast<std::uint32_t>((bytes + 4095) / 4096 * 4096);
    if (next_ > kMemoryBytes) throw std::logic_error("verify: case too large");
    return address;
  }
  void fill(std::uint32_t address, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i)
      memory_[address + i] = static_cast<std::uint8_t>(random_.bits());
  }
  ElementTensor elements(const std::string& name, int rows, int pixels, int channels, int bytes) {
    ElementTensor t;
    t.name = name;
    t.rows = rows;
    t.pixels = pixels;
    t.channels = channels;
    t.type = bytes == 1   ? ElementType::kUnsigned8
             : bytes == 2 ? ElementType::kSigned16
                          : ElementType::kSigned32;
    t.address = take(t.size_bytes());
    return t;
  }
  PackedTensor planes(const std::string& name, int rows, int pixels, int count, int lanes,
                      bool columns, PlaneType type) {
    PackedTensor t;
    t.name = name;
    t.rows = rows;
    t.pixels = pixels;
    t.planes = count;
    t.lanes = lanes;
    t.columns = columns;
    t.type = type;
    t.group = columns ? config_.columns : config_.rows;
    t.word_lanes = config_.lanes;
    t.address = take(t.size_bytes());
    fill(t.address, t.size_bytes());
    return t;
  }
  void tables(const ElementTensor& shape, StreamPass& pass) {
    const int chunks = blocks(shape.channels) * kBlock / config_.stream_lanes;
    const std::size_t words = static_cast<std::size_t>(chunks * config_.stream_lanes);
    auto table = [&](Table id, int spread) {
      const std::uint32_t address = take(4 * words);
      for (std::size_t i = 0; i < words; ++i) put32(address + 4 * i, random_.in(-spread, spread));
      builder_.load_table(id, address, chunks, 0, "load table");
    };
    if (pass.scale_x_source == Scalar::kChannel) table(Table::kScaleX, 32767);
    if (pass.mask) {
      table(Table::kMaskLow, 20000);
      table(Table::kMaskHigh, 20000);
    }
    if (pass.quantizer == Quantizer::kThreshold) {
      const int nodes = (1 << pass.quantizer_bits) - 1;
      const int rows = (pass.threshold_per_channel ? chunks : 1) * nodes;
      const std::size_t count = static_cast<std::size_t>(rows * config_.stream_lanes);
      const std::uint32_t address = take(4 * count);
      for (std::size_t i = 0; i < count; ++i) put32(address + 4 * i, random_.in(-30000, 30000));
      builder_.load_table(Table::kThreshold, address, rows, pass.quantizer_bits, "load thresholds");
    }
  }
  void put32(std::size_t address, std::int32_t value) {
    std::memcpy(memory_.data() + address, &value, 4);
  }

  PlaneType type() { return static_cast<PlaneType>(random_.in(0, 2)); }

  void product() {
    const auto mode = static_cast<WindowMode>(random_.in(0, 2));
    Layer l;
    l.name = "random";
    const bool fully_connected = random_.chance(30);
    l.kernel_height = fully_connected ? 1 : random_.in(1, 4);
    l.kernel_width = fully_connected ? 1 : random_.in(1, 4);
    l.stride = fully_connected ? 1 : 1 << random_.in(0, 2);
    l.padding = random_.in(0, std::min(l.kernel_height, l.kernel_width) - 1);
    l.in_height = fully_connected ? 1 : random_.in(std::max(1, l.kernel_height - 2 * l.padding), 9);
    l.in_width = fully_connected ? 1 : random_.in(std::max(1, l.kernel_width - 2 * l.padding), 9);
    l.out_height = (l.in_height + 2 * l.padding - l.kernel_height) / l.stride + 1;
    l.out_width = (l.in_width + 2 * l.padding - l.kernel_width) / l.stride + 1;
    const int batch = random_.in(1, std::min(config_.max_batch, 3 * config_.rows));
    l.in_channels = random_.in(1, fully_connected ? 5 * config_.lanes : 2 * config_.columns + 3);
    l.out_channels = random_.in(1, 2 * config_.columns + 3);
    const int taps = l.kernel_height * l.kernel_width, in = l.in_height * l.in_width,
              out = l.out_height * l.out_width;
    const int row_planes =
        random_.chance(20) ? random_.in(9, std::min(20, config_.wide_bits)) : random_.in(1, 8);
    const int column_planes = random_.in(1, 8);
    PackedTensor rows, columns;
    ElementTensor result;
    switch (mode) {
      case WindowMode::kForward:
        rows = planes("rows", batch, in, row_planes, l.in_channels, false, type());
        columns =
            planes("columns", l.out_channels, taps, column_planes, l.in_channels, true, type());
        result = elements("result", batch, out, l.out_channels, random_.chance(50) ? 2 : 4);
        break;
      case WindowMode::kBackwardInput:
        rows = planes("rows", batch, out, row_planes, l.out_channels, false, type());
        columns =
            planes("columns", l.in_channels, taps, column_planes, l.out_channels, true, type());
        result = elements("result", batch, in, l.in_channels, random_.chance(50) ? 2 : 4);
        break;
      case WindowMode::kBackwardWeight:
        rows = planes("rows", l.out_channels, out, row_planes, batch, false, type());
        columns = planes("columns", l.in_channels, in, column_planes, batch, true, type());
        result =
            elements("result", l.out_channels, taps, l.in_channels, random_.chance(50) ? 2 : 4);
        break;
    }
    StreamPass drain;
    drain.store = &result;
    drain.scale_x = random_.chance(50) ? 1 : random_.in(-32767, 32767);
    drain.shift_x = random_.in(0, 20);
    drain.narrow = result.type == ElementType::kSigned16;
    ElementTensor z;
    const bool fits_tables = result.channels <= config_.table_channels;
    if (random_.chance(50)) {
      z = elements("z", result.rows, result.pixels, result.channels, random_.chance(50) ? 2 : 4);
      fill(z.address, z.size_bytes());
      drain.z = &z;
      drain.mask = fits_tables && random_.chance(50);
      drain.tanh = !drain.mask && random_.chance(50);
      drain.scale_z = random_.in(-32767, 32767);
      drain.shift_z = random_.in(0, 30);
    }
    if (random_.chance(50) && result.rows <= config_.max_batch) {
      drain.max_address = take(4 * static_cast<std::size_t>(config_.max_batch));
      drain.max_per_sample = random_.chance(70);
    }
    if (random_.chance(50) && fits_tables) {
      drain.sum_address = take(
          8 * static_cast<std::size_t>(blocks(result.channels) * kBlock + config_.stream_lanes));
      drain.sum_per_channel = random_.chance(70);
      drain.sum_absolute = random_.chance(30);
    }
    tables(result, drain);
    builder_.multiply(mode, l, rows, columns, result, drain, "random product");
  }

  void pass() {
    const int rows = random_.in(1, std::min(config_.max_batch, 40));
    const int pixels = random_.in(1, 5),
              channels = random_.in(1, std::min(config_.threshold_channels, 5 * kBlock));
    ElementTensor x = elements("x", rows, pixels, channels,
                               random_.chance(20)   ? 1
                               : random_.chance(50) ? 2
                                                    : 4);
    ElementTensor z = elements("z", rows, pixels, channels, random_.chance(50) ? 2 : 4);
    ElementTensor store = elements("store", rows, pixels, channels, random_.chance(50) ? 2 : 4);
    StreamPass p;
    p.x = &x;
    fill(x.address, x.size_bytes());
    p.scale_x = random_.chance(50) ? 1 : random_.in(-32767, 32767);
    p.shift_x = random_.in(0, 30);
    if (random_.chance(20)) p.scale_x_source = Scalar::kChannel;
    if (random_.chance(60)) {
      fill(z.address, z.size_bytes());
      p.z = &z;
      p.mask = random_.chance(40);
      p.tanh = !p.mask && random_.chance(40);
      p.scale_z = random_.in(-32767, 32767);
      p.shift_z = random_.in(0, 30);
    }
    if (random_.chance(60)) p.store = &store;
    p.narrow = store.type == ElementType::kSigned16;
    PackedTensor packed;
    const bool stochastic = random_.chance(30);
    if (stochastic || random_.chance(60)) {
      p.quantizer = random_.chance(30) ? Quantizer::kRaw : Quantizer::kThreshold;
      p.quantizer_bits = random_.in(1, config_.activation_bits);
      p.threshold_per_channel = true;
      if (p.quantizer == Quantizer::kThreshold && random_.chance(40)) {
        p.threshold_per_channel = false;
        p.quantizer_bits = random_.in(1, 8);
      }
      int count =
          p.quantizer == Quantizer::kRaw ? random_.in(1, config_.wide_bits) : p.quantizer_bits;
      if (stochastic) {
        // The rounder's contract: |y| <= M, 16 bits
        p = StreamPass{};
        x = elements("gradient", rows, pixels, channels, 2);
        p.x = &x;
        p.quantizer = random_.chance(50) ? Quantizer::kStochastic : Quantizer::kStochasticScaled;
        p.quantizer_bits = random_.in(1, 8);
        p.random_state = random_.bits() | 1;
        const std::uint32_t maxima = take(4 * static_cast<std::size_t>(config_.max_batch));
        for (int row = 0; row < rows; ++row) {
          const int m = random_.chance(10)
                            ? 0
                            : random_.in(1, 1 << random_.in(1, 15)) - (random_.chance(50) ? 1 : 0);
          const int peak = std::min(m, 32767);
          put32(maxima + 4 * static_cast<std::size_t>(row), peak);
          for (int pixel = 0; pixel < pixels; ++pixel)
            for (int channel = 0; channel < channels; ++channel) {
              const auto value =
                  static_cast<std::int16_t>(random_.chance(5) ? peak : random_.in(-peak, peak));
              std::memcpy(memory_.data() + x.address + 2 * x.offset(row, pixel, channel), &value,
                          2);
            }
        }
        builder_.load_table(Table::kSample, maxima, config_.max_batch / config_.stream_lanes, 0,
                            "load maxima");
        count = p.quantizer == Quantizer::kStochastic
                    ? p.quantizer_bits
                    : std::min(config_.wide_bits, p.quantizer_bits + 16);
      }
      packed =
          planes("packed", rows, pixels, count, channels, random_.chance(50), PlaneType::kUnipolar);
      p.pack = &packed;
    }
    if (random_.chance(40)) {
      p.max_address = take(4 * static_cast<std::size_t>(config_.max_batch));
      p.max_per_sample = random_.chance(50);
    }
    if (random_.chance(40)) {
      p.sum_address =
          take(8 * static_cast<std::size_t>(blocks(x.channels) * kBlock + config_.stream_lanes));
      p.sum_per_channel = random_.chance(50);
      p.sum_absolute = random_.chance(50);
    }
    if (p.store == nullptr && p.pack == nullptr && p.max_address == 0 && p.sum_address == 0)
      p.store = &store;
    tables(x, p);
    builder_.stream(x, p, "random pass");
  }

  void corner_turn() {
    const int rows = random_.in(1, 3 * config_.lanes), lanes = random_.in(1, 3 * config_.lanes);
    const int pixels = random_.in(1, 4), count = random_.in(1, 5);
    const PackedTensor source =
        planes("source", rows, pixels, count, lanes, random_.chance(50), PlaneType::kUnipolar);
    const PackedTensor target =
        planes("target", lanes, pixels, count, rows, random_.chance(50), PlaneType::kUnipolar);
    builder_.transpose(source, target);
  }

  const Config& config_;
  std::vector<std::uint8_t>& memory_;
  Random random_;
  ProgramBuilder builder_;
  std::uint32_t next_ = 4096;
};

}  // namespace

VerifyResult verify(const Config& config, int cases, std::uint64_t seed, int first_case,
                    const RtlOptions& options, const std::function<void(int)>& progress) {
  RtlOptions lockstep = options;
  lockstep.lockstep = true;
  RtlDevice device(config, kMemoryBytes, lockstep);
  VerifyResult result;
  result.seed = seed;
  for (int i = first_case; i < first_case + cases; ++i) {
    Random mix(seed ^ (static_cast<std::uint64_t>(i) << 32));
    Case one(config, device.memory(), mix.bits());
    const Program program = one.make();
    ++result.cases;
    try {
      device.run(program);
    } catch (const CheckFailed& failure) {
      ++result.mismatched_cases;
      result.failures.push_back(fmt::format("case {}: {}", i, failure.what()));
    }
    progress(i - first_case + 1);
  }
  result.cycles_apart = device.tally().cycles_apart;
  result.compared_bits = device.tally().compared_bits;
  result.stall_cycles = device.tally().stall_cycles;
  return result;
}

}  // namespace solfege
