// SPDX-License-Identifier: Apache-2.0
// Precisions, training steps and inference. The programs are in accelerator_programs.cpp, the
// host's scalars in accelerator_host.cpp.
#include "model/host/accelerator_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/base/error.hpp"
#include "model/base/hash.hpp"
#include "model/spec/lfsr.hpp"

namespace solfege {

AcceleratorEngine::AcceleratorEngine(const Config& config, const Network& network, int batch,
                                     std::uint64_t seed, const MakeDevice& make_device)
    : config_(config),
      network_(with_pointwise_head(network)),
      batch_(batch),
      learning_rate_(network.learning_rate),
      image_layer_(network.layers.front()),
      random_state_(seeded_state(config.random_seed)) {
  if (batch < 1 || batch > config.max_batch)
    throw InputError(fmt::format(
        "--batch {}: stream.max_batch of the configuration is {}: {}", batch, config.max_batch,
        batch < 1 ? "choose 1 or more"
                  : advise_at_least("stream.max_batch", batch, "lower --batch") +
                        fmt::format(" or --batch {}", config.max_batch)));
  TrainingLayouts layouts = lay_out_training(config_, network_, batch_);
  device_ = make_device(layouts.size_bytes);
  if (device_->memory().size() < layouts.size_bytes)
    throw std::logic_error("device memory too small");
  host_ = HostMemory(*device_, layouts.regions);
  precisions_ = std::move(layouts.precisions);
  std::swap(layout_, precisions_[0]);
  const std::size_t own_weights = network_.curriculum == Curriculum::kGuided ? 2 : 1;
  for (std::size_t p = precisions_.size(); p-- > 0;) {
    activate(p);
    initialise_constants();
    if (p < own_weights) initialise_weights(seed);
  }
}

/// The precision that programs are of from now on. The layouts of the others wait in `precisions_`.
void AcceleratorEngine::activate(std::size_t precision) {
  if (precision == active_) return;
  swap_to(precision);
  write_weight_constants();
}

void AcceleratorEngine::swap_to(std::size_t precision) {
  std::swap(layout_, precisions_[active_]);
  active_ = precision;
  std::swap(layout_, precisions_[active_]);
}

std::size_t AcceleratorEngine::precisions() const {
  return network_.curriculum == Curriculum::kPhases ? 1 : precisions_.size();
}

void AcceleratorEngine::set_precision(std::size_t index) {
  if (index >= precisions()) throw std::logic_error("no such precision");
  if (network_.curriculum != Curriculum::kPhases) activate(index);
}

AcceleratorEngine::~AcceleratorEngine() = default;

void AcceleratorEngine::initialise_weights(std::uint64_t seed) {
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
    LayerState& s = layout_.layers[k];
    if (!s.has_weights()) continue;
    const auto initial = initial_weights(network_, static_cast<int>(k), seed);
    write_fixed(s, s.weights, {initial.begin(), initial.end()});
    if (s.has_holes()) write_weight_places(s);
  }
  measure_all_weights();
}

/// What of a layout never changes: zeros outside of windows, the weights of averages, and offsets.
void AcceleratorEngine::initialise_constants() {
  ProgramBuilder builder(config_);
  bool is_empty = true;
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
    LayerState& s = layout_.layers[k];
    builder.set_place(s.layer.name, "initial");
    if (!s.has_weights())  // an average: ones where row and lane are the same channel
      write_codes(s.weight_codes.front(), [](int row, int, int lane) { return row == lane; });
    write_range_offsets(s);
    if (s.scattered.address == 0) continue;
    clear(builder, s.layer.is_average ? input_of(k).gradient : s.output, s.scattered);
    is_empty = false;
  }
  if (!is_empty) device_->run(builder.take());
}

/// The scalars of f_W, of master weights that the host has written.
void AcceleratorEngine::measure_all_weights() {
  ProgramBuilder builder(config_);
  for (LayerState& s : layout_.layers) {
    if (!s.has_weights()) continue;
    builder.set_place(s.layer.name, "initial");
    StreamPass pass;
    pass.x = &s.weights;
    measure_weights(builder, s, pass, "measure weights");
  }
  device_->run(builder.take());
  write_weight_constants();
}

double AcceleratorEngine::zero_gradient_share(int layer) {
  const ElementTensor& t = layout_.layers.at(static_cast<std::size_t>(layer)).gradient;
  std::uint64_t zeros = 0;
  for (int row = 0; row < t.rows; ++row)
    for (int pixel = 0; pixel < t.pixels; ++pixel)
      for (int channel = 0; channel < t.channels; ++channel)
        // A tagged element has its value in the lower half.
        zeros += *host_.read<std::int16_t>(t.element_address(row, pixel, channel)) == 0;
  return static_cast<double>(zeros) /
         (static_cast<double>(t.rows) * t.pixels * static_cast<double>(t.channels));
}

std::vector<std::uint64_t> AcceleratorEngine::weight_fingerprints() {
  std::vector<std::uint64_t> fingerprints;
  for (const LayerState& s : layout_.layers) {
    if (!s.has_weights()) continue;
    const std::size_t bytes = s.weights.size_bytes();
    fingerprints.push_back(fingerprint(host_.read<std::uint8_t>(s.weights.address, bytes), bytes));
  }
  return fingerprints;
}

/// Lays out the bits of the windows' pixels, in every order in which the first layer reads them.
/// Samples from `count` on are 0.
void AcceleratorEngine::write_images(const std::uint8_t* pixels, int count) {
  const Layer& l = image_layer_;
  const auto pixel = [&](int sample, int window, int channel) -> std::uint32_t {
    const int tap = channel / l.in_channels;
    const int y =
        l.stride_height * (window / l.out_width) + tap / l.kernel_width - l.padding_height;
    const int x = l.stride_width * (window % l.out_width) + tap % l.kernel_width - l.padding_width;
    if (sample >= count || y < 0 || y >= l.in_height || x < 0 || x >= l.in_width) return 0;
    return pixels[static_cast<std::size_t>((sample * l.in_height + y) * l.in_width + x) *
                      static_cast<std::size_t>(l.in_channels) +
                  static_cast<std::size_t>(channel % l.in_channels)];
  };
  std::set<std::uint32_t> written;
  const auto write = [&](const PackedParts& operand, const CodeAt& code) {
    for (const PackedTensor& part : operand)
      if (written.insert(part.address).second) write_codes(part, code);
  };
  const auto write_all = [&](const TrainingLayout& layout) {
    if (layout.layers.empty()) return;
    const LayerState& head = layout.layers.front();
    write(head.input_codes, pixel);
    write(head.input_unfolded, [&](int channel, int sample, int window) {
      return channel < head.layer.in_channels ? pixel(sample, window, channel) : 0;
    });
    write(head.input_by_sample,
          [&](int channel, int window, int sample) { return pixel(sample, window, channel); });
  };
  write_all(layout_);
  for (const TrainingLayout& layout : precisions_) write_all(layout);
}

/// Bytes of these operands, of the active precision.
std::uint64_t AcceleratorEngine::image_bytes() const {
  const LayerState& head = layout_.layers.front();
  std::uint64_t bytes = 0;
  for (const PackedParts* operand :
       {&head.input_codes, &head.input_unfolded, &head.input_by_sample})
    for (const PackedTensor& part : *operand) bytes += part.size_bytes();
  return bytes;
}

double AcceleratorEngine::train_step(const std::uint8_t* pixels, const std::uint8_t* labels,
                                     int batch) {
  if (batch != batch_) throw std::logic_error("a training step takes whole batches");
  const std::uint64_t accesses_before = host_.accesses(MemoryContent::kElements);
  write_images(pixels, batch);
  std::vector<double> targets = one_hot(labels);
  double loss = 0.0;
  for (const StepPart& part : step_parts(network_, active_)) {
    activate(part.precision);
    part_ = part;
    if (part.forward) run_forward();
    if (!part.backward) continue;
    const double own_loss = write_loss_gradient(targets);
    if (part.precision == 0 || network_.curriculum == Curriculum::kPhases) loss = own_loss;
    // Each precision learns the probabilities of the one before.
    if (network_.curriculum == Curriculum::kJoint) targets = probabilities();
    run_backward();
    update_scalars();
  }
  if (network_.curriculum != Curriculum::kPhases) activate(0);
  write_weight_constants();
  host_element_operations_ += host_.accesses(MemoryContent::kElements) - accesses_before;
  return loss;
}

void AcceleratorEngine::run_forward() {
  for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
    write_output_scale(k, true);
    device_->run(forward_program(k, true));
    read_statistics(layout_.layers[k], true);
    write_activation_constants(layout_.layers[k]);
  }
}

void AcceleratorEngine::run_backward() {
  for (std::size_t k = layout_.layers.size(); k-- > 0;) {
    write_gradient_constants(k);
    device_->run(backward_program(k));
    if (k > 0) fit_gradients(k);
    for (const std::size_t updated : differentiated_by(k))
      if (on_grid(updated)) device_->run(grid_program(updated));
  }
}

void AcceleratorEngine::set_progress(double share) {
  if (network_.curriculum != Curriculum::kPhases) return;
  const std::size_t phase = phase_at(network_, share);
  if (phase == active_) return;
  const std::vector<LayerState> before = layout_.layers;
  activate(phase);
  for (std::size_t k = 0; k < before.size(); ++k) layout_.layers[k].continue_from(before[k]);
}

Inference AcceleratorEngine::infer(const std::uint8_t* pixels, int images, bool with_codes) {
  Inference result;
  if (with_codes) result.codes.resize(layout_.layers.size() - 1);
  const Layer& l = image_layer_;
  const std::size_t image = static_cast<std::size_t>(l.in_height) *
                            static_cast<std::size_t>(l.in_width) *
                            static_cast<std::size_t>(l.in_channels);
  for (int first = 0; first < images; first += batch_) {
    const int count = std::min(batch_, images - first);
    write_images(pixels + static_cast<std::size_t>(first) * image, count);
    for (std::size_t k = 0; k < layout_.layers.size(); ++k) {
      const int training_shift = layout_.layers[k].output_shift;
      write_inference_constants(k);
      device_->run(forward_program(k, false));
      layout_.layers[k].output_shift = training_shift;
    }
    const std::vector<double> logits = read_logits(count);
    result.logits.insert(result.logits.end(), logits.begin(), logits.end());
    for (std::size_t k = 0; k < result.codes.size(); ++k) {
      const std::vector<std::int32_t> codes = read_codes(layout_.layers[k].codes, count);
      result.codes[k].insert(result.codes[k].end(), codes.begin(), codes.end());
    }
  }
  return result;
}

std::vector<Program> AcceleratorEngine::step_programs() {
  const std::uint64_t state = random_state_;
  std::vector<Program> programs;
  const std::size_t active = active_;
  for (const StepPart& part : step_parts(network_, active_)) {
    activate(part.precision);
    part_ = part;
    append_programs(programs);
  }
  activate(active);
  random_state_ = state;
  return programs;
}

/// Those of a part of a step.
void AcceleratorEngine::append_programs(std::vector<Program>& programs) {
  if (part_.forward)
    for (std::size_t k = 0; k < layout_.layers.size(); ++k)
      programs.push_back(forward_program(k, true));
  if (!part_.backward) return;
  for (std::size_t k = layout_.layers.size(); k-- > 0;) {
    programs.push_back(backward_program(k));
    for (const std::size_t updated : differentiated_by(k))
      if (on_grid(updated)) programs.push_back(grid_program(updated));
  }
}

}  // namespace solfege
