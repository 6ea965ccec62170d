// SPDX-License-Identifier: Apache-2.0
#include "model/spec/network.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "model/base/error.hpp"
#include "model/data/network_file.hpp"
#include "model/spec/config.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

const std::string kFc = "[[layer]]\ntype = \"fc\"\n";
const std::string kHidden = kFc + "channels = 32\n";

std::string conv(const std::string& keys) {
  return "[[layer]]\ntype = \"conv\"\nchannels = 8\n" + keys;
}

Network load_text(const std::string& text, const Config& config = Config()) {
  const Scratch scratch;
  return load_network(scratch.write("some.toml", text), config, {28, 28, 1, 10});
}

/// Loads `text` and requires an InputError that names the file and contains `parts`.
void require_refused(const std::string& text, std::vector<std::string> parts,
                     const Config& config = Config()) {
  const Scratch scratch;
  const std::string path = scratch.write("bad.toml", text);
  INFO(text);
  parts.push_back(path);
  require_error<InputError>([&] { load_network(path, config, {28, 28, 1, 10}); }, parts);
}

/// What every layer of a network may rely on.
void require_consistent(const Network& network) {
  CHECK(network.layers.front().in_height == network.in_height);
  CHECK(network.layers.front().in_channels == network.in_channels);
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    INFO(layer.name);
    CHECK(layer.pooled_height() >= 1);
    CHECK(layer.pooled_width() >= 1);
    if (layer.residual >= 0) {
      REQUIRE(layer.residual < static_cast<int>(i));
      const Layer& source = network.layers[static_cast<std::size_t>(layer.residual)];
      CHECK(source.out_height == layer.out_height);
      CHECK(source.out_width == layer.out_width);
      CHECK(source.out_channels == layer.out_channels);
      CHECK(source.pool * layer.pool == 1);
    }
    const bool is_last = i + 1 == network.layers.size();
    const int k = static_cast<int>(i);
    CHECK(network.readers(k).size() + network.adders(k).size() >= (is_last ? 0 : 1));
    if (i == 0) continue;
    REQUIRE(network.input_of(k) < k);
    const Layer& before = network.layers[static_cast<std::size_t>(network.input_of(k))];
    CHECK(layer.in_height == before.pooled_height());
    CHECK(layer.in_width == before.pooled_width());
    CHECK(layer.in_channels == before.out_channels);
    CHECK(layer.input_bits == before.output_bits);
  }
  const Layer& last = network.layers.back();
  CHECK(last.out_channels == network.classes);
  CHECK(last.out_height * last.out_width == 1);
  CHECK(last.pool == 1);
  CHECK(!last.batch_norm);
  CHECK(last.dropout == 0.0);
  CHECK(last.residual == -1);
}

TEST_CASE("shipped networks fit the images they are for", "[network]") {
  for (const auto& entry :
       std::filesystem::directory_iterator(SOLFEGE_SOURCE_DIR "/configs/networks")) {
    const std::string name = entry.path().stem().string();
    INFO(name);
    for (const ImageShape& otherwise : {ImageShape{28, 28, 1, 10}, ImageShape{32, 32, 3, 10}}) {
      const ImageShape shape = network_images(name, otherwise);
      const Network network = load_network(name, Config(), shape);
      CHECK(network.name == name);
      require_consistent(network);
    }
  }
}

std::uint64_t weights_of(const Network& network) {
  std::uint64_t count = 0;
  for (const Layer& layer : network.layers)
    count +=
        static_cast<std::uint64_t>(layer.out_channels) * static_cast<std::uint64_t>(layer.fan_in());
  return count;
}

std::uint64_t macs_of(const Network& network) {
  std::uint64_t count = 0;
  for (const Layer& layer : network.layers)
    count += static_cast<std::uint64_t>(layer.out_channels) *
             static_cast<std::uint64_t>(layer.fan_in() * layer.out_height * layer.out_width);
  return count;
}

TEST_CASE("the paper's networks for SVHN have its maps, weights and products", "[network]") {
  const Network a = load_network("svhn-a", Config(), {40, 40, 3, 10});
  std::vector<std::vector<int>> shapes;
  for (const Layer& l : a.layers)
    shapes.push_back({l.out_height, l.pooled_height(), l.out_channels, l.fan_in()});
  CHECK(shapes == std::vector<std::vector<int>>{{36, 18, 48, 75},
                                                {18, 18, 64, 432},
                                                {18, 9, 64, 576},
                                                {7, 7, 128, 576},
                                                {7, 7, 128, 1152},
                                                {5, 5, 128, 1152},
                                                {1, 1, 512, 3200},
                                                {1, 1, 10, 512}});
  for (std::size_t i = 0; i < 7; ++i) CHECK(a.layers[i].batch_norm);
  CHECK(!load_network("svhn-c-paper", Config(), {40, 40, 3, 10}).layers[0].batch_norm);
  for (std::size_t i = 0; i < 8; ++i) CHECK(a.layers[i].dropout == (i == 5 ? 0.5 : 0.0));
  // Millions of products and thousands of weights, as computed from the authors' code.
  const double macs[] = {41.74, 11.60, 3.48, 1.16}, weights[] = {2080, 522, 132, 33.5};
  for (int i = 0; i < 4; ++i) {
    const std::string name = std::string("svhn-") + static_cast<char>('a' + i);
    INFO(name);
    const Network network = load_network(name, Config(), {40, 40, 3, 10});
    CHECK(static_cast<double>(macs_of(network)) == Approx(1e6 * macs[i]).epsilon(0.005));
    CHECK(static_cast<double>(weights_of(network)) == Approx(1e3 * weights[i]).epsilon(0.005));
  }
}

TEST_CASE("alexnet has the maps and channels of the authors' code", "[network]") {
  const Network network = load_network("alexnet", Config(), {224, 224, 3, 1000});
  std::vector<std::vector<int>> shapes;
  for (const Layer& l : network.layers)
    shapes.push_back({l.out_height, l.pooled_height(), l.out_channels});
  CHECK(shapes == std::vector<std::vector<int>>{{54, 54, 96},
                                                {54, 27, 256},
                                                {27, 14, 384},
                                                {14, 14, 384},
                                                {14, 6, 256},
                                                {1, 1, 4096},
                                                {1, 1, 4096},
                                                {1, 1, 1000}});
  for (const std::size_t k : {1, 3, 4}) CHECK(network.layers[k].groups == 2);
}

TEST_CASE("mobilenet's depthwise layers have a twentieth of the products", "[network]") {
  const Network network = load_network("mobilenet", Config(), {32, 32, 3, 10});
  Network depthwise = network;
  depthwise.layers.clear();
  for (const Layer& layer : network.layers)
    if (layer.groups > 1) {
      CHECK(layer.groups == layer.in_channels);
      depthwise.layers.push_back(layer);
    }
  CHECK(depthwise.layers.size() == 6);
  CHECK(macs_of(network) == 17'649'664);
  CHECK(macs_of(depthwise) == 995'328);
}

TEST_CASE("resnet-18 has the maps, weights and shortcuts of the authors' code", "[network]") {
  const Network network = load_network("resnet-18", Config(), {224, 224, 3, 1000});
  require_consistent(network);
  std::vector<int> maps, projections;
  std::uint64_t weights = 0;
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& l = network.layers[k];
    if (!l.is_average)
      weights +=
          static_cast<std::uint64_t>(l.out_channels) * static_cast<std::uint64_t>(l.fan_in());
    if (l.is_average) maps.push_back(l.out_height);
    if (network.readers(static_cast<int>(k)).empty()) projections.push_back(l.out_channels);
  }
  CHECK(network.layers.size() == 26);  // 22 of the file, and four projections
  CHECK(maps == std::vector<int>{28, 14, 7, 1});
  CHECK(network.layers[0].out_height == 112);
  CHECK(network.layers[0].pooled_height() == 56);
  // The last, and a projection a group: conv2's for the layer before it pools.
  CHECK(projections == std::vector<int>{64, 128, 256, 512, 1000});
  // 7 x 7 x 3 x 64; 3 x 3 in four groups, each of two blocks; projections; the last layer.
  CHECK(weights == 9408u + 147456u + 516096u + 2064384u + 8257536u + 4096u + 8192u + 32768u +
                       131072u + 512000u);
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
  CHECK(layer.name == "conv0");
  CHECK(layer.out_height == 14);
  CHECK(layer.out_width == 14);
  const Layer& fc = network.layers[1];
  CHECK(fc.name == "fc1");
  CHECK(fc.kernel_height == 14);
  CHECK(fc.kernel_width == 14);
  CHECK(fc.fan_in() == 14 * 14 * 8);
  CHECK(fc.out_height == 1);
  CHECK(fc.stride_height == 1);
  CHECK(fc.padding_height == 0);
}

TEST_CASE("kernel, stride and padding may differ by axis", "[network]") {
  const Network network =
      load_text(conv("kernel = [3, 5]\nstride = [3, 2]\npadding = [0, 2]\n") + kFc);
  const Layer& layer = network.layers[0];
  CHECK(layer.kernel_height == 3);
  CHECK(layer.kernel_width == 5);
  CHECK(layer.stride_height == 3);
  CHECK(layer.stride_width == 2);
  CHECK(layer.padding_height == 0);
  CHECK(layer.padding_width == 2);
  CHECK(layer.out_height == (28 - 3) / 3 + 1);
  CHECK(layer.out_width == (28 + 4 - 5) / 2 + 1);
  CHECK(canonical(network) !=
        canonical(load_text(conv("kernel = [3, 5]\nstride = [2, 3]\npadding = [0, 2]\n") + kFc)));
  // A number is meant for both.
  CHECK(canonical(load_text(conv("kernel = [3, 3]\nstride = [2, 2]\n") + kFc)) ==
        canonical(load_text(conv("kernel = 3\nstride = 2\n") + kFc)));

  require_refused(conv("kernel = [3]\n") + kFc,
                  {"layer conv0", "layer.kernel", "list of two", "1 to 64", "[height, width]"});
  require_refused(conv("kernel = [3, 3, 3]\n") + kFc, {"layer.kernel", "list of two"});
  require_refused(conv("kernel = \"3\"\n") + kFc, {"layer.kernel", "neither an integer"});
  require_refused(conv("kernel = [3, 0.5]\n") + kFc,
                  {"layer.kernel = [3, 0.5", "not a list of integers"});
  require_refused(conv("kernel = [3, 65]\n") + kFc,
                  {"layer.kernel = [3, 65]", "out of range", "1 to 64"});
  require_refused(conv("kernel = 3\nstride = [1, 0]\n") + kFc,
                  {"layer.stride = [1, 0]", "out of range", "1 to 63", "set stride = [1, 1]"});
  require_refused(conv("kernel = [3, 1]\npadding = [2, 1]\n") + kFc,
                  {"layer.padding = [2, 1]", "less than the kernel"});
  require_refused(conv("kernel = [3, 29]\n") + kFc,
                  {"layer.kernel = [3, 29]", "28 x 28 pixels", "1 to 28"});
}

TEST_CASE("groups divide the channels on both sides", "[network]") {
  const std::string before = conv("kernel = 3\nname = \"a\"\n");  // 8 channels
  const Network network = load_text(before + conv("kernel = 3\ngroups = 4\n") +
                                    conv("kernel = 3\ngroups = \"depthwise\"\n") + kFc);
  CHECK(network.layers[1].groups == 4);
  CHECK(network.layers[1].fan_in() == 3 * 3 * 2);
  CHECK(network.layers[2].groups == 8);
  CHECK(network.layers[2].fan_in() == 3 * 3);
  CHECK(network.layers[3].groups == 1);
  // A precision leaves the weights between groups a code for 0; a projection has no groups.
  CHECK(network.at({8, 1}).layers[1].weight_bits == 7);
  CHECK(network.at({6, 1}).layers[1].weight_bits == 6);
  const Network projected = load_text(
      before + conv("kernel = 3\nstride = 2\npadding = 1\ngroups = 2\nresidual = 1\n") + kFc);
  CHECK(projected.layers[1].groups == 1);
  CHECK(projected.layers[2].groups == 2);
  CHECK(projected.at({8, 1}).layers[1].weight_bits == 8);
  CHECK(canonical(network) != canonical(load_text(before + conv("kernel = 3\n") +
                                                  conv("kernel = 3\ngroups = 8\n") + kFc)));
  require_refused(
      before + conv("kernel = 3\ngroups = 3\n") + kFc,
      {"layer conv1", "layer.groups = 3", "8 input and 8 output", "1, 2, 4, 8", "set groups = 2"});
  require_refused(before + conv("kernel = 3\ngroups = \"deep\"\n") + kFc,
                  {"layer.groups = 'deep'", "neither an integer"});
  require_refused(before +
                      "[[layer]]\ntype = \"conv\"\nchannels = 12\nkernel = 3\n"
                      "groups = \"depthwise\"\n" +
                      kFc,
                  {"layer.groups = 'depthwise'", "does not fit", "set channels = 8"});
  require_refused(conv("kernel = 3\ngroups = 1\n") + kFc, {"layer.groups = 1", "first layer"});
  require_refused(before + "[[layer]]\ntype = \"conv\"\nkernel = 26\ngroups = 2\n",
                  {"layer.groups = 2", "last layer"});
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
                  {":5:", "layer conv0", "layer.strides", "stride"});
  require_refused(kFc + "kernel = 3\n", {"layer fc0", "layer.kernel", "an fc layer"});
  require_refused("[[layers]]\ntype = \"fc\"\n", {"layers", "allowed are"});
}

TEST_CASE("layers need a type and channels", "[network]") {
  require_refused("[[layer]]\nchannels = 3\n", {"layer 1", "layer.type", "\"conv\", \"fc\""});
  require_refused("[[layer]]\ntype = \"pool\"\n", {"layer 1", "layer.type = \"pool\"", "\"fc\""});
  require_refused("[[layer]]\ntype = 3\n", {"layer 1", "layer.type = 3", "not a string"});
  require_refused(kFc + kFc, {"layer fc0", "layer.channels", "missing"});
  require_refused(kFc + "channels = 0\n" + kFc, {"layer fc0", "layer.channels = 0", "1 to 65536"});
  require_refused(kFc + "channels = 7\n", {"layer fc0", "layer.channels = 7", "classes", "10"});
  CHECK_NOTHROW(load_text(kFc + "channels = 10\n"));
  require_refused("name = \"none\"\n", {"layer", "[[layer]]"});
  require_refused("layer = 3\n", {"layer = 3", "[[layer]]"});
  require_refused("[layer]\ntype = \"fc\"\n", {"layer", "a table", "[[layer]]"});
}

TEST_CASE("layers that do not fit their input are refused", "[network]") {
  require_refused(conv("stride = 2\n") + kFc, {"layer conv0", "layer.kernel", "missing"});
  require_refused(conv("kernel = 29\n") + kFc,
                  {"layer conv0", "layer.kernel = 29", "28 x 28 pixels", "1 to 28"});
  CHECK_NOTHROW(load_text(conv("kernel = 28\n") + kFc));
  CHECK_NOTHROW(load_text(conv("kernel = 30\npadding = 1\n") + kFc));
  // The second layer sees what the first leaves.
  require_refused(conv("kernel = 3\nstride = 4\n") + conv("kernel = 8\n") + kFc,
                  {"layer conv1", "layer.kernel = 8", "7 x 7 pixels"});
  CHECK_NOTHROW(load_text(conv("kernel = 3\nstride = 63\n") + kFc));
  require_refused(conv("kernel = 3\nstride = 64\n") + kFc,
                  {"layer conv0", "layer.stride = 64", "1 to 63"});
  require_refused(conv("kernel = 3\nstride = 0\n") + kFc, {"layer conv0", "layer.stride = 0"});
  require_refused(conv("kernel = 3\npadding = 3\n") + kFc,
                  {"layer conv0", "layer.padding = 3", "0 to 2"});
  require_refused(conv("kernel = 3\npadding = -1\n") + kFc, {"layer conv0", "layer.padding = -1"});
  require_refused(kHidden + "[[layer]]\ntype = \"conv\"\nkernel = 1\npadding = 0\n" +
                      "[[layer]]\ntype = \"conv\"\nkernel = 2\n",
                  {"layer conv1", "layer.channels", "missing"});
  require_refused("[[layer]]\ntype = \"conv\"\nkernel = 27\n",
                  {"layer conv0", "2 x 2 pixels in the last layer", "\"fc\""});
}

TEST_CASE("batch normalisation, pooling and dropout are read and checked", "[network]") {
  const Network network =
      load_text(conv("kernel = 3\npadding = 1\npool = 4\nbatch_norm = true\ndropout = 0.25\n") +
                kHidden + "batch_norm = true\ndropout = 0.9\n" + kFc);
  const Layer& first = network.layers[0];
  CHECK(first.batch_norm);
  CHECK(first.pool == 4);
  CHECK(first.dropout == 0.25);
  CHECK(first.out_height == 28);
  CHECK(first.pooled_height() == 7);
  CHECK(first.pooled_width() == 7);
  CHECK(network.layers[1].kernel_height == 7);
  CHECK(network.layers[1].batch_norm);
  CHECK(network.layers[1].dropout == 0.9);
  CHECK(network.layers[2].residual == -1);

  require_refused(conv("kernel = 25\npool = 5\n") + kFc,
                  {":5:", "layer conv0", "layer.pool = 5", "4 x 4 pixels", "1 to 4", "pool = 4"});
  require_refused(conv("kernel = 3\npool = 17\n") + kFc, {"layer.pool = 17", "1 to 16"});
  require_refused(conv("kernel = 3\npool = 0\n") + kFc, {"layer.pool = 0", "1 to 16"});
  require_refused(conv("kernel = 3\nbatch_norm = 1\n") + kFc,
                  {"layer.batch_norm = 1", "not a truth value", "true, false"});
  require_refused(kHidden + "dropout = 0.95\n" + kFc, {"layer.dropout = 0.95", "0 to 0.9"});
  require_refused(kHidden + "dropout = -0.5\n" + kFc, {"layer.dropout = -0.5", "0 to 0.9"});
  require_refused(kHidden + "dropout = nan\n" + kFc, {"layer.dropout = nan", "0 to 0.9"});
  require_refused(kHidden + "pool = 2\n" + kFc, {"layer.pool", "an fc layer"});
  require_refused(kHidden + kFc + "batch_norm = true\n", {"layer.batch_norm", "last layer"});
  require_refused(kHidden + kFc + "dropout = 0.5\n", {"layer.dropout = 0.5", "last layer"});
  require_refused("[[layer]]\ntype = \"conv\"\nkernel = 27\npool = 2\n",
                  {"layer.pool = 2", "last layer"});
}

const std::string kSame = "kernel = 3\npadding = 1\n";

TEST_CASE("residual layers are named or numbered", "[network]") {
  for (const char* source : {"\"start\"", "1"}) {
    const Network network = load_text(conv("name = \"start\"\n" + kSame) + conv(kSame) +
                                      conv(kSame + "residual = " + source + "\n") +
                                      conv(kSame + "residual = \"conv2\"\n") + kFc);
    CHECK(network.layers[0].name == "start");
    CHECK(network.layers[0].residual == -1);
    CHECK(network.layers[1].residual == -1);
    CHECK(network.layers[2].residual == 0);
    CHECK(network.layers[3].residual == 2);
  }
}

TEST_CASE("residual layers that do not fit are refused", "[network]") {
  const std::string first = conv(kSame);
  require_refused(first + conv(kSame + "residual = \"conv1\"\n") + kFc,
                  {"layer conv1", "layer.residual = 'conv1'", "not an earlier layer",
                   "\"conv0\" (1)", "set residual = \"conv0\""});
  for (const char* number : {"0", "2", "-1"})
    require_refused(first + conv(kSame + "residual = " + number + "\n") + kFc,
                    {"not an earlier layer", number});
  require_refused(first + conv(kSame + "residual = true\n") + kFc, {"not an earlier layer"});
  require_refused(conv(kSame + "residual = 1\n") + kFc, {"layer conv0", "first layer"});
  require_refused(first + "[[layer]]\ntype = \"conv\"\nkernel = 28\nresidual = 1\n",
                  {"layer conv1", "last layer"});
  require_refused(first + kHidden + "residual = 1\n" + kFc, {"layer.residual", "an fc layer"});
  require_refused(first + conv("kernel = 3\nresidual = 1\n") + kFc,
                  {"28 x 28 pixels of 8 channels", "26 x 26 pixels of 8 channels",
                   "that a stride leads from", "leave it out"});
  require_refused(first + conv(kSame + "pool = 2\nresidual = 1\n") + kFc,
                  {"is set in a layer that pools"});
  require_refused(first + conv("name = \"b.projection\"\n" + kSame) +
                      conv("name = \"b\"\nstride = 2\nresidual = 1\n" + kSame) + kFc,
                  {"layer b", "b.projection", "rename layer b.projection"});
}

TEST_CASE("a residual of another shape goes through a projection", "[network]") {
  const std::string down = "kernel = 3\npadding = 1\nstride = 2\n";
  const Network network =
      load_text(conv("name = \"a\"\n" + kSame) +
                "[[layer]]\ntype = \"conv\"\nname = \"b\"\nchannels = 9\nbatch_norm = true\n" +
                down + "residual = \"a\"\n" + conv(kSame) + conv(kSame + "residual = 3\n") + kFc);
  require_consistent(network);
  REQUIRE(network.layers.size() == 6);
  const Layer &shortcut = network.layers[1], &b = network.layers[2];
  CHECK(shortcut.name == "b.projection");
  CHECK(network.input_of(1) == 0);
  CHECK(shortcut.kernel_height * shortcut.kernel_width == 1);
  CHECK(shortcut.stride_height == 2);
  CHECK(shortcut.padding_height == 0);
  CHECK(shortcut.out_channels == 9);
  CHECK(shortcut.in_channels == 8);
  CHECK(shortcut.batch_norm);
  CHECK(shortcut.residual == -1);
  CHECK(shortcut.weight_bits == b.weight_bits);
  CHECK(b.residual == 1);
  CHECK(network.input_of(2) == 0);
  // Numbers are those of the file: layer 3 is conv2.
  CHECK(network.layers[4].residual == 3);
  CHECK(network.readers(0) == std::vector<int>{1, 2});
  CHECK(network.readers(1).empty());
  CHECK(network.adders(1) == std::vector<int>{2});

  // A layer that pools hands on its pooled codes; one that averages has no sums.
  for (const char* before : {"pool = 2\n", "\n[[layer]]\ntype = \"avgpool\"\nkernel = 2\n"}) {
    INFO(before);
    const bool pools = before[0] == 'p';
    const Network pooled =
        load_text(conv(kSame + before) + conv(kSame) +
                  conv(kSame + "residual = " + (pools ? "1" : "2") + "\n") + kFc);
    require_consistent(pooled);
    const auto at = static_cast<std::size_t>(pooled.layers[pools ? 3 : 4].residual);
    CHECK(pooled.layers[at].name.find(".projection") != std::string::npos);
    CHECK(pooled.layers[at].stride_height == 1);
    CHECK(pooled.layers[at].in_height == 14);
  }
}

TEST_CASE("a layer may read any earlier one", "[network]") {
  for (const char* source : {"\"conv0\"", "1"}) {
    const Network network = load_text(conv(kSame) + conv(kSame) +
                                      conv(kSame + "residual = 2\ninput = " + source + "\n") + kFc);
    require_consistent(network);
    CHECK(network.input_of(1) == 0);
    CHECK(network.input_of(2) == 0);
    CHECK(network.input_of(3) == 2);
    CHECK(network.layers[2].in_channels == 8);
    CHECK(canonical(network) !=
          canonical(load_text(conv(kSame) + conv(kSame) + conv(kSame + "residual = 2\n") + kFc)));
  }
  require_refused(conv(kSame) + conv(kSame + "input = 2\n") + kFc,
                  {"layer.input = 2", "not an earlier layer", "\"conv0\" (1)"});
  require_refused(conv(kSame + "input = 1\n") + kFc, {"not an earlier layer", "there are none"});
  require_refused(conv(kSame) + conv(kSame) + conv(kSame + "input = 1\n") + kFc,
                  {":6:", "layer conv1 is read by no layer", "input = \"conv1\""});
}

TEST_CASE("max-pooling windows may overlap, leave pixels out and reach over the edge",
          "[network]") {
  const auto pooled = [&](const char* keys) {
    const Network network = load_text(conv(kSame + keys) + kFc);
    require_consistent(network);
    CHECK(network.layers[1].in_height == network.layers[0].pooled_height());
    return network.layers[0].pooled_height();
  };
  CHECK(pooled("pool = 3\n") == 9);
  CHECK(pooled("pool = 3\npool_stride = 2\n") == 13);
  CHECK(pooled("pool = 3\npool_stride = 2\npool_padding = 1\n") == 14);
  CHECK(pooled("pool = 2\npool_stride = 5\n") == 6);
  require_refused(conv(kSame + "pool_stride = 2\n") + kFc,
                  {"layer.pool_stride = 2", "a layer that pools", "set pool = 3"});
  require_refused(conv(kSame + "pool = 3\npool_padding = 2\n") + kFc,
                  {"layer.pool_padding = 2", "half of the window", "0 to 1"});
  require_refused(conv(kSame + "pool = 3\npool_stride = 17\n") + kFc,
                  {"layer.pool_stride = 17", "1 to 16"});
  require_refused(kHidden + "pool_stride = 2\n" + kFc, {"layer.pool_stride", "an fc layer"});
}

TEST_CASE("averaging layers are read and checked", "[network]") {
  const auto average = [](const std::string& keys) {
    return "[[layer]]\ntype = \"avgpool\"\n" + keys;
  };
  const Network network = load_text(conv(kSame) + average("kernel = 2\n") +
                                    average("kernel = 3\nstride = 1\n") + average("") + kFc);
  require_consistent(network);
  const Layer &first = network.layers[1], &second = network.layers[2], &all = network.layers[3];
  for (const Layer* layer : {&first, &second, &all}) {
    CHECK(layer->is_average);
    CHECK(layer->out_channels == 8);
    CHECK(layer->gradient_bits == 0);
  }
  CHECK(first.stride_height == 2);
  CHECK(first.out_height == 14);
  CHECK(second.out_height == 12);
  CHECK(all.kernel_height == 12);
  CHECK(all.out_height * all.out_width == 1);
  // Only what the last layer reads has the bits of edges.
  const Config config;
  CHECK(first.output_bits == config.activation_bits);
  CHECK(all.output_bits == config.edge_bits);
  CHECK(load_text(conv(kSame) + average("output_bits = 5\n") + kFc).layers[1].output_bits == 5);
  CHECK(load_text(conv(kSame) + average("kernel = 28\nstride = 9\n") + kFc).layers[1].out_width ==
        1);

  require_refused(average("") + kFc, {"layer.type = \"avgpool\"", "first layer"});
  require_refused(conv(kSame) + average(""), {"layer.type = \"avgpool\"", "last layer"});
  require_refused(conv(kSame) + average("kernel = 29\n") + kFc,
                  {"layer.kernel = 29", "28 x 28 pixels", "1 to 28"});
  require_refused(conv(kSame) + average("output_bits = 9\n") + kFc,
                  {"layer.output_bits = 9", "1 to 8"});
  for (const char* key : {"channels = 8\n", "batch_norm = true\n", "weight_bits = 2\n",
                          "padding = 1\n", "pool = 2\n", "dropout = 0.5\n"})
    require_refused(conv(kSame) + average(key) + kFc, {"is not a key of an avgpool layer"});
  // Codes of both signs: means need a bit for the sign.
  const std::string bnn = "scheme = \"bnn\"\n";
  CHECK(load_text(bnn + conv(kSame + "output_bits = 1\n") + average("kernel = 2\n") + conv(kSame) +
                  kFc)
            .layers[1]
            .output_bits == 2);
  require_refused(bnn + conv(kSame + "output_bits = 1\n") + average("output_bits = 1\n") + kFc,
                  {"layer.output_bits = 1", "2 to 8"});
}

TEST_CASE("layers have names of their own", "[network]") {
  CHECK(load_text(kHidden + "name = \"a_b-2.c\"\n" + kFc).layers[0].name == "a_b-2.c");
  require_refused(kHidden + "name = \"x\"\n" + kHidden + "name = \"x\"\n" + kFc,
                  {":8:", "layer 2", "layer.name = \"x\"", "earlier layer"});
  require_refused(kHidden + "name = \"fc1\"\n" + kHidden + kFc, {"layer 2", "\"fc1\""});
  for (const char* name : {"", "a b", "a/b", "123456789012345678901234567890123"})
    require_refused(kHidden + "name = \"" + name + "\"\n" + kFc,
                    {"layer 1", "layer.name", "not a plain name"});
  require_refused(kHidden + "name = 3\n" + kFc, {"layer.name = 3", "not a string"});
}

TEST_CASE("a network may bind the size of its images", "[network]") {
  const Scratch scratch;
  const auto shape_of = [&](const std::string& keys) {
    return network_images(scratch.write("some.toml", keys + kFc), {28, 28, 1, 10});
  };
  const ImageShape open = shape_of("");
  CHECK((open.height == 28 && open.width == 28 && open.channels == 1 && open.classes == 10));
  const ImageShape bound = shape_of("input = [40, 30, 3]\nclasses = 7\n");
  CHECK((bound.height == 40 && bound.width == 30 && bound.channels == 3 && bound.classes == 7));
  const ImageShape flat = shape_of("input = [40, 30]\n");
  CHECK((flat.height == 40 && flat.width == 30 && flat.channels == 1 && flat.classes == 10));

  CHECK(load_text("input = [28, 28]\n" + kFc).in_height == 28);
  CHECK(load_text("classes = 7\n" + kFc).classes == 10);  // the data set's count, when there is one
  require_refused("input = [40, 40]\n" + kFc,
                  {":1:", "input = [40, 40]", "28 x 28 pixels", "use --resize 40"});
  require_refused("input = [40, 30]\n" + kFc, {"28 x 28 pixels", "40 x 30"});
  require_refused("input = [28, 28, 3]\n" + kFc, {"input = [28, 28, 3]", "images of 3"});
  for (const char* input : {"40", "[40]", "[1, 2, 3, 4]", "[0, 40]", "[40, 2000]", "[40, 1.5]"})
    require_refused(std::string("input = ") + input + "\n" + kFc, {"input", "[height, width]"});
  require_refused("classes = 0\n" + kFc, {"classes = 0", "1 to"});
}

TEST_CASE("the canonical text tells networks apart by what their state means", "[network]") {
  const std::string text = canonical(load_text(conv(kSame) + kFc));
  CHECK(text ==
        canonical(load_text("name = \"other\"\nlearning_rate = 0.5\n" + conv(kSame) + kFc)));
  for (const std::string& other :
       {conv(kSame + "pool = 2\n"), conv(kSame + "batch_norm = true\n"),
        conv(kSame + "output_bits = 1\n"), conv(kSame + "dropout = 0.5\n"),
        conv(kSame) + conv(kSame), conv(kSame + "stride = 2\n")})
    CHECK(canonical(load_text(other + kFc)) != text);
  const std::string chain = conv(kSame) + conv(kSame);
  CHECK(canonical(load_text(chain + kFc)) != canonical(load_text(chain + "residual = 1\n" + kFc)));
}

TEST_CASE("bitwidths beyond the configuration are refused", "[network]") {
  require_refused(kHidden + "weight_bits = 9\n" + kFc,
                  {"layer fc0", "layer.weight_bits = 9", "1 to 8"});
  require_refused(kHidden + "weight_bits = 0\n" + kFc, {"layer fc0", "layer.weight_bits = 0"});
  require_refused(kHidden + "output_bits = 3\n" + kFc,
                  {"layer fc0", "layer.output_bits = 3", "1 to 2"});
  require_refused(kHidden + "gradient_bits = 9\n" + kFc,
                  {"layer fc0", "layer.gradient_bits = 9", "1 to 8"});
  require_refused(kFc + "output_bits = 2\n", {"layer fc0", "layer.output_bits = 2", "last layer"});
  require_refused(kFc + "gradient_bits = 4\n", {"layer fc0", "layer.gradient_bits", "last layer"});
}

TEST_CASE("a machine too narrow for pixels is refused", "[network]") {
  Config config;
  config.name = "narrow";
  config.edge_bits = 4;
  config.validate("narrow");
  require_refused(kFc, {"bits.edge = 4", "narrow", "8 bits", "set bits.edge = 8"}, config);
}

TEST_CASE("missing networks are refused, naming the shipped ones", "[network]") {
  require_error<InputError>(
      [] {
        load_network("resnet", Config(), {28, 28, 1, 10});
      },
      {"configs/networks", "resnet", "cnn, ", "tiny_mlp"});
  require_error<InputError>(
      [] {
        load_network("", Config(), {28, 28, 1, 10});
      },
      {"configs/networks", "no such network"});
  // A path is never looked up by its last part.
  require_error<InputError>(
      [] {
        load_network("/nowhere/mlp.toml", Config(), {28, 28, 1, 10});
      },
      {"/nowhere/mlp.toml", "no such file"});
  require_refused("[[layer]\n", {":1:", "not valid TOML"});
}

}  // namespace
}  // namespace solfege
