// SPDX-License-Identifier: Apache-2.0
// What goes in and out of the engine outside of steps: parameters, and the codes made of them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "model/host/accelerator_engine.hpp"
#include "model/host/accelerator_host.hpp"

namespace solfege {
namespace {

/// Calls visit(offset) for each weight, [out][tap][input of the group], of the tensors that are
/// laid out like them.
template <typename Visit>
void for_each_weight(const LayerState& s, Visit visit) {
  for (int out = 0; out < s.layer.out_channels; ++out)
    for (int tap = 0; tap < s.taps(); ++tap)
      for (int in = 0; in < s.layer.group_inputs(); ++in) visit(s.weight_offset(out, tap, in));
}

}  // namespace

std::vector<std::int32_t> AcceleratorEngine::weights(int layer) {
  const LayerState& s = layout_.layers.at(static_cast<std::size_t>(layer));
  if (!s.has_weights()) return {};
  const auto* memory =
      host_.read<std::int32_t>(s.weights.address, static_cast<std::size_t>(s.weights.size()));
  std::vector<std::int32_t> values;
  for_each_weight(s, [&](std::size_t offset) { values.push_back(memory[offset]); });
  return values;
}

/// What masks the gradient, once for all steps.
void AcceleratorEngine::write_weight_places(const LayerState& s) {
  auto* places = host_.write<std::uint8_t>(s.weight_places.address, s.weight_places.size_bytes());
  for_each_weight(s, [&](std::size_t offset) { places[offset] = 1; });
  const auto words = static_cast<std::size_t>(blocks(s.weights.channels) * kBlock);
  std::fill_n(host_.write<std::int32_t>(s.ones_table, words), words, 1);
}

/// Fixed-point numbers as what they mean.
std::vector<double> AcceleratorEngine::read_fixed(const LayerState& s,
                                                  const ElementTensor& tensor) {
  const auto* memory =
      host_.read<std::int32_t>(tensor.address, static_cast<std::size_t>(tensor.size()));
  std::vector<double> values;
  for_each_weight(s, [&](std::size_t offset) { values.push_back(memory[offset] * kWeightUnit); });
  return values;
}

void AcceleratorEngine::write_fixed(const LayerState& s, const ElementTensor& tensor,
                                    const std::vector<double>& values) {
  auto* memory = host_.write<std::int32_t>(tensor.address, static_cast<std::size_t>(tensor.size()));
  auto next = values.begin();
  for_each_weight(s, [&](std::size_t offset) {
    memory[offset] = static_cast<std::int32_t>(std::lround(*next++ / kWeightUnit));
  });
}

/// Packs code(row, pixel, lane) into planes; lanes and rows that there are not are 0.
void AcceleratorEngine::write_codes(const PackedTensor& tensor, const CodeAt& code) {
  auto* memory = host_.write<std::uint8_t>(tensor.address, tensor.size_bytes());
  std::fill_n(memory, tensor.size_bytes(), std::uint8_t{0});
  const int word_bytes = tensor.word_lanes / 8;
  for (int row = 0; row < tensor.rows; ++row)
    for (int pixel = 0; pixel < tensor.pixels; ++pixel) {
      const int first = (row / tensor.group * tensor.pixels + pixel) * tensor.pixel_words();
      for (int lane = 0; lane < tensor.lanes; ++lane) {
        const std::uint32_t value = code(row, pixel, lane);
        for (int plane = 0; value >> plane != 0; ++plane) {
          const int word = first + plane * tensor.words() + lane / tensor.word_lanes;
          const std::int64_t byte =
              std::int64_t{word * tensor.group + row % tensor.group} * word_bytes +
              lane % tensor.word_lanes / 8;
          memory[byte] = static_cast<std::uint8_t>(memory[byte] | (value >> plane & 1) << lane % 8);
        }
      }
    }
}

/// The codes of the first rows of packed planes, [row][pixel][lane], those of two's complement with
/// their sign.
std::vector<std::int32_t> AcceleratorEngine::read_codes(const PackedTensor& tensor, int rows) {
  const auto* memory = host_.read<std::uint8_t>(tensor.address, tensor.size_bytes());
  const auto group = static_cast<std::size_t>(tensor.group);
  const auto word_bytes = static_cast<std::size_t>(tensor.word_lanes / 8);
  std::vector<std::int32_t> codes;
  for (int row = 0; row < rows; ++row) {
    for (int pixel = 0; pixel < tensor.pixels; ++pixel) {
      const std::uint8_t* first =
          memory + static_cast<std::size_t>(row / tensor.group) * tensor.group_stride();
      for (int lane = 0; lane < tensor.lanes; ++lane) {
        std::int32_t code = 0;
        for (int plane = 0; plane < tensor.planes; ++plane) {
          const auto word = static_cast<std::size_t>(
              pixel * tensor.pixel_words() + plane * tensor.words() + lane / tensor.word_lanes);
          const int bit = lane % tensor.word_lanes;
          const std::uint8_t byte =
              first[(word * group + static_cast<std::size_t>(row) % group) * word_bytes +
                    static_cast<std::size_t>(bit / 8)];
          code |= (byte >> (bit % 8) & 1) << plane;
        }
        if (tensor.reading.is_signed && code >> (tensor.planes - 1) != 0)
          code -= 1 << tensor.planes;
        codes.push_back(code);
      }
    }
  }
  return codes;
}

/// Parts of the lanes side by side.
std::vector<std::int32_t> AcceleratorEngine::read_codes(const PackedParts& parts, int rows) {
  if (parts.size() == 1) return read_codes(parts.front(), rows);
  std::vector<std::vector<std::int32_t>> lists;
  for (const PackedTensor& part : parts) lists.push_back(read_codes(part, rows));
  std::vector<std::int32_t> codes;
  for (int place = 0; place < rows * parts.front().pixels; ++place)
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto first = lists[i].begin() + place * parts[i].lanes;
      codes.insert(codes.end(), first, first + parts[i].lanes);
    }
  return codes;
}

/// [out][tap][input of the group].
std::vector<std::int32_t> AcceleratorEngine::read_weight_codes(const LayerState& s) {
  std::vector<std::int32_t> codes;
  const int ins = s.layer.group_inputs(), outs = s.layer.out_channels / s.layer.groups;
  for (const PackedTensor& part : s.weight_codes) {
    const std::vector<std::int32_t> all = read_codes(part, part.rows);
    for (int out = 0; out < part.rows; ++out)
      for (int tap = 0; tap < part.pixels; ++tap) {
        const auto first = all.begin() + (out * part.pixels + tap) * part.lanes + out / outs * ins;
        codes.insert(codes.end(), first, first + ins);
      }
  }
  return codes;
}

std::vector<LayerParameters> AcceleratorEngine::parameters() {
  std::vector<LayerParameters> list;
  for (const LayerState& s : layout_.layers) {
    LayerParameters& p = list.emplace_back();
    if (!s.has_weights()) continue;
    p.weights.value = read_fixed(s, s.weights);
    if (scheme_of(s.layer).weight_grid_log2(s.layer) == kNoWeightGrid)
      p.weights.momentum = read_fixed(s, s.momentum);
    if (!s.is_last && scheme_of(s.layer).bound_rule(s.layer) != BoundRule::kFixed)
      p.bound = {{s.layer.activation_bound}, {s.bound_momentum}};
    if (s.layer.batch_norm) {
      p.gamma = {s.gamma, s.gamma_momentum};
      p.beta = {s.beta, s.beta_momentum};
      p.running_mean = s.running_mean;
      p.running_variance = s.running_variance;
    } else {
      p.bias = {s.bias, s.bias_momentum};
    }
  }
  return list;
}

void AcceleratorEngine::set_parameters(const std::vector<LayerParameters>& parameters) {
  const auto take = [](const TrainedValues& from, std::vector<double>& value,
                       std::vector<double>& momentum) {
    value = from.value;
    momentum = from.momentum;
    momentum.resize(value.size(), 0.0);
  };
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
    const LayerParameters& p = parameters.at(k);
    LayerState& s = layout_.layers[k];
    std::vector<double> weights, momentum;
    take(p.weights, weights, momentum);
    if (!s.has_weights()) continue;
    write_fixed(s, s.weights, weights);
    write_fixed(s, s.momentum, momentum);
    if (!p.bound.value.empty()) {
      s.layer.activation_bound = p.bound.value[0];
      s.bound_momentum = p.bound.momentum.empty() ? 0.0 : p.bound.momentum[0];
    }
    if (s.layer.batch_norm) {
      take(p.gamma, s.gamma, s.gamma_momentum);
      take(p.beta, s.beta, s.beta_momentum);
      s.running_mean = p.running_mean;
      s.running_variance = p.running_variance;
    } else {
      take(p.bias, s.bias, s.bias_momentum);
    }
  }
  refresh_activations();
  measure_all_weights();
  // The running statistics say how large sums are, where no step has.
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) write_output_scale(k, false);
}

InferenceIntegers AcceleratorEngine::inference_integers(const LayerState& s) {
  InferenceIntegers integers;
  integers.output_shift = s.output_shift;
  integers.output_limit = std::numeric_limits<std::int32_t>::max() >>
                          (s.output.type == ElementType::kSigned16 ? kNarrow : 0);
  integers.output_scale = s.output_unit;
  if (s.is_last) return integers;
  const int lanes = config_.stream_lanes, channels = s.layer.out_channels;
  const int nodes = (1 << s.layer.output_bits) - 1;
  const auto* table = host_.read<std::int32_t>(
      s.activation_table, static_cast<std::size_t>(blocks(channels) * kBlock * nodes));
  integers.thresholds.resize(static_cast<std::size_t>(channels * nodes));
  for (int channel = 0; channel < channels; ++channel) {
    integers.sign.push_back(static_cast<std::int32_t>(s.sign[static_cast<std::size_t>(channel)]));
    for_each_threshold(s.layer.output_bits, [&](int node, int rank) {
      integers.thresholds[static_cast<std::size_t>(channel * nodes + rank - 1)] =
          table[(channel / lanes * nodes + node - 1) * lanes + channel % lanes];
    });
  }
  if (s.has_sum) {
    const auto count = static_cast<std::size_t>(channels);
    const auto* scale = host_.read<std::int32_t>(s.sum_scale_table, count);
    const auto* offset = host_.read<std::int32_t>(s.sum_offset_table, count);
    integers.sum_scale.assign(scale, scale + count);
    integers.sum_offset.assign(offset, offset + count);
    integers.sum_shift = s.sum_shift;
  }
  return integers;
}

std::vector<LayerCodes> AcceleratorEngine::codes() {
  ProgramBuilder builder(config_);
  for (LayerState& s : layout_.layers) quantize_weights(builder, s, false);
  device_->run(builder.take());
  std::vector<LayerCodes> list;
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
    LayerState& s = layout_.layers[k];
    if (!s.has_weights()) {
      list.emplace_back();
      continue;
    }
    const int training_shift = s.output_shift;
    write_inference_constants(k);
    std::vector<double> scale = s.weight.row_scales;
    if (scale.empty()) scale.push_back(1.0);
    for (double& each : scale) each *= s.weight.scale / s.weight.levels;
    list.push_back({read_weight_codes(s),
                    std::move(scale),
                    s.weight_codes.front().reading,
                    s.activation,
                    {inference_integers(s)}});
    s.output_shift = training_shift;
  }
  return list;
}

}  // namespace solfege
