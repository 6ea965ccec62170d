// SPDX-License-Identifier: Apache-2.0
// The accelerator's integers against the float reference. Stage by stage, each stage of the
// reference gets what the accelerator's stage got, so that bounds are those of one rounding and
// follow from the formats; then whole steps of both engines, where differences add up. Every
// comparison is made a second time with a fault that it must notice. SOLFEGE_SEED replays.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "model/base/splitmix.hpp"
#include "model/host/scheduler.hpp"
#include "model/reference/float_engine.hpp"
#include "model/reference/float_layers.hpp"
#include "tests/support/accelerator_step.hpp"
#include "tests/support/agreement_run.hpp"
#include "tests/support/dorefa_helpers.hpp"

namespace solfege {
namespace {

/// Errors over their bounds.
struct Worst {
  double ratio = 0.0;
  std::size_t count = 0, skipped = 0;
  void see(double got, double expected, double bound) {
    ++count;
    const double r = std::abs(got - expected) / bound;
    if (!(r <= ratio)) ratio = r;  // NaN counts
  }
};

/// Float rounding of the reference itself: sums of up to some hundred products.
constexpr double kFloat = 1e-5;

double largest(const std::vector<float>& values) {
  double most = 0.0;
  for (const float v : values) most = std::max(most, std::abs(double{v}));
  return most;
}

double peak(const std::vector<float>& weights) { return largest(weights); }

// ---- Stages. `spoil` 1: as it is; else a fault of about that factor. ----

/// f_W: equal codes, so equal values but for the float arithmetic.
Worst weight_codes(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  const Layer& layer = step.layer(k);
  std::vector<float> w = step.weights(k);
  const double most = peak(w);
  for (float& x : w) x += static_cast<float>((spoil - 1.0) * most);
  const std::vector<float> expected = scheme_of(layer).quantize_weights(layer, w);
  const std::vector<float> got = step.weight_values(k);
  Worst worst;
  for (std::size_t i = 0; i < got.size(); ++i)
    worst.see(got[i], expected[i], kFloat * largest(expected));
  return worst;
}

/// o: exact sums, a shift, if there is one, that rounds to half a unit, saturation.
Worst convolution(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  const std::vector<float> expected =
      step.layer(k).is_average
          ? average_forward(step.layer(k), step.batch, step.input(k))
          : conv_forward(step.layer(k), step.batch, step.input(k), step.weight_values(k));
  const bool saturates = step.after[k].output.type == ElementType::kSigned16;
  const std::vector<float> got = step.output(k);
  const bool shifted = step.before[k].output_shift > 0 || step.after[k].output_shift > 0;
  const double half = shifted ? 0.5 : 0.01, rounding = kFloat * largest(expected);
  Worst worst;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double e = expected[i], unit = step.after[k].output_unit * step.row_scale(k, i),
                 limit = 32767 * unit;
    worst.see(got[i] * spoil, saturates ? std::clamp(e, -limit, limit) : e, half * unit + rounding);
  }
  return worst;
}

/// Batch and running statistics: 64-bit sums of integers are exact.
Worst statistics(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  std::vector<float> mean, variance;
  batch_statistics(step.output(k), step.layer(k).out_channels, &mean, &variance);
  const LayerState &now = step.after[k], &old = step.before[k];
  Worst worst;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const double deviation = std::sqrt(double{variance[c]} + kBatchNormEpsilon);
    const double bound = kFloat * (deviation + std::abs(mean[c]));
    const double unit = now.output_unit * step.row_scale(k, c);
    worst.see(now.mean[c] * unit * spoil, mean[c], bound);
    worst.see(now.deviation[c] * unit * spoil, deviation, bound);
    worst.see(now.running_mean[c], (0.9 * old.running_mean[c] + 0.1 * mean[c]) * spoil, bound);
    worst.see(now.running_variance[c], (0.9 * old.running_variance[c] + 0.1 * variance[c]) * spoil,
              kFloat * now.running_variance[c]);
  }
  return worst;
}

/// p as a tensor, in units u = 2^-11: half of u for the product, half for the offset, and half a
/// unit of the 15-bit mantissa times o. Residuals are added exactly. Saturates at 32767 u.
Worst residual_sum(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  const LayerState& s = step.after[k];
  std::vector<float> expected = step.normalised(k);
  if (step.layer(k).residual >= 0) {
    const auto other = step.preactivation(static_cast<std::size_t>(step.layer(k).residual));
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += other[i];
  }
  const std::vector<float> got = step.preactivation(k);
  const std::vector<std::int32_t> o = AcceleratorStep::elements(s.output, step.memory);
  const double u = AcceleratorStep::kSumUnit, limit = 32767 * u;
  Worst worst;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double mantissa = std::ldexp(std::abs(o[i]), -s.sum_shift - 1);
    worst.see(got[i] * spoil, std::clamp<double>(expected[i], -limit, limit),
              u * (1.0 + mantissa) + kFloat * std::abs(expected[i]));
  }
  return worst;
}

/// Max-pooling and dropout: the kept value is that at the place the reference finds, exactly, or
/// marked as dropped; as many are dropped as five deviations of a binomial allow.
Worst pooling_and_dropout(const AcceleratorStep& step, std::size_t k, bool spoil = false) {
  const Layer& layer = step.layer(k);
  const LayerState& s = step.after[k];
  std::vector<float> p = step.preactivation(k);
  // Known bad: the least instead of the largest
  if (spoil)
    for (float& x : p) x = -x;
  std::vector<std::uint8_t> places(p.size(), 0);
  if (layer.pool > 1) max_pool_forward(layer, step.batch, p, &places);
  std::vector<std::uint8_t> tags;
  const std::vector<std::int32_t> got = AcceleratorStep::elements(s.kept, step.memory, &tags);
  if (layer.pool > 1) tags = step.places(k, std::move(tags));
  // What stands at those places
  std::vector<std::int32_t> values = AcceleratorStep::elements(s.preactivation(), step.memory);
  const auto channels = static_cast<std::size_t>(layer.out_channels);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = spoil ? -values[i] : static_cast<std::int32_t>(s.sign[i % channels]) * values[i];
  std::vector<float> maxima{values.begin(), values.end()};
  if (layer.pool > 1) maxima = max_pool_forward(layer, step.batch, maxima, nullptr);
  Worst worst;
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (layer.pool > 1) worst.see(tags[i], places[i], 0.5);
    if (layer.dropout > 0.0 && got[i] == -32768)
      ++dropped;
    else
      worst.see(got[i], maxima[i], 0.5);
  }
  const double count = static_cast<double>(got.size()), q = layer.dropout;
  if (q > 0.0)
    worst.see(static_cast<double>(dropped), count * q, 5.0 * std::sqrt(count * q * (1.0 - q)));
  return worst;
}

/// Whether p is exact in float, and so are its ties: as a tensor, or as a sum times a power of two.
bool exact(const AcceleratorStep& step, std::size_t k) {
  int exponent = 0;
  const Layer& layer = step.layer(k);
  return step.after[k].has_sum || (!layer.batch_norm && !scheme_of(layer).learns_bias(layer) &&
                                   std::frexp(step.after[k].output_unit, &exponent) == 0.5);
}

/// f_A behind it: equal codes, except within the float reference's rounding of a threshold; 0 where
/// dropped.
Worst activation(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  const Layer& layer = step.layer(k);
  std::vector<float> p = step.preactivation(k);
  if (layer.pool > 1) p = max_pool_forward(layer, step.batch, p, nullptr);
  const std::vector<std::uint8_t> kept = step.kept(k);
  const std::vector<std::int32_t> got = step.values(step.after[k].codes);
  const ActivationCodes& f_a = step.before[k].activation;
  const auto quantize = scheme_of(layer).quantize_activation(layer);
  Worst worst;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto x = static_cast<float>(p[i] * spoil + 3.0 * (spoil - 1.0) * f_a.high.at);
    const bool near = std::any_of(f_a.thresholds.begin(), f_a.thresholds.end(),
                                  [&](const Bound& t) { return std::abs(x - t.at) < 1e-5; });
    if (!exact(step, k) && near) {
      ++worst.skipped;
      continue;
    }
    worst.see(got[i], kept[i] != 0 ? std::round(quantize(x) / f_a.step) : 0.0, 0.5);
  }
  return worst;
}

/// Codes of means: rounded to half a code, by a factor whose mantissa has 15 bits.
Worst codes_of_means(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  const std::vector<std::int32_t> got = step.values(step.after[k].codes);
  const std::vector<float> means = step.output(k);
  Worst worst;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double code = means[i] / step.before[k].code_step;
    worst.see(got[i] * spoil + 3.0 * (spoil - 1.0), code,
              0.5 + std::ldexp(std::abs(code), -15) + 1e-4);
  }
  return worst;
}

/// softmax - one-hot over the batch in 14 fraction bits, and the loss.
Worst logit_gradient(const AcceleratorStep& step, double spoil = 1.0) {
  const std::size_t k = step.layers() - 1;
  std::vector<float> expected;
  const bool squares = scheme_of(step.layer(k)).loss() == Loss::kSquares;
  const double loss = (squares ? squared_error : softmax_cross_entropy)(
      step.normalised(k), step.labels.data(), step.batch, step.layer(k).out_channels, &expected);
  const std::vector<float> got = step.pooled_gradient(k);
  const double unit = std::ldexp(1.0, -14) / (squares ? 1 : step.batch);
  Worst worst;
  worst.see(step.loss * spoil, loss, kFloat * (1.0 + loss));
  for (std::size_t i = 0; i < got.size(); ++i)
    worst.see(got[i] * spoil, std::clamp<double>(expected[i], -32767 * unit, 32767 * unit),
              0.5 * unit + 1e-7);
  return worst;
}

/// What the clip of a layer sees.
std::vector<float> clipped(const AcceleratorStep& step, std::size_t k) {
  const std::vector<float> p = step.preactivation(k);
  return step.layer(k).pool > 1 ? max_pool_forward(step.layer(k), step.batch, p, nullptr) : p;
}

/// What a reader hands back to the codes of its input.
std::vector<float> gradient_of_codes(const AcceleratorStep& step, std::size_t reader) {
  const Layer& layer = step.layer(reader);
  if (layer.is_average) return average_backward(layer, step.batch, step.pooled_gradient(reader));
  return conv_backward_input(layer, step.batch, step.quantized_gradient(reader),
                             step.weight_values(reader));
}

/// The same with dropout of the input.
std::vector<float> share_of(const AcceleratorStep& step, std::size_t k, int reader) {
  std::vector<float> share = gradient_of_codes(step, static_cast<std::size_t>(reader));
  if (step.layer(k).dropout > 0.0) dropout(&share, step.kept(k), step.layer(k).dropout);
  return share;
}

/// Value of a unit in which a reader of layer k makes its share.
double share_unit(const AcceleratorStep& step, std::size_t k, int reader) {
  return reader == step.after[k].first_reader
             ? step.after[k].gradient_unit
             : step.after[static_cast<std::size_t>(reader)].branch_unit;
}

/// The bound of activations. Learned: its gradient is the sum of those cut off, each rounded to
/// half a unit. Averaged: of the largest p, exactly. `edge` moves the bound that cuts off.
Worst activation_bound(const AcceleratorStep& step, std::size_t k, double edge = 0.0) {
  const Layer& layer = step.layer(k);
  const LayerState &now = step.after[k], &old = step.before[k];
  Worst worst;
  if (scheme_of(layer).bound_rule(layer) == BoundRule::kAveraged) {
    const std::vector<float> p = step.preactivation(k);
    const double most = *std::max_element(p.begin(), p.end()) + edge;
    worst.see(now.layer.activation_bound,
              std::max(kLeastBound, 0.99 * layer.activation_bound + 0.01 * most), 1e-6);
    return worst;
  }
  const std::vector<float> p = clipped(step, k);
  double sum = 0.0, bound = 0.0;
  for (const int reader : step.network.readers(static_cast<int>(k))) {
    const std::vector<float> gradient = share_of(step, k, reader);
    double rounding = 0.5 * share_unit(step, k, reader);
    if (reader != now.first_reader) rounding += 0.5 * now.gradient_unit;
    for (std::size_t i = 0; i < p.size(); ++i)
      if (p[i] >= layer.activation_bound + edge) {
        sum += gradient[i];
        bound += rounding + (kFloat + std::ldexp(1.0, -15)) * std::abs(gradient[i]);
      }
  }
  const double momentum = step.network.momentum * old.bound_momentum + sum +
                          step.network.weight_decay * layer.activation_bound;
  worst.see(now.bound_momentum, momentum, bound + 1e-9);
  worst.see(now.layer.activation_bound,
            std::max(kLeastBound,
                     layer.activation_bound - step.network.learning_rate * now.bound_momentum),
            1e-9);
  return worst;
}

/// backward_input of all readers, dropout, clip and residuals: half a unit for the shift of the
/// exact sums; each further reader and each residual half a unit more, and half a unit of its
/// ratio's mantissa; each saturates. p within float rounding of a bound of the clip is skipped.
/// `edge` moves the clip.
Worst input_gradient(const AcceleratorStep& step, std::size_t k, double spoil = 1.0,
                     float edge = 0.0f) {
  const Layer& layer = step.layer(k);
  const LayerState& s = step.after[k];
  const ActivationCodes& f_a = step.before[k].activation;
  const double unit = s.gradient_unit;
  const auto limit = static_cast<float>(32767 * unit);
  const std::vector<float> got = step.pooled_gradient(k);
  std::vector<float> expected(got.size(), 0.0f);
  std::vector<double> bounds(got.size(), 0.01 * unit);  // what is exactly 0 must be 0
  std::vector<bool> skip(got.size(), false);
  std::vector<float> p = clipped(step, k);
  const auto add = [&](const std::vector<float>& share, double share_unit, double rounding) {
    const auto share_limit = static_cast<float>(32767 * share_unit);
    for (std::size_t i = 0; i < share.size(); ++i) {
      const float one = std::clamp(share[i], -share_limit, share_limit);
      expected[i] = std::clamp(expected[i] + one, -limit, limit);
      // A mantissa of 15 bits is off by at most 2^-15 of it.
      if (one != 0.0f) bounds[i] += 0.5 * unit + rounding + std::ldexp(std::abs(one), -15);
    }
  };
  const Scheme& scheme = scheme_of(layer);
  const auto passes = scheme.passes_gradient(layer);
  for (float& x : p) x += edge;
  for (const int reader : step.network.readers(static_cast<int>(k))) {
    std::vector<float> share = share_of(step, k, reader);
    const double own = share_unit(step, k, reader);
    double rounding = kFloat * largest(share);
    if (f_a.triangle) rounding += 0.5 * own;  // a slope rounds once more
    if (reader != s.first_reader) rounding += 0.5 * own;
    for (std::size_t i = 0; i < share.size() && s.is_clipped(); ++i) {
      share[i] = passes(p[i]) ? scheme.activation_slope(layer, p[i]) * share[i] : 0.0f;
      skip[i] = !exact(step, k) &&
                std::min(std::abs(p[i] - f_a.low.at), std::abs(p[i] - f_a.high.at)) < 1e-5;
    }
    add(share, own, rounding);
  }
  for (const int later : step.network.adders(static_cast<int>(k)))
    add(step.pooled_gradient(static_cast<std::size_t>(later)),
        step.after[static_cast<std::size_t>(later)].gradient_unit, 0.0);
  Worst worst;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (skip[i])
      ++worst.skipped;
    else
      worst.see(got[i] * spoil, expected[i], bounds[i]);
  }
  return worst;
}

/// Batch norm backward as A g + B o + C: half a unit for each of the three, and half a unit of the
/// mantissas of A and B times g and o, and at most as much for their means in C.
Worst batch_norm_gradient(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  const Layer& layer = step.layer(k);
  const LayerState &s = step.after[k], &old = step.before[k];
  const std::vector<std::int32_t> g = step.gradient_units(k);
  const std::vector<float> o_values = step.output(k);
  std::vector<float> mean, variance, gamma_gradient, beta_gradient;
  batch_statistics(o_values, layer.out_channels, &mean, &variance);
  const std::vector<float> expected =
      batch_norm_backward(o_values, step.gamma(k), mean, variance, scaled(g, s.gradient_unit),
                          &gamma_gradient, &beta_gradient);
  const std::vector<std::int32_t> o = AcceleratorStep::elements(s.output, step.memory);
  const std::vector<std::int32_t> got = step.output_gradient_units(k);
  const double rounding = kFloat * largest(expected);
  const double limit = s.fine_bits > 0 ? 2147483647.0 : 32767.0;
  double largest_g = 0.0, largest_o = 0.0;  // C makes up for the mantissas in the mean
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest_g = std::max<double>(largest_g, std::abs(g[i]));
    largest_o = std::max<double>(largest_o, std::abs(o[i]));
  }
  Worst worst;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double units = 1.5 + std::ldexp(std::abs(g[i]) + largest_g, -s.gradient_scale_shift - 1) +
                         std::ldexp(std::abs(o[i]) + largest_o, -s.output_scale_shift - 1);
    const double unit = step.fine_unit(k, i);
    worst.see(got[i] * unit * spoil, std::clamp<double>(expected[i], -limit * unit, limit * unit),
              unit * units + rounding);
  }
  // The stream unit's own sums: their maxima are those recomputed here.
  const std::size_t elements = got.size() / static_cast<std::size_t>(step.batch);
  for (std::size_t sample = 0; sample < static_cast<std::size_t>(step.batch); ++sample) {
    std::int32_t most = 0;
    for (std::size_t i = 0; i < elements; ++i)
      most = std::max(most, std::abs(got[sample * elements + i]));
    worst.see(step.sample_maximum(k, sample) * spoil, most, 0.5);
  }
  const double momentum = step.network.momentum;
  const double scale = largest(gamma_gradient) + largest(beta_gradient);
  for (std::size_t c = 0; c < gamma_gradient.size(); ++c) {
    worst.see((s.gamma_momentum[c] - momentum * old.gamma_momentum[c]) * spoil, gamma_gradient[c],
              2 * kFloat * scale);
    worst.see((s.beta_momentum[c] - momentum * old.beta_momentum[c]) * spoil, beta_gradient[c],
              2 * kFloat * scale);
  }
  return worst;
}

/// Without batch norm: the bias's gradient is an exact sum.
Worst bias_gradient(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  const std::vector<float> expected =
      channel_sums(step.pooled_gradient(k), step.layer(k).out_channels);
  Worst worst;
  for (std::size_t c = 0; c < expected.size(); ++c)
    worst.see(
        (step.after[k].bias_momentum[c] - step.network.momentum * step.before[k].bias_momentum[c]) *
            spoil,
        expected[c], kFloat * largest(expected));
  return worst;
}

/// Gradients over the power of two next to the tensor's largest, to the nearest.
Worst rounded_gradient(const AcceleratorStep& step, std::size_t k, double spoil) {
  const std::vector<std::int32_t> g = step.output_gradient_units(k), got = step.scaled_codes(k);
  std::vector<float> expected;
  for (std::size_t i = 0; i < g.size(); ++i)
    expected.push_back(static_cast<float>(spoil * g[i] * step.fine_unit(k, i)));
  // Integers of fewer bits than codes have are exact.
  std::int32_t most = 1;
  for (const std::int32_t one : g) most = std::max(most, std::abs(one));
  const int bits = step.layer(k).gradient_bits;
  if (std::lround(std::log2(most)) >= bits - 1) round_gradient(&expected, bits);
  Worst worst;
  for (std::size_t i = 0; i < g.size(); ++i)
    worst.see(got[i], expected[i] / step.after[k].output_gradient_unit, 1e-3);
  return worst;
}

/// f_G: each code is one of the two next to n (g + M) / 2M, and unbiased, in the mean and in
/// proportion to g: within five deviations of sums of independent choices. Both operands it makes
/// hold the same codes.
Worst gradient_codes(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  if (step.after[k].has_value_codes()) return rounded_gradient(step, k, spoil);
  const double n = code_maximum(step.layer(k).gradient_bits);
  const std::vector<std::int32_t> g = step.output_gradient_units(k);
  const std::vector<std::int32_t> got = step.scaled_codes(k);
  const std::size_t elements = g.size() / static_cast<std::size_t>(step.batch);
  Worst worst;
  double sum = 0.0, variance = 0.0, product = 0.0, product_variance = 0.0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double m = step.sample_maximum(k, i / elements),
                 scale = step.sample_scale(k, i / elements);
    if (scale == 0.0) {
      worst.see(got[i], 0.0, 0.5);
      continue;
    }
    const double position = n * (g[i] * spoil + m) / (2.0 * m);
    const double code = (got[i] / scale + n) / 2.0;
    worst.see(code, std::round(code), 1e-6);
    worst.see(code, position, 1.0);
    const double fraction = position - std::floor(position);
    sum += code - position;
    variance += fraction * (1.0 - fraction);
    product += (code - position) * g[i];
    product_variance += fraction * (1.0 - fraction) * g[i] * g[i];
  }
  worst.see(sum, 0.0, 5.0 * std::sqrt(variance) + 1e-6);
  worst.see(product, 0.0, 5.0 * std::sqrt(product_variance) + 1e-6);
  if (step.has_gradient_codes(k) && step.after[k].lanes == WeightGradientLanes::kSamples) {
    const std::vector<std::int32_t> both = step.codes(step.after[k].scaled_gradient);
    for (std::size_t i = 0; i < both.size(); ++i) worst.see(both[i], got[i], 0.5);
  }
  return worst;
}

/// Whether the weight gradient gets f_W's slope, or decay, before the momentum.
bool has_slope(const AcceleratorStep& step, std::size_t k) {
  const Layer& layer = step.layer(k);
  const WeightCodes& f_w = step.before[k].weight;
  return scheme_of(layer).weight_grid_log2(layer) == kNoWeightGrid &&
         (f_w.tanh_slope || !f_w.row_slopes.empty() || step.network.weight_decay != 0.0);
}

/// Value of a unit of the stored sums of codes.
double stored_unit(const AcceleratorStep& step, std::size_t k) {
  const LayerState &s = step.after[k], &old = step.before[k];
  const double unit =
      std::ldexp(s.output_gradient_unit * old.input_scale, old.weight_gradient_shift);
  return s.has_value_codes() ? unit : unit / code_maximum(step.layer(k).gradient_bits);
}

/// backward_weight through f_W, plus decay, in units u = 2^-24 of a weight: the slope 1 - tanh^2
/// is the middle of a step of 2^-6, so off by at most 4 / (3 sqrt 3) 2^-7 = .00602; sums are
/// rounded to half of a stored unit; mantissas of 15 bits; half of u each for product, slope and
/// decay.
Worst weight_gradients(const AcceleratorStep& step, std::size_t k, double spoil = 1.0,
                       MaxGradient max_gradient = MaxGradient::kConstant) {
  const Layer& layer = step.layer(k);
  const LayerState &s = step.after[k], &old = step.before[k];
  const double decay = step.network.weight_decay;
  const std::vector<float> w = step.weights(k);
  std::vector<float> through =
      conv_backward_weight(layer, step.batch, step.quantized_gradient(k), step.input(k));
  const WeightCodes& f_w = old.weight;
  // Sums of codes are stored in these units, in 32 bits; those of a channel with a scale of its own
  // are of its codes, whose gradient has that scale as a factor.
  const double stored = stored_unit(step, k);
  const std::size_t row = through.size() / static_cast<std::size_t>(layer.out_channels);
  for (std::size_t i = 0; i < through.size(); ++i) {
    const auto limit = static_cast<float>(2147483647.0 * stored / f_w.row_scale(i / row));
    through[i] = std::clamp(through[i], -limit, limit);
  }
  const std::vector<float> expected =
      scheme_of(layer).weight_gradient(layer, w, through, max_gradient);
  double largest_slope = f_w.row_slopes.empty() ? 1.0 : 0.0;
  for (const double one : f_w.row_slopes) largest_slope = std::max(largest_slope, one);
  const bool slope = has_slope(step, k);
  const double u = slope ? AcceleratorStep::kUnit : stored;
  const std::vector<std::int32_t> got = step.weight_elements(k, s.weight_gradient, step.memory);
  const double rounding = kFloat * largest(through);
  Worst worst;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double folded = std::abs(through[i]) * f_w.row_scale(i / row) / f_w.slope_divisor;
    const double before_slope = folded * largest_slope;
    double bound = (0.5 * stored + rounding) * f_w.row_slope(i / row) / f_w.slope_divisor;
    if (f_w.tanh_slope) bound += 0.00602 * before_slope;
    if (slope) bound += 1.5 * u + std::ldexp(before_slope + decay * std::abs(w[i]), -15);
    // Without a slope the divisor comes with the momentum.
    worst.see(got[i] * u * spoil / (slope ? 1.0 : f_w.slope_divisor),
              expected[i] + (slope ? decay * w[i] : 0.0), bound);
  }
  return worst;
}

/// The update on a grid: whole steps next to rate g / 2^round(log2 max |g|), unbiased in sum within
/// five deviations, then the bound. Mantissas have 15 bits.
Worst grid_update(const AcceleratorStep& step, std::size_t k, double spoil) {
  const LayerState &s = step.after[k], &old = step.before[k];
  const Scheme& scheme = scheme_of(step.layer(k));
  const double grid = std::ldexp(1.0, scheme.weight_grid_log2(step.layer(k))),
               limit = std::ldexp(1.0, scheme.weight_limit_log2(step.layer(k)));
  const auto g = step.weight_elements(k, s.weight_gradient, step.memory);
  const auto w_old =
      scaled(step.weight_elements(k, old.weights, step.memory_before), AcceleratorStep::kUnit);
  const auto w = scaled(step.weight_elements(k, s.weights, step.memory), AcceleratorStep::kUnit);
  std::int32_t most = 1;
  for (const std::int32_t one : g) most = std::max(most, std::abs(one));
  const double unit = stored_unit(step, k), power = std::exp2(std::round(std::log2(most * unit)));
  const double factor = 1.0 + 30.0 * (spoil - 1.0);  // draws hide a factor of two
  Worst worst;
  double sum = 0.0, variance = 0.0, product = 0.0, product_variance = 0.0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double wanted = step.network.learning_rate * g[i] * unit / power * factor;
    if (std::abs(w_old[i]) + (std::abs(wanted) + 1.0) * grid > limit) {
      worst.see(std::max(0.0, std::abs(w[i]) - limit), 0.0, 1e-6);
      continue;
    }
    const double steps = (w_old[i] - w[i]) / grid;
    worst.see(steps, std::round(steps), 1e-4);
    worst.see(steps, wanted, 1.001 + std::ldexp(std::abs(wanted), -15));
    const double fraction = wanted - std::floor(wanted);
    sum += steps - wanted;
    variance += fraction * (1.0 - fraction);
    product += (steps - wanted) * wanted;
    product_variance += fraction * (1.0 - fraction) * wanted * wanted;
  }
  worst.see(sum, 0.0, 5.0 * std::sqrt(variance) + 0.5);
  worst.see(product, 0.0, 5.0 * std::sqrt(product_variance) + 0.5);
  return worst;
}

/// Momentum and update: half of u for each product, mantissas of 15 bits.
Worst update(const AcceleratorStep& step, std::size_t k, double spoil = 1.0) {
  if (scheme_of(step.layer(k)).weight_grid_log2(step.layer(k)) != kNoWeightGrid)
    return grid_update(step, k, spoil);
  const LayerState &s = step.after[k], &old = step.before[k];
  const double u = AcceleratorStep::kUnit, momentum = step.network.momentum,
               rate = step.network.learning_rate;
  const auto v_old = scaled(step.weight_elements(k, old.momentum, step.memory_before), u);
  const auto v = step.weight_elements(k, s.momentum, step.memory);
  const auto w_old = step.weight_elements(k, old.weights, step.memory_before);
  const auto w = step.weight_elements(k, s.weights, step.memory);
  const double stored = has_slope(step, k) ? u : stored_unit(step, k) / old.weight.slope_divisor;
  const int limit_log2 = scheme_of(step.layer(k)).weight_limit_log2(step.layer(k));
  const double limit = std::ldexp(1.0, limit_log2);
  const auto g = scaled(step.weight_elements(k, s.weight_gradient, step.memory), stored);
  Worst worst;
  for (std::size_t i = 0; i < v.size(); ++i) {
    worst.see(v[i] * u * spoil, momentum * v_old[i] + g[i],
              u + std::ldexp(std::abs(momentum * v_old[i]) + std::abs(g[i]), -15));
    const double from = w_old[i] * u, to = std::clamp(from - rate * v[i] * u, -limit, limit);
    worst.see((w[i] * u - from) * spoil, to - from, u + std::ldexp(std::abs(rate * v[i] * u), -15));
  }
  return worst;
}

/// The stage is within its bound, and a tenth too much is not.
#define CHECK_STAGE(stage, ...)                                                                    \
  do {                                                                                             \
    const Worst good = stage(__VA_ARGS__);                                                         \
    INFO(#stage << ": " << good.ratio << " of the bound, " << good.skipped << " of " << good.count \
                << " skipped");                                                                    \
    CHECK(good.ratio <= 1.0);                                                                      \
    CHECK(good.count > 0);                                                                         \
    CHECK(good.skipped * 25 <= good.count);                                                        \
    CHECK(stage(__VA_ARGS__, 1.1).ratio > 1.0);                                                    \
  } while (false)

}  // namespace

TEST_CASE("Each stage of an accelerator's step is the float reference's but for its roundings",
          "[agreement]") {
  const std::uint64_t seed = test_seed();
  struct Case {
    const char* config;
    int w, a, g;
    double decay;
    bool branched;
  };
  // Both mappings of the weight gradient, all kinds of f_W, with and without decay
  const Case cases[] = {{"tests/configs/square.toml", 3, 3, 6, 0.001, false},
                        {"tests/configs/square.toml", 1, 2, 4, 0.0, false},
                        {"configs/w8a8g8.toml", 8, 4, 8, 0.0, false},
                        {"configs/w8a8g8.toml", 2, 1, 2, 0.001, false},
                        {"tests/configs/square.toml", 2, 3, 6, 0.0, true},
                        {"configs/w8a8g8.toml", 1, 2, 4, 0.001, true}};
  std::size_t by_pixels = 0, by_samples = 0, maxima = 0, told_apart = 0, bounds = 0,
              bounds_told_apart = 0;
  for (std::size_t i = 0; i < schemes().size() * std::size(cases); ++i) {
    // What several precisions make of the same stages, whole steps show.
    if (schemes()[i / std::size(cases)]->curriculum() != Curriculum::kSingle) continue;
    const std::string scheme = schemes()[i / std::size(cases)]->name();
    const Case& c = cases[i % std::size(cases)];
    // One threshold beyond most activations leaves too little to compare.
    if (scheme != "dorefa" && scheme != "bnn" && c.a == 1) continue;
    if (scheme == "fqn" && c.w == 1) continue;  // so do two levels, one of them 0
    // On a grid the rate counts steps.
    const bool grid = schemes()[i / std::size(cases)]->weight_grid_log2(Layer()) != kNoWeightGrid;
    const bool grouped = !c.branched && c.a > 1 && !(grid && c.w == 1);
    Run run(c.config,
            network_text(scheme, c.w, c.a, c.g, c.decay, c.branched, grid ? 1.0 : 0.01, grouped),
            seed);
    CAPTURE(seed, scheme, c.config, c.w, c.a, c.g, c.branched);
    run.warm_up(16);
    const AcceleratorStep step = run.step();
    const std::size_t layers = step.layers();
    for (std::size_t k = 0; k < layers; ++k) {
      CAPTURE(k);
      const Layer& layer = step.layer(k);
      const bool last = k + 1 == layers;
      CHECK_STAGE(convolution, step, k);
      if (layer.is_average) {
        CHECK_STAGE(codes_of_means, step, k);
        CHECK_STAGE(input_gradient, step, k);
        continue;
      }
      CHECK_STAGE(weight_codes, step, k);
      if (layer.batch_norm) CHECK_STAGE(statistics, step, k);
      if (step.after[k].has_sum) CHECK_STAGE(residual_sum, step, k);
      if (step.after[k].keeps()) {
        CHECK(pooling_and_dropout(step, k).ratio <= 1.0);
        CHECK(pooling_and_dropout(step, k, true).ratio > 1.0);
      }
      if (!last) {
        CHECK_STAGE(input_gradient, step, k);
        if (step.after[k].first_reader >= 0) {
          CHECK_STAGE(activation, step, k);
          CHECK(input_gradient(step, k, 1.0, 0.2f).ratio > 1.0);
        }
        CHECK(gradient_codes(step, k).ratio <= 1.0);
        CHECK(gradient_codes(step, k, 2.0).ratio > 1.0);
      }
      const Scheme& laws = scheme_of(layer);
      if (layer.batch_norm)
        CHECK_STAGE(batch_norm_gradient, step, k);
      else if (laws.learns_bias(layer))
        CHECK_STAGE(bias_gradient, step, k);
      else
        CHECK(largest(to_floats(step.after[k].bias)) == 0.0);
      if (step.after[k].first_reader >= 0 && laws.bound_rule(layer) != BoundRule::kFixed) {
        ++bounds;
        CHECK(activation_bound(step, k).ratio <= 1.0);
        bounds_told_apart += activation_bound(step, k, -0.25).ratio > 1.0;
      }
      CHECK_STAGE(weight_gradients, step, k);
      // Known bad: the gradient through f_W's maximum, which the hardware takes as a constant. It
      // changes one element, now and then by too little.
      if (step.before[k].weight.tanh_slope) {
        ++maxima;
        told_apart += weight_gradients(step, k, 1.0, MaxGradient::kChainRule).ratio > 1.0;
      }
      CHECK_STAGE(update, step, k);
      if (!last) ++(step.after[k].lanes == WeightGradientLanes::kPixels ? by_pixels : by_samples);
    }
    CHECK_STAGE(logit_gradient, step);
  }
  CHECK(by_pixels > 0);
  CHECK(by_samples > 0);
  CHECK(2 * told_apart > maxima);
  CHECK(bounds > 0);
  CHECK(2 * bounds_told_apart > bounds);
}

TEST_CASE("f_G of the stream unit is unbiased over many draws, with the reference's variance",
          "[agreement]") {
  const std::uint64_t seed = test_seed();
  CAPTURE(seed);
  SplitMix64 random(seed);
  constexpr int kSamples = 5, kPixels = 3, kMaps = 20, kDraws = 400;
  constexpr std::size_t kElements = kPixels * kMaps;
  const Config config = Config::load(SOLFEGE_SOURCE_DIR "/tests/configs/square.toml");
  for (const int bits : {1, 2, 4, 8}) {
    CAPTURE(bits);
    MemoryLayout layout(config);
    const ElementTensor x = layout.elements("x", kSamples, kPixels, kMaps, ElementType::kSigned16);
    const PackedTensor scaled_codes =
        layout.planes("codes", kSamples, kPixels, bits + 16, kMaps, false, kSignedCodes);
    const std::uint32_t maxima = layout.take(4 * static_cast<std::uint64_t>(config.max_batch));
    GoldenOnly device(config, layout.size());
    auto& memory = device.memory();
    std::vector<float> g;
    for (int sample = 0; sample < kSamples; ++sample) {
      // The last sample is all zero.
      const double range = sample + 1 == kSamples ? 0.0 : 32767.0 / (1 << (3 * sample));
      std::uint32_t most = 0;
      for (int pixel = 0; pixel < kPixels; ++pixel)
        for (int map = 0; map < kMaps; ++map) {
          const auto value =
              static_cast<std::int16_t>(std::lround(range * (2.0 * random.uniform() - 1.0)));
          std::memcpy(memory.data() + x.address + 2 * x.offset(sample, pixel, map), &value, 2);
          most = std::max(most, static_cast<std::uint32_t>(std::abs(value)));
          g.push_back(value);
        }
      std::memcpy(memory.data() + maxima + 4 * sample, &most, 4);
    }
    const double n = code_maximum(bits);
    // Sums over the draws of codes and of their squares, by either model
    struct Sums {
      std::vector<double> code, square;
    };
    Sums integer{std::vector<double>(g.size()), std::vector<double>(g.size())}, real = integer;
    std::uint64_t zero_faults = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      ProgramBuilder builder(config);
      builder.load_table(Table::kSample, maxima, config.max_batch / config.stream_lanes, 0, "M");
      StreamPass pass;
      pass.x = &x;
      pass.limit_shift = kNarrow;
      pass.quantizer = Quantizer::kStochasticScaled;
      pass.quantizer_bits = bits;
      pass.random_state = random.next() | 1;
      const PackedParts packed = {scaled_codes};
      pass.pack = &packed;
      builder.stream(x, pass, "f_G");
      device.run(builder.take());
      const std::vector<std::int32_t> got = AcceleratorStep::codes(scaled_codes, memory);
      std::vector<float> quantized = g;
      quantize_gradient(quantized.data(), kSamples, kElements, bits, &random);
      for (std::size_t i = 0; i < g.size(); ++i) {
        std::uint32_t m = 0;
        std::memcpy(&m, memory.data() + maxima + 4 * (i / kElements), 4);
        if (m == 0) {
          zero_faults += got[i] != 0 || quantized[i] != 0.0f;
          continue;
        }
        for (auto [sums, value] :
             {std::pair{&integer, double(got[i])}, std::pair{&real, n * double{quantized[i]}}}) {
          const double code = (value / m + n) / 2.0;
          sums->code[i] += code;
          sums->square[i] += code * code;
        }
      }
    }
    CHECK(zero_faults == 0);
    // Of each element: deviation of the mean from n (g + M) / 2M + bias over that of independent
    // draws between two codes; and the variances of all elements over theirs.
    const auto judge = [&](const Sums& sums, double bias, double* variance_ratio) {
      double most = 0.0, variance = 0.0, expected = 0.0;
      for (std::size_t i = 0; i < (kSamples - 1) * kElements; ++i) {
        std::uint32_t m = 0;
        std::memcpy(&m, memory.data() + maxima + 4 * (i / kElements), 4);
        const double position = n * (double{g[i]} + m) / (2.0 * m);
        const double fraction = position - std::floor(position);
        const double mean = sums.code[i] / kDraws;
        // Rare codes are Poisson, not normal: a few more of them are allowed.
        const double deviation = std::sqrt(fraction * (1.0 - fraction) / kDraws) + 1.5 / kDraws;
        most = std::max(most, std::abs(mean - position - bias) / deviation);
        variance += sums.square[i] / kDraws - mean * mean;
        expected += fraction * (1.0 - fraction);
      }
      *variance_ratio = variance / expected;
      return most;
    };
    double integer_variance = 0.0, real_variance = 0.0;
    CHECK(judge(integer, 0.0, &integer_variance) < 5.0);
    CHECK(judge(real, 0.0, &real_variance) < 5.0);
    CHECK(integer_variance == Approx(1.0).epsilon(0.05));
    CHECK(real_variance == Approx(1.0).epsilon(0.05));
    // Known bad: a tenth of a step off
    CHECK(judge(integer, 0.1, &integer_variance) > 5.0);
  }
}

}  // namespace solfege
