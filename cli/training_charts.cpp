// SPDX-License-Identifier: Apache-2.0
// Curves of training runs: for `train --plot` and for the command plot, which lays several over
// each other.
#include "cli/training_charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "cli/commands.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"

namespace solfege {
namespace {

constexpr std::size_t kLongLoss = 200, kAveragedPoints = 100;

[[noreturn]] void refuse(const std::string& file, const std::string& found) {
  throw InputError(fmt::format(
      "{}: {}: allowed are reports of training; write one with solfege train ... --json FILE", file,
      found));
}

std::string text(const TrainingReport& report, const char* key) {
  const auto found = report.json.find(key);
  if (found == report.json.end() || !found->is_string())
    refuse(report.file, fmt::format("no text {}", key));
  return found->get<std::string>();
}

/// JSON has no NaN: a loss that is none stands as null.
double number(const TrainingReport& report, const char* key, const Json& value) {
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!value.is_number())
    refuse(report.file, fmt::format("{} has an entry that is no number", key));
  return value.get<double>();
}

Series losses(const TrainingReport& report) {
  const auto found = report.json.find("loss");
  if (found == report.json.end() || !found->is_array()) refuse(report.file, "no list loss");
  Series series;
  for (const Json& loss : *found) {
    series.x.push_back(static_cast<double>(series.x.size() + 1));
    series.y.push_back(number(report, "loss", loss));
  }
  return series;
}

Series accuracies(const TrainingReport& report) {
  Series series;
  const auto found = report.json.find("accuracy_history");
  if (found == report.json.end()) return series;
  for (const Json& point : *found) {
    if (!point.is_object() || !point.contains("epoch") || !point.contains("accuracy"))
      refuse(report.file, "accuracy_history has an entry without epoch or accuracy");
    series.x.push_back(number(report, "accuracy_history", point["epoch"]));
    series.y.push_back(100.0 * number(report, "accuracy_history", point["accuracy"]));
  }
  return series;
}

/// What all reports have in common goes to the title, the rest to the curves' names.
struct Names {
  std::string title;
  std::vector<std::string> curves;
};

Names names_of(const std::vector<TrainingReport>& reports) {
  Names names;
  names.curves.resize(reports.size());
  const auto append = [](std::string& to, const std::string& part) {
    to += (to.empty() ? "" : ", ") + part;
  };
  for (const char* key : {"network", "data", "config", "engine"}) {
    const std::string first = text(reports.front(), key);
    const bool common = std::all_of(reports.begin(), reports.end(),
                                    [&](const TrainingReport& r) { return text(r, key) == first; });
    const bool engine = std::string(key) == "engine";
    if (common && !(engine && reports.size() == 1)) append(names.title, first);
    if (common && !engine) continue;
    for (std::size_t i = 0; i < reports.size(); ++i) append(names.curves[i], text(reports[i], key));
  }
  const std::set<std::string> different(names.curves.begin(), names.curves.end());
  if (different.size() < reports.size())
    for (std::size_t i = 0; i < reports.size(); ++i) append(names.curves[i], reports[i].file);
  return names;
}

TrainingReport read_report(const std::string& file) {
  TrainingReport report{file, Json::parse(read_file(file), nullptr, false)};
  if (!report.json.is_object()) refuse(file, "no JSON object");
  return report;
}

}  // namespace

std::vector<Chart> training_charts(const std::vector<TrainingReport>& reports) {
  const Names names = names_of(reports);
  Chart loss{names.title, "step", "loss", {}}, accuracy{"", "epoch", "test accuracy, %", {}};
  std::size_t longest = 0;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    loss.series.push_back(losses(reports[i]));
    accuracy.series.push_back(accuracies(reports[i]));
    loss.series[i].name = accuracy.series[i].name = names.curves[i];
    longest = std::max(longest, loss.series[i].x.size());
  }
  if (longest > kLongLoss) {
    const std::size_t width = (longest + kAveragedPoints - 1) / kAveragedPoints;
    for (Series& series : loss.series) series = averaged(series, width);
    loss.y_label = fmt::format("loss, mean of {} steps", width);
  }
  return {loss, accuracy};
}

int run_plot(const std::vector<std::string>& files, const std::string& output) {
  require_plottable("-o", output);
  std::vector<TrainingReport> reports;
  for (const std::string& file : files) reports.push_back(read_report(file));
  plot_charts(output, training_charts(reports));
  fmt::print("curves of {} training runs in {}\n", files.size(), output);
  return 0;
}

}  // namespace solfege
