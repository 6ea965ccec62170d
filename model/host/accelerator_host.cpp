// SPDX-License-Identifier: Apache-2.0
// The host's part of a training step: per-channel, per-sample and per-logit scalars.
#include "model/host/accelerator_host.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "model/base/error.hpp"
#include "model/host/accelerator_engine.hpp"

namespace solfege {
namespace {

/// Fraction bits of the logit gradient softmax - one-hot, a 16-bit operand.
constexpr int kLogitGradientBits = 14;
/// Pre-activations without batch norm are kept so that the stored width spans at least this many
/// times the range in which gradients pass.
constexpr double kPreActivationRange = 8.0;
/// With batch norm, so many deviations fit the stored width.
constexpr double kDeviations = 8.0;
/// A gradient with fewer bits is made once more with a finer shift.
constexpr int kLeastGradientBits = 8;
/// Where 16 bits saturate.
constexpr std::uint32_t kGradientLimit = 32767;
/// The same for the sums of codes of a weight gradient, in 32 bits.
constexpr int kWeightGradientTargetBits = 28;

/// Lowest value of thresholds and clip bounds: dropped elements, -32768, lie below all of them.
constexpr double kLowest = -32767.0;

std::int32_t to_word(double value) {
  return static_cast<std::int32_t>(std::clamp(value, -2147483647.0, 2147483647.0));
}

/// The least integer from a lower bound on, and the greatest up to an upper one.
double first_integer(const Bound& low) {
  return low.inclusive ? std::ceil(low.at) : std::floor(low.at) + 1.0;
}
double last_integer(const Bound& high) {
  return high.inclusive ? std::floor(high.at) : std::ceil(high.at) - 1.0;
}
/// Whether x lies above an upper bound.
bool beyond(const Bound& high, double x) { return high.inclusive ? x > high.at : x >= high.at; }

/// The rank-th of a scheme's thresholds, counted from 1; a tree may have more than the scheme.
template <typename Threshold>
Threshold threshold_at(const std::vector<Threshold>& thresholds, int rank,
                       const Threshold& otherwise) {
  const auto index = static_cast<std::size_t>(rank - 1);
  return index < thresholds.size() ? thresholds[index] : otherwise;
}
/// No value reaches it.
constexpr double never = std::numeric_limits<double>::infinity();

/// The shift of sums with batch norm, of which the largest are about `spread` units large: narrow
/// sums are exact, and wide ones fit the stored elements.
int batch_norm_shift(const Layer& layer, double spread) {
  const double bound =
      layer.fan_in() * code_levels(layer.input_bits) * code_levels(layer.weight_bits);
  if (bound <= 32767.0) return 0;
  return std::max(0, static_cast<int>(std::ceil(std::log2(std::min(bound, spread) / 32767.0))));
}

/// Mantissas of 15 bits with a shift they share.
int shared_shift(const std::vector<double>& factors) {
  double largest = 0.0;
  for (const double factor : factors) largest = std::max(largest, std::abs(factor));
  return fixed_scale(largest).shift;
}
std::int32_t mantissa(double factor, int shift) {
  return static_cast<std::int32_t>(
      std::clamp(std::round(std::ldexp(factor, shift)), -32767.0, 32767.0));
}

}  // namespace

FixedScale fixed_scale(double factor) {
  if (factor == 0.0) return {0, 0};
  int exponent = 0;
  std::frexp(std::abs(factor), &exponent);  // in [2^(exponent-1), 2^exponent)
  const int shift = std::clamp(15 - exponent, 0, 62);
  const double scaled = std::ldexp(factor, shift);
  return {static_cast<std::int32_t>(std::clamp(std::round(scaled), -32767.0, 32767.0)), shift};
}

/// The rank-th threshold of f_W's tree, as a master weight. Where a 0 is inserted each stands there
/// twice, but for that between the negative and the positive half: there a weight of 0 passes the
/// first, and what is above it the second too.
std::int32_t AcceleratorEngine::weight_threshold(const LayerState& s, int rank) {
  const auto word = [&](int own_rank) {
    return to_word(std::ceil(threshold_at(s.weight.thresholds, own_rank, never) / kWeightUnit));
  };
  if (!s.inserts_zero()) return word(rank);
  const std::int32_t threshold = word((rank + 1) / 2);
  const bool above_zero = rank == 1 << s.layer.weight_bits;
  return above_zero ? std::max(threshold, 1) : threshold;
}

/// What the last pass over a layer's weights measured of them.
WeightMeasures AcceleratorEngine::read_weight_measures(const LayerState& s) {
  const Scheme& scheme = scheme_of(s.layer);
  const double row = s.layer.fan_in();
  WeightMeasures measures;
  if (scheme.measures_rows(s.layer)) {
    const auto rows = static_cast<std::size_t>(s.weights.rows);
    const auto* sums = host_.read<std::int64_t>(s.weight_row_sums, rows);
    for (std::size_t r = 0; r < rows; ++r)
      measures.row_means.push_back(static_cast<double>(sums[r]) * kWeightUnit / row);
    return measures;
  }
  measures.peak = *host_.read<std::uint32_t>(s.weight_max) * kWeightUnit;
  measures.mean = static_cast<double>(*host_.read<std::int64_t>(s.weight_sum)) * kWeightUnit /
                  (row * s.weights.rows);
  if (scheme.measures_range(s.layer)) {
    auto beyond = [&](std::uint32_t address) {
      return (*host_.read<std::uint32_t>(address) - double{kWeightRange}) * kWeightUnit;
    };
    measures.high = beyond(s.weight_high);
    measures.low = -beyond(s.weight_low);
  }
  return measures;
}

/// Per-layer scalars of f_W.
void AcceleratorEngine::write_weight_constants() {
  for (LayerState& s : layout_.layers) {
    if (!s.has_weights()) continue;
    const int bits = s.weight_tree_bits();
    s.weight = scheme_of(s.layer).weight_codes(s.layer, read_weight_measures(s));
    if (s.weight.reading)
      for (PackedParts* codes : {&s.weight_codes, &s.weight_codes_by_output})
        for (PackedTensor& part : *codes) part.reading = *s.weight.reading;
    auto* table = host_.write<std::int32_t>(
        s.threshold_table, static_cast<std::size_t>(config_.stream_lanes) * ((1u << bits) - 1));
    for_each_threshold(bits, [&](int node, int rank) {
      const std::int32_t word = weight_threshold(s, rank);
      for (int lane = 0; lane < config_.stream_lanes; ++lane)
        table[(node - 1) * config_.stream_lanes + lane] = word;
    });
  }
}

/// Value of a unit of o. Without batch norm the shift follows from the scales; with it, from the
/// deviation of earlier steps, for inference that of the running statistics, so that inference
/// depends on the parameters alone. Dropout's scale of the kept codes holds in training only.
void AcceleratorEngine::write_output_scale(std::size_t k, bool training) {
  LayerState& s = layout_.layers[k];
  const Layer& l = s.layer;
  double sum_unit = s.input_scale * s.weight.scale / s.weight.levels;
  if (!training && s.input >= 0) sum_unit *= 1.0 - input_of(k).layer.dropout;
  if (!s.is_last && !l.batch_norm && s.output.type == ElementType::kSigned16) {
    const double bound = l.fan_in() * code_levels(l.input_bits) * code_levels(l.weight_bits);
    const double range = kPreActivationRange * s.activation.high.at;
    const double wanted = std::min(bound, range / std::max(sum_unit, 1e-30));
    s.output_shift = std::max(0, static_cast<int>(std::ceil(std::log2(wanted / 32767.0))));
  }
  if (!training && l.batch_norm) {
    double spread = 0.0;
    for (std::size_t c = 0; c < s.running_mean.size(); ++c)
      spread =
          std::max(spread, (std::abs(s.running_mean[c]) +
                            kDeviations * std::sqrt(s.running_variance[c] + kBatchNormEpsilon)) /
                               s.weight.row_scale(c));
    s.output_shift = batch_norm_shift(l, spread / std::max(sum_unit, 1e-30));
  }
  s.output_unit = std::ldexp(sum_unit, s.output_shift);
}

/// All that inference takes of layer k beside its weights. Leaves output_shift as inference has it.
void AcceleratorEngine::write_inference_constants(std::size_t k) {
  write_output_scale(k, false);
  read_statistics(layout_.layers[k], false);
  write_activation_constants(layout_.layers[k]);
}

/// Batch norm: mean and deviation of o in its own units, from the sums of this batch or from the
/// running statistics.
void AcceleratorEngine::read_statistics(LayerState& s, bool training) {
  if (!s.layer.batch_norm) return;
  const std::size_t channels = s.gamma.size();
  const auto* sums = training ? host_.read<std::int64_t>(s.statistics, 2 * channels) : nullptr;
  const double count = static_cast<double>(batch_) * s.output_pixels();
  for (std::size_t c = 0; c < channels; ++c) {
    const double unit = s.output_unit * s.weight.row_scale(c);
    double mean = s.running_mean[c], variance = s.running_variance[c];  // of values
    if (training) {
      const double m = static_cast<double>(sums[c]) / count;
      mean = m * unit;
      variance =
          std::max(0.0, static_cast<double>(sums[channels + c]) / count - m * m) * unit * unit;
      s.running_mean[c] = kRunningMomentum * s.running_mean[c] + (1 - kRunningMomentum) * mean;
      s.running_variance[c] =
          kRunningMomentum * s.running_variance[c] + (1 - kRunningMomentum) * variance;
    }
    s.mean[c] = mean / unit;
    s.deviation[c] = std::sqrt(variance + kBatchNormEpsilon) / unit;
    s.sign[c] = s.gamma[c] < 0.0 && !s.has_sum ? -1.0 : 1.0;
  }
}

/// Thresholds of f_A and the clip's bounds per channel: the points where p = slope v + offset, in
/// units v of what f_A sees, crosses those of the scheme.
void AcceleratorEngine::write_activation_constants(LayerState& s) {
  if (s.is_last) return;
  if (!s.is_clipped()) {
    const FixedScale scale = fixed_scale(s.output_unit / s.code_step);
    s.code_factor = scale.mantissa;
    s.code_factor_shift = scale.shift;
    return;
  }
  const Layer& l = s.layer;
  const std::size_t channels = s.gamma.size();
  std::vector<double> slope(channels), offset(channels);  // p = slope o + offset
  for (std::size_t c = 0; c < channels; ++c) {
    slope[c] = l.batch_norm ? s.gamma[c] / s.deviation[c] : s.output_unit * s.weight.row_scale(c);
    offset[c] = l.batch_norm ? s.beta[c] - slope[c] * s.mean[c] : s.bias[c];
  }
  if (s.has_sum) {
    const double one = 1 << kSumFractionBits;
    std::vector<double> scales(channels);
    for (std::size_t c = 0; c < channels; ++c) scales[c] = slope[c] * one;
    s.sum_shift = shared_shift(scales);
    auto* sum_scale = host_.write<std::int32_t>(s.sum_scale_table, channels);
    auto* sum_offset = host_.write<std::int32_t>(s.sum_offset_table, channels);
    for (std::size_t c = 0; c < channels; ++c) {
      sum_scale[c] = mantissa(scales[c], s.sum_shift);
      sum_offset[c] = to_word(std::round(offset[c] * one));
      slope[c] = 1.0 / one;
      offset[c] = 0.0;
    }
  }
  const int lanes = config_.stream_lanes;
  const int nodes = (1 << l.output_bits) - 1;
  const int words = blocks(l.out_channels) * kBlock;
  // Where p reaches `level`: v >= ceil of it, for sign v ascends with p.
  auto crossing = [&](std::size_t c, const Bound& bound) {
    if (slope[c] == 0.0)
      return bound.reached_by(offset[c]) ? -std::numeric_limits<double>::infinity()
                                         : std::numeric_limits<double>::infinity();
    return (bound.at - offset[c]) / slope[c];
  };
  const ActivationCodes& f_a = s.activation;
  const auto table_words = static_cast<std::size_t>(words);
  auto* thresholds =
      host_.write<std::int32_t>(s.activation_table, table_words * static_cast<std::size_t>(nodes));
  auto* signs = host_.write<std::int32_t>(s.sign_table, table_words);
  auto* lows = host_.write<std::int32_t>(s.low_table, table_words);
  auto* highs = host_.write<std::int32_t>(s.high_table, table_words);
  auto* cut_lows =
      s.cut_sum == 0 ? nullptr : host_.write<std::int32_t>(s.cut_low_table, table_words);
  auto* cut_highs =
      s.cut_sum == 0 ? nullptr : host_.write<std::int32_t>(s.cut_high_table, table_words);
  for (int channel = 0; channel < words; ++channel) {
    const auto c = static_cast<std::size_t>(channel);
    const bool real = c < channels;
    const int chunk = channel / lanes, lane = channel % lanes;
    for_each_threshold(l.output_bits, [&](int node, int rank) {
      const Bound bound = threshold_at(f_a.thresholds, rank, Bound{never});
      const Bound v{real ? s.sign[c] * crossing(c, bound) : 0.0, bound.inclusive};
      thresholds[(chunk * nodes + node - 1) * lanes + lane] =
          to_word(std::max(kLowest, first_integer(v)));
    });
    signs[channel] = real ? static_cast<std::int32_t>(s.sign[c]) : 1;
    // The integers v, in what the mask sees, whose p lies between two bounds
    auto mask = [&](Bound low, Bound high, std::int32_t* first, std::int32_t* last) {
      if (!real) {
        low = high = Bound{};
      } else if (slope[c] == 0.0) {  // p is constant: the clip passes all or none
        const bool passes = low.reached_by(offset[c]) && !beyond(high, offset[c]);
        low = {passes ? kLowest : 1.0};
        high = {passes ? -kLowest : 0.0};
      } else {
        low.at = crossing(c, low);
        high.at = crossing(c, high);
        if (slope[c] < 0.0) std::swap(low, high);
        // Kept tensors hold sign o, others o itself.
        if (s.keeps() && s.sign[c] < 0.0) {
          std::swap(low, high);
          low.at = -low.at;
          high.at = -high.at;
        }
      }
      *first = to_word(std::max(kLowest, first_integer(low)));
      *last = to_word(last_integer(high));
    };
    mask(f_a.low, f_a.high, &lows[channel], &highs[channel]);
    if (cut_lows != nullptr)
      mask({f_a.high.at, !f_a.high.inclusive}, {never}, &cut_lows[channel], &cut_highs[channel]);
  }
}

/// Units of the gradients that backward_program(k) makes, and the batch norm's backward as
/// A g + B o + C per channel.
void AcceleratorEngine::write_gradient_constants(std::size_t k) {
  LayerState& s = layout_.layers[k];
  s.output_gradient_unit = s.gradient_unit;
  if (s.has_value_codes() && !s.is_last) {
    const std::uint32_t peak = largest_of(s.quantized_max());
    const int power = peak == 0 ? 0 : static_cast<int>(std::lround(std::log2(peak)));
    s.nearest_shift = std::max(0, power - (s.layer.gradient_bits - 1));
    s.output_gradient_unit = std::ldexp(s.gradient_unit, s.nearest_shift);
  }
  if (s.layer.batch_norm) {
    const std::size_t channels = s.gamma.size();
    const auto* sums = host_.read<std::int64_t>(s.gradient_sums, 2 * channels);
    const double largest_g =
        s.is_last ? std::ldexp(1.0, kLogitGradientBits) : largest_of(s.gradient_max);
    const double count = static_cast<double>(batch_) * s.output_pixels();
    std::vector<double> a(channels), b(channels);
    std::vector<std::size_t> live;
    for (std::size_t c = 0; c < channels; ++c) {
      const double sum_g = static_cast<double>(sums[c]) * s.gradient_unit;
      // Kept tensors hold sign o
      const double sum_g_o = static_cast<double>(sums[channels + c]) * s.gradient_unit *
                             (s.keeps() && !s.has_sum ? s.sign[c] : 1.0);
      const double sum_g_x = (sum_g_o - s.mean[c] * sum_g) / s.deviation[c];
      const double scale = s.gamma[c] / (s.deviation[c] * s.output_unit);
      const double mean_g_x = sum_g_x / count;
      a[c] = scale * s.gradient_unit;
      b[c] = -scale * mean_g_x / s.deviation[c];
      // A channel without gradients has none of o either; its deviation may be small, and its A so
      // large that it would set the exponents of all.
      if (sums[c] != 0 || sums[channels + c] != 0) live.push_back(c);
      // gamma and beta see the gradient before f_G
      s.gamma_momentum[c] = network_.momentum * s.gamma_momentum[c] + sum_g_x;
      s.beta_momentum[c] = network_.momentum * s.beta_momentum[c] + sum_g;
    }
    double bound = 0.0;
    for (const std::size_t c : live) bound = std::max(bound, std::abs(a[c]) * largest_g);
    // As fine as the last step's largest asks for, and as this step's bound allows at least.
    if (bound > 0.0)
      s.output_gradient_exponent =
          std::min(s.output_gradient_exponent,
                   static_cast<int>(std::ceil(std::log2(bound))) - kGradientTargetBits);
    s.output_gradient_unit = std::ldexp(1.0, s.output_gradient_exponent);
    // As many bits below that as the mantissas of A and B, which have no exponent above 0, can
    // reach.
    double largest = 0.0;
    for (const std::size_t c : live) largest = std::max({largest, std::abs(a[c]), std::abs(b[c])});
    s.fine_bits =
        !s.has_fine_gradient() || largest == 0.0
            ? 0
            : std::clamp(14 - std::ilogb(largest / s.output_gradient_unit), 0, kFineGradientBits);
    const double unit = std::ldexp(s.output_gradient_unit, -s.fine_bits);
    for (std::size_t c = 0; c < channels; ++c) {
      a[c] /= unit;
      b[c] /= unit;
    }
    std::vector<double> live_a, live_b;
    for (const std::size_t c : live) {
      live_a.push_back(a[c]);
      live_b.push_back(b[c]);
    }
    s.gradient_scale_shift = shared_shift(live_a);
    s.output_scale_shift = shared_shift(live_b);
    auto* gradient_scales = host_.write<std::int32_t>(s.gradient_scale_table, channels);
    auto* output_scales = host_.write<std::int32_t>(s.output_scale_table, channels);
    auto* offsets = host_.write<std::int32_t>(s.gradient_offset_table, channels);
    for (std::size_t c = 0; c < channels; ++c) {
      gradient_scales[c] = mantissa(a[c], s.gradient_scale_shift);
      output_scales[c] = mantissa(b[c], s.output_scale_shift);
      // With the mantissas as they are, so that the sum over all elements is 0
      const double mean_g = static_cast<double>(sums[c]) / count;
      offsets[c] =
          to_word(std::round(-std::ldexp(gradient_scales[c] * mean_g, -s.gradient_scale_shift) -
                             std::ldexp(output_scales[c] * s.mean[c], -s.output_scale_shift)));
    }
  }
  write_row_slopes(s);
  if (s.input >= 0) write_gradient_unit(k);
}

/// dC/dw by output channel: the factor of the weight gradient times the channel's slope.
void AcceleratorEngine::write_row_slopes(LayerState& s) {
  if (s.weight.row_slopes.empty()) return;
  std::vector<double> factors;
  for (const double slope : s.weight.row_slopes)
    factors.push_back(weight_gradient_factor(s) / s.weight.slope_divisor * slope);
  s.row_slope_shift = shared_shift(factors);
  auto* table = host_.write<std::int32_t>(s.row_slope_table, factors.size());
  for (std::size_t r = 0; r < factors.size(); ++r)
    table[r] = mantissa(factors[r], s.row_slope_shift);
}

/// Value of a unit of the gradient that backward_input(k) makes with its drain's shift.
void AcceleratorEngine::write_gradient_unit(std::size_t k) {
  LayerState& s = layout_.layers[k];
  LayerState& below = input_of(k);
  const bool is_first = is_first_reader(k);
  double unit = s.output_gradient_unit * s.weight.scale / s.weight.levels *
                std::ldexp(1.0, is_first ? below.gradient_shift : s.branch_shift) /
                (1.0 - below.layer.dropout);
  if (below.activation.triangle) unit *= 2.0;  // of 2 - 2 |p|
  if (s.has_weights() && !s.has_value_codes()) unit /= code_levels(s.layer.gradient_bits);
  (is_first ? below.gradient_unit : s.branch_unit) = unit;
}

/// The largest of the words of all samples, of this step.
std::uint32_t AcceleratorEngine::largest_of(std::uint32_t maxima) {
  const auto* words = host_.read<std::uint32_t>(maxima, static_cast<std::size_t>(batch_));
  return *std::max_element(words, words + batch_);
}

/// Whether a gradient whose largest magnitude is `peak` does not fit its 16 bits: if it is cut off,
/// or so small that little or nothing is left of it, sets a shift that suits it better.
bool AcceleratorEngine::refit(std::uint32_t peak, int* shift) {
  const int bits = bit_length(peak), before = *shift;
  if (bits >= kLeastGradientBits && peak < kGradientLimit) return false;
  // What is 0 after rounding is below half a unit: 14 bits finer it is below 2^13.
  *shift += bits > kGradientTargetBits ? kGradientTargetBits / 2 : bits - kGradientTargetBits;
  *shift = std::clamp(*shift, 0, 62);
  return *shift != before;  // else exact as it is
}

std::vector<double> AcceleratorEngine::read_logits(int count) {
  const LayerState& s = layout_.layers.back();
  std::vector<double> logits;
  for (int sample = 0; sample < count; ++sample)
    for (int c = 0; c < s.layer.out_channels; ++c)
      logits.push_back(*host_.read<std::int32_t>(s.output.element_address(sample, 0, c)) *
                           s.output_unit +
                       s.bias[static_cast<std::size_t>(c)]);
  return logits;
}

std::vector<double> AcceleratorEngine::one_hot(const std::uint8_t* labels) const {
  const auto classes = static_cast<std::size_t>(network_.classes);
  std::vector<double> targets(static_cast<std::size_t>(batch_) * classes, 0.0);
  for (std::size_t sample = 0; sample < static_cast<std::size_t>(batch_); ++sample)
    targets[sample * classes + labels[sample]] = 1.0;
  return targets;
}

/// The softmax of the logits, [sample][class].
std::vector<double> AcceleratorEngine::probabilities(std::vector<double>* logarithms) {
  std::vector<double> list = read_logits(batch_);
  const auto classes = static_cast<std::ptrdiff_t>(network_.classes);
  for (auto row = list.begin(); row != list.end(); row += classes) {
    const double peak = *std::max_element(row, row + classes);
    double total = 0.0;
    for (auto logit = row; logit != row + classes; ++logit) total += std::exp(*logit - peak);
    for (auto logit = row; logit != row + classes; ++logit) {
      if (logarithms != nullptr) logarithms->push_back(*logit - peak - std::log(total));
      *logit = std::exp(*logit - peak) / total;
    }
  }
  return list;
}

/// The gradient of the logits for these targets, [sample][class], and the loss.
double AcceleratorEngine::write_loss_gradient(const std::vector<double>& targets) {
  LayerState& s = layout_.layers.back();
  const bool squares = scheme_of(s.layer).loss() == Loss::kSquares;
  std::vector<double> logarithms;
  const std::vector<double> outputs = squares ? read_logits(batch_) : probabilities(&logarithms);
  const auto classes = static_cast<std::size_t>(network_.classes);
  double loss = 0.0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const double error = outputs[i] - targets[i];
    const auto sample = static_cast<int>(i / classes), channel = static_cast<int>(i % classes);
    *host_.write<std::int16_t>(s.gradient.element_address(sample, 0, channel)) =
        static_cast<std::int16_t>(
            std::lround(std::clamp(std::ldexp(error, kLogitGradientBits), -32767.0, 32767.0)));
    if (squares)
      loss += 0.5 * error * error;
    else if (targets[i] > 0.0)
      loss -= targets[i] * logarithms[i];
  }
  s.gradient_unit = std::ldexp(1.0, -kLogitGradientBits) / (squares ? 1 : batch_);
  return loss / batch_;
}

/// Biases, gamma and beta; and the shifts of the next step from the maxima of this one.
void AcceleratorEngine::update_scalars() {
  const auto follow = [&](std::uint32_t maxima, int* shift) {
    if (const std::uint32_t peak = largest_of(maxima); peak != 0)
      *shift = std::clamp(*shift + bit_length(peak) - kGradientTargetBits, 0, 62);
  };
  for (LayerState& s : layout_.layers) {
    if (s.branch.address != 0) follow(s.branch_max, &s.branch_shift);
    if (!s.is_last) follow(s.gradient_max, &s.gradient_shift);
    if (!s.has_weights()) continue;
    const std::uint32_t weight_gradient_peak = *host_.read<std::uint32_t>(s.weight_gradient_max);
    s.weight_gradient_shift = std::clamp(
        s.weight_gradient_shift + bit_length(weight_gradient_peak) - kWeightGradientTargetBits, 0,
        62);
    if (s.layer.batch_norm) {
      double spread = 0.0;
      for (std::size_t c = 0; c < s.gamma.size(); ++c) {
        s.gamma[c] -= learning_rate_ * s.gamma_momentum[c];
        s.beta[c] -= learning_rate_ * s.beta_momentum[c];
        spread = std::max(spread, std::abs(s.mean[c]) + kDeviations * s.deviation[c]);
      }
      const auto* maxima =
          host_.read<std::uint32_t>(s.sample_max, static_cast<std::size_t>(batch_));
      const std::uint32_t peak = *std::max_element(maxima, maxima + batch_);
      if (peak != 0)
        s.output_gradient_exponent += bit_length(peak) - s.fine_bits - kGradientTargetBits;
      s.output_shift = batch_norm_shift(s.layer, std::ldexp(spread, s.output_shift));
    } else if (scheme_of(s.layer).learns_bias(s.layer)) {
      const auto* sums = host_.read<std::int64_t>(s.gradient_sums, s.bias.size());
      for (std::size_t c = 0; c < s.bias.size(); ++c) {
        s.bias_momentum[c] =
            network_.momentum * s.bias_momentum[c] + static_cast<double>(sums[c]) * s.gradient_unit;
        s.bias[c] -= learning_rate_ * s.bias_momentum[c];
      }
    }
    if (!s.is_last) update_bound(s);
  }
  refresh_activations();
}

void AcceleratorEngine::update_bound(LayerState& s) {
  if (s.first_reader < 0) return;  // it bounds nothing
  double& bound = s.layer.activation_bound;
  switch (scheme_of(s.layer).bound_rule(s.layer)) {
    case BoundRule::kFixed:
      return;
    case BoundRule::kLearned:
      s.bound_momentum =
          network_.momentum * s.bound_momentum +
          static_cast<double>(*host_.read<std::int64_t>(s.cut_sum)) * s.gradient_unit +
          network_.weight_decay * bound;
      bound -= learning_rate_ * s.bound_momentum;
      break;
    case BoundRule::kAveraged: {
      const double most = *host_.read<std::uint32_t>(s.sum_max) - double{kSumRange};
      bound = kBoundMomentum * bound + (1.0 - kBoundMomentum) * std::ldexp(most, -kSumFractionBits);
      break;
    }
  }
  bound = std::max(bound, kLeastBound);
}

/// f_A of layers whose bound has moved, and what its codes are worth to the layers that read them.
void AcceleratorEngine::refresh_activations() {
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
    LayerState& s = layout_.layers[k];
    layout_.network.layers[k].activation_bound = s.layer.activation_bound;
    s.input_scale = output_codes(layout_.network, s.input).step;
    if (s.is_last) continue;
    if (s.is_clipped()) s.activation = scheme_of(s.layer).activation_codes(s.layer);
    s.code_step = output_codes(layout_.network, static_cast<int>(k)).step;
  }
}

// ---- State ----

/// Everything a step leaves for the next, in a fixed order: archive(first byte, number of bytes).
template <typename Archive>
void AcceleratorEngine::visit_state(Archive&& archive) {
  auto scalar = [&](auto& value) { archive(&value, sizeof value); };
  scalar(random_state_);
  scalar(learning_rate_);
  std::uint64_t active = active_;
  scalar(active);
  if (active >= precisions_.size()) throw InputError("the saved state is of another curriculum");
  swap_to(active);
  const bool shares = network_.curriculum != Curriculum::kGuided;
  for (std::size_t p = 0; p < precisions_.size(); ++p)
    visit_layers(p == active_ ? layout_ : precisions_[p], p == 0 || !shares, archive);
}

template <typename Archive>
void AcceleratorEngine::visit_layers(TrainingLayout& layout, bool with_weights, Archive&& archive) {
  auto scalar = [&](auto& value) { archive(&value, sizeof value); };
  for (LayerState& s : layout.layers) {
    s.visit(archive);
    scalar(s.layer.activation_bound);
    if (!s.has_weights() || !with_weights) continue;
    for (const ElementTensor* tensor : {&s.weights, &s.momentum})
      archive(host_.write<std::uint8_t>(tensor->address, tensor->size_bytes()),
              tensor->size_bytes());
    archive(host_.write<std::uint8_t>(s.weight_max, 4), 4);
    archive(host_.write<std::uint8_t>(s.weight_sum, 8), 8);
    for (const std::uint32_t range : {s.weight_low, s.weight_high})
      if (range != 0) archive(host_.write<std::uint8_t>(range, 4), 4);
    if (s.weight_row_sums != 0) {
      const auto bytes = 8 * static_cast<std::size_t>(s.weights.rows);
      archive(host_.write<std::uint8_t>(s.weight_row_sums, bytes), bytes);
    }
  }
}

std::vector<std::uint8_t> AcceleratorEngine::state() {
  std::vector<std::uint8_t> bytes;
  visit_state([&](const void* from, std::size_t count) {
    const auto* first = static_cast<const std::uint8_t*>(from);
    bytes.insert(bytes.end(), first, first + count);
  });
  return bytes;
}

void AcceleratorEngine::restore(const std::vector<std::uint8_t>& state) {
  std::size_t size = 0;
  visit_state([&](const void*, std::size_t count) { size += count; });
  if (size != state.size())
    throw InputError(
        "the saved state does not fit this network; resume with the one it was "
        "saved from");
  const std::uint8_t* next = state.data();
  visit_state([&](void* to, std::size_t count) {
    std::memcpy(to, next, count);
    next += count;
  });
  const std::size_t active = active_;
  for (std::size_t p = 0; p < precisions_.size(); ++p) {
    swap_to(p);
    refresh_activations();
  }
  swap_to(active);
  write_weight_constants();
}

}  // namespace solfege
