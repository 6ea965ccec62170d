// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/report.hpp"
#include "model/data/dataset.hpp"
#include "model/spec/network.hpp"
#include "model/spec/program.hpp"
#include "model/timing/bus.hpp"
#include "sim/rtl_device.hpp"

namespace CLI {
class App;
}

namespace solfege {

/// How the RTL is simulated: `train` and `verify` share these.
struct SimulationOptions {
  MemoryModel memory;
  bool structural_popcount = false;
  std::vector<std::string> defines;  ///< test only: Verilog macros that break the design
  std::string fst_path;
  std::uint64_t fst_from = 0, fst_to = 100000;
  std::string design;   ///< folder of `generate` to simulate as it stands; empty: made anew
  std::string netlist;  ///< folder of `synth --netlist` to simulate instead of the RTL
  std::uint64_t reset_seed = 1;  ///< of what registers and memories hold before the reset
  RtlOptions rtl() const;
};

struct TrainOptions {
  std::string network = "mlp", data, engine = "golden";
  std::string scheme;  ///< of layers that name none; empty: the network's own
  int resize = 0;      ///< side of the images; 0: as they are
  int batch = 64;
  int steps = 0;                      ///< of this run and those it continues; 0: by epochs
  double epochs = 0;                  ///< likewise; 0 with steps 0: one epoch
  bool evaluate_every_epoch = false;  ///< also when `epochs` is set
  int test_images = -1;  ///< -1: all for golden and float, one batch's worth for the RTL
  std::uint64_t seed = 1;
  std::string weights_path;  ///< master weights in hexadecimal text, to compare runs
  std::string checkpoint_path, resume_path;
  int checkpoint_every = 0;  ///< steps; 0: only at the end
  std::string plot_path;
  SimulationOptions simulation;
};

struct VerifyOptions {
  int cases = 100, first_case = 0;
  std::uint64_t seed = 0;  ///< 0: from the clock, printed
  SimulationOptions simulation;
};

struct StepOptions {
  std::string network = "mlp", data;
  std::string scheme;  ///< of layers that name none; empty: the network's own
  int resize = 0;
  int batch = 64;
  MemoryTiming memory;
  std::string plot_path;  ///< roofline; empty: none
};

struct SynthOptions {
  std::string liberty;              ///< empty: Debian's osu018
  std::string top;                  ///< module; empty: the whole machine
  std::string adders = "ripple";    ///< or prefix
  std::optional<double> period_ns;  ///< to judge slack by
  bool no_timing = false, fpga = false;
  int jobs = 0;
  std::string plot_path;
  std::string netlist_directory;  ///< set: writes the gate-level netlist there instead
};

/// `energy` prices the same step.
struct EnergyOptions {
  StepOptions step;
  std::vector<std::string> liberties;  ///< cell libraries; empty: Debian's osu018
  bool published_only = false;         ///< no netlists: tables alone, at once
  std::string memory;                  ///< a MemoryTechnology's source, of the on-chip memories
  std::string dram = "LPDDR4";
  double cycle_ns = 10;  ///< clock period, for leakage
  int windows = 8;       ///< SamplingOptions::windows
  bool compare = false;  ///< datapaths against parallel units
  std::string csv_path, ert_path, art_path, plot_path, activity_directory;
};

/// The data set a network is trained on: resized if asked, grey images repeated where the network's
/// file wants more channels. Says on stdout what it changed.
Dataset load_images(const std::string& data, int resize, const std::string& network);
/// The shape of those images, without loading the built-in ones: with no data set it is the
/// network's own.
ImageShape images_shape(const std::string& data, int resize, const std::string& network);

/// The programs of one training step of a network on a configuration.
std::vector<Program> programs_of(const Config& config, const StepOptions& options);

// Each command prints its result, writes its report, and returns the exit code: 0 done, 1 a check
// failed, 128 + a signal if that ended it.
int run_generate(const CommonOptions& common, const std::string& directory);
int run_train(const CommonOptions& common, const TrainOptions& options);
int run_verify(const CommonOptions& common, VerifyOptions options);
int run_cycles(const CommonOptions& common, const StepOptions& options);
int run_energy(const CommonOptions& common, const EnergyOptions& options);
int run_synth(const CommonOptions& common, const SynthOptions& options);
int run_keys(const CommonOptions& common);
int run_schemes(const CommonOptions& common);
int run_plot(const std::vector<std::string>& reports, const std::string& output);
/// `program` is the whole command line.
int run_reference(const CLI::App& program, const std::string& directory);

}  // namespace solfege
