// SPDX-License-Identifier: Apache-2.0
#include "model/data/dataset.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/data/digits.hpp"
#include "model/data/svhn.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

using Bytes = std::vector<std::uint8_t>;

constexpr int kClasses = 10;  // at least; a small part of a set may lack some
constexpr std::uint32_t kMaxSide = 1024, kMostImages = 1'000'000'000;
constexpr std::uint32_t kImageMagic = 0x803;  // unsigned bytes, three dimensions
constexpr std::uint32_t kLabelMagic = 0x801;  // unsigned bytes, one dimension
constexpr int kCifarSide = 32;
constexpr int kCifarPlane = kCifarSide * kCifarSide;
constexpr int kCifarPixels = 3 * kCifarPlane;

constexpr const char* kFetchAgain = "fetch the file again";
constexpr const char* kNamesOfFiles =
    "train-images-idx3-ubyte[.gz] and its three companions, those of one split of EMNIST, "
    "data_batch_*.bin and test_batch.bin, train.bin and test.bin, or train_32x32.mat and "
    "test_32x32.mat";
constexpr const char *kSvhnTrain = "train_32x32.mat", *kSvhnTest = "test_32x32.mat";

Bytes read_data(const fs::path& file) {
  Bytes bytes = read_bytes(file);
  if (bytes.empty()) refuse_data(file, "an empty file", "data", kFetchAgain);
  return bytes;
}

std::uint32_t big_endian(const Bytes& bytes, std::size_t word) {
  std::uint32_t value = 0;
  for (std::size_t i = 4 * word; i < 4 * word + 4; ++i) value = value << 8 | bytes[i];
  return value;
}

/// Checks the header of an IDX file (magic, then a size per dimension) against its length.
Bytes read_idx(const fs::path& file, std::uint32_t magic, std::size_t dimensions) {
  Bytes bytes = read_data(file);
  const std::size_t header = 4 * (1 + dimensions);
  if (bytes.size() < 4 || big_endian(bytes, 0) != magic) {
    const std::string found = bytes.size() < 4
                                  ? fmt::format("{} bytes", bytes.size())
                                  : fmt::format("magic number {:#010x}", big_endian(bytes, 0));
    refuse_data(file, found,
                fmt::format("magic number {:#010x} (IDX, bytes, {} dimension{})", magic, dimensions,
                            dimensions == 1 ? "" : "s"),
                "check that images and labels are not swapped, and that the file is IDX");
  }
  if (bytes.size() < header) {
    refuse_data(file, fmt::format("{} bytes", bytes.size()),
                fmt::format("a header of {} bytes", header), kFetchAgain);
  }
  std::uint64_t length = 1;
  for (std::size_t d = 1; d <= dimensions; ++d) {
    const std::uint32_t size = big_endian(bytes, d);
    // The first dimension counts images, the others are their sides. The limits keep the product
    // of a corrupt header within 64 bits.
    const std::uint32_t most = d == 1 ? kMostImages : kMaxSide;
    if (size == 0 || size > most) {
      refuse_data(file, fmt::format("{} as size of dimension {}", size, d),
                  fmt::format("1 to {}", most), kFetchAgain);
    }
    length *= size;
  }
  if (bytes.size() != header + length) {
    refuse_data(file, fmt::format("{} bytes", bytes.size()),
                fmt::format("{} bytes by its header", header + length), kFetchAgain);
  }
  return bytes;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() > fs::file_type::not_found;
}

/// The file as named or with .gz; the plain one wins, and so does a regular file. An empty path
/// when there is neither.
fs::path find_file(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  const fs::path plain = folder / name, packed = folder / (name + ".gz");
  for (const fs::path& file : {plain, packed})
    if (fs::is_regular_file(file, ignored)) return file;
  for (const fs::path& file : {plain, packed})
    if (is_there(file)) return file;
  return {};
}

fs::path require_file(const fs::path& folder, const std::string& name) {
  const fs::path file = find_file(folder, name);
  if (file.empty()) refuse_data(folder / name, "no such file, nor with .gz", "it", "put it there");
  return file;
}

/// The file of one part of an IDX data set, such as train-images-idx3-ubyte. Some unpackers write
/// a dot in place of the last hyphen but one.
fs::path find_idx(const fs::path& folder, const std::string& part, bool images) {
  const std::string kind = images ? "idx3-ubyte" : "idx1-ubyte";
  const std::string stem = part + (images ? "-images" : "-labels");
  const fs::path file = find_file(folder, fmt::format("{}-{}", stem, kind));
  return file.empty() ? find_file(folder, fmt::format("{}.{}", stem, kind)) : file;
}

Images read_idx_pair(const fs::path& folder, const std::string& prefix) {
  const fs::path image_file = find_idx(folder, prefix, true),
                 label_file = find_idx(folder, prefix, false);
  if (image_file.empty()) require_file(folder, prefix + "-images-idx3-ubyte");
  if (label_file.empty()) require_file(folder, prefix + "-labels-idx1-ubyte");
  const Bytes image_bytes = read_idx(image_file, kImageMagic, 3);
  const Bytes label_bytes = read_idx(label_file, kLabelMagic, 1);
  if (big_endian(label_bytes, 1) != big_endian(image_bytes, 1)) {
    refuse_data(label_file, fmt::format("{} labels", big_endian(label_bytes, 1)),
                fmt::format("{}, one for each image of {}", big_endian(image_bytes, 1),
                            image_file.filename().string()),
                "take both files from the same set");
  }
  Images images;
  images.height = static_cast<int>(big_endian(image_bytes, 2));
  images.width = static_cast<int>(big_endian(image_bytes, 3));
  images.channels = 1;
  images.pixels.assign(image_bytes.begin() + 16, image_bytes.end());
  images.labels.assign(label_bytes.begin() + 8, label_bytes.end());
  return images;
}

/// The number of classes, which is one more than the largest label. Beyond ten classes the training
/// set must have them all, so that a damaged label is told from a class; labels that begin with 1,
/// as those of EMNIST's letters, are then counted from 0.
void count_classes(const fs::path& labels, const fs::path& test_labels, Dataset& dataset) {
  std::set<int> have(dataset.train.labels.begin(), dataset.train.labels.end());
  int classes = std::max(kClasses, *have.rbegin() + 1);
  if (classes > kClasses) {
    const int first = *have.begin() == 1 ? 1 : 0;
    for (int label = first; label < classes; ++label) {
      if (have.count(label) != 0) continue;
      const auto& all = dataset.train.labels;
      const auto largest = std::max_element(all.begin(), all.end());
      refuse_data(labels,
                  fmt::format("label {} at image {}, and no image with label {}", *largest,
                              largest - all.begin(), label),
                  "images of all classes where there are more than ten", kFetchAgain);
    }
    classes -= first;
    for (Images* images : {&dataset.train, &dataset.test})
      for (std::uint8_t& label : images->labels) label = static_cast<std::uint8_t>(label - first);
  }
  for (int i = 0; i < dataset.test.count(); ++i)
    if (dataset.test.labels[static_cast<std::size_t>(i)] >= classes)
      refuse_data(
          test_labels,
          fmt::format("label {} at image {}", dataset.test.labels[static_cast<std::size_t>(i)], i),
          fmt::format("0 to {}, the labels of the training set", classes - 1),
          "take all four files from the same set");
  dataset.train.classes = dataset.test.classes = classes;
}

/// `train` and `test` are what the names of the files begin with.
Dataset load_idx(const fs::path& folder, const std::string& train, const std::string& test) {
  Dataset dataset;
  dataset.train = read_idx_pair(folder, train);
  dataset.test = read_idx_pair(folder, test);
  if (dataset.train.height != dataset.test.height || dataset.train.width != dataset.test.width) {
    refuse_data(
        find_idx(folder, test, true),
        fmt::format("images of {} x {}", dataset.test.height, dataset.test.width),
        fmt::format("{} x {} as in the training set", dataset.train.height, dataset.train.width),
        "take all four files from the same set");
  }
  count_classes(find_idx(folder, train, false), find_idx(folder, test, false), dataset);
  return dataset;
}

/// EMNIST has its images column by column.
void transpose(Images& images) {
  const auto height = static_cast<std::size_t>(images.height),
             width = static_cast<std::size_t>(images.width);
  Bytes turned;
  turned.reserve(images.pixels.size());
  for (int i = 0; i < images.count(); ++i)
    for (std::size_t x = 0; x < width; ++x)
      for (std::size_t y = 0; y < height; ++y) turned.push_back(images.image(i)[y * width + x]);
  images.pixels = std::move(turned);
  std::swap(images.height, images.width);
}

/// The splits of EMNIST whose files are there: "emnist-letters" ...
std::set<std::string> emnist_splits(const std::vector<std::string>& names) {
  std::set<std::string> splits;
  for (const std::string& name : names)
    for (const char* part : {"-train-", "-test-"})
      if (const auto end = name.find(part); name.rfind("emnist-", 0) == 0 && end > 7)
        if (end != std::string::npos) splits.insert(name.substr(0, end));
  return splits;
}

Dataset load_emnist(const fs::path& folder, const std::set<std::string>& splits) {
  if (splits.size() > 1)
    refuse_data(folder, fmt::format("EMNIST's {}", fmt::join(splits, ", ")), "one of its splits",
                "move the four files of one split to a folder of their own");
  const std::string& split = *splits.begin();
  Dataset dataset = load_idx(folder, split + "-train", split + "-test");
  transpose(dataset.train);
  transpose(dataset.test);
  return dataset;
}

/// Names of the files in a folder, sorted: folders list in any order, training must not.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    names.push_back(at->path().filename().string());
  if (error)
    refuse_data(folder, fmt::format("a folder that cannot be listed ({})", error.message()),
                "a readable one", "check its permissions");
  std::sort(names.begin(), names.end());
  return names;
}

/// data_batch_1.bin and so on, each plain or with .gz.
std::vector<fs::path> cifar_batches(const fs::path& folder, const std::vector<std::string>& names) {
  std::set<std::string> stems;
  for (const std::string& name : names) {
    fs::path stem = name;
    if (stem.extension() == ".gz") stem.replace_extension();
    if (name.rfind("data_batch_", 0) == 0 && stem.extension() == ".bin")
      stems.insert(stem.string());
  }
  std::vector<fs::path> files;
  for (const std::string& stem : stems) files.push_back(find_file(folder, stem));
  return files;
}

/// The binary versions of both sets: the bytes before the pixels of a record, of which the last is
/// the label (CIFAR-100 has a coarse one before it), and the number of classes.
struct Cifar {
  std::size_t labels;
  int classes;
};
constexpr Cifar kCifar10{1, 10}, kCifar100{2, 100};

/// Appends the records: labels, then red, green and blue planes.
void append_cifar(const fs::path& file, const Cifar& set, Images& images) {
  const Bytes bytes = read_data(file);
  const std::size_t size = set.labels + kCifarPixels;
  if (bytes.size() % size != 0) {
    refuse_data(file, fmt::format("{} bytes", bytes.size()),
                fmt::format("a multiple of {} ({} and 3 x 32 x 32 pixels)", size,
                            set.labels == 1 ? "a label" : "two labels"),
                set.labels == 1 && bytes.size() % (size + 1) == 0
                    ? "records of 3074 bytes are CIFAR-100's: call the files train.bin and test.bin"
                    : kFetchAgain);
  }
  images.height = images.width = kCifarSide;
  images.channels = 3;
  images.classes = set.classes;
  for (std::size_t record = 0; record < bytes.size(); record += size) {
    const std::uint8_t label = bytes[record + set.labels - 1];
    if (label >= set.classes) {
      refuse_data(file, fmt::format("label {} at record {}", label, record / size),
                  fmt::format("0 to {}", set.classes - 1),
                  fmt::format("use CIFAR-{} in its binary version", set.classes));
    }
    images.labels.push_back(label);
    const std::uint8_t* planes = &bytes[record + set.labels];
    for (int i = 0; i < kCifarPlane; ++i) {
      for (int c = 0; c < 3; ++c) images.pixels.push_back(planes[c * kCifarPlane + i]);
    }
  }
}

Dataset load_cifar(const fs::path& folder, const std::vector<fs::path>& batches) {
  if (batches.empty()) {
    refuse_data(folder / "data_batch_1.bin", "no such file",
                "training images beside test_batch.bin", "put it there");
  }
  const fs::path test = find_file(folder, "test_batch.bin");
  if (test.empty()) {
    refuse_data(folder / "test_batch.bin", "no such file", "test images beside data_batch_*.bin",
                "put it there");
  }
  Dataset dataset;
  for (const fs::path& batch : batches) append_cifar(batch, kCifar10, dataset.train);
  append_cifar(test, kCifar10, dataset.test);
  return dataset;
}

Dataset load_cifar100(const fs::path& folder) {
  Dataset dataset;
  append_cifar(require_file(folder, "train.bin"), kCifar100, dataset.train);
  append_cifar(require_file(folder, "test.bin"), kCifar100, dataset.test);
  return dataset;
}

Dataset load_svhn(const fs::path& folder) {
  Dataset dataset;
  const fs::path train = require_file(folder, kSvhnTrain), test = require_file(folder, kSvhnTest);
  append_svhn(train.string(), dataset.train);
  if (const fs::path extra = find_file(folder, "extra_32x32.mat"); !extra.empty())
    append_svhn(extra.string(), dataset.train);
  append_svhn(test.string(), dataset.test);
  return dataset;
}

/// Refuses data sets that are known but cannot be trained on, by the names of their files.
void refuse_others(const fs::path& folder, const std::vector<std::string>& names) {
  const auto has = [&](const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (has("data_batch_1") || has("test_batch"))
    refuse_data(folder, "CIFAR-10 in its Python version", "its binary version (data_batch_1.bin)",
                "fetch cifar-10-binary.tar.gz");
}

/// Where a new pixel looks in an old row: `weight` of `one` at `second`, the rest at `first`.
struct Sample {
  std::size_t first = 0, second = 0;
  std::int64_t weight = 0, one = 1;
};

std::vector<Sample> samples(int from, int to) {
  std::vector<Sample> result;
  for (int o = 0; o < to; ++o) {
    const std::int64_t one = 2 * std::int64_t{to};
    const std::int64_t position =
        std::clamp<std::int64_t>((2 * std::int64_t{o} + 1) * from - to, 0, (from - 1) * one);
    Sample sample;
    sample.first = static_cast<std::size_t>(position / one);
    sample.second = std::min(sample.first + 1, static_cast<std::size_t>(from) - 1);
    sample.weight = position % one;
    sample.one = one;
    result.push_back(sample);
  }
  return result;
}

}  // namespace

void resize_images(Images& images, int side) {
  const std::vector<Sample> rows = samples(images.height, side);
  const std::vector<Sample> columns = samples(images.width, side);
  const auto channels = static_cast<std::size_t>(images.channels);
  const std::size_t row_size = static_cast<std::size_t>(images.width) * channels;
  Bytes pixels;
  pixels.reserve(static_cast<std::size_t>(images.count()) * rows.size() * columns.size() *
                 channels);
  for (int i = 0; i < images.count(); ++i) {
    for (const Sample& row : rows) {
      const std::uint8_t* upper = images.image(i) + row.first * row_size;
      const std::uint8_t* lower = images.image(i) + row.second * row_size;
      for (const Sample& column : columns) {
        for (std::size_t c = 0; c < channels; ++c) {
          const std::size_t left = column.first * channels + c,
                            right = column.second * channels + c;
          const std::int64_t top =
              upper[left] * (column.one - column.weight) + upper[right] * column.weight;
          const std::int64_t bottom =
              lower[left] * (column.one - column.weight) + lower[right] * column.weight;
          const std::int64_t whole = row.one * column.one;
          pixels.push_back(static_cast<std::uint8_t>(
              (top * (row.one - row.weight) + bottom * row.weight + whole / 2) / whole));
        }
      }
    }
  }
  images.pixels = std::move(pixels);
  images.height = images.width = side;
}

void repeat_channels(Images& images, int channels) {
  Bytes pixels;
  pixels.reserve(images.pixels.size() * static_cast<std::size_t>(channels));
  for (const std::uint8_t pixel : images.pixels)
    pixels.insert(pixels.end(), static_cast<std::size_t>(channels), pixel);
  images.pixels = std::move(pixels);
  images.channels = channels;
}

Dataset load_dataset(const std::string& path, std::uint64_t seed) {
  if (path.empty()) return make_digits(2000, 500, seed);
  const fs::path folder = fs::path(path).lexically_normal();
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    refuse_data(folder,
                fs::exists(folder, error) ? "a file"
                : is_there(folder)        ? "a symbolic link that leads nowhere"
                                          : "no such folder",
                "a folder with IDX, CIFAR or SVHN files",
                "check the path, or leave it out for the built-in digits");
  }
  const std::vector<std::string> names = names_in(folder);
  const auto present = [&](const std::string& name) { return !find_file(folder, name).empty(); };
  bool idx = false;
  for (const char* part : {"train", "t10k"})
    for (const bool images : {true, false}) idx = idx || !find_idx(folder, part, images).empty();
  Dataset dataset;
  // Any one file decides the kind, so that a missing one is named instead of the whole set.
  if (idx) {
    dataset = load_idx(folder, "train", "t10k");
  } else if (const auto splits = emnist_splits(names); !splits.empty()) {
    dataset = load_emnist(folder, splits);
  } else if (const auto batches = cifar_batches(folder, names);
             !batches.empty() || present("test_batch.bin")) {
    dataset = load_cifar(folder, batches);
  } else if (present("train.bin") || present("test.bin")) {
    dataset = load_cifar100(folder);
  } else if (present(kSvhnTrain) || present(kSvhnTest)) {
    dataset = load_svhn(folder);
  } else {
    refuse_others(folder, names);
    refuse_data(folder, "no known data set", kNamesOfFiles,
                "check the path, or leave it out for the built-in digits");
  }
  // "mnist/" has an empty last part.
  dataset.name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  return dataset;
}

}  // namespace solfege
