// Operators, by precedence from the loosest: conditional, or, and, not, comparison, + -, ~, * / //
// %, **. Signs and what belongs to an operand are in jinja_parse_operand.cpp.

#include "text/jinja_parse_state.h"

namespace finstill::text::jinja {

namespace {

const Expression* parse_or(ParseState& state);

const Expression* parse_conditional(ParseState& state) {
  const ParseState::Nesting nesting(state);
  const Expression* value = parse_or(state);
  while (state.take_name("if")) {
    const Expression* condition = parse_or(state);
    const Expression* otherwise = state.take_name("else") ? parse_conditional(state) : nullptr;
    value = &state.expression(Expression::Kind::conditional, {condition, value, otherwise});
  }
  return value;
}

const Expression* parse_power(ParseState& state) {
  const Expression* left = parse_unary(state, true);
  while (state.take_symbol("**")) {
    const Expression* right = parse_unary(state, true);
    Expression& power = state.expression(Expression::Kind::binary, {left, right});
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
    Expression& result = state.expression(Expression::Kind::binary, {left, right});
    result.text = found;
    left = &result;
  }
}

const Expression* parse_product(ParseState& state) {
  return parse_binary(state, {"*", "/", "//", "%"}, parse_power);
}

const Expression* parse_concat(ParseState& state) {
  const Expression* first = parse_product(state);
  if (!state.at_symbol("~")) return first;
  std::vector<const Expression*> parts = {first};
  while (state.take_symbol("~")) parts.push_back(parse_product(state));
  return &state.expression(Expression::Kind::concat, std::move(parts));
}

const Expression* parse_sum(ParseState& state) {
  return parse_binary(state, {"+", "-"}, parse_concat);
}

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
    } else if (state.at_name("not") && state.peek(1).kind == Token::Kind::name &&
               state.peek(1).text == "in") {
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
  Expression& result = state.expression(Expression::Kind::compare, std::move(operands));
  result.operators = std::move(operators);
  return &result;
}

const Expression* parse_not(ParseState& state) {
  if (!state.take_name("not")) return parse_compare(state);
  const ParseState::Nesting nesting(state);
  const Expression* inner = parse_not(state);
  return &state.expression(Expression::Kind::logical_not, {inner});
}

const Expression* parse_and(ParseState& state) {
  const Expression* left = parse_not(state);
  while (state.take_name("and")) {
    const Expression* right = parse_not(state);
    left = &state.expression(Expression::Kind::logical_and, {left, right});
  }
  return left;
}

const Expression* parse_or(ParseState& state) {
  const Expression* left = parse_and(state);
  while (state.take_name("or")) {
    const Expression* right = parse_and(state);
    left = &state.expression(Expression::Kind::logical_or, {left, right});
  }
  return left;
}

}  // namespace

const Expression* parse_expression(ParseState& state) {
  return parse_conditional(state);
}

const Expression* parse_loop_iterable(ParseState& state) {
  const Expression* first = parse_or(state);
  if (!state.at_symbol(",")) return first;
  Expression& tuple = state.expression(Expression::Kind::tuple, {first});
  while (state.take_symbol(",")) tuple.children.push_back(parse_or(state));
  return &tuple;
}

const Expression* parse_tuple(ParseState& state) {
  const Expression* first = parse_conditional(state);
  if (!state.at_symbol(",")) return first;
  Expression& tuple = state.expression(Expression::Kind::tuple, {first});
  while (state.take_symbol(",")) {
    if (state.peek().kind == Token::Kind::block_end || state.peek().kind == Token::Kind::output_end)
      break;
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
      Expression& name = state.expression(Expression::Kind::name, {});
      name.text = state.expect_name("a name to assign to");
      if (with_attribute && state.take_symbol(".")) {
        Expression& attribute = state.expression(Expression::Kind::attribute, {&name});
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
  return &state.expression(Expression::Kind::tuple, std::move(targets));
}

}  // namespace finstill::text::jinja
