// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

namespace solfege {

// The types of a tensor's numbers: X(kName, "name in the file", bytes, C++ type; void: none).
// clang-format off
#define SOLFEGE_TENSOR_TYPES(X)                                                              \
  X(kBool, "BOOL", 1, bool) X(kU8, "U8", 1, std::uint8_t) X(kI8, "I8", 1, std::int8_t)       \
  X(kU16, "U16", 2, std::uint16_t) X(kI16, "I16", 2, std::int16_t) X(kF16, "F16", 2, void)   \
  X(kBF16, "BF16", 2, void) X(kU32, "U32", 4, std::uint32_t) X(kI32, "I32", 4, std::int32_t) \
  X(kF32, "F32", 4, float) X(kU64, "U64", 8, std::uint64_t) X(kI64, "I64", 8, std::int64_t)  \
  X(kF64, "F64", 8, double)
// clang-format on
#define SOLFEGE_TENSOR_TYPE(kName, name, bytes, Number) kName,
enum class TensorType { SOLFEGE_TENSOR_TYPES(SOLFEGE_TENSOR_TYPE) };
#undef SOLFEGE_TENSOR_TYPE

/// The type that holds numbers of this C++ type.
template <typename Number>
constexpr TensorType tensor_type() {
#define SOLFEGE_TENSOR_TYPE(kName, name, bytes, Type) \
  if (std::is_same_v<Number, Type>) return TensorType::kName;
  SOLFEGE_TENSOR_TYPES(SOLFEGE_TENSOR_TYPE)
#undef SOLFEGE_TENSOR_TYPE
}

/// A tensor of a file: little-endian numbers, the last index innermost.
struct Tensor {
  TensorType type = TensorType::kF32;
  std::vector<std::uint64_t> shape;  ///< empty: a single number
  std::vector<std::uint8_t> data;

  /// `values` has as many numbers as the shape.
  template <typename Number>
  static Tensor of(std::vector<std::uint64_t> shape, const std::vector<Number>& values) {
    Tensor tensor{tensor_type<Number>(), std::move(shape), {}};
    tensor.data.resize(values.size() * sizeof(Number));
    if (!values.empty()) std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
    return tensor;
  }
  bool is_floating() const;
  /// All numbers. 64-bit integers beyond 2^53 are rounded.
  std::vector<double> numbers() const;
  std::string describe() const;  ///< "F32 [16, 1, 5, 5]"
};

/// A safetensors file, PyTorch's format: 8 bytes of header length, a header in JSON, raw numbers.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads a file whole. InputError, in one line that ends with `fix`, unless it is a regular file
/// with a header of right length and right JSON, in which each tensor has a known type and as many
/// bytes as its shape asks for, and in whose data every byte belongs to exactly one tensor.
TensorFile read_tensors(const std::string& path, const std::string& fix);

/// Writes a file whole or not at all, as write_file() does. The same tensors give the same bytes.
void write_tensors(const std::string& path, const TensorFile& file);

}  // namespace solfege
