// SPDX-License-Identifier: Apache-2.0
#include "model/data/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"
#include "model/data/dataset.hpp"
#include "model/data/network_file.hpp"
#include "model/data/network_keys.hpp"
#include "model/spec/config.hpp"
#include "model/spec/network.hpp"

namespace solfege {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr char kMagic[] = "SOLFCKPT";
constexpr std::size_t kMagicBytes = sizeof kMagic - 1;
constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kLengthPlace = kMagicBytes + 4, kHashBytes = 8;
constexpr std::size_t kSmallest = kLengthPlace + 8 + kHashBytes;

class Writer {
 public:
  void bytes(const void* data, std::size_t size) {
    const auto* first = static_cast<const std::uint8_t*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
  }
  void number(std::uint64_t value, int size = 8) {
    for (int i = 0; i < size; ++i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void real(double value) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    number(bits);
  }
  void text(const std::string& value) {
    number(value.size());
    bytes(value.data(), value.size());
  }
  Bytes& result() { return bytes_; }

 private:
  Bytes bytes_;
};

std::uint64_t little_endian(const std::uint8_t* bytes, int size) {
  std::uint64_t value = 0;
  for (int i = size; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

/// Reads what Writer wrote. The hash has been checked before, so running over the end means a fault
/// of the program that wrote the file; it is refused all the same.
class Reader {
 public:
  Reader(const std::string& path, const Bytes& bytes, std::size_t first, std::size_t end)
      : path_(path), bytes_(bytes), next_(first), end_(end) {}

  std::uint64_t number() { return little_endian(take(8), 8); }
  /// A number from 1.
  int number_to(int most) {
    const std::uint64_t value = number();
    if (value < 1 || value > static_cast<std::uint64_t>(most)) fail();
    return static_cast<int>(value);
  }
  double real() {
    const std::uint64_t bits = number();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  std::string text() {
    const std::size_t size = length(1);
    const std::uint8_t* first = take(size);
    return {first, first + size};
  }
  Bytes bytes() {
    const std::size_t size = length(1);
    const std::uint8_t* first = take(size);
    return {first, first + size};
  }
  /// The length of a list whose elements have `size` bytes.
  std::size_t length(std::size_t size) {
    const std::uint64_t count = number();
    if (count > (end_ - next_) / size) fail();
    return static_cast<std::size_t>(count);
  }
  void require_end() {
    if (next_ != end_) fail();
  }

 private:
  const std::uint8_t* take(std::size_t size) {
    if (size > end_ - next_) fail();
    next_ += size;
    return bytes_.data() + next_ - size;
  }
  [[noreturn]] void fail() const {
    throw InputError(
        fmt::format("{}: the checkpoint's lengths and numbers contradict each other; use another "
                    "one, or start again without --resume",
                    path_));
  }

  const std::string& path_;
  const Bytes& bytes_;
  std::size_t next_, end_;
};

/// Checks everything that does not depend on the run.
void require_intact(const std::string& path, const Bytes& bytes) {
  // Less than the magic may still be the beginning of a truncated checkpoint.
  if (!std::equal(bytes.begin(),
                  bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), kMagicBytes)),
                  kMagic)) {
    throw InputError(fmt::format(
        "{}: not a checkpoint: it does not begin with {}; name a file that --checkpoint wrote",
        path, kMagic));
  }
  const std::uint64_t version =
      bytes.size() < kLengthPlace ? kVersion : little_endian(&bytes[kMagicBytes], 4);
  if (version != kVersion) {
    throw InputError(
        fmt::format("{}: a checkpoint of version {}: this program reads version {}; start again "
                    "without --resume, or use the program that wrote it",
                    path, version, kVersion));
  }
  const std::uint64_t length =
      bytes.size() < kSmallest ? kSmallest : little_endian(&bytes[kLengthPlace], 8);
  if (bytes.size() != length) {
    throw InputError(
        fmt::format("{}: {} checkpoint: {} bytes of {}{}; use a whole copy, or an older checkpoint",
                    path, bytes.size() < length ? "a truncated" : "an overlong", bytes.size(),
                    bytes.size() < kSmallest ? "at least " : "", length));
  }
  const std::size_t hashed = bytes.size() - kHashBytes;
  const std::uint64_t stored = little_endian(&bytes[hashed], 8);
  const std::uint64_t computed = fingerprint(bytes.data(), hashed);
  if (stored != computed) {
    throw InputError(fmt::format(
        "{}: a corrupt checkpoint: its bytes have hash {:016x}, it says {:016x}; use an intact "
        "copy, or an older checkpoint",
        path, computed, stored));
  }
}

void require_same(const std::string& path, const RunIdentity& found, const RunIdentity& expected) {
  const auto require = [&](bool same, std::string_view what, const std::string& was,
                           const std::string& is, const std::string& fix) {
    if (same) return;
    throw InputError(
        fmt::format("{}: a checkpoint of another {}: {}, not {}; {}, or start again "
                    "without --resume",
                    path, what, was, is, fix));
  };
  const auto named = [](const std::string& name, const std::string& hash) {
    return fmt::format("'{}' ({})", name, hash);
  };
  require(found.numbers == expected.numbers, "engine", found.numbers, expected.numbers,
          found.numbers == "float" ? "use --engine float" : "use --engine golden, rtl or lockstep");
  require(found.config_hash == expected.config_hash, "configuration",
          named(found.config, found.config_hash), named(expected.config, expected.config_hash),
          "resume with that configuration");
  require(found.network_hash == expected.network_hash, "network",
          named(found.network, found.network_hash), named(expected.network, expected.network_hash),
          "resume with that --network, unchanged");
  require(found.batch == expected.batch, "batch size", fmt::to_string(found.batch),
          fmt::to_string(expected.batch), fmt::format("use --batch {}", found.batch));
  require(found.data_hash == expected.data_hash, "data set", named(found.data, found.data_hash),
          named(expected.data, expected.data_hash), "resume with those --data and --resize");
  require(found.seed == expected.seed, "seed", fmt::to_string(found.seed),
          fmt::to_string(expected.seed), fmt::format("use --seed {}", found.seed));
}

}  // namespace

RunIdentity RunIdentity::of(bool fixed_point, const Config& config, const Network& network,
                            const Dataset& data, std::uint64_t seed, int batch) {
  RunIdentity run;
  run.numbers = fixed_point ? "fixed-point" : "float";
  run.config = config.name;
  run.config_hash = config.hash();
  run.network = network.name;
  const std::string text = canonical(network);
  run.network_hash = hexadecimal(fingerprint(text.data(), text.size()));
  run.data = data.name;
  std::string described;
  for (const Images* part : {&data.train, &data.test})
    described += fmt::format("{} x {} x {}, labels {}, pixels {}\n", part->height, part->width,
                             part->channels,
                             hexadecimal(fingerprint(part->labels.data(), part->labels.size())),
                             hexadecimal(fingerprint(part->pixels.data(), part->pixels.size())));
  run.data_hash = hexadecimal(fingerprint(described.data(), described.size()));
  run.seed = seed;
  run.batch = batch;
  return run;
}

void Checkpoint::save(const std::string& path) const {
  Writer writer;
  writer.bytes(kMagic, kMagicBytes);
  writer.number(kVersion, 4);
  writer.number(0);  // the length, once it is known
  for (const std::string* text : {&run.numbers, &run.config, &run.config_hash, &run.network,
                                  &run.network_hash, &run.data, &run.data_hash})
    writer.text(*text);
  writer.number(run.seed);
  writer.number(static_cast<std::uint64_t>(run.batch));
  for (const std::string* text : {&recipe.config, &recipe.network, &recipe.scheme})
    writer.text(*text);
  for (const int size : {recipe.height, recipe.width, recipe.channels, recipe.classes})
    writer.number(static_cast<std::uint64_t>(size));
  writer.number(step);
  writer.number(losses.size());
  for (const double loss : losses) writer.real(loss);
  writer.number(accuracies.size());
  for (const AccuracyPoint& point : accuracies) {
    writer.number(point.step);
    writer.real(point.accuracy);
  }
  writer.number(payload.size());
  writer.bytes(payload.data(), payload.size());
  Bytes& bytes = writer.result();
  const std::uint64_t length = bytes.size() + kHashBytes;
  for (std::size_t i = 0; i < 8; ++i)
    bytes[kLengthPlace + i] = static_cast<std::uint8_t>(length >> (8 * i));
  writer.number(fingerprint(bytes.data(), bytes.size()));

  write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Checkpoint Checkpoint::load(const std::string& path, const RunIdentity& expected) {
  Checkpoint result = load(path);
  require_same(path, result.run, expected);
  return result;
}

Checkpoint Checkpoint::load(const std::string& path) {
  const Bytes bytes = read_bytes(path, "check the path of the checkpoint");
  require_intact(path, bytes);
  Reader reader(path, bytes, kLengthPlace + 8, bytes.size() - kHashBytes);
  Checkpoint result;
  RunIdentity& run = result.run;
  for (std::string* text : {&run.numbers, &run.config, &run.config_hash, &run.network,
                            &run.network_hash, &run.data, &run.data_hash})
    *text = reader.text();
  run.seed = reader.number();
  run.batch = reader.number_to(std::numeric_limits<int>::max());
  RunRecipe& recipe = result.recipe;
  for (std::string* text : {&recipe.config, &recipe.network, &recipe.scheme}) *text = reader.text();
  recipe.height = reader.number_to(kMaxSide);
  recipe.width = reader.number_to(kMaxSide);
  recipe.channels = reader.number_to(kMaxChannels);
  recipe.classes = reader.number_to(kMaxChannels);
  result.step = reader.number();
  result.losses.resize(reader.length(8));
  for (double& loss : result.losses) loss = reader.real();
  result.accuracies.resize(reader.length(16));
  for (AccuracyPoint& point : result.accuracies) {
    point.step = reader.number();
    point.accuracy = reader.real();
  }
  result.payload = reader.bytes();
  reader.require_end();
  return result;
}

}  // namespace solfege
