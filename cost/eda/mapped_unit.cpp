// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/mapped_unit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "cost/eda/mapping.hpp"
#include "cost/eda/prepared_library.hpp"
#include "cost/eda/yosys.hpp"
#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"
#include "model/base/process.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMemory = "sf_ram";
const std::vector<std::string> kBlackBoxes = {kMemory, "sf_clock_gate"};

/// Sources are copied to src/NNN.v beside the includes of their folders, so that a script holds no
/// path of the machine.
struct Sources {
  std::vector<fs::path> modules;      ///< others than the black boxes
  std::vector<fs::path> black_boxes;  ///< those of kBlackBoxes that there are
  std::map<std::string, fs::path> includes;
};

Sources sources_of(const UnitDesign& design) {
  Sources s;
  std::set<fs::path> folders;
  for (const std::string& source : design.sources) {
    const fs::path path = source;
    std::error_code error;
    if (!fs::is_regular_file(path, error))
      throw InputError(fmt::format("{}: the Verilog source of {} is missing", source, design.name));
    const bool black_box =
        std::count(kBlackBoxes.begin(), kBlackBoxes.end(), path.stem().string()) > 0;
    (black_box ? s.black_boxes : s.modules).push_back(path);
    folders.insert(path.parent_path());
  }
  for (const fs::path& folder : folders)
    for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder))
      if (entry.path().extension() == ".vh")
        s.includes.emplace(entry.path().filename().string(), entry.path());
  return s;
}

Mapping mapping_of(const UnitDesign& design, const Sources& sources,
                   const PreparedLibrary& library) {
  std::string text = "read_liberty -lib library/cells.lib\n";
  for (const fs::path& path : sources.black_boxes)
    text += fmt::format("read_verilog -lib src/{}\n", path.filename().string());
  for (std::size_t i = 0; i < sources.modules.size(); ++i)
    text += fmt::format("read_verilog -defer -Isrc -DSF_ADDER_TREE src/{}.v\n", i);
  if (!design.parameters.empty()) {
    text += "chparam";
    for (const auto& [name, value] : design.parameters)
      text += fmt::format(" -set {} {}", name, value);
    text += " " + design.top + "\n";
  }
  text += fmt::format("hierarchy -check -top {0}\nrename -top {0}\nproc\n", design.top);
  text += bind_adders_script(library.adders) + "flatten\n";
  // OpenSTA reads no assignment to a concatenation.
  return {text, design.top, AdderStyle::kRipple, false,
          "select -clear\nwrite_json netlist.json\nsplitnets\nopt_clean -purge\n"
          "write_verilog -noattr -noexpr netlist.v\n"};
}

void map_in(const fs::path& folder, const Sources& sources, const Mapping& mapping,
            const PreparedLibrary& library, const std::function<void()>& poll) {
  fs::create_directory(folder / "src");
  for (std::size_t i = 0; i < sources.modules.size(); ++i)
    fs::copy_file(sources.modules[i], folder / "src" / fmt::format("{}.v", i));
  for (const fs::path& path : sources.black_boxes)
    fs::copy_file(path, folder / "src" / path.filename());
  for (const auto& [name, path] : sources.includes) fs::copy_file(path, folder / "src" / name);
  mapping.run(folder, library, poll);
  require_ending(folder / "netlist.json", "}");
  require_ending(folder / "netlist.v", "endmodule");
  fs::remove_all(folder / "src");
}

void count(MappedUnit& unit, const PreparedLibrary& library) {
  const auto cells = library.library.cells_by_name();
  for (const Netlist::Instance& instance : unit.netlist.instances) {
    if (instance.cell == kMemory) {
      unit.memory_bits += instance.parameter("Width") * instance.parameter("Depth");
      continue;
    }
    if (std::count(kBlackBoxes.begin(), kBlackBoxes.end(), instance.cell) > 0) {
      ++unit.clock_gates;
      continue;
    }
    const auto found = cells.find(instance.cell);
    if (found == cells.end())
      throw std::runtime_error(
          fmt::format("{}: {} of type {} was left unmapped: {} has no cell for it",
                      unit.design.name, instance.name, instance.cell, library.library.name));
    unit.add(*found->second, library.adders);
  }
}

}  // namespace

MappedUnit map_unit(const UnitDesign& design, const std::string& liberty,
                    const std::string& cache_directory, const std::function<void()>& poll) {
  const PreparedLibrary library = prepare_library(liberty, cache_directory);
  const Sources sources = sources_of(design);
  const Mapping mapping = mapping_of(design, sources, library);
  std::vector<std::string> inputs = {yosys_version(), mapping.key(library)};
  for (const fs::path& path : sources.modules) inputs.push_back(read_file(path));
  for (const fs::path& path : sources.black_boxes) inputs.push_back(read_file(path));
  for (const auto& [name, path] : sources.includes) {
    inputs.push_back(name);
    inputs.push_back(read_file(path));
  }
  const fs::path folder =
      cached_folder(cache_directory, fmt::format("unit-{}-{}", design.top, content_hash(inputs)),
                    [&](const fs::path& part) { map_in(part, sources, mapping, library, poll); });

  MappedUnit unit;
  unit.design = design;
  unit.yosys = yosys_version();
  unit.netlist_json = folder / "netlist.json";
  unit.netlist_verilog = folder / "netlist.v";
  unit.netlist = read_netlist(unit.netlist_json, design.top);
  unit.notes = library.adders.notes;
  count(unit, library);
  return unit;
}

}  // namespace solfege
