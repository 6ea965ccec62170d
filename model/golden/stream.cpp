// SPDX-License-Identifier: Apache-2.0
#include "model/golden/stream.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace solfege {
namespace {

std::int32_t signed_low(std::uint32_t value, int bits) {
  return static_cast<std::int32_t>(value << (32 - bits)) >> (32 - bits);
}

/// The low bits of a table's words, signed.
template <typename Word>
std::vector<std::int32_t> factors_of(const std::vector<Word>& words, int bits) {
  std::vector<std::int32_t> factors;
  for (const Word word : words)
    factors.push_back(signed_low(static_cast<std::uint32_t>(word), bits));
  return factors;
}

double magnitude(std::int32_t value) { return std::abs(static_cast<double>(value)); }

double largest(const std::vector<std::int32_t>& values) {
  std::int32_t low = 0, high = 0;
  for (const std::int32_t value : values) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return std::max(magnitude(low), magnitude(high));
}

double largest(ElementType type) {
  return type == ElementType::kUnsigned8  ? 255.0
         : type == ElementType::kSigned32 ? 2147483648.0
                                          : 32768.0;
}

}  // namespace

GoldenStream::GoldenStream(GoldenDevice& device, const Descriptor& descriptor)
    : device_(device),
      d_(descriptor),
      lanes_(device.config_.stream_lanes),
      tile_order_(descriptor.x_from_array),
      width_(d_.count0 * static_cast<std::uint32_t>(lanes_)),
      patches_((width_ + kPatch - 1) / kPatch) {}

/// The narrowest arithmetic that holds every value of the pass, so that as much as possible is done
/// in 32 bits. Only speed depends on it.
void GoldenStream::choose_widths() {
  const Config& config = device_.config_;
  constexpr double kHalf32 = 2147483648.0, kHalf64 = 9.2e18;
  auto width = [&](double bound) {
    return bound < kHalf32 ? Width::k32 : bound < kHalf64 ? Width::k64 : Width::k128;
  };
  double factor = 0;
  switch (d_.scale_x_source) {
    case Scalar::kConstant:
      constant_x_ = signed_low(d_.scale_x, config.stored_bits);
      factor = magnitude(constant_x_);
      break;
    case Scalar::kChannel:
      channel_x_ = factors_of(device_.table(Table::kScaleX), config.stored_bits);
      factor = largest(channel_x_);
      break;
    case Scalar::kSample:
      sample_x_ = factors_of(device_.samples_, config.stored_bits);
      factor = largest(sample_x_);
      break;
  }
  double bound = factor * (tile_order_ ? device_.tiles_.bound : largest(d_.x_type));
  x_width_ = width(bound);
  // Sums over tiles may have come from earlier passes. Up to 48 by 16 bits the hardware has 64.
  if (d_.accumulate_enable) x_width_ = Width::k128;
  if (config.stored_bits < 32 && x_width_ == Width::k128) x_width_ = Width::k64;
  double sum =
      d_.accumulate_enable ? kHalf32 : std::min(kHalf32, std::ldexp(bound, -int(d_.shift_x)) + 1);
  y_bound_ = sum;
  if (d_.z_enable && !d_.mask_enable) {
    constant_z_ = signed_low(d_.scale_z, 16);
    factor = magnitude(constant_z_);
    if (d_.scale_z_source == Scalar::kChannel) {
      channel_z_ = factors_of(device_.table(Table::kScaleZ), 16);
      factor = largest(channel_z_);
    }
    bound = factor * largest(d_.z_type);
    z_width_ = width(bound);
    sum += std::min(kHalf32, std::ldexp(bound, -int(d_.shift_z)) + 1);
  }
  if (d_.offset_enable) sum += largest(device_.table(Table::kOffset));
  sum_width_ = width(sum);
}

std::uint8_t* GoldenStream::elements(std::uint32_t base, std::uint32_t offset, int bytes,
                                     int count) {
  // Addresses are 32 bits; negative strides wrap.
  return device_.at(base + offset * static_cast<std::uint32_t>(bytes),
                    static_cast<std::uint64_t>(bytes) * static_cast<std::uint64_t>(count));
}

std::uint32_t GoldenStream::offset(const Loops& at, bool b) const {
  const std::uint32_t one = tile_order_ ? 0 : b ? d_.stride_b1 : d_.stride_a1;
  const std::uint32_t three = tile_order_ ? 0 : b ? d_.stride_b3 : d_.stride_a3;
  return at[1] * one + at[2] * (b ? d_.stride_b2 : d_.stride_a2) + at[3] * three +
         at[4] * (b ? d_.stride_b4 : d_.stride_a4) + at[5] * (b ? d_.stride_b5 : d_.stride_a5);
}

const std::int32_t* GoldenStream::channels(const std::vector<std::int32_t>& table,
                                           std::uint32_t channel, std::int32_t* scratch) const {
  if (channel + kBlock <= table.size()) return table.data() + channel;
  for (std::uint32_t c = 0; c < kBlock; ++c) scratch[c] = table[(channel + c) % table.size()];
  return scratch;
}

void GoldenStream::run() {
  choose_widths();
  if (d_.reduce_clear) {
    std::fill(device_.max_.begin(), device_.max_.end(), 0u);
    std::fill(device_.sum_.begin(), device_.sum_.end(), 0);
    std::fill(device_.second_.begin(), device_.second_.end(), 0);
  }
  std::vector<std::unique_ptr<Worker>> workers(static_cast<std::size_t>(device_.pool_.workers()));
  auto worker = [&](int index) -> Worker& {
    auto& slot = workers[static_cast<std::size_t>(index)];
    if (!slot) {
      slot = std::make_unique<Worker>();
      if (d_.max_enable) slot->max.resize(device_.max_.size());
      if (d_.sum_enable) {
        slot->sum.resize(device_.sum_.size() + kBlock);
        slot->second.resize(slot->sum.size());
      }
    }
    return *slot;
  };
  constexpr double kPatchCost = 150;  // nanoseconds
  if (tile_order_) {
    const std::uint64_t count =
        std::uint64_t{d_.count1} * d_.count2 * d_.count3 * d_.count4 * d_.count5 * width_;
    GoldenDevice::Tiles& tiles = device_.tiles_;
    if (count > tiles.size()) throw std::logic_error("golden: a drain without its tile");
    const std::uint64_t items =
        std::uint64_t{d_.count2} * d_.count3 * (d_.accumulate_enable ? 1 : d_.count4 * d_.count5);
    const double cost = kPatchCost * width_ / kBlock * (d_.accumulate_enable ? d_.count4 : 1);
    device_.parallel(items, cost, [&](int index, std::uint64_t first, std::uint64_t end) {
      if (tiles.is_wide)
        tile_part(worker(index), tiles.wide.data() + tiles.begin, first, end);
      else
        tile_part(worker(index), tiles.narrow.data() + tiles.begin, first, end);
    });
    tiles.take(count);
  } else if (d_.fills_table()) {
    memory_part(
        worker(0), 0,
        std::uint64_t{d_.count1} * d_.count2 * d_.count3 * d_.count4 * d_.count5 * patches_);
    finish_table();
  } else {
    const std::uint64_t windows = std::uint64_t{d_.count1} * d_.count2;
    const std::uint64_t items = std::uint64_t{d_.count3} * d_.count4 * d_.count5 * patches_ *
                                (d_.pool_enable ? 1 : windows);
    const double cost = kPatchCost * (d_.pool_enable ? static_cast<double>(windows) : 1.0);
    device_.parallel(items, cost, [&](int index, std::uint64_t first, std::uint64_t end) {
      memory_part(worker(index), first, end);
    });
  }
  for (const auto& slot : workers)
    if (slot) {
      flush_magnitudes(*slot);
      merge(*slot);
    }
  if (d_.reduce_flush) flush();
}

// ---- Storage order ----

void GoldenStream::memory_part(Worker& w, std::uint64_t first, std::uint64_t end) {
  // Items are result patches in order: patch of the pixel, then loops 1 (or 3, pooling) to 5.
  const bool pool = d_.pool_enable;
  const Loops counts = {patches_, pool ? 1 : d_.count1, pool ? 1 : d_.count2, d_.count3, d_.count4,
                        d_.count5};
  Loops at{};
  std::uint64_t rest = first, pixel_index = 0;
  for (std::size_t k = 0; k < 6; ++k) {
    at[k] = static_cast<std::uint32_t>(rest % counts[k]);
    rest /= counts[k];
    if (k == 0) pixel_index = rest;
  }
  if (d_.draws())
    w.random = RandomNumbers(d_.random_state(), device_.config_.random_bits,
                             pixel_index * width_ + std::uint64_t{at[0]} * kPatch);
  const auto x_type = d_.x_type;
  const bool destination_b = d_.destination_strides_b, z_b = d_.z_strides_b;
  for (std::uint64_t item = first; item < end; ++item) {
    Patch patch;
    const std::uint32_t start = at[0] * kPatch;
    patch.channel = d_.chunk_first * static_cast<std::uint32_t>(lanes_) + at[0] * kBlock;
    patch.pack_channel = at[0] * kBlock;
    patch.sample = d_.sample_first + kBlock * at[5];
    patch.count = static_cast<int>(std::min<std::uint32_t>(kPatch, width_ - start));
    patch.pixel = ((at[4] * counts[3] + at[3]) * counts[2] + at[2]) * counts[1] + at[1];
    Loops step = at;
    for (step[2] = at[2]; step[2] < (pool ? d_.count2 : at[2] + 1); ++step[2]) {
      for (step[1] = at[1]; step[1] < (pool ? d_.count1 : at[1] + 1); ++step[1]) {
        const std::uint32_t block =
            start + kBlock * d_.chunk_first * static_cast<std::uint32_t>(lanes_);
        const std::uint32_t a = offset(step, false) + block;
        const std::uint32_t b = z_b || destination_b ? offset(step, true) + block : a;
        patch.z_offset = z_b ? b : a;
        patch.offset = destination_b ? b : a;
        patch.route_index = static_cast<std::int32_t>((step[3] * d_.count1 + step[1]) & 0xff);
        read_elements(elements(d_.x_address, a, traits(x_type).bytes, patch.count), x_type,
                      patch.count, w.x);
        if (x_type == ElementType::kTagged)
          for (std::int32_t& x : w.x) x = tagged_value(x);
        scale_x(w, patch, false);
        combine(w, patch);
        if (!pool) continue;
        const auto index = static_cast<std::int32_t>((step[2] * d_.count1 + step[1]) & 0xff);
        if (step[1] == 0 && step[2] == 0) {
          std::copy(w.y, w.y + kPatch, w.best);
          std::fill(w.best_tags, w.best_tags + kPatch, 0);
        } else {
          pool_patch(w.best, w.best_tags, w.y, index);
        }
      }
    }
    if (d_.draws()) w.random.take(w.numbers, patch.count);
    if (pool)
      finish(w, patch, w.best, w.best_tags);
    else
      finish(w, patch, w.y, w.z_tags);
    for (std::size_t k = 0; k < 6 && ++at[k] == counts[k]; ++k) at[k] = 0;
  }
}

// ---- Tile order ----

template <typename Element>
void GoldenStream::tile_part(Worker& w, const Element* tiles, std::uint64_t first,
                             std::uint64_t end) {
  // Items are row blocks of a column group of a tile: loops 2, 3, 4, 5; accumulating, 2 and 3.
  if (d_.draws())
    w.random =
        RandomNumbers(d_.random_state(), device_.config_.random_bits, first * d_.count1 * width_);
  for (std::uint64_t item = first; item < end; ++item) {
    Loops at{};
    at[2] = static_cast<std::uint32_t>(item % d_.count2);
    std::uint64_t rest = item / d_.count2;
    at[3] = static_cast<std::uint32_t>(rest % d_.count3);
    rest /= d_.count3;
    if (d_.accumulate_enable) {
      at[4] = d_.count4 - 1;
    } else {
      at[4] = static_cast<std::uint32_t>(rest % d_.count4);
      at[5] = static_cast<std::uint32_t>(rest / d_.count4);
    }
    tile_item(w, tiles, at);
  }
}

template <typename Element>
void GoldenStream::tile_item(Worker& w, const Element* tiles, const Loops& at) {
  constexpr bool kWide = sizeof(Element) > 4;
  const std::size_t row_block = std::size_t{d_.count1} * width_;
  const std::size_t tile_index =
      ((std::size_t{at[5]} * d_.count4 + (d_.accumulate_enable ? 0 : at[4])) * d_.count3 + at[3]) *
          d_.count2 +
      at[2];
  const Element* rows = tiles + tile_index * row_block;
  if (d_.draws()) {
    w.tile_numbers.resize(row_block);
    for (std::size_t row = 0; row < d_.count1; ++row)
      w.random.take(w.tile_numbers.data() + row * width_, static_cast<int>(width_));
  }
  Patch patch;
  const std::uint32_t first_sample = d_.sample_first + kBlock * at[2];
  const int row_shift = static_cast<int>(first_sample % kBlock);
  patch.sample = first_sample - static_cast<std::uint32_t>(row_shift);
  patch.row_first = row_shift;
  patch.row_end = row_shift + static_cast<int>(d_.count1);
  const std::uint32_t first_channel =
      (d_.chunk_first + at[3] * d_.count0) * static_cast<std::uint32_t>(lanes_);
  const std::uint32_t base_a = offset(at, false), base_b = offset(at, true);
  for (std::uint32_t column = 0; column < width_;) {
    const std::uint32_t channel = first_channel + column, inside = channel % kBlock;
    const std::uint32_t count = std::min<std::uint32_t>(kBlock - inside, width_ - column);
    patch.channel = channel - inside;
    patch.column_first = static_cast<int>(inside);
    patch.column_end = static_cast<int>(inside + count);
    const std::uint32_t block = patch.channel / kBlock * kBlockElements;
    patch.z_offset = (d_.z_strides_b ? base_b : base_a) + block;
    patch.offset = (d_.destination_strides_b ? base_b : base_a) + block;
    if (d_.draws())
      for (std::uint32_t row = 0; row < d_.count1; ++row)
        std::copy_n(w.tile_numbers.data() + row * width_ + column, count,
                    w.numbers + kBlock * (row_shift + static_cast<int>(row)) + inside);
    if (d_.accumulate_enable) {
      accumulate(w, rows, patch, at[3], column, row_shift);
      if (!d_.accumulate_last) {
        column += count;
        continue;
      }
      round_x(w);
    } else {
      for (std::uint32_t row = 0; row < d_.count1; ++row) {
        const Element* from = rows + row * width_ + column;
        const std::size_t to = kBlock * (static_cast<std::size_t>(row_shift) + row) + inside;
        if constexpr (kWide)
          std::copy_n(from, count, w.wide_x + to);
        else
          std::copy_n(from, count, w.x + to);
      }
      scale_x(w, patch, kWide);
    }
    combine(w, patch);
    finish(w, patch, w.y, w.z_tags);
    column += count;
  }
}

template <typename Wide, typename Element>
void GoldenStream::accumulate_as(Wide* products, std::vector<Wide>& state, const Element* row_block,
                                 const Patch& patch, std::uint32_t group, std::size_t column,
                                 int row_shift) {
  const auto count = static_cast<std::size_t>(patch.column_end - patch.column_first);
  const std::size_t sample_block =
      (patch.sample - d_.sample_first + static_cast<std::uint32_t>(row_shift)) / kBlock;
  const std::size_t sample = std::size_t{d_.count3} * d_.count2 * d_.count1 * width_;
  const std::size_t place =
      (d_.accumulate_tile + group) * static_cast<std::size_t>(device_.geometry_.elements);
  std::int32_t scratch[kBlock];
  for (std::size_t row = 0; row < d_.count1; ++row) {
    Wide* to = products + kBlock * (static_cast<std::size_t>(row_shift) + row) +
               static_cast<std::size_t>(patch.column_first);
    Wide* kept = state.data() + place + (sample_block * d_.count1 + row) * width_ + column;
    if (d_.accumulate_first)
      std::fill_n(to, count, Wide{0});
    else
      std::copy_n(kept, count, to);
    for (std::uint32_t i4 = 0; i4 < d_.count4; ++i4) {
      const Element* from = row_block + i4 * sample + row * width_ + column;
      const std::int32_t* factors = &constant_x_;
      bool by_channel = false;
      if (d_.scale_x_source == Scalar::kSample)
        factors = &sample_x_[(d_.accumulate_sample + i4) % sample_x_.size()];
      if (d_.scale_x_source == Scalar::kChannel) {
        by_channel = true;
        factors = channels(channel_x_, patch.channel, scratch) + patch.column_first;
      }
      if (by_channel) {
        for (std::size_t c = 0; c < count; ++c) to[c] += static_cast<Wide>(from[c]) * factors[c];
      } else {
        const Wide factor = *factors;
        for (std::size_t c = 0; c < count; ++c) to[c] += static_cast<Wide>(from[c]) * factor;
      }
    }
    std::copy_n(to, count, kept);
  }
}

template <typename Element>
void GoldenStream::accumulate(Worker& w, const Element* row_block, const Patch& patch,
                              std::uint32_t group, std::size_t column, int row_shift) {
  if (x_width_ == Width::k64)
    accumulate_as(w.wide_product, device_.accumulated_, row_block, patch, group, column, row_shift);
  else
    accumulate_as(w.widest_product, device_.accumulated_wide_, row_block, patch, group, column,
                  row_shift);
}

}  // namespace solfege
