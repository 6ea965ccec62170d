// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/base/splitmix.hpp"
#include "model/data/training.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/spec/network.hpp"

namespace solfege {

/// Training on the golden model.
inline std::unique_ptr<AcceleratorEngine> golden_engine(const Config& config,
                                                        const Network& network, int batch,
                                                        std::uint64_t seed) {
  return std::make_unique<AcceleratorEngine>(config, network, batch, seed,
                                             [&](std::size_t bytes) -> std::unique_ptr<Device> {
                                               return std::make_unique<GoldenOnly>(config, bytes);
                                             });
}

/// Random images and labels of this shape, the same for a seed.
struct RandomTraining {
  RandomTraining(const ImageShape& shape, std::uint64_t seed) : shape(shape), random(seed) {}

  std::vector<std::uint8_t> images(int count) {
    return bytes(count * shape.height * shape.width * shape.channels, 256);
  }
  double step(TrainingEngine& engine, int batch) {
    const std::vector<std::uint8_t> pixels = images(batch), labels = bytes(batch, shape.classes);
    return engine.train_step(pixels.data(), labels.data(), batch);
  }

  ImageShape shape;
  SplitMix64 random;

 private:
  std::vector<std::uint8_t> bytes(int count, int limit) {
    std::vector<std::uint8_t> values(static_cast<std::size_t>(count));
    for (std::uint8_t& value : values)
      value = static_cast<std::uint8_t>(random.next() % static_cast<std::uint64_t>(limit));
    return values;
  }
};

}  // namespace solfege
