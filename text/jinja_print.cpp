// Values as text: Python's str() and repr(), json.dumps(), HTML escapes. Every byte keeps its
// origin.

#include <unicode/uchar.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "text/jinja_value.h"

namespace finstill::text::jinja {

namespace {

using Kind = Value::Kind;

void check_size(const TrackedText& text) {
  if (text.size() > max_text) throw Failure("a string is longer than 8 MiB");
}

/// Appends `text` to `out`, each character through `escape`, which returns false for a character
/// that stays.
template <typename Escape>
void append_escaped(TrackedText& out, const TrackedText& text, Escape escape) {
  std::size_t kept = 0;
  std::string replacement;
  for (std::size_t index = 0; index < text.size();) {
    const std::size_t begin = index;
    const std::int32_t character = next_character(text.view(), index);
    replacement.clear();
    if (!escape(character, replacement)) continue;
    out.append(text.slice(kept, begin));
    out.append(replacement, text.origin_at(begin));
    kept = index;
  }
  out.append(text.slice(kept, text.size()));
  check_size(out);
}

bool escape_for_repr(std::int32_t c, char quote, std::string& out) {
  if (c == quote || c == '\\') {
    out = {'\\', static_cast<char>(c)};
  } else if (c == '\n') {
    out = "\\n";
  } else if (c == '\r') {
    out = "\\r";
  } else if (c == '\t') {
    out = "\\t";
  } else if (c < 0 || (c < 0x100 && (c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad))) {
    out = fmt::format("\\x{:02x}", c < 0 ? 0xfd : c);
  } else if (c > 0xff && !u_isprint(c)) {
    out = c > 0xffff ? fmt::format("\\U{:08x}", c) : fmt::format("\\u{:04x}", c);
  } else {
    return false;
  }
  return true;
}

void append_string_repr(TrackedText& out, const TrackedText& text) {
  const bool has_single = text.view().find('\'') != std::string_view::npos;
  const bool has_double = text.view().find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out.append(std::string_view(&quote, 1));
  append_escaped(out, text, [quote](std::int32_t c, std::string& to) {
    return escape_for_repr(c, quote, to);
  });
  out.append(std::string_view(&quote, 1));
}

void append_repr(TrackedText& out, const Value& value, Budget& budget);

void append_list_repr(TrackedText& out, const ListData& list, Budget& budget) {
  if (list.type == ListData::Type::generator || list.type == ListData::Type::view) {
    out.append("<generator object>");
    return;
  }
  const bool tuple = list.type == ListData::Type::tuple;
  out.append(tuple ? "(" : "[");
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.append(", ");
    append_repr(out, list.items[i], budget);
  }
  if (tuple && list.items.size() == 1) out.append(",");
  out.append(tuple ? ")" : "]");
}

void append_repr(TrackedText& out, const Value& value, Budget& budget) {
  budget.charge();
  check_size(out);
  switch (value.kind()) {
    case Kind::string:
      budget.charge_text(value.text());
      append_string_repr(out, value.text());
      break;
    case Kind::undefined:
      out.append("Undefined");
      break;
    case Kind::none:
      out.append("None");
      break;
    case Kind::boolean:
      out.append(value.as_boolean() ? "True" : "False");
      break;
    case Kind::integer:
      out.append(fmt::to_string(value.as_integer()));
      break;
    case Kind::real:
      out.append(real_repr(value.number()));
      break;
    case Kind::list:
      append_list_repr(out, value.as_list(), budget);
      break;
    case Kind::dict: {
      out.append("{");
      bool first = true;
      for (const auto& [key, item] : value.as_dict().items) {
        if (!first) out.append(", ");
        first = false;
        append_repr(out, key, budget);
        out.append(": ");
        append_repr(out, item, budget);
      }
      out.append("}");
      break;
    }
    case Kind::name_space:
      out.append("<Namespace>");
      break;
    case Kind::callable:
      out.append("<function " + value.as_callable().name + ">");
      break;
    case Kind::loop:
      out.append("<LoopContext>");
      break;
  }
}

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
    for (int i = 0; i < level; ++i) out.append(style_.indent);
  }

  void write_list(const Value& value, int level) {
    const ListData& list = value.as_list();
    if (list.type == ListData::Type::generator || list.type == ListData::Type::view) refuse(value);
    out.append("[");
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out.append(style_.item_separator);
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
      if (!first) out.append(style_.item_separator);
      first = false;
      line_break(level + 1);
      write_key(item->first);
      out.append(style_.key_separator);
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

std::string real_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string scientific(buffer, end);
  const std::size_t e = scientific.find('e');
  const int exponent = std::stoi(scientific.substr(e + 1));
  // Python writes an exponent below 1e-4 and from 1e16 on, and a fraction otherwise.
  if (exponent < -4 || exponent >= 16) {
    return fmt::format("{}e{}{:02d}", scientific.substr(0, e), exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  const auto fixed_end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string fixed(buffer, fixed_end);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

TrackedText to_text(const Value& value, Budget& budget) {
  if (value.is(Kind::string)) return value.text();
  if (value.is(Kind::undefined)) return TrackedText();
  return to_repr(value, budget);
}

TrackedText to_repr(const Value& value, Budget& budget) {
  TrackedText out;
  append_repr(out, value, budget);
  check_size(out);
  return out;
}

TrackedText to_json_text(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value, 0);
  check_size(writer.out);
  return std::move(writer.out);
}

TrackedText escape_html(const TrackedText& text) {
  TrackedText out;
  append_escaped(out, text, [](std::int32_t c, std::string& to) {
    switch (c) {
      case '&':
        to = "&amp;";
        return true;
      case '<':
        to = "&lt;";
        return true;
      case '>':
        to = "&gt;";
        return true;
      case '"':
        to = "&#34;";
        return true;
      case '\'':
        to = "&#39;";
        return true;
      default:
        return false;
    }
  });
  return out;
}

}  // namespace finstill::text::jinja
