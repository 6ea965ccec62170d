// SPDX-License-Identifier: Apache-2.0
#include "model/dataset.hpp"

#include <fmt/format.h>
#include <matio.h>
#include <xxhash.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "model/error.hpp"
#include "model/training.hpp"
#include "tests/unit/scratch.hpp"

namespace solfege {
namespace {

std::string word(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

/// Images of 2 x 3 whose pixels count up.
std::string idx_images(int count, std::uint32_t magic = 0x803) {
  std::string bytes = word(magic) + word(count) + word(2) + word(3);
  for (int i = 0; i < count * 6; ++i) bytes += static_cast<char>(i);
  return bytes;
}

std::string idx_labels(int count, std::uint32_t magic = 0x801) {
  std::string bytes = word(magic) + word(count);
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(i % 10);
  return bytes;
}

void write_gzip(const std::string& path, const std::string& content) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
}

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

constexpr const char* kTrainImages = "train-images-idx3-ubyte";
constexpr const char* kTrainLabels = "train-labels-idx1-ubyte";
constexpr const char* kTestImages = "t10k-images-idx3-ubyte";
constexpr const char* kTestLabels = "t10k-labels-idx1-ubyte";

/// A valid set: 5 training and 3 test images.
void write_idx(const Scratch& scratch) {
  scratch.write(kTrainImages, idx_images(5));
  scratch.write(kTrainLabels, idx_labels(5));
  scratch.write(kTestImages, idx_images(3));
  scratch.write(kTestLabels, idx_labels(3));
}

void require_refused(const Scratch& scratch, const std::string& file,
                     std::vector<std::string> parts) {
  parts.push_back(scratch.path(file));
  require_error<InputError>([&] { load_dataset(scratch.path()); }, parts);
}

std::string cifar_record(int label, int red, int green, int blue) {
  return static_cast<char>(label) + std::string(1024, static_cast<char>(red)) +
         std::string(1024, static_cast<char>(green)) + std::string(1024, static_cast<char>(blue));
}

TEST_CASE("IDX files load, plain and gzip alike", "[dataset]") {
  const Scratch scratch;
  write_idx(scratch);
  const Dataset plain = load_dataset(scratch.path());
  CHECK(plain.train.count() == 5);
  CHECK(plain.test.count() == 3);
  CHECK(plain.train.height == 2);
  CHECK(plain.train.width == 3);
  CHECK(plain.train.channels == 1);
  CHECK(plain.train.classes == 10);
  CHECK(plain.train.labels == std::vector<std::uint8_t>{0, 1, 2, 3, 4});
  CHECK(plain.train.image(1)[0] == 6);

  const Scratch packed;
  write_gzip(packed.path(std::string(kTrainImages) + ".gz"), idx_images(5));
  write_gzip(packed.path(std::string(kTrainLabels) + ".gz"), idx_labels(5));
  write_gzip(packed.path(std::string(kTestImages) + ".gz"), idx_images(3));
  write_gzip(packed.path(kTestLabels), idx_labels(3));  // gzip without its suffix
  const Dataset gzip = load_dataset(packed.path());
  CHECK(gzip.train.pixels == plain.train.pixels);
  CHECK(gzip.train.labels == plain.train.labels);
  CHECK(gzip.test.pixels == plain.test.pixels);
  CHECK(gzip.test.labels == plain.test.labels);
}

TEST_CASE("the folder names the data set", "[dataset]") {
  const Scratch scratch;
  write_idx(scratch);
  const std::string name = std::filesystem::path(scratch.path("x")).parent_path().filename();
  CHECK(load_dataset(scratch.path()).name == name);  // ends in a slash
  CHECK(load_dataset(std::filesystem::path(scratch.path("x")).parent_path()).name == name);
}

TEST_CASE("foreign and damaged IDX files are refused", "[dataset]") {
  const Scratch scratch;
  write_idx(scratch);
  SECTION("swapped images and labels") {
    scratch.write(kTrainImages, idx_labels(5));
    require_refused(scratch, kTrainImages, {"0x00000801", "expected magic number 0x00000803"});
  }
  SECTION("labels with the magic of images") {
    scratch.write(kTestLabels, idx_labels(3, 0x803));
    require_refused(scratch, kTestLabels, {"0x00000803", "expected magic number 0x00000801"});
  }
  SECTION("another format") {
    scratch.write(kTrainImages, "\x89PNG and so on");
    require_refused(scratch, kTrainImages, {"0x89504e47", "expected magic number 0x00000803"});
  }
  SECTION("truncated pixels") {
    std::string bytes = idx_images(5);
    bytes.pop_back();
    scratch.write(kTrainImages, bytes);
    require_refused(scratch, kTrainImages, {"45 bytes", "expected 46 bytes", "fetch"});
  }
  SECTION("truncated header") {
    scratch.write(kTrainImages, idx_images(5).substr(0, 10));
    require_refused(scratch, kTrainImages, {"10 bytes", "header of 16 bytes"});
  }
  SECTION("truncated magic") {
    scratch.write(kTrainImages, "ab");
    require_refused(scratch, kTrainImages, {"2 bytes", "magic number"});
  }
  SECTION("trailing bytes") {
    scratch.write(kTestLabels, idx_labels(3) + "x");
    require_refused(scratch, kTestLabels, {"12 bytes", "expected 11 bytes"});
  }
  SECTION("empty file") {
    scratch.write(kTrainLabels, "");
    require_refused(scratch, kTrainLabels, {"an empty file"});
  }
  SECTION("no images") {
    scratch.write(kTrainImages, idx_images(0));
    require_refused(scratch, kTrainImages, {"0 as size of dimension 1", "at least 1"});
  }
  SECTION("absurd sides, whose product would overflow") {
    scratch.write(kTrainImages, word(0x803) + word(0xffffffff) + word(0xffffffff) + word(2));
    require_refused(scratch, kTrainImages, {"4294967295", "1 to 1024"});
  }
  SECTION("counts that differ") {
    scratch.write(kTrainLabels, idx_labels(4));
    require_refused(scratch, kTrainLabels, {"4 labels", "5, one for each image"});
  }
  SECTION("label beyond the classes") {
    std::string bytes = idx_labels(5);
    bytes.back() = 10;
    scratch.write(kTrainLabels, bytes);
    require_refused(scratch, kTrainLabels, {"label 10 at image 4", "0 to 9"});
  }
  SECTION("training and test of different size") {
    scratch.write(kTestImages, word(0x803) + word(3) + word(1) + word(1) + "abc");
    require_refused(scratch, kTestImages, {"1 x 1", "2 x 3"});
  }
  SECTION("missing file") {
    std::filesystem::remove(scratch.path(kTestLabels));
    require_refused(scratch, kTestLabels, {"no such file", ".gz", "put it there"});
  }
  SECTION("truncated gzip") {
    std::filesystem::remove(scratch.path(kTrainImages));
    const std::string path = scratch.path(std::string(kTrainImages) + ".gz");
    write_gzip(path, idx_images(5));
    const std::string bytes = read_bytes(path);
    scratch.write(std::string(kTrainImages) + ".gz", bytes.substr(0, bytes.size() - 6));
    require_refused(scratch, std::string(kTrainImages) + ".gz", {"damaged or truncated"});
  }
  SECTION("corrupt gzip") {
    const std::string path = scratch.path(kTrainImages);
    write_gzip(path, idx_images(5));
    std::string bytes = read_bytes(path);
    bytes[bytes.size() - 6] ^= 1;  // in the checksum
    scratch.write(kTrainImages, bytes);
    require_refused(scratch, kTrainImages, {"damaged or truncated"});
  }
}

TEST_CASE("CIFAR-10 batches load in order, pixels interleaved", "[dataset]") {
  const Scratch scratch;
  scratch.write("data_batch_2.bin", cifar_record(2, 21, 22, 23));
  scratch.write("data_batch_1.bin", cifar_record(0, 1, 2, 3) + cifar_record(1, 11, 12, 13));
  scratch.write("test_batch.bin", cifar_record(9, 91, 92, 93));
  scratch.write("batches.meta.txt", "airplane\n");
  const Dataset dataset = load_dataset(scratch.path());
  CHECK(dataset.train.labels == std::vector<std::uint8_t>{0, 1, 2});
  CHECK(dataset.test.labels == std::vector<std::uint8_t>{9});
  CHECK(dataset.train.height == 32);
  CHECK(dataset.train.width == 32);
  CHECK(dataset.train.channels == 3);
  REQUIRE(dataset.train.pixels.size() == 3u * 3072);
  const std::uint8_t* image = dataset.train.image(1);
  for (int i = 0; i < 1024; ++i) {
    REQUIRE((image[3 * i] == 11 && image[3 * i + 1] == 12 && image[3 * i + 2] == 13));
  }
}

TEST_CASE("foreign and damaged CIFAR-10 files are refused", "[dataset]") {
  const Scratch scratch;
  scratch.write("data_batch_1.bin", cifar_record(0, 1, 2, 3));
  scratch.write("test_batch.bin", cifar_record(9, 91, 92, 93));
  SECTION("truncated") {
    scratch.write("data_batch_1.bin", cifar_record(0, 1, 2, 3).substr(1));
    require_refused(scratch, "data_batch_1.bin", {"3072 bytes", "multiple of 3073"});
  }
  SECTION("label beyond the classes") {
    scratch.write("test_batch.bin", cifar_record(9, 1, 2, 3) + cifar_record(10, 1, 2, 3));
    require_refused(scratch, "test_batch.bin", {"label 10 at record 1", "0 to 9"});
  }
  SECTION("empty") {
    scratch.write("test_batch.bin", "");
    require_refused(scratch, "test_batch.bin", {"an empty file"});
  }
  SECTION("no test batch") {
    std::filesystem::remove(scratch.path("test_batch.bin"));
    require_refused(scratch, "test_batch.bin", {"no such file", "put it there"});
  }
  SECTION("no training batch") {
    std::filesystem::remove(scratch.path("data_batch_1.bin"));
    require_refused(scratch, "data_batch_1.bin", {"no such file", "put it there"});
  }
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
         {std::vector<std::size_t>{32, 32, 3}, std::vector<std::size_t>{16, 32, 3, 4},
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
      const std::string whole = read_bytes(scratch.path(kSvhnTrain));
      for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{130},
                                     whole.size() / 2, whole.size() - 1}) {
        scratch.write(kSvhnTrain, whole.substr(0, size));
        require_refused(scratch, kSvhnTrain, {"found "});
      }
    }
  }
  SECTION("damaged in the middle") {
    std::string whole = read_bytes(scratch.path(kSvhnTrain));
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

Images one_image(int height, int width, int channels, std::vector<std::uint8_t> pixels) {
  Images images;
  images.height = height;
  images.width = width;
  images.channels = channels;
  images.pixels = std::move(pixels);
  images.labels.resize(images.pixels.size() / static_cast<std::size_t>(height * width * channels));
  return images;
}

TEST_CASE("images are resized to known pixels", "[dataset]") {
  Images wide = one_image(1, 2, 1, {0, 100});
  resize_images(wide, 4);  // at -1/4, 1/4, 3/4 and 5/4, clamped to 0 and 1
  CHECK(wide.pixels ==
        std::vector<std::uint8_t>{0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100});
  CHECK((wide.height == 4 && wide.width == 4 && wide.count() == 1));
  Images square = one_image(2, 2, 1, {0, 1, 2, 4});
  resize_images(square, 1);  // 7 / 4, rounded
  CHECK(square.pixels == std::vector<std::uint8_t>{2});
  Images half = one_image(1, 2, 1, {0, 1});
  resize_images(half, 1);  // 1/2 goes up
  CHECK(half.pixels == std::vector<std::uint8_t>{1});
  Images colour = one_image(1, 1, 3, {1, 2, 3, 4, 5, 6});
  resize_images(colour, 2);
  CHECK(colour.pixels == std::vector<std::uint8_t>{1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3,
                                                   4, 5, 6, 4, 5, 6, 4, 5, 6, 4, 5, 6});
}

TEST_CASE("resized images agree with interpolation in floating point", "[dataset]") {
  const std::uint64_t seed = 20261121;
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (const auto& [height, width, side] :
       {std::array<int, 3>{32, 32, 40}, {28, 28, 40}, {32, 32, 13}, {5, 9, 7}, {32, 32, 224}}) {
    Images images = one_image(height, width, 3, {});
    for (int i = 0; i < 2 * height * width * 3; ++i)
      images.pixels.push_back(static_cast<std::uint8_t>(random.next()));
    images.labels = {3, 4};
    const Images before = images;
    resize_images(images, side);
    REQUIRE(images.pixels.size() == static_cast<std::size_t>(2 * side * side * 3));
    CHECK(images.labels == before.labels);
    const auto old_pixel = [&](int n, int y, int x, int c) {
      return static_cast<double>(before.image(n)[(y * width + x) * 3 + c]);
    };
    for (int i = 0; i < 2 * side * side * 3; ++i) {
      const int n = i / (side * side * 3), y = i / (side * 3) % side, x = i / 3 % side, c = i % 3;
      const double v = std::clamp((y + 0.5) * height / side - 0.5, 0.0, height - 1.0);
      const double u = std::clamp((x + 0.5) * width / side - 0.5, 0.0, width - 1.0);
      const int y0 = static_cast<int>(v), y1 = std::min(y0 + 1, height - 1);
      const int x0 = static_cast<int>(u), x1 = std::min(x0 + 1, width - 1);
      const double fv = v - y0, fu = u - x0;
      const double value =
          (1 - fv) * ((1 - fu) * old_pixel(n, y0, x0, c) + fu * old_pixel(n, y0, x1, c)) +
          fv * ((1 - fu) * old_pixel(n, y1, x0, c) + fu * old_pixel(n, y1, x1, c));
      // Half a unit from rounding, and a little for the reference's own.
      REQUIRE(std::abs(images.pixels[static_cast<std::size_t>(i)] - value) <= 0.5 + 1e-9);
    }
  }
}

TEST_CASE("resizing to the same size changes nothing", "[dataset]") {
  Dataset digits = make_digits(3, 1, 1);
  const std::vector<std::uint8_t> before = digits.train.pixels;
  resize_images(digits.train, 28);
  CHECK(digits.train.pixels == before);
}

TEST_CASE("grey images become colour ones of three equal channels", "[dataset]") {
  Images images = one_image(1, 2, 1, {10, 20, 30, 40});
  repeat_channels(images, 3);
  CHECK(images.channels == 3);
  CHECK(images.count() == 2);
  CHECK(images.pixels == std::vector<std::uint8_t>{10, 10, 10, 20, 20, 20, 30, 30, 30, 40, 40, 40});
}

TEST_CASE("folders without a data set are refused", "[dataset]") {
  const Scratch scratch;
  require_refused(scratch, "", {"no known data set", "train-images-idx3-ubyte", "data_batch_"});
  const std::string missing = scratch.path("missing");
  require_error<InputError>([&] { load_dataset(missing); }, {missing, "no such folder"});
  const std::string file = scratch.write("file", "x");
  require_error<InputError>([&] { load_dataset(file); }, {file, "a file", "a folder"});
}

TEST_CASE("digits are the same bytes for the same seed, on every machine", "[dataset]") {
  const Dataset once = make_digits(50, 20, 7);
  const Dataset again = make_digits(50, 20, 7);
  CHECK(once.train.pixels == again.train.pixels);
  CHECK(once.train.labels == again.train.labels);
  CHECK(once.test.pixels == again.test.pixels);
  CHECK(once.test.labels == again.test.labels);
  // Accuracies quoted anywhere refer to these bytes; whoever changes the drawing changes them all.
  CHECK(fmt::format("{:016x}", XXH64(once.train.pixels.data(), once.train.pixels.size(), 0)) ==
        "2190c949b329fb81");
}

TEST_CASE("digits differ by seed and between training and test", "[dataset]") {
  const Dataset a = make_digits(50, 50, 1);
  const Dataset b = make_digits(50, 50, 2);
  CHECK(a.train.pixels != b.train.pixels);
  CHECK(a.test.pixels != b.test.pixels);
  CHECK(a.train.pixels != a.test.pixels);
}

TEST_CASE("a smaller set of digits is the beginning of a larger one", "[dataset]") {
  const Dataset small = make_digits(10, 5, 1);
  const Dataset large = make_digits(40, 20, 1);
  CHECK(
      std::equal(small.train.pixels.begin(), small.train.pixels.end(), large.train.pixels.begin()));
  CHECK(std::equal(small.test.pixels.begin(), small.test.pixels.end(), large.test.pixels.begin()));
}

TEST_CASE("without a path the digits are the data set", "[dataset]") {
  const Dataset dataset = load_dataset("", 3);
  CHECK(dataset.name == "digits");
  CHECK(dataset.train.count() == 2000);
  CHECK(dataset.test.count() == 500);
  CHECK(dataset.train.height == 28);
  CHECK(dataset.train.width == 28);
  CHECK(dataset.train.channels == 1);
  CHECK(dataset.train.pixels == make_digits(2000, 0, 3).train.pixels);
  for (int digit = 0; digit < 10; ++digit) {
    const auto& labels = dataset.train.labels;
    const auto count = std::count(labels.begin(), labels.end(), digit);
    INFO(digit << ": " << count);
    CHECK(count > 140);
    CHECK(count < 260);
  }
}

/// Softmax regression, with one hidden layer of ReLU units in front unless `hidden` is 0, trained
/// by plain SGD. Only as good as the comparison below needs.
class Classifier {
 public:
  Classifier(int inputs, int hidden)
      : inputs_(inputs), hidden_(hidden), features_(hidden > 0 ? hidden : inputs) {
    first_.resize(static_cast<std::size_t>(hidden_) * inputs_);
    second_.resize(static_cast<std::size_t>(10) * features_);
    first_bias_.resize(hidden_);
    for (float& w : first_) w = uniform() * std::sqrt(6.0f / inputs_);
    for (float& w : second_) w = hidden_ > 0 ? uniform() * std::sqrt(3.0f / features_) : 0.0f;
  }

  void train(const Images& images, int epochs, float rate) {
    std::vector<float> back(features_);
    for (int step = 0; step < epochs * images.count(); ++step) {
      const int image = step % images.count();
      forward(images.image(image));
      const float top = *std::max_element(logits_.begin(), logits_.end());
      float sum = 0;
      for (float& logit : logits_) sum += logit = std::exp(logit - top);
      std::fill(back.begin(), back.end(), 0.0f);
      for (int c = 0; c < 10; ++c) {
        const float slope = rate * (logits_[c] / sum - (c == images.labels[image] ? 1.0f : 0.0f));
        float* row = &second_[static_cast<std::size_t>(c) * features_];
        for (int j = 0; j < features_; ++j) {
          back[j] += slope * row[j];
          row[j] -= slope * feature_[j];
        }
        second_bias_[c] -= slope;
      }
      for (int j = 0; j < hidden_; ++j) {
        if (feature_[j] <= 0) continue;
        float* row = &first_[static_cast<std::size_t>(j) * inputs_];
        for (int i = 0; i < inputs_; ++i) row[i] -= back[j] * input_[i];
        first_bias_[j] -= back[j];
      }
    }
  }

  double accuracy(const Images& images) {
    int right = 0;
    for (int i = 0; i < images.count(); ++i) {
      forward(images.image(i));
      const auto best = std::max_element(logits_.begin(), logits_.end()) - logits_.begin();
      right += best == images.labels[i];
    }
    return static_cast<double>(right) / images.count();
  }

 private:
  float uniform() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(state_ >> 40) / (1 << 23) - 1.0f;
  }

  void forward(const std::uint8_t* pixels) {
    input_.assign(pixels, pixels + inputs_);
    for (float& x : input_) x /= 255.0f;
    feature_ = hidden_ > 0 ? std::vector<float>(hidden_) : input_;
    for (int j = 0; j < hidden_; ++j) {
      feature_[j] = std::max(0.0f, first_bias_[j] + dot(&first_[j * inputs_], input_));
    }
    for (int c = 0; c < 10; ++c) {
      logits_[c] = second_bias_[c] + dot(&second_[c * features_], feature_);
    }
  }

  static float dot(const float* a, const std::vector<float>& b) {
    float sum = 0;
    for (std::size_t i = 0; i < b.size(); ++i) sum += a[i] * b[i];
    return sum;
  }

  int inputs_, hidden_, features_;
  std::uint64_t state_ = 1;
  std::vector<float> first_, second_, first_bias_, input_, feature_;
  std::array<float, 10> second_bias_{}, logits_{};
};

TEST_CASE("digits can be learned, but not by a linear classifier", "[dataset]") {
  const Dataset digits = make_digits(2000, 500, 1);
  Classifier linear(28 * 28, 0), network(28 * 28, 32);
  linear.train(digits.train, 10, 0.01f);
  network.train(digits.train, 10, 0.02f);
  const double linear_accuracy = linear.accuracy(digits.test);
  const double network_accuracy = network.accuracy(digits.test);
  INFO("linear " << linear_accuracy << ", one hidden layer " << network_accuracy);
  CHECK(linear_accuracy > 0.7);
  CHECK(network_accuracy > 0.88);
  CHECK(network_accuracy > linear_accuracy + 0.04);
}

/// The folder of a real data set, or nothing, with a loud warning.
std::string real_data(const std::string& name) {
  const char* given = std::getenv("SOLFEGE_DATA");
  const std::string root = given != nullptr ? given : SOLFEGE_SOURCE_DIR "/../shared/data";
  const std::string folder = fmt::format("{}/{}", root, name);
  if (std::filesystem::is_directory(folder)) return folder;
  WARN("SKIPPED: no " << name << " data in " << root << "; point SOLFEGE_DATA at it");
  return "";
}

TEST_CASE("real MNIST loads", "[dataset][data]") {
  const std::string folder = real_data("mnist");
  if (folder.empty()) return;
  const Dataset mnist = load_dataset(folder);
  CHECK(mnist.name == "mnist");
  CHECK(mnist.train.count() >= 1000);
  CHECK(mnist.test.count() >= 1000);
  CHECK(mnist.train.height == 28);
  CHECK(mnist.train.width == 28);
  CHECK(std::set<int>(mnist.train.labels.begin(), mnist.train.labels.end()).size() == 10);
  // Images and labels belong together: even a linear classifier sees that.
  Classifier linear(28 * 28, 0);
  linear.train(mnist.train, 1, 0.01f);
  CHECK(linear.accuracy(mnist.test) > 0.8);
}

TEST_CASE("real CIFAR-10 loads", "[dataset][data]") {
  const std::string folder = real_data("cifar10");
  if (folder.empty()) return;
  const Dataset cifar = load_dataset(folder);
  CHECK(cifar.name == "cifar10");
  CHECK(cifar.train.count() >= 1000);
  CHECK(cifar.test.count() >= 1000);
  CHECK(cifar.train.channels == 3);
  CHECK(std::set<int>(cifar.train.labels.begin(), cifar.train.labels.end()).size() == 10);
  CHECK(cifar.train.pixels.size() == static_cast<std::size_t>(cifar.train.count()) * 3072);
  // Planes were re-ordered: colours of one pixel are alike, so they vary less than random pairs.
  double alike = 0, apart = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint8_t* image = cifar.train.image(i);
    alike += std::abs(image[0] - image[1]);
    apart += std::abs(image[0] - image[1537]);
  }
  CHECK(alike < apart / 2);
}

}  // namespace
}  // namespace solfege
