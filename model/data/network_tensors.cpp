// SPDX-License-Identifier: Apache-2.0
#include "model/data/network_tensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "model/base/error.hpp"
#include "model/data/dataset.hpp"
#include "model/schemes/scheme.hpp"
#include "model/spec/slope.hpp"

namespace solfege {
namespace {

using Shape = std::vector<std::uint64_t>;

Shape shape_of(std::initializer_list<int> sizes) { return {sizes.begin(), sizes.end()}; }

/// Where an index of [rows][pixels][channels] lies in [rows][channels][pixels].
template <typename Number>
std::vector<Number> channels_first(const std::vector<Number>& values, int pixels, int channels) {
  std::vector<Number> result(values.size());
  const auto map = static_cast<std::size_t>(pixels * channels);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t pixel = i % map / static_cast<std::size_t>(channels);
    const std::size_t channel = i % static_cast<std::size_t>(channels);
    result[i / map * map + channel * static_cast<std::size_t>(pixels) + pixel] = values[i];
  }
  return result;
}

/// The other way round, which is the same with the two sizes exchanged.
std::vector<double> channels_last(const std::vector<double>& values, int pixels, int channels) {
  return channels_first(values, channels, pixels);
}

int taps(const Layer& layer) { return layer.kernel_height * layer.kernel_width; }

Shape convolution_shape(const Layer& l) {
  return shape_of({l.out_channels, l.group_inputs(), l.kernel_height, l.kernel_width});
}
Shape weight_shape(const Layer& l) {
  return l.fully_connected ? shape_of({l.out_channels, l.fan_in()}) : convolution_shape(l);
}

/// A parameter of a layer, as files name it.
struct NamedParameter {
  const char* name;
  std::vector<double>* value;
  std::vector<double>* momentum;  ///< null: has none
  std::uint64_t count;            ///< of numbers, of those that are not weights
  bool required = true;           ///< of a file that is read
  double least = -HUGE_VAL;       ///< allowed
};

std::vector<NamedParameter> named(const Layer& layer, LayerParameters& p) {
  if (layer.is_average) return {};
  const Scheme& scheme = scheme_of(layer);
  const auto channels = static_cast<std::uint64_t>(layer.out_channels);
  std::vector<NamedParameter> list = {{"weight", &p.weights.value, &p.weights.momentum, 0}};
  if (layer.batch_norm) {
    list.push_back({"batch_norm.weight", &p.gamma.value, &p.gamma.momentum, channels});
    list.push_back({"batch_norm.bias", &p.beta.value, &p.beta.momentum, channels});
    list.push_back({"batch_norm.running_mean", &p.running_mean, nullptr, channels});
    list.push_back({"batch_norm.running_var", &p.running_variance, nullptr, channels, true, 0.0});
  } else {
    list.push_back({"bias", &p.bias.value, &p.bias.momentum, channels, scheme.learns_bias(layer)});
  }
  if (quantizes(layer.output_bits) && scheme.bound_rule(layer) != BoundRule::kFixed)
    list.push_back({"activation_bound", &p.bound.value, &p.bound.momentum, 1, false, kLeastBound});
  return list;
}

constexpr const char* kMomentum = "_momentum";
/// Where the least and the greatest weight are measured, they must lie within +-2^6.
constexpr int kRangeLog2 = 6;

/// What follows from the parameters, beside theirs of a layer's tensors.
constexpr const char* kDerived[] = {
    "weight_codes",        "weight_scale",        "weight_reading",
    "activation_scale",    "activation_reading",  "activation_thresholds",
    "device.output_shift", "device.output_limit", "device.output_scale",
    "device.sign",         "device.thresholds",   "device.sum_scale",
    "device.sum_offset",   "device.sum_shift",    "batch_norm.num_batches_tracked"};

/// Codes in the smallest integers that hold all of this reading and so many planes.
Tensor code_tensor(Shape shape, const std::vector<std::int32_t>& codes, int planes,
                   bool is_signed) {
  if (planes > 8) return Tensor::of(std::move(shape), codes);
  if (is_signed)
    return Tensor::of(std::move(shape), std::vector<std::int8_t>(codes.begin(), codes.end()));
  return Tensor::of(std::move(shape), std::vector<std::uint8_t>(codes.begin(), codes.end()));
}

template <typename Number>
Tensor list_tensor(const std::vector<Number>& values) {
  return Tensor::of({values.size()}, values);
}
Tensor reading_tensor(const PlaneReading& reading) {
  return list_tensor(std::vector<std::int32_t>{reading.step, reading.offset});
}

void put_integers(const Layer& layer, const InferenceIntegers& integers, const std::string& prefix,
                  std::map<std::string, Tensor>& tensors) {
  const auto put = [&](const char* name, Tensor tensor) {
    tensors[prefix + "device." + name] = std::move(tensor);
  };
  put("output_shift", list_tensor(std::vector<std::int32_t>{integers.output_shift}));
  put("output_limit", list_tensor(std::vector<std::int32_t>{integers.output_limit}));
  put("output_scale", list_tensor(std::vector<double>{integers.output_scale}));
  if (integers.sign.empty()) return;
  put("sign", list_tensor(integers.sign));
  put("thresholds", Tensor::of(shape_of({layer.out_channels, (1 << layer.output_bits) - 1}),
                               integers.thresholds));
  if (integers.sum_scale.empty()) return;
  put("sum_scale", list_tensor(integers.sum_scale));
  put("sum_offset", list_tensor(integers.sum_offset));
  put("sum_shift", list_tensor(std::vector<std::int32_t>{integers.sum_shift}));
}

void put_codes(const Layer& layer, const LayerCodes& codes, const std::string& prefix,
               std::map<std::string, Tensor>& tensors) {
  if (layer.is_average) return;
  const Scheme& scheme = scheme_of(layer);
  if (!codes.weights.empty()) {
    const PlaneReading& reading = codes.weight_reading;
    tensors[prefix + "weight_codes"] = code_tensor(
        weight_shape(layer), channels_first(codes.weights, taps(layer), layer.group_inputs()),
        layer.weight_bits, reading.is_signed);
    tensors[prefix + "weight_scale"] = list_tensor(codes.weight_scale);
    tensors[prefix + "weight_reading"] = reading_tensor(reading);
  }
  if (quantizes(layer.output_bits)) {
    const ActivationCodes& activation = codes.activation;
    std::vector<double> thresholds;  // all inclusive: p is beyond a bound from the next number on
    for (const Bound& bound : activation.thresholds)
      thresholds.push_back(bound.inclusive ? bound.at : std::nextafter(bound.at, HUGE_VAL));
    tensors[prefix + "activation_thresholds"] = list_tensor(thresholds);
    tensors[prefix + "activation_scale"] = list_tensor(std::vector<double>{activation.step});
    tensors[prefix + "activation_reading"] = reading_tensor(scheme.activation_reading(layer));
  }
  for (const InferenceIntegers& integers : codes.integers)
    put_integers(layer, integers, prefix, tensors);
}

std::map<std::string, std::string> metadata_of(const Network& network, const TensorOrigin& origin) {
  std::map<std::string, std::string> metadata = {{"format", "pt"},
                                                 {"made_by", origin.made_by},
                                                 {"engine", origin.engine},
                                                 {"configuration", origin.config},
                                                 {"network", network.name}};
  std::vector<std::string> names;
  for (const Layer& layer : network.layers) {
    names.push_back(layer.name);
    const auto put = [&](const char* key, const auto& value) {
      metadata[layer.name + "." + key] = fmt::format("{}", value);
    };
    put("type", layer.is_average ? "avgpool" : layer.fully_connected ? "fc" : "conv");
    put("kernel", fmt::format("{} {}", layer.kernel_height, layer.kernel_width));
    put("groups", layer.groups);
    put("scheme", layer.scheme);
    put("weight_bits", layer.weight_bits);
    put("input_bits", layer.input_bits);
    put("activation_bits", layer.output_bits);
    put("gradient_bits", layer.gradient_bits);
    put("stride", fmt::format("{} {}", layer.stride_height, layer.stride_width));
    put("padding", fmt::format("{} {}", layer.padding_height, layer.padding_width));
    put("pool", layer.pool);
    put("pool_stride", layer.pooling().y.stride);
    put("pool_padding", layer.pool_padding);
    const int from = network.input_of(static_cast<int>(names.size()) - 1);
    put("input", from < 0 ? std::string() : network.layers[static_cast<std::size_t>(from)].name);
    put("residual", layer.residual < 0
                        ? std::string()
                        : network.layers[static_cast<std::size_t>(layer.residual)].name);
  }
  metadata["layers"] = fmt::format("{}", fmt::join(names, " "));
  return metadata;
}

/// Before the names of tensors of a joint training's precisions, but for the first.
constexpr const char* kPrecision = "precision_";

// ---- Reading ----

/// Finds out which tensors of a file do not fit a network, to say so in one message.
class Loader {
 public:
  Loader(const std::string& path, const Network& network, const std::string& prefix)
      : path_(path),
        network_(network),
        file_(of_precision(
            read_tensors(path, "give a file of --export, of solfege export, or of PyTorch"),
            prefix)) {}

  LoadedParameters load() {
    for (const Layer& layer : network_.layers) {
      LayerParameters p;
      for (const NamedParameter& parameter : named(layer, p)) {
        const std::string name = fmt::format("{}.{}", layer.name, parameter.name);
        take(layer, name, parameter.count, parameter.required, *parameter.value);
        if (parameter.momentum != nullptr)
          take(layer, name + kMomentum, parameter.count, false, *parameter.momentum);
      }
      if (layer.batch_norm) fold_bias(layer, p);
      for (const char* name : kDerived) expected_.insert(fmt::format("{}.{}", layer.name, name));
      result_.layers.push_back(std::move(p));
    }
    for (const auto& [name, tensor] : file_.tensors)
      if (expected_.count(name) == 0) unexpected_.push_back(printable(name));
    require_fit();
    for (std::size_t k = 0; k < network_.layers.size(); ++k)
      check_numbers(network_.layers[k], result_.layers[k]);
    return std::move(result_);
  }

 private:
  /// The tensors whose names begin so, without that; all where there are none, for a network
  /// trained elsewhere has one precision.
  static TensorFile of_precision(TensorFile file, const std::string& prefix) {
    TensorFile part;
    part.metadata = file.metadata;
    for (const auto& [name, tensor] : file.tensors)
      if (!prefix.empty() && name.compare(0, prefix.size(), prefix) == 0)
        part.tensors[name.substr(prefix.size())] = tensor;
    if (!part.tensors.empty()) return part;
    for (auto& [name, tensor] : file.tensors)
      if (name.compare(0, std::strlen(kPrecision), kPrecision) != 0) part.tensors[name] = tensor;
    return part;
  }
  static std::string printable(const std::string& name) {
    constexpr std::size_t kLongest = 60;
    std::string text;
    for (const char c : name.substr(0, kLongest)) text += c > ' ' && c < 0x7f ? c : '?';
    return text.empty() ? "''" : name.size() > kLongest ? text + "..." : text;
  }

  /// Reads a tensor in the order of the engines.
  void take(const Layer& layer, const std::string& name, std::uint64_t count, bool required,
            std::vector<double>& values) {
    expected_.insert(name);
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) {
      if (required) missing_.push_back(name);
      return;
    }
    const Tensor& tensor = found->second;
    const bool is_weight = name.compare(layer.name.size(), 7, ".weight") == 0;
    std::vector<Shape> shapes = {{count}};
    if (is_weight) shapes = {weight_shape(layer), convolution_shape(layer)};
    if (std::find(shapes.begin(), shapes.end(), tensor.shape) == shapes.end() ||
        !tensor.is_floating()) {
      misshapen_.push_back(fmt::format("{} is {}, not floating-point [{}]", name, tensor.describe(),
                                       fmt::join(shapes[0], ", ")));
      return;
    }
    values = tensor.numbers();
    if (is_weight) values = channels_last(values, taps(layer), layer.group_inputs());
  }

  /// PyTorch's convolutions have a bias by default, before batch norm too, which takes it off with
  /// the mean.
  void fold_bias(const Layer& layer, LayerParameters& p) {
    const std::string name = layer.name + ".bias";
    std::vector<double> bias;
    take(layer, name, static_cast<std::uint64_t>(layer.out_channels), false, bias);
    for (std::size_t c = 0; c < std::min(bias.size(), p.running_mean.size()); ++c)
      p.running_mean[c] -= bias[c];
    if (!bias.empty())
      result_.notes.push_back(fmt::format(
          "{}: {} stands before batch norm, and was taken off its running mean", path_, name));
  }

  void require_fit() const {
    std::string faults;
    const auto list = [&](const char* what, const std::vector<std::string>& names) {
      constexpr std::size_t kNamed = 8;
      if (names.empty()) return;
      const std::vector<std::string> first(
          names.begin(),
          names.begin() + static_cast<std::ptrdiff_t>(std::min(kNamed, names.size())));
      faults += fmt::format("{}{}: {}", faults.empty() ? "" : "; ", what, fmt::join(first, ", "));
      if (names.size() > kNamed) faults += fmt::format(" and {} more", names.size() - kNamed);
    };
    list("missing", missing_);
    list("unexpected", unexpected_);
    list("of another shape or type", misshapen_);
    if (faults.empty()) return;
    std::vector<std::string> names;
    for (const Layer& layer : network_.layers) names.push_back(layer.name);
    throw InputError(fmt::format(
        "{}: the tensors are not those of network {}, whose layers are {}: {}; name the tensors "
        "LAYER.weight, LAYER.bias or LAYER.batch_norm.weight, .bias, .running_mean, .running_var, "
        "or choose another --network",
        path_, network_.name, fmt::join(names, ", "), faults));
  }

  void check_numbers(const Layer& layer, LayerParameters& p) {
    if (layer.is_average) return;
    for (const NamedParameter& parameter : named(layer, p)) {
      for (const std::vector<double>* values : {parameter.value, parameter.momentum}) {
        if (values == nullptr) continue;
        const double least = values == parameter.value ? parameter.least : -HUGE_VAL;
        const auto bad = std::find_if(values->begin(), values->end(),
                                      [&](double x) { return !std::isfinite(x) || x < least; });
        if (bad != values->end())
          throw InputError(fmt::format(
              "{}: {}.{}{} has the number {}: allowed are finite numbers{}; correct the tensor",
              path_, layer.name, parameter.name, values == parameter.momentum ? kMomentum : "",
              *bad, std::isfinite(least) ? fmt::format(" from {}", least) : ""));
      }
    }
    const Scheme& scheme = scheme_of(layer);
    clip(layer, "weight",
         std::min(scheme.weight_limit_log2(layer),
                  scheme.measures_range(layer) ? kRangeLog2 : kNoWeightLimit),
         p.weights.value);
    const int grid_log2 = scheme.weight_grid_log2(layer);
    if (grid_log2 != kNoWeightGrid)
      for (double& w : p.weights.value)
        w = std::ldexp(std::nearbyint(std::ldexp(w, -grid_log2)), grid_log2);
    // A bias that is not learned stays 0.
    if (!layer.batch_norm && p.bias.value.empty())
      p.bias.value.assign(static_cast<std::size_t>(layer.out_channels), 0.0);
    clip(layer, "weight_momentum", kNoWeightLimit, p.weights.momentum);
  }

  /// Into the range of fixed-point numbers, or a narrower one of the scheme.
  void clip(const Layer& layer, const char* name, int limit_log2, std::vector<double>& values) {
    constexpr int kFixedLog2 = 31 - kWeightFractionBits;
    const double limit = limit_log2 < kFixedLog2
                             ? std::ldexp(1.0, limit_log2)
                             : std::ldexp(1.0, kFixedLog2) - std::ldexp(1.0, -kWeightFractionBits);
    std::size_t clipped = 0;
    for (double& value : values) {
      clipped += std::abs(value) > limit ? 1 : 0;
      value = std::clamp(value, -limit, limit);
    }
    if (clipped != 0)
      result_.notes.push_back(
          fmt::format("{}: {} of {} numbers of {}.{} lie beyond +-{}, and were "
                      "clipped",
                      path_, clipped, values.size(), layer.name, name, limit));
  }

  const std::string& path_;
  const Network& network_;
  const TensorFile file_;
  std::set<std::string> expected_;
  std::vector<std::string> missing_, unexpected_, misshapen_;
  LoadedParameters result_;
};

}  // namespace

void require_tensor_names(const Network& network) {
  std::set<std::string> names;
  for (const Layer& layer : network.layers) {
    LayerParameters p;
    std::vector<std::string> own(std::begin(kDerived), std::end(kDerived));
    for (const NamedParameter& parameter : named(layer, p)) own.emplace_back(parameter.name);
    for (const std::string& name : own)
      if (!names.insert(layer.name + "." + name).second)
        throw InputError(fmt::format(
            "layer {}: the tensor {}.{} would be named as one of an earlier layer: give one of the "
            "layers another name",
            layer.name, layer.name, name));
  }
}

TensorFile network_tensors(const Network& network, const std::vector<LayerParameters>& parameters,
                           const std::vector<LayerCodes>& codes, const TensorOrigin& origin) {
  require_tensor_names(network);
  TensorFile file;
  file.metadata = metadata_of(network, origin);
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    const std::string prefix = layer.name + ".";
    LayerParameters p = parameters.at(k);
    const auto put = [&](const std::string& name, const std::vector<double>& values) {
      const bool is_weight = &values == &p.weights.value || &values == &p.weights.momentum;
      file.tensors[prefix + name] =
          is_weight ? Tensor::of(weight_shape(layer),
                                 channels_first(values, taps(layer), layer.group_inputs()))
                    : list_tensor(values);
    };
    for (const NamedParameter& parameter : named(layer, p)) {
      put(parameter.name, *parameter.value);
      if (parameter.momentum != nullptr && !parameter.momentum->empty())
        put(std::string(parameter.name) + kMomentum, *parameter.momentum);
    }
    put_codes(layer, codes.at(k), prefix, file.tensors);
  }
  return file;
}

LoadedParameters load_parameters(const std::string& path, const Network& network,
                                 const std::string& prefix) {
  return Loader(path, network, prefix).load();
}

std::string precision_prefix(const Network& network, std::size_t precision) {
  if (network.curriculum != Curriculum::kJoint || precision == 0) return {};
  const Precision& one = network.precisions[precision];
  return fmt::format("{}{}_{}/", kPrecision, one.weight_bits, one.activation_bits);
}

TensorFile inference_tensors(const Network& network, const Images& images,
                             const Inference& inference, const TensorOrigin& origin) {
  TensorFile file;
  file.metadata = metadata_of(network, origin);
  const int count = images.count();
  const auto pixels =
      static_cast<std::ptrdiff_t>(count) * images.height * images.width * images.channels;
  file.tensors["images"] = Tensor::of(
      shape_of({count, images.channels, images.height, images.width}),
      channels_first(
          std::vector<std::uint8_t>(images.pixels.begin(), images.pixels.begin() + pixels),
          images.height * images.width, images.channels));
  file.tensors["labels"] =
      list_tensor(std::vector<std::int64_t>(images.labels.begin(), images.labels.end()));
  file.tensors["logits"] = Tensor::of(shape_of({count, network.classes}), inference.logits);
  for (std::size_t k = 0; k < inference.codes.size(); ++k) {
    const Layer& layer = network.layers[k];
    if (inference.codes[k].empty()) continue;
    const Shape shape =
        layer.fully_connected
            ? shape_of({count, layer.out_channels})
            : shape_of({count, layer.out_channels, layer.pooled_height(), layer.pooled_width()});
    file.tensors[layer.name + ".activation_codes"] =
        code_tensor(shape,
                    channels_first(inference.codes[k], layer.pooled_height() * layer.pooled_width(),
                                   layer.out_channels),
                    layer.output_bits, scheme_of(layer).activation_reading(layer).is_signed);
  }
  return file;
}

}  // namespace solfege
