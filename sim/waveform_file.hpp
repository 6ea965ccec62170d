// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "model/base/interrupt.hpp"

namespace solfege {

/// An FST file on its way. Its writer (Verilator's) notices no failure, so that is done here.
class WaveformFile {
 public:
  explicit WaveformFile(std::filesystem::path path);
  ~WaveformFile();  ///< removes what finish() has not put in place
  WaveformFile(const WaveformFile&) = delete;
  WaveformFile& operator=(const WaveformFile&) = delete;

  const std::filesystem::path& part() const { return part_; }  ///< what the writer is to open
  /// While it is written: InputError if a disk that the writer uses is full.
  void check() const;
  /// Once it is closed: checks it, and gives it its name. InputError if it is not whole. Returns
  /// false if it was never opened: the run was over before the first cycle that was asked for.
  bool finish();

 private:
  std::filesystem::path path_, part_;
  Interrupt::Unfinished part_goes_, hierarchy_goes_;
};

}  // namespace solfege
