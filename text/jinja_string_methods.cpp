// Methods that take strings apart and put them together. What a string method takes out of a string
// keeps its origin.

#include "text/jinja_interpreter.h"

#include <algorithm>
#include <map>

namespace finstill::text::jinja {

namespace {

using Kind = Value::Kind;
using Methods = std::map<std::string_view, Method>;

const TrackedText& required_text(const Arguments& arguments, std::size_t index,
                                 std::string_view name) {
  const Value& value = required(arguments, index, name);
  if (!value.is(Kind::string)) {
    throw Failure(
        fmt::format("TypeError: argument '{}' must be str, not {}", name, value.type_name()));
  }
  return value.text();
}

Value strip(Interpreter& interpreter, const Value& self, const Arguments& arguments, bool left,
            bool right) {
  const Value* set = arguments.find(0, "chars");
  std::string_view characters;
  const bool has_set = set != nullptr && !set->is(Kind::none);
  if (has_set) characters = required_text(arguments, 0, "chars").view();
  interpreter.budget().charge_items(characters.size());
  const Range range = stripped(self.text().view(), has_set ? &characters : nullptr, left, right);
  return Value::string(self.text().slice(range.begin, range.end), self.is_markup());
}

/// Byte ranges of the parts of `text` between separators; none = runs of white space.
std::vector<Range> split_ranges(std::string_view text, const std::string_view* separator,
                                std::int64_t limit) {
  std::vector<Range> parts;
  std::size_t at = 0;
  if (separator == nullptr) {
    while (true) {
      at += stripped(text.substr(at), nullptr, true, false).begin;
      if (at >= text.size()) return parts;
      if (limit >= 0 && static_cast<std::int64_t>(parts.size()) >= limit) {
        parts.push_back({at, at + stripped(text.substr(at), nullptr, false, true).end});
        return parts;
      }
      const std::size_t begin = at;
      for (std::size_t next = at; next < text.size(); at = next) {
        const std::int32_t character = next_character(text, next);
        if (character >= 0 && is_space(character)) break;
      }
      parts.push_back({begin, at});
    }
  }
  while (limit < 0 || static_cast<std::int64_t>(parts.size()) < limit) {
    const std::size_t found = text.find(*separator, at);
    if (found == std::string_view::npos) break;
    parts.push_back({at, found});
    at = found + separator->size();
  }
  parts.push_back({at, text.size()});
  return parts;
}

std::vector<Range> split_ranges_from_right(std::string_view text, std::string_view separator,
                                           std::int64_t limit) {
  std::vector<Range> parts;
  std::size_t end = text.size();
  while (static_cast<std::int64_t>(parts.size()) < limit) {
    const std::size_t found = end < separator.size()
                                  ? std::string_view::npos
                                  : text.rfind(separator, end - separator.size());
    if (found == std::string_view::npos) break;
    parts.push_back({found + separator.size(), end});
    end = found;
  }
  parts.push_back({0, end});
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Value split(Interpreter& interpreter, const Value& self, const Arguments& arguments,
            bool from_right) {
  const TrackedText& text = self.text();
  interpreter.budget().charge_text(text);
  const Value* separator = arguments.find(0, "sep");
  const std::int64_t limit = integer_argument(arguments, 1, "maxsplit", -1);
  std::vector<Range> parts;
  if (separator == nullptr || separator->is(Kind::none)) {
    if (from_right && limit >= 0) throw Failure("rsplit() with a limit needs a separator");
    parts = split_ranges(text.view(), nullptr, limit);
  } else {
    const std::string_view by = required_text(arguments, 0, "sep").view();
    if (by.empty()) throw Failure("ValueError: empty separator");
    interpreter.budget().charge_search(text.size(), by.size());
    parts = from_right && limit >= 0 ? split_ranges_from_right(text.view(), by, limit)
                                     : split_ranges(text.view(), &by, limit);
  }
  interpreter.budget().charge_items(parts.size());
  std::vector<Value> items;
  for (const Range& part : parts) items.push_back(Value::string(text.slice(part.begin, part.end)));
  return Value::list(std::move(items));
}

Value split_lines(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const TrackedText& text = self.text();
  const bool keeps = flag_argument(arguments, 0, "keepends", false);
  interpreter.budget().charge_text(text);
  std::vector<Value> lines;
  for (std::size_t begin = 0, at = 0; at < text.size(); begin = at) {
    std::size_t end = at;
    while (at < text.size()) {
      end = at;
      const std::int32_t c = next_character(text.view(), at);
      const bool breaks = (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 ||
                          c == 0x2028 || c == 0x2029;
      if (breaks) {
        if (c == '\r' && at < text.size() && text.view()[at] == '\n') ++at;
        break;
      }
      end = at;
    }
    interpreter.budget().charge();
    lines.push_back(Value::string(text.slice(begin, keeps ? at : end)));
  }
  return Value::list(std::move(lines));
}

Value partition(Interpreter& interpreter, const Value& self, const Arguments& arguments,
                bool from_right) {
  const TrackedText &text = self.text(), &separator = required_text(arguments, 0, "sep");
  if (separator.empty()) throw Failure("ValueError: empty separator");
  interpreter.budget().charge_search(text.size(), separator.size());
  const std::size_t found =
      from_right ? text.view().rfind(separator.view()) : text.view().find(separator.view());
  if (found == std::string_view::npos) {
    const Value nothing = Value::string(TrackedText());
    return Value::tuple(from_right ? std::vector<Value>{nothing, nothing, self}
                                   : std::vector<Value>{self, nothing, nothing});
  }
  const std::size_t end = found + separator.size();
  return Value::tuple({Value::string(text.slice(0, found)), Value::string(text.slice(found, end)),
                       Value::string(text.slice(end, text.size()))});
}

Value has_affix(Interpreter& interpreter, const Value& self, const Arguments& arguments,
                bool prefix) {
  const Value& wanted = required(arguments, 0, "affix");
  const std::string_view text = self.text().view();
  const auto fits = [&interpreter, text, prefix](const Value& affix) {
    if (!affix.is(Kind::string))
      throw Failure("TypeError: startswith and endswith take a str or a tuple of str");
    interpreter.budget().charge_bytes(affix.text().size());
    return prefix ? text.starts_with(affix.text().view()) : text.ends_with(affix.text().view());
  };
  if (wanted.is(Kind::list)) {
    const std::vector<Value>& items = wanted.as_list().items;
    return Value::boolean(std::any_of(items.begin(), items.end(), fits));
  }
  return Value::boolean(fits(wanted));
}

Value find(Interpreter& interpreter, const Value& self, const Arguments& arguments, bool from_right,
           bool must) {
  const std::string_view text = self.text().view(),
                         wanted = required_text(arguments, 0, "sub").view();
  interpreter.budget().charge_search(text.size(), wanted.size());
  const std::size_t found = from_right ? text.rfind(wanted) : text.find(wanted);
  if (found != std::string_view::npos) {
    return Value::integer(static_cast<std::int64_t>(count_characters(text.substr(0, found))));
  }
  if (must) throw Failure("ValueError: substring not found");
  return Value::integer(-1);
}

Value pad(Interpreter& interpreter, const Value& self, const Arguments& arguments, int side) {
  const std::int64_t width = integer_argument(arguments, 0, "width", 0);
  const std::int64_t missing = width - length(self, interpreter.budget());
  if (missing <= 0) return self;
  if (missing > static_cast<std::int64_t>(max_text)) throw Failure("a string is longer than 8 MiB");
  const std::string fill = text_argument(arguments, 1, "fillchar", " ");
  if (count_characters(fill) != 1)
    throw Failure("TypeError: the fill character must be exactly one character long");
  interpreter.budget().charge_bytes(static_cast<std::size_t>(missing) * fill.size());
  // str.center puts the odd character left when the width is odd, right otherwise.
  const std::int64_t left = side < 0 ? 0 : side > 0 ? missing : missing / 2 + (missing & width & 1);
  TrackedText text;
  for (std::int64_t i = 0; i < left; ++i) text.append(fill);
  text.append(self.text());
  for (std::int64_t i = left; i < missing; ++i) text.append(fill);
  return Value::string(std::move(text));
}

Value replace(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const TrackedText &text = self.text(), &old = required_text(arguments, 0, "old"),
                    &with = required_text(arguments, 1, "new");
  std::int64_t left = integer_argument(arguments, 2, "count", -1);
  interpreter.budget().charge_text(text);
  interpreter.budget().charge_search(text.size(), old.size());
  TrackedText result;
  std::size_t kept = 0;
  for (std::size_t at = 0; left != 0 && at <= text.size(); --left) {
    const std::size_t found = old.empty() ? at : text.view().find(old.view(), at);
    if (found == std::string_view::npos) break;
    interpreter.budget().charge_text(with);
    if (result.size() > max_text) throw Failure("a string is longer than 8 MiB");
    result.append(text.slice(kept, found));
    result.append(with);
    kept = found + old.size();
    at = kept;
    if (old.empty()) {
      if (at == text.size()) break;
      next_character(text.view(), at);
      interpreter.budget().charge();
    }
  }
  result.append(text.slice(kept, text.size()));
  return Value::string(std::move(result));
}

Value remove_affix(const Value& self, const Arguments& arguments, bool prefix) {
  const TrackedText &text = self.text(), &affix = required_text(arguments, 0, "affix");
  if (prefix && text.view().starts_with(affix.view()))
    return Value::string(text.slice(affix.size(), text.size()));
  if (!prefix && text.view().ends_with(affix.view()))
    return Value::string(text.slice(0, text.size() - affix.size()));
  return self;
}

Value join(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  TrackedText result;
  bool first = true;
  for (const Value& item : iterate(required(arguments, 0, "iterable"), interpreter.budget())) {
    if (!item.is(Kind::string))
      throw Failure(fmt::format("TypeError: join() expects str, not {}", item.type_name()));
    interpreter.budget().charge_text(self.text());
    interpreter.budget().charge_text(item.text());
    if (!first) result.append(self.text());
    first = false;
    result.append(item.text());
    if (result.size() > max_text) throw Failure("a string is longer than 8 MiB");
  }
  return Value::string(std::move(result));
}

Value count(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const std::string_view text = self.text().view(),
                         wanted = required_text(arguments, 0, "sub").view();
  interpreter.budget().charge_search(text.size(), wanted.size());
  if (wanted.empty()) return Value::integer(static_cast<std::int64_t>(count_characters(text)) + 1);
  std::int64_t found = 0;
  for (std::size_t at = text.find(wanted); at != std::string_view::npos;
       at = text.find(wanted, at + wanted.size()))
    ++found;
  return Value::integer(found);
}

Value zero_fill(const Value& self, const Arguments& arguments) {
  const std::int64_t width = integer_argument(arguments, 0, "width", 0);
  const TrackedText& text = self.text();
  const std::int64_t missing = width - static_cast<std::int64_t>(count_characters(text.view()));
  if (missing <= 0) return self;
  if (missing > static_cast<std::int64_t>(max_text)) throw Failure("a string is longer than 8 MiB");
  const std::size_t sign =
      !text.empty() && (text.view()[0] == '-' || text.view()[0] == '+') ? 1 : 0;
  TrackedText result = text.slice(0, sign);
  result.append(std::string(static_cast<std::size_t>(missing), '0'));
  result.append(text.slice(sign, text.size()));
  return Value::string(std::move(result));
}

const Methods& string_methods_table() {
  static const Methods methods = {
      {"strip", [](Interpreter& i, const Value& s,
                   const Arguments& a) { return strip(i, s, a, true, true); }},
      {"lstrip", [](Interpreter& i, const Value& s,
                    const Arguments& a) { return strip(i, s, a, true, false); }},
      {"rstrip", [](Interpreter& i, const Value& s,
                    const Arguments& a) { return strip(i, s, a, false, true); }},
      {"split",
       [](Interpreter& i, const Value& s, const Arguments& a) { return split(i, s, a, false); }},
      {"rsplit",
       [](Interpreter& i, const Value& s, const Arguments& a) { return split(i, s, a, true); }},
      {"splitlines", split_lines},
      {"partition", [](Interpreter& i, const Value& s,
                       const Arguments& a) { return partition(i, s, a, false); }},
      {"rpartition",
       [](Interpreter& i, const Value& s, const Arguments& a) { return partition(i, s, a, true); }},
      {"startswith",
       [](Interpreter& i, const Value& s, const Arguments& a) { return has_affix(i, s, a, true); }},
      {"endswith", [](Interpreter& i, const Value& s,
                      const Arguments& a) { return has_affix(i, s, a, false); }},
      {"find", [](Interpreter& i, const Value& s,
                  const Arguments& a) { return find(i, s, a, false, false); }},
      {"rfind", [](Interpreter& i, const Value& s,
                   const Arguments& a) { return find(i, s, a, true, false); }},
      {"index", [](Interpreter& i, const Value& s,
                   const Arguments& a) { return find(i, s, a, false, true); }},
      {"rindex", [](Interpreter& i, const Value& s,
                    const Arguments& a) { return find(i, s, a, true, true); }},
      {"ljust",
       [](Interpreter& i, const Value& s, const Arguments& a) { return pad(i, s, a, -1); }},
      {"rjust", [](Interpreter& i, const Value& s, const Arguments& a) { return pad(i, s, a, 1); }},
      {"center",
       [](Interpreter& i, const Value& s, const Arguments& a) { return pad(i, s, a, 0); }},
      {"removeprefix",
       [](Interpreter&, const Value& s, const Arguments& a) { return remove_affix(s, a, true); }},
      {"removesuffix",
       [](Interpreter&, const Value& s, const Arguments& a) { return remove_affix(s, a, false); }},
      {"zfill", [](Interpreter&, const Value& s, const Arguments& a) { return zero_fill(s, a); }},
      {"replace", replace},
      {"join", join},
      {"count", count},
      {"format", brace_format},
  };
  return methods;
}

}  // namespace

Method find_string_method(std::string_view name) {
  const auto found = string_methods_table().find(name);
  return found == string_methods_table().end() ? nullptr : found->second;
}

}  // namespace finstill::text::jinja
