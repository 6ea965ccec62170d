// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>
#include <utility>

#include "cli/commands.hpp"
#include "cli/engines.hpp"
#include "cli/training_charts.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/interrupt.hpp"
#include "model/data/batches.hpp"
#include "model/data/checkpoint.hpp"
#include "model/data/dataset.hpp"
#include "model/data/network_file.hpp"
#include "model/data/network_tensors.hpp"

namespace solfege {

namespace {

void validate(const TrainOptions& options, const Images& train) {
  if (options.batch > train.count())
    throw InputError(
        fmt::format("--batch {}: the data set has {} training images; choose a smaller batch",
                    options.batch, train.count()));
  validate_simulation(options.engine, options.simulation);
  if (!options.plot_path.empty()) require_plottable("--plot", options.plot_path);
}

/// A training run: the engine, and a checkpoint that is always up to date but for the payload.
class Training {
 public:
  Training(const Config& config, const TrainOptions& options, Dataset data, Network network);

  /// All steps. An interrupt ends them where it comes, and the last whole one is saved.
  void run();
  std::uint64_t step() const { return state_.step; }  ///< steps done, those resumed from included
  /// The accuracy at the end. Throws CheckFailed like every use of the device.
  void evaluate_at_end();
  void report_to(Json& report);

  std::string failure;  ///< what a check found; then the run is over
  void finish_waveforms() {
    if (engine_.rtl != nullptr) engine_.rtl->finish_waveforms();
  }
  void export_to(const std::string& path) { export_from(engine_, network_, config_, path); }
  const RunEngine& engine() const { return engine_; }

 private:
  void resume();
  void evaluate();
  void keep();  ///< what save() writes
  void save();

  const Config config_;
  const TrainOptions& options_;
  Dataset data_;
  const Network network_;
  int per_epoch_, test_images_;
  std::uint64_t steps_;
  RunEngine engine_;
  Checkpoint state_;
  std::uint64_t resumed_from_ = 0;
  std::uint64_t saved_step_ = ~std::uint64_t{0}, evaluated_step_ = ~std::uint64_t{0};
  std::vector<std::string> notes_;
  std::vector<int> layers_unchanged_;  ///< of each step of this run
  double accuracy_ = 0;
  Json precisions_ = Json::object();  ///< a report with the accuracies of several
};

Training::Training(const Config& config, const TrainOptions& options, Dataset data, Network network)
    : config_(config),
      options_(options),
      data_(std::move(data)),
      network_(std::move(network)),
      per_epoch_(data_.train.count() / options.batch) {
  steps_ = options.steps > 0
               ? static_cast<std::uint64_t>(options.steps)
               : std::max<std::uint64_t>(
                     1, static_cast<std::uint64_t>((options.epochs > 0 ? options.epochs : 1.0) *
                                                   per_epoch_));
  state_.run = RunIdentity::of(options.engine != "float", config_, network_, data_, options.seed,
                               options.batch);
  const ImageShape& images = data_.train;
  state_.recipe = {config_.canonical(), network_file_text(options.network),
                   options.scheme,      images.height,
                   images.width,        images.channels,
                   images.classes};
  test_images_ = keep_test_images(data_, options);
  if (!options.export_path.empty()) require_tensor_names(network_);
  engine_ = make_engine(options.engine, config_, network_, options.batch, options.seed,
                        options.simulation);
  if (!options.init_path.empty()) notes_ = load_into(engine_, network_, options.init_path);
  if (!options.resume_path.empty()) resume();
  fmt::print("{} on {}, W={} A={} G={}, batch {}, {} steps, engine {}\n", network_.name, data_.name,
             config_.weight_bits, config_.activation_bits, config_.gradient_bits, options.batch,
             steps_, options.engine);
  if (resumed_from_ > 0) fmt::print("resumed after step {}\n", resumed_from_);
  std::fflush(stdout);  // a step may take long
}

void Training::resume() {
  state_ = Checkpoint::load(options_.resume_path, state_.run);
  engine_.training->restore(state_.payload);
  resumed_from_ = saved_step_ = state_.step;
  if (steps_ < state_.step)
    throw InputError(fmt::format(
        "--resume {}: {} steps are asked for, and the checkpoint is after step {}; ask for more "
        "(steps of both runs count)",
        options_.resume_path, steps_, state_.step));
}

void Training::keep() {
  if (!options_.checkpoint_path.empty()) state_.payload = engine_.training->state();
}

void Training::save() {
  if (options_.checkpoint_path.empty() || saved_step_ == state_.step) return;
  const Interrupt::Finish whole;
  state_.save(options_.checkpoint_path);
  saved_step_ = state_.step;
}

void Training::evaluate() {
  if (test_images_ == 0 || evaluated_step_ == state_.step) return;
  accuracy_ = accuracy(*engine_.training, data_.test, options_.batch);
  evaluated_step_ = state_.step;
  state_.accuracies.push_back({state_.step, accuracy_});
}

void Training::run() {
  Batches batches(data_.train, options_.batch, options_.seed, state_.step);
  const auto per_epoch = static_cast<std::uint64_t>(per_epoch_);
  // The rate after so many epochs, by the multiplications an uninterrupted run makes.
  double learning_rate = network_.learning_rate;
  for (std::uint64_t epoch = 0; epoch < state_.step / per_epoch; ++epoch)
    learning_rate *= network_.learning_rate_decay;
  engine_.training->set_learning_rate(learning_rate);

  Progress progress("training", static_cast<long>(steps_), static_cast<long>(state_.step));
  const std::uint64_t report_every = std::max<std::uint64_t>(1, steps_ / 20);
  const auto every = static_cast<std::uint64_t>(options_.checkpoint_every);
  std::vector<std::uint8_t> pixels, labels;
  try {
    keep();
    while (state_.step < steps_) {
      Interrupt::check();
      batches.next(pixels, labels);
      const std::vector<std::uint64_t> before = engine_.training->weight_fingerprints();
      engine_.training->set_progress(static_cast<double>(state_.step) /
                                     static_cast<double>(steps_));
      const double loss =
          engine_.training->train_step(pixels.data(), labels.data(), options_.batch);
      const std::vector<std::uint64_t> after = engine_.training->weight_fingerprints();
      layers_unchanged_.push_back(static_cast<int>(std::inner_product(
          before.begin(), before.end(), after.begin(), 0, std::plus<>(), std::equal_to<>())));
      state_.losses.push_back(loss);
      const std::uint64_t step = ++state_.step;
      keep();
      progress.at(static_cast<long>(step), fmt::format("loss {:.4f}", loss));
      if (step % report_every == 0 || step == 1 || step == steps_)
        fmt::print("step {:5}  loss {:.4f}\n", step, loss);
      if (step % per_epoch == 0) {
        engine_.training->set_learning_rate(learning_rate *= network_.learning_rate_decay);
        if ((options_.evaluate_every_epoch || options_.epochs > 0) && test_images_ > 0) {
          evaluate();
          fmt::print("epoch {:4}  accuracy {:.2f} %\n", step / per_epoch, 100.0 * accuracy_);
        }
      }
      if (every > 0 && step % every == 0) save();
      std::fflush(stdout);
    }
  } catch (const CheckFailed& check) {
    failure = check.what();
    return;
  } catch (const Interrupted&) {
    save();
    throw;
  }
  save();
}

void Training::evaluate_at_end() {
  engine_.training->set_progress(1.0);
  evaluate();
  if (test_images_ > 0)
    fmt::print("accuracy {:.2f} % on {} test images\n", 100.0 * accuracy_, test_images_);
  report_precisions(engine_, network_, data_.test, options_.batch, precisions_);
}

void Training::report_to(Json& report) {
  report.update(precisions_);
  report["network"] = network_.name;
  report["data"] = data_.name;
  report["engine"] = options_.engine;
  report["batch"] = options_.batch;
  report["seed"] = options_.seed;
  report["steps"] = state_.losses.size();
  report["resumed_from"] = resumed_from_ > 0 ? Json(resumed_from_) : Json(nullptr);
  report["steps_per_epoch"] = per_epoch_;
  report["notes"] = notes_;
  report["loss"] = state_.losses;
  report["layers_unchanged"] = layers_unchanged_;
  report["accuracy"] = evaluated_step_ == state_.step ? Json(accuracy_) : Json(nullptr);
  report["test_images"] = test_images_;
  report["accuracy_history"] = Json::array();
  for (const AccuracyPoint& point : state_.accuracies)
    report["accuracy_history"].push_back({{"step", point.step},
                                          {"epoch", static_cast<double>(point.step) / per_epoch_},
                                          {"accuracy", point.accuracy}});
  report_tally(engine_.tally(), report);
  report["host_element_operations"] =
      engine_.accelerator != nullptr ? engine_.accelerator->host_element_operations() : 0;
}

}  // namespace

Dataset load_images(const std::string& data, int resize, const std::string& network) {
  Dataset images = load_dataset(data);
  const ImageShape found = images.train;
  const bool resized = resize > 0 && (resize != found.height || resize != found.width);
  const int channels = network_images(network, found).channels;
  const bool repeated = found.channels == 1 && channels > 1;
  for (Images* part : {&images.train, &images.test}) {
    if (resized) resize_images(*part, resize);
    if (repeated) repeat_channels(*part, channels);
  }
  if (resized)
    fmt::print("images   resized from {} x {} to {} x {} pixels\n", found.height, found.width,
               resize, resize);
  if (repeated) fmt::print("images   grey ones repeated for {} channels\n", channels);
  return images;
}

ImageShape images_shape(const std::string& data, int resize, const std::string& network) {
  if (!data.empty()) return load_images(data, resize, network).train;
  ImageShape shape = network_images(network, {});
  if (resize > 0) shape.height = shape.width = resize;
  return shape;
}

int keep_test_images(Dataset& data, const RunOptions& options) {
  const int all = data.test.count();
  const int wanted = options.test_images >= 0                  ? options.test_images
                     : RunEngine::is_simulated(options.engine) ? options.batch
                                                               : all;
  data.test.labels.resize(static_cast<std::size_t>(std::min(wanted, all)));
  return data.test.count();
}

int run_train(const CommonOptions& common, const TrainOptions& options) {
  const Config config = Config::load(common.config_path);
  Dataset data = load_images(options.data, options.resize, options.network);
  Network network = load_network(options.network, config, data.train, options.scheme);
  validate(options, data.train);
  const auto started = std::chrono::steady_clock::now();
  Training training(config, options, std::move(data), std::move(network));
  try {
    training.run();
  } catch (const Interrupted&) {
    say(fmt::format("solfege: training stopped after step {}{}", training.step(),
                    options.checkpoint_path.empty()
                        ? ""
                        : fmt::format("; continue with --resume {}", options.checkpoint_path)));
    throw;
  }
  if (training.failure.empty()) {
    try {
      training.evaluate_at_end();
      if (!options.export_path.empty()) training.export_to(options.export_path);
    } catch (const CheckFailed& check) {
      training.failure = check.what();
    }
  }

  training.finish_waveforms();

  Json report = make_report(common, config);
  training.report_to(report);
  report["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const RtlTally tally = training.engine().tally();
  print_tally(training.engine(), tally);
  if (const AcceleratorEngine* accelerator = training.engine().accelerator; accelerator != nullptr)
    fmt::print("host     {} operations on elements\n", accelerator->host_element_operations());
  if (!training.failure.empty()) {
    report["failure"] = training.failure;
    say(fmt::format("solfege: {}", training.failure));
  }
  write_report(common, report);
  if (!options.plot_path.empty())
    plot_charts(options.plot_path, training_charts({{options.plot_path, report}}));
  return training.failure.empty() && tally.mismatched_bits == 0 && !cycles_differ(tally) ? 0 : 1;
}

}  // namespace solfege
