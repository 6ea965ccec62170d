// SPDX-License-Identifier: Apache-2.0
// What goes in and out of the float engine outside of steps: parameters, codes, its state.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/base/error.hpp"
#include "model/reference/float_engine.hpp"
#include "model/schemes/scheme.hpp"

namespace solfege {
namespace {

/// The codes of values that are multiples of `unit`, but for rounding.
std::vector<std::int32_t> codes_of(const std::vector<float>& values, double unit,
                                   const PlaneReading& reading) {
  std::vector<std::int32_t> codes;
  for (const float value : values)
    codes.push_back(
        static_cast<std::int32_t>(std::lround((value / unit - reading.offset) / reading.step)));
  return codes;
}

std::vector<double> wide(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}
std::vector<float> narrow(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

/// What the device measures of weights, of all kinds.
WeightMeasures measured(const Layer& layer, const std::vector<float>& weights) {
  WeightMeasures measures;
  const auto row = static_cast<std::size_t>(layer.fan_in());
  measures.row_means.assign(static_cast<std::size_t>(layer.out_channels), 0.0);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double w = weights[i];
    measures.peak = std::max(measures.peak, std::abs(w));
    measures.mean += std::abs(w) / static_cast<double>(weights.size());
    measures.row_means[i / row] += std::abs(w) / static_cast<double>(row);
    measures.low = std::min(measures.low, w);
    measures.high = std::max(measures.high, w);
  }
  return measures;
}

TrainedValues trained(const FloatEngine::Parameter& parameter) {
  return {wide(parameter.value), wide(parameter.velocity)};
}

}  // namespace

std::vector<LayerParameters> FloatEngine::parameters() {
  std::vector<LayerParameters> list;
  for (const State& s : states_)
    list.push_back({trained(s.weights),
                    trained(s.bias),
                    trained(s.gamma),
                    trained(s.beta),
                    wide(s.running_mean),
                    wide(s.running_variance),
                    {}});
  for (std::size_t k = 0; k < list.size(); ++k) {
    const Layer& layer = network_.layers[k];
    if (scheme_of(layer).weight_grid_log2(layer) != kNoWeightGrid) list[k].weights.momentum.clear();
    if (k + 1 < list.size() && scheme_of(layer).bound_rule(layer) != BoundRule::kFixed)
      list[k].bound = {{layer.activation_bound}, {states_[k].bound_velocity}};
  }
  return list;
}

void FloatEngine::set_parameters(const std::vector<LayerParameters>& parameters) {
  const auto take = [](const TrainedValues& from, Parameter& to) {
    to.value = narrow(from.value);
    to.velocity = narrow(from.momentum);
    to.velocity.resize(to.value.size(), 0.0f);
  };
  for (std::size_t k = 0; k < states_.size(); ++k) {
    const LayerParameters& p = parameters.at(k);
    State& s = states_[k];
    take(p.weights, s.weights);
    take(p.bias, s.bias);
    take(p.gamma, s.gamma);
    take(p.beta, s.beta);
    s.running_mean = narrow(p.running_mean);
    s.running_variance = narrow(p.running_variance);
    if (p.bound.value.empty()) continue;
    network_.layers[k].activation_bound = p.bound.value[0];
    s.bound_velocity = p.bound.momentum.empty() ? 0.0f : static_cast<float>(p.bound.momentum[0]);
  }
}

std::vector<LayerCodes> FloatEngine::codes() {
  std::vector<LayerCodes> list;
  for (std::size_t k = 0; k < states_.size(); ++k) {
    const Layer& layer = network_.layers[k];
    const Scheme& scheme = scheme_of(layer);
    const std::vector<float>& weights = states_[k].weights.value;
    LayerCodes& codes = list.emplace_back();
    if (layer.is_average) continue;
    if (k + 1 < states_.size() && quantizes(layer.output_bits))
      codes.activation = scheme.activation_codes(layer);
    if (!quantizes(layer.weight_bits)) continue;
    const WeightCodes f_w = scheme.weight_codes(layer, measured(layer, weights));
    for (const float w : weights)
      codes.weights.push_back(static_cast<std::int32_t>(
          std::upper_bound(f_w.thresholds.begin(), f_w.thresholds.end(), double{w}) -
          f_w.thresholds.begin()));
    codes.weight_scale = f_w.row_scales.empty() ? std::vector<double>{1.0} : f_w.row_scales;
    for (double& scale : codes.weight_scale) scale *= f_w.scale / f_w.levels;
    codes.weight_reading = f_w.reading.value_or(scheme.weight_reading(layer));
  }
  return list;
}

Inference FloatEngine::infer(const std::uint8_t* pixels, int images, bool with_codes) {
  Inference result;
  std::vector<std::vector<float>> values;
  result.logits = wide(outputs(pixels, images, with_codes ? &values : nullptr));
  for (std::size_t k = 0; k < values.size(); ++k) {
    const Layer& layer = network_.layers[k];
    std::vector<std::int32_t>& codes = result.codes.emplace_back();
    if (quantizes(layer.output_bits))
      codes = codes_of(values[k], scheme_of(layer).activation_codes(layer).step,
                       scheme_of(layer).activation_reading(layer));
  }
  return result;
}

/// Everything a step leaves for the next, in a fixed order: archive(first byte, number of bytes).
template <typename Archive>
void FloatEngine::visit_state(Archive&& archive) {
  const auto scalar = [&](auto& value) { archive(&value, sizeof value); };
  const auto list = [&](std::vector<float>& values) {
    if (!values.empty()) archive(values.data(), values.size() * sizeof(float));
  };
  scalar(random_);
  scalar(learning_rate_);
  scalar(steps_);
  std::uint64_t active = active_;
  scalar(active);
  if (active >= precisions_.size()) throw InputError("the saved state is of another curriculum");
  switch_to(active);
  const bool shares = network_.curriculum != Curriculum::kGuided;
  for (std::size_t p = 0; p < precisions_.size(); ++p) {
    Network& network = p == active_ ? network_ : precisions_[p].network;
    for (State& s : p == active_ ? states_ : precisions_[p].states) {
      for (Parameter* parameter : {&s.weights, &s.bias, &s.gamma, &s.beta}) {
        // Shared weights are where the active precision is.
        if (parameter == &s.weights && shares && p != active_) continue;
        list(parameter->value);
        list(parameter->velocity);
        list(parameter->square);
      }
      list(s.running_mean);
      list(s.running_variance);
      scalar(s.bound_velocity);
    }
    for (Layer& layer : network.layers) scalar(layer.activation_bound);
  }
}

std::vector<std::uint8_t> FloatEngine::state() {
  std::vector<std::uint8_t> bytes;
  visit_state([&](const void* from, std::size_t count) {
    const auto* first = static_cast<const std::uint8_t*>(from);
    bytes.insert(bytes.end(), first, first + count);
  });
  return bytes;
}

void FloatEngine::restore(const std::vector<std::uint8_t>& state) {
  std::size_t size = 0;
  visit_state([&](const void*, std::size_t count) { size += count; });
  if (size != state.size())
    throw InputError(
        "the saved state does not fit this network; resume with the one it was saved from");
  const std::uint8_t* next = state.data();
  visit_state([&](void* to, std::size_t count) {
    std::memcpy(to, next, count);
    next += count;
  });
}

}  // namespace solfege
