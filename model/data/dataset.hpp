// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/spec/network.hpp"

namespace solfege {

/// Images as bytes, [image][y][x][channel], with one label each.
struct Images : ImageShape {
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> labels;
  int count() const { return static_cast<int>(labels.size()); }
  const std::uint8_t* image(int i) const {
    return pixels.data() + static_cast<std::size_t>(i) * height * width * channels;
  }
};

struct Dataset {
  std::string name;
  Images train, test;
};

/// Loads the data set in a folder: IDX files (train-images-idx3-ubyte ... t10k-..., as MNIST and
/// Fashion-MNIST have them; also train-images.idx3-ubyte), those of one split of EMNIST
/// (emnist-letters-train-images-idx3-ubyte ...; turned upright), CIFAR-10 binary (data_batch_*.bin,
/// test_batch.bin; planar records re-ordered to [y][x][channel]), CIFAR-100 binary (train.bin,
/// test.bin; fine labels) or SVHN's cropped digits
/// (train_32x32.mat, test_32x32.mat; extra_32x32.mat, if there, adds to the training images). Each
/// may be packed by gzip, with or without .gz in its name. With an empty path: the built-in digits.
/// Throws InputError on a missing, truncated, damaged or foreign file.
Dataset load_dataset(const std::string& path, std::uint64_t seed = 1);

/// Resizes every image to side x side, 1 to 1024, by bilinear interpolation in exact integers.
/// Pixel o of the new row looks at position ((2 o + 1) n - side) / (2 side) of the old row of n
/// pixels (centres meet centres), clamped to [0, n - 1]; the four weights are products of integers
/// over (2 side)^2, and the sum is rounded, halves up. Shrinking does not average beyond these
/// four.
void resize_images(Images& images, int side);

/// Repeats the one channel of grey images, so that a network for colour images can take them.
void repeat_channels(Images& images, int channels);

}  // namespace solfege
