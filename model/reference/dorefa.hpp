// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/data/training.hpp"
#include "model/spec/network.hpp"

namespace solfege {

// The equations of DoReFa-Net (arXiv 1606.06160v3) in float: the reference of the integer golden
// model. Equation numbers are the paper's; n_k = 2^k - 1. Activations and their gradients are NHWC,
// [sample][y][x][channel]; weights are [out_channel][kernel_y][kernel_x][in_channel].

/// True where `bits` names a quantizer: 1..31. 0 and 32 mean none (the paper: 32 removes it).
constexpr bool quantizes(int bits) { return bits > 0 && bits < 32; }

/// f_A, eqs. 5 and 11: round(n_k x) / n_k, ties up, of x clipped to [0, 1]; result in [0, 1].
/// Without a quantizer the clipped x.
float quantize_activation(float x, int bits);

/// Whether the clip to [0, 1] passes a gradient at x: 0 <= x <= 1, both inclusive.
constexpr bool clip_passes(float x) { return x >= 0.0f && x <= 1.0f; }

/// f_W of a layer, as values. bits = 1 (eq. 7): sign(w) * mean|w|, sign(0) = +1. bits > 1 (eq. 9):
/// 2 quantize_k(tanh(w) / (2 max|tanh w|) + 1/2) - 1, ties up, in [-1, 1]. All zeros give the codes
/// just above the middle, as w = 0 does. Without a quantizer w itself.
std::vector<float> quantize_weights(const std::vector<float>& weights, int bits);

/// How the gradient of f_W (eq. 10) treats its maximum.
enum class MaxGradient {
  kConstant,   ///< max|tanh w| is a constant (the hardware, larq and others)
  kChainRule,  ///< the gradient flows through the max too, as in the authors' code
};

/// Gradient through f_W: dC/dw of the master weights from dC/df_W, same shape. bits = 1 (eq. 8):
/// identity. bits > 1 (eq. 10): g_i (1 - t_i^2) / M with t = tanh w, M = max|t|, the rounding
/// passed straight through; with kChainRule the element m of the maximum (first of equals) instead
/// gets (1 - t_m^2) (g_m / M - sign(t_m) sum_j g_j t_j / M^2). All weights zero: zeros.
std::vector<float> weight_gradient(const std::vector<float>& weights,
                                   const std::vector<float>& gradient, int bits,
                                   MaxGradient max_gradient);

/// f_G, eq. 12, in place on [sample][elements]: 2 M (quantize_k(g / (2M) + 1/2 + N) - 1/2), M the
/// max|g| of each sample and N = sigma / n_k, sigma uniform in (-1/2, 1/2), one draw per element
/// of a generator of the sample's own, seeded by a draw of `random`. Unbiased; the result lies in
/// [-M, M]. A sample of zeros stays zero.
void quantize_gradient(float* gradient, int batch, std::size_t elements, int bits,
                       SplitMix64* random);

/// Output of a convolution without bias, [batch][out_y][out_x][out_channel], for input
/// [batch][in_y][in_x][in_channel] of the layer's shape; padding reads as 0.
std::vector<float> conv_forward(const Layer& layer, int batch, const std::vector<float>& input,
                                const std::vector<float>& weights);

/// dC/dinput, of the input's shape, from dC/doutput, of the output's shape.
std::vector<float> conv_backward_input(const Layer& layer, int batch,
                                       const std::vector<float>& gradient,
                                       const std::vector<float>& weights);

/// dC/dweights, of the weights' shape, summed over the batch, from dC/doutput and the input.
std::vector<float> conv_backward_weight(const Layer& layer, int batch,
                                        const std::vector<float>& gradient,
                                        const std::vector<float>& input);

/// Sums over all but the last index of x [..][channels]: [channels]. A bias gradient.
std::vector<float> channel_sums(const std::vector<float>& x, int channels);

// Batch normalisation (Ioffe and Szegedy, arXiv 1502.03167) with the constants of the authors'
// code (svhn-digit-dorefa.py). x and its gradients are [..][channels], the rest [channels].
constexpr float kBatchNormEpsilon = 1e-4f;
constexpr float kRunningMomentum = 0.9f;

/// Mean and biased variance (divided by the count) of each channel.
void batch_statistics(const std::vector<float>& x, int channels, std::vector<float>* mean,
                      std::vector<float>* variance);

/// gamma (x - mean) / sqrt(variance + epsilon) + beta.
std::vector<float> batch_norm_forward(const std::vector<float>& x, const std::vector<float>& gamma,
                                      const std::vector<float>& beta,
                                      const std::vector<float>& mean,
                                      const std::vector<float>& variance);

/// dC/dx from `gradient`, dC/dy, where mean and variance are batch_statistics() of this x. With
/// h = (x - mean) / s, s = sqrt(variance + epsilon) and averages over a channel's elements:
/// gamma / s (g - avg(g) - h avg(g h)); gamma's gradient is sum(g h), beta's sum(g).
std::vector<float> batch_norm_backward(const std::vector<float>& x, const std::vector<float>& gamma,
                                       const std::vector<float>& mean,
                                       const std::vector<float>& variance,
                                       const std::vector<float>& gradient,
                                       std::vector<float>* gamma_gradient,
                                       std::vector<float>* beta_gradient);

/// The largest of each window of layer.pool x layer.pool of x [batch][out_y][out_x][out_channel]:
/// [batch][pooled_y][pooled_x][out_channel]. `places`, if not null, gets where in its window it
/// was, y * pool + x, the first of equals in that order. pool <= 16.
std::vector<float> max_pool_forward(const Layer& layer, int batch, const std::vector<float>& x,
                                    std::vector<std::uint8_t>* places);

/// dC/dx from dC/dmaximum, of the pooled shape: the gradient at each maximum's place, else 0.
std::vector<float> max_pool_backward(const Layer& layer, int batch,
                                     const std::vector<float>& gradient,
                                     const std::vector<std::uint8_t>& places);

/// 0 with the given probability, to drop, else 1, one draw each.
std::vector<std::uint8_t> dropout_mask(std::size_t count, double probability, SplitMix64* random);

/// In place: x / (1 - probability) where `kept`, else 0. Forward and backward are the same.
void dropout(std::vector<float>* x, const std::vector<std::uint8_t>& kept, double probability);

/// Mean softmax cross-entropy over the batch of logits [batch][classes]. `gradient`, if not null,
/// becomes dLoss/dlogits, (softmax - onehot) / batch. Throws InputError for a label >= classes.
double softmax_cross_entropy(const std::vector<float>& logits, const std::uint8_t* labels,
                             int batch, int classes, std::vector<float>* gradient);

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
    std::vector<float> output_gradient;       ///< dC/dp, from both branches of a residual
    std::vector<float> convolution_gradient;  ///< dC/do before f_G
    std::vector<float> quantized_gradient;    ///< dC/do after f_G
  };

  /// `seed` gives the initial weights, the noise of f_G and dropout. With `quantized` false every
  /// quantizer is removed (32, 32, 32) and the clip alone remains. Throws InputError where layers
  /// do not fit each other.
  FloatEngine(const Network& network, std::uint64_t seed, bool quantized = true,
              MaxGradient max_gradient = MaxGradient::kConstant,
              Optimizer optimizer = Optimizer::kMomentum);

  double train_step(const std::uint8_t* pixels, const std::uint8_t* labels, int batch) override;
  std::vector<int> predict(const std::uint8_t* pixels, int batch) override;
  void set_learning_rate(double learning_rate) override { learning_rate_ = learning_rate; }
  std::vector<std::uint64_t> weight_fingerprints() override;

  /// Logits of inference, [batch][classes].
  std::vector<float> logits(const std::uint8_t* pixels, int batch) const;

  const Network& network() const { return network_; }
  const State& state(int layer) const { return states_.at(static_cast<std::size_t>(layer)); }
  /// For starting from, or comparing with, another engine's weights.
  State& state(int layer) { return states_.at(static_cast<std::size_t>(layer)); }
  /// What the layer read in the last training step: pixels, or the codes of the layer before.
  const std::vector<float>& input(int layer) const {
    return layer == 0 ? images_ : state(layer - 1).codes;
  }

 private:
  void forward(const std::uint8_t* pixels, int batch);
  void backward(int batch, std::vector<float> logit_gradient);
  void update(Parameter* parameter, double decay);

  Network network_;
  double learning_rate_;
  MaxGradient max_gradient_;
  Optimizer optimizer_;
  int steps_ = 0;
  SplitMix64 random_;
  std::vector<float> images_;
  std::vector<State> states_;
};

}  // namespace solfege
