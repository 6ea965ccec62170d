// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/plot.hpp"
#include "cli/report.hpp"

namespace solfege {

/// A report of `solfege train` and the file it is from.
struct TrainingReport {
  std::string file;
  Json json;
};

/// Loss by step and accuracy by epoch of one or more training runs, a curve each. Long losses are
/// averaged, over as many steps in all curves. Throws InputError for a report of anything else.
std::vector<Chart> training_charts(const std::vector<TrainingReport>& reports);

}  // namespace solfege
