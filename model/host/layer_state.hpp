// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/host/tiler.hpp"
#include "model/schemes/scheme.hpp"
#include "model/spec/memory_layout.hpp"
#include "model/spec/network.hpp"
#include "model/spec/program.hpp"
#include "model/spec/slope.hpp"

namespace solfege {

/// Batch norm's A g + B o + C has at most so many bits below those of a stored gradient: over a
/// large map C is small beside the largest g, but adds up.
constexpr int kFineGradientBits = 10;
/// Output pixels from which on that is so. Such a layer's weight gradient has lanes along pixels:
/// the other form multiplies codes by M itself.
constexpr int kFineGradientPixels = 16;
/// Bits that the largest stored gradient of a tensor should have: one below saturation at 16.
constexpr int kGradientTargetBits = 13;

/// Which index of the weight gradient's contraction lies along the lanes.
enum class WeightGradientLanes {
  kPixels,   ///< output pixels of a sample: G planes, and a drain times M for each sample
  kSamples,  ///< samples: the gradient operand is M (2c - n), an integer of G + 16 planes
};

/// Where a layer's master weights lie in device memory, with what is measured of them. Precisions
/// of a network may share them.
struct MasterWeights {
  ElementTensor weights, momentum, weight_gradient;  ///< fixed point; sums of codes, shifted
  std::uint32_t weight_max = 0, weight_sum = 0, weight_gradient_max = 0;
  std::uint32_t weight_row_sums = 0;              ///< sum |w| per output channel
  std::uint32_t weight_high = 0, weight_low = 0;  ///< largest kWeightRange + w, and - w
  /// 1 where a weight is, 0 between those of groups that share a part; the clip's bounds for it.
  ElementTensor weight_places;
  std::uint32_t ones_table = 0;
};

/// Where a layer's numbers lie in device memory. Symbols as in model/spec/network.hpp: o the
/// convolution's output, p what the clip sees before pooling.
struct LayerTensors : MasterWeights {
  ElementTensor output;    ///< o, or logits
  ElementTensor sum;       ///< p in units of 2^-kSumFractionBits
  ElementTensor kept;      ///< p pooled, dropped elements marked; what the clip's mask tests
  ElementTensor gradient;  ///< of p, at kept's places, masked by the clip
  /// What this layer adds to the gradient of its input, where it is not the input's first reader:
  /// that one writes it itself.
  ElementTensor branch;
  /// The gradient at every pixel of the map, where pooling windows do not tile it; of an averaging
  /// layer, that of its input's map.
  ElementTensor scattered;
  PackedParts weight_codes, weight_codes_by_output;  ///< lanes along cin; along cout
  PackedParts codes;                                 ///< f_A, in the parts of its first reader
  PackedParts input_codes;                           ///< of its input, in its own parts
  PackedParts gradient_codes;                        ///< f_G, lanes along cout
  PackedParts gradient_unfolded, input_unfolded;     ///< lanes along pixels
  /// The layer's input as two's complement values, where its codes have no 0 for padding that is
  /// unfolded; f_A of its input packs both.
  PackedParts input_signed;
  PackedParts scaled_gradient, scaled_gradient_by_sample, input_by_sample;  ///< along samples
  // Tables and results in device memory; channel tables hold a word for each padded channel.
  std::uint32_t threshold_table = 0;                            ///< f_W, shared by all channels
  std::uint32_t activation_table = 0;                           ///< f_A per channel
  std::uint32_t sign_table = 0, low_table = 0, high_table = 0;  ///< f_A pass; clip's mask
  std::uint32_t sum_scale_table = 0, sum_offset_table = 0;      ///< p from o
  std::uint32_t gradient_scale_table = 0, output_scale_table = 0, gradient_offset_table = 0;
  std::uint32_t sample_max = 0;     ///< M per sample
  std::uint32_t gradient_max = 0;   ///< largest |gradient| per sample, for its shift
  std::uint32_t branch_max = 0;     ///< the same of `branch`
  std::uint32_t statistics = 0;     ///< per channel: sum o, sum o^2
  std::uint32_t gradient_sums = 0;  ///< per channel: sum g, sum g z
  std::uint32_t cut_low_table = 0, cut_high_table = 0;  ///< where the activation's bound cuts off
  std::uint32_t cut_sum = 0;                            ///< sum of the gradients there
  std::uint32_t sum_max = 0;                            ///< largest p + kSumRange
  std::uint32_t row_slope_table = 0;                    ///< factors of dC/dw per output channel
  std::uint32_t range_offsets = 0;                      ///< tables of constants: RangeOffset
};

/// The host's scalars about a layer that a training carries from step to step.
struct LearnedScalars {
  std::vector<double> bias, bias_momentum;
  std::vector<double> gamma, gamma_momentum, beta, beta_momentum;
  std::vector<double> running_mean, running_variance;
  double bound_momentum = 0.0;       ///< of Layer::activation_bound
  int output_shift = 0;              ///< o = sum >> shift
  int gradient_shift = 0;            ///< of the drain that makes `gradient`
  int branch_shift = 0;              ///< of the drain that makes `branch`
  int output_gradient_exponent = 0;  ///< batch norm: unit of the gradient of o is 2^exponent
  int weight_gradient_shift = 0;

  /// Passes each of them, in a fixed order, to archive(first byte, number of bytes).
  template <typename Archive>
  void visit(Archive&& archive) {
    for (std::vector<double>* list : {&bias, &bias_momentum, &gamma, &gamma_momentum, &beta,
                                      &beta_momentum, &running_mean, &running_variance})
      archive(list->data(), list->size() * sizeof(double));
    archive(&bound_momentum, sizeof bound_momentum);
    for (int* value : {&output_shift, &gradient_shift, &branch_shift, &output_gradient_exponent,
                       &weight_gradient_shift})
      archive(value, sizeof *value);
  }
};

/// The host's scalars about a layer that each step works out anew.
struct StepScalars {
  WeightCodes weight;                   ///< f_W of the weights as they are
  ActivationCodes activation;           ///< f_A; of the last layer none
  double input_scale = 1.0;             ///< value of one input code
  double code_step = 1.0;               ///< value of one of its own codes
  double output_unit = 1.0;             ///< value of one unit of o
  double gradient_unit = 1.0;           ///< dLoss/dp of one unit of `gradient`
  double branch_unit = 1.0;             ///< the same of `branch`
  double output_gradient_unit = 1.0;    ///< dLoss/d(value of o) of one unit of f_G's scaled codes
  int fine_bits = 0;                    ///< of what f_G quantizes, below output_gradient_unit
  std::vector<double> mean, deviation;  ///< batch norm, in units of o
  std::vector<double> sign;             ///< f_A sees sign o, so that thresholds ascend
  std::int32_t code_factor = 0;  ///< averaging layer: a code is sum factor / 2^shift, rounded
  int code_factor_shift = 0;
  int sum_shift = 0, gradient_scale_shift = 0, output_scale_shift = 0, row_slope_shift = 0;
  int nearest_shift = 0;  ///< GradientRule::kNearest: a code is the gradient >> shift
};

/// Everything about a layer that is trained.
struct LayerState : LayerTensors, LearnedScalars, StepScalars {
  Layer layer;
  int input = -1;         ///< index of the layer that it reads; -1: the images
  int first_reader = -1;  ///< index of the first layer that reads its codes; -1: none
  bool is_last = false;
  bool has_sum = false;    ///< p is a tensor of its own: a residual ends or starts here
  bool has_joint = false;  ///< its gradient comes from other than one layer, or p is a sum
  WeightGradientLanes lanes = WeightGradientLanes::kPixels;
  std::vector<ChannelPart> parts;

  /// Whether groups share a part: its weights then have places that hold none, and stay 0.
  bool has_holes() const { return parts.front().ins > layer.group_inputs(); }
  /// Whether those places need a code that f_W has not, a 0 between its values: codes 2c and, in
  /// the middle, n, of one bit more.
  bool inserts_zero() const {
    return has_holes() && scheme_of(layer).weight_reading(layer).step != 1;
  }
  /// Bits of the tree of f_W's thresholds.
  int weight_tree_bits() const { return layer.weight_bits + (inserts_zero() ? 1 : 0); }
  /// Of the weight from the in-th input of its group to output `out`.
  std::size_t weight_offset(int out, int tap, int in) const {
    const int outs = layer.out_channels / layer.groups;
    const int part = out / parts.front().outs;
    const int group = out / outs - part * (parts.front().outs / outs);
    return weights.offset(out, tap, group * layer.group_inputs() + in);
  }

  /// Takes over what another precision of the layer has learned.
  void continue_from(const LayerState& other);
  bool has_fine_gradient() const {
    return layer.batch_norm && output_pixels() >= kFineGradientPixels;
  }
  /// Codes of the gradient of o are values in two's complement: the last layer's, or rounded ones.
  bool has_value_codes() const {
    return is_last || scheme_of(layer).gradient_rule(layer) == GradientRule::kNearest;
  }
  bool has_weights() const { return !layer.is_average; }
  /// Whether the codes, and what is kept, have the clip's range and mask.
  bool is_clipped() const { return !layer.is_average; }
  bool pooled() const { return layer.pool > 1; }
  /// Where M of each sample lies: of what f_G quantizes.
  std::uint32_t quantized_max() const {
    return layer.batch_norm || layer.pooling().overlaps() ? sample_max : gradient_max;
  }
  bool keeps() const { return pooled() || layer.dropout > 0.0; }
  int output_pixels() const { return layer.out_height * layer.out_width; }
  int kept_pixels() const { return layer.pooled_height() * layer.pooled_width(); }
  int taps() const { return layer.kernel_height * layer.kernel_width; }
  /// What f_A quantizes: p, or o with p folded into the thresholds.
  const ElementTensor& preactivation() const { return has_sum ? sum : output; }
};

/// What is added to numbers, so that the largest magnitude is that of the greatest or the least of
/// them: weights lie within +-64, p in 16 bits.
constexpr std::int32_t kWeightRange = 1 << 30, kSumRange = 1 << 15;
enum class RangeOffset { kHigh, kLow, kSum };
/// Planes of the last layer's gradient, softmax - one-hot.
constexpr int kLogitPlanes = 16;

/// The device's memory for training a network at one of its precisions. The operands of the first
/// layer that its input makes are written by the host.
struct TrainingLayout {
  Network network;  ///< with the bounds of activations as they are
  std::vector<LayerState> layers;
};

/// All precisions in one memory. They have the same images, and but for a teacher's the same master
/// weights.
struct TrainingLayouts {
  std::vector<TrainingLayout> precisions;
  std::vector<MemoryRegion> regions;
  std::uint32_t size_bytes = 0;
};

/// The first layer becomes pointwise: it sees each of its windows as one pixel of kernel x kernel x
/// channels, for one or three channels would leave most lanes idle.
Network with_pointwise_head(Network network);

/// Lays out everything, of a network with a pointwise head. Throws InputError where the
/// configuration is too small for it.
TrainingLayouts lay_out_training(const Config& config, const Network& network, int batch);

}  // namespace solfege
