// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <exception>

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

/// Does work that calls Interrupt::check() now and then. Returns 0, or 128 + the signal that ended
/// it, which it says: `what` was interrupted, and what `stays`.
template <typename Work>
int interruptible(const char* what, const char* stays, const Work& work) {
  Interrupt interrupt;
  try {
    work();
    return 0;
  } catch (const Interrupted&) {
  } catch (const std::exception&) {
    // Ctrl-C reaches the tools too, and they may end first.
    if (interrupt.signal() == 0) throw;
  }
  fmt::print(stderr, "solfege: {} interrupted; {}\n", what, stays);
  return 128 + interrupt.signal();
}

}  // namespace solfege
