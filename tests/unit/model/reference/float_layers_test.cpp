// SPDX-License-Identifier: Apache-2.0
#include "model/reference/float_layers.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "model/base/parallel.hpp"
#include "model/base/splitmix.hpp"
#include "tests/support/dorefa_helpers.hpp"

namespace solfege {
namespace {

/// Values at least 0.01 apart in random order, so that steps below 0.005 change no maximum.
std::vector<float> distinct_values(std::size_t count, SplitMix64* random) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = 0.01f * (static_cast<float>(i) - 0.5f * static_cast<float>(count));
  }
  for (std::size_t i = count; i > 1; --i) std::swap(values[i - 1], values[random->next() % i]);
  return values;
}

std::vector<float> normalised(const std::vector<float>& x, const std::vector<float>& gamma,
                              const std::vector<float>& beta) {
  std::vector<float> mean, variance;
  batch_statistics(x, static_cast<int>(gamma.size()), &mean, &variance);
  return batch_norm_forward(x, gamma, beta, mean, variance);
}

Layer pooled_layer(int height, int width, int channels, int pool, int stride = 0, int padding = 0) {
  Layer layer = conv_layer(height, width, 1, channels, 1, 1, 0);
  layer.pool = pool;
  layer.pool_stride = stride;
  layer.pool_padding = padding;
  return layer;
}

}  // namespace

TEST_CASE("Convolution and its gradients agree with definition and differences", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  const int batch = 2;
  const std::vector<Layer> layers = {
      conv_layer(5, 6, 2, 3, 3, 1, 0), conv_layer(5, 6, 2, 3, 3, 1, 2),
      conv_layer(7, 6, 3, 2, 3, 2, 1), conv_layer(6, 7, 1, 4, 5, 2, 2),
      conv_layer(4, 4, 3, 2, 1, 2, 0), fc_layer(3, 4, 2, 5),
      grouped_layer(2, 3, 1),          grouped_layer(4, 6, 2),
      grouped_layer(3, 6, 3)};
  for (const Layer& layer : layers) {
    CAPTURE(layer.kernel_height, layer.stride_height, layer.padding_height);
    const std::vector<float> input = random_values(input_size(layer, batch), &random);
    const std::vector<float> weights =
        random_values(static_cast<std::size_t>(layer.out_channels) * layer.fan_in(), &random);
    const std::vector<float> g = random_values(output_size(layer, batch), &random);

    const std::vector<float> output = conv_forward(layer, batch, input, weights);
    const std::vector<float> expected = direct_convolution(layer, batch, input, weights);
    REQUIRE(output.size() == expected.size());
    for (std::size_t i = 0; i < output.size(); ++i) {
      CHECK(output[i] == Approx(expected[i]).margin(1e-5));
    }

    const auto of_input = [&](const std::vector<float>& at) {
      return dot(conv_forward(layer, batch, at, weights), g);
    };
    const auto of_weights = [&](const std::vector<float>& at) {
      return dot(conv_forward(layer, batch, input, at), g);
    };
    std::vector<float> by_input = conv_backward_input(layer, batch, g, weights);
    std::vector<float> by_weight = conv_backward_weight(layer, batch, g, input);
    // Convolution is linear, so a long step has no truncation error and little rounding error.
    CHECK(finite_difference_error(of_input, input, by_input, 1.0f) < 1e-4);
    CHECK(finite_difference_error(of_weights, weights, by_weight, 1.0f) < 1e-4);
    // Known bad: one gradient element off by a hundredth of the largest.
    by_input[by_input.size() / 2] += 0.05f;
    by_weight[0] -= 0.05f;
    CHECK(finite_difference_error(of_input, input, by_input, 1.0f) > 1e-3);
    CHECK(finite_difference_error(of_weights, weights, by_weight, 1.0f) > 1e-3);
  }
}

TEST_CASE("Convolutions of many samples are those of each, whatever the threads", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  const int batch = 37;  // blocks and slices are ragged
  const std::vector<Layer> layers = {conv_layer(8, 8, 4, 6, 3, 1, 1),
                                     conv_layer(9, 9, 3, 5, 3, 2, 1), fc_layer(5, 5, 8, 24)};
  for (const Layer& layer : layers) {
    CAPTURE(layer.in_height, layer.stride_height);
    const std::vector<float> input = random_values(input_size(layer, batch), &random);
    const std::vector<float> weights =
        random_values(static_cast<std::size_t>(layer.out_channels) * layer.fan_in(), &random);
    const std::vector<float> g = random_values(output_size(layer, batch), &random);
    set_thread_count(1);
    const std::vector<float> output = conv_forward(layer, batch, input, weights);
    const std::vector<float> by_input = conv_backward_input(layer, batch, g, weights);
    const std::vector<float> by_weight = conv_backward_weight(layer, batch, g, input);
    set_thread_count(5);
    CHECK(conv_forward(layer, batch, input, weights) == output);
    CHECK(conv_backward_input(layer, batch, g, weights) == by_input);
    CHECK(conv_backward_weight(layer, batch, g, input) == by_weight);
    set_thread_count(0);

    const std::vector<float> expected = direct_convolution(layer, batch, input, weights);
    double error = 0.0;
    for (std::size_t i = 0; i < output.size(); ++i) {
      error = std::max(error, std::abs(static_cast<double>(output[i]) - expected[i]));
    }
    CHECK(error < 1e-4);
    // The convolution is bilinear: <g, conv(x, w)> = <dx, x> = <dw, w>.
    const double product = dot(g, output);
    CHECK(dot(by_input, input) == Approx(product).margin(1e-3));
    CHECK(dot(by_weight, weights) == Approx(product).margin(1e-3));
  }
}

TEST_CASE("Batch normalisation gives each channel mean beta and deviation gamma", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  const int channels = 3;
  const std::size_t rows = 500;
  std::vector<float> x = random_values(rows * channels, &random);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = x[i] * (i % 3 + 1.0f) + 100.0f * (i % 3);
  std::vector<float> mean, variance;
  batch_statistics(x, channels, &mean, &variance);
  for (int c = 0; c < channels; ++c) {
    double sum = 0.0, squares = 0.0;
    for (std::size_t row = 0; row < rows; ++row) sum += x[row * channels + c];
    for (std::size_t row = 0; row < rows; ++row) {
      squares += std::pow(x[row * channels + c] - sum / rows, 2);
    }
    CHECK(mean[c] == Approx(sum / rows));
    CHECK(variance[c] == Approx(squares / rows));  // biased
  }
  const std::vector<float> gamma = {1.0f, -2.0f, 0.5f}, beta = {0.0f, 0.5f, -3.0f};
  const std::vector<float> y = batch_norm_forward(x, gamma, beta, mean, variance);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t c = i % channels;
    const double expected = (x[i] - mean[c]) / std::sqrt(variance[c] + 1e-4) * gamma[c] + beta[c];
    if (std::abs(y[i] - expected) > 1e-4) FAIL_CHECK("element " << i << ": " << y[i]);
  }
  batch_statistics(y, channels, &mean, &variance);
  for (int c = 0; c < channels; ++c) {
    CHECK(mean[c] == Approx(beta[c]).margin(1e-4));
    CHECK(std::sqrt(variance[c]) == Approx(std::abs(gamma[c])).epsilon(1e-3));
  }
  const std::vector<float> sums = channel_sums(y, channels);
  for (int c = 0; c < channels; ++c) CHECK(sums[c] == Approx(rows * beta[c]).margin(5e-2));
}

TEST_CASE("The gradients of batch normalisation are those of finite differences", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  const int channels = 3;
  const std::vector<float> x = random_values(24 * channels, &random);
  const std::vector<float> gamma = {0.7f, -1.3f, 0.2f}, beta = random_values(channels, &random);
  const std::vector<float> g = random_values(x.size(), &random);
  std::vector<float> mean, variance, by_gamma, by_beta;
  batch_statistics(x, channels, &mean, &variance);
  std::vector<float> by_x = batch_norm_backward(x, gamma, mean, variance, g, &by_gamma, &by_beta);
  const auto of_x = [&](const std::vector<float>& at) {
    return dot(normalised(at, gamma, beta), g);
  };
  const auto of_gamma = [&](const std::vector<float>& at) {
    return dot(normalised(x, at, beta), g);
  };
  const auto of_beta = [&](const std::vector<float>& at) {
    return dot(normalised(x, gamma, at), g);
  };
  CHECK(finite_difference_error(of_x, x, by_x, 1e-2f) < 1e-3);
  CHECK(finite_difference_error(of_gamma, gamma, by_gamma, 1e-1f) < 1e-4);
  CHECK(finite_difference_error(of_beta, beta, by_beta, 1e-1f) < 1e-4);
  // Known bad: without the terms through the statistics.
  for (std::size_t i = 0; i < by_x.size(); ++i) {
    by_x[i] = g[i] * gamma[i % 3] / std::sqrt(variance[i % 3] + kBatchNormEpsilon);
  }
  CHECK(finite_difference_error(of_x, x, by_x, 1e-2f) > 1e-2);
}

TEST_CASE("A constant channel normalises to beta with finite gradients", "[dorefa]") {
  const std::vector<float> x(8, 3.3f), gamma = {2.0f}, beta = {0.25f}, g(8, 1.0f);
  std::vector<float> mean, variance, by_gamma, by_beta;
  batch_statistics(x, 1, &mean, &variance);
  CHECK(variance[0] == Approx(0.0).margin(1e-9));
  for (const float y : batch_norm_forward(x, gamma, beta, mean, variance)) {
    CHECK(y == Approx(0.25f).margin(1e-4));
  }
  for (const float d : batch_norm_backward(x, gamma, mean, variance, g, &by_gamma, &by_beta)) {
    CHECK(d == Approx(0.0f).margin(1e-4));
  }
  CHECK(by_gamma[0] == Approx(0.0f).margin(1e-3));
  CHECK(by_beta[0] == 8.0f);
}

TEST_CASE("Max-pooling takes and routes to the first maximum", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  const int batch = 3;
  for (const Layer& layer :
       {pooled_layer(6, 4, 2, 2), pooled_layer(3, 9, 2, 3), pooled_layer(5, 5, 3, 1),
        pooled_layer(4, 4, 1, 4), pooled_layer(2, 2, 131, 2), pooled_layer(7, 5, 2, 3),
        pooled_layer(7, 6, 2, 3, 2), pooled_layer(6, 7, 3, 3, 2, 1), pooled_layer(5, 5, 1, 4, 1, 2),
        pooled_layer(7, 7, 2, 2, 3, 1)}) {
    CAPTURE(layer.pool, layer.pool_stride, layer.pool_padding, layer.out_channels);
    const int stride = layer.pool_stride > 0 ? layer.pool_stride : layer.pool;
    const int channels = layer.out_channels;
    // Four values only, so that most windows have ties.
    std::vector<float> x(output_size(layer, batch));
    for (float& value : x) value = static_cast<float>(random.next() % 4) - 2.0f;
    std::vector<std::uint8_t> places;
    const std::vector<float> y = max_pool_forward(layer, batch, x, &places);
    REQUIRE(y.size() == static_cast<std::size_t>(batch * channels * layer.pooled_height() *
                                                 layer.pooled_width()));
    REQUIRE(places.size() == y.size());
    std::vector<float> g = random_values(y.size(), &random), expected(x.size(), 0.0f);
    std::size_t at = 0;
    for (int sample = 0; sample < batch; ++sample) {
      for (int py = 0; py < layer.pooled_height(); ++py) {
        for (int px = 0; px < layer.pooled_width(); ++px) {
          for (int c = 0; c < channels; ++c, ++at) {
            int best = -1, best_place = 0;
            for (int place = 0; place < layer.pool * layer.pool; ++place) {
              const int row = py * stride - layer.pool_padding + place / layer.pool;
              const int column = px * stride - layer.pool_padding + place % layer.pool;
              if (row < 0 || row >= layer.out_height || column < 0 || column >= layer.out_width)
                continue;
              const int i =
                  ((sample * layer.out_height + row) * layer.out_width + column) * channels + c;
              if (best >= 0 && x[i] <= x[best]) continue;
              best = i;
              best_place = place;
            }
            if (y[at] != x[best] || places[at] != best_place) FAIL_CHECK("pooled element " << at);
            expected[best] += g[at];
          }
        }
      }
    }
    const std::vector<float> routed = max_pool_backward(layer, batch, g, places);
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK(routed[i] == Approx(expected[i]).margin(1e-6));
    CHECK(max_pool_forward(layer, batch, x, nullptr) == y);

    x = distinct_values(x.size(), &random);
    max_pool_forward(layer, batch, x, &places);
    std::vector<float> by_x = max_pool_backward(layer, batch, g, places);
    const auto of_x = [&](const std::vector<float>& to) {
      return dot(max_pool_forward(layer, batch, to, nullptr), g);
    };
    CHECK(finite_difference_error(of_x, x, by_x, 4e-3f) < 2e-3);
    by_x[1] += 0.1f;
    CHECK(finite_difference_error(of_x, x, by_x, 4e-3f) > 1e-2);
  }
}

TEST_CASE("Averages are means of windows, and hand back equal shares", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  const int batch = 2;
  for (Layer layer : {conv_layer(4, 6, 3, 3, 2, 2, 0), conv_layer(5, 5, 2, 2, 3, 1, 0),
                      conv_layer(5, 7, 2, 2, 2, 2, 0), fc_layer(3, 4, 5, 5)}) {
    CAPTURE(layer.in_height, layer.in_width, layer.kernel_height, layer.stride_height);
    layer.is_average = true;
    const int channels = layer.in_channels;
    const std::vector<float> x = random_values(input_size(layer, batch), &random);
    const std::vector<float> g = random_values(output_size(layer, batch), &random);
    const std::vector<float> y = average_forward(layer, batch, x);
    std::vector<float> back = average_backward(layer, batch, g);
    REQUIRE(y.size() == g.size());
    REQUIRE(back.size() == x.size());
    std::vector<double> expected(x.size(), 0.0);
    std::size_t at = 0;
    for (int sample = 0; sample < batch; ++sample)
      for (int py = 0; py < layer.out_height; ++py)
        for (int px = 0; px < layer.out_width; ++px)
          for (int c = 0; c < channels; ++c, ++at) {
            double sum = 0.0;
            for (int ky = 0; ky < layer.kernel_height; ++ky)
              for (int kx = 0; kx < layer.kernel_width; ++kx) {
                const int row = py * layer.stride_height + ky,
                          column = px * layer.stride_width + kx;
                const auto i = static_cast<std::size_t>(
                    ((sample * layer.in_height + row) * layer.in_width + column) * channels + c);
                sum += x[i];
                expected[i] += double{g[at]} / layer.fan_in();
              }
            CHECK(y[at] == Approx(sum / layer.fan_in()).margin(1e-6));
          }
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(back[i] == Approx(expected[i]).margin(1e-6));
    // The gradient of dot(y, g), and a known bad one
    const auto of_x = [&](const std::vector<float>& at_x) {
      return dot(average_forward(layer, batch, at_x), g);
    };
    CHECK(finite_difference_error(of_x, x, back, 1e-2f) < 2e-3);
    back[0] += 0.1f;
    CHECK(finite_difference_error(of_x, x, back, 1e-2f) > 1e-2);
  }
}

TEST_CASE("Dropout drops the given fraction, keeps the mean, and repeats for a seed", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  constexpr std::size_t kCount = 100000;
  for (const double probability : {0.0, 0.2, 0.5, 0.9}) {
    CAPTURE(probability);
    SplitMix64 random(seed), twin(seed);
    const std::vector<std::uint8_t> kept = dropout_mask(kCount, probability, &random);
    CHECK(dropout_mask(kCount, probability, &twin) == kept);
    CHECK((probability == 0.0 || dropout_mask(kCount, probability, &random) != kept));
    const double mean = std::accumulate(kept.begin(), kept.end(), 0.0) / kCount;
    const double deviation = std::sqrt(probability * (1.0 - probability) / kCount);
    CHECK(std::abs(mean - (1.0 - probability)) <= 5.0 * deviation);
    // Neighbours are independent: both are kept as often as chance has it.
    double both = 0.0;
    for (std::size_t i = 1; i < kCount; ++i) both += kept[i] & kept[i - 1];
    CHECK(std::abs(both / (kCount - 1) - (1.0 - probability) * (1.0 - probability)) <=
          10.0 * deviation);
    std::vector<float> x(kCount, 1.0f);
    dropout(&x, kept, probability);
    bool exact = true;
    for (std::size_t i = 0; i < kCount; ++i) {
      exact = exact && x[i] == (kept[i] ? static_cast<float>(1.0 / (1.0 - probability)) : 0.0f);
    }
    CHECK(exact);
  }
  // With a fixed mask the gradient goes the same way.
  SplitMix64 random(seed);
  const std::vector<std::uint8_t> kept = dropout_mask(40, 0.3, &random);
  const std::vector<float> g = random_values(40, &random);
  std::vector<float> by_x = g;
  dropout(&by_x, kept, 0.3);
  const auto of_x = [&](std::vector<float> at) {
    dropout(&at, kept, 0.3);
    return dot(at, g);
  };
  CHECK(finite_difference_error(of_x, random_values(40, &random), by_x, 1.0f) < 1e-4);
  CHECK(finite_difference_error(of_x, random_values(40, &random), g, 1.0f) > 1e-2);
}

TEST_CASE("Parallel calls are made once each and hand on exceptions", "[dorefa]") {
  for (const int threads : {0, 1, 4}) {
    set_thread_count(threads);
    for (const double work : {0.0, 1e9}) {
      std::vector<std::atomic<int>> calls(100);
      parallel_for(100, work, [&](int i) { ++calls[i]; });
      CHECK(std::all_of(calls.begin(), calls.end(), [](const auto& n) { return n == 1; }));
      CHECK_THROWS_AS(parallel_for(100, work,
                                   [](int i) {
                                     if (i == 7) throw std::runtime_error("seven");
                                   }),
                      std::runtime_error);
      for (const std::size_t count : {0, 5, 1000}) {
        std::vector<std::atomic<int>> elements(count);
        parallel_slices(count, work, [&](int slice, std::size_t first, std::size_t last) {
          if (slice < 0 || slice >= kSlices) throw std::out_of_range("slice");
          for (std::size_t i = first; i < last; ++i) ++elements[i];
        });
        CHECK(std::all_of(elements.begin(), elements.end(), [](const auto& n) { return n == 1; }));
      }
    }
  }
  set_thread_count(0);
}

}  // namespace solfege
