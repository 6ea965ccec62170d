// SPDX-License-Identifier: Apache-2.0
// What is made once and kept: a folder an entry, named by what it was made from.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace solfege {

/// $SOLFEGE_CACHE, else $XDG_CACHE_HOME/solfege, else ~/.cache/solfege. InputError if none of the
/// variables is set.
std::string cache_directory();

/// The folder `cache`/`key`. If it is not there, or a file in it has not the size and the checksum
/// that the entry's contents.txt says, `make` fills a folder that then takes the name in one step.
/// Nobody sees half an entry; concurrent callers, in other containers too, wait for one of them;
/// what a process that died has left is removed by the next that makes an entry. InputError if the
/// cache cannot be written.
std::filesystem::path cached_folder(const std::filesystem::path& cache, const std::string& key,
                                    const std::function<void(const std::filesystem::path&)>& make);
/// Whether that entry is there, whole.
bool is_cached(const std::filesystem::path& cache, const std::string& key);

}  // namespace solfege
