// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/synthesis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <filesystem>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "cost/eda/elaborated_design.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "cost/eda/prepared_library.hpp"
#include "cost/eda/yosys.hpp"
#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"
#include "model/base/share.hpp"
#include "model/spec/geometry.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPopcount = "sf_popcount";
constexpr int kReferenceWidth = 64;  // published ratios are of 64 bits

struct Run {
  const Config& config;
  const SynthesisOptions& options;
  std::string cache;
  const SynthesisProgress& progress;
  PreparedLibrary library;
  SynthesisReport report;

  void at(const std::string& phase, int done = 0, int total = 1) const {
    if (progress) progress(phase, done, total);
  }
};

void open_library(Run& run) {
  run.library = prepare_library(run.options.liberty, run.cache);
  SynthesisReport& r = run.report;
  const PreparedLibrary& p = run.library;
  r.yosys = yosys_version();
  r.liberty = p.path;
  r.library = p.library.name;
  r.voltage_v = p.library.voltage_v;
  r.temperature_c = p.library.temperature_c;
  r.corner = p.library.corner;
  if (p.adders.full) r.full_adder_cell = p.adders.full->cell;
  if (p.adders.half) r.half_adder_cell = p.adders.half->cell;
  r.notes = p.adders.notes;
}

// ---- The popcount's two forms ----

/// Yosys as its manual says: `synth`, then ABC; nothing of ours.
YosysStatistics plain_popcount(int width, const PreparedLibrary& library, const std::string& cache,
                               const std::function<void()>& poll) {
  const std::string source = popcount_sources().front();
  const std::string script = fmt::format(
      "read_verilog {0}.v\nchparam -set Width {1} {0}\nsynth -flatten -top {0}\n"
      "abc -nocleanup -genlib library/gates.genlib\nopt_clean -purge\n"
      "tee -q -o plain.txt stat -liberty library/cells.lib\n",
      kPopcount, width);
  const fs::path folder = cached_folder(
      cache, "plain-" + content_hash({yosys_version(), library.hash, script, read_file(source)}),
      [&](const fs::path& part) {
        fs::copy_file(source, part / (std::string(kPopcount) + ".v"));
        run_yosys(part, "plain", script, library.folder, poll);
      });
  for (const auto& [module, statistics] : read_statistics(folder / "plain.txt"))
    if (base_name(module) == kPopcount) return statistics;
  throw std::runtime_error(
      fmt::format("{}: no {} in Yosys' statistics", folder.string(), kPopcount));
}

void compare_popcounts(Run& run) {
  for (const int width : {run.config.lanes, kReferenceWidth}) {
    if (!run.report.popcounts.empty() && run.report.popcounts[0].width == width) continue;
    run.report.popcounts.push_back(compare_popcount(
        width, run.library, run.cache, [&] { run.at(fmt::format("popcount of {} bits", width)); }));
  }
  run.report.popcount = run.report.popcounts[0];
}

// ---- The machine ----

/// The module meant by --top: a base name that is unique, or a label.
std::string find_top(const ElaboratedDesign& design, const std::string& wanted) {
  if (wanted.empty()) return design.top;
  std::vector<std::string> found, labels;
  for (const auto& [name, module] : design.modules) {
    if (module.is_memory) continue;
    labels.push_back(module_label(name));
    if (base_name(name) == wanted || labels.back() == wanted) found.push_back(name);
  }
  if (found.size() == 1) return found[0];
  std::string choice;
  if (found.empty()) {
    std::set<std::string> names;
    for (const auto& [name, module] : design.modules)
      if (!module.is_memory) names.insert(base_name(name));
    for (const std::string& name : names) choice += (choice.empty() ? "" : ", ") + name;
    throw InputError(
        fmt::format("--top {}: the design has no such module; choose one of: {}", wanted, choice));
  }
  for (const std::string& name : found)
    choice += fmt::format("{}\"{}\"", choice.empty() ? "" : ", ", module_label(name));
  throw InputError(fmt::format("--top {}: there are {} variants; choose one of: {}", wanted,
                               found.size(), choice));
}

/// Maps what the cache lacks, several modules at once, largest first.
std::map<std::string, Netlist> map_modules(Run& run, const ElaboratedDesign& design,
                                           const std::string& top) {
  std::vector<std::string> names = modules_below(design, top);
  names.erase(std::remove_if(names.begin(), names.end(),
                             [&](const auto& name) { return design.modules.at(name).is_memory; }),
              names.end());
  const AdderStyle style = run.options.adders;
  std::vector<std::string> missing;
  for (const std::string& name : names)
    if (!is_mapped(design, name, run.library, style, run.cache)) missing.push_back(name);
  run.report.modules_mapped = static_cast<int>(missing.size());
  run.report.modules_cached = static_cast<int>(names.size() - missing.size());
  std::stable_sort(missing.begin(), missing.end(), [&](const auto& a, const auto& b) {
    return design.modules.at(a).text.size() > design.modules.at(b).text.size();
  });

  std::atomic<std::size_t> next{0}, done{0};
  std::atomic<bool> stop{false};
  std::mutex failure_mutex;
  std::exception_ptr failure;
  auto work = [&] {
    try {
      for (std::size_t i; !stop && (i = next++) < missing.size(); ++done)
        map_module(design, missing[i], run.library, style, run.cache, [&] {
          if (stop) throw std::runtime_error("stopped");
        });
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failure_mutex);
      if (!stop.exchange(true)) failure = std::current_exception();
    }
  };
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  const int jobs = run.options.jobs > 0 ? run.options.jobs : std::max(1, processors);
  std::vector<std::thread> threads;
  for (int i = 0; i < std::min(jobs, run.report.modules_mapped); ++i) threads.emplace_back(work);
  try {
    while (!stop && done < missing.size()) {
      run.at("mapping modules", static_cast<int>(done), run.report.modules_mapped);
      for (int i = 0; i < 10 && !stop && done < missing.size(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
  } catch (...) {
    stop = true;
    for (std::thread& thread : threads) thread.join();
    throw;
  }
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);

  std::map<std::string, Netlist> netlists;
  for (const std::string& name : names) {
    run.at("reading netlists");
    netlists[name] = map_module(design, name, run.library, style, run.cache);
  }
  return netlists;
}

void measure(Run& run, const ElaboratedDesign& design,
             const std::map<std::string, Netlist>& netlists, const std::string& top) {
  const auto cells = run.library.library.cells_by_name();
  SynthesisReport& r = run.report;
  std::map<std::string, ModuleArea> areas;
  std::map<std::string, std::map<std::string, std::uint64_t>> children;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> fifo_words;  // bits, depth
  for (const auto& [name, netlist] : netlists) {
    ModuleArea& area = areas[name];
    area.name = module_label(name);
    for (const Netlist::Instance& instance : netlist.instances) {
      if (design.modules.count(instance.cell) != 0) {
        ++children[name][instance.cell];
      } else if (instance.cell == "$mem_v2") {
        const std::uint64_t depth = instance.parameter("SIZE");
        fifo_words[name] = {fifo_words[name].first + depth * instance.parameter("WIDTH"), depth};
      } else if (const auto found = cells.find(instance.cell); found != cells.end()) {
        area.add(*found->second, run.library.adders);
      } else {
        throw std::runtime_error(fmt::format("{} in {} was left unmapped: {} has no cell for it",
                                             instance.cell, area.name, r.library));
      }
    }
  }
  std::map<std::string, std::uint64_t> instances;
  const std::function<void(const std::string&, std::uint64_t)> visit = [&](const std::string& name,
                                                                           std::uint64_t count) {
    instances[name] += count;
    for (const auto& [child, number] : children[name]) visit(child, count * number);
  };
  visit(top, 1);
  for (const auto& [name, count] : instances) {
    const bool memory = design.modules.at(name).is_memory;
    const auto [bits, depth] = memory ? std::pair(design.modules.at(name).memory_bits,
                                                  design.modules.at(name).memory_depth)
                                      : fifo_words[name];
    if (bits > 0) {
      r.memories.push_back({module_label(name), count, bits, depth});
      r.memory_bits += bits * count;
    }
    if (memory) continue;
    ModuleArea area = areas.at(name);
    area.instances = count;
    r.area_um2 += area.total_um2();
    r.sequential_um2 += area.sequential_um2 * static_cast<double>(count);
    r.modules.push_back(area);
  }
  std::stable_sort(r.modules.begin(), r.modules.end(),
                   [](const auto& a, const auto& b) { return a.total_um2() > b.total_um2(); });
  std::stable_sort(r.memories.begin(), r.memories.end(), [](const auto& a, const auto& b) {
    return a.bits * a.instances > b.bits * b.instances;
  });
  if (top == design.top) r.um2_per_lane = r.area_um2 / Geometry(run.config).bit_products;
  r.top = module_label(top);
  r.notes.push_back(
      "memories (sf_ram, sf_register_file, the words of sf_fifo) are not in area_um2");
  r.notes.push_back(
      "modules are mapped one by one: constants do not cross their borders; no wires, no "
      "placement, no clock tree");
}

void time_modules(Run& run, const std::map<std::string, Netlist>& netlists,
                  const std::string& top) {
  if (!run.options.timing) return;
  run.at("timing");
  SynthesisReport& r = run.report;
  r.timing = time_design(netlists, top, run.library, run.options.period_ns, run.cache,
                         [&] { run.at("timing"); });
  r.notes.push_back(
      "clock: no wires, ideal clock, ports at the clock's edge; memories have no timing, so paths "
      "from and to them are not in it");
  if (r.timing->buffer_cell.empty())
    r.notes.push_back("the library has no buffer: nets of many pins are slower than they would be");
  else
    r.notes.push_back(fmt::format(
        "for timing, nets of more than {} pins get {} buffers {} ({:.0f} um2), which are not in "
        "area_um2",
        kMaxFanout, r.timing->buffers, r.timing->buffer_cell, r.timing->buffers_um2));
}

void map_look_up_tables(Run& run, const ElaboratedDesign& design) {
  if (!run.options.fpga) return;
  const std::string unit = find_top(design, run.options.top.empty() ? "sf_pe" : run.options.top);
  run.report.fpga = map_fpga(design, unit, run.cache, [&](const std::string& family) {
    run.at(fmt::format("{} on {}", module_label(unit), family));
  });
}

}  // namespace

std::vector<std::string> popcount_sources() {
  const fs::path folder = share_folder() / "cost/eda/popcount";
  std::vector<std::string> paths = {(folder / "sf_popcount.v").string(),
                                    (folder / "sf_popcount_adders.v").string()};
  for (const std::string& path : rtl_paths({"sf_full_adder", "sf_half_adder"}))
    paths.push_back(path);
  return paths;
}

PopcountComparison compare_popcount(int width, const PreparedLibrary& library,
                                    const std::string& cache_directory,
                                    const std::function<void()>& poll) {
  PopcountComparison p;
  p.width = width;
  const MappedUnit unit =
      map_unit({kPopcount, kPopcount, {{"Width", width}}, popcount_sources(), ""}, library.path,
               cache_directory, poll);
  p.structural_um2 = unit.area_um2;
  p.full_adders = unit.full_adders;
  p.half_adders = unit.half_adders;
  const YosysStatistics plain = plain_popcount(width, library, cache_directory, poll);
  p.behavioural_um2 = plain.area;
  p.ratio = plain.area > 0 ? unit.area_um2 / plain.area : 0;
  for (const auto& adder : {library.adders.full, library.adders.half})
    if (adder) p.behavioural_adder_cells += plain.cells_of(adder->cell);
  return p;
}

SynthesisReport synthesize(const Config& config, const SynthesisOptions& options,
                           const std::string& cache_directory, const SynthesisProgress& progress) {
  const auto start = std::chrono::steady_clock::now();
  Run run{config, options, cache_directory, progress, {}, {}};
  open_library(run);
  const ElaboratedDesign design =
      elaborate(config, run.library, cache_directory, [&] { run.at("elaboration"); });
  const std::string top = find_top(design, options.top);
  compare_popcounts(run);
  const auto netlists = map_modules(run, design, top);
  measure(run, design, netlists, top);
  time_modules(run, netlists, top);
  map_look_up_tables(run, design);
  // Behind the others, because there may be many.
  const std::vector<std::string>& notes = run.library.notes;
  run.report.notes.insert(run.report.notes.end(), notes.begin(), notes.end());
  run.report.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return run.report;
}

}  // namespace solfege
