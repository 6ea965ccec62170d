// SPDX-License-Identifier: Apache-2.0
#include "model/golden/golden.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>

#include "model/base/splitmix.hpp"
#include "model/data/training.hpp"
#include "model/golden/patch.hpp"
#include "model/spec/program.hpp"
#include "tests/support/naive_device.hpp"

namespace solfege {
namespace {

constexpr std::size_t kMemory = std::size_t{16} << 20;

/// Two models with the same memory, and random descriptors for both.
class Bench {
 public:
  explicit Bench(std::uint64_t seed)
      : random_(seed), c_(shape()), golden_(c_, kMemory, 3), naive_(c_, kMemory) {}

  std::uint64_t bits() { return random_.next(); }
  int in(int low, int high) {
    return low + static_cast<int>(bits() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return in(1, 100) <= percent; }
  std::uint32_t u(int low, int high) { return static_cast<std::uint32_t>(in(low, high)); }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[in(0, static_cast<int>(values.size()) - 1)];
  }

  void run(const Descriptor& d) {
    golden_.execute(d);
    naive_.execute(d);
    const auto place = std::mismatch(golden_.memory().begin(), golden_.memory().begin() + next_,
                                     naive_.memory.begin());
    INFO("opcode " << name(d.opcode) << ", first difference at "
                   << place.first - golden_.memory().begin());
    REQUIRE(place.first == golden_.memory().begin() + next_);
  }

  std::uint32_t take(std::size_t bytes) {
    const auto address = static_cast<std::uint32_t>(next_);
    next_ += static_cast<std::ptrdiff_t>((bytes + 255) / 256 * 256);
    REQUIRE(next_ < static_cast<std::ptrdiff_t>(kMemory));
    return address;
  }
  void put(std::uint32_t address, std::uint64_t value, int bytes) {
    std::memcpy(golden_.memory().data() + address, &value, static_cast<std::size_t>(bytes));
    std::memcpy(naive_.memory.data() + address, &value, static_cast<std::size_t>(bytes));
  }
  std::uint32_t noise(std::size_t bytes) {
    const std::uint32_t address = take(bytes);
    for (std::uint32_t i = 0; i < bytes; i += 8)
      put(address + i, bits() & bits(), static_cast<int>(std::min<std::size_t>(8, bytes - i)));
    return address;
  }
  ElementTensor elements(int rows, int pixels, int channels, ElementType type) {
    ElementTensor t{"", 0, rows, pixels, channels, type};
    t.address = noise(t.size_bytes());
    return t;
  }
  PackedTensor planes(int rows, int pixels, int count, int lanes, bool columns) {
    PackedTensor t;
    t.rows = rows;
    t.pixels = pixels;
    t.planes = count;
    t.lanes = lanes;
    t.columns = columns;
    t.group = columns ? c_.columns : c_.rows;
    t.word_lanes = c_.lanes;
    t.address = noise(t.size_bytes());
    return t;
  }

  void load_table(Table table, int words, int low, int high, int threshold_bits) {
    const auto lanes = static_cast<std::uint32_t>(c_.stream_lanes);
    const std::uint32_t rows = (static_cast<std::uint32_t>(words) + lanes - 1) / lanes;
    const std::uint32_t address = take(4 * rows * lanes);
    for (std::uint32_t i = 0; i < rows * lanes; ++i)
      put(address + 4 * i, static_cast<std::uint32_t>(in(low, high)), 4);
    Descriptor d;
    d.opcode = Opcode::kStream;
    d.x_type = ElementType::kSigned32;
    d.x_address = address;
    d.scale_x = 1;
    d.destination = Destination::kTable;
    d.table = table;
    d.quantizer_bits = static_cast<std::uint32_t>(threshold_bits);
    d.count0 = rows;
    d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
    d.channels = d.samples = 0xffff;
    run(d);
  }
  void load_tables() {
    const int wide = pick({50, 3000, 32767});
    load_table(Table::kScaleX, c_.table_channels, -wide, wide, 0);
    load_table(Table::kScaleZ, c_.table_channels, -wide, wide, 0);
    load_table(Table::kOffset, c_.table_channels, -wide, wide, 0);
    const int bound = pick({3, 200, 20000});  // small ones are often met exactly
    load_table(Table::kMaskLow, c_.table_channels, -bound, bound / 2, 0);
    load_table(Table::kMaskHigh, c_.table_channels, -bound / 2, bound, 0);
    load_table(Table::kSample, c_.max_batch, 0, 32767, 0);
  }

  /// Scales, second stream, saturation, reductions: what both orders have.
  void arithmetic(Descriptor& d, const ElementTensor* z) {
    d.opcode = Opcode::kStream;
    d.scale_x_source = static_cast<Scalar>(u(0, 2));
    d.scale_x = static_cast<std::uint32_t>(chance(40) ? 1 : in(-32767, 32767));
    if (c_.stored_bits == 16)
      d.scale_x &= 0xffff;
    else if (chance(30))
      d.scale_x = static_cast<std::uint32_t>(bits());
    d.shift_x = chance(20) ? u(0, 63) : u(0, 20);
    d.offset_enable = chance(50);
    d.narrow = chance(50);
    if (z != nullptr) {
      d.z_enable = 1;
      d.z_type = z->type;
      d.z_address = z->address;
      d.scale_z_source = chance(30) ? Scalar::kChannel : Scalar::kConstant;
      d.scale_z = u(0, 65535);
      d.shift_z = chance(10) ? u(0, 63) : u(0, 20);
      d.mask_enable = chance(30);
      d.tanh_enable = chance(20);
    }
    d.reduce_clear = chance(70);
    d.reduce_flush = chance(80);
    d.max_enable = chance(50);
    d.max_per_sample = chance(60);
    d.sum_enable = chance(50);
    d.sum_per_channel = chance(60);
    d.sum_absolute = chance(30);
    d.second_sum =
        static_cast<SecondSum>(d.sum_enable && d.sum_per_channel ? u(0, d.z_enable ? 2 : 1) : 0);
    d.max_address = take(4 * 1024);
    d.sum_address = take(8 * 2 * 1024);
    if (chance(25)) {
      d.drop_enable = 1;
      d.drop_threshold = u(0, (1 << c_.random_bits) - 1);
    }
    const std::uint64_t state = bits() | 1;
    d.random_low = static_cast<std::uint32_t>(state);
    d.random_high = static_cast<std::uint32_t>(state >> 32);
  }
  void store(Descriptor& d, const ElementTensor& shape, std::uint32_t* address) {
    const auto destination = pick(
        {Destination::kNone, Destination::kSigned16, Destination::kSigned32, Destination::kTagged});
    if (destination == Destination::kSigned16 || destination == Destination::kTagged) d.narrow = 1;
    d.destination = destination;
    *address = noise(shape.size() * 4);
    d.destination_address = *address;
  }

  /// A pass over a tensor: plain, pooling, or routing.
  void pass() {
    const int side = pick({1, 1, 2, 3}), windows_x = in(1, 3), windows_y = in(1, 3);
    const bool pool = side > 1 && chance(50), route = side > 1 && !pool;
    const int width = side * windows_x, height = side * windows_y;
    const int rows = in(1, std::min(40, c_.max_batch)),
              channels = in(1, std::min(40, c_.threshold_channels));
    const ElementTensor x =
        elements(rows, width * height, channels,
                 pick({ElementType::kUnsigned8, ElementType::kSigned16, ElementType::kSigned16,
                       ElementType::kSigned32, ElementType::kTagged}));
    const ElementTensor pooled =
        elements(rows, windows_x * windows_y, channels, ElementType::kTagged);
    const ElementTensor other =
        elements(rows, width * height, channels,
                 pick({ElementType::kUnsigned8, ElementType::kSigned16, ElementType::kSigned16,
                       ElementType::kSigned32, ElementType::kTagged}));
    if (route)  // places in the window
      for (std::uint32_t i = 0; i < pooled.size(); ++i)
        put(pooled.address + 4 * i, u(0, 65535) | u(0, side * side - 1) << 16, 4);
    Descriptor d;
    const ElementTensor* z = route ? &pooled : chance(60) ? &other : nullptr;
    arithmetic(d, z);
    d.x_type = x.type;
    d.x_address = x.address;
    d.pool_enable = pool;
    d.route_enable = route;
    const std::uint32_t pixel = x.pixel_stride();
    const auto s = static_cast<std::uint32_t>(side);
    const auto wx = static_cast<std::uint32_t>(windows_x),
               wy = static_cast<std::uint32_t>(windows_y);
    d.count0 = pixel / static_cast<std::uint32_t>(c_.stream_lanes);
    d.count5 = static_cast<std::uint32_t>(blocks(rows));
    d.stride_a5 = x.row_block_stride();
    d.stride_b5 = pooled.row_block_stride();
    d.count1 = s;
    d.stride_a1 = pixel;
    d.count4 = wy;
    d.stride_a4 = s * static_cast<std::uint32_t>(width) * pixel;
    d.stride_b4 = wx * pixel;
    if (pool) {
      d.count2 = s;
      d.stride_a2 = static_cast<std::uint32_t>(width) * pixel;
      d.count3 = wx;
      d.stride_a3 = s * pixel;
      d.stride_b3 = pixel;
      d.destination_strides_b = 1;
    } else {
      d.count2 = wx;
      d.stride_a2 = s * pixel;
      d.stride_b2 = pixel;
      d.count3 = s;
      d.stride_a3 = static_cast<std::uint32_t>(width) * pixel;
      d.z_strides_b = route;
    }
    d.channels = static_cast<std::uint32_t>(channels);
    d.samples = static_cast<std::uint32_t>(rows);
    if (chance(20) && rows > 16) {  // from the second row block on
      d.sample_first = 16;
      --d.count5;
    }
    std::uint32_t stored = 0;
    store(d, x, &stored);
    d.pack_enable = chance(60);
    const int pixels = pool ? windows_x * windows_y : width * height;
    if (d.pack_enable) {
      d.quantizer = static_cast<Quantizer>(u(0, 3));
      d.quantizer_bits = u(1, 8);
      d.pack_planes = d.quantizer == Quantizer::kRaw ? u(1, 32) : d.quantizer_bits;
      if (d.quantizer == Quantizer::kStochasticScaled)
        d.pack_planes = std::min(32u, d.quantizer_bits + 16);
      if (d.quantizer == Quantizer::kThreshold) {
        d.threshold_per_channel = chance(60);
        const int nodes = (1 << d.quantizer_bits) - 1;
        const int chunk_words = (channels + 15) / 16 * 16;
        load_table(Table::kThreshold,
                   d.threshold_per_channel ? chunk_words * nodes : nodes * c_.stream_lanes, -30000,
                   30000, static_cast<int>(d.quantizer_bits));
      }
      if (traits(d.quantizer).stochastic) {
        // |y| <= M: the raw gradient
        d.z_enable = d.mask_enable = d.tanh_enable = d.offset_enable = d.drop_enable = 0;
        d.route_enable = d.z_strides_b = 0;
        d.second_sum = SecondSum::kNone;
        d.scale_x_source = Scalar::kConstant;
        d.scale_x = 1;
        d.shift_x = 0;
        d.narrow = 1;
        load_table(Table::kSample, c_.max_batch, 0, 0, 0);
        load_table(Table::kSample, c_.max_batch, 32767, 32767, 0);
        if (chance(70)) gradients(x, d);
      }
      const PackedTensor target =
          planes(rows, pixels, static_cast<int>(d.pack_planes), channels, chance(50));
      noise(8192);  // what must not be written
      d.pack_columns = target.columns;
      d.pack_address = target.address;
      d.pack_group_stride = target.group_stride();
      d.pack_pixel_stride = static_cast<std::uint32_t>(target.pixel_words());
      d.pack_plane_stride = static_cast<std::uint32_t>(target.words());
    }
    run(d);
  }
  /// 16-bit gradients of every size of a sample's largest, which may be 0, with ties of rounding.
  void gradients(const ElementTensor& x, Descriptor& d) {
    d.x_type = ElementType::kSigned16;
    const std::uint32_t maxima = take(4 * static_cast<std::size_t>(c_.max_batch));
    for (int row = 0; row < x.rows; ++row) {
      const int m = chance(10) ? 0 : std::min(32767, in(1, 1 << in(1, 15)));
      put(maxima + 4 * static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(m), 4);
      for (int pixel = 0; pixel < x.pixels; ++pixel)
        for (int c = 0; c < x.channels; ++c)
          put(x.address + 2 * static_cast<std::uint32_t>(x.offset(row, pixel, c)),
              static_cast<std::uint32_t>(chance(10) ? (chance(50) ? m : -m) : in(-m, m)), 2);
    }
    Descriptor t;
    t.opcode = Opcode::kStream;
    t.x_type = ElementType::kSigned32;
    t.x_address = maxima;
    t.scale_x = 1;
    t.destination = Destination::kTable;
    t.table = Table::kSample;
    t.count0 = static_cast<std::uint32_t>(c_.max_batch / c_.stream_lanes);
    t.count1 = t.count2 = t.count3 = t.count4 = t.count5 = 1;
    t.channels = t.samples = 0xffff;
    run(t);
  }

  /// Products of every mode, and the drain of their tiles.
  void product() {
    load_operands();
    Descriptor d;
    d.opcode = Opcode::kGemm;
    const bool by_tile = chance(25);
    d.window_mode = static_cast<WindowMode>(by_tile ? 0 : u(0, 2));
    d.rows_by_tap = d.window_mode == WindowMode::kBackwardWeight;
    d.columns_by_tile = by_tile;
    d.row_planes = chance(20) ? u(9, 24) : u(1, 8);
    d.column_planes = u(1, 8);
    d.row_type = static_cast<PlaneType>(u(0, 2));
    d.column_type = static_cast<PlaneType>(u(0, 2));
    d.words = u(1, 3);
    d.tail_lanes = u(1, c_.lanes);
    d.column_groups = by_tile ? 1 : u(1, 3);
    int kernel_y = in(1, 3), kernel_x = in(1, 3), out_y = in(1, 4), out_x = in(1, 4);
    d.stride_log2 = u(0, 1);
    d.padding = u(0, 2);
    int map_y = in(1, 5), map_x = in(1, 5);
    if (by_tile) {
      kernel_y = kernel_x = map_x = out_x = 1;
      d.padding = d.stride_log2 = 0;
      d.row_y_origin = d.column_y_origin = d.tile_y_first = u(0, 2);
      map_y = out_y + static_cast<int>(d.tile_y_first);
    }
    d.window_height = static_cast<std::uint32_t>(map_y);
    d.window_width = static_cast<std::uint32_t>(map_x);
    const bool weight = d.window_mode == WindowMode::kBackwardWeight;
    d.tile_y_count = static_cast<std::uint32_t>(weight ? kernel_y : out_y);
    d.tile_x_count = static_cast<std::uint32_t>(weight ? kernel_x : out_x);
    d.tap_y_count = static_cast<std::uint32_t>(weight ? out_y : kernel_y);
    d.tap_x_count = static_cast<std::uint32_t>(weight ? out_x : kernel_x);
    d.row_base = u(0, c_.row_buffer_depth - 1);
    d.column_base = u(0, c_.column_buffer_depth - 1);
    d.column_group_stride = u(0, 40);
    const bool split = chance(20) && !by_tile;
    if (split) {
      // The contraction of one tile in two descriptors
      d.tile_y_count = d.tile_x_count = d.column_groups = 1;
      d.clear = 1;
      d.tap_y_count = 1;
      run(d);
      d.clear = 0;
      d.tap_y_first = d.row_y_origin = d.column_y_origin = d.tap_y_count;
      if (!d.rows_by_tap) d.row_y_origin = 0;
      if (d.rows_by_tap) d.column_y_origin = 0;
    }
    d.clear = !split;
    d.drain = 1;
    int repeats = 1;
    if (!split && chance(15)) {
      // Many tiles, so that the pass that takes them is shared by threads
      d.words = d.tap_y_count = d.tap_x_count = d.row_planes = d.column_planes = 1;
      d.tail_lanes = 4;
      repeats = 12;
    }
    for (int i = 0; i < repeats; ++i) run(d);
    d.tile_y_count *= static_cast<std::uint32_t>(repeats);
    drain(d);
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
      d.load_offset = u(0, 7) / beat * beat;
      d.load_words = static_cast<std::uint32_t>(depth) - d.load_offset;
      d.load_address = noise(d.load_words * static_cast<std::uint32_t>(group * c_.lanes / 8));
      run(d);
    }
  }
  void drain(const Descriptor& gemm) {
    const bool accumulate =
        gemm.column_groups == 1 && (gemm.tile_y_count == 1 || gemm.tile_x_count == 1) && chance(50);
    const int tiles = static_cast<int>(gemm.tile_y_count * gemm.tile_x_count);
    const int row_group = in(0, 2), chunks = c_.columns / c_.stream_lanes;
    const int first_group = in(0, 1);
    const int first_row = row_group * c_.rows;
    const int rows = std::min(first_row + in(1, c_.rows), c_.max_batch);
    const int columns_end = (first_group + static_cast<int>(gemm.column_groups)) * c_.columns;
    const int channels = std::min(columns_end - in(0, c_.columns - 1), c_.table_channels);
    const auto type = pick({ElementType::kUnsigned8, ElementType::kSigned16, ElementType::kSigned32,
                            ElementType::kTagged});
    const ElementTensor z = elements(first_row + c_.rows, tiles, columns_end, type);
    Descriptor d;
    arithmetic(d, chance(60) ? &z : nullptr);
    std::uint32_t stored = 0;
    store(d, z, &stored);
    d.x_from_array = 1;
    const std::uint32_t first = static_cast<std::uint32_t>(first_row / 16) * z.row_block_stride();
    d.z_address += d.z_enable ? first * static_cast<std::uint32_t>(z.bytes()) : 0;
    d.destination_address += first * (d.destination == Destination::kSigned16 ? 2 : 4);
    d.count0 = static_cast<std::uint32_t>(chunks);
    d.count1 = static_cast<std::uint32_t>(std::min(c_.rows, 16));
    d.count2 = static_cast<std::uint32_t>(std::max(1, c_.rows / 16));
    d.count3 = gemm.column_groups;
    d.count4 = gemm.tile_x_count;
    d.count5 = gemm.tile_y_count;
    d.stride_a2 = z.row_block_stride();
    d.stride_a4 = z.pixel_stride();
    d.stride_a5 = gemm.tile_x_count * z.pixel_stride();
    d.channels = static_cast<std::uint32_t>(channels);
    d.samples = static_cast<std::uint32_t>(rows);
    d.sample_first = static_cast<std::uint32_t>(first_row);
    d.chunk_first = static_cast<std::uint32_t>(first_group * chunks);
    if (accumulate) {
      d.accumulate_enable = 1;
      d.count4 = static_cast<std::uint32_t>(tiles);
      d.count5 = 1;
      d.stride_a4 = 0;
      d.accumulate_first = 1;
      d.accumulate_sample = u(0, 5);
      if (tiles > 1 && chance(50)) {
        // In two passes: only the second has results.
        Descriptor part = d;
        part.count4 = u(1, tiles - 1);
        d.count4 -= part.count4;
        run(part);
        d.accumulate_first = 0;
        d.accumulate_sample += part.count4;
      }
      d.accumulate_last = 1;
    }
    run(d);
  }

  void turn() {
    const int rows = in(1, 2 * c_.lanes), lanes = in(1, 2 * c_.lanes), pixels = in(1, 3),
              count = in(1, 3);
    const PackedTensor source = planes(rows, pixels, count, lanes, chance(50));
    PackedTensor target = planes(lanes, pixels, count, rows, chance(50));
    clear_beyond(source, lanes);
    Descriptor d;
    d.opcode = Opcode::kTranspose;
    d.source_address = source.address;
    d.target_address = target.address;
    d.plane_words = static_cast<std::uint32_t>(pixels * count);
    d.source_rows = static_cast<std::uint32_t>(rows);
    d.source_lanes = static_cast<std::uint32_t>(lanes);
    d.source_columns = source.columns;
    d.target_columns = target.columns;
    d.source_words = static_cast<std::uint32_t>(source.words());
    d.target_words = static_cast<std::uint32_t>(target.words());
    zero(target);
    run(d);
  }
  void unfold() {
    const int samples = in(1, 20), channels = in(1, 40), count = in(1, 3);
    const int height = in(1, 12), width = in(1, 12);
    const PackedTensor source = planes(samples, height * width, count, channels, chance(50));
    clear_beyond(source, channels);
    Descriptor d;
    d.opcode = Opcode::kUnfold;
    d.unfold_kernel_height = u(1, 4);
    d.unfold_kernel_width = u(1, 4);
    d.unfold_padding = u(0, 2);
    d.unfold_stride_log2 = u(0, 2);
    d.unfold_height = static_cast<std::uint32_t>(height);
    d.unfold_width = static_cast<std::uint32_t>(width);
    auto outs = [&](int size, std::uint32_t kernel) {
      const int span = size + 2 * static_cast<int>(d.unfold_padding) - static_cast<int>(kernel);
      return static_cast<std::uint32_t>(span < 0 ? 1 : (span >> d.unfold_stride_log2) + 1);
    };
    d.unfold_out_height = outs(height, d.unfold_kernel_height);
    d.unfold_out_width = outs(width, d.unfold_kernel_width);
    const bool columns = chance(50);
    const int group = columns ? c_.columns : c_.rows, unit = std::max(16, group);
    d.unfold_tap_rows = static_cast<std::uint32_t>((channels + unit - 1) / unit * unit);
    const PackedTensor target =
        planes(static_cast<int>(d.unfold_tap_rows * d.unfold_kernel_height * d.unfold_kernel_width),
               samples, count, static_cast<int>(d.unfold_out_height * d.unfold_out_width), columns);
    zero(target);
    d.source_address = source.address;
    d.target_address = target.address;
    d.source_rows = static_cast<std::uint32_t>(samples);
    d.source_lanes = static_cast<std::uint32_t>(channels);
    d.source_columns = source.columns;
    d.target_columns = columns;
    d.unfold_planes = static_cast<std::uint32_t>(count);
    d.source_words = static_cast<std::uint32_t>(source.words());
    d.target_words = static_cast<std::uint32_t>(target.words());
    run(d);
  }
  void zero(const PackedTensor& t) {
    for (std::uint32_t i = 0; i < t.size_bytes(); ++i) put(t.address + i, 0, 1);
  }
  /// Surplus rows of a beat are copies of lanes beyond the tensor's, which passes leave 0.
  void clear_beyond(const PackedTensor& t, int lanes) {
    const int bytes = c_.lanes / 8, words = t.words();
    const int members = t.groups() * t.pixels * t.planes * words * t.group;
    for (int i = 0; i < members; ++i) {
      const int word = i / t.group % words;
      for (int byte = 0; byte < bytes; ++byte) {
        const std::uint32_t at = t.address + static_cast<std::uint32_t>(i * bytes + byte);
        const int valid = std::clamp(lanes - word * c_.lanes - 8 * byte, 0, 8);
        put(at, golden_.memory()[at] & ((1u << valid) - 1), 1);
      }
    }
  }

 private:
  Config shape() {
    Config c;
    c.rows = 1 << in(1, 5);
    c.columns = 1 << in(1, 5);
    c.lanes = 1 << in(4, 7);
    c.row_buffer_depth = c.column_buffer_depth = 256;
    c.stream_lanes = 1 << in(0, 4);
    c.stream_lanes = std::min(c.stream_lanes, c.columns);
    c.stored_bits = chance(70) ? 16 : 32;
    c.table_channels = 128;
    c.threshold_channels = 64;
    c.max_batch = 64;
    c.random_bits = chance(50) ? 16 : in(4, 16);
    c.bus_bytes = std::max({8 << in(0, 3), c.lanes / 8, 4 * c.stream_lanes});
    c.activation_bits = 8;
    c.wide_bits = 32;
    return c;
  }

  SplitMix64 random_;
  Config c_;
  GoldenDevice golden_;
  NaiveDevice naive_;
  std::ptrdiff_t next_ = 4096;
};

std::uint64_t first_seed() {
  const char* text = std::getenv("SOLFEGE_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : 20160620;
}

template <typename Case>
void repeat(int cases, const Case& one) {
  const char* wanted = std::getenv("SOLFEGE_CASES");
  if (wanted != nullptr) cases = std::atoi(wanted);
  for (int i = 0; i < cases; ++i) {
    const std::uint64_t seed = first_seed() + static_cast<std::uint64_t>(i);
    INFO("SOLFEGE_SEED=" << seed << " SOLFEGE_CASES=1 replays this case");
    Bench bench(seed);
    one(bench);
  }
}

}  // namespace

TEST_CASE("Stream passes in storage order are the contract's, element by element", "[golden]") {
  repeat(60, [](Bench& bench) {
    bench.load_tables();
    bench.pass();
  });
}

TEST_CASE("Products and drains are the contract's, sum by sum", "[golden]") {
  repeat(60, [](Bench& bench) {
    bench.load_tables();
    bench.product();
  });
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
  repeat(60, [](Bench& bench) {
    bench.turn();
    bench.unfold();
  });
}

}  // namespace solfege
