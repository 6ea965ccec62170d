// SPDX-License-Identifier: Apache-2.0
#include "cost/compare/baselines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>

#include "cost/compare/training_values.hpp"
#include "model/base/share.hpp"

namespace solfege {
namespace {

/// Modules of the baselines, and the adders of rtl/ that all of them have.
std::vector<std::string> sources(const std::vector<std::string>& modules) {
  std::vector<std::string> paths;
  for (const std::string& name : modules)
    paths.push_back((share_folder() / "cost/compare/baselines" / (name + ".v")).string());
  for (const std::string& path : rtl_paths({"sf_full_adder", "sf_half_adder"}))
    paths.push_back(path);
  return paths;
}

/// Limit of symmetric quantization with the least squared error.
double best_limit(const std::vector<float>& values, int bits) {
  const double largest = largest_magnitude(values.data(), values.size());
  if (largest == 0) return 1;
  const double top = static_cast<double>((std::int64_t{1} << (bits - 1)) - 1);
  double best = largest, least = std::numeric_limits<double>::infinity();
  for (double limit = largest; limit > largest / 20; limit *= 0.95) {
    double error = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(values.size(), 4096); ++i) {
      const double x = values[i];
      const double read = static_cast<double>(symmetric_code(x, limit, bits)) / top * limit;
      error += (x - read) * (x - read);
    }
    if (error < least) {
      least = error;
      best = limit;
    }
  }
  return best;
}

/// Sign-extends or cuts `value` to a port that may be wider than a word.
void set_wide(Vectors& vectors, std::size_t port, std::int64_t value) {
  for (int word = 0; word < vectors.words(port); ++word)
    vectors.set(port, static_cast<std::uint64_t>(word == 0 ? value : (value < 0 ? -1 : 0)), word);
}

/// Draws operands of one port as codes.
class Operand {
 public:
  Operand(const std::vector<float>& values, const BaselineUnit& unit)
      : values_(values),
        bits_(unit.bits),
        limit_(unit.kind == BaselineUnit::Kind::kBfloatMac ? 1 : best_limit(values, unit.bits)),
        kind_(unit.kind) {
    if (values.empty()) throw std::invalid_argument("a baseline's operand has no values");
  }
  float draw(std::mt19937_64& random) const {
    return values_[std::uniform_int_distribution<std::size_t>(0, values_.size() - 1)(random)];
  }
  std::uint64_t code(float x) const {
    if (kind_ == BaselineUnit::Kind::kBfloatMac) return bfloat_bits(x);
    return static_cast<std::uint64_t>(symmetric_code(x, limit_, bits_));
  }
  double value(float x) const {  // what the unit sums
    if (kind_ == BaselineUnit::Kind::kBfloatMac) return x;
    return static_cast<double>(symmetric_code(x, limit_, bits_));
  }

 private:
  const std::vector<float>& values_;
  int bits_;
  double limit_;
  BaselineUnit::Kind kind_;
};

/// A drained neighbour's sum, in the unit's format; single precision cut to shorter fractions.
std::int64_t drained(const BaselineUnit& unit, double sum) {
  if (unit.kind != BaselineUnit::Kind::kBfloatMac) return static_cast<std::int64_t>(sum);
  const auto value = static_cast<float>(sum);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits >> (32 - unit.accumulator_bits);
}

}  // namespace

BaselineUnit integer_mac(int bits, int lanes) {
  BaselineUnit u{fmt::format("int{}{}", bits, lanes == 1 ? "" : fmt::format(" x {}", lanes)),
                 BaselineUnit::Kind::kIntegerMac, bits, lanes, 2 * bits + 16};
  u.design = {
      fmt::format("int{}_mac{}", bits, lanes == 1 ? "" : fmt::format("_x{}", lanes)),
      "sf_integer_mac",
      {{"ABits", bits}, {"BBits", bits}, {"Lanes", lanes}, {"AccumulatorBits", u.accumulator_bits}},
      sources({"sf_integer_mac", "sf_multiplier", "sf_column_adder"}),
      "clk_i"};
  return u;
}

BaselineUnit integer_multiplier(int bits) {
  BaselineUnit u{fmt::format("int{} multiplier", bits), BaselineUnit::Kind::kMultiplier, bits, 1,
                 0};
  u.design = {fmt::format("int{}_multiplier", bits),
              "sf_multiplier",
              {{"ABits", bits}, {"BBits", bits}},
              sources({"sf_multiplier", "sf_column_adder"}),
              ""};
  return u;
}

BaselineUnit bfloat_mac(int fraction_bits, int random_bits) {
  const char* sum = fraction_bits == 23 ? "fp32" : fraction_bits == 7 ? "bf16" : "float";
  BaselineUnit u{fmt::format("bf16, sum {}{}", sum, random_bits > 0 ? ", stochastic" : ""),
                 BaselineUnit::Kind::kBfloatMac, 16, 1, fraction_bits + 9};
  u.random_bits = random_bits;
  u.design = {fmt::format("bf16_mac_f{}_r{}", fraction_bits, random_bits),
              "sf_bf16_mac",
              {{"FractionBits", fraction_bits}, {"RandomBits", random_bits}},
              sources({"sf_bf16_mac", "sf_multiplier", "sf_column_adder"}),
              "clk_i"};
  return u;
}

std::vector<BaselineUnit> baseline_units(int word_bits) {
  std::vector<BaselineUnit> units = {integer_multiplier(4), integer_mac(4), integer_mac(8),
                                     integer_mac(16)};
  for (const int bits : {4, 8})
    if (word_bits / bits > 1) units.push_back(integer_mac(bits, word_bits / bits));
  units.push_back(bfloat_mac(23));
  units.push_back(bfloat_mac(7, 8));
  return units;
}

const std::vector<PublishedMac>& published_macs() {
  static const std::vector<PublishedMac> kMacs = {
      {"fp32", 3.7, 0.9, 45, "Horowitz, ISSCC 2014, 45 nm, 0.9 V: multiply 3.7, add 0.9 pJ",
       "published"},
      {"fp32", 1.31, 0.38, 7, "Jouppi et al., ISCA 2021, 7 nm: multiply 1.31, add 0.38 pJ",
       "published"},
  };
  return kMacs;
}

std::int64_t symmetric_code(double x, double limit, int bits) {
  const auto top = static_cast<double>((std::int64_t{1} << (bits - 1)) - 1);
  return std::llround(std::clamp(x / limit, -1.0, 1.0) * top);
}

std::uint16_t bfloat_bits(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  bits += 0x7fffu + (bits >> 16 & 1);
  if ((bits >> 23 & 0xff) == 0) return 0;
  return static_cast<std::uint16_t>(bits >> 16);
}

Vectors baseline_vectors(const BaselineUnit& unit, const std::vector<float>& a,
                         const std::vector<float>& b, const SumDrive& drive) {
  std::mt19937_64 random(drive.seed);
  const bool bare = unit.kind == BaselineUnit::Kind::kMultiplier;
  std::vector<Vectors::Port> ports = {{"a_i", unit.lanes * unit.bits},
                                      {"b_i", unit.lanes * unit.bits}};
  if (!bare) {
    for (const char* name :
         {"product_enable_i", "sum_enable_i", "sum_clear_i", "capture_i", "drain_shift_i"})
      ports.push_back({name, 1});
    ports.push_back({"drain_i", unit.accumulator_bits});
  }
  if (unit.kind == BaselineUnit::Kind::kBfloatMac)
    ports.push_back({"random_i", std::max(1, unit.random_bits)});
  Vectors vectors(ports);
  const Operand operand_a(a, unit), operand_b(b, unit);

  const std::size_t lanes = static_cast<std::size_t>(unit.lanes);
  const std::size_t words = std::max<std::size_t>(1, (drive.contraction + lanes - 1) / lanes);
  // A sum's first product is in the register one cycle after its operands are at the multiplier.
  constexpr std::size_t latency = 1;
  double sum = 0;
  std::vector<double> sums = {0};
  for (std::size_t cycle = 0; cycle < drive.cycles; ++cycle) {
    vectors.step();
    for (int lane = 0; lane < unit.lanes; ++lane) {
      const float x = operand_a.draw(random), y = operand_b.draw(random);
      vectors.set_bits(0, lane * unit.bits, operand_a.code(x), unit.bits);
      vectors.set_bits(1, lane * unit.bits, operand_b.code(y), unit.bits);
      sum += operand_a.value(x) * operand_b.value(y);
    }
    if (cycle % words == words - 1) {
      sums.push_back(sum);
      sum = 0;
    }
    if (bare) continue;
    const bool summing = cycle >= latency;
    const std::size_t place = summing ? (cycle - latency) % words : 0;
    vectors.set(2, 1);
    vectors.set(3, summing ? 1 : 0);
    vectors.set(4, place == 0 ? 1 : 0);
    // The sum is complete as the next one begins.
    vectors.set(5, cycle > latency && place == 0 ? 1 : 0);
    const bool shifting =
        cycle > latency + words && place >= 1 &&
        place <= static_cast<std::size_t>(drive.drain_shifts((cycle - latency) / words));
    vectors.set(6, shifting ? 1 : 0);
    if (shifting) {
      const auto pick = std::uniform_int_distribution<std::size_t>(0, sums.size() - 1)(random);
      set_wide(vectors, 7, drained(unit, sums[pick]));
    }
    if (unit.random_bits > 0) vectors.set(8, random());
  }
  return vectors;
}

}  // namespace solfege
