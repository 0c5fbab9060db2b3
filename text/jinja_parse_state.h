#pragma once

// What the two halves of the parser share: the tokens, the place in them, and the program being
// made.

#include "text/jinja_ast.h"
#include "text/jinja_lexer.h"

#include "base/error.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace finstill::text::jinja {

class ParseState {
 public:
  ParseState(std::vector<Token> tokens, Program& program)
      : tokens_(std::move(tokens)), program_(program) {}

  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  Token take() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_.back(); }

  bool at_symbol(std::string_view text) const {
    return peek().kind == Token::Kind::symbol && peek().text == text;
  }
  bool at_name(std::string_view text) const {
    return peek().kind == Token::Kind::name && peek().text == text;
  }
  bool take_symbol(std::string_view text) {
    if (!at_symbol(text)) return false;
    take();
    return true;
  }
  bool take_name(std::string_view text) {
    if (!at_name(text)) return false;
    take();
    return true;
  }
  void expect_symbol(std::string_view text) {
    if (!take_symbol(text)) refuse(fmt::format("expected '{}', not {}", text, describe(peek())));
  }
  void expect(Token::Kind kind, std::string_view what) {
    if (peek().kind != kind) refuse(fmt::format("expected {}, not {}", what, describe(peek())));
    take();
  }
  std::string expect_name(std::string_view what) {
    if (peek().kind != Token::Kind::name)
      refuse(fmt::format("expected {}, not {}", what, describe(peek())));
    return take().text;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    base::fail(base::ExitCode::data, "{}:{}: {}", program_.name, peek().line, what);
  }

  static std::string describe(const Token& token) {
    switch (token.kind) {
      case Token::Kind::end:
        return "the end of the template";
      case Token::Kind::output_end:
      case Token::Kind::block_end:
        return "the end of the tag";
      case Token::Kind::string:
        return "a string";
      case Token::Kind::data:
        return "text";
      default:
        return "'" + token.text + "'";
    }
  }

  Expression& expression(Expression::Kind kind, std::vector<const Expression*> children = {}) {
    Expression& node = program_.expressions.emplace_back();
    node.kind = kind;
    node.children = std::move(children);
    node.line = peek().line;
    return node;
  }
  Statement& statement(Statement::Kind kind) {
    Statement& node = program_.statements.emplace_back();
    node.kind = kind;
    node.line = peek().line;
    return node;
  }
  Program& program() { return program_; }

  /// Bounds the recursion of the parser: hold one while parsing something that may contain itself.
  class Nesting {
   public:
    explicit Nesting(ParseState& state) : state_(state) {
      if (++state_.nesting_ > 100) state_.refuse("nested deeper than 100 levels");
    }
    ~Nesting() { --state_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    ParseState& state_;
  };

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  Program& program_;
};

// Expressions (jinja_parse_expression.cpp, jinja_parse_operand.cpp).

/// `a if b else c`, the widest expression without commas.
const Expression* parse_expression(ParseState& state);
/// An operand with its sign and what follows it; with its filters and tests unless a sign stands in
/// front.
const Expression* parse_unary(ParseState& state, bool with_filters);
/// An expression, or a tuple when commas follow; what `set`, `for ... in` and `{{ }}` take.
const Expression* parse_tuple(ParseState& state);
/// An expression without `if`: in a `for` the word begins the condition.
const Expression* parse_loop_iterable(ParseState& state);
/// A name, an attribute of a name (when `with_attribute`) or a tuple of targets.
const Expression* parse_target(ParseState& state, bool with_attribute);
/// The filters behind `inner`, which is null for the body of a block: `| trim | upper`, the first
/// bar optional.
const Expression* parse_filters(ParseState& state, const Expression* inner);
/// A call such as `name(arguments)`.
const Expression* parse_call(ParseState& state);

}  // namespace finstill::text::jinja
