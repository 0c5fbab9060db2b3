// json.dumps(). Every byte of a string keeps its origin.

#include "text/jinja_escape.h"
#include "text/jinja_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace finstill::text::jinja {

namespace {

using Kind = Value::Kind;

bool escape_for_json(std::int32_t c, bool ensure_ascii, std::string& out) {
  switch (c) {
    case '"':
      out = "\\\"";
      return true;
    case '\\':
      out = "\\\\";
      return true;
    case '\n':
      out = "\\n";
      return true;
    case '\r':
      out = "\\r";
      return true;
    case '\t':
      out = "\\t";
      return true;
    case '\b':
      out = "\\b";
      return true;
    case '\f':
      out = "\\f";
      return true;
    default:
      break;
  }
  if (c >= 0 && c < 0x20) {
    out = fmt::format("\\u{:04x}", c);
  } else if (ensure_ascii && (c < 0 || c > 0x7e)) {
    const std::int32_t code = c < 0 ? 0xfffd : c;
    out = code > 0xffff
              ? fmt::format("\\u{:04x}\\u{:04x}", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff))
              : fmt::format("\\u{:04x}", code);
  } else {
    return false;
  }
  return true;
}

/// Writes one value; one object for the style and the place of a nested value.
class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

  void write(const Value& value, int level) {
    budget_.charge();
    check_size(out);
    switch (value.kind()) {
      case Kind::none:
        out.append("null");
        break;
      case Kind::boolean:
        out.append(value.as_boolean() ? "true" : "false");
        break;
      case Kind::integer:
        out.append(fmt::to_string(value.as_integer()));
        break;
      case Kind::real:
        out.append(number(value.number()));
        break;
      case Kind::string:
        write_string(value.text());
        break;
      case Kind::list:
        write_list(value, level);
        break;
      case Kind::dict:
        write_dict(value.as_dict(), level);
        break;
      default:
        refuse(value);
    }
  }

  TrackedText out;

 private:
  [[noreturn]] static void refuse(const Value& value) {
    throw Failure(
        fmt::format("TypeError: Object of type {} is not JSON serializable", value.type_name()));
  }

  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return real_repr(value);
  }

  void write_string(const TrackedText& text) {
    budget_.charge_text(text);
    out.append("\"");
    append_escaped(out, text, [this](std::int32_t c, std::string& to) {
      return escape_for_json(c, style_.ensure_ascii, to);
    });
    out.append("\"");
  }

  void line_break(int level) {
    if (!style_.has_indent) return;
    out.append("\n");
    // Up to 200 times a text of any length, before the next value is checked.
    budget_.charge(static_cast<std::size_t>(level) * style_.indent.size() / 256);
    for (int i = 0; i < level; ++i) {
      out.append(style_.indent);
      check_size(out);
    }
  }

  void append_separator(const std::string& separator) {
    budget_.charge(separator.size() / 256);
    out.append(separator);
  }

  void write_list(const Value& value, int level) {
    const ListData& list = value.as_list();
    if (list.type == ListData::Type::generator || list.type == ListData::Type::view) refuse(value);
    out.append("[");
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) append_separator(style_.item_separator);
      line_break(level + 1);
      write(list.items[i], level + 1);
    }
    if (!list.items.empty()) line_break(level);
    out.append("]");
  }

  void write_dict(const DictData& dict, int level) {
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (style_.sort_keys) {
      budget_.charge_items(items.size() * 8);
      std::stable_sort(items.begin(), items.end(), [this](const auto* a, const auto* b) {
        return less(a->first, b->first, budget_);
      });
    }
    out.append("{");
    bool first = true;
    for (const auto* item : items) {
      if (!first) append_separator(style_.item_separator);
      first = false;
      line_break(level + 1);
      write_key(item->first);
      append_separator(style_.key_separator);
      write(item->second, level + 1);
    }
    if (!items.empty()) line_break(level);
    out.append("}");
  }

  void write_key(const Value& key) {
    if (key.is(Kind::string)) {
      write_string(key.text());
    } else if (key.is_number() || key.is(Kind::none)) {
      out.append("\"");
      write(key, 0);
      out.append("\"");
    } else {
      throw Failure(fmt::format("TypeError: keys must be str, int, float, bool or None, not {}",
                                key.type_name()));
    }
  }

  const JsonStyle& style_;
  Budget& budget_;
};

}  // namespace

TrackedText to_json_text(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value, 0);
  check_size(writer.out);
  return std::move(writer.out);
}

}  // namespace finstill::text::jinja
