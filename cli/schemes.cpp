// SPDX-License-Identifier: Apache-2.0
// The schemes that the program knows, and those that the machine cannot run.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "model/schemes/scheme.hpp"

namespace solfege {

int run_schemes(const CommonOptions& common) {
  Json report = make_report(common, Config());
  report["schemes"] = Json::array();
  for (const Scheme* scheme : schemes()) {
    Json entry = {{"name", scheme->name()},
                  {"paper", scheme->paper()},
                  {"deviation", scheme->deviation()},
                  {"trains", true},
                  {"infers", true},
                  {"reason", ""},
                  {"parameters", Json::array()}};
    fmt::print("{}\n  paper      {}\n", scheme->name(), scheme->paper());
    if (*scheme->deviation() != '\0') fmt::print("  deviation  {}\n", scheme->deviation());
    for (const SchemeParameter& parameter : scheme->parameters()) {
      fmt::print("  {:<10} {}: {} to {}, default {}\n", parameter.name, parameter.meaning,
                 parameter.min, parameter.max, parameter.value);
      entry["parameters"].push_back({{"name", parameter.name},
                                     {"meaning", parameter.meaning},
                                     {"default", parameter.value},
                                     {"minimum", parameter.min},
                                     {"maximum", parameter.max}});
    }
    report["schemes"].push_back(entry);
  }
  for (const MissingScheme& scheme : missing_schemes()) {
    fmt::print("{}\n  paper      {}\n  not here   {}\n", scheme.name, scheme.paper, scheme.reason);
    report["schemes"].push_back({{"name", scheme.name},
                                 {"paper", scheme.paper},
                                 {"deviation", ""},
                                 {"trains", false},
                                 {"infers", false},
                                 {"reason", scheme.reason},
                                 {"parameters", Json::array()}});
  }
  write_report(common, report);
  return 0;
}

}  // namespace solfege
