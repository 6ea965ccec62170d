// SPDX-License-Identifier: Apache-2.0
// Gradients that come from windows, or from several layers, and averaging layers.
#include <algorithm>
#include <cmath>

#include "model/host/accelerator_engine.hpp"
#include "model/host/accelerator_host.hpp"

namespace solfege {

/// An averaging layer's backward_input: to each pixel of a window, the window's gradient.
void AcceleratorEngine::spread_gradient(ProgramBuilder& builder, LayerState& s, StreamPass pass) {
  pass.x = &s.gradient;
  if (s.scattered.address != 0) {
    StreamPass spread;
    spread.x = &s.gradient;
    spread.window_use = WindowUse::kSpread;
    scatter(builder, *pass.store, spread, s.scattered, s.layer.averaging());
    pass.x = &s.scattered;
  } else {
    pass.window_use = WindowUse::kSpread;
    pass.windows = s.layer.averaging();
  }
  builder.stream(*pass.store, pass, "spread gradient");
}

/// Zeros into a tensor with the map of `map`.
void AcceleratorEngine::clear(ProgramBuilder& builder, const ElementTensor& map,
                              const ElementTensor& tensor) {
  StreamPass pass;
  pass.x = &map;
  pass.scale_x = 0;
  pass.store = &tensor;
  builder.stream(map, pass, "clear");
}

/// Sums what `pass` makes of each window into a tensor with the map of `map`. Pixels outside all
/// windows are 0 from the beginning.
void AcceleratorEngine::scatter(ProgramBuilder& builder, const ElementTensor& map, StreamPass pass,
                                const ElementTensor& scattered, const Pooling& windows) {
  pass.windows = windows;
  pass.store = &scattered;
  if (windows.overlaps()) clear(builder, map, scattered);
  if (pass.window_use == WindowUse::kRoute) {
    pass.x = &scattered;
    pass.scale_x = windows.overlaps() ? 1 : 0;
    pass.scale_z = 1;
  } else if (windows.overlaps()) {
    pass.z = &scattered;
    pass.scale_z = 1;
  }
  builder.stream(map, pass, "gradient to the map");
}

/// What is left to do for the gradient of layer k when its last share is there: the sum of the
/// shares, the clip if it is late, and, where max-pooling windows do not tile it, the map.
void AcceleratorEngine::complete_gradient(ProgramBuilder& builder, std::size_t k) {
  LayerState& s = layout_.layers[k];
  builder.set_place(s.layer.name, "complete gradient");
  if (s.has_joint) join_branches(builder, k);
  if (s.cut_sum != 0) clip_gradient(builder, k);
  if (s.has_joint) join_residuals(builder, k);
  if (is_guided(network_, s.layer)) join_guidance(builder, k);
  if (s.pooled() && s.scattered.address != 0) {
    StreamPass route;
    route.z = &s.gradient;
    route.window_use = WindowUse::kRoute;
    scatter(builder, s.output, route, s.scattered, s.layer.pooling());
    if (s.quantized_max() == s.sample_max && !s.layer.batch_norm) {
      StreamPass largest;
      largest.x = &s.scattered;
      largest.limit_shift = kNarrow;
      largest.max_address = s.sample_max;
      largest.max_per_sample = true;
      builder.stream(s.scattered, largest, "maxima of the gradient");
    }
  }
  if (s.has_joint && s.is_clipped()) measure_gradient(builder, s);
}

/// Adds a share to the gradient of a layer, in its unit; the first of a layer that nobody reads
/// becomes it.
void AcceleratorEngine::add_share(ProgramBuilder& builder, LayerState& s, bool is_begun,
                                  const ElementTensor& share, double unit,
                                  const std::string& label) {
  StreamPass join;
  join.x = &share;
  if (is_begun) {
    const FixedScale ratio = fixed_scale(unit / s.gradient_unit);
    join.x = &s.gradient;
    join.z = &share;
    join.scale_z = ratio.mantissa;
    join.shift_z = ratio.shift;
  } else {
    s.gradient_unit = unit;
  }
  join.limit_shift = kNarrow;
  join.store = &s.gradient;
  join.max_address = s.gradient_max;
  join.max_per_sample = true;
  builder.stream(s.gradient, join, label);
}

/// The gradients that come through readers of layer k's codes, but for the first.
void AcceleratorEngine::join_branches(ProgramBuilder& builder, std::size_t k) {
  for (const LayerState& later : layout_.layers)
    if (later.input == static_cast<int>(k) && later.branch.address != 0)
      add_share(builder, layout_.layers[k], true, later.branch, later.branch_unit,
                "add branch's gradient");
}

/// Those of the layers that add its p, which pass by the clip.
void AcceleratorEngine::join_residuals(ProgramBuilder& builder, std::size_t k) {
  LayerState& s = layout_.layers[k];
  bool is_begun = s.first_reader >= 0;
  for (const LayerState& later : layout_.layers) {
    if (later.layer.residual != static_cast<int>(k)) continue;
    add_share(builder, s, is_begun, later.gradient, later.gradient_unit, "add shortcut's gradient");
    is_begun = true;
  }
}

/// Adds the gradient of guidance / 2 times the mean square of this layer's p minus the other
/// network's.
void AcceleratorEngine::join_guidance(ProgramBuilder& builder, std::size_t k) {
  LayerState& s = layout_.layers[k];
  const LayerState& other = precisions_[1 - active_].layers[k];
  const double elements = static_cast<double>(s.sum.rows) * s.sum.pixels * s.sum.channels;
  const double factor = std::ldexp(network_.guidance, -kSumFractionBits) / elements;
  add_share(builder, s, true, s.sum, factor, "guidance");
  add_share(builder, s, true, other.sum, -factor, "guidance");
}

/// The sums of g and, for batch norm, of g o per channel.
void AcceleratorEngine::measure_gradient(ProgramBuilder& builder, const LayerState& s) {
  StreamPass measure;
  measure.x = &s.gradient;
  measure.limit_shift = kNarrow;
  measure.sum_address = s.gradient_sums;
  measure.sum_per_channel = true;
  const ElementTensor* shape = &s.gradient;
  if (s.layer.batch_norm) {
    measure.second_sum = SecondSum::kDot;
    measure.z = s.has_sum ? &s.output : &s.kept;
  }
  if (s.layer.batch_norm && s.has_sum && s.scattered.address != 0) {
    measure.x = &s.scattered;
    shape = &s.scattered;
  } else if (s.layer.batch_norm && s.has_sum && s.pooled()) {
    // Products with o at the places of the maxima. Its own sums make way for those of g.
    StreamPass products = measure;
    products.x = &s.output;
    products.z = &s.gradient;
    products.scale_z = 0;
    products.window_use = WindowUse::kRoute;
    products.windows = s.layer.pooling();
    builder.stream(s.output, products, "products of the gradient");
    measure.z = nullptr;
    measure.second_sum = SecondSum::kNone;
  }
  builder.stream(*shape, measure, "sums of the gradient");
}

/// Makes the gradients that backward_program(k) completed once more where the shifts that the step
/// before left did not fit them.
void AcceleratorEngine::fit_gradients(std::size_t k) {
  // `reader` makes the gradient with this maximum and shift.
  const auto fit = [&](std::size_t reader, std::uint32_t maxima, int* shift, auto finish) {
    const int shift_before = *shift;
    while (refit(largest_of(maxima), shift)) {
      write_gradient_unit(reader);
      ProgramBuilder builder(config_);
      backward_input(builder, reader);
      finish(builder);
      device_->run(builder.take());
    }
    if (largest_of(maxima) == 0) *shift = shift_before;  // 0 is no measurement
  };
  if (layout_.layers[k].branch.address != 0)
    fit(k, layout_.layers[k].branch_max, &layout_.layers[k].branch_shift, [](ProgramBuilder&) {});
  LayerState& below = layout_.layers[k - 1];
  if (below.first_reader >= 0)
    fit(static_cast<std::size_t>(below.first_reader), below.gradient_max, &below.gradient_shift,
        [&](ProgramBuilder& builder) { complete_gradient(builder, k - 1); });
}

}  // namespace solfege
