#include "text/oniguruma.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;

namespace {

// The members of Oniguruma's classes, as they stand between [ and ].
constexpr std::string_view space = "\\t-\\r\\u0085\\p{Z}";
constexpr std::string_view word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
constexpr std::string_view hexadecimal = "0-9A-Fa-f";
constexpr std::string_view punctuation = "\\p{P}\\p{S}";
// Outside of [...], \w matches these six as well: the digits and fractions of ISO 8859-1.
constexpr std::string_view latin1_numbers = "\\u00B2\\u00B3\\u00B9\\u00BC-\\u00BE";

std::string set_of(std::string_view members, std::string_view more = "") {
  return "[" + std::string(members) + std::string(more) + "]";
}
std::string set_without(std::string_view members, std::string_view more = "") {
  return "[^" + std::string(members) + std::string(more) + "]";
}

class Translation {
 public:
  Translation(std::string_view expression, const std::string& where)
      : rest_(expression), where_(where) {}

  std::string run() {
    while (!rest_.empty()) {
      if (rest_.front() == '\\' && rest_.size() > 1) {
        translate_escape();
      } else if (depth_ > 0) {
        translate_in_set();
      } else {
        translate_outside();
      }
    }
    return std::move(result_);
  }

 private:
  void emit(std::string_view text, std::size_t taken) {
    result_ += text;
    rest_.remove_prefix(taken);
  }

  void translate_escape() {
    const std::optional<std::string> escaped =
        depth_ > 0 ? escape_in_set(rest_[1]) : escape_outside(rest_[1]);
    if (escaped) {
      emit(*escaped, 2);
    } else if (rest_.size() > 2 && rest_[2] == '{' &&
               std::string_view("pPx").find(rest_[1]) != rest_.npos) {
      translate_braces();
    } else {
      emit(rest_.substr(0, 2), 2);
    }
  }

  static std::optional<std::string> escape_in_set(char escaped) {
    switch (escaped) {
      case 's':
        return std::string(space);
      case 'w':
        return std::string(word);
      case 'h':
        return std::string(hexadecimal);
      case 'S':
        return set_without(space);
      case 'W':
        return set_without(word);
      case 'H':
        return set_without(hexadecimal);
      case 'v':
        return "\\u000B";
      case 'E':
      case 'Q':
      case 'U':
        return std::string(1, escaped);
      default:
        return std::nullopt;
    }
  }

  std::optional<std::string> escape_outside(char escaped) const {
    const std::string wide = set_of(word, latin1_numbers);
    switch (escaped) {
      case 's':
        return set_of(space);
      case 'w':
        return wide;
      case 'W':
        return set_without(word, latin1_numbers);
      case 'h':
        return set_of(hexadecimal);
      case 'b':
        return "(?:(?<=" + wide + ")(?!" + wide + ")|(?<!" + wide + ")(?=" + wide + "))";
      case 'B':
        return "(?:(?<=" + wide + ")(?=" + wide + ")|(?<!" + wide + ")(?!" + wide + "))";
      case 'N':
        return "[^\\n]";
      case 'Z':
        return "(?=\\n?\\z)";
      case 'K':
      case 'O':
      case 'y':
      case 'Y':
      case 'G':
        refuse(std::string("\\") + escaped);
      default:
        return escape_in_set(escaped);
    }
  }

  /// \p{Name}, \x{hexadecimal}; ICU has other members of Word.
  void translate_braces() {
    static const std::map<std::string_view, bool> words = {
        {"\\p{Word}", true}, {"\\p{word}", true}, {"\\P{Word}", false}, {"\\P{word}", false}};
    const std::size_t end = std::min(rest_.find('}'), rest_.size() - 1);
    const std::string_view escape = rest_.substr(0, end + 1);
    const auto found = words.find(escape);
    if (found == words.end()) {
      emit(escape, escape.size());
    } else {
      const std::string_view more = depth_ > 0 ? "" : latin1_numbers;
      emit(found->second ? set_of(word, more) : set_without(word, more), escape.size());
    }
  }

  void translate_in_set() {
    if (rest_.starts_with("[:")) {
      static const std::map<std::string_view, std::string_view> named = {
          {"punct", punctuation}, {"word", word}, {"space", space}, {"xdigit", hexadecimal}};
      const std::size_t end = rest_.find(":]");
      const std::string_view inner = rest_.substr(2, end == rest_.npos ? 0 : end - 2);
      const bool negated = inner.starts_with('^');
      const auto found = named.find(inner.substr(negated ? 1 : 0));
      if (found != named.end()) {
        emit(negated ? set_without(found->second) : set_of(found->second), inner.size() + 4);
      } else if (!inner.empty()) {
        emit(rest_.substr(0, inner.size() + 4), inner.size() + 4);
      } else {
        open_set();
      }
      return;
    }
    if (rest_.front() == '[') return open_set();
    if (rest_.front() == ']') --depth_;
    emit(rest_.substr(0, 1), 1);
  }

  /// A ] right behind the opening is a member.
  void open_set() {
    ++depth_;
    const std::size_t taken = rest_.starts_with("[^") ? 2 : 1;
    emit(rest_.substr(0, taken), taken);
    if (rest_.starts_with(']')) emit("\\]", 1);
  }

  void translate_outside() {
    const char c = rest_.front();
    if (c == '[') {
      open_set();
    } else if (c == '.') {
      emit("[^\\n]", 1);
    } else if (c == '^') {
      emit("(?:\\A|(?<=\\n)(?!\\z))", 1);
    } else if (c == '$') {
      emit("(?=\\n|\\z)", 1);
    } else if (rest_.starts_with("(?#")) {
      emit("", rest_.find(')') == rest_.npos ? rest_.size() : rest_.find(')') + 1);
    } else if (rest_.starts_with("(?")) {
      check_options();
      emit("(?", 2);
    } else if (c == '{') {
      translate_interval();
    } else if (c == '}') {
      emit("\\}", 1);
    } else {
      emit(rest_.substr(0, 1), 1);
    }
  }

  /// (?m) is ICU's (?s), in which \r\n is one character; (?s) is no option of the reference.
  void check_options() const {
    std::size_t end = 2;
    while (end < rest_.size() && (rest_[end] == '-' || (rest_[end] >= 'A' && rest_[end] <= 'z')))
      ++end;
    if (end == rest_.size() || (rest_[end] != ')' && rest_[end] != ':')) {
      if (rest_.starts_with("(?~")) refuse("(?~");
      return;  // (?= (?! (?< (?>
    }
    if (rest_.substr(2, end - 2).find_first_not_of("ix-") != rest_.npos)
      refuse(std::string(rest_.substr(0, end)));
  }

  /// {,n} is {0,n}; + behind {n,m} repeats it once more and gives back, which ICU's does not. Any
  /// other { is a character.
  void translate_interval() {
    const std::size_t end = rest_.find('}');
    const std::string_view interval = rest_.substr(0, end == rest_.npos ? 1 : end + 1);
    const std::string_view counts = interval.substr(1, interval.size() - 1);
    if (counts.size() < 2 || counts == ",}" ||
        counts.find_first_not_of("0123456789,") != counts.size() - 1) {
      return emit("\\{", 1);
    }
    if (rest_.substr(interval.size()).starts_with('+')) refuse(std::string(interval) + "+");
    emit((counts.front() == ',' ? "{0" : "{") + std::string(counts), interval.size());
  }

  [[noreturn]] void refuse(const std::string& construct) const {
    fail(ExitCode::data, "{}: \"{}\" in a regular expression is not supported here", where_,
         construct);
  }

  std::string_view rest_;
  const std::string& where_;
  std::string result_;
  int depth_ = 0;  // of nested [...]
};

}  // namespace

std::string expression_for_icu(std::string_view expression, const std::string& where) {
  return Translation(expression, where).run();
}

}  // namespace finstill::text
