// SPDX-License-Identifier: Apache-2.0
// What options take. Everything that can be refused is refused here, before any work, in one line
// that names the option, the value and what is allowed.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>

namespace solfege {

/// A whole number in decimal, from `least` to `most`.
CLI::Validator whole_number(std::uint64_t least,
                            std::uint64_t most = std::numeric_limits<std::uint64_t>::max());
/// A number from `least` to `most`.
CLI::Validator number(double least, double most);
/// A number above 0, to `most`.
CLI::Validator positive_number(double most);
/// A place where a file can be written.
CLI::Validator output_file();
/// A place where files can be written in a folder, which may be made.
CLI::Validator output_folder();

}  // namespace solfege
