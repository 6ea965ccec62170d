// SPDX-License-Identifier: Apache-2.0
// The programs of a layer, forward and backward. Gradients that come from windows or from several
// layers are in accelerator_gradients.cpp, the passes over master weights in
// accelerator_weights.cpp.
#include <algorithm>
#include <cmath>
#include <set>

#include "model/host/accelerator_engine.hpp"
#include "model/host/accelerator_host.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/lfsr.hpp"

namespace solfege {

/// The start state for a tensor's draws; the sequence moves on by one number an element in storage
/// order.
std::uint64_t AcceleratorEngine::draw(const ElementTensor& tensor) {
  const std::uint64_t state = random_state_;
  Lfsr next(state);
  next.jump(tensor.size() * static_cast<std::uint64_t>(config_.random_bits));
  random_state_ = next.state();
  return state;
}

void AcceleratorEngine::load_channels(ProgramBuilder& builder, Table table, std::uint32_t address,
                                      const LayerState& s, const std::string& label) {
  builder.load_table(table, address, Geometry(config_).chunks(s.layer.out_channels), 0, label);
}

/// M of each sample: in the units of what f_G quantizes, or, as the factor of products, `shift`
/// bits shorter.
void AcceleratorEngine::load_samples(ProgramBuilder& builder, const LayerState& s, int shift) {
  builder.load_table(Table::kSample, s.quantized_max(), Geometry(config_).sample_rows, 0,
                     "load sample maxima", shift);
}

// ---- Forward ----

void AcceleratorEngine::quantize_weights(ProgramBuilder& builder, LayerState& s, bool training) {
  const Layer& l = s.layer;
  if (!s.has_weights()) return;
  builder.set_place(l.name, "f_W");
  const int bits = s.weight_tree_bits();
  builder.load_table(Table::kThreshold, s.threshold_table, (1 << bits) - 1, bits,
                     "load f_W thresholds");
  StreamPass quantize;
  quantize.quantizer = Quantizer::kThreshold;
  quantize.quantizer_bits = bits;
  if (s.inserts_zero()) quantize.code_offset = 1 - (1 << l.weight_bits);
  for (std::size_t i = 0; i < s.parts.size(); ++i) {
    const ElementTensor rows = s.weights.rows_from(s.parts[i].out_first, s.parts[i].outs);
    const PackedParts codes = {s.weight_codes[i]};
    quantize.x = &rows;
    quantize.pack = &codes;
    builder.stream(rows, quantize, "f_W");
  }
  if (training && !s.weight_codes_by_output.empty())
    builder.transpose(s.weight_codes, s.weight_codes_by_output);
}

/// p of layer k where it is a tensor, and its codes where a layer reads them.
void AcceleratorEngine::quantize_activations(ProgramBuilder& builder, std::size_t k,
                                             bool training) {
  LayerState& s = layout_.layers[k];
  const Layer& l = s.layer;
  builder.set_place(l.name, "f_A");
  if (s.has_sum) sum_residual(builder, s, training);
  if (s.first_reader < 0) return;
  StreamPass quantize;
  quantize.pack = &s.codes;
  if (!s.is_clipped()) {
    quantize.x = &s.output;
    quantize.scale_x = s.code_factor;
    quantize.shift_x = s.code_factor_shift;
    builder.stream(s.output, quantize, "codes of the means");
    return pack_for_others(builder, k, s.output, quantize, training);
  }
  builder.load_table(Table::kThreshold, s.activation_table,
                     Geometry(config_).chunks(l.out_channels) * ((1 << l.output_bits) - 1),
                     l.output_bits, "load f_A thresholds");
  quantize.x = &s.preactivation();
  quantize.limit_shift = s.preactivation().type == ElementType::kSigned16 ? kNarrow : 0;
  if (l.batch_norm && !s.has_sum) {
    load_channels(builder, Table::kScaleX, s.sign_table, s, "load signs");
    quantize.scale_x_source = Scalar::kChannel;
  }
  const ElementTensor* shape = &s.output;
  if (s.pooled()) {
    quantize.window_use = WindowUse::kPool;
    quantize.windows = l.pooling();
  }
  if (l.pool_padding > 0) {  // several descriptors, which cannot pack
    StreamPass pool = quantize;
    pool.pack = nullptr;
    pool.store = &s.kept;
    builder.stream(s.output, pool, "max-pool");
    quantize = StreamPass{};
    quantize.x = &s.kept;
    quantize.limit_shift = kNarrow;
    quantize.pack = &s.codes;
    shape = &s.kept;
  }
  quantize.quantizer = Quantizer::kThreshold;
  quantize.quantizer_bits = l.output_bits;
  quantize.threshold_per_channel = true;
  if (training && s.keeps() && (l.pool_padding == 0 || l.dropout > 0.0)) {
    quantize.store = &s.kept;
    if (l.pool_padding > 0) quantize.z = &s.kept;  // for its tags: its factor is 0
    if (l.dropout > 0.0) {
      quantize.drop_threshold =
          static_cast<std::uint32_t>(std::lround(std::ldexp(l.dropout, config_.random_bits)));
      quantize.random_state = draw(s.kept);
    }
  }
  builder.stream(*shape, quantize,
                 quantize.window_use == WindowUse::kPool ? "max-pool and f_A" : "f_A");
  pack_for_others(builder, k, *shape, quantize, training);
}

/// What `pass` has packed as the codes of layer k, for readers whose parts are others than the
/// first's, and as values in two's complement for those that unfold it.
void AcceleratorEngine::pack_for_others(ProgramBuilder& builder, std::size_t k,
                                        const ElementTensor& shape, StreamPass pass,
                                        bool training) {
  const LayerState& s = layout_.layers[k];
  const ElementTensor* from = &shape;
  if (pass.store != nullptr) {  // pooled already, and what is dropped lies below all thresholds
    StreamPass again;
    again.x = from = &s.kept;
    again.quantizer = pass.quantizer;
    again.quantizer_bits = pass.quantizer_bits;
    again.threshold_per_channel = pass.threshold_per_channel;
    pass = again;
  }
  std::set<std::uint32_t> packed = {s.codes.front().address};
  for (const LayerState& reader : layout_.layers) {
    if (reader.input != static_cast<int>(k)) continue;
    if (packed.insert(reader.input_codes.front().address).second) {
      pass.pack = &reader.input_codes;
      builder.stream(*from, pass, "f_A, in other parts");
    }
    const PackedParts& values = reader.input_signed;
    if (!training || values.empty() || !packed.insert(values.front().address).second) continue;
    StreamPass as_values = pass;
    as_values.pack = &values;
    as_values.code_shift = s.codes.front().reading.step / 2;  // log2 of 1 or 2
    as_values.code_offset = s.codes.front().reading.offset;
    builder.stream(*from, as_values, "f_A, as values");
  }
}

void AcceleratorEngine::sum_residual(ProgramBuilder& builder, LayerState& s, bool training) {
  const Layer& l = s.layer;
  load_channels(builder, Table::kScaleX, s.sum_scale_table, s, "load batch-norm scales");
  load_channels(builder, Table::kOffset, s.sum_offset_table, s, "load batch-norm offsets");
  StreamPass normalise;
  normalise.x = &s.output;
  normalise.scale_x_source = Scalar::kChannel;
  normalise.shift_x = s.sum_shift;
  normalise.offset = true;
  if (l.residual >= 0) {
    normalise.z = &layout_.layers[static_cast<std::size_t>(l.residual)].sum;
    normalise.scale_z = 1;
  }
  normalise.limit_shift = kNarrow;
  normalise.store = &s.sum;
  builder.stream(s.output, normalise, "batch norm and residual");
  if (!training || s.sum_max == 0) return;
  load_channels(builder, Table::kOffset, range_offsets(s, RangeOffset::kSum), s, "load offsets");
  StreamPass largest;
  largest.x = &s.sum;
  largest.offset = true;
  largest.max_address = s.sum_max;
  builder.stream(s.sum, largest, "largest p");
}

/// Layer k's product, and before it what makes its operands: f_A of the layer before. The first
/// program also quantizes all weights.
Program AcceleratorEngine::forward_program(std::size_t k, bool training) {
  ProgramBuilder builder(config_);
  LayerState& s = layout_.layers[k];
  if (k == 0) {
    for (LayerState& layer : layout_.layers) quantize_weights(builder, layer, training);
  } else {
    quantize_activations(builder, k - 1, training);
  }
  if (training && k > 0 && s.has_weights() && s.lanes == WeightGradientLanes::kPixels) {
    builder.set_place(s.layer.name, "unfold");
    builder.unfold(s.input_signed.empty() ? s.input_codes : s.input_signed, s.input_unfolded,
                   s.layer, false);
  }
  builder.set_place(s.layer.name, "forward");
  StreamPass drain;
  drain.store = &s.output;
  drain.shift_x = s.output_shift;
  drain.limit_shift = s.output.type == ElementType::kSigned16 ? kNarrow : 0;
  if (training && s.layer.batch_norm) {
    drain.sum_address = s.statistics;
    drain.sum_per_channel = true;
    drain.second_sum = SecondSum::kSquare;
  }
  builder.multiply(WindowMode::kForward, s.layer, s.input_codes, s.weight_codes, s.output, drain,
                   "forward");
  Program program = builder.take();
  if (k == 0) program.host_bytes = image_bytes();
  return program;
}

// ---- Backward ----

/// f_G of the gradient of o: codes for backward_input and for weights by pixels, M (2c - n) for
/// weights by samples.
void AcceleratorEngine::quantize_gradient(ProgramBuilder& builder, std::size_t k) {
  LayerState& s = layout_.layers[k];
  const Layer& l = s.layer;
  if (!s.has_weights()) return;
  builder.set_place(l.name, "quantize gradient");
  if (s.is_last) {
    StreamPass pack;
    pack.x = &s.gradient;
    pack.limit_shift = kNarrow;
    pack.pack = &s.scaled_gradient;
    pack.sum_address = s.gradient_sums;
    pack.sum_per_channel = true;
    builder.stream(s.gradient, pack, "pack logit gradient");
    return;
  }
  // The gradient of o from that of p: as it is, spread over the pooling windows, or through the
  // batch norm as A g + B o + C.
  StreamPass pass;
  pass.limit_shift = s.fine_bits == 0 ? kNarrow : 0;
  if (l.batch_norm || s.pooled()) {
    pass.x = &s.output;
    pass.z = &s.gradient;
    pass.scale_x = 0;
    if (s.scattered.address != 0) {
      pass.z = &s.scattered;
    } else if (s.pooled()) {
      pass.window_use = WindowUse::kRoute;
      pass.windows = l.pooling();
    }
    pass.scale_z = 1;
    if (l.batch_norm) {
      load_channels(builder, Table::kScaleX, s.output_scale_table, s, "load B");
      load_channels(builder, Table::kScaleZ, s.gradient_scale_table, s, "load A");
      load_channels(builder, Table::kOffset, s.gradient_offset_table, s, "load C");
      pass.scale_x_source = Scalar::kChannel;
      pass.shift_x = s.output_scale_shift;
      pass.scale_z_per_channel = true;
      pass.shift_z = s.gradient_scale_shift;
      pass.offset = true;
    }
  } else {
    pass.x = &s.gradient;
  }
  if (l.batch_norm) {
    StreamPass largest = pass;
    largest.max_address = s.sample_max;
    largest.max_per_sample = true;
    builder.stream(s.output, largest, "batch-norm backward, maxima");
  }
  if (s.has_value_codes()) {
    (pass.z != nullptr ? pass.shift_z : pass.shift_x) = s.nearest_shift;
    pass.limit_shift = static_cast<std::uint32_t>(32 - l.gradient_bits);
    pass.pack = &s.gradient_codes;
    builder.stream(s.output, pass, "round gradient");
    unfold_gradient(builder, k);
    return;
  }
  load_samples(builder, s, 0);
  pass.quantizer_bits = l.gradient_bits;
  pass.random_state = draw(s.output);
  if (k > 0 || s.lanes == WeightGradientLanes::kPixels) {
    pass.quantizer = Quantizer::kStochastic;
    pass.pack = &s.gradient_codes;
    builder.stream(s.output, pass, "f_G");
  }
  if (s.lanes == WeightGradientLanes::kSamples) {
    // The same draws again, so the same codes
    pass.quantizer = Quantizer::kStochasticScaled;
    pass.pack = &s.scaled_gradient;
    builder.stream(s.output, pass, "f_G, scaled");
  }
  unfold_gradient(builder, k);
}

void AcceleratorEngine::unfold_gradient(ProgramBuilder& builder, std::size_t k) {
  const LayerState& s = layout_.layers[k];
  if (s.lanes != WeightGradientLanes::kPixels) return;
  builder.set_place(s.layer.name, "unfold");
  builder.unfold(s.gradient_codes, s.gradient_unfolded, s.layer, true);
}

/// The gradient of the layer that layer k reads, as far as it comes through k: that gradient itself
/// if k is its first reader, else a branch.
void AcceleratorEngine::backward_input(ProgramBuilder& builder, std::size_t k) {
  LayerState& s = layout_.layers[k];
  LayerState& below = input_of(k);
  builder.set_place(s.layer.name, "backward_input");
  const bool is_first = is_first_reader(k);
  // The gradient of a bound is of what the clip cuts off, so that must come before the clip.
  const bool clips_later = below.cut_sum != 0;
  StreamPass drain;
  drain.store = is_first ? &below.gradient : &s.branch;
  drain.limit_shift = kNarrow;
  drain.shift_x = is_first ? below.gradient_shift : s.branch_shift;
  drain.max_address = is_first ? below.gradient_max : s.branch_max;
  drain.max_per_sample = true;
  if (below.is_clipped()) {
    if (!clips_later) load_clip(builder, below, below.low_table, below.high_table);
    drain.z = &below.kept;
    drain.mask = !clips_later;  // else z is read for its tags, times 0
    if (below.activation.triangle) drain.slope = SlopeFunction::kTriangle;
    if (!clips_later) sum_gradient(drain, below);
  }
  if (s.has_weights()) {
    if (!s.has_value_codes()) load_samples(builder, s, s.fine_bits);
    drain.scale_x_source = s.has_value_codes() ? Scalar::kConstant : Scalar::kSample;
    builder.multiply(WindowMode::kBackwardInput, s.layer,
                     s.is_last ? s.scaled_gradient : s.gradient_codes, s.weight_codes_by_output,
                     *drain.store, drain, "backward_input");
  } else {
    spread_gradient(builder, s, drain);
  }
}

/// The sums per channel that bias or batch norm ask for, unless other gradients are still added.
void AcceleratorEngine::sum_gradient(StreamPass& pass, const LayerState& s) {
  if (s.has_joint) return;
  pass.sum_address = s.gradient_sums;
  pass.sum_per_channel = true;
  if (s.layer.batch_norm) pass.second_sum = SecondSum::kDot;
}

void AcceleratorEngine::load_clip(ProgramBuilder& builder, const LayerState& s, std::uint32_t low,
                                  std::uint32_t high) {
  load_channels(builder, Table::kMaskLow, low, s, "load clip bounds");
  load_channels(builder, Table::kMaskHigh, high, s, "load clip bounds");
}

/// The sum of the gradients that the clip of layer k cuts off above, then the clip.
void AcceleratorEngine::clip_gradient(ProgramBuilder& builder, std::size_t k) {
  LayerState& s = layout_.layers[k];
  StreamPass pass;
  pass.x = &s.gradient;
  pass.z = &s.kept;
  pass.mask = true;
  pass.limit_shift = kNarrow;
  StreamPass cut = pass;
  cut.sum_address = s.cut_sum;
  load_clip(builder, s, s.cut_low_table, s.cut_high_table);
  builder.stream(s.gradient, cut, "sum of what the clip cuts off");
  pass.store = &s.gradient;
  sum_gradient(pass, s);
  load_clip(builder, s, s.low_table, s.high_table);
  builder.stream(s.gradient, pass, "clip the gradient");
}

/// Products between channels of different groups do not count.
void AcceleratorEngine::mask_weight_gradient(ProgramBuilder& builder, const LayerState& s) {
  const int rows = Geometry(config_).chunks(s.weights.channels);
  builder.load_table(Table::kMaskLow, s.ones_table, rows, 0, "load places of weights");
  builder.load_table(Table::kMaskHigh, s.ones_table, rows, 0, "load places of weights");
  StreamPass mask;
  mask.x = &s.weight_gradient;
  mask.z = &s.weight_places;
  mask.mask = true;
  mask.store = &s.weight_gradient;
  mask.max_address = s.weight_gradient_max;
  builder.stream(s.weight_gradient, mask, "mask of groups");
}

/// The weight gradient, and the update unless it waits for the gradient's maximum.
void AcceleratorEngine::backward_weight(ProgramBuilder& builder, std::size_t k) {
  LayerState& s = layout_.layers[k];
  const Layer& l = s.layer;
  if (!s.has_weights()) return;
  builder.set_place(l.name, "backward_weight");
  StreamPass drain;
  drain.store = &s.weight_gradient;
  drain.shift_x = s.weight_gradient_shift;
  if (!s.has_holes()) drain.max_address = s.weight_gradient_max;
  if (s.lanes == WeightGradientLanes::kPixels) {
    if (!s.has_value_codes()) {
      load_samples(builder, s, s.fine_bits);
      drain.scale_x_source = Scalar::kSample;
    }
    builder.multiply_samples(l, s.gradient_unfolded, s.input_unfolded, s.weight_gradient, drain,
                             "backward_weight");
  } else {
    builder.set_place(l.name, "transpose");
    builder.transpose(s.scaled_gradient, s.scaled_gradient_by_sample);
    if (k > 0) builder.transpose(s.input_codes, s.input_by_sample);
    builder.set_place(l.name, "backward_weight");
    builder.multiply(WindowMode::kBackwardWeight, l, s.scaled_gradient_by_sample, s.input_by_sample,
                     s.weight_gradient, drain, "backward_weight");
  }
  if (s.has_holes()) mask_weight_gradient(builder, s);
  if (!on_grid(k)) update_weights(builder, k);
}

/// f_G of layer k, the weight gradient of the layer above while the turner unfolds layer k's
/// gradient, and the gradient of the layer that it reads. Then the gradient of the layer below is
/// complete.
Program AcceleratorEngine::backward_program(std::size_t k) {
  ProgramBuilder builder(config_);
  quantize_gradient(builder, k);
  for (const std::size_t one : differentiated_by(k)) backward_weight(builder, one);
  if (k == 0) return builder.take();
  if (layout_.layers[k].input >= 0) backward_input(builder, k);
  complete_gradient(builder, k - 1);
  return builder.take();
}

/// The layers whose weight gradients backward_program(k) makes.
std::vector<std::size_t> AcceleratorEngine::differentiated_by(std::size_t k) const {
  std::vector<std::size_t> layers;
  if (k + 1 < layout_.layers.size()) layers.push_back(k + 1);
  if (k == 0) layers.push_back(0);
  return layers;
}

}  // namespace solfege
