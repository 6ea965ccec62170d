// SPDX-License-Identifier: Apache-2.0
#include "model/data/network_tensors.hpp"

#include <catch2/catch.hpp>

#include "model/base/error.hpp"
#include "model/data/dataset.hpp"
#include "model/data/network_file.hpp"
#include "model/spec/config.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

const char* const kNetwork = R"(
[[layer]]
name = "head"
type = "conv"
channels = 3
kernel = 2
batch_norm = true
[[layer]]
type = "fc"
)";
const TensorOrigin kOrigin{"solfege", "golden", "tiny"};

Network some_network(const Scratch& scratch, const std::string& scheme = "dorefa") {
  return load_network(scratch.write("n.toml", kNetwork), Config(), {3, 3, 2, 4}, scheme);
}

/// 0, 1, 2, ... times a quarter.
std::vector<double> ramp(std::size_t count, double first = 0.0) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(first + 0.25 * static_cast<double>(i));
  return values;
}

std::vector<LayerParameters> some_parameters() {
  LayerParameters head, fc;
  head.weights = {ramp(24, -2.0), ramp(24, 9.0)};
  head.gamma = {ramp(3, 1.0), ramp(3)};
  head.beta = {ramp(3, 2.0), ramp(3)};
  head.running_mean = ramp(3, -1.0);
  head.running_variance = ramp(3, 0.5);
  fc.weights = {ramp(48), ramp(48, 1.0)};
  fc.bias = {ramp(4), ramp(4)};
  return {head, fc};
}

TensorFile some_file(const Network& network) {
  return network_tensors(network, some_parameters(), std::vector<LayerCodes>(2), kOrigin);
}

TEST_CASE("weights are stored as PyTorch orders them, and come back", "[safetensors]") {
  const Scratch scratch;
  const Network network = some_network(scratch);
  const TensorFile file = some_file(network);
  const Tensor& weight = file.tensors.at("head.weight");
  CHECK(weight.shape == std::vector<std::uint64_t>{3, 2, 2, 2});
  const std::vector<double> stored = weight.numbers(), own = some_parameters()[0].weights.value;
  for (std::size_t o = 0; o < 3; ++o)
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t tap = 0; tap < 4; ++tap)
        CHECK(stored[(o * 2 + i) * 4 + tap] == own[(o * 4 + tap) * 2 + i]);
  CHECK(file.tensors.at("fc1.weight").shape == std::vector<std::uint64_t>{4, 12});
  CHECK(file.tensors.at("fc1.bias").shape == std::vector<std::uint64_t>{4});
  CHECK(file.tensors.count("head.bias") == 0);
  CHECK(file.metadata.at("layers") == "head fc1");

  const std::string path = scratch.path("t.safetensors");
  write_tensors(path, file);
  const LoadedParameters loaded = load_parameters(path, network);
  CHECK(loaded.notes.empty());
  for (std::size_t k = 0; k < 2; ++k) {
    const LayerParameters& found = loaded.layers[k];
    const LayerParameters expected = some_parameters()[k];
    CHECK(found.weights.value == expected.weights.value);
    CHECK(found.weights.momentum == expected.weights.momentum);
    CHECK(found.bias.value == expected.bias.value);
    CHECK(found.gamma.momentum == expected.gamma.momentum);
    CHECK(found.beta.value == expected.beta.value);
    CHECK(found.running_mean == expected.running_mean);
    CHECK(found.running_variance == expected.running_variance);
  }
}

TEST_CASE("codes are stored with their scales, and not looked at again", "[safetensors]") {
  const Scratch scratch;
  const Network network = some_network(scratch);
  std::vector<LayerCodes> codes(2);
  codes[0].weights.assign(24, 1);
  codes[0].weights[1] = 200;
  codes[0].weight_scale = {0.5, 0.25, 0.125};  // one an output channel
  codes[0].weight_reading = bipolar_codes(8);
  InferenceIntegers integers;
  integers.sign = {1, -1, 1};
  integers.thresholds.assign(9, 7);
  integers.sum_scale = integers.sum_offset = {1, 2, 3};
  codes[0].integers = {integers};
  const TensorFile file = network_tensors(network, some_parameters(), codes, kOrigin);
  const Tensor& stored = file.tensors.at("head.weight_codes");
  CHECK(stored.type == TensorType::kU8);
  CHECK(stored.shape == file.tensors.at("head.weight").shape);
  CHECK(stored.numbers()[4] == 200);
  CHECK(file.tensors.at("head.weight_scale").shape == std::vector<std::uint64_t>{3});
  CHECK(file.tensors.at("head.weight_reading").numbers() == std::vector<double>{2, -255});
  CHECK(file.tensors.at("head.device.thresholds").shape == std::vector<std::uint64_t>{3, 3});
  CHECK(file.tensors.count("fc1.weight_codes") == 0);
  const std::string path = scratch.path("t.safetensors");
  write_tensors(path, file);
  CHECK_NOTHROW(load_parameters(path, network));
}

TEST_CASE("files of other tensors are refused with their names", "[safetensors]") {
  const Scratch scratch;
  const Network network = some_network(scratch);
  const std::string path = scratch.path("t.safetensors");
  const auto refuse = [&](const TensorFile& file, std::vector<std::string> parts) {
    write_tensors(path, file);
    parts.push_back(path);
    require_error<InputError>([&] { load_parameters(path, network); }, parts);
  };
  TensorFile file = some_file(network);
  file.tensors.erase("fc1.bias");
  file.tensors.erase("head.weight");
  refuse(file, {"missing: head.weight, fc1.bias", "head, fc1"});
  file = some_file(network);
  for (int i = 0; i < 11; ++i)
    file.tensors["a\n" + std::string(1, static_cast<char>('a' + i))] = {};
  for (auto& [name, tensor] : file.tensors)
    if (tensor.data.empty()) tensor = Tensor::of({1}, std::vector<float>{1.0f});
  refuse(file, {"unexpected: a?a, a?b", "and 3 more"});
  file = some_file(network);
  file.tensors["head.weight_momentum"].shape = {24};
  refuse(file, {"head.weight_momentum is F64 [24], not floating-point [3, 2, 2, 2]"});
  for (const double number : {std::nan(""), -HUGE_VAL}) {
    std::vector<LayerParameters> parameters = some_parameters();
    parameters[0].gamma.momentum[1] = number;
    refuse(network_tensors(network, parameters, std::vector<LayerCodes>(2), kOrigin),
           {"head.batch_norm.weight_momentum has the number"});
  }
}

TEST_CASE("numbers of 16 bits are taken, and those out of range clipped", "[safetensors]") {
  const Scratch scratch;
  const std::string path = scratch.path("t.safetensors");
  for (const auto& [scheme, limit] : {std::pair{"dorefa", 128.0}, std::pair{"wrpn", 1.0}}) {
    CAPTURE(scheme);
    const Network network = some_network(scratch, scheme);
    TensorFile file = some_file(network);
    file.tensors["fc1.bias"] = {TensorType::kBF16, {4}, {0x80, 0x3f, 0x80, 0xbf, 0, 0, 0x00, 0x40}};
    std::vector<double> weights(48, 0.5);
    weights[0] = 1000;
    weights[12] = -1000;
    file.tensors["fc1.weight"] = Tensor::of({4, 3, 2, 2}, weights);  // of a convolution
    write_tensors(path, file);
    const LoadedParameters loaded = load_parameters(path, network);
    CHECK(loaded.layers[1].bias.value == std::vector<double>{1, -1, 0, 2});
    CHECK(loaded.layers[1].weights.value[0] == Approx(limit));
    CHECK(loaded.layers[1].weights.value[0] * 16777216.0 <= 2147483647.0);
    CHECK(loaded.layers[1].weights.value[12] == Approx(-limit));
    CHECK(loaded.layers[1].weights.value[1] == 0.5);
    REQUIRE(!loaded.notes.empty());
    CHECK_THAT(loaded.notes.back(), Catch::Contains("2 of 48 numbers of fc1.weight"));
    // A bias before batch norm
    file.tensors["head.bias"] = Tensor::of({3}, std::vector<float>{1, 2, 3});
    write_tensors(path, file);
    const LoadedParameters folded = load_parameters(path, network);
    CHECK(folded.layers[0].running_mean == std::vector<double>{-2, -2.75, -3.5});
    CHECK_THAT(folded.notes.front(), Catch::Contains("head.bias"));
  }
}

TEST_CASE("what is inferred is stored with its images", "[safetensors]") {
  const Scratch scratch;
  const Network network = some_network(scratch);
  Images images;
  images.height = images.width = 3;
  images.channels = 2;
  images.classes = 4;
  for (int i = 0; i < 36; ++i) images.pixels.push_back(static_cast<std::uint8_t>(i));
  images.labels = {3};  // of the first image only
  Inference inference;
  inference.logits = {1, 2, 3, 4};
  inference.codes = {{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}};
  const TensorFile file = inference_tensors(network, images, inference, kOrigin);
  CHECK(file.tensors.at("images").shape == std::vector<std::uint64_t>{1, 2, 3, 3});
  CHECK(file.tensors.at("images").data[9] == 1);  // channel 1 of the first pixel
  CHECK(file.tensors.at("labels").numbers() == std::vector<double>{3});
  CHECK(file.tensors.at("logits").shape == std::vector<std::uint64_t>{1, 4});
  const Tensor& codes = file.tensors.at("head.activation_codes");
  CHECK(codes.shape == std::vector<std::uint64_t>{1, 3, 2, 2});
  CHECK(codes.numbers() == std::vector<double>{0, 3, 2, 1, 1, 0, 3, 2, 2, 1, 0, 3});
}

}  // namespace
}  // namespace solfege
