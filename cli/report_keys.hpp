// SPDX-License-Identifier: Apache-2.0
// What a report may say. tests/system/reference_test.py runs the commands and refuses a report with
// a key that is not listed here, and a listed key that no report has.
#pragma once

#include <vector>

namespace solfege {

/// A key of a report.
struct ReportKey {
  /// The way to the key from the top: parts joined by '.', "[]" for every entry of a list, and a
  /// name in angle brackets for a key that is itself a name.
  const char* path;
  const char* meaning;  ///< sentences; with the unit, unless the key's name ends in it
};

/// The reports of a command, or of one way to call it.
struct ReportKind {
  const char* command;  ///< as on the command line, "generate" or "synth --netlist"
  const char* what;     ///< a sentence
  std::vector<ReportKey> keys;
};

/// Keys that every report has.
const std::vector<ReportKey>& common_report_keys();
const std::vector<ReportKind>& report_kinds();

}  // namespace solfege
