// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace solfege {

/// Wrong input from the user: configuration, network, data file, command line. The message says
/// what is wrong, where, what is allowed and how to mend it; the program prints it and exits 2.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A check that did not hold (a differing bit, an unproved property); the program exits 1.
struct CheckFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Refuses a file of data.
[[noreturn]] inline void refuse_data(const std::string& file, const std::string& found,
                                     const std::string& expected, const std::string& fix) {
  throw InputError(file + ": found " + found + ", expected " + expected + "; " + fix);
}

}  // namespace solfege
