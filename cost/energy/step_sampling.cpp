// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/step_sampling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "model/base/error.hpp"
#include "model/host/accelerator_engine.hpp"

namespace solfege {
namespace {

/// The golden model as a device whose operands are sampled while it records.
class RecordingDevice : public Device {
 public:
  RecordingDevice(const Config& config, std::size_t memory_bytes, const SamplingOptions& options)
      : config_(config),
        golden_(config, memory_bytes),
        windows_(options.windows),
        trace_(config, options.cycles, options.seed,
               [this](UnitWindow window) { recorded_->windows.push_back(std::move(window)); }) {}
  std::vector<std::uint8_t>& memory() override { return golden_.memory(); }

  /// A step begins.
  void begin() { programs_.clear(); }
  /// The step that has just run will run again, and `samples` receives it.
  void record(StepSamples* samples) {
    shares_ = share_windows(config_, programs_, windows_);
    samples->programs = programs_;
    recorded_ = samples;
  }

  void run(const Program& program) override {
    for (std::size_t i = 0; i < program.operations.size(); ++i) {
      const Operation& operation = program.operations[i];
      if (recorded_ != nullptr)
        trace_.sample(golden_, operation, shares_.at(programs_.size()).at(i));
      golden_.execute(operation.descriptor);
      if (advanced) advanced();
    }
    programs_.push_back(program);
  }

  std::function<void()> advanced;  ///< after each operation

 private:
  const Config config_;
  GoldenDevice golden_;
  const int windows_;
  std::vector<Program> programs_;    ///< of the step so far
  StepSamples* recorded_ = nullptr;  ///< if this is a step to sample
  std::vector<std::vector<WindowShare>> shares_;
  OperandTrace trace_;
};

bool alive(const std::vector<LayerGradient>& gradients) {
  return std::all_of(gradients.begin(), gradients.end(),
                     [](const LayerGradient& g) { return g.zero_share < 1.0; });
}

}  // namespace

StepSamples sample_step(const Config& config, const Network& network, const Images& images,
                        const SamplingOptions& options,
                        const std::function<void(double)>& progress) {
  if (images.count() < options.batch)
    throw InputError(
        fmt::format("{} images for a batch of {}: give a data set of at least as many, "
                    "or a smaller --batch",
                    images.count(), options.batch));
  StepSamples samples;
  RecordingDevice* device = nullptr;
  AcceleratorEngine engine(config, network, options.batch, options.seed, [&](std::size_t bytes) {
    auto made = std::make_unique<RecordingDevice>(config, bytes, options);
    device = made.get();
    return made;
  });
  std::size_t operations = 0, done = 0;
  for (const Program& program : engine.step_programs()) operations += program.operations.size();
  operations *= static_cast<std::size_t>(options.steps_before + 2);
  device->advanced = [&] {
    ++done;
    if (progress)
      progress(std::min(1.0, static_cast<double>(done) / static_cast<double>(operations)));
  };
  for (int step = 1; samples.step == 0; ++step) {
    // Batches in turn, from the start again where there are too few images
    const int first = (step - 1) * options.batch % std::max(1, images.count() - options.batch + 1);
    const auto train = [&] {
      device->begin();
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
    device->record(&samples);
    train();
  }
  return samples;
}

}  // namespace solfege
