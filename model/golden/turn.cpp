// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

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
  static Span of(std::size_t tap, std::ptrdiff_t padding, std::size_t stride, std::size_t size,
                 std::size_t outs) {
    const auto step = static_cast<std::ptrdiff_t>(stride);
    const std::ptrdiff_t shift = static_cast<std::ptrdiff_t>(tap) - padding;
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
  const auto lanes = static_cast<std::size_t>(config_.lanes);
  const auto bytes = static_cast<std::size_t>(geometry_.lane_bytes);
  auto group = [&](bool columns) {
    return static_cast<std::size_t>(geometry_.side(columns).group);
  };
  const std::size_t height = d.unfold_height, width = d.unfold_width;
  const Planes source{d.source_address, height * width,          d.unfold_planes,
                      d.source_words,   group(d.source_columns), bytes};
  const Planes target{d.target_address, d.source_rows,           d.unfold_planes,
                      d.target_words,   group(d.target_columns), bytes};
  // Rows are written in whole beats of one source word: surplus ones are what the source has there.
  const auto beat = static_cast<std::size_t>(geometry_.side(d.target_columns).turned_members);
  const std::size_t channels = (d.source_lanes + beat - 1) / beat * beat;
  const std::size_t stride = std::size_t{1} << d.unfold_stride_log2;
  const auto padding = static_cast<std::ptrdiff_t>(d.unfold_padding);
  // A channel's map as bits: rows of `phases` runs, run q the pixels x = q mod stride, so that the
  // pixels a row of outputs meets are consecutive.
  const std::size_t phase_bits = (width + stride - 1) / stride;
  const std::size_t map_words = (height * stride * phase_bits + 63) / 64 + 2;
  const std::size_t piece = std::min<std::size_t>(lanes, 64);
  const std::size_t parts = 64 / piece;
  const std::size_t pixel_step = d.unfold_planes * d.source_words * source.group * bytes;

  const std::size_t out_width = d.unfold_out_width, out_height = d.unfold_out_height;
  const std::size_t phase_rows = (height + stride - 1) / stride;
  const std::size_t pixels = height * width;

  // The channels of a piece of a word, of the samples of a group
  auto turn = [&](std::size_t first_sample, std::size_t plane, std::size_t channel) {
    const std::size_t members = std::min<std::size_t>(source.group, d.source_rows - first_sample);
    const std::size_t count = std::min(piece, channels - channel);
    std::vector<std::uint64_t> maps(members * count * map_words), squares(64 * members);
    // Narrow words share a square: part g of a word is 64 g pixels on.
    for (std::size_t first = 0; first < pixels; first += 64 * parts) {
      std::fill(squares.begin(), squares.end(), 0);
      for (std::size_t pixel = first, g = 0; g < parts && pixel < pixels; ++g, pixel += 64) {
        const std::size_t places = std::min<std::size_t>(64, pixels - pixel);
        const std::uint8_t* from = at(source.place(first_sample, pixel, plane, channel / lanes),
                                      (places - 1) * pixel_step + members * bytes) +
                                   channel % lanes / 8;
        gather(from, piece / 8, places, pixel_step, members, bytes, piece * g, squares.data());
      }
      for (std::size_t member = 0; member < members; ++member) {
        std::uint64_t* square = squares.data() + 64 * member;
        transpose64(square);
        for (std::size_t pixel = first, g = 0; g < parts && pixel < pixels; ++g, pixel += 64)
          for (std::size_t c = 0; c < count; ++c) {
            const std::uint64_t bits = square[piece * g + c];
            std::uint64_t* map = maps.data() + (member * count + c) * map_words;
            if (stride == 1) {
              map[pixel / 64] = bits;
              continue;
            }
            for (std::size_t k = 0; k < 64 && pixel + k < pixels; ++k) {
              const std::size_t y = (pixel + k) / width, x = (pixel + k) % width;
              const std::size_t bit = (y * stride + x % stride) * phase_bits + x / stride;
              map[bit / 64] |= (bits >> k & 1) << (bit % 64);
            }
          }
      }
    }
    return maps;
  };
  // Of channels of one group of target rows and a tap's column: the bits that each map row gives a
  // row of outputs, rows of the same y mod stride together, so that the rows a tap meets are
  // consecutive; and the words of the group, to be written at once.
  const std::size_t row_words = stride * phase_rows * out_width / 64 + 2;
  const std::size_t step = target.group * bytes;
  struct Scratch {
    std::vector<std::uint64_t> rows, line;
    std::vector<std::uint8_t> words;
  };
  auto write_taps = [&](const std::uint64_t* maps, std::size_t sample, std::size_t plane,
                        std::size_t channel, std::size_t count, Scratch& scratch) {
    for (std::size_t tap_x = 0; tap_x < d.unfold_kernel_width; ++tap_x) {
      const Span x = Span::of(tap_x, padding, stride, width, out_width);
      // Rows as they are in the map serve as they are.
      const bool same = stride == 1 && x.skip == 0 && out_width == width;
      if (!same) std::fill(scratch.rows.begin(), scratch.rows.end(), 0);
      for (std::size_t c = 0; c < count && !same && x.first < x.last; ++c)
        for (std::size_t y = 0; y < height; ++y)
          copy_bits(scratch.rows.data() + c * row_words,
                    (y % stride * phase_rows + y / stride) * out_width + x.first,
                    maps + c * map_words, (y * stride + x.phase) * phase_bits + x.first + x.skip,
                    x.last - x.first);
      for (std::size_t tap_y = 0; tap_y < d.unfold_kernel_height; ++tap_y) {
        const Span y = Span::of(tap_y, padding, stride, height, out_height);
        const std::size_t row =
            (tap_y * d.unfold_kernel_width + tap_x) * d.unfold_tap_rows + channel;
        for (std::size_t c = 0; c < count; ++c) {
          std::fill(scratch.line.begin(), scratch.line.end(), 0);
          if (y.first < y.last)
            copy_bits(scratch.line.data(), y.first * out_width,
                      same ? maps + c * map_words : scratch.rows.data() + c * row_words,
                      (y.phase * phase_rows + y.first + y.skip) * out_width,
                      (y.last - y.first) * out_width);
          scatter(scratch.line.data(), d.target_words, bytes, count * bytes,
                  scratch.words.data() + c * bytes);
        }
        std::uint8_t* to =
            at(target.place(row, sample, plane, 0), (d.target_words - 1) * step + count * bytes);
        if (count == target.group) {
          std::memcpy(to, scratch.words.data(), d.target_words * step);
        } else {
          for (std::size_t word = 0; word < d.target_words; ++word)
            std::memcpy(to + word * step, scratch.words.data() + word * count * bytes,
                        count * bytes);
        }
      }
    }
  };
  const std::size_t chunk = std::min(piece, target.group);
  const std::size_t groups = (d.source_rows + source.group - 1) / source.group;
  const std::size_t channel_parts =
      (std::min(channels, d.source_words * lanes) + piece - 1) / piece;
  const double cost =
      static_cast<double>(source.group * piece) *
      (4.0 * static_cast<double>(d.unfold_kernel_width * height) + static_cast<double>(pixels));
  parallel(groups * d.unfold_planes * channel_parts, cost,
           [&](int, std::uint64_t first, std::uint64_t end) {
             Scratch scratch{std::vector<std::uint64_t>(chunk * row_words),
                             std::vector<std::uint64_t>(d.target_words * lanes / 64 + 2),
                             std::vector<std::uint8_t>(d.target_words * chunk * bytes)};
             for (std::uint64_t i = first; i < end; ++i) {
               const std::size_t channel = i % channel_parts * piece;
               const std::size_t plane = i / channel_parts % d.unfold_planes;
               const std::size_t sample = i / channel_parts / d.unfold_planes * source.group;
               const auto maps = turn(sample, plane, channel);
               const std::uint64_t* map = maps.data();
               for (std::size_t s = sample; s < d.source_rows && s < sample + source.group; ++s)
                 for (std::size_t c = channel; c < channels && c < channel + piece;) {
                   const std::size_t count = std::min({chunk, channels - c, channel + piece - c});
                   write_taps(map, s, plane, c, count, scratch);
                   map += count * map_words;
                   c += count;
                 }
             }
           });
}

}  // namespace solfege
