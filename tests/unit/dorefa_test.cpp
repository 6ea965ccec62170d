// SPDX-License-Identifier: Apache-2.0
#include "model/dorefa.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "model/dataset.hpp"
#include "model/error.hpp"

namespace solfege {
namespace {

constexpr std::uint64_t kSeed = 20160620;

std::vector<float> random_values(std::size_t count, SplitMix64* random) {
  std::vector<float> values(count);
  for (float& value : values) value = 2.0f * random->uniform() - 1.0f;
  return values;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// The largest difference between `gradient` and the central differences of f at `at`, over the
/// largest |difference|.
double finite_difference_error(const std::function<double(const std::vector<float>&)>& f,
                               std::vector<float> at, const std::vector<float>& gradient,
                               float step) {
  double error = 0.0, largest = 0.0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const float middle = at[i];
    const float high = middle + step, low = middle - step;
    at[i] = high;
    double difference = f(at);
    at[i] = low;
    difference = (difference - f(at)) / (static_cast<double>(high) - low);
    at[i] = middle;
    error = std::max(error, std::abs(difference - gradient[i]));
    largest = std::max(largest, std::abs(difference));
  }
  return error / largest;
}

Layer conv_layer(int height, int width, int in_channels, int out_channels, int kernel, int stride,
                 int padding) {
  Layer layer;
  layer.in_height = height;
  layer.in_width = width;
  layer.in_channels = in_channels;
  layer.kernel_height = layer.kernel_width = kernel;
  layer.stride = stride;
  layer.padding = padding;
  layer.out_height = (height + 2 * padding - kernel) / stride + 1;
  layer.out_width = (width + 2 * padding - kernel) / stride + 1;
  layer.out_channels = out_channels;
  return layer;
}

Layer fc_layer(int height, int width, int in_channels, int out_channels) {
  Layer layer = conv_layer(height, width, in_channels, out_channels, height, 1, 0);
  layer.kernel_width = width;
  layer.out_width = 1;
  return layer;
}

std::size_t input_size(const Layer& layer, int batch) {
  return static_cast<std::size_t>(batch) * layer.in_height * layer.in_width * layer.in_channels;
}

std::size_t output_size(const Layer& layer, int batch) {
  return static_cast<std::size_t>(batch) * layer.out_height * layer.out_width * layer.out_channels;
}

/// The convolution by its definition.
std::vector<float> direct_convolution(const Layer& layer, int batch,
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
              const int y = oy * layer.stride + ky - layer.padding;
              const int x = ox * layer.stride + kx - layer.padding;
              if (y < 0 || y >= layer.in_height || x < 0 || x >= layer.in_width) continue;
              for (int ic = 0; ic < layer.in_channels; ++ic) {
                const int in =
                    ((sample * layer.in_height + y) * layer.in_width + x) * layer.in_channels + ic;
                const int w = ((oc * layer.kernel_height + ky) * layer.kernel_width + kx) *
                                  layer.in_channels +
                              ic;
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

/// tanh(w) / max|tanh w|, the smooth part of eq. 9, weighted by g; the maximum is `largest` if that
/// is positive, else that of w.
double normalised_dot(const std::vector<float>& w, const std::vector<float>& g, double largest) {
  if (largest <= 0.0) {
    for (const float value : w) largest = std::max(largest, std::abs(std::tanh(double{value})));
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < w.size(); ++i) sum += g[i] * std::tanh(double{w[i]}) / largest;
  return sum;
}

Network small_network() {
  Network network;
  network.in_height = network.in_width = 6;
  network.in_channels = 2;
  network.classes = 3;
  network.learning_rate = 0.05;
  network.weight_decay = 0.0;
  network.layers = {conv_layer(6, 6, 2, 4, 3, 2, 1), fc_layer(3, 3, 4, 8), fc_layer(1, 1, 8, 3)};
  network.layers[0].weight_bits = network.layers[2].weight_bits = 8;
  network.layers[0].gradient_bits = 8;
  network.layers[2].gradient_bits = network.layers[2].output_bits = 0;
  return network;
}

}  // namespace

TEST_CASE("Activations quantize to the nearest code, ties up, and clip", "[dorefa]") {
  // Eq. 5, n = 3: thresholds 1/6, 1/2, 5/6.
  CHECK(quantize_activation(0.0f, 2) == 0.0f);
  CHECK(quantize_activation(0.16f, 2) == 0.0f);
  CHECK(quantize_activation(0.17f, 2) == Approx(1.0 / 3));
  CHECK(quantize_activation(0.5f, 2) == Approx(2.0 / 3));
  CHECK(quantize_activation(std::nextafter(0.5f, 0.0f), 2) == Approx(1.0 / 3));
  CHECK(quantize_activation(0.9f, 2) == 1.0f);
  CHECK(quantize_activation(0.5f, 1) == 1.0f);
  CHECK(quantize_activation(0.5f, 8) == Approx(128.0 / 255));
  CHECK(quantize_activation(-3.0f, 2) == 0.0f);
  CHECK(quantize_activation(7.0f, 2) == 1.0f);
  // 0 and 32 bits: the clip alone.
  CHECK(quantize_activation(0.3f, 0) == 0.3f);
  CHECK(quantize_activation(0.3f, 32) == 0.3f);
  CHECK(quantize_activation(1.5f, 32) == 1.0f);
}

TEST_CASE("The clip passes gradients on 0 to 1, both inclusive", "[dorefa]") {
  CHECK(clip_passes(0.0f));
  CHECK(clip_passes(1.0f));
  CHECK(clip_passes(0.5f));
  CHECK_FALSE(clip_passes(-1e-6f));
  CHECK_FALSE(clip_passes(1.000001f));
}

TEST_CASE("Weights quantize as equations 7 and 9 say", "[dorefa]") {
  CHECK(quantize_weights({-1.0f, 0.0f, 0.5f, 2.5f}, 1) ==
        std::vector<float>{-1.0f, 1.0f, 1.0f, 1.0f});
  // n = 3, tanh(w) / max = 1, -1, 0, 0.6, -0.7: codes 3, 0, 2 (tie up), 2, 0.
  const double m = std::tanh(0.8);
  const std::vector<float> w = {0.8f, -0.8f, 0.0f, static_cast<float>(std::atanh(0.6 * m)),
                                static_cast<float>(std::atanh(-0.7 * m))};
  const std::vector<float> q = quantize_weights(w, 2);
  const std::vector<double> expected = {1.0, -1.0, 1.0 / 3, 1.0 / 3, -1.0};
  for (std::size_t i = 0; i < w.size(); ++i) CHECK(q[i] == Approx(expected[i]));
  CHECK(quantize_weights(w, 32) == w);
  for (const int bits : {2, 3, 8}) {
    CHECK(quantize_weights({0.0f}, bits)[0] == Approx(1.0 / ((1 << bits) - 1)));
  }
}

TEST_CASE("The gradient through the weight quantizer is that of finite differences", "[dorefa]") {
  SplitMix64 random(kSeed);
  const std::vector<float> w = random_values(12, &random), g = random_values(12, &random);
  CHECK(weight_gradient(w, g, 1, MaxGradient::kConstant) == g);
  CHECK(weight_gradient(w, g, 32, MaxGradient::kConstant) == g);
  double largest = 0.0;
  for (const float value : w) largest = std::max(largest, std::abs(std::tanh(double{value})));

  const auto constant = [&](const std::vector<float>& at) {
    return normalised_dot(at, g, largest);
  };
  const auto chain = [&](const std::vector<float>& at) { return normalised_dot(at, g, 0.0); };
  const std::vector<float> by_constant = weight_gradient(w, g, 8, MaxGradient::kConstant);
  const std::vector<float> by_chain = weight_gradient(w, g, 8, MaxGradient::kChainRule);
  CHECK(finite_difference_error(constant, w, by_constant, 1e-3f) < 1e-5);
  CHECK(finite_difference_error(chain, w, by_chain, 1e-3f) < 1e-5);
  // The two differ, and the check can tell.
  CHECK(finite_difference_error(chain, w, by_constant, 1e-3f) > 1e-2);
  CHECK(finite_difference_error(constant, w, by_chain, 1e-3f) > 1e-2);

  CHECK(weight_gradient({0.0f, 0.0f}, {1.0f, 2.0f}, 8, MaxGradient::kConstant) ==
        std::vector<float>{0.0f, 0.0f});
}

TEST_CASE("The gradient quantizer is unbiased, keeps each sample's range and zeros", "[dorefa]") {
  const std::uint64_t seed = kSeed;
  INFO("seed " << seed);
  SplitMix64 random(seed);
  constexpr int kDraws = 40000;
  for (const int bits : {1, 2, 4, 8}) {
    // Three samples of four: own ranges 1 and 0.01, and zeros.
    const std::vector<float> g = {1.0f,   -0.3f, 0.1f, 0.0f, -0.01f, 0.004f,
                                  0.002f, 0.0f,  0.0f, 0.0f, 0.0f,   0.0f};
    const double n = (1 << bits) - 1;
    std::vector<double> sum(g.size(), 0.0);
    bool in_codes = true, in_range = true, max_kept = true, zero_kept = true;
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<float> q = g;
      quantize_gradient(q.data(), 3, 4, bits, &random);
      for (std::size_t i = 0; i < q.size(); ++i) {
        sum[i] += q[i];
        if (i >= 8) {
          zero_kept = zero_kept && q[i] == 0.0f;
          continue;
        }
        const double range = i < 4 ? 1.0 : 0.01f;
        const double code = n * (q[i] / range + 1.0) / 2.0;
        in_codes = in_codes && std::abs(code - std::round(code)) < 1e-4;
        in_range = in_range && std::abs(q[i]) <= range;
      }
      max_kept = max_kept && q[0] == 1.0f && q[4] == -0.01f;
    }
    CAPTURE(bits);
    CHECK(in_codes);
    CHECK(in_range);
    CHECK(max_kept);
    CHECK(zero_kept);
    for (std::size_t i = 0; i < 8; ++i) {
      // A rounding step 2M / n has a standard deviation of at most half a step; five of the mean's.
      const double range = i < 4 ? 1.0 : 0.01;
      CAPTURE(i);
      CHECK(std::abs(sum[i] / kDraws - g[i]) < 5.0 * (range / n) / std::sqrt(1.0 * kDraws) + 1e-7);
    }
  }
  std::vector<float> untouched = {0.3f, -0.7f};
  quantize_gradient(untouched.data(), 1, 2, 0, &random);
  quantize_gradient(untouched.data(), 1, 2, 32, &random);
  CHECK(untouched == std::vector<float>{0.3f, -0.7f});
}

TEST_CASE("Convolution and its gradients agree with definition and differences", "[dorefa]") {
  SplitMix64 random(kSeed);
  const int batch = 2;
  const std::vector<Layer> layers = {
      conv_layer(5, 6, 2, 3, 3, 1, 0), conv_layer(5, 6, 2, 3, 3, 1, 2),
      conv_layer(7, 6, 3, 2, 3, 2, 1), conv_layer(6, 7, 1, 4, 5, 2, 2),
      conv_layer(4, 4, 3, 2, 1, 2, 0), fc_layer(3, 4, 2, 5)};
  for (const Layer& layer : layers) {
    CAPTURE(layer.kernel_height, layer.stride, layer.padding);
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

TEST_CASE("Softmax cross-entropy and its gradient", "[dorefa]") {
  const std::vector<std::uint8_t> labels = {1, 0};
  CHECK(softmax_cross_entropy({0.0f, 0.0f, 0.0f, 0.0f}, labels.data(), 2, 2, nullptr) ==
        Approx(std::log(2.0)));
  // No overflow.
  CHECK(softmax_cross_entropy({1000.0f, 0.0f, 0.0f, -1000.0f}, labels.data(), 2, 2, nullptr) ==
        Approx(500.0));
  const std::vector<float> logits = {0.5f, -1.0f, 2.0f, 0.1f, 0.2f, -0.3f};
  std::vector<float> gradient;
  softmax_cross_entropy(logits, labels.data(), 2, 3, &gradient);
  const auto loss = [&](const std::vector<float>& at) {
    return softmax_cross_entropy(at, labels.data(), 2, 3, nullptr);
  };
  CHECK(finite_difference_error(loss, logits, gradient, 1e-2f) < 1e-4);
  gradient[2] *= 1.02f;
  CHECK(finite_difference_error(loss, logits, gradient, 1e-2f) > 1e-3);
  const std::uint8_t foreign[] = {3, 0};
  CHECK_THROWS_AS(softmax_cross_entropy(logits, foreign, 2, 3, nullptr), InputError);
}

TEST_CASE("The engine without quantizers has the gradients of its loss", "[dorefa]") {
  Network network = small_network();
  network.learning_rate = 0.0;
  SplitMix64 random(kSeed);
  std::vector<std::uint8_t> pixels(4 * 6 * 6 * 2);
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.next());
  const std::vector<std::uint8_t> labels = {0, 2, 1, 1};
  FloatEngine engine(network, 1, false);
  for (int k = 0; k < 3; ++k) {
    // Pre-activations well inside the clip, so no step crosses a kink: small weights, bias 1/2.
    for (float& w : engine.state(k).weights) w *= 0.1f;
    for (float& b : engine.state(k).bias) b = 0.5f;
  }
  for (int k = 0; k < 3; ++k) {
    CAPTURE(k);
    engine.train_step(pixels.data(), labels.data(), 4);
    const FloatEngine::State before = engine.state(k);
    const auto loss_of_weights = [&](const std::vector<float>& at) {
      engine.state(k).weights = at;
      return engine.train_step(pixels.data(), labels.data(), 4);
    };
    CHECK(finite_difference_error(loss_of_weights, before.weights, before.weight_gradient, 3e-2f) <
          1e-2);
    engine.state(k).weights = before.weights;
    const auto loss_of_bias = [&](const std::vector<float>& at) {
      engine.state(k).bias = at;
      return engine.train_step(pixels.data(), labels.data(), 4);
    };
    CHECK(finite_difference_error(loss_of_bias, before.bias, before.bias_gradient, 3e-2f) < 1e-2);
    engine.state(k).bias = before.bias;
  }
}

TEST_CASE("The optimiser applies momentum and decay to weights, momentum to biases", "[dorefa]") {
  Network network = small_network();
  network.weight_decay = 0.01;
  FloatEngine engine(network, 3);
  const std::vector<std::uint8_t> pixels(2 * 6 * 6 * 2, 100);
  const std::vector<std::uint8_t> labels = {0, 1};
  for (int step = 0; step < 2; ++step) {
    const FloatEngine::State old = engine.state(0);
    engine.train_step(pixels.data(), labels.data(), 2);
    const FloatEngine::State& now = engine.state(0);
    for (std::size_t i = 0; i < old.weights.size(); ++i) {
      const double v =
          0.9 * old.weight_velocity[i] + now.weight_gradient[i] + 0.01 * old.weights[i];
      CHECK(now.weights[i] == Approx(old.weights[i] - 0.05 * v).margin(1e-6));
    }
    for (std::size_t i = 0; i < old.bias.size(); ++i) {
      const double v = 0.9 * old.bias_velocity[i] + now.bias_gradient[i];
      CHECK(now.bias[i] == Approx(old.bias[i] - 0.05 * v).margin(1e-6));
    }
  }
}

TEST_CASE("Initial weights repeat, differ by seed and layer, and fill their range", "[dorefa]") {
  const Network network = small_network();
  const std::vector<float> w = initial_weights(network, 1, 7);
  CHECK(w.size() == 8u * 36u);
  CHECK(initial_weights(network, 1, 7) == w);
  CHECK(initial_weights(network, 1, 8) != w);
  Network equal = network;
  equal.layers[2] = equal.layers[1];
  CHECK(initial_weights(equal, 2, 7) != w);
  double mean = 0.0, largest = 0.0;
  for (const float x : w) {
    mean += x / static_cast<double>(w.size());
    largest = std::max(largest, std::abs(double{x}));
  }
  CHECK(std::abs(mean) < 0.2 * largest);
  CHECK(largest <= std::sqrt(6.0 / 36) * 4);
}

TEST_CASE("Both engines learn a separable task, and repeat exactly for a seed", "[dorefa]") {
  Images images;
  images.height = images.width = 6;
  images.channels = 2;
  images.classes = 3;
  SplitMix64 random(kSeed);
  for (int i = 0; i < 99; ++i) {
    const int label = i % 3;
    images.labels.push_back(static_cast<std::uint8_t>(label));
    for (int p = 0; p < 72; ++p) {
      // Two bright rows tell the class.
      const int row = p / 12;
      images.pixels.push_back(
          static_cast<std::uint8_t>((row / 2 == label ? 180 : 0) + (random.next() >> 58)));
    }
  }
  for (const bool quantized : {false, true}) {
    CAPTURE(quantized);
    Network network = small_network();
    network.learning_rate = 0.01;
    FloatEngine engine(network, 5, quantized), twin(network, 5, quantized);
    double first = 0.0, last = 0.0;
    for (int step = 0; step < 100; ++step) {
      last = engine.train_step(images.pixels.data(), images.labels.data(), 99);
      if (step == 0) first = last;
      CHECK(twin.train_step(images.pixels.data(), images.labels.data(), 99) == last);
    }
    CHECK(last < 0.5 * first);
    CHECK(accuracy(engine, images, 40) > 0.9);
  }
}

}  // namespace solfege
