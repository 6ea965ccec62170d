// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "model/network.hpp"
#include "model/program.hpp"

namespace solfege {

/// The per-element work a stream pass does; unset parts are off. Addresses come from the tensors.
struct StreamPass {
  const ElementTensor* x = nullptr;  ///< null: from the array's drain
  const ElementTensor* z = nullptr;
  const ElementTensor* store = nullptr;
  const PackedTensor* pack = nullptr;
  Scalar scale_x_source = Scalar::kConstant;
  std::int32_t scale_x = 1;
  int shift_x = 0;
  std::int32_t scale_z = 0;
  int shift_z = 0;
  bool mask = false;  ///< z only masks: low <= z <= high, tables per channel
  bool tanh = false;  ///< x times 1 - tanh^2(z)
  Quantizer quantizer = Quantizer::kRaw;
  int quantizer_bits = 0;
  bool threshold_per_channel = false;
  std::uint64_t random_state = 1;
  std::uint32_t max_address = 0;  ///< 0: none
  bool max_per_sample = false;
  std::uint32_t sum_address = 0;  ///< 0: none
  bool sum_per_channel = false, sum_absolute = false;
};

/// Appends operations to a program and works out the tokens between engines. One operand buffer
/// half is loaded while the array reads the other; a load waits for the last GEMM that used its
/// half, a GEMM for its last load, a load for the stream pass that packed its source.
class ProgramBuilder {
 public:
  explicit ProgramBuilder(const Config& config) : config_(config) {}

  void set_place(const std::string& layer, const std::string& pass) {
    layer_ = layer;
    pass_ = pass;
  }

  /// Words of 32 bits, `rows` times StreamLanes of them, into an on-chip table.
  void load_table(Table table, std::uint32_t address, int rows, int threshold_bits,
                  const std::string& label);
  /// A pass over all elements of a tensor in storage order. `shape` gives rows, pixels, channels.
  void stream(const ElementTensor& shape, const StreamPass& pass, const std::string& label);
  /// target[lane][..][row] = source[row][..][lane]
  void transpose(const PackedTensor& source, const PackedTensor& target);
  /// One of the three products of a layer; results drain through `drain` into [row][pixel][column].
  /// forward: rows x = input samples, columns = weights; backward_input: gradients and transposed
  /// weights; backward_weight: gradients and inputs, lanes along samples.
  void multiply(WindowMode mode, const Layer& layer, const PackedTensor& rows,
                const PackedTensor& columns, const ElementTensor& result, const StreamPass& drain,
                const std::string& label);

  Program take() { return std::move(program_); }

 private:
  struct Buffer {
    explicit Buffer(bool of_columns) : columns(of_columns) {}
    bool columns;
    int next_half = 0;
    int last_user[2] = {-1, -1};  ///< operation of the last GEMM that read each half
    std::string resident[2];      ///< what each half holds
  };
  /// Makes `words` buffer words from `address` resident; returns the buffer offset. `fresh` is set
  /// if a load was needed.
  int require(Buffer& buffer, const PackedTensor& tensor, std::uint32_t first_word, int words,
              bool* fresh);
  Operation& append(Descriptor descriptor, const std::string& label);
  void apply(Descriptor& d, const StreamPass& pass);
  std::vector<Region> regions(const Descriptor& d, const StreamPass& pass) const;

  Config config_;
  Program program_;
  std::string layer_, pass_;
  Buffer rows_{false}, columns_{true};
  std::map<std::string, int> writer_;  ///< packed tensor -> operation that wrote it in this program
  int dma_synchronised_ = -1;          ///< last stream operation the DMA has waited for
};

}  // namespace solfege
