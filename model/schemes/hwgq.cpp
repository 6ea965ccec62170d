// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// The step d for which levels d, 2d .. n d lie nearest, in the mean square, to the positive half
/// of a standard Gaussian: d = sum i m_i / sum i^2 P_i over the levels' bins, whose probability is
/// P_i and whose share of the mean is m_i. For 2 bits the paper's .538, which it took from samples.
double half_wave_step(int bits) {
  if (bits == 2) return 0.538;
  const auto density = [](double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI); };
  const auto above = [](double x) { return 0.5 * std::erfc(x / std::sqrt(2.0)); };
  const int n = static_cast<int>(code_levels(bits));
  double step = 2.0 / n;
  for (int iteration = 0; iteration < 300; ++iteration) {
    double moments = 0.0, squares = 0.0;
    for (int i = 1; i <= n; ++i) {
      const double from = i == 1 ? 0.0 : (i - 0.5) * step;
      const double to = i == n ? HUGE_VAL : (i + 0.5) * step;
      moments += i * (density(from) - density(to));
      squares += static_cast<double>(i) * i * (above(from) - above(to));
    }
    step = moments / squares;
  }
  return step;
}

/// Without a quantizer the clip is that of 8 bits, which hardly any activation reaches.
int clip_bits(const Layer& layer) { return quantizes(layer.output_bits) ? layer.output_bits : 8; }

/// The half-wave Gaussian quantizer with uniform levels, and the clipped ReLU backward.
class Hwgq : public Dorefa {
 public:
  const char* name() const override { return "hwgq"; }
  const char* paper() const override {
    return "Cai et al., Half-wave Gaussian Quantization, CVPR 2017, arXiv 1702.00953";
  }
  const char* deviation() const override {
    return "one scale of binary weights a layer; weights of more bits by DoReFa's f_W; uniform "
           "levels, for those of the non-uniform quantizer are no affine codes";
  }
  ActivationCodes activation_codes(const Layer& layer) const override {
    const double step = half_wave_step(layer.output_bits), n = code_levels(layer.output_bits);
    ActivationCodes codes{{{0.0, false}}, step, {0.0, false}, {n * step, true}};
    for (int i = 2; i <= n; ++i) codes.thresholds.push_back({(i - 0.5) * step, true});
    return codes;
  }
  std::function<float(float)> quantize_activation(const Layer& layer) const override {
    const int bits = clip_bits(layer);
    return [rounds = quantizes(layer.output_bits), step = half_wave_step(bits),
            n = code_levels(bits)](float p) {
      const double level = rounds ? std::max(1.0, std::floor(p / step + 0.5)) : p / step;
      return p > 0.0f ? static_cast<float>(step * std::min(level, n)) : 0.0f;
    };
  }
  std::function<bool(float)> passes_gradient(const Layer& layer) const override {
    const double top = code_levels(clip_bits(layer)) * half_wave_step(clip_bits(layer));
    return [=](float p) { return p > 0.0f && p <= top; };
  }
};

}  // namespace

const Scheme& hwgq_scheme() {
  static const Hwgq scheme;
  return scheme;
}

}  // namespace solfege
