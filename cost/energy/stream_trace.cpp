// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/stream_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "model/spec/geometry.hpp"
#include "model/spec/lfsr.hpp"
#include "model/spec/program.hpp"
#include "model/spec/stream_nest.hpp"

namespace solfege {
namespace {

constexpr int kDrainToTables = 9;  // a value has passed stage 7 and been written
constexpr int kLowSumBits = 14;    // of a sum loaded in two parts

int ceil_log2(int value) {
  int bits = 0;
  while ((1 << bits) < value) ++bits;
  return bits;
}

/// A pass in which x passes a lane's front unchanged; it loads tables, or sums over samples.
Descriptor plain_pass(std::uint32_t scale_x, bool accumulate = false) {
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.scale_x = scale_x;
  d.accumulate_enable = accumulate;
  return d;
}

/// Whether the pass packs its results as they are.
bool copies(const EncodedDescriptor& pass) {
  const Descriptor d = Descriptor::decode(pass);
  return d.pack_enable && d.quantizer == Quantizer::kRaw;
}

/// Whether it packs codes that are rounded at random.
bool rounds(const EncodedDescriptor& pass) {
  const Descriptor d = Descriptor::decode(pass);
  return d.pack_enable && d.stochastic();
}

}  // namespace

LaneShape::LaneShape(const Config& c)
    : stored_bits(c.stored_bits),
      wide_bits(c.wide_bits),
      random_bits(c.random_bits),
      threshold_bits(c.activation_bits),
      accumulator_bits(c.accumulator_bits),
      table_rows(Geometry(c).table_rows),
      threshold_rows(Geometry(c).threshold_rows),
      positions(Geometry(c).sum_positions),
      places(Geometry(c).pool_places),
      value_bits(std::max(32, c.accumulator_bits)),
      position_bits(std::max(1, ceil_log2(positions))),
      place_bits(std::max(1, ceil_log2(places))),
      product_bits(value_bits + c.stored_bits),
      sum_bits(std::max(64, product_bits)) {}

std::vector<Vectors::Port> lane_ports(const LaneShape& s) {
  return {{"go_i", 1},
          {"descriptor_i", 32 * kDescriptorWords},
          {"samples_7_i", 32 * static_cast<int>(LaneInputs().samples_7.size())},
#define SOLFEGE_PORT(name, width) {#name "_i", width},
          SOLFEGE_LANE_INPUTS(SOLFEGE_PORT)
#undef SOLFEGE_PORT
  };
}

void append(const LaneInputs& inputs, Vectors* vectors) {
  vectors->step();
  std::size_t port = 0;
  vectors->set(port++, 1);
  for (std::size_t word = 0; word < kDescriptorWords; word += 2)
    vectors->set(port, std::uint64_t{inputs.descriptor[word + 1]} << 32 | inputs.descriptor[word],
                 static_cast<int>(word / 2));
  ++port;
  for (std::size_t i = 0; i < inputs.samples_7.size(); ++i)
    vectors->set_bits(port, 32 * static_cast<int>(i), inputs.samples_7[i], 32);
  ++port;
#define SOLFEGE_SET(name, width) vectors->set(port++, inputs.name);
  SOLFEGE_LANE_INPUTS(SOLFEGE_SET)
#undef SOLFEGE_SET
}

std::vector<LaneInputs> lane_cycles(const std::vector<LaneItem>& items) {
  const LaneItem nothing;
  std::vector<LaneInputs> cycles;
  std::array<std::uint32_t, kLaneStages> samples{};  // by stage; they move in passes that round
  for (std::size_t t = 0; t < items.size(); ++t) {
    auto at = [&](std::size_t stage) -> const LaneItem& {
      return t >= stage ? items[t - stage] : nothing;
    };
    LaneInputs in;
    in.descriptor = at(0).descriptor;
    in.x = at(0).x;
    in.z = at(0).z;
    in.chunk = at(0).chunk;
    in.chunk_new = 1;  // a table that is read again puts out the same words
    in.route_index = at(0).route_index;
    in.sample_1 = at(1).sample;
    std::copy(samples.begin() + kResultStage, samples.end(), in.samples_7.begin());
    if (rounds(in.descriptor)) {
      std::copy_backward(samples.begin(), samples.end() - 1, samples.end());
      samples[2] = at(1).sample;
    }
    in.position_1 = at(1).position;
    in.position_2 = at(2).position;
    in.sum_first_2 = at(2).sum_first;
    in.step_2 = at(2).moves;
    in.place_5 = at(5).place;
    in.place_6 = at(6).place;
    in.window_first_6 = at(6).window_first;
    in.pool_index_6 = at(6).pool_index;
    in.step_6 = at(6).moves;
    in.random_6 = at(6).random;
    in.chunk_8 = at(8).chunk;
    in.turn = copies(in.descriptor) ? t % (kCoderStages / 2) : 0;
    in.table_write = at(7).table_write;
    in.table_row = at(7).table_row;
    in.threshold_write = at(7).node != 0;
    in.threshold_node = at(7).node != 0 ? at(7).node : 1;
    in.threshold_row = at(7).table_row;
    cycles.push_back(in);
  }
  return cycles;
}

std::string stream_mode(const Descriptor& d) {
  std::string mode = d.x_from_array ? "array" : "memory";
  const auto add = [&mode](const std::string& what) { mode += "+" + what; };
  // Every stage has a field that enables it; packing and reductions lie behind the lane.
  const std::string enable = "_enable";
  const auto stage = [&](const std::string& name, std::uint64_t value) {
    const std::size_t stem = name.size() - std::min(name.size(), enable.size());
    const std::string what = name.substr(0, stem);
    if (value != 0 && name.substr(stem) == enable && what != "pack" && what != "max" &&
        what != "sum")
      add(what);
  };
#define SOLFEGE_ADD(name, word, lsb, width, Type) stage(#name, static_cast<std::uint64_t>(d.name));
  SOLFEGE_STREAM_FIELDS(SOLFEGE_ADD)
#undef SOLFEGE_ADD
  if (d.fills_table()) add("table");
  if (d.pack_enable) {
    static const char* const names[] = {"raw", "thresholds", "stochastic", "scaled"};
    add(names[number(d.quantizer)]);
    if (traits(d.quantizer).coded) mode += std::to_string(d.quantizer_bits);
  }
  return mode;
}

StreamTrace::StreamTrace(const Config& config, const GoldenDevice& device, const Descriptor& d)
    : config_(config),
      device_(device),
      d_(d),
      shape_(config),
      steps_(d.steps()),
      pass_(d.encode()),
      loading_(plain_pass(1).encode()),
      summing_high_(plain_pass(1u << kLowSumBits, true).encode()),
      summing_low_(plain_pass(1, true).encode()) {}

/// A stream reader's 32 bits of an element (rtl/stream/sf_stream_reader.v); 0 beyond the memory.
std::uint64_t StreamTrace::element(std::uint32_t address, ElementType type,
                                   std::uint32_t offset) const {
  const auto bytes = static_cast<std::uint32_t>(traits(type).bytes);
  const std::uint32_t place = address + offset * bytes;
  const auto& memory = device_.memory();
  if (place + std::uint64_t{bytes} > memory.size()) return 0;
  std::uint32_t value = 0;
  std::memcpy(&value, memory.data() + place, bytes);
  if (type == ElementType::kSigned16)
    value = static_cast<std::uint32_t>(static_cast<std::int16_t>(value));
  return value;
}

StreamTrace::Step StreamTrace::step(std::uint64_t number, int lane) const {
  const auto own = static_cast<std::uint32_t>(lane);
  StreamNest nest(d_, false, config_.stream_lanes), nest_b(d_, true, config_.stream_lanes);
  nest.seek(number);
  nest_b.seek(number);
  const auto i = [&nest](unsigned loop) { return nest.index(loop); };
  Step s;
  s.number = number;
  s.chunk = nest.chunk();
  s.sample = nest.sample();
  s.offset_a = nest.offset() + own;
  s.offset_b = nest_b.offset() + own;
  s.scale_sample = d_.accumulate_enable ? d_.accumulate_sample + i(4) : s.sample;
  s.route_index = i(3) * d_.count1 + i(1);
  s.pool_index = nest.window_index();
  s.window_first = i(1) == 0 && i(2) == 0;
  s.place = i(0);
  s.position =
      (d_.accumulate_tile + i(3)) * static_cast<std::uint32_t>(Geometry(config_).tile_chunks) +
      nest.window_index() * d_.count0 + i(0);
  s.sum_first = d_.accumulate_first && i(4) == 0;
  s.result = (!d_.pool_enable || nest.window_last()) &&
             (!d_.accumulate_enable || (d_.accumulate_last && nest.sum_last()));
  s.valid = nest.valid(own);
  const std::uint64_t mask = (std::uint64_t{1} << shape_.value_bits) - 1;
  if (d_.x_from_array) {
    const std::size_t tile = (std::size_t{i(5)} * d_.count4 + i(4)) * d_.count3 + i(3);
    const auto rows = static_cast<std::size_t>(config_.rows),
               columns = static_cast<std::size_t>(config_.columns);
    const std::size_t place = (tile * rows + 16 * i(2) + i(1)) * columns +
                              i(0) * static_cast<std::size_t>(config_.stream_lanes) + own;
    if (place < device_.pending_sums())
      s.x = static_cast<std::uint64_t>(device_.pending_sum(place)) & mask;
  } else {
    auto x = static_cast<std::uint32_t>(element(d_.x_address, d_.x_type, s.offset_a));
    if (d_.x_type == ElementType::kTagged)
      x = static_cast<std::uint32_t>(static_cast<std::int16_t>(x));
    s.x = static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(x)}) & mask;
  }
  if (d_.z_enable)
    s.z = static_cast<std::uint32_t>(
        element(d_.z_address, d_.z_type, d_.z_strides_b ? s.offset_b : s.offset_a));
  return s;
}

/// Results come with the last visits of a pooling window, or of a sum over samples.
std::uint64_t StreamTrace::results_before(std::uint64_t step) const {
  if (d_.accumulate_enable && !d_.accumulate_last) return 0;
  std::uint64_t run = 1, period = 1;  // the last `run` of each `period` steps
  if (d_.accumulate_enable) {
    run = std::uint64_t{d_.count0} * d_.count1 * d_.count2 * d_.count3;
    period = run * d_.count4;
  } else if (d_.pool_enable) {
    run = d_.count0;
    period = run * d_.count1 * d_.count2;
  }
  const std::uint64_t rest = step % period;
  return step / period * run + (rest > period - run ? rest - (period - run) : 0);
}

void StreamTrace::bubbles(const EncodedDescriptor& pass, int count,
                          std::vector<LaneItem>* items) const {
  for (int i = 0; i < count; ++i) {
    LaneItem item;
    item.descriptor = pass;
    items->push_back(item);
  }
}

/// Words of the tables that the steps read, through the lane as the hardware loads them.
void StreamTrace::load_tables(const std::vector<Step>& visited, int lane,
                              std::vector<LaneItem>* items) const {
  const auto lanes = static_cast<std::size_t>(config_.stream_lanes);
  std::set<std::uint32_t> chunks;
  for (const Step& s : visited) chunks.insert(s.chunk);
  auto load = [&](std::int32_t value, std::uint32_t write, std::uint32_t row, std::uint32_t node) {
    LaneItem item;
    item.descriptor = loading_;
    item.x = static_cast<std::uint64_t>(std::int64_t{value}) &
             ((std::uint64_t{1} << shape_.value_bits) - 1);
    item.table_write = write;
    item.table_row = row;
    item.node = node;
    items->push_back(item);
  };
  const auto used = d_.channel_tables();
  for (std::uint32_t t = 0; t < used.size(); ++t) {
    if (!used[t]) continue;
    const auto& table = device_.table(static_cast<Table>(t));
    for (const std::uint32_t chunk : chunks) {
      const std::size_t channel = chunk * lanes + static_cast<std::size_t>(lane);
      load(table[channel % table.size()], 1u << t, chunk, 0);
    }
  }
  if (d_.pack_enable && traits(d_.quantizer).compares) {
    const std::uint32_t nodes = (1u << d_.quantizer_bits) - 1;
    if (!d_.threshold_per_channel) chunks = {0};
    for (const std::uint32_t chunk : chunks)
      for (std::uint32_t node = 1; node <= nodes; ++node)
        load(device_.threshold(chunk, node, static_cast<std::size_t>(lane)), 0, chunk, node);
  }
}

/// Sums that the tiles before `first` have left. Those of descriptors before are not known and
/// count as 0.
void StreamTrace::load_sums(std::uint64_t first, const std::vector<Step>& visited, int lane,
                            std::vector<LaneItem>* items) const {
  const std::uint64_t tile = std::uint64_t{d_.count0} * d_.count1 * d_.count2 * d_.count3;
  std::set<std::uint32_t> positions;
  std::vector<LaneItem> high, low;
  for (const Step& s : visited) {
    if (!positions.insert(s.position).second) continue;
    __int128 sum = 0;
    for (std::uint64_t n = s.number % tile; n < first; n += tile) {
      const Step past = step(n, lane);
      const auto x =
          static_cast<std::int64_t>(past.x << (64 - shape_.value_bits)) >> (64 - shape_.value_bits);
      std::uint64_t scale = d_.scale_x;
      if (d_.scale_x_source == Scalar::kSample) scale = device_.sample_scale(past.scale_sample);
      const int bits = shape_.stored_bits;
      sum += static_cast<__int128>(x) *
             (static_cast<std::int64_t>(scale << (64 - bits)) >> (64 - bits));
    }
    LaneItem item;
    item.moves = true;
    item.position = s.position;
    const std::uint64_t mask = (std::uint64_t{1} << shape_.value_bits) - 1;
    item.descriptor = summing_high_;
    item.sum_first = true;
    item.x = static_cast<std::uint64_t>(sum >> kLowSumBits) & mask;
    high.push_back(item);
    item.descriptor = summing_low_;
    item.sum_first = false;
    item.x = static_cast<std::uint64_t>(sum) & ((1u << kLowSumBits) - 1);
    low.push_back(item);
  }
  items->insert(items->end(), high.begin(), high.end());
  bubbles(summing_high_, 4, items);
  items->insert(items->end(), low.begin(), low.end());
  bubbles(summing_low_, 4, items);
}

StreamTrace::Window StreamTrace::window(std::uint64_t first, std::size_t count, int lane) const {
  const std::uint64_t end = std::min(steps_, first + count);
  const std::uint64_t start = first > kLaneStages ? first - kLaneStages : 0;
  std::vector<Step> visited;
  for (std::uint64_t n = start; n < end; ++n) visited.push_back(step(n, lane));

  std::vector<LaneItem> items;
  bubbles(loading_, 2, &items);
  load_tables(visited, lane, &items);
  bubbles(loading_, kDrainToTables, &items);
  if (d_.accumulate_enable) load_sums(start, visited, lane, &items);

  const std::uint32_t nodes = (1u << d_.quantizer_bits) - 1;
  // Of each item that is a step of the pass
  struct Passing {
    std::uint64_t number;
    Step step;
  };
  std::map<std::size_t, Passing> passing;
  auto enter = [&](std::uint64_t n) {
    const Step at = step(n, lane);
    LaneItem item;
    item.descriptor = pass_;
    item.x = at.x;
    item.z = at.z;
    item.chunk = at.chunk;
    item.route_index = at.route_index;
    item.pool_index = at.pool_index;
    item.place = at.place;
    item.position = at.position;
    item.sample = device_.sample_scale(at.scale_sample);
    item.window_first = at.window_first;
    item.sum_first = at.sum_first;
    item.moves = true;
    const std::uint64_t result = results_before(n);
    if (d_.fills_table() && at.result) {
      const auto index = static_cast<std::uint32_t>(result);
      if (d_.table == Table::kThreshold) {
        item.node = index % nodes + 1;
        item.table_row = index / nodes;
      } else if (traits(d_.table).per_channel) {
        item.table_write = 1u << number(d_.table);
        item.table_row = index;
      }
    }
    if (d_.draws()) {
      Lfsr lfsr(d_.random_state());
      const auto lanes = static_cast<std::uint64_t>(config_.stream_lanes);
      lfsr.jump((result * lanes + static_cast<std::uint64_t>(lane)) *
                static_cast<std::uint64_t>(config_.random_bits));
      item.random = lfsr.next(config_.random_bits);
    }
    passing.emplace(items.size(), Passing{n, at});
    items.push_back(item);
  };
  if (d_.pool_enable) {
    // Visits that the windows under way have behind them
    const std::uint64_t period = std::uint64_t{d_.count0} * d_.count1 * d_.count2;
    const std::uint64_t base = start - start % period;
    std::set<std::uint32_t> places;
    for (std::uint64_t n = start; n < std::min(end, base + period); ++n)
      places.insert(static_cast<std::uint32_t>(n % d_.count0));
    for (std::uint64_t n = base; n < start; ++n)
      if (places.count(static_cast<std::uint32_t>(n % d_.count0)) != 0) {
        enter(n);
        if (places.size() < 2) bubbles(pass_, 1, &items);
      }
  }
  for (std::uint64_t n = start; n < first; ++n) enter(n);
  const std::size_t warm_up = items.size();
  for (std::uint64_t n = first; n < end; ++n) enter(n);

  Window window;
  window.warm_up = warm_up;
  window.cycles = lane_cycles(items);
  for (std::size_t t = 0; t < items.size(); ++t) {
    const auto head = passing.find(t),
               seven = t >= kResultStage ? passing.find(t - kResultStage) : passing.end();
    const bool result = seven != passing.end() && seven->second.step.result;
    window.step.push_back(head != passing.end() ? head->second.number : steps_);
    window.step_result_7.push_back(result);
    window.result_7.push_back(result && seven->second.step.valid);
    const Step none;
    const Step& step = seven != passing.end() ? seven->second.step : none;
    window.chunk_7.push_back(static_cast<std::uint16_t>(step.chunk));
    window.sample_7.push_back(static_cast<std::uint16_t>(step.sample));
  }
  return window;
}

}  // namespace solfege
