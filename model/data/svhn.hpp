// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/data/dataset.hpp"

namespace solfege {

/// Appends the images of one SVHN file of cropped digits (train_32x32.mat and its companions):
/// a MATLAB file with X, bytes [y][x][channel][image] by columns, 32 x 32 x 3 x N, and y, N labels
/// 1 to 10, where 10 means the digit 0. Throws InputError on a missing,
/// truncated, damaged or foreign file.
void append_svhn(const std::string& file, Images& images);

}  // namespace solfege
