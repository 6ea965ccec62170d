// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"
#include "tests/support/seeded_random.hpp"

namespace solfege {

/// Random legal TRANSPOSE and UNFOLD descriptors. Source and target lie one after the other from
/// `first` on, in less than 5 MB; fields of the other opcode hold anything.
Descriptor random_transpose(const Geometry& geometry, SeededRandom& random, std::uint32_t first);
Descriptor random_unfold(const Geometry& geometry, SeededRandom& random, std::uint32_t first);

}  // namespace solfege
