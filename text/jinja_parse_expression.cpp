// Expressions, by precedence from the loosest: conditional, or, and, not, comparison, + -, ~, * / // %, **, sign,
// then what follows an operand: attributes, items, calls, filters, tests.

#include <charconv>
#include <cstdlib>

#include "text/jinja_parse_state.h"

namespace finstill::text::jinja {

namespace {

const Expression* parse_or(ParseState& state);
const Expression* parse_unary(ParseState& state, bool with_filters);

Expression& node(ParseState& state, Expression::Kind kind, std::vector<const Expression*> children) {
  Expression& result = state.expression(kind);
  result.children = std::move(children);
  return result;
}

const Expression* parse_conditional(ParseState& state) {
  const ParseState::Nesting nesting(state);
  const Expression* value = parse_or(state);
  while (state.take_name("if")) {
    const Expression* condition = parse_or(state);
    const Expression* otherwise = state.take_name("else") ? parse_conditional(state) : nullptr;
    value = &node(state, Expression::Kind::conditional, {condition, value, otherwise});
  }
  return value;
}

const Expression* parse_power(ParseState& state) {
  const Expression* left = parse_unary(state, true);
  while (state.take_symbol("**")) {
    const Expression* right = parse_unary(state, true);
    Expression& power = node(state, Expression::Kind::binary, {left, right});
    power.text = "**";
    left = &power;
  }
  return left;
}

const Expression* parse_binary(ParseState& state, std::initializer_list<const char*> operators,
                               const Expression* (*operand)(ParseState&)) {
  const Expression* left = operand(state);
  while (true) {
    const char* found = nullptr;
    for (const char* text : operators) {
      if (state.at_symbol(text)) found = text;
    }
    if (found == nullptr) return left;
    state.take();
    const Expression* right = operand(state);
    Expression& result = node(state, Expression::Kind::binary, {left, right});
    result.text = found;
    left = &result;
  }
}

const Expression* parse_product(ParseState& state) { return parse_binary(state, {"*", "/", "//", "%"}, parse_power); }

const Expression* parse_concat(ParseState& state) {
  const Expression* first = parse_product(state);
  if (!state.at_symbol("~")) return first;
  std::vector<const Expression*> parts = {first};
  while (state.take_symbol("~")) parts.push_back(parse_product(state));
  return &node(state, Expression::Kind::concat, std::move(parts));
}

const Expression* parse_sum(ParseState& state) { return parse_binary(state, {"+", "-"}, parse_concat); }

const Expression* parse_compare(ParseState& state) {
  const Expression* first = parse_sum(state);
  std::vector<const Expression*> operands = {first};
  std::vector<std::string> operators;
  while (true) {
    std::string found;
    for (const char* text : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (found.empty() && state.at_symbol(text)) found = text;
    }
    if (!found.empty()) {
      state.take();
    } else if (state.take_name("in")) {
      found = "in";
    } else if (state.at_name("not") && state.peek(1).kind == Token::Kind::name && state.peek(1).text == "in") {
      state.take();
      state.take();
      found = "not in";
    } else {
      break;
    }
    operators.push_back(found);
    operands.push_back(parse_sum(state));
  }
  if (operators.empty()) return first;
  Expression& result = node(state, Expression::Kind::compare, std::move(operands));
  result.operators = std::move(operators);
  return &result;
}

const Expression* parse_not(ParseState& state) {
  if (!state.take_name("not")) return parse_compare(state);
  const ParseState::Nesting nesting(state);
  const Expression* inner = parse_not(state);
  return &node(state, Expression::Kind::logical_not, {inner});
}

const Expression* parse_and(ParseState& state) {
  const Expression* left = parse_not(state);
  while (state.take_name("and")) {
    const Expression* right = parse_not(state);
    left = &node(state, Expression::Kind::logical_and, {left, right});
  }
  return left;
}

const Expression* parse_or(ParseState& state) {
  const Expression* left = parse_and(state);
  while (state.take_name("or")) {
    const Expression* right = parse_and(state);
    left = &node(state, Expression::Kind::logical_or, {left, right});
  }
  return left;
}

void parse_arguments(ParseState& state, Expression& call) {
  state.expect_symbol("(");
  while (!state.at_symbol(")")) {
    if (state.at_symbol("*") || state.at_symbol("**")) state.refuse("arguments by * and ** are not supported");
    if (state.peek().kind == Token::Kind::name && state.peek(1).kind == Token::Kind::symbol && state.peek(1).text == "=") {
      const std::string name = state.take().text;
      state.take();
      call.named.emplace_back(name, parse_conditional(state));
    } else {
      if (!call.named.empty()) state.refuse("a positional argument follows a keyword argument");
      call.positional.push_back(parse_conditional(state));
    }
    if (!state.take_symbol(",")) break;
  }
  state.expect_symbol(")");
}

const Expression* parse_items_until(ParseState& state, Expression& result, const char* closing) {
  while (!state.at_symbol(closing)) {
    result.children.push_back(parse_conditional(state));
    if (!state.take_symbol(",")) break;
  }
  state.expect_symbol(closing);
  return &result;
}

const Expression* parse_dict(ParseState& state) {
  Expression& result = node(state, Expression::Kind::dict, {});
  while (!state.at_symbol("}")) {
    result.children.push_back(parse_conditional(state));
    state.expect_symbol(":");
    result.children.push_back(parse_conditional(state));
    if (!state.take_symbol(",")) break;
  }
  state.expect_symbol("}");
  return &result;
}

const Expression* parse_parentheses(ParseState& state) {
  if (state.take_symbol(")")) return &node(state, Expression::Kind::tuple, {});
  const Expression* first = parse_conditional(state);
  if (!state.take_symbol(",")) {
    state.expect_symbol(")");
    return first;
  }
  return parse_items_until(state, node(state, Expression::Kind::tuple, {first}), ")");
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
  Expression& result = node(state, Expression::Kind::literal, {});
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
    Expression& result = node(state, Expression::Kind::literal, {});
    result.value = Value::string(std::move(text));
    return &result;
  }
  if (token.kind == Token::Kind::integer || token.kind == Token::Kind::real) {
    Expression& result = node(state, Expression::Kind::literal, {});
    const Token number = state.take();
    result.value = number.kind == Token::Kind::integer ? parse_integer(state, number.text)
                                                       : Value::real(std::strtod(number.text.c_str(), nullptr));
    return &result;
  }
  if (state.take_symbol("(")) return parse_parentheses(state);
  if (state.take_symbol("[")) return parse_items_until(state, node(state, Expression::Kind::list, {}), "]");
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
    if (parts[part] != nullptr) state.refuse(fmt::format("expected ']', not {}", ParseState::describe(state.peek())));
    parts[part] = parse_conditional(state);
  }
  state.expect_symbol("]");
  if (slices) return &node(state, Expression::Kind::slice, std::move(parts));
  if (parts[1] == nullptr) state.refuse("an index is missing between [ and ]");
  return &node(state, Expression::Kind::item, {value, parts[1]});
}

const Expression* parse_postfix(ParseState& state, const Expression* value) {
  while (true) {
    if (state.take_symbol(".")) {
      const bool number = state.peek().kind == Token::Kind::integer;
      if (number) {
        Expression& index = node(state, Expression::Kind::literal, {});
        index.value = parse_integer(state, state.take().text);
        value = &node(state, Expression::Kind::item, {value, &index});
        continue;
      }
      Expression& attribute = node(state, Expression::Kind::attribute, {value});
      attribute.text = state.expect_name("the name of an attribute");
      value = &attribute;
    } else if (state.take_symbol("[")) {
      value = parse_subscript(state, value);
    } else if (state.at_symbol("(")) {
      Expression& call = node(state, Expression::Kind::call, {value});
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

/// Whether a token can begin the argument of a test written without parentheses: `is divisibleby 3`.
bool begins_test_argument(const ParseState& state) {
  const Token& token = state.peek();
  switch (token.kind) {
    case Token::Kind::string:
    case Token::Kind::integer:
    case Token::Kind::real: return true;
    case Token::Kind::symbol: return token.text == "[" || token.text == "{";
    case Token::Kind::name:
      return token.text != "else" && token.text != "or" && token.text != "and" && token.text != "is" &&
             token.text != "if" && token.text != "in" && token.text != "not";
    default: return false;
  }
}

const Expression* parse_test(ParseState& state, const Expression* value) {
  const bool negated = state.take_name("not");
  Expression& test = node(state, Expression::Kind::test, {value});
  test.text = parse_dotted_name(state, "the name of a test");
  if (state.at_symbol("(")) {
    parse_arguments(state, test);
  } else if (begins_test_argument(state)) {
    test.positional.push_back(parse_postfix(state, parse_primary(state)));
  }
  return negated ? &node(state, Expression::Kind::logical_not, {&test}) : &test;
}

const Expression* parse_filter(ParseState& state, const Expression* value) {
  Expression& filter = node(state, Expression::Kind::filter, {value});
  filter.text = parse_dotted_name(state, "the name of a filter");
  if (state.at_symbol("(")) parse_arguments(state, filter);
  return &filter;
}

const Expression* parse_unary(ParseState& state, bool with_filters) {
  const ParseState::Nesting nesting(state);
  const Expression* value = nullptr;
  if (state.take_symbol("-")) {
    value = &node(state, Expression::Kind::negate, {parse_unary(state, false)});
  } else if (state.take_symbol("+")) {
    value = &node(state, Expression::Kind::plus, {parse_unary(state, false)});
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

}  // namespace

const Expression* parse_expression(ParseState& state) { return parse_conditional(state); }

const Expression* parse_loop_iterable(ParseState& state) {
  const Expression* first = parse_or(state);
  if (!state.at_symbol(",")) return first;
  Expression& tuple = node(state, Expression::Kind::tuple, {first});
  while (state.take_symbol(",")) tuple.children.push_back(parse_or(state));
  return &tuple;
}

const Expression* parse_tuple(ParseState& state) {
  const Expression* first = parse_conditional(state);
  if (!state.at_symbol(",")) return first;
  Expression& tuple = node(state, Expression::Kind::tuple, {first});
  while (state.take_symbol(",")) {
    if (state.peek().kind == Token::Kind::block_end || state.peek().kind == Token::Kind::output_end) break;
    tuple.children.push_back(parse_conditional(state));
  }
  return &tuple;
}

const Expression* parse_target(ParseState& state, bool with_attribute) {
  const ParseState::Nesting nesting(state);
  std::vector<const Expression*> targets;
  bool tuple = false;
  while (true) {
    if (state.take_symbol("(")) {
      targets.push_back(parse_target(state, with_attribute));
      state.expect_symbol(")");
    } else {
      Expression& name = node(state, Expression::Kind::name, {});
      name.text = state.expect_name("a name to assign to");
      if (with_attribute && state.take_symbol(".")) {
        Expression& attribute = node(state, Expression::Kind::attribute, {&name});
        attribute.text = state.expect_name("the name of an attribute");
        targets.push_back(&attribute);
      } else {
        targets.push_back(&name);
      }
    }
    if (!state.take_symbol(",")) break;
    tuple = true;
    if (state.at_name("in") || state.at_symbol("=") || state.at_symbol(")")) break;
  }
  if (!tuple) return targets.front();
  return &node(state, Expression::Kind::tuple, std::move(targets));
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
