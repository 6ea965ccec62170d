// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"

namespace solfege {

/// Elements are stored in blocks of 16 rows x 16 channels, whatever the array's shape, so that
/// storage order, and with it every random draw, does not depend on it.
constexpr int kBlock = 16;
constexpr int kBlockElements = kBlock * kBlock;

constexpr int blocks(int count) { return (count + kBlock - 1) / kBlock; }

/// Elements in memory, [row block][pixel][channel block][row in block][channel in block]:
/// activations and gradients (rows are samples), weights (rows are output channels, pixels are
/// kernel taps, channels are input channels). Padding is 0.
struct ElementTensor {
  std::string name;
  std::uint32_t address = 0;
  int rows = 1, pixels = 1, channels = 1;
  ElementType type = ElementType::kSigned32;
  int bytes() const { return traits(type).bytes; }
  /// Elements from a pixel, and from a row block, to the next.
  std::uint32_t pixel_stride() const {
    return static_cast<std::uint32_t>(blocks(channels) * kBlockElements);
  }
  std::uint32_t row_block_stride() const {
    return static_cast<std::uint32_t>(pixels) * pixel_stride();
  }
  /// All elements, padding included: as many as a pass draws random numbers.
  std::uint64_t size() const {
    return static_cast<std::uint64_t>(blocks(rows)) * row_block_stride();
  }
  std::uint32_t size_bytes() const {
    return static_cast<std::uint32_t>(size() * static_cast<std::uint64_t>(bytes()));
  }
  /// Elements from the tensor's start.
  std::size_t offset(int row, int pixel, int channel) const {
    return static_cast<std::size_t>(row / kBlock) * row_block_stride() +
           static_cast<std::size_t>(pixel) * pixel_stride() +
           static_cast<std::size_t>(channel / kBlock * kBlockElements + row % kBlock * kBlock +
                                    channel % kBlock);
  }
  /// The rows from a multiple of kBlock on, as a tensor.
  ElementTensor rows_from(int first, int count) const {
    ElementTensor part = *this;
    part.address = element_address(first, 0, 0);
    part.rows = count;
    return part;
  }
  std::uint32_t element_address(int row, int pixel, int channel) const {
    return address + static_cast<std::uint32_t>(offset(row, pixel, channel) *
                                                static_cast<std::size_t>(bytes()));
  }
};

/// Bit-planes in memory, ready to load: [row group][pixel][plane][lane word][row in group] words of
/// L bits.
struct PackedTensor {
  std::string name;
  std::uint32_t address = 0;
  int rows = 1, pixels = 1, planes = 1, lanes = 1;  ///< lanes: length of the index along the lanes
  bool columns = false;  ///< grouped for the array's columns, else its rows
  PlaneReading reading;
  int group = 1, word_lanes = 64;  ///< R or C, and L, of the configuration
  int words() const { return (lanes + word_lanes - 1) / word_lanes; }
  int groups() const { return (rows + group - 1) / group; }
  int pixel_words() const { return planes * words(); }  ///< buffer words of a pixel
  std::uint32_t group_word_bytes() const {
    return static_cast<std::uint32_t>(group * word_lanes / 8);
  }
  std::uint32_t group_stride() const {
    return static_cast<std::uint32_t>(pixels * pixel_words()) * group_word_bytes();
  }
  std::uint32_t size_bytes() const { return static_cast<std::uint32_t>(groups()) * group_stride(); }
};

/// An operand of a layer's products: of a grouped convolution a tensor for each of channel_parts()
/// (model/host/tiler.hpp), else one.
using PackedParts = std::vector<PackedTensor>;

/// Memory a descriptor writes: what lockstep compares after it.
struct Region {
  std::string tensor;
  std::uint32_t address = 0, bytes = 0;
  int element_bytes = 4;  ///< to name the index of a difference
};

/// A descriptor with what reports and checks need to know of it.
struct Operation {
  Descriptor descriptor;
  std::string layer, pass;  ///< "conv1", "forward" ...
  std::string label;        ///< what it does, for messages
  std::vector<Region> writes;
  std::uint64_t useful_plane_pairs = 0;  ///< GEMM: plane-pair bit products that the network needs
};

/// A list of descriptors that the device runs without the host: bytes for its memory.
struct Program {
  std::vector<Operation> operations;
  std::uint64_t host_bytes = 0;  ///< of images, which the host writes before
  /// Encodes all descriptors, with tags 0, 1, 2 ...
  std::vector<std::uint32_t> encode() const;
};

}  // namespace solfege
