// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace solfege {

/// The folder of the files that the program reads of its own: rtl/, configs/, and the sources in
/// sim/ and cost/ that are compiled or mapped at run time. Beside an installed program it is
/// ../share/solfege, so that the installation may move; otherwise it is the source tree.
/// Throws InputError when neither is there.
std::filesystem::path share_folder();

/// The hand-written Verilog modules below rtl/, path by name (without ".v"). A name occurs once.
const std::map<std::string, std::filesystem::path>& rtl_modules();

/// The paths of these modules of rtl/, in this order. Throws std::out_of_range for an unknown one.
std::vector<std::string> rtl_paths(const std::vector<std::string>& modules);

}  // namespace solfege
