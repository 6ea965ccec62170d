// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/data/training.hpp"
#include "model/host/device.hpp"
#include "model/host/host_memory.hpp"
#include "model/host/layer_state.hpp"
#include "model/host/scheduler.hpp"
#include "model/spec/config.hpp"

namespace solfege {

/// Training on the accelerator (any Device): makes the programs of a step, and does the host's
/// part, which touches per-channel, per-sample and per-logit scalars only: thresholds of f_W and
/// f_A, batch-norm constants, softmax and its gradient, biases, scales and shifts.
///
/// A step is one program a layer forward and one a layer backward, because batch statistics pass
/// through the host between layers.
class AcceleratorEngine : public TrainingEngine {
 public:
  /// Makes the device once the memory it needs is known.
  using MakeDevice = std::function<std::unique_ptr<Device>(std::size_t memory_bytes)>;
  AcceleratorEngine(const Config& config, const Network& network, int batch, std::uint64_t seed,
                    const MakeDevice& make_device);
  ~AcceleratorEngine() override;

  double train_step(const std::uint8_t* pixels, const std::uint8_t* labels, int batch) override;
  Inference infer(const std::uint8_t* pixels, int images, bool with_codes) override;
  void set_learning_rate(double learning_rate) override { learning_rate_ = learning_rate; }
  void set_progress(double share) override;
  std::size_t precisions() const override;
  void set_precision(std::size_t index) override;
  /// Of the layers that have weights.
  std::vector<std::uint64_t> weight_fingerprints() override;
  std::vector<LayerParameters> parameters() override;
  /// Weights and momenta are rounded to fixed point, in whose range they must be.
  void set_parameters(const std::vector<LayerParameters>& parameters) override;
  std::vector<LayerCodes> codes() override;
  std::vector<std::uint8_t> state() override;
  void restore(const std::vector<std::uint8_t>& state) override;

  /// Elements (and packed planes) that the host has read or written in device memory during
  /// training steps, as HostMemory counted them. Initial weights and checkpoints lie outside steps.
  std::uint64_t host_element_operations() const { return host_element_operations_; }
  /// Master weights of a layer, fixed point, [out][tap][in] without padding.
  std::vector<std::int32_t> weights(int layer);
  /// Of the gradients of a layer's (pooled) pre-activations in the last step, the share that is
  /// exactly 0.
  double zero_gradient_share(int layer);
  const Network& network() const { return network_; }
  const LayerState& layer(int index) const {
    return layout_.layers.at(static_cast<std::size_t>(index));
  }
  Device& device() { return *device_; }
  /// The programs of one training step, for the cycle and energy models.
  std::vector<Program> step_programs();

 private:
  void swap_to(std::size_t precision);
  void activate(std::size_t precision);
  void run_forward();
  void run_backward();
  void append_programs(std::vector<Program>& programs);
  void initialise_constants();
  void initialise_weights(std::uint64_t seed);
  void measure_all_weights();
  std::vector<double> read_fixed(const LayerState& s, const ElementTensor& tensor);
  void write_fixed(const LayerState& s, const ElementTensor& tensor,
                   const std::vector<double>& values);
  std::vector<std::int32_t> read_codes(const PackedTensor& tensor, int rows);
  std::vector<std::int32_t> read_codes(const PackedParts& parts, int rows);
  std::vector<std::int32_t> read_weight_codes(const LayerState& s);
  InferenceIntegers inference_integers(const LayerState& s);
  void write_weight_places(const LayerState& s);
  void write_images(const std::uint8_t* pixels, int count);
  std::uint64_t image_bytes() const;
  using CodeAt = std::function<std::uint32_t(int row, int pixel, int lane)>;
  void write_codes(const PackedTensor& tensor, const CodeAt& code);
  Program forward_program(std::size_t k, bool training);
  Program backward_program(std::size_t k);
  void quantize_weights(ProgramBuilder& builder, LayerState& s, bool training);
  void quantize_activations(ProgramBuilder& builder, std::size_t k, bool training);
  void pack_for_others(ProgramBuilder& builder, std::size_t k, const ElementTensor& shape,
                       StreamPass pass, bool training);
  void sum_residual(ProgramBuilder& builder, LayerState& s, bool training);
  void quantize_gradient(ProgramBuilder& builder, std::size_t k);
  void backward_input(ProgramBuilder& builder, std::size_t k);
  void unfold_gradient(ProgramBuilder& builder, std::size_t k);
  static void sum_gradient(StreamPass& pass, const LayerState& s);
  void load_clip(ProgramBuilder& builder, const LayerState& s, std::uint32_t low,
                 std::uint32_t high);
  void clip_gradient(ProgramBuilder& builder, std::size_t k);
  void backward_weight(ProgramBuilder& builder, std::size_t k);
  std::vector<std::size_t> differentiated_by(std::size_t k) const;

  // Master weights
  std::uint32_t range_offsets(const LayerState& s, RangeOffset which) const;
  void write_range_offsets(const LayerState& s);
  template <typename Part>
  void stream_rows(ProgramBuilder& builder, const LayerState& s, const StreamPass& pass,
                   const std::string& label, Part part);
  void measure_weights(ProgramBuilder& builder, const LayerState& s, StreamPass pass,
                       const std::string& label);
  double weight_gradient_factor(const LayerState& s) const;
  void update_weights(ProgramBuilder& builder, std::size_t k);
  void store_weights(ProgramBuilder& builder, LayerState& s, StreamPass update);
  bool on_grid(std::size_t k) const;
  Program grid_program(std::size_t k);
  void mask_weight_gradient(ProgramBuilder& builder, const LayerState& s);
  void join_guidance(ProgramBuilder& builder, std::size_t k);
  void spread_gradient(ProgramBuilder& builder, LayerState& s, StreamPass pass);
  void complete_gradient(ProgramBuilder& builder, std::size_t k);
  static void add_share(ProgramBuilder& builder, LayerState& s, bool is_begun,
                        const ElementTensor& share, double unit, const std::string& label);
  void join_branches(ProgramBuilder& builder, std::size_t k);
  void join_residuals(ProgramBuilder& builder, std::size_t k);
  static void measure_gradient(ProgramBuilder& builder, const LayerState& s);
  static void clear(ProgramBuilder& builder, const ElementTensor& map, const ElementTensor& tensor);
  static void scatter(ProgramBuilder& builder, const ElementTensor& map, StreamPass pass,
                      const ElementTensor& scattered, const Pooling& windows);
  void load_channels(ProgramBuilder& builder, Table table, std::uint32_t address,
                     const LayerState& s, const std::string& label);
  void load_samples(ProgramBuilder& builder, const LayerState& s, int shift);

  // Host scalars, before (write_...) and after (read_...) programs
  WeightMeasures read_weight_measures(const LayerState& s);
  void write_weight_constants();
  static std::int32_t weight_threshold(const LayerState& s, int rank);
  void write_output_scale(std::size_t k, bool training);
  void write_inference_constants(std::size_t k);
  void read_statistics(LayerState& s, bool training);
  void write_activation_constants(LayerState& s);
  void write_gradient_constants(std::size_t k);
  void write_row_slopes(LayerState& s);
  void write_gradient_unit(std::size_t k);
  std::uint32_t largest_of(std::uint32_t maxima);
  void fit_gradients(std::size_t k);
  std::vector<double> one_hot(const std::uint8_t* labels) const;
  std::vector<double> probabilities(std::vector<double>* logarithms = nullptr);
  double write_loss_gradient(const std::vector<double>& targets);
  void update_scalars();
  void update_bound(LayerState& s);
  void refresh_activations();
  std::vector<double> read_logits(int count);

  /// The layer that layer `k`, not of the images, reads.
  LayerState& input_of(std::size_t k) {
    return layout_.layers[static_cast<std::size_t>(layout_.layers[k].input)];
  }
  /// Whether backward_input(k) writes the gradient of its input itself, not a branch of it.
  bool is_first_reader(std::size_t k) { return input_of(k).first_reader == static_cast<int>(k); }
  static bool refit(std::uint32_t peak, int* shift);
  std::uint64_t draw(const ElementTensor& tensor);
  template <typename Archive>
  void visit_state(Archive&& archive);
  template <typename Archive>
  void visit_layers(TrainingLayout& layout, bool with_weights, Archive&& archive);

  Config config_;
  Network network_;
  int batch_;
  double learning_rate_;
  Layer image_layer_;                       ///< the first layer as the network has it
  TrainingLayout layout_;                   ///< of the active precision
  std::vector<TrainingLayout> precisions_;  ///< of the others; the active one's place is empty
  std::size_t active_ = 0;
  StepPart part_;
  std::unique_ptr<Device> device_;
  HostMemory host_;
  std::uint64_t random_state_;
  std::uint64_t host_element_operations_ = 0;
};

}  // namespace solfege
