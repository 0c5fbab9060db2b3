#include "text/jinja_lexer.h"

#include "text/jinja_text.h"

#include "base/error.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace finstill::text::jinja {

namespace {

constexpr std::size_t max_source = std::size_t{1} << 20;

bool is_name_start(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f';
}

class Lexer {
 public:
  Lexer(std::string source, const std::string& name) : source_(std::move(source)), name_(name) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) lex_data();
    push(Token::Kind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    base::fail(base::ExitCode::data, "{}:{}: {}", name_, line_, what);
  }

  void push(Token::Kind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), line_});
  }

  bool starts(std::string_view what) const {
    return std::string_view(source_).substr(at_).starts_with(what);
  }

  void advance(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) line_ += source_[at_ + i] == '\n' ? 1 : 0;
    at_ += count;
  }

  void skip_space() {
    while (at_ < source_.size()) {
      std::size_t next = at_;
      const std::int32_t character = next_character(source_, next);
      if (character < 0 || !is_space(character)) break;
      advance(next - at_);
    }
  }

  /// Text up to the next tag, then that tag.
  void lex_data() {
    std::size_t tag = source_.find('{', at_);
    while (tag != std::string::npos &&
           (tag + 1 >= source_.size() ||
            std::string_view("{%#").find(source_[tag + 1]) == std::string_view::npos)) {
      tag = source_.find('{', tag + 1);
    }
    if (tag == std::string::npos) tag = source_.size();
    const std::string_view text = std::string_view(source_).substr(at_, tag - at_);
    if (tag == source_.size()) {
      emit_data(text);
      advance(text.size());
      return;
    }
    const char type = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    emit_data(without_indent(text, sign, type == '{'));
    advance(text.size() + 2);
    if (sign == '-' || sign == '+') advance(1);
    if (type == '#') {
      lex_comment();
    } else if (type == '%' && !lex_raw()) {
      lex_tag(Token::Kind::block_begin, Token::Kind::block_end, "%}");
    } else if (type == '{') {
      lex_tag(Token::Kind::output_begin, Token::Kind::output_end, "}}");
    }
  }

  void emit_data(std::string_view text) {
    if (!text.empty()) push(Token::Kind::data, std::string(text));
  }

  /// What is left of the text before a tag: `-` takes all white space, lstrip_blocks the
  /// indentation of a tag that is the first thing on its line.
  std::string_view without_indent(std::string_view text, char sign, bool output) const {
    if (sign == '-') return text.substr(0, stripped(text, nullptr, false, true).end);
    if (sign == '+' || output) return text;
    const std::size_t newline = text.rfind('\n');
    const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
    if (line_start == 0 && !line_starting_) return text;
    const std::string_view indent = text.substr(line_start);
    const Range rest = stripped(indent, nullptr, true, false);
    return rest.begin == indent.size() ? text.substr(0, line_start) : text;
  }

  /// Behind the end of a tag: `-` takes white space, and trim_blocks the newline behind blocks and
  /// comments.
  void close(char sign, bool trims) {
    const std::size_t before = at_;
    if (sign == '-') {
      skip_space();
    } else if (trims && sign != '+' && starts("\n")) {
      advance(1);
    }
    line_starting_ = at_ > before && source_[at_ - 1] == '\n';
  }

  void lex_comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) refuse("a comment {# is not closed by #}");
    const char sign = end > at_ ? source_[end - 1] : ' ';
    advance(end + 2 - at_);
    close(sign, true);
  }

  /// {% raw %} ... {% endraw %}; at_ stands behind the {% and its sign. False when it is another
  /// tag.
  bool lex_raw() {
    std::size_t at = at_;
    const auto skip = [this, &at] {
      while (at < source_.size() && is_blank(source_[at])) ++at;
    };
    const auto word = [this, &at](std::string_view what) {
      if (!std::string_view(source_).substr(at).starts_with(what)) return false;
      at += what.size();
      return true;
    };
    skip();
    if (!word("raw")) return false;
    skip();
    const bool strips = word("-%}");
    if (!strips && !word("%}")) return false;
    advance(at - at_);
    close(strips ? '-' : '+', true);
    const std::size_t begin = at_;
    for (std::size_t tag = source_.find("{%", begin); tag != std::string::npos;
         tag = source_.find("{%", tag + 2)) {
      at = tag + 2;
      const char sign = at < source_.size() ? source_[at] : ' ';
      if (sign == '-' || sign == '+') ++at;
      skip();
      if (!word("endraw")) continue;
      skip();
      const char end_sign = at < source_.size() ? source_[at] : ' ';
      if (end_sign == '-' || end_sign == '+') ++at;
      if (!word("%}")) continue;
      emit_data(without_indent(std::string_view(source_).substr(begin, tag - begin), sign, false));
      advance(at - at_);
      close(end_sign, true);
      return true;
    }
    refuse("{% raw %} is not closed by {% endraw %}");
  }

  void lex_tag(Token::Kind begin, Token::Kind end, std::string_view closing) {
    push(begin, "");
    const int opened = line_;
    std::string brackets;
    while (true) {
      skip_space();
      if (at_ >= source_.size()) {
        line_ = opened;
        refuse(fmt::format("a tag is not closed by {}", closing));
      }
      if (brackets.empty()) {
        const char sign = source_[at_];
        const bool has_sign =
            (sign == '-' || (sign == '+' && closing == "%}")) && at_ + 1 < source_.size();
        if (std::string_view(source_).substr(at_ + (has_sign ? 1 : 0)).starts_with(closing)) {
          push(end, "");
          advance(closing.size() + (has_sign ? 1 : 0));
          close(has_sign ? sign : ' ', closing == "%}");
          return;
        }
      }
      lex_token(brackets);
    }
  }

  void lex_token(std::string& brackets) {
    const char c = source_[at_];
    if (is_name_start(c)) {
      std::size_t end = at_;
      while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) ++end;
      push(Token::Kind::name, source_.substr(at_, end - at_));
      advance(end - at_);
    } else if (is_digit(c)) {
      lex_number();
    } else if (c == '"' || c == '\'') {
      lex_string(c);
    } else {
      lex_symbol(brackets);
    }
  }

  void lex_number() {
    std::size_t end = at_;
    const auto digits = [this, &end] {
      while (end < source_.size() &&
             (is_digit(source_[end]) ||
              (source_[end] == '_' && end + 1 < source_.size() && is_digit(source_[end + 1]))))
        ++end;
    };
    digits();
    bool real = false;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      real = true;
      ++end;
      digits();
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      std::size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-'))
        ++exponent;
      if (exponent < source_.size() && is_digit(source_[exponent])) {
        real = true;
        end = exponent;
        digits();
      }
    }
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    push(real ? Token::Kind::real : Token::Kind::integer, text);
    advance(end - at_);
  }

  void lex_string(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) refuse("a string is not closed");
    push(Token::Kind::string, unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    advance(end + 1 - at_);
  }

  /// Python's escapes; an unknown one stays as it is written.
  std::string unescape(std::string_view text) const {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 >= text.size()) {
        result += text[i];
        continue;
      }
      const char c = text[++i];
      const std::size_t simple = std::string_view("\\'\"abfnrtv").find(c);
      if (c == '\n') continue;
      if (simple != std::string_view::npos) {
        result += "\\'\"\a\b\f\n\r\t\v"[simple];
      } else if (c >= '0' && c <= '7') {
        std::int32_t code = 0;
        std::size_t digits = 0;
        while (digits < 3 && i + digits < text.size() && text[i + digits] >= '0' &&
               text[i + digits] <= '7') {
          code = code * 8 + (text[i + digits++] - '0');
        }
        append_character(result, code);
        i += digits - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const std::size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        append_character(result, hexadecimal(text.substr(i + 1), count));
        i += count;
      } else {
        result += '\\';
        result += c;
      }
    }
    return result;
  }

  std::int32_t hexadecimal(std::string_view digits, std::size_t count) const {
    std::int64_t code = 0;
    if (digits.size() < count) refuse("a string has an incomplete escape");
    for (const char c : digits.substr(0, count)) {
      if (std::isxdigit(static_cast<unsigned char>(c)) == 0) refuse("a string has a broken escape");
      code = code * 16 + (is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      refuse("a string has an escape outside Unicode");
    return static_cast<std::int32_t>(code);
  }

  void lex_symbol(std::string& brackets) {
    static constexpr std::string_view pairs[] = {"==", "!=", ">=", "<=", "//", "**"};
    for (const std::string_view pair : pairs) {
      if (starts(pair)) {
        push(Token::Kind::symbol, std::string(pair));
        advance(2);
        return;
      }
    }
    const char c = source_[at_];
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      refuse(fmt::format("unexpected character '{}' in a tag",
                         c >= ' ' && c < 0x7f ? std::string(1, c) : "?"));
    }
    if (c == '(' || c == '[' || c == '{') {
      brackets += c;
    } else if (c == ')' || c == ']' || c == '}') {
      const char open = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (brackets.empty() || brackets.back() != open) refuse(fmt::format("unexpected '{}'", c));
      brackets.pop_back();
    }
    push(Token::Kind::symbol, std::string(1, c));
    advance(1);
  }

  std::string source_;
  const std::string& name_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  ///< whether at_ is at the beginning of a line
};

}  // namespace

std::vector<Token> tokenize_template(std::string_view source, const std::string& name) {
  if (source.size() > max_source)
    base::fail(base::ExitCode::data, "{}: a template is longer than 1 MiB", name);
  return Lexer(with_unix_lines(source), name).run();
}

}  // namespace finstill::text::jinja
