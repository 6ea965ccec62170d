// SPDX-License-Identifier: Apache-2.0
#include "model/spec/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <string_view>
#include <variant>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/hash.hpp"
#include "model/base/toml_file.hpp"

namespace solfege {
namespace {

struct Field {
  std::string_view section, key;
  std::variant<int Config::*, std::uint64_t Config::*> member;
  std::int64_t min, max;
  bool power_of_two;
  std::string_view meaning;

  std::string name() const { return fmt::format("{}.{}", section, key); }

  std::int64_t get(const Config& config) const {
    return std::visit([&](auto m) { return static_cast<std::int64_t>(config.*m); }, member);
  }

  void set(Config& config, std::int64_t value) const {
    std::visit(
        [&](auto m) {
          using Type = std::decay_t<decltype(config.*m)>;
          config.*m = static_cast<Type>(value);
        },
        member);
  }

  bool allows(std::int64_t value) const {
    return value >= min && value <= max && (!power_of_two || (value & (value - 1)) == 0);
  }

  std::string range() const {
    return fmt::format("{}{} to {}", power_of_two ? "powers of two from " : "", min, max);
  }

  /// The allowed value to suggest instead: the nearest bound, or the power of two below.
  std::int64_t nearest(std::int64_t value) const {
    if (value <= min) return min;
    if (value >= max) return max;
    std::int64_t power = min;
    while (power * 2 <= value) power *= 2;
    return power;
  }
};

// The only list of the keys: parsing, range checks, the canonical text (and so the hash) and the
// reference (`solfege reference`) all walk it. Its order is the order of the canonical text:
// changing it changes every hash.
//
// The ranges are a contract: scripts/corners walks them, and whatever is accepted lints, verifies
// and trains. An accumulator stops at 48 bits because the stream unit multiplies it by a 16-bit
// scale in 64. Tables hold whole blocks of 16 channels or samples. Samples stop at 8192 because
// each has a flip-flop that says whether its maximum has begun.
constexpr std::array<Field, 24> kFields = {{
    {"bits", "weight", &Config::weight_bits, 1, 8, false,
     "W: the bits of a weight code of the inner layers."},
    {"bits", "activation", &Config::activation_bits, 1, 8, false,
     "A: the bits of an activation code."},
    {"bits", "gradient", &Config::gradient_bits, 1, 8, false,
     "G: the bits of a gradient code of the inner layers."},
    {"bits", "edge", &Config::edge_bits, 1, 8, false,
     "The bits of pixels, and of the weight and gradient codes of the first and the last "
     "layer. Networks need 8 here or in bits.activation."},
    {"bits", "wide", &Config::wide_bits, 17, 32, false,
     "The planes of the widest operand: gradient codes times their sample's scale, and "
     "the gradient of the logits. At least min(32, max(bits.gradient, bits.edge) + "
     "stream.stored_bits)."},
    {"array", "rows", &Config::rows, 2, 64, true, "R: the rows of processing elements."},
    {"array", "columns", &Config::columns, 2, 64, true, "C: the columns of processing elements."},
    {"array", "planes", &Config::planes, 1, 2, true,
     "The planes of the row operand that a processing element multiplies in a cycle, each by the "
     "same plane of the column operand."},
    {"array", "lanes", &Config::lanes, 16, 256, true,
     "L: the bits of a word, which a processing element multiplies in a cycle. At most 8 "
     "memory.bus_bytes."},
    {"array", "accumulator_bits", &Config::accumulator_bits, 16, 48, false,
     "The bits of the sum in a processing element. At least 1 + "
     "ceil(log2(array.max_contraction)) + twice the largest of the other four bits.* keys."},
    {"array", "max_contraction", &Config::max_contraction, 16, 1 << 24, false,
     "The number of products in the longest sum that the array must hold."},
    {"array", "row_buffer_depth", &Config::row_buffer_depth, 64, 65536, true,
     "The depth of the row operand buffer, in words of R L bits."},
    {"array", "column_buffer_depth", &Config::column_buffer_depth, 64, 65536, true,
     "The depth of the column operand buffer, in words of C L bits."},
    {"array", "buffer_bank_depth", &Config::buffer_bank_depth, 16, 65536, true,
     "The depth of the memories that the operand buffers consist of. Of a read only one of them "
     "works."},
    {"stream", "lanes", &Config::stream_lanes, 1, 16, true,
     "S: the elements that the stream unit takes in a cycle. At most min(array.columns, "
     "array.lanes)."},
    {"stream", "stored_bits", &Config::stored_bits, 16, 32, true,
     "The bits of a stored pre-activation."},
    {"stream", "table_channels", &Config::table_channels, 16, 8192, true,
     "The channels that the tables of scales, offsets and clip bounds hold. At most 65535 "
     "S / 16."},
    {"stream", "threshold_channels", &Config::threshold_channels, 16, 8192, true,
     "The channels that may have thresholds of their own. At most 65535 S / (2^A - 1)."},
    {"stream", "sum_tiles", &Config::sum_tiles, 1, 64, true,
     "The tiles of the array whose sums over samples are held at once."},
    {"stream", "max_batch", &Config::max_batch, 16, 8192, true,
     "The samples whose scales the machine holds: the largest batch."},
    {"random", "bits", &Config::random_bits, 4, 16, false,
     "r: the bits of a random number of the stochastic quantizer f_G."},
    // TOML integers are signed, so the upper half of 64 bits cannot be written.
    {"random", "seed", &Config::random_seed, 1, std::numeric_limits<std::int64_t>::max(), false,
     "The start of the sequence of random numbers."},
    {"memory", "bus_bytes", &Config::bus_bytes, 8, 64, true,
     "The bytes of a beat on the memory bus. At least 4 S and L / 8."},
    {"memory", "descriptor_queue_depth", &Config::descriptor_queue_depth, 2, 16, true,
     "The descriptors that may wait before each engine."},
}};

void check_range(const Field& field, std::int64_t value, const std::string& where) {
  if (field.allows(value)) return;
  const std::string reason =
      field.member.index() == 1 && value == 0 ? " (an LFSR that starts at zero stays there)" : "";
  throw InputError(fmt::format("{}: {} = {} is out of range{}: allowed are {}; set {} = {}", where,
                               field.name(), value, reason, field.range(), field.name(),
                               field.nearest(value)));
}

const Field* find_field(std::string_view section, std::string_view key) {
  const auto found = std::find_if(kFields.begin(), kFields.end(), [&](const Field& field) {
    return field.section == section && field.key == key;
  });
  return found == kFields.end() ? nullptr : &*found;
}

const Field& find_field(const std::string& name) {
  return *std::find_if(kFields.begin(), kFields.end(),
                       [&](const Field& field) { return field.name() == name; });
}

std::string known_sections() {
  std::vector<std::string> names;
  for (const Field& field : kFields) {
    const std::string name = fmt::format("[{}]", field.section);
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, " "));
}

std::string known_keys(std::string_view section) {
  std::vector<std::string_view> names;
  for (const Field& field : kFields) {
    if (field.section == section) names.push_back(field.key);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

void read_section(std::string_view section, const toml::table& table, const std::string& path,
                  Config& config) {
  for (const auto& [key, node] : table) {
    const std::string where = location(path, node);
    const Field* field = find_field(section, key.str());
    if (field == nullptr) {
      throw InputError(fmt::format(
          "{}: {}.{} = {} is an unknown key: allowed in [{}] are {}; correct or remove it", where,
          section, key.str(), describe(node), section, known_keys(section)));
    }
    if (!node.is_integer()) {
      throw InputError(fmt::format("{}: {} = {} is not an integer: allowed are {}; set {} = {}",
                                   where, field->name(), describe(node), field->range(),
                                   field->name(), field->get(Config())));
    }
    const std::int64_t value = node.as_integer()->get();
    check_range(*field, value, where);
    field->set(config, value);
  }
}

int ceil_log2(std::int64_t value) {
  int bits = 0;
  while ((std::int64_t{1} << bits) < value) ++bits;
  return bits;
}

void check_wide(const Config& config, const std::string& where) {
  const int need =
      std::min(32, std::max(config.gradient_bits, config.edge_bits) + config.stored_bits);
  if (config.wide_bits >= need) return;
  throw InputError(fmt::format(
      "{}: bits.wide = {} is too narrow: a gradient code times its sample's {}-bit scale needs "
      "max(bits.gradient, bits.edge) + stream.stored_bits = {}: allowed are {} to 32; set "
      "bits.wide = {}",
      where, config.wide_bits, config.stored_bits, need, need, need));
}

void check_accumulator(const Config& config, const std::string& where) {
  const int have = config.accumulator_bits;
  const int need = config.required_accumulator_bits();
  if (have >= need) return;
  const Field& accumulator = *find_field("array", "accumulator_bits");
  const Field& contraction = *find_field("array", "max_contraction");
  // The widest that any accepted configuration needs fits, so this always mends it.
  std::string ways = fmt::format("set array.accumulator_bits = {}", need);
  const int contraction_bits = ceil_log2(config.max_contraction) - (need - have);
  if (contraction_bits >= ceil_log2(contraction.min))
    ways += fmt::format(" or array.max_contraction = {}", std::int64_t{1} << contraction_bits);
  throw InputError(fmt::format(
      "{}: array.accumulator_bits = {}: accumulator too narrow: {} products of codes need {} bits, "
      "has {}: allowed are {} to {}; {}",
      where, have, config.max_contraction, need, have, need, accumulator.max, ways));
}

void check_stream(const Config& config, const std::string& where) {
  const int limit = std::min(config.columns, config.lanes);
  if (config.stream_lanes > limit) {
    throw InputError(fmt::format(
        "{}: stream.lanes = {} is more than the array drains or packs at once: allowed are 1 to "
        "min(array.columns, array.lanes) = {}; set stream.lanes = {} or enlarge the array",
        where, config.stream_lanes, limit, limit));
  }
}

/// The largest power of two that is at most `limit`.
std::int64_t power_below(std::int64_t limit) {
  return std::int64_t{1} << (ceil_log2(limit + 1) - 1);
}

// A loop of a descriptor counts to this.
constexpr std::int64_t kLargestCount = 65535;

void check_tables(const Config& config, const std::string& where) {
  const std::int64_t pixel_limit = power_below(kLargestCount * config.stream_lanes / 16);
  if (config.table_channels > pixel_limit)
    throw InputError(fmt::format(
        "{}: stream.table_channels = {} is out of range: a loop of at most {} steps passes over 16 "
        "samples' channels, stream.lanes = {} a step: allowed are powers of two from 16 to {}; set "
        "stream.table_channels = {} or raise stream.lanes",
        where, config.table_channels, kLargestCount, config.stream_lanes, pixel_limit,
        pixel_limit));
  const std::int64_t thresholds = (1 << config.activation_bits) - 1;
  const std::int64_t threshold_limit =
      power_below(kLargestCount * config.stream_lanes / thresholds);
  if (config.threshold_channels > threshold_limit)
    throw InputError(fmt::format(
        "{}: stream.threshold_channels = {} is out of range: a loop of at most {} steps loads {} "
        "thresholds a channel, stream.lanes = {} a step: allowed are powers of two from 16 to {}; "
        "set stream.threshold_channels = {} or raise stream.lanes",
        where, config.threshold_channels, kLargestCount, thresholds, config.stream_lanes,
        threshold_limit, threshold_limit));
}

void check_bus(const Config& config, const std::string& where) {
  const Field& bus = *find_field("memory", "bus_bytes");
  const int low = 4 * config.stream_lanes;
  if (config.bus_bytes < low) {
    throw InputError(fmt::format(
        "{}: memory.bus_bytes = {} is out of range: stream.lanes = {} elements of 4 bytes move a "
        "cycle: allowed are powers of two from 4 * stream.lanes = {} to {}; set memory.bus_bytes = "
        "{} or lower stream.lanes",
        where, config.bus_bytes, config.stream_lanes, low, bus.max, low));
  }
  if (config.lanes > 8 * config.bus_bytes) {
    throw InputError(fmt::format(
        "{}: array.lanes = {} is out of range: a word of lanes must fit the bus: allowed are "
        "powers of two from {} to 8 * memory.bus_bytes = {}; set array.lanes = {} or a wider bus",
        where, config.lanes, find_field("array", "lanes")->min, 8 * config.bus_bytes,
        8 * config.bus_bytes));
  }
}

}  // namespace

Config Config::load(const std::string& path) { return parse(read_file(path), path); }

Config Config::parse(const std::string& text, const std::string& path) {
  const toml::table root = parse_toml(text, path);
  Config config;
  config.name = std::filesystem::path(path).stem().string();
  for (const auto& [section, node] : root) {
    const bool known = std::any_of(kFields.begin(), kFields.end(),
                                   [name = section.str()](auto& f) { return f.section == name; });
    if (!known) {
      throw InputError(
          fmt::format("{}: {} = {} is an unknown section: allowed are {}; correct or remove it",
                      location(path, node), section.str(), describe(node), known_sections()));
    }
    if (!node.is_table()) {
      throw InputError(fmt::format(
          "{}: {} = {} is not a section: allowed are {}; write [{}] and "
          "its keys below",
          location(path, node), section.str(), describe(node), known_sections(), section.str()));
    }
    read_section(section.str(), *node.as_table(), path, config);
  }
  config.validate(path);
  return config;
}

void Config::validate(const std::string& where) const {
  for (const Field& field : kFields) check_range(field, field.get(*this), where);
  check_wide(*this, where);
  check_stream(*this, where);
  check_tables(*this, where);
  check_bus(*this, where);
  check_accumulator(*this, where);
}

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> list;
    for (const Field& field : kFields)
      list.push_back({field.name(), field.min, field.max, field.power_of_two, field.get(Config()),
                      std::string(field.meaning)});
    return list;
  }();
  return keys;
}

bool allows_at_least(const std::string& name, std::int64_t need) {
  return need <= find_field(name).max;
}

std::string advise_at_least(const std::string& name, std::int64_t need,
                            const std::string& otherwise) {
  const Field& field = find_field(name);
  if (!allows_at_least(name, need))
    return fmt::format("no configuration holds it, allowed are {}; {}", field.range(), otherwise);
  std::int64_t value = std::max(need, field.min);
  if (field.power_of_two) value = std::int64_t{1} << ceil_log2(value);
  return fmt::format("allowed are {}; set {} = {}", field.range(), name, value);
}

std::int64_t config_value(const Config& config, const std::string& name) {
  return find_field(name).get(config);
}

std::string Config::canonical() const {
  std::string text;
  for (const Field& field : kFields) {
    text += fmt::format("{} = {}\n", field.name(), field.get(*this));
  }
  return text;
}

std::string Config::hash() const {
  const std::string text = canonical();
  return hexadecimal(fingerprint(text.data(), text.size()));
}

int Config::required_accumulator_bits() const {
  const int widest = std::max({weight_bits, activation_bits, gradient_bits, edge_bits});
  return 1 + ceil_log2(max_contraction) + 2 * widest;
}

}  // namespace solfege
