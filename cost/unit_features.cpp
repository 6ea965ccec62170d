// SPDX-License-Identifier: Apache-2.0
#include "cost/unit_features.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

namespace solfege {
namespace {

double ones(std::uint64_t bits) { return __builtin_popcountll(bits); }

std::vector<std::uint64_t> words(const Vectors& v, std::size_t cycle, std::size_t port) {
  std::vector<std::uint64_t> result;
  for (int w = 0; w < (v.ports()[port].width + 63) / 64; ++w)
    result.push_back(v.get(cycle, port, w));
  return result;
}

double port_changes(const Vectors& v, std::size_t cycle, std::size_t port) {
  double sum = 0;
  for (int w = 0; w < (v.ports()[port].width + 63) / 64; ++w)
    sum += ones(v.get(cycle, port, w) ^ (cycle > 0 ? v.get(cycle - 1, port, w) : 0));
  return sum;
}

/// Changes of the nets of sf_popcount_adders, by the height of their adder: 64 cycles at once, a
/// bit each.
class PopcountChanges {
 public:
  static constexpr std::size_t kHeights = 8;
  /// `lanes`: each lane's bits over 64 cycles; `counted`: cycles whose change from the one before
  /// counts.
  PopcountChanges(const std::vector<std::uint64_t>& lanes, std::uint64_t counted)
      : counted_(counted) {
    count(lanes.data(), static_cast<int>(lanes.size()));
  }
  std::array<double, kHeights> by_height{};

 private:
  struct Node {
    std::vector<std::uint64_t> bits;
    std::size_t height;
  };
  void note(std::uint64_t net, std::size_t height) {
    by_height[std::min(height, kHeights - 1)] += ones((net ^ (net << 1)) & counted_);
  }
  Node count(const std::uint64_t* lanes, int width) {
    if (width == 1) return {{lanes[0]}, 0};
    int left_bits = 1;
    while ((2 << left_bits) - 1 < width) ++left_bits;
    const int left_width = (1 << left_bits) - 1, right_width = width - 1 - left_width;
    Node left = count(lanes, left_width);
    Node right;
    if (right_width > 0) right = count(lanes + left_width, right_width);
    const std::size_t height = left.height + 1;
    std::uint64_t carry = lanes[width - 1];
    Node result{{}, height};
    for (std::size_t i = 0; i < left.bits.size(); ++i) {
      const std::uint64_t a = left.bits[i], b = i < right.bits.size() ? right.bits[i] : 0;
      const std::uint64_t sum = a ^ b ^ carry;
      carry = (a & b) | (carry & (a ^ b));
      result.bits.push_back(sum);
      note(sum, height);
      note(carry, height);
    }
    result.bits.push_back(carry);
    return result;
  }
  const std::uint64_t counted_;
};

/// The product's and the adder tree's changes over all cycles from `from` on, `from` at least 1.
void add_popcount(const std::vector<std::vector<std::uint64_t>>& products, int lanes,
                  std::size_t from, double* product_changes, double* heights) {
  for (std::size_t first = from - 1; first + 1 < products.size(); first += 63) {
    const std::size_t count = std::min<std::size_t>(64, products.size() - first);
    std::vector<std::uint64_t> bits(static_cast<std::size_t>(lanes), 0);
    for (std::size_t t = 0; t < count; ++t)
      for (std::size_t lane = 0; lane < bits.size(); ++lane)
        bits[lane] |= (products[first + t][lane / 64] >> (lane % 64) & 1) << t;
    std::uint64_t counted = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    counted &= ~std::uint64_t{1};
    for (const std::uint64_t lane : bits) *product_changes += ones((lane ^ (lane << 1)) & counted);
    const PopcountChanges tree(bits, counted);
    for (std::size_t h = 1; h < PopcountChanges::kHeights; ++h) heights[h - 1] += tree.by_height[h];
  }
}

const std::vector<std::string> kPopcountFeatures = {"cycle",    "a",        "b",        "product",
                                                    "adders 1", "adders 2", "adders 3", "adders 4",
                                                    "adders 5", "adders 6", "adders 7"};
constexpr std::size_t kProduct = 3, kHeight = 4;

std::vector<double> popcount_features(const UnitWindow& window) {
  const Vectors& v = window.vectors;
  std::vector<double> f(kPopcountFeatures.size());
  std::vector<std::vector<std::uint64_t>> products;
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    auto product = words(v, t, 0);
    const auto b = words(v, t, 1);
    for (std::size_t w = 0; w < product.size(); ++w) product[w] &= b[w];
    products.push_back(product);
    if (t < window.warm_up) continue;
    f[1] += port_changes(v, t, 0);
    f[2] += port_changes(v, t, 1);
  }
  add_popcount(products, v.ports()[0].width, window.warm_up, &f[kProduct], &f[kHeight]);
  return f;
}

/// sf_pe: the popcount's features, then the accumulator's.
enum PeFeature : std::size_t {
  kCount = kHeight + PopcountChanges::kHeights - 1,
  kTerm,
  kAdder,
  kSum,
  kDrainInput,
  kDrain,
  kControl,
  kPeFeatures
};
std::vector<std::string> pe_names() {
  std::vector<std::string> names = kPopcountFeatures;
  for (const char* name : {"count", "term", "adder", "sum", "drain input", "drain", "control"})
    names.emplace_back(name);
  return names;
}

std::vector<double> pe_features(const Config& config, const UnitWindow& window) {
  const Vectors& v = window.vectors;
  const std::uint64_t mask = (std::uint64_t{1} << config.accumulator_bits) - 1;
  std::vector<double> f(kPeFeatures);
  std::vector<std::vector<std::uint64_t>> products;
  std::uint64_t count_q = 0, sum_q = 0, drain_q = 0;
  std::uint64_t term_before = 0, next_before = 0, carry_before = 0;
  std::uint64_t count_before = 0, sum_before = 0, drain_before = 0;
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    auto product = words(v, t, 0);
    const auto b = words(v, t, 1);
    const bool differs = v.get(t, 2) != 0;
    std::uint64_t count = 0;
    for (std::size_t w = 0; w < product.size(); ++w) {
      product[w] = differs ? product[w] ^ b[w] : product[w] & b[w];
      count += static_cast<std::uint64_t>(__builtin_popcountll(product[w]));
    }
    products.push_back(product);
    const bool negate = v.get(t, 6) != 0;
    const std::uint64_t term = ((count_q << v.get(t, 7)) ^ (negate ? ~std::uint64_t{0} : 0)) & mask;
    const std::uint64_t kept = v.get(t, 5) != 0 ? 0 : sum_q;
    const std::uint64_t next = (kept + term + (negate ? 1 : 0)) & mask;
    const std::uint64_t carry = kept ^ term ^ next;
    if (t >= window.warm_up) {
      f[1] += port_changes(v, t, 0);
      f[2] += port_changes(v, t, 1);
      f[kCount] += ones(count_q ^ count_before);
      f[kTerm] += ones(term ^ term_before);
      f[kAdder] += ones(next ^ next_before) + ones(carry ^ carry_before);
      f[kSum] += ones(sum_q ^ sum_before);
      f[kDrainInput] += port_changes(v, t, 10);
      f[kDrain] += ones(drain_q ^ drain_before);
      for (std::size_t port = 2; port < 10; ++port) f[kControl] += port_changes(v, t, port);
    }
    term_before = term;
    next_before = next;
    carry_before = carry;
    count_before = count_q;
    sum_before = sum_q;
    drain_before = drain_q;
    if (v.get(t, 8) != 0)
      drain_q = sum_q;
    else if (v.get(t, 9) != 0)
      drain_q = v.get(t, 10);
    if (v.get(t, 4) != 0) sum_q = next;
    if (v.get(t, 3) != 0) count_q = count;
  }
  add_popcount(products, v.ports()[0].width, window.warm_up, &f[kProduct], &f[kHeight]);
  return f;
}

std::vector<double> register_features(const UnitWindow& window) {
  const Vectors& v = window.vectors;
  std::vector<double> f(4);
  std::vector<std::uint64_t> held(words(v, 0, 1).size()), held_before = held, next_before = held;
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    auto next = words(v, t, 1);
    const auto mask = words(v, t, 2);
    const bool counts = t >= window.warm_up;
    for (std::size_t w = 0; w < next.size(); ++w) {
      next[w] &= mask[w];
      if (counts) f[2] += ones(next[w] ^ next_before[w]);
      if (counts) f[3] += ones(held[w] ^ held_before[w]);
    }
    if (counts) f[1] += port_changes(v, t, 1) + port_changes(v, t, 2) + port_changes(v, t, 0);
    next_before = next;
    held_before = held;
    if (v.get(t, 0) != 0) held = next;
  }
  return f;
}

std::vector<double> correction_features(const Config& config, const UnitWindow& window) {
  const Vectors& v = window.vectors;
  const std::uint64_t mask = (std::uint64_t{1} << config.accumulator_bits) - 1;
  std::vector<double> f(8);
  // Three subtractions side by side: 2 S - row sum, 2 S - column sum, lanes - 2 S
  std::array<std::uint64_t, 3> differences{}, borrows{}, differences_before{}, borrows_before{};
  std::uint64_t value_before = 0;
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    const bool row = v.get(t, 0) != 0, column = v.get(t, 1) != 0;
    const std::uint64_t twice = v.get(t, 2) << 1 & mask;
    const std::array<std::uint64_t, 3> minuend = {twice, twice, v.get(t, 5)};
    const std::array<std::uint64_t, 3> subtrahend = {v.get(t, 3), v.get(t, 4), twice};
    for (std::size_t i = 0; i < 3; ++i) {
      differences[i] = (minuend[i] - subtrahend[i]) & mask;
      borrows[i] = (minuend[i] ^ subtrahend[i] ^ differences[i]) & mask;
    }
    const std::uint64_t value = row && column ? differences[2]
                                : row         ? differences[1]
                                : column      ? differences[0]
                                              : v.get(t, 2);
    if (t >= window.warm_up) {
      f[1] += port_changes(v, t, 2);
      f[2] += port_changes(v, t, 3) + port_changes(v, t, 4);
      f[3] += port_changes(v, t, 5);
      f[4] += port_changes(v, t, 0) + port_changes(v, t, 1);
      for (std::size_t i = 0; i < 3; ++i) {
        f[5] += ones(differences[i] ^ differences_before[i]);
        f[6] += ones(borrows[i] ^ borrows_before[i]);
      }
      f[7] += ones(value ^ value_before);
    }
    differences_before = differences;
    borrows_before = borrows;
    value_before = value;
  }
  return f;
}

std::vector<std::string> lane_names() {
  return {"cycle",
#define SOLFEGE_NAME(name) #name,
          SOLFEGE_LANE_ACTIVITY(SOLFEGE_NAME)
#undef SOLFEGE_NAME
  };
}

void add_activity(const LaneActivity& a, std::vector<double>* f) {
  std::size_t i = 1;
#define SOLFEGE_ADD(name) (*f)[i++] += a.name;
  SOLFEGE_LANE_ACTIVITY(SOLFEGE_ADD)
#undef SOLFEGE_ADD
}

std::vector<double> lane_features(const Config& config, const UnitWindow& window) {
  std::vector<double> f(lane_names().size());
  StreamLane lane(config);
  for (std::size_t t = 0; t < window.vectors.cycles(); ++t) {
    lane.clock(lane_inputs(window.vectors, t));
    if (t >= window.warm_up) add_activity(lane.activity(), &f);
  }
  return f;
}

/// Inputs of a lane as sf_unit_quantizer ties them.
LaneInputs tied(const std::string& unit, const Vectors& v, std::size_t t) {
  LaneInputs in;
  in.go = v.get(t, 0);
  in.narrow = 1;
  in.scale_x = 1;
  in.pack_enable = unit != "lane_front";
  in.quantizer = unit == "threshold" ? 1 : unit == "rounding" ? 2 : 0;
  in.quantizer_bits = v.get(t, 1);
  in.threshold_per_channel = 1;
  in.x = static_cast<std::uint64_t>(std::int64_t{static_cast<std::int16_t>(v.get(t, 2))});
  in.sample_7 = v.get(t, 3);
  in.sample_17 = v.get(t, 4);
  in.random_6 = v.get(t, 5);
  in.chunk_8 = v.get(t, 6);
  in.threshold_write = v.get(t, 7);
  in.threshold_node = v.get(t, 8);
  in.threshold_row = v.get(t, 9);
  return in;
}

std::vector<double> quantizer_features(const Config& config, const UnitWindow& window) {
  std::vector<double> f(lane_names().size());
  StreamLane lane(config);
  for (std::size_t t = 0; t < window.vectors.cycles(); ++t) {
    lane.clock(tied(window.unit, window.vectors, t));
    if (t >= window.warm_up) add_activity(lane.activity(), &f);
  }
  return f;
}

/// sf_reduce of one lane: its stage 1, and the sums, of which two are kept.
std::vector<double> reduce_features(const UnitWindow& window) {
  const Vectors& v = window.vectors;
  std::vector<double> f(10);
  auto field = [&](std::size_t t, int word, int lsb, int width) {
    const std::uint64_t pair = v.get(t, 3, word / 2);
    return pair >> (32 * (word % 2) + lsb) & ((std::uint64_t{1} << width) - 1);
  };
  const std::size_t last = v.cycles() - 1;
  const bool sums = field(last, 2, 24, 1) != 0, by_channel = field(last, 2, 25, 1) != 0;
  const bool absolute = field(last, 2, 26, 1) != 0, maxima = field(last, 2, 22, 1) != 0;
  const auto second = static_cast<SecondSum>(field(last, 1, 22, 2));
  struct State {
    std::uint32_t magnitude = 0, value = 0;
    std::int32_t square = 0;
    std::uint64_t sum = 0, second_sum = 0;
    std::int64_t y = 0, z = 0;
  } now, before;
  std::array<std::uint64_t, 2> total{}, second_total{};
  std::size_t row = 0;
  bool stage_2 = false;
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    const auto y = static_cast<std::int32_t>(v.get(t, 5));
    const bool valid = v.get(t, 4) != 0 && (sums || maxima), inside = v.get(t, 7) != 0;
    const std::uint32_t magnitude = !inside ? 0
                                    : y < 0 ? 0u - static_cast<std::uint32_t>(y)
                                            : static_cast<std::uint32_t>(y);
    const std::int64_t factor_y = inside ? static_cast<std::int16_t>(y) : 0;
    const std::int64_t factor_z = second == SecondSum::kDot ? static_cast<std::int16_t>(v.get(t, 6))
                                                            : static_cast<std::int16_t>(y);
    now.y = factor_y;
    now.z = factor_z;
    now.sum = total[row] + static_cast<std::uint64_t>(
                               absolute ? std::int64_t{now.value}
                                        : std::int64_t{static_cast<std::int32_t>(now.value)});
    now.second_sum = second_total[row] + static_cast<std::uint64_t>(std::int64_t{now.square});
    if (t >= window.warm_up) {
      f[1] += port_changes(v, t, 5) + port_changes(v, t, 6);
      f[2] += ones(magnitude ^ before.magnitude);
      MultiplierChanges product;
      product.add(now.y, now.z, before.y, before.z, 16, 32);
      f[3] += product.partial;
      f[4] += product.tree;
      f[9] += product.last;
      f[5] += ones(now.value ^ before.value);
      f[6] += ones(static_cast<std::uint32_t>(now.square ^ before.square));
      f[7] += ones(now.sum ^ before.sum) + ones(now.second_sum ^ before.second_sum);
      for (const std::size_t port : {4u, 7u, 8u, 9u}) f[8] += port_changes(v, t, port);
    }
    before = now;
    before.magnitude = magnitude;
    if (stage_2 && sums) {
      total[row] = now.sum;
      if (second != SecondSum::kNone) second_total[row] = now.second_sum;
    }
    stage_2 = valid;
    if (valid) {
      now.value = !inside ? 0 : absolute ? magnitude : static_cast<std::uint32_t>(y);
      if (second != SecondSum::kNone) now.square = static_cast<std::int32_t>(factor_y * factor_z);
      row = by_channel ? v.get(t, 8) & 1 : 0;
    }
  }
  return f;
}

std::vector<double> random_features(const UnitWindow& window) {
  std::vector<double> f(3);
  for (std::size_t t = window.warm_up; t < window.vectors.cycles(); ++t) {
    f[1] += static_cast<double>(window.vectors.get(t, 2));
    f[2] += port_changes(window.vectors, t, 0) + port_changes(window.vectors, t, 1);
  }
  return f;
}

}  // namespace

const std::vector<std::string>& feature_names(const std::string& unit) {
  static const std::map<std::string, std::vector<std::string>> names = {
      {"and_popcount", kPopcountFeatures},
      {"pe", pe_names()},
      {"operand_register", {"cycle", "inputs", "masked", "word"}},
      {"correction",
       {"cycle", "sum", "row or column sum", "lanes", "type", "differences", "borrows", "value"}},
      {"stream_lane", lane_names()},
      {"reduce",
       {"cycle", "inputs", "magnitude", "partial", "carry", "value", "product", "sums", "control",
        "last"}},
      {"random_shared", {"cycle", "step", "load"}},
      {"random_private", {"cycle", "step", "load"}},
      {"lane_front", lane_names()},
      {"threshold", lane_names()},
      {"rounding", lane_names()}};
  return names.at(unit);
}

std::vector<double> window_features(const Config& config, const UnitWindow& window) {
  const std::string& unit = window.unit;
  std::vector<double> f;
  if (unit == "and_popcount")
    f = popcount_features(window);
  else if (unit == "pe")
    f = pe_features(config, window);
  else if (unit == "operand_register")
    f = register_features(window);
  else if (unit == "correction")
    f = correction_features(config, window);
  else if (unit == "stream_lane")
    f = lane_features(config, window);
  else if (unit == "reduce")
    f = reduce_features(window);
  else if (unit == "random_shared" || unit == "random_private")
    f = random_features(window);
  else if (unit == "lane_front" || unit == "threshold" || unit == "rounding")
    f = quantizer_features(config, window);
  else
    throw std::out_of_range("no features of unit " + unit);
  const auto cycles = static_cast<double>(window.vectors.cycles() - window.warm_up);
  for (double& value : f) value /= cycles;
  f[0] = 1;
  return f;
}

}  // namespace solfege
