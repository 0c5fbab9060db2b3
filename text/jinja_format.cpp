// `'%s' % x` and `'{}'.format(x)`.

#include "text/jinja_interpreter.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace finstill::text::jinja {

using Kind = Value::Kind;

Value brace_format(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const TrackedText& text = self.text();
  TrackedText result;
  std::size_t kept = 0, next = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text.view()[at];
    if (c != '{' && c != '}') continue;
    result.append(text.slice(kept, at));
    interpreter.budget().charge();
    if (at + 1 < text.size() && text.view()[at + 1] == c) {
      result.append(text.slice(at, at + 1));
      kept = ++at + 1;
      continue;
    }
    const std::size_t end = c == '{' ? text.view().find('}', at) : std::string_view::npos;
    if (end == std::string_view::npos)
      throw Failure("ValueError: a single brace in a format string");
    const std::string field(text.view().substr(at + 1, end - at - 1));
    const bool number = !field.empty() && field.size() < 6 &&
                        field.find_first_not_of("0123456789") == std::string::npos;
    const std::size_t index = field.empty() ? next++
                              : number      ? std::stoul(field)
                                            : arguments.positional.size();
    const Value* value = arguments.find(index, field);
    if (value == nullptr)
      throw Failure(fmt::format("str.format has no argument for {{{}}}", field));
    result.append(to_text(*value, interpreter.budget()));
    if (result.size() > max_text) throw Failure("a string is longer than 8 MiB");
    kept = end + 1;
    at = end;
  }
  result.append(text.slice(kept, text.size()));
  return Value::string(std::move(result));
}

Value percent_format(const TrackedText& format, const std::vector<Value>& values, Budget& budget) {
  TrackedText result;
  std::size_t next = 0, kept = 0;
  for (std::size_t at = format.view().find('%'); at != std::string_view::npos;
       at = format.view().find('%', kept)) {
    budget.charge();
    result.append(format.slice(kept, at));
    std::size_t end = at + 1;
    while (end < format.size() &&
           std::string_view("0123456789.-+ ").find(format.view()[end]) != std::string_view::npos)
      ++end;
    if (end >= format.size() || end - at > 12) throw Failure("ValueError: incomplete format");
    const std::string flags(format.view().substr(at + 1, end - at - 1));
    const char type = format.view()[end];
    kept = end + 1;
    if (type == '%') {
      result.append("%");
      continue;
    }
    if (next >= values.size()) throw Failure("TypeError: not enough arguments for format string");
    const Value& value = values[next++];
    if (type == 's' || type == 'r') {
      if (!flags.empty()) throw Failure("a width for %s is not supported");
      result.append(type == 's' ? to_text(value, budget) : to_repr(value, budget));
    } else if (std::string_view("dixXfeEgG").find(type) != std::string_view::npos &&
               value.is_number()) {
      if (flags.find_first_not_of("0123456789.-+ ") != std::string::npos ||
          std::atoi(flags.c_str()) > 4096)
        throw Failure("ValueError: unsupported format");
      const bool integral = std::string_view("dixX").find(type) != std::string_view::npos;
      char buffer[8192];
      int written = 0;
      if (integral) {
        const auto number = value.is(Kind::real)
                                ? static_cast<long long>(std::clamp(value.number(), -9e18, 9e18))
                                : to_integer(value, "a number");
        written = std::snprintf(buffer, sizeof buffer, ("%" + flags + "ll" + type).c_str(),
                                static_cast<long long>(number));
      } else {
        written =
            std::snprintf(buffer, sizeof buffer, ("%" + flags + type).c_str(), value.number());
      }
      if (written < 0 || written >= static_cast<int>(sizeof buffer))
        throw Failure("ValueError: unsupported format");
      result.append(std::string_view(buffer, static_cast<std::size_t>(written)));
    } else {
      throw Failure(
          fmt::format("TypeError: unsupported format %{} for {}", type, value.type_name()));
    }
    if (result.size() > max_text) throw Failure("a string is longer than 8 MiB");
  }
  if (next < values.size())
    throw Failure("TypeError: not all arguments converted during string formatting");
  result.append(format.slice(kept, format.size()));
  return Value::string(std::move(result));
}

}  // namespace finstill::text::jinja
