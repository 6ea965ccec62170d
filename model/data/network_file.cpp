// SPDX-License-Identifier: Apache-2.0
#include "model/data/network_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>

#include "model/base/error.hpp"
#include "model/base/share.hpp"
#include "model/base/toml_file.hpp"
#include "model/data/network_keys.hpp"
#include "model/data/network_section.hpp"
#include "model/schemes/scheme.hpp"
#include "model/spec/config.hpp"

namespace solfege {
namespace {

constexpr int kPixelBits = 8;

std::vector<std::string> shipped_networks(const std::string& folder) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".toml") names.insert(entry.path().stem().string());
  }
  return {names.begin(), names.end()};
}

/// The file a name or path means. Only a bare word is looked up among the shipped networks, so a
/// mistyped path never silently becomes one of them.
std::string resolve(const std::string& name_or_path) {
  const std::filesystem::path path(name_or_path);
  if (path.has_parent_path() || path.extension() == ".toml") return name_or_path;
  const std::string folder = (share_folder() / "configs/networks").string();
  const std::string shipped = fmt::format("{}/{}.toml", folder, name_or_path);
  if (!name_or_path.empty() && std::filesystem::exists(shipped)) return shipped;
  throw InputError(fmt::format(
      "{}: no such network '{}': allowed are {}, or a path ending in .toml; choose one of these",
      folder, name_or_path, fmt::join(shipped_networks(folder), ", ")));
}

std::string read_type(const Section& section) {
  constexpr std::string_view kTypes = "\"conv\", \"fc\", \"avgpool\"";
  const std::optional<std::string> type = section.text("type", kTypes, "\"conv\"");
  if (!type) section.refuse("type", "(nothing)", "is missing", kTypes, "\"conv\"");
  if (*type != "conv" && *type != "fc" && *type != "avgpool") {
    section.refuse("type", fmt::format("\"{}\"", *type), "is unknown", kTypes, "\"conv\"");
  }
  return *type;
}

void read_channels(const Section& section, Position position, int classes, Layer& layer) {
  const std::optional<int> channels = section.integer("channels", 1, kMaxChannels);
  if (position.last()) {
    layer.out_channels = channels.value_or(classes);
    if (layer.out_channels == classes) return;
    section.refuse("channels", fmt::to_string(*channels),
                   "is not the number of classes in the last layer", fmt::to_string(classes),
                   fmt::format("{} or leave it out", classes));
  }
  if (!channels) {
    section.refuse("channels", "(nothing)", "is missing (only the last layer may leave it out)",
                   fmt::format("1 to {}", kMaxChannels), "16");
  }
  layer.out_channels = *channels;
}

/// Groups of channels: a number that divides both sides, or "depthwise", one for each input
/// channel.
void read_groups(const Section& section, Position position, Layer& layer) {
  const toml::node* node = section.node("groups");
  if (node == nullptr) return;
  std::vector<int> allowed;
  for (int groups = 1; groups <= layer.in_channels; ++groups)
    if (layer.in_channels % groups == 0 && layer.out_channels % groups == 0)
      allowed.push_back(groups);
  const std::string range = fmt::format(
      "the divisors of {} input and {} output channels, {}, or \"depthwise\" where the "
      "former divide the latter",
      layer.in_channels, layer.out_channels, fmt::join(allowed, ", "));
  if (position.first() || position.last())
    section.fail("groups", describe(*node),
                 position.first()
                     ? "is set in the first layer, which sees all channels of its windows"
                     : "is set in the last layer, whose logits see all channels",
                 "layers between the first and the last", "leave it out");
  if (node->is_string() && node->as_string()->get() == "depthwise") {
    if (layer.out_channels % layer.in_channels != 0)
      section.fail("groups", describe(*node), "does not fit the channels", range,
                   fmt::format("set channels = {}", layer.in_channels));
    layer.groups = layer.in_channels;
    return;
  }
  if (!node->is_integer())
    section.refuse("groups", describe(*node), "is neither an integer nor \"depthwise\"", range,
                   "1");
  const std::int64_t groups = node->as_integer()->get();
  if (!std::binary_search(allowed.begin(), allowed.end(), groups))
    section.refuse(
        "groups", fmt::to_string(groups), "does not divide the layer's channels", range,
        fmt::to_string(*std::min_element(allowed.begin(), allowed.end(), [&](int a, int b) {
          return std::abs(a - groups) < std::abs(b - groups);
        })));
  layer.groups = static_cast<int>(groups);
}

int output_size(int in, int kernel, int stride, int padding) {
  return (in + 2 * padding - kernel) / stride + 1;
}

/// Refuses a kernel that does not fit its axis, of `in` pixels, and a padding that would give
/// output pixels that see no input at all.
void check_axis(const Section& section, const Layer& layer, int in, int kernel, int padding) {
  if (padding >= kernel)
    section.refuse("padding", section.value("padding"), "is not less than the kernel",
                   fmt::format("0 to {}", kernel - 1), fmt::to_string(kernel / 2));
  const int most = in + 2 * padding;
  if (kernel > most)
    section.refuse(
        "kernel", section.value("kernel"),
        fmt::format("does not fit the layer's input of {} x {} pixels with padding {}",
                    layer.in_height, layer.in_width, padding),
        fmt::format("1 to {}", most),
        fmt::format("{}, raise the padding, or lower the stride of a layer before", most));
}

void read_convolution(const Section& section, Layer& layer) {
  const auto kernel = section.by_axis("kernel", 1, kMaxKernel);
  if (!kernel) {
    section.refuse("kernel", "(nothing)", "is missing", fmt::format("1 to {}", kMaxKernel), "3");
  }
  const Axes stride = section.by_axis("stride", 1, kMaxStride).value_or(Axes{1, 1});
  const Axes padding = section.by_axis("padding", 0, kMaxKernel).value_or(Axes{0, 0});
  layer.kernel_height = kernel->height;
  layer.kernel_width = kernel->width;
  layer.stride_height = stride.height;
  layer.stride_width = stride.width;
  layer.padding_height = padding.height;
  layer.padding_width = padding.width;
  check_axis(section, layer, layer.in_height, kernel->height, padding.height);
  check_axis(section, layer, layer.in_width, kernel->width, padding.width);
  layer.out_height = output_size(layer.in_height, kernel->height, stride.height, padding.height);
  layer.out_width = output_size(layer.in_width, kernel->width, stride.width, padding.width);
}

/// An averaging layer's windows: the whole map, or squares.
void read_windows(const Section& section, Position position, Layer& layer) {
  layer.is_average = true;
  if (position.first() || position.last())
    section.refuse("type", "\"avgpool\"",
                   position.first() ? "is the first layer, which sees the images"
                                    : "is the last layer, whose sums are the logits",
                   "\"conv\", \"fc\"", "\"fc\"");
  const Axes map{layer.in_height, layer.in_width};
  const auto given = section.by_axis("kernel", 1, kMaxKernel);
  const Axes kernel = given.value_or(map);
  check_axis(section, layer, map.height, kernel.height, 0);
  check_axis(section, layer, map.width, kernel.width, 0);
  // One window has no stride, and the whole map may be larger than any.
  const Axes stride = section.by_axis("stride", 1, kMaxStride).value_or(kernel);
  layer.kernel_height = kernel.height;
  layer.kernel_width = kernel.width;
  layer.stride_height = kernel.height == map.height ? 1 : stride.height;
  layer.stride_width = kernel.width == map.width ? 1 : stride.width;
  layer.out_height = output_size(map.height, kernel.height, layer.stride_height, 0);
  layer.out_width = output_size(map.width, kernel.width, layer.stride_width, 0);
  layer.out_channels = layer.in_channels;
}

void read_pooling(const Section& section, Layer& layer) {
  layer.pool = section.integer("pool", 1, kMaxPool).value_or(1);
  layer.pool_stride = section.integer("pool_stride", 1, kMaxPool).value_or(0);
  layer.pool_padding = section.integer("pool_padding", 0, kMaxPool).value_or(0);
  if (layer.pool == 1)
    for (const char* name : {"pool_stride", "pool_padding"})
      if (section.has(name))
        section.fail(name, describe(*section.node(name)), "belongs to a layer that pools",
                     "layers with pool = 2 or more", "leave it out, or set pool = 3");
  // A window must not lie outside the map, and a maximum must not be taken twice by its edge.
  if (layer.pool_padding > layer.pool / 2)
    section.refuse("pool_padding", fmt::to_string(layer.pool_padding),
                   "is more than half of the window", fmt::format("0 to {}", layer.pool / 2),
                   fmt::to_string(layer.pool / 2));
  const int smaller = std::min(layer.out_height, layer.out_width) + 2 * layer.pool_padding;
  if (layer.pool > smaller)
    section.refuse(
        "pool", fmt::to_string(layer.pool),
        fmt::format("does not fit the layer's map of {} x {} pixels with pool_padding {}",
                    layer.out_height, layer.out_width, layer.pool_padding),
        fmt::format("1 to {}", smaller), fmt::to_string(smaller));
}

/// What stands between the convolution and the codes: batch normalisation, pooling, dropout.
void read_stages(const Section& section, Position position, Layer& layer) {
  layer.batch_norm = section.flag("batch_norm");
  read_pooling(section, layer);
  layer.dropout = section.number(
      "dropout", 0.0, [](double x) { return x >= 0 && x <= kMaxDropout; },
      fmt::format("numbers from 0 to {}", kMaxDropout));
  if (position.last()) {
    const auto refuse = [&](const char* name, const std::string& value, const char* neutral) {
      section.refuse(name, value, "is set in the last layer, whose sums are the logits", neutral,
                     fmt::format("{} or leave it out", neutral));
    };
    if (layer.batch_norm) refuse("batch_norm", "true", "false");
    if (layer.pool != 1) refuse("pool", fmt::to_string(layer.pool), "1");
    if (layer.dropout != 0) refuse("dropout", fmt::to_string(layer.dropout), "0");
  }
}

/// Index of the earlier layer that the key names, by its name or by its number in the file, which
/// does not count projections: `numbered` has the index for each.
std::size_t read_earlier(const Section& section, const char* key, const std::vector<Layer>& before,
                         const std::vector<std::size_t>& numbered) {
  const toml::node& node = *section.node(key);
  if (node.is_integer()) {
    const std::int64_t number = node.as_integer()->get();
    if (number >= 1 && number <= static_cast<std::int64_t>(numbered.size()))
      return numbered[static_cast<std::size_t>(number - 1)];
  } else if (node.is_string()) {
    const auto named = std::find_if(before.begin(), before.end(), [&](const Layer& l) {
      return l.name == node.as_string()->get();
    });
    if (named != before.end()) return static_cast<std::size_t>(named - before.begin());
  }
  std::vector<std::string> allowed;
  for (std::size_t i = 0; i < numbered.size(); ++i)
    allowed.push_back(fmt::format("\"{}\" ({})", before[numbered[i]].name, i + 1));
  section.fail(
      key, describe(node), "is not an earlier layer",
      fmt::format("earlier layers by name or number: {}",
                  allowed.empty() ? "there are none" : fmt::format("{}", fmt::join(allowed, ", "))),
      allowed.empty() ? "leave it out"
                      : fmt::format("set {} = \"{}\"", key, before[numbered.back()].name));
}

/// The stride of a 1 x 1 kernel that leads from `in` pixels to `out`; 0: none does.
int projection_stride(int in, int out) {
  for (int stride = 1; stride <= kMaxStride; ++stride)
    if (output_size(in, 1, stride, 0) == out) return stride;
  return 0;
}

/// A shortcut's layer of its own: from the codes of the source to the shape of the layer.
Layer projection(const Layer& source, int source_index, Axes stride, const Layer& layer) {
  Layer result = layer;
  result.name = layer.name + ".projection";
  result.input = source_index;
  result.in_height = source.pooled_height();
  result.in_width = source.pooled_width();
  result.in_channels = source.out_channels;
  result.input_bits = source.output_bits;
  result.kernel_height = result.kernel_width = 1;
  result.stride_height = stride.height;
  result.stride_width = stride.width;
  result.padding_height = result.padding_width = 0;
  result.groups = 1;
  result.dropout = 0.0;
  return result;
}

/// Reads the key `residual`; where the shapes differ, a projection goes to the end of `before`.
void read_residual(const Section& section, Position position,
                   const std::vector<std::size_t>& numbered, std::vector<Layer>& before,
                   Layer& layer) {
  if (!section.has("residual")) return;
  const auto refuse = [&](const std::string& wrong, const char* allowed, const std::string& fix) {
    section.fail("residual", describe(*section.node("residual")), wrong, allowed, fix);
  };
  if (position.first() || position.last())
    refuse(position.first() ? "is set in the first layer, which has none before it"
                            : "is set in the last layer, whose sums are the logits",
           "layers between the first and the last", "leave it out");
  if (layer.pool != 1)
    refuse("is set in a layer that pools", "layers that do not pool",
           "leave it out, or pool in a layer after this one");
  const std::size_t from = read_earlier(section, "residual", before, numbered);
  const Layer& source = before[from];
  const auto shape = [](int height, int width, int channels) {
    return fmt::format("{} x {} pixels of {} channels", height, width, channels);
  };
  const std::string own = shape(layer.out_height, layer.out_width, layer.out_channels);
  layer.residual = static_cast<int>(from);
  if (shape(source.out_height, source.out_width, source.out_channels) == own && source.pool == 1 &&
      !source.is_average)
    return;
  const Axes stride{projection_stride(source.pooled_height(), layer.out_height),
                    projection_stride(source.pooled_width(), layer.out_width)};
  if (stride.height == 0 || stride.width == 0)
    refuse(
        fmt::format("does not fit: it hands on {}, this layer has {}",
                    shape(source.pooled_height(), source.pooled_width(), source.out_channels), own),
        "earlier layers of this layer's map, or of one that a stride leads from",
        "leave it out, or change the strides between the two layers");
  Layer shortcut = projection(source, layer.residual, stride, layer);
  shortcut.residual = -1;
  for (const Layer& other : before)
    if (other.name == shortcut.name)
      refuse(fmt::format("needs a projection, whose name {} another layer has", shortcut.name),
             "names that no other layer has", fmt::format("rename layer {}", other.name));
  layer.residual = static_cast<int>(before.size());
  before.push_back(shortcut);
}

std::string read_name(const Section& section, const std::string& fallback,
                      const std::vector<Layer>& before) {
  const std::string range = fmt::format("1 to {} letters, digits, '_', '-' or '.'", kMaxName);
  const std::string example = fmt::format("\"{}\"", fallback);
  const std::string name = section.text("name", range, example).value_or(fallback);
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  if (name.empty() || name.size() > kMaxName || !plain)
    section.refuse("name", fmt::format("\"{}\"", name), "is not a plain name", range, example);
  for (const Layer& layer : before) {
    if (layer.name == name)
      section.refuse("name", fmt::format("\"{}\"", name), "is also the name of an earlier layer",
                     "names that no other layer has", fmt::format("\"{}b\"", name));
  }
  return name;
}

void read_bits(const Section& section, Position position, const Config& config, int input_bits,
               Layer& layer) {
  const bool edge = position.first() || position.last();
  layer.is_edge = edge;
  layer.input_bits = input_bits;
  layer.weight_bits =
      section.integer("weight_bits", 1, std::max(config.weight_bits, config.edge_bits))
          .value_or(edge ? config.edge_bits : config.weight_bits);
  if (position.last()) {
    // Logits are not quantized, and softmax hands back their gradient as a wide integer.
    for (const char* name : {"output_bits", "gradient_bits"}) {
      const int bits = section.integer(name, 0, 32).value_or(0);
      if (bits == 0) continue;
      section.refuse(name, fmt::to_string(bits), "is set in the last layer, whose logits are wide",
                     "0", "0 or leave it out");
    }
    layer.output_bits = layer.gradient_bits = 0;
    return;
  }
  layer.output_bits =
      section.integer("output_bits", 1, config.activation_bits).value_or(config.activation_bits);
  layer.gradient_bits =
      section.integer("gradient_bits", 1, std::max(config.gradient_bits, config.edge_bits))
          .value_or(position.first() ? config.edge_bits : config.gradient_bits);
}

/// An averaging layer's: it has no weights, and its gradient is not quantized.
void read_average_bits(const Section& section, Position position, const Config& config,
                       const Network& network, Layer& layer) {
  const Layer& input = network.layers[static_cast<std::size_t>(layer.input)];
  layer.input_bits = input.output_bits;
  layer.weight_bits = 1;
  layer.gradient_bits = 0;
  // Means of both signs have a sign of their own.
  const PlaneReading reading = output_codes(network, layer.input).reading;
  const int least = reading.is_signed || reading.offset < 0 ? 2 : 1;
  const int most = std::max({least, config.activation_bits, config.edge_bits});
  const int usual =
      position.index + 2 == position.count ? config.edge_bits : config.activation_bits;
  layer.output_bits = section.integer("output_bits", least, most).value_or(std::max(least, usual));
}

/// The scheme that a section names, or else `otherwise`.
std::string read_scheme(const Section& section, const std::string& otherwise) {
  const std::string range = scheme_names();
  const std::string name = section.text("scheme", range, "\"dorefa\"").value_or(otherwise);
  if (find_scheme(name) == nullptr)
    section.refuse("scheme", fmt::format("\"{}\"", name), "is unknown", range, "\"dorefa\"");
  return name;
}

/// A parameter that the section gives, of a scheme that has it.
void read_parameters(const Section& section, const Scheme& scheme,
                     std::map<std::string, double>& values) {
  for (const SchemeParameter& parameter : scheme.parameters())
    if (section.has(parameter.name))
      values[parameter.name] = section.number(
          parameter.name, parameter.value,
          [&](double x) { return x >= parameter.min && x <= parameter.max; },
          fmt::format("numbers from {} to {}", parameter.min, parameter.max));
}

/// What of the network's own keys every layer starts from.
struct Inherited {
  std::string scheme;
  std::map<std::string, double> parameters;
};

/// Refuses a parameter in the section that is none of `own`, those of `whose`.
void refuse_other_parameters(const Section& section, const std::set<std::string>& own,
                             const std::string& whose) {
  for (const Scheme* scheme : schemes())
    for (const SchemeParameter& parameter : scheme->parameters())
      if (section.has(parameter.name) && own.count(parameter.name) == 0)
        section.fail(parameter.name, describe(*section.node(parameter.name)),
                     fmt::format("is no parameter of {}", whose),
                     own.empty() ? "none" : fmt::format("{}", fmt::join(own, ", ")),
                     fmt::format("leave it out, or set scheme = \"{}\"", scheme->name()));
}

void read_layer_scheme(const Section& section, const Inherited& network, Layer& layer) {
  layer.scheme = read_scheme(section, network.scheme);
  const Scheme& scheme = *find_scheme(layer.scheme);
  std::set<std::string> own;
  for (const SchemeParameter& parameter : scheme.parameters()) {
    own.insert(parameter.name);
    const auto given = network.parameters.find(parameter.name);
    if (given != network.parameters.end()) layer.scheme_parameters.insert(*given);
  }
  refuse_other_parameters(section, own, "scheme " + layer.scheme);
  read_parameters(section, scheme, layer.scheme_parameters);
}

/// Appends the next layer to the network's, and before it the projection that it may ask for. The
/// first layer sees `images`.
void read_layer(const std::string& path, const toml::table& table, Position position,
                const Config& config, const Layer& images, const Inherited& inherited,
                Network& network, std::vector<std::size_t>& numbered) {
  std::vector<Layer>& before = network.layers;
  const Section unnamed(path, fmt::format("layer {}: layer.", position.index + 1), table);
  const std::string type = read_type(unnamed);
  Layer layer;
  layer.name = read_name(unnamed, fmt::format("{}{}", type, position.index), before);
  const Section section(path, fmt::format("layer {}: layer.", layer.name), table);
  section.allow(
      [&](const NetworkKey& key) {
        return type == "conv" ? key.conv : type == "fc" ? key.fc : key.average;
      },
      type == "conv" ? "a conv layer"
      : type == "fc" ? "an fc layer"
                     : "an avgpool layer");
  // A projection may stand between this layer and the one before it in the file.
  if (section.has("input"))
    layer.input = static_cast<int>(read_earlier(section, "input", before, numbered));
  else if (!numbered.empty())
    layer.input = static_cast<int>(numbered.back());
  const Layer& input = layer.input < 0 ? images : before[static_cast<std::size_t>(layer.input)];
  layer.in_height = input.pooled_height();
  layer.in_width = input.pooled_width();
  layer.in_channels = input.out_channels;
  if (type == "conv") {
    read_convolution(section, layer);
  } else if (type == "fc") {
    layer.fully_connected = true;
    layer.kernel_height = layer.in_height;
    layer.kernel_width = layer.in_width;
  } else {
    read_windows(section, position, layer);
  }
  if (layer.is_average) {
    read_average_bits(section, position, config, network, layer);
  } else {
    read_channels(section, position, network.classes, layer);
    if (type == "conv") read_groups(section, position, layer);
    read_bits(section, position, config, input.output_bits, layer);
    read_stages(section, position, layer);
    read_layer_scheme(section, inherited, layer);
  }
  if (position.last() && layer.out_height * layer.out_width != 1) {
    section.refuse("type", "\"conv\"",
                   fmt::format("leaves {} x {} pixels in the last layer, not one logit a class",
                               layer.out_height, layer.out_width),
                   "layers with one output pixel", "\"fc\"");
  }
  read_residual(section, position, numbered, before, layer);
  numbered.push_back(before.size());
  before.push_back(layer);
}

/// Refuses a layer that nothing comes of.
void require_readers(const std::string& path, const toml::array& tables,
                     const std::vector<std::size_t>& numbered, const Network& network) {
  for (std::size_t i = 0; i + 1 < numbered.size(); ++i) {
    const int k = static_cast<int>(numbered[i]);
    if (!network.readers(k).empty() || !network.adders(k).empty()) continue;
    const std::string& name = network.layers[numbered[i]].name;
    throw InputError(fmt::format(
        "{}: layer {} is read by no layer: allowed are layers that a later one names as its input "
        "or residual, or follows; set input = \"{}\" in a later layer, or remove this one",
        location(path, *tables.get(i)), name, name));
  }
}

void read_layers(const std::string& path, const toml::table& root, const Config& config,
                 const Inherited& inherited, Network& network) {
  const toml::node* node = root.get("layer");
  const toml::array* array = node == nullptr ? nullptr : node->as_array();
  if (array == nullptr || array->empty() || !array->is_homogeneous(toml::node_type::table)) {
    throw InputError(
        fmt::format("{}: layer = {} is not a list of layers: allowed are one or more "
                    "[[layer]] sections; add [[layer]] with type = \"fc\"",
                    path, node == nullptr ? "(nothing)" : describe(*node)));
  }
  Layer images;
  images.out_height = network.in_height;
  images.out_width = network.in_width;
  images.out_channels = network.in_channels;
  images.output_bits = kPixelBits;
  const int count = static_cast<int>(array->size());
  std::vector<std::size_t> numbered;
  for (int index = 0; index < count; ++index) {
    const toml::table& table = *array->get_as<toml::table>(static_cast<std::size_t>(index));
    read_layer(path, table, {index, count}, config, images, inherited, network, numbered);
  }
  require_readers(path, *array, numbered, network);
}

std::vector<int> read_input(const Section& top) {
  return top.integers("input", 2, 3, kMaxSide, kInputRange, "[32, 32, 3]");
}

/// Refuses images of another shape than the file's key `input` names.
void check_input(const Section& top, const Network& network) {
  const std::vector<int> input = read_input(top);
  if (input.empty()) return;
  const std::string value = fmt::format("[{}]", fmt::join(input, ", "));
  if (input[0] != network.in_height || input[1] != network.in_width) {
    const std::string images = fmt::format("{} x {}", network.in_height, network.in_width);
    throw InputError(fmt::format(
        "{}: input = {} does not fit images of {} pixels: allowed are images of {} x {}; {}",
        top.where("input"), value, images, input[0], input[1],
        input[0] == input[1] ? fmt::format("use --resize {}", input[0])
                             : "use a data set of this size"));
  }
  if (input.size() == 3 && input[2] != network.in_channels) {
    throw InputError(fmt::format(
        "{}: input = {} does not fit images of {} channels: allowed are images of {}; use such a "
        "data set (grey images are repeated for a network that wants more)",
        top.where("input"), value, network.in_channels, input[2]));
  }
}

}  // namespace

ImageShape network_images(const std::string& name_or_path, const ImageShape& otherwise) {
  const std::string path = resolve(name_or_path);
  const toml::table root = parse_toml_file(path);
  const Section top(path, "", root);
  ImageShape shape = otherwise;
  const std::vector<int> input = read_input(top);
  if (!input.empty()) {
    shape.height = input[0];
    shape.width = input[1];
  }
  if (input.size() == 3) shape.channels = input[2];
  shape.classes = top.integer("classes", 1, kMaxChannels).value_or(shape.classes);
  return shape;
}

std::string canonical(const Network& network) {
  std::string text = fmt::format("input = {} {} {}\nclasses = {}\n", network.in_height,
                                 network.in_width, network.in_channels, network.classes);
  for (const Layer& layer : network.layers) {
    text += fmt::format(
        "layer = {} {} kernel {} {} stride {} {} padding {} {} batch_norm {} pool {} dropout {} "
        "residual "
        "{} bits {} {} {} {}\n",
        layer.name, layer.out_channels, layer.kernel_height, layer.kernel_width,
        layer.stride_height, layer.stride_width, layer.padding_height, layer.padding_width,
        layer.batch_norm ? 1 : 0, layer.pool, layer.dropout, layer.residual, layer.weight_bits,
        layer.input_bits, layer.output_bits, layer.gradient_bits);
    if (layer.input >= 0 && layer.input + 1 != static_cast<int>(&layer - network.layers.data()))
      text += fmt::format("input = {}\n", layer.input);
    if (layer.pool_stride > 0 || layer.pool_padding > 0)
      text += fmt::format("pool_stride = {} {}\n", layer.pool_stride, layer.pool_padding);
    if (layer.is_average) text += "average\n";
    if (layer.groups != 1) text += fmt::format("groups = {}\n", layer.groups);
    if (layer.scheme != "dorefa") text += fmt::format("scheme = {}\n", layer.scheme);
    for (const auto& [name, value] : layer.scheme_parameters)
      text += fmt::format("{} = {}\n", name, value);
  }
  return text;
}

namespace {

/// The precisions that the scheme asks for and the configuration holds.
void read_curriculum(const Config& config, Network& network) {
  const Layer& last = network.layers.back();
  const Scheme& scheme = scheme_of(last);
  network.curriculum = scheme.curriculum();
  if (network.curriculum == Curriculum::kSingle) return;
  network.guidance = scheme.guidance(last);
  int most_weight = 0, most_activation = 0;
  for (std::size_t k = 0; k + 1 < network.layers.size(); ++k) {
    if (network.layers[k].is_average) continue;
    if (k > 0) most_weight = std::max(most_weight, network.layers[k].weight_bits);
    most_activation = std::max(most_activation, network.layers[k].output_bits);
  }
  const bool phases = network.curriculum == Curriculum::kPhases;
  network.precisions.clear();
  for (Precision one : scheme.precisions()) {
    const bool own = one.weight_bits == 0 && one.activation_bits == 0;
    if (network.curriculum == Curriculum::kJoint && one.activation_bits > config.activation_bits)
      continue;
    one.activation_bits = std::min(one.activation_bits, config.activation_bits);
    // A phase is a step down to what the network has.
    if (phases && !own && one.weight_bits <= most_weight && one.activation_bits <= most_activation)
      continue;
    if (phases && one.weight_bits != 0) one.weight_bits = std::max(one.weight_bits, most_weight);
    if (phases && one.activation_bits != 0)
      one.activation_bits = std::max(one.activation_bits, most_activation);
    network.precisions.push_back(one);
  }
  network = network.at(phases ? network.precisions.back() : network.precisions.front());
}

}  // namespace

Network load_network(const std::string& name_or_path, const Config& config,
                     const ImageShape& images, const std::string& scheme) {
  const std::string path = resolve(name_or_path);
  return parse_network(read_file(path), path, config, images, scheme);
}

std::string network_file_text(const std::string& name_or_path) {
  return read_file(resolve(name_or_path));
}

Network parse_network(const std::string& text, const std::string& path, const Config& config,
                      const ImageShape& images, const std::string& scheme) {
  const toml::table root = parse_toml(text, path);
  if (std::max(config.activation_bits, config.edge_bits) < kPixelBits) {
    throw InputError(fmt::format(
        "{}: bits.edge = {} of configuration '{}' is too narrow for the first layer, whose pixels "
        "have {} bits: allowed is {}; set bits.edge = {}, and weight_bits and gradient_bits of "
        "single layers where fewer are wanted",
        path, config.edge_bits, config.name, kPixelBits, kPixelBits, kPixelBits));
  }

  const Section top(path, "", root);
  top.allow([](const NetworkKey& key) { return key.top; }, "a network");
  Network network;
  network.in_height = images.height;
  network.in_width = images.width;
  network.in_channels = images.channels;
  network.classes = images.classes;
  check_input(top, network);
  top.integer("classes", 1, kMaxChannels);  // only a default, but always checked
  network.name =
      top.text("name", "strings", "\"mine\"").value_or(std::filesystem::path(path).stem().string());
  network.learning_rate = top.number(
      "learning_rate", network.learning_rate,
      [](double x) { return x > 0 && x <= kMaxLearningRate; },
      fmt::format("numbers above 0, at most {}", kMaxLearningRate));
  const auto below_one = [](double x) { return x >= 0 && x < 1; };
  network.momentum =
      top.number("momentum", network.momentum, below_one, "numbers from 0 to below 1");
  network.weight_decay =
      top.number("weight_decay", network.weight_decay, below_one, "numbers from 0 to below 1");
  network.learning_rate_decay = top.number(
      "learning_rate_decay", network.learning_rate_decay, [](double x) { return x > 0 && x <= 1; },
      "numbers above 0, at most 1");
  Inherited inherited{scheme.empty() ? read_scheme(top, "dorefa") : scheme, {}};
  for (const Scheme* each : schemes()) read_parameters(top, *each, inherited.parameters);
  read_layers(path, root, config, inherited, network);
  // A scheme that is asked for may leave parameters of the file's own without use.
  if (scheme.empty()) {
    std::set<std::string> used;
    for (const Layer& layer : network.layers)
      for (const SchemeParameter& parameter : scheme_of(layer).parameters())
        used.insert(parameter.name);
    refuse_other_parameters(top, used, "any layer's scheme");
  }
  read_curriculum(config, network);
  return network;
}

}  // namespace solfege
