// SPDX-License-Identifier: Apache-2.0
// Convolution, batch normalisation, pooling and dropout.
#include "model/reference/float_layers.hpp"

#include <fmt/format.h>

// GCC 12 takes the deliberately undefined operands of its own AVX-512 intrinsics, inlined from
// Eigen's products, for uninitialised variables (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <eigen3/Eigen/Dense>
#include <limits>

#include "model/base/error.hpp"
#include "model/base/parallel.hpp"
#include "model/base/splitmix.hpp"
#include "model/schemes/scheme.hpp"

namespace solfege {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Matrix>;
using Map = Eigen::Map<Matrix>;

/// True where the windows are the samples themselves, in order: a fully-connected layer.
bool covers_input(const Layer& layer) {
  return layer.padding_height == 0 && layer.padding_width == 0 &&
         layer.kernel_height == layer.in_height && layer.kernel_width == layer.in_width;
}

std::size_t input_size(const Layer& layer) {
  return static_cast<std::size_t>(layer.in_height) * layer.in_width * layer.in_channels;
}

std::size_t out_pixels(const Layer& layer) {
  return static_cast<std::size_t>(layer.out_height) * layer.out_width;
}

std::size_t output_size(const Layer& layer) { return out_pixels(layer) * layer.out_channels; }

/// Multiplications and additions of one pass of `batch` samples.
double operations(const Layer& layer, int batch) {
  return 2.0 * batch * static_cast<double>(output_size(layer)) * layer.fan_in();
}

/// Samples to convolve in one product: as many as keep the windows in the second-level cache, but
/// leaving work for kSlices threads.
int block_of_samples(const Layer& layer, int batch) {
  constexpr std::size_t kWindowElements = std::size_t{1} << 16;
  const std::size_t one = out_pixels(layer) * layer.fan_in();
  const int cached = static_cast<int>(std::min<std::size_t>(kWindowElements / one, 1 << 16));
  return std::max(1, std::min(cached, (batch + kSlices - 1) / kSlices));
}

/// Calls f(first sample, samples) for each block, in parallel.
template <typename F>
void for_each_block(const Layer& layer, int batch, F f) {
  const int block = block_of_samples(layer, batch);
  parallel_for((batch + block - 1) / block, operations(layer, batch), [&](int i) {
    const int first = i * block;
    f(first, std::min(block, batch - first));
  });
}

/// Calls f(row of window matrix, offset in that row, offset in the input, length) for each run of
/// taps that lies inside the input; the taps of one kernel row are contiguous in both.
template <typename F>
void for_each_run(const Layer& layer, int batch, F f) {
  std::size_t row = 0;
  for (int sample = 0; sample < batch; ++sample) {
    for (int oy = 0; oy < layer.out_height; ++oy) {
      for (int ox = 0; ox < layer.out_width; ++ox, ++row) {
        const int x0 = ox * layer.stride_width - layer.padding_width;
        const int first = std::max(0, -x0);
        const int last = std::min(layer.kernel_width, layer.in_width - x0);
        if (first >= last) continue;
        for (int ky = 0; ky < layer.kernel_height; ++ky) {
          const int y = oy * layer.stride_height - layer.padding_height + ky;
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

/// im2col of `samples` samples: [samples * out_y * out_x][ky][kx][in_channel], zero where padded.
/// `buffer` holds it unless it is the input itself.
ConstMap windows(const Layer& layer, int samples, const float* input, Matrix* buffer) {
  const Eigen::Index rows = static_cast<Eigen::Index>(samples) * out_pixels(layer);
  if (covers_input(layer)) return ConstMap(input, rows, layer.fan_in());
  buffer->resize(rows, layer.fan_in());
  if (layer.padding_height > 0 || layer.padding_width > 0) buffer->setZero();
  float* const to = buffer->data();
  const std::size_t stride = layer.fan_in();
  for_each_run(layer, samples,
               [&](std::size_t row, std::size_t tap, std::size_t source, std::size_t length) {
                 std::memcpy(to + row * stride + tap, input + source, length * sizeof(float));
               });
  return ConstMap(buffer->data(), rows, layer.fan_in());
}

/// Sums over the rows of x [rows][channels] of `terms` quantities: f(row, sums) adds those of one
/// row to sums [terms][channels].
template <typename F>
std::vector<double> sums_over_rows(std::size_t rows, int channels, int terms, F f) {
  const std::size_t width = static_cast<std::size_t>(terms) * channels;
  std::vector<double> partial(kSlices * width, 0.0);
  parallel_slices(rows, static_cast<double>(rows * width),
                  [&](int slice, std::size_t first, std::size_t last) {
                    double* sums = partial.data() + slice * width;
                    for (std::size_t row = first; row < last; ++row) f(row, sums);
                  });
  for (int slice = 1; slice < kSlices; ++slice) {
    for (std::size_t i = 0; i < width; ++i) partial[i] += partial[slice * width + i];
  }
  partial.resize(width);
  return partial;
}

/// Calls f(row) for each row, in parallel.
template <typename F>
void for_each_row(std::size_t rows, double work, F f) {
  parallel_slices(rows, work, [&](int, std::size_t first, std::size_t last) {
    for (std::size_t row = first; row < last; ++row) f(row);
  });
}

std::vector<float> inverse_deviation(const std::vector<float>& variance) {
  std::vector<float> result(variance.size());
  for (std::size_t c = 0; c < result.size(); ++c) {
    result[c] = 1.0f / std::sqrt(variance[c] + static_cast<float>(kBatchNormEpsilon));
  }
  return result;
}

std::size_t pooled_size(const Layer& layer) {
  return static_cast<std::size_t>(layer.pooled_height()) * layer.pooled_width() *
         layer.out_channels;
}

/// From a map's first pixel to the first of window (y, x), which padding may put outside.
struct Corner {
  int y, x;
};

/// Calls f(corner of the window, offset of the sample's first element in the map, offset of the
/// window's result in the pooled map) for all pooling windows.
template <typename F>
void for_each_window(const Pooling& windows, int batch, std::size_t channels, F f) {
  const std::size_t map = static_cast<std::size_t>(windows.y.map) * windows.x.map * channels;
  parallel_for(batch, 2.0 * batch * static_cast<double>(map), [&](int sample) {
    std::size_t pooled = static_cast<std::size_t>(sample) * windows.windows() * channels;
    for (int y = 0; y < windows.y.windows(); ++y)
      for (int x = 0; x < windows.x.windows(); ++x, pooled += channels)
        f(Corner{y * windows.y.stride - windows.y.padding,
                 x * windows.x.stride - windows.x.padding},
          static_cast<std::size_t>(sample) * map, pooled);
  });
}

/// Calls f(place in the window, offset of its first channel in the map) for those of a window's
/// pixels that lie in the map, in raster order.
template <typename F>
void for_each_place(const Pooling& windows, Corner corner, std::size_t channels, F f) {
  for (int y = 0; y < windows.y.size; ++y) {
    const int line = corner.y + y;
    if (line < 0 || line >= windows.y.map) continue;
    for (int x = 0; x < windows.x.size; ++x) {
      const int column = corner.x + x;
      if (column < 0 || column >= windows.x.map) continue;
      f(y * windows.x.size + x,
        (static_cast<std::size_t>(line) * windows.x.map + column) * channels);
    }
  }
}

/// A layer of one group, as the products below take it.
std::vector<float> group_forward(const Layer& layer, int batch, const std::vector<float>& input,
                                 const std::vector<float>& weights) {
  std::vector<float> output(batch * output_size(layer));
  const ConstMap kernel(weights.data(), layer.out_channels, layer.fan_in());
  for_each_block(layer, batch, [&](int first, int samples) {
    Matrix buffer;
    Map result(output.data() + first * output_size(layer), samples * out_pixels(layer),
               layer.out_channels);
    result.noalias() = windows(layer, samples, input.data() + first * input_size(layer), &buffer) *
                       kernel.transpose();
  });
  return output;
}

std::vector<float> group_backward_input(const Layer& layer, int batch,
                                        const std::vector<float>& gradient,
                                        const std::vector<float>& weights) {
  std::vector<float> result(batch * input_size(layer));
  const ConstMap kernel(weights.data(), layer.out_channels, layer.fan_in());
  for_each_block(layer, batch, [&](int first, int samples) {
    const ConstMap outputs(gradient.data() + first * output_size(layer),
                           samples * out_pixels(layer), layer.out_channels);
    float* const to = result.data() + first * input_size(layer);
    if (covers_input(layer)) {
      Map(to, samples, layer.fan_in()).noalias() = outputs * kernel;
      return;
    }
    const Matrix taps = outputs * kernel;
    const std::size_t stride = layer.fan_in();
    for_each_run(layer, samples,
                 [&](std::size_t row, std::size_t tap, std::size_t source, std::size_t length) {
                   const float* from = taps.data() + row * stride + tap;
                   for (std::size_t i = 0; i < length; ++i) to[source + i] += from[i];
                 });
  });
  return result;
}

std::vector<float> group_backward_weight(const Layer& layer, int batch,
                                         const std::vector<float>& gradient,
                                         const std::vector<float>& input) {
  const std::size_t size = static_cast<std::size_t>(layer.out_channels) * layer.fan_in();
  std::vector<float> result(size);
  if (covers_input(layer)) {
    // Many weights, few windows: each thread computes its output channels from the whole batch.
    const ConstMap outputs(gradient.data(), batch, layer.out_channels);
    const ConstMap inputs(input.data(), batch, layer.fan_in());
    parallel_slices(layer.out_channels, operations(layer, batch),
                    [&](int, std::size_t first, std::size_t last) {
                      const auto count = static_cast<Eigen::Index>(last - first);
                      if (count == 0) return;
                      Map(result.data() + first * layer.fan_in(), count, layer.fan_in()).noalias() =
                          outputs.middleCols(first, count).transpose() * inputs;
                    });
    return result;
  }
  std::vector<float> partial(kSlices * size);
  const int block = block_of_samples(layer, batch);
  parallel_slices(
      batch, operations(layer, batch), [&](int slice, std::size_t begin, std::size_t end) {
        Matrix buffer;
        Map sum(partial.data() + slice * size, layer.out_channels, layer.fan_in());
        for (std::size_t first = begin; first < end; first += block) {
          const int samples = static_cast<int>(std::min<std::size_t>(block, end - first));
          const ConstMap outputs(gradient.data() + first * output_size(layer),
                                 samples * out_pixels(layer), layer.out_channels);
          sum.noalias() +=
              outputs.transpose() *
              windows(layer, samples, input.data() + first * input_size(layer), &buffer);
        }
      });
  parallel_slices(size, static_cast<double>(kSlices * size),
                  [&](int, std::size_t first, std::size_t last) {
                    for (int slice = 0; slice < kSlices; ++slice) {
                      const float* from = partial.data() + slice * size;
                      for (std::size_t i = first; i < last; ++i) result[i] += from[i];
                    }
                  });
  return result;
}

/// A layer's groups as layers of their own.
Layer group_of(const Layer& layer) {
  Layer group = layer;
  group.in_channels = layer.group_inputs();
  group.out_channels = layer.out_channels / layer.groups;
  group.groups = 1;
  return group;
}

/// x [..][channels] from the group's first channel on, `count` of them; and back.
std::vector<float> take_channels(const std::vector<float>& x, int channels, int first, int count) {
  std::vector<float> part;
  part.reserve(x.size() / channels * count);
  for (std::size_t row = first; row < x.size(); row += channels)
    part.insert(part.end(), x.begin() + row, x.begin() + row + count);
  return part;
}
void put_channels(std::vector<float>* x, int channels, int first, int count,
                  const std::vector<float>& part) {
  for (std::size_t i = 0, row = first; row < x->size(); i += count, row += channels)
    std::copy_n(part.begin() + i, count, x->begin() + row);
}

/// The group-th of the layer's parts of weights, [out of the group][tap][in of the group].
std::vector<float> take_weights(const std::vector<float>& weights, int groups, int group) {
  const std::size_t size = weights.size() / groups;
  return {weights.begin() + group * size, weights.begin() + (group + 1) * size};
}

}  // namespace

std::vector<float> conv_forward(const Layer& layer, int batch, const std::vector<float>& input,
                                const std::vector<float>& weights) {
  if (layer.groups == 1) return group_forward(layer, batch, input, weights);
  const Layer one = group_of(layer);
  std::vector<float> output(batch * output_size(layer));
  for (int g = 0; g < layer.groups; ++g)
    put_channels(
        &output, layer.out_channels, g * one.out_channels, one.out_channels,
        group_forward(one, batch,
                      take_channels(input, layer.in_channels, g * one.in_channels, one.in_channels),
                      take_weights(weights, layer.groups, g)));
  return output;
}

std::vector<float> conv_backward_input(const Layer& layer, int batch,
                                       const std::vector<float>& gradient,
                                       const std::vector<float>& weights) {
  if (layer.groups == 1) return group_backward_input(layer, batch, gradient, weights);
  const Layer one = group_of(layer);
  std::vector<float> result(batch * input_size(layer));
  for (int g = 0; g < layer.groups; ++g)
    put_channels(&result, layer.in_channels, g * one.in_channels, one.in_channels,
                 group_backward_input(one, batch,
                                      take_channels(gradient, layer.out_channels,
                                                    g * one.out_channels, one.out_channels),
                                      take_weights(weights, layer.groups, g)));
  return result;
}

std::vector<float> conv_backward_weight(const Layer& layer, int batch,
                                        const std::vector<float>& gradient,
                                        const std::vector<float>& input) {
  if (layer.groups == 1) return group_backward_weight(layer, batch, gradient, input);
  const Layer one = group_of(layer);
  std::vector<float> result;
  for (int g = 0; g < layer.groups; ++g) {
    const std::vector<float> part = group_backward_weight(
        one, batch,
        take_channels(gradient, layer.out_channels, g * one.out_channels, one.out_channels),
        take_channels(input, layer.in_channels, g * one.in_channels, one.in_channels));
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

std::vector<float> channel_sums(const std::vector<float>& x, int channels) {
  const std::vector<double> sums =
      sums_over_rows(x.size() / channels, channels, 1, [&](std::size_t row, double* to) {
        const float* from = x.data() + row * channels;
        for (int c = 0; c < channels; ++c) to[c] += from[c];
      });
  return std::vector<float>(sums.begin(), sums.end());
}

void batch_statistics(const std::vector<float>& x, int channels, std::vector<float>* mean,
                      std::vector<float>* variance) {
  const std::size_t rows = x.size() / channels;
  // In double: the variance is the small difference of two large numbers.
  const std::vector<double> sums =
      sums_over_rows(rows, channels, 2, [&](std::size_t row, double* to) {
        const float* from = x.data() + row * channels;
        for (int c = 0; c < channels; ++c) {
          const double value = from[c];
          to[c] += value;
          to[channels + c] += value * value;
        }
      });
  mean->resize(channels);
  variance->resize(channels);
  for (int c = 0; c < channels; ++c) {
    const double average = sums[c] / static_cast<double>(rows);
    (*mean)[c] = static_cast<float>(average);
    (*variance)[c] = static_cast<float>(
        std::max(0.0, sums[channels + c] / static_cast<double>(rows) - average * average));
  }
}

std::vector<float> batch_norm_forward(const std::vector<float>& x, const std::vector<float>& gamma,
                                      const std::vector<float>& beta,
                                      const std::vector<float>& mean,
                                      const std::vector<float>& variance) {
  const std::size_t channels = gamma.size();
  std::vector<float> scale = inverse_deviation(variance), result(x.size());
  for (std::size_t c = 0; c < channels; ++c) scale[c] *= gamma[c];
  for_each_row(x.size() / channels, 2.0 * static_cast<double>(x.size()), [&](std::size_t row) {
    const float* from = x.data() + row * channels;
    float* to = result.data() + row * channels;
    for (std::size_t c = 0; c < channels; ++c) to[c] = (from[c] - mean[c]) * scale[c] + beta[c];
  });
  return result;
}

std::vector<float> batch_norm_backward(const std::vector<float>& x, const std::vector<float>& gamma,
                                       const std::vector<float>& mean,
                                       const std::vector<float>& variance,
                                       const std::vector<float>& gradient,
                                       std::vector<float>* gamma_gradient,
                                       std::vector<float>* beta_gradient) {
  const std::size_t channels = gamma.size(), rows = x.size() / channels;
  const std::vector<float> inverse = inverse_deviation(variance);
  // sum(g (x - mean)), sum(g)
  const std::vector<double> sums =
      sums_over_rows(rows, static_cast<int>(channels), 2, [&](std::size_t row, double* to) {
        const float* value = x.data() + row * channels;
        const float* g = gradient.data() + row * channels;
        for (std::size_t c = 0; c < channels; ++c) {
          to[c] += static_cast<double>(g[c]) * (value[c] - mean[c]);
          to[channels + c] += g[c];
        }
      });
  gamma_gradient->resize(channels);
  beta_gradient->resize(channels);
  // dC/dx = a g + b (x - mean) + c
  std::vector<float> a(channels), b(channels), constant(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double along = sums[c] * inverse[c];  // sum(g h)
    (*gamma_gradient)[c] = static_cast<float>(along);
    (*beta_gradient)[c] = static_cast<float>(sums[channels + c]);
    const double scale = static_cast<double>(gamma[c]) * inverse[c];
    a[c] = static_cast<float>(scale);
    b[c] = static_cast<float>(-scale * inverse[c] * along / static_cast<double>(rows));
    constant[c] = static_cast<float>(-scale * sums[channels + c] / static_cast<double>(rows));
  }
  std::vector<float> result(x.size());
  for_each_row(rows, 4.0 * static_cast<double>(x.size()), [&](std::size_t row) {
    const float* value = x.data() + row * channels;
    const float* g = gradient.data() + row * channels;
    float* to = result.data() + row * channels;
    for (std::size_t c = 0; c < channels; ++c)
      to[c] = a[c] * g[c] + b[c] * (value[c] - mean[c]) + constant[c];
  });
  return result;
}

std::vector<float> max_pool_forward(const Layer& layer, int batch, const std::vector<float>& x,
                                    std::vector<std::uint8_t>* places) {
  const Pooling windows = layer.pooling();
  const std::size_t channels = layer.out_channels;
  std::vector<float> result(batch * pooled_size(layer), -std::numeric_limits<float>::infinity());
  std::vector<std::uint8_t> found(result.size(), 0);
  for_each_window(windows, batch, channels, [&](Corner corner, std::size_t map, std::size_t to) {
    float* const largest = result.data() + to;
    std::uint8_t* const place = found.data() + to;
    for_each_place(windows, corner, channels, [&](int at, std::size_t from) {
      const float* const values = x.data() + map + from;
      for (std::size_t c = 0; c < channels; ++c) {
        const bool larger = values[c] > largest[c];
        largest[c] = larger ? values[c] : largest[c];
        place[c] = larger ? static_cast<std::uint8_t>(at) : place[c];
      }
    });
  });
  if (places != nullptr) *places = std::move(found);
  return result;
}

std::vector<float> max_pool_backward(const Layer& layer, int batch,
                                     const std::vector<float>& gradient,
                                     const std::vector<std::uint8_t>& places) {
  const Pooling windows = layer.pooling();
  const std::size_t channels = layer.out_channels;
  std::vector<float> result(batch * output_size(layer));
  for_each_window(windows, batch, channels, [&](Corner corner, std::size_t map, std::size_t from) {
    const float* const g = gradient.data() + from;
    const std::uint8_t* const place = places.data() + from;
    for_each_place(windows, corner, channels, [&](int at, std::size_t to) {
      float* const elements = result.data() + map + to;
      for (std::size_t c = 0; c < channels; ++c) elements[c] += place[c] == at ? g[c] : 0.0f;
    });
  });
  return result;
}

std::vector<float> average_forward(const Layer& layer, int batch, const std::vector<float>& x) {
  const Pooling windows = layer.averaging();
  const std::size_t channels = layer.out_channels;
  const auto count = static_cast<float>(layer.fan_in());
  std::vector<float> result(batch * output_size(layer));
  for_each_window(windows, batch, channels, [&](Corner corner, std::size_t map, std::size_t to) {
    float* const sums = result.data() + to;
    for_each_place(windows, corner, channels, [&](int, std::size_t from) {
      const float* const values = x.data() + map + from;
      for (std::size_t c = 0; c < channels; ++c) sums[c] += values[c];
    });
    for (std::size_t c = 0; c < channels; ++c) sums[c] /= count;
  });
  return result;
}

std::vector<float> average_backward(const Layer& layer, int batch,
                                    const std::vector<float>& gradient) {
  const Pooling windows = layer.averaging();
  const std::size_t channels = layer.out_channels;
  const auto count = static_cast<float>(layer.fan_in());
  std::vector<float> result(batch * input_size(layer));
  for_each_window(windows, batch, channels, [&](Corner corner, std::size_t map, std::size_t from) {
    const float* const g = gradient.data() + from;
    for_each_place(windows, corner, channels, [&](int, std::size_t to) {
      float* const elements = result.data() + map + to;
      for (std::size_t c = 0; c < channels; ++c) elements[c] += g[c] / count;
    });
  });
  return result;
}

std::vector<std::uint8_t> dropout_mask(std::size_t count, double probability, SplitMix64* random) {
  std::vector<std::uint8_t> kept(count);
  for (std::uint8_t& one : kept) one = random->uniform() >= probability;
  return kept;
}

void dropout(std::vector<float>* x, const std::vector<std::uint8_t>& kept, double probability) {
  const float scale = static_cast<float>(1.0 / (1.0 - probability));
  for (std::size_t i = 0; i < x->size(); ++i) (*x)[i] = kept[i] != 0 ? (*x)[i] * scale : 0.0f;
}

// ---- f_G and the loss ----

void quantize_gradient(float* gradient, int batch, std::size_t elements, int bits,
                       SplitMix64* random) {
  if (!quantizes(bits)) return;
  const float n = static_cast<float>((std::int64_t{1} << bits) - 1);
  std::vector<std::uint64_t> seeds(batch);
  for (std::uint64_t& seed : seeds) seed = random->next();
  parallel_for(batch, 10.0 * batch * static_cast<double>(elements), [&](int sample) {
    float* g = gradient + static_cast<std::size_t>(sample) * elements;
    float largest = 0.0f;
    for (std::size_t i = 0; i < elements; ++i) largest = std::max(largest, std::abs(g[i]));
    if (largest == 0.0f) return;
    SplitMix64 own(seeds[sample]);
    for (std::size_t i = 0; i < elements; ++i) {
      // n (g / 2M + 1/2) + sigma, then + 1/2 and floor: floor(position + u), u = sigma + 1/2.
      const float position = n * (0.5f * (g[i] / largest) + 0.5f);
      const float code = std::clamp(std::floor(position + own.uniform()), 0.0f, n);
      g[i] = largest * (2.0f * (code / n) - 1.0f);
    }
  });
}

namespace {

/// 2^round(log2 max|x|); 0 of zeros.
double nearest_power(const std::vector<float>& x) {
  float largest = 0.0f;
  for (const float value : x) largest = std::max(largest, std::abs(value));
  return largest == 0.0f ? 0.0 : std::exp2(std::round(std::log2(double{largest})));
}

void check_label(int label, int sample, int classes) {
  if (label >= classes) {
    throw InputError(
        fmt::format("label {} of sample {} of the batch is not one of the network's {} classes "
                    "(0 to {}); use "
                    "a data set with that many classes or widen the last layer",
                    label, sample, classes, classes - 1));
  }
}

}  // namespace

void round_gradient(std::vector<float>* gradient, int bits) {
  const double power = nearest_power(*gradient);
  if (power == 0.0 || !quantizes(bits)) return;
  const double steps = std::ldexp(1.0, bits - 1);
  for (float& g : *gradient) {
    const double code = std::floor(g / power * steps + 0.5);
    g = static_cast<float>(power * std::clamp(code, 1.0 - steps, steps - 1.0) / steps);
  }
}

void update_on_grid(std::vector<float>* weights, const std::vector<float>& gradient, double rate,
                    int grid_log2, SplitMix64* random) {
  const double power = nearest_power(gradient);
  if (power == 0.0) return;
  for (std::size_t i = 0; i < weights->size(); ++i) {
    const double steps = std::floor(rate * gradient[i] / power + double{random->uniform()});
    (*weights)[i] -= static_cast<float>(std::ldexp(steps, grid_log2));
  }
}

double squared_error(const std::vector<float>& logits, const std::uint8_t* labels, int batch,
                     int classes, std::vector<float>* gradient) {
  if (gradient != nullptr) gradient->resize(logits.size());
  double loss = 0.0;
  for (int sample = 0; sample < batch; ++sample) {
    check_label(labels[sample], sample, classes);
    for (int i = 0; i < classes; ++i) {
      const std::size_t at = static_cast<std::size_t>(sample * classes + i);
      const double error = logits[at] - (i == labels[sample] ? 1.0 : 0.0);
      loss += 0.5 * error * error;
      if (gradient != nullptr) (*gradient)[at] = static_cast<float>(error);
    }
  }
  return loss / batch;
}

double softmax_cross_entropy(const std::vector<float>& logits, const std::uint8_t* labels,
                             int batch, int classes, std::vector<float>* gradient) {
  if (gradient != nullptr) gradient->resize(logits.size());
  double loss = 0.0;
  for (int sample = 0; sample < batch; ++sample) {
    const int label = labels[sample];
    check_label(label, sample, classes);
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

std::vector<float> softmax(const std::vector<float>& logits, int classes) {
  std::vector<float> list(logits.size());
  for (std::size_t first = 0; first < logits.size(); first += static_cast<std::size_t>(classes)) {
    const auto row = logits.begin() + static_cast<std::ptrdiff_t>(first);
    const double largest = *std::max_element(row, row + classes);
    double sum = 0.0;
    for (int i = 0; i < classes; ++i) sum += std::exp(row[i] - largest);
    for (int i = 0; i < classes; ++i)
      list[first + static_cast<std::size_t>(i)] =
          static_cast<float>(std::exp(row[i] - largest) / sum);
  }
  return list;
}

double cross_entropy(const std::vector<float>& logits, const std::vector<float>& targets, int batch,
                     int classes, std::vector<float>* gradient) {
  *gradient = softmax(logits, classes);
  double loss = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (targets[i] > 0.0f) loss -= targets[i] * std::log(std::max(double{(*gradient)[i]}, 1e-30));
    (*gradient)[i] = ((*gradient)[i] - targets[i]) / static_cast<float>(batch);
  }
  return loss / batch;
}

}  // namespace solfege
