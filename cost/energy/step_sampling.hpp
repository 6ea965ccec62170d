// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cost/energy/operand_trace.hpp"
#include "model/data/dataset.hpp"
#include "model/spec/config.hpp"
#include "model/spec/network.hpp"
#include "model/spec/program.hpp"

namespace solfege {

/// What a layer's gradient was like in a step.
struct LayerGradient {
  std::string layer;
  double zero_share = 0;  ///< of the elements that backward_input made, those that are exactly 0
};

/// A step of a training run: what ran, and what the units saw.
struct StepSamples {
  int step = 0;                          ///< which one of the training, from 1
  std::vector<LayerGradient> gradients;  ///< of that step
  std::vector<Program> programs;         ///< as they ran
  std::vector<UnitWindow> windows;
};

struct SamplingOptions {
  int batch = 16;
  int steps_before = 1;  ///< training steps before the one that is sampled, at least
  int last_step = 32;    ///< the last one to try
  std::uint64_t seed = 1;
  int windows = 8;          ///< of each kind of operation of each layer's pass
  std::size_t cycles = 64;  ///< of a window
};

/// Trains on the golden model and samples the operands of one step: the first after `steps_before`
/// others in which the gradient of no layer is all zero, or `last_step` if there is none.
/// `progress` is called with the fraction done and may throw to stop. InputError: fewer images than
/// a batch.
StepSamples sample_step(const Config& config, const Network& network, const Images& images,
                        const SamplingOptions& options,
                        const std::function<void(double)>& progress = {});

}  // namespace solfege
