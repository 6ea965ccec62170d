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
    CHECK(layer.out_height % layer.pool == 0);
    CHECK(layer.out_width % layer.pool == 0);
    if (layer.residual >= 0) {
      REQUIRE(layer.residual < static_cast<int>(i));
      const Layer& source = network.layers[static_cast<std::size_t>(layer.residual)];
      CHECK(source.out_height == layer.out_height);
      CHECK(source.out_width == layer.out_width);
      CHECK(source.out_channels == layer.out_channels);
      CHECK(source.pool * layer.pool == 1);
    }
    if (i == 0) continue;
    const Layer& before = network.layers[i - 1];
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

TEST_CASE("alexnet has the paper's channels on halving maps", "[network]") {
  const Network network = load_network("alexnet", Config(), {224, 224, 3, 1000});
  std::vector<std::vector<int>> shapes;
  for (const Layer& l : network.layers)
    shapes.push_back({l.out_height, l.pooled_height(), l.out_channels});
  CHECK(shapes == std::vector<std::vector<int>>{{56, 56, 96},
                                                {56, 28, 256},
                                                {28, 14, 384},
                                                {14, 14, 384},
                                                {14, 7, 256},
                                                {1, 1, 4096},
                                                {1, 1, 4096},
                                                {1, 1, 1000}});
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

  require_refused(conv("kernel = 3\npool = 4\n") + kFc,
                  {":5:", "layer conv0", "layer.pool = 4", "26 x 26 pixels", "1, 2, 13"});
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
                  {"28 x 28 pixels of 8 channels", "26 x 26 pixels of 8 channels", "none"});
  require_refused(
      first + "[[layer]]\ntype = \"conv\"\nchannels = 9\n" + kSame + "residual = 1\n" + kFc,
      {"of 8 channels", "of 9 channels"});
  // Pooling at the source, at the layer, and between them (where padding restores the shape)
  require_refused(
      conv("kernel = 1\npool = 2\n") + conv("kernel = 15\npadding = 14\nresidual = 1\n") + kFc,
      {"it pools", "there are none"});
  require_refused(first + conv(kSame + "pool = 2\nresidual = 1\n") + kFc,
                  {"cannot be added to a layer that pools"});
  require_refused(first + conv("kernel = 1\npool = 2\n") +
                      conv("kernel = 15\npadding = 14\nresidual = 1\n") + kFc,
                  {"lies before conv1, which pools"});
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
