// SPDX-License-Identifier: Apache-2.0
#include "tests/support/naive_device.hpp"

#include <algorithm>
#include <stdexcept>

#include "model/spec/lfsr.hpp"
#include "model/spec/slope.hpp"

namespace solfege {
namespace {

using Integer = NaiveDevice::Integer;

Integer clip(Integer value, Integer low, Integer high) {
  return value < low ? low : value > high ? high : value;
}

/// floor(value / 2^shift + 1/2), saturated to 32 bits
Integer rounded(Integer value, std::uint32_t shift) {
  const Integer unit = Integer{1} << shift;
  const Integer twice = 2 * value + unit;
  Integer quotient = twice / (2 * unit);
  if (twice % (2 * unit) < 0) --quotient;
  return clip(quotient, INT32_MIN, INT32_MAX);
}

Integer as_signed(std::uint64_t value, int bits) {
  const Integer low = static_cast<Integer>(value & ((std::uint64_t{1} << bits) - 1));
  return low >= (Integer{1} << (bits - 1)) ? low - (Integer{1} << bits) : low;
}

}  // namespace

NaiveDevice::NaiveDevice(const Config& config, std::size_t memory_bytes)
    : memory(memory_bytes),
      c_(config),
      row_buffer_(static_cast<std::size_t>(config.row_buffer_depth * config.rows * config.lanes) /
                  8),
      column_buffer_(
          static_cast<std::size_t>(config.column_buffer_depth * config.columns * config.lanes) / 8),
      running_(static_cast<std::size_t>(config.rows * config.columns)) {}

void NaiveDevice::execute(const Descriptor& d) {
  switch (d.opcode) {
    case Opcode::kLoad:
      return load(d);
    case Opcode::kGemm:
      return gemm(d);
    case Opcode::kStream:
      return stream(d);
    case Opcode::kTranspose:
      return transpose(d);
    case Opcode::kUnfold:
      return unfold(d);
  }
  throw std::logic_error("opcode");
}

std::ptrdiff_t NaiveDevice::first_difference(const std::vector<std::uint8_t>& other) const {
  if (other == memory) return -1;
  return std::mismatch(memory.begin(), memory.end(), other.begin(), other.end()).first -
         memory.begin();
}

void NaiveDevice::write(std::uint64_t address, int bytes, std::uint64_t value) {
  for (int i = 0; i < bytes; ++i)
    memory.at(address + static_cast<std::uint64_t>(i)) =
        static_cast<std::uint8_t>(value >> (8 * i));
}

void NaiveDevice::load(const Descriptor& d) {
  const int group = d.load_to_columns ? c_.columns : c_.rows;
  auto& buffer = d.load_to_columns ? column_buffer_ : row_buffer_;
  const std::size_t word = static_cast<std::size_t>(group * c_.lanes / 8);
  for (std::size_t i = 0; i < d.load_words * word; ++i)
    buffer.at(d.load_offset * word + i) = memory.at(d.load_address + i);
}

// ---- GEMM ----

Integer NaiveDevice::operand(const Descriptor& d, bool of_rows, int pixel, int group, int member,
                             int lane) const {
  const int members = of_rows ? c_.rows : c_.columns;
  const auto& buffer = of_rows ? row_buffer_ : column_buffer_;
  const int depth = of_rows ? c_.row_buffer_depth : c_.column_buffer_depth;
  const int planes = static_cast<int>(of_rows ? d.row_planes : d.column_planes);
  const int words = static_cast<int>(d.words);
  const bool is_signed = of_rows ? d.row_signed : d.column_signed;
  Integer value = 0;
  for (int plane = 0; plane < planes; ++plane) {
    const int base = static_cast<int>(of_rows ? d.row_base : d.column_base) +
                     (of_rows ? 0 : group * static_cast<int>(d.column_group_stride));
    const int word = (base + (pixel * planes + plane) * words + lane / c_.lanes) % depth;
    const int bit_index = (word * members + member) * c_.lanes + lane % c_.lanes;
    const bool set = buffer[static_cast<std::size_t>(bit_index / 8)] >> (bit_index % 8) & 1;
    const Integer weight = Integer{1} << plane;
    if (set) value += is_signed && plane == planes - 1 ? -weight : weight;
  }
  return value;
}

void NaiveDevice::gemm(const Descriptor& d) {
  auto meets = [&](bool of_y, int p, int t, int* index) {
    const int stride = static_cast<int>(of_y ? d.stride_y : d.stride_x);
    const int limit = static_cast<int>(of_y ? d.window_height : d.window_width);
    const int place = static_cast<int>(as_signed(of_y ? d.place_y : d.place_x, 16));
    const int phase = static_cast<int>(of_y ? d.phase_y : d.phase_x);
    switch (d.window_mode) {
      case WindowMode::kForward:
        *index = place + phase + stride * p + t;
        break;
      case WindowMode::kBackwardInput: {
        const int times = stride * place + phase + p - t;
        if (times < 0 || times % stride != 0) return false;
        *index = times / stride;
        break;
      }
      case WindowMode::kBackwardWeight:
        *index = stride * (place + t) + phase + p;
        break;
    }
    return *index >= 0 && *index < limit;
  };
  const int length = static_cast<int>(d.words - 1) * c_.lanes + static_cast<int>(d.tail_lanes);
  const int width = static_cast<int>(d.window_width), taps_x = static_cast<int>(d.tap_x_count);
  for (int tile_y = 0; tile_y < static_cast<int>(d.tile_y_count); ++tile_y)
    for (int tile_x = 0; tile_x < static_cast<int>(d.tile_x_count); ++tile_x)
      for (int group = 0; group < static_cast<int>(d.column_groups); ++group) {
        for (int r = 0; r < c_.rows; ++r)
          for (int c = 0; c < c_.columns; ++c) {
            Integer& sum = running_[static_cast<std::size_t>(r * c_.columns + c)];
            if (d.clear) sum = 0;
            for (int tap_y = 0; tap_y < static_cast<int>(d.tap_y_count); ++tap_y)
              for (int tap_x = 0; tap_x < taps_x; ++tap_x) {
                int y = 0, x = 0;
                if (!meets(true, tile_y, tap_y, &y) || !meets(false, tile_x, tap_x, &x)) continue;
                const int by_tap = tap_y * taps_x + tap_x;
                const int by_index = (y - static_cast<int>(d.map_y_first)) * width + x;
                const int row_pixel = d.rows_by_tap ? by_tap : by_index;
                const int column_pixel = d.rows_by_tap || d.columns_by_tile ? by_index : by_tap;
                for (int lane = 0; lane < length; ++lane) {
                  const Integer row = operand(d, true, row_pixel, 0, r, lane);
                  const Integer column = operand(d, false, column_pixel, group, c, lane);
                  sum += (Integer{1} << d.affine_shift) * row * column +
                         as_signed(d.affine_row, 10) * row +
                         as_signed(d.affine_column, 10) * column + as_signed(d.affine_lanes, 18);
                }
              }
          }
        if (d.drain) drained.insert(drained.end(), running_.begin(), running_.end());
      }
}

// ---- STREAM ----

Integer NaiveDevice::element(std::uint64_t address, ElementType type, std::uint32_t offset,
                             int* tag) const {
  const int bytes = type == ElementType::kUnsigned8 ? 1 : type == ElementType::kSigned16 ? 2 : 4;
  const std::uint64_t place =
      (address + std::uint64_t{offset} * static_cast<std::uint64_t>(bytes)) & 0xffffffffu;
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i)
    value |= std::uint64_t{memory.at(place + static_cast<std::uint64_t>(i))} << (8 * i);
  *tag = 0;
  if (type == ElementType::kUnsigned8) return static_cast<Integer>(value);
  if (type == ElementType::kTagged) {
    *tag = static_cast<int>(value >> 16 & 0xff);
    return as_signed(value, 16);
  }
  return as_signed(value, 8 * bytes);
}

int NaiveDevice::code(const Descriptor& d, Integer y, std::uint32_t m, std::uint32_t random,
                      std::uint32_t chunk, std::uint32_t lane) const {
  const Integer n = (Integer{1} << d.quantizer_bits) - 1;
  switch (d.quantizer) {
    case Quantizer::kRaw:
      return static_cast<int>(y);
    case Quantizer::kThreshold: {
      std::uint32_t node = 1;
      for (std::uint32_t level = 0; level < d.quantizer_bits; ++level)
        node = 2 * node +
               (y >= thresholds_.at({d.threshold_per_channel ? chunk : 0, node, lane}) ? 1 : 0);
      return ((static_cast<int>(node) - (1 << d.quantizer_bits)) << d.code_shift) +
             static_cast<int>(as_signed(d.code_offset, 9));
    }
    default: {
      // c = floor(n (y + M) / (2M) + (2U + 1) / 2^(r+1))
      Integer c = n;
      if (m != 0) {
        const Integer unit = Integer{1} << c_.random_bits;
        c = (n * (y + m) * unit + Integer{m} * (2 * Integer{random} + 1)) / (2 * Integer{m} * unit);
      }
      if (d.quantizer == Quantizer::kStochastic) return static_cast<int>(c);
      return static_cast<int>(static_cast<std::uint32_t>(Integer{m} * (2 * c - n)));
    }
  }
}

void NaiveDevice::stream(const Descriptor& d) {
  const auto lanes = static_cast<std::uint32_t>(c_.stream_lanes);
  const std::uint32_t parts = 16 / lanes;
  const auto quantizer = d.quantizer;
  const bool draws = quantizer == Quantizer::kStochastic ||
                     quantizer == Quantizer::kStochasticScaled || d.drop_enable || d.grid_enable;
  const auto destination = d.destination;
  if (d.reduce_clear) {
    max_.clear();
    sum_.clear();
    second_.clear();
  }
  Lfsr random((std::uint64_t{d.random_high} << 32) | d.random_low);
  struct State {
    Integer best = 0;
    int tag = 0;
  };
  std::map<std::array<std::uint32_t, 2>, State> states;
  std::uint32_t table_word = 0, pixel = 0;
  std::array<std::uint32_t, 6> i{};
  const std::array<std::uint32_t, 6> counts = {d.count0, d.count1, d.count2,
                                               d.count3, d.count4, d.count5};
  bool more = true;
  while (more) {
    std::uint32_t chunk = 0, sample = 0, inside = 0;
    if (d.x_from_array) {
      chunk = d.chunk_first + i[3] * d.count0 + i[0];
      sample = d.sample_first + 16 * i[2] + i[1];
      inside = 256 * (chunk * lanes / 16) + 16 * (sample % 16) + chunk * lanes % 16;
    } else {
      const std::uint32_t block = i[0] / (16 * parts), row = i[0] / parts % 16;
      chunk = d.chunk_first + block * parts + i[0] % parts;
      sample = d.sample_first + 16 * i[5] + row;
      inside = 256 * (d.chunk_first / parts) + i[0] * lanes;
    }
    std::uint32_t a = inside, b = inside;
    const std::array<std::uint32_t, 6> stride_a = {0,           d.x_from_array ? 0 : d.stride_a1,
                                                   d.stride_a2, d.x_from_array ? 0 : d.stride_a3,
                                                   d.stride_a4, d.stride_a5};
    const std::array<std::uint32_t, 6> stride_b = {0,           d.x_from_array ? 0 : d.stride_b1,
                                                   d.stride_b2, d.x_from_array ? 0 : d.stride_b3,
                                                   d.stride_b4, d.stride_b5};
    for (std::size_t k = 1; k < 6; ++k) {
      a += i[k] * stride_a[k];
      b += i[k] * stride_b[k];
    }
    const std::uint32_t z_offset = d.z_strides_b ? b : a;
    const std::uint32_t offset = d.destination_strides_b ? b : a;
    const bool pool_result = i[1] + 1 == d.count1 && i[2] + 1 == d.count2;
    const bool accumulate_result = d.accumulate_last && i[4] + 1 == d.count4;
    const bool result =
        (!d.pool_enable || pool_result) && (!d.accumulate_enable || accumulate_result);
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      const std::uint32_t channel = chunk * lanes + lane;
      const bool valid = sample < d.samples && channel < d.channels;
      auto word = [&](Table table) {
        return tables_[static_cast<int>(table)]
                      [channel % static_cast<std::uint32_t>(c_.table_channels)];
      };
      auto m_of = [&](std::uint32_t index) {
        return static_cast<std::uint32_t>(tables_[static_cast<int>(
            Table::kSample)][index % static_cast<std::uint32_t>(c_.max_batch)]);
      };
      // x and its factor
      Integer x = 0;
      int x_tag = 0, z_tag = 0;
      if (d.x_from_array) {
        x = drained.at(0);
        drained.pop_front();
      } else if (valid) {
        x = element(d.x_address, d.x_type, a + lane, &x_tag);
      }
      std::uint32_t factor = d.scale_x;
      if (d.scale_x_source == Scalar::kChannel)
        factor = static_cast<std::uint32_t>(word(Table::kScaleX));
      if (d.scale_x_source == Scalar::kSample)
        factor = m_of(d.accumulate_enable ? d.accumulate_sample + i[4] : sample);
      Integer p = x * as_signed(factor, c_.stored_bits);
      if (d.accumulate_enable) {
        Integer& sum = partial_[{d.accumulate_tile + i[3], i[2], i[1], i[0], lane}];
        sum = d.accumulate_first && i[4] == 0 ? p : sum + p;
        p = sum;
      }
      // y
      Integer z = 0, y = rounded(p, d.shift_x);
      if (d.z_enable && valid) z = element(d.z_address, d.z_type, z_offset + lane, &z_tag);
      if (d.route_enable && z_tag != static_cast<int>(i[3] * d.count1 + i[1])) z = 0;
      y = rounded(y * slope(d.slope_function, static_cast<std::int32_t>(z)), 16);
      if (d.z_enable && !d.mask_enable)
        y += rounded(z * as_signed(d.scale_z_source == Scalar::kChannel
                                       ? static_cast<std::uint32_t>(word(Table::kScaleZ))
                                       : d.scale_z,
                                   16),
                     d.shift_z);
      if (d.offset_enable) y += word(Table::kOffset);
      const Integer limit = Integer{2147483647} >> d.limit_shift;
      y = clip(y, -limit, limit);
      if (d.mask_enable && (z < word(Table::kMaskLow) || z > word(Table::kMaskHigh))) y = 0;
      int tag = z_tag;
      if (d.pool_enable) {
        State& state = states[{i[0], lane}];
        if ((i[1] == 0 && i[2] == 0) || y > state.best)
          state = {y, static_cast<int>(i[2] * d.count1 + i[1])};
        y = state.best;
        tag = state.tag;
      }
      if (!result) continue;
      // Results
      const std::uint32_t u = draws ? random.next(c_.random_bits) : 0;
      if (d.grid_enable) y = (y + u) & ~((Integer{1} << c_.random_bits) - 1);
      if (d.drop_enable && u < d.drop_threshold) y = -32768;
      if (!valid) y = 0;
      if (destination == Destination::kTable) {
        const auto value = static_cast<std::int32_t>(y);
        const auto table = d.table;
        if (table == Table::kThreshold) {
          const std::uint32_t nodes = (1u << d.quantizer_bits) - 1, step = table_word / lanes;
          thresholds_[{step / nodes, step % nodes + 1, lane}] = value;
        } else {
          const int size = table == Table::kSample ? c_.max_batch : c_.table_channels;
          tables_[static_cast<int>(d.table)][table_word % static_cast<std::uint32_t>(size)] = value;
        }
        ++table_word;
      } else if (destination != Destination::kNone && valid) {
        const int bytes = destination == Destination::kSigned16 ? 2 : 4;
        std::uint64_t stored = static_cast<std::uint64_t>(y);
        if (destination == Destination::kTagged)
          stored = (stored & 0xffff) | static_cast<std::uint64_t>(tag) << 16;
        write((d.destination_address +
               std::uint64_t{offset + lane} * static_cast<std::uint64_t>(bytes)) &
                  0xffffffffu,
              bytes, stored);
      }
      if (valid && d.max_enable) {
        std::uint32_t& most = max_[d.max_per_sample ? sample : 0];
        most = std::max(most, static_cast<std::uint32_t>(y < 0 ? -y : y));
      }
      if (valid && d.sum_enable) {
        const std::uint32_t to = d.sum_per_channel ? channel : d.sum_per_sample ? sample : 0;
        sum_[to] += d.sum_absolute && y < 0 ? -y : y;
        const Integer y16 = as_signed(static_cast<std::uint64_t>(y), 16);
        if (d.second_sum == SecondSum::kSquare) second_[to] += y16 * y16;
        if (d.second_sum == SecondSum::kDot)
          second_[to] += y16 * as_signed(static_cast<std::uint64_t>(z), 16);
      }
      if (d.pack_enable) {
        const std::uint32_t place = channel - d.chunk_first * lanes;
        const int value = valid ? code(d, y, m_of(sample), u, chunk, lane) : 0;
        const int group = d.pack_columns ? c_.columns : c_.rows;
        const int groups = (static_cast<int>(d.samples) + group - 1) / group;
        const int s = static_cast<int>(sample);
        if (s / group < groups)
          for (std::uint32_t plane = 0; plane < d.pack_planes; ++plane) {
            const std::uint64_t operand_word = pixel * d.pack_pixel_stride +
                                               plane * d.pack_plane_stride +
                                               place / static_cast<std::uint32_t>(c_.lanes);
            const std::uint64_t byte = d.pack_address +
                                       static_cast<std::uint64_t>(s / group) * d.pack_group_stride +
                                       (operand_word * static_cast<std::uint64_t>(group) +
                                        static_cast<std::uint64_t>(s % group)) *
                                           static_cast<std::uint64_t>(c_.lanes / 8) +
                                       place % static_cast<std::uint32_t>(c_.lanes) / 8;
            const auto mask = static_cast<std::uint8_t>(1u << (place % 8));
            std::uint8_t& to = memory.at(byte);
            to = static_cast<std::uint8_t>(value >> plane & 1 ? to | mask : to & ~mask);
          }
      }
    }
    if (result && i[0] + 1 == d.count0) ++pixel;
    more = false;
    for (std::size_t k = 0; k < 6 && !more; ++k) {
      more = ++i[k] < counts[k];
      if (!more) i[k] = 0;
      if (k == 4 && !more) pixel = 0;
    }
  }
  if (!d.reduce_flush) return;
  if (d.max_enable)
    for (std::uint32_t s = 0; s < (d.max_per_sample ? d.samples : 1); ++s)
      write(d.max_address + 4 * s, 4, max_[s]);
  if (d.sum_enable) {
    const std::uint32_t count = d.sum_per_channel ? d.channels : d.sum_per_sample ? d.samples : 1;
    for (std::uint32_t to = 0; to < count; ++to) {
      write(d.sum_address + 8 * to, 8, static_cast<std::uint64_t>(sum_[to]));
      if (d.second_sum != SecondSum::kNone)
        write(d.sum_address + 8 * (count + to), 8, static_cast<std::uint64_t>(second_[to]));
    }
  }
}

// ---- The turner ----

bool NaiveDevice::bit(const PlanesAt& planes, int row, int pixel, int plane, int lane) const {
  const int word =
      ((row / planes.group * planes.pixels + pixel) * planes.planes + plane) * planes.words +
      lane / c_.lanes;
  const std::int64_t index =
      (static_cast<std::int64_t>(word) * planes.group + row % planes.group) * c_.lanes +
      lane % c_.lanes;
  return memory.at(planes.address + static_cast<std::uint64_t>(index / 8)) >> (index % 8) & 1;
}

void NaiveDevice::set_bit(const PlanesAt& planes, int row, int pixel, int plane, int lane,
                          bool value) {
  const int word =
      ((row / planes.group * planes.pixels + pixel) * planes.planes + plane) * planes.words +
      lane / c_.lanes;
  const std::int64_t index =
      (static_cast<std::int64_t>(word) * planes.group + row % planes.group) * c_.lanes +
      lane % c_.lanes;
  std::uint8_t& to = memory.at(planes.address + static_cast<std::uint64_t>(index / 8));
  const auto mask = static_cast<std::uint8_t>(1u << (index % 8));
  to = static_cast<std::uint8_t>(value ? to | mask : to & ~mask);
}

/// Lanes that become rows. Beats are written whole, with lanes beyond the tensor's.
int NaiveDevice::turned_lanes(const Descriptor& d) const {
  const int group = d.target_columns ? c_.columns : c_.rows;
  const int members = std::min({group, 8 * c_.bus_bytes / c_.lanes, c_.lanes});
  return (static_cast<int>(d.source_lanes) + members - 1) / members * members;
}

void NaiveDevice::transpose(const Descriptor& d) {
  const int source_words = static_cast<int>(d.source_words),
            target_words = static_cast<int>(d.target_words);
  const int source_group = d.source_columns ? c_.columns : c_.rows,
            target_group = d.target_columns ? c_.columns : c_.rows;
  const PlanesAt source{d.source_address, 1, static_cast<int>(d.plane_words), source_words,
                        source_group};
  const PlanesAt target{d.target_address, 1, static_cast<int>(d.plane_words), target_words,
                        target_group};
  for (int plane = 0; plane < static_cast<int>(d.plane_words); ++plane)
    for (int lane = 0; lane < turned_lanes(d); ++lane)
      for (int row = 0; row < target_words * c_.lanes; ++row)
        set_bit(target, lane, 0, plane, row,
                row < static_cast<int>(d.source_rows) && bit(source, row, 0, plane, lane));
}

void NaiveDevice::unfold(const Descriptor& d) {
  const int height = static_cast<int>(d.unfold_height), width = static_cast<int>(d.unfold_width);
  const int planes = static_cast<int>(d.unfold_planes);
  const PlanesAt source{d.source_address, height * width, planes, static_cast<int>(d.source_words),
                        d.source_columns ? c_.columns : c_.rows};
  const PlanesAt target{d.target_address, static_cast<int>(d.source_rows), planes,
                        static_cast<int>(d.target_words), d.target_columns ? c_.columns : c_.rows};
  const int kernel_width = static_cast<int>(d.unfold_kernel_width);
  const int taps = static_cast<int>(d.unfold_kernel_height) * kernel_width;
  const int out_width = static_cast<int>(d.unfold_out_width);
  const int outs = static_cast<int>(d.unfold_out_height) * out_width;
  const int stride_y = static_cast<int>(d.unfold_stride_height);
  const int stride_x = static_cast<int>(d.unfold_stride_width);
  const int padding_y = static_cast<int>(d.unfold_padding_height);
  const int padding_x = static_cast<int>(d.unfold_padding_width);
  for (int tap = 0; tap < taps; ++tap)
    for (int channel = 0; channel < turned_lanes(d); ++channel)
      for (int sample = 0; sample < static_cast<int>(d.source_rows); ++sample)
        for (int plane = 0; plane < planes; ++plane)
          for (int o = 0; o < static_cast<int>(d.target_words) * c_.lanes; ++o) {
            const int y = o / out_width * stride_y + tap / kernel_width - padding_y;
            const int x = o % out_width * stride_x + tap % kernel_width - padding_x;
            const bool inside = o < outs && y >= 0 && y < height && x >= 0 && x < width;
            set_bit(target, tap * static_cast<int>(d.unfold_tap_rows) + channel, sample, plane, o,
                    inside && bit(source, sample, y * width + x, plane, channel));
          }
}

}  // namespace solfege
