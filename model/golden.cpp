// SPDX-License-Identifier: Apache-2.0
#include "model/golden.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <eigen3/Eigen/Dense>
#include <limits>
#include <stdexcept>

#include "model/lfsr.hpp"
#include "model/tanh_slope.hpp"

namespace solfege {
namespace {

/// floor(value / 2^shift + 1/2)
template <typename Product>
Product round_shift(Product value, int shift) {
  if (shift == 0) return value;
  return (value >> shift) + ((value >> (shift - 1)) & 1);
}

template <typename Product>
std::int32_t saturate(Product value) {
  constexpr Product high = std::numeric_limits<std::int32_t>::max();
  constexpr Product low = std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(value > high ? high : value < low ? low : value);
}

/// The bits of a byte as numbers, so that eight lanes are decoded by one vector operation.
template <typename Number>
const std::array<std::array<Number, 8>, 256>& byte_bits() {
  static const auto table = [] {
    std::array<std::array<Number, 8>, 256> bits{};
    for (std::size_t byte = 0; byte < 256; ++byte)
      for (std::size_t bit = 0; bit < 8; ++bit)
        bits[byte][bit] = static_cast<Number>(byte >> bit & 1);
    return bits;
  }();
  return table;
}

/// One axis of a window: for tile position p, the taps that meet the operand
/// (rtl/sf_window_axis.v). Written as the definition, by trying every tap.
struct Meeting {
  int tap, index;
};
std::vector<Meeting> window(WindowMode mode, int stride_log2, int padding, int position,
                            int tap_first, int tap_count, int limit) {
  const int stride = 1 << stride_log2;
  std::vector<Meeting> meetings;
  for (int tap = tap_first; tap < tap_first + tap_count; ++tap) {
    int index = 0;
    switch (mode) {
      case WindowMode::kForward:
        index = stride * position + tap - padding;
        break;
      case WindowMode::kBackwardInput: {
        const int distance = position + padding - tap;
        if (distance < 0 || distance % stride != 0) continue;
        index = distance / stride;
        break;
      }
      case WindowMode::kBackwardWeight:
        index = stride * tap + position - padding;
        break;
    }
    if (index >= 0 && index < limit) meetings.push_back({tap, index});
  }
  return meetings;
}

}  // namespace

GoldenDevice::GoldenDevice(const Config& config, std::size_t memory_bytes)
    : config_(config),
      memory_(memory_bytes),
      row_buffer_(static_cast<std::size_t>(config.row_buffer_depth) * config.rows * config.lanes /
                  8),
      column_buffer_(static_cast<std::size_t>(config.column_buffer_depth) * config.columns *
                     config.lanes / 8),
      sums_(static_cast<std::size_t>(config.rows) * config.columns),
      samples_(static_cast<std::size_t>(config.max_batch)),
      max_(static_cast<std::size_t>(config.max_batch)),
      sum_(static_cast<std::size_t>(config.table_channels)) {
  for (auto& table : tables_) table.resize(static_cast<std::size_t>(config.table_channels));
}

std::uint8_t* GoldenDevice::at(std::uint64_t address, std::uint64_t bytes) {
  if (address + bytes > memory_.size())
    throw std::logic_error(
        fmt::format("golden: access to {:#x}..{:#x} leaves the memory of {:#x} bytes", address,
                    address + bytes, memory_.size()));
  return memory_.data() + address;
}

void GoldenDevice::execute(const Descriptor& d) {
  switch (static_cast<Opcode>(d.opcode)) {
    case Opcode::kLoad:
      return load(d);
    case Opcode::kGemm:
      return gemm(d);
    case Opcode::kStream:
      // 48 + 16 bits of a product fit 64; with 32-bit multipliers they do not.
      return config_.stored_bits == 16 ? stream_as<std::int64_t>(d) : stream_as<__int128>(d);
    case Opcode::kTranspose:
      return transpose(d);
  }
  throw std::logic_error(fmt::format("golden: opcode {}", d.opcode));
}

void GoldenDevice::load(const Descriptor& d) {
  const int group = d.load_to_columns ? config_.columns : config_.rows;
  const std::size_t word_bytes = static_cast<std::size_t>(group) * config_.lanes / 8;
  auto& buffer = d.load_to_columns ? column_buffer_ : row_buffer_;
  const std::size_t bytes = d.load_words * word_bytes;
  const std::size_t offset = d.load_offset * word_bytes;
  if (offset + bytes > buffer.size()) throw std::logic_error("golden: load beyond the buffer");
  std::memcpy(buffer.data() + offset, at(d.load_address, bytes), bytes);
}

// ---- GEMM ----

/// Decodes `words` operand words' planes of one pixel at buffer word `base` into integers,
/// [member][word * lanes + lane].
template <typename Number>
void GoldenDevice::decode(const std::vector<std::uint8_t>& buffer, int depth, int group,
                          std::uint32_t base, const Descriptor& d, bool rows,
                          Number* values) const {
  const int planes = static_cast<int>(rows ? d.row_planes : d.column_planes);
  const auto type = static_cast<PlaneType>(rows ? d.row_type : d.column_type);
  const int lanes = config_.lanes;
  const int words = static_cast<int>(d.words);
  const int bytes = lanes / 8;
  const int length = words * lanes;
  const int valid = (words - 1) * lanes + static_cast<int>(d.tail_lanes);
  // Every lane starts at its value with all bits 0, then each set bit adds its difference.
  std::fill(values, values + static_cast<std::ptrdiff_t>(group) * length, Number(0));
  for (int member = 0; member < group; ++member) {
    Number* line = values + static_cast<std::ptrdiff_t>(member) * length;
    for (int plane = 0; plane < planes; ++plane) {
      Number weight = static_cast<Number>(std::int64_t{1} << plane);
      Number zero = 0;
      if (type == PlaneType::kSigned && plane == planes - 1) weight = -weight;
      if (type == PlaneType::kBipolar) {
        zero = -weight;
        weight = 2 * weight;
      }
      for (int word = 0; word < words; ++word) {
        const std::size_t index = (base + static_cast<std::uint32_t>(plane * words + word)) %
                                  static_cast<std::uint32_t>(depth);
        const std::uint8_t* bits = buffer.data() + (index * static_cast<std::size_t>(group) +
                                                    static_cast<std::size_t>(member)) *
                                                       static_cast<std::size_t>(bytes);
        Number* at_word = line + word * lanes;
        for (int byte = 0; byte < bytes; ++byte) {
          const std::array<Number, 8>& ones = byte_bits<Number>()[bits[byte]];
          for (std::size_t bit = 0; bit < 8; ++bit)
            at_word[8 * static_cast<std::size_t>(byte) + bit] += zero + ones[bit] * weight;
        }
      }
    }
    std::fill(line + valid, line + length, Number(0));
  }
}

template <typename Number>
void GoldenDevice::gemm_as(const Descriptor& d) {
  using Matrix = Eigen::Matrix<Number, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const int rows = config_.rows, columns = config_.columns;
  const int groups = static_cast<int>(d.column_groups);
  const int length = static_cast<int>(d.words) * config_.lanes;
  const int row_width = static_cast<int>(d.rows_by_tap ? d.tap_x_count : d.window_width);
  const int column_width = static_cast<int>(d.rows_by_tap ? d.window_width : d.tap_x_count);
  const auto mode = static_cast<WindowMode>(d.window_mode);

  // A pixel's operand is decoded when a tile first meets it.
  std::vector<Matrix> row_pixels, column_pixels;
  auto pixel = [&](std::vector<Matrix>& cache, bool of_rows, int index) -> const Matrix& {
    if (cache.size() <= static_cast<std::size_t>(index))
      cache.resize(static_cast<std::size_t>(index) + 1);
    Matrix& matrix = cache[static_cast<std::size_t>(index)];
    if (matrix.size() != 0) return matrix;
    if (of_rows) {
      matrix.resize(rows, length);
      decode(row_buffer_, config_.row_buffer_depth, rows,
             d.row_base + static_cast<std::uint32_t>(index) * d.row_planes * d.words, d, true,
             matrix.data());
    } else {
      matrix.resize(groups * columns, length);
      for (int group = 0; group < groups; ++group)
        decode(column_buffer_, config_.column_buffer_depth, columns,
               d.column_base + static_cast<std::uint32_t>(group) * d.column_group_stride +
                   static_cast<std::uint32_t>(index) * d.column_planes * d.words,
               d, false, matrix.data() + static_cast<std::ptrdiff_t>(group) * columns * length);
    }
    return matrix;
  };

  for (int y = 0; y < static_cast<int>(d.tile_y_count); ++y) {
    const auto taps_y =
        window(mode, static_cast<int>(d.stride_log2), static_cast<int>(d.padding),
               static_cast<int>(d.tile_y_first) + y, static_cast<int>(d.tap_y_first),
               static_cast<int>(d.tap_y_count), static_cast<int>(d.window_height));
    for (int x = 0; x < static_cast<int>(d.tile_x_count); ++x) {
      const auto taps_x = window(mode, static_cast<int>(d.stride_log2), static_cast<int>(d.padding),
                                 static_cast<int>(d.tile_x_first) + x, 0,
                                 static_cast<int>(d.tap_x_count), static_cast<int>(d.window_width));
      Matrix tile = Matrix::Zero(rows, groups * columns);
      for (const Meeting& my : taps_y) {
        for (const Meeting& mx : taps_x) {
          const int row_index =
              ((d.rows_by_tap ? my.tap : my.index) - static_cast<int>(d.row_y_origin)) * row_width +
              (d.rows_by_tap ? mx.tap : mx.index);
          const int column_index =
              ((d.rows_by_tap ? my.index : my.tap) - static_cast<int>(d.column_y_origin)) *
                  column_width +
              (d.rows_by_tap ? mx.index : mx.tap);
          tile.noalias() += pixel(row_pixels, true, row_index) *
                            pixel(column_pixels, false, column_index).transpose();
        }
      }
      for (int group = 0; group < groups; ++group) {
        for (int r = 0; r < rows; ++r) {
          for (int c = 0; c < columns; ++c) {
            std::int64_t& sum = sums_[static_cast<std::size_t>(r * columns + c)];
            const auto value = static_cast<std::int64_t>(tile(r, group * columns + c));
            sum = d.clear ? value : sum + value;
          }
        }
        if (d.drain) drained_.insert(drained_.end(), sums_.begin(), sums_.end());
      }
    }
  }
}

void GoldenDevice::gemm(const Descriptor& d) {
  // Floating point is exact while every sum fits the significand: 24 bits of float, else 53 of
  // double.
  auto magnitude_bits = [](std::uint32_t planes, std::uint32_t type) {
    return static_cast<int>(planes) - (static_cast<PlaneType>(type) == PlaneType::kSigned ? 1 : 0);
  };
  const std::uint64_t terms = std::uint64_t{d.tap_y_count} * d.tap_x_count * d.words *
                              static_cast<std::uint64_t>(config_.lanes);
  int bits =
      magnitude_bits(d.row_planes, d.row_type) + magnitude_bits(d.column_planes, d.column_type);
  while (bits < 64 &&
         (std::uint64_t{1} << (bits - magnitude_bits(d.row_planes, d.row_type) -
                               magnitude_bits(d.column_planes, d.column_type))) < terms)
    ++bits;
  if (bits <= 24) return gemm_as<float>(d);
  if (bits <= 53) return gemm_as<double>(d);
  throw std::logic_error(
      fmt::format("golden: a contraction of {} bits exceeds exact arithmetic", bits));
}

// ---- STREAM ----

template <typename Product>
void GoldenDevice::stream_as(const Descriptor& d) {
  const auto destination = static_cast<Destination>(d.destination);
  const auto quantizer = static_cast<Quantizer>(d.quantizer);
  const bool stochastic =
      quantizer == Quantizer::kStochastic || quantizer == Quantizer::kStochasticScaled;
  const int lanes = config_.stream_lanes;
  const int width = static_cast<int>(d.count0) * lanes;  // elements of a row of chunks
  const int bits = static_cast<int>(d.quantizer_bits);
  const std::int64_t levels = (std::int64_t{1} << bits) - 1;
  const int random_bits = config_.random_bits;
  const std::int32_t limit = destination == Destination::kSigned16 ? 32767 : 2147483647;
  auto element_bytes = [](std::uint32_t type) { return type == 0 ? 1u : type == 1 ? 2u : 4u; };
  auto read_row = [&](std::uint64_t base, std::uint32_t type, std::int64_t offset, int count,
                      std::int32_t* values) {
    if (count == 0) return;
    const std::uint64_t bytes = element_bytes(type);
    const std::uint8_t* p = at(base + static_cast<std::uint64_t>(offset) * bytes,
                               bytes * static_cast<std::uint64_t>(count));
    if (type == 0) {
      std::copy(p, p + count, values);
    } else if (type == 1) {
      for (int i = 0; i < count; ++i) {
        std::int16_t value = 0;
        std::memcpy(&value, p + 2 * i, 2);
        values[i] = value;
      }
    } else {
      std::memcpy(values, p, 4 * static_cast<std::size_t>(count));
    }
  };
  auto signed_low = [](std::uint32_t value, int low_bits) {
    const int up = 32 - low_bits;
    return static_cast<std::int32_t>(value << up) >> up;
  };

  if (d.reduce_clear) {
    std::fill(max_.begin(), max_.end(), 0u);
    std::fill(sum_.begin(), sum_.end(), 0);
  }
  Lfsr random((std::uint64_t{d.random_high} << 32) | d.random_low);

  // Tables are filled in order of the steps.
  std::size_t table_step = 0;
  if (destination == Destination::kTable && static_cast<Table>(d.table) == Table::kThreshold) {
    threshold_nodes_ = static_cast<int>(levels);
    thresholds_.clear();
  }

  // Packing position
  const int group_size = d.pack_columns ? config_.columns : config_.rows;
  const std::size_t word_bytes = static_cast<std::size_t>(config_.lanes) / 8;
  std::uint32_t row_number = 0;
  const std::size_t last_channel =
      tables_[0].size() - 1;  // rows of weights are wider, and use no table
  std::vector<std::uint8_t> word(word_bytes);

  std::vector<std::int32_t> y(static_cast<std::size_t>(width)), x_row(y.size()), z_row(y.size());
  std::vector<std::uint32_t> code(static_cast<std::size_t>(width));
  std::uint32_t group_chunk = d.chunk_first, sample = d.sample_first;
  const std::int32_t stride1 = static_cast<std::int32_t>(d.stride1),
                     stride2 = static_cast<std::int32_t>(d.stride2),
                     stride3 = static_cast<std::int32_t>(d.stride3),
                     stride4 = static_cast<std::int32_t>(d.stride4);

  for (std::uint32_t i4 = 0; i4 < d.count4; ++i4) {
    for (std::uint32_t i3 = 0; i3 < d.count3; ++i3) {
      for (std::uint32_t i2 = 0; i2 < d.count2; ++i2) {
        for (std::uint32_t i1 = 0; i1 < d.count1; ++i1) {
          const std::uint32_t index[5] = {0, i1, i2, i3, i4};
          sample = d.sample_first + (d.sample_loop < 5 ? index[d.sample_loop] : 0);
          group_chunk = d.chunk_first + (d.group_loop < 5 ? index[d.group_loop] * d.count0 : 0);
          const std::int64_t offset = std::int64_t{stride1} * i1 + std::int64_t{stride2} * i2 +
                                      std::int64_t{stride3} * i3 + std::int64_t{stride4} * i4;
          const int first_channel = static_cast<int>(group_chunk) * lanes;
          const int valid = sample < d.samples
                                ? std::clamp(static_cast<int>(d.channels) - first_channel, 0, width)
                                : 0;
          const std::int64_t* tile = nullptr;
          if (d.x_from_array) {
            if (drained_next_ + static_cast<std::size_t>(width) > drained_.size())
              throw std::logic_error("golden: a drain without its tile");
            tile = drained_.data() + drained_next_;
            drained_next_ += static_cast<std::size_t>(width);
            if (drained_next_ == drained_.size()) {
              // Keep the values of this row alive until the end of the loop body.
              static thread_local std::vector<std::int64_t> last;
              last.assign(tile, tile + width);
              tile = last.data();
              drained_.clear();
              drained_next_ = 0;
            }
          }
          const std::uint32_t m = sample < samples_.size() ? samples_[sample] : 0;

          if (!tile) read_row(d.x_address, d.x_type, offset, valid, x_row.data());
          if (d.z_enable) read_row(d.z_address, d.z_type, offset, valid, z_row.data());
          for (int i = 0; i < valid; ++i) {
            const std::size_t channel =
                std::min(static_cast<std::size_t>(first_channel + i), last_channel);
            const std::int64_t x = tile ? tile[i] : x_row[static_cast<std::size_t>(i)];
            const std::int32_t z = z_row[static_cast<std::size_t>(i)];
            std::uint32_t scale_word = d.scale_x;
            if (static_cast<Scalar>(d.scale_x_source) == Scalar::kChannel)
              scale_word = static_cast<std::uint32_t>(tables_[0][channel]);
            if (static_cast<Scalar>(d.scale_x_source) == Scalar::kSample) scale_word = m;
            const std::int32_t scale_x = signed_low(scale_word, config_.stored_bits);
            const std::int32_t scale_z = signed_low(
                d.scale_z_source ? static_cast<std::uint32_t>(tables_[1][channel]) : d.scale_z, 16);
            std::int32_t x_scaled = saturate<Product>(round_shift<Product>(
                static_cast<Product>(x) * scale_x, static_cast<int>(d.shift_x)));
            const std::int32_t z_scaled =
                d.z_enable && !d.mask_enable
                    ? saturate<std::int64_t>(round_shift<std::int64_t>(std::int64_t{z} * scale_z,
                                                                       static_cast<int>(d.shift_z)))
                    : 0;
            if (d.tanh_enable)
              x_scaled = saturate<std::int64_t>(
                  round_shift<std::int64_t>(std::int64_t{x_scaled} * tanh_slope(z), 16));
            std::int64_t sum =
                std::int64_t{x_scaled} + z_scaled + (d.offset_enable ? tables_[2][channel] : 0);
            if (d.mask_enable && !(z >= tables_[3][channel] && z <= tables_[4][channel])) sum = 0;
            sum = std::clamp<std::int64_t>(sum, -std::int64_t{limit} - 1, limit);
            y[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(sum);
          }
          for (int i = valid; i < width; ++i) y[static_cast<std::size_t>(i)] = 0;

          // Results: elements, tables, reductions
          if (destination == Destination::kSigned16 && valid > 0) {
            std::uint8_t* p = at(d.destination_address + 2 * static_cast<std::uint64_t>(offset),
                                 2 * static_cast<std::uint64_t>(valid));
            for (int i = 0; i < valid; ++i) {
              const auto value = static_cast<std::int16_t>(y[static_cast<std::size_t>(i)]);
              std::memcpy(p + 2 * i, &value, 2);
            }
          } else if (destination == Destination::kSigned32 && valid > 0) {
            std::memcpy(at(d.destination_address + 4 * static_cast<std::uint64_t>(offset),
                           4 * static_cast<std::uint64_t>(valid)),
                        y.data(), 4 * static_cast<std::size_t>(valid));
          } else if (destination == Destination::kTable) {
            for (int i = 0; i < width; ++i) {
              const std::size_t word_index = table_step++;
              const std::int32_t value = y[static_cast<std::size_t>(i)];
              if (static_cast<Table>(d.table) == Table::kThreshold)
                thresholds_.push_back(value);
              else if (static_cast<Table>(d.table) == Table::kSample)
                samples_[word_index % samples_.size()] = static_cast<std::uint32_t>(value);
              else
                tables_[d.table][word_index % tables_[d.table].size()] = value;
            }
          }
          if (d.max_enable) {
            std::uint32_t& best = max_[d.max_per_sample && sample < max_.size() ? sample : 0];
            for (int i = 0; i < valid; ++i)
              best = std::max(best, static_cast<std::uint32_t>(
                                        std::abs(std::int64_t{y[static_cast<std::size_t>(i)]})));
          }
          if (d.sum_enable) {
            for (int i = 0; i < valid; ++i) {
              const std::int64_t value = y[static_cast<std::size_t>(i)];
              sum_[d.sum_per_channel ? static_cast<std::size_t>(first_channel + i) : 0] +=
                  d.sum_absolute ? std::abs(value) : value;
            }
          }

          // Codes
          if (!d.pack_enable) continue;
          for (int i = 0; i < width; ++i) {
            const std::int64_t value = y[static_cast<std::size_t>(i)];
            std::int64_t result = value;
            if (quantizer == Quantizer::kThreshold) {
              // Number of thresholds reached, by the tree in heap order; row 0 when shared
              const std::size_t chunk =
                  d.threshold_per_channel ? group_chunk + static_cast<std::uint32_t>(i / lanes) : 0;
              const std::size_t lane = static_cast<std::size_t>(i % lanes);
              std::size_t node = 1;
              for (int level = 0; level < bits; ++level) {
                const std::size_t place =
                    (chunk * static_cast<std::size_t>(threshold_nodes_) + node - 1) *
                        static_cast<std::size_t>(lanes) +
                    lane;
                const bool reached = i < valid && value >= thresholds_.at(place);
                node = 2 * node + (reached ? 1 : 0);
              }
              result = static_cast<std::int64_t>(node) - (std::int64_t{1} << bits);
            } else if (stochastic) {
              const std::uint64_t u = random.next(random_bits);
              std::int64_t c =
                  levels;  // M = 0: any code, for the sample's gradients are M times it
              if (m != 0) {
                const unsigned __int128 numerator =
                    ((static_cast<unsigned __int128>(levels) *
                      static_cast<std::uint64_t>(value + m))
                     << (random_bits + 1)) +
                    static_cast<unsigned __int128>(2) * m * (2 * u + 1);
                c = static_cast<std::int64_t>(
                    numerator / (static_cast<unsigned __int128>(m) << (random_bits + 2)));
              }
              result = quantizer == Quantizer::kStochastic ? c : std::int64_t{m} * (2 * c - levels);
            }
            code[static_cast<std::size_t>(i)] = i < valid ? static_cast<std::uint32_t>(result) : 0u;
          }
          const std::uint64_t place =
              d.pack_address +
              std::uint64_t{d.pack_group_stride} *
                  (row_number / static_cast<std::uint32_t>(group_size)) +
              word_bytes * (row_number % static_cast<std::uint32_t>(group_size)) +
              std::uint64_t{d.pack_pixel_stride} * i1;
          for (int first = 0, word_number = 0; first < width;
               first += config_.lanes, ++word_number) {
            const int last = std::min(first + config_.lanes, width);
            for (std::uint32_t plane = 0; plane < d.pack_planes; ++plane) {
              std::fill(word.begin(), word.end(), std::uint8_t{0});
              for (int i = first; i < last; ++i)
                word[static_cast<std::size_t>(i - first) / 8] |= static_cast<std::uint8_t>(
                    ((code[static_cast<std::size_t>(i)] >> plane) & 1u) << ((i - first) % 8));
              std::memcpy(at(place + std::uint64_t{d.pack_plane_stride} * plane +
                                 static_cast<std::uint64_t>(word_number) *
                                     static_cast<std::uint64_t>(group_size) * word_bytes,
                             word_bytes),
                          word.data(), word_bytes);
            }
          }
        }
        ++row_number;
      }
    }
  }
  if (d.reduce_flush) flush(d);
}

void GoldenDevice::flush(const Descriptor& d) {
  if (d.max_enable) {
    const std::size_t count = d.max_per_sample ? d.samples : 1;
    std::memcpy(at(d.max_address, 4 * count), max_.data(), 4 * count);
  }
  if (d.sum_enable) {
    const std::size_t count = d.sum_per_channel ? d.channels : 1;
    std::memcpy(at(d.sum_address, 8 * count), sum_.data(), 8 * count);
  }
}

// ---- TRANSPOSE ----

void GoldenDevice::transpose(const Descriptor& d) {
  const std::size_t lanes = static_cast<std::size_t>(config_.lanes), bytes = lanes / 8;
  const std::size_t source_group =
      static_cast<std::size_t>(d.source_columns ? config_.columns : config_.rows);
  const std::size_t target_group =
      static_cast<std::size_t>(d.target_columns ? config_.columns : config_.rows);
  const std::size_t beat_words = static_cast<std::size_t>(config_.bus_bytes) / bytes;
  auto place = [&](std::size_t base, std::size_t index, std::size_t group, std::size_t plane,
                   std::size_t words, std::size_t word) {
    return base +
           ((((index / group) * d.plane_words + plane) * words + word) * group + index % group) *
               bytes;
  };
  for (std::size_t block = 0; block < d.target_words; ++block) {
    for (std::size_t word = 0; word < d.source_words; ++word) {
      for (std::size_t plane = 0; plane < d.plane_words; ++plane) {
        // Target members are written in whole beats, so the last beat's surplus members are zero or
        // real.
        const std::size_t members = std::min(
            lanes, (d.source_lanes - word * lanes + beat_words - 1) / beat_words * beat_words);
        std::vector<std::uint8_t> turned(members * bytes);
        for (std::size_t row = 0; row < lanes && block * lanes + row < d.source_rows; ++row) {
          const std::uint8_t* source = at(place(d.source_address, block * lanes + row, source_group,
                                                plane, d.source_words, word),
                                          bytes);
          for (std::size_t lane = 0; lane < members; ++lane)
            if (source[lane / 8] >> (lane % 8) & 1)
              turned[lane * bytes + row / 8] |= static_cast<std::uint8_t>(1u << (row % 8));
        }
        for (std::size_t lane = 0; lane < members; ++lane)
          std::memcpy(at(place(d.target_address, word * lanes + lane, target_group, plane,
                               d.target_words, block),
                         bytes),
                      turned.data() + lane * bytes, bytes);
      }
    }
  }
}

}  // namespace solfege
