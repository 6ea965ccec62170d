// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_stream.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <tuple>
#include <type_traits>

#include "model/spec/legality.hpp"

namespace solfege {
namespace {

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

std::array<std::uint32_t, 6> counts(const Descriptor& d) {
  return {d.count0, d.count1, d.count2, d.count3, d.count4, d.count5};
}

/// The first part of a pass clears the reductions, the last one writes them.
void set_part(Descriptor& part, bool first, bool last) {
  if (!part.max_enable && !part.sum_enable) return;
  part.reduce_clear = first;
  part.reduce_flush = last;
}

/// A flag, or a value of an enumeration.
template <typename Type>
Type value(SeededRandom& random, int width) {
  while (true) {
    const auto one = static_cast<Type>(random.bits(width));
    if constexpr (std::is_same_v<Type, bool>)
      return one;
    else if (is_valid(one))
      return one;
  }
}

}  // namespace

// ---- Choices ----

/// Random choices for a pass of this shape. For f_G no |y| may be larger than its sample's maximum:
/// results are clipped to less, or, if a gradient is asked for, they are x itself, and packed.
Descriptor RandomStream::legal(const Descriptor& shape, bool gradient) {
  for (int i = 0; i < 10000000; ++i) {
    Descriptor d = shape;
#define SOLFEGE_DRAW(name, word, lsb, width, Type) \
  if constexpr (!std::is_same_v<Type, Number>) d.name = value<Type>(random_, width);
    SOLFEGE_STREAM_FIELDS(SOLFEGE_DRAW)
#undef SOLFEGE_DRAW
    d.x_from_array = shape.x_from_array;
    d.accumulate_enable = shape.accumulate_enable;
    d.quantizer_bits = random_.field(0, 15);
    if (random_.chance(30)) {
      d.code_shift = random_.field(0, 7);
      d.code_offset = random_.field(0, 511);
    }
    d.limit_shift = random_.chance(40) ? kNarrow : random_.chance(50) ? 0 : random_.field(0, 31);
    d.pack_planes = random_.field(0, g_.config.wide_bits);
    d.random_low = u32(random_.mixed(32));
    d.random_high = u32(random_.mixed(32));
    if (broken_rule(d, g_.config) != nullptr || d.fills_table()) continue;
    if (d.stochastic() && (d.limit_shift < kNarrow || d.drop_enable)) continue;
    if (gradient && (!d.stochastic() || !d.pack_enable || d.z_enable || d.offset_enable)) continue;
    d.scale_x = random_.chance(30) ? 1 : u32(random_.mixed(32));
    d.scale_z = u32(random_.mixed(16)) & 0xffff;
    d.shift_x = random_.field(0, random_.chance(20) ? 63 : 24);
    d.shift_z = random_.field(0, random_.chance(20) ? 63 : 24);
    d.drop_threshold = u32(random_.bits(g_.config.random_bits));
    if (gradient) {
      d.x_type = ElementType::kSigned16;
      d.scale_x_source = Scalar::kConstant;
      d.scale_x = 1;
      d.shift_x = 0;
    }
    return d;
  }
  throw std::logic_error("no random STREAM descriptor is legal");
}

RandomStream::Descriptors RandomStream::from_memory() {
  next_ = first_;
  const bool gradient = random_.chance(20);
  Descriptor d;
  d.opcode = Opcode::kStream;
  const int blocks = random_.between(
      1, std::min({4, g_.config.table_channels / kBlock, g_.config.threshold_channels / kBlock}));
  d.count0 = u32(blocks * g_.block_chunks);
  const bool packable = gradient || random_.chance(80);  // whole blocks, from a block's start
  if (!packable) d.count0 = random_.field(1, static_cast<int>(d.count0));
  std::uint32_t* const counts[] = {&d.count1, &d.count2, &d.count3, &d.count4, &d.count5};
  for (std::uint32_t* count : counts) *count = random_.field(1, 2) + random_.field(0, 1);
  while (d.steps() * u32(g_.config.stream_lanes) > 100000) {
    std::uint32_t& count = *counts[random_.between(0, 4)];
    if (count > 1) --count;
  }
  if (random_.chance(30))
    d.sample_first =
        random_.field(0, std::max(0, g_.config.max_batch - kBlock * static_cast<int>(d.count5)));
  if (packable) d.sample_first -= d.sample_first % kBlock;
  const int most = std::min(g_.config.table_channels, g_.config.threshold_channels) / kBlock;
  const int first = random_.chance(30) ? random_.between(0, most - blocks) : 0;
  d.chunk_first = u32(first * kBlock / g_.config.stream_lanes);
  d.channels = u32(kBlock * (first + blocks) - (random_.chance(50) ? random_.between(0, 15) : 0));
  d.samples = d.sample_first + kBlock * d.count5 - (random_.chance(50) ? random_.field(0, 15) : 0);
  d = legal(d, gradient);
  Descriptors all;
  add_tables(all, d, gradient);
  set_places(d, gradient);
  if (d.pack_enable) set_planes(d);
  const bool twice = (d.max_enable || d.sum_enable) && random_.chance(50);
  for (int part = 0; part <= twice; ++part) {
    set_part(d, part == 0, part == twice);
    all.push_back(d);
  }
  return all;
}

RandomStream::Descriptors RandomStream::from_array(int column_groups, int tiles_x, int tiles_y) {
  next_ = first_;
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.x_from_array = true;
  d.accumulate_enable = column_groups <= g_.config.sum_tiles && random_.chance(60);
  d.count0 = u32(g_.column_chunks);
  d.count1 = u32(g_.drain_rows);
  d.count2 = u32(g_.drain_blocks);
  d.count3 = u32(column_groups);
  d.count4 = u32(d.accumulate_enable ? tiles_x * tiles_y : tiles_x);
  d.count5 = u32(d.accumulate_enable ? 1 : tiles_y);
  const int rows = g_.config.rows, columns = g_.config.columns;
  d.sample_first = u32(rows) * random_.field(0, g_.config.max_batch / rows - 1);
  d.samples = d.sample_first + random_.field(1, rows);
  d.chunk_first = d.count0 * random_.field(0, 3);
  const int end = static_cast<int>(d.chunk_first / d.count0 + d.count3) * columns;
  d.channels = u32(std::min(end - random_.between(0, columns - 1), g_.config.table_channels));
  if (d.accumulate_enable)
    d.accumulate_tile = random_.field(0, g_.config.sum_tiles - column_groups);
  d.accumulate_sample =
      random_.field(0, std::max(0, g_.config.max_batch - static_cast<int>(d.count4)));
  d = legal(d, false);
  Descriptors all;
  add_tables(all, d, false);
  set_places(d, false);
  if (!d.accumulate_enable) {
    set_part(d, true, true);
    all.push_back(d);
    return all;
  }
  for (std::uint32_t left = d.count4; left > 0;) {
    Descriptor part = d;
    if (random_.chance(50)) part.count4 = random_.field(1, static_cast<int>(left));
    part.count4 = std::min(part.count4, left);
    part.accumulate_first = left == d.count4;
    part.accumulate_sample += d.count4 - left;
    left -= part.count4;
    part.accumulate_last = left == 0;
    set_part(part, part.accumulate_first, part.accumulate_last);
    all.push_back(part);
  }
  return all;
}

// ---- Places ----

std::uint32_t RandomStream::take(std::uint64_t bytes, int unit) {
  const auto step = static_cast<std::uint64_t>(unit);
  const std::uint64_t address = ((next_ + step - 1) / step + random_.bits(3)) * step;
  next_ = address + bytes;
  if (next_ + 4096 > memory_.size()) throw std::logic_error("the memory of a test is too small");
  return u32(static_cast<std::int64_t>(address));
}

void RandomStream::write(std::uint64_t address, std::int64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    memory_[address + static_cast<std::uint64_t>(i)] = static_cast<std::uint8_t>(value >> (8 * i));
}

/// Loops of `places` elements inside one another, in random order, with gaps, some of them
/// backwards.
RandomStream::Nest RandomStream::nest(const Descriptor& d, std::uint32_t places) {
  Nest nest{{}, 0, places};
  std::vector<std::size_t> loops = {1, 2, 3, 4, 5};
  while (!loops.empty()) {
    const int index = random_.between(0, static_cast<int>(loops.size()) - 1);
    const std::size_t loop = loops[static_cast<std::size_t>(index)];
    loops.erase(loops.begin() + index);
    const auto lanes = u32(g_.config.stream_lanes);
    if (counts(d)[loop] == 1 || (d.x_from_array && (loop == 1 || loop == 3))) {
      nest.stride[loop] = lanes * u32(random_.mixed(28));  // of no effect
      continue;
    }
    std::uint32_t stride = (nest.places + lanes - 1) / lanes * lanes;
    if (random_.chance(25)) stride += lanes * random_.field(1, 40);
    const std::uint32_t way = stride * (counts(d)[loop] - 1);
    const bool backwards = random_.chance(20);
    nest.stride[loop] = backwards ? 0 - stride : stride;
    nest.first += backwards ? way : 0;
    nest.places += way;
  }
  return nest;
}

/// Noise for the elements of a nest; tags are of the windows, or near.
std::uint32_t RandomStream::elements(const Nest& nest, ElementType type, const Descriptor& d) {
  const int bytes = traits(type).bytes;
  const std::uint32_t address = take(std::uint64_t{nest.places} * static_cast<std::uint64_t>(bytes),
                                     bytes * g_.config.stream_lanes);
  const int windows = static_cast<int>(d.count1 * d.count3);
  for (std::uint32_t i = 0; i < nest.places; ++i) {
    std::int64_t value = random_.mixed(8 * bytes);
    if (type == ElementType::kTagged)
      value = (random_.mixed(16) & 0xffff) | std::int64_t{random_.between(0, windows)} << 16;
    write(address + std::uint64_t{i} * static_cast<std::uint64_t>(bytes), value, bytes);
  }
  return address + nest.first * u32(bytes);
}

/// Strides, operands, and room for the results.
void RandomStream::set_places(Descriptor& d, bool gradient) {
  const auto lanes = u32(g_.config.stream_lanes);
  std::uint32_t places = (d.count0 + kBlock * d.chunk_first) * lanes;
  if (d.x_from_array)
    places = u32(kBlockElements *
                 blocks(static_cast<int>((d.chunk_first + d.count3 * d.count0) * lanes)));
  const Nest a = nest(d, places), b = nest(d, places);
  std::tie(d.stride_a1, d.stride_a2, d.stride_a3, d.stride_a4, d.stride_a5) =
      std::tie(a.stride[1], a.stride[2], a.stride[3], a.stride[4], a.stride[5]);
  std::tie(d.stride_b1, d.stride_b2, d.stride_b3, d.stride_b4, d.stride_b5) =
      std::tie(b.stride[1], b.stride[2], b.stride[3], b.stride[4], b.stride[5]);
  if (!d.x_from_array) d.x_address = elements(a, d.x_type, d);
  if (gradient) gradients(d, a);
  if (d.z_enable) d.z_address = elements(d.z_strides_b ? b : a, d.z_type, d);
  const Nest& stored = d.destination_strides_b ? b : a;
  const int bytes = traits(d.destination).bytes;
  if (d.stores())
    d.destination_address = take(std::uint64_t{stored.places} * static_cast<std::uint64_t>(bytes),
                                 bytes * g_.config.stream_lanes) +
                            stored.first * u32(bytes);
  d.max_address = take(4 * std::uint64_t{d.samples}, 4);
  d.sum_address = take(16 * std::uint64_t{d.channels}, 8);
}

/// x between minus and plus its sample's maximum, often the one or the other.
void RandomStream::gradients(const Descriptor& d, const Nest& nest) {
  const std::uint32_t width = d.count0 * u32(g_.config.stream_lanes);
  const std::uint32_t width_before = kBlock * d.chunk_first * u32(g_.config.stream_lanes);
  for (std::uint32_t at = 0; at < d.count1 * d.count2 * d.count3 * d.count4 * d.count5; ++at) {
    std::uint32_t rest = at, offset = width_before, row_block = 0;
    for (std::size_t loop = 1; loop < 6; ++loop) {
      row_block = rest % counts(d)[loop];
      rest /= counts(d)[loop];
      offset += row_block * nest.stride[loop];
    }
    for (std::uint32_t i = 0; i < width; ++i) {
      const std::uint32_t sample = d.sample_first + kBlock * row_block + i / kBlock % kBlock;
      const int m = maxima_[sample % maxima_.size()];
      const int value = random_.chance(10) ? random_.pick({-m, m}) : random_.between(-m, m);
      write(d.x_address + 2 * (offset + i), value, 2);
    }
  }
}

/// Planes of every pixel, with gaps between planes, pixels and groups.
void RandomStream::set_planes(Descriptor& d) {
  const Geometry::Side& side = g_.side(d.pack_columns);
  const int channels = static_cast<int>(d.count0) / g_.block_chunks * kBlock;
  const std::uint32_t pixels = d.count3 * d.count4 * (d.pool_enable ? 1 : d.count1 * d.count2);
  const auto words = u32((channels + g_.config.lanes - 1) / g_.config.lanes);
  const std::uint32_t groups = d.samples / u32(side.group) + 1;
  for (;; --d.pack_planes) {
    d.pack_plane_stride = words + random_.field(0, 1);
    d.pack_pixel_stride = d.pack_planes * d.pack_plane_stride + random_.field(0, 2);
    d.pack_group_stride =
        (pixels * d.pack_pixel_stride + random_.field(0, 1)) * u32(side.word_bytes);
    if (d.pack_planes == 1 || groups * d.pack_group_stride < 2000000) break;
  }
  d.pack_address = take(std::uint64_t{groups} * d.pack_group_stride, side.unit_bytes);
}

// ---- Tables ----

/// Moves so many rows of words to a table, in one loop or in two.
template <typename Word>
void RandomStream::add_table(Descriptors& to, Table table, int rows, int bits, const Word& word) {
  const int lanes = g_.config.stream_lanes;
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.x_type = ElementType::kSigned32;
  d.x_address = take(4 * static_cast<std::uint64_t>(rows * lanes), 4 * lanes);
  for (int i = 0; i < rows * lanes; ++i) write(d.x_address + 4 * u32(i), word(i), 4);
  d.scale_x = 1;
  d.destination = Destination::kTable;
  d.table = table;
  d.quantizer_bits = u32(bits);
  d.count1 = rows % 2 == 0 && random_.chance(50) ? 2 : 1;
  d.count0 = u32(rows) / d.count1;
  d.stride_a1 = d.count0 * u32(lanes);
  d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = d.samples = 0xffff;
  to.push_back(d);
}

/// Tables, sometimes anew, in either order: no table's words may go to another as well. Then the
/// thresholds and maxima of the pass that uses them.
void RandomStream::add_tables(Descriptors& to, const Descriptor& user, bool gradient) {
  if (!filled_ || random_.chance(15)) {
    std::vector<int> order(kChannelTables + 1);
    std::iota(order.begin(), order.end(), 0);
    if (random_.chance(50)) std::reverse(order.begin(), order.end());
    for (const int index : order) {
      const auto table = index < kChannelTables ? static_cast<Table>(index) : Table::kSample;
      add_table(to, table, table == Table::kSample ? g_.sample_rows : g_.table_rows, 0, [&](int) {
        if (table == Table::kMaskLow) return -std::abs(random_.mixed(20));
        if (table == Table::kMaskHigh) return std::abs(random_.mixed(20));
        return random_.mixed(32);
      });
    }
    filled_ = true;
  }
  if (traits(user.quantizer).compares) {
    const int bits = static_cast<int>(user.quantizer_bits), nodes = (1 << bits) - 1;
    add_table(to, Table::kThreshold, user.threshold_per_channel ? g_.threshold_rows * nodes : nodes,
              bits, [&](int) { return random_.mixed(user.limit_shift >= kNarrow ? 17 : 32); });
  }
  if (user.stochastic()) {
    maxima_.resize(static_cast<std::size_t>(g_.sample_rows * g_.config.stream_lanes));
    for (std::int32_t& m : maxima_)
      m = static_cast<std::int32_t>(
          !gradient ? random_.between(32767, 65535)
                    : std::min<std::int64_t>(32767, std::abs(random_.mixed(16))));
    add_table(to, Table::kSample, g_.sample_rows, 0,
              [&](int i) { return maxima_[static_cast<std::size_t>(i)]; });
  }
}

}  // namespace solfege
