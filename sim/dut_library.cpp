// SPDX-License-Identifier: Apache-2.0
#include "dut_library.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "../model/error.hpp"

#ifndef SOLFEGE_SOURCE_DIR
#error "define SOLFEGE_SOURCE_DIR as the root of the source tree"
#endif

extern char** environ;

namespace solfege {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kFileList = "sf_accelerator.f";
constexpr const char* kLibrary = "libsf_dut.so";
constexpr const char* kLog = "build.log";

/// Raise when the meaning of a cache entry changes in a way its inputs do not show.
constexpr const char* kCacheFormat = "solfege-dut-1";

/// XXH64 over a sequence of strings; lengths keep ("ab", "c") and ("a", "bc") apart.
class ContentHash {
 public:
  ContentHash() : state_(XXH64_createState(), XXH64_freeState) { XXH64_reset(state_.get(), 0); }

  void add(const std::string& text) {
    const std::uint64_t length = text.size();
    XXH64_update(state_.get(), &length, sizeof length);
    XXH64_update(state_.get(), text.data(), text.size());
  }

  std::string hex() const {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx",
                  static_cast<unsigned long long>(XXH64_digest(state_.get())));
    return digits;
  }

 private:
  std::unique_ptr<XXH64_state_t, XXH_errorcode (*)(XXH64_state_t*)> state_;
};

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf()).good()) {
    if (in && fs::is_regular_file(path) && fs::file_size(path) == 0) return {};
    throw InputError(path.string() + ": cannot be read");
  }
  return text.str();
}

// ---- processes

/// Absolute path of a program in $PATH, or empty.
std::string find_program(const std::string& name) {
  const char* variable = std::getenv("PATH");
  std::istringstream directories(variable ? variable : "");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const fs::path candidate = fs::path(directory.empty() ? "." : directory) / name;
    if (fs::is_regular_file(candidate) && access(candidate.c_str(), X_OK) == 0) {
      return fs::absolute(candidate).string();
    }
  }
  return {};
}

std::string require_program(const std::string& name) {
  const std::string path = find_program(name);
  if (path.empty()) {
    throw InputError(name +
                     " is not in PATH; it compiles the simulator of a design. Run scripts/demo, "
                     "which installs what is missing");
  }
  return path;
}

/// Runs a program in `directory` with its output in `log`; calls `tick` about five times a second.
/// Returns the wait status. The child stays in our process group, so Ctrl-C reaches it too.
int run_process(const std::vector<std::string>& command, const fs::path& directory,
                const fs::path& log, const std::function<void()>& tick) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());

  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);

  pid_t child = 0;
  const int failure =
      posix_spawn(&child, command[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure) throw std::runtime_error(command[0] + ": " + std::strerror(failure));

  int status = 0;
  auto next_tick = Clock::now();
  auto pause = std::chrono::milliseconds(1);
  for (;;) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) {
      throw std::runtime_error(command[0] + ": " + std::strerror(errno));
    }
    if (Clock::now() >= next_tick) {
      tick();
      next_tick = Clock::now() + std::chrono::milliseconds(200);
    }
    std::this_thread::sleep_for(pause);
    if (pause < std::chrono::milliseconds(50)) pause *= 2;
  }
}

/// What `program --version` prints; asked once a process and program.
std::string version_of(const std::string& program) {
  static std::map<std::string, std::string> known;
  const auto found = known.find(program);
  if (found != known.end()) return found->second;

  char name[] = "/tmp/solfege-version-XXXXXX";
  const int file = mkstemp(name);
  if (file < 0) throw std::runtime_error(std::string("/tmp: ") + std::strerror(errno));
  close(file);
  const int status = run_process({program, "--version"}, "/", name, [] {});
  const std::string text = read_file(name);
  fs::remove(name);
  if (status != 0) throw InputError(program + " --version fails:\n" + text);
  return known[program] = text;
}

/// Model and features of the processor: -march=native makes a library fit for this one only.
std::string processor() {
  std::ifstream in("/proc/cpuinfo");
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

/// One line on stderr: rewritten in place on a terminal, else a line at the start and one at the
/// end.
class Progress {
 public:
  explicit Progress(std::string what)
      : what_(std::move(what)), start_(Clock::now()), tty_(isatty(STDERR_FILENO) == 1) {
    if (!tty_) std::fprintf(stderr, "%s ...\n", what_.c_str());
  }

  void tick() const {
    if (tty_) std::fprintf(stderr, "\r%s ... %.0f s", what_.c_str(), seconds());
  }

  void finish(const char* outcome) const {
    std::fprintf(stderr, "%s%s: %s, %.1f s\n", tty_ ? "\r" : "", what_.c_str(), outcome, seconds());
  }

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  std::string what_;
  Clock::time_point start_;
  bool tty_;
};

/// An exclusive lock on a file for as long as the object lives. Children inherit the descriptor on
/// purpose: if we are killed, the entry stays locked until the last orphaned compiler has ended.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : file_(open(path.c_str(), O_RDWR | O_CREAT, 0644)) {
    if (file_ < 0) throw InputError(path.string() + ": " + std::strerror(errno));
    if (flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    std::fprintf(stderr, "waiting for another process that builds the same simulator\n");
    while (flock(file_, LOCK_EX) != 0) {
      if (errno != EINTR) {
        const std::string reason = std::strerror(errno);
        close(file_);
        throw std::runtime_error(path.string() + ": " + reason);
      }
    }
  }
  ~FileLock() { close(file_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int file_;
};

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
      "-MAKEFLAGS", "OPT_FAST=-O2", "-MAKEFLAGS", "OPT_GLOBAL=-O2", "-LDFLAGS", "-shared", "-o",
      kLibrary};
  if (options.waveforms) command.push_back("--trace-fst");
  for (const std::string& define : options.defines) command.push_back("-D" + define);
  command.insert(command.end(), sources.arguments.begin(), sources.arguments.end());
  command.push_back("dut_shim.cpp");
  return command;
}

std::string last_lines(const fs::path& path, std::size_t count) {
  std::ifstream in(path);
  std::deque<std::string> kept;
  for (std::string line; std::getline(in, line);) {
    kept.push_back(line);
    if (kept.size() > count) kept.pop_front();
  }
  std::string text;
  for (const std::string& line : kept) text += line + "\n";
  return text;
}

/// Compiles into `building` and renames it to `entry`. The caller holds the entry's lock.
void compile(const std::vector<std::string>& command, const fs::path& building,
             const fs::path& entry, const std::map<std::string, std::string>& shim) {
  fs::remove_all(building);  // of an interrupted build
  fs::create_directories(building);
  for (const auto& [name, text] : shim) {
    std::ofstream(building / name, std::ios::binary) << text;
  }
  {
    std::ofstream log(building / kLog);
    for (const std::string& argument : command) log << "'" << argument << "' ";
    log << "\n\n";
  }

  const Progress progress("building the simulator (" + entry.filename().string() + ")");
  const int status = run_process(command, building, building / kLog, [&] { progress.tick(); });
  const fs::path library = building / "obj_dir" / kLibrary;
  if (status != 0 || !fs::is_regular_file(library)) {
    fs::path kept = entry;
    kept += ".failed.log";
    fs::rename(building / kLog, kept);
    fs::remove_all(building);
    const bool interrupted = WIFSIGNALED(status) && WTERMSIG(status) == SIGINT;
    progress.finish(interrupted ? "interrupted" : "failed");
    throw std::runtime_error("the simulator does not build; the last lines of " + kept.string() +
                             ":\n" + last_lines(kept, 30));
  }
  // The entry keeps the library and the log; a hundred megabytes of objects go.
  fs::rename(library, building / kLibrary);
  fs::remove_all(building / "obj_dir");
  fs::remove_all(entry);  // a directory without a library: not an entry
  fs::rename(building, entry);
  progress.finish("done");
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

std::string dut_cache_directory() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  fs::path directory;
  if (const std::string own = variable("SOLFEGE_CACHE"); !own.empty()) {
    directory = own;
  } else if (const std::string shared = variable("XDG_CACHE_HOME"); !shared.empty()) {
    directory = fs::path(shared) / "solfege";
  } else if (const std::string home = variable("HOME"); !home.empty()) {
    directory = fs::path(home) / ".cache" / "solfege";
  } else {
    throw InputError("no place for built simulators: set SOLFEGE_CACHE to a directory");
  }
  return fs::absolute(directory).string();
}

DutLibrary build_dut(const std::string& generated_dir, const DutOptions& options) {
  check(options);
  const Sources sources = read_sources(generated_dir);
  const fs::path source_dir = fs::path(SOLFEGE_SOURCE_DIR) / "sim";
  std::map<std::string, std::string> shim;
  for (const char* name : {"dut_abi.hpp", "dut_popcount.hpp", "dut_shim.cpp"})
    shim[name] = read_file(source_dir / name);

  const std::string verilator = require_program("verilator");
  const std::string compiler = require_program("g++");  // the one Verilator's makefiles call
  require_program("make");

  ContentHash hash;
  hash.add(kCacheFormat);
  for (const auto& [name, text] : sources.contents) {
    hash.add(name);
    hash.add(text);
  }
  for (const auto& [name, text] : shim) hash.add(text);
  Sources nowhere;  // the options' part of the command: where the files are does not matter
  for (const std::string& argument : verilator_command("", nowhere, options)) hash.add(argument);
  hash.add(version_of(verilator));
  hash.add(version_of(compiler));
  hash.add(processor());

  const fs::path cache = dut_cache_directory();
  if (cache.string().find_first_of(" \t") != std::string::npos) {
    throw InputError(
        cache.string() +
        ": make cannot build in a directory with spaces; set SOLFEGE_CACHE to another");
  }
  std::error_code failure;
  fs::create_directories(cache, failure);
  if (failure) {
    throw InputError(cache.string() + ": " + failure.message() +
                     "; set SOLFEGE_CACHE to a directory that can be written");
  }

  const fs::path entry = cache / ("dut-" + hash.hex());
  const fs::path library_path = entry / kLibrary;
  bool hit = fs::is_regular_file(library_path);
  if (!hit) {
    const auto beside = [&](const char* suffix) { return fs::path(entry.string() + suffix); };
    const FileLock lock(beside(".lock"));
    hit = fs::is_regular_file(library_path);  // built while we waited
    if (!hit) {
      compile(verilator_command(verilator, sources, options), beside(".building"), entry, shim);
    }
  }
  DutLibrary library = load(library_path, options.reset_seed);
  library.cache_hit = hit;
  library.waveforms = options.waveforms;
  return library;
}

}  // namespace solfege
