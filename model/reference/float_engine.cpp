// SPDX-License-Identifier: Apache-2.0
#include "model/reference/float_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/base/hash.hpp"
#include "model/base/parallel.hpp"
#include "model/reference/float_layers.hpp"
#include "model/schemes/dorefa.hpp"
#include "model/schemes/scheme.hpp"

namespace solfege {
namespace {

/// Networks made by hand reach the engine unchecked; a wrong shape would read foreign memory.
void check_shapes(const Network& network) {
  const auto require = [](bool good, std::size_t layer, const char* what) {
    if (good) return;
    throw InputError(fmt::format("layer {} of the network: {}; correct the layer", layer, what));
  };
  if (network.layers.empty()) throw InputError("the network has no layers; give it at least one");
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    Layer input;
    input.out_height = network.in_height;
    input.out_width = network.in_width;
    input.out_channels = network.in_channels;
    require(layer.input < static_cast<int>(k), k, "its input is not a layer before it");
    const int from = network.input_of(static_cast<int>(k));
    if (from >= 0) input = network.layers[static_cast<std::size_t>(from)];
    require(layer.in_height == input.pooled_height() && layer.in_width == input.pooled_width() &&
                layer.in_channels == input.out_channels,
            k, "its input is not the pooled map of the layer that it reads");
    const auto output = [](int in, int kernel, int stride, int padding) {
      return (in + 2 * padding - kernel) / stride + 1;
    };
    require(layer.out_height == output(layer.in_height, layer.kernel_height, layer.stride_height,
                                       layer.padding_height) &&
                layer.out_width == output(layer.in_width, layer.kernel_width, layer.stride_width,
                                          layer.padding_width),
            k, "its output map does not follow from input, kernel, stride and padding");
    require(layer.groups >= 1 && layer.in_channels % layer.groups == 0 &&
                layer.out_channels % layer.groups == 0,
            k, "its groups do not divide its channels");
    const Pooling pooling = layer.pooling();
    require(layer.pool >= 1 && layer.pool <= 16 && layer.pool_padding >= 0 &&
                layer.pool_padding <= layer.pool / 2 && pooling.y.windows() >= 1 &&
                pooling.x.windows() >= 1,
            k, "its pooling is not 1 to 16, or does not fit its map");
    require(layer.dropout >= 0.0 && layer.dropout < 1.0, k, "its dropout is not in [0, 1)");
    require(layer.residual < static_cast<int>(k), k, "its residual is not a layer before it");
    require(!layer.is_average ||
                (k > 0 && layer.out_channels == layer.in_channels && layer.padding_height == 0 &&
                 layer.padding_width == 0 && layer.pool == 1 && layer.dropout == 0.0 &&
                 layer.residual < 0 && !layer.batch_norm),
            k, "it averages, but does more");
    if (layer.residual >= 0) {
      const Layer& other = network.layers[static_cast<std::size_t>(layer.residual)];
      require(other.out_height == layer.out_height && other.out_width == layer.out_width &&
                  other.out_channels == layer.out_channels && !other.is_average,
              k, "its residual has another shape");
    }
  }
  const Layer& last = network.layers.back();
  require(last.out_height == 1 && last.out_width == 1 && last.out_channels == network.classes &&
              last.dropout == 0.0 && !last.is_average,
          network.layers.size() - 1, "it is the last but does not give one logit per class");
}

void fill(FloatEngine::Parameter* parameter, std::size_t size, float value, Optimizer optimizer) {
  parameter->value.assign(size, value);
  parameter->gradient.assign(size, 0.0f);
  parameter->velocity.assign(size, 0.0f);
  if (optimizer == Optimizer::kAdam) parameter->square.assign(size, 0.0f);
}

std::vector<float> from_pixels(const Network& network, const std::uint8_t* pixels, int batch) {
  std::vector<float> images(static_cast<std::size_t>(batch) * network.in_height * network.in_width *
                            network.in_channels);
  for (std::size_t i = 0; i < images.size(); ++i) {
    images[i] = static_cast<float>(pixels[i]) / 255.0f;
  }
  return images;
}

void add_bias(std::vector<float>* x, const std::vector<float>& bias) {
  const std::size_t channels = bias.size();
  for (std::size_t row = 0; row < x->size(); row += channels) {
    for (std::size_t c = 0; c < channels; ++c) (*x)[row + c] += bias[c];
  }
}

/// f_A of the layer's pre-activations.
std::vector<float> quantized(const Layer& layer, const std::vector<float>& x) {
  const auto quantize = scheme_of(layer).quantize_activation(layer);
  std::vector<float> codes(x.size());
  parallel_slices(x.size(), 10.0 * static_cast<double>(x.size()),
                  [&](int, std::size_t first, std::size_t last) {
                    for (std::size_t i = first; i < last; ++i) {
                      codes[i] = quantize(x[i]);
                    }
                  });
  return codes;
}

/// Adds the gradient of weight / 2 times the mean square of p - other.
void add_guidance(double weight, const std::vector<float>& p, const std::vector<float>& other,
                  std::vector<float>* gradient) {
  const auto factor = static_cast<float>(weight / static_cast<double>(p.size()));
  for (std::size_t i = 0; i < p.size(); ++i) (*gradient)[i] += factor * (p[i] - other[i]);
}

void add(std::vector<float>* x, const std::vector<float>& y) {
  for (std::size_t i = 0; i < x->size(); ++i) (*x)[i] += y[i];
}

/// Adds to a sum that is empty before its first share.
void add_share(std::vector<float>* sum, const std::vector<float>& share) {
  if (share.empty()) return;
  if (sum->empty())
    *sum = share;
  else
    add(sum, share);
}

/// Of a code, that a tie may be missed by in float.
constexpr double kTieTolerance = 1e-5;

}  // namespace

FloatEngine::FloatEngine(const Network& network, std::uint64_t seed, bool quantized,
                         MaxGradient max_gradient, Optimizer optimizer)
    : network_(network),
      learning_rate_(network.learning_rate),
      max_gradient_(max_gradient),
      optimizer_(optimizer),
      random_(~seed) {
  check_shapes(network);
  if (!quantized) {
    for (Layer& layer : network_.layers) {
      layer.weight_bits = layer.input_bits = layer.output_bits = layer.gradient_bits = 32;
    }
  }
  if (!quantized) network_.precisions = {{}};
  if (!quantized) network_.curriculum = Curriculum::kSingle;
  for (const Precision& precision : network_.precisions) {
    Network one = network_.at(precision);
    for (Layer& layer : one.layers) layer.activation_bound = scheme_of(layer).initial_bound(layer);
    precisions_.push_back({one, initial_states(one, seed)});
  }
  std::swap(network_, precisions_[0].network);
  std::swap(states_, precisions_[0].states);
}

std::vector<FloatEngine::State> FloatEngine::initial_states(const Network& network,
                                                            std::uint64_t seed) const {
  std::vector<State> states(network.layers.size());
  for (std::size_t k = 0; k < states.size(); ++k) {
    State& state = states[k];
    std::vector<float> weights = initial_weights(network, static_cast<int>(k), seed);
    fill(&state.weights, weights.size(), 0.0f, optimizer_);
    state.weights.value = std::move(weights);
    if (network.layers[k].is_average) continue;
    const std::size_t channels = network.layers[k].out_channels;
    if (network.layers[k].batch_norm) {
      fill(&state.gamma, channels, 1.0f, optimizer_);
      fill(&state.beta, channels, 0.0f, optimizer_);
      state.running_mean.assign(channels, 0.0f);
      state.running_variance.assign(channels, 1.0f);
    } else {
      fill(&state.bias, channels, 0.0f, optimizer_);
    }
  }
  return states;
}

/// The precision that everything is of from now on; master weights go along but for a teacher's.
void FloatEngine::switch_to(std::size_t precision) {
  if (precision == active_) return;
  Variant& next = precisions_[precision];
  if (network_.curriculum != Curriculum::kGuided)
    for (std::size_t k = 0; k < states_.size(); ++k)
      std::swap(states_[k].weights, next.states[k].weights);
  Variant& place = precisions_[active_];
  std::swap(place.network, network_);
  std::swap(place.states, states_);
  std::swap(next.network, network_);
  std::swap(next.states, states_);
  active_ = precision;
}

void FloatEngine::set_progress(double share) {
  if (network_.curriculum != Curriculum::kPhases) return;
  const std::size_t phase = phase_at(network_, share), before = active_;
  if (phase == before) return;
  switch_to(phase);
  for (std::size_t k = 0; k < states_.size(); ++k) {
    const State& learned = precisions_[before].states[k];
    State& state = states_[k];
    state.bias = learned.bias;
    state.gamma = learned.gamma;
    state.beta = learned.beta;
    state.running_mean = learned.running_mean;
    state.running_variance = learned.running_variance;
    state.bound_velocity = learned.bound_velocity;
    network_.layers[k].activation_bound = precisions_[before].network.layers[k].activation_bound;
  }
}

std::size_t FloatEngine::precisions() const {
  return network_.curriculum == Curriculum::kPhases ? 1 : precisions_.size();
}

void FloatEngine::set_precision(std::size_t index) {
  if (index >= precisions()) throw std::logic_error("no such precision");
  if (network_.curriculum != Curriculum::kPhases) switch_to(index);
}

namespace {

/// Values as integers times a scale, so that their products are exact in float (sums below 2^24)
/// and ties of pre-activations stay ties, as on the device: the scale is applied afterwards.
struct ScaledIntegers {
  std::vector<float> integers;
  float scale = 1.0f;
};

/// `values` are multiples of `scale`, but for rounding.
ScaledIntegers as_integers(const std::vector<float>& values, float scale) {
  ScaledIntegers result{std::vector<float>(values.size()), scale};
  const float inverse = 1.0f / scale;
  for (std::size_t i = 0; i < values.size(); ++i)
    result.integers[i] = std::nearbyintf(values[i] * inverse);
  return result;
}

/// What the network's layer `k` reads, as integers: bytes of pixels, or codes.
ScaledIntegers input_integers(const Network& network, std::size_t k,
                              const std::vector<float>& values, bool dropped) {
  const int from = network.input_of(static_cast<int>(k));
  if (from < 0) return as_integers(values, 1.0f / 255.0f);
  const Layer& before = network.layers[static_cast<std::size_t>(from)];
  if (!quantizes(before.output_bits)) return {values, 1.0f};
  const double step = output_codes(network, from).step;
  return as_integers(values, static_cast<float>(dropped ? step : step * (1.0 - before.dropout)));
}

/// The means of an averaging layer, and in place of them the codes' values.
std::vector<float> average(const Network& network, std::size_t k, int batch,
                           const ScaledIntegers& input, std::vector<float>* codes) {
  const Layer& layer = network.layers[k];
  std::vector<float> means = average_forward(layer, batch, input.integers);
  *codes = means;
  const double step =
      quantizes(layer.output_bits) ? output_codes(network, static_cast<int>(k)).step : 0.0;
  for (std::size_t i = 0; i < means.size(); ++i) {
    const double mean = double{means[i]} * input.scale;
    means[i] = static_cast<float>(mean);
    // Rounded up at a tie; but for the float of the scale, ties are exact.
    (*codes)[i] = static_cast<float>(
        step == 0.0 ? mean : step * std::floor(mean / step + 0.5 + kTieTolerance));
  }
  return means;
}

/// o = input * weights, of values that the quantizers have made. The weights of each output channel
/// have a scale.
std::vector<float> convolve(const Layer& layer, int batch, const ScaledIntegers& input,
                            std::vector<float> weights) {
  const Scheme& scheme = scheme_of(layer);
  const auto channels = static_cast<std::size_t>(layer.out_channels);
  const std::size_t rows = scheme.measures_rows(layer) ? channels : 1, row = weights.size() / rows;
  std::vector<float> scales(channels, input.scale);
  for (std::size_t r = 0; r < rows; ++r) {
    const auto first = weights.begin() + static_cast<std::ptrdiff_t>(r * row);
    const std::vector<float> values(first, first + static_cast<std::ptrdiff_t>(row));
    const float unit = scheme.weight_unit(layer, values);
    if (!(unit > 0.0f)) continue;
    const ScaledIntegers integers = as_integers(values, unit);
    std::copy(integers.integers.begin(), integers.integers.end(), first);
    for (std::size_t c = rows == 1 ? 0 : r; c < (rows == 1 ? channels : r + 1); ++c)
      scales[c] *= unit;
  }
  std::vector<float> output = conv_forward(layer, batch, input.integers, weights);
  for (std::size_t i = 0; i < output.size(); ++i) output[i] *= scales[i % channels];
  return output;
}

}  // namespace

void FloatEngine::forward(const std::uint8_t* pixels, int batch) {
  images_ = from_pixels(network_, pixels, batch);
  for (std::size_t k = 0; k < states_.size(); ++k) {
    const Layer& layer = network_.layers[k];
    State& state = states_[k];
    const ScaledIntegers in = input_integers(network_, k, input(static_cast<int>(k)), true);
    if (layer.is_average) {
      state.output = average(network_, k, batch, in, &state.codes);
      continue;
    }
    state.quantized_weights = scheme_of(layer).quantize_weights(layer, state.weights.value);
    state.convolution = convolve(layer, batch, in, state.quantized_weights);
    if (layer.batch_norm) {
      batch_statistics(state.convolution, layer.out_channels, &state.batch_mean,
                       &state.batch_variance);
      state.output = batch_norm_forward(state.convolution, state.gamma.value, state.beta.value,
                                        state.batch_mean, state.batch_variance);
      for (int c = 0; c < layer.out_channels; ++c) {
        const auto follow = [](float* running, float now) {
          constexpr auto kept = static_cast<float>(kRunningMomentum);
          *running = kept * *running + (1.0f - kept) * now;
        };
        follow(&state.running_mean[c], state.batch_mean[c]);
        follow(&state.running_variance[c], state.batch_variance[c]);
      }
    } else {
      state.output = state.convolution;
      add_bias(&state.output, state.bias.value);
    }
    if (layer.residual >= 0) add(&state.output, this->state(layer.residual).output);
    if (k + 1 < states_.size()) activate(static_cast<int>(k), batch);
  }
}

/// Pooling, f_A and dropout of a layer.
void FloatEngine::activate(int index, int batch) {
  const Layer& layer = network_.layers[static_cast<std::size_t>(index)];
  State& state = states_[static_cast<std::size_t>(index)];
  if (layer.pool > 1) state.pooled = max_pool_forward(layer, batch, state.output, &state.places);
  state.codes = quantized(layer, layer.pool > 1 ? state.pooled : state.output);
  if (layer.dropout == 0.0) return;
  if (!state.hold_kept) state.kept = dropout_mask(state.codes.size(), layer.dropout, &random_);
  if (state.kept.size() != state.codes.size()) {
    throw InputError(fmt::format(
        "layer {}: the held dropout mask has {} elements, not the {} of its codes; set it anew",
        index, state.kept.size(), state.codes.size()));
  }
  dropout(&state.codes, state.kept, layer.dropout);
}

/// dC/dp of a layer through its codes, from dC/dcodes: dropout, clip and pooling.
std::vector<float> FloatEngine::backward_codes(int index, int batch) {
  const Layer& layer = network_.layers[static_cast<std::size_t>(index)];
  State& state = states_[static_cast<std::size_t>(index)];
  std::vector<float> gradient = state.code_gradient;
  if (layer.is_average || gradient.empty()) return gradient;
  if (layer.dropout > 0.0) dropout(&gradient, state.kept, layer.dropout);
  const std::vector<float>& clipped = layer.pool > 1 ? state.pooled : state.output;
  const Scheme& scheme = scheme_of(layer);
  const auto passes = scheme.passes_gradient(layer);
  state.bound_gradient = 0.0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    if (clipped[i] >= layer.activation_bound) state.bound_gradient += gradient[i];
    gradient[i] =
        passes(clipped[i]) ? gradient[i] * scheme.activation_slope(layer, clipped[i]) : 0.0f;
  }
  if (layer.pool > 1) gradient = max_pool_backward(layer, batch, gradient, state.places);
  return gradient;
}

void FloatEngine::backward(int batch, std::vector<float> logit_gradient) {
  for (State& state : states_) {
    state.output_gradient.clear();
    state.code_gradient.clear();
  }
  states_.back().output_gradient = std::move(logit_gradient);
  for (std::size_t k = states_.size(); k-- > 0;) {
    const Layer& layer = network_.layers[k];
    State& state = states_[k];
    // Later layers that add this one's p have left their share.
    add_share(&state.output_gradient, backward_codes(static_cast<int>(k), batch));
    if (is_guided(network_, layer))
      add_guidance(network_.guidance, state.output, precisions_[1 - active_].states[k].output,
                   &state.output_gradient);
    if (layer.residual >= 0)
      add_share(&this->state(layer.residual).output_gradient, state.output_gradient);
    const int from = network_.input_of(static_cast<int>(k));
    if (layer.is_average) {
      add_share(&this->state(from).code_gradient,
                average_backward(layer, batch, state.output_gradient));
      continue;
    }
    if (layer.batch_norm) {
      state.convolution_gradient = batch_norm_backward(
          state.convolution, state.gamma.value, state.batch_mean, state.batch_variance,
          state.output_gradient, &state.gamma.gradient, &state.beta.gradient);
    } else {
      state.bias.gradient = channel_sums(state.output_gradient, layer.out_channels);
      state.convolution_gradient = state.output_gradient;
    }
    state.quantized_gradient = state.convolution_gradient;
    if (scheme_of(layer).gradient_rule(layer) == GradientRule::kNearest)
      round_gradient(&state.quantized_gradient, layer.gradient_bits);
    else
      quantize_gradient(state.quantized_gradient.data(), batch,
                        state.quantized_gradient.size() / batch, layer.gradient_bits, &random_);
    const std::vector<float> before = std::move(state.weights.gradient);
    state.weights.gradient = scheme_of(layer).weight_gradient(
        layer, state.weights.value,
        conv_backward_weight(layer, batch, state.quantized_gradient, input(static_cast<int>(k))),
        max_gradient_);
    if (!part_.first) add(&state.weights.gradient, before);
    if (from >= 0) {
      add_share(
          &this->state(from).code_gradient,
          conv_backward_input(layer, batch, state.quantized_gradient, state.quantized_weights));
    }
  }
}

void FloatEngine::update(Parameter* parameter, double weight_decay) {
  const float decay = static_cast<float>(weight_decay);
  std::vector<float>& value = parameter->value;
  std::vector<float>& velocity = parameter->velocity;
  if (optimizer_ == Optimizer::kMomentum) {
    const float rate = static_cast<float>(learning_rate_);
    const float momentum = static_cast<float>(network_.momentum);
    for (std::size_t i = 0; i < value.size(); ++i) {
      velocity[i] = momentum * velocity[i] + (parameter->gradient[i] + decay * value[i]);
      value[i] -= rate * velocity[i];
    }
    return;
  }
  // Kingma and Ba, arXiv 1412.6980, in the form at the end of their section 2 (as TensorFlow).
  constexpr double kFirst = 0.9, kSecond = 0.999;
  constexpr float kEpsilon = 1e-5f;
  const float rate =
      static_cast<float>(learning_rate_ * std::sqrt(1.0 - std::pow(kSecond, steps_)) /
                         (1.0 - std::pow(kFirst, steps_)));
  for (std::size_t i = 0; i < value.size(); ++i) {
    const float g = parameter->gradient[i] + decay * value[i];
    float& square = parameter->square[i];
    velocity[i] = static_cast<float>(kFirst) * velocity[i] + static_cast<float>(1.0 - kFirst) * g;
    square = static_cast<float>(kSecond) * square + static_cast<float>(1.0 - kSecond) * g * g;
    value[i] -= rate * velocity[i] / (std::sqrt(square) + kEpsilon);
  }
}

void FloatEngine::update_weights(std::size_t k) {
  const Layer& layer = network_.layers[k];
  Parameter& weights = states_[k].weights;
  const int grid_log2 = scheme_of(layer).weight_grid_log2(layer);
  if (grid_log2 == kNoWeightGrid)
    update(&weights, network_.weight_decay);
  else
    update_on_grid(&weights.value, weights.gradient, learning_rate_, grid_log2, &random_);
  const int limit_log2 = scheme_of(layer).weight_limit_log2(layer);
  if (limit_log2 != kNoWeightLimit)
    for (float& w : weights.value)
      w = std::clamp(w, -std::ldexp(1.0f, limit_log2), std::ldexp(1.0f, limit_log2));
}

void FloatEngine::update_bound(std::size_t k) {
  if (network_.readers(static_cast<int>(k)).empty()) return;  // it bounds nothing
  Layer& layer = network_.layers[k];
  State& state = states_[k];
  switch (scheme_of(layer).bound_rule(layer)) {
    case BoundRule::kFixed:
      return;
    case BoundRule::kLearned:
      state.bound_velocity =
          static_cast<float>(network_.momentum * state.bound_velocity + state.bound_gradient +
                             network_.weight_decay * layer.activation_bound);
      layer.activation_bound -= learning_rate_ * state.bound_velocity;
      break;
    case BoundRule::kAveraged:
      layer.activation_bound =
          kBoundMomentum * layer.activation_bound +
          (1.0 - kBoundMomentum) * *std::max_element(state.output.begin(), state.output.end());
      break;
  }
  layer.activation_bound = std::max(layer.activation_bound, kLeastBound);
}

double FloatEngine::train_step(const std::uint8_t* pixels, const std::uint8_t* labels, int batch) {
  ++steps_;
  double loss = 0.0;
  std::vector<float> targets;  // none: the labels
  for (const StepPart& part : step_parts(network_, active_)) {
    switch_to(part.precision);
    part_ = part;
    if (part.forward) forward(pixels, batch);
    if (!part.backward) continue;
    std::vector<float> gradient;
    const std::vector<float>& logits = states_.back().output;
    const bool squares = scheme_of(network_.layers.back()).loss() == Loss::kSquares;
    const double own_loss = !targets.empty()
                                ? cross_entropy(logits, targets, batch, network_.classes, &gradient)
                                : (squares ? squared_error : softmax_cross_entropy)(
                                      logits, labels, batch, network_.classes, &gradient);
    if (part.precision == 0 || network_.curriculum == Curriculum::kPhases) loss = own_loss;
    if (network_.curriculum == Curriculum::kJoint) targets = softmax(logits, network_.classes);
    backward(batch, std::move(gradient));
    update();
  }
  if (network_.curriculum != Curriculum::kPhases) switch_to(0);
  return loss;
}

void FloatEngine::update() {
  for (std::size_t k = 0; k < states_.size(); ++k) {
    State& state = states_[k];
    const Layer& layer = network_.layers[k];
    if (layer.is_average) continue;
    if (part_.last) update_weights(k);
    if (k + 1 < states_.size()) update_bound(k);
    if (scheme_of(layer).learns_bias(layer)) update(&state.bias, 0.0);
    for (Parameter* parameter : {&state.gamma, &state.beta}) update(parameter, 0.0);
  }
}

std::vector<std::uint64_t> FloatEngine::weight_fingerprints() {
  std::vector<std::uint64_t> fingerprints;
  for (const State& state : states_)
    if (!state.weights.value.empty())
      fingerprints.push_back(
          fingerprint(state.weights.value.data(), state.weights.value.size() * sizeof(float)));
  return fingerprints;
}

std::vector<float> FloatEngine::logits(const std::uint8_t* pixels, int batch) const {
  return outputs(pixels, batch, nullptr);
}

std::vector<float> FloatEngine::outputs(const std::uint8_t* pixels, int images,
                                        std::vector<std::vector<float>>* values) const {
  const std::vector<float> first = from_pixels(network_, pixels, images);
  std::vector<std::vector<float>> outputs(states_.size()), codes(states_.size());
  for (std::size_t k = 0; k < states_.size(); ++k) {
    const Layer& layer = network_.layers[k];
    const State& state = states_[k];
    std::vector<float>& output = outputs[k];
    const int from = network_.input_of(static_cast<int>(k));
    const ScaledIntegers in = input_integers(
        network_, k, from < 0 ? first : codes[static_cast<std::size_t>(from)], false);
    if (layer.is_average) {
      output = average(network_, k, images, in, &codes[k]);
      if (values != nullptr) values->push_back(codes[k]);
      continue;
    }
    output =
        convolve(layer, images, in, scheme_of(layer).quantize_weights(layer, state.weights.value));
    if (layer.batch_norm) {
      output = batch_norm_forward(output, state.gamma.value, state.beta.value, state.running_mean,
                                  state.running_variance);
    } else {
      add_bias(&output, state.bias.value);
    }
    if (layer.residual >= 0) add(&output, outputs[static_cast<std::size_t>(layer.residual)]);
    if (k + 1 == states_.size()) break;
    codes[k] = quantized(
        layer, layer.pool > 1 ? max_pool_forward(layer, images, output, nullptr) : output);
    if (values != nullptr) values->push_back(codes[k]);
  }
  return std::move(outputs.back());
}

}  // namespace solfege
