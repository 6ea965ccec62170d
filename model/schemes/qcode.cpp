// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// Two's complement numbers of k bits over a power of two that each layer has for its weights and
/// for its activations: clip(round(x 2^q), -2^(k-1), 2^(k-1) - 1) / 2^q. Activations, which ReLU
/// has cut off at 0, use the codes from 0 on. The powers come from a calibration (`evaluate
/// --calibrate`), or from the largest number.
class Qcode : public Dorefa {
 public:
  const char* name() const override { return "qcode"; }
  const char* paper() const override {
    return "QCode, post-training quantization to powers of two; codes as in Jacob et al., CVPR "
           "2018, "
           "arXiv 1712.05877, without zero-points";
  }
  const char* deviation() const override {
    return "batch norm is not folded into weights; training, which the method does not know, goes "
           "straight through; a weight of 1 bit is a sign, an activation of 1 bit one of 2";
  }
  std::vector<SchemeParameter> parameters() const override {
    return {{"weight_exponent", "q of weights; 99: the largest at which none is clipped", kChosen,
             -16, kChosen},
            {"activation_exponent", "q of activations; 99: that of a bound of 4", kChosen, -16,
             kChosen}};
  }
  bool keeps_weight_scale(const Layer&) const override { return true; }
  PlaneReading weight_reading(const Layer& layer) const override {
    return layer.weight_bits == 1 ? bipolar_codes(1)
                                  : PlaneReading{false, 1, -half(layer.weight_bits)};
  }

  WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const override {
    const double step = weight_step(layer, weights.peak);
    if (layer.weight_bits == 1) return {{0.0}, step};
    WeightCodes codes{{}, step};
    for (int level = 1 - half(layer.weight_bits); level < half(layer.weight_bits); ++level)
      codes.thresholds.push_back((level - 0.5) * step);
    return codes;
  }
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override {
    if (!quantizes(layer.weight_bits)) return weights;
    float peak = 0.0f;
    for (const float w : weights) peak = std::max(peak, std::abs(w));
    const double step = weight_step(layer, peak), most = half(layer.weight_bits);
    std::vector<float> values = weights;
    for (float& w : values)
      w = static_cast<float>(layer.weight_bits == 1 ? std::copysign(step, w + 0.0f)
                                                    : step * std::clamp(std::floor(w / step + 0.5),
                                                                        -most, most - 1.0));
    return values;
  }
  float weight_unit(const Layer& layer, const std::vector<float>& quantized) const override {
    if (!quantizes(layer.weight_bits)) return 0.0f;
    float unit = 0.0f;
    for (const float w : quantized)
      if (w != 0.0f) unit = unit == 0.0f ? lowest_bit(w) : std::min(unit, lowest_bit(w));
    return unit;
  }
  std::vector<float> weight_gradient(const Layer&, const std::vector<float>&,
                                     const std::vector<float>& gradient,
                                     MaxGradient) const override {
    return gradient;
  }

  ActivationCodes activation_codes(const Layer& layer) const override {
    const double step = activation_step(layer);
    const int most = half(std::max(2, layer.output_bits)) - 1;
    ActivationCodes codes{{}, step, {0.0, false}, {(most + 0.5) * step, false}};
    for (int level = 1; level <= most; ++level) codes.thresholds.push_back({(level - 0.5) * step});
    return codes;
  }
  std::function<float(float)> quantize_activation(const Layer& layer) const override {
    if (!quantizes(layer.output_bits)) return [](float p) { return std::max(p, 0.0f); };
    return
        [step = activation_step(layer), most = half(std::max(2, layer.output_bits)) - 1](float p) {
          return static_cast<float>(step * std::clamp(std::floor(p / step + 0.5), 0.0, most * 1.0));
        };
  }
  std::function<bool(float)> passes_gradient(const Layer& layer) const override {
    const double bound = (half(std::max(2, layer.output_bits)) - 0.5) * activation_step(layer);
    return [bound](float p) { return p > 0.0f && p < bound; };
  }

 private:
  static constexpr double kChosen = 99.0;
  static int half(int bits) { return 1 << (bits - 1); }
  /// The largest power of two of which x is a multiple.
  static float lowest_bit(float x) {
    int exponent = 0;
    auto mantissa = static_cast<long>(std::ldexp(std::abs(std::frexp(x, &exponent)), 24));
    return std::ldexp(static_cast<float>(mantissa & -mantissa), exponent - 24);
  }
  double weight_step(const Layer& layer, double peak) const {
    const double given = parameter(layer, "weight_exponent");
    if (given != kChosen) return std::exp2(-given);
    const double most = std::max(1, half(layer.weight_bits) - 1);
    return peak == 0.0 ? 1.0 : std::exp2(std::ceil(std::log2(peak / most)));
  }
  double activation_step(const Layer& layer) const {
    const double given = parameter(layer, "activation_exponent");
    return given != kChosen ? std::exp2(-given) : 4.0 / half(std::max(2, layer.output_bits));
  }
};

}  // namespace

const Scheme& qcode_scheme() {
  static const Qcode scheme;
  return scheme;
}

}  // namespace solfege
