// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>

namespace solfege {

/// What Interrupt::check() throws. It is no std::exception, so that nobody takes it for a failure.
struct Interrupted {
  int signal = 0;
};

/// How the program ends by SIGINT, SIGTERM, SIGHUP or SIGQUIT. The first signal is noted, and the
/// work at hand unwinds from where it next calls check(). Work that does not call it within five
/// seconds, and a second signal, end the program at once, with exit code 128 + signal and with all
/// the processes that it started.
class Interrupt {
 public:
  /// Takes the signals over; once, at the start of the program. Without it none is ever noted.
  static void install();
  /// The signal that came, or 0.
  static int signal();
  /// Throws Interrupted if a signal came, except while a Finish lives.
  static void check();

  /// While it lives, work goes on to its end however long that takes, unless a second signal comes.
  class Finish {
   public:
    Finish();
    ~Finish();
    Finish(const Finish&) = delete;
    Finish& operator=(const Finish&) = delete;
  };

  /// A process group that is killed if the program ends at once.
  class Group {
   public:
    explicit Group(pid_t leader);
    ~Group();
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

   private:
    std::atomic<pid_t>* place_ = nullptr;
  };

  /// A file that is removed if the program ends at once, because it is not whole.
  class Unfinished {
   public:
    explicit Unfinished(std::string path);
    ~Unfinished();
    Unfinished(const Unfinished&) = delete;
    Unfinished& operator=(const Unfinished&) = delete;

   private:
    std::string path_;
    std::atomic<const char*>* place_ = nullptr;
  };
};

}  // namespace solfege
