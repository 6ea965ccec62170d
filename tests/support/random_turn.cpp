// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_turn.hpp"

#include <algorithm>
#include <array>

namespace solfege {
namespace {

std::uint32_t u32(int value) { return static_cast<std::uint32_t>(value); }

/// Planes with lanes along one index, grouped for the rows or the columns of the array.
PackedTensor packed(const Geometry& g, int rows, int pixels, int planes, int lanes, bool columns) {
  PackedTensor t;
  t.rows = rows;
  t.pixels = pixels;
  t.planes = planes;
  t.lanes = lanes;
  t.columns = columns;
  t.group = g.side(columns).group;
  t.word_lanes = g.config.lanes;
  return t;
}

/// Begins with noise in all fields, and sets those that both opcodes have.
Descriptor turn(Opcode opcode, const Geometry& g, SeededRandom& random, std::uint32_t first,
                const PackedTensor& source, const PackedTensor& target) {
  std::array<std::uint32_t, kDescriptorWords> words;
  for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random.bits(32));
  words[0] = number(opcode);
  Descriptor d = Descriptor::decode(words);
  const auto place = [&](std::uint32_t from, const PackedTensor& t) {
    const auto unit = u32(g.side(t.columns).unit_bytes);
    return ((from + unit - 1) / unit + random.field(0, 3)) * unit;
  };
  d.source_address = place(first, source);
  d.target_address = place(d.source_address + source.size_bytes(), target);
  d.source_rows = u32(source.rows);
  d.source_lanes = u32(source.lanes);
  d.source_columns = source.columns;
  d.target_columns = target.columns;
  d.source_words = u32(source.words());
  d.target_words = u32(target.words());
  return d;
}

}  // namespace

Descriptor random_transpose(const Geometry& g, SeededRandom& random, std::uint32_t first) {
  const int rows = random.between(1, 3 * g.config.lanes);
  const int lanes = random.between(1, 3 * g.config.lanes), planes = random.between(1, 6);
  Descriptor d = turn(Opcode::kTranspose, g, random, first,
                      packed(g, rows, 1, planes, lanes, random.chance(50)),
                      packed(g, lanes, 1, planes, rows, random.chance(50)));
  d.plane_words = u32(planes);
  return d;
}

Descriptor random_unfold(const Geometry& g, SeededRandom& random, std::uint32_t first) {
  const int lanes = random.between(1, g.config.lanes * 3 / 2), planes = random.between(1, 3);
  const int samples = random.between(1, std::min(20, 2 * g.config.rows + 3));
  const bool small = random.chance(30);
  const int height = small ? 1 : random.between(1, 9), width = small ? 1 : random.between(1, 11);
  const int kernel_y = random.between(1, 3), kernel_x = random.between(1, 3);
  const int padding_y = random.between(0, 2), padding_x = random.between(0, 2);
  const int stride_y = random.between(1, 4), stride_x = random.between(1, 4);
  const auto outs = [](int size, int kernel, int stride, int padding) {
    return std::max(0, size + 2 * padding - kernel) / stride + 1;
  };
  const int out_y = outs(height, kernel_y, stride_y, padding_y);
  const int out_x = outs(width, kernel_x, stride_x, padding_x);
  const bool columns = random.chance(50);
  const Geometry::Side& side = g.side(columns);
  // Taps begin with a group of the target's rows, as in every schedule, or with any beat.
  const int step = random.chance(30) ? side.group : side.turned_members;
  const int tap_rows = ((lanes + step - 1) / step + random.between(0, 2)) * step;
  Descriptor d =
      turn(Opcode::kUnfold, g, random, first,
           packed(g, samples, height * width, planes, lanes, random.chance(50)),
           packed(g, tap_rows * kernel_y * kernel_x, samples, planes, out_y * out_x, columns));
  d.unfold_planes = u32(planes);
  d.unfold_height = u32(height);
  d.unfold_width = u32(width);
  d.unfold_out_height = u32(out_y);
  d.unfold_out_width = u32(out_x);
  d.unfold_kernel_height = u32(kernel_y);
  d.unfold_kernel_width = u32(kernel_x);
  d.unfold_padding_height = u32(padding_y);
  d.unfold_padding_width = u32(padding_x);
  d.unfold_stride_height = u32(stride_y);
  d.unfold_stride_width = u32(stride_x);
  d.unfold_tap_rows = u32(tap_rows);
  return d;
}

}  // namespace solfege
