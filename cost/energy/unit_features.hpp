// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cost/energy/operand_trace.hpp"
#include "model/spec/config.hpp"

namespace solfege {

/// What a unit's energy is a linear function of: bits that change in a cycle, by the kind of
/// hardware that they drive, from the unit's inputs alone. The first feature is 1: a cycle.
const std::vector<std::string>& feature_names(const std::string& unit);

/// Features of a window: mean over the cycles after its warm-up.
std::vector<double> window_features(const Config& config, const UnitWindow& window);

/// Inputs of a lane as sf_unit_quantizer ties them: lane_front, threshold or rounding.
LaneInputs quantizer_inputs(const std::string& unit, const Vectors& vectors, std::size_t cycle);

}  // namespace solfege
