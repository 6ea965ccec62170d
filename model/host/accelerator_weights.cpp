// SPDX-License-Identifier: Apache-2.0
// The passes over master weights: what f_W asks to know of them, and their updates.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/host/accelerator_host.hpp"
#include "model/spec/geometry.hpp"

namespace solfege {

std::uint32_t AcceleratorEngine::range_offsets(const LayerState& s, RangeOffset which) const {
  return s.range_offsets +
         4 * static_cast<std::uint32_t>(config_.table_channels) * static_cast<std::uint32_t>(which);
}

void AcceleratorEngine::write_range_offsets(const LayerState& s) {
  if (s.range_offsets == 0) return;
  const auto channels = static_cast<std::size_t>(config_.table_channels);
  for (const auto& [which, offset] :
       {std::pair(RangeOffset::kHigh, kWeightRange), std::pair(RangeOffset::kLow, -kWeightRange),
        std::pair(RangeOffset::kSum, kSumRange)})
    std::fill_n(host_.write<std::int32_t>(range_offsets(s, which), channels), channels, offset);
}

/// A pass over weights by as many output channels at a time as the stream unit has sums and factors
/// for. part(pass, first) sets what depends on the first of them.
template <typename Part>
void AcceleratorEngine::stream_rows(ProgramBuilder& builder, const LayerState& s,
                                    const StreamPass& pass, const std::string& label, Part part) {
  const int most = std::min(Geometry(config_).table_rows, config_.max_batch) / kBlock * kBlock;
  if (most == 0)
    throw InputError(fmt::format(
        "stream.table_channels = {}: layer {}: scheme {} needs sums of {} output channels, each of "
        "{} lanes: {}",
        config_.table_channels, s.layer.name, s.layer.scheme, kBlock, config_.stream_lanes,
        advise_at_least("stream.table_channels", kBlock * config_.stream_lanes,
                        "choose another scheme")));
  for (int first = 0; first < s.weights.rows; first += most) {
    const int count = std::min(most, s.weights.rows - first);
    StreamPass group = pass;
    ElementTensor x, z, store;
    for (const auto& [tensor, rows] :
         {std::pair(&group.x, &x), std::pair(&group.z, &z), std::pair(&group.store, &store)})
      if (*tensor != nullptr) {
        *rows = (*tensor)->rows_from(first, count);
        *tensor = rows;
      }
    part(group, first);
    builder.stream(*group.x, group, label);
  }
}

/// A pass that reads or makes the weights, with the measures that f_W asks for: max |w| and
/// sum |w| of the layer, or sum |w| of each output channel, or also least and greatest w.
void AcceleratorEngine::measure_weights(ProgramBuilder& builder, const LayerState& s,
                                        StreamPass pass, const std::string& label) {
  const Scheme& scheme = scheme_of(s.layer);
  pass.sum_absolute = true;
  if (scheme.measures_rows(s.layer)) {
    pass.sum_per_sample = true;
    stream_rows(builder, s, pass, label, [&](StreamPass& group, int first) {
      group.sum_address = s.weight_row_sums + 8 * static_cast<std::uint32_t>(first);
    });
  } else {
    pass.max_address = s.weight_max;
    pass.sum_address = s.weight_sum;
    builder.stream(s.weights, pass, label);
  }
  if (!scheme.measures_range(s.layer)) return;
  for (const auto& [which, result] :
       {std::pair(RangeOffset::kHigh, s.weight_high), std::pair(RangeOffset::kLow, s.weight_low)}) {
    builder.load_table(Table::kOffset, range_offsets(s, which),
                       Geometry(config_).chunks(s.weights.channels), 0, "load offsets");
    StreamPass range;
    range.x = &s.weights;
    range.offset = true;
    range.max_address = result;
    builder.stream(s.weights, range, "range of weights");
  }
}

/// d loss / d w of a unit of the weight gradient, without slopes, in units of the master weights.
double AcceleratorEngine::weight_gradient_factor(const LayerState& s) const {
  const double factor =
      std::ldexp(s.output_gradient_unit * s.input_scale, s.weight_gradient_shift) / kWeightUnit;
  return s.has_value_codes() ? factor : factor / code_levels(s.layer.gradient_bits);
}

/// Momentum SGD: v = momentum v + g slope + decay w, w -= rate v.
void AcceleratorEngine::update_weights(ProgramBuilder& builder, std::size_t k) {
  LayerState& s = layout_.layers[k];
  builder.set_place(s.layer.name, "update");
  const FixedScale gradient = fixed_scale(weight_gradient_factor(s) / s.weight.slope_divisor),
                   decay = fixed_scale(part_.first ? network_.weight_decay : 0.0),
                   momentum = fixed_scale(part_.first ? network_.momentum : 1.0),
                   rate = fixed_scale(-learning_rate_);
  StreamPass accumulate;
  accumulate.x = &s.weight_gradient;
  accumulate.scale_x = gradient.mantissa;
  accumulate.shift_x = gradient.shift;
  const bool by_row = !s.weight.row_slopes.empty();
  if (s.weight.tanh_slope || by_row || network_.weight_decay != 0.0) {
    StreamPass slope = accumulate;
    slope.z = &s.weights;
    if (s.weight.tanh_slope) slope.slope = SlopeFunction::kTanh;
    slope.scale_z = decay.mantissa;
    slope.shift_z = decay.shift;
    slope.store = &s.weight_gradient;
    if (by_row) {
      slope.scale_x_source = Scalar::kSample;
      slope.shift_x = s.row_slope_shift;
      stream_rows(builder, s, slope, "slope of f_W and decay", [&](StreamPass&, int first) {
        builder.load_table(Table::kSample,
                           s.row_slope_table + 4 * static_cast<std::uint32_t>(first),
                           Geometry(config_).sample_rows, 0, "load slopes of output channels");
      });
    } else {
      builder.stream(s.weights, slope, "slope of f_W and decay");
    }
    accumulate.scale_x = 1;
    accumulate.shift_x = 0;
  }
  accumulate.z = &s.momentum;
  accumulate.scale_z = momentum.mantissa;
  accumulate.shift_z = momentum.shift;
  accumulate.store = &s.momentum;
  builder.stream(s.weights, accumulate, "momentum");
  if (!part_.last) return;
  StreamPass update;
  update.x = &s.momentum;
  update.scale_x = rate.mantissa;
  update.shift_x = rate.shift;
  store_weights(builder, s, update);
}

/// w plus the pass, within the scheme's bounds.
void AcceleratorEngine::store_weights(ProgramBuilder& builder, LayerState& s, StreamPass update) {
  update.z = &s.weights;
  update.scale_z = 1;
  const int limit_log2 = scheme_of(s.layer).weight_limit_log2(s.layer);
  if (limit_log2 != kNoWeightLimit)
    update.limit_shift = static_cast<std::uint32_t>(31 - kWeightFractionBits - limit_log2);
  update.store = &s.weights;
  measure_weights(builder, s, update, "update weights");
}

bool AcceleratorEngine::on_grid(std::size_t k) const {
  const Layer& layer = layout_.layers[k].layer;
  return scheme_of(layer).weight_grid_log2(layer) != kNoWeightGrid;
}

/// The update of weights on a grid, whose scale is the maximum of this step's gradient. A step of
/// the grid is 2^random_bits units of `momentum`.
Program AcceleratorEngine::grid_program(std::size_t k) {
  ProgramBuilder builder(config_);
  LayerState& s = layout_.layers[k];
  builder.set_place(s.layer.name, "update");
  const std::uint32_t peak = *host_.read<std::uint32_t>(s.weight_gradient_max);
  const double unit = weight_gradient_factor(s);
  const double power = std::exp2(std::round(std::log2(std::max(1u, peak) * unit)));
  const FixedScale steps =
      fixed_scale(std::ldexp(peak == 0 ? 0.0 : learning_rate_, config_.random_bits) * unit / power);
  StreamPass round;
  round.x = &s.weight_gradient;
  round.scale_x = steps.mantissa;
  round.shift_x = steps.shift;
  round.limit_shift = 1;
  round.grid = true;
  round.random_state = draw(s.momentum);
  round.store = &s.momentum;
  builder.stream(s.weights, round, "whole steps of the grid");
  StreamPass update;
  update.x = &s.momentum;
  update.scale_x = -(1 << (kWeightFractionBits + scheme_of(s.layer).weight_grid_log2(s.layer) -
                           config_.random_bits));
  store_weights(builder, s, update);
  return builder.take();
}

}  // namespace solfege
