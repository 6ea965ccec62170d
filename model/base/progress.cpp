// SPDX-License-Identifier: Apache-2.0
#include "model/base/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

namespace solfege {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void say(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }

Progress::Progress(std::string what, long total, long first)
    : what_(std::move(what)),
      total_(total),
      first_(first),
      terminal_(isatty(STDERR_FILENO) != 0),
      started_(now_seconds()),
      last_(started_) {}

std::string Progress::line(const std::string& what, long done, long first, long total,
                           double seconds, const std::string& detail) {
  std::string text = what;
  if (total > 0) text += fmt::format(" {}/{}", done, total);
  if (!detail.empty()) text += " " + detail;
  text += fmt::format(" ({:.0f} s", seconds);
  if (total > 0 && done > first && done <= total)
    text += fmt::format(", {:.0f} s left", seconds / static_cast<double>(done - first) *
                                               static_cast<double>(total - done));
  return text + ")";
}

void Progress::at(long done, const std::string& detail) {
  const double now = now_seconds();
  if (now - last_ < (terminal_ ? 0.2 : 10.0)) return;
  last_ = now;
  shown_ = true;
  const std::string text = line(what_, done, first_, total_, now - started_, detail);
  std::fputs(((terminal_ ? "\r\x1b[K" : "") + text + (terminal_ ? "" : "\n")).c_str(), stderr);
  std::fflush(stderr);
}

Progress::~Progress() {
  if (terminal_ && shown_) std::fputs("\r\x1b[K", stderr);
}

}  // namespace solfege
