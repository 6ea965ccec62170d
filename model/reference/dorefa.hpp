// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/base/splitmix.hpp"

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

/// Mean softmax cross-entropy over the batch of logits [batch][classes]. `gradient`, if not null,
/// becomes dLoss/dlogits, (softmax - onehot) / batch. Throws InputError for a label >= classes.
double softmax_cross_entropy(const std::vector<float>& logits, const std::uint8_t* labels,
                             int batch, int classes, std::vector<float>* gradient);

}  // namespace solfege
