// SPDX-License-Identifier: Apache-2.0
// The programs of a training step. The host's scalars are in accelerator_host.cpp; gradients that
// come from windows or from several layers are in accelerator_gradients.cpp.
#include "model/host/accelerator_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "model/base/error.hpp"
#include "model/base/hash.hpp"
#include "model/host/accelerator_host.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/lfsr.hpp"

namespace solfege {

AcceleratorEngine::AcceleratorEngine(const Config& config, const Network& network, int batch,
                                     std::uint64_t seed, const MakeDevice& make_device)
    : config_(config),
      network_(with_pointwise_head(network)),
      batch_(batch),
      learning_rate_(network.learning_rate),
      image_layer_(network.layers.front()),
      random_state_(seeded_state(config.random_seed)) {
  if (batch < 1 || batch > config.max_batch)
    throw InputError(fmt::format(
        "--batch {}: stream.max_batch of the configuration is {}: {}", batch, config.max_batch,
        batch < 1 ? "choose 1 or more"
                  : advise_at_least("stream.max_batch", batch, "lower --batch") +
                        fmt::format(" or --batch {}", config.max_batch)));
  TrainingLayouts layouts = lay_out_training(config_, network_, batch_);
  device_ = make_device(layouts.size_bytes);
  if (device_->memory().size() < layouts.size_bytes)
    throw std::logic_error("device memory too small");
  host_ = HostMemory(*device_, layouts.regions);
  precisions_ = std::move(layouts.precisions);
  std::swap(layout_, precisions_[0]);
  const std::size_t own_weights = network_.curriculum == Curriculum::kGuided ? 2 : 1;
  for (std::size_t p = precisions_.size(); p-- > 0;) {
    activate(p);
    initialise_constants();
    if (p < own_weights) initialise_weights(seed);
  }
}

/// The precision that programs are of from now on. The layouts of the others wait in `precisions_`.
void AcceleratorEngine::activate(std::size_t precision) {
  if (precision == active_) return;
  swap_to(precision);
  write_weight_constants();
}

void AcceleratorEngine::swap_to(std::size_t precision) {
  std::swap(layout_, precisions_[active_]);
  active_ = precision;
  std::swap(layout_, precisions_[active_]);
}

std::size_t AcceleratorEngine::precisions() const {
  return network_.curriculum == Curriculum::kPhases ? 1 : precisions_.size();
}

void AcceleratorEngine::set_precision(std::size_t index) {
  if (index >= precisions()) throw std::logic_error("no such precision");
  if (network_.curriculum != Curriculum::kPhases) activate(index);
}

AcceleratorEngine::~AcceleratorEngine() = default;

void AcceleratorEngine::initialise_weights(std::uint64_t seed) {
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
    LayerState& s = layout_.layers[k];
    if (!s.has_weights()) continue;
    const auto initial = initial_weights(network_, static_cast<int>(k), seed);
    write_fixed(s, s.weights, {initial.begin(), initial.end()});
    if (s.has_holes()) write_weight_places(s);
  }
  measure_all_weights();
}

/// What of a layout never changes: zeros outside of windows, and the weights of averages.
void AcceleratorEngine::initialise_constants() {
  ProgramBuilder builder(config_);
  bool is_empty = true;
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
    LayerState& s = layout_.layers[k];
    builder.set_place(s.layer.name, "initial");
    if (!s.has_weights()) write_unit_matrix(s.weight_codes.front());
    if (s.scattered.address == 0) continue;
    clear(builder, s.layer.is_average ? input_of(k).gradient : s.output, s.scattered);
    is_empty = false;
  }
  if (!is_empty) device_->run(builder.take());
}

/// The scalars of f_W, of master weights that the host has written.
void AcceleratorEngine::measure_all_weights() {
  ProgramBuilder builder(config_);
  for (LayerState& s : layout_.layers) {
    if (!s.has_weights()) continue;
    builder.set_place(s.layer.name, "initial");
    write_range_offsets(s);
    StreamPass pass;
    pass.x = &s.weights;
    measure_weights(builder, s, pass, "measure weights");
  }
  device_->run(builder.take());
  write_weight_constants();
}

double AcceleratorEngine::zero_gradient_share(int layer) {
  const ElementTensor& t = layout_.layers.at(static_cast<std::size_t>(layer)).gradient;
  std::uint64_t zeros = 0;
  for (int row = 0; row < t.rows; ++row)
    for (int pixel = 0; pixel < t.pixels; ++pixel)
      for (int channel = 0; channel < t.channels; ++channel)
        // A tagged element has its value in the lower half.
        zeros += *host_.read<std::int16_t>(t.element_address(row, pixel, channel)) == 0;
  return static_cast<double>(zeros) /
         (static_cast<double>(t.rows) * t.pixels * static_cast<double>(t.channels));
}

std::vector<std::uint64_t> AcceleratorEngine::weight_fingerprints() {
  std::vector<std::uint64_t> fingerprints;
  for (const LayerState& s : layout_.layers) {
    if (!s.has_weights()) continue;
    const std::size_t bytes = s.weights.size_bytes();
    fingerprints.push_back(fingerprint(host_.read<std::uint8_t>(s.weights.address, bytes), bytes));
  }
  return fingerprints;
}

/// Copies the windows' bytes into the blocked layout; no arithmetic on pixels.
void AcceleratorEngine::write_images(const std::uint8_t* pixels, int count) {
  const ElementTensor& t = layout_.images;
  auto* memory = host_.write<std::uint8_t>(t.address, t.size_bytes());
  std::memset(memory, 0, t.size_bytes());
  const Layer& l = image_layer_;
  std::vector<std::uint8_t> window(static_cast<std::size_t>(t.channels));
  for (int sample = 0; sample < count; ++sample) {
    for (int y = 0; y < l.out_height; ++y) {
      for (int x = 0; x < l.out_width; ++x) {
        std::fill(window.begin(), window.end(), std::uint8_t{0});
        for (int ky = 0; ky < l.kernel_height; ++ky) {
          const int iy = l.stride_height * y + ky - l.padding_height;
          if (iy < 0 || iy >= l.in_height) continue;
          for (int kx = 0; kx < l.kernel_width; ++kx) {
            const int ix = l.stride_width * x + kx - l.padding_width;
            if (ix < 0 || ix >= l.in_width) continue;
            std::memcpy(
                window.data() + (ky * l.kernel_width + kx) * l.in_channels,
                pixels + static_cast<std::size_t>((sample * l.in_height + iy) * l.in_width + ix) *
                             static_cast<std::size_t>(l.in_channels),
                static_cast<std::size_t>(l.in_channels));
          }
        }
        for (int first = 0; first < t.channels; first += kBlock)
          std::memcpy(memory + t.offset(sample, y * l.out_width + x, first), window.data() + first,
                      static_cast<std::size_t>(std::min(kBlock, t.channels - first)));
      }
    }
  }
}

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
    builder.set_place("input", "forward");
    StreamPass pack_images;
    pack_images.x = &layout_.images;
    pack_images.pack = &s.input_codes;
    builder.stream(layout_.images, pack_images, "pack images");
    for (LayerState& layer : layout_.layers) quantize_weights(builder, layer, training);
  } else {
    quantize_activations(builder, k - 1, training);
  }
  if (training && s.has_weights() && s.lanes == WeightGradientLanes::kPixels) {
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
  return builder.take();
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
    builder.transpose(s.input_codes, s.input_by_sample);
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

double AcceleratorEngine::train_step(const std::uint8_t* pixels, const std::uint8_t* labels,
                                     int batch) {
  if (batch != batch_) throw std::logic_error("a training step takes whole batches");
  const std::uint64_t accesses_before = host_.accesses(MemoryContent::kElements);
  write_images(pixels, batch);
  std::vector<double> targets = one_hot(labels);
  double loss = 0.0;
  for (const StepPart& part : step_parts(network_, active_)) {
    activate(part.precision);
    part_ = part;
    if (part.forward) run_forward();
    if (!part.backward) continue;
    const double own_loss = write_loss_gradient(targets);
    if (part.precision == 0 || network_.curriculum == Curriculum::kPhases) loss = own_loss;
    // Each precision learns the probabilities of the one before.
    if (network_.curriculum == Curriculum::kJoint) targets = probabilities();
    run_backward();
    update_scalars();
  }
  if (network_.curriculum != Curriculum::kPhases) activate(0);
  write_weight_constants();
  host_element_operations_ += host_.accesses(MemoryContent::kElements) - accesses_before;
  return loss;
}

void AcceleratorEngine::run_forward() {
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
    write_output_scale(k, true);
    device_->run(forward_program(k, true));
    read_statistics(layout_.layers[k], true);
    write_activation_constants(layout_.layers[k]);
  }
}

void AcceleratorEngine::run_backward() {
  for (std::size_t k = layout_.layers.size(); k-- > 0;) {
    write_gradient_constants(k);
    device_->run(backward_program(k));
    if (k > 0) fit_gradients(k);
    for (const std::size_t updated : differentiated_by(k))
      if (on_grid(updated)) device_->run(grid_program(updated));
  }
}

void AcceleratorEngine::set_progress(double share) {
  if (network_.curriculum != Curriculum::kPhases) return;
  const std::size_t phase = phase_at(network_, share);
  if (phase == active_) return;
  const std::vector<LayerState> before = layout_.layers;
  activate(phase);
  for (std::size_t k = 0; k < before.size(); ++k) layout_.layers[k].continue_from(before[k]);
}

Inference AcceleratorEngine::infer(const std::uint8_t* pixels, int images, bool with_codes) {
  Inference result;
  if (with_codes) result.codes.resize(layout_.layers.size() - 1);
  const Layer& l = image_layer_;
  const std::size_t image = static_cast<std::size_t>(l.in_height) *
                            static_cast<std::size_t>(l.in_width) *
                            static_cast<std::size_t>(l.in_channels);
  for (int first = 0; first < images; first += batch_) {
    const int count = std::min(batch_, images - first);
    write_images(pixels + static_cast<std::size_t>(first) * image, count);
    for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
      const int training_shift = layout_.layers[k].output_shift;
      write_inference_constants(k);
      device_->run(forward_program(k, false));
      layout_.layers[k].output_shift = training_shift;
    }
    const std::vector<double> logits = read_logits(count);
    result.logits.insert(result.logits.end(), logits.begin(), logits.end());
    for (std::size_t k = 0; k < result.codes.size(); ++k) {
      const std::vector<std::int32_t> codes = read_codes(layout_.layers[k].codes, count);
      result.codes[k].insert(result.codes[k].end(), codes.begin(), codes.end());
    }
  }
  return result;
}

std::vector<Program> AcceleratorEngine::step_programs() {
  const std::uint64_t state = random_state_;
  std::vector<Program> programs;
  const std::size_t active = active_;
  for (const StepPart& part : step_parts(network_, active_)) {
    activate(part.precision);
    part_ = part;
    append_programs(programs);
  }
  activate(active);
  random_state_ = state;
  return programs;
}

/// Those of a part of a step.
void AcceleratorEngine::append_programs(std::vector<Program>& programs) {
  if (part_.forward)
    for (std::size_t k = 0; k < layout_.layers.size(); ++k)
      programs.push_back(forward_program(k, true));
  if (!part_.backward) return;
  for (std::size_t k = layout_.layers.size(); k-- > 0;) {
    programs.push_back(backward_program(k));
    for (const std::size_t updated : differentiated_by(k))
      if (on_grid(updated)) programs.push_back(grid_program(updated));
  }
}

}  // namespace solfege
