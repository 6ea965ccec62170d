// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/splitmix.hpp"
#include "tests/support/dorefa_helpers.hpp"

namespace solfege {
namespace {

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
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
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
  CHECK(finite_difference_error(chain, w, by_constant, 1e-3f) > 1e-3);
  CHECK(finite_difference_error(constant, w, by_chain, 1e-3f) > 1e-3);

  CHECK(weight_gradient({0.0f, 0.0f}, {1.0f, 2.0f}, 8, MaxGradient::kConstant) ==
        std::vector<float>{0.0f, 0.0f});
}

TEST_CASE("The gradient quantizer is unbiased, keeps each sample's range and zeros", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
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

}  // namespace solfege
