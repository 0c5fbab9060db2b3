// Expressions -> values.

#include "text/jinja_interpreter.h"

#include "base/unicode.h"

#include <algorithm>

namespace finstill::text::jinja {

using Kind = Value::Kind;

Value Interpreter::evaluate(const Expression& expression) {
  budget_.charge();
  // Also bounds the machine's stack: a long chain of operators nests as deep as brackets do.
  if (depth_ >= 400) throw Failure("expressions are nested deeper than 400 levels");
  ++depth_;
  try {
    Value value = evaluate_here(expression);
    --depth_;
    return value;
  } catch (...) {
    --depth_;
    throw;
  }
}

Value Interpreter::evaluate_here(const Expression& expression) {
  const auto child = [this, &expression](std::size_t index) {
    return evaluate(*expression.children[index]);
  };
  using Type = Expression::Kind;
  switch (expression.kind) {
    case Type::literal:
      return expression.value;
    case Type::name:
      return evaluate_name(expression);
    case Type::list:
    case Type::tuple:
      return evaluate_items(expression);
    case Type::dict:
      return evaluate_dict(expression);
    case Type::attribute:
      return get_attribute(child(0), expression.text);
    case Type::item: {
      const Value value = child(0);
      return get_item(value, child(1));
    }
    case Type::slice:
      return evaluate_slice(expression);
    case Type::call:
      return evaluate_call(expression);
    case Type::filter:
      return evaluate_filter(expression, nullptr);
    case Type::test:
      return evaluate_test(expression);
    case Type::negate:
    case Type::plus:
      return evaluate_negate(expression);
    case Type::logical_not:
      return Value::boolean(!child(0).truthy());
    case Type::logical_and: {
      Value left = child(0);
      return left.truthy() ? child(1) : left;
    }
    case Type::logical_or: {
      Value left = child(0);
      return left.truthy() ? left : child(1);
    }
    case Type::binary: {
      const Value left = child(0);
      const Value right = child(1);
      line_ = expression.line;
      return binary_operation(expression.text, left, right, budget_);
    }
    case Type::concat:
      return evaluate_concat(expression);
    case Type::compare:
      return evaluate_compare(expression);
    case Type::conditional:
      if (child(0).truthy()) return child(1);
      if (expression.children[2] != nullptr) return child(2);
      return Value::undefined("the inline if-expression has no else and its condition is false");
  }
  return Value();
}

Value Interpreter::evaluate_name(const Expression& expression) {
  for (Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    budget_.charge(scope->variables.size() / 64);
    if (const Value* value = scope->find_here(expression.text)) return *value;
  }
  return Value::undefined(fmt::format("'{}' is undefined", base::printable(expression.text)));
}

Value Interpreter::evaluate_items(const Expression& expression) {
  std::vector<Value> items;
  for (const Expression* child : expression.children) items.push_back(evaluate(*child));
  return expression.kind == Expression::Kind::tuple ? Value::tuple(std::move(items))
                                                    : Value::list(std::move(items));
}

Value Interpreter::evaluate_dict(const Expression& expression) {
  std::vector<std::pair<Value, Value>> items;
  for (std::size_t i = 0; i < expression.children.size(); i += 2) {
    Value key = evaluate(*expression.children[i]);
    Value value = evaluate(*expression.children[i + 1]);
    const auto same = [&](const auto& item) { return equal(item.first, key, budget_); };
    const auto existing = std::find_if(items.begin(), items.end(), same);
    if (existing != items.end()) {
      existing->second = std::move(value);
    } else {
      items.emplace_back(std::move(key), std::move(value));
    }
  }
  return Value::dict(std::move(items));
}

Value Interpreter::evaluate_slice(const Expression& expression) {
  const Value value = evaluate(*expression.children[0]);
  Value parts[3];
  const Value* given[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    if (expression.children[i + 1] == nullptr) continue;
    parts[i] = evaluate(*expression.children[i + 1]);
    if (!parts[i].is(Kind::none)) given[i] = &parts[i];
  }
  line_ = expression.line;
  return slice_value(value, given[0], given[1], given[2], budget_);
}

Arguments Interpreter::evaluate_arguments(const Expression& expression) {
  Arguments arguments;
  for (const Expression* argument : expression.positional)
    arguments.positional.push_back(evaluate(*argument));
  for (const auto& [name, argument] : expression.named) {
    budget_.charge(name.size() / 256);
    arguments.named.emplace_back(name, evaluate(*argument));
  }
  return arguments;
}

Value Interpreter::evaluate_call(const Expression& expression) {
  const Value callee = evaluate(*expression.children[0]);
  const Arguments arguments = evaluate_arguments(expression);
  line_ = expression.line;
  return call(callee, arguments);
}

Value Interpreter::call(const Value& callee, const Arguments& arguments) {
  budget_.charge();
  if (callee.is(Kind::callable)) {
    // Held by value: the call may replace the variable that it came from.
    const Value held = callee;
    return held.as_callable().call(arguments);
  }
  if (callee.is(Kind::loop)) {
    const auto& recurse = callee.as_loop().recurse;
    if (!recurse) throw Failure("TypeError: loop() needs {% for ... recursive %}");
    if (arguments.positional.size() != 1) throw Failure("TypeError: loop() takes one argument");
    return recurse(arguments.positional[0]);
  }
  if (callee.is(Kind::undefined)) throw Failure(callee.undefined_name());
  throw Failure(fmt::format("TypeError: '{}' object is not callable", callee.type_name()));
}

Value Interpreter::evaluate_negate(const Expression& expression) {
  const Value value = evaluate(*expression.children[0]);
  line_ = expression.line;
  const bool negates = expression.kind == Expression::Kind::negate;
  if (value.is(Kind::undefined)) throw Failure(value.undefined_name());
  if (!value.is_number()) {
    throw Failure(fmt::format("TypeError: bad operand type for unary {}: '{}'", negates ? '-' : '+',
                              value.type_name()));
  }
  if (!negates) return value.is(Kind::boolean) ? Value::integer(value.as_boolean()) : value;
  if (value.is(Kind::real)) return Value::real(-value.number());
  return binary_operation("-", Value::integer(0), value, budget_);
}

Value Interpreter::evaluate_concat(const Expression& expression) {
  TrackedText text;
  for (const Expression* child : expression.children) {
    const TrackedText piece = to_text(evaluate(*child), budget_);
    budget_.charge_text(piece);
    if (text.size() + piece.size() > max_text) throw Failure("a string is longer than 8 MiB");
    text.append(piece);
  }
  return Value::string(std::move(text));
}

Value Interpreter::evaluate_compare(const Expression& expression) {
  Value left = evaluate(*expression.children[0]);
  for (std::size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.children[i + 1]);
    line_ = expression.line;
    const std::string& operation = expression.operators[i];
    if (operation[0] == '<' || operation[0] == '>') {
      for (const Value* side : {&left, &right}) {
        if (side->is(Kind::undefined)) throw Failure(side->undefined_name());
      }
    }
    bool holds = false;
    if (operation == "==") holds = equal(left, right, budget_);
    if (operation == "!=") holds = !equal(left, right, budget_);
    if (operation == "<") holds = less(left, right, budget_);
    if (operation == ">") holds = less(right, left, budget_);
    if (operation == "<=") holds = less(left, right, budget_) || equal(left, right, budget_);
    if (operation == ">=") holds = less(right, left, budget_) || equal(left, right, budget_);
    if (operation == "in") holds = contains(right, left, budget_);
    if (operation == "not in") holds = !contains(right, left, budget_);
    if (!holds) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate_filter(const Expression& expression, const Value* body) {
  Value value;
  if (expression.children[0] == nullptr) {
    value = *body;
  } else if (body != nullptr && expression.children[0]->kind == Expression::Kind::filter) {
    value = evaluate_filter(*expression.children[0], body);
  } else {
    value = evaluate(*expression.children[0]);
  }
  const Arguments arguments = evaluate_arguments(expression);
  line_ = expression.line;
  budget_.charge();
  return apply_filter(*this, expression.text, value, arguments);
}

Value Interpreter::filter_body(const Expression& filters, const Value& body) {
  return evaluate_filter(filters, &body);
}

Value Interpreter::evaluate_test(const Expression& expression) {
  const Value value = evaluate(*expression.children[0]);
  const Arguments arguments = evaluate_arguments(expression);
  line_ = expression.line;
  return Value::boolean(apply_test(*this, expression.text, value, arguments));
}

}  // namespace finstill::text::jinja
