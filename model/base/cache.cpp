// SPDX-License-Identifier: Apache-2.0
#include "model/base/cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>

#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"
#include "model/base/interrupt.hpp"
#include "model/base/progress.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// Raise when the meaning of an entry changes in a way that its key does not show.
constexpr const char* kFormat = "solfege cache 2";
constexpr const char* kContents = "contents.txt";
constexpr const char* kPart = ".part";  // a folder that is being filled
constexpr const char* kLock = ".lock";  // held by who fills it

/// XXH64 and size of a file, as contents.txt says them; nothing if it cannot be read.
std::optional<std::string> digest(const fs::path& path) {
  const FileHandle file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  const std::unique_ptr<XXH64_state_t, XXH_errorcode (*)(XXH64_state_t*)> state(XXH64_createState(),
                                                                                XXH64_freeState);
  XXH64_reset(state.get(), 0);
  std::vector<char> chunk(1 << 18);
  std::uint64_t size = 0;
  for (;;) {
    const ssize_t got = read(file.number(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    XXH64_update(state.get(), chunk.data(), static_cast<std::size_t>(got));
    size += static_cast<std::uint64_t>(got);
  }
  return fmt::format("{} {}", hexadecimal(XXH64_digest(state.get())), size);
}

std::string signature(const std::string& text) {
  return fmt::format("end {}\n", hexadecimal(fingerprint(text.data(), text.size())));
}

/// Says what the files of a folder are, for whole() to find again.
std::string contents_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (!entry.is_directory()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::string text = fmt::format("{}\n", kFormat);
  for (const fs::path& file : files) {
    const auto found = digest(file);
    if (!found)
      throw InputError(
          fmt::format("{}: cannot be read back: {}; free space, or choose another "
                      "cache folder",
                      file.string(), std::strerror(errno)));
    text += fmt::format("{} {}\n", *found, file.lexically_relative(folder).string());
  }
  return text + signature(text);
}

/// Whether the files of an entry are what its contents.txt says.
bool whole(const fs::path& entry) {
  std::error_code ignored;
  if (!fs::is_regular_file(entry / kContents, ignored)) return false;
  std::string text;
  try {
    text = read_file(entry / kContents);
  } catch (const InputError&) {
    return false;
  }
  const std::size_t end = text.rfind("end ");
  if (end == std::string::npos || text.substr(end) != signature(text.substr(0, end))) return false;
  std::istringstream lines(text.substr(0, end));
  std::string line;
  if (!std::getline(lines, line) || line != kFormat) return false;
  while (std::getline(lines, line)) {
    const std::size_t name = line.find(' ', line.find(' ') + 1);
    if (name == std::string::npos || digest(entry / line.substr(name + 1)) != line.substr(0, name))
      return false;
  }
  return true;
}

/// Removes folders that were being filled by processes that no longer live: nobody holds their
/// locks.
void remove_leftovers(const fs::path& cache) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(cache, ignored)) {
    if (entry.path().extension() != kPart) continue;
    const FileLock lock(fs::path(entry.path()).replace_extension(kLock), {});
    if (lock.held()) fs::remove_all(entry.path(), ignored);
  }
}

[[noreturn]] void refuse(const fs::path& cache, const std::string& reason) {
  throw InputError(fmt::format(
      "{}: the cache cannot be written: {}; free space, or set SOLFEGE_CACHE to another "
      "folder",
      cache.string(), reason));
}

}  // namespace

std::string cache_directory() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
  };
  if (const std::string own = variable("SOLFEGE_CACHE"); !own.empty())
    return fs::absolute(own).string();
  if (const std::string shared = variable("XDG_CACHE_HOME"); !shared.empty())
    return fs::absolute(fs::path(shared) / "solfege").string();
  if (const std::string home = variable("HOME"); !home.empty())
    return fs::absolute(fs::path(home) / ".cache" / "solfege").string();
  throw InputError("no folder for the cache: set SOLFEGE_CACHE to one");
}

bool is_cached(const fs::path& cache, const std::string& key) { return whole(cache / key); }

fs::path cached_folder(const fs::path& cache_directory, const std::string& key,
                       const std::function<void(const fs::path&)>& make) {
  const fs::path cache = fs::absolute(cache_directory), entry = cache / key;
  if (whole(entry)) return entry;
  std::error_code error;
  fs::create_directories(cache, error);
  if (error) refuse(cache, error.message());
  if (const std::string reason = why_unwritable_folder(cache); !reason.empty())
    refuse(cache, reason);
  std::optional<Progress> waiting;
  const FileLock lock(entry.string() + kLock, [&] {
    Interrupt::check();
    if (!waiting) waiting.emplace("waiting for another process that makes " + key, 0);
    waiting->at(0);
  });
  waiting.reset();
  if (whole(entry)) return entry;  // made while this process waited
  remove_leftovers(cache);
  const fs::path part = entry.string() + kPart;
  try {
    fs::remove_all(part);
    fs::create_directory(part);
    make(part);
    require_space(part);
    write_file(part / kContents, contents_of(part));
    const FileHandle folder(open(part.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (syncfs(folder.number()) != 0) refuse(cache, std::strerror(errno));
    fs::remove_all(entry);  // one that is not whole
    fs::rename(part, entry);
    sync_folder(cache);
  } catch (const fs::filesystem_error& failure) {
    fs::remove_all(part, error);
    refuse(cache, failure.code().message());
  } catch (...) {
    fs::remove_all(part, error);
    throw;
  }
  return entry;
}

}  // namespace solfege
