// SPDX-License-Identifier: Apache-2.0
#include "cost/liberty_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "cost/liberty.hpp"
#include "model/error.hpp"
#include "model/files.hpp"

namespace solfege {
namespace {

constexpr const char* kNoHeader = "it has no `library (NAME) {` header";

/// What to do about a library that cannot be read.
std::string fix_of(const std::string& path) {
  return path == kDefaultLiberty
             ? "name another .lib file, or run: apt-get install qflow-tech-osu018"
             : "name an existing .lib file";
}

std::string_view trimmed(const char* first, const char* last) {
  // A backslash continues a line; some files have one before the closing parenthesis.
  const auto blank = [](char c) {
    return c == '\\' || std::isspace(static_cast<unsigned char>(c)) != 0;
  };
  while (first < last && blank(*first)) ++first;
  while (first < last && blank(last[-1])) --last;
  if (last - first >= 2 && *first == '"' && last[-1] == '"' &&
      std::find(first + 1, last - 1, '"') == last - 1)
    return trimmed(first + 1, last - 1);
  return {first, static_cast<std::size_t>(last - first)};
}

class Parser {
 public:
  Parser(const LibertyFile& file, const std::string& text)
      : file_(file), at_(text.data()), end_(at_ + text.size()) {}

  LibertyStatement library() {
    LibertyStatement library;
    blanks(true);
    if (at_ == end_ || !std::isalpha(static_cast<unsigned char>(*at_))) fail(kNoHeader);
    const char* name = at_;
    const auto length = static_cast<std::size_t>(std::min<std::ptrdiff_t>(7, end_ - at_));
    if (std::string_view(name, length) != "library") fail(kNoHeader);
    statement(library, 0);
    if (library.name != "library" || !library.group || library.value.empty()) fail(kNoHeader);
    blanks(true);
    if (at_ != end_)
      fail("its braces do not balance: text follows the library's closing brace; it is damaged");
    return library;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { file_.fail({at_, 0}, what); }

  [[noreturn]] void truncated(const LibertyStatement& open) const {
    file_.fail(open.name, fmt::format("`{} ({})`, opened here, is never closed: the file is "
                                      "truncated or damaged",
                                      open.name, open.value));
  }

  /// Skips blanks, comments and line continuations; also semicolons, where nothing can be meant
  /// by them.
  void blanks(bool semicolons) {
    while (at_ < end_) {
      const char c = *at_;
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\\' || c == '\f' || c == '\v' ||
          (semicolons && c == ';')) {
        ++at_;
      } else if (c == '/' && end_ - at_ > 1 && at_[1] == '*') {
        const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
        const auto close = rest.find("*/", 2);
        if (close == rest.npos) fail("a comment that begins here is never closed: it is truncated");
        at_ += close + 2;
      } else if (c == '/' && end_ - at_ > 1 && at_[1] == '/') {
        at_ = std::find(at_, end_, '\n');
      } else {
        return;
      }
    }
  }

  void statement(LibertyStatement& s, int depth) {
    const char* first = at_;
    while (at_ < end_ && (std::isalnum(static_cast<unsigned char>(*at_)) || *at_ == '_')) ++at_;
    s.name = {first, static_cast<std::size_t>(at_ - first)};
    if (s.name.empty()) fail(fmt::format("`{}` begins no statement", *at_));
    blanks(false);
    if (at_ < end_ && *at_ == ':') {
      ++at_;
      simple_value(s);
    } else if (at_ < end_ && *at_ == '(') {
      arguments(s);
      blanks(false);
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

  /// To the semicolon, or where it was forgotten the line's end.
  void simple_value(LibertyStatement& s) {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\\')) ++at_;
    const char* first = at_;
    bool quoted = false;
    for (; at_ < end_; ++at_) {
      const char c = *at_;
      if (c == '"') quoted = !quoted;
      if (quoted) continue;
      if (c == ';' || c == '}' || (c == '/' && end_ - at_ > 1 && at_[1] == '*')) break;
      if (c == '\n' && at_[-1] != '\\' && !(at_[-1] == '\r' && at_[-2] == '\\')) break;
    }
    if (quoted) truncated(s);
    s.value = trimmed(first, at_);
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
        s.value = trimmed(first, at_);
        ++at_;
        return;
      }
    }
    truncated(s);
  }

  void body(LibertyStatement& s, int depth) {
    if (depth > 50) fail("its groups are nested too deeply: it is damaged");
    while (true) {
      blanks(true);
      if (at_ == end_) truncated(s);
      if (*at_ == '}') {
        ++at_;
        return;
      }
      s.statements.emplace_back();
      statement(s.statements.back(), depth + 1);
    }
  }

  const LibertyFile& file_;
  const char *at_, *end_;
};

}  // namespace

const LibertyStatement* LibertyStatement::find(std::string_view wanted) const {
  for (const LibertyStatement& s : statements)
    if (s.name == wanted) return &s;
  return nullptr;
}

std::string_view LibertyStatement::text(std::string_view wanted) const {
  const LibertyStatement* s = find(wanted);
  return s == nullptr ? std::string_view() : s->value;
}

LibertyFile::LibertyFile(const std::string& path)
    : path_(path), text_(read_file(path, fix_of(path))) {
  library_ = Parser(*this, text_).library();
}

int LibertyFile::line(std::string_view at) const {
  return 1 + static_cast<int>(std::count(text_.data(), at.data(), '\n'));
}

void LibertyFile::fail(std::string_view at, const std::string& what, const std::string& fix) const {
  throw InputError(
      fmt::format("{}:{}: not a usable Liberty file: {}; {}", path_, line(at), what, fix));
}

}  // namespace solfege
