// SPDX-License-Identifier: Apache-2.0
#include "model/svhn.hpp"

#include <fmt/format.h>
#include <matio.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "model/error.hpp"

namespace solfege {
namespace {

constexpr std::size_t kSide = 32, kChannels = 3, kDigits = 10;
constexpr std::size_t kPlane = kSide * kSide, kImage = kPlane * kChannels;

using File = std::unique_ptr<mat_t, int (*)(mat_t*)>;
using Variable = std::unique_ptr<matvar_t, void (*)(matvar_t*)>;

[[noreturn]] void refuse(const std::string& file, const std::string& found,
                         const std::string& expected, const std::string& fix) {
  throw InputError(fmt::format("{}: found {}, expected {}; {}", file, found, expected, fix));
}

constexpr const char* kFetchAgain = "fetch the file again";
constexpr const char* kForeign = "use the cropped digits of SVHN (train_32x32.mat, test_32x32.mat)";

/// matio tells of damage only by messages, and then hands out what it could not read as zeros.
/// Collects the first of them instead of printing it.
std::string& complaint() {
  static thread_local std::string text;
  return text;
}

void note_complaint(int level, char* message) {
  const bool serious =
      level & (MATIO_LOG_LEVEL_ERROR | MATIO_LOG_LEVEL_CRITICAL | MATIO_LOG_LEVEL_WARNING);
  if (serious && complaint().empty()) complaint() = message;
}

/// Checks that the elements of a MATLAB 5 file (a tag of type and length, then that many bytes)
/// fill it exactly: matio would read the rest of a truncated one as zeros.
void check_length(const std::string& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) refuse(file, "a file that cannot be opened", "a readable file", "check it");
  const auto size = static_cast<std::uint64_t>(stream.tellg());
  constexpr std::uint64_t kHeader = 128;
  unsigned char header[4] = {};
  stream.seekg(kHeader - 4);
  stream.read(reinterpret_cast<char*>(header), 4);
  // Version 0x0100 and the letters IM as a little-endian machine writes them.
  if (!stream || header[0] != 0 || header[1] != 1 || header[2] != 'I' || header[3] != 'M') {
    refuse(file, fmt::format("{} bytes without the header of a MATLAB 5 file", size),
           "a MATLAB 5 file", kForeign);
  }
  std::uint64_t position = kHeader;
  while (position < size) {
    unsigned char tag[8] = {};
    stream.seekg(static_cast<std::streamoff>(position));
    stream.read(reinterpret_cast<char*>(tag), 8);
    std::uint64_t length = 0;
    for (int i = 7; i >= 4; --i) length = length << 8 | tag[i];
    if (!stream || position + 8 + length > size) {
      refuse(file, fmt::format("{} bytes, the end of which is inside a variable", size),
             "a whole file", kFetchAgain);
    }
    position += 8 + length;
  }
}

Variable read_variable(const std::string& file, mat_t* handle, const char* name) {
  complaint().clear();
  Variable variable(Mat_VarRead(handle, name), Mat_VarFree);
  if (!complaint().empty()) {
    refuse(file, fmt::format("a damaged variable {} ({})", name, complaint()), "a whole file",
           kFetchAgain);
  }
  if (variable == nullptr || variable->data == nullptr)
    refuse(file, fmt::format("no variable {}", name), "the variables X and y", kForeign);
  return variable;
}

std::string shape(const matvar_t& variable) {
  const std::vector<std::size_t> dims(variable.dims, variable.dims + variable.rank);
  return fmt::format("{} of {}", variable.name, fmt::join(dims, " x "));
}

/// Labels come as bytes or as doubles, by how the file was made.
std::vector<double> numbers(const std::string& file, const matvar_t& variable, std::size_t count) {
  std::vector<double> values(count);
  const auto copy = [&](auto sample) {
    const auto* data = static_cast<const decltype(sample)*>(variable.data);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<double>(data[i]);
  };
  switch (variable.class_type) {
    case MAT_C_UINT8:
      copy(std::uint8_t{});
      break;
    case MAT_C_INT8:
      copy(std::int8_t{});
      break;
    case MAT_C_UINT16:
      copy(std::uint16_t{});
      break;
    case MAT_C_INT16:
      copy(std::int16_t{});
      break;
    case MAT_C_UINT32:
      copy(std::uint32_t{});
      break;
    case MAT_C_INT32:
      copy(std::int32_t{});
      break;
    case MAT_C_SINGLE:
      copy(float{});
      break;
    case MAT_C_DOUBLE:
      copy(double{});
      break;
    default:
      refuse(file, "labels y that are not numbers", "numbers 1 to 10", kForeign);
  }
  return values;
}

}  // namespace

void append_svhn(const std::string& file, Images& images) {
  check_length(file);
  Mat_LogInitFunc("solfege", note_complaint);
  complaint().clear();
  const File handle(Mat_Open(file.c_str(), MAT_ACC_RDONLY), Mat_Close);
  if (handle == nullptr) {
    refuse(file, fmt::format("a file that matio cannot read ({})", complaint()), "a MATLAB 5 file",
           kForeign);
  }
  const Variable x = read_variable(file, handle.get(), "X");
  const bool known = x->class_type == MAT_C_UINT8 && !x->isComplex && x->rank == 4 &&
                     x->dims[0] == kSide && x->dims[1] == kSide && x->dims[2] == kChannels &&
                     x->dims[3] > 0;
  if (!known) {
    refuse(file, fmt::format("{}{}", shape(*x), x->class_type == MAT_C_UINT8 ? "" : ", not bytes"),
           "X of 32 x 32 x 3 x N bytes", kForeign);
  }
  const std::size_t count = x->dims[3];
  const Variable y = read_variable(file, handle.get(), "y");
  std::size_t label_count = 1;
  for (int i = 0; i < y->rank; ++i) label_count *= y->dims[i];
  if (label_count != count)
    refuse(file, shape(*y), fmt::format("a label for each of {} images", count), kFetchAgain);

  images.height = images.width = kSide;
  images.channels = kChannels;
  images.classes = kDigits;
  const std::vector<double> labels = numbers(file, *y, count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!(labels[i] >= 1 && labels[i] <= 10) || labels[i] != static_cast<int>(labels[i]))
      refuse(file, fmt::format("label {} at image {}", labels[i], i), "1 to 10", kForeign);
    images.labels.push_back(
        static_cast<std::uint8_t>(static_cast<std::size_t>(labels[i]) % kDigits));
  }
  const std::size_t first = images.pixels.size();
  images.pixels.resize(first + count * kImage);
  const auto* source = static_cast<const std::uint8_t*>(x->data);
  std::uint8_t* target = images.pixels.data() + first;
  for (std::size_t n = 0; n < count; ++n)
    for (std::size_t row = 0; row < kSide; ++row)
      for (std::size_t column = 0; column < kSide; ++column)
        for (std::size_t c = 0; c < kChannels; ++c)
          *target++ = source[n * kImage + c * kPlane + column * kSide + row];
}

}  // namespace solfege
