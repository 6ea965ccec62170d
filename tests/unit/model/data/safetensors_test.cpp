// SPDX-License-Identifier: Apache-2.0
#include "model/data/safetensors.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>

#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

/// A file of this header and so many bytes of data; `length` stands for the header's, if given.
std::string file_of(const std::string& header, std::size_t data, std::uint64_t length = 0) {
  if (length == 0) length = header.size();
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(length >> (8 * i));
  return text + header + std::string(data, '\1');
}

void require_refused(const Scratch& scratch, const std::string& content,
                     std::vector<std::string> parts) {
  const std::string path = scratch.write("t.safetensors", content);
  parts.push_back(path);
  parts.emplace_back("mend it");
  require_error<InputError>([&] { read_tensors(path, "mend it"); }, parts);
}

std::vector<double> numbers_of(TensorType type, std::vector<std::uint8_t> data) {
  return Tensor{type, {}, std::move(data)}.numbers();
}

TEST_CASE("tensors come back as they were written", "[safetensors]") {
  const Scratch scratch;
  const std::string path = scratch.path("t.safetensors");
  TensorFile file;
  file.tensors["codes"] = Tensor::of({3}, std::vector<std::uint8_t>{0, 7, 255});
  file.tensors["small"] = Tensor::of({1, 2}, std::vector<std::int8_t>{-128, 127});
  file.tensors["weight"] = Tensor::of({2, 2}, std::vector<float>{0.1f, -2.0f, 1e-30f, 3e30f});
  file.tensors["exact"] = Tensor::of({1}, std::vector<double>{1.0 / 3});
  file.tensors["one"] = Tensor::of({}, std::vector<std::int64_t>{-5});
  file.tensors["none"] = Tensor::of({4, 0}, std::vector<std::int16_t>{});
  file.tensors["int \"32\""] = Tensor::of({2}, std::vector<std::int32_t>{-2147483647 - 1, 5});
  file.metadata = {{"format", "pt"}, {"name", "a \"quoted\"\nname"}};
  write_tensors(path, file);
  const TensorFile read = read_tensors(path, "mend it");
  CHECK(read.metadata == file.metadata);
  REQUIRE(read.tensors.size() == file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    CAPTURE(name);
    const Tensor& found = read.tensors.at(name);
    CHECK(found.type == tensor.type);
    CHECK(found.shape == tensor.shape);
    CHECK(found.data == tensor.data);
  }
  CHECK(read.tensors.at("exact").numbers() == std::vector<double>{1.0 / 3});
  CHECK(read.tensors.at("small").numbers() == std::vector<double>{-128, 127});
  CHECK(read.tensors.at("small").describe() == "I8 [1, 2]");
  CHECK(read.tensors.at("weight").is_floating());
  CHECK(!read.tensors.at("codes").is_floating());
  // The same tensors give the same bytes; data begin at a multiple of 8, and nothing else is left.
  const std::string first = read_file(path);
  CHECK((static_cast<std::uint8_t>(first[0]) % 8) == 0);
  write_tensors(path, read);
  CHECK(read_file(path) == first);
  const auto files = std::filesystem::directory_iterator(scratch.path());
  CHECK(std::distance(begin(files), end(files)) == 1);
  // Known bad: another number is another file.
  file.tensors["one"].data[0] ^= 1;
  write_tensors(path, file);
  CHECK(read_file(path) != first);
}

TEST_CASE("numbers of every type mean what IEEE 754 and two's complement say", "[safetensors]") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(
      numbers_of(TensorType::kF16, {0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x01, 0x00, 0x00, 0x7c}) ==
      std::vector<double>{1.0, -2.0, 65504.0, std::ldexp(1.0, -24), infinity});
  CHECK(std::isnan(numbers_of(TensorType::kF16, {0x01, 0x7c})[0]));
  CHECK(numbers_of(TensorType::kBF16, {0x80, 0x3f, 0x20, 0xc1, 0x01, 0x00, 0x80, 0xff}) ==
        std::vector<double>{1.0, -10.0, std::ldexp(1.0, -133), -infinity});
  CHECK(numbers_of(TensorType::kI16, {0xff, 0xff}) == std::vector<double>{-1});
  CHECK(numbers_of(TensorType::kU16, {0xff, 0xff}) == std::vector<double>{65535});
  CHECK(numbers_of(TensorType::kU32, {0, 0, 0, 0x80}) == std::vector<double>{2147483648.0});
  CHECK(numbers_of(TensorType::kI32, {0, 0, 0, 0x80}) == std::vector<double>{-2147483648.0});
  CHECK(numbers_of(TensorType::kI64, {0xfe, 255, 255, 255, 255, 255, 255, 255}) ==
        std::vector<double>{-2});
  CHECK(numbers_of(TensorType::kU64, {5, 0, 0, 0, 0, 0, 0, 0}) == std::vector<double>{5});
  CHECK(numbers_of(TensorType::kBool, {0, 1}) == std::vector<double>{0, 1});
}

TEST_CASE("a header that is not one is refused", "[safetensors]") {
  const Scratch scratch;
  const auto refuse = [&](const std::string& content, std::vector<std::string> parts) {
    CAPTURE(content);
    require_refused(scratch, content, std::move(parts));
  };
  refuse("", {"0 bytes", "8 bytes of header length"});
  refuse("1234567", {"7 bytes"});
  refuse("[[layer]]\ntype = 3", {"header length"});
  refuse(file_of("", 0, 1), {"a header length of 1"});
  refuse(file_of("{}", 0, 3), {"a header length of 3 in a file of 10 bytes"});
  refuse(file_of("{}", 0, ~std::uint64_t{0}), {"a header length of 18446744073709551615"});
  refuse(file_of("{\"a\"", 0), {"not JSON"});
  refuse(file_of("{} {}", 0), {"not JSON"});
  refuse(file_of("{\"\xff\": 1}", 0), {"not JSON"});
  refuse(file_of("[]", 0), {"a header of []", "a JSON object"});
  refuse(file_of("{\"__metadata__\": 3}", 0), {"__metadata__ = 3", "texts"});
  refuse(file_of("{\"__metadata__\": {\"a\": 3}}", 0), {"__metadata__", "texts"});
  refuse(file_of("{}", 1), {"1 bytes of data", "0"});
  require_error<InputError>([&] { read_tensors(scratch.path(), "mend it"); }, {"folder"});
  require_error<InputError>([&] { read_tensors(scratch.path("none"), "mend it"); },
                            {"no such file", "mend it"});
}

TEST_CASE("tensors that contradict the file are refused", "[safetensors]") {
  const Scratch scratch;
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return "{\"dtype\": " + dtype + ", \"shape\": " + shape + ", \"data_offsets\": " + offsets +
           "}";
  };
  const auto refuse = [&](const std::string& header, std::size_t data,
                          std::vector<std::string> parts) {
    CAPTURE(header);
    require_refused(scratch, file_of(header, data), std::move(parts));
  };
  const auto one = [&](const std::string& tensor, std::vector<std::string> parts) {
    parts.emplace_back("tensor \"a\"");
    refuse("{\"a\": " + tensor + "}", 8, std::move(parts));
  };
  one("3", {"= 3", "dtype, shape and data_offsets"});
  one("{\"dtype\": \"F32\", \"shape\": [2]}", {"data_offsets"});
  one("{\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8], \"more\": 1}",
      {"an object of"});
  one(entry("\"F8\"", "[8]", "[0, 8]"), {"a dtype of BOOL, U8"});
  one(entry("5", "[8]", "[0, 8]"), {"a dtype of"});
  one(entry("\"F32\"", "2", "[0, 8]"), {"a shape of whole numbers"});
  one(entry("\"F32\"", "[-2]", "[0, 8]"), {"a shape of whole numbers"});
  one(entry("\"F32\"", "[2.0]", "[0, 8]"), {"a shape of whole numbers"});
  one(entry("\"F32\"", "[2]", "[0]"), {"two whole numbers"});
  one(entry("\"F32\"", "[2]", "[0, 8, 8]"), {"two whole numbers"});
  one(entry("\"F32\"", "[2]", "[8, 0]"), {"in order, within the 8 bytes"});
  one(entry("\"F32\"", "[3]", "[0, 12]"), {"within the 8 bytes"});
  one(entry("\"F32\"", "[2]", "[0, 18446744073709551615]"), {"within the 8 bytes"});
  one(entry("\"F32\"", "[3]", "[0, 8]"), {"12 bytes between its offsets"});
  one(entry("\"F32\"", "[4294967296, 4294967296, 2]", "[0, 8]"), {"more than 2^64"});
  one(entry("\"F32\"", "[4611686018427387904]", "[0, 0]"), {"more than 2^64"});
  const std::string half = entry("\"F32\"", "[1]", "[0, 4]");
  refuse("{\"a\": " + half + "}", 8, {"8 bytes of data", "4, where the last tensor ends"});
  refuse("{\"a\": " + half + ", \"b\": " + half + "}", 4, {"tensor \"b\" at byte 0", "at byte 4"});
  refuse("{\"a\": " + half + ", \"b\": " + entry("\"F32\"", "[1]", "[5, 9]") + "}", 9,
         {"tensor \"b\" at byte 5", "at byte 4"});
  refuse("{\"a\": " + half + ", \"a\": " + half + "}", 4, {"\"a\" twice"});
  refuse(
      "{\"a\": {\"dtype\": \"F32\", \"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}",
      4, {"\"dtype\" twice"});
  // And this is a right one, with blanks that the format allows after the header.
  const std::string path = scratch.write("t.safetensors", file_of("{\"a\": " + half + "}   ", 4));
  CHECK(read_tensors(path, "mend it").tensors.at("a").shape == std::vector<std::uint64_t>{1});
}

}  // namespace
}  // namespace solfege
