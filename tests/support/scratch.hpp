// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

namespace solfege {

/// A folder for the files of one test, removed at its end.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "solfege-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string path(const std::string& name = "") const { return (folder_ / name).string(); }

  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return path(name);
  }

 private:
  std::filesystem::path folder_;
};

/// Requires that `action` throws exactly `Error` (not a class derived from it), in one line that
/// contains each of `parts`.
template <typename Error, typename Action>
void require_error(Action action, const std::vector<std::string>& parts) {
  std::string message;
  bool exact = false;
  try {
    action();
  } catch (const std::exception& error) {
    message = error.what();
    exact = typeid(error) == typeid(Error);
  }
  INFO("message: " << message);
  REQUIRE(exact);
  CHECK(message.find('\n') == std::string::npos);
  for (const std::string& part : parts) CHECK_THAT(message, Catch::Contains(part));
}

}  // namespace solfege
