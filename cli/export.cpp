// SPDX-License-Identifier: Apache-2.0
// What a checkpoint has trained, as tensors.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/engines.hpp"
#include "model/data/checkpoint.hpp"
#include "model/data/network_file.hpp"

namespace solfege {

int run_export(const CommonOptions& common, const std::string& checkpoint,
               const std::string& output) {
  const Checkpoint saved = Checkpoint::load(checkpoint);
  Config config = Config::parse(saved.recipe.config, checkpoint);
  config.name = saved.run.config;
  const ImageShape images{saved.recipe.height, saved.recipe.width, saved.recipe.channels,
                          saved.recipe.classes};
  Network network =
      parse_network(saved.recipe.network, checkpoint, config, images, saved.recipe.scheme);
  network.name = saved.run.network;
  RunEngine engine = make_engine(saved.run.numbers == "float" ? "float" : "golden", config, network,
                                 saved.run.batch, saved.run.seed, {});
  engine.training->restore(saved.payload);
  engine.training->set_progress(1.0);  // as the run itself ends
  export_from(engine, network, config, output);
  fmt::print("{} after step {}, to {}\n", network.name, saved.step, output);

  Json report = make_report(common, config);
  report["network"] = network.name;
  report["engine"] = engine.kind;
  report["steps"] = saved.step;
  write_report(common, report);
  return 0;
}

}  // namespace solfege
