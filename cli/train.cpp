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
#include "cli/training_charts.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/interrupt.hpp"
#include "model/data/batches.hpp"
#include "model/data/checkpoint.hpp"
#include "model/data/dataset.hpp"
#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/reference/float_engine.hpp"
#include "model/reference/float_layers.hpp"
#include "model/schemes/dorefa.hpp"

namespace solfege {

namespace {

void write_weights(const std::string& path, AcceleratorEngine& engine) {
  std::string text;
  for (int layer = 0; layer < static_cast<int>(engine.network().layers.size()); ++layer)
    for (const std::int32_t weight : engine.weights(layer)) text += fmt::format("{}\n", weight);
  write_file(path, text);
}

void validate(const TrainOptions& options, const Images& train) {
  if (options.batch > train.count())
    throw InputError(
        fmt::format("--batch {}: the data set has {} training images; choose a smaller batch",
                    options.batch, train.count()));
  if (options.engine != "rtl" && options.engine != "lockstep" &&
      !options.simulation.fst_path.empty())
    throw InputError(
        fmt::format("--fst: engine {} has no waveforms; use rtl or lockstep", options.engine));
  if (options.engine == "float") {
    if (!options.weights_path.empty())
      throw InputError(
          "--weights: the float engine has no fixed-point weights; use golden, rtl or lockstep");
    for (const auto& [option, path] : {std::pair{"--checkpoint", &options.checkpoint_path},
                                       std::pair{"--resume", &options.resume_path}})
      if (!path->empty())
        throw InputError(
            fmt::format("{} {}: the float engine has no checkpoints; use golden, rtl or lockstep",
                        option, *path));
  }
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
    if (rtl_ != nullptr) rtl_->finish_waveforms();
  }
  RtlTally tally() const { return rtl_ != nullptr ? rtl_->tally() : RtlTally{}; }
  AcceleratorEngine* accelerator() const { return accelerator_; }

 private:
  void make_engine();
  void resume();
  void evaluate();
  void keep();  ///< what save() writes
  void save();
  bool simulated() const { return options_.engine == "rtl" || options_.engine == "lockstep"; }

  const Config config_;
  const TrainOptions& options_;
  Dataset data_;
  const Network network_;
  int per_epoch_, test_images_;
  std::uint64_t steps_;
  std::unique_ptr<TrainingEngine> engine_;
  AcceleratorEngine* accelerator_ = nullptr;  ///< the engine, if it is one
  RtlDevice* rtl_ = nullptr;                  ///< its device, if it is one
  Checkpoint state_;
  std::uint64_t resumed_from_ = 0;
  std::uint64_t saved_step_ = ~std::uint64_t{0}, evaluated_step_ = ~std::uint64_t{0};
  std::vector<int> layers_unchanged_;  ///< of each step of this run
  double accuracy_ = 0;
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
  state_.run = RunIdentity::of(config_, network_, data_, options.seed, options.batch);
  test_images_ = std::min(options.test_images >= 0 ? options.test_images
                          : simulated()            ? options.batch
                                                   : data_.test.count(),
                          data_.test.count());
  data_.test.labels.resize(static_cast<std::size_t>(test_images_));
  make_engine();
  if (!options.resume_path.empty()) resume();
  fmt::print("{} on {}, W={} A={} G={}, batch {}, {} steps, engine {}\n", network_.name, data_.name,
             config_.weight_bits, config_.activation_bits, config_.gradient_bits, options.batch,
             steps_, options.engine);
  if (resumed_from_ > 0) fmt::print("resumed after step {}\n", resumed_from_);
  std::fflush(stdout);  // a step may take long
}

void Training::make_engine() {
  if (options_.engine == "float") {
    engine_ = std::make_unique<FloatEngine>(network_, options_.seed);
    return;
  }
  auto made = std::make_unique<AcceleratorEngine>(
      config_, network_, options_.batch, options_.seed,
      [&](std::size_t bytes) -> std::unique_ptr<Device> {
        if (!simulated()) return std::make_unique<GoldenOnly>(config_, bytes);
        RtlOptions simulation = options_.simulation;
        simulation.lockstep = options_.engine == "lockstep";
        auto device = std::make_unique<RtlDevice>(config_, bytes, simulation);
        rtl_ = device.get();
        return device;
      });
  accelerator_ = made.get();
  engine_ = std::move(made);
}

void Training::resume() {
  state_ = Checkpoint::load(options_.resume_path, state_.run);
  accelerator_->restore(state_.payload);
  resumed_from_ = saved_step_ = state_.step;
  if (steps_ < state_.step)
    throw InputError(fmt::format(
        "--resume {}: {} steps are asked for, and the checkpoint is after step {}; ask for more "
        "(steps of both runs count)",
        options_.resume_path, steps_, state_.step));
}

void Training::keep() {
  if (!options_.checkpoint_path.empty()) state_.payload = accelerator_->state();
}

void Training::save() {
  if (options_.checkpoint_path.empty() || saved_step_ == state_.step) return;
  const Interrupt::Finish whole;
  state_.save(options_.checkpoint_path);
  saved_step_ = state_.step;
}

void Training::evaluate() {
  if (test_images_ == 0 || evaluated_step_ == state_.step) return;
  accuracy_ = accuracy(*engine_, data_.test, options_.batch);
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
  engine_->set_learning_rate(learning_rate);

  Progress progress("training", static_cast<long>(steps_), static_cast<long>(state_.step));
  const std::uint64_t report_every = std::max<std::uint64_t>(1, steps_ / 20);
  const auto every = static_cast<std::uint64_t>(options_.checkpoint_every);
  std::vector<std::uint8_t> pixels, labels;
  try {
    keep();
    while (state_.step < steps_) {
      Interrupt::check();
      batches.next(pixels, labels);
      const std::vector<std::uint64_t> before = engine_->weight_fingerprints();
      engine_->set_progress(static_cast<double>(state_.step) / static_cast<double>(steps_));
      const double loss = engine_->train_step(pixels.data(), labels.data(), options_.batch);
      const std::vector<std::uint64_t> after = engine_->weight_fingerprints();
      layers_unchanged_.push_back(static_cast<int>(std::inner_product(
          before.begin(), before.end(), after.begin(), 0, std::plus<>(), std::equal_to<>())));
      state_.losses.push_back(loss);
      const std::uint64_t step = ++state_.step;
      keep();
      progress.at(static_cast<long>(step), fmt::format("loss {:.4f}", loss));
      if (step % report_every == 0 || step == 1 || step == steps_)
        fmt::print("step {:5}  loss {:.4f}\n", step, loss);
      if (step % per_epoch == 0) {
        engine_->set_learning_rate(learning_rate *= network_.learning_rate_decay);
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
  evaluate();
  if (test_images_ > 0)
    fmt::print("accuracy {:.2f} % on {} test images\n", 100.0 * accuracy_, test_images_);
}

void Training::report_to(Json& report) {
  report["network"] = network_.name;
  report["data"] = data_.name;
  report["engine"] = options_.engine;
  report["batch"] = options_.batch;
  report["seed"] = options_.seed;
  report["steps"] = state_.losses.size();
  report["resumed_from"] = resumed_from_ > 0 ? Json(resumed_from_) : Json(nullptr);
  report["steps_per_epoch"] = per_epoch_;
  report["loss"] = state_.losses;
  report["layers_unchanged"] = layers_unchanged_;
  report["accuracy"] = evaluated_step_ == state_.step ? Json(accuracy_) : Json(nullptr);
  report["test_images"] = test_images_;
  report["accuracy_history"] = Json::array();
  for (const AccuracyPoint& point : state_.accuracies)
    report["accuracy_history"].push_back({{"step", point.step},
                                          {"epoch", static_cast<double>(point.step) / per_epoch_},
                                          {"accuracy", point.accuracy}});
  const RtlTally counted = tally();
  report["mismatched_bits"] = counted.mismatched_bits;
  report["compared_bits"] = counted.compared_bits;
  report["cycles"] = {
      {"simulated", counted.simulated_cycles}, {"predicted", counted.predicted_cycles},
      {"stall", counted.stall_cycles},         {"total", counted.counters.cycles},
      {"descriptors", counted.descriptors},    {"descriptors_apart", counted.cycles_apart}};
  if (counted.predicted_device_cycles != 0)
    report["cycles"]["predicted_total"] = counted.predicted_device_cycles;
  report["host_element_operations"] =
      accelerator_ != nullptr ? accelerator_->host_element_operations() : 0;
}

bool cycles_differ(const RtlTally& tally) {
  return tally.cycles_apart != 0 || (tally.predicted_device_cycles != 0 &&
                                     tally.predicted_device_cycles != tally.counters.cycles);
}

void print_tally(const TrainOptions& options, const RtlTally& tally) {
  if (tally.predicted_device_cycles != 0)
    fmt::print("cycles   {} simulated, {} predicted (device busy, all steps)\n",
               tally.counters.cycles, tally.predicted_device_cycles);
  else
    fmt::print("cycles   {} (device busy; not predicted where memory pauses at random)\n",
               tally.counters.cycles);
  fmt::print("         {} advancing, {} predicted; {} waiting; {} of {} descriptors apart\n",
             tally.simulated_cycles, tally.predicted_cycles, tally.stall_cycles, tally.cycles_apart,
             tally.descriptors);
  if (!tally.first_difference_in_cycles.empty())
    fmt::print("         first: {}\n", tally.first_difference_in_cycles);
  if (options.engine == "lockstep")
    fmt::print("lockstep {} bits compared, {} differ\n", tally.compared_bits,
               tally.mismatched_bits);
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
    } catch (const CheckFailed& check) {
      training.failure = check.what();
    }
  }

  training.finish_waveforms();

  Json report = make_report(common, config);
  training.report_to(report);
  report["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const RtlTally tally = training.tally();
  if (options.engine == "rtl" || options.engine == "lockstep") print_tally(options, tally);
  if (AcceleratorEngine* accelerator = training.accelerator(); accelerator != nullptr) {
    fmt::print("host     {} operations on elements\n", accelerator->host_element_operations());
    if (!options.weights_path.empty()) write_weights(options.weights_path, *accelerator);
  }
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
