// Operands: names, literals, brackets, and what follows them: attributes, items, calls, filters,
// tests.

#include "text/jinja_parse_state.h"

#include <charconv>
#include <cstdlib>

namespace finstill::text::jinja {

namespace {

void parse_arguments(ParseState& state, Expression& call) {
  state.expect_symbol("(");
  while (!state.at_symbol(")")) {
    if (state.at_symbol("*") || state.at_symbol("**"))
      state.refuse("arguments by * and ** are not supported");
    if (state.peek().kind == Token::Kind::name && state.peek(1).kind == Token::Kind::symbol &&
        state.peek(1).text == "=") {
      const std::string name = state.take().text;
      state.take();
      call.named.emplace_back(name, parse_expression(state));
    } else {
      if (!call.named.empty()) state.refuse("a positional argument follows a keyword argument");
      call.positional.push_back(parse_expression(state));
    }
    if (!state.take_symbol(",")) break;
  }
  state.expect_symbol(")");
}

const Expression* parse_items_until(ParseState& state, Expression& result, const char* closing) {
  while (!state.at_symbol(closing)) {
    result.children.push_back(parse_expression(state));
    if (!state.take_symbol(",")) break;
  }
  state.expect_symbol(closing);
  return &result;
}

const Expression* parse_dict(ParseState& state) {
  Expression& result = state.expression(Expression::Kind::dict, {});
  while (!state.at_symbol("}")) {
    result.children.push_back(parse_expression(state));
    state.expect_symbol(":");
    result.children.push_back(parse_expression(state));
    if (!state.take_symbol(",")) break;
  }
  state.expect_symbol("}");
  return &result;
}

const Expression* parse_parentheses(ParseState& state) {
  if (state.take_symbol(")")) return &state.expression(Expression::Kind::tuple, {});
  const Expression* first = parse_expression(state);
  if (!state.take_symbol(",")) {
    state.expect_symbol(")");
    return first;
  }
  return parse_items_until(state, state.expression(Expression::Kind::tuple, {first}), ")");
}

Value parse_integer(ParseState& state, const std::string& text) {
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    state.refuse(fmt::format("{} is no integer of 64 bits", text.substr(0, 40)));
  }
  return Value::integer(value);
}

const Expression* parse_name(ParseState& state) {
  const std::string text = state.take().text;
  Expression& result = state.expression(Expression::Kind::literal, {});
  if (text == "true" || text == "True" || text == "false" || text == "False") {
    result.value = Value::boolean(text == "true" || text == "True");
  } else if (text == "none" || text == "None") {
    result.value = Value::none();
  } else {
    result.kind = Expression::Kind::name;
    result.text = text;
  }
  return &result;
}

const Expression* parse_primary(ParseState& state) {
  const Token& token = state.peek();
  if (token.kind == Token::Kind::name) return parse_name(state);
  if (token.kind == Token::Kind::string) {
    std::string text;
    while (state.peek().kind == Token::Kind::string) text += state.take().text;
    Expression& result = state.expression(Expression::Kind::literal, {});
    result.value = Value::string(std::move(text));
    return &result;
  }
  if (token.kind == Token::Kind::integer || token.kind == Token::Kind::real) {
    Expression& result = state.expression(Expression::Kind::literal, {});
    const Token number = state.take();
    result.value = number.kind == Token::Kind::integer
                       ? parse_integer(state, number.text)
                       : Value::real(std::strtod(number.text.c_str(), nullptr));
    return &result;
  }
  if (state.take_symbol("(")) return parse_parentheses(state);
  if (state.take_symbol("["))
    return parse_items_until(state, state.expression(Expression::Kind::list, {}), "]");
  if (state.take_symbol("{")) return parse_dict(state);
  state.refuse(fmt::format("expected a value, not {}", ParseState::describe(token)));
}

/// Behind `value[`: an index or a slice.
const Expression* parse_subscript(ParseState& state, const Expression* value) {
  std::vector<const Expression*> parts = {value, nullptr, nullptr, nullptr};
  std::size_t part = 1;
  bool slices = false;
  while (!state.at_symbol("]")) {
    if (state.take_symbol(":")) {
      slices = true;
      if (++part > 3) state.refuse("a slice has at most three parts");
      continue;
    }
    if (parts[part] != nullptr)
      state.refuse(fmt::format("expected ']', not {}", ParseState::describe(state.peek())));
    parts[part] = parse_expression(state);
  }
  state.expect_symbol("]");
  if (slices) return &state.expression(Expression::Kind::slice, std::move(parts));
  if (parts[1] == nullptr) state.refuse("an index is missing between [ and ]");
  return &state.expression(Expression::Kind::item, {value, parts[1]});
}

const Expression* parse_postfix(ParseState& state, const Expression* value) {
  while (true) {
    if (state.take_symbol(".")) {
      const bool number = state.peek().kind == Token::Kind::integer;
      if (number) {
        Expression& index = state.expression(Expression::Kind::literal, {});
        index.value = parse_integer(state, state.take().text);
        value = &state.expression(Expression::Kind::item, {value, &index});
        continue;
      }
      Expression& attribute = state.expression(Expression::Kind::attribute, {value});
      attribute.text = state.expect_name("the name of an attribute");
      value = &attribute;
    } else if (state.take_symbol("[")) {
      value = parse_subscript(state, value);
    } else if (state.at_symbol("(")) {
      Expression& call = state.expression(Expression::Kind::call, {value});
      parse_arguments(state, call);
      value = &call;
    } else {
      return value;
    }
  }
}

std::string parse_dotted_name(ParseState& state, const char* what) {
  std::string name = state.expect_name(what);
  while (state.take_symbol(".")) name += "." + state.expect_name(what);
  return name;
}

/// Whether a token can begin the argument of a test written without parentheses: `is divisibleby
/// 3`.
bool begins_test_argument(const ParseState& state) {
  const Token& token = state.peek();
  switch (token.kind) {
    case Token::Kind::string:
    case Token::Kind::integer:
    case Token::Kind::real:
      return true;
    case Token::Kind::symbol:
      return token.text == "[" || token.text == "{";
    case Token::Kind::name:
      return token.text != "else" && token.text != "or" && token.text != "and" &&
             token.text != "is" && token.text != "if" && token.text != "in" && token.text != "not";
    default:
      return false;
  }
}

const Expression* parse_test(ParseState& state, const Expression* value) {
  const bool negated = state.take_name("not");
  Expression& test = state.expression(Expression::Kind::test, {value});
  test.text = parse_dotted_name(state, "the name of a test");
  if (state.at_symbol("(")) {
    parse_arguments(state, test);
  } else if (begins_test_argument(state)) {
    test.positional.push_back(parse_postfix(state, parse_primary(state)));
  }
  return negated ? &state.expression(Expression::Kind::logical_not, {&test}) : &test;
}

const Expression* parse_filter(ParseState& state, const Expression* value) {
  Expression& filter = state.expression(Expression::Kind::filter, {value});
  filter.text = parse_dotted_name(state, "the name of a filter");
  if (state.at_symbol("(")) parse_arguments(state, filter);
  return &filter;
}

}  // namespace

const Expression* parse_unary(ParseState& state, bool with_filters) {
  const ParseState::Nesting nesting(state);
  const Expression* value = nullptr;
  if (state.take_symbol("-")) {
    value = &state.expression(Expression::Kind::negate, {parse_unary(state, false)});
  } else if (state.take_symbol("+")) {
    value = &state.expression(Expression::Kind::plus, {parse_unary(state, false)});
  } else {
    value = parse_primary(state);
  }
  value = parse_postfix(state, value);
  while (with_filters) {
    if (state.take_symbol("|")) {
      value = parse_filter(state, value);
    } else if (state.take_name("is")) {
      value = parse_test(state, value);
    } else if (state.at_symbol("(")) {
      value = parse_postfix(state, value);
    } else {
      break;
    }
  }
  return value;
}

const Expression* parse_filters(ParseState& state, const Expression* inner) {
  const Expression* value = inner;
  state.take_symbol("|");
  int count = 0;
  do {
    if (++count > 100) state.refuse("more than 100 filters in a row");
    value = parse_filter(state, value);
  } while (state.take_symbol("|"));
  return value;
}

const Expression* parse_call(ParseState& state) {
  const Expression* call = parse_unary(state, false);
  if (call->kind != Expression::Kind::call) state.refuse("expected a call");
  return call;
}

}  // namespace finstill::text::jinja
