// SPDX-License-Identifier: Apache-2.0
#include "sim/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "model/base/error.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/training.hpp"
#include "model/host/scheduler.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/memory_layout.hpp"

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
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[in(0, static_cast<int>(values.size()) - 1)];
  }

 private:
  SplitMix64 generator_;
};

/// Memory every case lays its tensors out in.
constexpr std::size_t kMemoryBytes = std::size_t{32} << 20;

/// Parts that are drawn for a program before it is content with those that fit.
constexpr int kMostTries = 100;

/// What a random part may not ask for: another is drawn.
struct TooLarge {};

class Case {
 public:
  Case(const Config& config, std::vector<std::uint8_t>& memory, std::uint64_t seed)
      : config_(config), memory_(memory), random_(seed), layout_(config), builder_(config) {}

  Program make() {
    layout_ = MemoryLayout(config_);
    builder_ = ProgramBuilder(config_);
    builder_.set_place("random", "verify");
    std::fill(memory_.begin(), memory_.begin() + static_cast<std::ptrdiff_t>(kMemoryBytes),
              std::uint8_t{0});
    // Several parts, so that engines work on one while others go on to the next
    const int parts = random_.in(1, 3);
    int tries = 0;
    for (part_ = 1; part_ <= parts && !(part_ > 1 && tries > kMostTries); ++tries) {
      const ProgramBuilder builder = builder_;
      const MemoryLayout layout = layout_;
      try {
        add_part();
        ++part_;
        continue;
      } catch (const TooLarge&) {
      } catch (const InputError&) {  // an operand that exceeds the buffers
      }
      builder_ = builder;
      layout_ = layout;
    }
    return builder_.take();
  }

 private:
  void add_part() {
    const int kind = random_.in(0, 11);
    if (kind < 5)
      product();
    else if (kind < 6)
      sample_product();
    else if (kind < 10)
      pass();
    else if (kind < 11)
      corner_turn();
    else
      unfolding();
  }
  /// Tensors of different parts have different names.
  std::string named(const std::string& name) const { return fmt::format("{} {}", name, part_); }

  std::uint32_t take(std::size_t bytes) {
    const std::uint32_t address = layout_.take(bytes);
    if (layout_.size() > kMemoryBytes) throw TooLarge();
    return address;
  }
  void fill(std::uint32_t address, std::size_t bytes) {
    if (layout_.size() > kMemoryBytes) throw TooLarge();
    for (std::size_t i = 0; i < bytes; ++i)
      memory_[address + i] = static_cast<std::uint8_t>(random_.bits());
  }
  void put32(std::size_t address, std::int32_t value) {
    std::memcpy(memory_.data() + address, &value, 4);
  }

  ElementTensor elements(const std::string& name, int rows, int pixels, int channels,
                         ElementType type) {
    const ElementTensor t = layout_.elements(named(name), rows, pixels, channels, type);
    if (layout_.size() > kMemoryBytes) throw TooLarge();
    return t;
  }
  ElementTensor noise(const std::string& name, int rows, int pixels, int channels,
                      ElementType type) {
    const ElementTensor t = elements(name, rows, pixels, channels, type);
    fill(t.address, t.size_bytes());
    return t;
  }
  /// Bits everywhere, also in lanes beyond the tensor's.
  PackedTensor planes(const std::string& name, int rows, int pixels, int count, int lanes,
                      bool columns, const PlaneReading& reading) {
    const PackedTensor t =
        layout_.planes(named(name), rows, pixels, count, lanes, columns, reading);
    fill(t.address, t.size_bytes());
    return t;
  }
  /// Planes as passes leave them: nothing beyond the tensor's lanes.
  PackedTensor clean_planes(const std::string& name, int rows, int pixels, int count, int lanes,
                            bool columns, const PlaneReading& reading) {
    const PackedTensor t = planes(name, rows, pixels, count, lanes, columns, reading);
    const int bytes = t.word_lanes / 8;
    std::uint8_t* byte = memory_.data() + t.address;
    for (int word = 0; word < t.groups() * t.pixels * t.pixel_words(); ++word)
      for (int i = 0; i < t.group * bytes; ++i, ++byte) {
        const int lane = word % t.words() * t.word_lanes + i % bytes * 8;
        *byte = static_cast<std::uint8_t>(*byte & ((1 << std::clamp(lanes - lane, 0, 8)) - 1));
      }
    return t;
  }
  /// Any reading whose values have no more bits than its codes and their sign.
  PlaneReading reading(int planes) {
    const int values = 1 << std::min(planes, 8);
    switch (random_.in(0, planes > 8 ? 1 : 3)) {
      case 0:
        return kUnsignedCodes;
      case 1:
        return kSignedCodes;
      case 2:
        return bipolar_codes(planes);
      default:
        return {false, 1, -random_.in(0, values - 1)};
    }
  }
  ElementType element_type() {
    return random_.pick({ElementType::kUnsigned8, ElementType::kSigned16, ElementType::kSigned16,
                         ElementType::kSigned32, ElementType::kTagged});
  }

  // ---- Tables ----

  std::uint32_t words(std::size_t count, int low, int high) {
    const std::uint32_t address = take(4 * count);
    for (std::size_t i = 0; i < count; ++i) put32(address + 4 * i, random_.in(low, high));
    return address;
  }
  void channel_table(Table table, int channels, int spread) {
    const int count = blocks(channels) * kBlock;
    builder_.load_table(table, words(static_cast<std::size_t>(count), -spread, spread),
                        geometry_.chunks(channels), 0, "load table");
  }
  void sample_table(int low, int high) {
    const int count = geometry_.sample_rows * config_.stream_lanes;
    builder_.load_table(Table::kSample, words(static_cast<std::size_t>(count), low, high),
                        geometry_.sample_rows, 0, "load samples");
  }
  void tables(int channels, const StreamPass& pass) {
    if (pass.scale_x_source == Scalar::kChannel) channel_table(Table::kScaleX, channels, 32767);
    if (pass.scale_z_per_channel) channel_table(Table::kScaleZ, channels, 32767);
    if (pass.offset) channel_table(Table::kOffset, channels, random_.pick({3000, 2000000000}));
    if (pass.mask) {
      channel_table(Table::kMaskLow, channels, 20000);
      channel_table(Table::kMaskHigh, channels, 20000);
    }
    if (pass.quantizer == Quantizer::kThreshold) {
      const int nodes = (1 << pass.quantizer_bits) - 1;
      const int chunks = geometry_.chunks(channels);
      const int rows = (pass.threshold_per_channel ? chunks : 1) * nodes;
      builder_.load_table(
          Table::kThreshold,
          words(static_cast<std::size_t>(rows * config_.stream_lanes), -30000, 30000), rows,
          pass.quantizer_bits, "load thresholds");
    }
  }

  // ---- Parts of a pass ----

  /// Factors, second stream, offset: what precedes y. z has its shape already.
  void arithmetic(StreamPass& p, const ElementTensor* z, bool tables_fit) {
    p.scale_x = random_.chance(50) ? 1 : random_.in(-32767, 32767);
    p.shift_x = random_.in(0, random_.pick({12, 30, 63}));
    if (random_.chance(70))
      p.limit_shift = random_.chance(70) ? kNarrow : static_cast<std::uint32_t>(random_.in(0, 31));
    if (tables_fit) {
      if (random_.chance(20)) p.scale_x_source = Scalar::kChannel;
      p.offset = random_.chance(30);
    }
    if (z == nullptr) return;
    p.z = z;
    p.mask = tables_fit && random_.chance(35);
    if (p.window_use != WindowUse::kRoute && random_.chance(30))
      p.slope = random_.pick({SlopeFunction::kTanh, SlopeFunction::kTriangle});
    p.scale_z = random_.in(-32767, 32767);
    p.scale_z_per_channel = tables_fit && random_.chance(30);
    p.shift_z = random_.in(0, 30);
  }
  void reductions(StreamPass& p, const ElementTensor& result, bool sums_fit) {
    if (random_.chance(50) && result.rows <= config_.max_batch) {
      p.max_address = take(4 * static_cast<std::size_t>(config_.max_batch));
      p.max_per_sample = random_.chance(70);
    }
    if (random_.chance(50) && sums_fit) {
      p.sum_address = take(16 * static_cast<std::size_t>(blocks(result.channels) * kBlock));
      p.sum_per_channel = random_.chance(70);
      p.sum_absolute = random_.chance(30);
      p.sum_per_sample = !p.sum_per_channel && result.rows <= Geometry(config_).table_rows;
      if (p.sum_per_channel)
        p.second_sum = static_cast<SecondSum>(random_.in(0, p.z != nullptr ? 2 : 1));
    }
  }
  /// Where results are stored, as far as they fit.
  ElementTensor destination(const StreamPass& p, int rows, int pixels, int channels) {
    const ElementType type =
        p.limit_shift >= kNarrow && !p.grid
            ? random_.pick({ElementType::kSigned16, ElementType::kSigned32, ElementType::kTagged})
            : ElementType::kSigned32;
    return elements("result", rows, pixels, channels, type);
  }
  void drop(StreamPass& p) {
    p.drop_threshold = static_cast<std::uint32_t>(random_.in(1, (1 << config_.random_bits) - 1));
    p.random_state = random_.bits() | 1;
  }

  // ---- Programs ----

  Layer random_layer(bool fully_connected, int most) {
    Layer l;
    l.name = "random";
    if (!fully_connected) {
      l.kernel_height = random_.in(1, 4);
      l.kernel_width = random_.in(1, 4);
      l.stride_height = random_.in(1, 5);
      l.stride_width = random_.chance(50) ? l.stride_height : random_.in(1, 5);
      l.padding_height = random_.in(0, l.kernel_height - 1);
      l.padding_width = random_.in(0, l.kernel_width - 1);
      l.in_height = random_.in(std::max(1, l.kernel_height - 2 * l.padding_height), most);
      l.in_width = random_.in(std::max(1, l.kernel_width - 2 * l.padding_width), most);
    }
    const auto outs = [](int in, int kernel, int stride, int padding) {
      return (in + 2 * padding - kernel) / stride + 1;
    };
    l.out_height = outs(l.in_height, l.kernel_height, l.stride_height, l.padding_height);
    l.out_width = outs(l.in_width, l.kernel_width, l.stride_width, l.padding_width);
    return l;
  }
  /// Planes of two operands whose products the accumulators hold.
  void fit_accumulators(std::int64_t terms, int* row_planes, int* column_planes) const {
    int bits = 1;
    while ((std::int64_t{1} << (bits - 1)) < terms) ++bits;
    while (bits + *row_planes + *column_planes > config_.accumulator_bits)
      --(*row_planes > *column_planes ? *row_planes : *column_planes);
    if (*row_planes < 1 || *column_planes < 1) throw TooLarge();
  }

  void product() {
    const auto mode = static_cast<WindowMode>(random_.in(0, 2));
    // Tiles of one operation: one plane each, one tap, one word
    const bool single = random_.chance(25);
    const bool fully_connected = single || random_.chance(30);
    Layer l = random_layer(fully_connected, 9);
    const int most = single ? config_.lanes : config_.max_batch;
    const int batch = random_.in(1, std::min(most, 3 * config_.rows));
    l.in_channels = random_.in(1, single            ? config_.lanes
                                  : fully_connected ? 5 * config_.lanes
                                                    : 2 * config_.columns + 3);
    l.out_channels = random_.in(1, single ? config_.lanes : 2 * config_.columns + 3);
    const int taps = l.kernel_height * l.kernel_width, in = l.in_height * l.in_width,
              out = l.out_height * l.out_width;
    int row_planes =
        random_.chance(20) ? random_.in(9, std::min(20, config_.wide_bits)) : random_.in(1, 8);
    int column_planes = random_.in(1, 8);
    if (single) row_planes = column_planes = 1;
    // Rows, pixels and lanes of the row operand; rows, pixels of the column operand; result pixels
    struct Shape {
      int rows, row_pixels, lanes, columns, column_pixels, pixels;
    };
    const Shape shape = mode == WindowMode::kForward
                            ? Shape{batch, in, l.in_channels, l.out_channels, taps, out}
                        : mode == WindowMode::kBackwardInput
                            ? Shape{batch, out, l.out_channels, l.in_channels, taps, in}
                            : Shape{l.out_channels, out, batch, l.in_channels, in, taps};
    fit_accumulators(std::int64_t{shape.lanes} * (mode == WindowMode::kBackwardWeight ? out : taps),
                     &row_planes, &column_planes);
    const PackedTensor rows = planes("rows", shape.rows, shape.row_pixels, row_planes, shape.lanes,
                                     false, reading(row_planes));
    const PackedTensor columns = planes("columns", shape.columns, shape.column_pixels,
                                        column_planes, shape.lanes, true, reading(column_planes));
    drained(shape.rows, shape.pixels, shape.columns, {60, 30, shape.rows <= config_.max_batch},
            [&](const ElementTensor& result, const StreamPass& drain) {
              builder_.multiply(mode, l, {rows}, {columns}, result, drain, "random product");
            });
  }

  /// Chances, in percent, of a second stream, and of factors by sample where those are allowed.
  struct DrainChances {
    int z, by_sample;
    bool samples_fit;
  };
  /// Draws a drain of a product to `rows` x `pixels` x `channels`, and calls multiply(result,
  /// drain).
  template <typename Multiply>
  void drained(int rows, int pixels, int channels, const DrainChances& chances,
               const Multiply& multiply) {
    const bool tables_fit = channels <= config_.table_channels;
    ElementTensor z;
    if (random_.chance(chances.z)) z = noise("z", rows, pixels, channels, element_type());
    StreamPass drain;
    arithmetic(drain, z.address != 0 ? &z : nullptr, tables_fit);
    if (random_.chance(chances.by_sample) && chances.samples_fit) {
      drain.scale_x_source = Scalar::kSample;
      sample_table(0, 32767);
    }
    const ElementTensor result = destination(drain, rows, pixels, channels);
    drain.store = &result;
    reductions(drain, result, tables_fit);
    tables(channels, drain);
    multiply(result, drain);
  }

  /// Unfolds both operands of a convolution's weight gradient and multiplies them by samples.
  void sample_product() {
    Layer l = random_layer(false, 7);
    const int batch = random_.in(1, std::min(config_.max_batch, 20));
    l.in_channels = random_.in(1, 2 * config_.columns + 3);
    l.out_channels = random_.in(1, 2 * config_.columns + 3);
    const int taps = l.kernel_height * l.kernel_width, in = l.in_height * l.in_width,
              out = l.out_height * l.out_width;
    int row_planes = random_.in(1, 5), column_planes = random_.in(1, 5);
    fit_accumulators(out, &row_planes, &column_planes);
    const PackedTensor gradient = clean_planes("gradient codes", batch, out, row_planes,
                                               l.out_channels, false, reading(row_planes));
    const PackedTensor input = clean_planes("input codes", batch, in, column_planes, l.in_channels,
                                            false, reading(column_planes));
    PackedTensor rows =
        layout_.planes(named("unfolded gradient"), unfolded_tap_rows(l.out_channels, config_.rows),
                       batch, row_planes, out, false, gradient.reading);
    PackedTensor columns = layout_.planes(named("unfolded input"),
                                          taps * unfolded_tap_rows(l.in_channels, config_.columns),
                                          batch, column_planes, out, true, input.reading);
    if (layout_.size() > kMemoryBytes) throw TooLarge();
    builder_.unfold({gradient}, {rows}, l, true);
    builder_.unfold({input}, {columns}, l, false);
    drained(l.out_channels, taps, l.in_channels, {50, 80, true},
            [&](const ElementTensor& result, const StreamPass& drain) {
              builder_.multiply_samples(l, {rows}, {columns}, result, drain,
                                        "random weight gradient");
            });
  }

  void pass() {
    int rows = random_.in(1, std::min(config_.max_batch, 40));
    const int most = std::min(config_.threshold_channels, config_.table_channels);
    int channels = random_.in(1, std::min(most, 5 * kBlock));
    StreamPass p;
    int pixels = random_.in(1, 5), x_pixels = pixels, result_pixels = pixels;
    int side = random_.pick({1, 1, 2, 3});
    // Now and then all that the tables hold
    const bool full_samples = random_.chance(6), full_channels = !full_samples && random_.chance(6);
    if (full_samples) rows = config_.max_batch - random_.in(0, 1);
    if (full_channels) channels = most - random_.in(0, 1);
    if (full_samples || full_channels) pixels = x_pixels = result_pixels = side = 1;
    if (full_samples) channels = random_.in(1, kBlock);
    if (full_channels) rows = random_.in(1, kBlock);
    if (side > 1) {
      windows(p, side);
      pixels = x_pixels = result_pixels = p.windows.y.map * p.windows.x.map;
      if (p.window_use == WindowUse::kPool) result_pixels = p.windows.windows();
      if (p.window_use == WindowUse::kSpread) x_pixels = p.windows.windows();
    }
    const bool pools = p.window_use == WindowUse::kPool;
    const bool only_stores = p.windows.y.runs(!pools).size() * p.windows.x.runs(!pools).size() > 1;
    const bool packs = !only_stores && (pools || p.windows.tiles());
    ElementTensor x = noise("x", rows, x_pixels, channels, element_type()), z;
    const bool stochastic = p.window_use == WindowUse::kNone && random_.chance(25);
    if (stochastic) {
      x = gradient(p, rows, pixels, channels);
    } else {
      if (p.window_use == WindowUse::kRoute) {
        z = routed(rows, p.windows.windows(), channels, side * side);
      } else if (random_.chance(60)) {
        z = noise("z", rows, pixels, channels, element_type());
      }
      arithmetic(p, z.address != 0 ? &z : nullptr, true);
      if (random_.chance(20)) {
        p.scale_x_source = Scalar::kSample;
        sample_table(0, 32767);
      }
      if (!only_stores && random_.chance(25)) drop(p);
      if (!only_stores && p.limit_shift != 0 && random_.chance(15)) {
        p.grid = true;
        p.random_state = random_.bits() | 1;
      }
    }
    p.x = &x;
    PackedParts packed;
    if (packs && (stochastic || random_.chance(60))) {
      int count = p.quantizer_bits;
      if (p.quantizer == Quantizer::kStochasticScaled)
        count = std::min(config_.wide_bits, p.quantizer_bits + 16);
      if (!stochastic && random_.chance(30)) {
        count = random_.in(1, config_.wide_bits);
      } else if (!stochastic) {
        p.quantizer = Quantizer::kThreshold;
        p.threshold_per_channel = random_.chance(60);
        if (random_.chance(30)) {
          p.code_shift = random_.in(0, 7);
          p.code_offset = random_.in(-256, 255);
        }
        count = p.quantizer_bits =
            random_.in(1, p.threshold_per_channel ? config_.activation_bits : 8);
      }
      const bool columns = random_.chance(50);
      // In parts of whole blocks, now and then
      for (int first = 0, next = 0; first < channels; first = next) {
        next =
            random_.chance(70) ? channels : std::min(channels, first + kBlock * random_.in(1, 2));
        packed.push_back(
            planes("packed", rows, result_pixels, count, next - first, columns, kUnsignedCodes));
      }
      p.pack = &packed;
    }
    const ElementTensor result = destination(p, rows, result_pixels, channels);
    if (random_.chance(60)) p.store = &result;
    if (!only_stores) reductions(p, result, true);
    if (p.store == nullptr && p.pack == nullptr && p.max_address == 0 && p.sum_address == 0)
      p.store = &result;
    tables(channels, p);
    builder_.stream(p.window_use == WindowUse::kSpread ? result : x, p, "random pass");
  }
  /// Windows of this side; they may overlap, leave pixels out, or reach over the edge.
  void windows(StreamPass& p, int side) {
    p.window_use = random_.pick({WindowUse::kPool, WindowUse::kRoute, WindowUse::kSpread});
    for (PoolingAxis* axis : {&p.windows.y, &p.windows.x}) {
      const int stride = random_.chance(50) ? side : random_.in(1, side + 1);
      const int padding = random_.chance(25) ? random_.in(0, side / 2) : 0;
      const int covered = side + stride * random_.in(0, 2) - 2 * padding;
      *axis = {std::max(1, covered + random_.in(0, stride - 1)), side, stride, padding};
    }
  }
  /// Pooled values with the places of their maxima.
  ElementTensor routed(int rows, int pixels, int channels, int places) {
    const ElementTensor t = elements("pooled", rows, pixels, channels, ElementType::kTagged);
    for (std::uint32_t i = 0; i < t.size(); ++i)
      put32(t.address + 4 * i, random_.in(0, 65535) | random_.in(0, places - 1) << 16);
    return t;
  }
  /// The rounder's contract: |y| <= M, 16 bits. Sets the pass up for it.
  ElementTensor gradient(StreamPass& p, int rows, int pixels, int channels) {
    const ElementTensor x = elements("gradient", rows, pixels, channels, ElementType::kSigned16);
    p.quantizer = random_.chance(50) ? Quantizer::kStochastic : Quantizer::kStochasticScaled;
    p.quantizer_bits = random_.in(1, 8);
    p.random_state = random_.bits() | 1;
    p.limit_shift = kNarrow;
    const int count = geometry_.sample_rows * config_.stream_lanes;
    const std::uint32_t maxima = take(4 * static_cast<std::size_t>(count));
    for (int row = 0; row < rows; ++row) {
      const int m = random_.chance(10)
                        ? 0
                        : random_.in(1, 1 << random_.in(1, 15)) - (random_.chance(50) ? 1 : 0);
      const int peak = std::min(m, 32767);
      put32(maxima + 4 * static_cast<std::size_t>(row), peak);
      for (int pixel = 0; pixel < pixels; ++pixel)
        for (int c = 0; c < channels; ++c) {
          const auto value =
              static_cast<std::int16_t>(random_.chance(5) ? peak : random_.in(-peak, peak));
          std::memcpy(memory_.data() + x.address + 2 * x.offset(row, pixel, c), &value, 2);
        }
    }
    builder_.load_table(Table::kSample, maxima, geometry_.sample_rows, 0, "load maxima");
    return x;
  }

  void corner_turn() {
    const int rows = random_.in(1, 3 * config_.lanes), lanes = random_.in(1, 3 * config_.lanes);
    const int pixels = random_.in(1, 4), count = random_.in(1, 5);
    const PackedTensor source =
        clean_planes("source", rows, pixels, count, lanes, random_.chance(50), kUnsignedCodes);
    const PackedTensor target =
        planes("target", lanes, pixels, count, rows, random_.chance(50), kUnsignedCodes);
    builder_.transpose({source}, {target});
  }

  void unfolding() {
    Layer l = random_layer(false, 12);
    const bool gradient = random_.chance(30), columns = random_.chance(50);
    const int samples = random_.in(1, std::min(config_.max_batch, 20));
    const int channels = random_.in(1, 2 * config_.lanes + 3), count = random_.in(1, 4);
    const int out = l.out_height * l.out_width;
    const PackedTensor source =
        clean_planes("source", samples, gradient ? out : l.in_height * l.in_width, count, channels,
                     random_.chance(50), kUnsignedCodes);
    const int taps = gradient ? 1 : l.kernel_height * l.kernel_width;
    const int tap_rows = unfolded_tap_rows(channels, columns ? config_.columns : config_.rows);
    const PackedTensor target = layout_.planes(named("target"), taps * tap_rows, samples, count,
                                               out, columns, kUnsignedCodes);
    if (layout_.size() > kMemoryBytes) throw TooLarge();
    builder_.unfold({source}, {target}, l, gradient);
  }

  const Config& config_;
  const Geometry geometry_{config_};
  int part_ = 1;
  std::vector<std::uint8_t>& memory_;
  Random random_;
  MemoryLayout layout_;
  ProgramBuilder builder_;
};

/// A byte that the program reads or writes, most likely.
std::uint32_t some_address(const Program& program, Random& random) {
  const auto any = static_cast<int>(program.operations.size()) - 1;
  const Operation& operation = program.operations[static_cast<std::size_t>(random.in(0, any))];
  const Descriptor& d = operation.descriptor;
  std::uint32_t address = 0;
  switch (d.opcode) {
    case Opcode::kLoad:
      address = d.load_address;
      break;
    case Opcode::kStream:
      address = random.pick({d.x_address, d.z_address, d.destination_address, d.pack_address,
                             d.max_address, d.sum_address});
      break;
    default:
      address = random.pick({d.source_address, d.target_address});
  }
  return address + static_cast<std::uint32_t>(random.in(0, 1 << random.in(0, 12)));
}

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
    const bool interrupted = mix.chance(15);
    const std::uint32_t error_address = some_address(program, mix);
    try {
      if (interrupted)
        device.run_after_error(program, error_address);
      else
        device.run(program);
    } catch (const CheckFailed& failure) {
      ++result.mismatched_cases;
      result.failures.push_back(fmt::format("case {}: {}", i, failure.what()));
    }
    progress(i - first_case + 1);
  }
  device.finish_waveforms();
  result.cycles_apart = device.tally().cycles_apart;
  result.compared_bits = device.tally().compared_bits;
  result.stall_cycles = device.tally().stall_cycles;
  return result;
}

}  // namespace solfege
