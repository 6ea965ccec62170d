// SPDX-License-Identifier: Apache-2.0
#include "model/base/files.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include "model/base/error.hpp"
#include "model/base/toml_file.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// Everything that a path may be and that is no file to read, with what the message says of it.
std::vector<std::pair<std::string, std::string>> special_files(const Scratch& scratch) {
  const std::string fifo = scratch.path("fifo"), folder = scratch.path("folder"),
                    loop = scratch.path("loop"), nowhere = scratch.path("nowhere"),
                    plug = scratch.path("plug");
  REQUIRE(mkfifo(fifo.c_str(), 0644) == 0);
  fs::create_directory(folder);
  fs::create_symlink("loop", loop);
  fs::create_symlink("missing", nowhere);
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  REQUIRE(plug.size() < sizeof address.sun_path);
  std::strcpy(address.sun_path, plug.c_str());
  REQUIRE(bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  close(server);
  return {{fifo, "a FIFO"},
          {folder, "a folder"},
          {loop, "form a loop"},
          {nowhere, "no such file"},
          {plug, "a socket"},
          {"/dev/zero", "a device"},
          {scratch.path("missing"), "no such file"},
          {scratch.write("plain", "x") + "/below", "Not a directory"}};
}

TEST_CASE("only regular files are read, and nothing else makes a reader wait", "[files]") {
  const Scratch scratch;
  for (const auto& [path, kind] : special_files(scratch)) {
    const std::string name = path, what = kind;
    INFO(name);
    require_error<InputError>([&] { read_file(name, "a fix"); },
                              {name, "cannot be read", what, "; a fix"});
    require_error<InputError>([&] { read_bytes(name); }, {name, what, "check the path"});
    require_error<InputError>([&] { parse_toml_file(name); }, {name, what});
  }
  fs::create_symlink("plain", scratch.path("link"));
  CHECK(read_file(scratch.path("link")) == "x");
  const std::string huge = scratch.write("huge", "");
  fs::resize_file(huge, std::uintmax_t{1} << 40);
  require_error<InputError>([&] { read_file(huge); }, {huge, "more than 8589934592 bytes"});
  CHECK(read_file(scratch.write("empty", "")).empty());
}

TEST_CASE("gzip files are unpacked, and refused where they are damaged", "[files]") {
  const Scratch scratch;
  std::string text;
  for (std::uint64_t i = 0; i < 400000; ++i) text += std::to_string(i * 7919 % 1000003) + "\n";
  const std::string path = scratch.path("text.gz");
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(gzwrite(file, text.data(), static_cast<unsigned>(text.size())) ==
          static_cast<int>(text.size()));
  gzclose(file);
  CHECK(read_file(path) == text);
  const std::vector<std::uint8_t> bytes = read_bytes(path);
  CHECK(std::string(bytes.begin(), bytes.end()) == text);
  CHECK(read_file(scratch.write("plain", text)) == text);

  std::string packed;
  {
    const int raw = open(path.c_str(), O_RDONLY);
    packed.resize(fs::file_size(path));
    REQUIRE(read(raw, packed.data(), packed.size()) == static_cast<ssize_t>(packed.size()));
    close(raw);
  }
  for (const std::size_t size : {packed.size() - 1, packed.size() / 2, std::size_t{12}}) {
    const std::string cut = scratch.write("cut.gz", packed.substr(0, size));
    require_error<InputError>([&] { read_file(cut); }, {cut, "damaged or truncated"});
  }
  packed[packed.size() / 2] ^= 1;
  const std::string wrong = scratch.write("wrong.gz", packed);
  require_error<InputError>([&] { read_file(wrong); }, {wrong, "damaged or truncated"});
}

TEST_CASE("a file is written whole or not at all", "[files]") {
  const Scratch scratch;
  const std::string path = scratch.path("a.txt");
  write_file(path, "one");
  CHECK(read_file(path) == "one");
  fs::permissions(path, fs::perms::owner_all);
  write_file(path, "two");
  CHECK(read_file(path) == "two");
  CHECK(fs::status(path).permissions() == fs::perms::owner_all);
  // What a process that was killed has left
  scratch.write("a.txt.part", "a long text of which nothing may stay");
  write_file(path, "three");
  CHECK(read_file(path) == "three");
  fs::create_symlink("a.txt", scratch.path("link"));
  write_file(scratch.path("link"), "four");
  CHECK(fs::is_symlink(scratch.path("link")));
  CHECK(read_file(path) == "four");
  fs::remove(scratch.path("link"));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(scratch.path()))
    names.push_back(entry.path().filename());
  CHECK(names == std::vector<std::string>{"a.txt"});
}

TEST_CASE("places that cannot be written are told before anything is", "[files]") {
  const Scratch scratch;
  for (const auto& [path, kind] : special_files(scratch)) {
    const std::string name = path;
    INFO(name);
    if (kind == "no such file") {  // a new file
      CHECK(why_unwritable(name).empty());
      continue;
    }
    CHECK_THAT(why_unwritable(name), Catch::Contains(kind == "Not a directory" ? "is not a folder"
                                                     : kind == "form a loop"   ? "loop"
                                                                               : kind));
    require_error<InputError>([&] { write_file(name, "x"); }, {name, "cannot be written"});
  }
  CHECK_THAT(why_unwritable(scratch.path("no/file")), Catch::Contains("there is no folder"));
  CHECK_THAT(why_unwritable(scratch.path("folder/")), Catch::Contains("name of a file"));
  CHECK_FALSE(why_unwritable("").empty());
  CHECK(why_unwritable("relative.txt").empty());
  CHECK(why_unwritable_folder(scratch.path("new/and/deep")).empty());
  CHECK_THAT(why_unwritable_folder(scratch.path("plain")), Catch::Contains("is not a folder"));
  CHECK_THAT(why_unwritable_folder(scratch.path("plain/x")), Catch::Contains("not a"));
  CHECK_FALSE(why_unwritable_folder("").empty());
}

TEST_CASE("a folder's files are written together", "[files]") {
  const Scratch scratch;
  const std::string folder = scratch.path("new/deep");
  write_files(folder, {{"a", "1"}, {"b", "2"}});
  CHECK(read_file(folder + "/a") == "1");
  CHECK(read_file(folder + "/b") == "2");
  // One that cannot be written keeps the others from changing.
  fs::create_directory(folder + "/c");
  require_error<InputError>(
      [&] {
        write_files(folder, {{"a", "3"}, {"c", "4"}});
      },
      {folder + "/c", "a folder"});
  CHECK(read_file(folder + "/a") == "1");
  CHECK_FALSE(fs::exists(folder + "/a.part"));
}

TEST_CASE("a lock keeps others out and leaves nothing", "[files]") {
  const Scratch scratch;
  const std::string path = scratch.path("lock");
  {
    const FileLock lock(path, {});
    REQUIRE(lock.held());
    CHECK_FALSE(FileLock(path, {}).held());
    int waited = 0;
    struct Enough {};
    CHECK_THROWS_AS(FileLock(path,
                             [&] {
                               if (++waited == 2) throw Enough();
                             }),
                    Enough);
  }
  CHECK_FALSE(fs::exists(path));
  CHECK(FileLock(path, {}).held());
}

}  // namespace
}  // namespace solfege
