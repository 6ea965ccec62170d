// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace solfege {

/// Runs a program in `folder` with no input and its whole output in the file `output` (relative to
/// the folder), and returns its exit status, or 128 + the signal that ended it. `poll` is called
/// about four times a second; if it throws, the program is killed. The child is in the terminal's
/// process group, so Ctrl-C reaches it, and it never outlives this call. InputError, naming the
/// Debian package to install (default: of the program's name), if there is no such program.
int run_process(const std::vector<std::string>& command, const std::filesystem::path& folder,
                const std::string& output, const std::function<void()>& poll = {},
                const std::string& package = "");

/// What a program says when it is asked for its version by `command`. As run_process, and
/// std::runtime_error if it fails.
std::string tool_version(const std::vector<std::string>& command, const std::string& package = "");

std::string read_text(const std::filesystem::path& path);  ///< empty if it cannot be read
/// InputError if it cannot be written.
void write_text(const std::filesystem::path& path, const std::string& text);
std::string trim(const std::string& text);  ///< without outer blanks and quotes
std::string last_lines(const std::string& text, int lines);
/// Of texts, in hexadecimal: a key for the cache.
std::string content_hash(const std::vector<std::string>& texts);

/// The folder `cache_directory`/`key`. If it is not there, `make` fills a temporary folder that
/// then takes the name in one step: nobody sees half an entry, and one left by a process that died
/// is removed by the next. InputError if the cache cannot be written.
std::filesystem::path cached_folder(const std::filesystem::path& cache_directory,
                                    const std::string& key,
                                    const std::function<void(const std::filesystem::path&)>& make);

}  // namespace solfege
