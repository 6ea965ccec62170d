// SPDX-License-Identifier: Apache-2.0
#include "model/golden/gemm.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <eigen3/Eigen/Dense>
#include <stdexcept>
#include <type_traits>

#include "model/golden/popcount.hpp"

namespace solfege {

double GoldenGemm::Side::code_peak() const {
  return is_signed ? std::ldexp(1.0, planes - 1) : std::ldexp(1.0, planes) - 1;
}

double GoldenGemm::Side::peak() const {
  const auto at = [this](double code) {
    return std::abs(static_cast<double>(step) * code + static_cast<double>(offset));
  };
  return std::max(at(code_peak()), at(is_signed ? -code_peak() : 0.0));
}

GoldenGemm::GoldenGemm(GoldenDevice& device, const Descriptor& descriptor)
    : device_(device),
      d_(descriptor),
      lanes_(device.config_.lanes),
      rows_{&device.row_buffer_,
            device.geometry_.rows.depth,
            device.geometry_.rows.group,
            1,
            static_cast<int>(d_.row_planes),
            d_.row_base,
            0,
            d_.row_signed},
      columns_{&device.column_buffer_,
               device.geometry_.columns.depth,
               device.geometry_.columns.group,
               static_cast<int>(d_.column_groups),
               static_cast<int>(d_.column_planes),
               d_.column_base,
               d_.column_group_stride,
               d_.column_signed},
      affine_(d_.affine()),
      factors_(factor()) {}

bool GoldenGemm::factor() {
  const std::int64_t both = std::int64_t{1} << affine_.shift;
  for (std::int64_t step = 1; step <= both; step *= 2) {
    const std::int64_t other = both / step;
    if (affine_.row % step != 0 || affine_.column % other != 0) continue;
    const std::int64_t offset = affine_.column / other, other_offset = affine_.row / step;
    if (offset * other_offset != affine_.lanes) continue;
    rows_.step = step;
    rows_.offset = offset;
    columns_.step = other;
    columns_.offset = other_offset;
    return true;
  }
  return false;
}

double GoldenGemm::product_peak() const {
  if (factors_) return rows_.peak() * columns_.peak();
  const double row = rows_.code_peak(), column = columns_.code_peak();
  return std::ldexp(row * column, affine_.shift) +
         std::abs(static_cast<double>(affine_.row)) * row +
         std::abs(static_cast<double>(affine_.column)) * column +
         std::abs(static_cast<double>(affine_.lanes));
}

GoldenGemm::Axis GoldenGemm::axis(bool y) const {
  const int stride = static_cast<int>(y ? d_.stride_y : d_.stride_x);
  const int unit = d_.window_mode == WindowMode::kForward ? 1 : stride;
  const int place = static_cast<std::int16_t>(y ? d_.place_y : d_.place_x);
  return {stride, place * unit + static_cast<int>(y ? d_.phase_y : d_.phase_x),
          static_cast<int>(y ? d_.tap_y_count : d_.tap_x_count),
          static_cast<int>(y ? d_.window_height : d_.window_width)};
}

/// One axis of a window: for tile position p, the taps that meet the operand. Written as the
/// definition, by trying every tap.
GoldenGemm::Meetings GoldenGemm::meetings(const Axis& axis, int position) const {
  Meetings list;
  for (int tap = 0; tap < axis.taps; ++tap) {
    int index = axis.origin + position;
    switch (d_.window_mode) {
      case WindowMode::kForward:
        index = axis.origin + axis.stride * position + tap;
        break;
      case WindowMode::kBackwardInput:
        index -= tap;
        if (index < 0 || index % axis.stride != 0) continue;
        index /= axis.stride;
        break;
      case WindowMode::kBackwardWeight:
        index += axis.stride * tap;
        break;
    }
    if (index >= 0 && index < axis.map) list.push_back({tap, index});
  }
  return list;
}

void GoldenGemm::pairs(int tile, std::vector<Pair>& list) const {
  const auto x_count = static_cast<int>(d_.tile_x_count);
  const int map_width = static_cast<int>(d_.window_width), taps = static_cast<int>(d_.tap_x_count);
  const int first = static_cast<int>(d_.map_y_first);
  list.clear();
  for (const Meeting& y : meetings_y_[static_cast<std::size_t>(tile / x_count)]) {
    for (const Meeting& x : meetings_x_[static_cast<std::size_t>(tile % x_count)]) {
      const int by_map = (y.index - first) * map_width + x.index, by_tap = y.tap * taps + x.tap;
      list.push_back({d_.rows_by_tap ? by_tap : by_map,
                      d_.rows_by_tap || d_.columns_by_tile ? by_map : by_tap});
    }
  }
}

/// Which pixels of the operands the tiles meet.
void GoldenGemm::prepare() {
  tiles_ = static_cast<int>(d_.tile_y_count * d_.tile_x_count);
  const Axis axis_y = axis(true), axis_x = axis(false);
  for (std::uint32_t y = 0; y < d_.tile_y_count; ++y)
    meetings_y_.push_back(meetings(axis_y, static_cast<int>(y)));
  for (std::uint32_t x = 0; x < d_.tile_x_count; ++x)
    meetings_x_.push_back(meetings(axis_x, static_cast<int>(x)));
  std::vector<Pair> list;
  for (int tile = 0; tile < tiles_; ++tile) {
    pairs(tile, list);
    most_pairs_ = std::max(most_pairs_, list.size());
    total_pairs_ += list.size();
    for (const Pair& pair : list) {
      if (pair.row < 0 || pair.column < 0)
        throw std::logic_error("golden: a product with operands before those in the buffers");
      row_pixels_ = std::max(row_pixels_, pair.row + 1);
      column_pixels_ = std::max(column_pixels_, pair.column + 1);
    }
  }
}

const std::uint8_t* GoldenGemm::word(const Side& side, int group, int pixel, int plane,
                                     int w) const {
  const std::uint32_t index = side.base + static_cast<std::uint32_t>(group) * side.group_stride +
                              (static_cast<std::uint32_t>(pixel * side.planes + plane)) * d_.words +
                              static_cast<std::uint32_t>(w);
  return side.buffer->data() +
         static_cast<std::size_t>(index % static_cast<std::uint32_t>(side.depth)) *
             static_cast<std::size_t>(side.group * lanes_ / 8);
}

void GoldenGemm::run() {
  prepare();
  // Sums that go on to or from another descriptor are collected beside the tile queue.
  const std::size_t tile_size = static_cast<std::size_t>(rows_.members()) * columns_.group;
  const std::size_t count = static_cast<std::size_t>(tiles_ * columns_.groups) * tile_size;
  const double terms =
      static_cast<double>(most_pairs_) *
      static_cast<double>((d_.words - 1) * static_cast<std::uint32_t>(lanes_) + d_.tail_lanes);
  const double bound = terms * product_peak();
  if (d_.clear && d_.drain) {
    GoldenDevice::Tiles& tiles = device_.tiles_;
    const std::size_t first = tiles.append(count, bound);
    if (tiles.is_wide) {
      run_as(tiles.wide.data() + first);
      std::copy_n(tiles.wide.data() + first + count - tile_size, tile_size, device_.sums_.data());
    } else {
      run_as(tiles.narrow.data() + first);
      std::copy_n(tiles.narrow.data() + first + count - tile_size, tile_size, device_.sums_.data());
    }
    return;
  }
  std::vector<std::int64_t> values(count);
  run_as(values.data());
  for (std::size_t tile = 0; tile < count; tile += tile_size) {
    for (std::size_t i = 0; i < tile_size; ++i)
      device_.sums_[i] = (d_.clear ? 0 : device_.sums_[i]) + values[tile + i];
    if (!d_.drain) continue;
    // Their length is not known here; 48 bits are the most that the array has.
    const std::size_t first = device_.tiles_.append(tile_size, std::ldexp(1.0, 47));
    std::copy(device_.sums_.begin(), device_.sums_.end(), device_.tiles_.wide.data() + first);
  }
}

template <typename Sum>
void GoldenGemm::run_as(Sum* tiles) {
  const int length = static_cast<int>(d_.words) * lanes_, words = (length + 63) / 64;
  const double terms = static_cast<double>(most_pairs_) * length;
  const double bound = terms * product_peak();
  const bool single = bound <= 16777216.0, exact = bound <= 9007199254740992.0;
  const double products = static_cast<double>(total_pairs_) * rows_.members() * columns_.members();
  const double operands =
      static_cast<double>(row_pixels_) * rows_.members() * rows_.planes +
      static_cast<double>(column_pixels_) * columns_.members() * columns_.planes;
  const double counting =
      words * (products * rows_.planes * columns_.planes * kCountTime + operands * kGatherTime);
  const double floating =
      length * (products * (single ? kFloatTime : kDoubleTime) + operands * kDecodeTime);
  if (!factors_ || !exact || counting <= floating) return count_bits(tiles);
  if (single)
    multiply<float>(tiles);
  else
    multiply<double>(tiles);
}

// ---- By counting bits ----

namespace {

/// to[member] |= (the Piece of each member, as far as the mask goes) << shift
template <typename Piece>
void gather(const std::uint8_t* from, int stride, int members, std::uint64_t mask, int shift,
            std::uint64_t* to) {
  if (stride == static_cast<int>(sizeof(Piece))) {
    for (int member = 0; member < members; ++member) {
      Piece value = 0;
      std::memcpy(&value, from + static_cast<std::size_t>(member) * sizeof(Piece), sizeof(Piece));
      to[member] |= (value & mask) << shift;
    }
    return;
  }
  for (int member = 0; member < members; ++member) {
    Piece value = 0;
    std::memcpy(&value, from + member * stride, sizeof(Piece));
    to[member] |= (value & mask) << shift;
  }
}

}  // namespace

void GoldenGemm::read_bits(const Side& side, int pixels, bool wants_sums, Bits& bits) const {
  const int length = static_cast<int>(d_.words - 1) * lanes_ + static_cast<int>(d_.tail_lanes);
  const int words = (length + 63) / 64, members = side.members();
  const std::size_t plane_size =
      static_cast<std::size_t>(words) * static_cast<std::size_t>(members);
  bits.words.assign(static_cast<std::size_t>(pixels * side.planes) * plane_size, 0);
  bits.sums.assign(
      wants_sums ? static_cast<std::size_t>(pixels) * static_cast<std::size_t>(members) : 0, 0);
  const int piece = std::min(lanes_, 64), bytes = lanes_ / 8;
  const auto gather_piece = piece == 16   ? gather<std::uint16_t>
                            : piece == 32 ? gather<std::uint32_t>
                                          : gather<std::uint64_t>;
  const double cost = kGatherTime * side.planes * static_cast<double>(plane_size);
  auto one = [&](std::uint64_t pixel) {
    for (int plane = 0; plane < side.planes; ++plane) {
      std::uint64_t* to = bits.words.data() + (pixel * static_cast<std::uint64_t>(side.planes) +
                                               static_cast<std::uint64_t>(plane)) *
                                                  plane_size;
      for (int lane = 0; lane < length; lane += piece) {
        const int valid = std::min(piece, length - lane);
        const std::uint64_t mask =
            valid == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << valid) - 1;
        for (int group = 0; group < side.groups; ++group)
          gather_piece(
              word(side, group, static_cast<int>(pixel), plane, lane / lanes_) + lane % lanes_ / 8,
              bytes, side.group, mask, lane % 64, to + lane / 64 * members + group * side.group);
      }
      if (!wants_sums) continue;
      std::int64_t* sums = bits.sums.data() + pixel * static_cast<std::uint64_t>(members);
      const std::int64_t weight = plane_weight(side.is_signed, side.planes, plane);
      for (int w = 0; w < words; ++w)
        for (int member = 0; member < members; ++member)
          sums[member] += weight * count_ones(to[w * members + member]);
    }
  };
  device_.parallel(static_cast<std::uint64_t>(pixels), cost,
                   [&](int, std::uint64_t first, std::uint64_t end) {
                     for (std::uint64_t pixel = first; pixel < end; ++pixel) one(pixel);
                   });
}

template <typename Sum>
void GoldenGemm::count_bits(Sum* tiles) {
  const int length = static_cast<int>(d_.words - 1) * lanes_ + static_cast<int>(d_.tail_lanes);
  const int words = (length + 63) / 64;
  const int row_members = rows_.members(), column_members = columns_.members();
  Bits rows, columns;
  read_bits(rows_, row_pixels_, affine_.row != 0, rows);
  read_bits(columns_, column_pixels_, affine_.column != 0, columns);
  const std::size_t row_pixel = static_cast<std::size_t>(rows_.planes * words * row_members);
  const std::size_t column_pixel =
      static_cast<std::size_t>(columns_.planes * words * column_members);
  const std::size_t tile_size = static_cast<std::size_t>(row_members * column_members);
  const double cost = kCountTime * rows_.planes * columns_.planes * words *
                      static_cast<double>(tile_size) *
                      (static_cast<double>(total_pairs_) / tiles_ + 1);
  device_.parallel(
      static_cast<std::uint64_t>(tiles_), cost, [&](int, std::uint64_t first, std::uint64_t end) {
        using Unsigned = std::make_unsigned_t<Sum>;  // arithmetic modulo its size
        std::vector<Pair> list;
        std::vector<PopcountPair> operands;
        std::vector<Unsigned> row_terms(static_cast<std::size_t>(row_members)),
            column_terms(static_cast<std::size_t>(column_members));
        auto add = [](std::vector<Unsigned>& terms, std::int64_t factor, const Bits& bits,
                      int pixel) {
          if (factor == 0) return;
          const std::int64_t* sums =
              bits.sums.data() + static_cast<std::size_t>(pixel) * terms.size();
          for (std::size_t i = 0; i < terms.size(); ++i)
            terms[i] += static_cast<Unsigned>(factor * sums[i]);
        };
        for (std::uint64_t tile = first; tile < end; ++tile) {
          pairs(static_cast<int>(tile), list);
          operands.clear();
          std::fill(row_terms.begin(), row_terms.end(),
                    static_cast<Unsigned>(affine_.lanes * length *
                                          static_cast<std::int64_t>(list.size())));
          std::fill(column_terms.begin(), column_terms.end(), Unsigned{0});
          for (const Pair& pair : list) {
            operands.push_back(
                {rows.words.data() + static_cast<std::size_t>(pair.row) * row_pixel,
                 columns.words.data() + static_cast<std::size_t>(pair.column) * column_pixel});
            add(row_terms, affine_.row, rows, pair.row);
            add(column_terms, affine_.column, columns, pair.column);
          }
          count_common(operands, words, {rows_.is_signed, rows_.planes, row_members, row_members},
                       {columns_.is_signed, columns_.planes, column_members, columns_.group},
                       std::int64_t{1} << affine_.shift, row_terms.data(), column_terms.data(),
                       reinterpret_cast<Unsigned*>(tiles + tile * tile_size));
        }
      });
}

// ---- In floating point ----

/// A pixel's operand as values, integers, [member][lane].
template <typename Number>
void GoldenGemm::decode(const Side& side, int pixel, Number* values) const {
  const int words = static_cast<int>(d_.words), length = words * lanes_;
  const int valid = (words - 1) * lanes_ + static_cast<int>(d_.tail_lanes);
  const auto offset = static_cast<Number>(side.offset);
  static thread_local std::vector<std::uint8_t> codes;
  codes.resize(static_cast<std::size_t>(side.group * lanes_));
  for (int group = 0; group < side.groups; ++group) {
    Number* lines = values + static_cast<std::ptrdiff_t>(group * side.group) * length;
    for (int w = 0; w < words; ++w) {
      // Eight planes make a byte of the code; the last byte of a signed one has its sign.
      for (int first = 0; first < side.planes; first += 8) {
        const int planes = std::min(8, side.planes - first);
        std::fill(codes.begin(), codes.end(), std::uint8_t{0});
        for (int plane = 0; plane < planes; ++plane)
          add_plane(word(side, group, pixel, first + plane, w), codes.size() / 8, plane,
                    codes.data());
        const bool sign = side.is_signed && first + planes == side.planes;
        const int carry = sign ? 1 << planes : 0;
        const auto factor =
            static_cast<Number>(static_cast<double>(side.step) * static_cast<double>(1u << first));
        for (int member = 0; member < side.group; ++member) {
          const std::uint8_t* from = codes.data() + member * lanes_;
          Number* to = lines + static_cast<std::ptrdiff_t>(member) * length + w * lanes_;
          for (int lane = 0; lane < lanes_; ++lane) {
            const int code = from[lane] - (from[lane] >> (planes - 1)) * carry;
            to[lane] = (first == 0 ? offset : to[lane]) + factor * static_cast<Number>(code);
          }
        }
      }
    }
    for (int member = 0; member < side.group; ++member)
      std::fill(lines + static_cast<std::ptrdiff_t>(member) * length + valid,
                lines + static_cast<std::ptrdiff_t>(member + 1) * length, Number(0));
  }
}

template <typename Number, typename Sum>
void GoldenGemm::multiply(Sum* tiles) {
  using Matrix = Eigen::Matrix<Number, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const int row_members = rows_.members(), column_members = columns_.members();
  const int length = static_cast<int>(d_.words) * lanes_;
  // [pixel][member][lane]: pixels one after another are one matrix.
  Matrix rows(row_pixels_ * row_members, length), columns(column_pixels_ * column_members, length);
  auto decode_all = [&](const Side& side, int pixels, Matrix& matrix) {
    const double cost = kDecodeTime * side.members() * length * side.planes;
    device_.parallel(static_cast<std::uint64_t>(pixels), cost,
                     [&](int, std::uint64_t first, std::uint64_t end) {
                       for (std::uint64_t pixel = first; pixel < end; ++pixel)
                         decode(side, static_cast<int>(pixel),
                                matrix.data() + pixel * static_cast<std::uint64_t>(side.members()) *
                                                    static_cast<std::uint64_t>(length));
                     });
  };
  decode_all(rows_, row_pixels_, rows);
  decode_all(columns_, column_pixels_, columns);

  // Tiles side by side that meet neighbouring row pixels at the same column pixel are multiplied
  // together.
  const int tiles_x = static_cast<int>(d_.tile_x_count);
  const double cost = kFloatTime * length * row_members * column_members *
                      (static_cast<double>(total_pairs_) / tiles_ + 1) * tiles_x;
  const bool strips = !d_.rows_by_tap && !d_.columns_by_tile;
  const int strip = strips ? tiles_x : 1;
  device_.parallel(
      static_cast<std::uint64_t>(tiles_ / strip), strips ? cost : cost / tiles_x,
      [&](int, std::uint64_t first, std::uint64_t end) {
        Matrix sums(strip * row_members, column_members);
        std::vector<std::vector<Pair>> lists(static_cast<std::size_t>(strip));
        std::vector<std::size_t> next(static_cast<std::size_t>(strip));
        for (std::uint64_t index = first; index < end; ++index) {
          const int first_tile = static_cast<int>(index) * strip;
          for (int i = 0; i < strip; ++i) {
            pairs(first_tile + i, lists[static_cast<std::size_t>(i)]);
            next[static_cast<std::size_t>(i)] = 0;
          }
          sums.setZero();
          // Of the pairs next in each tile's list, those with the first column pixel
          while (true) {
            int column = column_pixels_;
            for (std::size_t i = 0; i < lists.size(); ++i)
              if (next[i] < lists[i].size()) column = std::min(column, lists[i][next[i]].column);
            if (column == column_pixels_) break;
            auto meets = [&](std::size_t i) {
              return next[i] < lists[i].size() && lists[i][next[i]].column == column;
            };
            for (std::size_t i = 0; i < lists.size();) {
              if (!meets(i)) {
                ++i;
                continue;
              }
              const int row = lists[i][next[i]].row;
              std::size_t run = 0;
              while (i + run < lists.size() && meets(i + run) &&
                     lists[i + run][next[i + run]].row == row + static_cast<int>(run)) {
                ++next[i + run];
                ++run;
              }
              const auto height = static_cast<Eigen::Index>(run) * row_members;
              sums.middleRows(static_cast<Eigen::Index>(i) * row_members, height).noalias() +=
                  rows.middleRows(row * row_members, height) *
                  columns.middleRows(column * column_members, column_members).transpose();
              i += run;
            }
          }
          for (int i = 0; i < strip; ++i)
            for (int group = 0; group < columns_.groups; ++group) {
              Sum* out =
                  tiles + static_cast<std::ptrdiff_t>((first_tile + i) * columns_.groups + group) *
                              row_members * columns_.group;
              for (int r = 0; r < row_members; ++r) {
                const Number* from =
                    sums.data() +
                    static_cast<std::ptrdiff_t>(i * row_members + r) * column_members +
                    group * columns_.group;
                for (int c = 0; c < columns_.group; ++c)
                  out[r * columns_.group + c] = static_cast<Sum>(from[c]);
              }
            }
        }
      });
}

}  // namespace solfege
