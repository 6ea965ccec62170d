// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/netlist_writer.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "cost/eda/elaborated_design.hpp"
#include "cost/eda/prepared_library.hpp"
#include "cost/eda/yosys.hpp"
#include "gen/generator.hpp"
#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"
#include "model/base/process.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Elaboration gives every shape of a memory a name; here they are instances of the RTL's modules
/// with parameters.
void name_memory(Netlist::Instance& instance, const ElaboratedModule& memory) {
  const auto data = instance.pins.find("read_data_o");
  const std::size_t width = data == instance.pins.end() ? 0 : data->second.size();
  if (width == 0 || memory.memory_bits % width != 0)
    throw std::runtime_error(fmt::format("memory {} of {} bits has no words of {}", instance.name,
                                         memory.memory_bits, width));
  instance.cell = base_name(memory.name);
  instance.parameters = {{"Width", fmt::format("{:032b}", width)},
                         {"Depth", fmt::format("{:032b}", memory.memory_bits / width)}};
}

/// The modules below the top, mapped, by name.
std::map<std::string, Netlist> map_design(
    const ElaboratedDesign& design, const PreparedLibrary& library,
    const std::string& cache_directory,
    const std::function<void(const std::string& phase)>& progress) {
  std::map<std::string, Netlist> modules;
  for (const std::string& name : modules_below(design, design.top)) {
    if (design.modules.at(name).is_memory) continue;
    if (progress) progress("mapping " + module_label(name));
    Netlist& netlist = modules[name] =
        map_module(design, name, library, AdderStyle::kRipple, cache_directory);
    for (Netlist::Instance& instance : netlist.instances)
      if (const auto child = design.modules.find(instance.cell);
          child != design.modules.end() && child->second.is_memory)
        name_memory(instance, child->second);
  }
  return modules;
}

NetlistSummary summarise(const std::map<std::string, Netlist>& modules, const std::string& top,
                         const PreparedLibrary& library) {
  const auto cells = library.library.cells_by_name();
  NetlistSummary s;
  s.library = library.library.name;
  s.modules = static_cast<int>(modules.size());
  const std::function<void(const std::string&)> visit = [&](const std::string& name) {
    for (const Netlist::Instance& instance : modules.at(name).instances) {
      if (modules.count(instance.cell) != 0) {
        visit(instance.cell);
        continue;
      }
      const auto found = cells.find(instance.cell);
      if (found == cells.end()) {
        if (instance.cell == "sf_ram" || instance.cell == "sf_register_file" ||
            instance.cell == "$mem_v2")
          continue;
        throw std::runtime_error(fmt::format("{} in {} was left unmapped: {} has no cell for it",
                                             instance.cell, module_label(name), s.library));
      }
      s.add(*found->second, library.adders);
    }
  };
  visit(top);
  return s;
}

std::string cell_models(const PreparedLibrary& library, const std::string& cache_directory) {
  const std::string script =
      "read_liberty -ignore_miss_func library/cells.lib\nproc\nopt_clean\nwrite_verilog -noattr "
      "cells.v\n";
  const fs::path folder = cached_folder(
      cache_directory, "cells-" + content_hash({yosys_version(), library.hash, script}),
      [&](const fs::path& part) {
        run_yosys(part, "cells", script, library.folder);
        require_ending(part / "cells.v", "endmodule");
      });
  return read_file(folder / "cells.v");
}

}  // namespace

NetlistSummary write_netlist(const Config& config, const std::string& liberty,
                             const std::string& directory, const std::string& cache_directory,
                             const std::function<void(const std::string& phase)>& progress) {
  const PreparedLibrary library = prepare_library(liberty, cache_directory);
  if (progress) progress("elaborating");
  const ElaboratedDesign design = elaborate(config, library, cache_directory);
  const auto modules = map_design(design, library, cache_directory, progress);
  if (progress) progress("writing");
  const NetlistSummary s = summarise(modules, design.top, library);
  std::vector<std::pair<std::string, std::string>> written = {
      {"netlist.v", netlist_verilog(modules)},
      {kNetlistJson, netlist_json(modules)},
      {kNetlistLibrary, read_file(library.cells_lib)},
      {"cells.v", cell_models(library, cache_directory)}};
  std::string list = "netlist.v\ncells.v\n";
  const auto files = generate_files(config);
  for (const char* memory : {"sf_ram.v", "sf_register_file.v"}) {
    written.emplace_back(memory, files.at(memory));
    list += fmt::format("{}\n", memory);
  }
  written.emplace_back(fmt::format("{}.f", design.top), list);
  Json manifest;
  manifest["config_hash"] = config.hash();
  manifest["config"] = config.canonical();
  manifest["library"] = s.library;
  manifest["yosys"] = yosys_version();
  manifest["cells"] = s.cells;
  manifest["flip_flops"] = s.flip_flops;
  manifest["area_um2"] = s.area_um2;
  for (const auto& [name, verilog] : verilog_names(modules)) manifest["modules"][verilog] = name;
  // Last: without it the folder is not taken for a netlist.
  written.emplace_back(kNetlistManifest, manifest.dump(2) + "\n");
  write_files(directory, written);
  return s;
}

}  // namespace solfege
