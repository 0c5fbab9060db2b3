#pragma once

// Runs a program. One Interpreter renders once; jinja_interpreter.cpp has the statements,
// jinja_evaluate.cpp the expressions, jinja_methods.cpp / jinja_filters.cpp / jinja_tests.cpp what
// can be applied to values.

#include "text/jinja_ast.h"
#include "text/jinja_value.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finstill::text::jinja {

/// What strftime_now formats. No time zone: the caller says what "now" is.
struct DateTime {
  int year = 2025, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};

/// Variables of one block; inner blocks see outer ones.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<std::string, Value>> variables;

  Value* find_here(std::string_view name);
  void set(const std::string& name, Value value);
};

/// Counts one level of a nesting that has a limit.
class DepthGuard {
 public:
  /// Throws Failure past `limit`.
  DepthGuard(int& depth, int limit, const char* what);
  ~DepthGuard() { --depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  int& depth_;
};

class Interpreter {
 public:
  Interpreter(const Program& program, std::int64_t steps, DateTime now);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// Renders with these global variables. Throws Error(data) "name:line: ...".
  TrackedText run(std::vector<std::pair<std::string, Value>> variables);

  // For filters and methods.
  Budget& budget() { return budget_; }
  int& filter_depth() { return filters_; }  ///< of filters that apply filters
  /// What a call of a filter or method costs whatever it does: its arguments may be copied and its
  /// texts read.
  void charge_call(const Value& self, const Arguments& arguments);
  /// One reading of a string; values of other kinds are shared, never copied.
  void charge_text(const Value& value);
  /// Keeps a loop whose changed() remembers values until the end.
  void keep_loop(const Value& loop) { changed_loops_.push_back(loop); }
  Value call(const Value& callee, const Arguments& arguments);
  /// `value.name` as templates mean it: an attribute or method, else the item.
  Value get_attribute(const Value& value, const std::string& name);
  /// `value[key]`: the item, else the attribute.
  Value get_item(const Value& value, const Value& key);

 private:
  enum class Flow { normal, leave, next };

  // Statements.
  Flow execute(const Body& body);
  Flow execute(const Statement& statement);
  Flow execute_branches(const Statement& statement);
  Flow execute_loop(const Statement& statement, const Value& iterable, int level);
  void execute_set(const Statement& statement);
  void execute_call_block(const Statement& statement);
  Flow execute_with(const Statement& statement);
  Flow execute_generation(const Statement& statement);
  void define_macro(const Statement& statement);
  Value make_macro(const Statement& statement);
  Value call_macro(const Statement& statement, const std::shared_ptr<Scope>& scope,
                   const Arguments& arguments);
  void bind_parameters(const Statement& statement, const Arguments& arguments);
  void assign(const Expression& target, const Value& value);
  void write(const TrackedText& text);
  /// What a body writes, as text; the body runs in a scope of its own.
  TrackedText capture(const Body& body);

  // Expressions.
  Value evaluate(const Expression& expression);
  Value evaluate_here(const Expression& expression);
  Value evaluate_name(const Expression& expression);
  Value evaluate_items(const Expression& expression);
  Value evaluate_dict(const Expression& expression);
  Value evaluate_slice(const Expression& expression);
  Value evaluate_call(const Expression& expression);
  Value evaluate_negate(const Expression& expression);
  Value evaluate_concat(const Expression& expression);
  Value evaluate_compare(const Expression& expression);
  Value evaluate_filter(const Expression& expression, const Value* body);
  Value evaluate_test(const Expression& expression);
  Arguments evaluate_arguments(const Expression& expression);
  /// A filter chain over the body of a block.
  Value filter_body(const Expression& filters, const Value& body);

  Value make_namespace(const Arguments& arguments);
  void define_globals();

  class ScopeGuard;

  const Program& program_;
  Budget budget_;
  DateTime now_;
  std::shared_ptr<Scope> scope_;
  TrackedText* out_ = nullptr;
  int line_ = 0;
  int depth_ = 0;       ///< of nested evaluations
  int calls_ = 0;       ///< of nested macros
  int filters_ = 0;     ///< of filters inside filters
  int generation_ = 0;  ///< of nested {% generation %}
  // Namespaces, the scopes of macros and what loop.changed() remembers can refer to each other in
  // circles and long chains: they are emptied at the end.
  std::vector<std::shared_ptr<NamespaceData>> namespaces_;
  std::vector<Value> changed_loops_;
  std::vector<std::shared_ptr<Scope>> captured_;
};

// What can be applied to values. Unknown names throw Failure.

Value apply_filter(Interpreter& interpreter, const std::string& name, const Value& value,
                   const Arguments& arguments);
bool apply_test(Interpreter& interpreter, const std::string& name, const Value& value,
                const Arguments& arguments);
bool is_test(std::string_view name);

/// The method of a string, list or dict as something that can be called; undefined when there is
/// none. A method that would change its object throws when called: values are immutable.
Value find_method(Interpreter& interpreter, const Value& self, const std::string& name);
using Method = Value (*)(Interpreter&, const Value& self, const Arguments&);
/// A method of strings, or null: what takes them apart or puts them together
/// (jinja_string_methods.cpp), what looks at case or class (jinja_characters.cpp).
Method find_string_method(std::string_view name);
Method find_character_method(std::string_view name);

/// The filter `title`: the first letter of each word in upper case and all others in lower case;
/// words begin behind white space and - ( { [ <.
TrackedText title_of_words(Interpreter& interpreter, const TrackedText& text);
/// The filter `wordcount`: runs of letters, digits and _.
std::int64_t count_words(Interpreter& interpreter, const TrackedText& text);

/// a + b, a - b, ... as Python computes them; throws Failure for kinds that do not fit and for
/// results over 64 bits.
Value binary_operation(const std::string& operation, const Value& left, const Value& right,
                       Budget& budget);

/// Python's a % b, whose sign is that of b; b is not 0.
std::int64_t floor_modulo(std::int64_t a, std::int64_t b);

/// str[begin:end:step] and the same of lists; a null pointer is a part left out.
Value slice_value(const Value& value, const Value* begin, const Value* end, const Value* step,
                  Budget& budget);

/// `format % values` for strings.
Value percent_format(const TrackedText& format, const std::vector<Value>& values, Budget& budget);

/// `self.format(...)` for {}, {0} and {name}; format specifications are refused.
Value brace_format(Interpreter& interpreter, const Value& self, const Arguments& arguments);

/// strftime in the C locale.
std::string format_date(const DateTime& date, std::string_view format);
/// "2025-01-15", "2025-01-15T09:30:00"; throws Error(config) for anything else.
DateTime parse_date(std::string_view text);

// Groups of filters, each null for a name that it does not have.
using Filter = Value (*)(Interpreter&, const Value&, const Arguments&);
Filter find_text_filter(std::string_view name);
Filter find_sequence_filter(std::string_view name);
Filter find_selection_filter(std::string_view name);

// Arguments of filters and methods.

/// The argument at `index` or of that name; throws Failure when it is missing.
const Value& required(const Arguments& arguments, std::size_t index, std::string_view name);
/// The text of an argument, or `fallback`; throws Failure for another kind.
std::string text_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                          std::string_view fallback);
std::int64_t integer_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                              std::int64_t fallback);
bool flag_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                   bool fallback);
/// int() of a number; throws Failure otherwise.
std::int64_t to_integer(const Value& value, std::string_view what);
/// "a.b.0" of a value, as filters read `attribute`.
Value attribute_path(Interpreter& interpreter, const Value& value, const Value& path);

}  // namespace finstill::text::jinja
