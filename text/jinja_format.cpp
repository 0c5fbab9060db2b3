// `'%s' % x` and `'{}'.format(x)`.

#include "text/jinja_interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace finstill::text::jinja {

using Kind = Value::Kind;

namespace {

constexpr int longest_number = 4096;  ///< characters of a width or a precision

/// Whether `flags` is what stands between % and the letter of a number: signs, a width, a
/// precision.
bool are_number_flags(std::string_view flags) {
  std::size_t at = std::min(flags.find_first_not_of("-+ 0"), flags.size());
  const auto read_count = [&flags, &at] {
    int count = 0;
    for (; at < flags.size() && flags[at] >= '0' && flags[at] <= '9'; ++at)
      count = std::min(count * 10 + (flags[at] - '0'), longest_number + 1);
    return count;
  };
  if (read_count() > longest_number) return false;
  if (at < flags.size() && flags[at] == '.') {
    ++at;
    if (read_count() > longest_number) return false;
  }
  return at == flags.size();
}

/// int() of what %d writes.
long long integer_to_write(const Value& value, char type) {
  if (!value.is(Kind::real)) return to_integer(value, "a number");
  const double number = value.number();
  if (type == 'x' || type == 'X')
    throw Failure(fmt::format("TypeError: %{} format: an integer is required, not float", type));
  if (std::isnan(number)) throw Failure("ValueError: cannot convert float NaN to integer");
  if (std::isinf(number)) throw Failure("OverflowError: cannot convert float infinity to integer");
  if (std::abs(number) >= 9.2e18)
    throw Failure("OverflowError: an integer does not fit into 64 bits");
  return static_cast<long long>(number);
}

/// What %d, %x, %f and their like write; throws Failure for what Python refuses or prints otherwise
/// than C does.
std::string format_number(const std::string& flags, char type, const Value& value) {
  if (!are_number_flags(flags)) throw Failure("ValueError: unsupported format");
  char buffer[3 * longest_number];  // a double has up to 309 digits before its point
  int written = 0;
  if (std::string_view("dixX").find(type) != std::string_view::npos) {
    const long long number = integer_to_write(value, type);
    if (number < 0 && (type == 'x' || type == 'X'))
      throw Failure(fmt::format("a negative number for %{} is not supported", type));
    written = std::snprintf(buffer, sizeof buffer, ("%" + flags + "ll" + type).c_str(), number);
  } else {
    written = std::snprintf(buffer, sizeof buffer, ("%" + flags + type).c_str(), value.number());
  }
  if (written < 0 || written >= static_cast<int>(sizeof buffer))
    throw Failure("ValueError: unsupported format");
  return std::string(buffer, static_cast<std::size_t>(written));
}

}  // namespace

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
    interpreter.budget().charge_items(arguments.named.size());
    const Value* value = arguments.find(index, field);
    if (value == nullptr)
      throw Failure(fmt::format("str.format has no argument for {{{}}}", field));
    interpreter.charge_text(*value);
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
  budget.charge_text(format);
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
      const TrackedText text = type == 's' ? to_text(value, budget) : to_repr(value, budget);
      budget.charge_text(text);
      result.append(text);
    } else if (std::string_view("dixXfeEgG").find(type) != std::string_view::npos &&
               value.is_number()) {
      const std::string number = format_number(flags, type, value);
      budget.charge_bytes(number.size());
      result.append(number);
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
