// SPDX-License-Identifier: Apache-2.0
// What the tests of the float reference share: seeds, shapes, and numerical gradients.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "model/base/splitmix.hpp"
#include "model/reference/float_layers.hpp"
#include "model/schemes/dorefa.hpp"
#include "model/spec/network.hpp"

namespace solfege {

/// SOLFEGE_SEED, or always the same.
inline std::uint64_t test_seed() {
  const char* text = std::getenv("SOLFEGE_SEED");
  return text == nullptr ? 20160620 : std::stoull(text);
}

inline std::vector<float> random_values(std::size_t count, SplitMix64* random) {
  std::vector<float> values(count);
  for (float& value : values) value = 2.0f * random->uniform() - 1.0f;
  return values;
}

inline double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// The largest difference between `gradient` and the central differences of f at `at`, over the
/// largest |difference|. Where f is not a number (it may say so next to a kink) nothing is
/// compared; infinity if that is more than a fifth of the elements.
inline double finite_difference_error(const std::function<double(const std::vector<float>&)>& f,
                                      std::vector<float> at, const std::vector<float>& gradient,
                                      float step) {
  double error = 0.0, largest = 0.0;
  std::size_t skipped = 0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const float middle = at[i];
    const float high = middle + step, low = middle - step;
    at[i] = high;
    double difference = f(at);
    at[i] = low;
    difference = (difference - f(at)) / (static_cast<double>(high) - low);
    at[i] = middle;
    if (std::isnan(difference)) {
      ++skipped;
      continue;
    }
    error = std::max(error, std::abs(difference - gradient[i]));
    largest = std::max(largest, std::abs(difference));
  }
  if (5 * skipped > at.size()) return HUGE_VAL;
  return error / largest;
}

inline Layer conv_layer(int height, int width, int in_channels, int out_channels, int kernel,
                        int stride, int padding) {
  Layer layer;
  layer.in_height = height;
  layer.in_width = width;
  layer.in_channels = in_channels;
  layer.kernel_height = layer.kernel_width = kernel;
  layer.stride_height = layer.stride_width = stride;
  layer.padding_height = layer.padding_width = padding;
  layer.out_height = (height + 2 * padding - kernel) / stride + 1;
  layer.out_width = (width + 2 * padding - kernel) / stride + 1;
  layer.out_channels = out_channels;
  return layer;
}

/// 7 x 6 pixels, 3 x 2 kernels, stride 2 x 3, padding 0 x 1.
inline Layer grouped_layer(int in_channels, int out_channels, int groups) {
  Layer layer = conv_layer(7, 6, in_channels, out_channels, 3, 2, 0);
  layer.kernel_width = 2;
  layer.stride_width = 3;
  layer.padding_width = 1;
  layer.out_width = (6 + 2 - 2) / 3 + 1;
  layer.groups = groups;
  return layer;
}

inline Layer fc_layer(int height, int width, int in_channels, int out_channels) {
  Layer layer = conv_layer(height, width, in_channels, out_channels, height, 1, 0);
  layer.kernel_width = width;
  layer.out_width = 1;
  return layer;
}

inline std::size_t input_size(const Layer& layer, int batch) {
  return static_cast<std::size_t>(batch) * layer.in_height * layer.in_width * layer.in_channels;
}

inline std::size_t output_size(const Layer& layer, int batch) {
  return static_cast<std::size_t>(batch) * layer.out_height * layer.out_width * layer.out_channels;
}

/// The convolution by its definition.
inline std::vector<float> direct_convolution(const Layer& layer, int batch,
                                             const std::vector<float>& input,
                                             const std::vector<float>& weights) {
  std::vector<float> output;
  for (int sample = 0; sample < batch; ++sample) {
    for (int oy = 0; oy < layer.out_height; ++oy) {
      for (int ox = 0; ox < layer.out_width; ++ox) {
        for (int oc = 0; oc < layer.out_channels; ++oc) {
          double sum = 0.0;
          for (int ky = 0; ky < layer.kernel_height; ++ky) {
            for (int kx = 0; kx < layer.kernel_width; ++kx) {
              const int y = oy * layer.stride_height + ky - layer.padding_height;
              const int x = ox * layer.stride_width + kx - layer.padding_width;
              if (y < 0 || y >= layer.in_height || x < 0 || x >= layer.in_width) continue;
              const int ins = layer.in_channels / layer.groups;
              const int first = oc / (layer.out_channels / layer.groups) * ins;
              for (int ic = 0; ic < ins; ++ic) {
                const int in =
                    ((sample * layer.in_height + y) * layer.in_width + x) * layer.in_channels +
                    first + ic;
                const int w =
                    ((oc * layer.kernel_height + ky) * layer.kernel_width + kx) * ins + ic;
                sum += static_cast<double>(input[in]) * weights[w];
              }
            }
          }
          output.push_back(static_cast<float>(sum));
        }
      }
    }
  }
  return output;
}

}  // namespace solfege
