// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/stream_lane.hpp"

#include <algorithm>

#include "model/spec/descriptor.hpp"
#include "model/spec/tanh_slope.hpp"

namespace solfege {
namespace {

/// As in sf_stream_lane: of remainder and divisor.
constexpr int kDivisionBits = 41;

using Wide = __int128;

int ceil_log2(int value) {
  int bits = 0;
  while ((1 << bits) < value) ++bits;
  return bits;
}

std::int64_t sign_extend(std::uint64_t value, int bits) {
  return static_cast<std::int64_t>(value << (64 - bits)) >> (64 - bits);
}

/// Changes behind the levels of an arithmetic right shift, a bit of the amount each.
double shifter_changes(Wide value, int shift, Wide before, int shift_before, int width) {
  double sum = 0;
  for (int level = 1; level <= 6; ++level) {
    const int mask = (1 << level) - 1;
    sum += bit_changes(value >> (shift & mask), before >> (shift_before & mask), width);
  }
  return sum;
}

Wide saturated(Wide value, Wide limit) { return std::clamp(value, -limit - 1, limit); }
constexpr Wide kMaximum32 = 2147483647;

}  // namespace

LaneShape::LaneShape(const Config& c)
    : stored_bits(c.stored_bits),
      wide_bits(c.wide_bits),
      random_bits(c.random_bits),
      threshold_bits(c.activation_bits),
      accumulator_bits(c.accumulator_bits),
      table_rows(Geometry(c).table_rows),
      threshold_rows(Geometry(c).threshold_rows),
      positions(Geometry(c).tile_chunks),
      places(Geometry(c).pool_places),
      value_bits(std::max(32, c.accumulator_bits)),
      position_bits(std::max(1, ceil_log2(positions))),
      place_bits(std::max(1, ceil_log2(places))),
      product_bits(value_bits + c.stored_bits),
      sum_bits(std::max(64, product_bits)) {}

StreamLane::StreamLane(const Config& config)
    : shape_(config),
      sums_(static_cast<std::size_t>(shape_.positions)),
      pool_(static_cast<std::size_t>(shape_.places)) {
  for (auto& table : tables_) table.resize(static_cast<std::size_t>(shape_.table_rows));
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const bool many = static_cast<int>(level) < shape_.threshold_bits;
    levels_[level].resize(static_cast<std::size_t>(many ? shape_.threshold_rows : 1) << level);
  }
}

void StreamLane::clock(const LaneInputs& in) {
  Logic logic;
  settle(in, &logic);
  count_changes(in, logic);
  settled_ = now_;
  inputs_before_ = in;
  before_ = logic;
  registers_before_ = now_;
  if (in.go) edge(in, logic);
}

/// Logic between the registers, in the order of the stages.
void StreamLane::settle(const LaneInputs& in, Logic* l) const {
  const Registers& q = now_;
  const auto source = static_cast<Scalar>(in.scale_x_source);
  const std::uint64_t scale_x = source == Scalar::kChannel  ? static_cast<std::uint32_t>(q.words[0])
                                : source == Scalar::kSample ? in.sample_1
                                                            : in.scale_x;
  l->scale_x = sign_extend(scale_x, shape_.stored_bits);
  l->scale_z =
      sign_extend(in.scale_z_source ? static_cast<std::uint32_t>(q.words[1]) : in.scale_z, 16);
  l->slope = tanh_slope(q.z_1);
  l->sum_2 = q.product_x_2 + (in.accumulate_enable && !in.sum_first_2 ? q.sum_so_far : 0);
  auto round = [](Wide value, int shift, Wide* halves) -> Wide {
    if (shift == 0) {
      *halves = 0;
      return value;
    }
    *halves = value >> (shift - 1);
    return (*halves >> 1) + (*halves & 1);
  };
  l->rounded_x = round(q.sum_3, static_cast<int>(in.shift_x), &l->halves_x);
  Wide halves = 0;
  l->rounded_z =
      static_cast<std::int64_t>(round(q.product_z_3, static_cast<int>(in.shift_z), &halves));
  l->halves_z = static_cast<std::int64_t>(halves);
  l->sloped = std::int64_t{q.x_4} * q.slope[4] + 0x8000;
  l->y_sum = std::int64_t{q.x_5} + q.z_5 + (in.offset_enable ? q.offset[5] : 0);
  const std::int64_t limit = in.narrow ? 32767 : kMaximum32;
  l->limited = q.pass[5] ? static_cast<std::int32_t>(std::clamp(l->y_sum, -limit, limit)) : 0;
  l->pooled = in.window_first_6 || q.y_6 > q.best ? q.y_6 : q.best;
  const auto bits = static_cast<int>(in.quantizer_bits);
  const std::int64_t y_7 = static_cast<std::int32_t>(q.y_7);
  l->y_plus_m = static_cast<std::uint64_t>(y_7) + in.sample_7;
  l->scaled = (l->y_plus_m << bits) - l->y_plus_m;
  l->noise = in.sample_7 * (2 * std::uint64_t{q.random_7} + 1);
  l->first_remainder = ((q.scaled_8 << shape_.random_bits) + q.noise_8) >> (shape_.random_bits + 1);
  l->first_divisor = std::uint64_t{q.sample_8} << ((bits - 1) & 15);
  for (std::size_t s = 9; s < 17; ++s) {
    l->difference[s] = q.remainder[s] - q.divisor[s];
  }
  const std::int64_t bipolar = 2 * std::int64_t{q.quotient[17]} - (std::int64_t{1} << bits) + 1;
  l->scaled_code = static_cast<std::uint64_t>(static_cast<std::int64_t>(in.sample_17) * bipolar);
}

void StreamLane::count_changes(const LaneInputs& in, const Logic& l) {
  const Registers &q = now_, &p = registers_before_;
  const LaneInputs& b = inputs_before_;
  const Logic& k = before_;
  LaneActivity a;
  auto port = [](std::uint64_t now, std::uint64_t before) {
    return static_cast<double>(__builtin_popcountll(now ^ before));
  };
  a.inputs = port(in.x, b.x) + port(in.z, b.z);
  a.chunk =
      port(in.chunk, b.chunk) + port(in.route_index, b.route_index) + port(in.chunk_8, b.chunk_8);
  a.places = port(in.position_1, b.position_1) + port(in.position_2, b.position_2) +
             port(in.place_5, b.place_5) + port(in.place_6, b.place_6) +
             port(in.window_first_6, b.window_first_6) + port(in.pool_index_6, b.pool_index_6) +
             port(in.sum_first_2, b.sum_first_2) + port(in.step_2, b.step_2) +
             port(in.step_6, b.step_6);
  a.samples = port(in.sample_1, b.sample_1) + port(in.sample_7, b.sample_7) +
              port(in.sample_17, b.sample_17);
  a.random = port(in.random_6, b.random_6) + port(q.random_7, p.random_7);
  for (std::size_t i = 0; i < q.words.size(); ++i)
    a.words += bit_changes(q.words[i], p.words[i], 32);
  a.scales =
      bit_changes(l.scale_x, k.scale_x, shape_.stored_bits) + bit_changes(l.scale_z, k.scale_z, 16);
  a.x_operand = bit_changes(q.x_1, p.x_1);
  a.z_operand = bit_changes(q.z_1, p.z_1, 32);
  for (std::size_t s = 1; s < q.z_tag.size(); ++s)
    a.z_beside +=
        bit_changes(q.z_tag[s], p.z_tag[s]) + (s > 1 ? bit_changes(q.z_low[s], p.z_low[s]) : 0);
  a.z_beside += bit_changes(q.z_low_7, p.z_low_7) + bit_changes(q.tag_7, p.tag_7);

  // Products, sum over samples
  MultiplierChanges x, z, slope, noise, scaled;
  x.add(q.x_1, l.scale_x, p.x_1, k.scale_x, shape_.stored_bits, shape_.product_bits);
  a.x_partial = x.partial;
  a.x_tree = x.tree;
  a.x_last = x.last;
  a.x_product = bit_changes(q.product_x_2, p.product_x_2, shape_.product_bits);
  const int sum_bits = shape_.sum_bits;
  a.x_add = adder_changes(q.product_x_2, l.sum_2 - q.product_x_2, p.product_x_2,
                          k.sum_2 - p.product_x_2, sum_bits);
  a.x_sum =
      bit_changes(q.sum_3, p.sum_3, sum_bits) + bit_changes(q.sum_so_far, p.sum_so_far, sum_bits);
  z.add(q.z_1, l.scale_z, p.z_1, k.scale_z, 16, 48);
  a.z_partial = z.partial;
  a.z_tree = z.tree;
  a.z_last = z.last;
  a.z_product =
      bit_changes(q.product_z_2, p.product_z_2, 48) + bit_changes(q.product_z_3, p.product_z_3, 48);
  for (std::size_t s = 2; s < q.offset.size(); ++s)
    a.offset += bit_changes(q.offset[s], p.offset[s], 32);
  a.test = adder_changes(q.z_1, ~Wide{q.words[3]}, p.z_1, ~Wide{p.words[3]}, 33) +
           adder_changes(q.words[4], ~Wide{q.z_1}, p.words[4], ~Wide{p.z_1}, 33);

  // Shifts: one less than the amount, then half of it and its last bit
  const int shift_x = (static_cast<int>(in.shift_x) - 1) & 63,
            shift_x_before = (static_cast<int>(b.shift_x) - 1) & 63;
  a.x_shift = shifter_changes(q.sum_3, shift_x, p.sum_3, shift_x_before, sum_bits);
  a.x_round =
      adder_changes(l.halves_x >> 1, l.halves_x & 1, k.halves_x >> 1, k.halves_x & 1, sum_bits) +
      bit_changes(l.rounded_x, k.rounded_x, sum_bits);
  a.x_4 = bit_changes(q.x_4, p.x_4, 32);
  const int shift_z = (static_cast<int>(in.shift_z) - 1) & 63,
            shift_z_before = (static_cast<int>(b.shift_z) - 1) & 63;
  a.z_shift = shifter_changes(q.product_z_3, shift_z, p.product_z_3, shift_z_before, 48);
  a.z_round = adder_changes(l.halves_z >> 1, l.halves_z & 1, k.halves_z >> 1, k.halves_z & 1, 48) +
              bit_changes(l.rounded_z, k.rounded_z, 48);
  a.z_4 = bit_changes(q.z_4, p.z_4, 32) + bit_changes(q.z_5, p.z_5, 32);
  auto magnitude = [](std::int32_t v) {
    return v < 0 ? 0u - static_cast<std::uint32_t>(v) : static_cast<std::uint32_t>(v);
  };
  a.slope_table =
      bit_changes(magnitude(q.z_1), magnitude(p.z_1), 32) + bit_changes(l.slope, k.slope, 17);
  for (std::size_t s = 2; s < q.slope.size(); ++s)
    a.slope += bit_changes(q.slope[s], p.slope[s], 17);
  slope.add(q.x_4, q.slope[4], p.x_4, p.slope[4], 18, 49);
  a.slope_partial = slope.partial;
  a.slope_tree = slope.tree;
  a.slope_last = slope.last + bit_changes(l.sloped, k.sloped, 49);
  a.x_5 = bit_changes(q.x_5, p.x_5, 32);
  a.y_add = adder_changes(q.x_5, q.z_5, p.x_5, p.z_5, 34) + bit_changes(l.y_sum, k.y_sum, 34);
  const Wide limit = in.narrow ? 32767 : kMaximum32, limit_before = b.narrow ? 32767 : kMaximum32;
  a.y_limit = adder_changes(limit, ~Wide{l.y_sum}, limit_before, ~Wide{k.y_sum}, 34) +
              adder_changes(l.y_sum, limit, k.y_sum, limit_before, 34) +
              bit_changes(l.limited, k.limited, 32);
  a.y_6 = bit_changes(q.y_6, p.y_6, 32);
  a.y_7 = bit_changes(q.y_7, p.y_7, 32);
  a.pool = bit_changes(l.pooled, k.pooled, 32) + bit_changes(q.best, p.best, 32) +
           bit_changes(q.best_tag, p.best_tag) +
           adder_changes(q.best, ~Wide{q.y_6}, p.best, ~Wide{p.y_6}, 32);

  // Quantizers
  const auto y_7 = static_cast<std::int32_t>(q.y_7), y_7_before = static_cast<std::int32_t>(p.y_7);
  a.y_plus_m = adder_changes(y_7, static_cast<Wide>(in.sample_7), y_7_before,
                             static_cast<Wide>(b.sample_7), 33);
  const int bits = static_cast<int>(in.quantizer_bits);
  a.scaled = adder_changes(static_cast<Wide>(l.y_plus_m) << bits, ~static_cast<Wide>(l.y_plus_m),
                           static_cast<Wide>(k.y_plus_m) << bits, ~static_cast<Wide>(k.y_plus_m),
                           kDivisionBits) +
             port(q.scaled_8, p.scaled_8);
  noise.add(
      static_cast<Wide>(in.sample_7), static_cast<std::int64_t>(2 * std::uint64_t{q.random_7} + 1),
      static_cast<Wide>(b.sample_7), static_cast<std::int64_t>(2 * std::uint64_t{p.random_7} + 1),
      shape_.random_bits + 2, shape_.random_bits + 33);
  a.noise_partial = noise.partial;
  a.noise_tree = noise.tree;
  a.noise_last = noise.last + port(q.noise_8, p.noise_8) + bit_changes(q.sample_8, p.sample_8, 32);
  const int up = shape_.random_bits;
  a.first_division =
      adder_changes(static_cast<Wide>(q.scaled_8) << up, static_cast<Wide>(q.noise_8),
                    static_cast<Wide>(p.scaled_8) << up, static_cast<Wide>(p.noise_8),
                    kDivisionBits + up + 1) +
      port(l.first_divisor, k.first_divisor);
  for (std::size_t s = 9; s < 18; ++s) {
    if (s < 17) {
      a.division += adder_changes(
          static_cast<Wide>(q.remainder[s]), ~static_cast<Wide>(q.divisor[s]),
          static_cast<Wide>(p.remainder[s]), ~static_cast<Wide>(p.divisor[s]), kDivisionBits);
      a.compare +=
          adder_changes(q.y[s], ~Wide{q.threshold[s - 9]}, p.y[s], ~Wide{p.threshold[s - 9]}, 33);
      a.thresholds += bit_changes(q.threshold[s - 9], p.threshold[s - 9], 32);
    }
    a.remainder += port(q.remainder[s], p.remainder[s]) + port(q.divisor[s], p.divisor[s]);
    a.quotient += bit_changes(q.quotient[s], p.quotient[s]);
    a.y_beside += bit_changes(q.y[s], p.y[s], 32);
    a.thresholds += bit_changes(q.found[s], p.found[s]) + bit_changes(q.row[s], p.row[s]);
  }
  a.y_beside += bit_changes(q.y_8, p.y_8, 32);
  const std::int64_t bipolar = 2 * std::int64_t{q.quotient[17]} - (std::int64_t{1} << bits) + 1,
                     bipolar_before = 2 * std::int64_t{p.quotient[17]} -
                                      (std::int64_t{1} << static_cast<int>(b.quantizer_bits)) + 1;
  scaled.add(static_cast<Wide>(in.sample_17), bipolar, static_cast<Wide>(b.sample_17),
             bipolar_before, 10, shape_.wide_bits);
  a.scaled_partial = scaled.partial;
  a.scaled_tree = scaled.tree;
  a.scaled_last = scaled.last;
  a.code = bit_changes(q.code, p.code, shape_.wide_bits);
  a.register_changes = registers_changed(p);
  a.register_ones = registers_changed({});
  activity_ = a;
}

double StreamLane::registers_changed(const Registers& p) const {
  const Registers& q = now_;
  const int product_bits = shape_.product_bits;
  double sum = bit_changes(q.x_1, p.x_1, shape_.value_bits) + bit_changes(q.z_1, p.z_1, 32) +
               bit_changes(q.product_x_2, p.product_x_2, product_bits) +
               bit_changes(q.product_z_2, p.product_z_2, 48) +
               bit_changes(q.product_z_3, p.product_z_3, 48) +
               bit_changes(q.sum_3, p.sum_3, shape_.sum_bits) + bit_changes(q.x_4, p.x_4, 32) +
               bit_changes(q.z_4, p.z_4, 32) + bit_changes(q.x_5, p.x_5, 32) +
               bit_changes(q.z_5, p.z_5, 32) + bit_changes(q.y_6, p.y_6, 32) +
               bit_changes(q.y_7, p.y_7, 32) + bit_changes(q.tag_7, p.tag_7) +
               bit_changes(q.z_low_7, p.z_low_7) + bit_changes(q.random_7, p.random_7, 32) +
               bit_changes(static_cast<Wide>(q.scaled_8), static_cast<Wide>(p.scaled_8)) +
               bit_changes(static_cast<Wide>(q.noise_8), static_cast<Wide>(p.noise_8)) +
               bit_changes(q.sample_8, p.sample_8, 32) + bit_changes(q.y_8, p.y_8, 32) +
               bit_changes(q.code, p.code, shape_.wide_bits);
  for (std::size_t s = 1; s < 7; ++s)
    sum += bit_changes(q.z_tag[s], p.z_tag[s]) + (s > 1 ? bit_changes(q.z_low[s], p.z_low[s]) : 0);
  for (std::size_t s = 2; s < 6; ++s)
    sum += bit_changes(q.offset[s], p.offset[s], 32) + (q.pass[s] != p.pass[s] ? 1 : 0) +
           (s < 5 ? bit_changes(q.slope[s], p.slope[s], 17) : 0);
  for (std::size_t s = 9; s < 18; ++s)
    sum += bit_changes(static_cast<Wide>(q.remainder[s]), static_cast<Wide>(p.remainder[s])) +
           bit_changes(static_cast<Wide>(q.divisor[s]), static_cast<Wide>(p.divisor[s])) +
           bit_changes(q.quotient[s], p.quotient[s]) + bit_changes(q.found[s], p.found[s]) +
           bit_changes(q.y[s], p.y[s], 32) + bit_changes(q.row[s], p.row[s]);
  return sum;
}

void StreamLane::edge(const LaneInputs& in, const Logic& l) {
  const Registers q = now_;
  Registers& n = now_;
  const bool z_adds = in.z_enable && !in.mask_enable;
  const auto quantizer = static_cast<Quantizer>(in.quantizer);
  const bool divides = in.pack_enable && traits(quantizer).stochastic;
  const bool compares = in.pack_enable && traits(quantizer).compares;

  // Tables; a word read together with its write is the old one
  const std::array<bool, 5> reads = {static_cast<Scalar>(in.scale_x_source) == Scalar::kChannel,
                                     in.scale_z_source && z_adds, in.offset_enable != 0,
                                     in.mask_enable != 0, in.mask_enable != 0};
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    auto& table = tables_[t];
    if (reads[t]) n.words[t] = table[in.chunk % table.size()];
    if (in.table_write >> t & 1)
      table[in.table_row % table.size()] = static_cast<std::int32_t>(q.y_7);
  }

  // Stages 1 and 2
  const std::uint8_t tag =
      in.z_enable && in.z_tagged ? static_cast<std::uint8_t>(in.z >> 16) : std::uint8_t{0};
  const auto value =
      static_cast<std::int32_t>(in.z_tagged ? sign_extend(in.z, 16) : sign_extend(in.z, 32));
  n.x_1 = sign_extend(in.x, shape_.value_bits);
  n.z_1 = in.z_enable && (!in.route_enable || tag == in.route_index) ? value : 0;
  n.z_tag[1] = tag;
  n.product_x_2 = static_cast<Wide>(q.x_1) * l.scale_x;
  n.pass[2] = !in.mask_enable || (q.z_1 >= q.words[3] && q.z_1 <= q.words[4]);
  if (z_adds) n.product_z_2 = std::int64_t{q.z_1} * l.scale_z;
  if (in.offset_enable) n.offset[2] = q.words[2];
  if (in.tanh_enable) n.slope[2] = l.slope;

  // Stage 3
  n.sum_3 = l.sum_2;
  if (in.accumulate_enable) {
    n.sum_so_far = sums_[in.position_1 % sums_.size()];
    if (in.step_2) sums_[in.position_2 % sums_.size()] = l.sum_2;
  }
  if (z_adds) n.product_z_3 = q.product_z_2;

  // Stages 4 to 7
  n.x_4 = static_cast<std::int32_t>(saturated(l.rounded_x, kMaximum32));
  if (z_adds) n.z_4 = static_cast<std::int32_t>(saturated(l.rounded_z, kMaximum32));
  n.z_5 = z_adds ? q.z_4 : 0;
  n.x_5 = in.tanh_enable
              ? static_cast<std::int32_t>(std::min<std::int64_t>(l.sloped >> 16, 2147483647))
              : q.x_4;
  for (std::size_t s = 3; s < 6; ++s) {
    n.pass[s] = q.pass[s - 1];
    if (in.offset_enable) n.offset[s] = q.offset[s - 1];
    if (in.tanh_enable && s < 5) n.slope[s] = q.slope[s - 1];
  }
  n.y_6 = l.limited;
  const bool larger = in.window_first_6 || q.y_6 > q.best;
  const auto best_tag = larger ? static_cast<std::uint8_t>(in.pool_index_6) : q.best_tag;
  if (in.pool_enable) {
    const auto& state = pool_[in.place_5 % pool_.size()];
    n.best = state.first;
    n.best_tag = state.second;
    if (in.step_6) pool_[in.place_6 % pool_.size()] = {l.pooled, best_tag};
  }
  const bool drops = in.drop_enable && in.random_6 < in.drop_threshold;
  n.y_7 = static_cast<std::uint32_t>(drops ? -32768 : in.pool_enable ? l.pooled : q.y_6);
  n.tag_7 = in.pool_enable ? best_tag : in.z_enable ? q.z_tag[6] : std::uint8_t{0};
  n.z_low_7 = in.z_enable ? q.z_low[6] : std::uint16_t{0};
  n.random_7 = static_cast<std::uint32_t>(in.random_6);
  if (in.z_enable) {
    for (std::size_t s = 2; s <= 6; ++s) n.z_tag[s] = q.z_tag[s - 1];
    n.z_low[2] = static_cast<std::uint16_t>(q.z_1);
    for (std::size_t s = 3; s <= 6; ++s) n.z_low[s] = q.z_low[s - 1];
  }

  // Quantizers
  if (divides) {
    n.scaled_8 = l.scaled;
    n.noise_8 = l.noise;
    n.sample_8 = static_cast<std::uint32_t>(in.sample_7);
    n.remainder[9] = l.first_remainder;
    n.divisor[9] = l.first_divisor;
    n.quotient[9] = 0;
  }
  if (in.pack_enable) {
    n.y_8 = static_cast<std::int32_t>(q.y_7);
    n.y[9] = q.y_8;
  }
  if (compares) {
    n.found[9] = 0;
    n.row[9] = static_cast<std::uint16_t>(in.threshold_per_channel ? in.chunk_8 : 0);
  }
  for (std::size_t s = 9; s < 17; ++s) {
    const bool works = in.quantizer_bits > s - 9;
    if (divides) {
      const bool fits = works && q.remainder[s] >= q.divisor[s];
      n.divisor[s + 1] = q.divisor[s] >> 1;
      n.remainder[s + 1] = fits ? l.difference[s] : q.remainder[s];
      n.quotient[s + 1] =
          works ? static_cast<std::uint8_t>(q.quotient[s] << 1 | (fits ? 1 : 0)) : q.quotient[s];
    }
    if (in.pack_enable) n.y[s + 1] = q.y[s];
    if (compares) {
      n.row[s + 1] = q.row[s];
      const bool reached = q.y[s] >= q.threshold[s - 9];
      n.found[s + 1] =
          works ? static_cast<std::uint8_t>(q.found[s] << 1 | (reached ? 1 : 0)) : q.found[s];
    }
  }
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    auto& words = levels_[level];
    if (compares) {
      std::size_t place = in.threshold_per_channel ? in.chunk_8 : 0;
      if (level > 0) {
        const bool reached = q.y[8 + level] >= q.threshold[level - 1];
        const std::size_t prefix = (q.found[8 + level] & 0x7fu) << 1 | (reached ? 1u : 0u);
        place = (static_cast<std::size_t>(q.row[8 + level]) << level) | prefix;
      }
      n.threshold[level] = words[place % words.size()];
    }
    if (in.threshold_write && in.threshold_node >> level == 1) {
      const std::size_t prefix = in.threshold_node - (std::size_t{1} << level);
      const std::size_t place = (static_cast<std::size_t>(in.threshold_row) << level) | prefix;
      words[place % words.size()] = static_cast<std::int32_t>(q.y_7);
    }
  }
  if (in.pack_enable) {
    std::uint64_t code = l.scaled_code;
    if (quantizer == Quantizer::kRaw) code = static_cast<std::uint32_t>(q.y[17]);
    if (quantizer == Quantizer::kThreshold) code = q.found[17];
    if (quantizer == Quantizer::kStochastic) code = q.quotient[17];
    n.code = static_cast<std::uint32_t>(code & ((std::uint64_t{1} << shape_.wide_bits) - 1));
  }
}

}  // namespace solfege
