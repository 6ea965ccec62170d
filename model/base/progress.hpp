// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace solfege {

/// A line to stderr; that it cannot be written is no reason to end.
void say(const std::string& line);

/// A line on stderr that shows how far long work is: in place on a terminal, else one line in ten
/// seconds.
class Progress {
 public:
  /// `total` parts, of which `first` were done before; 0: nobody knows how many.
  Progress(std::string what, long total, long first = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void at(long done, const std::string& detail = "");

  /// "training 3/10 loss 0.5 (6 s, 14 s left)". The time left is only there where what is done
  /// tells it.
  static std::string line(const std::string& what, long done, long first, long total,
                          double seconds, const std::string& detail);

 private:
  std::string what_;
  long total_, first_;
  bool terminal_, shown_ = false;
  double started_, last_;
};

}  // namespace solfege
