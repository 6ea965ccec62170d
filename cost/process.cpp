// SPDX-License-Identifier: Apache-2.0
#include "cost/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "model/error.hpp"

extern char** environ;

namespace solfege {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPart = "part-";  // folders being filled: part-PID-XXXXXX

void remove_orphans(const fs::path& cache) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(cache, ignored)) {
    const std::string name = entry.path().filename();
    if (name.rfind(kPart, 0) != 0) continue;
    const pid_t owner = static_cast<pid_t>(std::atoi(name.c_str() + std::strlen(kPart)));
    if (owner > 0 && kill(owner, 0) != 0 && errno == ESRCH) fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace

int run_process(const std::vector<std::string>& command, const fs::path& folder,
                const std::string& output, const std::function<void()>& poll,
                const std::string& package) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT)
    throw InputError(fmt::format("{} is not installed or not in PATH; run: apt-get install {}",
                                 command[0], package.empty() ? command[0] : package));
  if (error != 0)
    throw std::runtime_error(
        fmt::format("{} cannot be started: {}", command[0], std::strerror(error)));
  int status = 0;
  try {
    for (int turn = 0;; ++turn) {
      const pid_t done = waitpid(child, &status, WNOHANG);
      if (done == child) break;
      if (done < 0 && errno != EINTR)
        throw std::runtime_error(
            fmt::format("waiting for {}: {}", command[0], std::strerror(errno)));
      if (poll && turn % 10 == 0) poll();
      // Short programs are not made to wait.
      std::this_thread::sleep_for(std::chrono::milliseconds(turn < 20 ? 2 : 25));
    }
  } catch (...) {
    kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    throw;
  }
  if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
  return WEXITSTATUS(status);
}

std::string tool_version(const std::vector<std::string>& command, const std::string& package) {
  std::string folder = (fs::temp_directory_path() / "solfege-version-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
  std::error_code ignored;
  try {
    const int status = run_process(command, folder, "version.log", {}, package);
    const std::string version = trim(read_text(fs::path(folder) / "version.log"));
    fs::remove_all(folder, ignored);
    if (status != 0)
      throw std::runtime_error(fmt::format("{} {} failed", command[0], command.back()));
    return version;
  } catch (...) {
    fs::remove_all(folder, ignored);
    throw;
  }
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush())
    throw InputError(fmt::format("{}: cannot be written; choose another folder", path.string()));
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

std::string content_hash(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += fmt::format("{} {}\n", text.size(), text);
  return fmt::format("{:016x}", XXH64(all.data(), all.size(), 0));
}

fs::path cached_folder(const fs::path& cache_directory, const std::string& key,
                       const std::function<void(const fs::path&)>& make) {
  const fs::path entry = fs::absolute(cache_directory) / key;
  std::error_code error;
  if (fs::is_directory(entry, error)) return entry;
  fs::create_directories(entry.parent_path(), error);
  remove_orphans(entry.parent_path());
  std::string part =
      (entry.parent_path() / fmt::format("{}{}-XXXXXX", kPart, static_cast<int>(getpid())))
          .string();
  if (error || mkdtemp(part.data()) == nullptr)
    throw InputError(fmt::format("{}: the cache cannot be written ({}); choose another folder",
                                 entry.parent_path().string(),
                                 error ? error.message() : std::strerror(errno)));
  try {
    make(part);
    fs::rename(part, entry, error);
    // Another process may have been faster: its entry says the same.
    if (error && !fs::is_directory(entry)) throw fs::filesystem_error("cache", part, entry, error);
  } catch (...) {
    fs::remove_all(part, error);
    throw;
  }
  fs::remove_all(part, error);
  return entry;
}

}  // namespace solfege
