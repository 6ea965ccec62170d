// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace solfege {

/// Macro-operations of the device. The opcode chooses the engine: LOAD the DMA; GEMM the array;
/// STREAM and TRANSPOSE the stream unit.
enum class Opcode : std::uint32_t { kLoad = 1, kGemm = 2, kStream = 3, kTranspose = 4 };

/// How the planes of an operand are read (numerics contract, DESIGN section 1).
enum class PlaneType : std::uint32_t { kUnipolar = 0, kSigned = 1, kBipolar = 2 };

/// Which window of the two spatial indices (p: tile, t: contraction) meets the operand index d.
enum class WindowMode : std::uint32_t {
  kForward = 0,         ///< d = stride * p + t - padding
  kBackwardInput = 1,   ///< d = (p + padding - t) / stride where it divides
  kBackwardWeight = 2,  ///< d = stride * t + p - padding
};

enum class ElementType : std::uint32_t { kUnsigned8 = 0, kSigned16 = 1, kSigned32 = 2 };
enum class Destination : std::uint32_t { kNone = 0, kSigned16 = 1, kSigned32 = 2, kTable = 3 };
enum class Scalar : std::uint32_t { kConstant = 0, kChannel = 1, kSample = 2 };
enum class Table : std::uint32_t {
  kScaleX = 0,
  kScaleZ = 1,
  kOffset = 2,
  kMaskLow = 3,
  kMaskHigh = 4,
  kThreshold = 5,
  kSample = 6
};
enum class Quantizer : std::uint32_t {
  kRaw = 0,               ///< two's complement of the stream value
  kThreshold = 1,         ///< number of thresholds reached (f_A, f_W)
  kStochastic = 2,        ///< f_G: code c
  kStochasticScaled = 3,  ///< f_G: M_s (2c - n_G), two's complement
};

/// Semaphores of the wait and signal masks; a bit each. Every token signalled is waited for once.
enum Semaphore : std::uint32_t {
  kLoaded = 1u << 0,      ///< DMA -> array: operands are in the buffers
  kRowFree = 1u << 1,     ///< array -> DMA: a half of the row buffer may be overwritten
  kColumnFree = 1u << 2,  ///< array -> DMA: a half of the column buffer may be overwritten
  kStored = 1u << 3,      ///< stream -> DMA: a packed operand is in memory
};

/// The one list of descriptor fields: X(name, word, least significant bit, width). The C++ struct,
/// its encoding, and the Verilog header sf_descriptor.vh all come from it.
// clang-format off
#define SOLFEGE_DESCRIPTOR_FIELDS(X)                                                             \
  X(opcode, 0, 0, 4) X(wait_mask, 0, 8, 8) X(signal_mask, 0, 16, 8) X(tag, 1, 0, 16)             \
  /* LOAD: memory -> operand buffer, whole buffer words */                                       \
  X(load_address, 2, 0, 32) X(load_to_columns, 3, 31, 1) X(load_offset, 3, 0, 16)                \
  X(load_words, 4, 0, 16)                                                                        \
  /* GEMM: tiles (py, px, column group), contraction (ty, tx, word, column plane, row plane) */  \
  X(row_base, 2, 0, 16) X(column_base, 2, 16, 16)                                                \
  X(row_planes, 3, 0, 6) X(row_type, 3, 6, 2) X(column_planes, 3, 8, 6) X(column_type, 3, 14, 2) \
  X(clear, 3, 16, 1) X(drain, 3, 17, 1) X(rows_by_tap, 3, 18, 1) X(window_mode, 3, 20, 2)        \
  X(stride_log2, 3, 24, 2) X(words, 4, 0, 16) X(tail_lanes, 4, 16, 16)                           \
  X(column_groups, 5, 0, 16) X(column_group_stride, 5, 16, 16)                                   \
  X(tile_y_first, 6, 0, 16) X(tile_y_count, 6, 16, 16)                                           \
  X(tile_x_first, 7, 0, 16) X(tile_x_count, 7, 16, 16)                                           \
  X(tap_y_first, 8, 0, 16) X(tap_y_count, 8, 16, 16) X(tap_x_count, 9, 0, 16)                    \
  X(padding, 9, 16, 16) X(window_height, 10, 0, 16) X(window_width, 10, 16, 16)                  \
  X(row_y_origin, 11, 0, 16) X(column_y_origin, 11, 16, 16)                                      \
  /* STREAM: one pass over elements */                                                           \
  X(x_from_array, 2, 0, 1) X(x_type, 2, 1, 2) X(z_enable, 2, 3, 1) X(z_type, 2, 4, 2)            \
  X(scale_x_source, 2, 6, 2) X(scale_z_source, 2, 8, 1) X(offset_enable, 2, 9, 1)                \
  X(tanh_enable, 2, 10, 1) X(mask_enable, 2, 11, 1) X(destination, 2, 12, 2) X(table, 2, 14, 3)  \
  X(quantizer, 2, 17, 2) X(pack_enable, 2, 19, 1) X(pack_columns, 2, 20, 1)                      \
  X(max_enable, 2, 21, 1) X(max_per_sample, 2, 22, 1) X(sum_enable, 2, 23, 1)                    \
  X(sum_per_channel, 2, 24, 1) X(sum_absolute, 2, 25, 1) X(threshold_per_channel, 2, 26, 1)      \
  X(reduce_clear, 2, 27, 1) X(reduce_flush, 2, 28, 1)                                            \
  X(x_address, 3, 0, 32) X(z_address, 4, 0, 32) X(destination_address, 5, 0, 32)                 \
  X(pack_address, 6, 0, 32) X(max_address, 7, 0, 32) X(sum_address, 8, 0, 32)                    \
  X(scale_x, 9, 0, 32) X(scale_z, 10, 0, 32)                                                     \
  X(shift_x, 11, 0, 6) X(shift_z, 11, 8, 6) X(quantizer_bits, 11, 16, 4) X(pack_planes, 11, 24, 6) \
  X(count0, 12, 0, 16) X(count1, 12, 16, 16) X(count2, 13, 0, 16) X(count3, 13, 16, 16)          \
  X(count4, 14, 0, 16) X(sample_loop, 14, 16, 3) X(group_loop, 14, 20, 3)                        \
  X(stride1, 15, 0, 32) X(stride2, 16, 0, 32) X(stride3, 17, 0, 32) X(stride4, 18, 0, 32)        \
  X(channels, 19, 0, 16) X(samples, 19, 16, 16) X(sample_first, 20, 0, 16) X(chunk_first, 20, 16, 16) \
  X(pack_group_stride, 21, 0, 32) X(pack_pixel_stride, 22, 0, 32) X(pack_plane_stride, 23, 0, 32) \
  X(random_low, 24, 0, 32) X(random_high, 25, 0, 32)                                             \
  /* TRANSPOSE: packed planes, lanes along one index -> lanes along the other */                 \
  X(source_address, 2, 0, 32) X(target_address, 3, 0, 32) X(plane_words, 4, 0, 32)               \
  X(source_rows, 5, 0, 16) X(source_lanes, 5, 16, 16)                                            \
  X(source_columns, 6, 0, 1) X(target_columns, 6, 1, 1)                                          \
  X(source_words, 7, 0, 16) X(target_words, 7, 16, 16)
// clang-format on

constexpr int kDescriptorWords = 32;
constexpr int kDescriptorBytes = 4 * kDescriptorWords;

/// Loop index meaning "none" in sample_loop and group_loop.
constexpr std::uint32_t kNoLoop = 7;

/// A decoded descriptor; unused fields are 0. Only the fields of its opcode are encoded.
struct Descriptor {
#define SOLFEGE_MEMBER(name, word, lsb, width) std::uint32_t name = 0;
  SOLFEGE_DESCRIPTOR_FIELDS(SOLFEGE_MEMBER)
#undef SOLFEGE_MEMBER

  std::array<std::uint32_t, kDescriptorWords> encode() const;
};

struct DescriptorField {
  const char* name;
  int word, lsb, width;
};
/// All fields in the order of the list.
const std::vector<DescriptorField>& descriptor_fields();

}  // namespace solfege
