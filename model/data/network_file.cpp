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

/// A quantity of both axes of a map.
struct Axes {
  int height, width;
};

/// One table of the file: the top level, or one [[layer]].
class Section {
 public:
  Section(const std::string& path, std::string prefix, const toml::table& table)
      : path_(path), prefix_(std::move(prefix)), table_(table) {}

  std::string where() const { return fmt::format("{}:{}", path_, table_.source().begin.line); }
  std::string where(std::string_view name) const {
    const toml::node* node = table_.get(name);
    return node == nullptr ? where() : location(path_, *node);
  }
  std::string key(std::string_view key) const { return fmt::format("{}{}", prefix_, key); }
  bool has(std::string_view key) const { return table_.contains(key); }

  /// Refuses keys that `is_key` does not find in network_keys(). `what` names the kind of table.
  template <typename IsKey>
  void allow(IsKey is_key, std::string_view what) const {
    std::vector<std::string> names;
    for (const NetworkKey& known : network_keys())
      if (is_key(known)) names.push_back(known.name);
    for (const auto& [name, node] : table_) {
      if (std::find(names.begin(), names.end(), name.str()) != names.end()) continue;
      throw InputError(fmt::format(
          "{}: {} = {} is not a key of {}: allowed are {}; correct or remove it",
          location(path_, node), key(name.str()), describe(node), what, fmt::join(names, ", ")));
    }
  }

  std::optional<std::string> text(std::string_view name, std::string_view range,
                                  std::string_view example) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return std::nullopt;
    if (node->is_string()) return node->as_string()->get();
    refuse(name, describe(*node), "is not a string", range, example);
  }

  std::optional<int> integer(std::string_view name, int min, int max) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return std::nullopt;
    const std::string range = fmt::format("{} to {}", min, max);
    if (!node->is_integer()) {
      refuse(name, describe(*node), "is not an integer", range, fmt::to_string(min));
    }
    const std::int64_t value = node->as_integer()->get();
    if (value < min || value > max) {
      refuse(name, fmt::to_string(value), "is out of range", range,
             fmt::to_string(value < min ? min : max));
    }
    return static_cast<int>(value);
  }

  /// A number for both axes, or a list [height, width].
  std::optional<Axes> by_axis(std::string_view name, int min, int max) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr || node->is_integer()) {
      const std::optional<int> both = integer(name, min, max);
      return both ? std::optional<Axes>({*both, *both}) : std::nullopt;
    }
    const toml::array* list = node->as_array();
    const std::string range = fmt::format("{} to {}, or a list [height, width] of such", min, max);
    const std::string example = fmt::format("[{0}, {0}]", std::max(min, 1));
    if (list == nullptr || list->size() != 2)
      refuse(name, describe(*node), "is neither an integer nor a list of two", range, example);
    int sides[2];
    for (std::size_t i = 0; i < 2; ++i) {
      const toml::node& element = *list->get(i);
      if (!element.is_integer())
        refuse(name, value(name), "is not a list of integers", range, example);
      const std::int64_t side = element.as_integer()->get();
      if (side < min || side > max) refuse(name, value(name), "is out of range", range, example);
      sides[i] = static_cast<int>(side);
    }
    return Axes{sides[0], sides[1]};
  }

  /// The key's value as the file has it.
  std::string value(std::string_view name) const {
    const toml::node* node = table_.get(name);
    const toml::array* list = node->as_array();
    if (list == nullptr) return describe(*node);
    std::vector<std::string> elements;
    for (const toml::node& element : *list)
      elements.push_back(element.is_integer() ? fmt::to_string(element.as_integer()->get())
                                              : describe(element));
    return fmt::format("[{}]", fmt::join(elements, ", "));
  }

  /// A finite number that `allowed` accepts; `range` says the same in words.
  template <typename Allowed>
  double number(std::string_view name, double fallback, Allowed allowed,
                std::string_view range) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return fallback;
    const std::string example = fmt::to_string(fallback);
    if (!node->is_number()) refuse(name, describe(*node), "is not a number", range, example);
    const double value = *node->value<double>();
    // Written so that NaN is refused: it allows nothing.
    if (!(std::isfinite(value) && allowed(value))) {
      refuse(name, fmt::to_string(value), "is out of range", range, example);
    }
    return value;
  }

  bool flag(std::string_view name) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return false;
    if (node->is_boolean()) return node->as_boolean()->get();
    refuse(name, describe(*node), "is not a truth value", "true, false", "true");
  }

  /// A list of `min` to `max` positive integers, each up to `limit`; empty if the key is not there.
  std::vector<int> integers(std::string_view name, std::size_t min, std::size_t max, int limit,
                            std::string_view range, std::string_view example) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return {};
    const toml::array* array = node->as_array();
    if (array == nullptr || array->size() < min || array->size() > max)
      refuse(name, describe(*node), "is not such a list", range, example);
    std::vector<int> values;
    for (const toml::node& element : *array) {
      const std::int64_t value = element.is_integer() ? element.as_integer()->get() : 0;
      if (value < 1 || value > limit)
        refuse(name, fmt::format("[... {} ...]", describe(element)), "is out of range", range,
               example);
      values.push_back(static_cast<int>(value));
    }
    return values;
  }

  const toml::node* node(std::string_view name) const { return table_.get(name); }

  [[noreturn]] void refuse(std::string_view name, std::string_view value, std::string_view wrong,
                           std::string_view range, std::string_view example) const {
    fail(name, value, wrong, range, fmt::format("set {} = {}", name, example));
  }

  [[noreturn]] void fail(std::string_view name, std::string_view value, std::string_view wrong,
                         std::string_view range, std::string_view fix) const {
    throw InputError(fmt::format("{}: {} = {} {}: allowed are {}; {}", where(name), key(name),
                                 value, wrong, range, fix));
  }

 private:
  const std::string& path_;
  std::string prefix_;
  const toml::table& table_;
};

struct Position {
  int index = 0, count = 0;
  bool first() const { return index == 0; }
  bool last() const { return index == count - 1; }
};

std::string read_type(const Section& section) {
  constexpr std::string_view kTypes = "\"conv\", \"fc\"";
  const std::optional<std::string> type = section.text("type", kTypes, "\"conv\"");
  if (!type) section.refuse("type", "(nothing)", "is missing", kTypes, "\"conv\"");
  if (*type != "conv" && *type != "fc") {
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

/// What stands between the convolution and the codes: batch normalisation, pooling, dropout.
void read_stages(const Section& section, Position position, Layer& layer) {
  layer.batch_norm = section.flag("batch_norm");
  layer.pool = section.integer("pool", 1, kMaxPool).value_or(1);
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
  if (layer.out_height % layer.pool == 0 && layer.out_width % layer.pool == 0) return;
  std::vector<int> divisors;
  for (int pool = 1; pool <= kMaxPool; ++pool)
    if (layer.out_height % pool == 0 && layer.out_width % pool == 0) divisors.push_back(pool);
  section.refuse("pool", fmt::to_string(layer.pool),
                 fmt::format("does not divide the layer's map of {} x {} pixels", layer.out_height,
                             layer.out_width),
                 fmt::format("{}", fmt::join(divisors, ", ")),
                 fmt::format("{}, or change the padding or kernel",
                             *std::min_element(divisors.begin(), divisors.end(), [&](int a, int b) {
                               return std::abs(a - layer.pool) < std::abs(b - layer.pool);
                             })));
}

/// Why the sum of layer `from` cannot be added to that of `layer`, its successor at the end of
/// `before`; empty if it can.
std::string residual_fault(const std::vector<Layer>& before, std::size_t from, const Layer& layer) {
  const Layer& source = before[from];
  const auto shape = [](const Layer& l) {
    return fmt::format("{} x {} pixels of {} channels", l.out_height, l.out_width, l.out_channels);
  };
  if (shape(source) != shape(layer))
    return fmt::format("has {}, this layer {}", shape(source), shape(layer));
  if (layer.pool != 1) return "cannot be added to a layer that pools";
  for (std::size_t i = from; i < before.size(); ++i)
    if (before[i].pool != 1)
      return i == from ? "pools" : fmt::format("lies before {}, which pools", before[i].name);
  return "";
}

void read_residual(const Section& section, Position position, const std::vector<Layer>& before,
                   Layer& layer) {
  const toml::node* node = section.node("residual");
  if (node == nullptr) return;
  if (position.first() || position.last()) {
    section.fail("residual", describe(*node),
                 position.first() ? "is set in the first layer, which has none before it"
                                  : "is set in the last layer, whose sums are the logits",
                 "layers between the first and the last", "leave it out");
  }
  std::vector<std::string> allowed;
  std::string fix = "leave it out, or change the shapes";
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!residual_fault(before, i, layer).empty()) continue;
    allowed.push_back(fmt::format("\"{}\" ({})", before[i].name, i + 1));
    fix = fmt::format("set residual = \"{}\"", before[i].name);
  }
  const std::string range =
      fmt::format("earlier layers of the same output shape without pooling, by name or number: {}",
                  allowed.empty() ? "there are none" : fmt::format("{}", fmt::join(allowed, ", ")));
  std::size_t from = before.size();
  if (node->is_integer()) {
    const std::int64_t number = node->as_integer()->get();
    if (number >= 1 && number <= static_cast<std::int64_t>(before.size()))
      from = static_cast<std::size_t>(number - 1);
  } else if (node->is_string()) {
    const std::string& name = node->as_string()->get();
    from = static_cast<std::size_t>(
        std::find_if(before.begin(), before.end(), [&](const Layer& l) { return l.name == name; }) -
        before.begin());
  }
  if (from == before.size())
    section.fail("residual", describe(*node), "is not an earlier layer", range, fix);
  const std::string fault = residual_fault(before, from, layer);
  if (!fault.empty())
    section.fail("residual", describe(*node), fmt::format("does not fit: it {}", fault), range,
                 fix);
  layer.residual = static_cast<int>(from);
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

/// The layer after those of `before`; the first sees `images`.
Layer read_layer(const std::string& path, const toml::table& table, Position position,
                 const Config& config, const Layer& images, const std::vector<Layer>& before,
                 int classes, const Inherited& inherited) {
  const Section unnamed(path, fmt::format("layer {}: layer.", position.index + 1), table);
  const std::string type = read_type(unnamed);
  const Layer& input = before.empty() ? images : before.back();
  Layer layer;
  layer.name = read_name(unnamed, fmt::format("{}{}", type, position.index), before);
  layer.in_height = input.pooled_height();
  layer.in_width = input.pooled_width();
  layer.in_channels = input.out_channels;

  const Section section(path, fmt::format("layer {}: layer.", layer.name), table);
  if (type == "conv") {
    section.allow([](const NetworkKey& key) { return key.conv; }, "a conv layer");
    read_convolution(section, layer);
  } else {
    section.allow([](const NetworkKey& key) { return key.fc; }, "an fc layer");
    layer.fully_connected = true;
    layer.kernel_height = layer.in_height;
    layer.kernel_width = layer.in_width;
  }
  read_channels(section, position, classes, layer);
  read_stages(section, position, layer);
  read_residual(section, position, before, layer);
  read_bits(section, position, config, input.output_bits, layer);
  read_layer_scheme(section, inherited, layer);
  if (position.last() && layer.out_height * layer.out_width != 1) {
    section.refuse("type", "\"conv\"",
                   fmt::format("leaves {} x {} pixels in the last layer, not one logit a class",
                               layer.out_height, layer.out_width),
                   "layers with one output pixel", "\"fc\"");
  }
  return layer;
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
  for (int index = 0; index < count; ++index) {
    const toml::table& table = *array->get_as<toml::table>(static_cast<std::size_t>(index));
    network.layers.push_back(read_layer(path, table, {index, count}, config, images, network.layers,
                                        network.classes, inherited));
  }
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
