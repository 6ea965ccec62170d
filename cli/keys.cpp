// SPDX-License-Identifier: Apache-2.0
// What a configuration may say: every key with its range.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "model/spec/config.hpp"

namespace solfege {

int run_keys(const CommonOptions& common) {
  const bool given = !common.config_path.empty();
  const Config config = given ? Config::load(common.config_path) : Config();
  Json report = make_report(common, config);
  report["keys"] = Json::array();
  fmt::print("{:<27} {:>20}  {}\n", "key", given ? "value" : "default", "range");
  for (const ConfigKey& key : config_keys()) {
    const std::int64_t value = config_value(config, key.name);
    fmt::print("{:<27} {:>20}  {}{} to {}\n", key.name, value,
               key.power_of_two ? "powers of two from " : "", key.min, key.max);
    report["keys"].push_back({{"name", key.name},
                              {"value", value},
                              {"default", key.value},
                              {"minimum", key.min},
                              {"maximum", key.max},
                              {"power_of_two", key.power_of_two},
                              {"meaning", key.meaning}});
  }
  write_report(common, report);
  return 0;
}

}  // namespace solfege
