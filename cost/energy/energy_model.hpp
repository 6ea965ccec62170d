// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/spec/config.hpp"
#include "model/spec/program.hpp"
#include "model/timing/timing_model.hpp"

namespace solfege {

/// The price of one action, and where it comes from.
struct EnergyFigure {
  double energy_pj = 0;  ///< picojoule an action
  int node_nm = 45;      ///< logic node in nanometres; 0 for DRAM devices, which have none
  std::string source;    ///< publication, and the derivation for derived figures
  std::string tier;      ///< "published", or "derived" from published points as `source` says
};

/// n-bit integer addition (or subtraction, comparison): Horowitz, ISSCC 2014, 45 nm, 8/16/32 bits
/// published; others linear between them, proportional outside.
EnergyFigure add_energy(int bits);
/// a x b bit integer multiplication: Horowitz, 8 x 8 and 32 x 32 published; others linear in a*b.
EnergyFigure multiply_energy(int a_bits, int b_bits);
/// One bit product with its share of the popcount: 1/64 of an 8 x 8 multiplication, which is 64
/// bit products with about an adder cell each.
EnergyFigure bit_product_energy();
/// Reading or writing `bits` of an on-chip memory of `capacity_bytes`: Horowitz, 64 bits of 8 KB,
/// 32 KB, 1 MB; between them linear in log2(capacity), outside the nearest point.
EnergyFigure sram_energy(int bits, double capacity_bytes);
/// `bits` of DRAM: "LPDDR4", "LPDDR", "DDR3", "GDDR5", "HBM2" or "HMC". InputError for others.
EnergyFigure dram_energy(int bits, const std::string& type);

/// One kind of action of a unit, summed over the step.
struct EnergyLine {
  std::string unit;  ///< array, accumulators, operand buffers, stream unit, random source, DRAM
  std::string name;
  int bits = 0;  ///< width of the action
  std::uint64_t count = 0;
  EnergyFigure figure;  ///< of one action
  double total_pj() const { return static_cast<double>(count) * figure.energy_pj; }
};

/// Energy by unit, layer or pass. On-chip energy is of one node; DRAM is never added to it.
struct EnergyShare {
  std::string name;  ///< unit, or layer
  std::string pass;  ///< of a layer
  double on_chip_pj = 0, dram_pj = 0;
};

/// One multiply-accumulate of a x b bits: a*b plane pairs on the array, against a multiplier.
struct MacEnergy {
  std::string name;  ///< "W x A", "W x G", "A x G"
  int a_bits = 0, b_bits = 0;
  double bit_serial_pj = 0;    ///< a*b bit products and the a*b/L accumulations
  double bit_parallel_pj = 0;  ///< an a x b multiplication and one accumulation
};

struct EnergyReport {
  int node_nm = 45;
  std::string dram;                 ///< type
  double on_chip_pj = 0;            ///< counted actions at node_nm
  double dram_pj = 0;               ///< by itself: another technology, another source
  std::vector<EnergyLine> actions;  ///< over the step
  std::vector<EnergyShare> units, passes;
  std::vector<MacEnergy> macs;
  std::vector<std::string> notes;  ///< what is not priced, and bounds
};

/// Counts the actions of a step's descriptors and prices each with a published figure. An estimate
/// for uniformly busy operands: it knows neither data nor the netlist. Memory traffic is that of
/// the timing model with the default memory.
EnergyReport price(const Config& config, const std::vector<Program>& step,
                   const std::string& dram = "LPDDR4");

}  // namespace solfege
