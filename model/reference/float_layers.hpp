// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/base/splitmix.hpp"
#include "model/spec/network.hpp"

namespace solfege {

// The layers of the float reference, the quantizer of gradients that all schemes share, and the
// loss. Activations and their gradients are NHWC, [sample][y][x][channel]; weights are
// [out_channel][kernel_y][kernel_x][in_channel of the group].

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

/// The largest of each max-pooling window of x [batch][out_y][out_x][out_channel]:
/// [batch][pooled_y][pooled_x][out_channel]. `places`, if not null, gets where in its window it
/// was, y * pool + x, the first of equals in that order. pool <= 16.
std::vector<float> max_pool_forward(const Layer& layer, int batch, const std::vector<float>& x,
                                    std::vector<std::uint8_t>* places);

/// dC/dx from dC/dmaximum, of the pooled shape: the sum of the gradients whose maxima are there.
std::vector<float> max_pool_backward(const Layer& layer, int batch,
                                     const std::vector<float>& gradient,
                                     const std::vector<std::uint8_t>& places);

/// The mean of each window of an averaging layer's input [batch][in_y][in_x][channel]:
/// [batch][out_y][out_x][channel].
std::vector<float> average_forward(const Layer& layer, int batch, const std::vector<float>& x);

/// dC/dinput from dC/dmean: each window's gradient, divided by the window's pixels, to each of
/// them.
std::vector<float> average_backward(const Layer& layer, int batch,
                                    const std::vector<float>& gradient);

/// 0 with the given probability, to drop, else 1, one draw each.
std::vector<std::uint8_t> dropout_mask(std::size_t count, double probability, SplitMix64* random);

/// In place: x / (1 - probability) where `kept`, else 0. Forward and backward are the same.
void dropout(std::vector<float>* x, const std::vector<std::uint8_t>& kept, double probability);

/// f_G of DoReFa-Net (arXiv 1606.06160v3), eq. 12, in place on [sample][elements]: 2 M
/// (quantize_k(g / (2M) + 1/2 + N) - 1/2), M the max|g| of each sample and N = sigma / n_k, sigma
/// uniform in (-1/2, 1/2), one draw per element of a generator of the sample's own, seeded by a
/// draw of `random`. Unbiased; the result lies in
/// [-M, M]. A sample of zeros stays zero.
void quantize_gradient(float* gradient, int batch, std::size_t elements, int bits,
                       SplitMix64* random);

/// The errors of WAGE (arXiv 1802.04680, eqs. 8 and 10), in place on a whole tensor: multiples of
/// s / 2^(k-1), s = 2^round(log2 max|g|), ties up, within +-(1 - 2^(1-k)) s. Zeros stay zero.
void round_gradient(std::vector<float>* gradient, int bits);

/// The update of WAGE (eqs. 11 and 12): w -= steps of the grid 2^grid_log2, as many as rate g / s
/// rounded at random to a whole number, s = 2^round(log2 max|g|). Without a gradient nothing moves.
void update_on_grid(std::vector<float>* weights, const std::vector<float>& gradient, double rate,
                    int grid_log2, SplitMix64* random);

/// Half the squares of logits [batch][classes] minus one-hot labels, mean over the batch.
/// `gradient` becomes that of their sum. Otherwise as softmax_cross_entropy().
double squared_error(const std::vector<float>& logits, const std::uint8_t* labels, int batch,
                     int classes, std::vector<float>* gradient);

/// Mean softmax cross-entropy over the batch of logits [batch][classes]. `gradient`, if not null,
/// becomes dLoss/dlogits, (softmax - onehot) / batch. Throws InputError for a label >= classes.
double softmax_cross_entropy(const std::vector<float>& logits, const std::uint8_t* labels,
                             int batch, int classes, std::vector<float>* gradient);

/// The softmax of logits [batch][classes].
std::vector<float> softmax(const std::vector<float>& logits, int classes);

/// Mean cross-entropy over the batch of the softmax of logits with probabilities [batch][classes].
/// `gradient` becomes dLoss/dlogits.
double cross_entropy(const std::vector<float>& logits, const std::vector<float>& targets, int batch,
                     int classes, std::vector<float>* gradient);

}  // namespace solfege
