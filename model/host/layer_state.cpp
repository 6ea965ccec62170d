// SPDX-License-Identifier: Apache-2.0
#include "model/host/layer_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/host/scheduler.hpp"
#include "model/spec/geometry.hpp"

namespace solfege {
namespace {

int ceil_divide(int a, int b) { return (a + b - 1) / b; }
int ceil_log2(double value) { return std::max(0, static_cast<int>(std::ceil(std::log2(value)))); }

/// Planes of the gradient operand with lanes along samples, of a layer that is not the last.
int sample_planes(const Layer& layer) {
  return scheme_of(layer).gradient_rule(layer) == GradientRule::kNearest
             ? layer.gradient_bits
             : scaled_planes(layer.gradient_bits);
}

/// The cheaper contraction of a weight gradient: array cycles by the shape of its tiles.
WeightGradientLanes cheaper_lanes(const Config& config, const LayerState& s, int batch) {
  const Layer& layer = s.layer;
  const ChannelPart& part = s.parts.front();
  const int pixels = layer.out_height * layer.out_width;
  const int taps = layer.kernel_height * layer.kernel_width;
  const double rows = ceil_divide(part.outs, config.rows);
  const double drain = Geometry(config).tile_chunks;
  const double by_pixels =
      rows * taps * ceil_divide(unfolded_tap_rows(part.ins, config.columns), config.columns) *
      batch *
      std::max(drain, static_cast<double>(ceil_divide(pixels, config.lanes)) * layer.gradient_bits *
                          layer.input_bits);
  const double by_samples = rows * taps * ceil_divide(part.ins, config.columns) *
                            std::max(drain, static_cast<double>(ceil_divide(batch, config.lanes)) *
                                                pixels * sample_planes(layer) * layer.input_bits);
  return by_pixels <= by_samples ? WeightGradientLanes::kPixels : WeightGradientLanes::kSamples;
}

/// The shift of the drain of backward_input of layer `s` before any step has measured it. Its sums
/// are of products M (2c - n_G) (2c' - n_W) with signs that are as good as random: their largest is
/// about four standard deviations, or one product where the terms are few. Most codes of f_G lie
/// next to the middle, for few gradients are as large as their sample's M.
int estimated_gradient_shift(const LayerState& s) {
  if (s.layer.is_average) return 0;
  const double terms = static_cast<double>(s.taps()) * s.layer.out_channels / s.layer.groups;
  const double largest_code = s.has_value_codes() ? 1.0 : code_levels(s.layer.gradient_bits);
  const int scale_bits =
      s.has_value_codes() && !s.is_last ? s.layer.gradient_bits - 1 : kGradientTargetBits;
  const double largest_sum = std::ldexp(code_levels(s.layer.weight_bits), scale_bits) *
                             std::max(largest_code, 4.0 * std::sqrt(terms));
  return std::clamp(ceil_log2(largest_sum) - kGradientTargetBits, 0, 62);
}

/// Whether the parts of two readers of a layer take the same channels of it.
bool same_inputs(const std::vector<ChannelPart>& a, const std::vector<ChannelPart>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ChannelPart& one, const ChannelPart& other) {
                      return one.in_first == other.in_first && one.ins == other.ins;
                    });
}

class Layouter {
 public:
  /// With the operands that images make of `first`, and the master weights of `sharing`, layouts
  /// that are there already.
  Layouter(const Config& config, const Network& network, int batch, MemoryLayout& memory,
           const TrainingLayout* first, const TrainingLayout* sharing)
      : config_(config),
        network_(network),
        batch_(batch),
        memory_(memory),
        first_(first),
        sharing_(sharing) {}

  TrainingLayout run() {
    TrainingLayout layout;
    layout.network = network_;
    for (std::size_t k = 0; k < network_.layers.size(); ++k)
      layout.layers.push_back(layer(static_cast<int>(k), layout.layers));
    for (LayerState& s : layout.layers) {
      s.branch_shift = estimated_gradient_shift(s);
      if (s.first_reader >= 0)
        s.gradient_shift =
            estimated_gradient_shift(layout.layers[static_cast<std::size_t>(s.first_reader)]);
    }
    return layout;
  }

 private:
  void need_channels(const Layer& l, int have, const char* key) const {
    if (l.out_channels > have)
      throw InputError(fmt::format("stream.{} = {}: layer {} has {} channels: {}", key, have,
                                   l.name, l.out_channels,
                                   advise_at_least(fmt::format("stream.{}", key), l.out_channels,
                                                   "give the layer fewer channels")));
  }
  void need_bits(const Layer& l, const char* pass, double terms, int a, int b) const {
    const int need = 1 + a + b + ceil_log2(terms);
    if (need > config_.accumulator_bits)
      throw InputError(
          fmt::format("array.accumulator_bits = {}: {} of layer {} with batch {} needs {}: {}",
                      config_.accumulator_bits, pass, l.name, batch_, need,
                      advise_at_least("array.accumulator_bits", need,
                                      "lower --batch, or the layer's bits, channels or kernel")));
  }

  /// Layer `k`, after those before it.
  LayerState layer(int k, const std::vector<LayerState>& before) {
    const Layer& l = network_.layers[static_cast<std::size_t>(k)];
    const std::vector<int> readers = network_.readers(k);
    LayerState s;
    s.layer = l;
    s.input = network_.input_of(k);
    s.first_reader = readers.empty() ? -1 : readers.front();
    s.parts = channel_parts(l);
    s.is_last = k + 1 == static_cast<int>(network_.layers.size());
    const Scheme& scheme = scheme_of(l);
    s.has_sum = l.residual >= 0 || !network_.adders(k).empty() ||
                (!s.is_last && scheme.keeps_preactivation(l));
    s.has_joint = !s.is_last && (s.has_sum || readers.size() != 1);
    s.lanes = s.is_last               ? WeightGradientLanes::kSamples
              : s.has_fine_gradient() ? WeightGradientLanes::kPixels
                                      : cheaper_lanes(config_, s, batch_);
    if (l.dropout > 0.0 && !s.is_last && scheme_of(l).activation_reading(l).offset != 0)
      throw InputError(fmt::format(
          "layer {}: dropout = {}: the codes of scheme {} have no 0 for what is dropped: remove "
          "the key, or choose another scheme",
          l.name, l.dropout, l.scheme));
    if (scheme.gradient_rule(l) == GradientRule::kNearest && l.gradient_bits == 1)
      throw InputError(fmt::format(
          "layer {}: gradient_bits = 1: codes of scheme {} have a sign: choose 2 or more", l.name,
          l.scheme));
    if (scheme.gradient_rule(l) == GradientRule::kNearest && l.batch_norm)
      throw InputError(fmt::format(
          "layer {}: batch_norm = true: gradients of scheme {} are rounded as they are: remove the "
          "key, or choose another scheme",
          l.name, l.scheme));
    if (s.inserts_zero() && l.weight_bits > kMostGroupedBits)
      throw InputError(fmt::format(
          "layer {}: weight_bits = {}: groups that share blocks of {} channels have weights of at "
          "most {} bits: set weight_bits = {}, or make the channels of a group, in and out, "
          "multiples of {}",
          l.name, l.weight_bits, kBlock, kMostGroupedBits, kMostGroupedBits, kBlock));
    if (s.inserts_zero() && scheme.weight_grid_log2(l) != kNoWeightGrid)
      throw InputError(fmt::format(
          "layer {}: weight_bits = {}: weights of scheme {} are often 0, which is what groups that "
          "share blocks of {} channels have between them: set weight_bits = 2 or more, or make the "
          "channels of a group, in and out, multiples of {}",
          l.name, l.weight_bits, l.scheme, kBlock, kBlock));
    need_channels(l, config_.table_channels, "table_channels");
    if (!s.is_last && s.is_clipped())
      need_channels(l, config_.threshold_channels, "threshold_channels");
    s.input_codes = input_codes(s, k, before);
    if (s.has_weights())
      weights(s, static_cast<std::size_t>(k));
    else
      constant_weights(s);
    activations(s, k);
    gradients(s);
    if (s.input >= 0) input_gradients(s, before[static_cast<std::size_t>(s.input)], k);
    if (s.has_weights()) weight_gradients(s, before);
    need_bits(l, "forward", l.fan_in(), l.input_bits, l.weight_bits);
    scalars(s, k);
    return s;
  }

  void measures(LayerState& s) {
    const Scheme& scheme = scheme_of(s.layer);
    s.weight_max = memory_.take(8);
    s.weight_sum = memory_.take(8);
    s.weight_gradient_max = memory_.take(8);
    if (scheme.measures_rows(s.layer))
      s.weight_row_sums = memory_.take(8 * channel_words(s.layer.out_channels));
    if (!scheme.measures_range(s.layer)) return;
    s.weight_high = memory_.take(8);
    s.weight_low = memory_.take(8);
  }

  /// Each channel's sum is a product with a unit matrix, whose planes never change.
  void constant_weights(LayerState& s) {
    const Layer& l = s.layer;
    s.weight_codes = {memory_.planes(l.name + ".weight_codes", l.out_channels, s.taps(), 1,
                                     l.in_channels, true, kUnsignedCodes)};
    s.weight.levels = s.taps();
  }

  void weights(LayerState& s, std::size_t k) {
    const Layer& l = s.layer;
    auto tensor = [&](const char* name) {
      return memory_.elements(l.name + name, l.out_channels, s.taps(), s.parts.front().ins,
                              ElementType::kSigned32);
    };
    if (sharing_ != nullptr) {
      static_cast<MasterWeights&>(s) = sharing_->layers[k];
    } else {
      s.weights = tensor(".weights");
      s.momentum = tensor(".momentum");
      s.weight_gradient = tensor(".weight_gradient");
      measures(s);
      if (s.has_holes()) {
        s.weight_places = memory_.elements(l.name + ".weight_places", l.out_channels, s.taps(),
                                           s.parts.front().ins, ElementType::kUnsigned8);
        s.ones_table = memory_.take(4 * channel_words(l.in_channels));
      }
    }
    const PlaneReading reading = s.inserts_zero() ? kSignedCodes : scheme_of(l).weight_reading(l);
    s.weight_codes = by_part(l.name + ".weight_codes", s.parts, [&](auto name, auto part) {
      return memory_.planes(name, part.outs, s.taps(), s.weight_tree_bits(), part.ins, true,
                            reading);
    });
    if (s.input >= 0)
      s.weight_codes_by_output =
          by_part(l.name + ".weight_codes_by_output", s.parts, [&](auto name, auto part) {
            return memory_.planes(name, part.ins, s.taps(), s.weight_tree_bits(), part.outs, true,
                                  reading);
          });
    s.threshold_table =
        memory_.take(static_cast<std::uint64_t>(4 * config_.stream_lanes) << s.weight_tree_bits());
    const Scheme& scheme = scheme_of(l);
    // Loaded by as many words as the table of samples has.
    if (scheme.measures_rows(l))
      s.row_slope_table = memory_.take(
          4 * (channel_words(l.out_channels) + static_cast<std::uint64_t>(config_.max_batch)));
    if (scheme.measures_range(l) || scheme.bound_rule(l) == BoundRule::kAveraged)
      s.range_offsets = memory_.take(12 * static_cast<std::uint64_t>(config_.table_channels));
  }

  void activations(LayerState& s, int k) {
    const Layer& l = s.layer;
    // Logits are few and wanted exactly; pre-activations have the stored width.
    s.output = memory_.elements(
        l.name + (s.is_last ? ".logits" : ".output"), batch_, s.output_pixels(), l.out_channels,
        s.is_last || l.is_average || (config_.stored_bits == 32 && !l.batch_norm)
            ? ElementType::kSigned32
            : ElementType::kSigned16,
        s.is_last ? MemoryContent::kLogits : MemoryContent::kElements);
    s.statistics = memory_.take(channel_words(l.out_channels) * 16);
    if (s.is_last) return;
    if (s.first_reader >= 0)
      s.codes = by_part(l.name + ".codes",
                        channel_parts(network_.layers[static_cast<std::size_t>(s.first_reader)]),
                        [&](auto name, auto part) {
                          return memory_.planes(name, batch_, s.kept_pixels(), l.output_bits,
                                                part.ins, false, output_codes(network_, k).reading);
                        });
    if (!s.is_clipped()) return;
    if (s.has_sum)
      s.sum = memory_.elements(l.name + ".sum", batch_, s.output_pixels(), l.out_channels,
                               ElementType::kSigned16);
    s.kept = s.keeps()
                 ? memory_.elements(l.name + ".kept", batch_, s.kept_pixels(), l.out_channels,
                                    s.pooled() ? ElementType::kTagged : ElementType::kSigned16)
                 : s.preactivation();
    s.activation_table = memory_.take((4 * channel_words(l.out_channels)) << l.output_bits);
    const BoundRule rule = scheme_of(l).bound_rule(l);
    if (rule == BoundRule::kAveraged) s.sum_max = memory_.take(8);
    if (rule == BoundRule::kLearned && s.first_reader >= 0) {
      s.cut_sum = memory_.take(8);
      for (std::uint32_t* table : {&s.cut_low_table, &s.cut_high_table})
        *table = memory_.take(4 * channel_words(l.out_channels));
    }
    for (std::uint32_t* table :
         {&s.sign_table, &s.low_table, &s.high_table, &s.sum_scale_table, &s.sum_offset_table,
          &s.gradient_scale_table, &s.output_scale_table, &s.gradient_offset_table})
      *table = memory_.take(4 * channel_words(l.out_channels));
  }

  void gradients(LayerState& s) {
    const Layer& l = s.layer;
    s.gradient = memory_.elements(l.name + ".gradient", batch_, s.kept_pixels(), l.out_channels,
                                  s.pooled() ? ElementType::kTagged : ElementType::kSigned16,
                                  s.is_last ? MemoryContent::kLogits : MemoryContent::kElements);
    if (s.pooled() && !l.pooling().tiles())
      s.scattered = memory_.elements(l.name + ".scattered_gradient", batch_, s.output_pixels(),
                                     l.out_channels, ElementType::kSigned32);
    s.sample_max = memory_.take(4 * static_cast<std::uint64_t>(config_.max_batch));
    s.gradient_max = memory_.take(4 * static_cast<std::uint64_t>(config_.max_batch));
    s.gradient_sums = memory_.take(channel_words(l.out_channels) * 16);
  }

  /// What of the layer's own the gradient of its input is made in.
  void input_gradients(LayerState& s, const LayerState& input, int k) {
    const Layer& l = s.layer;
    if (l.is_average && !l.averaging().tiles())
      s.scattered =
          memory_.elements(l.name + ".scattered_gradient", batch_, l.in_height * l.in_width,
                           l.in_channels, ElementType::kSigned32);
    if (input.first_reader == k) return;
    s.branch = memory_.elements(l.name + ".branch", batch_, input.gradient.pixels, l.in_channels,
                                input.gradient.type);
    s.branch_max = memory_.take(4 * static_cast<std::uint64_t>(config_.max_batch));
  }

  /// The operands of the weight gradient.
  void weight_gradients(LayerState& s, const std::vector<LayerState>& before) {
    const Layer& l = s.layer;
    const int pixels = s.output_pixels();
    const PlaneReading reading = gradient_reading(s);
    if (!s.is_last)
      s.gradient_codes = by_part(l.name + ".gradient_codes", s.parts, [&](auto name, auto part) {
        return memory_.planes(name, batch_, pixels, l.gradient_bits, part.outs, false, reading);
      });
    if (s.lanes == WeightGradientLanes::kPixels)
      unfolded_operands(s, before);
    else
      sample_operands(s);
    if (s.input >= 0)
      need_bits(l, "backward_input", static_cast<double>(s.taps()) * l.out_channels / l.groups,
                s.is_last ? kLogitPlanes - 1 : l.gradient_bits, l.weight_bits);
  }

  void unfolded_operands(LayerState& s, const std::vector<LayerState>& before) {
    const Layer& l = s.layer;
    const int pixels = s.output_pixels();
    PlaneReading reading = output_codes(network_, s.input).reading;
    int planes = l.input_bits;
    // Padding is code 0 of what is unfolded, and must be the value 0.
    if (l.padding_height + l.padding_width > 0 && reading.offset != 0) {
      reading = kSignedCodes;
      ++planes;
      s.input_signed = signed_input(s, before);
    }
    s.gradient_unfolded =
        by_part(l.name + ".gradient_unfolded", s.parts, [&](auto name, auto part) {
          return memory_.planes(name, unfolded_tap_rows(part.outs, config_.rows), batch_,
                                l.gradient_bits, pixels, false, gradient_reading(s));
        });
    s.input_unfolded = of_images(s, &LayerState::input_unfolded);
    if (s.input_unfolded.empty())
      s.input_unfolded = by_part(l.name + ".input_unfolded", s.parts, [&](auto name, auto part) {
        return memory_.planes(name, s.taps() * unfolded_tap_rows(part.ins, config_.columns), batch_,
                              planes, pixels, true, reading, input_content(s));
      });
    need_bits(l, "backward_weight", pixels, l.gradient_bits, l.input_bits);
  }

  void sample_operands(LayerState& s) {
    const Layer& l = s.layer;
    const int pixels = s.output_pixels();
    const int planes = s.is_last ? kLogitPlanes : sample_planes(l);
    s.scaled_gradient = s.gradient_codes;
    if (!s.has_value_codes() || s.is_last)
      s.scaled_gradient = by_part(l.name + ".scaled_gradient", s.parts, [&](auto name, auto part) {
        return memory_.planes(name, batch_, pixels, planes, part.outs, false, kSignedCodes);
      });
    s.scaled_gradient_by_sample =
        by_part(l.name + ".scaled_gradient_by_sample", s.parts, [&](auto name, auto part) {
          return memory_.planes(name, part.outs, pixels, planes, batch_, false, kSignedCodes);
        });
    s.input_by_sample = of_images(s, &LayerState::input_by_sample);
    if (s.input_by_sample.empty())
      s.input_by_sample = by_part(l.name + ".input_by_sample", s.parts, [&](auto name, auto part) {
        return memory_.planes(name, part.ins, l.in_height * l.in_width, l.input_bits, batch_, true,
                              output_codes(network_, s.input).reading, input_content(s));
      });
    need_bits(l, "backward_weight", static_cast<double>(batch_) * pixels, planes - 1, l.input_bits);
  }

  static MemoryContent input_content(const LayerState& s) {
    return s.input < 0 ? MemoryContent::kImages : MemoryContent::kElements;
  }

  /// An operand that images make, of the precision that has it already; else none.
  PackedParts of_images(const LayerState& s, PackedParts LayerState::*operand) const {
    return s.input < 0 && first_ != nullptr ? first_->layers.front().*operand : PackedParts();
  }

  static PlaneReading gradient_reading(const LayerState& s) {
    return s.has_value_codes() ? kSignedCodes : bipolar_codes(s.layer.gradient_bits);
  }

  /// The codes of the layer's input in its own parts. Readers with the same parts share them.
  PackedParts input_codes(const LayerState& s, int k, const std::vector<LayerState>& before) {
    const Layer& l = s.layer;
    if (s.input < 0) {
      PackedParts shared = of_images(s, &LayerState::input_codes);
      if (!shared.empty()) return shared;
      return {memory_.planes("image codes", batch_, l.in_height * l.in_width, l.input_bits,
                             l.in_channels, false, kUnsignedCodes, MemoryContent::kImages)};
    }
    const LayerState& input = before[static_cast<std::size_t>(s.input)];
    if (input.first_reader == k) return input.codes;
    for (const LayerState& other : before)
      if (other.input == s.input && same_inputs(other.parts, s.parts)) return other.input_codes;
    return by_part(l.name + ".input_codes", s.parts, [&](auto name, auto part) {
      return memory_.planes(name, batch_, input.kept_pixels(), l.input_bits, part.ins, false,
                            output_codes(network_, s.input).reading);
    });
  }

  /// The same as two's complement.
  PackedParts signed_input(const LayerState& s, const std::vector<LayerState>& before) {
    const Layer& l = s.layer;
    for (const LayerState& other : before)
      if (other.input == s.input && !other.input_signed.empty() &&
          same_inputs(other.parts, s.parts))
        return other.input_signed;
    return by_part(l.name + ".input_signed", s.parts, [&](auto name, auto part) {
      return memory_.planes(name, batch_, l.in_height * l.in_width, l.input_bits + 1, part.ins,
                            false, kSignedCodes);
    });
  }

  void scalars(LayerState& s, int k) const {
    const Layer& l = s.layer;
    const auto channels = static_cast<std::size_t>(l.out_channels);
    s.bias.assign(channels, 0.0);
    s.gamma.assign(channels, 1.0);
    s.running_variance.assign(channels, 1.0);
    s.bias_momentum = s.gamma_momentum = s.beta = s.beta_momentum = s.running_mean = s.bias;
    s.mean = s.bias;
    s.deviation = s.sign = s.gamma;
    if (!s.is_last && s.is_clipped()) s.activation = scheme_of(l).activation_codes(l);
    s.input_scale = output_codes(network_, s.input).step;
    if (!s.is_last) s.code_step = output_codes(network_, k).step;
    if (!s.has_weights()) return;
    // The sum of the products of codes, 15 bits at most of it
    const double bound = static_cast<double>(batch_) * s.output_pixels() *
                         code_levels(l.input_bits) *
                         (s.has_value_codes() ? 1.0 : code_levels(l.gradient_bits)) * 32768.0;
    s.weight_gradient_shift = std::max(0, ceil_log2(bound) - 31);
    if (l.batch_norm && config_.stored_bits < 32) {
      // Sums of fan_in products are seldom beyond eight times their root mean square.
      const double sum_bound = l.fan_in() * code_levels(l.input_bits) * code_levels(l.weight_bits);
      const double usual = 8.0 * std::sqrt(static_cast<double>(l.fan_in())) *
                           code_levels(l.input_bits) * code_levels(l.weight_bits);
      s.output_shift = ceil_log2(std::min(sum_bound, usual) / 32767.0);
    }
  }

  /// make(name, part) for each; of several, names have numbers.
  template <typename Make>
  static PackedParts by_part(const std::string& name, const std::vector<ChannelPart>& parts,
                             const Make& make) {
    PackedParts tensors;
    for (std::size_t i = 0; i < parts.size(); ++i)
      tensors.push_back(make(parts.size() == 1 ? name : fmt::format("{}[{}]", name, i), parts[i]));
    return tensors;
  }
  static std::uint64_t channel_words(int channels) {
    return static_cast<std::uint64_t>(blocks(channels) * kBlock);
  }

  const Config& config_;
  const Network& network_;
  int batch_;
  MemoryLayout& memory_;
  const TrainingLayout* first_;
  const TrainingLayout* sharing_;
};

}  // namespace

void LayerState::continue_from(const LayerState& other) {
  LearnedScalars learned = other;
  // Shifts suit the precision that they were found with.
  learned.output_shift = output_shift;
  learned.gradient_shift = gradient_shift;
  learned.output_gradient_exponent = output_gradient_exponent;
  learned.weight_gradient_shift = weight_gradient_shift;
  static_cast<LearnedScalars&>(*this) = learned;
  layer.activation_bound = other.layer.activation_bound;
}

Network with_pointwise_head(Network network) {
  Layer& head = network.layers.front();
  head.in_channels = head.fan_in();
  head.in_height = head.out_height;
  head.in_width = head.out_width;
  head.kernel_height = head.kernel_width = head.stride_height = head.stride_width = 1;
  head.padding_height = head.padding_width = 0;
  return network;
}

TrainingLayouts lay_out_training(const Config& config, const Network& network, int batch) {
  MemoryLayout memory(config);
  TrainingLayouts layouts;
  for (const Precision& precision : network.precisions) {
    const TrainingLayout* first =
        layouts.precisions.empty() ? nullptr : &layouts.precisions.front();
    const bool shares = network.curriculum != Curriculum::kGuided;
    Network one = network.at(precision);
    for (Layer& layer : one.layers) layer.activation_bound = scheme_of(layer).initial_bound(layer);
    TrainingLayout layout =
        Layouter(config, one, batch, memory, first, shares ? first : nullptr).run();
    layouts.precisions.push_back(std::move(layout));
  }
  layouts.regions = memory.regions();
  layouts.size_bytes = memory.size();
  return layouts;
}

}  // namespace solfege
