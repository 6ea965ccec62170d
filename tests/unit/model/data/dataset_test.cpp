// SPDX-License-Identifier: Apache-2.0
#include "model/data/dataset.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
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

#include "model/base/error.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/digits.hpp"
#include "model/data/training.hpp"
#include "tests/support/scratch.hpp"

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

std::string contents(const std::string& path) {
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

TEST_CASE("IDX files may have a dot in their names", "[dataset]") {
  const Scratch scratch;
  scratch.write("train-images.idx3-ubyte", idx_images(5));
  scratch.write("train-labels.idx1-ubyte", idx_labels(5));
  write_gzip(scratch.path("t10k-images.idx3-ubyte.gz"), idx_images(3));
  scratch.write("t10k-labels.idx1-ubyte", idx_labels(3));
  const Dataset dataset = load_dataset(scratch.path());
  CHECK(dataset.train.count() == 5);
  CHECK(dataset.test.count() == 3);
  std::filesystem::remove(scratch.path("t10k-labels.idx1-ubyte"));
  require_refused(scratch, kTestLabels, {"no such file", "put it there"});
  // Some archives unpack to folders of the files' names.
  std::filesystem::create_directory(scratch.path(kTestLabels));
  require_refused(scratch, kTestLabels, {"it is a folder"});
}

TEST_CASE("data sets have the classes of their labels", "[dataset]") {
  const Scratch scratch;
  SECTION("CIFAR-100, fine labels") {
    const auto record = [](int coarse, int fine, int colour) {
      return static_cast<char>(coarse) + cifar_record(fine, colour, colour + 1, colour + 2);
    };
    scratch.write("train.bin", record(3, 99, 1) + record(4, 0, 4));
    scratch.write("test.bin", record(5, 42, 7));
    const Dataset dataset = load_dataset(scratch.path());
    CHECK(dataset.train.classes == 100);
    CHECK(dataset.test.classes == 100);
    CHECK(dataset.train.labels == std::vector<std::uint8_t>{99, 0});
    CHECK(dataset.test.labels == std::vector<std::uint8_t>{42});
    CHECK(dataset.train.image(1)[5] == 6);
    scratch.write("test.bin", record(5, 100, 7));
    require_refused(scratch, "test.bin", {"label 100 at record 0", "0 to 99"});
    scratch.write("test.bin", "x");
    require_refused(scratch, "test.bin", {"1 bytes", "multiple of 3074"});
    std::filesystem::remove(scratch.path("test.bin"));
    require_refused(scratch, "test.bin", {"no such file", "put it there"});
  }
  SECTION("CIFAR-10 for Python") {
    scratch.write("data_batch_1", "x");
    require_refused(scratch, "", {"Python", "binary version"});
  }
  SECTION("EMNIST's letters under its own names, column by column, from 1 to 26") {
    std::string labels = idx_labels(26), test_labels = idx_labels(3);
    for (int i = 0; i < 26; ++i) labels[static_cast<std::size_t>(8 + i)] = static_cast<char>(i + 1);
    for (std::size_t i = 0; i < 3; ++i) test_labels[8 + i] = static_cast<char>(26 - i);
    scratch.write("emnist-letters-train-images-idx3-ubyte", idx_images(26));
    scratch.write("emnist-letters-train-labels-idx1-ubyte", labels);
    write_gzip(scratch.path("emnist-letters-test-images-idx3-ubyte.gz"), idx_images(3));
    scratch.write("emnist-letters-test-labels-idx1-ubyte", test_labels);
    scratch.write("emnist-letters-mapping.txt", "1 65 97\n");
    const Dataset dataset = load_dataset(scratch.path());
    CHECK(dataset.train.classes == 26);
    CHECK(dataset.train.labels.front() == 0);
    CHECK(dataset.train.labels.back() == 25);
    CHECK(dataset.test.labels == std::vector<std::uint8_t>{25, 24, 23});
    CHECK(dataset.train.height == 3);
    CHECK(dataset.train.width == 2);
    // Pixels 0 to 5 of two lines of three become three of two.
    CHECK(std::vector<std::uint8_t>(dataset.train.image(0), dataset.train.image(1)) ==
          std::vector<std::uint8_t>{0, 3, 1, 4, 2, 5});
    scratch.write("emnist-digits-train-images-idx3-ubyte", idx_images(5));
    require_refused(scratch, "", {"emnist-digits, emnist-letters", "one of its splits"});
  }
  SECTION("a damaged label is no class") {
    write_idx(scratch);
    std::string labels = idx_labels(5);
    labels[9] = 26;
    scratch.write(kTrainLabels, labels);
    require_refused(scratch, kTrainLabels,
                    {"label 26 at image 1", "no image with label 1", "fetch the file again"});
  }
}

TEST_CASE("special files in a data set's place are refused", "[dataset]") {
  const Scratch scratch;
  write_idx(scratch);
  std::filesystem::remove(scratch.path(kTrainLabels));
  REQUIRE(mkfifo(scratch.path(kTrainLabels).c_str(), 0644) == 0);
  require_refused(scratch, kTrainLabels, {"it is a FIFO"});
  std::filesystem::remove(scratch.path(kTrainLabels));
  std::filesystem::create_symlink(kTrainLabels, scratch.path(kTrainLabels));
  require_refused(scratch, kTrainLabels, {"symbolic links form a loop"});
  const std::string loop = scratch.path("loop");
  std::filesystem::create_symlink("loop", loop);
  require_error<InputError>([&] { load_dataset(loop); }, {loop, "symbolic link"});
  require_error<InputError>([&] { load_dataset("/dev/null"); }, {"/dev/null", "a folder with"});
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
    require_refused(scratch, kTrainImages, {"0 as size of dimension 1", "1 to 1000000000"});
  }
  SECTION("absurd sides, whose product would overflow") {
    scratch.write(kTrainImages, word(0x803) + word(5) + word(0xffffffff) + word(2));
    require_refused(scratch, kTrainImages, {"4294967295", "1 to 1024"});
    scratch.write(kTrainImages, word(0x803) + word(0xffffffff) + word(1) + word(1));
    require_refused(scratch, kTrainImages, {"4294967295", "1 to 1000000000"});
  }
  SECTION("counts that differ") {
    scratch.write(kTrainLabels, idx_labels(4));
    require_refused(scratch, kTrainLabels, {"4 labels", "5, one for each image"});
  }
  SECTION("label beyond the classes") {
    std::string bytes = idx_labels(5);
    bytes.back() = 10;
    scratch.write(kTrainLabels, bytes);
    require_refused(scratch, kTrainLabels,
                    {"label 10 at image 4", "no image with label 4", "fetch the file again"});
    scratch.write(kTrainLabels, idx_labels(5));
    bytes = idx_labels(3);
    bytes.back() = 10;
    scratch.write(kTestLabels, bytes);
    require_refused(scratch, kTestLabels, {"label 10 at image 2", "0 to 9", "same set"});
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
    const std::string bytes = contents(path);
    scratch.write(std::string(kTrainImages) + ".gz", bytes.substr(0, bytes.size() - 6));
    require_refused(scratch, std::string(kTrainImages) + ".gz", {"damaged or truncated"});
  }
  SECTION("corrupt gzip") {
    const std::string path = scratch.path(kTrainImages);
    write_gzip(path, idx_images(5));
    std::string bytes = contents(path);
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
  SECTION("records of CIFAR-100, under the names of CIFAR-10") {
    scratch.write("data_batch_1.bin",
                  cifar_record(0, 1, 2, 3) + "x" + cifar_record(1, 1, 2, 3) + "x");
    require_refused(scratch, "data_batch_1.bin", {"6148 bytes", "CIFAR-100", "train.bin"});
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
