// SPDX-License-Identifier: Apache-2.0
#include "model/data/matlab_file.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>

#include "model/base/error.hpp"
#include "model/base/files.hpp"

namespace solfege {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kHeader = 128, kLargest = std::size_t{8} << 30;

// Types of elements
constexpr std::uint32_t kInt8 = 1, kInt32 = 5, kUint32 = 6, kMatrix = 14, kCompressed = 15;

/// A type of stored numbers; none has 0 bytes.
struct Stored {
  std::size_t bytes = 0;
  double (*number)(const std::uint8_t* at) = nullptr;
};
template <typename Number>
constexpr Stored stored() {
  return {sizeof(Number), [](const std::uint8_t* at) {
            Number value{};
            std::memcpy(&value, at, sizeof value);
            return static_cast<double>(value);
          }};
}
/// By MATLAB's number of the type.
constexpr std::array<Stored, 14> kStored = {Stored{},
                                            stored<std::int8_t>(),
                                            stored<std::uint8_t>(),
                                            stored<std::int16_t>(),
                                            stored<std::uint16_t>(),
                                            stored<std::int32_t>(),
                                            stored<std::uint32_t>(),
                                            stored<float>(),
                                            Stored{},
                                            stored<double>(),
                                            Stored{},
                                            Stored{},
                                            stored<std::int64_t>(),
                                            stored<std::uint64_t>()};

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  refuse_data(path, fmt::format("a damaged or truncated file: {}", what), "a whole file",
              "fetch the file again");
}

/// A piece of a file.
struct Span {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
};

struct Element {
  std::uint32_t type = 0;
  Span content;
};

std::uint32_t word(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(bytes[0] | bytes[1] << 8 | bytes[2] << 16) |
         static_cast<std::uint32_t>(bytes[3]) << 24;
}

/// Takes the elements of a span one by one.
class Elements {
 public:
  Elements(const std::string& path, Span span) : path_(path), span_(span) {}

  bool at_end() const { return span_.size == 0; }

  /// A tag of type and length, and so many bytes. `padded`: to a multiple of eight, as all but
  /// compressed elements are.
  Element next(bool padded) {
    if (span_.size < 8) damaged(path_, "it ends inside the tag of an element");
    Element element;
    element.type = word(span_.data) & 0xffff;
    element.content.size = word(span_.data) >> 16;
    if (element.content.size != 0) {  // a small one: all in the tag
      if (element.content.size > 4) damaged(path_, "a small element is longer than its tag");
      element.content.data = span_.data + 4;
      skip(8);
      return element;
    }
    element.type = word(span_.data);
    element.content.size = word(span_.data + 4);
    skip(8);
    if (element.content.size > span_.size)
      damaged(path_,
              fmt::format("an element of {} bytes has {}", element.content.size, span_.size));
    element.content.data = span_.data;
    const std::size_t whole = padded ? (element.content.size + 7) / 8 * 8 : element.content.size;
    skip(std::min(whole, span_.size));
    return element;
  }

 private:
  void skip(std::size_t size) {
    span_.data += size;
    span_.size -= size;
  }

  const std::string& path_;
  Span span_;
};

Bytes inflated(const std::string& path, Span packed) {
  z_stream stream = {};
  if (inflateInit(&stream) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  stream.next_in = const_cast<Bytef*>(packed.data);
  stream.avail_in = static_cast<uInt>(packed.size);
  Bytes bytes;
  int result = Z_OK;
  while (result == Z_OK) {
    constexpr std::size_t kChunk = 1 << 20;
    const std::size_t size = bytes.size();
    if (size > kLargest) damaged(path, fmt::format("a variable of more than {} bytes", kLargest));
    bytes.resize(size + kChunk);
    stream.next_out = bytes.data() + size;
    stream.avail_out = kChunk;
    result = inflate(&stream, Z_NO_FLUSH);
    bytes.resize(size + kChunk - stream.avail_out);
  }
  if (result != Z_STREAM_END)
    damaged(path, fmt::format("a compressed variable ends after {} bytes ({})", bytes.size(),
                              stream.msg != nullptr ? stream.msg : "too early"));
  return bytes;
}

/// A variable, if its name is asked for.
void read_variable(const std::string& path, Span content, const std::vector<std::string>& names,
                   std::map<std::string, MatlabArray>& variables) {
  Elements parts(path, content);
  MatlabArray array;
  const Element flags = parts.next(true);
  if (flags.type != kUint32 || flags.content.size != 8) damaged(path, "a variable without flags");
  array.kind = flags.content.data[0];
  array.complex = (flags.content.data[1] & 0x08) != 0;
  array.logical = (flags.content.data[1] & 0x02) != 0;
  if (array.kind > MatlabArray::kUint64) return;  // functions and the like
  const Element sizes = parts.next(true);
  if (sizes.type != kInt32 || sizes.content.size < 8 || sizes.content.size % 4 != 0)
    damaged(path, "a variable without sizes");
  std::uint64_t count = 1;
  for (std::size_t i = 0; i < sizes.content.size; i += 4) {
    array.sizes.push_back(word(sizes.content.data + i));
    if (array.sizes.back() > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()) ||
        __builtin_mul_overflow(count, array.sizes.back(), &count))
      damaged(path, fmt::format("a variable of the size {}", array.sizes.back()));
  }
  const Element name = parts.next(true);
  if (name.type != kInt8) damaged(path, "a variable without a name");
  const std::string text(name.content.data, name.content.data + name.content.size);
  if (std::find(names.begin(), names.end(), text) == names.end()) return;
  if (variables.count(text) != 0) damaged(path, fmt::format("two variables {}", text));
  if (array.kind >= MatlabArray::kDouble && !array.complex) {
    const Element data = parts.next(true);
    const std::size_t width = data.type < kStored.size() ? kStored[data.type].bytes : 0;
    if (width == 0) damaged(path, fmt::format("{} is stored as type {}", text, data.type));
    if (data.content.size % width != 0 || data.content.size / width != count)
      damaged(path, fmt::format("{} of {} has {} bytes of data", text, array.describe(),
                                data.content.size));
    if (!parts.at_end()) damaged(path, fmt::format("{} has more than its data", text));
    array.type = static_cast<int>(data.type);
    array.data.assign(data.content.data, data.content.data + data.content.size);
  }
  variables[text] = std::move(array);
}

}  // namespace

std::uint64_t MatlabArray::count() const {
  std::uint64_t result = 1;
  for (const std::uint64_t size : sizes) result *= size;
  return result;
}

double MatlabArray::number(std::size_t i) const {
  const Stored& stored = kStored.at(static_cast<std::size_t>(type));
  return stored.number(data.data() + i * stored.bytes);
}

std::string MatlabArray::describe() const {
  constexpr std::array<const char*, 16> kNames = {"an unknown class",
                                                  "cells",
                                                  "struct",
                                                  "object",
                                                  "text",
                                                  "sparse numbers",
                                                  "double",
                                                  "single",
                                                  "int8",
                                                  "uint8",
                                                  "int16",
                                                  "uint16",
                                                  "int32",
                                                  "uint32",
                                                  "int64",
                                                  "uint64"};
  const char* name = kind >= 0 && kind < 16 ? kNames[static_cast<std::size_t>(kind)] : kNames[0];
  return fmt::format("{} of {}{}", fmt::join(sizes, " x "), complex ? "complex " : "",
                     logical ? "logical" : name);
}

std::map<std::string, MatlabArray> read_matlab_file(const std::string& path,
                                                    const std::vector<std::string>& names,
                                                    const std::string& kind) {
  const Bytes bytes = read_bytes(path);
  // Version 0x0100 and the letters IM as a little-endian machine writes them.
  constexpr std::array<std::uint8_t, 4> kVersion = {0, 1, 'I', 'M'};
  if (bytes.size() < kHeader ||
      !std::equal(kVersion.begin(), kVersion.end(), bytes.begin() + kHeader - 4))
    refuse_data(path, fmt::format("{} bytes without the header of a MATLAB 5 file", bytes.size()),
                "a MATLAB 5 file, little-endian", fmt::format("use {}", kind));
  std::map<std::string, MatlabArray> variables;
  Elements elements(path, {bytes.data() + kHeader, bytes.size() - kHeader});
  while (!elements.at_end()) {
    const Element element = elements.next(false);
    if (element.type == kMatrix) {
      read_variable(path, element.content, names, variables);
    } else if (element.type == kCompressed) {
      const Bytes content = inflated(path, element.content);
      Elements inside(path, {content.data(), content.size()});
      const Element variable = inside.next(true);
      if (variable.type != kMatrix || !inside.at_end())
        damaged(path, "what is compressed is not one variable");
      read_variable(path, variable.content, names, variables);
    } else {
      damaged(path, fmt::format("an element of type {}", element.type));
    }
  }
  return variables;
}

}  // namespace solfege
