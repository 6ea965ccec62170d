// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/data/dataset.hpp"
#include "model/spec/network.hpp"

namespace solfege {

/// Tensors of a training step, as reals, from which every datapath's operands are quantized.
struct TrainingValues {
  std::vector<float> activations;  ///< in [0, 1]: clipped pre-activations
  std::vector<float> weights;      ///< master weights
  std::vector<float> gradients;    ///< each sample's over its largest, as f_G scales them
  std::string source;              ///< of what run, or the distribution
};

float largest_magnitude(const float* values, std::size_t count);  ///< 0 of none

/// Stand-alone values: activations clip(N(0, 1), 0, 1) as after batch normalisation, weights and
/// gradients N(0, 1).
TrainingValues gaussian_values(std::size_t count, std::uint64_t seed);

/// What the inner layer of the most multiply-accumulates reads, holds and gets back in the second
/// training step of the float reference with the network's quantizers. At most `count` of each,
/// evenly spread over the tensor. Networks without a hidden layer, and layers whose tensors are all
/// zero, give gaussian_values(count, seed), which `source` says.
TrainingValues training_values(const Network& network, const Images& images, int batch,
                               std::size_t count, std::uint64_t seed);

}  // namespace solfege
