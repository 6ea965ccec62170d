// SPDX-License-Identifier: Apache-2.0
#include "cost/netlist_writer.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "cost/mapping_script.hpp"
#include "cost/prepared_library.hpp"
#include "cost/process.hpp"
#include "gen/generator.hpp"
#include "model/error.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Memories that stay as they are: whoever builds the chip puts macros in their place.
const std::set<std::string> kMemories = {"sf_ram", "sf_register_file"};
constexpr const char* kTop = "sf_accelerator";
constexpr const char* kNetlistVerilog = "netlist.v";
constexpr const char* kCellModels = "cells.v";

bool is_verilog(const std::string& name) { return fs::path(name).extension() == ".v"; }

std::vector<YosysPhase> phases_of(const std::map<std::string, std::string>& files,
                                  const AdderCells& adders) {
  std::string modules, memories;
  for (const auto& [name, text] : files) {
    if (!is_verilog(name)) continue;
    (kMemories.count(fs::path(name).stem()) ? memories : modules) += " src/" + name;
  }
  return {
      {"elaborate", "read_liberty -lib library/cells.lib\nread_verilog -lib" + memories +
                        "\nread_verilog -defer -Isrc -DSF_POPCOUNT_STRUCTURAL" + modules +
                        fmt::format("\nhierarchy -check -top {}\n", kTop)},
      {"processes",
       "proc\nopt_expr\nopt_clean\n" + bind_adders_script(adders) + "flatten *sf_popcount*\n"},
      {"logic",
       "memory -nomap\nmemory_map * *sf_fifo* %d\n" + gates_script(adders, AdderStyle::kPrefix)},
      {"library cells", cells_script() + "tee -q -o area.txt stat -liberty library/cells.lib\n"},
      {"netlist", "write_json netlist.json\nwrite_verilog -noattr netlist.v\n"},
      {"cell models",
       "design -reset\nread_liberty -ignore_miss_func library/cells.lib\nproc\nopt_clean\n"
       "write_verilog -noattr cells.v\n"}};
}

/// Counts from Yosys' statistics; what is neither a module, a memory nor a library cell was left
/// unmapped.
void count(NetlistSummary& s, const fs::path& folder, const PreparedLibrary& library) {
  const auto statistics = read_statistics(folder / "area.txt");
  std::set<std::string> cells, flip_flops;
  for (const LibertyCell& cell : library.library.cells)
    (cell.flip_flop ? flip_flops : cells).insert(cell.name);
  const std::function<void(const std::string&, std::uint64_t)> visit = [&](const std::string& name,
                                                                           std::uint64_t times) {
    const YosysStatistics& module = statistics.at(name);
    NetlistSummary::Module& entry = s.modules[name];
    entry.instances += times;
    entry.cells = 0;
    s.area_um2 += module.area * static_cast<double>(times);
    for (const auto& [cell, number] : module.cells) {
      const bool flip_flop = flip_flops.count(cell) != 0;
      if (statistics.count(cell) != 0) {
        visit(cell, times * number);
      } else if (flip_flop || cells.count(cell) != 0) {
        entry.cells += number;
        s.cells += times * number;
        if (flip_flop) s.flip_flops += times * number;
      } else if (kMemories.count(cell) == 0 &&
                 !(cell.rfind("$mem", 0) == 0 && base_name(name) == "sf_fifo")) {
        throw std::runtime_error(
            fmt::format("{}: {} cells of type {} were left unmapped: {} has "
                        "no cell for them",
                        base_name(name), number, cell, s.library));
      }
    }
  };
  if (statistics.count(kTop) == 0)
    throw std::runtime_error(fmt::format("no {} in Yosys' statistics", kTop));
  visit(kTop, 1);
}

Json to_json(const NetlistSummary& s, const Config& config) {
  Json j;
  j["config_hash"] = config.hash();
  j["config"] = config.canonical();
  j["library"] = s.library;
  j["yosys"] = s.yosys;
  j["cells"] = s.cells;
  j["flip_flops"] = s.flip_flops;
  j["area_um2"] = s.area_um2;
  return j;
}

}  // namespace

NetlistSummary write_netlist(const Config& config, const std::string& liberty,
                             const std::string& directory, const std::string& cache_directory,
                             const YosysProgress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  const PreparedLibrary library = prepare_library(liberty, cache_directory);
  NetlistSummary s;
  s.directory = directory;
  s.liberty = library.path;
  s.library = library.library.name;
  s.yosys = yosys_version();
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    throw InputError(fmt::format("{}: the folder cannot be made: {}; choose another", directory,
                                 error.message()));

  const auto files = generate_files(config);
  const std::vector<YosysPhase> phases = phases_of(files, library.adders);
  std::string inputs = s.yosys + "\n" + library.hash + "\n";
  for (const YosysPhase& phase : phases) inputs += phase.script;
  for (const auto& [name, text] : files)
    if (is_verilog(name) || fs::path(name).extension() == ".vh")
      inputs += fmt::format("{} {}\n{}", name, text.size(), text);
  bool mapped = false;
  const fs::path entry = cached_folder(
      cache_directory,
      fmt::format("netlist-{}-{:016x}", config.name, XXH64(inputs.data(), inputs.size(), 0)),
      [&](const fs::path& part) {
        fs::create_directory(part / "src");
        for (const auto& [name, text] : files)
          if (is_verilog(name) || fs::path(name).extension() == ".vh")
            write_text(part / "src" / name, text);
        fs::create_directory_symlink(library.folder, part / "library");
        run_yosys(part, "netlist", phases, progress);
        fs::remove(part / "library");
        fs::remove_all(part / "src");
        mapped = true;
      });
  count(s, entry, library);
  if (mapped)
    s.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  const fs::path folder = directory;
  std::string list = "netlist.v\ncells.v\n";
  for (const char* name : {kNetlistVerilog, kCellModels, kNetlistJson})
    write_text(folder / name, read_text(entry / name));
  write_text(folder / kNetlistLibrary, read_text(library.cells_lib));
  for (const std::string& memory : kMemories) {
    write_text(folder / (memory + ".v"), files.at(memory + ".v"));
    list += memory + ".v\n";
  }
  write_text(folder / fmt::format("{}.f", kTop), list);
  // Last: without it the folder is not taken for a netlist.
  write_text(folder / kNetlistManifest, to_json(s, config).dump(2) + "\n");
  return s;
}

}  // namespace solfege
