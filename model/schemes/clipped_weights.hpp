// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/schemes/dorefa.hpp"

namespace solfege {

/// Weights in [-1, 1], in which the update keeps the master weights, quantized to equal steps:
/// scale (2c - n_W) / n_W, of one bit scale sign(w), sign(0) = +1. The gradient passes straight
/// through, over the scale. Activations are DoReFa-Net's. A base of schemes.
class ClippedWeights : public Dorefa {
 public:
  WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const override;
  bool keeps_weight_scale(const Layer&) const override { return false; }
  int weight_limit_log2(const Layer&) const override { return 0; }
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override;
  float weight_unit(const Layer& layer, const std::vector<float>& quantized) const override;
  std::vector<float> weight_gradient(const Layer& layer, const std::vector<float>& weights,
                                     const std::vector<float>& gradient,
                                     MaxGradient max_gradient) const override;

 protected:
  /// The value of a weight of 1.
  virtual double scale(const Layer&) const { return 1.0; }
  /// Steps from 0 to 1, which are n_W / 2 where codes are bipolar.
  virtual double steps(const Layer& layer) const { return 0.5 * code_levels(layer.weight_bits); }
};

}  // namespace solfege
