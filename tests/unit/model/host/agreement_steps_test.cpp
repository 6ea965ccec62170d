// SPDX-License-Identifier: Apache-2.0
// Whole training steps of the accelerator's integers against those of the float engine, where
// differences add up. Each comparison is made a second time with a fault that it must notice.
#include <catch2/catch.hpp>
#include <cmath>

#include "model/reference/float_engine.hpp"
#include "tests/support/agreement_run.hpp"

namespace solfege {
namespace {

double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

/// A float engine in the state before the step, with the same dropout masks and `seed` for f_G.
FloatEngine reference_of(const AcceleratorStep& step, std::uint64_t seed) {
  FloatEngine reference(step.network, seed);
  for (std::size_t k = 0; k < step.layers(); ++k) {
    FloatEngine::State& state = reference.state(static_cast<int>(k));
    const LayerState& from = step.before[k];
    state.weights.value = step.weights(k);
    if (step.layer(k).batch_norm) {
      state.gamma.value = step.gamma(k);
      state.beta.value = step.beta(k);
    } else {
      state.bias.value = to_floats(from.bias);
    }
    state.hold_kept = step.layer(k).dropout > 0.0;
    if (state.hold_kept) state.kept = step.kept(k);
  }
  return reference;
}

/// How a step of the accelerator and one of the reference stand to each other, over all layers.
struct Distance {
  double loss = 0.0;                ///< difference
  double preactivation = 1.0;       ///< least correlation
  double codes = 0.0;               ///< largest fraction of codes that differ
  double gradient = 0.0;            ///< mean correlation of weight gradients
  double reference_gradient = 0.0;  ///< the same of two references with other draws of f_G
};

Distance distance(const AcceleratorStep& step, FloatEngine reference, FloatEngine twin,
                  const std::vector<std::uint8_t>& pixels) {
  Distance d;
  d.loss =
      std::abs(reference.train_step(pixels.data(), step.labels.data(), step.batch) - step.loss);
  twin.train_step(pixels.data(), step.labels.data(), step.batch);
  double layers = 0.0;
  for (const Layer& layer : step.network.layers) layers += layer.is_average ? 0.0 : 1.0;
  for (std::size_t k = 0; k < step.layers(); ++k) {
    const FloatEngine::State& state = reference.state(static_cast<int>(k));
    d.preactivation = std::min(d.preactivation, correlation(state.output, step.preactivation(k)));
    if (step.after[k].first_reader >= 0) {
      const std::vector<float> codes = step.code_values(k);
      double differing = 0.0;
      for (std::size_t i = 0; i < codes.size(); ++i)
        differing += std::abs(codes[i] - state.codes[i]) > 1e-3;
      d.codes = std::max(d.codes, differing / static_cast<double>(codes.size()));
    }
    if (step.layer(k).is_average) continue;
    const auto momentum = [&](const LayerState& s, const std::vector<std::uint8_t>& memory) {
      return scaled(step.weight_elements(k, s.momentum, memory), AcceleratorStep::kUnit);
    };
    std::vector<float> gradient = momentum(step.after[k], step.memory);
    const std::vector<float> old = momentum(step.before[k], step.memory_before);
    for (std::size_t i = 0; i < gradient.size(); ++i)
      gradient[i] -= static_cast<float>(step.network.momentum) * old[i];
    d.gradient += correlation(gradient, state.weights.gradient) / layers;
    d.reference_gradient +=
        correlation(twin.state(static_cast<int>(k)).weights.gradient, state.weights.gradient) /
        layers;
  }
  return d;
}

}  // namespace

// Codes differ where a pre-activation's rounding crosses a threshold, and layers carry that on; the
// draws of f_G differ altogether. So no element has a bound, but means over runs have: those
// measured over 40 seeds, with a margin of about twice. Weight gradients must be nearly as alike as
// those of two references that draw differently.
TEST_CASE("Whole steps of both engines from one state stay together", "[agreement]") {
  const std::uint64_t seed = test_seed();
  struct Case {
    int w, a, g;
    bool branched;
    double loss, preactivation, codes, gradient;
    const char* scheme = "dorefa";
    int warm_up = 16;  // 0: all precisions begin alike, of 8 bits, whose codes are fine
  };
  constexpr int kRuns = 8;
  for (const Case& c :
       {Case{1, 2, 4, false, 0.03, 0.96, 0.15, 0.2}, Case{2, 4, 8, false, 0.01, 0.995, 0.15, 0.15},
        Case{8, 4, 8, false, 0.01, 0.995, 0.15, 0.15}, Case{2, 4, 8, true, 0.01, 0.995, 0.15, 0.15},
        Case{2, 2, 8, false, 0.01, 0.995, 0.4, 0.15, "any_precision", 0},
        Case{2, 2, 8, false, 0.03, 0.96, 0.15, 0.2, "guided", 0},
        Case{2, 2, 8, false, 0.01, 0.995, 0.4, 0.15, "two_step", 0},
        Case{2, 2, 8, false, 0.01, 0.995, 0.4, 0.15, "progressive", 0}}) {
    Distance mean, far;
    const auto add = [](Distance* sum, const Distance& d) {
      sum->loss += d.loss / kRuns;
      sum->preactivation += (d.preactivation - 1.0) / kRuns;
      sum->codes += d.codes / kRuns;
      sum->gradient += d.gradient / kRuns;
      sum->reference_gradient += d.reference_gradient / kRuns;
    };
    for (int i = 0; i < kRuns; ++i) {
      const std::uint64_t own = seed + 1000 * static_cast<std::uint64_t>(i);
      Run run("configs/w8a8g8.toml", network_text(c.scheme, c.w, c.a, c.g, 0.0, c.branched), own,
              c.warm_up > 0);
      run.warm_up(c.warm_up);
      const auto pixels = run.bytes(kBatch * kSide * kSide * kChannels, 256);
      const AcceleratorStep step(run.engine.get(), run.network, pixels,
                                 run.bytes(kBatch, kClasses));
      const FloatEngine reference = reference_of(step, own), twin = reference_of(step, own + 1);
      add(&mean, distance(step, reference, twin, pixels));
      // Known bad: one layer's weights of the wrong sign
      FloatEngine bad = reference;
      for (float& w : bad.state(2).weights.value) w = -w;
      add(&far, distance(step, bad, twin, pixels));
    }
    CAPTURE(seed, c.scheme, c.w, c.a, c.g, c.branched, mean.loss, mean.preactivation, mean.codes,
            mean.gradient, mean.reference_gradient);
    CAPTURE(far.preactivation, far.codes, far.gradient);
    CHECK(mean.loss < c.loss);
    CHECK(mean.preactivation > c.preactivation);
    CHECK(mean.codes < c.codes);
    CHECK(mean.gradient > mean.reference_gradient - c.gradient);
    CHECK(far.preactivation < c.preactivation);
    CHECK(far.codes > c.codes);
    CHECK(far.gradient < mean.reference_gradient - c.gradient);
  }
}

}  // namespace solfege
