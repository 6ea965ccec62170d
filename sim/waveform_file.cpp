// SPDX-License-Identifier: Apache-2.0
#include "sim/waveform_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include "model/base/error.hpp"
#include "model/base/files.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// The writer's temporary files, by tmpfile().
constexpr const char* kTemporary = "/tmp";

/// Whether the blocks of an FST file (a byte that tells the kind, then a length that counts itself)
/// fill it exactly, and the last ones, which name the signals, are there.
bool whole(const fs::path& path) {
  constexpr int kHeader = 0, kGeometry = 3, kHierarchy = 4, kHierarchyLz4 = 6, kHierarchyTwice = 7;
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  bool header = false, geometry = false, hierarchy = false;
  for (std::uint64_t at = 0; at < size;) {
    unsigned char tag[9] = {};
    file.seekg(static_cast<std::streamoff>(at));
    if (!file.read(reinterpret_cast<char*>(tag), sizeof tag)) return false;
    std::uint64_t length = 0;
    for (int i = 1; i < 9; ++i) length = length << 8 | tag[i];
    if (length < 8 || length > size - at - 1) return false;
    header = header || tag[0] == kHeader;
    geometry = geometry || tag[0] == kGeometry;
    hierarchy =
        hierarchy || tag[0] == kHierarchy || tag[0] == kHierarchyLz4 || tag[0] == kHierarchyTwice;
    at += 1 + length;
  }
  return !error && header && geometry && hierarchy;
}

}  // namespace

WaveformFile::WaveformFile(fs::path path)
    : path_(std::move(path)),
      part_(path_.string() + ".part"),
      part_goes_(part_.string()),
      hierarchy_goes_(part_.string() + ".hier") {
  if (const std::string reason = why_unwritable(path_); !reason.empty())
    throw InputError(fmt::format("--fst {}: {}", path_.string(), reason));
}

WaveformFile::~WaveformFile() {
  std::error_code ignored;
  fs::remove(part_, ignored);
  fs::remove(part_.string() + ".hier", ignored);  // the writer's own
}

void WaveformFile::check() const {
  const fs::path folder = path_.parent_path();
  require_space(folder.empty() ? "." : folder);
  require_space(kTemporary);
}

bool WaveformFile::finish() {
  std::error_code error;
  if (!fs::exists(part_, error)) return false;
  check();
  if (!whole(part_))
    throw InputError(
        fmt::format("{}: cannot be written: its end is missing; free space there and "
                    "in {}, or name a file elsewhere",
                    path_.string(), kTemporary));
  place_file(part_, path_);
  return true;
}

}  // namespace solfege
