// SPDX-License-Identifier: Apache-2.0
#include "cli/report.hpp"

#include "model/files.hpp"
#include "model/version.hpp"

namespace solfege {
Json make_report(const CommonOptions& options, const Config& config) {
  Json report;
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

}  // namespace solfege
