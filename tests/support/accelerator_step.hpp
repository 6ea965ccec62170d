// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "model/host/accelerator_engine.hpp"
#include "model/reference/float_layers.hpp"
#include "model/schemes/dorefa.hpp"

namespace solfege {

inline double code_maximum(int bits) { return (1 << bits) - 1; }

inline std::vector<float> to_floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}
template <typename Value>
std::vector<float> scaled(const std::vector<Value>& values, double unit) {
  std::vector<float> result;
  for (const Value value : values) result.push_back(static_cast<float>(value * unit));
  return result;
}

/// A training step of the accelerator's integers and what it left, decoded: the values each stage
/// saw and made, in the order of the float reference, [sample][y][x][channel] and
/// [out][ky][kx][in]. A stage of the reference that is given these inputs shows the error of this
/// stage alone.
class AcceleratorStep {
 public:
  /// `loaded` as it was loaded: the engine rewrites the first layer.
  AcceleratorStep(AcceleratorEngine* engine, const Network& loaded,
                  const std::vector<std::uint8_t>& pixels, const std::vector<std::uint8_t>& labels)
      : network(with_bounds(loaded, *engine)),
        batch(static_cast<int>(labels.size())),
        labels(labels) {
    for (std::size_t k = 0; k < network.layers.size(); ++k)
      before.push_back(engine->layer(static_cast<int>(k)));
    memory_before = engine->device().memory();
    images = scaled(pixels, 1.0 / 255.0);
    loss = engine->train_step(pixels.data(), labels.data(), batch);
    for (std::size_t k = 0; k < network.layers.size(); ++k)
      after.push_back(engine->layer(static_cast<int>(k)));
    memory = engine->device().memory();
  }

  /// Bounds of activations are those of the step.
  const Network network;
  const int batch;
  const std::vector<std::uint8_t> labels;
  double loss = 0;
  /// Trained scalars, shifts, and the codes of weights and activations of this step are in
  /// `before`; units and batch statistics in `after`.
  std::vector<LayerState> before, after;
  std::vector<std::uint8_t> memory_before, memory;
  std::vector<float> images;

  std::size_t layers() const { return network.layers.size(); }
  const Layer& layer(std::size_t k) const { return network.layers[k]; }

  static std::vector<std::int32_t> elements(const ElementTensor& t,
                                            const std::vector<std::uint8_t>& memory,
                                            std::vector<std::uint8_t>* tags = nullptr) {
    std::vector<std::int32_t> values;
    for (int row = 0; row < t.rows; ++row)
      for (int pixel = 0; pixel < t.pixels; ++pixel)
        for (int channel = 0; channel < t.channels; ++channel) {
          const std::uint8_t* from =
              memory.data() + t.address +
              t.offset(row, pixel, channel) * static_cast<std::size_t>(t.bytes());
          std::int32_t word = 0;
          std::int16_t low = 0;
          std::memcpy(&word, from, static_cast<std::size_t>(t.bytes()));
          std::memcpy(&low, from, 2);
          values.push_back(t.type == ElementType::kSigned32 ? word : low);
          if (tags != nullptr) tags->push_back(static_cast<std::uint8_t>(word >> 16));
        }
    return values;
  }
  std::vector<std::int32_t> elements(const ElementTensor& t,
                                     std::vector<std::uint8_t>* tags = nullptr) const {
    return elements(t, memory, tags);
  }

  /// Codes of packed planes, two's complement if they are signed.
  std::vector<std::int32_t> codes(const PackedTensor& t) const { return codes(t, memory); }
  static std::vector<std::int32_t> codes(const PackedTensor& t,
                                         const std::vector<std::uint8_t>& memory) {
    std::vector<std::int32_t> values;
    for (int row = 0; row < t.rows; ++row)
      for (int pixel = 0; pixel < t.pixels; ++pixel)
        for (int lane = 0; lane < t.lanes; ++lane) {
          std::int32_t value = 0;
          for (int plane = 0; plane < t.planes; ++plane) {
            const int word = ((row / t.group * t.pixels + pixel) * t.planes + plane) * t.words() +
                             lane / t.word_lanes;
            const int bit = (word * t.group + row % t.group) * t.word_lanes + lane % t.word_lanes;
            const std::int32_t one =
                memory[t.address + static_cast<std::size_t>(bit / 8)] >> (bit % 8) & 1;
            const bool sign = t.reading.is_signed && plane + 1 == t.planes;
            value += sign ? -(one << plane) : one << plane;
          }
          values.push_back(value);
        }
    return values;
  }

  /// Of parts of the lanes, [row][pixel][lane] as of one tensor.
  template <typename Decode>
  static std::vector<std::int32_t> joined(const PackedParts& parts, const Decode& decode) {
    std::vector<std::vector<std::int32_t>> lists;
    for (const PackedTensor& part : parts) lists.push_back(decode(part));
    std::vector<std::int32_t> all;
    for (int place = 0; place < parts.front().rows * parts.front().pixels; ++place)
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto from = lists[i].begin() + place * parts[i].lanes;
        all.insert(all.end(), from, from + parts[i].lanes);
      }
    return all;
  }
  std::vector<std::int32_t> codes(const PackedParts& parts) const {
    return joined(parts, [this](const PackedTensor& part) { return codes(part); });
  }
  std::vector<std::int32_t> values(const PackedParts& parts) const {
    return joined(parts, [this](const PackedTensor& part) { return values(part); });
  }

  /// Codes as they are read.
  std::vector<std::int32_t> values(const PackedTensor& t) const {
    std::vector<std::int32_t> list = codes(t);
    for (std::int32_t& code : list) code = t.reading.step * code + t.reading.offset;
    return list;
  }

  std::uint32_t word(std::uint32_t address, std::size_t index = 0) const {
    std::uint32_t value = 0;
    std::memcpy(&value, memory.data() + address + 4 * index, 4);
    return value;
  }

  // ---- Values of the forward pass ----
  /// Of what is kept like the layer's weights, [out][ky][kx][input of the group].
  std::vector<std::int32_t> weight_elements(std::size_t k, const ElementTensor& t,
                                            const std::vector<std::uint8_t>& from) const {
    const std::vector<std::int32_t> all = elements(t, from);
    std::vector<std::int32_t> list;
    for_each_weight(k, [&](int out, int tap, int input) {
      list.push_back(all[static_cast<std::size_t>((out * t.pixels + tap) * t.channels + input)]);
    });
    return list;
  }
  std::vector<float> weights(std::size_t k) const {
    return scaled(weight_elements(k, before[k].weights, memory_before), kUnit);
  }
  /// f_W(w). Between groups that share a part it must be 0.
  std::vector<float> weight_values(std::size_t k) const {
    std::vector<std::vector<std::int32_t>> parts;
    for (const PackedTensor& part : before[k].weight_codes) parts.push_back(values(part));
    std::vector<std::int32_t> list;
    const int outs = after[k].parts.front().outs;
    for_each_weight(k, [&](int out, int tap, int input) {
      const PackedTensor& t = before[k].weight_codes[static_cast<std::size_t>(out / outs)];
      std::int32_t& value =
          parts[static_cast<std::size_t>(out / outs)]
               [static_cast<std::size_t>((out % outs * t.pixels + tap) * t.lanes + input)];
      list.push_back(std::exchange(value, 0));
    });
    for (const auto& part : parts)
      for (const std::int32_t left : part)
        if (left != 0) return {};
    const WeightCodes& f_w = before[k].weight;
    std::vector<float> result = scaled(list, f_w.scale / f_w.levels);
    const std::size_t row = result.size() / static_cast<std::size_t>(layer(k).out_channels);
    for (std::size_t i = 0; i < result.size(); ++i)
      result[i] *= static_cast<float>(f_w.row_scale(i / row));
    return result;
  }
  /// Calls visit(out, tap, input of the part) for each weight.
  template <typename Visit>
  void for_each_weight(std::size_t k, const Visit& visit) const {
    const Layer& l = after[k].layer;
    const int ins = l.in_channels / l.groups, outs = l.out_channels / l.groups;
    const int part_outs = after[k].parts.front().outs;
    for (int out = 0; out < l.out_channels; ++out)
      for (int tap = 0; tap < after[k].taps(); ++tap)
        for (int in = 0; in < ins; ++in) visit(out, tap, out % part_outs / outs * ins + in);
  }
  /// What a layer reads: pixels, or the codes of its input.
  std::vector<float> input(std::size_t k) const {
    const int from = after[k].input;
    return from < 0 ? images : code_values(static_cast<std::size_t>(from));
  }
  /// The values of a layer's codes, dropout's scale included.
  std::vector<float> code_values(std::size_t k) const {
    return scaled(values(after[k].codes), before[k].code_step);
  }
  std::vector<float> output(std::size_t k) const {
    std::vector<float> list = scaled(elements(after[k].output), after[k].output_unit);
    for (std::size_t i = 0; i < list.size(); ++i) list[i] *= static_cast<float>(row_scale(k, i));
    return list;
  }
  /// The factor that the value of an element [..][channel] has besides the layer's unit.
  double row_scale(std::size_t k, std::size_t element) const {
    return before[k].weight.row_scale(element % static_cast<std::size_t>(layer(k).out_channels));
  }
  std::vector<float> gamma(std::size_t k) const { return to_floats(before[k].gamma); }
  std::vector<float> beta(std::size_t k) const { return to_floats(before[k].beta); }
  /// p of the reference from the accelerator's o, or the accelerator's p where it is a tensor.
  std::vector<float> preactivation(std::size_t k) const {
    if (after[k].has_sum) return scaled(elements(after[k].sum), kSumUnit);
    return normalised(k);
  }
  /// Batch norm or bias of o.
  std::vector<float> normalised(std::size_t k) const {
    std::vector<float> p = output(k);
    if (layer(k).is_average) return p;
    if (layer(k).batch_norm) {
      std::vector<float> mean, variance;
      batch_statistics(p, layer(k).out_channels, &mean, &variance);
      return batch_norm_forward(p, gamma(k), beta(k), mean, variance);
    }
    const std::size_t channels = before[k].bias.size();
    for (std::size_t i = 0; i < p.size(); ++i)
      p[i] += static_cast<float>(before[k].bias[i % channels]);
    return p;
  }
  /// Dropout's mask.
  std::vector<std::uint8_t> kept(std::size_t k) const {
    std::vector<std::uint8_t> mask;
    for (const std::int32_t value : elements(after[k].kept))
      mask.push_back(layer(k).dropout == 0.0 || value != -32768);
    return mask;
  }
  std::vector<std::uint8_t> places(std::size_t k) const {
    std::vector<std::uint8_t> tags;
    elements(after[k].kept, &tags);
    return places(k, std::move(tags));
  }
  /// The device counts places within what padding leaves of a window.
  std::vector<std::uint8_t> places(std::size_t k, std::vector<std::uint8_t> tags) const {
    const Pooling windows = layer(k).pooling();
    const auto channels = static_cast<std::size_t>(layer(k).out_channels);
    const auto cut = [](const PoolingAxis& axis, int window) {
      return std::max(0, axis.padding - window * axis.stride);
    };
    for (std::size_t i = 0; i < tags.size(); ++i) {
      const int window = static_cast<int>(i / channels) % windows.windows();
      const int y = window / windows.x.windows(), x = window % windows.x.windows();
      const int start = x * windows.x.stride - windows.x.padding;
      const int width = std::min(windows.x.map, start + windows.x.size) - std::max(0, start);
      const int line = tags[i] / width + cut(windows.y, y);
      const int column = tags[i] % width + cut(windows.x, x);
      tags[i] = static_cast<std::uint8_t>(line * windows.x.size + column);
    }
    return tags;
  }

  // ---- Values of the backward pass ----
  /// dLoss/dp at the places of the pooled map.
  std::vector<float> pooled_gradient(std::size_t k) const {
    return scaled(elements(after[k].gradient), after[k].gradient_unit);
  }
  /// The same over the whole map, in units.
  std::vector<std::int32_t> gradient_units(std::size_t k) const {
    std::vector<std::uint8_t> tags;
    std::vector<std::int32_t> values = elements(after[k].gradient, &tags);
    if (layer(k).pool == 1) return values;
    const std::vector<float> spread = max_pool_backward(
        layer(k), batch, {values.begin(), values.end()}, places(k, std::move(tags)));
    return {spread.begin(), spread.end()};
  }
  /// Value of a unit of output_gradient_units(), of the element [..][channel].
  double fine_unit(std::size_t k, std::size_t element) const {
    const LayerState& s = after[k];
    return std::ldexp(s.output_gradient_unit, -s.fine_bits - s.nearest_shift) /
           row_scale(k, element);
  }
  /// What f_G quantizes: with batch norm the sums that the stream unit makes from its tables,
  /// A g + B o + C.
  std::vector<std::int32_t> output_gradient_units(std::size_t k) const {
    std::vector<std::int32_t> values = gradient_units(k);
    const LayerState& s = after[k];
    if (!layer(k).batch_norm) {
      for (std::int32_t& value : values) value = std::clamp(value, -32767, 32767);
      return values;
    }
    const std::vector<std::int32_t> o = elements(s.output);
    const auto channels = static_cast<std::size_t>(layer(k).out_channels);
    const std::int64_t limit = s.fine_bits > 0 ? 2147483647 : 32767;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t c = i % channels;
      const auto factor = [&](std::uint32_t table) {
        return static_cast<std::int16_t>(word(table, c));
      };
      const std::int64_t sum =
          rounded(std::int64_t{o[i]} * factor(s.output_scale_table), s.output_scale_shift) +
          rounded(std::int64_t{values[i]} * factor(s.gradient_scale_table),
                  s.gradient_scale_shift) +
          static_cast<std::int32_t>(word(s.gradient_offset_table, c));
      values[i] = static_cast<std::int32_t>(std::clamp<std::int64_t>(sum, -limit, limit));
    }
    return values;
  }
  /// M of a sample, in units of output_gradient_units().
  std::int32_t sample_maximum(std::size_t k, std::size_t sample) const {
    return static_cast<std::int32_t>(word(after[k].quantized_max(), sample));
  }
  /// M as the factor of products, in units of output_gradient_unit.
  std::int32_t sample_scale(std::size_t k, std::size_t sample) const {
    return static_cast<std::int32_t>(
        std::min<std::int64_t>(32767, rounded(sample_maximum(k, sample), after[k].fine_bits)));
  }
  bool has_gradient_codes(std::size_t k) const {
    return !after[k].is_last && (k > 0 || after[k].lanes == WeightGradientLanes::kPixels);
  }
  /// M (2c - n) of f_G, or the logits' gradient.
  std::vector<std::int32_t> scaled_codes(std::size_t k) const {
    if (!has_gradient_codes(k)) return codes(after[k].scaled_gradient);
    std::vector<std::int32_t> values = codes(after[k].gradient_codes);
    if (after[k].has_value_codes()) return values;
    const std::size_t elements = values.size() / static_cast<std::size_t>(batch);
    const auto n = static_cast<std::int32_t>(code_maximum(layer(k).gradient_bits));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = sample_scale(k, i / elements) * (2 * values[i] - n);
    return values;
  }
  /// dLoss/do after f_G
  std::vector<float> quantized_gradient(std::size_t k) const {
    const double n = after[k].has_value_codes() ? 1.0 : code_maximum(layer(k).gradient_bits);
    std::vector<float> list = scaled(scaled_codes(k), after[k].output_gradient_unit / n);
    for (std::size_t i = 0; i < list.size(); ++i) list[i] /= static_cast<float>(row_scale(k, i));
    return list;
  }

  static constexpr double kUnit = 1.0 / (1 << 24);  ///< of a master weight
  static constexpr double kSumUnit = 1.0 / (1 << kSumFractionBits);

 private:
  static Network with_bounds(Network network, const AcceleratorEngine& engine) {
    for (std::size_t k = 0; k < network.layers.size(); ++k)
      network.layers[k].activation_bound = engine.layer(static_cast<int>(k)).layer.activation_bound;
    return network;
  }
  static std::int64_t rounded(std::int64_t value, int shift) {
    return shift == 0 ? value : (value + (std::int64_t{1} << (shift - 1))) >> shift;
  }
};

}  // namespace solfege
