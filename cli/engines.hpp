// SPDX-License-Identifier: Apache-2.0
// The engines that commands run, and what of them goes to and from files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/report.hpp"
#include "model/data/dataset.hpp"
#include "model/data/training.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/spec/network.hpp"
#include "sim/rtl_device.hpp"

namespace solfege {

/// An engine, and what it is beside a TrainingEngine.
struct RunEngine {
  std::string kind;  ///< golden, rtl, lockstep or float
  std::unique_ptr<TrainingEngine> training;
  AcceleratorEngine* accelerator = nullptr;  ///< the engine, if it is one
  RtlDevice* rtl = nullptr;                  ///< its device, if it is one

  bool simulated() const { return is_simulated(kind); }
  static bool is_simulated(const std::string& kind) { return kind == "rtl" || kind == "lockstep"; }
  RtlTally tally() const { return rtl != nullptr ? rtl->tally() : RtlTally{}; }
};
RunEngine make_engine(const std::string& kind, const Config& config, const Network& network,
                      int batch, std::uint64_t seed, const RtlOptions& simulation);

/// Refuses options of waveforms where the engine has none.
void validate_simulation(const std::string& kind, const RtlOptions& simulation);

/// The engine starts from a file's parameters. Prints and returns notes on what was changed in
/// them.
std::vector<std::string> load_into(RunEngine& engine, const Network& network,
                                   const std::string& path);
/// Writes what the engine has trained, with its codes.
void export_from(RunEngine& engine, const Network& network, const Config& config,
                 const std::string& path);
/// Writes logits and codes of the images.
void write_outputs(RunEngine& engine, const Network& network, const Config& config,
                   const Images& images, const Inference& inference, const std::string& path);

/// Accuracies of each of several precisions, printed and as report["precisions"]; none of one.
void report_precisions(RunEngine& engine, const Network& network, const Images& images, int batch,
                       Json& report);

/// Whether the RTL took other cycles than were predicted.
bool cycles_differ(const RtlTally& tally);
void print_tally(const RunEngine& engine, const RtlTally& tally);
/// The keys of bits and cycles, 0 without RTL.
void report_tally(const RtlTally& tally, Json& report);

}  // namespace solfege
