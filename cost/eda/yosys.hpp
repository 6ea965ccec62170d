// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace solfege {

/// Its version line. InputError if there is no Yosys.
const std::string& yosys_version();

/// Runs the script as NAME.ys in the folder; NAME.log is its log. `library`, if not empty, is the
/// folder that the script finds as `library`. `poll` is called as in run_process.
/// std::runtime_error if Yosys fails, with the end of the log.
void run_yosys(const std::filesystem::path& folder, const std::string& name,
               const std::string& script, const std::string& library = "",
               const std::function<void()>& poll = {});

struct YosysStatistics {
  std::map<std::string, std::uint64_t> cells;  ///< by type
  double area = 0;
  std::uint64_t memory_bits = 0;
  std::uint64_t cells_of(const std::string& type) const;
};

/// By module, from what `stat` wrote.
std::map<std::string, YosysStatistics> read_statistics(const std::filesystem::path& path);

/// sf_fifo of `$paramod$5e..\sf_fifo` and `$paramod\sf_fifo\Width=s32'...`.
std::string base_name(const std::string& module);

}  // namespace solfege
