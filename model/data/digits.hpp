// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/data/dataset.hpp"

namespace solfege {

/// Rendered strokes of the ten digits, 28 x 28 grey, with random affine distortion, noise and
/// clutter. The same seed gives the same bytes on every machine (integer arithmetic or own
/// generator, no std distributions).
Dataset make_digits(int train_count, int test_count, std::uint64_t seed);

}  // namespace solfege
