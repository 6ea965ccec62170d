// SPDX-License-Identifier: Apache-2.0
// STREAM as model/spec/descriptor.hpp words it, element by element, for the tests of rtl/: slow,
// and written without regard to how the unit or the golden model do it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "model/spec/descriptor.hpp"
#include "model/spec/lfsr.hpp"
#include "model/spec/tanh_slope.hpp"

namespace rtl_test {

struct Machine {
  int rows, columns, lanes, stream_lanes, stored_bits, wide_bits, random_bits, channels, samples;
};

class StreamReference {
 public:
  StreamReference(const Machine& machine, size_t bytes)
      : memory(bytes), m_(machine), tables_(5), sample_(machine.samples), max_(machine.samples) {
    for (auto& table : tables_) table.resize(machine.channels);
    sum_.resize(machine.channels);
    second_.resize(machine.channels);
    sums_.resize(size_t(machine.rows) * machine.columns);
    pool_.resize(256);
  }

  std::vector<uint8_t> memory;
  std::vector<int64_t> tile;  ///< what the array drains, in order
  uint64_t steps = 0, reductions = 0;

  void run(const solfege::Descriptor& d) {
    using namespace solfege;
    d_ = d;
    steps = 0;
    reductions = 0;
    drained_ = 0;
    const auto quantizer = d.quantizer;
    stochastic_ = quantizer == Quantizer::kStochastic || quantizer == Quantizer::kStochasticScaled;
    Lfsr random((uint64_t{d.random_high} << 32) | d.random_low);
    if (d.reduce_clear) {
      std::fill(max_.begin(), max_.end(), 0);
      std::fill(sum_.begin(), sum_.end(), 0);
      std::fill(second_.begin(), second_.end(), 0);
    }
    table_word_ = 0;
    const int chunk_lanes = m_.stream_lanes, parts = 16 / chunk_lanes;
    uint32_t i[6];
    for (i[5] = 0; i[5] < d.count5; ++i[5]) {
      int pixel = 0;
      for (i[4] = 0; i[4] < d.count4; ++i[4])
        for (i[3] = 0; i[3] < d.count3; ++i[3])
          for (i[2] = 0; i[2] < d.count2; ++i[2])
            for (i[1] = 0; i[1] < d.count1; ++i[1]) {
              bool result = true;
              if (d.pool_enable) result = i[1] + 1 == d.count1 && i[2] + 1 == d.count2;
              if (d.accumulate_enable) result = d.accumulate_last && i[4] + 1 == d.count4;
              for (i[0] = 0; i[0] < d.count0; ++i[0]) {
                ++steps;
                for (int lane = 0; lane < chunk_lanes; ++lane) {
                  Place p;
                  if (d.x_from_array) {
                    p.sample = d.sample_first + 16 * i[2] + i[1];
                    const uint32_t chunk = d.chunk_first + i[3] * d.count0 + i[0];
                    p.channel = chunk * chunk_lanes + lane;
                    for (int b = 0; b < 2; ++b)
                      p.offset[b] = i[2] * stride(b, 2) + i[4] * stride(b, 4) +
                                    i[5] * stride(b, 5) + 256 * (p.channel / 16) +
                                    16 * (p.sample % 16) + p.channel % 16;
                  } else {
                    p.sample = d.sample_first + 16 * i[5] + i[0] / parts % 16;
                    p.channel = i[0] / (16 * parts) * 16 + i[0] % parts * chunk_lanes + lane;
                    for (int b = 0; b < 2; ++b) {
                      p.offset[b] = i[0] * chunk_lanes + lane;
                      for (int k = 1; k < 6; ++k) p.offset[b] += i[k] * stride(b, k);
                    }
                  }
                  p.valid = p.sample < d.samples && p.channel < d.channels;
                  p.route_index = (i[3] * d.count1 + i[1]) % 256;
                  p.pool_index = (i[2] * d.count1 + i[1]) % 256;
                  p.pixel = pixel;
                  p.u = result && (stochastic_ || d.drop_enable) ? random.next(m_.random_bits) : 0;
                  element(p, i, lane, result);
                }
              }
              pixel += result;
            }
    }
    if (d.reduce_flush) flush();
  }

 private:
  struct Place {
    uint32_t sample, channel, offset[2], route_index, pool_index, u;
    int pixel;
    bool valid;
  };
  struct Pooled {
    int32_t value;
    uint32_t tag;
  };

  uint32_t stride(int b, int loop) const {
    const uint32_t a[6] = {0, d_.stride_a1, d_.stride_a2, d_.stride_a3, d_.stride_a4, d_.stride_a5};
    const uint32_t other[6] = {0,           d_.stride_b1, d_.stride_b2, d_.stride_b3, d_.stride_b4,
                               d_.stride_b5};
    return b ? other[loop] : a[loop];
  }
  template <typename T>
  T load(uint32_t address) const {
    T value;
    std::memcpy(&value, &memory.at(address), sizeof value);
    return value;
  }
  template <typename T>
  void store(uint32_t address, T value) {
    std::memcpy(&memory.at(address), &value, sizeof value);
  }
  static int32_t low_bits(uint32_t value, int bits) {
    return static_cast<int32_t>(value << (32 - bits)) >> (32 - bits);
  }
  static int32_t clamp(__int128 value, int64_t low, int64_t high) {
    return static_cast<int32_t>(value > high  ? high
                                : value < low ? low
                                              : static_cast<int64_t>(value));
  }
  /// floor(value / 2^shift + 1/2), to 32 bits
  static int32_t rounded(__int128 value, int shift) {
    if (shift > 0) value = (value + (__int128{1} << (shift - 1))) >> shift;
    return clamp(value, INT32_MIN, INT32_MAX);
  }
  int32_t read(uint32_t base, solfege::ElementType type, uint32_t offset, uint32_t* tag) const {
    switch (type) {
      case solfege::ElementType::kUnsigned8:
        return load<uint8_t>(base + offset);
      case solfege::ElementType::kSigned16:
        return load<int16_t>(base + 2 * offset);
      case solfege::ElementType::kSigned32:
        return load<int32_t>(base + 4 * offset);
      case solfege::ElementType::kTagged:
        break;
    }
    const auto word = load<uint32_t>(base + 4 * offset);
    if (tag) *tag = word >> 16 & 0xff;
    return static_cast<int16_t>(word);
  }
  int32_t table(solfege::Table which, uint32_t channel) const {
    const auto& words = tables_[size_t(which)];
    return words[channel % words.size()];
  }

  void element(const Place& p, const uint32_t* i, int lane, bool result) {
    using namespace solfege;
    // Operands; lanes outside the tensor read nothing
    int64_t x = 0;
    if (d_.x_from_array)
      x = tile.at(drained_++);
    else if (p.valid)
      x = read(d_.x_address, d_.x_type, p.offset[0], nullptr);
    int32_t z = 0;
    uint32_t tag = 0;
    if (d_.z_enable && p.valid) z = read(d_.z_address, d_.z_type, p.offset[d_.z_strides_b], &tag);
    if (d_.route_enable && tag != p.route_index) z = 0;

    // x scaled, summed over samples
    uint32_t factor = d_.scale_x;
    if (d_.scale_x_source == Scalar::kChannel) factor = table(Table::kScaleX, p.channel);
    if (d_.scale_x_source == Scalar::kSample)
      factor = sample(d_.accumulate_enable ? d_.accumulate_sample + i[4] : p.sample);
    __int128 product = __int128{x} * low_bits(factor, m_.stored_bits);
    if (d_.accumulate_enable) {
      __int128& sum =
          sums_.at(((i[2] * d_.count1 + i[1]) * d_.count0 + i[0]) * m_.stream_lanes + lane);
      sum = (d_.accumulate_first && i[4] == 0 ? 0 : sum) + product;
      product = sum;
    }

    // y
    int64_t y = rounded(product, d_.shift_x);
    if (d_.tanh_enable) y = rounded(__int128{y} * tanh_slope(z), 16);
    if (d_.z_enable && !d_.mask_enable) {
      const uint32_t scale_z =
          d_.scale_z_source == Scalar::kChannel ? table(Table::kScaleZ, p.channel) : d_.scale_z;
      y += rounded(int64_t{z} * low_bits(scale_z, 16), d_.shift_z);
    }
    if (d_.offset_enable) y += table(Table::kOffset, p.channel);
    if (d_.mask_enable &&
        (z < table(Table::kMaskLow, p.channel) || z > table(Table::kMaskHigh, p.channel)))
      y = 0;
    const int64_t limit = d_.narrow ? 32767 : INT32_MAX;
    int32_t value = clamp(y, -limit, limit);
    if (d_.pool_enable) {
      const size_t at = i[0] * m_.stream_lanes + lane;
      if (at >= pool_.size()) pool_.resize(at + 1);
      if (p.pool_index == 0 || value > pool_[at].value) pool_[at] = {value, p.pool_index};
      value = pool_[at].value;
      tag = pool_[at].tag;
    }
    if (!result) return;
    if (d_.drop_enable && p.u < d_.drop_threshold) value = -32768;

    switch (d_.destination) {
      case Destination::kNone:
        break;
      case Destination::kSigned16:
        if (p.valid)
          store<int16_t>(d_.destination_address + 2 * p.offset[d_.destination_strides_b], value);
        break;
      case Destination::kSigned32:
        if (p.valid)
          store<int32_t>(d_.destination_address + 4 * p.offset[d_.destination_strides_b], value);
        break;
      case Destination::kTagged:
        if (p.valid)
          store<uint32_t>(d_.destination_address + 4 * p.offset[d_.destination_strides_b],
                          (value & 0xffff) | tag << 16);
        break;
      case Destination::kTable:
        fill_table(value);
        break;
    }
    if (p.valid) reduce(p, value, z);
    if (d_.pack_enable) pack(p, p.valid ? code(p, value) : 0);
  }

  uint32_t sample(uint32_t index) const { return sample_[index % sample_.size()]; }

  void fill_table(int32_t value) {
    const size_t word = table_word_++;
    const auto which = d_.table;
    if (which == solfege::Table::kThreshold) {
      if (word == 0) thresholds_.clear();
      thresholds_.push_back(value);
      nodes_ = (1 << d_.quantizer_bits) - 1;
    } else if (which == solfege::Table::kSample) {
      sample_[word % sample_.size()] = value;
    } else {
      auto& words = tables_[size_t(which)];
      words[word % words.size()] = value;
    }
  }

  void reduce(const Place& p, int32_t value, int32_t z) {
    const int64_t magnitude = std::abs(int64_t{value});
    if (d_.max_enable) {
      uint32_t& highest = max_[d_.max_per_sample ? p.sample : 0];
      highest = std::max(highest, static_cast<uint32_t>(magnitude));
    }
    if (!d_.sum_enable) return;
    const size_t at = d_.sum_per_channel ? p.channel : 0;
    sum_[at] += d_.sum_absolute ? magnitude : value;
    const auto low = static_cast<int16_t>(value);
    if (d_.second_sum == solfege::SecondSum::kSquare) second_[at] += low * low;
    if (d_.second_sum == solfege::SecondSum::kDot) second_[at] += low * static_cast<int16_t>(z);
  }

  uint32_t code(const Place& p, int32_t value) const {
    using solfege::Quantizer;
    const int64_t n = (1 << d_.quantizer_bits) - 1;
    if (d_.quantizer == Quantizer::kRaw) return value;
    if (d_.quantizer == Quantizer::kThreshold) {
      // All nodes of the tree, so the order in which the unit walks it does not matter
      const size_t lane = p.channel % m_.stream_lanes;
      const size_t row = d_.threshold_per_channel ? p.channel / m_.stream_lanes : 0;
      uint32_t reached = 0;
      for (int node = 0; node < nodes_; ++node)
        reached += value >= thresholds_.at((row * nodes_ + node) * m_.stream_lanes + lane);
      return reached;
    }
    const int64_t m = sample(p.sample);
    int64_t c = n;  // M = 0: any; the unit gives n
    if (m != 0) {
      const int r = m_.random_bits;
      const __int128 over = (__int128{n} * (value + m) << r) + __int128{2 * int64_t{p.u} + 1} * m;
      c = static_cast<int64_t>(over / (__int128{m} << (r + 1)));
    }
    return static_cast<uint32_t>(d_.quantizer == Quantizer::kStochastic ? c : m * (2 * c - n));
  }

  void pack(const Place& p, uint32_t bits) {
    const uint32_t group = d_.pack_columns ? m_.columns : m_.rows;
    if (p.sample / group * group >= d_.samples) return;  // of no group
    for (uint32_t plane = 0; plane < d_.pack_planes; ++plane) {
      const uint32_t word =
          p.pixel * d_.pack_pixel_stride + plane * d_.pack_plane_stride + p.channel / m_.lanes;
      const uint32_t address = d_.pack_address + p.sample / group * d_.pack_group_stride +
                               (word * group + p.sample % group) * (m_.lanes / 8) +
                               p.channel % m_.lanes / 8;
      uint8_t& byte = memory.at(address);
      const auto one = static_cast<uint8_t>(1u << p.channel % 8);
      byte = bits >> plane & 1 ? byte | one : byte & ~one;
    }
  }

  void flush() {
    if (d_.max_enable) {
      const uint32_t count = d_.max_per_sample ? d_.samples : 1;
      for (uint32_t i = 0; i < count; ++i) store(d_.max_address + 4 * i, max_[i]);
      reductions += count;
    }
    if (!d_.sum_enable) return;
    const uint32_t count = d_.sum_per_channel ? d_.channels : 1;
    for (uint32_t i = 0; i < count; ++i) store(d_.sum_address + 8 * i, sum_[i]);
    reductions += d_.sum_per_channel ? count : m_.stream_lanes;
    if (d_.second_sum == solfege::SecondSum::kNone) return;
    for (uint32_t i = 0; i < count; ++i) store(d_.sum_address + 8 * (count + i), second_[i]);
    reductions += count;
  }

  Machine m_;
  solfege::Descriptor d_;
  bool stochastic_ = false;
  size_t table_word_ = 0, drained_ = 0;
  int nodes_ = 0;
  std::vector<std::vector<int32_t>> tables_;
  std::vector<int32_t> thresholds_;
  std::vector<uint32_t> sample_, max_;
  std::vector<int64_t> sum_, second_;
  std::vector<__int128> sums_;
  std::vector<Pooled> pool_;
};

}  // namespace rtl_test
