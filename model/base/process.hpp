// SPDX-License-Identifier: Apache-2.0
// The one way in which the program runs others.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace solfege {

/// Runs a program in `folder` with no input and its whole output in the file `output` (relative to
/// the folder), and returns its exit status, or 128 + the signal that ended it. `poll` is called
/// about four times a second; if it throws, or the program is interrupted (Interrupted), the child
/// is killed. The child has a process group of its own, which goes with it, a folder of its own for
/// temporary files, and never outlives this call or this process.
/// InputError, naming the Debian package to install (default: of the program's name), if there is
/// no such program; and if the folder's disk was full while it ran, whatever the child says: many
/// tools do not notice what they failed to write.
int run_process(const std::vector<std::string>& command, const std::filesystem::path& folder,
                const std::string& output, const std::function<void()>& poll = {},
                const std::string& package = "");

/// What a program said to the end.
struct ProcessOutput {
  int status = 0;  ///< as of run_process()
  std::string output, errors;
};

/// Runs a program on `input`, without any file; for short runs. As run_process() otherwise.
ProcessOutput capture_process(const std::vector<std::string>& command,
                              const std::string& input = "", const std::string& package = "");

/// What a program says when it is asked for its version by `command`. As capture_process, and
/// std::runtime_error if it fails.
std::string tool_version(const std::vector<std::string>& command, const std::string& package = "");

/// The absolute path of a program in $PATH, or empty.
std::string find_program(const std::string& name);

/// InputError unless the file, which a tool was asked to write, is there and ends with `end`
/// (blanks apart): what was cut short does not.
void require_ending(const std::filesystem::path& path, const std::string& end);

std::string trim(const std::string& text);  ///< without outer blanks and quotes
std::string last_lines(const std::string& text, int lines);

}  // namespace solfege
