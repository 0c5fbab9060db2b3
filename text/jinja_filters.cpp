// Filters on texts and numbers, and the look-up of all filters.

#include "text/jinja_interpreter.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <map>

namespace finstill::text::jinja {

std::int64_t to_integer(const Value& value, std::string_view what) {
  if (value.is(Value::Kind::integer)) return value.as_integer();
  if (value.is(Value::Kind::boolean)) return value.as_boolean() ? 1 : 0;
  if (value.is(Value::Kind::undefined)) throw Failure(value.undefined_name());
  throw Failure(fmt::format("TypeError: {} must be an integer, not {}", what, value.type_name()));
}

std::string text_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                          std::string_view fallback) {
  const Value* value = arguments.find(index, name);
  if (value == nullptr || value->is(Value::Kind::none)) return std::string(fallback);
  if (!value->is(Value::Kind::string)) {
    throw Failure(
        fmt::format("TypeError: argument '{}' must be str, not {}", name, value->type_name()));
  }
  return value->text().bytes();
}

std::int64_t integer_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                              std::int64_t fallback) {
  const Value* value = arguments.find(index, name);
  return value == nullptr || value->is(Value::Kind::none) ? fallback : to_integer(*value, name);
}

bool flag_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                   bool fallback) {
  const Value* value = arguments.find(index, name);
  return value == nullptr ? fallback : value->truthy();
}

namespace {

using Kind = Value::Kind;

/// `value` as str(), ready for a string method.
Value as_string(Interpreter& interpreter, const Value& value) {
  return value.is(Kind::string) ? value : Value::string(to_text(value, interpreter.budget()));
}

Value call_method(Interpreter& interpreter, const Value& value, const char* name,
                  const Arguments& arguments) {
  return interpreter.call(find_method(interpreter, as_string(interpreter, value), name), arguments);
}

Value filter_default(Interpreter&, const Value& value, const Arguments& arguments) {
  const bool also_false = flag_argument(arguments, 1, "boolean", false);
  if (!value.is(Kind::undefined) && (!also_false || value.truthy())) return value;
  const Value* fallback = arguments.find(0, "default_value");
  return fallback != nullptr ? *fallback : Value::string("");
}

Value filter_tojson(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  JsonStyle style;
  style.ensure_ascii = flag_argument(arguments, 0, "ensure_ascii", false);
  style.sort_keys = flag_argument(arguments, 3, "sort_keys", false);
  const Value* indent = arguments.find(1, "indent");
  if (indent != nullptr && !indent->is(Kind::none)) {
    style.has_indent = true;
    style.item_separator.resize(1);  // ", " without its space
    if (indent->is(Kind::string)) {
      style.indent = indent->text().bytes();
    } else {
      style.indent.assign(
          static_cast<std::size_t>(std::clamp<std::int64_t>(to_integer(*indent, "indent"), 0, 64)),
          ' ');
    }
  }
  const Value* separators = arguments.find(2, "separators");
  if (separators != nullptr && !separators->is(Kind::none)) {
    const std::vector<Value> pair = iterate(*separators, interpreter.budget());
    if (pair.size() != 2 || !pair[0].is(Kind::string) || !pair[1].is(Kind::string)) {
      throw Failure("TypeError: separators must be two strings");
    }
    style.item_separator = pair[0].text().bytes();
    style.key_separator = pair[1].text().bytes();
  }
  return Value::string(to_json_text(value, style, interpreter.budget()));
}

Value filter_int(Interpreter&, const Value& value, const Arguments& arguments) {
  const std::int64_t fallback = integer_argument(arguments, 0, "default", 0);
  if (value.is(Kind::integer) || value.is(Kind::boolean))
    return Value::integer(to_integer(value, "int"));
  if (value.is(Kind::real)) {
    const double number = value.number();
    return Value::integer(std::abs(number) < 9e18 ? static_cast<std::int64_t>(number) : fallback);
  }
  if (!value.is(Kind::string)) return Value::integer(fallback);
  const Range range = stripped(value.text().view(), nullptr, true, true);
  const std::string text(value.text().view().substr(range.begin, range.end - range.begin));
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(text.c_str(), &end,
                                        static_cast<int>(std::clamp<std::int64_t>(
                                            integer_argument(arguments, 1, "base", 10), 2, 36)));
  if (!text.empty() && *end == '\0') {
    if (errno == ERANGE)
      throw Failure(fmt::format("int: {} is beyond the whole numbers of 64 bits", text));
    return Value::integer(number);
  }
  const double real = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0' && std::abs(real) < 9e18)
    return Value::integer(static_cast<std::int64_t>(real));
  return Value::integer(fallback);
}

Value filter_float(Interpreter&, const Value& value, const Arguments& arguments) {
  const Value* fallback = arguments.find(0, "default");
  if (value.is_number()) return Value::real(value.number());
  if (value.is(Kind::string)) {
    const Range range = stripped(value.text().view(), nullptr, true, true);
    const std::string text(value.text().view().substr(range.begin, range.end - range.begin));
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (!text.empty() && *end == '\0') return Value::real(number);
  }
  return fallback != nullptr ? *fallback : Value::real(0);
}

Value filter_abs(Interpreter& interpreter, const Value& value, const Arguments&) {
  if (!value.is_number())
    throw Failure(fmt::format("TypeError: bad operand type for abs(): '{}'", value.type_name()));
  if (value.is(Kind::real)) return Value::real(std::abs(value.number()));
  if (value.number() >= 0) return Value::integer(to_integer(value, "abs"));
  return binary_operation("-", Value::integer(0), value, interpreter.budget());
}

Value filter_round(Interpreter&, const Value& value, const Arguments& arguments) {
  if (!value.is_number())
    throw Failure(fmt::format("TypeError: type {} has no round()", value.type_name()));
  const std::int64_t digits =
      std::clamp<std::int64_t>(integer_argument(arguments, 0, "precision", 0), -300, 300);
  const std::string method = text_argument(arguments, 1, "method", "common");
  const double scale = std::pow(10.0, static_cast<double>(digits));
  if (method == "ceil") return Value::real(std::ceil(value.number() * scale) / scale);
  if (method == "floor") return Value::real(std::floor(value.number() * scale) / scale);
  // Whole numbers stay whole in Python.
  if (method == "common" && digits >= 0 && !value.is(Kind::real))
    return Value::integer(to_integer(value, "round"));
  // Python rounds the decimal expansion of the number itself: printing it does just that.
  if (method == "common" && digits >= 0) {
    return Value::real(std::strtod(
        fmt::format("{:.{}f}", value.number(), static_cast<int>(digits)).c_str(), nullptr));
  }
  if (method == "common") return Value::real(std::nearbyint(value.number() * scale) / scale);
  throw Failure("round: method must be common, ceil or floor");
}

Value filter_indent(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Value string = as_string(interpreter, value);
  const Value* width = arguments.find(0, "width");
  std::string indent(4, ' ');
  if (width != nullptr && width->is(Kind::string))
    indent = width->text().bytes();
  else if (width != nullptr)
    indent.assign(
        static_cast<std::size_t>(std::clamp<std::int64_t>(to_integer(*width, "width"), 0, 4096)),
        ' ');
  const bool first = flag_argument(arguments, 1, "first", false),
             blank = flag_argument(arguments, 2, "blank", false);
  const TrackedText& text = string.text();
  TrackedText result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t newline = std::min(text.view().find('\n', begin), text.size());
    const bool indents = begin == 0 ? first : blank || newline > begin;
    interpreter.budget().charge_bytes(indent.size());
    if (indents) result.append(indent);
    const std::size_t end = std::min(newline + 1, text.size());
    result.append(text.slice(begin, end));
    if (result.size() > max_text) throw Failure("a string is longer than 8 MiB");
    if (newline == text.size()) break;
    begin = end;
  }
  return Value::string(std::move(result), string.is_markup());
}

Value filter_truncate(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Value string = as_string(interpreter, value);
  const std::int64_t limit = integer_argument(arguments, 0, "length", 255);
  const bool kill_words = flag_argument(arguments, 1, "killwords", false);
  const std::string end = text_argument(arguments, 2, "end", "...");
  const std::int64_t leeway = integer_argument(arguments, 3, "leeway", 5);
  const auto end_length = static_cast<std::int64_t>(count_characters(end));
  if (limit < end_length || leeway < 0)
    throw Failure("truncate: the length must not be shorter than its end");
  if (length(string, interpreter.budget()) - leeway <= limit) return string;
  const Value stop = Value::integer(limit - end_length);
  TrackedText kept = slice_value(string, nullptr, &stop, nullptr, interpreter.budget()).text();
  const std::size_t space = kept.view().rfind(' ');
  if (!kill_words && space != std::string_view::npos) kept = kept.slice(0, space);
  kept.append(end);
  return Value::string(std::move(kept));
}

Value filter_urlencode(Interpreter& interpreter, const Value& value, const Arguments&) {
  const TrackedText text = to_text(value, interpreter.budget());
  interpreter.budget().charge(1 + text.size() / 32);
  TrackedText result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text.view()[i];
    const bool kept = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                      std::string_view("_.-~/").find(c) != std::string_view::npos;
    result.append(kept ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c)),
                  text.origin_at(i));
  }
  return Value::string(std::move(result));
}

Value filter_format(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  return percent_format(as_string(interpreter, value).text(), arguments.positional,
                        interpreter.budget());
}

Value filter_replace(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Arguments as_text = arguments;  // charged for by apply_filter
  for (std::size_t i = 0; i < as_text.positional.size() && i < 2; ++i) {
    as_text.positional[i] = as_string(interpreter, as_text.positional[i]);
  }
  return call_method(interpreter, value, "replace", as_text);
}

using Filters = std::map<std::string_view, Filter>;

const Filters& text_filters() {
  static const Filters filters = {
      {"default", filter_default},
      {"d", filter_default},
      {"tojson", filter_tojson},
      {"int", filter_int},
      {"float", filter_float},
      {"abs", filter_abs},
      {"round", filter_round},
      {"indent", filter_indent},
      {"truncate", filter_truncate},
      {"urlencode", filter_urlencode},
      {"format", filter_format},
      {"replace", filter_replace},
      {"string", [](Interpreter& i, const Value& v, const Arguments&) { return as_string(i, v); }},
      {"trim", [](Interpreter& i, const Value& v,
                  const Arguments& a) { return call_method(i, v, "strip", a); }},
      {"upper", [](Interpreter& i, const Value& v,
                   const Arguments&) { return call_method(i, v, "upper", {}); }},
      {"lower", [](Interpreter& i, const Value& v,
                   const Arguments&) { return call_method(i, v, "lower", {}); }},
      {"title",
       [](Interpreter& i, const Value& v, const Arguments&) {
         return Value::string(title_of_words(i, to_text(v, i.budget())));
       }},
      {"capitalize", [](Interpreter& i, const Value& v,
                        const Arguments&) { return call_method(i, v, "capitalize", {}); }},
      {"center",
       [](Interpreter& i, const Value& v, const Arguments& a) {
         Arguments width;
         width.positional.push_back(Value::integer(integer_argument(a, 0, "width", 80)));
         return call_method(i, v, "center", width);
       }},
      {"wordcount",
       [](Interpreter& i, const Value& v, const Arguments&) {
         return Value::integer(count_words(i, to_text(v, i.budget())));
       }},
      {"safe", [](Interpreter& i, const Value& v,
                  const Arguments&) { return Value::string(to_text(v, i.budget()), true); }},
      {"escape",
       [](Interpreter& i, const Value& v, const Arguments&) {
         if (v.is_markup()) return v;
         const TrackedText text = to_text(v, i.budget());
         i.budget().charge_text(text);
         return Value::string(escape_html(text), true);
       }},
      {"forceescape",
       [](Interpreter& i, const Value& v, const Arguments&) {
         return Value::string(escape_html(to_text(v, i.budget())), true);
       }},
  };
  return filters;
}

}  // namespace

Filter find_text_filter(std::string_view name) {
  if (name == "e") name = "escape";
  const auto found = text_filters().find(name);
  return found == text_filters().end() ? nullptr : found->second;
}

Value apply_filter(Interpreter& interpreter, const std::string& name, const Value& value,
                   const Arguments& arguments) {
  Filter filter = find_text_filter(name);
  if (filter == nullptr) filter = find_sequence_filter(name);
  if (filter == nullptr) filter = find_selection_filter(name);
  if (filter == nullptr) throw Failure(fmt::format("there is no filter '{}'", name));
  // map('map', 'map', ...) applies filters inside filters, as deep as its arguments say.
  const DepthGuard guard(interpreter.filter_depth(), 64, "filters");
  interpreter.charge_call(value, arguments);
  Value result = filter(interpreter, value, arguments);
  interpreter.charge_text(result);
  return result;
}

}  // namespace finstill::text::jinja
