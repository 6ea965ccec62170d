// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/base/splitmix.hpp"
#include "model/data/training.hpp"

namespace solfege {

/// The images of each training step: a new order every epoch, a function of the seed and the step
/// alone, so every engine and every resumed run sees the same. Images that do not fill the epoch's
/// last batch are left out of that epoch.
class Batches {
 public:
  /// Starts before step `first_step`, counted from 0. `images` must outlive this and have at least
  /// `batch` images.
  Batches(const Images& images, int batch, std::uint64_t seed, std::uint64_t first_step = 0);
  int per_epoch() const;
  /// The images of the next step, [image][y][x][channel], and their labels.
  void next(std::vector<std::uint8_t>& pixels, std::vector<std::uint8_t>& labels);

 private:
  void shuffle();

  const Images& images_;
  int batch_;
  SplitMix64 random_;
  std::vector<int> order_;
  std::size_t position_ = 0;
};

}  // namespace solfege
