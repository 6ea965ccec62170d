// SPDX-License-Identifier: Apache-2.0
#include "model/reference/float_engine.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/parallel.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/dataset.hpp"
#include "model/data/digits.hpp"
#include "model/data/network_file.hpp"
#include "model/reference/float_layers.hpp"
#include "model/spec/config.hpp"
#include "tests/support/dorefa_helpers.hpp"

namespace solfege {
namespace {

Network small_network() {
  Network network;
  network.in_height = network.in_width = 6;
  network.in_channels = 2;
  network.classes = 3;
  network.learning_rate = 0.05;
  network.weight_decay = 0.0;
  network.layers = {conv_layer(6, 6, 2, 4, 3, 2, 1), fc_layer(3, 3, 4, 8), fc_layer(1, 1, 8, 3)};
  network.layers[0].weight_bits = network.layers[2].weight_bits = 8;
  network.layers[0].gradient_bits = 8;
  network.layers[2].gradient_bits = network.layers[2].output_bits = 0;
  return network;
}

/// Appends a layer that reads the pooled map of the last one; kernel 0 is fully connected.
Layer& append(Network* network, int kernel, int stride, int padding, int channels) {
  int height = network->in_height, width = network->in_width, in = network->in_channels;
  if (!network->layers.empty()) {
    const Layer& last = network->layers.back();
    height = last.pooled_height();
    width = last.pooled_width();
    in = last.out_channels;
  }
  network->layers.push_back(kernel == 0
                                ? fc_layer(height, width, in, channels)
                                : conv_layer(height, width, in, channels, kernel, stride, padding));
  return network->layers.back();
}

/// Every feature of a block: bias and pooling; batch norm with padding; a residual that is added
/// twice, once with pooling behind it; stride; dropout. 8 x 8 pixels.
Network block_network() {
  Network network;
  network.in_height = network.in_width = 8;
  network.in_channels = 2;
  network.classes = 3;
  network.weight_decay = 0.0;
  Layer& first = append(&network, 3, 1, 1, 4);
  first.pool = 2;
  first.weight_bits = first.gradient_bits = 8;
  append(&network, 3, 1, 1, 6).batch_norm = true;
  Layer& residual = append(&network, 3, 1, 1, 6);
  residual.batch_norm = true;
  residual.residual = 1;
  Layer& again = append(&network, 1, 1, 0, 6);
  again.residual = 1;  // bias and residual
  again.groups = 3;
  again.pool = 2;
  Layer& strided = append(&network, 2, 2, 1, 5);
  strided.batch_norm = true;
  strided.dropout = 0.5;
  Layer& last = append(&network, 0, 1, 0, 3);
  last.weight_bits = 8;
  last.output_bits = last.gradient_bits = 0;
  return network;
}

/// The features of a graph: max-pooling windows that overlap, and reach over the edge, with a bias
/// and with batch norm; layers that are read twice; a projection, and another layer that is only
/// added; averages over overlapping windows and over the whole map.
Network branched_network() {
  Network network;
  network.in_height = network.in_width = 6;
  network.in_channels = 2;
  network.classes = 3;
  network.weight_decay = 0.0;
  const auto add = [&](int input, Layer layer) -> Layer& {
    layer.input = input;
    network.layers.push_back(layer);
    return network.layers.back();
  };
  Layer& first = add(-1, conv_layer(6, 6, 2, 2, 3, 1, 1));
  first.pool = 3;
  first.pool_stride = 2;
  first.pool_padding = 1;
  add(0, conv_layer(3, 3, 2, 3, 1, 2, 0)).batch_norm = true;
  Layer& second = add(0, conv_layer(3, 3, 2, 4, 2, 1, 1));
  second.batch_norm = true;
  second.pool = 2;
  second.pool_stride = 1;
  add(2, conv_layer(3, 3, 4, 3, 3, 2, 1)).residual = 1;
  add(2, conv_layer(3, 3, 4, 4, 2, 1, 0)).is_average = true;
  add(4, conv_layer(2, 2, 4, 4, 2, 1, 0)).is_average = true;
  add(3, fc_layer(2, 2, 3, 5));  // batch norm would undo what the projection adds
  Layer& joined = add(5, fc_layer(1, 1, 4, 5));
  joined.residual = 6;
  joined.dropout = 0.5;
  Layer& last = add(7, fc_layer(1, 1, 5, 3));
  last.weight_bits = 8;
  last.output_bits = last.gradient_bits = 0;
  return network;
}

struct Batch {
  std::vector<std::uint8_t> pixels, labels;
};

Batch random_batch(const Network& network, int size, SplitMix64* random) {
  Batch batch;
  batch.pixels.resize(static_cast<std::size_t>(size) * network.in_height * network.in_width *
                      network.in_channels);
  for (std::uint8_t& pixel : batch.pixels) pixel = static_cast<std::uint8_t>(random->next());
  for (int i = 0; i < size; ++i) {
    batch.labels.push_back(static_cast<std::uint8_t>(random->next() % network.classes));
  }
  return batch;
}

/// Averages have no clip, and what nobody reads goes through none.
bool is_clipped(const Network& network, int k) {
  return !network.layers[static_cast<std::size_t>(k)].is_average && !network.readers(k).empty();
}

/// Which piece of its piecewise smooth loss the engine was on: places of maxima and clip masks.
std::vector<std::uint8_t> piece(const FloatEngine& engine) {
  std::vector<std::uint8_t> bits;
  for (int k = 0; k + 1 < static_cast<int>(engine.network().layers.size()); ++k) {
    if (!is_clipped(engine.network(), k)) continue;
    const FloatEngine::State& state = engine.state(k);
    bits.insert(bits.end(), state.places.begin(), state.places.end());
    for (const float x : state.pooled.empty() ? state.output : state.pooled) {
      bits.push_back(static_cast<std::uint8_t>(clip_passes(x)));
    }
  }
  return bits;
}

/// How far the last step was from another piece: the least distance of a clipped value to 0 or 1,
/// or of a maximum to its runner-up.
float distance_to_kinks(const FloatEngine& engine) {
  float least = 1.0f;
  for (int k = 0; k + 1 < static_cast<int>(engine.network().layers.size()); ++k) {
    if (!is_clipped(engine.network(), k)) continue;
    const FloatEngine::State& state = engine.state(k);
    const Layer& layer = engine.network().layers[k];
    for (const float x : state.pooled.empty() ? state.output : state.pooled) {
      least = std::min({least, std::abs(x), std::abs(1.0f - x)});
    }
    if (layer.pool == 1) continue;
    std::vector<float> others = state.output;
    const std::vector<float> ones(state.pooled.size(), 1.0f);
    const int batch = static_cast<int>(others.size() / output_size(layer, 1));
    const std::vector<float> maxima = max_pool_backward(layer, batch, ones, state.places);
    for (std::size_t i = 0; i < others.size(); ++i) others[i] -= 1e3f * maxima[i];
    const std::vector<float> seconds = max_pool_forward(layer, batch, others, nullptr);
    for (std::size_t i = 0; i < seconds.size(); ++i) {
      least = std::min(least, state.pooled[i] - seconds[i]);
    }
  }
  return least;
}

/// Error of the gradient of one parameter of one layer against differences of the loss. Each loss
/// is of a copy of the engine, so all of them draw the same dropout masks.
double loss_gradient_error(const FloatEngine& engine, const Batch& batch, int layer,
                           FloatEngine::Parameter FloatEngine::State::*parameter, float step,
                           double factor = 1.0) {
  const int size = static_cast<int>(batch.labels.size());
  FloatEngine base = engine;
  base.train_step(batch.pixels.data(), batch.labels.data(), size);
  const std::vector<std::uint8_t> base_piece = piece(base);
  std::vector<float> gradient = (base.state(layer).*parameter).gradient;
  for (float& g : gradient) g *= static_cast<float>(factor);
  const auto loss = [&](const std::vector<float>& at) {
    FloatEngine copy = engine;
    (copy.state(layer).*parameter).value = at;
    const double value = copy.train_step(batch.pixels.data(), batch.labels.data(), size);
    return piece(copy) == base_piece ? value : std::numeric_limits<double>::quiet_NaN();
  };
  return finite_difference_error(loss, (engine.state(layer).*parameter).value, gradient, step);
}

/// dC/dcodes of a layer: what all of its readers hand back; zeros where there are none.
std::vector<float> gradient_of_codes(const FloatEngine& engine, int k, int batch) {
  const Network& network = engine.network();
  std::vector<float> sum(engine.state(k).codes.size());
  for (const int reader : network.readers(k)) {
    const Layer& layer = network.layers[static_cast<std::size_t>(reader)];
    const FloatEngine::State& state = engine.state(reader);
    const std::vector<float> share =
        layer.is_average
            ? average_backward(layer, batch, state.output_gradient)
            : conv_backward_input(layer, batch, state.quantized_gradient, state.quantized_weights);
    REQUIRE(share.size() == sum.size());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += share[i];
  }
  return sum;
}

/// The largest difference over the largest expected value.
double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  REQUIRE(got.size() == expected.size());
  double error = 0.0, largest = 0.0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error = std::max(error, std::abs(double{got[i]} - expected[i]));
    largest = std::max(largest, std::abs(double{expected[i]}));
  }
  return error / std::max(largest, 1e-30);
}

}  // namespace

TEST_CASE("The engine without quantizers has the gradients of its loss", "[dorefa]") {
  Network network = small_network();
  network.learning_rate = 0.0;
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  std::vector<std::uint8_t> pixels(4 * 6 * 6 * 2);
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.next());
  const std::vector<std::uint8_t> labels = {0, 2, 1, 1};
  FloatEngine engine(network, 1, false);
  for (int k = 0; k < 3; ++k) {
    // Pre-activations well inside the clip, so no step crosses a kink: small weights, bias 1/2.
    for (float& w : engine.state(k).weights.value) w *= 0.1f;
    for (float& b : engine.state(k).bias.value) b = 0.5f;
  }
  for (int k = 0; k < 3; ++k) {
    CAPTURE(k);
    engine.train_step(pixels.data(), labels.data(), 4);
    const FloatEngine::State before = engine.state(k);
    const auto loss_of_weights = [&](const std::vector<float>& at) {
      engine.state(k).weights.value = at;
      return engine.train_step(pixels.data(), labels.data(), 4);
    };
    CHECK(finite_difference_error(loss_of_weights, before.weights.value, before.weights.gradient,
                                  3e-2f) < 1e-2);
    engine.state(k).weights = before.weights;
    const auto loss_of_bias = [&](const std::vector<float>& at) {
      engine.state(k).bias.value = at;
      return engine.train_step(pixels.data(), labels.data(), 4);
    };
    CHECK(finite_difference_error(loss_of_bias, before.bias.value, before.bias.gradient, 3e-2f) <
          1e-2);
    engine.state(k).bias = before.bias;
  }
}

TEST_CASE("Whole blocks without quantizers have the gradients of their loss", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  const Network network = GENERATE(block_network(), branched_network());
  FloatEngine engine(network, seed, false);
  const int layers = static_cast<int>(network.layers.size());
  for (int k = 0; k < layers; ++k) {
    // Around the middle of the clip, with a few elements beyond it.
    FloatEngine::State& state = engine.state(k);
    for (float& gamma : state.gamma.value) gamma = 0.08f + 0.05f * random.uniform();
    for (float& beta : state.beta.value) beta = 0.25f + 0.1f * random.uniform();
    for (float& bias : state.bias.value) bias = 0.4f * random.uniform();
    if (!network.layers[k].batch_norm) {
      for (float& weight : state.weights.value) weight *= 0.3f;
    }
  }
  // Of many batches the one whose loss is smooth furthest around.
  constexpr int kSize = 2;
  Batch batch;
  float furthest = 0.0f;
  for (int i = 0; i < 3000; ++i) {
    const Batch candidate = random_batch(network, kSize, &random);
    FloatEngine copy = engine;
    copy.train_step(candidate.pixels.data(), candidate.labels.data(), kSize);
    const float distance = distance_to_kinks(copy);
    if (distance <= furthest) continue;
    furthest = distance;
    batch = candidate;
  }
  CAPTURE(furthest);
  for (int k = 0; k < layers; ++k) {
    CAPTURE(k);
    using State = FloatEngine::State;
    if (network.layers[k].is_average) {
      CHECK(engine.state(k).weights.value.empty());
      continue;
    }
    CHECK(loss_gradient_error(engine, batch, k, &State::weights, 1e-3f) < 2e-2);
    if (network.layers[k].batch_norm) {
      CHECK(loss_gradient_error(engine, batch, k, &State::gamma, 1e-3f) < 2e-2);
      CHECK(loss_gradient_error(engine, batch, k, &State::beta, 1e-3f) < 2e-2);
      CHECK(engine.state(k).bias.value.empty());
    } else {
      CHECK(loss_gradient_error(engine, batch, k, &State::bias, 1e-3f) < 2e-2);
      CHECK(engine.state(k).gamma.value.empty());
    }
    // Known bad: a tenth too large.
    CHECK(loss_gradient_error(engine, batch, k, &State::weights, 1e-3f, 1.1) > 5e-2);
  }
}

TEST_CASE("The state of a quantized step obeys the equations of its block", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  const Network network = GENERATE(block_network(), branched_network());
  const int size = 5;
  const Batch batch = random_batch(network, size, &random);
  FloatEngine engine(network, seed);
  engine.train_step(batch.pixels.data(), batch.labels.data(), size);
  const FloatEngine before = engine;
  engine.train_step(batch.pixels.data(), batch.labels.data(), size);
  const int layers = static_cast<int>(network.layers.size());
  for (int k = 0; k < layers; ++k) {
    CAPTURE(k);
    const Layer& layer = network.layers[k];
    const FloatEngine::State& state = engine.state(k);
    const FloatEngine::State& old = before.state(k);
    if (layer.is_average) {
      // Codes are the nearest multiples of the step; the gradient comes from all readers.
      const double n = (1 << layer.output_bits) - 1;
      const std::vector<float> means = average_forward(layer, size, engine.input(k));
      REQUIRE(state.codes.size() == means.size());
      for (std::size_t i = 0; i < means.size(); ++i) {
        const double code = n * state.codes[i];
        CHECK(std::abs(code - std::round(code)) < 1e-4);
        CHECK(std::abs(state.codes[i] - means[i]) <= 0.5 / n + 1e-5);
      }
      CHECK(relative_error(state.output_gradient, gradient_of_codes(engine, k, size)) < 1e-6);
      continue;
    }
    CHECK(state.quantized_weights == quantize_weights(old.weights.value, layer.weight_bits));
    const std::vector<float> convolution =
        conv_forward(layer, size, engine.input(k), state.quantized_weights);
    REQUIRE(state.convolution.size() == convolution.size());
    for (std::size_t i = 0; i < convolution.size(); ++i)
      CHECK(state.convolution[i] == Approx(convolution[i]).epsilon(1e-5).margin(1e-5));
    std::vector<float> p = state.convolution;
    if (layer.batch_norm) {
      std::vector<float> mean, variance;
      batch_statistics(p, layer.out_channels, &mean, &variance);
      CHECK(state.batch_mean == mean);
      CHECK(state.batch_variance == variance);
      p = batch_norm_forward(p, old.gamma.value, old.beta.value, mean, variance);
      for (int c = 0; c < layer.out_channels; ++c) {
        // 0.1 in float is 2.4e-7 off; where both terms cancel, that shows.
        CHECK(state.running_mean[c] ==
              Approx(0.9 * old.running_mean[c] + 0.1 * mean[c]).margin(1e-7));
        CHECK(state.running_variance[c] ==
              Approx(0.9 * old.running_variance[c] + 0.1 * variance[c]));
      }
    } else {
      for (std::size_t i = 0; i < p.size(); ++i) p[i] += old.bias.value[i % layer.out_channels];
    }
    if (layer.residual >= 0) {
      for (std::size_t i = 0; i < p.size(); ++i) p[i] += engine.state(layer.residual).output[i];
    }
    CHECK(state.output == p);
    // f_G leaves each sample's maximum and 2^G levels.
    const std::size_t elements = state.convolution_gradient.size() / size;
    REQUIRE(state.quantized_gradient.size() == state.convolution_gradient.size());
    if (k + 1 == layers) {
      CHECK(state.quantized_gradient == state.convolution_gradient);
      CHECK(state.codes.empty());
      continue;
    }
    const double n = (1 << layer.gradient_bits) - 1;
    bool on_grid = true;
    for (int sample = 0; sample < size; ++sample) {
      double largest = 0.0;
      for (std::size_t i = sample * elements; i < (sample + 1) * elements; ++i) {
        largest = std::max(largest, std::abs(double{state.convolution_gradient[i]}));
      }
      for (std::size_t i = sample * elements; i < (sample + 1) * elements; ++i) {
        const double code =
            largest == 0.0 ? 0.0 : n * (state.quantized_gradient[i] / largest + 1.0) / 2.0;
        on_grid = on_grid && std::abs(code - std::round(code)) < 1e-3;
      }
    }
    CHECK(on_grid);
    CHECK(state.weights.gradient ==
          weight_gradient(
              old.weights.value,
              conv_backward_weight(layer, size, state.quantized_gradient, engine.input(k)),
              layer.weight_bits, MaxGradient::kConstant));
    // Codes.
    if (layer.pool > 1) p = max_pool_forward(layer, size, p, nullptr);
    for (float& x : p) x = quantize_activation(x, layer.output_bits);
    if (layer.dropout > 0.0) dropout(&p, state.kept, layer.dropout);
    CHECK(state.codes == p);
    // The clip and dropout block the gradient to p, but for what a residual brings.
    std::vector<float> g = gradient_of_codes(engine, k, size);
    if (layer.dropout > 0.0) dropout(&g, state.kept, layer.dropout);
    const std::vector<float>& pooled = layer.pool > 1 ? state.pooled : state.output;
    for (std::size_t i = 0; i < g.size(); ++i) g[i] = clip_passes(pooled[i]) ? g[i] : 0.0f;
    if (layer.pool > 1) g = max_pool_backward(layer, size, g, state.places);
    for (int later = layers - 1; later > k; --later) {
      if (network.layers[later].residual != k) continue;
      for (std::size_t i = 0; i < g.size(); ++i) g[i] += engine.state(later).output_gradient[i];
    }
    CHECK(relative_error(state.output_gradient, g) <= 1e-6);
  }
}

TEST_CASE("Equal sums of codes give equal pre-activations, and a sum of 0 gives 0", "[dorefa]") {
  Config config;  // W = 1, A = 2, G = 4
  const Network network = load_network("mlp", config, {12, 12, 1, 10});
  SplitMix64 random(7);
  constexpr int kSize = 40;
  const Batch batch = random_batch(network, kSize, &random);
  FloatEngine engine(network, 3);
  engine.train_step(batch.pixels.data(), batch.labels.data(), kSize);
  const Layer& layer = network.layers[1];
  REQUIRE(layer.weight_bits == 1);
  std::vector<float> codes = engine.input(1), signs = engine.state(1).quantized_weights;
  const float levels = static_cast<float>((1 << layer.input_bits) - 1);
  for (float& code : codes) code = std::round(code * levels);
  for (float& sign : signs) sign = sign < 0.0f ? -1.0f : 1.0f;
  const std::vector<float> sums = conv_forward(layer, kSize, codes, signs);  // exact
  std::map<float, float> value_of;
  std::size_t zeros = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const float value = engine.state(1).convolution[i];
    const auto known = value_of.emplace(sums[i], value).first;
    REQUIRE(known->second == value);
    if (sums[i] != 0.0f) continue;
    ++zeros;
    REQUIRE(value == 0.0f);
  }
  CHECK(zeros > 20);
  CHECK(value_of.size() * 4 < sums.size());
  // Known bad: products of values, scaled beforehand
  std::size_t broken = 0;
  const std::vector<float> values =
      conv_forward(layer, kSize, engine.input(1), engine.state(1).quantized_weights);
  for (std::size_t i = 0; i < sums.size(); ++i) broken += sums[i] == 0.0f && values[i] != 0.0f;
  CHECK(broken > 0);
}

TEST_CASE("Inference uses the running statistics, drops nothing and changes nothing", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  Network network = block_network();
  network.learning_rate = 0.0;
  network.layers[4].dropout = 0.0;
  const Batch batch = random_batch(network, 12, &random);
  FloatEngine engine(network, seed, false);
  CHECK(engine.state(1).running_mean == std::vector<float>(6, 0.0f));
  CHECK(engine.state(1).running_variance == std::vector<float>(6, 1.0f));
  // With the same batch for ever the running statistics become the batch's.
  for (int step = 0; step < 200; ++step) {
    engine.train_step(batch.pixels.data(), batch.labels.data(), 12);
  }
  const FloatEngine before = engine;
  const std::vector<float> logits = engine.logits(batch.pixels.data(), 12);
  REQUIRE(logits.size() == 36);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    CHECK(logits[i] == Approx(engine.state(5).output[i]).margin(1e-4));
  }
  const std::vector<int> classes = engine.predict(batch.pixels.data(), 12);
  for (int i = 0; i < 12; ++i) {
    for (int j = 0; j < 3; ++j) CHECK(logits[i * 3 + classes[i]] >= logits[i * 3 + j]);
  }
  CHECK(engine.state(1).running_mean == before.state(1).running_mean);
  CHECK(engine.state(4).codes == before.state(4).codes);
  // One sample at a time gives the same: no statistics of the batch are left.
  const std::vector<float> one = engine.logits(batch.pixels.data(), 1);
  for (int j = 0; j < 3; ++j) CHECK(one[j] == Approx(logits[j]).margin(1e-5));
  // Known bad: other running statistics give other logits.
  engine.state(2).running_variance[0] *= 4.0f;
  CHECK(engine.logits(batch.pixels.data(), 12) != logits);
}

TEST_CASE("A held dropout mask is used as it is", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  const Network network = block_network();
  const Batch batch = random_batch(network, 4, &random);
  FloatEngine engine(network, seed);
  engine.train_step(batch.pixels.data(), batch.labels.data(), 4);
  FloatEngine::State& state = engine.state(4);
  const std::vector<std::uint8_t> drawn = state.kept;
  REQUIRE(drawn.size() == state.codes.size());
  engine.train_step(batch.pixels.data(), batch.labels.data(), 4);
  CHECK(state.kept != drawn);
  state.hold_kept = true;
  std::fill(state.kept.begin(), state.kept.end(), std::uint8_t{0});
  engine.train_step(batch.pixels.data(), batch.labels.data(), 4);
  CHECK(state.codes == std::vector<float>(drawn.size(), 0.0f));
  CHECK(state.output_gradient == std::vector<float>(drawn.size(), 0.0f));
  CHECK_THROWS_AS(engine.train_step(batch.pixels.data(), batch.labels.data(), 3), InputError);
}

TEST_CASE("The optimiser applies momentum to all and decay to weights alone", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  Network network = block_network();
  network.weight_decay = 0.01;
  const Batch batch = random_batch(network, 4, &random);
  FloatEngine engine(network, 3);
  std::size_t checked = 0;
  for (int step = 0; step < 3; ++step) {
    const FloatEngine before = engine;
    engine.train_step(batch.pixels.data(), batch.labels.data(), 4);
    for (int k = 0; k < static_cast<int>(network.layers.size()); ++k) {
      using State = FloatEngine::State;
      for (const auto parameter : {&State::weights, &State::bias, &State::gamma, &State::beta}) {
        const FloatEngine::Parameter& old = before.state(k).*parameter;
        const FloatEngine::Parameter& now = engine.state(k).*parameter;
        const double decay = parameter == &State::weights ? 0.01 : 0.0;
        for (std::size_t i = 0; i < old.value.size(); ++i) {
          const double v = 0.9 * old.velocity[i] + now.gradient[i] + decay * old.value[i];
          const double expected = old.value[i] - 0.05 * v;
          ++checked;
          if (std::abs(now.value[i] - expected) > 1e-6 * (1.0 + std::abs(expected))) {
            FAIL_CHECK("layer " << k << " element " << i << ": " << now.value[i] << ", not "
                                << expected);
          }
        }
      }
    }
  }
  CHECK(checked > 500);
}

TEST_CASE("Adam's steps are those of its definition", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  Network network = block_network();
  network.learning_rate = 0.001;
  const Batch batch = random_batch(network, 4, &random);
  FloatEngine engine(network, 3, true, MaxGradient::kConstant, Optimizer::kAdam);
  const std::size_t count = engine.state(1).weights.value.size();
  std::vector<double> first(count, 0.0), second(count, 0.0);
  for (int step = 1; step <= 3; ++step) {
    const std::vector<float> old = engine.state(1).weights.value;
    engine.train_step(batch.pixels.data(), batch.labels.data(), 4);
    const FloatEngine::Parameter& now = engine.state(1).weights;
    for (std::size_t i = 0; i < count; ++i) {
      const double g = now.gradient[i];
      first[i] = 0.9 * first[i] + 0.1 * g;
      second[i] = 0.999 * second[i] + 0.001 * g * g;
      // The bias corrections applied to the moments; epsilon scales with them.
      const double m = first[i] / (1.0 - std::pow(0.9, step));
      const double v = second[i] / (1.0 - std::pow(0.999, step));
      const double epsilon = 1e-5 / std::sqrt(1.0 - std::pow(0.999, step));
      const double expected = old[i] - 0.001 * m / (std::sqrt(v) + epsilon);
      if (std::abs(now.value[i] - expected) > 1e-6) {
        FAIL_CHECK("step " << step << " weight " << i << ": " << now.value[i] << ", not "
                           << expected);
      }
    }
  }
  CHECK(FloatEngine(network, 3).state(1).weights.square.empty());
}

TEST_CASE("Layers that do not fit each other are refused", "[dorefa]") {
  CHECK_NOTHROW(FloatEngine(block_network(), 1));
  const auto refused = [](void (*spoil)(Network&)) {
    Network network = block_network();
    spoil(network);
    CHECK_THROWS_AS(FloatEngine(network, 1), InputError);
  };
  refused([](Network& n) { n.layers.clear(); });
  refused([](Network& n) { n.layers[0].pool = 1; });
  refused([](Network& n) { n.layers[0].pool = 9; });
  refused([](Network& n) { n.layers[0].pool_padding = 2; });
  refused([](Network& n) { n.layers[2].input = 2; });
  refused([](Network& n) { n.layers[2].input = 0; });
  refused([](Network& n) { n.layers[1].is_average = true; });
  refused([](Network& n) { n.layers[1].in_channels = 3; });
  refused([](Network& n) { n.layers[1].out_width = 5; });
  refused([](Network& n) { n.layers[1].residual = 1; });
  refused([](Network& n) { n.layers[2].residual = 0; });
  refused([](Network& n) { n.layers[4].dropout = 1.0; });
  refused([](Network& n) { n.layers[5].dropout = 0.5; });
  refused([](Network& n) { n.classes = 4; });
}

TEST_CASE("Initial weights repeat, differ by seed and layer, and fill their range", "[dorefa]") {
  const Network network = small_network();
  const std::vector<float> w = initial_weights(network, 1, 7);
  CHECK(w.size() == 8u * 36u);
  CHECK(initial_weights(network, 1, 7) == w);
  CHECK(initial_weights(network, 1, 8) != w);
  Network equal = network;
  equal.layers[2] = equal.layers[1];
  CHECK(initial_weights(equal, 2, 7) != w);
  double mean = 0.0, largest = 0.0;
  for (const float x : w) {
    mean += x / static_cast<double>(w.size());
    largest = std::max(largest, std::abs(double{x}));
  }
  CHECK(std::abs(mean) < 0.2 * largest);
  CHECK(largest <= std::sqrt(6.0 / 36) * 4);
}

TEST_CASE("Both engines learn a separable task, and repeat exactly for a seed", "[dorefa]") {
  Images images;
  images.height = images.width = 6;
  images.channels = 2;
  images.classes = 3;
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  for (int i = 0; i < 99; ++i) {
    const int label = i % 3;
    images.labels.push_back(static_cast<std::uint8_t>(label));
    for (int p = 0; p < 72; ++p) {
      // Two bright rows tell the class.
      const int row = p / 12;
      images.pixels.push_back(
          static_cast<std::uint8_t>((row / 2 == label ? 180 : 0) + (random.next() >> 58)));
    }
  }
  for (const bool quantized : {false, true}) {
    CAPTURE(quantized);
    Network network = small_network();
    network.learning_rate = 0.01;
    FloatEngine engine(network, 5, quantized), twin(network, 5, quantized);
    double first = 0.0, last = 0.0;
    for (int step = 0; step < 100; ++step) {
      last = engine.train_step(images.pixels.data(), images.labels.data(), 99);
      if (step == 0) first = last;
      CHECK(twin.train_step(images.pixels.data(), images.labels.data(), 99) == last);
    }
    CHECK(last < 0.5 * first);
    CHECK(accuracy(engine, images, 40) > 0.9);
  }
}

TEST_CASE("Training does not depend on the number of threads", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  Network network = block_network();
  const Batch batch = random_batch(network, 100, &random);
  std::vector<FloatEngine> engines;
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    engines.emplace_back(network, seed);
    for (int step = 0; step < 3; ++step) {
      engines.back().train_step(batch.pixels.data(), batch.labels.data(), 100);
    }
  }
  set_thread_count(0);
  for (int k = 0; k < static_cast<int>(network.layers.size()); ++k) {
    for (const FloatEngine& engine : engines) {
      CHECK(engine.state(k).weights.value == engines[0].state(k).weights.value);
      CHECK(engine.state(k).gamma.value == engines[0].state(k).gamma.value);
      CHECK(engine.state(k).quantized_gradient == engines[0].state(k).quantized_gradient);
    }
  }
}

TEST_CASE("A small batch-normalised convolutional net learns the digits", "[dorefa]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  const int size = 64;
  const Dataset digits = make_digits(30 * size, 500, seed);
  Network network;
  network.weight_decay = 0.0;
  network.learning_rate = 0.005;
  Layer& first = append(&network, 5, 1, 0, 8);
  first.pool = 2;
  first.weight_bits = first.gradient_bits = 8;
  Layer& second = append(&network, 3, 1, 1, 16);
  second.batch_norm = true;
  second.pool = 2;
  Layer& third = append(&network, 3, 1, 1, 16);
  third.batch_norm = true;
  Layer& fourth = append(&network, 3, 1, 1, 16);
  fourth.batch_norm = true;
  fourth.residual = 2;
  fourth.dropout = 0.2;
  Layer& last = append(&network, 0, 1, 0, 10);
  last.weight_bits = 8;
  last.output_bits = last.gradient_bits = 0;
  for (const bool quantized : {false, true}) {
    for (const Optimizer optimizer : {Optimizer::kMomentum, Optimizer::kAdam}) {
      CAPTURE(quantized, optimizer == Optimizer::kAdam);
      FloatEngine engine(network, seed, quantized, MaxGradient::kConstant, optimizer);
      CHECK(accuracy(engine, digits.test, size) < 0.3);
      for (int epoch = 0; epoch < 6; ++epoch) {
        for (int step = 0; step < 30; ++step) {
          engine.train_step(digits.train.image(step * size), &digits.train.labels[step * size],
                            size);
        }
      }
      const double reached = accuracy(engine, digits.test, size);
      INFO("accuracy " << reached);
      CHECK(reached > (quantized ? 0.6 : 0.85));
    }
  }
}

}  // namespace solfege
