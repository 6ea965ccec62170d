// SPDX-License-Identifier: Apache-2.0
// Inference with the weights of a file.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/engines.hpp"
#include "model/base/error.hpp"
#include "model/base/interrupt.hpp"
#include "model/data/network_file.hpp"
#include "model/data/network_tensors.hpp"
#include "model/reference/calibration.hpp"

namespace solfege {
namespace {

/// Inference of all images, a batch at a time.
Inference infer_all(RunEngine& engine, const Images& images, int batch, bool with_codes) {
  Inference all;
  Progress progress("evaluating", images.count());
  for (int first = 0; first < images.count(); first += batch) {
    Interrupt::check();
    const int size = std::min(batch, images.count() - first);
    const Inference part = engine.training->infer(images.image(first), size, with_codes);
    all.logits.insert(all.logits.end(), part.logits.begin(), part.logits.end());
    all.codes.resize(part.codes.size());
    for (std::size_t k = 0; k < part.codes.size(); ++k)
      all.codes[k].insert(all.codes[k].end(), part.codes[k].begin(), part.codes[k].end());
    progress.at(first + size);
  }
  return all;
}

double share_right(const Inference& inference, const Images& images, int classes) {
  const std::vector<int> found = classes_of(inference.logits, classes);
  int right = 0;
  for (std::size_t i = 0; i < found.size(); ++i) right += found[i] == images.labels[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(found.size());
}

/// The network with exponents by the calibration that the options ask for, which the report names.
Network calibrate(const Config& config, const Network& network, const Dataset& data,
                  const EvaluateOptions& options, Json& report) {
  report["calibration"] = Json::array();
  if (options.calibrate == 0) return network;
  if (std::none_of(network.layers.begin(), network.layers.end(),
                   [](const Layer& layer) { return layer.scheme == "qcode"; }))
    throw InputError(
        "--calibrate: no layer of the network has exponents to choose: add --scheme qcode");
  const LoadedParameters loaded = load_parameters(options.init_path, network);
  Images images = data.train;
  images.labels.resize(static_cast<std::size_t>(std::min(options.calibrate, data.train.count())));
  const auto classify = [&](const Network& tried) {
    RunEngine engine = make_engine("golden", config, tried, options.batch, 1, {});
    engine.training->set_parameters(loaded.layers);
    return accuracy(*engine.training, images, options.batch);
  };
  const Network result = calibrated(network, loaded.layers, images, images.count(),
                                    criterion_of(options.criterion), classify);
  for (const Layer& layer : result.layers) {
    if (layer.scheme_parameters.empty()) continue;
    Json entry = {{"layer", layer.name}};
    std::string text = fmt::format("calibrated {}:", layer.name);
    for (const auto& [name, value] : layer.scheme_parameters) {
      entry[name] = value;
      text += fmt::format(" {} = {:g}", name, value);
    }
    fmt::print("{}\n", text);
    report["calibration"].push_back(entry);
  }
  return result;
}

}  // namespace

int run_evaluate(const CommonOptions& common, const EvaluateOptions& options) {
  const Config config = Config::load(common.config_path);
  Dataset data = load_images(options.data, options.resize, options.network);
  const Network uncalibrated = load_network(options.network, config, data.train, options.scheme);
  validate_simulation(options.engine, options.simulation);
  const int images = keep_test_images(data, options);
  const auto started = std::chrono::steady_clock::now();
  Json report = make_report(common, config);
  const Network network = calibrate(config, uncalibrated, data, options, report);
  RunEngine engine =
      make_engine(options.engine, config, network, options.batch, 1, options.simulation);
  engine.training->set_progress(1.0);
  const std::vector<std::string> notes = load_into(engine, network, options.init_path);
  fmt::print("{} on {}, W={} A={}, {} test images, engine {}\n", network.name, data.name,
             config.weight_bits, config.activation_bits, images, options.engine);
  std::fflush(stdout);  // simulation may take long

  report["network"] = network.name;
  report["data"] = data.name;
  report["engine"] = options.engine;
  report["batch"] = options.batch;
  report["test_images"] = images;
  report["accuracy"] = nullptr;
  report["notes"] = notes;
  std::string failure;
  try {
    const Inference inference =
        infer_all(engine, data.test, options.batch, !options.outputs_path.empty());
    if (images > 0) {
      const double accuracy = share_right(inference, data.test, network.classes);
      report["accuracy"] = accuracy;
      fmt::print("accuracy {:.2f} % on {} test images\n", 100.0 * accuracy, images);
    }
    report_precisions(engine, network, data.test, options.batch, report);
    if (!options.outputs_path.empty())
      write_outputs(engine, network, config, data.test, inference, options.outputs_path);
  } catch (const CheckFailed& check) {
    failure = check.what();
  }
  if (engine.rtl != nullptr) engine.rtl->finish_waveforms();
  const RtlTally tally = engine.tally();
  print_tally(engine, tally);
  report_tally(tally, report);
  report["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  if (!failure.empty()) {
    report["failure"] = failure;
    say(fmt::format("solfege: {}", failure));
  }
  write_report(common, report);
  return failure.empty() && tally.mismatched_bits == 0 && !cycles_differ(tally) ? 0 : 1;
}

}  // namespace solfege
