// SPDX-License-Identifier: Apache-2.0
#include "sim/dut/dut_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>

#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"
#include "model/base/process.hpp"
#include "model/base/progress.hpp"
#include "model/base/share.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileList = "sf_accelerator.f";
constexpr const char* kLibrary = "libsf_dut.so";
constexpr const char* kLog = "build.log";

std::string require_program(const std::string& name) {
  const std::string path = find_program(name);
  if (path.empty()) {
    throw InputError(name +
                     " is not in PATH; it compiles the simulator of a design. Run scripts/demo, "
                     "which installs what is missing");
  }
  return path;
}

/// What `program --version` prints; asked once a process and program.
std::string version_of(const std::string& program) {
  static std::map<std::string, std::string> known;
  std::string& version = known[program];
  if (version.empty()) version = tool_version({program, "--version"});
  return version;
}

/// Model and features of the processor: -march=native makes a library fit for this one only.
std::string processor() {
  std::istringstream in(read_file("/proc/cpuinfo"));
  std::string model, flags;
  for (std::string line; std::getline(in, line) && (model.empty() || flags.empty());) {
    if (line.rfind("model name", 0) == 0 && model.empty()) model = line;
    if (line.rfind("flags", 0) == 0 && flags.empty()) flags = line;
  }
  return model + "\n" + flags;
}

// ---- the design's files

/// The file list, resolved: arguments for Verilator, and everything that decides the result.
struct Sources {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> contents;  ///< name as listed, text
};

bool is_header(const fs::path& path) {
  return path.extension() == ".vh" || path.extension() == ".svh";
}

Sources read_sources(const fs::path& directory) {
  const fs::path list = directory / kFileList;
  if (!fs::is_regular_file(list)) {
    throw InputError(list.string() + ": no such file; `solfege generate CONFIG -o DIR` writes it");
  }
  std::istringstream lines(read_file(list));
  Sources sources;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line = line.substr(0, line.find("//"));
    line = line.substr(0, line.find('#'));
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos) continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);

    static const std::string kIncdir = "+incdir+";
    if (line.rfind(kIncdir, 0) == 0) {
      const fs::path included = fs::absolute(directory / line.substr(kIncdir.size()));
      sources.arguments.push_back(kIncdir + included.lexically_normal().string());
      std::map<std::string, fs::path> headers;  // sorted: the hash must not see directory order
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(included, ignored)) {
        if (is_header(entry.path())) headers[entry.path().filename().string()] = entry.path();
      }
      for (const auto& [name, path] : headers) {
        sources.contents.emplace_back(line + "/" + name, read_file(path));
      }
      continue;
    }
    if (line[0] == '+' || line[0] == '-') {  // another option: as it stands
      sources.arguments.push_back(line);
      sources.contents.emplace_back(line, "");
      continue;
    }
    const fs::path path = fs::absolute(directory / line).lexically_normal();
    if (!fs::is_regular_file(path)) {
      throw InputError(list.string() + ":" + std::to_string(number) + ": " + line +
                       " does not exist; generate the design again");
    }
    sources.arguments.push_back(is_header(path) ? kIncdir + path.parent_path().string()
                                                : path.string());
    sources.contents.emplace_back(line, read_file(path));
  }
  return sources;
}

void check(const DutOptions& options) {
  if (options.threads < 1 || options.threads > 64) {
    throw InputError("threads = " + std::to_string(options.threads) + ": must be 1 to 64");
  }
  for (const std::string& define : options.defines) {
    if (define.empty() || define.find_first_of(" \t\n'\"\\$`") != std::string::npos) {
      throw InputError("define \"" + define + "\": must be NAME or NAME=VALUE without spaces");
    }
  }
}

// ---- the build

/// The command, run inside the build directory. Paths of ours are relative to it or to obj_dir.
std::vector<std::string> verilator_command(const std::string& verilator, const Sources& sources,
                                           const DutOptions& options) {
  std::vector<std::string> command = {
      verilator, "--cc", "--exe", "--build", "-j", "2",
      // the model
      "-O3", "--x-assign", "fast", "--x-initial", "unique", "-Wno-fatal", "--top-module",
      "sf_accelerator", "--prefix", "Vsf_accelerator", "--Mdir", "obj_dir", "--threads",
      std::to_string(options.threads),
      // The library exports the six functions of the interface and nothing else. The level of
      // optimisation goes to make: its default, -Os, comes after CFLAGS and would win.
      "-CFLAGS",
      "-fPIC -march=native -DVL_TIME_CONTEXT -fvisibility=hidden -fno-gnu-unique -include "
      "../dut_popcount.hpp",
      // Verilator 5.018 and later include a precompiled header, which must not follow ours.
      "-MAKEFLAGS", "VK_PCH_I_FAST=", "-MAKEFLAGS", "VK_PCH_I_SLOW=", "-MAKEFLAGS", "OPT_FAST=-O2",
      "-MAKEFLAGS", "OPT_GLOBAL=-O2", "-LDFLAGS", "-shared", "-o", kLibrary};
  if (options.waveforms) command.push_back("--trace-fst");
  for (const std::string& define : options.defines) command.push_back("-D" + define);
  if (options.adder_tree) command.push_back("-DSF_ADDER_TREE");
  command.insert(command.end(), sources.arguments.begin(), sources.arguments.end());
  command.push_back("dut_shim.cpp");
  return command;
}

/// Compiles in `folder`, which then holds the library and the log. If that fails, the log stays as
/// `kept`.
void compile(const std::vector<std::string>& command, const fs::path& folder, const fs::path& kept,
             const std::map<std::string, std::string>& shim) {
  for (const auto& [name, text] : shim) write_file(folder / name, text);
  std::string log;
  for (const std::string& argument : command) log += fmt::format("'{}' ", argument);
  write_file(folder / kLog, log + "\n\n");
  Progress progress("building the simulator", 0);
  const int status = run_process(command, folder, kLog, [&] { progress.at(0); });
  const fs::path library = folder / "obj_dir" / kLibrary;
  if (status != 0 || !fs::is_regular_file(library)) {
    fs::rename(folder / kLog, kept);
    throw std::runtime_error(fmt::format("the simulator does not build; the last lines of {}:{}",
                                         kept.string(), last_lines(read_file(kept), 30)));
  }
  // The entry keeps the library and the log; a hundred megabytes of objects go.
  fs::rename(library, folder / kLibrary);
  fs::remove_all(folder / "obj_dir");
}

template <typename Function>
void resolve(void* handle, const std::string& path, const char* symbol,
             std::function<Function>& function) {
  function = reinterpret_cast<Function*>(dlsym(handle, symbol));
  if (!function) throw std::runtime_error(path + ": no symbol " + symbol + "; delete the file");
}

DutLibrary load(const fs::path& path, std::uint64_t reset_seed) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) throw std::runtime_error(std::string(dlerror()) + "; delete the file to rebuild it");
  DutLibrary library;
  library.path = path.string();
  std::function<decltype(solfege_dut_create)> create;
  resolve(handle, library.path, "solfege_dut_create", create);
  library.create = [=] { return create(reset_seed); };
  resolve(handle, library.path, "solfege_dut_destroy", library.destroy);
  resolve(handle, library.path, "solfege_dut_eval", library.eval);
  resolve(handle, library.path, "solfege_dut_trace_open", library.trace_open);
  resolve(handle, library.path, "solfege_dut_trace_dump", library.trace_dump);
  resolve(handle, library.path, "solfege_dut_trace_close", library.trace_close);
  return library;
}

}  // namespace

DutLibrary build_dut(const std::string& generated_dir, const DutOptions& options) {
  check(options);
  const Sources sources = read_sources(generated_dir);
  const fs::path source_dir = share_folder() / "sim/dut";
  std::map<std::string, std::string> shim;
  for (const char* name : {"dut_abi.hpp", "dut_popcount.hpp", "dut_shim.cpp"})
    shim[name] = read_file(source_dir / name);

  const std::string verilator = require_program("verilator");
  const std::string compiler = require_program("g++");  // the one Verilator's makefiles call
  require_program("make");

  std::vector<std::string> inputs;
  for (const auto& [name, text] : sources.contents) inputs.insert(inputs.end(), {name, text});
  for (const auto& [name, text] : shim) inputs.push_back(text);
  Sources nowhere;  // the options' part of the command: where the files are does not matter
  for (const std::string& argument : verilator_command("", nowhere, options))
    inputs.push_back(argument);
  inputs.insert(inputs.end(), {version_of(verilator), version_of(compiler), processor()});

  const fs::path cache = cache_directory();
  if (cache.string().find_first_of(" \t") != std::string::npos) {
    throw InputError(
        cache.string() +
        ": make cannot build in a directory with spaces; set SOLFEGE_CACHE to another");
  }
  const std::string key = "dut-" + content_hash(inputs);
  bool hit = true;
  const fs::path entry = cached_folder(cache, key, [&](const fs::path& part) {
    hit = false;
    compile(verilator_command(verilator, sources, options), part, cache / (key + ".failed.log"),
            shim);
  });
  DutLibrary library = load(entry / kLibrary, options.reset_seed);
  library.cache_hit = hit;
  library.waveforms = options.waveforms;
  return library;
}

}  // namespace solfege
