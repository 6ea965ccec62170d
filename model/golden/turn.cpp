// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "model/golden/golden.hpp"

namespace solfege {
namespace {

/// Packed planes in memory, as the turner sees them.
struct Planes {
  std::uint64_t address;
  std::size_t pixels, planes, words, group, word_bytes;
  std::uint64_t place(std::size_t row, std::size_t pixel, std::size_t plane,
                      std::size_t word) const {
    return address + ((((row / group * pixels + pixel) * planes + plane) * words + word) * group +
                      row % group) *
                         word_bytes;
  }
};

/// A square of bits on its diagonal: bit j of a[i] and bit i of a[j] change places.
void transpose64(std::uint64_t* a) {
  std::uint64_t mask = 0x00000000ffffffffu;
  for (int width = 32; width != 0; width /= 2, mask ^= mask << width)
    for (int block = 0; block < 64; block += 2 * width)
      for (int i = block; i < block + width; ++i) {
        const std::uint64_t swap = ((a[i] >> width) ^ a[i + width]) & mask;
        a[i] ^= swap << width;
        a[i + width] ^= swap;
      }
}

template <typename Word>
void gather_words(const std::uint8_t* from, std::size_t count, std::size_t step,
                  std::size_t members, std::size_t member_step, std::size_t shift,
                  std::uint64_t* squares) {
  for (std::size_t member = 0; member < members; ++member, from += member_step, squares += 64)
    for (std::size_t i = 0; i < count; ++i) {
      Word word = 0;
      std::memcpy(&word, from + i * step, sizeof word);
      squares[i] |= std::uint64_t{word} << shift;
    }
}

/// squares[64 m + i] |= the word of `bytes` bytes (2, 4 or 8) of member m at place i, << shift;
/// places are every `step` bytes, members every `member_step`.
void gather(const std::uint8_t* from, std::size_t bytes, std::size_t count, std::size_t step,
            std::size_t members, std::size_t member_step, std::size_t shift,
            std::uint64_t* squares) {
  const auto words = bytes == 2   ? gather_words<std::uint16_t>
                     : bytes == 4 ? gather_words<std::uint32_t>
                                  : gather_words<std::uint64_t>;
  words(from, count, step, members, member_step, shift, squares);
}

/// Sets bits [to, to + count) of `target`, still 0, to bits [from, from + count) of `source`. Both
/// have a spare word at their end.
void copy_bits(std::uint64_t* target, std::size_t to, const std::uint64_t* source, std::size_t from,
               std::size_t count) {
  while (count != 0) {
    const std::size_t piece = std::min<std::size_t>(count, 64 - to % 64);
    const std::size_t shift = from % 64;
    std::uint64_t bits = source[from / 64] >> shift;
    if (shift != 0) bits |= source[from / 64 + 1] << (64 - shift);
    if (piece < 64) bits &= (std::uint64_t{1} << piece) - 1;
    target[to / 64] |= bits << (to % 64);
    to += piece;
    from += piece;
    count -= piece;
  }
}

/// Along one axis: outputs [first, last) of a tap are inside the map; output o meets number
/// o + skip of the positions that have this phase, position mod stride. (skip may wrap below 0.)
struct Span {
  std::size_t first, last, phase, skip;
  static Span of(std::size_t tap, std::size_t padding, std::size_t stride, std::size_t size,
                 std::size_t outs) {
    const auto step = static_cast<std::ptrdiff_t>(stride);
    const std::ptrdiff_t shift =
        static_cast<std::ptrdiff_t>(tap) - static_cast<std::ptrdiff_t>(padding);
    const std::ptrdiff_t phase = (shift % step + step) % step, skip = (shift - phase) / step;
    const std::ptrdiff_t count = (static_cast<std::ptrdiff_t>(size) - phase + step - 1) / step;
    const std::ptrdiff_t first = std::max<std::ptrdiff_t>(0, -skip);
    const std::ptrdiff_t last = std::min(static_cast<std::ptrdiff_t>(outs), count - skip);
    return {static_cast<std::size_t>(first), static_cast<std::size_t>(std::max(first, last)),
            static_cast<std::size_t>(phase), static_cast<std::size_t>(skip)};
  }
};

template <typename Word>
void scatter_words(const std::uint64_t* line, std::size_t words, std::size_t step,
                   std::uint8_t* to) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(line);
  for (std::size_t word = 0; word < words; ++word, from += sizeof(Word), to += step)
    std::memcpy(to, from, sizeof(Word));
}

/// Words of `bytes` bytes, to every `step` bytes.
void scatter(const std::uint64_t* line, std::size_t words, std::size_t bytes, std::size_t step,
             std::uint8_t* to) {
  if (bytes == 2) return scatter_words<std::uint16_t>(line, words, step, to);
  if (bytes == 4) return scatter_words<std::uint32_t>(line, words, step, to);
  if (bytes == 8) return scatter_words<std::uint64_t>(line, words, step, to);
  const auto* from = reinterpret_cast<const std::uint8_t*>(line);
  for (std::size_t word = 0; word < words; ++word)
    std::memcpy(to + word * step, from + word * bytes, bytes);
}

/// Unfolds planes with pixels in rows into planes with pixels in lanes, a row of a window's tap and
/// a channel, as UNFOLD does.
class Unfolder {
 public:
  /// `at`: bytes of memory, checked.
  using At = std::function<std::uint8_t*(std::uint64_t address, std::uint64_t bytes)>;
  Unfolder(const Config& config, const Geometry& geometry, const Descriptor& descriptor, At memory)
      : d_(descriptor),
        at_(std::move(memory)),
        lanes_(static_cast<std::size_t>(config.lanes)),
        bytes_(static_cast<std::size_t>(geometry.lane_bytes)),
        height_(d_.unfold_height),
        width_(d_.unfold_width),
        source_{d_.source_address,
                height_ * width_,
                d_.unfold_planes,
                d_.source_words,
                group(geometry, d_.source_columns),
                bytes_},
        target_{d_.target_address,
                d_.source_rows,
                d_.unfold_planes,
                d_.target_words,
                group(geometry, d_.target_columns),
                bytes_},
        stride_x_(d_.unfold_stride_width),
        stride_y_(d_.unfold_stride_height),
        phase_bits_((width_ + stride_x_ - 1) / stride_x_),
        map_words_((height_ * stride_x_ * phase_bits_ + 63) / 64 + 2),
        piece_(std::min<std::size_t>(lanes_, 64)),
        parts_(64 / piece_),
        pixel_step_(d_.unfold_planes * d_.source_words * source_.group * bytes_),
        out_width_(d_.unfold_out_width),
        out_height_(d_.unfold_out_height),
        phase_rows_((height_ + stride_y_ - 1) / stride_y_),
        pixels_(height_ * width_),
        row_words_(stride_y_ * phase_rows_ * out_width_ / 64 + 2),
        groups_((d_.source_rows + source_.group - 1) / source_.group) {
    // Rows are written in whole beats of one source word: surplus ones are what the source has.
    const auto beat = static_cast<std::size_t>(geometry.side(d_.target_columns).turned_members);
    channels_ = (d_.source_lanes + beat - 1) / beat * beat;
    // Words of whole groups are written at once, where taps begin with one.
    chunk_ = std::min(piece_, d_.unfold_tap_rows % target_.group == 0 ? target_.group : beat);
    channel_parts_ = (std::min(channels_, d_.source_words * lanes_) + piece_ - 1) / piece_;
  }

  /// Parts that may run at once, and nanoseconds of one, about.
  std::size_t count() const { return groups_ * d_.unfold_planes * channel_parts_; }
  double cost() const {
    return static_cast<double>(source_.group * piece_) *
           (4.0 * static_cast<double>(d_.unfold_kernel_width * height_) +
            static_cast<double>(pixels_));
  }
  void run(std::size_t first, std::size_t end) const;

 private:
  struct Scratch {
    std::vector<std::uint64_t> rows, line;
    std::vector<std::uint8_t> words;
  };
  static std::size_t group(const Geometry& geometry, bool columns) {
    return static_cast<std::size_t>(geometry.side(columns).group);
  }
  std::vector<std::uint64_t> turn(std::size_t first_sample, std::size_t plane,
                                  std::size_t channel) const;
  void write_taps(const std::uint64_t* maps, std::size_t sample, std::size_t plane,
                  std::size_t channel, std::size_t count, Scratch& scratch) const;

  const Descriptor& d_;
  const At at_;
  const std::size_t lanes_, bytes_, height_, width_;
  const Planes source_, target_;
  const std::size_t stride_x_, stride_y_;
  // A channel's map as bits: rows of `stride` runs, run q the pixels x = q mod stride, so that the
  // pixels a row of outputs meets are consecutive.
  const std::size_t phase_bits_, map_words_;
  const std::size_t piece_, parts_, pixel_step_;
  const std::size_t out_width_, out_height_, phase_rows_, pixels_, row_words_, groups_;
  std::size_t chunk_, channels_, channel_parts_;
};

/// Maps of the channels of a piece of a word, of the samples of a group.
std::vector<std::uint64_t> Unfolder::turn(std::size_t first_sample, std::size_t plane,
                                          std::size_t channel) const {
  const std::size_t members = std::min<std::size_t>(source_.group, d_.source_rows - first_sample);
  const std::size_t count = std::min(piece_, channels_ - channel);
  std::vector<std::uint64_t> maps(members * count * map_words_), squares(64 * members);
  // Narrow words share a square: part g of a word is 64 g pixels on.
  for (std::size_t first = 0; first < pixels_; first += 64 * parts_) {
    std::fill(squares.begin(), squares.end(), 0);
    for (std::size_t pixel = first, g = 0; g < parts_ && pixel < pixels_; ++g, pixel += 64) {
      const std::size_t places = std::min<std::size_t>(64, pixels_ - pixel);
      const std::uint8_t* from = at_(source_.place(first_sample, pixel, plane, channel / lanes_),
                                     (places - 1) * pixel_step_ + members * bytes_) +
                                 channel % lanes_ / 8;
      gather(from, piece_ / 8, places, pixel_step_, members, bytes_, piece_ * g, squares.data());
    }
    for (std::size_t member = 0; member < members; ++member) {
      std::uint64_t* square = squares.data() + 64 * member;
      transpose64(square);
      for (std::size_t pixel = first, g = 0; g < parts_ && pixel < pixels_; ++g, pixel += 64)
        for (std::size_t c = 0; c < count; ++c) {
          const std::uint64_t bits = square[piece_ * g + c];
          std::uint64_t* map = maps.data() + (member * count + c) * map_words_;
          if (stride_x_ == 1) {
            map[pixel / 64] = bits;
            continue;
          }
          for (std::size_t k = 0; k < 64 && pixel + k < pixels_; ++k) {
            const std::size_t y = (pixel + k) / width_, x = (pixel + k) % width_;
            const std::size_t bit = (y * stride_x_ + x % stride_x_) * phase_bits_ + x / stride_x_;
            map[bit / 64] |= (bits >> k & 1) << (bit % 64);
          }
        }
    }
  }
  return maps;
}

/// Of channels of one group of target rows and a tap's column: the bits that each map row gives a
/// row of outputs, rows of the same y mod stride together, so that the rows a tap meets are
/// consecutive; and the words of the group, to be written at once.
void Unfolder::write_taps(const std::uint64_t* maps, std::size_t sample, std::size_t plane,
                          std::size_t channel, std::size_t count, Scratch& scratch) const {
  const std::size_t step = target_.group * bytes_;
  for (std::size_t tap_x = 0; tap_x < d_.unfold_kernel_width; ++tap_x) {
    const Span x = Span::of(tap_x, d_.unfold_padding_width, stride_x_, width_, out_width_);
    // Rows as they are in the map serve as they are.
    const bool same = stride_x_ == 1 && stride_y_ == 1 && x.skip == 0 && out_width_ == width_;
    if (!same) std::fill(scratch.rows.begin(), scratch.rows.end(), 0);
    for (std::size_t c = 0; c < count && !same && x.first < x.last; ++c)
      for (std::size_t y = 0; y < height_; ++y)
        copy_bits(scratch.rows.data() + c * row_words_,
                  (y % stride_y_ * phase_rows_ + y / stride_y_) * out_width_ + x.first,
                  maps + c * map_words_, (y * stride_x_ + x.phase) * phase_bits_ + x.first + x.skip,
                  x.last - x.first);
    for (std::size_t tap_y = 0; tap_y < d_.unfold_kernel_height; ++tap_y) {
      const Span y = Span::of(tap_y, d_.unfold_padding_height, stride_y_, height_, out_height_);
      const std::size_t row =
          (tap_y * d_.unfold_kernel_width + tap_x) * d_.unfold_tap_rows + channel;
      for (std::size_t c = 0; c < count; ++c) {
        std::fill(scratch.line.begin(), scratch.line.end(), 0);
        if (y.first < y.last)
          copy_bits(scratch.line.data(), y.first * out_width_,
                    same ? maps + c * map_words_ : scratch.rows.data() + c * row_words_,
                    (y.phase * phase_rows_ + y.first + y.skip) * out_width_,
                    (y.last - y.first) * out_width_);
        scatter(scratch.line.data(), d_.target_words, bytes_, count * bytes_,
                scratch.words.data() + c * bytes_);
      }
      std::uint8_t* to =
          at_(target_.place(row, sample, plane, 0), (d_.target_words - 1) * step + count * bytes_);
      if (count == target_.group) {
        std::memcpy(to, scratch.words.data(), d_.target_words * step);
      } else {
        for (std::size_t word = 0; word < d_.target_words; ++word)
          std::memcpy(to + word * step, scratch.words.data() + word * count * bytes_,
                      count * bytes_);
      }
    }
  }
}

void Unfolder::run(std::size_t first, std::size_t end) const {
  Scratch scratch{std::vector<std::uint64_t>(chunk_ * row_words_),
                  std::vector<std::uint64_t>(d_.target_words * lanes_ / 64 + 2),
                  std::vector<std::uint8_t>(d_.target_words * chunk_ * bytes_)};
  for (std::uint64_t i = first; i < end; ++i) {
    const std::size_t channel = i % channel_parts_ * piece_;
    const std::size_t plane = i / channel_parts_ % d_.unfold_planes;
    const std::size_t sample = i / channel_parts_ / d_.unfold_planes * source_.group;
    const auto maps = turn(sample, plane, channel);
    const std::uint64_t* map = maps.data();
    for (std::size_t s = sample; s < d_.source_rows && s < sample + source_.group; ++s)
      for (std::size_t c = channel; c < channels_ && c < channel + piece_;) {
        const std::size_t count = std::min({chunk_, channels_ - c, channel + piece_ - c});
        write_taps(map, s, plane, c, count, scratch);
        map += count * map_words_;
        c += count;
      }
  }
}

}  // namespace

void GoldenDevice::transpose(const Descriptor& d) {
  const auto lanes = static_cast<std::size_t>(config_.lanes);
  const auto bytes = static_cast<std::size_t>(geometry_.lane_bytes);
  auto planes = [&](std::uint32_t address, bool columns, std::size_t words) {
    const auto group = static_cast<std::size_t>(geometry_.side(columns).group);
    return Planes{address, 1, d.plane_words, words, group, bytes};
  };
  const Planes source = planes(d.source_address, d.source_columns, d.source_words);
  const Planes target = planes(d.target_address, d.target_columns, d.target_words);
  // Rows of the target are written in whole beats: surplus ones are what the source has there.
  const auto beat = static_cast<std::size_t>(geometry_.side(d.target_columns).turned_members);
  const std::size_t rows =
      std::min<std::size_t>((d.source_lanes + beat - 1) / beat * beat, d.source_words * lanes);
  const std::size_t piece = std::min<std::size_t>(lanes, 64), pieces = lanes / piece;
  parallel(d.plane_words,
           0.3e3 * d.source_words * d.target_words * static_cast<double>(pieces * pieces),
           [&](int, std::size_t first, std::size_t end) {
             for (std::size_t plane = first; plane < end; ++plane)
               for (std::size_t from = 0; from < d.target_words * lanes; from += piece)
                 for (std::size_t to = 0; to < rows; to += piece) {
                   // Source rows from .. become lanes, source lanes to .. become rows.
                   std::uint64_t square[64] = {};
                   for (std::size_t i = 0; i < piece && from + i < d.source_rows; ++i)
                     std::memcpy(
                         &square[i],
                         at(source.place(from + i, 0, plane, to / lanes), bytes) + to % lanes / 8,
                         piece / 8);
                   transpose64(square);
                   for (std::size_t i = 0; i < piece && to + i < rows; ++i)
                     std::memcpy(
                         at(target.place(to + i, 0, plane, from / lanes), bytes) + from % lanes / 8,
                         &square[i], piece / 8);
                 }
           });
}

void GoldenDevice::unfold(const Descriptor& d) {
  const Unfolder unfolder(
      config_, geometry_, d,
      [this](std::uint64_t address, std::uint64_t count) { return at(address, count); });
  parallel(unfolder.count(), unfolder.cost(),
           [&](int, std::uint64_t first, std::uint64_t end) { unfolder.run(first, end); });
}

}  // namespace solfege
