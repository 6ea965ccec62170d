// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/spec/config.hpp"
#include "sim/rtl_device.hpp"

namespace solfege {

struct VerifyResult {
  int cases = 0, mismatched_cases = 0;
  std::uint64_t cycles_apart =
      0;  ///< descriptors whose advancing cycles differ from the cycle model's
  std::uint64_t seed = 0, compared_bits = 0, stall_cycles = 0;
  std::vector<std::string> failures;  ///< a line a failed case, with its number
};

/// Random programs on the RTL against the golden model: products of all modes (forward,
/// backward_input, backward_weight; strides, padding, every pair of plane types, split
/// contractions), weight gradients sample by sample from unfolded operands, stream passes of all
/// kinds (scales, masks, tanh slope, pooling, routing, dropout, quantizers, reductions, packing),
/// transpositions and unfoldings. Some are interrupted by a bus error first. Case i of a seed is
/// the same whatever the number of cases, so `first_case` replays one.
VerifyResult verify(const Config& config, int cases, std::uint64_t seed, int first_case,
                    const RtlOptions& options, const std::function<void(int)>& progress);

}  // namespace solfege
