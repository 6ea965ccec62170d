// SPDX-License-Identifier: Apache-2.0
#include "cost/eda/liberty_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "cost/eda/liberty.hpp"
#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/hash.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// What to do about a library that cannot be read.
std::string fix_of(const std::string& path) {
  return path == kDefaultLiberty ? "name another .lib file, or run: scripts/install"
                                 : "name an existing .lib file";
}

constexpr const char* kNoHeader = "it has no `library (NAME) {` header";
constexpr std::size_t kMaxIncludes = 100;

bool is_blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

}  // namespace

/// Statements of a file's text.
class LibertyParser {
 public:
  /// `text` is the file's own.
  LibertyParser(LibertyFile& file, const std::string& path, const std::string& text) : file_(file) {
    file_.sources_.push_back({path, "", {}});
    source_ = &file_.sources_.back();
    clean(text);
    at_ = source_->text.data();
    end_ = at_ + source_->text.size();
  }

  LibertyStatement library() {
    LibertyStatement library;
    skip(true);
    if (rest().substr(0, 7) != "library") fail(kNoHeader);
    statement(library, 0);
    if (library.name != "library" || !library.group || library.value.empty()) fail(kNoHeader);
    skip(true);
    if (at_ != end_)
      fail("its braces do not balance: text follows the library's closing brace; it is damaged");
    return library;
  }

 private:
  std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }

  [[noreturn]] void fail(const std::string& what) const { file_.fail({at_, 0}, what); }

  [[noreturn]] void truncated(const LibertyStatement& open) const {
    file_.fail(open.name, fmt::format("`{} ({})`, opened here, is never closed: the file is "
                                      "truncated or damaged",
                                      open.name, open.value));
  }

  /// Comments become a blank, lines that are continued one line, and so do lines of a string.
  /// Backslashes elsewhere stand before what they protect, and go.
  void clean(const std::string& raw) {
    std::string& text = source_->text;
    text.reserve(raw.size());
    bool quoted = false;
    std::size_t quote = 0;  // where the string began, in `text`
    std::size_t i = raw.rfind("\xef\xbb\xbf", 0) == 0 ? 3 : 0;
    auto put = [&](char c) { text += c; };
    auto new_line = [&] { source_->lines.push_back(text.size()); };
    while (i < raw.size()) {
      const char c = raw[i++];
      if (c == '\\') {
        std::size_t end = i;
        while (end < raw.size() && raw[end] != '\n' && is_blank(raw[end])) ++end;
        if (end < raw.size() && raw[end] == '\n') {
          put(' ');
          new_line();
          i = end + 1;
        } else if (quoted && i < raw.size() && raw[i] == '"') {
          put(' ');
          ++i;
        } else if (!quoted) {
          put(' ');
        }
      } else if (c == '"') {
        quoted = !quoted;
        quote = text.size();
        put(c);
      } else if (c == '\n') {
        put(quoted ? ' ' : c);
        new_line();
      } else if (quoted || c != '/' || i == raw.size() || (raw[i] != '*' && raw[i] != '/')) {
        put(c);
      } else if (raw[i] == '/') {
        i = std::min(raw.find('\n', i), raw.size());
      } else {
        const std::size_t close = raw.find("*/", i + 1);
        if (close == raw.npos) {
          put(' ');
          file_.fail({text.data() + text.size() - 1, 1},
                     "a comment that begins here is never closed: it is truncated");
        }
        put(' ');
        for (; i < close; ++i)
          if (raw[i] == '\n') new_line();
        i = close + 2;
      }
    }
    if (quoted)
      file_.fail({text.data() + quote, 1},
                 "a string that begins here is never closed: the file is truncated or damaged");
  }

  /// Also semicolons, where nothing can be meant by them.
  void skip(bool semicolons) {
    while (at_ < end_ && (is_blank(*at_) || (semicolons && *at_ == ';'))) ++at_;
  }

  void statement(LibertyStatement& s, int depth) {
    const char* first = at_;
    while (at_ < end_ && (std::isalnum(static_cast<unsigned char>(*at_)) || *at_ == '_')) ++at_;
    s.name = {first, static_cast<std::size_t>(at_ - first)};
    if (s.name.empty())
      fail(std::isgraph(static_cast<unsigned char>(*at_))
               ? fmt::format("`{}` begins no statement", *at_)
               : fmt::format("the byte {:#04x} begins no statement",
                             static_cast<unsigned>(static_cast<unsigned char>(*at_))));
    skip(false);
    if (at_ < end_ && *at_ == ':') {
      ++at_;
      s.has_colon = true;
      simple_value(s);
    } else if (at_ < end_ && *at_ == '(') {
      arguments(s);
      skip(false);
      if (at_ < end_ && *at_ == '{') {
        ++at_;
        s.group = true;
        body(s, depth);
      }
    } else if (at_ == end_) {
      truncated(s);
    } else {
      fail(fmt::format("after `{}` should come `:` or `(`", s.name));
    }
  }

  void take(LibertyStatement& s, const char* first, const char* last) const {
    while (first < last && is_blank(*first)) ++first;
    while (first < last && is_blank(last[-1])) --last;
    s.quoted = last - first >= 2 && *first == '"' && std::find(first + 1, last, '"') == last - 1;
    if (s.quoted) {
      for (++first, --last; first < last && is_blank(*first);) ++first;
      while (first < last && is_blank(last[-1])) --last;
    }
    s.value = {first, static_cast<std::size_t>(last - first)};
  }

  /// To the semicolon, or where it was forgotten the line's end.
  void simple_value(LibertyStatement& s) {
    skip(false);
    const char* first = at_;
    bool quoted = false;
    for (; at_ < end_; ++at_) {
      if (*at_ == '"') quoted = !quoted;
      if (!quoted && (*at_ == ';' || *at_ == '}' || *at_ == '\n')) break;
    }
    take(s, first, at_);
  }

  void arguments(LibertyStatement& s) {
    const char* first = ++at_;
    bool quoted = false;
    for (int depth = 1; at_ < end_; ++at_) {
      const char c = *at_;
      if (c == '"') {
        quoted = !quoted;
      } else if (!quoted && c == '(') {
        ++depth;
      } else if (!quoted && c == ')' && --depth == 0) {
        take(s, first, at_);
        ++at_;
        return;
      }
    }
    truncated(s);
  }

  /// Statements up to the closing brace, or without one to the end of an included file.
  void body(LibertyStatement& into, int depth, bool braced = true) {
    if (depth > 50) fail("its groups are nested too deeply: it is damaged");
    while (true) {
      skip(true);
      if (at_ == end_ && !braced) return;
      if (at_ == end_) truncated(into);
      if (braced && *at_ == '}') {
        ++at_;
        return;
      }
      LibertyStatement child;
      statement(child, depth + 1);
      if (child.name == "include_file" && !child.group)
        include(child, into, depth);
      else
        into.statements.push_back(std::move(child));
    }
  }

  /// Statements of another file, named from this one's folder, into the group `into`.
  void include(const LibertyStatement& s, LibertyStatement& into, int depth) {
    const fs::path path = fs::path(source_->path).parent_path() / std::string(s.value);
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored))
      file_.fail(s.name, fmt::format("it includes {}, which cannot be read", path.string()),
                 "put the file there");
    if (depth >= 50 || file_.sources_.size() > kMaxIncludes)
      file_.fail(s.name, fmt::format("more than {} files are included", kMaxIncludes),
                 "let no file include itself");
    LibertyParser inner(file_, path.string(), read_file(path.string(), fix_of(path.string())));
    inner.body(into, depth + 1, false);
  }

  LibertyFile& file_;
  LibertyFile::Source* source_;
  const char *at_, *end_;
};

const LibertyStatement* LibertyStatement::find(std::string_view wanted) const {
  for (const LibertyStatement& s : statements)
    if (s.name == wanted) return &s;
  return nullptr;
}

std::string_view LibertyStatement::text(std::string_view wanted) const {
  const LibertyStatement* s = find(wanted);
  return s == nullptr ? std::string_view() : s->value;
}

bool LibertyWords::next(std::string_view& word) {
  auto separates = [&](char c) {
    return is_blank(c) || c == ',' || c == '"' || (!quoted_ && (c == '(' || c == ')'));
  };
  std::size_t first = 0;
  for (; first < rest_.size() && separates(rest_[first]); ++first)
    if (rest_[first] == '"') quoted_ = !quoted_;
  std::size_t end = first;
  while (end < rest_.size() && !separates(rest_[end])) ++end;
  word = rest_.substr(first, end - first);
  rest_.remove_prefix(end);
  return !word.empty();
}

std::vector<std::string_view> liberty_words(std::string_view text) {
  std::vector<std::string_view> words;
  LibertyWords list(text);
  for (std::string_view word; list.next(word);) words.push_back(word);
  return words;
}

std::string liberty_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

bool liberty_is(std::string_view value, bool wanted) {
  const std::string lower = liberty_lower(value);
  return lower == (wanted ? "true" : "false") || lower == (wanted ? "1" : "0");
}

std::vector<std::string> liberty_files(const std::string& name) {
  std::error_code ignored;
  if (fs::is_directory(name, ignored)) {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(name, ignored)) {
      fs::path path = entry.path();
      if (path.extension() == ".gz") path.replace_extension();
      if (path.extension() == ".lib") files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    if (files.empty())
      throw InputError(
          fmt::format("{}: the folder has no Liberty file (.lib or .lib.gz); name another", name));
    return files;
  }
  if (name.find(',') == name.npos || fs::exists(name, ignored)) return {name};
  std::vector<std::string> files;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find(',', at), name.size());
    if (end > at)
      for (std::string& file : liberty_files(name.substr(at, end - at)))
        files.push_back(std::move(file));
    at = end + 1;
  }
  if (files.empty()) return {name};
  return files;
}

std::string liberty_hash(const std::vector<std::string>& files) {
  std::vector<std::string> texts;
  for (const std::string& file : files) {
    texts.push_back(read_file(file, fix_of(file)));
    if (texts.back().find("include_file") == std::string::npos) continue;
    texts.push_back(LibertyFile(file).text());
  }
  return content_hash(texts);
}

LibertyFile::LibertyFile(const std::string& path) {
  library_ = LibertyParser(*this, path, read_file(path, fix_of(path))).library();
}

std::string LibertyFile::text() const {
  std::string all;
  for (const Source& source : sources_) all += source.text;
  return all;
}

std::string LibertyFile::location(std::string_view at) const {
  for (const Source& source : sources_) {
    const char* first = source.text.data();
    if (at.data() < first || at.data() > first + source.text.size()) continue;
    const auto offset = static_cast<std::size_t>(at.data() - first);
    const auto line = std::upper_bound(source.lines.begin(), source.lines.end(), offset);
    return fmt::format("{}:{}", source.path, 1 + (line - source.lines.begin()));
  }
  return path();
}

void LibertyFile::fail(std::string_view at, const std::string& what, const std::string& fix) const {
  throw InputError(fmt::format("{}: not a usable Liberty file: {}; {}", location(at), what, fix));
}

}  // namespace solfege
