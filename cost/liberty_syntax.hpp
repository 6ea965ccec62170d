// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace solfege {

/// `name : value;`, `name (value);` or the group `name (value) { statements }`. Views into the
/// text of the LibertyFile; values without outer blanks and quotes.
struct LibertyStatement {
  std::string_view name, value;
  bool group = false;
  std::vector<LibertyStatement> statements;

  const LibertyStatement* find(std::string_view name) const;  ///< the first; nullptr if none
  std::string_view text(std::string_view name) const;         ///< value of the first, or empty
};

/// A Liberty file as statements, whatever they mean.
class LibertyFile {
 public:
  /// InputError: unreadable, truncated, not Liberty.
  explicit LibertyFile(const std::string& path);
  LibertyFile(const LibertyFile&) = delete;
  LibertyFile& operator=(const LibertyFile&) = delete;

  const std::string& path() const { return path_; }
  const LibertyStatement& library() const { return library_; }
  const std::string& text() const { return text_; }
  int line(std::string_view at) const;  ///< of a view into the file
  [[noreturn]] void fail(std::string_view at, const std::string& what,
                         const std::string& fix = "name a complete .lib file") const;

 private:
  std::string path_, text_;
  LibertyStatement library_;
};

}  // namespace solfege
