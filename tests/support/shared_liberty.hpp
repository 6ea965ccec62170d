// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace solfege {

/// A file or a folder of the folder shared/liberty beside the repository, or $SOLFEGE_LIBERTY;
/// empty, and the caller should WARN that it skips, if it is not there.
inline std::string shared_liberty(const std::string& name) {
  namespace fs = std::filesystem;
  const char* given = std::getenv("SOLFEGE_LIBERTY");
  const fs::path source = SOLFEGE_SOURCE_DIR;
  for (const fs::path& folder : {fs::path(given == nullptr ? "" : given),
                                 source / "../shared/liberty", source / "../../shared/liberty"}) {
    std::error_code error;
    if (!folder.empty() && fs::exists(folder / name, error))
      return (folder / name).lexically_normal().string();
  }
  return "";
}

}  // namespace solfege
