// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/base/progress.hpp"
#include "model/spec/config.hpp"

namespace solfege {

using Json = nlohmann::ordered_json;

/// Options every command shares.
struct CommonOptions {
  std::string config_path;
  std::string json_path;  ///< empty: none
  std::string command;    ///< the whole command line, for the report
};

/// The number of the description of reports in report_keys.cpp. It rises when a key goes or changes
/// its meaning, not when one comes.
constexpr int kReportSchema = 2;

/// Starts a report with the keys of common_report_keys().
Json make_report(const CommonOptions& options, const Config& config);

/// Writes the report to options.json_path if that is set. Throws InputError if it cannot be
/// written.
void write_report(const CommonOptions& options, const Json& report);

/// Prints notes, a line each. Long ones are cut, and of very many the rest only counted: the report
/// has them whole.
void print_notes(const std::vector<std::string>& notes);

}  // namespace solfege
