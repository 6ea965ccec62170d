// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cost/eda/liberty.hpp"

namespace solfege {

/// Reads a Liberty library whole: a file, plain or packed by gzip, several with commas between, or
/// a folder of them. A cell that cannot be read is unusable, and the others are not. InputError,
/// naming file, line and remedy: missing or unreadable, truncated, no library header, no cell with
/// an area, units missing or unknown, files of different corners.
LibertyLibrary read_liberty(const std::string& name);

}  // namespace solfege
