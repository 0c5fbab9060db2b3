// Dates for strftime_now: our own formatting, so that neither locale nor time zone of the machine
// can change a prompt.

#include "text/jinja_interpreter.h"

#include "base/error.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace finstill::text::jinja {

namespace {

constexpr std::array<const char*, 12> months = {"January",   "February", "March",    "April",
                                                "May",       "June",     "July",     "August",
                                                "September", "October",  "November", "December"};
constexpr std::array<const char*, 7> days = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                             "Thursday", "Friday", "Saturday"};

bool is_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int days_in_month(int year, int month) {
  constexpr std::array<int, 12> lengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : lengths[static_cast<std::size_t>(month - 1)];
}

int day_of_year(const DateTime& date) {
  int day = date.day;
  for (int month = 1; month < date.month; ++month) day += days_in_month(date.year, month);
  return day;
}

/// 0 is Sunday; Sakamoto's rule for the Gregorian calendar.
int weekday(const DateTime& date) {
  constexpr std::array<int, 12> shifts = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
  const int year = date.month < 3 ? date.year - 1 : date.year;
  return (year + year / 4 - year / 100 + year / 400 +
          shifts[static_cast<std::size_t>(date.month - 1)] + date.day) %
         7;
}

std::string format_field(const DateTime& date, char field) {
  const auto month = months[static_cast<std::size_t>(date.month - 1)];
  const auto day = days[static_cast<std::size_t>(weekday(date))];
  const int hour12 = date.hour % 12 == 0 ? 12 : date.hour % 12;
  switch (field) {
    case 'Y':
      return fmt::format("{:04}", date.year);
    case 'y':
      return fmt::format("{:02}", date.year % 100);
    case 'm':
      return fmt::format("{:02}", date.month);
    case 'd':
      return fmt::format("{:02}", date.day);
    case 'e':
      return fmt::format("{:2}", date.day);
    case 'H':
      return fmt::format("{:02}", date.hour);
    case 'I':
      return fmt::format("{:02}", hour12);
    case 'M':
      return fmt::format("{:02}", date.minute);
    case 'S':
      return fmt::format("{:02}", date.second);
    case 'f':
      return "000000";
    case 'p':
      return date.hour < 12 ? "AM" : "PM";
    case 'B':
      return month;
    case 'b':
    case 'h':
      return std::string(month, 3);
    case 'A':
      return day;
    case 'a':
      return std::string(day, 3);
    case 'w':
      return fmt::to_string(weekday(date));
    case 'u':
      return fmt::to_string(weekday(date) == 0 ? 7 : weekday(date));
    case 'j':
      return fmt::format("{:03}", day_of_year(date));
    case 'F':
      return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
    case 'T':
      return fmt::format("{:02}:{:02}:{:02}", date.hour, date.minute, date.second);
    case 'R':
      return fmt::format("{:02}:{:02}", date.hour, date.minute);
    case 'D':
      return fmt::format("{:02}/{:02}/{:02}", date.month, date.day, date.year % 100);
    case 'Z':
    case 'z':
      return "";
    case '%':
      return "%";
    default:
      throw Failure(fmt::format("strftime_now does not know %{}", field));
  }
}

}  // namespace

std::string format_date(const DateTime& date, std::string_view format) {
  std::string result;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      result += format[i];
      continue;
    }
    // "%-d" is "%d" without leading zeros.
    const bool bare = format[i + 1] == '-' && i + 2 < format.size();
    i += bare ? 2 : 1;
    std::string field = format_field(date, format[i]);
    if (bare) field.erase(0, std::min(field.find_first_not_of("0 "), field.size() - 1));
    result += field;
  }
  return result;
}

DateTime parse_date(std::string_view text) {
  DateTime date;
  const auto refuse = [text] {
    base::fail(base::ExitCode::config, "'{}' is no date: write 2025-01-15 or 2025-01-15T09:30:00",
               text);
  };
  const auto number = [&](std::size_t at, std::size_t length, int low, int high) {
    int value = 0;
    if (at + length > text.size()) refuse();
    const auto result = std::from_chars(text.data() + at, text.data() + at + length, value);
    if (result.ec != std::errc() || result.ptr != text.data() + at + length || value < low ||
        value > high)
      refuse();
    return value;
  };
  const auto separator = [&](std::size_t at, char expected) {
    if (at >= text.size() || text[at] != expected) refuse();
  };
  date.year = number(0, 4, 1, 9999);
  separator(4, '-');
  date.month = number(5, 2, 1, 12);
  separator(7, '-');
  date.day = number(8, 2, 1, days_in_month(date.year, date.month));
  if (text.size() > 10) {
    separator(10, 'T');
    date.hour = number(11, 2, 0, 23);
    separator(13, ':');
    date.minute = number(14, 2, 0, 59);
    separator(16, ':');
    date.second = number(17, 2, 0, 59);
    if (text.size() != 19) refuse();
  }
  return date;
}

}  // namespace finstill::text::jinja
