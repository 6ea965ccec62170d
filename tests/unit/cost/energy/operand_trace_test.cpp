// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/operand_trace.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <memory>

#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "gen/generator.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/dataset.hpp"
#include "model/data/digits.hpp"
#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/spec/stream_nest.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

Config tiny() { return Config::load(SOLFEGE_SOURCE_DIR "/configs/tiny.toml"); }

/// A golden device that shows itself before and after each operation.
class Watched : public Device {
 public:
  using Look = std::function<void(const GoldenDevice&, const Operation&)>;
  Watched(const Config& config, std::size_t bytes, Look before, Look after)
      : golden_(config, bytes, 1), before_(std::move(before)), after_(std::move(after)) {}
  std::vector<std::uint8_t>& memory() override { return golden_.memory(); }
  void run(const Program& program) override {
    for (const Operation& operation : program.operations) {
      before_(golden_, operation);
      golden_.execute(operation.descriptor);
      after_(golden_, operation);
    }
  }

 private:
  GoldenDevice golden_;
  const Look before_, after_;
};

/// Trains a step and shows its operations.
void watch(const Config& config, const std::string& name, int batch, const Watched::Look& before,
           const Watched::Look& after) {
  const Images images = make_digits(batch, 1, 7).train;
  const Network network = load_network(name, config, images);
  AcceleratorEngine engine(config, network, batch, 5, [&](std::size_t bytes) {
    return std::make_unique<Watched>(config, bytes, before, after);
  });
  engine.train_step(images.pixels.data(), images.labels.data(), batch);
}

/// Every sum that a slice of all columns drains against what the golden device captures. `spoil`
/// changes the operation that the slice is given.
int wrong_sums(const std::function<void(Descriptor&)>& spoil, const std::string& network,
               int* compared) {
  const Config config = tiny();
  int wrong = 0;
  std::vector<std::int64_t> traced;
  std::size_t pending = 0;
  auto before = [&](const GoldenDevice& device, const Operation& operation) {
    traced.clear();
    pending = device.pending_sums();
    Descriptor d = operation.descriptor;
    if (d.opcode != Opcode::kGemm || !d.clear || !d.drain) return;
    spoil(d);
    std::vector<int> columns;
    for (int c = 0; c < config.columns; ++c) columns.push_back(c);
    ArraySlice slice(config, device, d, columns);
    slice.start(0);
    const int rows = config.rows, extra = config.columns, bits = config.accumulator_bits;
    const AffineProduct affine = d.affine();
    while (slice.clock()) {
      if (!slice.takes()) continue;
      for (int lane = 0; lane < config.stream_lanes; ++lane) {
        const int column = slice.head_chunk() * config.stream_lanes + lane;
        const auto drained = [&slice](int r, int c) {
          return static_cast<std::int64_t>(slice.element(r, c).drain);
        };
        const auto value = static_cast<std::uint64_t>(
            drained(0, column) * (1 << affine.shift) + affine.row * drained(0, extra) +
            affine.column * drained(rows, column) + affine.lanes * drained(rows, extra));
        traced.push_back(static_cast<std::int64_t>(value << (64 - bits)) >> (64 - bits));
      }
    }
  };
  auto after = [&](const GoldenDevice& device, const Operation&) {
    for (std::size_t i = 0; i < traced.size(); ++i) {
      ++*compared;
      if (pending + i >= device.pending_sums() || device.pending_sum(pending + i) != traced[i])
        ++wrong;
    }
  };
  watch(config, network, 6, before, after);
  return wrong;
}

TEST_CASE("The array's slice drains the golden device's sums") {
  int compared = 0;
  const auto network = GENERATE("tiny_mlp", "tiny_cnn");
  CHECK(wrong_sums([](Descriptor&) {}, network, &compared) == 0);
  CHECK(compared > 1000);
}

TEST_CASE("Known bad: operands read from a wrong place, or lanes that do not count, are noticed") {
  int compared = 0;
  CHECK(wrong_sums([](Descriptor& d) { ++d.row_base; }, "tiny_cnn", &compared) > 0);
  CHECK(wrong_sums([](Descriptor& d) { d.tail_lanes = d.tail_lanes % 16 + 1; }, "tiny_cnn",
                   &compared) > 0);
}

/// Where a step's result goes: elements from the destination's address, and the bit of memory that
/// holds plane 0 of its code.
struct ResultPlace {
  std::uint64_t element, code_bit;
};
ResultPlace result_place(const Config& config, const StreamTrace& trace, const Descriptor& d,
                         std::uint64_t step, std::uint64_t lane) {
  StreamNest nest(d, d.destination_strides_b, config.stream_lanes);
  nest.seek(step);
  const std::uint64_t row_block =
      std::uint64_t{d.count0} * d.count1 * d.count2 * d.count3 * d.count4;
  const std::uint64_t pixel = trace.results_before(step % row_block) / d.count0;
  const auto group = static_cast<std::uint64_t>(d.pack_columns ? config.columns : config.rows);
  const auto lanes = static_cast<std::uint64_t>(config.lanes);
  const std::uint64_t channel = std::uint64_t{nest.chunk()} * config.stream_lanes + lane;
  const std::uint64_t word = pixel * d.pack_pixel_stride + channel / lanes;
  return {nest.offset() + lane, 8 * (d.pack_address + nest.sample() / group * d.pack_group_stride) +
                                    (word * group + nest.sample() % group) * lanes +
                                    channel % lanes};
}

struct LaneCheck {
  int values = 0, codes = 0, wrong_values = 0, wrong_codes = 0;
  std::map<std::string, int> modes;
};

/// A lane mapped onto the default library, and its gate simulation.
class LaneNetlist {
 public:
  LaneNetlist()
      : config_(tiny()),
        library_(read_liberty(kDefaultLiberty)),
        mapped_([&] {
          generate(config_, scratch_.path("rtl"));
          return map_unit(cost_unit("stream_lane", config_, scratch_.path("rtl")).design,
                          kDefaultLiberty, scratch_.path("cache"));
        }()),
        netlist_(mapped_.netlist) {
    simulate();
  }
  Vectors outputs(const std::vector<LaneInputs>& cycles) {
    Vectors inputs(lane_ports(LaneShape(config_)));
    for (const LaneInputs& in : cycles) append(in, &inputs);
    GateRun run = simulation_->run(inputs, DelayModel::kZero);
    clock_pj_ += run.energy.clock_pj;
    return std::move(run.outputs);
  }
  double clock_pj() const { return clock_pj_; }  ///< of all runs
  /// The lane's clock gates, by the names of their instances.
  std::vector<std::string> clock_gates() const {
    std::vector<std::string> names;
    for (const Netlist::Instance& instance : mapped_.netlist.instances)
      if (instance.cell == "sf_clock_gate") names.push_back(instance.name);
    return names;
  }
  /// From now on the gates that `choose` names are always open or always closed, others as they
  /// are.
  void force(const std::function<bool(const std::string&)>& choose, bool open) {
    netlist_ = mapped_.netlist;
    for (Netlist::Instance& instance : netlist_.instances)
      if (instance.cell == "sf_clock_gate" && choose(instance.name))
        instance.pins["enable_i"] = {open ? Netlist::kOne : Netlist::kZero};
    simulate();
  }

 private:
  void simulate() {
    simulation_ = std::make_unique<GateSimulation>(netlist_, library_, mapped_.design.clock);
    clock_pj_ = 0;
  }

  const Config config_;
  const Scratch scratch_;
  const LibertyLibrary library_;
  const MappedUnit mapped_;
  Netlist netlist_;
  std::unique_ptr<GateSimulation> simulation_;
  double clock_pj_ = 0;
};

/// Windows of every STREAM descriptor through the netlist of a lane, against what the golden device
/// leaves in memory. `spoil` changes the lane's inputs.
LaneCheck check_lanes(LaneNetlist& netlist, const std::string& network,
                      const std::function<void(LaneInputs&)>& spoil) {
  const Config config = tiny();
  LaneCheck check;
  SplitMix64 random(11);
  struct Expected {
    std::uint64_t element = 0, bit = 0;
    std::uint32_t value = 0, tag = 0, code = 0;
    bool has_code = false;
  };
  std::vector<Expected> expected;
  const auto lanes = static_cast<std::uint32_t>(config.stream_lanes);
  auto before = [&](const GoldenDevice& device, const Operation& operation) {
    expected.clear();
    const Descriptor& d = operation.descriptor;
    if (d.opcode != Opcode::kStream) return;
    const StreamTrace trace(config, device, d);
    for (int k = 0; k < 3; ++k) {
      const std::size_t count = 40;
      // Sums over samples are known from the descriptor's own first on
      std::uint64_t first = random.next() % (trace.steps() > count ? trace.steps() - count + 1 : 1);
      if (d.accumulate_enable && !d.accumulate_first) continue;
      const auto lane = static_cast<std::uint32_t>(random.next() % lanes);
      StreamTrace::Window window = trace.window(first, count, static_cast<int>(lane));
      // Bubbles until the last step has left
      for (int i = 0; i < 20; ++i) window.cycles.push_back(window.cycles.back());
      ++check.modes[stream_mode(d)];
      for (LaneInputs& in : window.cycles) spoil(in);
      const Vectors outputs = netlist.outputs(window.cycles);
      const auto output = [&](const char* port, std::size_t t) {
        return static_cast<std::uint32_t>(outputs.get(t, outputs.port(port)));
      };
      const std::size_t steps = window.step.size();
      for (std::size_t t = 0; t < steps; ++t) {
        const std::uint64_t n = t >= 7 ? window.step[t - 7] : trace.steps();
        const bool stores = d.stores();
        if (window.result_7[t] && n < trace.steps() && stores) {
          Expected e;
          e.element = result_place(config, trace, d, n, lane).element;
          e.value = output("y_o", t);
          e.tag = output("tag_o", t);
          expected.push_back(e);
        }
        // What the reductions multiply y by; routed, it is 0 where z does not count
        const bool multiplies = d.second_sum == SecondSum::kDot && !d.route_enable;
        if (window.result_7[t] && n < trace.steps() && multiplies) {
          ++check.values;
          if (output("z_o", t) != (window.cycles[t - 7].z & 0xffff)) ++check.wrong_values;
        }
        const std::uint64_t m = t >= 18 ? window.step[t - 18] : trace.steps();
        if (d.pack_enable && t >= 18 && window.result_7[t - 11] && m < trace.steps()) {
          Expected e;
          e.has_code = true;
          e.bit = result_place(config, trace, d, m, lane).code_bit;
          e.code = output("code_o", t);
          expected.push_back(e);
        }
      }
    }
  };
  auto after = [&](const GoldenDevice& device, const Operation& operation) {
    const Descriptor& d = operation.descriptor;
    for (const Expected& e : expected) {
      if (e.has_code) {
        ++check.codes;
        const std::uint64_t stride = std::uint64_t{d.pack_plane_stride} *
                                     (d.pack_columns ? config.columns : config.rows) * config.lanes;
        for (std::uint32_t plane = 0; plane < d.pack_planes; ++plane) {
          const std::uint64_t bit = e.bit + plane * stride;
          const bool set = device.memory().at(bit / 8) >> (bit % 8) & 1;
          if (set != (e.code >> plane & 1)) {
            ++check.wrong_codes;
            break;
          }
        }
      } else {
        ++check.values;
        std::uint32_t value = 0;
        const bool narrow = d.destination == Destination::kSigned16;
        std::memcpy(&value,
                    &device.memory().at(d.destination_address + e.element * (narrow ? 2 : 4)),
                    narrow ? 2 : 4);
        std::uint32_t mine = narrow ? e.value & 0xffff : e.value;
        if (d.destination == Destination::kTagged) mine = (e.value & 0xffff) | e.tag << 16;
        if (value != mine) ++check.wrong_values;
      }
    }
  };
  watch(config, network, 6, before, after);
  return check;
}

TEST_CASE("A lane's netlist makes the golden device's elements and codes", "[yosys]") {
  LaneNetlist netlist;
  for (const char* network :
       {"tiny_mlp", "tiny_cnn", "tiny_pool", "tiny_residual", "tiny_dropout"}) {
    const LaneCheck check = check_lanes(netlist, network, [](LaneInputs&) {});
    INFO(network << ": " << check.values << " elements, " << check.codes << " codes");
    CHECK(check.wrong_values == 0);
    CHECK(check.wrong_codes == 0);
    CHECK(check.values > 500);
    CHECK(check.codes > 100);
  }
  // Known bad: a wrong scale or random number is noticed
  CHECK(check_lanes(netlist, "tiny_cnn", [](LaneInputs& in) {
          in.descriptor[11] ^= 1; /* shift_x */
        }).wrong_values > 0);
  CHECK(check_lanes(netlist, "tiny_cnn", [](LaneInputs& in) {
          in.random_6 ^= 0x8000;
        }).wrong_codes > 0);
}

TEST_CASE("A lane's clock gates spare energy, change nothing, and are needed each", "[yosys]") {
  LaneNetlist netlist;
  const auto wrong = [&](const char* network) {
    const LaneCheck check = check_lanes(netlist, network, [](LaneInputs&) {});
    return check.wrong_values + check.wrong_codes;
  };
  CHECK(wrong("tiny_cnn") == 0);
  const double gated_pj = netlist.clock_pj();
  netlist.force([](const std::string&) { return true; }, true);
  CHECK(wrong("tiny_cnn") == 0);
  CHECK(gated_pj < 0.7 * netlist.clock_pj());
  // Known bad: a gate that never opens
  for (const std::string& gate : netlist.clock_gates()) {
    netlist.force([&](const std::string& name) { return name == gate; }, false);
    int found = 0;
    for (const char* network : {"tiny_cnn", "tiny_pool", "tiny_residual", "tiny_mlp"})
      if (found == 0) found = wrong(network);
    INFO(gate);
    CHECK(found > 0);
  }
}

}  // namespace
}  // namespace solfege
