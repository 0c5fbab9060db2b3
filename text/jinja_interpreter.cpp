#include "text/jinja_interpreter.h"

#include "base/error.h"

namespace finstill::text::jinja {

namespace {
constexpr int max_calls = 64;
}

Value* Scope::find_here(std::string_view name) {
  for (auto& [key, value] : variables) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Scope::set(const std::string& name, Value value) {
  if (Value* existing = find_here(name)) {
    *existing = std::move(value);
  } else {
    variables.emplace_back(name, std::move(value));
  }
}

/// Enters a scope, and leaves it however the block ends.
class Interpreter::ScopeGuard {
 public:
  ScopeGuard(Interpreter& interpreter, std::shared_ptr<Scope> parent)
      : interpreter_(interpreter), saved_(std::move(interpreter.scope_)) {
    interpreter_.scope_ = std::make_shared<Scope>(Scope{std::move(parent), {}});
  }
  ~ScopeGuard() { interpreter_.scope_ = std::move(saved_); }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Interpreter& interpreter_;
  std::shared_ptr<Scope> saved_;
};

DepthGuard::DepthGuard(int& depth, int limit, const char* what) : depth_(depth) {
  if (depth_ >= limit)
    throw Failure(fmt::format("{} are nested deeper than {} levels", what, limit));
  ++depth_;
}

Interpreter::Interpreter(const Program& program, std::int64_t steps, DateTime now)
    : program_(program), budget_(steps), now_(now), scope_(std::make_shared<Scope>()) {}

Interpreter::~Interpreter() {
  // Everything is held here while it is emptied, so that no chain of references is released
  // recursively.
  for (const auto& scope : captured_) scope->variables.clear();
  for (const auto& name_space : namespaces_) name_space->members.clear();
  for (const Value& loop : changed_loops_) loop.as_loop().last_changed.clear();
}

void Interpreter::charge_call(const Value& self, const Arguments& arguments) {
  budget_.charge_items(arguments.positional.size() + arguments.named.size());
  charge_text(self);
  for (const Value& argument : arguments.positional) charge_text(argument);
  for (const auto& [name, argument] : arguments.named) charge_text(argument);
}

void Interpreter::charge_text(const Value& value) {
  if (!value.is(Value::Kind::string)) return;
  // Short texts, nearly all that a template handles, are covered by the step of the call itself.
  const TrackedText& text = value.text();
  budget_.charge((text.size() + sizeof(TrackedText::Run) * text.runs().size()) / 256);
}

TrackedText Interpreter::run(std::vector<std::pair<std::string, Value>> variables) {
  TrackedText out;
  out_ = &out;
  try {
    define_globals();
    for (auto& [name, value] : variables) scope_->set(name, std::move(value));
    const ScopeGuard scope(*this, scope_);
    execute(program_.body);
  } catch (const Failure& failure) {
    base::fail(base::ExitCode::data, "{}:{}: {}", program_.name, line_, failure.what());
  }
  return out;
}

void Interpreter::write(const TrackedText& text) {
  budget_.charge_text(text);
  if (out_->size() + text.size() > max_text) throw Failure("the template writes more than 8 MiB");
  out_->append(text, generation_ > 0 ? generation_bit : 0);
}

TrackedText Interpreter::capture(const Body& body) {
  TrackedText text;
  TrackedText* const outer = std::exchange(out_, &text);
  try {
    const ScopeGuard scope(*this, scope_);
    execute(body);
  } catch (...) {
    out_ = outer;
    throw;
  }
  out_ = outer;
  return text;
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  for (const Statement* statement : body) {
    const Flow flow = execute(*statement);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) {
  budget_.charge();
  line_ = statement.line;
  using Kind = Statement::Kind;
  switch (statement.kind) {
    case Kind::data:
      write(statement.text.text());
      break;
    case Kind::output:
      write(to_text(evaluate(*statement.expression), budget_));
      break;
    case Kind::branches:
      return execute_branches(statement);
    case Kind::loop: {
      const Value iterable = evaluate(*statement.expression);
      return execute_loop(statement, iterable, 0);
    }
    case Kind::set:
    case Kind::set_block:
      execute_set(statement);
      break;
    case Kind::macro:
      define_macro(statement);
      break;
    case Kind::call_block:
      execute_call_block(statement);
      break;
    case Kind::filter_block: {
      const Value body = Value::string(capture(statement.body));
      write(to_text(filter_body(*statement.expression, body), budget_));
      break;
    }
    case Kind::with:
      return execute_with(statement);
    case Kind::generation:
      return execute_generation(statement);
    case Kind::leave:
      return Flow::leave;
    case Kind::next:
      return Flow::next;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::execute_branches(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    if (branch.condition == nullptr || evaluate(*branch.condition).truthy())
      return execute(branch.body);
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::execute_loop(const Statement& statement, const Value& iterable,
                                            int level) {
  auto state = std::make_shared<LoopState>();
  state->items = iterate(iterable, budget_);
  state->level = level;
  if (statement.condition != nullptr) {
    std::vector<Value> kept;
    for (const Value& item : state->items) {
      const ScopeGuard scope(*this, scope_);
      assign(*statement.target, item);
      if (evaluate(*statement.condition).truthy()) kept.push_back(item);
    }
    state->items = std::move(kept);
  }
  if (state->items.empty()) {
    const ScopeGuard scope(*this, scope_);
    return execute(statement.otherwise);
  }
  const Value loop = Value::loop(state);
  if (statement.recursive) {
    state->recurse = [this, &statement, scope = std::weak_ptr<Scope>(scope_),
                      level](const Value& inner) {
      const DepthGuard guard(calls_, max_calls, "recursive loops");
      const std::shared_ptr<Scope> outer = scope.lock();
      if (outer == nullptr) throw Failure("loop() is called after its loop ended");
      TrackedText text;
      TrackedText* const saved = std::exchange(out_, &text);
      try {
        const ScopeGuard entered(*this, outer);
        execute_loop(statement, inner, level + 1);
      } catch (...) {
        out_ = saved;
        throw;
      }
      out_ = saved;
      return Value::string(std::move(text));
    };
  }
  for (; state->index < state->items.size(); ++state->index) {
    budget_.charge();
    const ScopeGuard scope(*this, scope_);
    assign(*statement.target, state->items[state->index]);
    scope_->set("loop", loop);
    if (execute(statement.body) == Flow::leave) break;
  }
  return Flow::normal;
}

void Interpreter::execute_set(const Statement& statement) {
  if (statement.kind == Statement::Kind::set) {
    assign(*statement.target, evaluate(*statement.expression));
    return;
  }
  Value value = Value::string(capture(statement.body));
  if (statement.expression != nullptr) value = filter_body(*statement.expression, value);
  assign(*statement.target, value);
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement) {
  std::vector<Value> values;
  for (const auto& [target, expression] : statement.assignments)
    values.push_back(evaluate(*expression));
  const ScopeGuard scope(*this, scope_);
  for (std::size_t i = 0; i < values.size(); ++i)
    assign(*statement.assignments[i].first, values[i]);
  return execute(statement.body);
}

Interpreter::Flow Interpreter::execute_generation(const Statement& statement) {
  ++generation_;
  Flow flow = Flow::normal;
  try {
    const ScopeGuard scope(*this, scope_);
    flow = execute(statement.body);
  } catch (...) {
    --generation_;
    throw;
  }
  --generation_;
  return flow;
}

void Interpreter::define_macro(const Statement& statement) {
  scope_->set(statement.name, make_macro(statement));
}

Value Interpreter::make_macro(const Statement& statement) {
  budget_.charge(10);
  captured_.push_back(scope_);
  Callable macro;
  macro.name = statement.name;
  macro.call = [this, &statement, scope = scope_](const Arguments& arguments) {
    return call_macro(statement, scope, arguments);
  };
  return Value::callable(std::move(macro));
}

void Interpreter::execute_call_block(const Statement& statement) {
  const Expression& call_expression = *statement.expression;
  const Value callee = evaluate(*call_expression.children[0]);
  Arguments arguments = evaluate_arguments(call_expression);
  arguments.named.emplace_back("caller", make_macro(statement));
  write(to_text(call(callee, arguments), budget_));
}

Value Interpreter::call_macro(const Statement& statement, const std::shared_ptr<Scope>& scope,
                              const Arguments& arguments) {
  const DepthGuard guard(calls_, max_calls, "calls of macros");
  const int line = line_;
  const ScopeGuard entered(*this, scope);
  bind_parameters(statement, arguments);
  Value result = Value::string(capture(statement.body));
  line_ = line;
  return result;
}

void Interpreter::bind_parameters(const Statement& statement, const Arguments& arguments) {
  // Each parameter is looked for among the names given and the variables set before it.
  const std::size_t count = statement.parameters.size();
  budget_.charge_items(count * (count + arguments.named.size()) / 4);
  std::vector<bool> used(arguments.named.size(), false);
  for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
    const Parameter& parameter = statement.parameters[i];
    Value value = Value::undefined(fmt::format("parameter '{}' was not provided", parameter.name));
    bool given = i < arguments.positional.size();
    if (given) value = arguments.positional[i];
    for (std::size_t k = 0; k < arguments.named.size() && !given; ++k) {
      if (arguments.named[k].first != parameter.name) continue;
      value = arguments.named[k].second;
      used[k] = given = true;
    }
    if (!given && parameter.fallback != nullptr) value = evaluate(*parameter.fallback);
    scope_->set(parameter.name, std::move(value));
  }
  std::vector<Value> more;
  for (std::size_t i = statement.parameters.size(); i < arguments.positional.size(); ++i) {
    more.push_back(arguments.positional[i]);
  }
  std::vector<std::pair<Value, Value>> named;
  for (std::size_t k = 0; k < arguments.named.size(); ++k) {
    if (used[k]) continue;
    if (arguments.named[k].first == "caller") {
      scope_->set("caller", arguments.named[k].second);
    } else {
      named.emplace_back(Value::string(arguments.named[k].first), arguments.named[k].second);
    }
  }
  scope_->set("varargs", Value::tuple(std::move(more)));
  scope_->set("kwargs", Value::dict(std::move(named)));
}

void Interpreter::assign(const Expression& target, const Value& value) {
  if (target.kind == Expression::Kind::name) {
    budget_.charge(scope_->variables.size() / 64);
    scope_->set(target.text, value);
  } else if (target.kind == Expression::Kind::attribute) {
    const Value owner = evaluate(*target.children[0]);
    if (!owner.is(Value::Kind::name_space)) {
      throw Failure(fmt::format("cannot assign attribute '{}' on something that is no namespace()",
                                target.text));
    }
    if (Value* member = owner.as_namespace().find(target.text)) {
      *member = value;
    } else {
      budget_.charge_items(owner.as_namespace().members.size());
      owner.as_namespace().members.emplace_back(target.text, value);
    }
  } else {
    const std::vector<Value> items = iterate(value, budget_);
    if (items.size() != target.children.size()) {
      throw Failure(fmt::format("ValueError: {} values to unpack into {} names", items.size(),
                                target.children.size()));
    }
    for (std::size_t i = 0; i < items.size(); ++i) assign(*target.children[i], items[i]);
  }
}

}  // namespace finstill::text::jinja
