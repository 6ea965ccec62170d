// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <limits>

#include "model/golden/stream.hpp"

namespace solfege {
namespace {

/// A row of a block, as GCC's vectors.
typedef std::int32_t Row __attribute__((vector_size(4 * kBlock)));
typedef std::int64_t WideRow __attribute__((vector_size(8 * kBlock)));

/// Sums of a block's channels over its rows. Narrow: 16 values fit 32 bits.
template <bool kAbsolute>
void sum_rows(const std::int32_t* block, bool narrow, std::int64_t* sums) {
  Row narrow_total = {};
  WideRow total = {};
  for (int row = 0; row < kBlock; ++row) {
    Row values;
    std::memcpy(&values, block + kBlock * row, sizeof values);
    if (kAbsolute) values = values < 0 ? -values : values;
    if (narrow)
      narrow_total += values;
    else
      total += __builtin_convertvector(values, WideRow);
  }
  if (narrow) total = __builtin_convertvector(narrow_total, WideRow);
  std::memcpy(sums, &total, sizeof total);
}

/// The same of the products of the low 16 bits of two blocks.
void sum_products(const std::int32_t* block, const std::int32_t* other, std::int64_t* sums) {
  WideRow total = {};
  for (int row = 0; row < kBlock; ++row) {
    Row a, b;
    std::memcpy(&a, block + kBlock * row, sizeof a);
    std::memcpy(&b, other + kBlock * row, sizeof b);
    total += __builtin_convertvector(((a << 16) >> 16) * ((b << 16) >> 16), WideRow);
  }
  std::memcpy(sums, &total, sizeof total);
}

}  // namespace

// ---- Arithmetic of a patch ----

void GoldenStream::scale_x(Worker& w, const Patch& patch, bool wide_source) {
  std::int32_t scratch[kBlock];
  const bool narrow = x_width_ == Width::k32;
  if (narrow && wide_source)  // the bound says that they fit
    std::copy(w.wide_x, w.wide_x + kPatch, w.x);
  // One factor for all, or a block of them
  auto multiply = [&](auto factors) {
    auto into = [&](auto* products) {
      if (wide_source)
        multiply_patch(w.wide_x, factors, products);
      else
        multiply_patch(w.x, factors, products);
    };
    if (narrow)
      multiply_patch(w.x, factors, w.product);
    else if (x_width_ == Width::k64)
      into(w.wide_product);
    else
      into(w.widest_product);
    round_x(w);
  };
  if (d_.scale_x_source == Scalar::kConstant) {
    if (narrow && constant_x_ == 1) return round_patch(w.x, static_cast<int>(d_.shift_x), w.y);
    return multiply(constant_x_);
  }
  if (d_.scale_x_source == Scalar::kChannel)
    spread_patch(channels(channel_x_, patch.channel, scratch), Spread::kChannel, w.entries);
  else
    spread_patch(channels(sample_x_, patch.sample, scratch), Spread::kRow, w.entries);
  multiply(static_cast<const std::int32_t*>(w.entries));
}

void GoldenStream::round_x(Worker& w) {
  const int shift = static_cast<int>(d_.shift_x);
  if (x_width_ == Width::k32)
    round_patch(w.product, shift, w.y);
  else if (x_width_ == Width::k64)
    round_patch(w.wide_product, shift, w.y);
  else
    round_patch(w.widest_product, shift, w.y);
}

/// From the rounded x, in y, to y.
void GoldenStream::combine(Worker& w, const Patch& patch) {
  std::int32_t scratch[kBlock];
  bool added = false;
  if (d_.z_enable) {
    const auto type = d_.z_type;
    // Only the rows at hand: other parts of the pass may be writing the block's other rows.
    const int from = kBlock * patch.row_first;
    const int count = std::min(kBlock * (patch.row_end - patch.row_first), patch.count);
    read_elements(elements(d_.z_address, patch.z_offset + static_cast<std::uint32_t>(from),
                           traits(type).bytes, count),
                  type, count, w.z + from);
    if (type == ElementType::kTagged)
      for (int i = 0; i < kPatch; ++i) {
        w.z_tags[i] = tagged_tag(w.z[i]);
        w.z[i] = tagged_value(w.z[i]);
      }
    if (d_.route_enable) route_patch(w.z, w.z_tags, patch.route_index);
    if (d_.slopes()) slope_patch(d_.slope_function, w.y, w.z);
    if (!d_.mask_enable) {
      auto scale = [&](auto factors) {
        const int shift = static_cast<int>(d_.shift_z);
        if (z_width_ == Width::k32) {
          multiply_patch(w.z, factors, w.product);
          round_patch(w.product, shift, w.scaled_z);
        } else {
          multiply_patch(w.z, factors, w.wide_product);
          round_patch(w.wide_product, shift, w.scaled_z);
        }
      };
      if (d_.scale_z_source == Scalar::kChannel) {
        spread_patch(channels(channel_z_, patch.channel, scratch), Spread::kChannel, w.entries);
        scale(static_cast<const std::int32_t*>(w.entries));
      } else {
        scale(constant_z_);
      }
      added = true;
    }
  }
  auto spread = [&](Table table, std::int32_t* entries) {
    spread_patch(channels(device_.tables_[static_cast<std::size_t>(table)], patch.channel, scratch),
                 Spread::kChannel, entries);
  };
  const std::int32_t limit = std::numeric_limits<std::int32_t>::max() >> d_.limit_shift;
  auto add = [&](auto... more) {
    if (sum_width_ != Width::k32)
      add_patch<std::int64_t>(more..., limit, w.y);
    else
      add_patch<std::int32_t>(more..., limit, w.y);
  };
  if (d_.offset_enable) spread(Table::kOffset, w.entries);
  if (added && d_.offset_enable) {
    add(w.scaled_z, w.entries);
  } else if (added || d_.offset_enable) {
    add(added ? w.scaled_z : w.entries);
  } else if (y_bound_ > limit) {
    clip_patch(limit, w.y);
  }
  if (d_.mask_enable) {
    spread(Table::kMaskLow, w.entries);
    spread(Table::kMaskHigh, w.more_entries);
    mask_patch(w.y, w.z, w.entries, w.more_entries);
  }
}

// ---- Results of a patch ----

/// All ones where a lane is valid; null if all 256 are.
const std::int32_t* GoldenStream::mask(Worker& w, const Patch& patch) {
  auto inside = [](std::uint32_t limit, std::uint32_t first, int end) {
    return limit <= first ? 0 : static_cast<int>(std::min<std::uint32_t>(limit - first, end));
  };
  const int row_end = inside(d_.samples, patch.sample, patch.row_end);
  const int column_end = inside(d_.channels, patch.channel, patch.column_end);
  const std::array<int, 5> cover = {patch.row_first, row_end, patch.column_first, column_end,
                                    patch.count};
  if (cover == std::array<int, 5>{0, kBlock, 0, kBlock, kPatch}) return nullptr;
  if (cover != w.cover) {
    w.cover = cover;
    for (int i = 0; i < kPatch; ++i) {
      const int row = i / kBlock, c = i % kBlock;
      w.keep[i] = row >= patch.row_first && row < row_end && c >= patch.column_first &&
                          c < column_end && i < patch.count
                      ? -1
                      : 0;
    }
  }
  return w.keep;
}

void GoldenStream::finish(Worker& w, const Patch& patch, std::int32_t* y,
                          const std::int32_t* tags) {
  const std::int32_t* keep = mask(w, patch);
  if (d_.grid_enable) grid_patch(y, w.numbers, device_.config_.random_bits);
  if (d_.drop_enable) drop_patch(y, w.numbers, d_.drop_threshold);
  if (keep != nullptr)
    for (int i = 0; i < kPatch; ++i) y[i] &= keep[i];
  if (d_.fills_table()) {
    table_.insert(table_.end(), y, y + patch.count);
  } else if (d_.stores()) {
    const int bytes = traits(d_.destination).bytes;
    // Only the rows at hand are touched, as when reading z.
    const int from = kBlock * patch.row_first;
    const int count = std::min(kBlock * (patch.row_end - patch.row_first), patch.count);
    write_elements(elements(d_.destination_address, patch.offset + static_cast<std::uint32_t>(from),
                            bytes, count),
                   d_.destination, count, y + from, tags + from,
                   keep == nullptr ? nullptr : keep + from);
  }
  if (d_.max_enable || d_.sum_enable) reduce(w, patch, y);
  if (d_.pack_enable) {
    quantize(w, patch, y, keep);
    pack(w, patch);
  }
}

void GoldenStream::reduce(Worker& w, const Patch& patch, const std::int32_t* y) {
  // Invalid lanes are 0 and change nothing.
  if (d_.max_enable) {
    if (w.magnitude_sample != patch.sample) {
      flush_magnitudes(w);
      w.magnitude_sample = patch.sample;
    }
    for (int i = 0; i < kPatch; ++i)
      w.magnitudes[i] =
          std::max(w.magnitudes[i], static_cast<std::uint32_t>(y[i] < 0 ? -y[i] : y[i]));
  }
  if (!d_.sum_enable) return;
  if (d_.sum_per_sample) return sum_samples(w, patch, y);
  std::int64_t sums[kBlock] = {}, seconds[kBlock] = {};
  if (d_.sum_absolute)
    sum_rows<true>(y, d_.limit_shift >= kNarrow, sums);
  else
    sum_rows<false>(y, d_.limit_shift >= kNarrow, sums);
  if (d_.sums_twice()) sum_products(y, d_.second_sum == SecondSum::kDot ? w.z : y, seconds);
  for (std::size_t c = 0; c < kBlock; ++c) {
    const std::size_t to = d_.sum_per_channel ? patch.channel + c : 0;
    if (to >= w.sum.size()) break;
    w.sum[to] += sums[c];
    w.second[to] += seconds[c];
  }
}

void GoldenStream::sum_samples(Worker& w, const Patch& patch, const std::int32_t* y) {
  for (std::size_t row = 0; row < kBlock && patch.sample + row < w.sum.size(); ++row)
    for (std::size_t c = 0; c < kBlock; ++c) {
      const std::int64_t value = y[kBlock * row + c];
      w.sum[patch.sample + row] += d_.sum_absolute && value < 0 ? -value : value;
    }
}

void GoldenStream::flush_magnitudes(Worker& w) {
  if (!d_.max_enable) return;
  for (std::size_t row = 0; row < kBlock; ++row) {
    std::uint32_t* line = w.magnitudes + kBlock * row;
    const std::uint32_t highest = *std::max_element(line, line + kBlock);
    const std::size_t sample = d_.max_per_sample ? (w.magnitude_sample + row) % w.max.size() : 0;
    w.max[sample] = std::max(w.max[sample], highest);
    std::fill(line, line + kBlock, 0u);
  }
}

void GoldenStream::quantize(Worker& w, const Patch& patch, const std::int32_t* y,
                            const std::int32_t* keep) {
  const int bits = static_cast<int>(d_.quantizer_bits);
  if (d_.stochastic()) {
    std::uint32_t m[kBlock];
    for (std::uint32_t row = 0; row < kBlock; ++row)
      m[row] = device_.samples_[(patch.sample + row) % device_.samples_.size()];
    stochastic_patch(y, m, w.numbers, bits, device_.config_.random_bits,
                     d_.quantizer == Quantizer::kStochasticScaled, w.codes);
  } else if (traits(d_.quantizer).compares) {
    const auto nodes = static_cast<std::size_t>(device_.threshold_nodes_);
    const auto lanes = static_cast<std::size_t>(lanes_);
    w.node_thresholds.resize(nodes * kBlock);
    for (std::size_t c = 0; c < kBlock; ++c) {
      const std::size_t row = d_.threshold_per_channel ? (patch.channel + c) / lanes : 0;
      for (std::size_t node = 0; node < nodes; ++node)
        w.node_thresholds[node * kBlock + c] =
            device_.thresholds_.at((row * nodes + node) * lanes + c % lanes);
    }
    threshold_patch(y, w.node_thresholds.data(), bits, w.codes);
    if (d_.code_shift != 0 || d_.code_offset != 0) {
      const auto offset = static_cast<std::uint32_t>(d_.signed_code_offset());
      for (std::uint32_t& code : w.codes) code = (code << d_.code_shift) + offset;
    }
  } else {
    std::memcpy(w.codes, y, sizeof w.codes);
  }
  if (keep != nullptr)
    for (int i = 0; i < kPatch; ++i) w.codes[i] &= static_cast<std::uint32_t>(keep[i]);
}

void GoldenStream::pack(Worker& w, const Patch& patch) {
  const Geometry& geometry = device_.geometry_;
  const auto group = static_cast<std::uint32_t>(geometry.side(d_.pack_columns).group);
  const auto lanes = static_cast<std::uint32_t>(device_.config_.lanes);
  const auto word_bytes = static_cast<std::uint32_t>(geometry.lane_bytes);
  const std::uint32_t groups = (d_.samples + group - 1) / group;
  const std::uint32_t word = patch.pixel * d_.pack_pixel_stride + patch.pack_channel / lanes;
  const std::uint64_t first = d_.pack_address + patch.pack_channel % lanes / 8;
  for (std::uint32_t byte = 0; 8 * byte < d_.pack_planes; ++byte) {
    planes_patch(w.codes, static_cast<int>(byte), w.planes);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(w.planes);
    const std::uint32_t planes = std::min(8u, d_.pack_planes - 8 * byte);
    for (std::uint32_t row = 0; row < kBlock; ++row) {
      const std::uint32_t sample = patch.sample + row;
      if (sample / group >= groups) break;
      const std::uint64_t place =
          first + std::uint64_t{sample / group} * d_.pack_group_stride +
          (std::uint64_t{word + 8 * byte * d_.pack_plane_stride} * group + sample % group) *
              word_bytes;
      const std::uint64_t stride = std::uint64_t{d_.pack_plane_stride} * group * word_bytes;
      std::uint8_t* to = device_.at(place, (planes - 1) * stride + 2);
      for (std::uint32_t plane = 0; plane < planes; ++plane, to += stride) {
        to[0] = bytes[16 * row + plane];
        to[1] = bytes[16 * row + 8 + plane];
      }
    }
  }
}

/// Words of the steps, in order.
void GoldenStream::finish_table() {
  const auto table = d_.table;
  if (table == Table::kThreshold) {
    device_.threshold_nodes_ = (1 << d_.quantizer_bits) - 1;
    device_.thresholds_ = table_;
  } else if (table == Table::kSample) {
    for (std::size_t i = 0; i < table_.size(); ++i)
      device_.samples_[i % device_.samples_.size()] = static_cast<std::uint32_t>(table_[i]);
  } else {
    auto& words = device_.tables_.at(static_cast<std::size_t>(table));
    for (std::size_t i = 0; i < table_.size(); ++i) words[i % words.size()] = table_[i];
  }
}

void GoldenStream::merge(const Worker& w) {
  for (std::size_t i = 0; i < w.max.size(); ++i)
    device_.max_[i] = std::max(device_.max_[i], w.max[i]);
  if (w.sum.empty()) return;
  for (std::size_t i = 0; i < device_.sum_.size(); ++i) {
    device_.sum_[i] += w.sum[i];
    device_.second_[i] += w.second[i];
  }
}

void GoldenStream::flush() {
  if (d_.max_enable) {
    const std::size_t count = d_.max_per_sample ? d_.samples : 1;
    std::memcpy(device_.at(d_.max_address, 4 * count), device_.max_.data(), 4 * count);
  }
  if (d_.sum_enable) {
    const std::size_t count = d_.sums();
    std::memcpy(device_.at(d_.sum_address, 8 * count), device_.sum_.data(), 8 * count);
    if (d_.sums_twice())
      std::memcpy(device_.at(d_.sum_address + 8 * count, 8 * count), device_.second_.data(),
                  8 * count);
  }
}

}  // namespace solfege
