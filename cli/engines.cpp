// SPDX-License-Identifier: Apache-2.0
#include "cli/engines.hpp"

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "model/base/version.hpp"
#include "model/data/network_tensors.hpp"
#include "model/reference/float_engine.hpp"

namespace solfege {
namespace {

TensorOrigin origin_of(const RunEngine& engine, const Config& config) {
  return {fmt::format("solfege {}", kVersion), engine.kind, config.name};
}

}  // namespace

RunEngine make_engine(const std::string& kind, const Config& config, const Network& network,
                      int batch, std::uint64_t seed, const RtlOptions& simulation) {
  RunEngine engine;
  engine.kind = kind;
  if (kind == "float") {
    engine.training = std::make_unique<FloatEngine>(network, seed);
    return engine;
  }
  auto made = std::make_unique<AcceleratorEngine>(
      config, network, batch, seed, [&](std::size_t bytes) -> std::unique_ptr<Device> {
        if (!engine.simulated()) return std::make_unique<GoldenOnly>(config, bytes);
        RtlOptions options = simulation;
        options.lockstep = kind == "lockstep";
        auto device = std::make_unique<RtlDevice>(config, bytes, options);
        engine.rtl = device.get();
        return device;
      });
  engine.accelerator = made.get();
  engine.training = std::move(made);
  return engine;
}

void validate_simulation(const std::string& kind, const RtlOptions& simulation) {
  if (!RunEngine::is_simulated(kind) && !simulation.fst_path.empty())
    throw InputError(fmt::format("--fst: engine {} has no waveforms; use rtl or lockstep", kind));
}

std::vector<std::string> load_into(RunEngine& engine, const Network& network,
                                   const std::string& path) {
  std::vector<std::string> notes;
  // Last the first, which is what the engine goes on with.
  for (std::size_t p = network.curriculum == Curriculum::kJoint ? network.precisions.size() : 1;
       p-- > 0;) {
    engine.training->set_precision(p);
    LoadedParameters loaded =
        load_parameters(path, network.at(network.precisions[p]), precision_prefix(network, p));
    engine.training->set_parameters(loaded.layers);
    notes = std::move(loaded.notes);
  }
  print_notes(notes);
  return notes;
}

void export_from(RunEngine& engine, const Network& network, const Config& config,
                 const std::string& path) {
  TensorFile file = network_tensors(network, engine.training->parameters(),
                                    engine.training->codes(), origin_of(engine, config));
  if (network.curriculum == Curriculum::kJoint) {
    for (std::size_t p = 1; p < network.precisions.size(); ++p) {
      engine.training->set_precision(p);
      const TensorFile one =
          network_tensors(network.at(network.precisions[p]), engine.training->parameters(),
                          engine.training->codes(), origin_of(engine, config));
      for (const auto& [name, tensor] : one.tensors)
        file.tensors[precision_prefix(network, p) + name] = tensor;
    }
    engine.training->set_precision(0);
  }
  write_tensors(path, file);
}

void write_outputs(RunEngine& engine, const Network& network, const Config& config,
                   const Images& images, const Inference& inference, const std::string& path) {
  write_tensors(path, inference_tensors(network, images, inference, origin_of(engine, config)));
}

void report_precisions(RunEngine& engine, const Network& network, const Images& images, int batch,
                       Json& report) {
  report["precisions"] = Json::array();
  if (engine.training->precisions() == 1 || images.count() == 0) return;
  for (std::size_t p = 0; p < engine.training->precisions(); ++p) {
    engine.training->set_precision(p);
    const Precision& bits = network.precisions[p];
    const double right = accuracy(*engine.training, images, batch);
    fmt::print("accuracy {:.2f} %{}\n", 100.0 * right,
               bits.weight_bits == 0
                   ? std::string(" with the network's bits")
                   : fmt::format(" with W={} A={}", bits.weight_bits, bits.activation_bits));
    report["precisions"].push_back({{"weight_bits", bits.weight_bits},
                                    {"activation_bits", bits.activation_bits},
                                    {"accuracy", right}});
  }
  engine.training->set_precision(0);
}

bool cycles_differ(const RtlTally& tally) {
  return tally.cycles_apart != 0 || (tally.predicted_device_cycles != 0 &&
                                     tally.predicted_device_cycles != tally.counters.cycles);
}

void print_tally(const RunEngine& engine, const RtlTally& tally) {
  if (!engine.simulated()) return;
  if (tally.predicted_device_cycles != 0)
    fmt::print("cycles   {} simulated, {} predicted (device busy, all steps)\n",
               tally.counters.cycles, tally.predicted_device_cycles);
  else
    fmt::print("cycles   {} (device busy; not predicted where memory pauses at random)\n",
               tally.counters.cycles);
  fmt::print("         {} advancing, {} predicted; {} waiting; {} of {} descriptors apart\n",
             tally.simulated_cycles, tally.predicted_cycles, tally.stall_cycles, tally.cycles_apart,
             tally.descriptors);
  if (!tally.first_difference_in_cycles.empty())
    fmt::print("         first: {}\n", tally.first_difference_in_cycles);
  if (engine.kind == "lockstep")
    fmt::print("lockstep {} bits compared, {} differ\n", tally.compared_bits,
               tally.mismatched_bits);
}

void report_tally(const RtlTally& tally, Json& report) {
  report["mismatched_bits"] = tally.mismatched_bits;
  report["compared_bits"] = tally.compared_bits;
  report["cycles"] = {
      {"simulated", tally.simulated_cycles}, {"predicted", tally.predicted_cycles},
      {"stall", tally.stall_cycles},         {"total", tally.counters.cycles},
      {"descriptors", tally.descriptors},    {"descriptors_apart", tally.cycles_apart}};
  if (tally.predicted_device_cycles != 0)
    report["cycles"]["predicted_total"] = tally.predicted_device_cycles;
}

}  // namespace solfege
