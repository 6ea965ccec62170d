// SPDX-License-Identifier: Apache-2.0
// The quantizers and the loss.
#include "model/reference/dorefa.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/base/parallel.hpp"
#include "model/base/splitmix.hpp"

namespace solfege {
namespace {

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

}  // namespace solfege
