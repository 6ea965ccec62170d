// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/operand_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "cost/energy/reduce_lane.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/pipeline.hpp"
#include "model/timing/cycle_model.hpp"

namespace solfege {
namespace {

/// Windows of the array for each one of a stream lane: elements differ more from one another, and
/// take a hundredth of the time to simulate.
constexpr int kArrayWindows = 4;

void set_lanes(Vectors* vectors, std::size_t port, const LaneWord& word) {
  const int words = (vectors->ports()[port].width + 63) / 64;
  for (int i = 0; i < words; ++i) vectors->set(port, word[static_cast<std::size_t>(i)], i);
}

/// The words of an element's row planes.
void set_rows(Vectors* vectors, std::size_t port, const Config& config,
              const ArraySlice::Element& element) {
  set_planes(vectors, port, config.lanes,
             {element.rows.begin(), element.rows.begin() + config.planes});
}

/// `count` lanes.
LaneWord first_lanes(std::uint32_t count) {
  LaneWord word{};
  for (std::uint32_t lane = 0; lane < count; ++lane)
    word[lane / 64] |= std::uint64_t{1} << lane % 64;
  return word;
}

/// Brings a processing element to its state: drain register, high and low sum (from words of as
/// many ones as it takes), and the operands of the last word.
void load_element(const Config& config, const ArraySlice::Element& state,
                  const ArraySlice::Element& operands, Vectors* vectors) {
  vectors->step();
  vectors->set(PePort::kDrain, state.drain);
  vectors->set(PePort::kDrainShift, 1);
  const auto lanes = static_cast<std::uint32_t>(config.lanes);
  const auto add = [&](std::uint32_t rest) {
    for (bool clear = true; clear || rest > 0; clear = false) {
      const std::uint32_t upper = config.planes > 1 ? std::min(rest / 2, lanes) : 0;
      const std::uint32_t lower = std::min(rest - 2 * upper, lanes);
      std::vector<LaneWord> words = {first_lanes(lower)};
      if (config.planes > 1) words.push_back(first_lanes(upper));
      vectors->step();
      vectors->set(PePort::kDrainShift, 0);
      vectors->set(PePort::kFlush, 0);
      set_planes(vectors, PePort::kRows, config.lanes, words);
      set_lanes(vectors, PePort::kColumn, first_lanes(lanes));
      vectors->set(PePort::kLowClear, clear ? 1 : 0);
      rest -= lower + 2 * upper;
    }
  };
  // The high sum, four bits at a time
  std::uint64_t shift = 0;
  for (std::uint64_t rest = state.high; shift == 0 || rest != 0; rest >>= 4, shift += 4) {
    add(static_cast<std::uint32_t>(rest & 15));
    vectors->step();
    set_lanes(vectors, PePort::kColumn, {});
    vectors->set(PePort::kLowClear, 0);
    vectors->set(PePort::kFlush, 1);
    vectors->set(PePort::kHighClear, shift == 0 ? 1 : 0);
    vectors->set(PePort::kShift, shift);
  }
  add(state.low);
  vectors->step();
  set_lanes(vectors, PePort::kColumn, {});
  vectors->set(PePort::kLowClear, 0);
  vectors->set(PePort::kFlush, 0);
  set_rows(vectors, PePort::kRows, config, operands);
}

/// A processing element under observation.
struct Probe {
  int row, column;
  const char* mode;
  Vectors vectors;
  std::size_t warm_up = 0, actions = 0;
};

UnitWindow unit_window(const std::string& unit, const std::string& mode, Vectors vectors,
                       std::size_t warm_up, std::size_t actions = 0) {
  return {unit, mode, std::move(vectors), warm_up, actions, "", "", 1, nullptr};
}

/// A window of a coder, which is told its ports by name.
class CoderWindow {
 public:
  using Values = std::vector<std::pair<const char*, std::uint64_t>>;
  CoderWindow(const Config& config, const std::string& unit, std::size_t warm_up,
              std::size_t actions)
      : window_(
            unit_window(unit, "", Vectors(cost_unit(unit, config, "").inputs), warm_up, actions)) {}
  /// In every cycle to come.
  void hold(const Values& values) { held_.insert(held_.end(), values.begin(), values.end()); }
  /// A cycle in which the other ports are as in the one before.
  void cycle(const Values& values) {
    window_.vectors.step();
    for (const Values* list : std::initializer_list<const Values*>{&held_, &values})
      for (const auto& [port, value] : *list)
        window_.vectors.set(window_.vectors.port(port), value);
  }
  /// 32 bits of a wide port in the cycle before.
  void word(const char* port, int number, std::uint32_t value) {
    window_.vectors.set_bits(window_.vectors.port(port), 32 * number, value, 32);
  }
  UnitWindow take() { return std::move(window_); }

 private:
  UnitWindow window_;
  Values held_;
};

/// A pass's thresholds as the elements of a window see them.
std::vector<ThresholdWord> thresholds_of(const GoldenDevice& device, const Descriptor& d,
                                         const StreamTrace::Window& window, int lane) {
  std::vector<ThresholdWord> words;
  if (!d.pack_enable || !traits(d.quantizer).compares) return words;
  std::set<std::uint32_t> chunks;
  for (std::size_t t = 0; t < window.chunk_7.size(); ++t)
    if (window.step_result_7[t]) chunks.insert(d.threshold_per_channel ? window.chunk_7[t] : 0);
  for (const std::uint32_t chunk : chunks)
    for (std::uint32_t node = 1; node < 1u << d.quantizer_bits; ++node)
      words.push_back({chunk, node,
                       static_cast<std::uint32_t>(
                           device.threshold(chunk, node, static_cast<std::size_t>(lane)))});
  return words;
}

/// A lane of the reductions under the elements that the lane before it puts out.
UnitWindow reduce_window(const Config& config, const Descriptor& d,
                         const StreamTrace::Window& window, const Vectors& lane) {
  const std::size_t y = lane.port("y_o"), z = lane.port("z_o");
  UnitWindow reduce =
      unit_window("reduce", reduce_mode(d), Vectors(cost_unit("reduce", config, "").inputs),
                  window.warm_up, window.cycles.size() - window.warm_up);
  ReduceLane sums({d.sum_enable, d.sums_twice(), d.sum_absolute, d.second_sum == SecondSum::kDot});
  for (std::size_t cycle = 0; cycle < window.cycles.size(); ++cycle) {
    ReduceElement e;
    e.take = window.step_result_7[cycle] != 0;
    e.inside = window.result_7[cycle] != 0;
    e.y = static_cast<std::uint32_t>(lane.get(cycle, y));
    e.z = static_cast<std::uint16_t>(lane.get(cycle, z));
    e.row = d.sum_per_channel  ? std::uint32_t{window.chunk_7[cycle]}
            : d.sum_per_sample ? std::uint32_t{window.sample_7[cycle]}
                               : 0;
    sums.clock(e, &reduce.vectors);
  }
  return reduce;
}

/// Windows of the units that take a lane's results: the reductions, and a coder, which gets
/// the results one a cycle, without the steps between them that are none.
std::vector<UnitWindow> windows_behind_lane(const Config& config, const Descriptor& d,
                                            const StreamTrace::Window& window,
                                            const std::vector<ThresholdWord>& thresholds,
                                            const Vectors& lane) {
  std::vector<UnitWindow> behind;
  if (d.max_enable || d.sum_enable) behind.push_back(reduce_window(config, d, window, lane));
  if (!d.pack_enable || !traits(d.quantizer).coded) return behind;
  const std::size_t y = lane.port("y_o");
  const bool compares = traits(d.quantizer).compares;
  std::vector<CoderElement> elements;
  std::size_t warm_up = 0;
  for (std::size_t t = kResultStage; t < window.cycles.size(); ++t) {
    if (!window.step_result_7[t]) continue;
    CoderElement element;
    element.y = static_cast<std::uint32_t>(lane.get(t, y));
    element.maximum = static_cast<std::uint32_t>(window.cycles[t].samples_7[0]);
    element.random = static_cast<std::uint32_t>(window.cycles[t - 1].random_6);
    element.row = compares && !d.threshold_per_channel ? 0 : window.chunk_7[t];
    elements.push_back(element);
    if (t < window.warm_up + kResultStage) warm_up = elements.size();
  }
  if (elements.size() < warm_up + 8) return behind;
  behind.push_back(compares
                       ? threshold_window(config, d.quantizer_bits, thresholds, elements, warm_up)
                       : rounding_window(config, d.quantizer_bits, elements, warm_up));
  return behind;
}

}  // namespace

std::string reduce_mode(const Descriptor& d) {
  std::string mode;
  auto add = [&](bool on, const char* what) {
    if (on) mode += mode.empty() ? what : std::string("+") + what;
  };
  add(d.max_enable, "max");
  add(d.sum_enable, d.sum_absolute ? "absolute sum" : "sum");
  add(d.second_sum == SecondSum::kSquare, "squares");
  add(d.second_sum == SecondSum::kDot, "products");
  return mode;
}

std::vector<std::vector<WindowShare>> share_windows(const Config& config,
                                                    const std::vector<Program>& programs,
                                                    int windows) {
  const auto work = [&](const Descriptor& d) {
    return d.opcode == Opcode::kGemm     ? static_cast<double>(gemm_operations(d, config))
           : d.opcode == Opcode::kStream ? static_cast<double>(d.steps())
                                         : 0.0;
  };
  const auto kind = [](const Operation& o) {
    const Descriptor& d = o.descriptor;
    const std::string what = d.opcode == Opcode::kGemm ? fmt::format("array {}", d.drain)
                                                       : stream_mode(d) + " " + reduce_mode(d);
    return fmt::format("{}/{}/{}", o.layer, o.pass, what);
  };
  struct Kind {
    double work = 0, passed = 0;
  };
  std::map<std::string, Kind> kinds;
  for (const Program& program : programs)
    for (const Operation& o : program.operations) kinds[kind(o)].work += work(o.descriptor);
  std::vector<std::vector<WindowShare>> shares;
  for (const Program& program : programs) {
    shares.emplace_back();
    for (const Operation& o : program.operations) {
      WindowShare share;
      Kind& of = kinds[kind(o)];
      if (of.work > 0) {
        const int count = o.descriptor.opcode == Opcode::kGemm ? kArrayWindows * windows : windows;
        const double each = of.work / count;
        const double before = std::floor(of.passed / each + 0.5);
        of.passed += work(o.descriptor);
        share = {static_cast<int>(std::floor(of.passed / each + 0.5) - before), each};
      }
      shares.back().push_back(share);
    }
  }
  return shares;
}

OperandTrace::OperandTrace(const Config& config, std::size_t cycles, std::uint64_t seed, Sink sink)
    : config_(config), cycles_(cycles), sink_(std::move(sink)), random_(seed) {
  for (const std::string& name : cost_unit_names())
    ports_[name] = cost_unit(name, config, "").inputs;
}

void OperandTrace::sample(const GoldenDevice& device, const Operation& operation,
                          const WindowShare& share) {
  switch (operation.descriptor.opcode) {
    case Opcode::kGemm:
      return sample_gemm(device, operation, share);
    case Opcode::kStream:
      return sample_stream(device, operation, share);
    default:
      return;  // only memories and wires
  }
}

void OperandTrace::give(const Operation& operation, double represents, UnitWindow window) {
  if (window.actions == 0) return;
  window.layer = operation.layer;
  window.pass = operation.pass;
  window.represents = represents;
  sink_(std::move(window));
}

void OperandTrace::sample_gemm(const GoldenDevice& device, const Operation& operation,
                               const WindowShare& share) {
  const Descriptor& d = operation.descriptor;
  const int rows = config_.rows, lanes = config_.stream_lanes;
  const int chunks = Geometry(config_).column_chunks;
  const std::uint32_t tiles = gemm_tiles(d);
  // Elements, registers and corrections act in proportion to the plane pairs.
  const auto send = [&](UnitWindow window) {
    give(operation, share.represents, std::move(window));
  };
  for (int window = 0; window < share.windows; ++window) {
    const auto tile = static_cast<std::uint32_t>(below(tiles));
    const int row = static_cast<int>(below(static_cast<std::uint64_t>(rows)));
    const int column = static_cast<int>(below(static_cast<std::uint64_t>(config_.columns)));
    // The columns that meet in one correction
    std::vector<int> columns;
    for (int chunk = 0; chunk < chunks; ++chunk) columns.push_back(chunk * lanes + column % lanes);
    const int mine = column / lanes;
    ArraySlice slice(config_, device, d, columns);
    // Its sums have drained when the window begins, so the tile before runs too
    const std::uint32_t from = tile > 0 ? tile - 1 : 0;
    std::size_t before = below(tile_operations(config_, d, tile).size());
    if (tile > 0) before += tile_operations(config_, d, from).size();
    slice.start(from);
    bool more = true;
    // The operand registers get operation `before` in the cycle to come
    while (more && slice.operations() < before) more = slice.clock();

    std::vector<Probe> probes = {
        {row, mine, "product", vectors("pe")},
        {row, chunks, "row sum", vectors("pe")},
        {rows, mine, "column sum", vectors("pe")},
        {rows, chunks, "lane count", vectors("pe")},
    };
    std::vector<ArraySlice::Element> old;
    for (const Probe& probe : probes) old.push_back(slice.element(probe.row, probe.column));
    UnitWindow accumulate = unit_window("accumulate", "", vectors("accumulate"), 1);
    const auto add_words = [&](const ArraySlice::Element& e) {
      Vectors& v = accumulate.vectors;
      v.step();
      set_rows(&v, 0, config_, e);
      set_lanes(&v, 1, e.column);
      v.set(2, slice.control().low_clear ? 0 : e.low);
    };
    add_words(old[0]);
    // The registers of one of the planes
    const auto plane =
        static_cast<std::uint32_t>(below(static_cast<std::uint64_t>(config_.planes)));
    UnitWindow row_register =
        unit_window("operand_register", "row", vectors("operand_register"), 1);
    UnitWindow column_register =
        unit_window("operand_register", "column", vectors("operand_register"), 1);
    UnitWindow correction = unit_window("correction", "", vectors("correction"), 1);
    for (UnitWindow* w : {&row_register, &column_register}) {
      const bool is_row = w == &row_register;
      w->vectors.step();
      w->vectors.set(0, 1);
      set_lanes(&w->vectors, 1,
                is_row ? slice.element(row, mine).rows[plane] : slice.element(row, mine).column);
      set_lanes(&w->vectors, 2, {~0ull, ~0ull, ~0ull, ~0ull});
      w->vectors.set(3, 0);
    }
    auto correct = [&] {
      Vectors& v = correction.vectors;
      v.step();
      const AffineProduct affine = d.affine();
      const int head = slice.head_chunk();
      const auto row_sum = static_cast<std::int64_t>(slice.element(0, chunks).drain);
      const auto valid_lanes = static_cast<std::int64_t>(slice.element(rows, chunks).drain);
      v.set(0, d.affine_shift);
      v.set(1, d.affine_column);
      v.set(2, slice.element(0, head).drain);
      v.set(3, slice.element(rows, head).drain);
      v.set(4, static_cast<std::uint64_t>(affine.row * row_sum));
      v.set(5, static_cast<std::uint64_t>(affine.lanes * valid_lanes));
    };
    correct();

    for (std::size_t cycle = 0; more && cycle < cycles_; ++cycle) {
      // The operand registers' inputs and control of this cycle, then the next one's elements
      for (UnitWindow* w : {&row_register, &column_register}) {
        const bool is_row = w == &row_register;
        w->vectors.step();
        w->vectors.set(0, slice.operand_enable());
        const bool there = !is_row || plane < slice.row_planes();
        set_lanes(&w->vectors, 1, slice.operand(!is_row, is_row ? row : column, there ? plane : 0));
        set_lanes(&w->vectors, 2, there ? slice.operand_mask() : LaneWord{});
        w->vectors.set(3, slice.control().accumulate);
        w->actions += slice.operand_enable();
      }
      more = slice.clock();
      const ArraySlice::Control& control = slice.control();
      for (std::size_t i = 0; i < probes.size(); ++i) {
        Probe& probe = probes[i];
        const ArraySlice::Element& e = slice.element(probe.row, probe.column);
        Vectors& v = probe.vectors;
        if (cycle == 0) {
          load_element(config_, e, old[i], &v);
          probe.warm_up = v.cycles();
        }
        v.step();
        set_rows(&v, PePort::kRows, config_, e);
        set_lanes(&v, PePort::kColumn, control.accumulate ? e.column : LaneWord{});
        const ArraySlice::Kind kind = slice.kind(probe.row, probe.column);
        v.set(PePort::kLowClear, control.low_clear);
        v.set(PePort::kFlush, control.flush);
        v.set(PePort::kHighClear, control.high_clear);
        v.set(PePort::kNegate, control.negate[kind]);
        v.set(PePort::kShift, control.shift);
        v.set(PePort::kCapture, control.capture);
        v.set(PePort::kDrainShift, probe.row < control.drain_shifts);
        v.set(PePort::kDrain, slice.drain_input(probe.row, probe.column));
        probe.actions += control.accumulate;
      }
      add_words(slice.element(row, mine));
      accumulate.actions += control.accumulate;
      if (slice.takes()) {
        correct();
        ++correction.actions;
      }
    }
    for (Probe& probe : probes)
      send(unit_window("pe", probe.mode, std::move(probe.vectors), probe.warm_up, probe.actions));
    send(std::move(accumulate));
    send(std::move(row_register));
    send(std::move(column_register));
    send(std::move(correction));
  }
}

void OperandTrace::sample_stream(const GoldenDevice& device, const Operation& operation,
                                 const WindowShare& share) {
  const Descriptor& d = operation.descriptor;
  const StreamTrace trace(config_, device, d);
  for (int number = 0; number < share.windows; ++number) {
    const std::uint64_t last = trace.steps() > cycles_ ? trace.steps() - cycles_ : 0;
    const std::uint64_t first = below(last + 1);
    const int lane = static_cast<int>(below(static_cast<std::uint64_t>(config_.stream_lanes)));
    const StreamTrace::Window window = trace.window(first, cycles_, lane);
    UnitWindow element = unit_window("stream_lane", stream_mode(d), vectors("stream_lane"),
                                     window.warm_up, window.cycles.size() - window.warm_up);
    for (const LaneInputs& inputs : window.cycles) append(inputs, &element.vectors);
    if (d.max_enable || d.sum_enable || (d.pack_enable && traits(d.quantizer).coded))
      element.behind = [config = config_, d, window,
                        thresholds = thresholds_of(device, d, window, lane)](const Vectors& lane) {
        return windows_behind_lane(config, d, window, thresholds, lane);
      };
    give(operation, share.represents, std::move(element));
  }
  if (share.windows == 0 || !d.draws()) return;
  // Numbers that the pass draws: of the shared source, and of one that gives a lane its own
  for (const char* unit : {"random_shared", "random_private"}) {
    UnitWindow window = unit_window(unit, "", vectors(unit), 2, cycles_);
    Vectors& v = window.vectors;
    for (std::size_t t = 0; t < window.warm_up + cycles_; ++t) {
      v.step();
      v.set(0, t == 0);
      v.set(1, d.random_state());
      v.set(2, t > 0);
    }
    give(operation, share.represents * share.windows, std::move(window));
  }
}

UnitWindow threshold_window(const Config& config, std::uint32_t bits,
                            const std::vector<ThresholdWord>& thresholds,
                            const std::vector<CoderElement>& elements, std::size_t warm_up) {
  CoderWindow window(config, "threshold", thresholds.size() + warm_up, elements.size() - warm_up);
  window.hold({{"go_i", 1}, {"code_enable_i", 1}, {"per_channel_i", 1}});
  window.hold({{"bits_i", bits}});
  for (const ThresholdWord& word : thresholds)
    window.cycle({{"write_i", 1},
                  {"y_i", word.value},
                  {"write_node_i", word.node},
                  {"write_row_i", word.row}});
  std::uint32_t row = 0;  // reaches the coder a stage after its element
  for (const CoderElement& element : elements) {
    window.cycle({{"write_i", 0}, {"y_i", element.y}, {"row_1_i", row}});
    row = element.row;
  }
  return window.take();
}

UnitWindow rounding_window(const Config& config, std::uint32_t bits,
                           const std::vector<CoderElement>& elements, std::size_t warm_up) {
  CoderWindow window(config, "rounding", warm_up, elements.size() - warm_up);
  window.hold({{"go_i", 1}, {"code_enable_i", 1}, {"bits_i", bits}});
  for (std::size_t t = 0; t < elements.size(); ++t) {
    window.cycle({{"y_i", elements[t].y}, {"random_i", elements[t].random}});
    for (std::size_t stage = 0; stage < kCoderStages; ++stage)
      window.word("maximum_i", static_cast<int>(stage), elements[t - std::min(t, stage)].maximum);
  }
  return window.take();
}

}  // namespace solfege
