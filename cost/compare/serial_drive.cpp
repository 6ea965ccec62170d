// SPDX-License-Identifier: Apache-2.0
#include "cost/compare/serial_drive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

#include "cost/compare/training_values.hpp"
#include "cost/energy/units.hpp"
#include "model/base/share.hpp"
#include "model/spec/pipeline.hpp"
#include "model/spec/plane_pairs.hpp"

namespace solfege {
namespace {

std::uint32_t top_code(int bits) { return (std::uint32_t{1} << bits) - 1; }

/// Words of a sum's operand, of any plane.
class PlaneWords {
 public:
  PlaneWords(const PlaneOperand& operand, int lanes, std::size_t words)
      : operand_(operand),
        lanes_(static_cast<std::size_t>(lanes)),
        codes_(words * static_cast<std::size_t>(lanes)) {
    if (operand.codes.empty()) throw std::invalid_argument("an operand of planes has no codes");
  }
  void next(std::mt19937_64& random) {
    for (std::uint32_t& code : codes_)
      code = operand_.codes[std::uniform_int_distribution<std::size_t>(
          0, operand_.codes.size() - 1)(random)];
  }
  LaneWord plane(std::uint32_t plane, std::size_t word) const {
    LaneWord bits{};
    for (std::size_t lane = 0; lane < lanes_; ++lane)
      bits[lane / 64] |= std::uint64_t{codes_[word * lanes_ + lane] >> plane & 1} << lane % 64;
    return bits;
  }

 private:
  const PlaneOperand& operand_;
  std::size_t lanes_;
  std::vector<std::uint32_t> codes_;
};

LaneWord all_lanes(int lanes) {
  LaneWord word{};
  for (std::size_t lane = 0; lane < static_cast<std::size_t>(lanes); ++lane)
    word[lane / 64] |= std::uint64_t{1} << lane % 64;
  return word;
}

int ones(const LaneWord& a, const LaneWord& b) {
  int count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += __builtin_popcountll(a[i] & b[i]);
  return count;
}

/// Unsigned operands: nothing weighs negatively.
std::vector<PlanePair> pairs_of(const PlaneOperand& row, const PlaneOperand& column,
                                const Config& config) {
  Descriptor d;
  d.row_planes = static_cast<std::uint32_t>(row.planes);
  d.column_planes = static_cast<std::uint32_t>(column.planes);
  return plane_pairs(d, config.planes);
}

}  // namespace

PlaneOperand activation_codes(const std::vector<float>& values, int bits) {
  PlaneOperand o{{}, bits};
  for (const float v : values)
    o.codes.push_back(static_cast<std::uint32_t>(
        std::floor(std::clamp(v, 0.0f, 1.0f) * static_cast<float>(top_code(bits)) + 0.5f)));
  return o;
}

PlaneOperand weight_codes(const std::vector<float>& values, int bits) {
  PlaneOperand o{{}, bits};
  const double limit = std::tanh(double{largest_magnitude(values.data(), values.size())});
  for (const float v : values) {
    if (bits == 1 || limit == 0)
      o.codes.push_back(v >= 0 ? top_code(bits) - (bits == 1 ? 0 : top_code(bits - 1))
                               : top_code(bits - 1));
    else
      o.codes.push_back(static_cast<std::uint32_t>(std::floor(
          top_code(bits) * (std::tanh(static_cast<double>(v)) / (2 * limit) + 0.5) + 0.5)));
  }
  return o;
}

PlaneOperand gradient_codes(const std::vector<float>& values, int bits, std::uint64_t seed) {
  PlaneOperand o{{}, bits};
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> noise;
  const double limit = std::max<double>(largest_magnitude(values.data(), values.size()), 1e-300);
  for (const float v : values)
    o.codes.push_back(
        std::min(top_code(bits), static_cast<std::uint32_t>(std::floor(
                                     top_code(bits) * (v + limit) / (2 * limit) + noise(random)))));
  return o;
}

PlaneOperand uniform_codes(int bits) {
  PlaneOperand o{{}, bits};
  for (std::uint32_t code = 0; code <= top_code(bits); ++code) o.codes.push_back(code);
  return o;
}

SerialVectors serial_vectors(const PlaneOperand& row, const PlaneOperand& column, Element element,
                             const SerialDrive& drive) {
  const Config& c = drive.config;
  SerialVectors v{Vectors(pe_inputs(c.planes, c.lanes, c.accumulator_bits)), 0};
  const std::vector<PlanePair> pairs = pairs_of(row, column, c);
  const auto lanes = static_cast<std::size_t>(c.lanes);
  const std::size_t words = std::max<std::size_t>(1, (drive.contraction + lanes - 1) / lanes);
  const std::size_t sum_cycles = words * pairs.size();
  const std::size_t sums =
      1 + std::max<std::size_t>(1, (drive.cycles + sum_cycles - 1) / sum_cycles);
  v.warm_up = sum_cycles + 1;
  std::mt19937_64 random(drive.seed);
  PlaneWords rows(row, c.lanes, words), columns(column, c.lanes, words);
  std::vector<std::int64_t> drained = {0};
  std::int64_t low = 0, high = 0;
  std::size_t summed = 0;  // words since the last flush
  bool clear = true, flush = false, first = true, complete = false;
  std::uint32_t shift = 0;
  int shifts_left = 0;
  for (std::size_t sum = 0; sum < sums; ++sum) {
    rows.next(random);
    columns.next(random);
    for (std::size_t pair = 0; pair < pairs.size(); ++pair)
      for (std::size_t word = 0; word < words; ++word) {
        const PlanePair& p = pairs[pair];
        std::vector<LaneWord> row_words(static_cast<std::size_t>(c.planes));
        for (std::uint32_t plane = 0; plane < p.row_planes; ++plane)
          row_words[plane] = rows.plane(p.row_plane + plane, word);
        LaneWord column_word = columns.plane(p.column_plane, word);
        if (element == Element::kRowSum)
          column_word = p.column_plane == 0 ? all_lanes(c.lanes) : LaneWord{};
        if (element == Element::kColumnSum) {
          std::fill(row_words.begin(), row_words.end(), LaneWord{});
          if (p.row_plane == 0) row_words[0] = all_lanes(c.lanes);
        }
        v.element.step();
        set_planes(&v.element, PePort::kRows, c.lanes, row_words);
        for (int i = 0; i < v.element.words(PePort::kColumn); ++i)
          v.element.set(PePort::kColumn, column_word[static_cast<std::size_t>(i)], i);
        v.element.set(PePort::kLowClear, clear ? 1 : 0);
        // The flush of the words before, and the drain of the sum before
        v.element.set(PePort::kFlush, flush ? 1 : 0);
        v.element.set(PePort::kHighClear, first ? 1 : 0);
        v.element.set(PePort::kNegate, 0);
        v.element.set(PePort::kShift, shift);
        v.element.set(PePort::kCapture, complete ? 1 : 0);
        if (complete) {
          drained.push_back(high);
          shifts_left = element == Element::kColumnSum ? 0 : drive.drain_shifts(sum);
        }
        complete = flush && pair == 0 && word == 0;  // the last flush of a sum
        if (flush) {
          high = (first ? 0 : high) + (low << shift);
          first = complete;
        }
        const bool shifting =
            shifts_left > 0 && v.element.get(v.element.cycles() - 1, PePort::kCapture, 0) == 0;
        v.element.set(PePort::kDrainShift, shifting ? 1 : 0);
        if (shifting) {
          --shifts_left;
          v.element.set(PePort::kDrain, static_cast<std::uint64_t>(
                                            drained[std::uniform_int_distribution<std::size_t>(
                                                0, drained.size() - 1)(random)]));
        }
        if (clear) low = 0;
        for (std::size_t plane = 0; plane < row_words.size(); ++plane)
          low += std::int64_t{ones(row_words[plane], column_word)} << plane;
        flush = (word + 1 == words && p.flush) || ++summed == kLowWords;
        if (flush) summed = 0;
        clear = flush;
        shift = p.row_plane + p.column_plane;
      }
  }
  v.element.step();  // the last flush
  for (int i = 0; i < v.element.words(PePort::kColumn); ++i) v.element.set(PePort::kColumn, 0, i);
  v.element.set(PePort::kLowClear, 0);
  v.element.set(PePort::kFlush, 1);
  v.element.set(PePort::kShift, shift);
  v.element.set(PePort::kCapture, 0);
  v.element.set(PePort::kDrainShift, 0);
  v.element.step();  // the last capture
  v.element.set(PePort::kFlush, 0);
  v.element.set(PePort::kCapture, 1);
  return v;
}

Vectors word_vectors(const PlaneOperand& row, const PlaneOperand& column,
                     const SerialDrive& drive) {
  const Config& c = drive.config;
  Vectors v(cost_unit("accumulate", c, "").inputs);
  const std::vector<PlanePair> pairs = pairs_of(row, column, c);
  std::mt19937_64 random(drive.seed);
  PlaneWords rows(row, c.lanes, 1), columns(column, c.lanes, 1);
  for (std::size_t cycle = 0; cycle < drive.cycles; ++cycle) {
    const PlanePair& p = pairs[cycle % pairs.size()];
    if (cycle % pairs.size() == 0) {
      rows.next(random);
      columns.next(random);
    }
    std::vector<LaneWord> row_words(static_cast<std::size_t>(c.planes));
    for (std::uint32_t plane = 0; plane < p.row_planes; ++plane)
      row_words[plane] = rows.plane(p.row_plane + plane, 0);
    v.step();
    set_planes(&v, 0, c.lanes, row_words);
    const LaneWord column_word = columns.plane(p.column_plane, 0);
    for (int i = 0; i < v.words(1); ++i) v.set(1, column_word[static_cast<std::size_t>(i)], i);
  }
  return v;
}

std::size_t pair_count(const PlaneOperand& row, const PlaneOperand& column, const Config& config) {
  return pairs_of(row, column, config).size();
}

Vectors register_vectors(const Vectors& from, std::size_t port) {
  const int width = from.ports()[port].width;
  Vectors v({{"enable_i", 1}, {"mask_i", width}, {"word_i", width}, {"use_i", 1}});
  for (std::size_t cycle = 0; cycle < from.cycles(); ++cycle) {
    v.step();
    v.set(0, 1);
    v.set(3, 1);
    for (int word = 0; word < v.words(1); ++word) {
      v.set(1, ~std::uint64_t{0}, word);
      v.set(2, from.get(cycle, port, word), word);
    }
  }
  return v;
}

UnitDesign operand_register(int bits, bool isolated) {
  UnitDesign d{fmt::format("operand_register_{}{}", bits, isolated ? "_isolated" : ""),
               "sf_unit_operand_register",
               {{"Lanes", bits}, {"Isolated", isolated ? 1 : 0}},
               {},
               "clk_i"};
  d.sources.push_back((share_folder() / "cost/energy/units" / (d.top + ".v")).string());
  return d;
}

}  // namespace solfege
