// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/data/training.hpp"
#include "model/spec/network.hpp"

namespace solfege {

struct Images;

/// What the exponents of a post-training quantization are chosen by.
enum class Criterion {
  kSquaredError,  ///< least mean square of the differences
  kDivergence,    ///< least Kullback-Leibler divergence of the histograms of magnitudes
  kAccuracy,  ///< those of kSquaredError, then one up or down where that classifies more rightly
};
/// "mse", "kl" or "accuracy".
Criterion criterion_of(const std::string& name);

/// The network with `weight_exponent` and `activation_exponent` of each of its layers that has
/// scheme qcode, from the parameters of a float training and the first `count` of `images`.
/// `classify` says the share of them that a network with such exponents classifies rightly; it is
/// asked for kAccuracy only.
Network calibrated(const Network& network, const std::vector<LayerParameters>& parameters,
                   const Images& images, int count, Criterion criterion,
                   const std::function<double(const Network&)>& classify);

}  // namespace solfege
