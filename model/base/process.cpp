// SPDX-License-Identifier: Apache-2.0
#include "model/base/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/interrupt.hpp"

extern char** environ;

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// With less than this left, a tool that fails has most likely come to the end of the disk.
constexpr std::uint64_t kScarceSpace = 32 << 20;

/// What a child is given. All of it is made before fork(): other threads may hold the allocator's
/// lock, so the child must not allocate.
struct Start {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* folder;
  int input, output, errors;
};

/// In the child. Only returns by failing; then errno tells why.
void become(const Start& start, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(start.input, 0) < 0 || dup2(start.output, 1) < 0 || dup2(start.errors, 2) < 0) return;
  if (chdir(start.folder) != 0) return;
  execve(start.program, start.arguments, start.environment);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_with(const std::string& temporary) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (temporary.empty() || std::strncmp(*entry, "TMPDIR=", 7) != 0) result.emplace_back(*entry);
  if (!temporary.empty()) result.push_back("TMPDIR=" + temporary);
  return result;
}

/// The status of a child that has ended, or will.
int reap(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// Starts a program in a process group of its own.
pid_t start_process(std::vector<std::string> command, const fs::path& folder,
                    const std::string& temporary, int input, int output, int errors,
                    const std::string& package) {
  const std::string program =
      command[0].find('/') == std::string::npos ? find_program(command[0]) : command[0];
  if (program.empty())
    throw InputError(fmt::format("{} is not installed or not in PATH; run: apt-get install {}",
                                 command[0], package.empty() ? command[0] : package));
  std::vector<std::string> environment = environment_with(temporary);
  const std::vector<char*> arguments = pointers(command), variables = pointers(environment);
  const Start start{
      program.c_str(), arguments.data(), variables.data(), folder.c_str(), input, output, errors};
  int ends[2];  // the child's errno comes through; execve() closes it
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error(fmt::format("{}: {}", command[0], std::strerror(errno)));
  const FileHandle from_child(ends[0]);
  const pid_t parent = getpid(), child = fork();
  if (child == 0) {
    become(start, parent);
    const int reason = errno;
    (void)!write(ends[1], &reason, sizeof reason);
    _exit(127);
  }
  int reason = child < 0 ? errno : 0;
  close(ends[1]);
  if (child > 0) {
    setpgid(child, child);  // whichever of the two is first
    while (read(ends[0], &reason, sizeof reason) < 0 && errno == EINTR) {
    }
  }
  if (reason == 0) return child;
  if (child > 0) reap(child);
  throw std::runtime_error(
      fmt::format("{} cannot be started: {}", command[0], std::strerror(reason)));
}

/// Waits for a child, and calls `look` between.
int wait_for(pid_t child, const std::string& name, const std::function<void(int turn)>& look) {
  const Interrupt::Group group(child);
  try {
    for (int turn = 0;; ++turn) {
      // It is not reaped yet: until its group has gone its number must not be another's.
      siginfo_t ended{};
      const bool known =
          waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) == 0;
      if (known && ended.si_pid == child) break;
      if (!known && errno != EINTR)
        throw std::runtime_error(fmt::format("waiting for {}: {}", name, std::strerror(errno)));
      Interrupt::check();
      look(turn);
      // Short programs are not made to wait.
      std::this_thread::sleep_for(std::chrono::milliseconds(turn < 20 ? 2 : 10));
    }
  } catch (...) {
    kill(-child, SIGKILL);
    reap(child);
    throw;
  }
  kill(-child, SIGKILL);  // what it has left behind
  const int status = reap(child);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// A file in memory, with a text to be read from its beginning.
int memory_file(const std::string& text) {
  const int file = memfd_create("solfege", MFD_CLOEXEC);
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(file, 0, SEEK_SET) != 0) {
    const std::string reason = std::strerror(errno);
    if (file >= 0) close(file);
    throw std::runtime_error("memory for a program's input: " + reason);
  }
  return file;
}

std::string text_of(int file) {
  std::string text;
  char chunk[1 << 16];
  lseek(file, 0, SEEK_SET);
  for (ssize_t got = 0; (got = read(file, chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(got));
  return text;
}

}  // namespace

int run_process(const std::vector<std::string>& command, const fs::path& folder,
                const std::string& output, const std::function<void()>& poll,
                const std::string& package) {
  const fs::path log = folder / output;
  // Temporary files stay until the disk has been looked at: a tool that could not write them may
  // remove them and go on without what they should have held.
  const std::string temporary = fs::absolute(folder / (output + ".tmp")).string();
  std::error_code ignored;
  require_space(folder);
  fs::create_directory(temporary, ignored);
  const FileHandle nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const FileHandle file(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (file.number() < 0)
    throw InputError(fmt::format("{}: cannot be written: {}; free space, or choose another folder",
                                 log.string(), std::strerror(errno)));
  const pid_t child = start_process(command, folder, temporary, nothing.number(), file.number(),
                                    file.number(), package);
  std::uint64_t least = space_left(folder);
  const int status = wait_for(child, command[0], [&](int turn) {
    require_space(folder);
    least = std::min(least, space_left(folder));
    if (poll && turn % 25 == 0) poll();
  });
  require_space(folder);
  // A tool that fails may have freed what it could not finish, and its log is cut short, too.
  if (status != 0 && least < kScarceSpace)
    throw InputError(
        fmt::format("{}: {} failed where the disk is full, or nearly: {} bytes were left; free "
                    "space, or choose a folder elsewhere",
                    folder.string(), fs::path(command[0]).filename().string(), least));
  fs::remove_all(temporary, ignored);
  return status;
}

ProcessOutput capture_process(const std::vector<std::string>& command, const std::string& input,
                              const std::string& package) {
  const FileHandle in(memory_file(input)), out(memory_file("")), errors(memory_file(""));
  const pid_t child =
      start_process(command, "/", "", in.number(), out.number(), errors.number(), package);
  ProcessOutput result;
  result.status = wait_for(child, command[0], [](int) {});
  result.output = text_of(out.number());
  result.errors = text_of(errors.number());
  return result;
}

std::string tool_version(const std::vector<std::string>& command, const std::string& package) {
  const ProcessOutput said = capture_process(command, "", package);
  if (said.status != 0)
    throw std::runtime_error(fmt::format("{} {} failed", command[0], command.back()));
  return trim(said.output + said.errors);
}

std::string find_program(const std::string& name) {
  const char* variable = std::getenv("PATH");
  std::istringstream folders(variable != nullptr ? variable : "");
  std::error_code ignored;
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder.empty() ? "." : folder) / name;
    if (fs::is_regular_file(candidate, ignored) && access(candidate.c_str(), X_OK) == 0)
      return fs::absolute(candidate).string();
  }
  return {};
}

void require_ending(const fs::path& path, const std::string& end) {
  std::string text = read_file(path, "free space, and run it again");
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  if (text.size() < end.size() || text.compare(text.size() - end.size(), end.size(), end) != 0)
    throw InputError(
        fmt::format("{}: the tool that wrote it has cut it short; free space, and run it again",
                    path.string()));
}

std::string trim(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n\"");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n\"") - first + 1);
}

std::string last_lines(const std::string& text, int lines) {
  std::size_t at = text.find_last_not_of('\n');
  if (at == std::string::npos) return "";
  while (lines-- > 0 && at != std::string::npos && at > 0) at = text.rfind('\n', at - 1);
  return text.substr(at == std::string::npos ? 0 : at);
}

}  // namespace solfege
