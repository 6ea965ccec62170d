// SPDX-License-Identifier: Apache-2.0
#include "model/reference/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "model/data/dataset.hpp"
#include "model/reference/float_engine.hpp"
#include "model/schemes/scheme.hpp"

namespace solfege {
namespace {

constexpr const char* kScheme = "qcode";
constexpr const char* kWeights = "weight_exponent";
constexpr const char* kActivations = "activation_exponent";

/// Values as f_W or f_A of the layer makes them with an exponent.
using Quantize = std::function<std::vector<float>(int exponent)>;

double squared_error(const std::vector<float>& x, const std::vector<float>& y) {
  double sum = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
  return sum;
}

/// Of the histograms of magnitudes over the range of `x`; a bin that y leaves empty counts as if it
/// had a thousandth of a value.
double divergence(const std::vector<float>& x, const std::vector<float>& y) {
  constexpr std::size_t kBins = 128;
  double most = 0.0;
  for (const float value : x) most = std::max(most, std::abs(double{value}));
  if (most == 0.0) return 0.0;
  const auto histogram = [&](const std::vector<float>& values) {
    std::vector<double> bins(kBins, 0.001);
    for (const float value : values)
      bins[std::min(kBins - 1, static_cast<std::size_t>(std::abs(value) / most * kBins))] += 1.0;
    return bins;
  };
  const std::vector<double> p = histogram(x), q = histogram(y);
  double sum = 0.0;
  for (std::size_t i = 0; i < kBins; ++i)
    sum += p[i] / static_cast<double>(x.size()) * std::log(p[i] / q[i]);
  return sum;
}

/// The exponent of the least distance, from that at which nothing is clipped to five beyond.
int best_exponent(const std::vector<float>& values, int bits, bool is_signed, Criterion criterion,
                  const Quantize& quantize) {
  double most = 0.0;
  for (const float value : values)
    most = std::max(most, is_signed ? std::abs(double{value}) : double{value});
  if (most == 0.0) return 0;
  const double codes = std::max(1, (1 << (bits - 1)) - 1);
  const int whole = std::clamp(static_cast<int>(std::floor(std::log2(codes / most))), -16, 30);
  int best = whole;
  double least = HUGE_VAL;
  for (int exponent = whole; exponent <= whole + 5; ++exponent) {
    const std::vector<float> made = quantize(exponent);
    const double distance = criterion == Criterion::kDivergence ? divergence(values, made)
                                                                : squared_error(values, made);
    if (distance < least) {
      least = distance;
      best = exponent;
    }
  }
  return best;
}

bool has_scheme(const Layer& layer) { return !layer.is_average && layer.scheme == kScheme; }

/// Each exponent one up or down, in order, where that classifies more rightly.
void refine(Network& network, const std::function<double(const Network&)>& classify) {
  double right = classify(network);
  for (std::size_t k = 0; k < network.layers.size(); ++k)
    for (const char* name : {kWeights, kActivations}) {
      if (network.layers[k].scheme_parameters.count(name) == 0) continue;
      for (const double by : {-1.0, 1.0}) {
        Network tried = network;
        tried.layers[k].scheme_parameters[name] += by;
        const double found = classify(tried);
        if (found <= right) continue;
        right = found;
        network = tried;
        break;
      }
    }
}

}  // namespace

Criterion criterion_of(const std::string& name) {
  if (name == "mse") return Criterion::kSquaredError;
  if (name == "kl") return Criterion::kDivergence;
  if (name == "accuracy") return Criterion::kAccuracy;
  throw std::logic_error("no such criterion");
}

Network calibrated(const Network& network, const std::vector<LayerParameters>& parameters,
                   const Images& images, int count, Criterion criterion,
                   const std::function<double(const Network&)>& classify) {
  FloatEngine reference(network, 1, false);
  reference.set_parameters(parameters);
  std::vector<std::vector<float>> activations;
  reference.outputs(images.image(0), std::min(count, images.count()), &activations);
  Network result = network;
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    Layer& layer = result.layers[k];
    if (!has_scheme(layer)) continue;
    const std::vector<double>& trained = parameters.at(k).weights.value;
    const std::vector<float> weights(trained.begin(), trained.end());
    const auto with = [&](const char* name, int exponent) {
      Layer tried = layer;
      tried.scheme_parameters[name] = exponent;
      return tried;
    };
    layer.scheme_parameters[kWeights] =
        best_exponent(weights, layer.weight_bits, true, criterion, [&](int exponent) {
          return scheme_of(layer).quantize_weights(with(kWeights, exponent), weights);
        });
    if (k + 1 == network.layers.size()) continue;
    layer.scheme_parameters[kActivations] =
        best_exponent(activations[k], layer.output_bits, false, criterion, [&](int exponent) {
          const auto f_a = scheme_of(layer).quantize_activation(with(kActivations, exponent));
          std::vector<float> made = activations[k];
          for (float& value : made) value = f_a(value);
          return made;
        });
  }
  if (criterion == Criterion::kAccuracy) refine(result, classify);
  return result;
}

}  // namespace solfege
