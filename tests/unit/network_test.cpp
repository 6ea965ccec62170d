// SPDX-License-Identifier: Apache-2.0
#include "model/network.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "model/config.hpp"
#include "model/error.hpp"
#include "tests/unit/scratch.hpp"

namespace solfege {
namespace {

const std::string kFc = "[[layer]]\ntype = \"fc\"\n";
const std::string kHidden = kFc + "channels = 32\n";

std::string conv(const std::string& keys) {
  return "[[layer]]\ntype = \"conv\"\nchannels = 8\n" + keys;
}

Network load_text(const std::string& text, const Config& config = Config()) {
  const Scratch scratch;
  return load_network(scratch.write("some.toml", text), config, 28, 28, 1, 10);
}

/// Loads `text` and requires an InputError that names the file and contains `parts`.
void require_refused(const std::string& text, std::vector<std::string> parts,
                     const Config& config = Config()) {
  const Scratch scratch;
  const std::string path = scratch.write("bad.toml", text);
  INFO(text);
  parts.push_back(path);
  require_error<InputError>([&] { load_network(path, config, 28, 28, 1, 10); }, parts);
}

TEST_CASE("shipped networks fit grey digits and colour images", "[network]") {
  for (const char* name : {"mlp", "cnn", "tiny_mlp", "tiny_cnn"}) {
    INFO(name);
    const Network grey = load_network(name, Config(), 28, 28, 1, 10);
    CHECK(grey.name == name);
    const Network colour = load_network(name, Config(), 32, 32, 3, 10);
    for (const Network& network : {grey, colour}) {
      CHECK(network.layers.front().in_height == network.in_height);
      CHECK(network.layers.front().in_channels == network.in_channels);
      for (std::size_t i = 1; i < network.layers.size(); ++i) {
        const Layer& before = network.layers[i - 1];
        const Layer& layer = network.layers[i];
        CHECK(layer.in_height == before.out_height);
        CHECK(layer.in_width == before.out_width);
        CHECK(layer.in_channels == before.out_channels);
        CHECK(layer.input_bits == before.output_bits);
      }
      CHECK(network.layers.back().out_channels == 10);
      CHECK(network.layers.back().out_height * network.layers.back().out_width == 1);
    }
  }
}

TEST_CASE("first and last layer have edge bitwidths, the others W, A, G", "[network]") {
  Config config;
  config.weight_bits = 2;
  config.activation_bits = 3;
  config.gradient_bits = 5;
  const Network network = load_text(kHidden + kHidden + kFc, config);
  REQUIRE(network.layers.size() == 3);
  const Layer& first = network.layers[0];
  CHECK(first.weight_bits == 8);
  CHECK(first.input_bits == 8);
  CHECK(first.output_bits == 3);
  CHECK(first.gradient_bits == 8);
  const Layer& middle = network.layers[1];
  CHECK(middle.weight_bits == 2);
  CHECK(middle.input_bits == 3);
  CHECK(middle.output_bits == 3);
  CHECK(middle.gradient_bits == 5);
  const Layer& last = network.layers[2];
  CHECK(last.weight_bits == 8);
  CHECK(last.input_bits == 3);
  CHECK(last.output_bits == 0);
  CHECK(last.gradient_bits == 0);
}

TEST_CASE("per-layer bitwidths override the defaults", "[network]") {
  const Network network = load_text(kHidden + "weight_bits = 1\noutput_bits = 1\n" + kHidden +
                                    "gradient_bits = 6\n" + kFc);
  CHECK(network.layers[0].weight_bits == 1);
  CHECK(network.layers[0].output_bits == 1);
  CHECK(network.layers[1].input_bits == 1);
  CHECK(network.layers[1].gradient_bits == 6);
}

TEST_CASE("an fc layer is a convolution over its whole map", "[network]") {
  const Network network = load_text(conv("kernel = 3\nstride = 2\npadding = 1\n") + kFc);
  const Layer& layer = network.layers[0];
  CHECK(layer.name == "conv1");
  CHECK(layer.out_height == 14);
  CHECK(layer.out_width == 14);
  const Layer& fc = network.layers[1];
  CHECK(fc.name == "fc2");
  CHECK(fc.kernel_height == 14);
  CHECK(fc.kernel_width == 14);
  CHECK(fc.fan_in() == 14 * 14 * 8);
  CHECK(fc.out_height == 1);
  CHECK(fc.stride == 1);
  CHECK(fc.padding == 0);
}

TEST_CASE("a ragged last stride is cut off", "[network]") {
  const Network network = load_text(conv("kernel = 5\nstride = 4\n") + kFc);
  CHECK(network.layers[0].out_height == (28 - 5) / 4 + 1);
}

TEST_CASE("a single layer is first and last", "[network]") {
  const Network network = load_text(kFc);
  REQUIRE(network.layers.size() == 1);
  CHECK(network.layers[0].input_bits == 8);
  CHECK(network.layers[0].output_bits == 0);
  CHECK(network.layers[0].gradient_bits == 0);
}

TEST_CASE("training settings are read and checked", "[network]") {
  const Network network = load_text(
      "name = \"n\"\nlearning_rate = 1\nmomentum = 0\nweight_decay = 0.5\n"
      "learning_rate_decay = 0.9\n" +
      kFc);
  CHECK(network.name == "n");
  CHECK(network.learning_rate == 1.0);
  CHECK(network.momentum == 0.0);
  CHECK(network.weight_decay == 0.5);
  CHECK(network.learning_rate_decay == 0.9);
  CHECK(load_text(kFc).name == "some");

  require_refused("learning_rate = 0\n" + kFc, {"learning_rate = 0", "above 0", "set"});
  require_refused("learning_rate = nan\n" + kFc, {"learning_rate = nan", "above 0"});
  require_refused("learning_rate = \"fast\"\n" + kFc, {"learning_rate", "a string"});
  require_refused("momentum = 1\n" + kFc, {"momentum = 1", "from 0 to below 1"});
  require_refused("weight_decay = -0.1\n" + kFc, {"weight_decay = -0.1", "from 0 to below 1"});
  require_refused("learning_rate_decay = 1.5\n" + kFc, {"learning_rate_decay = 1.5", "at most 1"});
  require_refused("name = 3\n" + kFc, {"name = 3", "not a string"});
}

TEST_CASE("unknown keys are refused", "[network]") {
  require_refused("momentun = 0.9\n" + kFc, {":1:", "momentun = 0.9 (", "allowed are", "momentum"});
  require_refused(conv("kernel = 3\nstrides = 2\n") + kFc,
                  {":5:", "layer conv1", "layer.strides", "stride"});
  require_refused(kFc + "kernel = 3\n", {"layer fc1", "layer.kernel", "an fc layer"});
  require_refused("[[layers]]\ntype = \"fc\"\n", {"layers", "allowed are"});
}

TEST_CASE("layers need a type and channels", "[network]") {
  require_refused("[[layer]]\nchannels = 3\n", {"layer 1", "layer.type", "\"conv\", \"fc\""});
  require_refused("[[layer]]\ntype = \"pool\"\n", {"layer 1", "layer.type = \"pool\"", "\"fc\""});
  require_refused("[[layer]]\ntype = 3\n", {"layer 1", "layer.type = 3", "not a string"});
  require_refused(kFc + kFc, {"layer fc1", "layer.channels", "missing"});
  require_refused(kFc + "channels = 0\n" + kFc, {"layer fc1", "layer.channels = 0", "1 to 65536"});
  require_refused(kFc + "channels = 7\n", {"layer fc1", "layer.channels = 7", "classes", "10"});
  CHECK_NOTHROW(load_text(kFc + "channels = 10\n"));
  require_refused("name = \"none\"\n", {"layer", "[[layer]]"});
  require_refused("layer = 3\n", {"layer = 3", "[[layer]]"});
  require_refused("[layer]\ntype = \"fc\"\n", {"layer", "a table", "[[layer]]"});
}

TEST_CASE("layers that do not fit their input are refused", "[network]") {
  require_refused(conv("stride = 2\n") + kFc, {"layer conv1", "layer.kernel", "missing"});
  require_refused(conv("kernel = 29\n") + kFc,
                  {"layer conv1", "layer.kernel = 29", "28 x 28 pixels", "1 to 28"});
  CHECK_NOTHROW(load_text(conv("kernel = 28\n") + kFc));
  CHECK_NOTHROW(load_text(conv("kernel = 30\npadding = 1\n") + kFc));
  // The second layer sees what the first leaves.
  require_refused(conv("kernel = 3\nstride = 4\n") + conv("kernel = 8\n") + kFc,
                  {"layer conv2", "layer.kernel = 8", "7 x 7 pixels"});
  require_refused(conv("kernel = 3\nstride = 3\n") + kFc,
                  {"layer conv1", "layer.stride = 3", "1, 2, 4"});
  require_refused(conv("kernel = 3\nstride = 8\n") + kFc, {"layer conv1", "layer.stride = 8"});
  require_refused(conv("kernel = 3\nstride = 0\n") + kFc, {"layer conv1", "layer.stride = 0"});
  require_refused(conv("kernel = 3\npadding = 3\n") + kFc,
                  {"layer conv1", "layer.padding = 3", "0 to 2"});
  require_refused(conv("kernel = 3\npadding = -1\n") + kFc, {"layer conv1", "layer.padding = -1"});
  require_refused(kHidden + "[[layer]]\ntype = \"conv\"\nkernel = 1\npadding = 0\n" +
                      "[[layer]]\ntype = \"conv\"\nkernel = 2\n",
                  {"layer conv2", "layer.channels", "missing"});
  require_refused("[[layer]]\ntype = \"conv\"\nkernel = 27\n",
                  {"layer conv1", "2 x 2 pixels in the last layer", "\"fc\""});
}

TEST_CASE("bitwidths beyond the configuration are refused", "[network]") {
  require_refused(kHidden + "weight_bits = 9\n" + kFc,
                  {"layer fc1", "layer.weight_bits = 9", "1 to 8"});
  require_refused(kHidden + "weight_bits = 0\n" + kFc, {"layer fc1", "layer.weight_bits = 0"});
  require_refused(kHidden + "output_bits = 3\n" + kFc,
                  {"layer fc1", "layer.output_bits = 3", "1 to 2"});
  require_refused(kHidden + "gradient_bits = 9\n" + kFc,
                  {"layer fc1", "layer.gradient_bits = 9", "1 to 8"});
  require_refused(kFc + "output_bits = 2\n", {"layer fc1", "layer.output_bits = 2", "last layer"});
  require_refused(kFc + "gradient_bits = 4\n", {"layer fc1", "layer.gradient_bits", "last layer"});
}

TEST_CASE("a machine too narrow for pixels is refused", "[network]") {
  Config config;
  config.name = "narrow";
  config.edge_bits = 4;
  config.validate("narrow");
  require_refused(kFc, {"bits.edge = 4", "narrow", "8 bits", "set bits.edge = 8"}, config);
}

TEST_CASE("missing networks are refused, naming the shipped ones", "[network]") {
  require_error<InputError>([] { load_network("resnet", Config(), 28, 28, 1, 10); },
                            {"configs/networks", "resnet", "cnn, ", "tiny_mlp"});
  require_error<InputError>([] { load_network("", Config(), 28, 28, 1, 10); },
                            {"configs/networks", "no such network"});
  // A path is never looked up by its last part.
  require_error<InputError>([] { load_network("/nowhere/mlp.toml", Config(), 28, 28, 1, 10); },
                            {"/nowhere/mlp.toml", "no such file"});
  require_refused("[[layer]\n", {":1:", "not valid TOML"});
}

}  // namespace
}  // namespace solfege
