// SPDX-License-Identifier: Apache-2.0
#include "model/dorefa.hpp"

// GCC 12 takes the deliberately undefined operands of its own AVX-512 intrinsics, inlined from
// Eigen's products, for uninitialised variables (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <eigen3/Eigen/Dense>

#include "model/error.hpp"

namespace solfege {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Matrix>;
using Map = Eigen::Map<Matrix>;

/// quantize_k of eq. 5, ties up, of x in [0, 1]. In double n_k x + 1/2 is exact, so ties are too.
double quantize_unit(double x, int bits) {
  const double n = static_cast<double>((std::int64_t{1} << bits) - 1);
  return std::floor(std::clamp(x, 0.0, 1.0) * n + 0.5) / n;
}

/// The largest |tanh w| and, through `index`, the first element that has it.
double max_tanh(const std::vector<float>& weights, std::size_t* index) {
  float largest = 0.0f;
  *index = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (std::abs(weights[i]) > largest) {
      largest = std::abs(weights[i]);
      *index = i;
    }
  }
  return std::tanh(static_cast<double>(largest));
}

/// True where the windows are the samples themselves, in order: a fully-connected layer.
bool covers_input(const Layer& layer) {
  return layer.padding == 0 && layer.kernel_height == layer.in_height &&
         layer.kernel_width == layer.in_width;
}

Eigen::Index window_count(const Layer& layer, int batch) {
  return static_cast<Eigen::Index>(batch) * layer.out_height * layer.out_width;
}

/// Calls f(row of window matrix, offset in that row, offset in the input, length) for each run of
/// taps that lies inside the input; the taps of one kernel row are contiguous in both.
template <typename F>
void for_each_run(const Layer& layer, int batch, F f) {
  std::size_t row = 0;
  for (int sample = 0; sample < batch; ++sample) {
    for (int oy = 0; oy < layer.out_height; ++oy) {
      for (int ox = 0; ox < layer.out_width; ++ox, ++row) {
        const int x0 = ox * layer.stride - layer.padding;
        const int first = std::max(0, -x0);
        const int last = std::min(layer.kernel_width, layer.in_width - x0);
        if (first >= last) continue;
        for (int ky = 0; ky < layer.kernel_height; ++ky) {
          const int y = oy * layer.stride - layer.padding + ky;
          if (y < 0 || y >= layer.in_height) continue;
          const std::size_t tap =
              (static_cast<std::size_t>(ky) * layer.kernel_width + first) * layer.in_channels;
          const std::size_t source =
              ((static_cast<std::size_t>(sample) * layer.in_height + y) * layer.in_width + x0 +
               first) *
              layer.in_channels;
          f(row, tap, source, static_cast<std::size_t>(last - first) * layer.in_channels);
        }
      }
    }
  }
}

/// im2col: [batch * out_y * out_x][ky][kx][in_channel], zero where padded.
Matrix windows(const Layer& layer, int batch, const std::vector<float>& input) {
  if (covers_input(layer)) return ConstMap(input.data(), batch, layer.fan_in());
  Matrix result = Matrix::Zero(window_count(layer, batch), layer.fan_in());
  for_each_run(
      layer, batch, [&](std::size_t row, std::size_t tap, std::size_t source, std::size_t length) {
        std::memcpy(result.row(row).data() + tap, input.data() + source, length * sizeof(float));
      });
  return result;
}

}  // namespace

float quantize_activation(float x, int bits) {
  if (!quantizes(bits)) return std::clamp(x, 0.0f, 1.0f);
  return static_cast<float>(quantize_unit(x, bits));
}

std::vector<float> quantize_weights(const std::vector<float>& weights, int bits) {
  if (!quantizes(bits) || weights.empty()) return weights;
  std::vector<float> result(weights.size());
  if (bits == 1) {
    double sum = 0.0;
    for (const float w : weights) sum += std::abs(w);
    const float mean = static_cast<float>(sum / static_cast<double>(weights.size()));
    for (std::size_t i = 0; i < weights.size(); ++i) result[i] = weights[i] < 0 ? -mean : mean;
    return result;
  }
  std::size_t index = 0;
  const double largest = max_tanh(weights, &index);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double t = largest > 0 ? std::tanh(static_cast<double>(weights[i])) / largest : 0.0;
    result[i] = static_cast<float>(2.0 * quantize_unit(0.5 * t + 0.5, bits) - 1.0);
  }
  return result;
}

std::vector<float> weight_gradient(const std::vector<float>& weights,
                                   const std::vector<float>& gradient, int bits,
                                   MaxGradient max_gradient) {
  if (!quantizes(bits) || bits == 1) return gradient;
  std::vector<float> result(weights.size(), 0.0f);
  std::size_t index = 0;
  const double largest = max_tanh(weights, &index);
  if (largest == 0.0) return result;
  double through_max = 0.0;  // sum_j g_j t_j
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double t = std::tanh(static_cast<double>(weights[i]));
    result[i] = static_cast<float>(gradient[i] * (1.0 - t * t) / largest);
    through_max += gradient[i] * t;
  }
  if (max_gradient == MaxGradient::kChainRule) {
    const double sign = weights[index] < 0 ? -1.0 : 1.0;
    result[index] -=
        static_cast<float>((1.0 - largest * largest) * sign * through_max / (largest * largest));
  }
  return result;
}

void quantize_gradient(float* gradient, int batch, std::size_t elements, int bits,
                       SplitMix64* random) {
  if (!quantizes(bits)) return;
  const float n = static_cast<float>((std::int64_t{1} << bits) - 1);
  for (int sample = 0; sample < batch; ++sample) {
    float* g = gradient + static_cast<std::size_t>(sample) * elements;
    float largest = 0.0f;
    for (std::size_t i = 0; i < elements; ++i) largest = std::max(largest, std::abs(g[i]));
    if (largest == 0.0f) continue;
    for (std::size_t i = 0; i < elements; ++i) {
      // n (g / 2M + 1/2) + sigma, then + 1/2 and floor: floor(position + u), u = sigma + 1/2.
      const float position = n * (0.5f * (g[i] / largest) + 0.5f);
      const float code = std::clamp(std::floor(position + random->uniform()), 0.0f, n);
      g[i] = largest * (2.0f * (code / n) - 1.0f);
    }
  }
}

std::vector<float> conv_forward(const Layer& layer, int batch, const std::vector<float>& input,
                                const std::vector<float>& weights) {
  const Eigen::Index rows = window_count(layer, batch);
  std::vector<float> output(static_cast<std::size_t>(rows) * layer.out_channels);
  const ConstMap kernel(weights.data(), layer.out_channels, layer.fan_in());
  Map result(output.data(), rows, layer.out_channels);
  result.noalias() = windows(layer, batch, input) * kernel.transpose();
  return output;
}

std::vector<float> conv_backward_input(const Layer& layer, int batch,
                                       const std::vector<float>& gradient,
                                       const std::vector<float>& weights) {
  std::vector<float> result(static_cast<std::size_t>(batch) * layer.in_height * layer.in_width *
                            layer.in_channels);
  const ConstMap outputs(gradient.data(), window_count(layer, batch), layer.out_channels);
  const ConstMap kernel(weights.data(), layer.out_channels, layer.fan_in());
  if (covers_input(layer)) {
    Map(result.data(), batch, layer.fan_in()).noalias() = outputs * kernel;
    return result;
  }
  const Matrix taps = outputs * kernel;
  for_each_run(layer, batch,
               [&](std::size_t row, std::size_t tap, std::size_t source, std::size_t length) {
                 const float* from = taps.row(row).data() + tap;
                 float* to = result.data() + source;
                 for (std::size_t i = 0; i < length; ++i) to[i] += from[i];
               });
  return result;
}

std::vector<float> conv_backward_weight(const Layer& layer, int batch,
                                        const std::vector<float>& gradient,
                                        const std::vector<float>& input) {
  std::vector<float> result(static_cast<std::size_t>(layer.out_channels) * layer.fan_in());
  const ConstMap outputs(gradient.data(), window_count(layer, batch), layer.out_channels);
  Map(result.data(), layer.out_channels, layer.fan_in()).noalias() =
      outputs.transpose() * windows(layer, batch, input);
  return result;
}

double softmax_cross_entropy(const std::vector<float>& logits, const std::uint8_t* labels,
                             int batch, int classes, std::vector<float>* gradient) {
  if (gradient != nullptr) gradient->resize(logits.size());
  double loss = 0.0;
  for (int sample = 0; sample < batch; ++sample) {
    const int label = labels[sample];
    if (label >= classes) {
      throw InputError(
          fmt::format("label {} of sample {} of the batch is not one of the network's {} classes "
                      "(0 to {}); use "
                      "a data set with that many classes or widen the last layer",
                      label, sample, classes, classes - 1));
    }
    const std::size_t first = static_cast<std::size_t>(sample) * classes;
    const double largest =
        *std::max_element(logits.begin() + first, logits.begin() + first + classes);
    double sum = 0.0;
    for (int i = 0; i < classes; ++i) sum += std::exp(logits[first + i] - largest);
    loss += std::log(sum) - (logits[first + label] - largest);
    if (gradient == nullptr) continue;
    for (int i = 0; i < classes; ++i) {
      const double p = std::exp(logits[first + i] - largest) / sum;
      (*gradient)[first + i] = static_cast<float>((p - (i == label)) / batch);
    }
  }
  return loss / batch;
}

FloatEngine::FloatEngine(const Network& network, std::uint64_t seed, bool quantized,
                         MaxGradient max_gradient)
    : network_(network),
      learning_rate_(network.learning_rate),
      max_gradient_(max_gradient),
      random_(~seed),
      states_(network.layers.size()) {
  if (!quantized) {
    for (Layer& layer : network_.layers) {
      layer.weight_bits = layer.input_bits = layer.output_bits = layer.gradient_bits = 32;
    }
  }
  for (std::size_t i = 0; i < states_.size(); ++i) {
    State& state = states_[i];
    state.weights = initial_weights(network_, static_cast<int>(i), seed);
    state.weight_velocity.assign(state.weights.size(), 0.0f);
    state.bias.assign(network_.layers[i].out_channels, 0.0f);
    state.bias_velocity = state.bias;
  }
}

void FloatEngine::forward(const std::uint8_t* pixels, int batch) {
  const std::size_t size = static_cast<std::size_t>(batch) * network_.in_height *
                           network_.in_width * network_.in_channels;
  std::vector<float> input(size);
  for (std::size_t i = 0; i < size; ++i) input[i] = static_cast<float>(pixels[i]) / 255.0f;
  for (std::size_t k = 0; k < states_.size(); ++k) {
    const Layer& layer = network_.layers[k];
    State& state = states_[k];
    state.input = std::move(input);
    state.quantized_weights = quantize_weights(state.weights, layer.weight_bits);
    state.output = conv_forward(layer, batch, state.input, state.quantized_weights);
    Map(state.output.data(), window_count(layer, batch), layer.out_channels).rowwise() +=
        Eigen::Map<const Eigen::RowVectorXf>(state.bias.data(), layer.out_channels);
    if (k + 1 == states_.size()) break;
    // Batch normalisation and pooling would come here, before the clip.
    input.resize(state.output.size());
    for (std::size_t i = 0; i < input.size(); ++i) {
      input[i] = quantize_activation(state.output[i], layer.output_bits);
    }
  }
}

double FloatEngine::train_step(const std::uint8_t* pixels, const std::uint8_t* labels, int batch) {
  forward(pixels, batch);
  std::vector<float> gradient;
  const double loss =
      softmax_cross_entropy(states_.back().output, labels, batch, network_.classes, &gradient);
  for (std::size_t k = states_.size(); k-- > 0;) {
    const Layer& layer = network_.layers[k];
    State& state = states_[k];
    if (k + 1 < states_.size()) {
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        if (!clip_passes(state.output[i])) gradient[i] = 0.0f;
      }
    }
    // Backward of batch normalisation would come here, between the clip and f_G.
    state.bias_gradient.resize(layer.out_channels);
    Eigen::Map<Eigen::RowVectorXf>(state.bias_gradient.data(), layer.out_channels) =
        ConstMap(gradient.data(), window_count(layer, batch), layer.out_channels).colwise().sum();
    quantize_gradient(gradient.data(), batch, gradient.size() / batch, layer.gradient_bits,
                      &random_);
    state.weight_gradient =
        weight_gradient(state.weights, conv_backward_weight(layer, batch, gradient, state.input),
                        layer.weight_bits, max_gradient_);
    state.output_gradient = std::move(gradient);
    if (k > 0) {
      gradient = conv_backward_input(layer, batch, state.output_gradient, state.quantized_weights);
    }
  }
  const float rate = static_cast<float>(learning_rate_);
  const float momentum = static_cast<float>(network_.momentum);
  const float decay = static_cast<float>(network_.weight_decay);
  for (State& state : states_) {
    for (std::size_t i = 0; i < state.weights.size(); ++i) {
      float& v = state.weight_velocity[i];
      v = momentum * v + (state.weight_gradient[i] + decay * state.weights[i]);
      state.weights[i] -= rate * v;
    }
    for (std::size_t i = 0; i < state.bias.size(); ++i) {
      float& v = state.bias_velocity[i];
      v = momentum * v + state.bias_gradient[i];
      state.bias[i] -= rate * v;
    }
  }
  return loss;
}

std::vector<int> FloatEngine::predict(const std::uint8_t* pixels, int batch) {
  forward(pixels, batch);
  const std::vector<float>& logits = states_.back().output;
  std::vector<int> classes(batch);
  for (int sample = 0; sample < batch; ++sample) {
    const auto first = logits.begin() + static_cast<std::ptrdiff_t>(sample) * network_.classes;
    classes[sample] = static_cast<int>(std::max_element(first, first + network_.classes) - first);
  }
  return classes;
}

}  // namespace solfege
