// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/base/error.hpp"
#include "model/host/operand_buffer.hpp"
#include "model/host/tiler.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/network.hpp"
#include "model/spec/program.hpp"

namespace solfege {

/// What a pass does with pooling windows.
enum class WindowUse {
  kNone,
  kPool,    ///< results are the largest x of each window, with its place as the tag
  kRoute,   ///< z is of the pooled map, and counts at its maximum's place only
  kSpread,  ///< x is of the pooled map, and goes to every pixel of its window
};

/// The per-element work of a stream pass; unset parts are off. Addresses come from the tensors.
struct StreamPass {
  const ElementTensor* x = nullptr;  ///< null: from the array's drain
  const ElementTensor* z = nullptr;
  const ElementTensor* store = nullptr;
  /// Parts of the channels, in order, each by a pass of its own.
  const PackedParts* pack = nullptr;
  Scalar scale_x_source = Scalar::kConstant;
  std::int32_t scale_x = 1;
  int shift_x = 0;
  bool scale_z_per_channel = false;
  std::int32_t scale_z = 0;
  int shift_z = 0;
  bool offset = false;  ///< plus the channel's entry of the offset table
  bool mask = false;    ///< z only masks: low <= z <= high, tables per channel
  SlopeFunction slope = SlopeFunction::kNone;
  std::uint32_t limit_shift = 0;  ///< results saturate to +-((2^31 - 1) >> limit_shift)
  WindowUse window_use = WindowUse::kNone;
  Pooling windows;
  std::uint32_t drop_threshold = 0;  ///< 0: no dropout
  bool grid = false;                 ///< results become multiples of 2^random_bits, at random
  Quantizer quantizer = Quantizer::kRaw;
  int quantizer_bits = 0;
  bool threshold_per_channel = false;
  int code_shift = 0, code_offset = 0;  ///< a threshold code is its count 2^shift + offset
  std::uint64_t random_state = 1;
  std::uint32_t max_address = 0;  ///< 0: none
  bool max_per_sample = false;
  std::uint32_t sum_address = 0;  ///< 0: none
  bool sum_per_channel = false, sum_per_sample = false, sum_absolute = false;
  SecondSum second_sum = SecondSum::kNone;
};

/// Appends operations to a program and works out the tokens between engines. One operand buffer
/// half is loaded while the array reads the other; a load waits for the last GEMM that used its
/// half, a GEMM for its last load, a load for the pass or turn that made its source.
class ProgramBuilder {
 public:
  explicit ProgramBuilder(const Config& config) : config_(config), geometry_(config) {}

  void set_place(const std::string& layer, const std::string& pass) {
    layer_ = layer;
    pass_ = pass;
  }

  /// `rows` times S words of 32 bits into an on-chip table; with a shift, rounded and saturated to
  /// 16 bits.
  void load_table(Table table, std::uint32_t address, int rows, int threshold_bits,
                  const std::string& label, int shift = 0);
  /// A pass over all elements of a tensor in storage order. `shape` gives rows, pixels, channels
  /// before pooling. With windows, over the pixels that they cover: with several descriptors where
  /// windows overlap (but not to pool) or are cut off by padding, so that a pixel may come more
  /// than once. Such a pass only stores elements.
  void stream(const ElementTensor& shape, const StreamPass& pass, const std::string& label);
  /// target[lane][..][row] = source[row][..][lane]
  void transpose(const PackedParts& source, const PackedParts& target);
  /// Lanes along channels become lanes along the layer's output pixels. Of the input codes, once
  /// for each tap: rows of `target` are tap * unfolded_tap_rows + channel; of the gradient codes
  /// (`gradient`), once. Pixels of `target` are samples.
  void unfold(const PackedParts& source, const PackedParts& target, const Layer& layer,
              bool gradient);
  /// One of the three products of a layer; results drain through `drain` into [row][pixel][column].
  /// forward: rows x = input samples, columns = weights; backward_input: gradients and transposed
  /// weights; backward_weight: gradients and inputs, lanes along samples.
  /// Operands have the parts of channel_parts(layer).
  void multiply(WindowMode mode, const Layer& layer, const PackedParts& rows,
                const PackedParts& columns, const ElementTensor& result, const StreamPass& drain,
                const std::string& label);
  /// The weight gradient sample by sample: unfolded gradient codes times unfolded input codes, each
  /// sample's sums times its entry of the sample table, summed over the samples.
  void multiply_samples(const Layer& layer, const PackedParts& rows, const PackedParts& columns,
                        const ElementTensor& result, const StreamPass& drain,
                        const std::string& label);

  /// The program, with the tokens of all dependencies; the builder is empty afterwards.
  Program take();

 private:
  /// The waiter's engine takes a token that the signaller's engine leaves.
  struct Dependency {
    int signaller, waiter;  ///< operations
    std::uint32_t token;
  };
  /// The next operation waits for this one. `waited`, if not null, is the last operation that its
  /// engine has waited for in this way: engines run in order, so earlier ones need no token.
  void wait_for(int signaller, std::uint32_t token, int* waited);
  /// Makes `words` buffer words from `first_word` of the tensor resident, or so many pieces `step`
  /// words apart. `fresh` is set if a load was needed.
  OperandBuffer::Place require(OperandBuffer& buffer, const PackedTensor& tensor,
                               std::uint32_t first_word, int words, bool* fresh, int pieces = 1,
                               std::uint32_t step = 0);
  InputError too_small(const OperandBuffer& buffer, int need, const PackedTensor& tensor,
                       const std::string& label, const Layer& layer) const;
  Operation& append(Descriptor descriptor, const std::string& label);
  Operation& append_gemm(Descriptor descriptor, const OperandBuffer::Place& row,
                         const OperandBuffer::Place& column, bool fresh, const std::string& label);
  Descriptor product_descriptor(const PackedTensor& rows, const PackedTensor& columns) const;
  OperandBuffer::Place require_words(OperandBuffer& buffer, const PackedTensor& tensor,
                                     int first_word, int words, bool* fresh);
  void take_words(Descriptor& d, int first, int words) const;
  /// The rows and channels of a result that a product makes.
  struct ResultPart {
    int row_first, rows, channel_first, channels;
  };
  static ResultPart result_part(WindowMode mode, const ChannelPart& part,
                                const ElementTensor& result);
  void multiply_part(WindowMode mode, const Layer& layer, const ResultPart& part,
                     const PackedTensor& rows, const PackedTensor& columns,
                     const ElementTensor& result, const StreamPass& drain, const std::string& label,
                     std::uint64_t* useful);
  void multiply_samples_part(const Layer& layer, const ResultPart& part, const PackedTensor& rows,
                             const PackedTensor& columns, const ElementTensor& result,
                             const StreamPass& drain, const std::string& label,
                             std::uint64_t* useful);
  Descriptor drain_descriptor(const StreamPass& drain, const ElementTensor& result,
                              const ResultPart& part, int row_group, int pixel);
  void append_drain(const Descriptor& descriptor, const StreamPass& drain,
                    const ElementTensor& result, const std::string& label);
  void finish_reductions(const StreamPass& pass, std::size_t first);
  /// An operation of the turner, which waits for the pass that packed `source`.
  void append_turn(Descriptor d, const PackedTensor& source, const PackedTensor& target,
                   const std::string& verb);
  void apply(Descriptor& d, const StreamPass& pass);
  /// Of a pass over the channels of `part`, or over all.
  void stream_part(const ElementTensor& shape, const StreamPass& pass, const PackedTensor* part,
                   int first_channel, std::uint64_t* random_state, const std::string& label);
  static void take_windows(Descriptor& d, const StreamPass& pass, const WindowRun& y,
                           const WindowRun& x, std::uint32_t pixel);
  void append_pass(Descriptor d, const StreamPass& pass, const PackedTensor* part,
                   std::uint64_t* random_state, const std::string& label);
  std::vector<Region> reductions(const Descriptor& d) const;

  Config config_;
  Geometry geometry_;
  Program program_;
  std::string layer_, pass_;
  OperandBuffer rows_{geometry_, false}, columns_{geometry_, true};
  std::vector<Dependency> dependencies_;
  std::map<std::string, int> writer_;  ///< packed tensor -> operation that wrote it in this program
  // Last operation of an engine that another has waited for: in order, so earlier ones are done.
  int dma_after_stream_ = -1, dma_after_turner_ = -1, turner_after_stream_ = -1,
      array_after_stream_ = -1;
  int last_pass_ = -1;  ///< stream operation that is not a drain
};

/// Rows of an unfolded operand a tap takes: its channels up to whole blocks and whole groups.
int unfolded_tap_rows(int channels, int group);

}  // namespace solfege
