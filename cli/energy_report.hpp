// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/plot.hpp"
#include "cli/report.hpp"
#include "cost/compare/comparison.hpp"
#include "cost/energy/energy_model.hpp"
#include "cost/energy/operation_energy.hpp"
#include "cost/energy/reference_tables.hpp"
#include "cost/energy/step_energy.hpp"
#include "cost/energy/step_sampling.hpp"
#include "model/spec/config.hpp"

namespace solfege {

// What `solfege energy` prints, writes and draws; cli/energy.cpp decides what is computed.

/// The step at both tiers of delay on one library.
struct PricedStep {
  StepEnergy zero, timed;
  double macs = 0;
};

// ---- On stdout ----
void print_published(const EnergyReport& energy);
/// Which step of the training the operands are of, and how its gradients were.
void print_sampled_step(const StepSamples& samples);
void print_step(const PricedStep& priced);
void print_operations(const std::vector<OperationEnergy>& rows);

// ---- JSON ----
void report_published(const EnergyReport& energy, Json& report);
Json json_of(const PricedStep& priced);
Json json_of(const std::vector<OperationEnergy>& rows);
Json json_of(const Comparison& comparison);

// ---- Tables and pictures ----
std::string csv_of(const std::vector<OperationEnergy>& rows, const EnergyReport& published);
/// Components for Accelergy: the first library's timed figures, or the published ones.
std::vector<ReferenceComponent> components_of(const Config& config,
                                              const std::vector<OperationEnergy>& rows,
                                              const EnergyReport& published);
/// Energy of the step's logic by unit; memories and DRAM are of other technologies and not drawn.
BarChart chart_of(const StepEnergy& step, const std::string& network);
BarChart chart_of(const EnergyReport& published, const std::string& network);

}  // namespace solfege
