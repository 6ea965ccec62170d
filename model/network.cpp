// SPDX-License-Identifier: Apache-2.0
#include "model/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <set>
#include <string_view>

#include "model/config.hpp"
#include "model/error.hpp"
#include "model/toml_file.hpp"

namespace solfege {
namespace {

constexpr int kPixelBits = 8;
constexpr int kMaxChannels = 65536;
constexpr int kMaxKernel = 64;

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
  const std::string folder = SOLFEGE_SOURCE_DIR "/configs/networks";
  const std::string shipped = fmt::format("{}/{}.toml", folder, name_or_path);
  if (!name_or_path.empty() && std::filesystem::exists(shipped)) return shipped;
  throw InputError(fmt::format(
      "{}: no such network '{}': allowed are {}, or a path ending in .toml; choose one of these",
      folder, name_or_path, fmt::join(shipped_networks(folder), ", ")));
}

/// One table of the file: the top level, or one [[layer]].
class Section {
 public:
  Section(const std::string& path, std::string prefix, const toml::table& table)
      : path_(path), prefix_(std::move(prefix)), table_(table) {}

  std::string where() const { return fmt::format("{}:{}", path_, table_.source().begin.line); }
  std::string key(std::string_view key) const { return fmt::format("{}{}", prefix_, key); }
  bool has(std::string_view key) const { return table_.contains(key); }

  /// `what` names the kind of table in the message.
  void allow(std::initializer_list<std::string_view> keys, std::string_view what) const {
    for (const auto& [name, node] : table_) {
      if (std::find(keys.begin(), keys.end(), name.str()) != keys.end()) continue;
      throw InputError(fmt::format(
          "{}: {} = {} is not a key of {}: allowed are {}; correct or remove it",
          location(path_, node), key(name.str()), describe(node), what, fmt::join(keys, ", ")));
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

  [[noreturn]] void refuse(std::string_view name, std::string_view value, std::string_view wrong,
                           std::string_view range, std::string_view example) const {
    const toml::node* node = table_.get(name);
    throw InputError(fmt::format("{}: {} = {} {}: allowed are {}; set {} = {}",
                                 node == nullptr ? where() : location(path_, *node), key(name),
                                 value, wrong, range, name, example));
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

int output_size(int in, int kernel, const Layer& layer) {
  return (in + 2 * layer.padding - kernel) / layer.stride + 1;
}

void read_convolution(const Section& section, Layer& layer) {
  const std::optional<int> kernel = section.integer("kernel", 1, kMaxKernel);
  if (!kernel) {
    section.refuse("kernel", "(nothing)", "is missing", fmt::format("1 to {}", kMaxKernel), "3");
  }
  layer.kernel_height = layer.kernel_width = *kernel;
  layer.stride = section.integer("stride", 1, 4).value_or(1);
  if (layer.stride == 3) section.refuse("stride", "3", "is not a power of two", "1, 2, 4", "2");
  // A wider padding would give output pixels that see no input at all.
  layer.padding = section.integer("padding", 0, kMaxKernel).value_or(0);
  if (layer.padding >= *kernel) {
    section.refuse("padding", fmt::to_string(layer.padding), "is not less than the kernel",
                   fmt::format("0 to {}", *kernel - 1), fmt::to_string(*kernel / 2));
  }
  const int smaller = std::min(layer.in_height, layer.in_width) + 2 * layer.padding;
  if (*kernel > smaller) {
    section.refuse(
        "kernel", fmt::to_string(*kernel),
        fmt::format("does not fit the layer's input of {} x {} pixels with padding {}",
                    layer.in_height, layer.in_width, layer.padding),
        fmt::format("1 to {}", smaller),
        fmt::format("{}, raise the padding, or lower the stride of a layer before", smaller));
  }
  layer.out_height = output_size(layer.in_height, *kernel, layer);
  layer.out_width = output_size(layer.in_width, *kernel, layer);
}

void read_bits(const Section& section, Position position, const Config& config, int input_bits,
               Layer& layer) {
  const bool edge = position.first() || position.last();
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

Layer read_layer(const std::string& path, const toml::table& table, Position position,
                 const Config& config, const Layer& before, int classes) {
  const Section unnamed(path, fmt::format("layer {}: layer.", position.index + 1), table);
  const std::string type = read_type(unnamed);
  Layer layer;
  layer.name = fmt::format("{}{}", type, position.index + 1);
  layer.in_height = before.out_height;
  layer.in_width = before.out_width;
  layer.in_channels = before.out_channels;

  const Section section(path, fmt::format("layer {}: layer.", layer.name), table);
  if (type == "conv") {
    section.allow({"type", "channels", "kernel", "stride", "padding", "weight_bits", "output_bits",
                   "gradient_bits"},
                  "a conv layer");
    read_convolution(section, layer);
  } else {
    section.allow({"type", "channels", "weight_bits", "output_bits", "gradient_bits"},
                  "an fc layer");
    layer.kernel_height = layer.in_height;
    layer.kernel_width = layer.in_width;
  }
  read_channels(section, position, classes, layer);
  read_bits(section, position, config, before.output_bits, layer);
  if (position.last() && layer.out_height * layer.out_width != 1) {
    section.refuse("type", "\"conv\"",
                   fmt::format("leaves {} x {} pixels in the last layer, not one logit a class",
                               layer.out_height, layer.out_width),
                   "layers with one output pixel", "\"fc\"");
  }
  return layer;
}

void read_layers(const std::string& path, const toml::table& root, const Config& config,
                 Network& network) {
  const toml::node* node = root.get("layer");
  const toml::array* array = node == nullptr ? nullptr : node->as_array();
  if (array == nullptr || array->empty() || !array->is_homogeneous(toml::node_type::table)) {
    throw InputError(
        fmt::format("{}: layer = {} is not a list of layers: allowed are one or more "
                    "[[layer]] sections; add [[layer]] with type = \"fc\"",
                    path, node == nullptr ? "(nothing)" : describe(*node)));
  }
  Layer before;  // stands for the images
  before.out_height = network.in_height;
  before.out_width = network.in_width;
  before.out_channels = network.in_channels;
  before.output_bits = kPixelBits;
  const int count = static_cast<int>(array->size());
  for (int index = 0; index < count; ++index) {
    before = read_layer(path, *array->get_as<toml::table>(index), {index, count}, config, before,
                        network.classes);
    network.layers.push_back(before);
  }
}

}  // namespace

Network load_network(const std::string& name_or_path, const Config& config, int in_height,
                     int in_width, int in_channels, int classes) {
  const std::string path = resolve(name_or_path);
  const toml::table root = parse_toml_file(path);
  if (std::max(config.activation_bits, config.edge_bits) < kPixelBits) {
    throw InputError(fmt::format(
        "{}: bits.edge = {} of configuration '{}' is too narrow for the first layer, whose pixels "
        "have {} bits: allowed is {}; set bits.edge = {}, and weight_bits and gradient_bits of "
        "single layers where fewer are wanted",
        path, config.edge_bits, config.name, kPixelBits, kPixelBits, kPixelBits));
  }

  const Section top(path, "", root);
  top.allow({"name", "learning_rate", "momentum", "weight_decay", "learning_rate_decay", "layer"},
            "a network");
  Network network;
  network.in_height = in_height;
  network.in_width = in_width;
  network.in_channels = in_channels;
  network.classes = classes;
  network.name =
      top.text("name", "strings", "\"mine\"").value_or(std::filesystem::path(path).stem().string());
  network.learning_rate = top.number(
      "learning_rate", network.learning_rate, [](double x) { return x > 0 && x <= 10; },
      "numbers above 0, at most 10");
  const auto below_one = [](double x) { return x >= 0 && x < 1; };
  network.momentum =
      top.number("momentum", network.momentum, below_one, "numbers from 0 to below 1");
  network.weight_decay =
      top.number("weight_decay", network.weight_decay, below_one, "numbers from 0 to below 1");
  network.learning_rate_decay = top.number(
      "learning_rate_decay", network.learning_rate_decay, [](double x) { return x > 0 && x <= 1; },
      "numbers above 0, at most 1");
  read_layers(path, root, config, network);
  return network;
}

}  // namespace solfege
