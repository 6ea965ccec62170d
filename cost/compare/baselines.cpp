// SPDX-License-Identifier: Apache-2.0
#include "cost/compare/baselines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <set>
#include <stdexcept>

#include "cost/compare/training_values.hpp"
#include "gen/adder_tree.hpp"
#include "model/base/cache.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"
#include "model/base/share.hpp"

namespace solfege {
namespace {

constexpr int kWideWord = 64;
constexpr int kGrowthBits = 16;  ///< of accumulators: a sum has up to 65536 products

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
      : values_(values), bits_(unit.bits), is_float_(unit.is_float()) {
    if (values.empty()) throw std::invalid_argument("a baseline's operand has no values");
    if (!is_float_)
      limit_ = best_limit(values, bits_);
    else if (const float largest = largest_magnitude(values.data(), values.size()); largest > 0)
      scale_ = bits_ == 8 ? e4m3_value(0x7e) / largest : 1;
  }
  float draw(std::mt19937_64& random) const {
    return values_[std::uniform_int_distribution<std::size_t>(0, values_.size() - 1)(random)];
  }
  std::uint64_t code(float x) const {
    if (is_float_) return bits_ == 8 ? e4m3_bits(x * scale_) : bfloat_bits(x);
    return static_cast<std::uint64_t>(symmetric_code(x, limit_, bits_));
  }
  double value(float x) const {  // what the unit sums
    return is_float_ ? double{x} * scale_ : static_cast<double>(symmetric_code(x, limit_, bits_));
  }

 private:
  const std::vector<float>& values_;
  int bits_;
  bool is_float_;
  double limit_ = 1;
  float scale_ = 1;
};

/// A drained neighbour's sum, in the unit's format; single precision cut to shorter fractions.
std::int64_t drained(const BaselineUnit& unit, double sum) {
  if (!unit.is_float()) return static_cast<std::int64_t>(sum);
  if (unit.kind == BaselineUnit::Kind::kFusedDot) {
    // {exponent, integer} as sf_fused_dot has them, at the exponent that normalises the integer
    const int exponent = sum == 0 ? 0 : std::ilogb(sum);
    const int field = exponent + (unit.bits == 16 ? 2 * 127 : 2 * 7) - 1;
    const auto integer = static_cast<std::int64_t>(std::ldexp(sum, kFusedPlaces - 1 - exponent));
    constexpr int kIntegerBits = kFusedPlaces + kGrowthBits + 1;
    return std::int64_t{field} << kIntegerBits |
           (integer & ((std::int64_t{1} << kIntegerBits) - 1));
  }
  const auto value = static_cast<float>(sum);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits >> (32 - unit.accumulator_bits);
}

/// Names of bits by weight whose sum, modulo 2^accumulator_bits, is a sum with the products of two
/// operands' lanes: Baugh and Wooley's, as in sf_multiplier.
std::vector<std::vector<std::string>> product_bits(const BaselineUnit& u) {
  const int top = u.bits - 1;
  std::vector<std::vector<std::string>> columns(static_cast<std::size_t>(u.accumulator_bits));
  const auto add = [&](int weight, const std::string& bit) {
    columns.at(static_cast<std::size_t>(weight)).push_back(bit);
  };
  for (int lane = 0; lane < u.lanes; ++lane)
    for (int i = 0; i < u.bits; ++i)
      for (int j = 0; j < u.bits; ++j)
        add(i + j, fmt::format("{}(a_i[{}] & b_i[{}])", (i == top) != (j == top) ? "~" : "",
                               lane * u.bits + i, lane * u.bits + j));
  const std::uint64_t constant = static_cast<std::uint64_t>(u.lanes) *
                                 ((std::uint64_t{2} << top) - (std::uint64_t{1} << (2 * top + 1)));
  for (int weight = 0; weight < u.accumulator_bits; ++weight) {
    add(weight, fmt::format("kept[{}]", weight));
    if (constant >> weight & 1) add(weight, "1'b1");
  }
  return columns;
}

}  // namespace

BaselineUnit integer_mac(int bits, int lanes) {
  BaselineUnit u{fmt::format("int{}{}", bits, lanes == 1 ? "" : fmt::format(" x {}", lanes)),
                 BaselineUnit::Kind::kIntegerMac, bits, lanes, 2 * bits + kGrowthBits};
  u.design = {
      fmt::format("int{}_mac{}", bits, lanes == 1 ? "" : fmt::format("_x{}", lanes)),
      "sf_integer_mac",
      {{"ABits", bits}, {"BBits", bits}, {"Lanes", lanes}, {"AccumulatorBits", u.accumulator_bits}},
      sources({"sf_integer_mac", "sf_multiplier", "sf_column_adder"}),
      "clk_i"};
  return u;
}

BaselineUnit merged_mac(int bits, int lanes, const std::string& cache_directory) {
  BaselineUnit u = integer_mac(bits, lanes);
  u.name += ", merged sum";
  u.kind = BaselineUnit::Kind::kMergedMac;
  const std::string text = fmt::format(
      R"(// Sum of products of signed integers: sum_q += sum over lanes of a[lane] * b[lane], once a cycle.
// The sum is complete a cycle after its last operands.
`default_nettype none
module sf_merged_mac (
    input  wire clk_i,
    input  wire [{0}:0] a_i,
    input  wire [{0}:0] b_i,
    input  wire sum_clear_i,    // start a new sum
    input  wire capture_i,      // copy the sum for draining
    input  wire drain_shift_i,  // pass the captured sums along the column
    input  wire [{1}:0] drain_i,
    output wire [{1}:0] drain_o
);
  reg  [{1}:0] sum_q, drain_q;
  wire [{1}:0] kept = sum_q & {{{2}{{~sum_clear_i}}}};
  wire [{1}:0] sum;
{3}
  always @(posedge clk_i) begin
    if (capture_i) drain_q <= sum_q;
    else if (drain_shift_i) drain_q <= drain_i;
    sum_q <= sum;
  end
  assign drain_o = drain_q;
endmodule
`default_nettype wire
)",
      bits * lanes - 1, u.accumulator_bits - 1, u.accumulator_bits,
      adder_tree_cells(product_bits(u), "sum"));
  const std::filesystem::path folder = cached_folder(
      cache_directory, "baseline-" + content_hash({text}),
      [&](const std::filesystem::path& part) { write_file(part / "sf_merged_mac.v", text); });
  u.design = {u.design.name + "_merged", "sf_merged_mac", {}, sources({}), "clk_i"};
  u.design.sources.push_back((folder / "sf_merged_mac.v").string());
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

BaselineUnit fused_dot(int bits, int lanes) {
  const int exponent_bits = bits == 16 ? 8 : 4, fraction_bits = bits == 16 ? 7 : 3;
  BaselineUnit u{fmt::format("{} x {}, fused", bits == 16 ? "bf16" : "fp8 e4m3", lanes),
                 BaselineUnit::Kind::kFusedDot, bits, lanes,
                 exponent_bits + 1 + kFusedPlaces + kGrowthBits + 1};
  u.design = {fmt::format("fused_dot_{}_x{}", bits, lanes),
              "sf_fused_dot",
              {{"ExponentBits", exponent_bits},
               {"FractionBits", fraction_bits},
               {"Lanes", lanes},
               {"Places", kFusedPlaces},
               {"GrowthBits", kGrowthBits}},
              sources({"sf_fused_dot", "sf_multiplier", "sf_column_adder"}),
              "clk_i"};
  return u;
}

std::vector<BaselineUnit> baseline_units(int word_bits, const std::string& cache_directory) {
  std::vector<BaselineUnit> units = {integer_multiplier(4), integer_mac(4), integer_mac(8),
                                     integer_mac(16)};
  for (const int word : std::set<int>{word_bits, kWideWord})
    for (const int bits : {2, 4, 8}) {
      if (word / bits < 2) continue;
      units.push_back(integer_mac(bits, word / bits));
      units.push_back(merged_mac(bits, word / bits, cache_directory));
    }
  units.push_back(bfloat_mac(23));
  units.push_back(bfloat_mac(7, 8));
  units.push_back(fused_dot(16, kWideWord / 16));
  units.push_back(fused_dot(8, kWideWord / 8));
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

float e4m3_value(std::uint8_t code) {
  const int exponent = code >> 3 & 15, fraction = code & 7;
  const int significand = exponent == 0 ? fraction : 8 + fraction;
  return std::copysign(std::ldexp(static_cast<float>(significand), std::max(exponent, 1) - 10),
                       (code & 0x80) != 0 ? -1.0f : 1.0f);
}

std::uint8_t e4m3_bits(float x) {
  constexpr int kLargest = 0x7e;  // 448; the code above is NaN
  // Codes of positive numbers are in their order.
  int code = 0;
  while (code < kLargest && e4m3_value(static_cast<std::uint8_t>(code + 1)) <= std::abs(x)) ++code;
  if (code < kLargest) {
    const double below = std::abs(x) - double{e4m3_value(static_cast<std::uint8_t>(code))};
    const double above = e4m3_value(static_cast<std::uint8_t>(code + 1)) - double{std::abs(x)};
    if (above < below || (above == below && code % 2 == 1)) ++code;
  }
  return static_cast<std::uint8_t>(code | (std::signbit(x) ? 0x80 : 0));
}

Vectors baseline_vectors(const BaselineUnit& unit, const std::vector<float>& a,
                         const std::vector<float>& b, const SumDrive& drive) {
  std::mt19937_64 random(drive.seed);
  const bool bare = unit.kind == BaselineUnit::Kind::kMultiplier;
  std::vector<Vectors::Port> ports = {{"a_i", unit.lanes * unit.bits},
                                      {"b_i", unit.lanes * unit.bits}};
  const bool merged = unit.kind == BaselineUnit::Kind::kMergedMac;
  const bool fused = unit.kind == BaselineUnit::Kind::kFusedDot;
  const bool enables = !merged && !fused;
  if (!bare) {
    if (enables) ports.insert(ports.end(), {{"product_enable_i", 1}, {"sum_enable_i", 1}});
    for (const char* name : {"sum_clear_i", "capture_i", "drain_shift_i"})
      ports.push_back({name, 1});
    ports.push_back({"drain_i", unit.accumulator_bits});
  }
  if (unit.kind == BaselineUnit::Kind::kBfloatMac)
    ports.push_back({"random_i", std::max(1, unit.random_bits)});
  Vectors vectors(ports);
  const Operand operand_a(a, unit), operand_b(b, unit);

  const std::size_t lanes = static_cast<std::size_t>(unit.lanes);
  const std::size_t words = std::max<std::size_t>(1, (drive.contraction + lanes - 1) / lanes);
  // Registers between the multiplier and the sum
  const std::size_t latency = merged ? 0 : fused ? 2 : 1;
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
    if (enables) {
      vectors.set(vectors.port("product_enable_i"), 1);
      vectors.set(vectors.port("sum_enable_i"), summing ? 1 : 0);
    }
    vectors.set(vectors.port("sum_clear_i"), place == 0 ? 1 : 0);
    // The sum is complete as the next one begins.
    vectors.set(vectors.port("capture_i"), cycle > latency && place == 0 ? 1 : 0);
    const bool shifting =
        cycle > latency + words && place >= 1 &&
        place <= static_cast<std::size_t>(drive.drain_shifts((cycle - latency) / words));
    vectors.set(vectors.port("drain_shift_i"), shifting ? 1 : 0);
    if (shifting) {
      const auto pick = std::uniform_int_distribution<std::size_t>(0, sums.size() - 1)(random);
      set_wide(vectors, vectors.port("drain_i"), drained(unit, sums[pick]));
    }
    if (unit.random_bits > 0) vectors.set(vectors.port("random_i"), random());
  }
  return vectors;
}

}  // namespace solfege
