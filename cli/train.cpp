// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <numeric>

#include "cli/commands.hpp"
#include "model/accelerator_engine.hpp"
#include "model/dataset.hpp"
#include "model/dorefa.hpp"
#include "model/error.hpp"

namespace solfege {

RtlOptions SimulationOptions::rtl() const {
  RtlOptions options;
  options.memory = memory;
  options.dut.defines = defines;
  if (structural_popcount) options.dut.defines.push_back("SF_POPCOUNT_STRUCTURAL");
  options.fst_path = fst_path;
  options.fst_from = fst_from;
  options.fst_to = fst_to;
  return options;
}

namespace {

/// The images of each step: a new order every epoch, the same for every engine.
class Batches {
 public:
  Batches(const Images& images, int batch, std::uint64_t seed)
      : images_(images),
        batch_(batch),
        random_(seed ^ 0x6261746368ull),
        order_(static_cast<std::size_t>(images.count())) {
    std::iota(order_.begin(), order_.end(), 0);
    shuffle();
  }
  int per_epoch() const { return images_.count() / batch_; }
  void next(std::vector<std::uint8_t>& pixels, std::vector<std::uint8_t>& labels) {
    if (position_ + static_cast<std::size_t>(batch_) > order_.size()) shuffle();
    const std::size_t size = static_cast<std::size_t>(images_.height) *
                             static_cast<std::size_t>(images_.width) *
                             static_cast<std::size_t>(images_.channels);
    pixels.clear();
    labels.clear();
    for (int i = 0; i < batch_; ++i) {
      const int index = order_[position_++];
      pixels.insert(pixels.end(), images_.image(index), images_.image(index) + size);
      labels.push_back(images_.labels[static_cast<std::size_t>(index)]);
    }
  }

 private:
  void shuffle() {
    position_ = 0;
    for (std::size_t i = order_.size(); i > 1; --i)
      std::swap(order_[i - 1], order_[random_.next() % i]);
  }
  const Images& images_;
  int batch_;
  SplitMix64 random_;
  std::vector<int> order_;
  std::size_t position_ = 0;
};

void write_weights(const std::string& path, const AcceleratorEngine& engine) {
  std::ofstream file(path + ".part");
  for (int layer = 0; layer < static_cast<int>(engine.network().layers.size()); ++layer)
    for (const std::int32_t weight : engine.weights(layer)) file << weight << "\n";
  if (!file.flush() || std::rename((path + ".part").c_str(), path.c_str()) != 0)
    throw InputError(fmt::format("--weights {}: cannot be written", path));
}

}  // namespace

int run_train(const CommonOptions& common, const TrainOptions& options) {
  const Config config = Config::load(common.config_path);
  const Dataset data = load_dataset(options.data);
  const Network network = load_network(options.network, config, data.train.height, data.train.width,
                                       data.train.channels, data.train.classes);
  if (options.batch > data.train.count())
    throw InputError(
        fmt::format("--batch {}: the data set has {} training images; choose a smaller batch",
                    options.batch, data.train.count()));
  const bool simulated = options.engine == "rtl" || options.engine == "lockstep";
  if (!simulated && !options.simulation.fst_path.empty())
    throw InputError(
        fmt::format("--fst: engine {} has no waveforms; use rtl or lockstep", options.engine));
  if (options.engine == "float" && !options.weights_path.empty())
    throw InputError(
        "--weights: the float engine has no fixed-point weights; use golden, rtl or lockstep");

  Batches batches(data.train, options.batch, options.seed);
  const int per_epoch = batches.per_epoch();
  const int steps =
      options.steps > 0
          ? options.steps
          : std::max(1, static_cast<int>((options.epochs > 0 ? options.epochs : 1.0) * per_epoch));

  const auto started = std::chrono::steady_clock::now();
  auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  };
  RtlDevice* rtl = nullptr;
  AcceleratorEngine* accelerator = nullptr;
  std::unique_ptr<TrainingEngine> engine;
  if (options.engine == "float") {
    engine = std::make_unique<FloatEngine>(network, options.seed);
  } else {
    auto made = std::make_unique<AcceleratorEngine>(
        config, network, options.batch, options.seed,
        [&](std::size_t bytes) -> std::unique_ptr<Device> {
          if (!simulated) return std::make_unique<GoldenOnly>(config, bytes);
          RtlOptions simulation = options.simulation.rtl();
          simulation.lockstep = options.engine == "lockstep";
          auto device = std::make_unique<RtlDevice>(config, bytes, simulation);
          rtl = device.get();
          return device;
        });
    accelerator = made.get();
    engine = std::move(made);
  }

  fmt::print("{} on {}, W={} A={} G={}, batch {}, {} steps, engine {}\n", network.name, data.name,
             config.weight_bits, config.activation_bits, config.gradient_bits, options.batch, steps,
             options.engine);
  std::vector<double> losses;
  std::vector<std::uint8_t> pixels, labels;
  double learning_rate = network.learning_rate;
  std::string failure;
  {
    Progress progress("training", steps);
    const int report_every = std::max(1, steps / 20);
    for (int step = 0; step < steps; ++step) {
      if (step > 0 && step % per_epoch == 0)
        engine->set_learning_rate(learning_rate *= network.learning_rate_decay);
      batches.next(pixels, labels);
      try {
        losses.push_back(engine->train_step(pixels.data(), labels.data(), options.batch));
      } catch (const CheckFailed& check) {
        failure = check.what();
        break;
      }
      progress.at(step + 1, fmt::format("loss {:.4f}", losses.back()));
      if ((step + 1) % report_every == 0 || step == 0 || step + 1 == steps)
        fmt::print("step {:5}  loss {:.4f}\n", step + 1, losses.back());
      std::fflush(stdout);
    }
  }

  Json report = make_report(common, config);
  report["network"] = network.name;
  report["data"] = data.name;
  report["engine"] = options.engine;
  report["batch"] = options.batch;
  report["seed"] = options.seed;
  report["steps"] = losses.size();
  report["loss"] = losses;
  Images test = data.test;
  int count = options.test_images >= 0 ? options.test_images
              : simulated              ? options.batch
                                       : test.count();
  count = std::min(count, test.count());
  report["accuracy"] = nullptr;
  if (failure.empty() && count > 0) {
    test.labels.resize(static_cast<std::size_t>(count));
    try {
      const double correct = accuracy(*engine, test, options.batch);
      report["accuracy"] = correct;
      fmt::print("accuracy {:.2f} % on {} test images\n", 100.0 * correct, count);
    } catch (const CheckFailed& check) {
      failure = check.what();
    }
  }
  report["test_images"] = count;
  const RtlTally tally = rtl != nullptr ? rtl->tally() : RtlTally{};
  report["mismatched_bits"] = tally.mismatched_bits;
  report["compared_bits"] = tally.compared_bits;
  report["cycles"] = {
      {"simulated", tally.simulated_cycles}, {"predicted", tally.predicted_cycles},
      {"stall", tally.stall_cycles},         {"total", tally.counters.cycles},
      {"descriptors", tally.descriptors},    {"descriptors_apart", tally.cycles_apart}};
  if (tally.predicted_device_cycles != 0)
    report["cycles"]["predicted_total"] = tally.predicted_device_cycles;
  const bool cycles_differ =
      tally.cycles_apart != 0 || (tally.predicted_device_cycles != 0 &&
                                  tally.predicted_device_cycles != tally.counters.cycles);
  report["host_element_operations"] =
      accelerator != nullptr ? accelerator->host_element_operations() : 0;
  report["seconds"] = seconds();
  if (rtl != nullptr) {
    if (tally.predicted_device_cycles != 0)
      fmt::print("cycles   {} simulated, {} predicted (device busy, all steps)\n",
                 tally.counters.cycles, tally.predicted_device_cycles);
    else
      fmt::print("cycles   {} (device busy; not predicted where memory pauses at random)\n",
                 tally.counters.cycles);
    fmt::print("         {} advancing, {} predicted; {} waiting; {} of {} descriptors apart\n",
               tally.simulated_cycles, tally.predicted_cycles, tally.stall_cycles,
               tally.cycles_apart, tally.descriptors);
    if (!tally.first_difference_in_cycles.empty())
      fmt::print("         first: {}\n", tally.first_difference_in_cycles);
    if (options.engine == "lockstep")
      fmt::print("lockstep {} bits compared, {} differ\n", tally.compared_bits,
                 tally.mismatched_bits);
  }
  if (accelerator != nullptr) {
    fmt::print("host     {} operations on elements\n", accelerator->host_element_operations());
    if (!options.weights_path.empty()) write_weights(options.weights_path, *accelerator);
  }
  if (!failure.empty()) {
    report["failure"] = failure;
    fmt::print(stderr, "solfege: {}\n", failure);
  }
  write_report(common, report);
  return failure.empty() && tally.mismatched_bits == 0 && !cycles_differ ? 0 : 1;
}

}  // namespace solfege
