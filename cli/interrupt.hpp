// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <csignal>

namespace solfege {

/// What Interrupt::check() throws.
struct Interrupted {};

/// While it lives, the first Ctrl-C (or SIGTERM) is only noted, so that the work at hand can be
/// finished and saved; the second ends the program as usual. One at a time.
class Interrupt {
 public:
  Interrupt() {
    noted() = 0;
    struct sigaction action = {};
    action.sa_handler = [](int signal) { noted() = signal; };
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &before_[i]);
  }
  ~Interrupt() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// The signal that came, or 0.
  int signal() const { return noted(); }
  /// Throws Interrupted if a signal came; for work that cannot save what it has.
  static void check() {
    if (noted() != 0) throw Interrupted();
  }

 private:
  static constexpr std::array<int, 2> kSignals = {SIGINT, SIGTERM};
  static volatile std::sig_atomic_t& noted() {
    static volatile std::sig_atomic_t signal = 0;
    return signal;
  }
  std::array<struct sigaction, 2> before_{};
};

}  // namespace solfege
