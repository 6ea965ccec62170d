// SPDX-License-Identifier: Apache-2.0
#include "cli/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>

#include "model/error.hpp"
#include "model/version.hpp"

namespace solfege {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

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
  const std::string temporary = options.json_path + ".part";
  {
    std::ofstream file(temporary);
    // Names in files need not be UTF-8.
    file << report.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    if (!file.flush())
      throw InputError(fmt::format("--json {}: cannot be written", options.json_path));
  }
  if (std::rename(temporary.c_str(), options.json_path.c_str()) != 0)
    throw InputError(fmt::format("--json {}: cannot be written", options.json_path));
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

Progress::Progress(std::string what, long total)
    : what_(std::move(what)),
      total_(total),
      terminal_(isatty(STDERR_FILENO) != 0),
      started_(now_seconds()),
      last_(started_) {}

void Progress::at(long done, const std::string& detail) {
  const double now = now_seconds();
  if (now - last_ < (terminal_ ? 0.2 : 10.0)) return;
  last_ = now;
  shown_ = true;
  const double left =
      done > 0 ? (now - started_) / static_cast<double>(done) * static_cast<double>(total_ - done)
               : 0.0;
  fmt::print(stderr, "{}{} {}/{} {} ({:.0f} s, {:.0f} s left){}", terminal_ ? "\r\x1b[K" : "",
             what_, done, total_, detail, now - started_, left, terminal_ ? "" : "\n");
  std::fflush(stderr);
}

Progress::~Progress() {
  if (terminal_ && shown_) fmt::print(stderr, "\r\x1b[K");
}

}  // namespace solfege
