// SPDX-License-Identifier: Apache-2.0
#include "model/accelerator_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "model/error.hpp"
#include "model/lfsr.hpp"
#include "model/tanh_slope.hpp"

namespace solfege {
namespace {

constexpr double kWeightUnit = 1.0 / (1 << kWeightFractionBits);
/// Fraction bits of the logit gradient softmax - one-hot, a 16-bit operand.
constexpr int kLogitGradientBits = 14;
constexpr int kLogitPlanes = 16;
/// Pre-activations are kept so that the stored width spans at least this range around 0, of which
/// f_A uses [0, 1].
constexpr double kPreActivationRange = 8.0;
/// Bits that the largest stored gradient of a tensor should have: one below saturation at 16.
constexpr int kGradientTargetBits = 14;

/// factor ~ mantissa * 2^-shift with a 15-bit mantissa, for a multiplier of 16 bits.
struct FixedScale {
  std::int32_t mantissa;
  int shift;
};
FixedScale fixed_scale(double factor) {
  if (factor == 0.0) return {0, 0};
  int exponent = 0;
  std::frexp(std::abs(factor), &exponent);  // in [2^(exponent-1), 2^exponent)
  const int shift = std::clamp(15 - exponent, 0, 62);
  const double scaled = std::ldexp(factor, shift);
  return {static_cast<std::int32_t>(std::clamp(std::round(scaled), -32767.0, 32767.0)), shift};
}

std::int32_t to_threshold(double value) {
  return static_cast<std::int32_t>(std::clamp(std::ceil(value), -2147483648.0, 2147483647.0));
}

int bit_length(std::uint64_t value) {
  int bits = 0;
  while (value >> bits) ++bits;
  return bits;
}

double levels(int bits) { return (1 << bits) - 1; }

}  // namespace

/// Everything a layer keeps on the device, and the host's scalars.
struct AcceleratorEngine::LayerState {
  Layer layer;
  // Device tensors
  ElementTensor weights, momentum, weight_gradient;   ///< fixed point
  ElementTensor output;                               ///< pre-activations, or logits
  ElementTensor gradient;                             ///< of the output, masked by the clip
  PackedTensor weight_codes, weight_codes_by_output;  ///< lanes along cin; along cout
  PackedTensor codes, codes_by_sample;                ///< f_A of the output: next layer's input
  PackedTensor gradient_codes;                        ///< lanes along cout
  PackedTensor scaled_gradient, scaled_gradient_by_sample;  ///< M (2c - n), or the logit gradient
  std::uint32_t threshold_table = 0;                        ///< f_W, shared by all channels
  std::uint32_t activation_table = 0;                       ///< f_A per channel
  std::uint32_t low_table = 0, high_table = 0;
  std::uint32_t sample_max = 0;  ///< M per sample
  std::uint32_t bias_sum = 0;    ///< sum of the gradient per channel
  std::uint32_t weight_max = 0, weight_sum = 0;
  // Host scalars
  std::vector<double> bias, bias_momentum;
  double weight_scale = 1.0;  ///< s of the weight code
  double weight_peak = 1.0;   ///< max |w|
  double input_scale = 1.0;   ///< value of one input code
  double output_scale = 1.0;  ///< value of one stored output unit
  int output_shift = 0;
  double gradient_scale = 1.0;  ///< value of one stored gradient unit
  int gradient_shift = 0;       ///< of the drain that makes `gradient`
  bool is_last = false;
};

AcceleratorEngine::AcceleratorEngine(const Config& config, const Network& network, int batch,
                                     std::uint64_t seed, const MakeDevice& make_device)
    : config_(config),
      network_(network),
      batch_(batch),
      learning_rate_(network.learning_rate),
      random_state_(config.random_seed) {
  if (batch < 1 || batch > config.max_batch)
    throw InputError(
        fmt::format("--batch {}: allowed 1..{} (stream.max_batch of the configuration)", batch,
                    config.max_batch));
  allocate();
  device_ = make_device(next_address_);
  if (device_->memory().size() < next_address_) throw std::logic_error("device memory too small");
  initialise_weights(seed);
}

AcceleratorEngine::~AcceleratorEngine() = default;

template <typename T>
T* AcceleratorEngine::data(std::uint32_t address) const {
  return reinterpret_cast<T*>(device_->memory().data() + address);
}

void AcceleratorEngine::allocate() {
  // Tensors start at 4 KiB boundaries, so bursts and beats never straddle two of them. Address 0
  // stays unused, so that 0 can mean "none".
  next_address_ = 4096;
  auto take = [&](std::uint64_t bytes) {
    const std::uint32_t address = next_address_;
    const std::uint64_t end = next_address_ + (bytes + 4095) / 4096 * 4096;
    if (end > 0xf0000000u)
      throw InputError(
          fmt::format("network {} with batch {} needs more than the 4 GiB a 32-bit address "
                      "reaches; lower --batch",
                      network_.name, batch_));
    next_address_ = static_cast<std::uint32_t>(end);
    return address;
  };
  auto elements = [&](const std::string& name, int rows, int pixels, int channels, int bytes) {
    ElementTensor t{name, 0, rows, pixels, channels, bytes};
    t.address = take(t.size_bytes());
    return t;
  };
  auto planes = [&](const std::string& name, int rows, int pixels, int count, int lanes,
                    bool columns, PlaneType type) {
    PackedTensor t;
    t.name = name;
    t.rows = rows;
    t.pixels = pixels;
    t.planes = count;
    t.lanes = lanes;
    t.columns = columns;
    t.type = type;
    t.group = columns ? config_.columns : config_.rows;
    t.word_lanes = config_.lanes;
    t.address = take(t.size_bytes());
    return t;
  };

  // The first layer sees each of its windows as one pixel of kernel x kernel x channels: the same
  // products, but one or three channels would leave most lanes idle. write_images lays the windows
  // out.
  Layer& head = network_.layers.front();
  image_layer_ = head;
  head.in_channels = head.fan_in();
  head.in_height = head.out_height;
  head.in_width = head.out_width;
  head.kernel_height = head.kernel_width = head.stride = 1;
  head.padding = 0;
  images_ = elements("images", batch_, head.in_height * head.in_width, head.in_channels, 1);
  image_codes_ = planes("image codes", batch_, images_.pixels, head.input_bits, head.in_channels,
                        false, PlaneType::kUnipolar);
  image_codes_by_sample_ = planes("image codes by sample", head.in_channels, images_.pixels,
                                  head.input_bits, batch_, true, PlaneType::kUnipolar);

  for (std::size_t k = 0; k < network_.layers.size(); ++k) {
    const Layer& l = network_.layers[k];
    LayerState s;
    s.layer = l;
    s.is_last = k + 1 == network_.layers.size();
    const int taps = l.kernel_height * l.kernel_width;
    const int pixels = l.out_height * l.out_width;
    const std::string& n = l.name;
    auto check_channels = [&](int need, int have, const char* key) {
      if (need > have)
        throw InputError(
            fmt::format("stream.{} = {}: layer {} has {} channels; raise it to {} or more", key,
                        have, n, need, need));
    };
    check_channels(l.out_channels, config_.table_channels, "table_channels");
    if (!s.is_last)
      check_channels(l.out_channels, config_.threshold_channels, "threshold_channels");
    s.weights = elements(n + ".weights", l.out_channels, taps, l.in_channels, 4);
    s.momentum = elements(n + ".momentum", l.out_channels, taps, l.in_channels, 4);
    s.weight_gradient = elements(n + ".weight_gradient", l.out_channels, taps, l.in_channels, 4);
    // Logits are few and wanted exactly; pre-activations have the stored width.
    s.output = elements(n + (s.is_last ? ".logits" : ".output"), batch_, pixels, l.out_channels,
                        s.is_last ? 4 : config_.stored_bits / 8);
    s.gradient = elements(n + ".gradient", batch_, pixels, l.out_channels, 2);
    s.weight_codes = planes(n + ".weight_codes", l.out_channels, taps, l.weight_bits, l.in_channels,
                            true, PlaneType::kBipolar);
    if (k > 0)
      s.weight_codes_by_output = planes(n + ".weight_codes_by_output", l.in_channels, taps,
                                        l.weight_bits, l.out_channels, true, PlaneType::kBipolar);
    if (!s.is_last) {
      s.codes = planes(n + ".codes", batch_, pixels, l.output_bits, l.out_channels, false,
                       PlaneType::kUnipolar);
      s.codes_by_sample = planes(n + ".codes_by_sample", l.out_channels, pixels, l.output_bits,
                                 batch_, true, PlaneType::kUnipolar);
      s.gradient_codes = planes(n + ".gradient_codes", batch_, pixels, l.gradient_bits,
                                l.out_channels, false, PlaneType::kBipolar);
    }
    // |M (2c - n)| < 2^15 2^G: G + 16 planes with the sign
    const int scaled_planes = s.is_last ? kLogitPlanes : l.gradient_bits + 16;
    s.scaled_gradient = planes(n + ".scaled_gradient", batch_, pixels, scaled_planes,
                               l.out_channels, false, PlaneType::kSigned);
    s.scaled_gradient_by_sample = planes(n + ".scaled_gradient_by_sample", l.out_channels, pixels,
                                         scaled_planes, batch_, false, PlaneType::kSigned);
    const auto lanes = static_cast<std::uint64_t>(config_.stream_lanes);
    const auto channel_words = static_cast<std::uint64_t>(s.output.pitch()) + lanes;
    s.threshold_table = take(4 * lanes << l.weight_bits);
    if (!s.is_last) {
      s.activation_table = take(4 * channel_words << l.output_bits);
      s.low_table = take(4 * channel_words);
      s.high_table = take(4 * channel_words);
    }
    s.sample_max = take(4 * static_cast<std::uint64_t>(config_.max_batch));
    s.bias_sum = take(8 * channel_words);
    s.weight_max = take(8);
    s.weight_sum = take(8);
    s.bias.assign(static_cast<std::size_t>(l.out_channels), 0.0);
    s.bias_momentum = s.bias;
    s.input_scale = 1.0 / levels(l.input_bits);

    // Overflow: the longest sums of this layer must fit the accumulators.
    auto check_sum = [&](const char* pass, double terms, int a, int b) {
      const int need = 1 + a + b + static_cast<int>(std::ceil(std::log2(terms)));
      if (need > config_.accumulator_bits)
        throw InputError(
            fmt::format("array.accumulator_bits = {}: {} of layer {} with batch {} needs {}; raise "
                        "it, or lower --batch",
                        config_.accumulator_bits, pass, n, batch_, need));
    };
    check_sum("forward", l.fan_in(), l.input_bits, l.weight_bits);
    check_sum("backward_weight", static_cast<double>(batch_) * pixels, scaled_planes - 1,
              l.input_bits);
    if (k > 0)
      check_sum("backward_input", static_cast<double>(taps) * l.out_channels,
                s.is_last ? 15 : l.gradient_bits, l.weight_bits);
    // Before anything is known of the gradients: the bound of their sums, which cannot saturate.
    if (k > 0) {
      const double bound = static_cast<double>(taps) * l.out_channels * levels(l.weight_bits) *
                           (s.is_last ? 32768.0 : levels(l.gradient_bits) * 32768.0);
      layers_.back().gradient_shift =
          std::max(0, static_cast<int>(std::ceil(std::log2(bound))) - 15);
    }
    layers_.push_back(std::move(s));
  }
}

void AcceleratorEngine::initialise_weights(std::uint64_t seed) {
  ProgramBuilder builder(config_);
  for (std::size_t k = 0; k < layers_.size(); ++k) {
    LayerState& s = layers_[k];
    const auto initial = initial_weights(network_, static_cast<int>(k), seed);
    auto* weights = data<std::int32_t>(s.weights.address);
    std::size_t next = 0;
    for (int row = 0; row < s.weights.rows * s.weights.pixels; ++row)
      for (int channel = 0; channel < s.weights.channels; ++channel)
        weights[static_cast<std::size_t>(row) * static_cast<std::size_t>(s.weights.pitch()) +
                static_cast<std::size_t>(channel)] =
            static_cast<std::int32_t>(
                std::lround(std::ldexp(static_cast<double>(initial[next++]), kWeightFractionBits)));
    builder.set_place(s.layer.name, "initial");
    StreamPass pass;
    pass.x = &s.weights;
    pass.max_address = s.weight_max;
    pass.sum_address = s.weight_sum;
    pass.sum_absolute = true;
    builder.stream(s.weights, pass, "measure weights");
  }
  device_->run(builder.take());
  write_weight_constants();
}

std::vector<std::int32_t> AcceleratorEngine::weights(int layer) const {
  const ElementTensor& t = layers_[static_cast<std::size_t>(layer)].weights;
  std::vector<std::int32_t> values;
  const auto* memory = data<std::int32_t>(t.address);
  for (int row = 0; row < t.rows * t.pixels; ++row)
    for (int channel = 0; channel < t.channels; ++channel)
      values.push_back(memory[static_cast<std::size_t>(row) * static_cast<std::size_t>(t.pitch()) +
                              static_cast<std::size_t>(channel)]);
  return values;
}

/// Copies the windows' bytes into the padded layout; no arithmetic on pixels.
void AcceleratorEngine::write_images(const std::uint8_t* pixels, int count) {
  auto* memory = data<std::uint8_t>(images_.address);
  std::memset(memory, 0, images_.size_bytes());
  const Layer& l = image_layer_;
  const auto channels = static_cast<std::size_t>(l.in_channels);
  for (int sample = 0; sample < count; ++sample) {
    for (int y = 0; y < l.out_height; ++y) {
      for (int x = 0; x < l.out_width; ++x) {
        for (int ky = 0; ky < l.kernel_height; ++ky) {
          for (int kx = 0; kx < l.kernel_width; ++kx) {
            const int iy = l.stride * y + ky - l.padding, ix = l.stride * x + kx - l.padding;
            if (iy < 0 || iy >= l.in_height || ix < 0 || ix >= l.in_width) continue;
            const int pixel = (sample * l.out_height + y) * l.out_width + x;
            const int source = (sample * l.in_height + iy) * l.in_width + ix;
            std::memcpy(
                memory + static_cast<std::size_t>(pixel * images_.pitch() +
                                                  (ky * l.kernel_width + kx) * l.in_channels),
                pixels + static_cast<std::size_t>(source) * channels, channels);
          }
        }
      }
    }
  }
}

/// Per-layer scalars of f_W from max |w| and sum |w|, which the last update pass measured.
void AcceleratorEngine::write_weight_constants() {
  for (LayerState& s : layers_) {
    const int bits = s.layer.weight_bits;
    const double count =
        static_cast<double>(s.weights.rows) * s.weights.pixels * s.weights.channels;
    s.weight_peak = *data<std::uint32_t>(s.weight_max) * kWeightUnit;
    const double mean =
        static_cast<double>(*data<std::int64_t>(s.weight_sum)) * kWeightUnit / count;
    s.weight_scale = bits == 1 ? mean : 1.0;
    // Thresholds in heap order, the same in every lane: node j of the tree holds the in-order
    // threshold.
    const int nodes = (1 << bits) - 1;
    auto* table = data<std::int32_t>(s.threshold_table);
    for (int node = 1; node <= nodes; ++node) {
      const int level = bit_length(static_cast<std::uint64_t>(node)) - 1;
      const int rank = ((2 * (node - (1 << level)) + 1) << (bits - level - 1));  // in order, from 1
      double threshold = 0.0;
      if (bits > 1)
        threshold =
            std::atanh(std::tanh(s.weight_peak) * (2.0 * rank - 1.0 - levels(bits)) / levels(bits));
      for (int lane = 0; lane < config_.stream_lanes; ++lane)
        table[(node - 1) * config_.stream_lanes + lane] = to_threshold(threshold / kWeightUnit);
    }
  }
  write_activation_constants();
}

/// Thresholds of f_A and the clip's bounds per channel, in units of the stored output.
void AcceleratorEngine::write_activation_constants() {
  for (LayerState& s : layers_) {
    const Layer& l = s.layer;
    const double sum_scale = s.input_scale * s.weight_scale / levels(l.weight_bits);
    s.output_shift = 0;
    if (!s.is_last && config_.stored_bits == 16) {
      const double bound = l.fan_in() * levels(l.input_bits) * levels(l.weight_bits);
      const double wanted = std::min(bound, kPreActivationRange / std::max(sum_scale, 1e-30));
      s.output_shift = std::max(0, static_cast<int>(std::ceil(std::log2(wanted / 32767.0))));
    }
    s.output_scale = std::ldexp(sum_scale, s.output_shift);
    if (s.is_last) continue;
    const int lanes = config_.stream_lanes;
    const int nodes = (1 << l.output_bits) - 1;
    const int chunks = s.output.pitch() / lanes;
    auto* table = data<std::int32_t>(s.activation_table);
    auto* low = data<std::int32_t>(s.low_table);
    auto* high = data<std::int32_t>(s.high_table);
    for (int channel = 0; channel < chunks * lanes; ++channel) {
      const double bias =
          channel < l.out_channels ? s.bias[static_cast<std::size_t>(channel)] : 0.0;
      const int chunk = channel / lanes, lane = channel % lanes;
      for (int node = 1; node <= nodes; ++node) {
        const int level = bit_length(static_cast<std::uint64_t>(node)) - 1;
        const int rank = ((2 * (node - (1 << level)) + 1) << (l.output_bits - level - 1));
        const double value = (2.0 * rank - 1.0) / (2.0 * nodes);
        table[(chunk * nodes + node - 1) * lanes + lane] =
            to_threshold((value - bias) / s.output_scale);
      }
      low[channel] = to_threshold((0.0 - bias) / s.output_scale);
      high[channel] = static_cast<std::int32_t>(
          std::clamp(std::floor((1.0 - bias) / s.output_scale), -2147483648.0, 2147483647.0));
    }
  }
}

Program AcceleratorEngine::forward_program(bool training) {
  ProgramBuilder builder(config_);
  builder.set_place("input", "forward");
  StreamPass pack_images;
  pack_images.x = &images_;
  pack_images.pack = &image_codes_;
  builder.stream(images_, pack_images, "pack images");
  const PackedTensor* input = &image_codes_;
  for (LayerState& s : layers_) {
    const Layer& l = s.layer;
    builder.set_place(l.name, "forward");
    builder.load_table(Table::kThreshold, s.threshold_table, (1 << l.weight_bits) - 1,
                       l.weight_bits, "load f_W thresholds");
    StreamPass quantize_weights;
    quantize_weights.x = &s.weights;
    quantize_weights.quantizer = Quantizer::kThreshold;
    quantize_weights.quantizer_bits = l.weight_bits;
    quantize_weights.pack = &s.weight_codes;
    builder.stream(s.weights, quantize_weights, "f_W");
    if (training && s.weight_codes_by_output.address != 0)
      builder.transpose(s.weight_codes, s.weight_codes_by_output);

    StreamPass drain;
    drain.store = &s.output;
    drain.shift_x = s.output_shift;
    builder.multiply(WindowMode::kForward, l, *input, s.weight_codes, s.output, drain, "forward");
    if (s.is_last) break;
    const int chunks = s.output.pitch() / config_.stream_lanes;
    builder.load_table(Table::kThreshold, s.activation_table, chunks * ((1 << l.output_bits) - 1),
                       l.output_bits, "load f_A thresholds");
    StreamPass quantize;
    quantize.x = &s.output;
    quantize.quantizer = Quantizer::kThreshold;
    quantize.quantizer_bits = l.output_bits;
    quantize.threshold_per_channel = true;
    quantize.pack = &s.codes;
    builder.stream(s.output, quantize, "f_A");
    input = &s.codes;
  }
  return builder.take();
}

Program AcceleratorEngine::backward_program() {
  ProgramBuilder builder(config_);
  for (std::size_t k = layers_.size(); k-- > 0;) {
    LayerState& s = layers_[k];
    const Layer& l = s.layer;
    const PackedTensor& input = k == 0 ? image_codes_ : layers_[k - 1].codes;
    const PackedTensor& input_by_sample =
        k == 0 ? image_codes_by_sample_ : layers_[k - 1].codes_by_sample;
    const int sample_rows = config_.max_batch / config_.stream_lanes;

    // f_G of the output's gradient: codes for backward_input, scaled integers for backward_weight
    builder.set_place(l.name, "quantize gradient");
    double gradient_unit = s.gradient_scale;  // value of one unit of the scaled gradient
    if (s.is_last) {
      StreamPass pack;
      pack.x = &s.gradient;
      pack.pack = &s.scaled_gradient;
      pack.sum_address = s.bias_sum;
      pack.sum_per_channel = true;
      builder.stream(s.gradient, pack, "pack logit gradient");
    } else {
      gradient_unit /= levels(l.gradient_bits);
      builder.load_table(Table::kSample, s.sample_max, sample_rows, 0, "load sample maxima");
      StreamPass quantize;
      quantize.x = &s.gradient;
      quantize.quantizer_bits = l.gradient_bits;
      quantize.random_state = draw(s.gradient);
      if (k > 0) {
        quantize.quantizer = Quantizer::kStochastic;
        quantize.pack = &s.gradient_codes;
        builder.stream(s.gradient, quantize, "f_G");
      }
      // The same draws again, so the same codes
      quantize.quantizer = Quantizer::kStochasticScaled;
      quantize.pack = &s.scaled_gradient;
      builder.stream(s.gradient, quantize, "f_G, scaled");
    }

    if (k > 0) {
      LayerState& below = layers_[k - 1];
      builder.set_place(l.name, "backward_input");
      const int below_chunks = below.output.pitch() / config_.stream_lanes;
      builder.load_table(Table::kMaskLow, below.low_table, below_chunks, 0, "load clip bounds");
      builder.load_table(Table::kMaskHigh, below.high_table, below_chunks, 0, "load clip bounds");
      StreamPass drain;
      drain.store = &below.gradient;
      drain.z = &below.output;
      drain.mask = true;
      drain.scale_x_source = s.is_last ? Scalar::kConstant : Scalar::kSample;
      drain.shift_x = below.gradient_shift;
      drain.max_address = below.sample_max;
      drain.max_per_sample = true;
      drain.sum_address = below.bias_sum;
      drain.sum_per_channel = true;
      below.gradient_scale = gradient_unit * s.weight_scale / levels(l.weight_bits) *
                             std::ldexp(1.0, below.gradient_shift);
      builder.multiply(WindowMode::kBackwardInput, l,
                       s.is_last ? s.scaled_gradient : s.gradient_codes, s.weight_codes_by_output,
                       below.gradient, drain, "backward_input");
    }

    builder.set_place(l.name, "backward_weight");
    builder.transpose(s.scaled_gradient, s.scaled_gradient_by_sample);
    builder.transpose(input, input_by_sample);
    // d loss / d w = sum * unit * input scale, times the slope of f_W, in units of the master
    // weights
    double factor = gradient_unit * s.input_scale / kWeightUnit;
    if (l.weight_bits > 1) factor /= std::tanh(s.weight_peak);
    const FixedScale gradient = fixed_scale(factor), decay = fixed_scale(network_.weight_decay);
    StreamPass drain;
    drain.store = &s.weight_gradient;
    drain.z = &s.weights;
    drain.tanh = l.weight_bits > 1;
    drain.scale_x = gradient.mantissa;
    drain.shift_x = gradient.shift;
    drain.scale_z = decay.mantissa;
    drain.shift_z = decay.shift;
    builder.multiply(WindowMode::kBackwardWeight, l, s.scaled_gradient_by_sample, input_by_sample,
                     s.weight_gradient, drain, "backward_weight");

    builder.set_place(l.name, "update");
    const FixedScale momentum = fixed_scale(network_.momentum), rate = fixed_scale(-learning_rate_);
    StreamPass accumulate;
    accumulate.x = &s.weight_gradient;
    accumulate.z = &s.momentum;
    accumulate.scale_z = momentum.mantissa;
    accumulate.shift_z = momentum.shift;
    accumulate.store = &s.momentum;
    builder.stream(s.weights, accumulate, "momentum");
    StreamPass update;
    update.x = &s.momentum;
    update.z = &s.weights;
    update.scale_x = rate.mantissa;
    update.shift_x = rate.shift;
    update.scale_z = 1;
    update.store = &s.weights;
    update.max_address = s.weight_max;
    update.sum_address = s.weight_sum;
    update.sum_absolute = true;
    builder.stream(s.weights, update, "update weights");
  }
  return builder.take();
}

/// The start state for a tensor's draws; the sequence moves on by one number an element in storage
/// order.
std::uint64_t AcceleratorEngine::draw(const ElementTensor& tensor) {
  const std::uint64_t state = random_state_;
  Lfsr next(state);
  next.jump(std::uint64_t{tensor.row_stride()} * static_cast<std::uint64_t>(tensor.rows) *
            static_cast<std::uint64_t>(config_.random_bits));
  random_state_ = next.state();
  return state;
}

std::vector<double> AcceleratorEngine::read_logits(int count) const {
  const LayerState& s = layers_.back();
  const auto* sums = data<std::int32_t>(s.output.address);
  std::vector<double> logits;
  for (int sample = 0; sample < count; ++sample)
    for (int c = 0; c < s.layer.out_channels; ++c)
      logits.push_back(sums[sample * s.output.pitch() + c] * s.output_scale +
                       s.bias[static_cast<std::size_t>(c)]);
  return logits;
}

double AcceleratorEngine::write_loss_gradient(const std::uint8_t* labels) {
  LayerState& s = layers_.back();
  const auto logits = read_logits(batch_);
  const std::size_t classes = static_cast<std::size_t>(s.layer.out_channels);
  auto* gradient = data<std::int16_t>(s.gradient.address);
  double loss = 0.0;
  for (std::size_t sample = 0; sample < static_cast<std::size_t>(batch_); ++sample) {
    const double* row = logits.data() + sample * classes;
    const double peak = *std::max_element(row, row + classes);
    double total = 0.0;
    for (std::size_t c = 0; c < classes; ++c) total += std::exp(row[c] - peak);
    for (std::size_t c = 0; c < classes; ++c) {
      const double probability = std::exp(row[c] - peak) / total;
      const double wanted = c == labels[sample] ? 1.0 : 0.0;
      gradient[sample * static_cast<std::size_t>(s.gradient.pitch()) + c] =
          static_cast<std::int16_t>(
              std::lround(std::ldexp(probability - wanted, kLogitGradientBits)));
    }
    loss -= row[labels[sample]] - peak - std::log(total);
  }
  s.gradient_scale = std::ldexp(1.0, -kLogitGradientBits) / batch_;
  return loss / batch_;
}

/// Biases, and the shifts of the next step's gradients from the maxima of this one's.
void AcceleratorEngine::update_host_state() {
  for (LayerState& s : layers_) {
    const auto* sums = data<std::int64_t>(s.bias_sum);
    for (std::size_t c = 0; c < s.bias.size(); ++c) {
      s.bias_momentum[c] =
          network_.momentum * s.bias_momentum[c] + static_cast<double>(sums[c]) * s.gradient_scale;
      s.bias[c] -= learning_rate_ * s.bias_momentum[c];
    }
    if (s.is_last) continue;
    const auto* maxima = data<std::uint32_t>(s.sample_max);
    const std::uint32_t peak = *std::max_element(maxima, maxima + batch_);
    if (peak != 0)
      s.gradient_shift =
          std::clamp(s.gradient_shift + bit_length(peak) - kGradientTargetBits, 0, 62);
  }
}

double AcceleratorEngine::train_step(const std::uint8_t* pixels, const std::uint8_t* labels,
                                     int batch) {
  if (batch != batch_) throw std::logic_error("a training step takes whole batches");
  write_images(pixels, batch);
  device_->run(forward_program(true));
  const double loss = write_loss_gradient(labels);
  device_->run(backward_program());
  update_host_state();
  write_weight_constants();
  return loss;
}

std::vector<int> AcceleratorEngine::predict(const std::uint8_t* pixels, int batch) {
  std::vector<int> classes;
  const Layer& l = image_layer_;
  const std::size_t image = static_cast<std::size_t>(l.in_height) *
                            static_cast<std::size_t>(l.in_width) *
                            static_cast<std::size_t>(l.in_channels);
  for (int first = 0; first < batch; first += batch_) {
    const int count = std::min(batch_, batch - first);
    write_images(pixels + static_cast<std::size_t>(first) * image, count);
    device_->run(forward_program(false));
    const auto logits = read_logits(count);
    const auto width = static_cast<std::ptrdiff_t>(layers_.back().layer.out_channels);
    for (std::ptrdiff_t i = 0; i < count; ++i)
      classes.push_back(static_cast<int>(
          std::max_element(logits.begin() + i * width, logits.begin() + (i + 1) * width) -
          (logits.begin() + i * width)));
  }
  return classes;
}

std::vector<Program> AcceleratorEngine::step_programs() {
  const std::uint64_t state = random_state_;
  std::vector<Program> programs;
  programs.push_back(forward_program(true));
  programs.push_back(backward_program());
  random_state_ = state;
  return programs;
}

}  // namespace solfege
