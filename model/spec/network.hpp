// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/spec/pooling.hpp"

namespace solfege {

/// Constants of batch normalisation in the authors' code (svhn-digit-dorefa.py): what is added to a
/// variance, and what is kept of running statistics in a step.
constexpr double kBatchNormEpsilon = 1e-4;
constexpr double kRunningMomentum = 0.9;

/// Bits of a descriptor's stride.
constexpr int kMaxStride = 63;
/// Most bits of the weights of groups that share blocks of channels: the 0 between them takes one
/// more, and thresholds give codes of 8.
constexpr int kMostGroupedBits = 7;

/// A convolutional, fully-connected or averaging layer with everything resolved. A fully-connected
/// layer is a convolution whose kernel covers its whole input map (valid padding, one output
/// pixel). An averaging layer is a convolution of each channel by itself whose weights are all 1 /
/// (kernel height times width), and are not trained.
struct Layer {
  std::string name;
  bool fully_connected = false;  ///< as its file says; only names and shapes of files depend on it
  /// Index of the earlier layer whose codes it reads; -1: the layer before, or the images.
  int input = -1;
  bool is_average = false;
  int in_height = 1, in_width = 1, in_channels = 1;
  int out_height = 1, out_width = 1, out_channels = 1;
  int kernel_height = 1, kernel_width = 1;
  int stride_height = 1, stride_width = 1;    ///< at most kMaxStride
  int padding_height = 0, padding_width = 0;  ///< on each side; < kernel
  /// Output channels in as many groups, each of which sees its group of the input channels alone.
  /// Both divide. As many as input channels: depthwise.
  int groups = 1;
  bool batch_norm = false;  ///< between convolution and pooling; then there is no bias
  int pool = 1;             ///< side of the max-pooling windows; 1: none
  int pool_stride = 0;      ///< from one window to the next; 0: `pool`
  int pool_padding = 0;     ///< pixels around the map that no maximum takes; at most pool / 2
  double dropout = 0.0;     ///< probability that a code of its output is dropped, kept ones scaled
  /// First and last layer: codes are scaled back to the weights' size, s = tanh(max |w|), for no
  /// batch norm follows that would.
  bool is_edge = false;
  std::string scheme = "dorefa";  ///< how it is quantized: a name of model/schemes
  std::map<std::string, double> scheme_parameters;  ///< those that are not at their default
  /// The upper bound of its activations, where the scheme learns or measures one; moves in
  /// training.
  double activation_bound = 1.0;
  int residual = -1;      ///< index of the layer whose sum p is added to this one's; -1: none
  int weight_bits = 1;    ///< W of this layer
  int input_bits = 2;     ///< planes of its input codes (pixels, or A of the layer before)
  int output_bits = 2;    ///< A of its output codes; 0 for the last layer (logits)
  int gradient_bits = 4;  ///< G of f_G on its output; 0 for the last layer (wide signed operand)
  /// Windows of the max-pooling, over its own map; and of an averaging layer, over its input's.
  Pooling pooling() const {
    const int stride = pool_stride > 0 ? pool_stride : pool;
    return {{out_height, pool, stride, pool_padding}, {out_width, pool, stride, pool_padding}};
  }
  Pooling averaging() const {
    return {{in_height, kernel_height, stride_height, 0},
            {in_width, kernel_width, stride_width, 0}};
  }
  int pooled_height() const { return pooling().y.windows(); }
  int pooled_width() const { return pooling().x.windows(); }
  int group_inputs() const { return in_channels / groups; }
  /// Input channels that an output channel sees.
  int seen_channels() const { return is_average ? 1 : group_inputs(); }
  int fan_in() const { return kernel_height * kernel_width * seen_channels(); }
};

/// Bits of the weights of layers between the first and the last, in grouped ones at most
/// kMostGroupedBits, and of all activations; 0: what the layers have.
struct Precision {
  int weight_bits = 0, activation_bits = 0;
};

/// What a training makes of a network's precisions.
enum class Curriculum {
  kSingle,  ///< there is one
  /// One after another, an equal share of the training each: the weights go on, batch norm and
  /// biases too.
  kPhases,
  /// All in every step, with one set of weights, whose gradients are summed, and a batch norm and
  /// biases for each. The first learns the labels, each other the probabilities of the one before.
  kJoint,
  /// A student and a teacher, each with weights of its own, learn the labels; their layers with
  /// batch norm draw each other's p near.
  kGuided,
};

/// A network as layers in order; each reads the codes of one earlier layer, its input. A layer is
///   o = conv(codes of its input, f_W(w))   (backward: f_G on dLoss/do)
///   p = batch_norm(o) or o + bias, + p of the residual layer if any (same shape, no pooling)
///   codes = dropout(f_A(clip(max_pool(p), 0, 1)))
/// and the last layer gives logits o + bias. What reads a layer sees the pooled map. An averaging
/// layer is
///   codes = round(levels * mean of the values of its input's codes / the largest such value)
/// where levels is 2^output_bits - 1, or 2^(output_bits - 1) - 1 where values may be negative;
/// backward, each value of a window gets an equal share of the gradient. Pixels of a map that no
/// window of a pooling or averaging layer covers get none.
struct Network {
  std::string name;
  int in_height = 28, in_width = 28, in_channels = 1, classes = 10;
  double learning_rate = 0.05, momentum = 0.9, weight_decay = 1e-4;
  /// Learning rate is multiplied by this after each epoch.
  double learning_rate_decay = 1.0;
  std::vector<Layer> layers;  ///< as the last of the phases has them, else the first precision
  Curriculum curriculum = Curriculum::kSingle;
  std::vector<Precision> precisions = {{}};
  double guidance = 0.0;  ///< kGuided: weight of the mean square of the differences of p

  Network at(const Precision& precision) const;
  /// Index of the layer that layer `k` reads; -1: the images.
  int input_of(int k) const {
    const int named = layers[static_cast<std::size_t>(k)].input;
    return named >= 0 ? named : k - 1;
  }
  /// The layers that read the codes of layer `k`, in order.
  std::vector<int> readers(int k) const {
    std::vector<int> list;
    for (int later = k + 1; later < static_cast<int>(layers.size()); ++later)
      if (input_of(later) == k) list.push_back(later);
    return list;
  }
  /// The layers that add p of layer `k` to their own, in order.
  std::vector<int> adders(int k) const {
    std::vector<int> list;
    for (int later = k + 1; later < static_cast<int>(layers.size()); ++later)
      if (layers[static_cast<std::size_t>(later)].residual == k) list.push_back(later);
    return list;
  }
};

/// What a network sees and tells apart.
struct ImageShape {
  int height = 28, width = 28, channels = 1, classes = 10;
};

}  // namespace solfege
