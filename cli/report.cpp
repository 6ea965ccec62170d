// SPDX-License-Identifier: Apache-2.0
#include "cli/report.hpp"

#include <fmt/format.h>

#include "model/base/files.hpp"
#include "model/base/version.hpp"

namespace solfege {

Json make_report(const CommonOptions& options, const Config& config) {
  Json report;
  report["schema"] = kReportSchema;
  report["tool_version"] = kVersion;
  report["config"] = config.name;
  report["config_hash"] = config.hash();
  report["command"] = options.command;
  return report;
}

void write_report(const CommonOptions& options, const Json& report) {
  if (options.json_path.empty()) return;
  // Names of files may be of any bytes.
  write_file(options.json_path, report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void print_notes(const std::vector<std::string>& notes) {
  constexpr std::size_t kNotes = 30, kCharacters = 240;
  for (std::size_t i = 0; i < notes.size() && i < kNotes; ++i) {
    const bool is_long = notes[i].size() > kCharacters;
    fmt::print("note: {}{}\n",
               is_long ? notes[i].substr(0, notes[i].rfind(' ', kCharacters)) : notes[i],
               is_long ? " ... (whole in --json)" : "");
  }
  if (notes.size() > kNotes) fmt::print("note: {} more in --json\n", notes.size() - kNotes);
}

}  // namespace solfege
