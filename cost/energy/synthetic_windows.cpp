// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "cost/energy/energy_fit.hpp"
#include "cost/energy/reduce_lane.hpp"
#include "cost/energy/units.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/training.hpp"

namespace solfege {
namespace {

constexpr std::size_t kCycles = 64;

class Maker {
 public:
  Maker(const Config& config, const std::string& unit, std::uint64_t seed)
      : c_(config), unit_(unit), ports_(cost_unit(unit, config, "").inputs), random_(seed) {}

  UnitWindow make() {
    if (unit_ == "and_popcount") return popcount();
    if (unit_ == "pe") return element();
    if (unit_ == "operand_register") return operand_register();
    if (unit_ == "correction") return correction();
    if (unit_ == "stream_lane") return lane();
    if (unit_ == "reduce") return reduce();
    if (unit_ == "random_shared" || unit_ == "random_private") return numbers();
    return quantizer();
  }

 private:
  int in(int low, int high) {
    return low + static_cast<int>(random_.next() % static_cast<std::uint64_t>(high - low + 1));
  }
  double uniform() { return random_.uniform(); }
  bool chance(double p) { return uniform() < p; }
  UnitWindow window() const { return {unit_, kSyntheticMode, Vectors(ports_), 1, kCycles}; }

  /// A word whose bits are 1 with a probability and take a new value with another.
  struct Stream {
    double density, renewal;
    std::vector<std::uint64_t> words;
  };
  Stream stream(int width) {
    const double kind = uniform();  // random words, held ones, or between
    Stream s{0.02 + 0.96 * uniform(), kind < 0.3 ? 1.0 : kind < 0.5 ? 0.0 : uniform(), {}};
    s.words.resize(static_cast<std::size_t>((width + 63) / 64));
    for (auto& word : s.words)
      for (int bit = 0; bit < 64; ++bit)
        word |= static_cast<std::uint64_t>(chance(s.density)) << bit;
    return s;
  }
  void advance(Stream* s) {
    for (auto& word : s->words)
      for (int bit = 0; bit < 64; ++bit)
        if (chance(s->renewal))
          word = (word & ~(std::uint64_t{1} << bit)) |
                 static_cast<std::uint64_t>(chance(s->density)) << bit;
  }
  static void put(Vectors* v, std::size_t port, const Stream& s) {
    for (std::size_t w = 0; w < s.words.size(); ++w)
      if (static_cast<int>(64 * w) < v->ports()[port].width)
        v->set(port, s.words[w], static_cast<int>(w));
  }
  /// Signed values of about this many bits, bell-shaped, that follow one another more or less.
  struct Values {
    double deviation, memory, now;
    double zeros;
  };
  Values values(int low_bits, int high_bits) {
    return {std::exp2(in(low_bits, high_bits)), chance(0.5) ? 0.0 : 0.95 * uniform(), 0,
            chance(0.7) ? 0.0 : uniform()};
  }
  std::int64_t next(Values* v, int bits) {
    double sum = 0;
    for (int i = 0; i < 6; ++i) sum += uniform() - 0.5;
    v->now = v->memory * v->now +
             std::sqrt(1 - v->memory * v->memory) * v->deviation * sum * std::sqrt(2.0);
    if (chance(v->zeros)) return 0;
    const double limit = std::exp2(bits - 1) - 1;
    return static_cast<std::int64_t>(std::clamp(v->now, -limit, limit));
  }

  UnitWindow popcount() {
    UnitWindow w = window();
    Stream a = stream(c_.lanes), b = stream(c_.lanes);
    for (std::size_t t = 0; t <= kCycles; ++t) {
      w.vectors.step();
      put(&w.vectors, 0, a);
      put(&w.vectors, 1, b);
      advance(&a);
      advance(&b);
    }
    return w;
  }

  UnitWindow element() {
    UnitWindow w = window();
    Vectors& v = w.vectors;
    Stream a = stream(c_.lanes), b = stream(c_.lanes);
    const int planes = in(1, 8), length = in(4, 200);
    const bool xnor = chance(0.3), drains = chance(0.6);
    const double negative = chance(0.5) ? 0 : 0.5 * uniform();
    Values drained = values(6, c_.accumulator_bits - 6);
    // Sums of some length are there from the start
    w.warm_up = static_cast<std::size_t>(in(1, 40));
    const int holds = in(1, 4);
    for (std::size_t t = 0; t < w.warm_up + kCycles; ++t) {
      const int n = static_cast<int>(t);
      v.step();
      put(&v, 0, a);
      put(&v, 1, b);
      v.set(2, xnor);
      v.set(3, 1);
      v.set(4, t > 0);
      v.set(5, n % length <= 1);
      v.set(6, chance(negative));
      v.set(7, static_cast<std::uint64_t>(n % planes + n / planes % planes));
      v.set(8, drains && n % length == 2);
      v.set(9, drains && n % length > 2 && n % holds == 0);
      if (n % holds == 0)
        v.set(10, static_cast<std::uint64_t>(next(&drained, c_.accumulator_bits)));
      advance(&a);
      // One operand often stays while planes of the other pass
      if (n % planes == planes - 1) advance(&b);
    }
    return w;
  }

  UnitWindow operand_register() {
    UnitWindow w = window();
    Stream word = stream(c_.lanes);
    const double moves = chance(0.5) ? 1 : uniform();
    const std::uint64_t ragged = (std::uint64_t{1} << in(1, std::min(63, c_.lanes))) - 1;
    w.actions = 0;
    for (std::size_t t = 0; t <= kCycles; ++t) {
      w.vectors.step();
      const bool enable = chance(moves);
      w.vectors.set(0, enable);
      put(&w.vectors, 1, word);
      const bool tail = chance(0.1);
      for (int i = 0; i < (c_.lanes + 63) / 64; ++i)
        w.vectors.set(2, !tail ? ~std::uint64_t{0} : i == 0 ? ragged : 0, i);
      advance(&word);
      w.actions += t > 0 && enable;
    }
    return w;
  }

  UnitWindow correction() {
    UnitWindow w = window();
    const int bits = c_.accumulator_bits, type = in(0, 3);
    // The array's sums: about half of a row's or column's sum of ones, positive with unsigned
    // planes
    const bool positive = chance(0.5);
    const int size = in(3, bits - 10);
    Values noise = values(std::max(1, size - 4), size), row = values(size, size),
           column = values(size, size);
    const int holds = in(1, 4);
    const auto lanes = static_cast<std::uint64_t>(in(1, 1 << std::min(20, size)));
    std::int64_t row_sum = 0, column_sum = 0;
    for (std::size_t t = 0; t <= kCycles; ++t) {
      auto draw = [&](Values* v) {
        const std::int64_t value = next(v, bits - 3);
        return positive ? std::abs(value) : value;
      };
      if (t % static_cast<std::size_t>(holds) == 0) row_sum = draw(&row);
      if (t % static_cast<std::size_t>(holds) == 0 || holds == 1) column_sum = draw(&column);
      const std::int64_t middle = type == 1 ? row_sum / 2 : type == 2 ? column_sum / 2 : 0;
      w.vectors.step();
      w.vectors.set(0, static_cast<std::uint64_t>(type) >> 1);
      w.vectors.set(1, static_cast<std::uint64_t>(type) & 1);
      w.vectors.set(2, static_cast<std::uint64_t>(middle + draw(&noise)));
      w.vectors.set(3, static_cast<std::uint64_t>(row_sum));
      w.vectors.set(4, static_cast<std::uint64_t>(column_sum));
      w.vectors.set(5, lanes);
    }
    return w;
  }

  LaneInputs settings() {
    LaneInputs s;
    s.go = 1;
    s.scale_x_source = static_cast<std::uint64_t>(in(0, 2));
    s.z_enable = chance(0.6);
    s.scale_z_source = s.z_enable && chance(0.3);
    s.offset_enable = chance(0.4);
    s.tanh_enable = s.z_enable && chance(0.2);
    s.mask_enable = s.z_enable && chance(0.3);
    s.z_tagged = s.z_enable && chance(0.3);
    s.route_enable = s.z_tagged && chance(0.5);
    s.accumulate_enable = chance(0.25);
    s.pool_enable = !s.accumulate_enable && chance(0.2);
    s.drop_enable = chance(0.1);
    s.drop_threshold = static_cast<std::uint64_t>(in(0, 65535));
    s.narrow = chance(0.6);
    s.scale_x = chance(0.4) ? 1 : static_cast<std::uint64_t>(in(-32767, 32767));
    s.scale_z = static_cast<std::uint64_t>(chance(0.4) ? 1 << in(0, 14) : in(0, 65535));
    s.shift_x = s.scale_x == 1 && chance(0.5) ? 0 : static_cast<std::uint64_t>(in(0, 20));
    s.shift_z = static_cast<std::uint64_t>(in(0, 16));
    s.pack_enable = chance(0.6);
    s.quantizer = s.pack_enable ? static_cast<std::uint64_t>(in(0, 3)) : 0;
    s.quantizer_bits = static_cast<std::uint64_t>(in(1, 8));
    s.threshold_per_channel =
        chance(0.7) && static_cast<int>(s.quantizer_bits) <= c_.activation_bits;
    return s;
  }

  UnitWindow lane() {
    const LaneShape shape(c_);
    const LaneInputs pass = settings();
    LaneInputs loading;
    loading.go = loading.scale_x = 1;
    std::vector<LaneItem> items;
    const int chunks = std::min(in(1, 4), shape.table_rows);
    const int y_bits = pass.narrow ? in(3, 15) : in(6, 26);
    auto load = [&](std::int64_t value, std::uint32_t write, int row, int node) {
      LaneItem item;
      item.settings = loading;
      item.x = static_cast<std::uint64_t>(value);
      item.table_write = write;
      item.table_row = static_cast<std::uint32_t>(row);
      item.node = static_cast<std::uint32_t>(node);
      items.push_back(item);
    };
    for (int chunk = 0; chunk < chunks; ++chunk) {
      const int bound = 1 << in(2, 15);
      for (std::uint32_t t = 0; t < 3; ++t) load(in(-bound, bound), 1u << t, chunk, 0);
      load(in(-bound, bound / 2), 8, chunk, 0);
      load(in(-bound / 2, bound), 16, chunk, 0);
      if (pass.quantizer != number(Quantizer::kThreshold) ||
          (chunk > 0 && !pass.threshold_per_channel))
        continue;
      const int nodes = (1 << pass.quantizer_bits) - 1;
      for (int node = 1; node <= nodes; ++node)
        load(static_cast<std::int64_t>(threshold(node) * 4 * std::exp2(y_bits - 1)), 0, chunk,
             node);
    }
    LaneItem bubble;
    bubble.settings = loading;
    for (int i = 0; i < 9; ++i) items.push_back(bubble);

    // x so that y has about y_bits, where that can be
    const double gain =
        std::log2(
            std::max(1.0, std::abs(static_cast<double>(static_cast<std::int16_t>(pass.scale_x))))) -
        static_cast<double>(pass.shift_x);
    const int x_bits =
        std::clamp(static_cast<int>(y_bits - gain), 2, pass.accumulate_enable ? 30 : 26);
    Values x = values(std::max(1, x_bits - 2), x_bits);
    Values z = values(2, pass.z_tagged ? 14 : 24);
    const int positions = std::max(2, std::min(shape.positions, in(2, 16)));
    const int places = std::max(2, std::min(shape.places, in(2, 64))), visits = in(2, 4);
    const int run = in(1, 16);
    std::uint32_t sample = static_cast<std::uint32_t>(in(1, 32767));
    const std::size_t warm = items.size() + 20;
    for (std::size_t n = 0; n < 20 + kCycles; ++n) {
      const int t = static_cast<int>(n);
      if (t % run == 0) sample = static_cast<std::uint32_t>(in(1 << in(0, 12), 32767));
      LaneItem item;
      item.settings = pass;
      item.moves = true;
      item.x = static_cast<std::uint64_t>(next(&x, shape.value_bits));
      item.z = static_cast<std::uint32_t>(next(&z, pass.z_tagged ? 16 : 32));
      if (pass.z_tagged) item.z = (item.z & 0xffff) | static_cast<std::uint32_t>(in(0, 3)) << 16;
      item.chunk = static_cast<std::uint32_t>(t / run % chunks);
      item.route_index = static_cast<std::uint32_t>(t / places % 4);
      item.pool_index = static_cast<std::uint32_t>(t / places % visits);
      item.window_first = t / places % visits == 0;
      item.place = static_cast<std::uint32_t>(t % places);
      item.position = static_cast<std::uint32_t>(t % positions);
      item.sum_first = t < positions;
      // |y| <= M holds in the design
      item.sample = traits(static_cast<Quantizer>(pass.quantizer)).stochastic
                        ? std::max(sample, pass.narrow ? 1u << y_bits : std::uint32_t{1} << 30)
                        : sample;
      item.random = static_cast<std::uint32_t>(random_.next()) & ((1u << c_.random_bits) - 1);
      items.push_back(item);
    }
    UnitWindow w = window();
    w.warm_up = warm;
    for (const LaneInputs& in : lane_cycles(items)) append(in, &w.vectors);
    return w;
  }

  UnitWindow reduce() {
    UnitWindow w = window();
    const int second = in(0, 2);
    ReduceLane lane({chance(0.7), second != 0, chance(0.2), second == 2});
    Values y = values(1, 14), z = values(1, 14);
    const double valid = chance(0.5) ? 1 : chance(0.5) ? uniform() : 0.02;
    const double inside = chance(0.5) ? 1 : chance(0.5) ? uniform() : 0;
    const int run = in(1, 16);
    w.warm_up = 22;
    w.actions = 0;
    for (std::size_t t = 0; t < w.warm_up + kCycles; ++t) {
      ReduceElement e;
      e.take = chance(valid);
      e.inside = chance(inside);
      e.y = static_cast<std::uint32_t>(next(&y, 16));
      e.z = static_cast<std::uint16_t>(next(&z, 16));
      e.row = static_cast<std::uint32_t>(t / static_cast<std::size_t>(run) % 8);
      lane.clock(e, &w.vectors);
      w.actions += t >= w.warm_up && e.take;
    }
    return w;
  }

  UnitWindow numbers() {
    UnitWindow w = window();
    const double steps = chance(0.5) ? 1 : uniform();
    w.warm_up = 2;
    w.actions = 0;
    for (std::size_t t = 0; t < w.warm_up + kCycles; ++t) {
      w.vectors.step();
      w.vectors.set(0, t == 0);
      if (t == 0) w.vectors.set(1, random_.next() | 1);
      const bool step = t > 0 && chance(steps);
      w.vectors.set(2, step);
      w.actions += t >= w.warm_up && step;
    }
    return w;
  }

  UnitWindow quantizer() {
    const int bits = in(1, 8), y_bits = in(4, 15);
    const int chunks = bits <= c_.activation_bits ? 2 : 1;
    std::vector<ThresholdWord> words;
    for (int chunk = 0; chunk < chunks; ++chunk)
      for (int node = 1; node < 1 << bits; ++node)
        words.push_back({static_cast<std::uint32_t>(chunk), static_cast<std::uint32_t>(node),
                         static_cast<std::int16_t>(threshold(node) * 2 * std::exp2(y_bits - 1))});
    Values y = values(y_bits - 3, y_bits - 1);
    const std::uint32_t least = 1u << (y_bits - 1);  // |y| <= M
    const int run = in(1, 16);
    QuantizerElement element;
    std::vector<QuantizerElement> elements;
    for (int t = 0; t < 20 + static_cast<int>(kCycles); ++t) {
      element.y = static_cast<std::int16_t>(next(&y, y_bits));
      if (t % run == 0) element.sample = least + static_cast<std::uint32_t>(random_.next()) % least;
      element.random = static_cast<std::uint32_t>(random_.next()) & ((1u << c_.random_bits) - 1);
      element.chunk = static_cast<std::uint32_t>(t / run % chunks);
      elements.push_back(element);
    }
    UnitWindow w =
        quantizer_window(c_, unit_, static_cast<std::uint32_t>(bits), words, elements, 20);
    w.mode = kSyntheticMode;
    return w;
  }

  /// Place among evenly spread thresholds, -1/2 to 1/2, of a node in heap order.
  static double threshold(int node) {
    int level = 0;
    while ((2 << level) <= node) ++level;
    return (2.0 * (node - (1 << level)) + 1) / (2 << level) - 0.5;
  }

  const Config& c_;
  const std::string unit_;
  const std::vector<Vectors::Port> ports_;
  SplitMix64 random_;
};

}  // namespace

std::vector<UnitWindow> synthetic_windows(const Config& config, const std::string& unit, int count,
                                          std::uint64_t seed) {
  Maker maker(config, unit, seed);
  std::vector<UnitWindow> windows;
  for (int i = 0; i < count; ++i) windows.push_back(maker.make());
  return windows;
}

}  // namespace solfege
