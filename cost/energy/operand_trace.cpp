// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/operand_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "cost/energy/reduce_lane.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/pipeline.hpp"
#include "model/timing/cycle_model.hpp"

namespace solfege {
namespace {

void set_lanes(Vectors* vectors, std::size_t port, const LaneWord& word) {
  const int words = (vectors->ports()[port].width + 63) / 64;
  for (int i = 0; i < words; ++i) vectors->set(port, word[static_cast<std::size_t>(i)], i);
}

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

/// Brings a processing element to its state: drain register, sum (four bits at a time), and the
/// operands of the last count.
void load_element(const ArraySlice::Element& state, bool xnor, const LaneWord& a, const LaneWord& b,
                  Vectors* vectors) {
  vectors->step();
  vectors->set(PePort::kDrain, state.drain);
  vectors->set(PePort::kDrainShift, 1);
  vectors->step();
  vectors->set(PePort::kDrainShift, 0);
  vectors->set(PePort::kCountEnable, 1);  // a count of 0 to start the sum with
  bool clear = true;
  std::uint64_t shift = 0;
  for (std::uint64_t rest = state.sum; clear || rest != 0; rest >>= 4, shift += 4) {
    const LaneWord digit = {(std::uint64_t{1} << (rest & 15)) - 1, 0, 0, 0};
    vectors->step();
    set_lanes(vectors, PePort::kA, digit);
    set_lanes(vectors, PePort::kB, digit);
    vectors->set(PePort::kSumEnable, 1);
    vectors->set(PePort::kSumClear, clear ? 1 : 0);
    // The count of the digit before is added now
    vectors->set(PePort::kShift, shift >= 4 ? shift - 4 : 0);
    clear = false;
  }
  vectors->step();
  vectors->set(PePort::kShift, shift - 4);
  vectors->set(PePort::kSumClear, 0);
  vectors->set(PePort::kXnor, xnor ? 1 : 0);
  set_lanes(vectors, PePort::kA, a);
  set_lanes(vectors, PePort::kB, b);
}

/// A processing element under observation.
struct Probe {
  int row, column;
  const char* mode;
  bool xnor;
  Vectors vectors;
  std::size_t warm_up = 0, actions = 0;
};

}  // namespace

OperandTrace::OperandTrace(const Config& config, const TraceOptions& options, Sink sink)
    : config_(config), options_(options), sink_(std::move(sink)), random_(options.seed) {
  for (const std::string& name : cost_unit_names())
    ports_[name] = cost_unit(name, config, "").inputs;
}

void OperandTrace::sample(const GoldenDevice& device, const Operation& operation) {
  switch (operation.descriptor.opcode) {
    case Opcode::kGemm:
      return sample_gemm(device, operation);
    case Opcode::kStream:
      return sample_stream(device, operation);
    default:
      return;  // only memories and wires
  }
}

void OperandTrace::sample_gemm(const GoldenDevice& device, const Operation& operation) {
  const Descriptor& d = operation.descriptor;
  const int rows = config_.rows, lanes = config_.stream_lanes;
  const int chunks = Geometry(config_).column_chunks;
  const std::uint32_t tiles = gemm_tiles(d);
  // Elements, registers and corrections act in proportion to the plane pairs of the descriptor.
  const double pairs = static_cast<double>(gemm_operations(d)) / options_.windows;
  const auto give = [&](UnitWindow window) {
    if (window.actions == 0) return;
    window.represents = pairs;
    sink_(operation, window);
  };
  for (int window = 0; window < options_.windows; ++window) {
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

    const bool xnor = slice.control().xnor;
    std::vector<Probe> probes = {
        {row, mine, "product", xnor, vectors("pe")},
        {row, chunks, "row sum", false, vectors("pe")},
        {rows, mine, "column sum", false, vectors("pe")},
        {rows, chunks, "lane count", false, vectors("pe")},
    };
    std::vector<ArraySlice::Element> old;
    for (const Probe& probe : probes) old.push_back(slice.element(probe.row, probe.column));
    UnitWindow popcount{"and_popcount", "", vectors("and_popcount"), 1, 0};
    popcount.vectors.step();
    set_lanes(&popcount.vectors, 0, old[0].a);
    set_lanes(&popcount.vectors, 1, old[0].b);
    UnitWindow row_register{"operand_register", "row", vectors("operand_register"), 1, 0};
    UnitWindow column_register{"operand_register", "column", vectors("operand_register"), 1, 0};
    UnitWindow correction{"correction", "", vectors("correction"), 1, 0};
    for (UnitWindow* w : {&row_register, &column_register}) {
      const bool is_row = w == &row_register;
      w->vectors.step();
      w->vectors.set(0, 1);
      set_lanes(&w->vectors, 1, is_row ? slice.element(row, mine).a : slice.element(row, mine).b);
      set_lanes(&w->vectors, 2, {~0ull, ~0ull, ~0ull, ~0ull});
    }
    auto correct = [&] {
      Vectors& v = correction.vectors;
      v.step();
      v.set(0, d.row_type == PlaneType::kBipolar);
      v.set(1, d.column_type == PlaneType::kBipolar);
      const int head = slice.head_chunk();
      v.set(2, slice.element(0, head).drain);
      v.set(3, slice.element(0, chunks).drain);
      v.set(4, slice.element(rows, head).drain);
      v.set(5, slice.element(rows, chunks).drain);
    };
    correct();

    for (std::size_t cycle = 0; more && cycle < options_.cycles; ++cycle) {
      // The operand registers' inputs and control of this cycle, then the next one's elements
      for (UnitWindow* w : {&row_register, &column_register}) {
        const bool is_row = w == &row_register;
        w->vectors.step();
        w->vectors.set(0, slice.operand_enable());
        set_lanes(&w->vectors, 1, slice.operand(!is_row, is_row ? row : column));
        set_lanes(&w->vectors, 2, slice.operand_mask());
        w->actions += slice.operand_enable();
      }
      more = slice.clock();
      const ArraySlice::Control& control = slice.control();
      for (std::size_t i = 0; i < probes.size(); ++i) {
        Probe& probe = probes[i];
        const ArraySlice::Element& e = slice.element(probe.row, probe.column);
        Vectors& v = probe.vectors;
        if (cycle == 0) {
          load_element(e, probe.xnor, old[i].a, old[i].b, &v);
          probe.warm_up = v.cycles();
        }
        v.step();
        set_lanes(&v, PePort::kA, e.a);
        set_lanes(&v, PePort::kB, e.b);
        v.set(PePort::kXnor, probe.xnor);
        v.set(PePort::kCountEnable, control.count_enable);
        v.set(PePort::kSumEnable, control.sum_enable);
        v.set(PePort::kSumClear, control.sum_clear);
        v.set(PePort::kNegate, control.negate);
        v.set(PePort::kShift, control.shift);
        v.set(PePort::kCapture, control.capture);
        v.set(PePort::kDrainShift, control.drain_shift && probe.row < rows);
        v.set(PePort::kDrain, slice.drain_input(probe.row, probe.column));
        probe.actions += control.count_enable;
      }
      const ArraySlice::Element& e = slice.element(row, mine);
      popcount.vectors.step();
      set_lanes(&popcount.vectors, 0, e.a);
      set_lanes(&popcount.vectors, 1, e.b);
      popcount.actions += control.count_enable;
      if (slice.takes()) {
        correct();
        ++correction.actions;
      }
    }
    for (Probe& probe : probes)
      if (probe.actions > 0)
        give({"pe", probe.mode, std::move(probe.vectors), probe.warm_up, probe.actions});
    if (!xnor) give(popcount);
    give(row_register);
    give(column_register);
    give(correction);
  }
}

void OperandTrace::sample_stream(const GoldenDevice& device, const Operation& operation) {
  const Descriptor& d = operation.descriptor;
  const StreamTrace trace(config_, device, d);
  const double steps = static_cast<double>(trace.steps()) / options_.windows;
  sample_random(operation, static_cast<double>(trace.steps()));
  for (int number = 0; number < options_.windows; ++number) {
    const std::uint64_t last =
        trace.steps() > options_.cycles ? trace.steps() - options_.cycles : 0;
    const std::uint64_t first = below(last + 1);
    const int lane = static_cast<int>(below(static_cast<std::uint64_t>(config_.stream_lanes)));
    const StreamTrace::Window window = trace.window(first, options_.cycles, lane);
    UnitWindow element{"stream_lane", stream_mode(d), vectors("stream_lane"), window.warm_up, 0};
    const bool reduces = d.max_enable || d.sum_enable;
    UnitWindow reduce{"reduce", reduce_mode(d), vectors("reduce"), window.warm_up, 0};
    ReduceLane sums(
        {d.sum_enable, d.sums_twice(), d.sum_absolute, d.second_sum == SecondSum::kDot});
    sample_quantizer(device, operation, window, lane, steps);
    StreamLane model(config_);
    for (std::size_t cycle = 0; cycle < window.cycles.size(); ++cycle) {
      append(window.cycles[cycle], &element.vectors);
      element.actions += cycle >= window.warm_up;
      if (!reduces) continue;
      model.clock(window.cycles[cycle]);
      ReduceElement e;
      e.take = window.step_result_7[cycle] != 0;
      e.inside = window.result_7[cycle] != 0;
      e.y = static_cast<std::uint32_t>(model.y());
      e.z = static_cast<std::uint16_t>(model.z());
      e.row = d.sum_per_channel ? static_cast<std::uint32_t>(window.chunk_7[cycle]) : 0;
      sums.clock(e, &reduce.vectors);
      reduce.actions += cycle >= window.warm_up && window.step_result_7[cycle];
    }
    if (element.actions == 0) continue;
    element.represents = reduce.represents = steps;
    sink_(operation, element);
    if (reduces) sink_(operation, reduce);
  }
}

/// What a pass quantizes, by itself. A quantizer in the array's window sees y of every step.
void OperandTrace::sample_quantizer(const GoldenDevice& device, const Operation& operation,
                                    const StreamTrace::Window& window, int lane,
                                    double represents) {
  const Descriptor& d = operation.descriptor;
  const bool compares = traits(d.quantizer).compares;
  if (!d.pack_enable || !traits(d.quantizer).coded) return;
  std::vector<QuantizerElement> elements;
  std::size_t warm_up = 0;
  StreamLane model(config_);
  for (std::size_t t = 0; t < window.cycles.size(); ++t) {
    const LaneInputs& in = window.cycles[t];
    model.clock(in);
    if (t < kResultStage || !window.step_result_7[t]) continue;
    const auto y = static_cast<std::int32_t>(model.y());
    QuantizerElement element;
    element.y = static_cast<std::int16_t>(std::clamp(y, -32768, 32767));
    element.sample = static_cast<std::uint32_t>(in.sample_7);
    element.random = static_cast<std::uint32_t>(window.cycles[t - 1].random_6);
    element.chunk = window.chunk_7[t];
    elements.push_back(element);
    if (t < window.warm_up + kResultStage) warm_up = elements.size();
  }
  std::vector<ThresholdWord> words;
  if (compares) {
    std::set<std::uint32_t> chunks;
    for (QuantizerElement& element : elements) {
      if (!d.threshold_per_channel) element.chunk = 0;
      chunks.insert(element.chunk);
    }
    for (const std::uint32_t chunk : chunks)
      for (std::uint32_t node = 1; node < 1u << d.quantizer_bits; ++node)
        words.push_back(
            {chunk, node,
             static_cast<std::int16_t>(std::clamp(
                 device.threshold(chunk, node, static_cast<std::size_t>(lane)), -32768, 32767))});
  }
  if (elements.size() < warm_up + 8) return;
  const char* unit = compares ? "threshold" : "rounding";
  for (const char* name : {unit, "lane_front"}) {
    UnitWindow own = quantizer_window(config_, name, d.quantizer_bits, words, elements, warm_up);
    own.mode = unit;
    own.represents = represents;
    sink_(operation, own);
  }
}

/// Numbers that a pass draws: of the shared source, and of one that gives a lane its own.
void OperandTrace::sample_random(const Operation& operation, double represents) {
  const Descriptor& d = operation.descriptor;
  if (!(d.pack_enable && d.stochastic()) && !d.drop_enable) return;
  for (const char* unit : {"random_shared", "random_private"}) {
    UnitWindow window{unit, "", vectors(unit), 2, options_.cycles, represents};
    Vectors& v = window.vectors;
    for (std::size_t t = 0; t < window.warm_up + options_.cycles; ++t) {
      v.step();
      v.set(0, t == 0);
      v.set(1, d.random_state());
      v.set(2, t > 0);
    }
    sink_(operation, window);
  }
}

UnitWindow quantizer_window(const Config& config, const std::string& unit, std::uint32_t bits,
                            const std::vector<ThresholdWord>& thresholds,
                            const std::vector<QuantizerElement>& elements, std::size_t warm_up) {
  std::vector<LaneItem> items;
  if (unit == "threshold")
    for (const ThresholdWord& word : thresholds) {
      LaneItem item;
      item.x = static_cast<std::uint16_t>(word.value);
      item.node = word.node;
      item.table_row = word.chunk;
      items.push_back(item);
    }
  const LaneItem bubble;
  items.insert(items.end(), 20, bubble);
  const std::size_t first = items.size();
  for (const QuantizerElement& element : elements) {
    LaneItem item;
    item.x = static_cast<std::uint16_t>(element.y);
    item.sample = element.sample;
    item.random = element.random;
    item.chunk = element.chunk;
    items.push_back(item);
  }
  UnitWindow window{unit, unit, Vectors(cost_unit(unit, config, "").inputs), first + warm_up,
                    elements.size() - warm_up};
  Vectors& v = window.vectors;
  for (const LaneInputs& in : lane_cycles(items)) {
    v.step();
    std::size_t port = 0;
    for (const std::uint64_t value :
         {std::uint64_t{1}, std::uint64_t{bits}, in.x, in.sample_7, in.sample_17, in.random_6,
          in.chunk_8, in.threshold_write, in.threshold_node, in.threshold_row})
      v.set(port++, value);
  }
  return window;
}

}  // namespace solfege
