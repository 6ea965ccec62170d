// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/step_energy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cost/eda/liberty_reader.hpp"
#include "cost/energy/unit_features.hpp"
#include "cost/energy/units.hpp"
#include "model/base/error.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/digits.hpp"
#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"

namespace solfege {
namespace {

/// The golden model as a device whose operands are sampled while it records.
class RecordingDevice : public Device {
 public:
  RecordingDevice(const Config& config, std::size_t memory_bytes, const TraceOptions& options,
                  const std::function<void(const UnitWindow&)>& windows)
      : config_(config),
        golden_(config, memory_bytes),
        windows_(windows),
        trace_(config, options, [this](const Operation&, const UnitWindow& w) { take(w); }) {}
  std::vector<std::uint8_t>& memory() override { return golden_.memory(); }

  void run(const Program& program) override {
    if (recorded != nullptr) recorded->programs.push_back(program);
    std::vector<OperationSamples> samples;
    for (const Operation& operation : program.operations) {
      if (recorded != nullptr) {
        now_.clear();
        trace_.sample(golden_, operation);
        samples.push_back(std::move(now_));
      }
      golden_.execute(operation.descriptor);
      if (advanced) advanced();
    }
    if (recorded != nullptr) recorded->samples.push_back(std::move(samples));
  }

  StepSamples* recorded = nullptr;
  std::function<void()> advanced;  ///< after each operation

 private:
  void take(const UnitWindow& window) {
    if (windows_) windows_(window);
    UnitSample& sample = now_[window.unit + "/" + window.mode];
    const auto cycles = static_cast<double>(window.vectors.cycles() - window.warm_up);
    const std::vector<double> features = window_features(config_, window);
    sample.features.resize(features.size());
    sample.cycles += cycles;
    sample.actions += static_cast<double>(window.actions);
    for (std::size_t i = 0; i < features.size(); ++i)
      sample.features[i] += (features[i] - sample.features[i]) * cycles / sample.cycles;
  }

  const Config config_;
  GoldenDevice golden_;
  std::function<void(const UnitWindow&)> windows_;
  OperandTrace trace_;
  OperationSamples now_;
};

/// Keeps at most `most` windows of a stream of unknown length, each as likely as any other.
class Reservoir {
 public:
  Reservoir(std::size_t most, std::uint64_t seed) : most_(most), random_(seed) {}
  void take(const UnitWindow& window) {
    ++seen_;
    if (windows.size() < most_) {
      windows.push_back(window);
      return;
    }
    const std::uint64_t place = random_.next() % seen_;
    if (place < most_) windows[place] = window;
  }
  std::vector<UnitWindow> windows;

 private:
  std::size_t most_;
  std::uint64_t seen_ = 0;
  SplitMix64 random_;
};

constexpr std::uint64_t kFittedSeed = 3, kHeldOutSeed = 9, kSyntheticSeed = 5;

std::map<std::string, Reservoir> windows_of(const Config& config, const std::string& name,
                                            const CharacterisationOptions& options,
                                            std::uint64_t seed, const StepProgress& progress) {
  SamplingOptions sampling;
  sampling.batch = std::min(options.batch, config.max_batch);
  sampling.seed = seed;
  sampling.trace.windows = 12;
  const int steps = sampling.steps_before + 1;
  const Images images = make_digits(sampling.batch * steps, 1, seed).train;
  const Network network =
      load_network(name, config, images.height, images.width, images.channels, images.classes);
  std::map<std::string, Reservoir> kept;
  sample_step(config, network, images, sampling, progress, [&](const UnitWindow& window) {
    kept.try_emplace(window.unit, options.tensor_windows, seed).first->second.take(window);
  });
  return kept;
}

bool alive(const std::vector<LayerGradient>& gradients) {
  return std::all_of(gradients.begin(), gradients.end(),
                     [](const LayerGradient& g) { return g.zero_share < 1.0; });
}

}  // namespace

StepSamples sample_step(const Config& config, const Network& network, const Images& images,
                        const SamplingOptions& options, const StepProgress& progress,
                        const std::function<void(const UnitWindow&)>& windows) {
  const int steps = options.steps_before + 2;
  if (images.count() < options.batch)
    throw InputError(
        fmt::format("{} images for a batch of {}: give a data set of at least as many, "
                    "or a smaller --batch",
                    images.count(), options.batch));
  StepSamples samples;
  RecordingDevice* device = nullptr;
  TraceOptions trace = options.trace;
  trace.seed += options.seed;
  AcceleratorEngine engine(config, network, options.batch, options.seed, [&](std::size_t bytes) {
    auto made = std::make_unique<RecordingDevice>(config, bytes, trace, windows);
    device = made.get();
    return made;
  });
  std::size_t operations = 0, done = 0;
  for (const Program& program : engine.step_programs()) operations += program.operations.size();
  device->advanced = [&] {
    ++done;
    if (progress)
      progress("operands", std::min(1.0, static_cast<double>(done) /
                                             static_cast<double>(operations *
                                                                 static_cast<std::size_t>(steps))));
  };
  for (int step = 1; samples.step == 0; ++step) {
    // Batches in turn, from the start again where there are too few images
    const int first = (step - 1) * options.batch % std::max(1, images.count() - options.batch + 1);
    const auto train = [&] {
      engine.train_step(images.image(first), images.labels.data() + first, options.batch);
    };
    if (step <= options.steps_before) {
      train();
      continue;
    }
    // Once to see whether it stands for a training's steps, and if so once more from the same state
    const std::vector<std::uint8_t> before = engine.state();
    train();
    samples.gradients.clear();
    for (std::size_t k = 0; k < network.layers.size(); ++k)
      samples.gradients.push_back(
          {network.layers[k].name, engine.zero_gradient_share(static_cast<int>(k))});
    if (!alive(samples.gradients) && step < options.last_step) continue;
    samples.step = step;
    engine.restore(before);
    device->recorded = &samples;
    train();
  }
  return samples;
}

UnitModels characterise_units(const Config& config, const std::string& rtl,
                              const CharacterisationOptions& options,
                              const StepProgress& progress) {
  const std::string liberty = options.liberty.empty() ? kDefaultLiberty : options.liberty;
  std::vector<std::string> units = options.units;
  if (units.empty())
    units = {"and_popcount", "pe",     "operand_register", "correction",
             "stream_lane",  "reduce", "random_shared"};
  const LibertyLibrary library = read_liberty(liberty);
  auto fitted = windows_of(config, options.fitted_network, options, kFittedSeed, progress);
  auto held_out = windows_of(config, options.held_out_network, options, kHeldOutSeed, progress);
  UnitModels models;
  for (const std::string& unit : units) {
    const auto poll = [&] {
      if (progress) progress("mapping " + unit, 0);
    };
    poll();
    const MappedUnit mapped =
        map_unit(cost_unit(unit, config, rtl).design, liberty, options.cache_directory, poll);
    std::vector<UnitWindow> windows =
        synthetic_windows(config, unit, options.synthetic_windows, kSyntheticSeed);
    const auto tensors = fitted.find(unit);
    if (tensors != fitted.end())
      windows.insert(windows.end(), tensors->second.windows.begin(), tensors->second.windows.end());
    const auto judged = held_out.find(unit);
    models[unit] =
        characterise(config, mapped, library, options.delays, windows,
                     judged != held_out.end() ? judged->second.windows : std::vector<UnitWindow>{},
                     options.cache_directory, [&](double done) {
                       if (progress) progress("gate simulation of " + unit, done);
                     });
  }
  return models;
}

}  // namespace solfege
