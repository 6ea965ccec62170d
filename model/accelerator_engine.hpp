// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/config.hpp"
#include "model/device.hpp"
#include "model/scheduler.hpp"
#include "model/training.hpp"

namespace solfege {

/// Training on the accelerator (any Device): lays the tensors out, makes the programs of a step,
/// and does the host's part, which touches per-channel, per-sample and per-logit scalars only:
/// thresholds of f_W and f_A, softmax and its gradient, biases, scales and shifts.
class AcceleratorEngine : public TrainingEngine {
 public:
  /// Makes the device once the memory it needs is known.
  using MakeDevice = std::function<std::unique_ptr<Device>(std::size_t memory_bytes)>;
  AcceleratorEngine(const Config& config, const Network& network, int batch, std::uint64_t seed,
                    const MakeDevice& make_device);
  ~AcceleratorEngine() override;

  double train_step(const std::uint8_t* pixels, const std::uint8_t* labels, int batch) override;
  std::vector<int> predict(const std::uint8_t* pixels, int batch) override;
  void set_learning_rate(double learning_rate) override { learning_rate_ = learning_rate; }

  /// Elements the host has computed on in training steps. A statement about this class, not a
  /// measurement: no step has host code that computes on elements, so nothing adds to it; code that
  /// ever does must. (Initial weights are made by the host, before the first step.)
  std::uint64_t host_element_operations() const { return host_element_operations_; }
  /// Master weights of a layer, fixed point, [out][tap][in] without padding.
  std::vector<std::int32_t> weights(int layer) const;
  const Network& network() const { return network_; }
  /// The programs of one training step, for the cycle and energy models.
  std::vector<Program> step_programs();

 private:
  struct LayerState;

  void allocate();
  void initialise_weights(std::uint64_t seed);
  void write_images(const std::uint8_t* pixels, int count);
  void write_weight_constants();
  void write_activation_constants();
  Program forward_program(bool training);
  Program backward_program();
  std::vector<double> read_logits(int count) const;
  double write_loss_gradient(const std::uint8_t* labels);
  void update_host_state();
  std::uint64_t draw(const ElementTensor& tensor);

  template <typename T>
  T* data(std::uint32_t address) const;

  Config config_;
  Network network_;
  int batch_;
  double learning_rate_;
  std::vector<LayerState> layers_;
  Layer image_layer_;  ///< the first layer as the network has it
  ElementTensor images_;
  PackedTensor image_codes_, image_codes_by_sample_;
  std::uint32_t next_address_ = 0;
  std::unique_ptr<Device> device_;
  std::uint64_t random_state_;
  std::uint64_t host_element_operations_ = 0;
};

}  // namespace solfege
