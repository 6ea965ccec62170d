// SPDX-License-Identifier: Apache-2.0
// The one way in which the program reads and writes files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace solfege {

/// The content of a regular file, unpacked if it is gzip. InputError, in one line that ends with
/// `fix`, if there is no such file, if it is anything else (a folder, FIFO, device or socket), if
/// it cannot be read, and if a gzip file is damaged or holds more than 8 GiB.
std::string read_file(const std::filesystem::path& path, const std::string& fix = "check the path");
std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path,
                                     const std::string& fix = "check the path");

/// Why write_file() would refuse this path, and what to do; empty if it would not.
std::string why_unwritable(const std::filesystem::path& path);
/// Why write_files() would refuse this folder, which need not exist yet.
std::string why_unwritable_folder(const std::filesystem::path& folder);

/// Writes a file whole or not at all: beside its place (as `path`.part), checked, synced and then
/// renamed. InputError, with the old file in place, if it cannot be written.
void write_file(const std::filesystem::path& path, std::string_view content);
/// Gives a file that something else has written as `part` its name, once it is on the disk.
void place_file(const std::filesystem::path& part, const std::filesystem::path& path);
/// Writes the files, name and content, in a folder that is made if it is not there. None takes its
/// name before all are written; then they do in the order given. As write_file() otherwise.
void write_files(const std::filesystem::path& folder,
                 const std::vector<std::pair<std::string, std::string>>& files);

/// Bytes that this user can still write on a folder's disk; very many if that is not known.
std::uint64_t space_left(const std::filesystem::path& folder);
/// InputError if a disk is so full that what was last written there may be missing.
void require_space(const std::filesystem::path& folder);
/// Waits until a folder, with all that is in it, is on the disk. InputError if that failed.
void sync_folder(const std::filesystem::path& folder);

/// An exclusive lock for as long as the object lives, held by the kernel: it ends with the process
/// and the children that inherited it, and other containers that share the folder see it. The file
/// is made, and removed again. InputError if it cannot be.
class FileLock {
 public:
  /// `waiting` is called about ten times a second while another holds the lock; none: returns at
  /// once, see held().
  FileLock(std::filesystem::path path, const std::function<void()>& waiting);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  bool held() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Closes a file descriptor at the end of its scope.
class FileHandle {
 public:
  explicit FileHandle(int number) : number_(number) {}
  ~FileHandle();
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

}  // namespace solfege
