// Values as text: Python's str() and repr(), json.dumps(), HTML escapes. Every byte keeps its
// origin.

#include "text/jinja_escape.h"
#include "text/jinja_value.h"

#include <fmt/format.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace finstill::text::jinja {

namespace {

using Kind = Value::Kind;

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
  } else if (c > 0xff && (U_GET_GC_MASK(c) & (U_GC_C_MASK | U_GC_Z_MASK)) != 0) {
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
