// SPDX-License-Identifier: Apache-2.0
// The solfege program: options to commands, errors to exit codes.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <set>

#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "model/base/error.hpp"
#include "model/base/interrupt.hpp"
#include "model/base/progress.hpp"
#include "model/base/version.hpp"
#include "model/schemes/scheme.hpp"

namespace {

using solfege::number;
using solfege::output_file;
using solfege::output_folder;
using solfege::positive_number;
using solfege::whole_number;

constexpr std::uint64_t kMostSamples = 1'000'000, kMostRepeats = 1'000'000'000,
                        kAny = std::numeric_limits<std::uint64_t>::max();

/// A file to write.
CLI::Option* add_output(CLI::App* app, const char* name, std::string& path, const char* meaning) {
  return app->add_option(name, path, meaning)->check(output_file());
}

/// A whole number, whose default is shown.
template <typename Number>
void add_whole(CLI::App* app, const char* name, Number& value, const char* meaning,
               std::uint64_t least, std::uint64_t most = kAny) {
  app->add_option(name, value, meaning)->check(whole_number(least, most))->capture_default_str();
}

/// Of a MemoryModel or a MemoryTiming.
template <typename Memory>
void add_memory(CLI::App* app, Memory& memory) {
  add_whole(app, "--memory-latency", memory.latency_cycles, "latency of the memory in cycles", 0,
            4096);
  app->add_option("--memory-bytes-per-cycle", memory.bytes_per_cycle,
                  "bandwidth; 0 is a beat a cycle each way")
      ->check(number(0, 1e6));
}

void add_simulation(CLI::App* app, solfege::RtlOptions& o) {
  app->add_flag("--ideal-memory", o.memory.ideal, "memory without latency or stalls");
  add_memory(app, o.memory);
  app->add_option("--memory-stalls", o.memory.stall_probability, "chance that a channel pauses")
      ->check(number(0, 0.95));
  app->add_option("--memory-seed", o.memory.stall_seed, "seed of the stalls")
      ->check(whole_number(0));
  auto* structural =
      app->add_flag("--adder-tree", o.dut.adder_tree,
                    "simulate the elements' trees of adders, the form that is synthesised");
  auto* define = app->add_option("--define", o.dut.defines,
                                 "Verilog macro of the simulated design (tests break it so)");
  auto* fst = add_output(app, "--fst", o.fst_path, "waveforms to this FST file");
  auto* design = app->add_option("--design", o.design_directory,
                                 "simulate the Verilog of this folder, made by generate, as it "
                                 "stands");
  app->add_option("--netlist", o.netlist_directory,
                  "simulate the gates of this folder, made by synth --netlist, instead of the RTL")
      ->excludes(structural)
      ->excludes(define)
      ->excludes(fst)
      ->excludes(design);
  add_whole(app, "--reset-seed", o.dut.reset_seed,
            "seed of what registers and memories hold before the reset", 0);
  app->add_option("--fst-from", o.fst_from, "first cycle of the waveforms")->check(whole_number(0));
  add_whole(app, "--fst-to", o.fst_to, "last cycle of the waveforms", 0);
}

void add_scheme(CLI::App* app, std::string& scheme) {
  std::set<std::string> names;
  for (const solfege::Scheme* each : solfege::schemes()) names.insert(each->name());
  app->add_option("--scheme", scheme,
                  "how layers that name no scheme are quantized: " + solfege::scheme_names() +
                      "; default: as the network's file says, else dorefa")
      ->check(CLI::IsMember(names));
}

void add_step(CLI::App* app, solfege::StepOptions& o, const char* data) {
  app->add_option("--network", o.network, "shipped network or TOML file")->capture_default_str();
  app->add_option("--data", o.data, data);
  app->add_option("--resize", o.resize, "side to resize the images to, in pixels")
      ->check(whole_number(1, 1024));
  add_scheme(app, o.scheme);
  add_whole(app, "--batch", o.batch, "samples of a step", 1, kMostSamples);
}

constexpr const char* kDataOfStep =
    "data set: the shape of its images, and for energy their pixels; none: the network's, or "
    "built-in digits";

/// Of a network that an engine runs. Returns the option of the file to start from.
CLI::Option* add_run(CLI::App* app, solfege::RunOptions& o, const char* init) {
  add_step(app, o, "folder with IDX, CIFAR or SVHN files; none: built-in digits");
  app->add_option("--engine", o.engine, "golden, rtl, lockstep or float")
      ->check(CLI::IsMember({"golden", "rtl", "lockstep", "float"}))
      ->capture_default_str();
  app->add_option("--test-images", o.test_images,
                  "images of the test set to classify at the end; default all, for the RTL a batch")
      ->check(whole_number(0, kMostSamples));
  add_simulation(app, o.simulation);
  return app->add_option("--init", o.init_path, init);
}

void add_training(CLI::App* app, solfege::TrainOptions& o) {
  auto* init =
      add_run(app, o,
              "start from the weights of this safetensors file, of --export or of PyTorch, "
              "instead of random ones");
  auto* steps =
      app->add_option("--steps", o.steps, "training steps, those before --resume included")
          ->check(whole_number(1, kMostRepeats));
  app->add_option("--epochs", o.epochs, "passes over the training images (default 1)")
      ->check(positive_number(1e6))
      ->excludes(steps);
  add_whole(app, "--seed", o.seed, "seed of the initial weights and of the order of the images", 0);
  app->add_flag("--evaluate-every-epoch", o.evaluate_every_epoch,
                "accuracy after each epoch, not only at the end; --epochs does so too");
  add_output(app, "--export", o.export_path,
             "write what was trained to this safetensors file: weights, their codes, batch norm");
  auto* checkpoint = add_output(app, "--checkpoint", o.checkpoint_path,
                                "write the state of the training to this file");
  app->add_option("--checkpoint-every", o.checkpoint_every,
                  "steps between checkpoints; default only at the end and at Ctrl-C")
      ->check(whole_number(1, kMostRepeats))
      ->needs(checkpoint);
  app->add_option("--resume", o.resume_path, "continue from this checkpoint")->excludes(init);
  add_output(app, "--plot", o.plot_path, "draw loss and accuracy to this .svg or .png");
}

void add_evaluation(CLI::App* app, solfege::EvaluateOptions& o) {
  add_run(app, o, "the weights: a safetensors file of --export, of solfege export or of PyTorch")
      ->required();
  add_output(app, "--outputs", o.outputs_path,
             "write logits and codes of the images to this safetensors file");
  add_whole(app, "--calibrate", o.calibrate,
            "scheme qcode: choose the exponents of each layer by so many training images", 1,
            1000000);
  app->add_option("--criterion", o.criterion,
                  "what exponents are chosen by: mse, mean square; kl, Kullback-Leibler "
                  "divergence; accuracy, greedily from mse")
      ->check(CLI::IsMember({"mse", "kl", "accuracy"}))
      ->capture_default_str()
      ->needs(app->get_option("--calibrate"));
}

void add_verification(CLI::App* app, solfege::VerifyOptions& o) {
  add_whole(app, "--cases", o.cases, "random programs", 1, kMostRepeats);
  app->add_option("--seed", o.seed, "replay: the seed a run printed")->check(whole_number(0));
  app->add_option("--first-case", o.first_case, "replay: number of the first case")
      ->check(whole_number(0, kMostRepeats));
  add_simulation(app, o.simulation);
}

void add_cycles(CLI::App* app, solfege::CyclesOptions& o) {
  add_step(app, o, kDataOfStep);
  add_memory(app, o.memory);
  add_output(app, "--plot", o.plot_path, "draw the roofline to this .svg or .png");
}

void add_energy(CLI::App* app, solfege::EnergyOptions& o) {
  add_step(app, o, kDataOfStep);
  app->add_option(
      "--liberty", o.liberties,
      "cell library of the netlists: a .lib or .lib.gz file, several with commas between, or a "
      "folder of them; again for another library; default: Debian's osu018");
  auto* published =
      app->add_flag("--published", o.published_only, "published tables only, no netlists: at once");
  app->add_option(
      "--memory", o.memory,
      "on-chip memories of the netlists' figures: ihp130, ihp130:FOLDER, cacti45, cacti22, "
      "horowitz45 or a TOML table");
  app->add_option("--dram", o.dram, "LPDDR4, LPDDR, DDR3, GDDR5, HBM2 or HMC")
      ->capture_default_str();
  app->add_flag("--compare", o.compare,
                "also bit planes at five (W, A, G) against int4 .. int16 and bf16 units")
      ->excludes(published);
  app->add_option("--cycle-ns", o.cycle_ns, "clock period, for leakage")
      ->check(number(0.001, 1e6))
      ->capture_default_str();
  add_whole(app, "--windows", o.windows,
            "stretches of 64 cycles that are simulated gate by gate, of each kind of work of the "
            "stream unit in each layer's pass, and four times as many of the array's: more make "
            "the standard error of data smaller",
            2, 1000);
  add_output(app, "--csv", o.csv_path, "write the table of operations to this file");
  add_output(app, "--ert", o.ert_path, "write Accelergy's energy reference table (YAML)");
  add_output(app, "--art", o.art_path, "write Accelergy's area reference table (YAML)");
  add_output(app, "--plot", o.plot_path, "draw the step's energy by unit to this .svg or .png");
  app->add_option("--activity", o.activity_directory,
                  "write netlists and their switching activity (SAIF) to this folder")
      ->check(output_folder())
      ->excludes(published);
}

void add_synthesis(CLI::App* app, solfege::SynthOptions& o) {
  app->add_option("--liberty", o.liberty,
                  "cell library: a .lib or .lib.gz file, several with commas between, or a "
                  "folder of them; default: Debian's osu018");
  app->add_option("--top", o.top, "only this module and what is below it, such as sf_pe");
  app->add_option("--adders", o.adder_style,
                  "ripple: smallest, full adders of the library; prefix: plain logic; auto: ripple "
                  "where a carry is short, prefix elsewhere")
      ->check(CLI::IsMember({"auto", "ripple", "prefix"}))
      ->capture_default_str();
  app->add_option("--period", o.period_ns, "clock period to report slack for, in ns")
      ->check(positive_number(1e6));
  app->add_flag("--no-timing", o.no_timing, "area only");
  app->add_flag("--fpga", o.fpga,
                "look-up tables of --top, or one processing element, in three families");
  app->add_option("--jobs", o.jobs, "Yosys processes at once; default one a processor")
      ->check(whole_number(1, 1024));
  app->add_option("--memory", o.memory,
                  "area of the memories, too: ihp130, or a TOML table with areas, as of energy");
  add_output(app, "--plot", o.plot_path, "draw where the area goes to this .svg or .png");
  app->add_option("--netlist", o.netlist_directory,
                  "only write the gate-level netlist to this folder, for --netlist of train "
                  "and verify")
      ->check(output_folder());
}

/// Says it on one line of text, whatever a file or a library put into the message.
int fail(const std::string& message, int status) {
  std::string line;
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\r' || c == '\t')
      line += line.empty() || line.back() == ' ' ? "" : " ";
    else
      line += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  constexpr std::size_t kLongest = 4000;
  if (line.size() > kLongest) line = line.substr(0, kLongest) + " ...";
  solfege::say(fmt::format("solfege: {}", line));
  return status;
}

/// Runs a command line to its end, and says what went wrong.
int run(int argc, char** argv) {
  using namespace solfege;
  CLI::App app{"Solfege generates, simulates and costs hardware that trains DoReFa networks."};
  app.set_version_flag("--version", std::string("solfege ") + kVersion);
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return fmt::format("solfege: {}; see --help\n", error.what());
  });
  app.footer(
      "Examples:\n  solfege train configs/w1a2g4.toml --network mlp --steps 20 --engine lockstep\n"
      "  solfege generate configs/tiny.toml -o build/tiny");
  CommonOptions common;
  for (int i = 0; i < argc; ++i)
    common.command += (i ? " " : "") + std::string(i ? argv[i] : "solfege");
  std::function<int()> command;
  const auto add_plain = [&](const char* name, const char* text, std::function<int()> runs) {
    CLI::App* sub = app.add_subcommand(name, text);
    sub->callback([&command, runs] { command = runs; });
    return sub;
  };
  const auto add_json = [&](CLI::App* sub) {
    add_output(sub, "--json", common.json_path, "write the report to this file");
  };
  const auto add = [&](const char* name, const char* text, std::function<int()> runs) {
    CLI::App* sub = add_plain(name, text, std::move(runs));
    sub->add_option("CONFIG", common.config_path, "configuration (TOML)")->required();
    add_json(sub);
    return sub;
  };

  std::string directory;
  TrainOptions train;
  EvaluateOptions evaluate;
  VerifyOptions verify;
  CyclesOptions cycles;
  EnergyOptions energy;
  SynthOptions synth;

  add("generate", "write the Verilog of a configuration",
      [&] { return run_generate(common, directory); })
      ->add_option("-o,--output", directory, "folder to write")
      ->required()
      ->check(output_folder());
  add_training(add("train", "train a network", [&] { return run_train(common, train); }), train);
  add_evaluation(add("evaluate", "classify images with weights of a file",
                     [&] { return run_evaluate(common, evaluate); }),
                 evaluate);
  add_verification(
      add("verify", "random operations on the RTL against the golden and the cycle model",
          [&] { return run_verify(common, verify); }),
      verify);
  add_cycles(add("cycles", "cycles of a training step, per layer and pass",
                 [&] { return run_cycles(common, cycles); }),
             cycles);
  add_energy(add("energy", "energy of a training step, per operation and unit",
                 [&] { return run_energy(common, energy); }),
             energy);
  add_synthesis(add("synth", "area, clock and look-up tables, by Yosys and OpenSTA",
                    [&] { return run_synth(common, synth); }),
                synth);

  std::string checkpoint, tensors;
  CLI::App* exported = add_plain("export", "what a checkpoint has trained, as safetensors",
                                 [&] { return run_export(common, checkpoint, tensors); });
  exported->add_option("CHECKPOINT", checkpoint, "file of train --checkpoint")->required();
  add_output(exported, "-o,--output", tensors, "safetensors file to write")->required();
  add_json(exported);

  CLI::App* keys = add_plain("keys", "the keys of a configuration and their ranges",
                             [&] { return run_keys(common); });
  keys->add_option("CONFIG", common.config_path, "show this one's values; none: the defaults");
  add_json(keys);
  add_json(add_plain("schemes", "the ways to quantize: papers, deviations, parameters",
                     [&] { return run_schemes(common); }));

  std::vector<std::string> reports;
  std::string plot_path;
  CLI::App* plot = add_plain("plot", "lay the curves of training reports over one another",
                             [&] { return run_plot(reports, plot_path); });
  plot->add_option("REPORT", reports, "JSON reports of solfege train")->required();
  add_output(plot, "-o,--output", plot_path, "picture to draw, .svg or .png")->required();

  add_plain("reference", "write the reference pages: keys, options and reports, as they are here",
            [&] { return run_reference(app, directory); })
      ->add_option("-o,--output", directory, "folder to write")
      ->required()
      ->check(output_folder());

  try {
    app.parse(argc, argv);
    return command();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help
    return fail(fmt::format("{}; see --help", error.what()), 2);
  } catch (const InputError& error) {
    return fail(error.what(), 2);
  } catch (const Interrupted& interrupt) {
    return fail(
        fmt::format("interrupted by {}; what is in the cache stays", strsignal(interrupt.signal)),
        128 + interrupt.signal);
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(fmt::format("{}: {}", error.path1().string(), error.code().message()), 2);
  } catch (const std::bad_alloc&) {
    return fail("the memory is not enough for this; choose a smaller batch, network or machine", 2);
  } catch (const std::exception& error) {
    return std::ferror(stdout) != 0 ? 1 : fail(error.what(), 1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Nothing that is opened later may take the numbers of the standard streams.
  for (int file = 0; file >= 0 && file <= STDERR_FILENO;) {
    file = open("/dev/null", O_RDWR);
    if (file > STDERR_FILENO) close(file);
  }
  solfege::Interrupt::install();
  const int code = run(argc, argv);
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  solfege::say(fmt::format("solfege: standard output cannot be written: {}; free space",
                           errno != 0 ? std::strerror(errno) : "its file or disk is full"));
  return 2;
}
