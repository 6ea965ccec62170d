// SPDX-License-Identifier: Apache-2.0
#include "model/base/cache.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

struct Counted {
  int made = 0;
  std::string operator()(const Scratch& scratch, const std::string& text = "0123456789") {
    const fs::path entry = cached_folder(scratch.path(), "key", [&](const fs::path& part) {
      ++made;
      fs::create_directory(part / "below");
      write_file(part / "a", text);
      write_file(part / "below/b", text + text);
    });
    CHECK(read_file(entry / "below/b") == text + text);
    return read_file(entry / "a");
  }
};

std::set<std::string> names(const Scratch& scratch) {
  std::set<std::string> result;
  for (const auto& entry : fs::directory_iterator(scratch.path()))
    result.insert(entry.path().filename());
  return result;
}

TEST_CASE("an entry is made once", "[cache]") {
  const Scratch scratch;
  Counted counted;
  CHECK_FALSE(is_cached(scratch.path(), "key"));
  CHECK(counted(scratch) == "0123456789");
  CHECK(counted(scratch) == "0123456789");
  CHECK(counted.made == 1);
  CHECK(is_cached(scratch.path(), "key"));
  CHECK(names(scratch) == std::set<std::string>{"key"});
}

TEST_CASE("an entry that is not what it was is made again", "[cache]") {
  const Scratch scratch;
  Counted counted;
  counted(scratch);
  const auto spoil = [&](const std::string& name, const std::string& text) {
    INFO(name << ": " << text);
    const int before = counted.made;
    if (text.empty())
      fs::remove(scratch.path("key/" + name));
    else
      scratch.write("key/" + name, text);
    CHECK_FALSE(is_cached(scratch.path(), "key"));
    CHECK(counted(scratch) == "0123456789");
    CHECK(counted.made == before + 1);
  };
  spoil("a", "01234");        // cut short
  spoil("a", "0123456780");   // of the same size
  spoil("a", "0123456789+");  // longer
  spoil("a", "");
  spoil("below/b", "x");
  const std::string contents = read_file(scratch.path("key/contents.txt"));
  for (std::size_t size : {contents.size() - 1, contents.size() / 2, std::size_t{1}})
    spoil("contents.txt", contents.substr(0, size));
  spoil("contents.txt", "");
  // A list that is shorter, but looks whole
  spoil("contents.txt",
        contents.substr(0, contents.find('\n') + 1) + contents.substr(contents.rfind("end ")));
  // The disk was cleaned up by somebody's hand.
  fs::remove_all(scratch.path("key"));
  fs::create_directory(scratch.path("key"));
  const int before = counted.made;
  counted(scratch);
  CHECK(counted.made == before + 1);
}

TEST_CASE("an entry that cannot be made leaves nothing", "[cache]") {
  const Scratch scratch;
  CHECK_THROWS_AS(cached_folder(scratch.path(), "key",
                                [](const fs::path& part) {
                                  write_file(part / "a", "x");
                                  throw std::runtime_error("no");
                                }),
                  std::runtime_error);
  CHECK(names(scratch).empty());
  const std::string file = scratch.write("file", "x");
  require_error<InputError>([&] { cached_folder(file, "key", [](const fs::path&) {}); },
                            {file, "the cache cannot be written"});
}

TEST_CASE("what dead work has left is removed, and what lives is left alone", "[cache]") {
  const Scratch scratch;
  // Live work, as another container's: its process is not among ours, but the lock is held.
  const FileLock alive(scratch.path("other.lock"), {});
  for (const char* name : {"other.part", "dead.part"}) {
    fs::create_directory(scratch.path(name));
    scratch.write(std::string(name) + "/x", "x");
  }
  Counted counted;
  counted(scratch);
  CHECK(names(scratch) == std::set<std::string>{"key", "other.lock", "other.part"});
}

TEST_CASE("several processes make one entry once", "[cache]") {
  const Scratch scratch;
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      int code = 1;
      try {
        const fs::path entry =
            cached_folder(scratch.path("cache"), "key", [&](const fs::path& part) {
              std::this_thread::sleep_for(std::chrono::milliseconds(200));
              write_file(part / "a", "text");
              std::ofstream(scratch.path("made"), std::ios::app) << "x";
            });
        code = read_file(entry / "a") == "text" ? 0 : 2;
      } catch (...) {
      }
      _exit(code);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  CHECK(read_file(scratch.path("made")) == "x");
}

TEST_CASE("checking a large entry takes milliseconds", "[cache]") {
  const Scratch scratch;
  const std::string text(std::size_t{16} << 20, 'x');
  const auto make = [&](const fs::path& part) { write_file(part / "library.so", text); };
  cached_folder(scratch.path(), "key", make);
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(is_cached(scratch.path(), "key"));
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  INFO("16 MiB are checked in " << best * 1e3 << " ms");
  CHECK(best < 0.05);
}

}  // namespace
}  // namespace solfege
