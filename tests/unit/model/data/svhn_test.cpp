// SPDX-License-Identifier: Apache-2.0
// SVHN's MATLAB files: written by matio, and by hand where matio would not.
#include "model/data/svhn.hpp"

#include <fmt/format.h>
#include <matio.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "model/base/error.hpp"
#include "model/data/dataset.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void require_refused(const Scratch& scratch, const std::string& file,
                     std::vector<std::string> parts) {
  parts.push_back(scratch.path(file));
  require_error<InputError>([&] { load_dataset(scratch.path()); }, parts);
}

/// A pixel that tells its place and image.
std::uint8_t svhn_pixel(int n, int y, int x, int c) {
  return static_cast<std::uint8_t>(7 * n + 3 * y + 5 * x + 85 * c);
}

struct SvhnFile {
  std::vector<std::size_t> dims = {32, 32, 3, 4};
  std::vector<double> labels = {1, 10, 9, 2};
  bool bytes = true, byte_labels = true, with_labels = true;
  matio_compression compression = MAT_COMPRESSION_ZLIB;

  void write(const std::string& path) const {
    std::size_t count = 1;
    for (const std::size_t size : dims) count *= size;
    std::vector<std::uint8_t> x(count);
    const std::size_t side = dims[0], plane = dims[0] * dims[1];
    for (std::size_t i = 0; i < count; ++i)
      x[i] = svhn_pixel(static_cast<int>(i / (3 * plane)), static_cast<int>(i % side),
                        static_cast<int>(i % plane / side), static_cast<int>(i / plane % 3));
    std::vector<double> wide(x.begin(), x.end());
    std::vector<std::uint8_t> narrow(labels.begin(), labels.end());
    std::vector<std::size_t> x_dims = dims, y_dims = {labels.size(), 1};
    mat_t* file = Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5);
    REQUIRE(file != nullptr);
    matvar_t* variable =
        Mat_VarCreate("X", bytes ? MAT_C_UINT8 : MAT_C_DOUBLE, bytes ? MAT_T_UINT8 : MAT_T_DOUBLE,
                      static_cast<int>(x_dims.size()), x_dims.data(),
                      bytes ? static_cast<void*>(x.data()) : static_cast<void*>(wide.data()), 0);
    REQUIRE(Mat_VarWrite(file, variable, compression) == 0);
    Mat_VarFree(variable);
    if (with_labels) {
      std::vector<double> copy = labels;
      variable = Mat_VarCreate(
          "y", byte_labels ? MAT_C_UINT8 : MAT_C_DOUBLE, byte_labels ? MAT_T_UINT8 : MAT_T_DOUBLE,
          2, y_dims.data(),
          byte_labels ? static_cast<void*>(narrow.data()) : static_cast<void*>(copy.data()), 0);
      REQUIRE(Mat_VarWrite(file, variable, compression) == 0);
      Mat_VarFree(variable);
    }
    Mat_Close(file);
  }
};

constexpr const char* kSvhnTrain = "train_32x32.mat";
constexpr const char* kSvhnTest = "test_32x32.mat";

TEST_CASE("SVHN files load, columns turned to rows and 10 to the digit 0", "[dataset]") {
  for (const bool compressed : {true, false}) {
    for (const bool byte_labels : {true, false}) {
      const Scratch scratch;
      SvhnFile file;
      file.compression = compressed ? MAT_COMPRESSION_ZLIB : MAT_COMPRESSION_NONE;
      file.byte_labels = byte_labels;
      file.write(scratch.path(kSvhnTrain));
      file.dims = {32, 32, 3, 1};
      file.labels = {10};
      file.write(scratch.path(kSvhnTest));
      const Dataset dataset = load_dataset(scratch.path());
      CHECK(dataset.train.labels == std::vector<std::uint8_t>{1, 0, 9, 2});
      CHECK(dataset.test.labels == std::vector<std::uint8_t>{0});
      CHECK(dataset.train.height == 32);
      CHECK(dataset.train.width == 32);
      CHECK(dataset.train.channels == 3);
      CHECK(dataset.train.classes == 10);
      REQUIRE(dataset.train.pixels.size() == 4u * 3072);
      for (int n = 0; n < 4; ++n)
        for (int i = 0; i < 3072; ++i)
          REQUIRE(dataset.train.image(n)[i] == svhn_pixel(n, i / 96, i % 96 / 3, i % 3));
      // The extra images join the training set.
      file.write(scratch.path("extra_32x32.mat"));
      CHECK(load_dataset(scratch.path()).train.labels == std::vector<std::uint8_t>{1, 0, 9, 2, 0});
    }
  }
}

TEST_CASE("foreign and damaged SVHN files are refused", "[dataset]") {
  const Scratch scratch;
  SvhnFile file;
  file.write(scratch.path(kSvhnTrain));
  file.write(scratch.path(kSvhnTest));
  SECTION("wrong shapes") {
    for (const std::vector<std::size_t>& dims :
         {std::vector<std::size_t>{32, 32, 4}, std::vector<std::size_t>{16, 32, 3, 4},
          std::vector<std::size_t>{32, 32, 1, 4}}) {
      file.dims = dims;
      file.write(scratch.path(kSvhnTrain));
      require_refused(scratch, kSvhnTrain, {"found X of ", "X of 32 x 32 x 3 x N bytes"});
    }
  }
  SECTION("pixels that are not bytes") {
    file.bytes = false;
    file.write(scratch.path(kSvhnTest));
    require_refused(scratch, kSvhnTest, {"not bytes", "X of 32 x 32 x 3 x N bytes"});
  }
  SECTION("labels missing or not one an image") {
    file.labels.pop_back();
    file.write(scratch.path(kSvhnTrain));
    require_refused(scratch, kSvhnTrain, {"y of 3 x 1", "each of 4 images"});
    file.with_labels = false;
    file.write(scratch.path(kSvhnTrain));
    require_refused(scratch, kSvhnTrain, {"no variable y", "X and y"});
  }
  SECTION("labels out of range") {
    file.byte_labels = false;
    for (const double label : {0.0, 11.0, 1.5, std::nan("")}) {
      file.labels[2] = label;
      file.write(scratch.path(kSvhnTrain));
      require_refused(scratch, kSvhnTrain, {fmt::format("label {} at image 2", label), "1 to 10"});
    }
  }
  SECTION("cut short anywhere") {
    for (const bool compressed : {true, false}) {
      file.compression = compressed ? MAT_COMPRESSION_ZLIB : MAT_COMPRESSION_NONE;
      file.write(scratch.path(kSvhnTrain));
      const std::string whole = contents(scratch.path(kSvhnTrain));
      for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{130},
                                     whole.size() / 2, whole.size() - 1}) {
        scratch.write(kSvhnTrain, whole.substr(0, size));
        require_refused(scratch, kSvhnTrain, {"found "});
      }
    }
  }
  SECTION("damaged in the middle") {
    std::string whole = contents(scratch.path(kSvhnTrain));
    for (std::size_t i = 0; i < 40; ++i) whole[whole.size() / 2 + i] ^= 0x55;
    scratch.write(kSvhnTrain, whole);
    require_refused(scratch, kSvhnTrain, {"damaged", "fetch the file again"});
  }
  SECTION("another kind of file") {
    scratch.write(kSvhnTest, std::string(4000, 'x'));
    require_refused(scratch, kSvhnTest, {"without the header of a MATLAB 5 file", "SVHN"});
  }
  SECTION("a companion missing") {
    std::filesystem::remove(scratch.path(kSvhnTest));
    require_refused(scratch, kSvhnTest, {"no such file", "put it there"});
  }
}

// ---- by hand ----

std::string little(std::uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

std::string element(std::uint32_t type, const std::string& data) {
  return little(type) + little(static_cast<std::uint32_t>(data.size())) + data +
         std::string((8 - data.size() % 8) % 8, '\0');
}

/// A variable of any kind: `flags` holds the class and, from bit 8, the flags; `parts` the elements
/// after the name.
std::string variable(std::uint32_t flags, const std::vector<std::uint32_t>& sizes,
                     const std::string& name, const std::vector<std::string>& parts) {
  std::string size_words, all;
  for (const std::uint32_t size : sizes) size_words += little(size);
  for (const std::string& part : parts) all += part;
  return element(
      14, element(6, little(flags) + little(0)) + element(5, size_words) + element(1, name) + all);
}

constexpr std::uint32_t kUint8 = 9, kDouble = 6, kComplex = 0x800, kLogical = 0x200;

/// Two images.
struct Parts {
  std::string x = variable(kUint8, {32, 32, 3, 2}, "X", {element(2, std::string(6144, '\7'))});
  std::string y = variable(kUint8, {2, 1}, "y", {element(2, "\1\12")});

  void write(const Scratch& scratch) const {
    std::string header = "MATLAB 5.0 MAT-file";
    header.resize(124, ' ');
    header += std::string("\0\1IM", 4);
    for (const char* file : {kSvhnTrain, kSvhnTest}) scratch.write(file, header + x + y);
  }
};

TEST_CASE("numbers of every stored type are labels", "[dataset]") {
  const Scratch scratch;
  Parts parts;
  parts.write(scratch);
  CHECK(load_dataset(scratch.path()).train.labels == std::vector<std::uint8_t>{1, 0});
  const auto labels = [](auto one, auto two) {
    std::string bytes(2 * sizeof one, '\0');
    std::memcpy(bytes.data(), &one, sizeof one);
    std::memcpy(bytes.data() + sizeof one, &two, sizeof two);
    return bytes;
  };
  // MATLAB stores doubles that are small integers as such.
  const std::vector<std::pair<int, std::string>> stored = {
      {1, labels(std::int8_t{3}, std::int8_t{4})},
      {2, labels(std::uint8_t{3}, std::uint8_t{4})},
      {3, labels(std::int16_t{3}, std::int16_t{4})},
      {4, labels(std::uint16_t{3}, std::uint16_t{4})},
      {5, labels(std::int32_t{3}, std::int32_t{4})},
      {6, labels(std::uint32_t{3}, std::uint32_t{4})},
      {7, labels(3.0f, 4.0f)},
      {9, labels(3.0, 4.0)},
      {12, labels(std::int64_t{3}, std::int64_t{4})},
      {13, labels(std::uint64_t{3}, std::uint64_t{4})}};
  for (const auto& [type, bytes] : stored) {
    parts.y = variable(kDouble, {1, 2}, "y", {element(static_cast<std::uint32_t>(type), bytes)});
    parts.write(scratch);
    CHECK(load_dataset(scratch.path()).train.labels == std::vector<std::uint8_t>{3, 4});
  }
  // One image, as MATLAB writes it: without a last size of one. Other variables do not matter.
  parts.x = variable(1, {1, 1}, "cells", {"whatever"}) +
            variable(kUint8, {32, 32, 3}, "X", {element(2, std::string(3072, '\7'))});
  parts.y = variable(kUint8, {1, 1}, "y", {element(2, "\5")});
  parts.write(scratch);
  CHECK(load_dataset(scratch.path()).train.labels == std::vector<std::uint8_t>{5});
}

TEST_CASE("whatever a variable claims is held against what it has", "[dataset]") {
  const Scratch scratch;
  Parts parts;
  const std::string pixels = element(2, std::string(6144, '\7')), two = element(2, "\1\12");
  const auto refused = [&](const std::vector<std::string>& message) {
    parts.write(scratch);
    require_refused(scratch, kSvhnTrain, message);
  };
  SECTION("fewer or more pixels than the sizes say") {
    for (const int count : {0, 1, 3072, 6143, 6145}) {
      parts.x = variable(kUint8, {32, 32, 3, 2}, "X",
                         {element(2, std::string(static_cast<std::size_t>(count), '\7'))});
      refused({"damaged or truncated", fmt::format("{} bytes of data", count)});
    }
  }
  SECTION("sizes whose product overflows") {
    parts.x = variable(kUint8, {0x7fffffff, 0x7fffffff, 0x7fffffff, 2}, "X", {pixels});
    refused({"damaged or truncated", "size"});
    parts.x = variable(kUint8, {32, 32, 3, 0xffffffff}, "X", {pixels});
    refused({"damaged or truncated", "size"});
  }
  SECTION("no image") {
    parts.x = variable(kUint8, {32, 32, 3, 0}, "X", {element(2, "")});
    refused({"X of 32 x 32 x 3 x 0"});
  }
  SECTION("complex, logical, text, sparse, cells, a struct") {
    parts.y = variable(kDouble | kComplex, {2, 1}, "y",
                       {element(9, std::string(16, '\0')), element(9, std::string(16, '\0'))});
    refused({"y of 2 x 1 of complex double", "numbers 1 to 10"});
    parts.y = variable(kUint8 | kLogical, {2, 1}, "y", {two});
    refused({"logical"});
    for (const auto& [kind, name] :
         {std::pair{4u, "text"}, {5u, "sparse"}, {1u, "cells"}, {2u, "struct"}}) {
      parts.y = variable(kind, {2, 1}, "y", {two});
      refused({name, "numbers 1 to 10"});
    }
    parts.y = variable(kUint8, {2, 1}, "y", {two});
    parts.x = variable(kUint8 | kComplex, {32, 32, 3, 2}, "X", {pixels, pixels});
    refused({"complex uint8", "not bytes"});
  }
  SECTION("labels in a matrix, or stored as no numbers") {
    parts.x = variable(kUint8, {32, 32, 3, 4}, "X", {element(2, std::string(12288, '\7'))});
    parts.y = variable(kUint8, {2, 2}, "y", {element(2, "\1\2\3\4")});
    refused({"y of 2 x 2", "each of 4 images"});
    parts.y = variable(kUint8, {4, 1}, "y", {element(16, "abcd")});
    refused({"stored as type 16"});
  }
  SECTION("parts missing, doubled or too many") {
    parts.y = variable(kUint8, {2, 1}, "y", {});
    refused({"damaged or truncated"});
    parts.y = variable(kUint8, {2, 1}, "y", {two, two});
    refused({"more than its data"});
    parts.y = variable(kUint8, {2, 1}, "y", {two}) + variable(kUint8, {2, 1}, "y", {two});
    refused({"two variables y"});
    parts.y = element(14, element(6, little(kUint8)));
    refused({"without flags"});
    parts.y = element(99, "what");
    refused({"element of type 99"});
  }
  SECTION("any byte of the headers changed is refused, or changes nothing") {
    parts.write(scratch);
    const std::string whole = contents(scratch.path(kSvhnTrain));
    int refusals = 0;
    for (std::size_t i = 124; i < whole.size(); ++i) {
      if (i > 200 && i + 90 < whole.size()) continue;  // pixels
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ 0x21);
      scratch.write(kSvhnTrain, changed);
      try {
        const Dataset dataset = load_dataset(scratch.path());
        CHECK(dataset.train.count() == 2);
        CHECK(dataset.train.pixels.size() == 6144);
      } catch (const InputError&) {
        ++refusals;
      }
    }
    CHECK(refusals > 60);
  }
}

}  // namespace
}  // namespace solfege
