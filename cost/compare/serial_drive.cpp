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

namespace solfege {
namespace {

constexpr std::uint64_t kAllLanes = ~std::uint64_t{0};  // of a word; ports cut it

std::uint32_t top_code(int bits) { return (std::uint32_t{1} << bits) - 1; }

/// A module for pricing only, above these of rtl/.
UnitDesign priced(const std::string& name, const std::string& top,
                  const std::map<std::string, int>& parameters,
                  const std::vector<std::string>& modules, const std::string& clock) {
  UnitDesign d{name, top, parameters, rtl_paths(modules), clock};
  d.sources.push_back((share_folder() / "cost/energy/units" / (top + ".v")).string());
  return d;
}

/// Plane words of the lanes of one operand.
class PlaneWords {
 public:
  PlaneWords(const PlaneOperand& operand, int lanes)
      : operand_(operand), codes_(static_cast<std::size_t>(lanes)) {
    if (operand.codes.empty()) throw std::invalid_argument("an operand of planes has no codes");
  }
  void next(std::mt19937_64& random) {
    for (std::uint32_t& code : codes_)
      code = operand_.codes[std::uniform_int_distribution<std::size_t>(
          0, operand_.codes.size() - 1)(random)];
  }
  /// 64 lanes of a plane.
  std::uint64_t plane(int plane, int word) const {
    std::uint64_t bits = 0;
    const std::size_t first = 64 * static_cast<std::size_t>(word);
    for (std::size_t lane = first; lane < std::min(codes_.size(), first + 64); ++lane)
      bits |= std::uint64_t{codes_[lane] >> plane & 1} << (lane - first);
    return bits;
  }

 private:
  const PlaneOperand& operand_;
  std::vector<std::uint32_t> codes_;
};

/// The order of the array: for word, for column plane, for row plane.
class Sequence {
 public:
  Sequence(const PlaneOperand& row, const PlaneOperand& column, const SerialDrive& drive)
      : row_(row, drive.lanes),
        column_(column, drive.lanes),
        row_planes_(row.planes),
        column_planes_(column.planes),
        random_(drive.seed) {}
  void next() {
    if (++row_plane_ >= row_planes_) {
      row_plane_ = 0;
      if (++column_plane_ >= column_planes_) {
        column_plane_ = 0;
        row_.next(random_);
        column_.next(random_);
      }
    }
  }
  std::uint64_t row_word(int word) const { return row_.plane(row_plane_, word); }
  std::uint64_t column_word(int word) const { return column_.plane(column_plane_, word); }
  int shift() const { return row_plane_ + column_plane_; }
  /// Codes are summed in plane 0 of the other operand.
  bool counts(Element element) const {
    return (element != Element::kRowSum || column_plane_ == 0) &&
           (element != Element::kColumnSum || row_plane_ == 0);
  }
  std::mt19937_64& random() { return random_; }

 private:
  PlaneWords row_, column_;
  int row_planes_, column_planes_;
  int row_plane_ = 1 << 20, column_plane_ = 1 << 20;  // the first next() draws words
  std::mt19937_64 random_;
};

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
  SerialVectors v{Vectors(pe_inputs(drive.lanes, drive.accumulator_bits)), 0};
  const std::size_t lanes = static_cast<std::size_t>(drive.lanes);
  const std::size_t sum_cycles = std::max<std::size_t>(1, (drive.contraction + lanes - 1) / lanes) *
                                 static_cast<std::size_t>(row.planes * column.planes);
  const std::size_t sums =
      1 + std::max<std::size_t>(1, (drive.cycles + sum_cycles - 1) / sum_cycles);
  v.warm_up = sum_cycles + 1;
  Sequence sequence(row, column, drive);
  bool counts = false;
  int last_shift = 0;
  std::int64_t sum = 0;
  std::vector<std::int64_t> drained = {0};
  for (std::size_t cycle = 0; cycle < sums * sum_cycles + 1; ++cycle) {
    sequence.next();
    v.element.step();
    int count = 0;
    for (int w = 0; w < v.element.words(PePort::kA); ++w) {
      const std::uint64_t a = element == Element::kColumnSum ? kAllLanes : sequence.row_word(w);
      const std::uint64_t b = element == Element::kRowSum ? kAllLanes : sequence.column_word(w);
      v.element.set(PePort::kA, a, w);
      v.element.set(PePort::kB, b, w);
      count += __builtin_popcountll(a & b);
    }
    // The second stage, a cycle later, has the shift of the words before.
    const std::size_t place = (cycle + sum_cycles - 1) % sum_cycles;
    v.element.set(PePort::kSumEnable, counts ? 1 : 0);
    counts = sequence.counts(element);
    v.element.set(PePort::kCountEnable, counts ? 1 : 0);
    v.element.set(PePort::kSumClear, place == 0 ? 1 : 0);
    v.element.set(PePort::kNegate, 0);
    v.element.set(PePort::kShift, static_cast<std::uint64_t>(last_shift));
    v.element.set(PePort::kCapture, cycle > 1 && place == 0 ? 1 : 0);
    const bool shifting =
        cycle > sum_cycles && place >= 1 && place <= static_cast<std::size_t>(drive.drain_shifts);
    v.element.set(PePort::kDrainShift, shifting ? 1 : 0);
    if (shifting)
      v.element.set(PePort::kDrain,
                    static_cast<std::uint64_t>(drained[std::uniform_int_distribution<std::size_t>(
                        0, drained.size() - 1)(sequence.random())]));
    last_shift = sequence.shift();
    if (counts) sum += static_cast<std::int64_t>(count) << last_shift;
    if (cycle % sum_cycles == sum_cycles - 1) {
      drained.push_back(sum);
      sum = 0;
    }
  }
  return v;
}

Vectors word_vectors(const PlaneOperand& row, const PlaneOperand& column,
                     const SerialDrive& drive) {
  Vectors v({{"a_i", drive.lanes}, {"b_i", drive.lanes}});
  Sequence sequence(row, column, drive);
  for (std::size_t cycle = 0; cycle < drive.cycles; ++cycle) {
    sequence.next();
    v.step();
    for (int w = 0; w < v.words(0); ++w) {
      v.set(0, sequence.row_word(w), w);
      v.set(1, sequence.column_word(w), w);
    }
  }
  return v;
}

Vectors register_vectors(const Vectors& from, std::size_t port) {
  const int width = from.ports()[port].width;
  Vectors v({{"enable_i", 1}, {"mask_i", width}, {"word_i", width}});
  for (std::size_t cycle = 0; cycle < from.cycles(); ++cycle) {
    v.step();
    v.set(0, 1);
    for (int word = 0; word < v.words(1); ++word) {
      v.set(1, kAllLanes, word);
      v.set(2, from.get(cycle, port, word), word);
    }
  }
  return v;
}

UnitDesign processing_element(int lanes, int accumulator_bits) {
  return priced(fmt::format("pe_{}", lanes), "sf_unit_pe",
                {{"Lanes", lanes}, {"AccumulatorBits", accumulator_bits}},
                {"sf_pe", "sf_popcount", "sf_popcount_adders", "sf_full_adder", "sf_half_adder"},
                "clk_i");
}

UnitDesign and_popcount(int lanes) {
  return priced(fmt::format("and_popcount_{}", lanes), "sf_unit_and_popcount", {{"Lanes", lanes}},
                {"sf_popcount", "sf_popcount_adders", "sf_full_adder", "sf_half_adder"}, "");
}

UnitDesign operand_register(int bits) {
  return priced(fmt::format("operand_register_{}", bits), "sf_unit_operand_register",
                {{"Lanes", bits}}, {}, "clk_i");
}

}  // namespace solfege
