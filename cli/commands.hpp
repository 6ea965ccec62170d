// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/report.hpp"
#include "cost/eda/synthesis.hpp"
#include "model/data/dataset.hpp"
#include "model/spec/network.hpp"
#include "model/spec/program.hpp"
#include "model/timing/bus.hpp"
#include "sim/rtl_device.hpp"

namespace CLI {
class App;
}

namespace solfege {

/// A step of the training of a network.
struct StepOptions {
  std::string network = "mlp", data;
  std::string scheme;  ///< of layers that name none; empty: the network's own
  int resize = 0;      ///< side of the images; 0: as they are
  int batch = 64;
  std::string plot_path;  ///< empty: none
};

/// A network that an engine runs on images.
struct RunOptions : StepOptions {
  std::string engine = "golden";
  int test_images = -1;   ///< -1: all for golden and float, one batch's worth for the RTL
  std::string init_path;  ///< parameters to start from; empty: none
  RtlOptions simulation;
};

struct TrainOptions : RunOptions {
  int steps = 0;                      ///< of this run and those it continues; 0: by epochs
  double epochs = 0;                  ///< likewise; 0 with steps 0: one epoch
  bool evaluate_every_epoch = false;  ///< also when `epochs` is set
  std::uint64_t seed = 1;
  std::string export_path, checkpoint_path, resume_path;
  int checkpoint_every = 0;  ///< steps; 0: only at the end
};

struct EvaluateOptions : RunOptions {
  std::string outputs_path;  ///< logits and codes of the images; empty: none
  int calibrate = 0;         ///< training images of a calibration; 0: none
  std::string criterion = "mse";
};

struct VerifyOptions {
  int cases = 100, first_case = 0;
  std::uint64_t seed = 0;  ///< 0: from the clock, printed
  RtlOptions simulation;
};

struct CyclesOptions : StepOptions {
  MemoryTiming memory;
};

struct SynthOptions : SynthesisOptions {
  std::string adder_style = "auto";  ///< or ripple, prefix
  bool no_timing = false;
  std::string memory;  ///< a MemoryTechnology's source, for the area of memories
  std::string plot_path;
  std::string netlist_directory;  ///< set: writes the gate-level netlist there instead
};

struct EnergyOptions : StepOptions {
  std::vector<std::string> liberties;  ///< cell libraries; empty: Debian's osu018
  bool published_only = false;         ///< no netlists: tables alone, at once
  std::string memory;                  ///< a MemoryTechnology's source, of the on-chip memories
  std::string dram = "LPDDR4";
  double cycle_ns = 10;  ///< clock period, for leakage
  int windows = 8;       ///< SamplingOptions::windows
  bool compare = false;  ///< datapaths against parallel units
  std::string csv_path, ert_path, art_path, activity_directory;
};

/// The data set a network is trained on: resized if asked, grey images repeated where the network's
/// file wants more channels. Says on stdout what it changed.
Dataset load_images(const std::string& data, int resize, const std::string& network);
/// The shape of those images, without loading the built-in ones: with no data set it is the
/// network's own.
ImageShape images_shape(const std::string& data, int resize, const std::string& network);

/// Leaves only those test images that a run is to classify; returns how many.
int keep_test_images(Dataset& data, const RunOptions& options);

/// The programs of one training step of a network on a configuration.
std::vector<Program> programs_of(const Config& config, const StepOptions& options);

// Each command prints its result, writes its report, and returns the exit code: 0 done, 1 a check
// failed, 128 + a signal if that ended it.
int run_generate(const CommonOptions& common, const std::string& directory);
int run_train(const CommonOptions& common, const TrainOptions& options);
int run_evaluate(const CommonOptions& common, const EvaluateOptions& options);
int run_export(const CommonOptions& common, const std::string& checkpoint,
               const std::string& output);
int run_verify(const CommonOptions& common, VerifyOptions options);
int run_cycles(const CommonOptions& common, const CyclesOptions& options);
int run_energy(const CommonOptions& common, const EnergyOptions& options);
int run_synth(const CommonOptions& common, const SynthOptions& options);
int run_keys(const CommonOptions& common);
int run_schemes(const CommonOptions& common);
int run_plot(const std::vector<std::string>& reports, const std::string& output);
/// `program` is the whole command line.
int run_reference(const CLI::App& program, const std::string& directory);

}  // namespace solfege
