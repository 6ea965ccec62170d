// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "model/spec/config.hpp"

namespace solfege {

/// Every generated file of a configuration, by name relative to the output folder. A pure function
/// of the configuration and the hand-written RTL: no date, host or path enters, so it is
/// byte-reproducible. Throws InputError when the RTL sources cannot be read.
std::map<std::string, std::string> generate_files(const Config& config);

/// Writes generate_files() to `directory` (made if missing); files that are already equal are left
/// alone. All files are written before the first takes its name. Throws InputError if the folder
/// cannot be written.
void generate(const Config& config, const std::string& directory);

/// The folder of the cache that holds generate_files().
std::string generate_cached(const Config& config);

}  // namespace solfege
