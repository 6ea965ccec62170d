// SPDX-License-Identifier: Apache-2.0
#include "model/data/checkpoint.hpp"

#include <xxhash.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "model/base/error.hpp"
#include "model/data/batches.hpp"
#include "model/data/dataset.hpp"
#include "model/data/digits.hpp"
#include "model/data/network_file.hpp"
#include "model/spec/config.hpp"
#include "model/spec/network.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

RunIdentity some_run() {
  const Dataset digits = make_digits(20, 1, 1);
  const Config config;
  return RunIdentity::of(true, config, load_network("tiny_mlp", config, {28, 28, 1, 10}), digits, 5,
                         4);
}

Checkpoint some_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.run = some_run();
  checkpoint.step = (std::uint64_t{1} << 40) + 3;
  checkpoint.losses = {2.3, 1.0 / 3, std::numeric_limits<double>::infinity()};
  checkpoint.accuracies = {{7, 0.25}, {14, 0.5}};
  for (int i = 0; i < 1000; ++i) checkpoint.payload.push_back(static_cast<std::uint8_t>(i * 7));
  return checkpoint;
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void require_refused(const std::string& path, std::vector<std::string> parts,
                     const RunIdentity& run = some_run()) {
  parts.push_back(path);
  require_error<InputError>([&] { Checkpoint::load(path, run); }, parts);
}

TEST_CASE("a checkpoint comes back as it was saved", "[checkpoint]") {
  const Scratch scratch;
  const Checkpoint saved = some_checkpoint();
  const std::string path = scratch.path("c.ckpt");
  saved.save(path);
  const Checkpoint loaded = Checkpoint::load(path, some_run());
  CHECK(loaded.step == saved.step);
  CHECK(loaded.losses == saved.losses);
  REQUIRE(loaded.accuracies.size() == 2);
  CHECK(loaded.accuracies[1].step == 14);
  CHECK(loaded.accuracies[1].accuracy == 0.5);
  CHECK(loaded.payload == saved.payload);
  CHECK(loaded.run.network == "tiny_mlp");
  CHECK(loaded.run.seed == 5);
  CHECK(loaded.run.batch == 4);

  // A later one replaces it; the same state gives the same bytes; nothing else is left.
  Checkpoint later = saved;
  later.payload.clear();
  later.losses.clear();
  later.save(path);
  CHECK(Checkpoint::load(path, some_run()).payload.empty());
  const std::string first = contents(path);
  later.save(path);
  CHECK(contents(path) == first);
  const auto files = std::filesystem::directory_iterator(scratch.path());
  CHECK(std::distance(begin(files), end(files)) == 1);
}

TEST_CASE("a checkpoint cut short at any byte is refused", "[checkpoint]") {
  const Scratch scratch;
  Checkpoint checkpoint = some_checkpoint();
  checkpoint.payload.resize(10);
  const std::string path = scratch.path("c.ckpt");
  checkpoint.save(path);
  const std::string whole = contents(path);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    scratch.write("c.ckpt", whole.substr(0, size));
    require_refused(path, {"a truncated checkpoint", "use a whole copy"});
  }
  scratch.write("c.ckpt", "");
  require_refused(path, {"truncated"});
  scratch.write("c.ckpt", whole + "x");
  require_refused(path, {"overlong"});
}

TEST_CASE("a checkpoint with any byte changed is refused", "[checkpoint]") {
  const Scratch scratch;
  Checkpoint checkpoint = some_checkpoint();
  checkpoint.payload.resize(10);
  const std::string path = scratch.path("c.ckpt");
  checkpoint.save(path);
  const std::string whole = contents(path);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    scratch.write("c.ckpt", changed);
    const char* message = i < 8    ? "does not begin with SOLFCKPT"
                          : i < 12 ? "this program reads version 3"
                          : i < 20 ? " checkpoint: "
                                   : "a corrupt checkpoint";
    require_refused(path, {message});
  }
  scratch.write("c.ckpt", "[[layer]]\n");
  require_refused(path, {"not a checkpoint", "--checkpoint"});
}

TEST_CASE("lengths that contradict each other are refused in spite of a right hash",
          "[checkpoint]") {
  const Scratch scratch;
  const std::string path = scratch.path("c.ckpt");
  some_checkpoint().save(path);
  std::string whole = contents(path);
  for (int i = 0; i < 8; ++i) whole[20 + i] = static_cast<char>(0xff);  // length of the first text
  const std::uint64_t hash = XXH64(whole.data(), whole.size() - 8, 0);
  for (int i = 0; i < 8; ++i)
    whole[whole.size() - 8 + static_cast<std::size_t>(i)] = static_cast<char>(hash >> (8 * i));
  scratch.write("c.ckpt", whole);
  require_refused(path, {"contradict", "without --resume"});
}

TEST_CASE("a checkpoint of another run is refused", "[checkpoint]") {
  const Scratch scratch;
  const std::string path = scratch.path("c.ckpt");
  some_checkpoint().save(path);
  const Dataset digits = make_digits(20, 1, 1);
  Config config;
  const Network network = load_network("tiny_mlp", config, {28, 28, 1, 10});
  const auto run = [&](const Config& c, const Network& n, const Dataset& d, std::uint64_t seed,
                       int batch) { return RunIdentity::of(true, c, n, d, seed, batch); };
  CHECK_NOTHROW(Checkpoint::load(path, run(config, network, digits, 5, 4)));

  Config other_config;
  other_config.name = "other";
  other_config.lanes = 32;
  require_refused(path, {"another configuration", "'other'", other_config.hash(), config.hash()},
                  run(other_config, network, digits, 5, 4));
  const Network other_network = load_network("tiny_cnn", config, {28, 28, 1, 10});
  require_refused(path, {"another network", "'tiny_mlp'", "'tiny_cnn'", "--network"},
                  run(config, other_network, digits, 5, 4));
  Network changed = network;
  changed.layers[1].out_channels += 1;
  require_refused(path, {"another network", "unchanged"}, run(config, changed, digits, 5, 4));
  require_refused(path, {"another batch size", "4, not 8", "use --batch 4"},
                  run(config, network, digits, 5, 8));
  require_refused(path, {"another data set", "--data"},
                  run(config, network, make_digits(21, 1, 1), 5, 4));
  Dataset resized = digits;
  resize_images(resized.train, 14);
  require_refused(path, {"another data set", "--resize"}, run(config, network, resized, 5, 4));
  // The same shapes and labels, and one other pixel
  for (Images Dataset::*part : {&Dataset::train, &Dataset::test}) {
    Dataset other = digits;
    (other.*part).pixels.back() ^= 1;
    require_refused(path, {"another data set", "'digits'", "--data"},
                    run(config, network, other, 5, 4));
  }
  require_refused(path, {"another seed", "use --seed 5"}, run(config, network, digits, 6, 4));

  // The label and the pace may change.
  Network renamed = network;
  renamed.name = "mine";
  renamed.learning_rate = 0.5;
  Config relabelled = config;
  relabelled.name = "copy";
  CHECK_NOTHROW(Checkpoint::load(path, run(relabelled, renamed, digits, 5, 4)));
}

TEST_CASE("checkpoints that cannot be read or written are refused", "[checkpoint]") {
  const Scratch scratch;
  require_refused(scratch.path("none"), {"cannot be read: no such file", "check the path"});
  require_refused(scratch.path(), {"cannot be read: it is a folder"});
  const std::string nowhere = scratch.path("no/such/folder");
  require_error<InputError>([&] { some_checkpoint().save(nowhere); },
                            {nowhere, "there is no folder", "cannot be written"});
  // What stands in the way of the name stays, and no temporary file is left.
  const std::string folder = scratch.path("folder");
  std::filesystem::create_directories(folder + "/inside");
  require_error<InputError>([&] { some_checkpoint().save(folder); }, {folder, "cannot be written"});
  CHECK(std::filesystem::exists(folder + "/inside"));
  CHECK(!std::filesystem::exists(folder + ".part"));
}

TEST_CASE("batches continue at any step as if never stopped", "[batches]") {
  const Dataset digits = make_digits(23, 1, 1);
  std::vector<std::vector<std::uint8_t>> pixels(20), labels(20);
  Batches whole(digits.train, 5, 7);
  CHECK(whole.per_epoch() == 4);
  for (std::size_t i = 0; i < 20; ++i) whole.next(pixels[i], labels[i]);
  for (std::size_t first = 0; first < 20; ++first) {
    Batches resumed(digits.train, 5, 7, first);
    std::vector<std::uint8_t> p, l;
    for (std::size_t i = first; i < 20; ++i) {
      resumed.next(p, l);
      REQUIRE(p == pixels[i]);
      REQUIRE(l == labels[i]);
    }
  }
  // Epochs and seeds differ.
  CHECK(pixels[0] != pixels[4]);
  Batches other(digits.train, 5, 8);
  std::vector<std::uint8_t> p, l;
  other.next(p, l);
  CHECK(p != pixels[0]);
}

TEST_CASE("an epoch shows every image once", "[batches]") {
  const Dataset digits = make_digits(24, 1, 1);
  Batches batches(digits.train, 6, 7);
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::vector<std::uint8_t>> seen;
    for (int step = 0; step < batches.per_epoch(); ++step) {
      std::vector<std::uint8_t> pixels, labels;
      batches.next(pixels, labels);
      REQUIRE(labels.size() == 6);
      for (std::size_t i = 0; i < 6; ++i) {
        const auto first = pixels.begin() + static_cast<std::ptrdiff_t>(i * 784);
        seen.emplace_back(first, first + 784);
      }
    }
    std::vector<std::vector<std::uint8_t>> all;
    for (int i = 0; i < 24; ++i)
      all.emplace_back(digits.train.image(i), digits.train.image(i) + 784);
    std::sort(seen.begin(), seen.end());
    std::sort(all.begin(), all.end());
    CHECK(seen == all);
  }
}

}  // namespace
}  // namespace solfege
