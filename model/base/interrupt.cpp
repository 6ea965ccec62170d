// SPDX-License-Identifier: Apache-2.0
#include "model/base/interrupt.hpp"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <utility>

namespace solfege {
namespace {

constexpr unsigned kGraceSeconds = 5;

// Written by handlers: lock-free atomics only.
std::atomic<int> noted{0}, finishing{0};
std::array<std::atomic<pid_t>, 256> groups{};
std::array<std::atomic<const char*>, 256> unfinished{};

/// Takes the first free place, if there is one.
template <typename Places, typename Value>
auto* enter(Places& places, Value value) {
  for (auto& place : places) {
    Value free{};
    if (place.compare_exchange_strong(free, value)) return &place;
  }
  return static_cast<decltype(places.data())>(nullptr);
}

void complain(const char* text) { (void)!write(STDERR_FILENO, text, std::strlen(text)); }

[[noreturn]] void end_at_once(int code) {
  for (const std::atomic<pid_t>& leader : groups)
    if (const pid_t group = leader; group > 0) kill(-group, SIGKILL);
  for (const std::atomic<const char*>& path : unfinished)
    if (const char* name = path; name != nullptr) unlink(name);
  _exit(code);
}

extern "C" void on_signal(int signal) {
  int none = 0;
  if (!noted.compare_exchange_strong(none, signal)) end_at_once(128 + signal);
  if (finishing == 0) alarm(kGraceSeconds);
}

extern "C" void on_alarm(int) { end_at_once(128 + noted); }

/// A page of a mapped file that is not there, such as one that waveforms are collected in.
extern "C" void on_bus_error(int) {
  complain("solfege: ");
  for (const std::atomic<const char*>& path : unfinished)
    if (const char* name = path; name != nullptr) {
      complain(name);
      complain(", ");
    }
  complain(
      "a file that is mapped into memory: cannot be written or read: the disk is full, or the file "
      "was cut short; free space there and in /tmp\n");
  end_at_once(2);
}

void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void Interrupt::install() {
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT}) handle(signal, on_signal, SA_RESTART);
  struct sigaction hangup = {};  // nohup ignores it
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
    handle(SIGHUP, on_signal, SA_RESTART);
  handle(SIGALRM, on_alarm, SA_RESTART);
  handle(SIGBUS, on_bus_error, static_cast<int>(SA_RESETHAND));
}

int Interrupt::signal() { return noted; }

void Interrupt::check() {
  if (noted != 0 && finishing == 0) throw Interrupted{noted};
}

Interrupt::Finish::Finish() {
  ++finishing;
  alarm(0);
}

Interrupt::Finish::~Finish() {
  if (--finishing == 0 && noted != 0) alarm(kGraceSeconds);
}

Interrupt::Group::Group(pid_t leader) : place_(enter(groups, leader)) {}

Interrupt::Group::~Group() {
  if (place_ != nullptr) *place_ = 0;
}

Interrupt::Unfinished::Unfinished(std::string path)
    : path_(std::move(path)), place_(enter(unfinished, path_.c_str())) {}

Interrupt::Unfinished::~Unfinished() {
  if (place_ != nullptr) *place_ = nullptr;
}

}  // namespace solfege
