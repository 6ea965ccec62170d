// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/elaborated_design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "cost/eda/yosys.hpp"
#include "gen/generator.hpp"
#include "model/base/cache.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"
#include "model/base/process.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTop = "sf_accelerator";

bool memory_name(const std::string& module) {
  const std::string base = base_name(module);
  return base == "sf_ram" || base == "sf_register_file";
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Banners hold the configuration's hash, which must not matter.
std::string without_comments(const std::string& verilog) {
  std::string text;
  std::istringstream lines(verilog);
  for (std::string line; std::getline(lines, line);) text += line.substr(0, line.find("//")) + "\n";
  return text;
}

std::map<std::string, std::string> verilog_of(const Config& config) {
  std::map<std::string, std::string> files;
  for (const auto& [name, text] : generate_files(config))
    if (ends_with(name, ".v") || ends_with(name, ".vh")) files[name] = without_comments(text);
  return files;
}

/// Of a memory, by its port: wire width 32 output 7 \read_data_o
std::uint64_t word_bits(const ElaboratedModule& module) {
  std::istringstream lines(module.ports);
  for (std::string line; std::getline(lines, line);) {
    if (!ends_with(line, "\\read_data_o")) continue;
    std::istringstream words(line);
    std::uint64_t width = 1;
    for (std::string word; words >> word;)
      if (word == "width") words >> width;
    return width;
  }
  throw std::runtime_error(fmt::format("{}: a memory without read_data_o", module.name));
}

/// Modules of RTLIL by name: each from its attributes to its `end`.
void split(const std::string& rtlil, ElaboratedDesign& design) {
  std::istringstream lines(rtlil);
  std::string text, name;
  ElaboratedModule module;
  for (std::string line; std::getline(lines, line);) {
    text += line + "\n";
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (line.rfind("module ", 0) == 0) {
      module = {};
      module.name = line.substr(7);
      if (module.name[0] == '\\') module.name.erase(0, 1);
      module.ports = "attribute \\blackbox 1\n" + line + "\n";
    } else if (line == "end") {
      module.text = text;
      module.ports += line + "\n";
      module.is_memory = memory_name(module.name);
      // Cells of the library are modules too.
      if (base_name(module.name).rfind("sf_", 0) == 0)
        design.modules[module.name] = std::move(module);
      text.clear();
    } else if (kind == "wire") {
      for (std::string word; words >> word;)
        if (word == "input" || word == "output" || word == "inout") module.ports += line + "\n";
    } else if (kind == "cell") {
      std::string type;
      words >> type;
      module.children.insert(type[0] == '\\' ? type.substr(1) : type);
    } else if (kind == "autoidx") {
      text.clear();
    }
  }
}

std::string elaboration_script(const std::map<std::string, std::string>& files,
                               const PreparedLibrary& library) {
  std::string sources;
  for (const auto& [name, verilog] : files)
    if (ends_with(name, ".v")) sources += " rtl/" + name;
  const auto read = [&](const char* tree) {
    return fmt::format("read_verilog -defer -Irtl -D{}{}\nhierarchy -check -top {}\n", tree,
                       sources, kTop);
  };
  const std::string text = read("SF_LOOK_UP_TREE") +
                           "proc\nwrite_rtlil look_up.il\ndesign -reset\n" +
                           "read_liberty -lib library/cells.lib\n" + read("SF_ADDER_TREE") +
                           "tee -q -o hierarchy.txt stat\nproc\nwrite_rtlil generic.il\n"
                           "blackbox *sf_ram* *sf_register_file*\n";
  return text + bind_adders_script(library.adders) +
         "flatten *sf_accumulate*\nopt_clean\nwrite_rtlil design.il\n";
}

struct Task {
  std::string key, input;
  Mapping mapping;
};

Task task_of(const ElaboratedDesign& design, const std::string& name,
             const PreparedLibrary& library, AdderStyle style) {
  const ElaboratedModule& module = design.modules.at(name);
  Task task;
  task.input = module.text;
  std::string stubs;
  for (const std::string& child : module.children)
    if (const auto found = design.modules.find(child); found != design.modules.end())
      stubs += found->second.ports;
  task.input += stubs;
  task.mapping = {"read_liberty -lib library/cells.lib\nread_rtlil module.il\n", name, style,
                  base_name(name) == "sf_fifo",
                  fmt::format("json -o netlist.json {}\n", script_name(name))};
  // By source, not by RTLIL: the numbers in Yosys' names change with the configuration.
  const fs::path rtl = design.folder / "rtl";
  std::string source = read_file(rtl / (base_name(name) + ".v"));
  if (source.empty())
    throw std::runtime_error(fmt::format("{}: no source of {}", rtl.string(), name));
  if (base_name(name) == "sf_accumulate")
    for (const char* inside : {"sf_adder_tree", "sf_full_adder", "sf_half_adder"})
      source += read_file(rtl / (std::string(inside) + ".v"));
  if (source.find("`include") != std::string::npos)
    for (const auto& entry : fs::directory_iterator(rtl))
      if (entry.path().extension() == ".vh") source += read_file(entry.path());
  task.key = fmt::format("module-{}-{}", base_name(name),
                         content_hash({yosys_version(), task.mapping.key(library), source, stubs}));
  return task;
}

}  // namespace

ElaboratedDesign elaborate(const Config& config, const PreparedLibrary& library,
                           const std::string& cache_directory, const std::function<void()>& poll) {
  const auto files = verilog_of(config);
  const std::string script = elaboration_script(files, library);
  std::vector<std::string> inputs = {yosys_version(), library.hash, script};
  for (const auto& [name, text] : files) inputs.push_back(text);
  ElaboratedDesign design;
  design.top = kTop;
  design.folder =
      cached_folder(cache_directory, "design-" + content_hash(inputs), [&](const fs::path& folder) {
        fs::create_directory(folder / "rtl");
        for (const auto& [name, text] : files) write_file(folder / "rtl" / name, text);
        run_yosys(folder, "elaborate", script, library.folder, poll);
        for (const char* name : {"design.il", "generic.il", "look_up.il"})
          require_ending(folder / name, "end");
      });
  split(read_file(design.folder / "design.il"), design);
  const auto statistics = read_statistics(design.folder / "hierarchy.txt");
  for (auto& [name, module] : design.modules)
    if (const auto found = statistics.find(name); found != statistics.end()) {
      module.memory_bits = found->second.memory_bits;
      if (module.is_memory) module.memory_depth = module.memory_bits / word_bits(module);
    }
  if (design.modules.count(kTop) == 0)
    throw std::runtime_error(fmt::format("{}: no {} in it", design.folder.string(), kTop));
  return design;
}

Netlist map_module(const ElaboratedDesign& design, const std::string& module,
                   const PreparedLibrary& library, AdderStyle style,
                   const std::string& cache_directory, const std::function<void()>& poll) {
  const Task task = task_of(design, module, library, style);
  const fs::path folder = cached_folder(cache_directory, task.key, [&](const fs::path& part) {
    write_file(part / "module.il", task.input);
    task.mapping.run(part, library, poll);
    require_ending(part / "netlist.json", "}");
    fs::remove(part / "module.il");
  });
  return read_netlist(folder / "netlist.json", module);
}

bool is_mapped(const ElaboratedDesign& design, const std::string& module,
               const PreparedLibrary& library, AdderStyle style,
               const std::string& cache_directory) {
  return is_cached(cache_directory, task_of(design, module, library, style).key);
}

std::string generic_rtlil(const ElaboratedDesign& design, const std::string& module,
                          bool look_up_tree) {
  ElaboratedDesign generic;
  split(read_file(design.folder / (look_up_tree ? "look_up.il" : "generic.il")), generic);
  std::string text;
  for (const std::string& name : modules_below(generic, module)) text += generic.modules[name].text;
  return text;
}

std::vector<std::string> modules_below(const ElaboratedDesign& design, const std::string& top) {
  std::vector<std::string> found, open = {top};
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    const auto module = design.modules.find(name);
    if (module == design.modules.end() ||
        std::find(found.begin(), found.end(), name) != found.end())
      continue;
    found.push_back(name);
    open.insert(open.end(), module->second.children.begin(), module->second.children.end());
  }
  return found;
}

std::string module_label(const std::string& module) {
  const std::string base = base_name(module);
  if (module == base) return base;
  if (module.rfind("$paramod$", 0) == 0) return fmt::format("{} #{}", base, module.substr(9, 6));
  std::string text = base;
  std::size_t at = module.find('\\', module.find('\\') + 1);
  while (at != std::string::npos) {
    const auto next = module.find('\\', at + 1);
    const std::string parameter =
        module.substr(at + 1, next == std::string::npos ? next : next - at - 1);
    const auto equals = parameter.find('='), quote = parameter.find('\'');
    text += quote == std::string::npos || equals == std::string::npos
                ? " " + parameter
                : fmt::format(" {}={}", parameter.substr(0, equals),
                              std::strtoull(parameter.c_str() + quote + 1, nullptr, 2));
    at = next;
  }
  return text;
}

}  // namespace solfege
