// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/unit_features.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

#include "cost/energy/adder_activity.hpp"
#include "model/spec/lfsr.hpp"

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

/// The product's and the adder tree's changes over all cycles from `from` on, `from` at least 1.
void add_popcount(const std::vector<std::vector<std::uint64_t>>& products, int lanes,
                  std::size_t from, double* product_changes, double* heights) {
  const PopcountTree adders(lanes);
  for (std::size_t first = from - 1; first + 1 < products.size(); first += 63) {
    const std::size_t count = std::min<std::size_t>(64, products.size() - first);
    std::vector<std::uint64_t> bits(static_cast<std::size_t>(lanes), 0);
    for (std::size_t t = 0; t < count; ++t)
      for (std::size_t lane = 0; lane < bits.size(); ++lane)
        bits[lane] |= (products[first + t][lane / 64] >> (lane % 64) & 1) << t;
    std::uint64_t counted = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    counted &= ~std::uint64_t{1};
    for (const std::uint64_t lane : bits) *product_changes += ones((lane ^ (lane << 1)) & counted);
    const PopcountChanges tree(adders, bits, counted);
    for (std::size_t h = 1; h < PopcountChanges::kHeights; ++h) {
      heights[h - 1] += tree.by_height[h];
      heights[PopcountChanges::kHeights + h - 2] += tree.settling[h];
    }
  }
}

const std::vector<std::string> kPopcountFeatures = {
    "cycle",      "a",          "b",          "product",    "adders 1",   "adders 2",
    "adders 3",   "adders 4",   "adders 5",   "adders 6",   "adders 7",   "settling 1",
    "settling 2", "settling 3", "settling 4", "settling 5", "settling 6", "settling 7"};
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

double carry_changes(std::uint64_t a, std::uint64_t b, std::uint64_t sum, std::uint64_t a_before,
                     std::uint64_t b_before, std::uint64_t sum_before) {
  return ones(a ^ b ^ sum ^ a_before ^ b_before ^ sum_before);
}

/// sf_pe: the popcount's features, then the accumulator's.
enum PeFeature : std::size_t {
  kAnd = kHeight + 2 * (PopcountChanges::kHeights - 1),
  kXor,
  kCount,
  kShifter,
  kTerm,
  kKept,
  kCarry,
  kSettling,
  kNext,
  kSum,
  kDrainInput,
  kDrain,
  kFirstControl,
  kRegisterChanges = kFirstControl + 8,
  kRegisterOnes,
  kPeFeatures
};
std::vector<std::string> pe_names() {
  std::vector<std::string> names = kPopcountFeatures;
  for (const char* name : {"and",
                           "xor",
                           "count",
                           "shifter",
                           "term",
                           "kept",
                           "carries",
                           "adder settling",
                           "next sum",
                           "sum",
                           "drain input",
                           "drain",
                           "xnor",
                           "count enable",
                           "sum enable",
                           "sum clear",
                           "negate",
                           "shift",
                           "capture",
                           "drain shift",
                           "register_changes",
                           "register_ones"})
    names.emplace_back(name);
  return names;
}

std::vector<double> pe_features(const Config& config, const UnitWindow& window) {
  const Vectors& v = window.vectors;
  const std::uint64_t mask = (std::uint64_t{1} << config.accumulator_bits) - 1;
  std::vector<double> f(kPeFeatures);
  std::vector<std::vector<std::uint64_t>> products;
  std::vector<std::uint64_t> both_before, differs_before;
  struct State {
    std::uint64_t count = 0, sum = 0, drain = 0;                         // registers
    std::uint64_t shifted = 0, shift = 0, term = 0, kept = 0, next = 0;  // logic
  } now, before;
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    const bool counts = t >= window.warm_up;
    auto product = words(v, t, 0), both = product, differs = product;
    const auto b = words(v, t, 1);
    const bool xnor = v.get(t, 2) != 0;
    std::uint64_t count = 0;
    for (std::size_t w = 0; w < product.size(); ++w) {
      both[w] &= b[w];
      differs[w] ^= b[w];
      product[w] = xnor ? differs[w] : both[w];
      count += static_cast<std::uint64_t>(__builtin_popcountll(product[w]));
      if (counts && t > 0) {
        f[kAnd] += ones(both[w] ^ both_before[w]);
        f[kXor] += ones(differs[w] ^ differs_before[w]);
      }
    }
    products.push_back(product);
    both_before = both;
    differs_before = differs;
    const bool negate = v.get(t, 6) != 0;
    now.shift = v.get(t, 7);
    now.shifted = (now.count << now.shift) & mask;
    now.term = (now.shifted ^ (negate ? ~std::uint64_t{0} : 0)) & mask;
    now.kept = v.get(t, 5) != 0 ? 0 : now.sum;
    now.next = (now.kept + now.term + (negate ? 1 : 0)) & mask;
    if (counts) {
      f[1] += port_changes(v, t, 0);
      f[2] += port_changes(v, t, 1);
      f[kCount] += ones(now.count ^ before.count);
      for (int level = 1; level <= 6; ++level) {
        const std::uint64_t bits = (std::uint64_t{1} << level) - 1;
        f[kShifter] += ones(
            ((now.count << (now.shift & bits)) ^ (before.count << (before.shift & bits))) & mask);
      }
      f[kTerm] += ones(now.term ^ before.term);
      f[kKept] += ones(now.kept ^ before.kept);
      f[kCarry] +=
          carry_changes(now.kept, now.term, now.next, before.kept, before.term, before.next);
      f[kSettling] += ripple_settling(now.kept, now.term, now.next, before.kept, before.term,
                                      before.next, mask);
      f[kNext] += ones(now.next ^ before.next);
      f[kSum] += ones(now.sum ^ before.sum);
      f[kDrainInput] += port_changes(v, t, 10);
      f[kDrain] += ones(now.drain ^ before.drain);
      for (std::size_t port = 2; port < 10; ++port)
        f[kFirstControl + port - 2] += port_changes(v, t, port);
      f[kRegisterChanges] += ones(now.count ^ before.count) + ones(now.sum ^ before.sum) +
                             ones(now.drain ^ before.drain);
      f[kRegisterOnes] += ones(now.count) + ones(now.sum) + ones(now.drain);
    }
    before = now;
    if (v.get(t, 8) != 0)
      now.drain = now.sum;
    else if (v.get(t, 9) != 0)
      now.drain = v.get(t, 10);
    if (v.get(t, 4) != 0) now.sum = now.next;
    if (v.get(t, 3) != 0) now.count = count;
  }
  add_popcount(products, v.ports()[0].width, window.warm_up, &f[kProduct], &f[kHeight]);
  return f;
}

std::vector<double> register_features(const UnitWindow& window) {
  const Vectors& v = window.vectors;
  std::vector<double> f(9);
  std::vector<std::uint64_t> held(words(v, 0, 1).size()), held_before = held, masked_before = held,
                                                          next_before = held;
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    auto masked = words(v, t, 1);
    const auto mask = words(v, t, 2);
    const bool counts = t >= window.warm_up, enable = v.get(t, 0) != 0;
    auto next = masked;
    for (std::size_t w = 0; w < next.size(); ++w) {
      masked[w] &= mask[w];
      next[w] = enable ? masked[w] : held[w];
      if (!counts) continue;
      f[4] += ones(masked[w] ^ masked_before[w]);
      f[5] += ones(next[w] ^ next_before[w]);
      f[6] += ones(held[w] ^ held_before[w]);
      f[7] += ones(held[w] ^ held_before[w]);
      f[8] += ones(held[w]);
    }
    if (counts)
      for (std::size_t port = 0; port < 3; ++port) f[1 + port] += port_changes(v, t, port);
    masked_before = masked;
    next_before = next;
    held_before = held;
    held = next;
  }
  return f;
}

std::vector<double> correction_features(const Config& config, const UnitWindow& window) {
  const Vectors& v = window.vectors;
  const std::uint64_t mask = (std::uint64_t{1} << config.accumulator_bits) - 1;
  std::vector<double> f(10);
  struct {
    std::uint64_t minuend = 0, subtrahend = 0, value = 0, borrow = 0;
  } now, before;
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    const bool row = v.get(t, 0) != 0, column = v.get(t, 1) != 0;
    const std::uint64_t sum = v.get(t, 2), twice = sum << 1 & mask;
    now.minuend = row && column ? v.get(t, 5) : row || column ? twice : sum;
    now.subtrahend = row && column ? twice : column ? v.get(t, 3) : row ? v.get(t, 4) : 0;
    now.value = (now.minuend - now.subtrahend) & mask;
    now.borrow = (now.minuend ^ now.subtrahend ^ now.value) & mask;
    if (t >= window.warm_up) {
      f[1] += port_changes(v, t, 2);
      f[2] += port_changes(v, t, 3) + port_changes(v, t, 4);
      f[3] += port_changes(v, t, 5);
      f[4] += port_changes(v, t, 0) + port_changes(v, t, 1);
      f[5] += ones(now.minuend ^ before.minuend);
      f[6] += ones(now.subtrahend ^ before.subtrahend);
      f[7] += ones(now.value ^ before.value);
      f[8] += ones(now.borrow ^ before.borrow);
      f[9] += ripple_settling(now.minuend, ~now.subtrahend & mask, now.value, before.minuend,
                              ~before.subtrahend & mask, before.value, mask);
    }
    before = now;
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

std::vector<double> quantizer_features(const Config& config, const UnitWindow& window) {
  std::vector<double> f(lane_names().size());
  StreamLane lane(config);
  for (std::size_t t = 0; t < window.vectors.cycles(); ++t) {
    lane.clock(quantizer_inputs(window.unit, window.vectors, t));
    if (t >= window.warm_up) add_activity(lane.activity(), &f);
  }
  return f;
}

/// sf_reduce_lane: magnitude, value and product, and what is added to the tables' sums.
const std::vector<std::string> kReduceFeatures = {"cycle",
                                                  "take",
                                                  "lane mask",
                                                  "y low",
                                                  "y sign",
                                                  "z",
                                                  "negated",
                                                  "negation carries",
                                                  "magnitude",
                                                  "factor y",
                                                  "factor z",
                                                  "partial",
                                                  "tree",
                                                  "last",
                                                  "value",
                                                  "product",
                                                  "sum read",
                                                  "sum adder",
                                                  "second read",
                                                  "second adder",
                                                  "sum settling",
                                                  "second settling",
                                                  "register_changes",
                                                  "register_ones"};

std::vector<double> reduce_features(const UnitWindow& window) {
  const Vectors& v = window.vectors;
  std::vector<double> f(kReduceFeatures.size());
  enum Port : std::size_t { kTake, kSecond, kAbsolute, kDot, kMask, kY, kZ, kSeen, kSum, kSum2 };
  struct Adder {
    std::uint64_t a = 0, b = 0;
    std::uint64_t sum() const { return a + b; }
  };
  struct State {
    std::uint32_t value = 0, product = 0;  // registers
    std::uint32_t y = 0, magnitude = 0;    // logic
    std::int64_t factor_y = 0, factor_z = 0;
    Adder first, second;
  } now, before;
  const auto extended = [](std::uint32_t value) {
    return static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(value)});
  };
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    const bool inside = v.get(t, kMask) != 0, absolute = v.get(t, kAbsolute) != 0;
    now.y = inside ? static_cast<std::uint32_t>(v.get(t, kY)) : 0;
    now.magnitude = static_cast<std::int32_t>(now.y) < 0 ? 0u - now.y : now.y;
    now.factor_y = static_cast<std::int16_t>(now.y);
    now.factor_z = static_cast<std::int16_t>(v.get(t, v.get(t, kDot) != 0 ? kZ : kY));
    const bool seen = v.get(t, kSeen) != 0;
    now.first = {seen ? v.get(t, kSum) : 0, absolute ? now.value : extended(now.value)};
    now.second = {seen ? v.get(t, kSum2) : 0, extended(now.product)};
    if (t >= window.warm_up) {
      const std::uint64_t y_changes = v.get(t, kY) ^ v.get(t - 1, kY);
      const auto differ = [](std::uint64_t a, std::uint64_t b) { return ones(a ^ b); };
      f[1] += port_changes(v, t, kTake);
      f[2] += port_changes(v, t, kMask);
      f[3] += ones(y_changes & 0x7fffffff);
      f[4] += ones(y_changes >> 31);
      f[5] += port_changes(v, t, kZ);
      f[6] += differ(0u - now.y, 0u - before.y);
      f[7] += differ(now.y ^ (0u - now.y), before.y ^ (0u - before.y));
      f[8] += differ(now.magnitude, before.magnitude);
      f[9] += ones(static_cast<std::uint64_t>(now.factor_y ^ before.factor_y) & 0xffff);
      f[10] += ones(static_cast<std::uint64_t>(now.factor_z ^ before.factor_z) & 0xffff);
      MultiplierChanges product;
      product.add(now.factor_y, now.factor_z, before.factor_y, before.factor_z, 16, 32);
      f[11] += product.partial;
      f[12] += product.tree;
      f[13] += product.last;
      f[14] += differ(now.value, before.value);
      f[15] += differ(now.product, before.product);
      std::size_t place = 16, settling = 20;
      for (const auto& [adder, old] :
           {std::pair{now.first, before.first}, std::pair{now.second, before.second}}) {
        f[place++] += differ(adder.a, old.a);
        f[place++] += differ(adder.sum(), old.sum()) +
                      carry_changes(adder.a, adder.b, adder.sum(), old.a, old.b, old.sum());
        f[settling++] += ripple_settling(adder.a, adder.b, adder.sum(), old.a, old.b, old.sum(),
                                         ~std::uint64_t{0});
      }
      f[22] += differ(now.value, before.value) + differ(now.product, before.product);
      f[23] += ones(now.value) + ones(now.product);
    }
    before = now;
    if (v.get(t, kTake) == 0) continue;
    now.value = absolute ? now.magnitude : now.y;
    if (v.get(t, kSecond) != 0)
      now.product = static_cast<std::uint32_t>(now.factor_y * now.factor_z);
  }
  return f;
}

/// sf_lfsr; `used` bits a step.
std::vector<double> random_features(const UnitWindow& window, int used) {
  const Vectors& v = window.vectors;
  std::vector<double> f(7);
  std::uint64_t state = 0, state_before = 0, next_before = 0;
  for (std::size_t t = 0; t < v.cycles(); ++t) {
    Lfsr lfsr(state);
    for (int rest = used; rest > 0; rest -= 32) lfsr.next(std::min(rest, 32));
    const std::uint64_t next = lfsr.state();
    if (t >= window.warm_up) {
      f[1] += port_changes(v, t, 0) + port_changes(v, t, 1);
      f[2] += port_changes(v, t, 2);
      f[3] += ones(state ^ state_before);
      f[4] += ones(next ^ next_before);
      f[5] += ones(state ^ state_before);
      f[6] += ones(state);
    }
    state_before = state;
    next_before = next;
    state = v.get(t, 0) != 0 ? v.get(t, 1) : v.get(t, 2) != 0 ? next : state;
  }
  return f;
}

}  // namespace

LaneInputs quantizer_inputs(const std::string& unit, const Vectors& v, std::size_t t) {
  LaneInputs in;
  in.go = v.get(t, 0);
  in.narrow = 1;
  in.scale_x = 1;
  in.pack_enable = unit != "lane_front";
  in.quantizer = number(quantizer_of(unit));
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

const std::vector<std::string>& feature_names(const std::string& unit) {
  static const std::map<std::string, std::vector<std::string>> names = {
      {"and_popcount", kPopcountFeatures},
      {"pe", pe_names()},
      {"operand_register",
       {"cycle", "enable", "word input", "mask", "masked", "next", "word", "register_changes",
        "register_ones"}},
      {"correction",
       {"cycle", "sum", "row or column sum", "lanes", "type", "minuend", "subtrahend", "value",
        "borrows", "settling"}},
      {"stream_lane", lane_names()},
      {"reduce", kReduceFeatures},
      {"random_shared",
       {"cycle", "load", "step", "state", "next", "register_changes", "register_ones"}},
      {"random_private",
       {"cycle", "load", "step", "state", "next", "register_changes", "register_ones"}},
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
    f = random_features(window,
                        config.random_bits * (unit == "random_shared" ? config.stream_lanes : 1));
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
