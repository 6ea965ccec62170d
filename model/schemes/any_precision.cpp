// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// One set of weights for 8, 4, 2 and 1 bits, trained at all of them in every step. DoReFa-Net's
/// quantizers. A network of fewer bits is had without training in two ways: weights and activations
/// quantized anew, as in training, or with the low planes of their 8-bit codes left out.
class AnyPrecision : public Dorefa {
 public:
  const char* name() const override { return "any_precision"; }
  const char* paper() const override {
    return "Yu et al., Any-Precision Deep Neural Networks, AAAI 2021, arXiv 1911.07346";
  }
  const char* deviation() const override {
    return "the maximum of f_W is a constant; weights of one bit are those of eq. 7, of more have "
           "no factor mean |w|; first and last layer keep their bits; no more bits than the "
           "configuration's activations have";
  }
  std::vector<SchemeParameter> parameters() const override {
    return {
        {"truncate", "1: codes are the high planes of 8-bit codes; 0: quantized anew", 0, 0, 1}};
  }

  WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const override {
    WeightCodes codes = Dorefa::weight_codes(layer, weights);
    if (truncates(layer, layer.weight_bits) && layer.weight_bits > 1) {
      Layer whole = layer;
      whole.weight_bits = kMostBits;
      codes.thresholds =
          high_planes(Dorefa::weight_codes(whole, weights).thresholds, layer.weight_bits);
    }
    return codes;
  }
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override {
    const int bits = layer.weight_bits;
    if (!truncates(layer, bits) || bits == 1) return Dorefa::quantize_weights(layer, weights);
    Layer whole = layer;
    whole.weight_bits = kMostBits;
    const double most = code_levels(kMostBits), n = code_levels(bits);
    double scale = 0.0;  // the value of the largest code
    std::vector<float> values = Dorefa::quantize_weights(whole, weights);
    for (const float value : values) scale = std::max(scale, std::abs(double{value}));
    for (float& value : values) {
      const double code = scale == 0.0 ? 0.0 : std::round(0.5 * most * (value / scale + 1.0));
      value = static_cast<float>(scale * (2.0 * high_planes(code, bits) - n) / n);
    }
    return values;
  }
  ActivationCodes activation_codes(const Layer& layer) const override {
    ActivationCodes codes = Dorefa::activation_codes(layer);
    if (truncates(layer, layer.output_bits)) {
      Layer whole = layer;
      whole.output_bits = kMostBits;
      codes.thresholds = high_planes(Dorefa::activation_codes(whole).thresholds, layer.output_bits);
    }
    return codes;
  }
  std::function<float(float)> quantize_activation(const Layer& layer) const override {
    const int bits = layer.output_bits;
    if (!truncates(layer, bits)) return Dorefa::quantize_activation(layer);
    return [bits](float p) {
      const double code = quantize_unit(p, kMostBits) * code_levels(kMostBits);
      return static_cast<float>(high_planes(std::round(code), bits) / code_levels(bits));
    };
  }

  Curriculum curriculum() const override { return Curriculum::kJoint; }
  std::vector<Precision> precisions() const override { return {{8, 8}, {4, 4}, {2, 2}, {1, 1}}; }

 private:
  static constexpr int kMostBits = 8;
  bool truncates(const Layer& layer, int bits) const {
    return parameter(layer, "truncate") == 1.0 && quantizes(bits) && bits < kMostBits;
  }
  static double high_planes(double code, int bits) {
    return std::floor(std::ldexp(code, bits - kMostBits));
  }
  /// The thresholds at which the high planes of a code of 8 bits change.
  template <typename Threshold>
  static std::vector<Threshold> high_planes(const std::vector<Threshold>& thresholds, int bits) {
    std::vector<Threshold> list;
    const std::size_t step = std::size_t{1} << (kMostBits - bits);
    for (std::size_t rank = step; rank <= thresholds.size(); rank += step)
      list.push_back(thresholds[rank - 1]);
    return list;
  }
};

}  // namespace

const Scheme& any_precision_scheme() {
  static const AnyPrecision scheme;
  return scheme;
}

}  // namespace solfege
