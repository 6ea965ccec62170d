// SPDX-License-Identifier: Apache-2.0
#include "model/data/network_keys.hpp"

#include <fmt/format.h>

#include "model/schemes/scheme.hpp"
#include "model/spec/network.hpp"

namespace solfege {
namespace {

/// The parameters of schemes, each a key of the file and of a layer.
void add_scheme_parameters(std::vector<NetworkKey>& keys) {
  for (const bool top : {true, false})
    for (const Scheme* scheme : schemes())
      for (const SchemeParameter& parameter : scheme->parameters())
        keys.push_back({parameter.name, top, !top, !top, false, "number",
                        fmt::format("{} to {}", parameter.min, parameter.max),
                        top ? fmt::format("{}", parameter.value) : "that of the file",
                        fmt::format("Of scheme {}: {}.", scheme->name(), parameter.meaning)});
}

std::vector<NetworkKey> make_network_keys() {
  const Network network;
  const std::string below_one = "0 to below 1";
  const auto up_to = [](int min, auto max) { return fmt::format("{} to {}", min, max); };
  const auto by_axis = [](int min, int max) {
    return fmt::format("{} to {}, or [height, width]", min, max);
  };
  const auto top = [](const char* name, const char* type, std::string range, std::string fallback,
                      const char* meaning) {
    return NetworkKey{
        name, true, false, false, false, type, std::move(range), std::move(fallback), meaning};
  };
  enum Types { kConv = 1, kFc = 2, kAverage = 4, kAll = 7 };
  const auto layer = [](const char* name, int types, const char* type, std::string range,
                        std::string fallback, const char* meaning) {
    return NetworkKey{name,
                      false,
                      (types & kConv) != 0,
                      (types & kFc) != 0,
                      (types & kAverage) != 0,
                      type,
                      std::move(range),
                      std::move(fallback),
                      meaning};
  };
  const auto number = [](double value) { return fmt::format("{}", value); };
  std::vector<NetworkKey> keys = {
      top("name", "string", "any", "the file's name", "The name in reports."),
      top("input", "list", std::string(kInputRange), "that of the data set",
          "The images that the network takes. Images of another shape are refused."),
      top("classes", "integer", up_to(1, kMaxChannels), "that of the data set",
          "The classes of the built-in images, when there is no data set."),
      top("learning_rate", "number", fmt::format("above 0, at most {}", kMaxLearningRate),
          number(network.learning_rate), "The step of SGD in the first epoch."),
      top("momentum", "number", below_one, number(network.momentum), "The momentum of SGD."),
      top("weight_decay", "number", below_one, number(network.weight_decay),
          "The weight times this is added to its gradient."),
      top("learning_rate_decay", "number", "above 0, at most 1",
          number(network.learning_rate_decay),
          "The learning rate is multiplied by this after each epoch."),
      top("scheme", "string", scheme_names(), "dorefa",
          "The scheme of layers that name none: how they are quantized."),
      top("layer", "list", "one or more [[layer]] sections", "required",
          "The layers, from the images to the logits."),
      layer("type", kAll, "string", "\"conv\", \"fc\", \"avgpool\"", "required",
            "Convolutional; fully connected: a convolution whose kernel covers the whole map; or "
            "averaging: the mean of each channel over windows, of the values that the layer it "
            "reads hands on. Neither the first nor the last layer averages."),
      layer("name", kAll, "string",
            fmt::format("1 to {} letters, digits, '_', '-' or '.'", kMaxName),
            "the type and the number of the layer",
            "The name in reports, in input and in residual. No two layers have the same."),
      layer("input", kAll, "string or integer", "an earlier layer", "the layer before",
            "The name or number, from 1, of the earlier layer that this one reads. Every layer but "
            "the last is read by a later one, or is the residual of one."),
      layer("channels", kConv | kFc, "integer", up_to(1, kMaxChannels),
            "required; last layer: classes",
            "The output channels. In the last layer they are the classes."),
      layer("kernel", kConv | kAverage, "integer or list", by_axis(1, kMaxKernel),
            "required; avgpool: the whole map",
            "The side of the square kernel in pixels, or [height, width]; or of the windows that "
            "are averaged. It fits into the padded map."),
      layer("stride", kConv | kAverage, "integer or list", by_axis(1, kMaxStride),
            "1; avgpool: the kernel",
            "The distance of two positions of the kernel in pixels, or [height, width]. Positions "
            "that would reach beyond the map are left out."),
      layer("padding", kConv, "integer or list", "0 to kernel - 1, or [height, width]", "0",
            "The pixels of value 0 around the map, on each side, or [height, width]: above and "
            "below, left and right."),
      layer(
          "groups", kConv, "integer or string",
          "a divisor of the channels on both sides, \"depthwise\"", "1",
          "The groups of channels: outputs of a group see its inputs alone. \"depthwise\": one for "
          "each input channel. Not in the first or the last layer."),
      layer("batch_norm", kConv | kFc, "truth value", "true, false", "false",
            "Batch normalisation of the sums, in place of a bias. Not in the last layer."),
      layer("pool", kConv, "integer", up_to(1, kMaxPool), "1",
            "The side of the max-pooling windows, in pixels. 1 is none. Not in the last layer."),
      layer("pool_stride", kConv, "integer", up_to(1, kMaxPool), "pool",
            "The distance of two pooling windows, in pixels. Windows may overlap. Those that would "
            "reach beyond the map are left out."),
      layer("pool_padding", kConv, "integer", "0 to pool / 2", "0",
            "The pixels around the map, on each side, that pooling windows may reach, and that no "
            "maximum takes."),
      layer("dropout", kConv | kFc, "number", fmt::format("0 to {}", kMaxDropout), "0",
            "The probability that a code of the output is dropped. Not in the last layer."),
      layer("residual", kConv, "string or integer", "an earlier layer", "none",
            "The name or number, from 1, of an earlier layer whose sums are added to this one's. "
            "If that layer pools or averages, or has another map or other channels, its codes "
            "go through a projection first: a 1 x 1 convolution with weights of its own, this "
            "layer's batch_norm, scheme and bits, and the stride that leads from one map to the "
            "other. It is a layer of its own, whose name ends in .projection. Not in the first or "
            "the last layer, nor in one that pools."),
      layer("weight_bits", kConv | kFc, "integer", "1 to max(bits.weight, bits.edge)",
            "bits.weight; first and last layer: bits.edge", "W of this layer."),
      layer("output_bits", kAll, "integer",
            "1 to bits.activation; avgpool: 1 to max(bits.activation, bits.edge); last layer: 0",
            "bits.activation; last layer: 0; avgpool just before the last layer: bits.edge",
            "A of this layer's output. The logits of the last layer are not quantized."),
      layer("gradient_bits", kConv | kFc, "integer",
            "1 to max(bits.gradient, bits.edge); last layer: 0",
            "bits.gradient; first layer: bits.edge; last layer: 0",
            "G of the gradient of this layer's output. The last layer's is not quantized."),
      layer("scheme", kConv | kFc, "string", scheme_names(), "that of the file",
            "The scheme of this layer."),
  };
  add_scheme_parameters(keys);
  return keys;
}

}  // namespace

const std::vector<NetworkKey>& network_keys() {
  static const std::vector<NetworkKey> keys = make_network_keys();
  return keys;
}

}  // namespace solfege
