// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cost/energy/energy_fit.hpp"
#include "cost/energy/memory_energy.hpp"
#include "model/data/dataset.hpp"
#include "model/spec/config.hpp"
#include "model/spec/network.hpp"
#include "model/spec/program.hpp"
#include "model/timing/timing_model.hpp"

namespace solfege {

// ---- Operands of a step ----

/// Windows of a unit during one operation, as features.
struct UnitSample {
  std::vector<double> features;  ///< mean of a cycle
  double cycles = 0, actions = 0;
};
/// By unit and mode, "pe/product".
using OperationSamples = std::map<std::string, UnitSample>;

/// What a layer's gradient was like in a step.
struct LayerGradient {
  std::string layer;
  double zero_share = 0;  ///< of the elements that backward_input made, those that are exactly 0
};

struct StepSamples {
  int step = 0;                                        ///< which one of the training, from 1
  std::vector<LayerGradient> gradients;                ///< of that step
  std::vector<Program> programs;                       ///< as they ran
  std::vector<std::vector<OperationSamples>> samples;  ///< [program][operation]
};

struct SamplingOptions {
  int batch = 16;
  int steps_before = 1;  ///< training steps before the one that is sampled, at least
  int last_step = 32;    ///< the last one to try
  std::uint64_t seed = 1;
  TraceOptions trace;
};
/// Called with what goes on and the fraction done of it; may throw to stop.
using StepProgress = std::function<void(const std::string&, double)>;

/// Trains on the golden model and samples the operands of one step: the first after `steps_before`
/// others in which the gradient of no layer is all zero, or `last_step` if there is none.
/// `windows`, if given, also receives every window.
StepSamples sample_step(const Config& config, const Network& network, const Images& images,
                        const SamplingOptions& options, const StepProgress& progress = {},
                        const std::function<void(const UnitWindow&)>& windows = {});

// ---- Models of all units ----

using UnitModels = std::map<std::string, UnitModel>;

struct CharacterisationOptions {
  std::string liberty;          ///< empty: kDefaultLiberty
  std::string cache_directory;  ///< of netlists and models
  DelayModel delays = DelayModel::kZero;
  int synthetic_windows = 600;
  std::size_t tensor_windows = 300;  ///< of each unit and network, at most
  std::string fitted_network = "tiny_mlp", held_out_network = "tiny_cnn";
  int batch = 8;
  std::vector<std::string> units;  ///< empty: all that a step has
};
/// Maps, simulates and fits the units, with operands of one network; their held-out error is on
/// those of the other. Both train on the built-in digits. `rtl`: a folder that generate() wrote.
UnitModels characterise_units(const Config& config, const std::string& rtl,
                              const CharacterisationOptions& options,
                              const StepProgress& progress = {});

// ---- Price of a step ----

/// What a line's energy is of, and of which technology. Idle clock: the pins of clock gates, and
/// the clocks of units without gates while they stand still.
enum class EnergyKind { kData, kClock, kIdleClock, kLeakage, kMemory, kDram };

struct StepEnergyLine {
  std::string layer, pass;  ///< empty for what belongs to the step: idle clocks, leakage
  std::string unit;         ///< "pe", "operand_register", ..., "row buffer", "DRAM"
  std::string action;       ///< "product", "row sum", "read" ...
  EnergyKind kind = EnergyKind::kData;
  double actions = 0;
  double total_pj = 0;
  double pj() const { return actions > 0 ? total_pj / actions : 0; }
};

struct StepEnergy {
  std::string library;  ///< of the logic
  std::string memory, dram;
  int memory_node_nm = 0;
  double cycles = 0, cycle_ns = 0;
  double data_pj = 0, clock_pj = 0, idle_clock_pj = 0, leakage_pj = 0;  ///< logic
  double memory_pj = 0;                                                 ///< on-chip, of its node
  double dram_pj = 0;
  std::vector<StepEnergyLine> lines;
  std::vector<std::string> notes;  ///< what is not priced, and where operands were not sampled
  double logic_pj() const { return data_pj + clock_pj + idle_clock_pj + leakage_pj; }
};

struct PricingOptions {
  double cycle_ns = 10;         ///< clock period, for leakage
  std::string dram = "LPDDR4";  ///< of dram_energy()
};

/// Prices a step: actions of each operation by their units' models with the features sampled in
/// it; clocks while units act, and beside that as their gates (sf_clock_gate) let them through;
/// memories by `memory`, whose node is stated and whose sum is kept apart from the logic's.
/// `timings`: one a program.
StepEnergy price_step(const Config& config, const StepSamples& step,
                      const std::vector<ProgramTiming>& timings, const UnitModels& models,
                      const MemoryTechnology& memory, const PricingOptions& options = {});

}  // namespace solfege
