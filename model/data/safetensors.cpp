// SPDX-License-Identifier: Apache-2.0
#include "model/data/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "model/base/error.hpp"
#include "model/base/files.hpp"

namespace solfege {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLengthBytes = 8;
/// The limit of the format's own library.
constexpr std::uint64_t kLargestHeader = 100'000'000;
constexpr const char* kMetadata = "__metadata__";

struct TypeTraits {
  TensorType type;
  const char* name;
  std::uint64_t bytes;
};
constexpr TypeTraits kTypes[] = {
#define SOLFEGE_TENSOR_TYPE(kName, name, bytes, Number) {TensorType::kName, name, bytes},
    SOLFEGE_TENSOR_TYPES(SOLFEGE_TENSOR_TYPE)
#undef SOLFEGE_TENSOR_TYPE
};

const TypeTraits& traits(TensorType type) { return kTypes[static_cast<std::size_t>(type)]; }

/// A number of 16 bits with so many bits of mantissa below the exponent, by IEEE 754's rules.
double small_float(std::uint16_t bits, int mantissa_bits) {
  const int exponent_bits = 15 - mantissa_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1, highest = (1 << exponent_bits) - 1;
  const int exponent = (bits >> mantissa_bits) & highest;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  double value = 0;
  if (exponent == highest)
    value = mantissa == 0 ? std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::quiet_NaN();
  else if (exponent == 0)
    value = std::ldexp(mantissa, 1 - bias - mantissa_bits);
  else
    value = std::ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
  return bits >> 15 != 0 ? -value : value;
}

/// A name or value of the file for a message, in one line that is not long.
std::string shown(const Json& value) {
  constexpr std::size_t kLongest = 80;
  const std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

/// A product of sizes, or nothing where it has more than 64 bits.
std::optional<std::uint64_t> product(const std::vector<std::uint64_t>& factors) {
  std::uint64_t result = 1;
  for (const std::uint64_t factor : factors)
    if (__builtin_mul_overflow(result, factor, &result)) return std::nullopt;
  return result;
}

/// Reads a file that is in memory; `path` and `fix` are for messages.
class Reader {
 public:
  Reader(const std::string& path, const std::string& fix, const std::vector<std::uint8_t>& bytes)
      : path_(path), fix_(fix), bytes_(bytes) {}

  TensorFile read() {
    const Json header = parse_header();
    TensorFile file;
    for (const auto& [name, entry] : header.items()) {
      if (name == kMetadata)
        read_metadata(entry, file);
      else
        file.tensors[name] = read_tensor(name, entry);
    }
    require_whole_cover();
    return file;
  }

 private:
  struct Span {
    std::uint64_t begin, end;
    std::string name;
  };

  [[noreturn]] void refuse(const std::string& found, const std::string& expected) const {
    refuse_data(path_, found, expected, fix_);
  }

  Json parse_header() {
    if (bytes_.size() < kLengthBytes)
      refuse(fmt::format("{} bytes", bytes_.size()),
             "a safetensors file, which begins with 8 bytes of header length");
    std::uint64_t length = 0;
    for (std::size_t i = kLengthBytes; i-- > 0;) length = length << 8 | bytes_[i];
    const std::uint64_t most =
        std::min<std::uint64_t>(kLargestHeader, bytes_.size() - kLengthBytes);
    if (length < 2 || length > most)
      refuse(fmt::format("a header length of {} in a file of {} bytes", length, bytes_.size()),
             fmt::format("a safetensors file with a header of 2 to {} bytes", most));
    data_ = kLengthBytes + static_cast<std::size_t>(length);
    std::vector<std::set<std::string>> keys;  // of the objects that are open
    std::string twice;
    const auto watch = [&](int, Json::parse_event_t event, Json& value) {
      if (event == Json::parse_event_t::object_start) keys.emplace_back();
      if (event == Json::parse_event_t::object_end) keys.pop_back();
      if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
        twice = value.get<std::string>();
      return true;
    };
    Json header;
    try {
      header = Json::parse(bytes_.begin() + kLengthBytes,
                           bytes_.begin() + static_cast<std::ptrdiff_t>(data_), watch);
    } catch (const Json::exception& error) {
      const std::string said = error.what();
      refuse(fmt::format("a header that is not JSON ({})",
                         shown(said.substr(std::min(said.find(']') + 2, said.size())))),
             "a safetensors file with a header in JSON");
    }
    if (!header.is_object())
      refuse(fmt::format("a header of {}", shown(header)), "a JSON object of tensors by name");
    if (!twice.empty())
      refuse(fmt::format("the name {} twice in the header", shown(twice)), "each name once");
    return header;
  }

  void read_metadata(const Json& entry, TensorFile& file) const {
    const bool texts = entry.is_object() && std::all_of(entry.begin(), entry.end(), [](auto& text) {
                         return text.is_string();
                       });
    if (!texts)
      refuse(fmt::format("{} = {}", kMetadata, shown(entry)), "an object of texts by name");
    for (const auto& [name, text] : entry.items()) file.metadata[name] = text.get<std::string>();
  }

  Tensor read_tensor(const std::string& name, const Json& entry) {
    const auto require = [&](bool good, const std::string& expected) {
      if (good) return;
      refuse(fmt::format("tensor {} = {}", shown(name), shown(entry)), expected);
    };
    const auto has = [&](const char* key) { return entry.contains(key); };
    require(entry.is_object() && entry.size() == 3 && has("dtype") && has("shape") &&
                has("data_offsets"),
            "an object of dtype, shape and data_offsets");
    std::vector<std::string> names;
    for (const TypeTraits& type : kTypes) names.emplace_back(type.name);
    const Json& dtype = entry.at("dtype");
    const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [&](const TypeTraits& t) { return dtype == t.name; });
    require(type != std::end(kTypes), fmt::format("a dtype of {}", fmt::join(names, ", ")));
    const auto sizes = [&](const char* key, const char* expected) {
      const Json& list = entry.at(key);
      require(list.is_array() && std::all_of(list.begin(), list.end(),
                                             [](auto& n) { return n.is_number_unsigned(); }),
              expected);
      return list.get<std::vector<std::uint64_t>>();
    };
    Tensor tensor;
    tensor.type = type->type;
    tensor.shape = sizes("shape", "a shape of whole numbers");
    const auto offsets = sizes("data_offsets", "data_offsets of two whole numbers");
    require(offsets.size() == 2, "data_offsets of two whole numbers");
    const std::uint64_t begin = offsets[0], end = offsets[1], size = bytes_.size() - data_;
    require(begin <= end && end <= size,
            fmt::format("data_offsets in order, within the {} bytes of data", size));
    std::vector<std::uint64_t> factors = tensor.shape;
    factors.push_back(type->bytes);
    const std::optional<std::uint64_t> need = product(factors);
    require(need == end - begin, fmt::format("{} bytes between its offsets, by dtype and shape",
                                             need ? fmt::to_string(*need) : "more than 2^64"));
    spans_.push_back({begin, end, name});
    const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(data_);
    tensor.data.assign(first + static_cast<std::ptrdiff_t>(begin),
                       first + static_cast<std::ptrdiff_t>(end));
    return tensor;
  }

  /// Every byte of the data belongs to one tensor.
  void require_whole_cover() {
    std::sort(spans_.begin(), spans_.end(), [](const Span& a, const Span& b) {
      return std::pair{a.begin, a.end} < std::pair{b.begin, b.end};
    });
    std::uint64_t next = 0;
    for (const Span& span : spans_) {
      if (span.begin != next)
        refuse(fmt::format("tensor {} at byte {}", shown(span.name), span.begin),
               fmt::format("it at byte {}, where the tensor before it ends", next));
      next = span.end;
    }
    const std::uint64_t size = bytes_.size() - data_;
    if (next != size)
      refuse(fmt::format("{} bytes of data", size),
             fmt::format("{}, where the last tensor ends", next));
  }

  const std::string& path_;
  const std::string& fix_;
  const std::vector<std::uint8_t>& bytes_;
  std::size_t data_ = 0;  ///< where it begins
  std::vector<Span> spans_;
};

}  // namespace

bool Tensor::is_floating() const {
  return type == TensorType::kF16 || type == TensorType::kBF16 || type == TensorType::kF32 ||
         type == TensorType::kF64;
}

std::vector<double> Tensor::numbers() const {
  std::vector<double> values;
  values.reserve(data.size() / traits(type).bytes);
  const auto each = [&](auto number, auto convert) {
    for (std::size_t at = 0; at < data.size(); at += sizeof number) {
      std::memcpy(&number, &data[at], sizeof number);
      values.push_back(convert(number));
    }
  };
  const auto plain = [](auto number) { return static_cast<double>(number); };
  switch (type) {
    case TensorType::kBool:
    case TensorType::kU8:
      each(std::uint8_t{}, plain);
      break;
    case TensorType::kI8:
      each(std::int8_t{}, plain);
      break;
    case TensorType::kU16:
      each(std::uint16_t{}, plain);
      break;
    case TensorType::kI16:
      each(std::int16_t{}, plain);
      break;
    case TensorType::kF16:
      each(std::uint16_t{}, [](std::uint16_t bits) { return small_float(bits, 10); });
      break;
    case TensorType::kBF16:
      each(std::uint16_t{}, [](std::uint16_t bits) { return small_float(bits, 7); });
      break;
    case TensorType::kU32:
      each(std::uint32_t{}, plain);
      break;
    case TensorType::kI32:
      each(std::int32_t{}, plain);
      break;
    case TensorType::kF32:
      each(float{}, plain);
      break;
    case TensorType::kU64:
      each(std::uint64_t{}, plain);
      break;
    case TensorType::kI64:
      each(std::int64_t{}, plain);
      break;
    case TensorType::kF64:
      each(double{}, plain);
      break;
  }
  return values;
}

std::string Tensor::describe() const {
  return fmt::format("{} [{}]", traits(type).name, fmt::join(shape, ", "));
}

TensorFile read_tensors(const std::string& path, const std::string& fix) {
  const std::vector<std::uint8_t> bytes = read_bytes(path, fix);
  return Reader(path, fix, bytes).read();
}

void write_tensors(const std::string& path, const TensorFile& file) {
  // The widest numbers come first, so that each lies at a multiple of its size.
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const auto& entry : file.tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return traits(a->second.type).bytes > traits(b->second.type).bytes;
  });
  Json header = Json::object();
  if (!file.metadata.empty()) header[kMetadata] = file.metadata;
  std::uint64_t offset = 0;
  for (const auto* entry : order) {
    const Tensor& tensor = entry->second;
    header[entry->first] = {{"dtype", traits(tensor.type).name},
                            {"shape", tensor.shape},
                            {"data_offsets", {offset, offset + tensor.data.size()}}};
    offset += tensor.data.size();
  }
  // Names of files and networks may be of any bytes.
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string content;
  content.reserve(kLengthBytes + text.size() + offset);
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    content += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i));
  content += text;
  for (const auto* entry : order)
    content.append(reinterpret_cast<const char*>(entry->second.data.data()),
                   entry->second.data.size());
  write_file(path, content);
}

}  // namespace solfege
