// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/spec/enumerations.hpp"

namespace solfege {

using Number = std::uint32_t;  ///< a field that is neither of an enumeration nor a yes or no

// clang-format off
/// Semaphores of the wait and signal masks: X(kName, bit, "name", "meaning"). Every token signalled
/// is waited for once.
#define SOLFEGE_SEMAPHORES(X)                                                                     \
  X(kLoaded, 0, "loaded", "DMA -> array: operands are in the buffers")                            \
  X(kRowFree, 1, "row buffer free", "array -> DMA: a half of the row buffer may be overwritten")  \
  X(kColumnFree, 2, "column buffer free", "array -> DMA: a half of the column buffer may be overwritten") \
  X(kStored, 3, "stored", "stream -> DMA: a packed operand is in memory")                         \
  X(kPacked, 4, "packed", "stream -> turner: a packed operand is in memory")                      \
  X(kTurned, 5, "turned", "turner -> DMA: a turned operand is in memory")                         \
  X(kDraining, 6, "draining", "stream -> array: passes are done, the drains come next")
// clang-format on
#define SOLFEGE_SEMAPHORE(kName, bit, name, meaning) kName = 1u << bit,
enum Semaphore : std::uint32_t { SOLFEGE_SEMAPHORES(SOLFEGE_SEMAPHORE) };
#undef SOLFEGE_SEMAPHORE
constexpr int kSemaphores = 12;  ///< bits of the masks

// The one list of descriptor fields: X(name, word, least significant bit, width, Type). The C++
// struct, encoding and decoding, and the Verilog header sf_descriptor.vh all come from it. Each
// opcode has its list; those of different opcodes share the words.
// clang-format off
/// Every descriptor
#define SOLFEGE_COMMON_FIELDS(X) \
  X(opcode, 0, 0, 4, Opcode) X(wait_mask, 0, 4, 12, Number) X(signal_mask, 0, 16, 12, Number)     \
  X(tag, 1, 0, 16, Number)
/// LOAD: memory -> operand buffer, whole buffer words, from plane 0 of a pixel on
#define SOLFEGE_LOAD_FIELDS(X) \
  X(load_address, 2, 0, 32, Number) X(load_to_columns, 3, 31, 1, bool)                            \
  X(load_offset, 3, 0, 16, Number) X(load_planes, 3, 16, 6, Number)                               \
  X(load_words, 4, 0, 16, Number) X(load_plane_words, 4, 16, 16, Number)
/// GEMM: tiles (py, px, column group), contraction (pair of planes, ty, tx, word); see Windows below
#define SOLFEGE_GEMM_FIELDS(X) \
  X(row_base, 2, 0, 16, Number) X(column_base, 2, 16, 16, Number) X(row_planes, 3, 0, 6, Number)  \
  X(row_signed, 3, 6, 1, bool) X(column_planes, 3, 8, 6, Number)                                  \
  X(column_signed, 3, 14, 1, bool) X(clear, 3, 16, 1, bool) X(drain, 3, 17, 1, bool)              \
  X(rows_by_tap, 3, 18, 1, bool) X(columns_by_tile, 3, 19, 1, bool)                               \
  X(window_mode, 3, 20, 2, WindowMode)                                                            \
  X(words, 4, 0, 16, Number) X(tail_lanes, 4, 16, 16, Number) X(column_groups, 5, 0, 16, Number)  \
  X(column_group_stride, 5, 16, 16, Number) X(tile_y_count, 6, 0, 16, Number)                     \
  X(tile_x_count, 6, 16, 16, Number) X(tap_y_count, 7, 0, 16, Number)                             \
  X(tap_x_count, 7, 16, 16, Number) X(window_height, 8, 0, 16, Number)                            \
  X(window_width, 8, 16, 16, Number) X(place_y, 9, 0, 16, Number) X(place_x, 9, 16, 16, Number)   \
  X(reach_y, 10, 0, 16, Number) X(reach_x, 10, 16, 16, Number) X(map_y_first, 11, 0, 16, Number)  \
  X(phase_y, 11, 16, 6, Number) X(phase_x, 11, 24, 6, Number) X(affine_shift, 12, 0, 2, Number)   \
  X(affine_row, 12, 8, 10, Number) X(affine_column, 12, 20, 10, Number)                           \
  X(affine_lanes, 13, 0, 18, Number) X(stride_y, 13, 18, 6, Number) X(stride_x, 13, 24, 6, Number)
/// STREAM: one pass over elements; see Loops and Stages below
#define SOLFEGE_STREAM_FIELDS(X) \
  X(pool_enable, 1, 16, 1, bool) X(route_enable, 1, 17, 1, bool)                                  \
  X(accumulate_enable, 1, 18, 1, bool) X(accumulate_first, 1, 19, 1, bool)                        \
  X(accumulate_last, 1, 20, 1, bool) X(drop_enable, 1, 21, 1, bool)                               \
  X(grid_enable, 1, 22, 1, bool)                                                                  \
  X(x_from_array, 2, 0, 1, bool) X(z_enable, 2, 3, 1, bool) X(sum_per_sample, 2, 4, 1, bool)      \
  X(offset_enable, 2, 9, 1, bool) X(mask_enable, 2, 11, 1, bool)                                  \
  X(pack_enable, 2, 20, 1, bool) X(pack_columns, 2, 21, 1, bool)                                  \
  X(max_enable, 2, 22, 1, bool) X(max_per_sample, 2, 23, 1, bool) \
  X(sum_enable, 2, 24, 1, bool) X(sum_per_channel, 2, 25, 1, bool)                                \
  X(sum_absolute, 2, 26, 1, bool) X(threshold_per_channel, 2, 27, 1, bool)                        \
  X(reduce_clear, 2, 28, 1, bool) X(reduce_flush, 2, 29, 1, bool) X(z_strides_b, 2, 30, 1, bool)  \
  X(destination_strides_b, 2, 31, 1, bool) X(x_address, 3, 0, 32, Number)                         \
  X(z_address, 4, 0, 32, Number) X(destination_address, 5, 0, 32, Number)                         \
  X(pack_address, 6, 0, 32, Number) X(max_address, 7, 0, 32, Number)                              \
  X(sum_address, 8, 0, 32, Number) X(scale_x, 9, 0, 32, Number) X(scale_z, 10, 0, 16, Number)     \
  X(drop_threshold, 10, 16, 16, Number) X(shift_x, 11, 0, 6, Number) X(shift_z, 11, 8, 6, Number) \
  X(quantizer_bits, 11, 16, 4, Number) X(pack_planes, 11, 24, 6, Number)                          \
  X(count0, 12, 0, 16, Number) X(count1, 12, 16, 16, Number) X(count2, 13, 0, 16, Number)         \
  X(count3, 13, 16, 16, Number) X(count4, 14, 0, 16, Number) X(count5, 14, 16, 16, Number)        \
  X(stride_a1, 15, 0, 32, Number) X(stride_a2, 16, 0, 32, Number) X(stride_a3, 17, 0, 32, Number) \
  X(stride_a4, 18, 0, 32, Number) X(stride_a5, 19, 0, 32, Number) X(stride_b1, 20, 0, 32, Number) \
  X(stride_b2, 21, 0, 32, Number) X(stride_b3, 22, 0, 32, Number) X(stride_b4, 23, 0, 32, Number) \
  X(stride_b5, 24, 0, 32, Number) X(channels, 25, 0, 16, Number) X(samples, 25, 16, 16, Number)   \
  X(sample_first, 26, 0, 16, Number) X(chunk_first, 26, 16, 16, Number)                           \
  X(pack_group_stride, 27, 0, 32, Number) X(pack_pixel_stride, 28, 0, 16, Number)                 \
  X(pack_plane_stride, 28, 16, 16, Number) X(accumulate_sample, 29, 0, 16, Number)                \
  X(accumulate_tile, 29, 16, 8, Number)                                                           \
  X(random_low, 30, 0, 32, Number) X(random_high, 31, 0, 32, Number)                              \
  X(x_type, 32, 0, 4, ElementType) X(z_type, 32, 4, 4, ElementType)                               \
  X(scale_x_source, 32, 8, 4, Scalar) X(scale_z_source, 32, 12, 4, Scalar)                        \
  X(second_sum, 32, 16, 4, SecondSum) X(destination, 32, 20, 4, Destination)                      \
  X(quantizer, 32, 24, 4, Quantizer) X(slope_function, 32, 28, 4, SlopeFunction)                  \
  X(table, 33, 0, 5, Table) X(limit_shift, 33, 8, 5, Number)                                      \
  X(code_shift, 33, 16, 3, Number) X(code_offset, 33, 20, 9, Number)
/// TRANSPOSE, UNFOLD: packed planes, lanes along one index -> lanes along another
#define SOLFEGE_TURN_FIELDS(X) \
  X(source_address, 2, 0, 32, Number) X(target_address, 3, 0, 32, Number)                         \
  X(plane_words, 4, 0, 32, Number) X(source_rows, 5, 0, 16, Number)                               \
  X(source_lanes, 5, 16, 16, Number) X(source_columns, 6, 0, 1, bool)                             \
  X(target_columns, 6, 1, 1, bool) X(unfold_planes, 6, 8, 6, Number)                              \
  X(source_words, 7, 0, 16, Number) X(target_words, 7, 16, 16, Number)                            \
  X(unfold_height, 8, 0, 16, Number) X(unfold_width, 8, 16, 16, Number)                           \
  X(unfold_out_height, 9, 0, 16, Number) X(unfold_out_width, 9, 16, 16, Number)                   \
  X(unfold_kernel_height, 10, 0, 8, Number) X(unfold_kernel_width, 10, 8, 8, Number)              \
  X(unfold_padding_height, 10, 16, 8, Number) X(unfold_padding_width, 10, 24, 8, Number)          \
  X(unfold_tap_rows, 11, 0, 16, Number) X(unfold_stride_height, 11, 16, 8, Number)                \
  X(unfold_stride_width, 11, 24, 8, Number)
#define SOLFEGE_DESCRIPTOR_FIELDS(X)                                                              \
  SOLFEGE_COMMON_FIELDS(X) SOLFEGE_LOAD_FIELDS(X) SOLFEGE_GEMM_FIELDS(X) SOLFEGE_STREAM_FIELDS(X) \
  SOLFEGE_TURN_FIELDS(X)
// clang-format on

/// limit_shift of results of 16 bits: +-32767.
constexpr std::uint32_t kNarrow = 16;

constexpr int kDescriptorWords = 64;
constexpr int kDescriptorBytes = 4 * kDescriptorWords;
using EncodedDescriptor = std::array<std::uint32_t, kDescriptorWords>;

// What of all this is legal is a list of rules: model/spec/legality.hpp.
//
// GEMM, windows. Along an axis (y, x) with origin o and stride s, tile p meets operand index d at
// tap t where the window's mode says so; p, t and d count from 0, and d ends with the map. Taps are
// those that the operand in the buffer has; indices begin with row map_y_first of its map.
//   forward          d = o + s p + t            unit 1, fine index d
//   backward input   s d + t = o + p            unit s, fine index t
//   backward weight  d = o + p + s t            unit s, fine index d
// So that no address generator divides, o = place unit + phase with a phase below the unit (place
// is in two's complement), and reach is the number of units that hold all of the fine index.
// model/spec/window.hpp works them out.
//
// STREAM, loops. Elements lie in blocks of 16 rows x 16 channels (model/spec/program.hpp). Six
// loops, count0 innermost; index i0..i5. S stream lanes make a chunk; a block row is 16 / S chunks.
// Offsets are in elements, from x_address by the strides A, from z_address and destination_address
// by A or B (z_strides_b, destination_strides_b).
//   From memory (storage order): i0 runs over the chunks of a pixel, which are consecutive:
//     channel block, row, chunk of the block row. i5 counts blocks of 16 rows. The first block is
//     that of chunk_first.
//     offset = 16 S chunk_first + i0 S + sum over k = 1..5 of i_k stride_k
//     sample = sample_first + 16 i5 + row
//     chunk = chunk_first + channel block * (16 / S) + chunk of the row
//   From the array (tile order): i0 chunk of the tile's columns, i1 row in a block (count1 =
//     min(R, 16)), i2 row block, i3 column group, i4 tile x (or sample, when accumulating), i5
//     tile y.
//     sample = sample_first + 16 i2 + i1;  chunk = chunk_first + i3 count0 + i0
//     offset = i2 stride_2 + i4 stride_4 + i5 stride_5 + 256 (chunk S / 16) + 16 (sample mod 16)
//              + (chunk S mod 16);   stride_1 and stride_3 are not used
// A lane is valid where sample < samples and its channel < channels; others read and write nothing.
//
// STREAM, stages. x: sum of the array or element; z: value of the second stream.
//   route      z counts only where its tag is the window index i3 count1 + i1, else 0
//   accumulate (from the array) p = x scale_x is summed over i4 for each (i3, i2, i1, i0), in the
//              place of tile accumulate_tile + i3: starts at i4 = 0 of the descriptor with
//              accumulate_first, leaves with the last i4 of the one with accumulate_last; only that
//              is a result. scale_x by Scalar::kSample reads entry accumulate_sample + i4 of the
//              sample table.
//   y = saturate(round(p / 2^shift_x) * slope(z) + round(z scale_z / 2^shift_z) + offset), 0 where
//       the mask fails; saturated to +-((2^31 - 1) >> limit_shift), which must fit the
//       destination's elements (kNarrow for 16 bits). z is only tested, not added, when
//       mask_enable.
//   pool       y is the largest over i1 and i2 (window x and y; first of equals), its tag the
//              window index i2 count1 + i1; only the last window step is a result. One state for
//              each i0.
//   drop       an element whose random number U < drop_threshold becomes -32768, below every
//              threshold and every clip bound (hosts keep those at -32767 or above)
//   grid       an element that is not dropped becomes a multiple of 2^random_bits, the one below
//   or,
//              with the probability of what lies between, above: y + U with its last random_bits
//              cleared
//   threshold codes: the count of thresholds reached, times 2^code_shift, plus code_offset (two's
//              complement): signed codes of planes as many as are packed, such as -1 and 1
//   results: stored (tagged: with the pool's tag, else z's), reduced, quantized and packed.
// Random numbers: one a result lane, in order of results, S a step.
// Sums: per channel or sample 64 bits at sum_address; second sums, which are per channel, follow
// them at sum_address + 8 channels.
// Pack: results in storage order, 16 x 16 codes at a time; pixel n of a row block is the n-th
// result pixel. Code of row s, c-th channel of the pass, plane p goes to bit c mod L of the word at
//   pack_address + (s / G) pack_group_stride
//   + ((n pack_pixel_stride + p pack_plane_stride + c / L) G + s mod G) L / 8,   G = R or C;
// pixel and plane strides are in operand words (of G L bits), the group stride in bytes.
//
// UNFOLD. Lanes along channels become lanes along output pixels, once for each tap (im2col of
// planes). With o = out pixel index, (y, x) = its place times stride plus tap minus padding:
//   target row (tap * unfold_tap_rows + channel), pixel = sample, plane, lane o
//     = source row sample, pixel y * width + x, plane, lane channel; 0 outside the map
// Target layout: PackedTensor with pixels = source_rows, target_words words, group R or C.
// Only rows tap * tap_rows + channel with channel < source_lanes are meaningful; whole beats are
// written, so rows up to the next multiple of a beat's members are 0 or copies of real lanes'
// zeros.
//
// GEMM, columns_by_tile: the column operand is indexed like the row operand, by tile, not by tap:
// with one tap, tile p multiplies pixel p by pixel p (a sample's weight gradient).

// GEMM, values. An operand's values are affine in its codes, x = p c + q. The array sums products
// of codes, S = sum c c', codes, A = sum c of the row and B = sum c' of the column, and valid
// lanes, N; a drained sum is
//   sum x x' = p p' S + p q' A + q p' B + q q' N
// by four scalars: affine_shift (p p' = 2^affine_shift), affine_row (p q'), affine_column (q p')
// and affine_lanes (q q'), two's complement. Those of the descriptor that drains count.

/// How the codes of an operand are read: the value of code c is step c + offset.
struct PlaneReading {
  bool is_signed = false;  ///< codes are two's complement: the last plane weighs negatively
  int step = 1;            ///< 1, 2 or 4
  int offset = 0;          ///< magnitude at most 255
};
constexpr PlaneReading kUnsignedCodes{}, kSignedCodes{true, 1, 0};
/// Each bit of a plane is -1 or +1: values from -(2^planes - 1) to 2^planes - 1, at most 8 planes.
constexpr PlaneReading bipolar_codes(int planes) { return {false, 2, 1 - (1 << planes)}; }

/// The four scalars of a GEMM's drained sums.
struct AffineProduct {
  int shift;
  std::int64_t row, column, lanes;
};

/// A decoded descriptor; unused fields are 0.
struct Descriptor {
#define SOLFEGE_MEMBER(name, word, lsb, width, Type) Type name = Type{};
  SOLFEGE_DESCRIPTOR_FIELDS(SOLFEGE_MEMBER)
#undef SOLFEGE_MEMBER

  /// Throws std::logic_error if a field overflows, or if fields that share bits are both set.
  EncodedDescriptor encode() const;
  /// The first field that its bits cannot hold, as "name = value of at most limit"; empty if all
  /// do.
  std::string overflow() const;
  /// The fields of the opcode, and those of every descriptor; a word without a valid opcode has
  /// only the latter.
  static Descriptor decode(const EncodedDescriptor& words);

  Engine engine() const { return traits(opcode).engine; }

  /// GEMM: the operands as they are read. Throws std::logic_error where a scalar does not fit.
  void read_operands(const PlaneReading& rows, const PlaneReading& columns);
  AffineProduct affine() const;

  // ---- What a STREAM descriptor uses: the questions that several parts ask of a pass
  /// Rounds at random, whether or not the codes are packed.
  bool stochastic() const { return traits(quantizer).stochastic; }
  bool draws() const { return stochastic() || drop_enable || grid_enable; }
  /// The code of a result that reaches no threshold.
  std::int32_t signed_code_offset() const {
    return static_cast<std::int32_t>(code_offset << 23) >> 23;
  }
  bool fills_table() const { return destination == Destination::kTable; }
  bool stores() const { return traits(destination).bytes != 0; }
  /// z is added to y; with a mask it is only tested.
  bool adds_z() const { return z_enable && !mask_enable; }
  /// By Table: the tables of a word a channel that each step reads.
  std::array<bool, kChannelTables> channel_tables() const {
    return {scale_x_source == Scalar::kChannel, adds_z() && scale_z_source == Scalar::kChannel,
            offset_enable, mask_enable, mask_enable};
  }
  std::uint64_t steps() const {
    return std::uint64_t{count0} * count1 * count2 * count3 * count4 * count5;
  }
  bool slopes() const { return slope_function != SlopeFunction::kNone; }
  /// Sums that leave, without second sums.
  std::uint32_t sums() const { return sum_per_channel ? channels : sum_per_sample ? samples : 1u; }
  bool sums_twice() const { return second_sum != SecondSum::kNone; }
  std::uint64_t random_state() const { return std::uint64_t{random_high} << 32 | random_low; }
};

struct DescriptorField {
  const char* name;
  int word, lsb, width;
};
/// All fields in the order of the list.
const std::vector<DescriptorField>& descriptor_fields();
/// Words of a descriptor up to the last that has a field: of any opcode, or of those that an engine
/// runs.
int field_words();
int field_words(Engine engine);

}  // namespace solfege
