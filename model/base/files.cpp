// SPDX-License-Identifier: Apache-2.0
#include "model/base/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <thread>

#include "model/base/error.hpp"
#include "model/base/interrupt.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = std::uint64_t{8} << 30;
/// With less than this left, a tool may have come to the end of the disk.
constexpr std::uint64_t kLeastSpace = 64 << 10;

std::string reason_of(int error) {
  switch (error) {
    case ENOENT:
      return "no such file";
    case ELOOP:
      return "its symbolic links form a loop";
    case ENOSPC:
      return "the disk is full";
    case EDQUOT:
      return "the disk quota is used up";
    case EACCES:
    case EPERM:
      return "permission denied";
    default:
      return std::strerror(error);
  }
}

/// What a file is if it is no regular one, with its article; else empty.
std::string other_kind(const struct stat& status) {
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      return "";
    case S_IFDIR:
      return "a folder";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

[[noreturn]] void refuse(const fs::path& path, const char* what, const std::string& reason,
                         const std::string& fix) {
  throw InputError(fmt::format("{}: {}: {}; {}", path.string(), what, reason, fix));
}

/// `reason` is one of why_unwritable(), with its remedy; empty: nothing is wrong.
void require_writable(const fs::path& path, const std::string& reason) {
  if (!reason.empty())
    throw InputError(fmt::format("{}: cannot be written: {}", path.string(), reason));
}

constexpr const char* kUnreadable = "cannot be read";
constexpr const char* kUnwritable = "cannot be written";

/// Opens without waiting for a FIFO's other end.
int open_readable(const fs::path& path, const std::string& fix) {
  const int file = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (file < 0) {
    const int error = errno;  // a socket cannot be opened at all
    refuse(path, kUnreadable, error == ENXIO ? "it is a socket or device" : reason_of(error), fix);
  }
  struct stat status {};
  const std::string kind = fstat(file, &status) == 0 ? other_kind(status) : std::strerror(errno);
  if (kind.empty()) return file;
  close(file);
  refuse(path, kUnreadable, fmt::format("it is {}, not a regular file", kind), fix);
}

template <typename Content>
Content read_all(const fs::path& path, const std::string& fix) {
  const int file = open_readable(path, fix);
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> handle(gzdopen(file, "rb"), gzclose);
  if (handle == nullptr) {
    close(file);
    throw std::bad_alloc();
  }
  constexpr unsigned kChunk = 1 << 20;
  gzbuffer(handle.get(), kChunk / 4);
  struct stat status {};
  Content content;
  try {
    // Most files are plain: room for one, and for the read that finds its end.
    const bool known = fstat(file, &status) == 0 && status.st_size > 0;
    if (known && static_cast<std::uint64_t>(status.st_size) > kLargestFile)
      throw std::length_error("file");
    if (known) content.reserve(static_cast<std::size_t>(status.st_size) + kChunk);
    for (int got = 1; got > 0;) {
      Interrupt::check();
      const std::size_t size = content.size();
      content.resize(size + kChunk);
      got = gzread(handle.get(), content.data() + size, kChunk);
      const int failure = errno;
      content.resize(size + static_cast<std::size_t>(std::max(got, 0)));
      // A gzip file that is cut short gives its data first, and only then an error.
      int error = Z_OK;
      const char* message = gzerror(handle.get(), &error);
      if (got < 0 || error != Z_OK)
        refuse(path, kUnreadable,
               error == Z_ERRNO ? reason_of(failure)
                                : fmt::format("damaged or truncated gzip data after {} bytes ({})",
                                              content.size(), message),
               error == Z_ERRNO ? fix : "fetch the file again");
      if (content.size() > kLargestFile) throw std::length_error("file");
    }
  } catch (const std::bad_alloc&) {
    refuse(path, kUnreadable, "it is larger than the memory", fix);
  } catch (const std::length_error&) {
    refuse(path, kUnreadable, fmt::format("it holds more than {} bytes", kLargestFile), fix);
  }
  return content;
}

/// Where a path leads: symbolic links stay, and what they point to is written.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path target = fs::is_symlink(path, error) ? fs::weakly_canonical(path, error) : path;
  return error ? path : target;
}

fs::path parent_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

std::string why_unwritable_resolved(const fs::path& path) {
  constexpr const char* kElsewhere = "name a file in a folder that exists";
  struct stat status {};
  if (path.empty() || path.filename().empty())
    return fmt::format("it does not end with the name of a file; {}", kElsewhere);
  const fs::path folder = parent_of(path);
  if (stat(folder.c_str(), &status) != 0 && errno == ENOENT)
    return fmt::format("there is no folder {}; make it, or name a file elsewhere", folder.string());
  if (stat(folder.c_str(), &status) != 0)
    return fmt::format("{}: {}; {}", folder.string(), reason_of(errno), kElsewhere);
  if (!S_ISDIR(status.st_mode))
    return fmt::format("{} is not a folder; {}", folder.string(), kElsewhere);
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    return fmt::format("the folder {} cannot be written ({}); name a file elsewhere",
                       folder.string(), reason_of(errno));
  if (stat(path.c_str(), &status) == 0) {
    if (const std::string kind = other_kind(status); !kind.empty())
      return fmt::format("it is {}, not a regular file; {}", kind, kElsewhere);
    if (access(path.c_str(), W_OK) != 0)
      return fmt::format("{}; name another file, or change its permissions", reason_of(errno));
  } else if (errno != ENOENT) {
    return fmt::format("{}; {}", reason_of(errno), kElsewhere);
  }
  return "";
}

void write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written =
        write(file, content.data(), std::min<std::size_t>(content.size(), 1u << 30));
    if (written < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category());
    if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// fsync(), but for file systems that know no such thing.
bool synced(int file) { return fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP; }

/// A file on its way: under another name until it is whole.
class Part {
 public:
  explicit Part(const fs::path& path)
      : target_(resolved(path)),
        part_(target_.string() + ".part"),
        lock_(part_, Interrupt::check),
        goes_(part_) {}
  ~Part() {
    if (!placed_) unlink(part_.c_str());
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  void write(std::string_view content) const {
    const int file = lock_.descriptor();
    if (ftruncate(file, 0) != 0) throw std::system_error(errno, std::generic_category());
    struct stat old {};
    if (stat(target_.c_str(), &old) == 0) (void)fchmod(file, old.st_mode & 07777);
    write_all(file, content);
  }
  int descriptor() const { return lock_.descriptor(); }
  void place() {
    if (rename(part_.c_str(), target_.c_str()) != 0)
      throw std::system_error(errno, std::generic_category());
    placed_ = true;
  }

 private:
  fs::path target_;
  std::string part_;
  FileLock lock_;
  Interrupt::Unfinished goes_;
  bool placed_ = false;
};

}  // namespace

std::string read_file(const fs::path& path, const std::string& fix) {
  return read_all<std::string>(path, fix);
}

std::vector<std::uint8_t> read_bytes(const fs::path& path, const std::string& fix) {
  return read_all<std::vector<std::uint8_t>>(path, fix);
}

std::string why_unwritable(const fs::path& path) { return why_unwritable_resolved(resolved(path)); }

std::string why_unwritable_folder(const fs::path& folder) {
  if (folder.empty()) return "it is no name of a folder; name one";
  std::error_code error;
  // Those that are missing are made.
  fs::path present = fs::absolute(folder).lexically_normal();
  while (!fs::exists(present, error) && !error && present.has_relative_path())
    present = present.parent_path();
  if (error) return fmt::format("{}; name another folder", reason_of(error.value()));
  if (!fs::is_directory(present))
    return fmt::format("{} is not a folder; name another folder", present.string());
  if (access(present.c_str(), W_OK | X_OK) != 0)
    return fmt::format("the folder {} cannot be written ({}); name another folder",
                       present.string(), reason_of(errno));
  return "";
}

void write_file(const fs::path& path, std::string_view content) {
  require_writable(path, why_unwritable(path));
  try {
    Part part(path);
    part.write(content);
    if (!synced(part.descriptor())) throw std::system_error(errno, std::generic_category());
    part.place();
    sync_folder(parent_of(resolved(path)));
  } catch (const std::system_error& error) {
    refuse(path, kUnwritable, reason_of(error.code().value()),
           "free space, or name a file elsewhere");
  }
}

void place_file(const fs::path& part, const fs::path& path) {
  const FileHandle file(open(part.c_str(), O_RDONLY | O_CLOEXEC));
  const fs::path target = resolved(path);
  if (file.number() < 0 || !synced(file.number()) || rename(part.c_str(), target.c_str()) != 0)
    refuse(path, kUnwritable, reason_of(errno), "free space, or name a file elsewhere");
  sync_folder(parent_of(target));
}

void write_files(const fs::path& folder,
                 const std::vector<std::pair<std::string, std::string>>& files) {
  require_writable(folder, why_unwritable_folder(folder));
  std::error_code error;
  const bool made = fs::create_directories(folder, error);
  if (error)
    refuse(folder, "the folder cannot be made", reason_of(error.value()),
           "free space, or name another folder");
  const std::string* current = nullptr;
  std::vector<std::unique_ptr<Part>> parts;
  try {
    for (const auto& [name, content] : files) {
      current = &name;
      require_writable(folder / name, why_unwritable(folder / name));
      parts.push_back(std::make_unique<Part>(folder / name));
      parts.back()->write(content);
    }
    // One wait for all of them: a wait a file takes fifty times as long.
    if (!parts.empty() && syncfs(parts.back()->descriptor()) != 0)
      throw std::system_error(errno, std::generic_category());
    for (const auto& part : parts) part->place();
    sync_folder(folder);
  } catch (...) {
    parts.clear();
    if (made) fs::remove(folder, error);  // if it is empty
    try {
      throw;
    } catch (const std::system_error& failure) {
      refuse(current != nullptr ? folder / *current : folder, kUnwritable,
             reason_of(failure.code().value()), "free space, or name another folder");
    }
  }
}

std::uint64_t space_left(const fs::path& folder) {
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) != 0) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t blocks = geteuid() == 0 ? disk.f_bfree : disk.f_bavail;
  return blocks * disk.f_frsize;
}

void require_space(const fs::path& folder) {
  if (space_left(folder) < kLeastSpace)
    refuse(folder, kUnwritable, "the disk is full", "free space, or choose a folder elsewhere");
}

void sync_folder(const fs::path& folder) {
  const FileHandle file(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.number() < 0 || !synced(file.number()))
    refuse(folder, kUnwritable, reason_of(errno), "free space, or choose another folder");
}

namespace {

/// Whether the name still means the open file.
bool is_of(int file, const fs::path& path) {
  struct stat mine {
  }, named{};
  return fstat(file, &mine) == 0 && stat(path.c_str(), &named) == 0 &&
         named.st_ino == mine.st_ino && named.st_dev == mine.st_dev;
}

}  // namespace

FileLock::FileLock(fs::path path, const std::function<void()>& waiting) : path_(std::move(path)) {
  for (;;) {
    const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0666);
    struct stat mine {};
    if (file < 0 || fstat(file, &mine) != 0 || !S_ISREG(mine.st_mode)) {
      const int error = file < 0 ? errno : 0;
      if (file >= 0) close(file);
      refuse(path_, kUnwritable, error == 0 ? "it is not a regular file" : reason_of(error),
             "free space, or choose another folder");
    }
    while (flock(file, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      if (error == EINTR) continue;
      if (error != EWOULDBLOCK || !waiting) close(file);
      if (error != EWOULDBLOCK)
        refuse(path_, "cannot be locked", reason_of(error), "choose a folder on another disk");
      if (!waiting) return;
      try {
        waiting();
      } catch (...) {
        close(file);
        throw;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    // Whoever held it may have removed it.
    if (is_of(file, path_)) {
      descriptor_ = file;
      return;
    }
    close(file);
  }
}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  if (is_of(descriptor_, path_)) unlink(path_.c_str());
  flock(descriptor_, LOCK_UN);  // for children that inherited it, too
  close(descriptor_);
}

FileHandle::~FileHandle() {
  if (number_ >= 0) close(number_);
}

}  // namespace solfege
