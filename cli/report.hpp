// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/config.hpp"

namespace solfege {

using Json = nlohmann::ordered_json;

/// Options every command shares.
struct CommonOptions {
  std::string config_path;
  std::string json_path;  ///< empty: none
  std::string command;    ///< the whole command line, for the report
};

/// Starts a report: tool_version, config, config_hash, command.
Json make_report(const CommonOptions& options, const Config& config);

/// Writes the report to options.json_path if that is set; through a temporary file, so that no
/// partial file is left. Throws InputError if it cannot be written.
void write_report(const CommonOptions& options, const Json& report);

/// Prints notes, a line each. Long ones are cut, and of very many the rest only counted: the report
/// has them whole.
void print_notes(const std::vector<std::string>& notes);

/// A line on stderr that shows how far long work is: in place on a terminal, else one line in ten
/// seconds.
class Progress {
 public:
  Progress(std::string what, long total);
  ~Progress();
  void at(long done, const std::string& detail = "");

 private:
  std::string what_;
  long total_;
  bool terminal_, shown_ = false;
  double started_, last_;
};

}  // namespace solfege
