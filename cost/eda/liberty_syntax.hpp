// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace solfege {

/// `name : value;`, `name (value);` or the group `name (value) { statements }`. Views into the
/// text of the LibertyFile; values without outer blanks and quotes.
struct LibertyStatement {
  std::string_view name, value;
  bool group = false;
  bool quoted = false;     ///< the whole value is one string
  bool has_colon = false;  ///< `name : value`
  std::vector<LibertyStatement> statements;

  const LibertyStatement* find(std::string_view name) const;  ///< the first; nullptr if none
  std::string_view text(std::string_view name) const;         ///< value of the first, or empty
};

/// The words of an argument list or of a string that holds a list, one after another. Blanks,
/// commas and quotes separate them, and parentheses outside of strings.
class LibertyWords {
 public:
  explicit LibertyWords(std::string_view text) : rest_(text) {}
  bool next(std::string_view& word);  ///< false at the end

 private:
  std::string_view rest_;
  bool quoted_ = false;
};
std::vector<std::string_view> liberty_words(std::string_view text);

/// Whether a value is this Boolean, whatever its case.
bool liberty_is(std::string_view value, bool wanted);
std::string liberty_lower(std::string_view text);

/// The files that a library's name stands for: one file, several with commas between, or a folder
/// with `.lib` and `.lib.gz` files, by name. InputError: none in the folder.
std::vector<std::string> liberty_files(const std::string& name);

/// Of the text of all the files, unpacked, with what they include.
std::string liberty_hash(const std::vector<std::string>& files);

/// A Liberty file, plain or packed by gzip, as statements, whatever they mean. Files that it
/// includes are read in their places.
class LibertyFile {
 public:
  /// InputError: unreadable, truncated, not Liberty.
  explicit LibertyFile(const std::string& path);
  LibertyFile(const LibertyFile&) = delete;
  LibertyFile& operator=(const LibertyFile&) = delete;

  const std::string& path() const { return sources_.front().path; }
  const LibertyStatement& library() const { return library_; }
  std::string text() const;                         ///< of all its files, without comments
  std::string location(std::string_view at) const;  ///< "file:line" of a view into the file
  [[noreturn]] void fail(std::string_view at, const std::string& what,
                         const std::string& fix = "name a complete .lib file") const;

 private:
  friend class LibertyParser;
  /// `text` is the file's without comments, continued lines joined, strings in one line.
  struct Source {
    std::string path, text;
    std::vector<std::size_t> lines;  ///< where in `text` the second, third, ... line begins
  };
  std::deque<Source> sources_;  ///< the file, and those that it includes
  LibertyStatement library_;
};

}  // namespace solfege
