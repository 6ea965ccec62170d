// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cost/energy/array_trace.hpp"
#include "cost/energy/stream_trace.hpp"
#include "cost/energy/units.hpp"
#include "cost/gates/vectors.hpp"
#include "model/base/splitmix.hpp"
#include "model/data/training.hpp"
#include "model/host/device.hpp"

namespace solfege {

/// Some cycles of one unit during a descriptor.
struct UnitWindow {
  std::string unit;  ///< of cost_unit_names()
  /// pe: product, row sum, column sum, lane count, each with the operations for actions;
  /// stream_lane: stream_mode(); reduce: reduce_mode().
  std::string mode;
  Vectors vectors;          ///< of the unit's inputs
  std::size_t warm_up = 0;  ///< first cycles, which only bring the unit into its state
  /// Cycles after the warm-up in which the unit acts: an operation, an element, a sum. The energy
  /// of an action is that of all cycles after the warm-up, without the clock's, over these.
  std::size_t actions = 0;
  std::string layer, pass;
  double represents = 1;  ///< actions of the step that it stands for
  /// Windows of the units behind this one, from what its netlist puts out in each cycle.
  std::function<std::vector<UnitWindow>(const Vectors& outputs)> behind;
};

/// How many windows of each unit an operation gives, and how many of the step's plane pairs or
/// elements each of them stands for.
struct WindowShare {
  int windows = 0;
  double represents = 0;
};
/// Shares of all operations, [program][operation]: `windows` for each kind of STREAM in each
/// layer's pass, and four times as many for the array, given in equal steps to the operations in
/// proportion to their elements or plane pairs.
std::vector<std::vector<WindowShare>> share_windows(const Config& config,
                                                    const std::vector<Program>& programs,
                                                    int windows);

/// Elements as a coder of a lane sees them.
struct CoderElement {
  std::uint32_t y = 0, maximum = 0, random = 0, row = 0;
};
struct ThresholdWord {
  std::uint32_t row = 0, node = 0, value = 0;
};
/// A window of the threshold quantizer: its thresholds are loaded, then elements come one a cycle;
/// those from `warm_up` on are counted.
UnitWindow threshold_window(const Config& config, std::uint32_t bits,
                            const std::vector<ThresholdWord>& thresholds,
                            const std::vector<CoderElement>& elements, std::size_t warm_up);
/// The same of the stochastic quantizer.
UnitWindow rounding_window(const Config& config, std::uint32_t bits,
                           const std::vector<CoderElement>& elements, std::size_t warm_up);

/// What a pass asks of the reductions: "max", "sum+squares"; empty for nothing.
std::string reduce_mode(const Descriptor& d);

/// Samples what units see while the golden device works, in hardware order: operand words under
/// their masks with the array's control, and a stream lane's elements, tables and random numbers.
/// The same seed and programs give the same windows.
class OperandTrace {
 public:
  using Sink = std::function<void(UnitWindow)>;
  /// Windows are of `cycles` cycles.
  OperandTrace(const Config& config, std::size_t cycles, std::uint64_t seed, Sink sink);
  /// Before `device` executes the operation.
  void sample(const GoldenDevice& device, const Operation& operation, const WindowShare& share);

 private:
  void sample_gemm(const GoldenDevice& device, const Operation& operation,
                   const WindowShare& share);
  void sample_stream(const GoldenDevice& device, const Operation& operation,
                     const WindowShare& share);
  void give(const Operation& operation, double represents, UnitWindow window);
  std::uint64_t below(std::uint64_t count) { return random_.next() % count; }
  Vectors vectors(const std::string& unit) const { return Vectors(ports_.at(unit)); }

  const Config config_;
  const std::size_t cycles_;
  const Sink sink_;
  std::map<std::string, std::vector<Vectors::Port>> ports_;
  SplitMix64 random_;
};

}  // namespace solfege
