// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace solfege {

/// A variable of a MATLAB file.
struct MatlabArray {
  /// Classes: the first and the last of numbers, and bytes.
  enum Class { kDouble = 6, kUint8 = 9, kUint64 = 15 };
  int kind = 0;  ///< Class, or another that MATLAB has
  bool complex = false, logical = false;
  std::vector<std::uint64_t> sizes;  ///< at least two
  /// Real parts by columns, as they are stored: `type` is MATLAB's number of the type. Of numeric
  /// classes that are not complex there are as many as the sizes say; else this is empty.
  int type = 0;
  std::vector<std::uint8_t> data;

  std::uint64_t count() const;         ///< elements by the sizes
  double number(std::size_t i) const;  ///< element i
  std::string describe() const;        ///< "32 x 32 x 3 x 10 of uint8"
};

/// The variables of a MATLAB 5 file (little-endian, compressed or not; MATLAB writes it by default
/// and as -v6 and -v7) whose names are asked for. Each length in the file is checked against the
/// others. InputError if there is no such file, and if it is truncated, damaged or of another kind;
/// then `kind` says what was wanted.
std::map<std::string, MatlabArray> read_matlab_file(const std::string& path,
                                                    const std::vector<std::string>& names,
                                                    const std::string& kind);

}  // namespace solfege
