// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/base/splitmix.hpp"
#include "model/data/training.hpp"
#include "model/reference/float_layers.hpp"
#include "model/schemes/dorefa.hpp"
#include "model/spec/network.hpp"

namespace solfege {

/// How weights follow gradients.
enum class Optimizer {
  kMomentum,  ///< v = momentum v + g, w -= rate v
  kAdam,      ///< the paper's; beta 0.9 and 0.999, epsilon 1e-5 as in the authors' SVHN code
};

/// DoReFa training in float (Algorithm 1) of the blocks that model/spec/network.hpp describes, or
/// plain float training of the same network.
///
/// Pixels enter as byte / 255. Backward, from dC/dlogits: dropout, clip, max-pooling, the sum with
/// a residual layer (which gets the same gradient), batch normalisation, then f_G per sample where
/// the layer has gradient bits, then the convolution. Gradients of gamma, beta and bias are taken
/// before f_G. Weight decay is added to the gradients of weights only. Inference uses the running
/// statistics, which start at mean 0 and variance 1, and drops nothing.
class FloatEngine : public TrainingEngine {
 public:
  /// A trained tensor with its gradient of the last step, without decay, and the optimiser's state.
  struct Parameter {
    std::vector<float> value, gradient;
    std::vector<float> velocity;  ///< v of kMomentum, first moment of kAdam
    std::vector<float> square;    ///< second moment of kAdam, else empty
  };
  /// What a layer holds. Names follow model/spec/network.hpp; maps are [batch][y][x][out_channel].
  /// Below the running statistics everything is of the last training step, before its update.
  struct State {
    Parameter weights;                                  ///< master weights, [out][ky][kx][in]
    Parameter bias;                                     ///< [out]; empty with batch_norm
    Parameter gamma, beta;                              ///< [out]; empty without batch_norm
    std::vector<float> running_mean, running_variance;  ///< [out]; empty without batch_norm
    float bound_velocity = 0.0f;  ///< of Layer::activation_bound, where the scheme learns it
    /// To compare engines: keep `kept` as it is set (of `codes`' size) instead of drawing it.
    bool hold_kept = false;
    std::vector<std::uint8_t> kept;  ///< mask of dropout, of the pooled map; empty without

    std::vector<float> quantized_weights;           ///< f_W(weights)
    std::vector<float> convolution;                 ///< o
    std::vector<float> batch_mean, batch_variance;  ///< of o, [out]; empty without batch_norm
    std::vector<float> output;                      ///< p; of the last layer the logits
    std::vector<float> pooled;                      ///< max_pool(p); empty where pool = 1: it is p
    std::vector<std::uint8_t> places;               ///< of the maxima; empty where pool = 1
    std::vector<float> codes;  ///< values of the next layer's input; empty in the last layer
    std::vector<float> code_gradient;         ///< dC/dcodes, from all that read them
    std::vector<float> output_gradient;       ///< dC/dp, from both branches of a residual
    std::vector<float> convolution_gradient;  ///< dC/do before f_G
    std::vector<float> quantized_gradient;    ///< dC/do after f_G
    double bound_gradient = 0.0;              ///< dC/d(activation_bound)
  };

  /// `seed` gives the initial weights, the noise of f_G and dropout. With `quantized` false every
  /// quantizer is removed (32, 32, 32) and the clip alone remains. Throws InputError where layers
  /// do not fit each other.
  FloatEngine(const Network& network, std::uint64_t seed, bool quantized = true,
              MaxGradient max_gradient = MaxGradient::kConstant,
              Optimizer optimizer = Optimizer::kMomentum);

  double train_step(const std::uint8_t* pixels, const std::uint8_t* labels, int batch) override;
  Inference infer(const std::uint8_t* pixels, int images, bool with_codes) override;
  void set_learning_rate(double learning_rate) override { learning_rate_ = learning_rate; }
  void set_progress(double share) override;
  std::size_t precisions() const override;
  void set_precision(std::size_t index) override;
  std::vector<std::uint64_t> weight_fingerprints() override;
  std::vector<LayerParameters> parameters() override;
  void set_parameters(const std::vector<LayerParameters>& parameters) override;
  std::vector<LayerCodes> codes() override;
  std::vector<std::uint8_t> state() override;
  void restore(const std::vector<std::uint8_t>& state) override;

  /// Logits of inference, [batch][classes].
  std::vector<float> logits(const std::uint8_t* pixels, int batch) const;

  /// Inference; appends the values of each layer's codes to `values`, if that is not null.
  std::vector<float> outputs(const std::uint8_t* pixels, int images,
                             std::vector<std::vector<float>>* values) const;

  const Network& network() const { return network_; }
  const State& state(int layer) const { return states_.at(static_cast<std::size_t>(layer)); }
  /// For starting from, or comparing with, another engine's weights.
  State& state(int layer) { return states_.at(static_cast<std::size_t>(layer)); }
  /// What the layer read in the last training step: pixels, or the codes of its input.
  const std::vector<float>& input(int layer) const {
    const int from = network_.input_of(layer);
    return from < 0 ? images_ : state(from).codes;
  }

 private:
  /// A network at one of its precisions.
  struct Variant {
    Network network;
    std::vector<State> states;
  };

  std::vector<State> initial_states(const Network& network, std::uint64_t seed) const;
  void switch_to(std::size_t precision);
  void forward(const std::uint8_t* pixels, int batch);
  void activate(int layer, int batch);
  std::vector<float> backward_codes(int layer, int batch);
  void backward(int batch, std::vector<float> logit_gradient);
  void update();
  void update(Parameter* parameter, double decay);
  void update_weights(std::size_t k);
  void update_bound(std::size_t k);
  template <typename Archive>
  void visit_state(Archive&& archive);

  Network network_;  ///< at the active precision
  double learning_rate_;
  MaxGradient max_gradient_;
  Optimizer optimizer_;
  int steps_ = 0;
  SplitMix64 random_;
  std::vector<float> images_;
  std::vector<State> states_;        ///< of the active precision
  std::vector<Variant> precisions_;  ///< the others; the active one's place is empty
  std::size_t active_ = 0;
  StepPart part_;
};

}  // namespace solfege
