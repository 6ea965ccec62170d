// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/base/splitmix.hpp"
#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/schemes/scheme.hpp"
#include "model/spec/config.hpp"
#include "tests/support/accelerator_step.hpp"
#include "tests/support/dorefa_helpers.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {

// Networks with every kind of layer, and their training on the golden model: what the accelerator
// and the float engine are compared on.

/// Every kind of layer: pooling with a bias; batch norm, dropout and a residual's start; a residual
/// on batch norm, one on a bias; pooling with batch norm and dropout; fully connected. `grouped`:
/// and groups, depthwise with two outputs an input, kernels, strides and paddings by axis.
inline std::string network_text(const std::string& scheme, int w, int a, int g, double decay,
                                bool branched = false, double learning_rate = 0.01,
                                bool grouped = false) {
  std::string text = fmt::format("scheme = \"{}\"\nlearning_rate = {}\nweight_decay = {}\n", scheme,
                                 learning_rate, decay);
  std::vector<std::string> plain = {
      "conv\"\nchannels = 12\nkernel = 3\npadding = 1\npool = 2\n",
      "conv\"\nchannels = 20\nkernel = 3\npadding = 1\nbatch_norm = true\ndropout = 0.25\n",
      "conv\"\nchannels = 20\nkernel = 3\npadding = 1\nbatch_norm = true\nresidual = 2\n",
      "conv\"\nchannels = 20\nkernel = 1\nresidual = 2\n",
      "conv\"\nchannels = 9\nkernel = 3\npadding = 1\nbatch_norm = true\npool = 2\n"
      "dropout = 0.5\n",
      "fc\"\nchannels = 17\nbatch_norm = true\n"};
  if (grouped) {
    plain[3] += "dropout = 0.25\n";
    plain.insert(plain.begin() + 4,
                 {"conv\"\nchannels = 40\nkernel = [3, 1]\npadding = [1, 0]\n"
                  "groups = \"depthwise\"\nbatch_norm = true\n",
                  "conv\"\nchannels = 20\nkernel = [7, 3]\nstride = [3, 1]\npadding = [6, 1]\n"
                  "groups = 5\nbatch_norm = true\n",
                  "conv\"\nchannels = 20\nkernel = 3\npadding = 1\ninput = 4\nresidual = 6\n"});
  }
  // Max-pooling windows that overlap, with a bias and with batch norm, and reach over the edge;
  // projections; averages over windows that overlap, read twice, and over the whole map.
  const std::vector<std::string> graph = {
      "conv\"\nchannels = 12\nkernel = 3\npadding = 1\npool = 3\npool_stride = 2\n"
      "pool_padding = 1\n",
      "conv\"\nchannels = 20\nkernel = 3\npadding = 1\nbatch_norm = true\ndropout = 0.25\n",
      "conv\"\nchannels = 20\nkernel = 3\npadding = 1\nbatch_norm = true\nresidual = 1\n",
      "avgpool\"\nkernel = 2\nstride = 1\n",
      "conv\"\nchannels = 19\nkernel = 3\npadding = 1\nbatch_norm = true\npool = 2\n"
      "pool_stride = 1\ndropout = 0.5\n",
      "conv\"\nchannels = 19\nkernel = 2\ninput = 4\nresidual = 5\n",
      "avgpool\"\n"};
  // Codes without a 0 have none for what is dropped. Gradients that are rounded as they are come
  // from no batch norm; dropout's scale is no power of two, as their units are.
  const bool normalises = find_scheme(scheme)->gradient_rule(Layer()) == GradientRule::kStochastic;
  const bool drops = normalises && find_scheme(scheme)->activation_reading(Layer()).offset == 0;
  bool first = true;
  for (std::string layer : branched ? graph : plain) {
    if (layer.find("avgpool") == 0) {
      text += fmt::format("[[layer]]\ntype = \"{}", layer);
      continue;
    }
    const int most = layer.find("groups") == std::string::npos ? 8 : 7;
    const std::size_t dropout = layer.find("dropout");
    if (!drops && dropout != std::string::npos)
      layer.erase(dropout, layer.find('\n', dropout) + 1 - dropout);
    const std::size_t norm = layer.find("batch_norm");
    if (!normalises && norm != std::string::npos)
      layer.erase(norm, layer.find('\n', norm) + 1 - norm);
    text += fmt::format("[[layer]]\ntype = \"{}output_bits = {}\n", layer, a);
    if (!first) text += fmt::format("weight_bits = {}\ngradient_bits = {}\n", std::min(w, most), g);
    first = false;
  }
  return text + "[[layer]]\ntype = \"fc\"\n";
}

constexpr int kBatch = 12, kSide = 8, kChannels = 2, kClasses = 5;

struct Run {
  Run(const std::string& config_path, const std::string& text, std::uint64_t seed,
      bool trained = true)
      : config(Config::load(SOLFEGE_SOURCE_DIR + ("/" + config_path))), random(seed) {
    const Scratch scratch;
    network =
        load_network(scratch.write("n.toml", text), config, {kSide, kSide, kChannels, kClasses});
    engine = std::make_unique<AcceleratorEngine>(
        config, network, kBatch, seed, [&](std::size_t bytes) -> std::unique_ptr<Device> {
          return std::make_unique<GoldenOnly>(config, bytes);
        });
    // Batch norms as training might leave them, some negative. The engine owns its layers.
    for (std::size_t k = 0; k < network.layers.size(); ++k) {
      auto& state = const_cast<LayerState&>(engine->layer(static_cast<int>(k)));
      if (!network.layers[k].batch_norm || !trained) continue;
      for (double& gamma : state.gamma)
        gamma = (random.uniform() < 0.25f ? -1.0 : 1.0) * (0.3 + random.uniform());
      for (double& beta : state.beta) beta = random.uniform() - 0.2;
    }
  }
  std::vector<std::uint8_t> bytes(int count, int limit) {
    std::vector<std::uint8_t> values(static_cast<std::size_t>(count));
    for (std::uint8_t& value : values)
      value = static_cast<std::uint8_t>(random.next() % static_cast<std::uint64_t>(limit));
    return values;
  }
  AcceleratorStep step() {
    const auto pixels = bytes(kBatch * kSide * kSide * kChannels, 256);
    const auto labels = bytes(kBatch, kClasses);
    return AcceleratorStep(engine.get(), network, pixels, labels);
  }
  /// Steps before which shifts are only bounds.
  void warm_up(int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto pixels = bytes(kBatch * kSide * kSide * kChannels, 256);
      const auto labels = bytes(kBatch, kClasses);
      engine->train_step(pixels.data(), labels.data(), kBatch);
    }
  }

  Config config;
  SplitMix64 random;
  Network network;
  std::unique_ptr<AcceleratorEngine> engine;
};

}  // namespace solfege
