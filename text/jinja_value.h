#pragma once

// The values of the template language: Python's, as far as chat templates use them. Immutable and
// shared, but for namespaces. Nothing here can be nested deeper than max_depth, so no recursion
// over values can overflow the stack.

#include "text/jinja_text.h"

#include "base/json.h"

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace finstill::text::jinja {

/// What a template did wrong, without its place; the interpreter adds name and line and makes an
/// Error of it.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Counts down the work that a template may do. Every operation charges in proportion to what it
/// touches: time, and with it memory, is bounded whatever the template says.
class Budget {
 public:
  explicit Budget(std::int64_t steps) : left_(steps) {}
  void charge(std::size_t steps = 1) {
    left_ -= static_cast<std::int64_t>(steps);
    if (left_ < 0) throw Failure("the template does too much work (limit 1,000,000 steps)");
  }
  /// For work on `count` bytes.
  void charge_bytes(std::size_t count) { charge(1 + count / 256); }
  void charge_items(std::size_t count) { charge(1 + count / 4); }
  /// For looking for `wanted` bytes in `count`: each place may compare nearly all of them.
  void charge_search(std::size_t count, std::size_t wanted) {
    const std::size_t places = count >= wanted ? count - wanted + 1 : 0;
    charge_bytes(places + places / 64 * wanted);
  }
  void charge_text(const TrackedText& text) {
    charge_bytes(text.size() + sizeof(TrackedText::Run) * text.runs().size());
  }

 private:
  std::int64_t left_;
};

inline constexpr int max_depth = 200;  ///< of nested lists and dicts
inline constexpr std::size_t max_text = std::size_t{8}
                                        << 20;  ///< bytes of one string, the rendered text included

class Value;

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  /// The argument at `index` or of that name; null when it was not given.
  const Value* find(std::size_t index, std::string_view name) const;
};

struct StringData {
  TrackedText text;
  bool markup =
      false;  ///< went through `safe`: adding to it escapes the other side, as markupsafe does
};
struct ListData;
struct DictData;
struct NamespaceData;
struct Callable;
struct LoopState;

class Value {
 public:
  enum class Kind {
    undefined,
    none,
    boolean,
    integer,
    real,
    string,
    list,
    dict,
    name_space,
    callable,
    loop
  };

  Value() : data_(Undefined{}) {}  ///< undefined
  static Value undefined(std::string name);
  static Value none() { return Value(Data(None{})); }
  static Value boolean(bool value) { return Value(Data(value)); }
  static Value integer(std::int64_t value) { return Value(Data(value)); }
  static Value real(double value) { return Value(Data(value)); }
  static Value string(TrackedText text, bool markup = false);
  static Value string(std::string bytes, Origin origin = template_origin);
  static Value list(std::vector<Value> items);
  static Value tuple(std::vector<Value> items);
  /// What Python gives as a generator or view: can be looped over and joined, but has no index and
  /// no JSON.
  static Value generator(std::vector<Value> items);
  static Value view(std::vector<Value> items);  ///< like generator, with a length
  static Value dict(std::vector<std::pair<Value, Value>> items);
  static Value name_space(std::shared_ptr<NamespaceData> data);
  static Value callable(Callable callable);
  static Value loop(std::shared_ptr<LoopState> state);
  /// A JSON value whose strings and keys all have this origin.
  static Value from_json(const base::Json& json, Origin origin);

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool is_number() const { return is(Kind::boolean) || is(Kind::integer) || is(Kind::real); }

  // Access; the kind must fit.
  bool as_boolean() const { return std::get<bool>(data_); }
  std::int64_t as_integer() const { return std::get<std::int64_t>(data_); }
  const TrackedText& text() const;
  bool is_markup() const;
  const ListData& as_list() const;
  const DictData& as_dict() const;
  NamespaceData& as_namespace() const;
  const Callable& as_callable() const;
  LoopState& as_loop() const;
  /// Of a boolean, integer or real.
  double number() const;

  const std::string& undefined_name() const;
  std::string type_name() const;  ///< as Python calls it: "str", "NoneType"
  bool truthy() const;
  /// Levels of lists and dicts below and with this one.
  int depth() const;

 private:
  struct Undefined {
    std::shared_ptr<const std::string> name;
  };
  struct None {};
  using Data = std::variant<Undefined, None, bool, std::int64_t, double,
                            std::shared_ptr<const StringData>, std::shared_ptr<const ListData>,
                            std::shared_ptr<const DictData>, std::shared_ptr<NamespaceData>,
                            std::shared_ptr<const Callable>, std::shared_ptr<LoopState>>;
  explicit Value(Data data) : data_(std::move(data)) {}

  Data data_;
};

struct ListData {
  enum class Type { list, tuple, generator, view };
  Type type = Type::list;
  std::vector<Value> items;
  int depth = 1;
};

struct DictData {
  std::vector<std::pair<Value, Value>> items;  ///< in order of insertion
  int depth = 1;

  const Value* find(std::string_view key) const;
};

struct NamespaceData {
  std::vector<std::pair<std::string, Value>> members;

  Value* find(std::string_view name);
};

struct Callable {
  std::string name;
  std::function<Value(const Arguments&)> call;
  int depth = 0;  ///< of what it holds on to
};

/// The variable `loop`.
struct LoopState {
  std::vector<Value> items;
  std::size_t index = 0;
  int level = 0;                                     ///< of recursion, from 0
  std::function<Value(const Value& items)> recurse;  ///< empty unless the loop is recursive
  std::vector<Value> last_changed;
  int depth = 1;
};

/// Python's ==, in which 1 == 1.0 == True.
bool equal(const Value& left, const Value& right, Budget& budget);
/// Python's <; throws Failure for kinds that have no order.
bool less(const Value& left, const Value& right, Budget& budget);
/// Python's `in`.
bool contains(const Value& container, const Value& item, Budget& budget);
/// The items of anything that Python iterates: lists, keys of dicts, characters of strings. Throws
/// Failure otherwise.
std::vector<Value> iterate(const Value& value, Budget& budget);
/// Python's len(); throws Failure otherwise.
std::int64_t length(const Value& value, Budget& budget);

// Text forms (jinja_print.cpp).

/// str(): what `{{ value }}` writes.
TrackedText to_text(const Value& value, Budget& budget);
/// repr(): strings in quotes.
TrackedText to_repr(const Value& value, Budget& budget);
/// repr() of a float.
std::string real_repr(double value);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool has_indent = false;
  std::string indent;
  std::string item_separator = ", ", key_separator = ": ";
};
/// json.dumps(). Throws Failure for what has no JSON form.
TrackedText to_json_text(const Value& value, const JsonStyle& style, Budget& budget);

/// HTML escapes as markupsafe writes them.
TrackedText escape_html(const TrackedText& text);

}  // namespace finstill::text::jinja
