// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/schemes/dorefa.hpp"

namespace solfege {

/// Weights of one bit as alpha sign(w), sign(0) = +1, with alpha = mean |w| of each output channel,
/// or of the layer where no batch norm follows; master weights stay in [-1, 1]. Weights of more
/// bits are DoReFa-Net's. A base of schemes.
class ScaledSigns : public Dorefa {
 public:
  bool measures_rows(const Layer& layer) const override {
    return layer.batch_norm && layer.weight_bits == 1;
  }
  int weight_limit_log2(const Layer& layer) const override {
    return layer.weight_bits == 1 ? 0 : kNoWeightLimit;
  }
  WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const override;
  std::vector<float> quantize_weights(const Layer& layer,
                                      const std::vector<float>& weights) const override;
  std::vector<float> weight_gradient(const Layer& layer, const std::vector<float>& weights,
                                     const std::vector<float>& gradient,
                                     MaxGradient max_gradient) const override;

 protected:
  /// Of n weights that share alpha: dC/dw over dC/d(alpha sign(w)).
  virtual double slope(double alpha, double n) const = 0;
};

}  // namespace solfege
