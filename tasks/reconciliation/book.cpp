#include "tasks/reconciliation/book.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace finstill::tasks::reconciliation {
namespace {

constexpr std::array<std::string_view, break_type_count> type_names = {
    "missing", "extra", "quantity", "price", "fee", "unit", "sign", "stale", "value", "accrual"};
/// Figures of a book stay below this size (10^10 units), so that differences and products of checks
/// cannot overflow.
constexpr Figure largest = Figure{10'000'000'000} * figure_one;

const Position* find(const Book& book, std::string_view key) {
  const auto at = std::find_if(book.positions.begin(), book.positions.end(),
                               [&](const Position& position) { return position.key == key; });
  return at == book.positions.end() ? nullptr : &*at;
}

void compare(const Position& ours, const Position& theirs, std::vector<Break>& breaks) {
  const bool same_quantity = ours.quantity == theirs.quantity,
             same_price = ours.price == theirs.price;
  if (!same_quantity) {
    const bool turned = ours.quantity == -theirs.quantity;
    breaks.push_back(
        {turned ? BreakType::sign : BreakType::quantity, ours.key, ours.quantity, theirs.quantity});
  }
  if (!same_price) {
    const bool stale = ours.previous != 0 && theirs.price == ours.previous;
    const BreakType type = theirs.price == 100 * ours.price ? BreakType::unit
                           : stale                          ? BreakType::stale
                                                            : BreakType::price;
    breaks.push_back({type, ours.key, ours.price, theirs.price});
  }
  if (same_quantity && same_price && ours.value != theirs.value) {
    breaks.push_back({BreakType::value, ours.key, ours.value, theirs.value});
  }
}

base::Json book_to_json(const Book& book) {
  base::Json json;
  json["positions"] = base::Json::array();
  for (const Position& position : book.positions) {
    json["positions"].push_back({{"key", position.key},
                                 {"shown", position.shown},
                                 {"quantity", write_figure(position.quantity)},
                                 {"price", write_figure(position.price)},
                                 {"previous", write_figure(position.previous)},
                                 {"value", write_figure(position.value)}});
  }
  json["fee"] = write_figure(book.fee);
  json["accrued"] = write_figure(book.accrued);
  return json;
}

Figure figure_from_json(const base::Json& object, std::string_view key, std::string_view where) {
  const auto value = parse_figure(base::json_string(object, key, where));
  if (!value || *value > largest || *value < -largest) {
    base::fail(base::ExitCode::data,
               "{}: \"{}\" is not a figure of at most 10 digits before and 4 after the point",
               where, key);
  }
  return *value;
}

Book book_from_json(const base::Json& json, std::string_view where) {
  if (!json.is_object() || !json.contains("positions") || !json["positions"].is_array()) {
    base::fail(base::ExitCode::data, "{}: a book is an object with \"positions\"", where);
  }
  Book book;
  std::set<std::string> seen;
  for (const base::Json& row : json["positions"]) {
    if (!row.is_object()) base::fail(base::ExitCode::data, "{}: a position is an object", where);
    Position position;
    position.key = base::json_string(row, "key", where);
    position.shown = base::json_string(row, "shown", where);
    position.quantity = figure_from_json(row, "quantity", where);
    position.price = figure_from_json(row, "price", where);
    position.previous = figure_from_json(row, "previous", where);
    position.value = figure_from_json(row, "value", where);
    if (position.key.empty() || !seen.insert(position.key).second) {
      base::fail(base::ExitCode::data, "{}: the key \"{}\" is empty or there twice", where,
                 position.key);
    }
    book.positions.push_back(std::move(position));
  }
  book.fee = figure_from_json(json, "fee", where);
  book.accrued = figure_from_json(json, "accrued", where);
  return book;
}

}  // namespace

std::string_view break_type_name(BreakType type) {
  return type_names[static_cast<std::size_t>(type)];
}

std::optional<BreakType> break_type_from_name(std::string_view name) {
  const auto at = std::find(type_names.begin(), type_names.end(), name);
  if (at == type_names.end()) return std::nullopt;
  return static_cast<BreakType>(at - type_names.begin());
}

std::vector<Break> find_breaks(const Truth& truth) {
  std::vector<Break> breaks;
  for (const Position& ours : truth.custodian.positions) {
    if (const Position* theirs = find(truth.manager, ours.key)) {
      compare(ours, *theirs, breaks);
    } else {
      breaks.push_back({BreakType::missing, ours.key, ours.quantity, 0});
    }
  }
  for (const Position& theirs : truth.manager.positions) {
    if (find(truth.custodian, theirs.key) == nullptr) {
      breaks.push_back({BreakType::extra, theirs.key, 0, theirs.quantity});
    }
  }
  if (truth.custodian.fee != truth.manager.fee) {
    breaks.push_back({BreakType::fee, "", truth.custodian.fee, truth.manager.fee});
  }
  if (truth.custodian.accrued != truth.manager.accrued) {
    breaks.push_back({BreakType::accrual, "", truth.custodian.accrued, truth.manager.accrued});
  }
  return breaks;
}

base::Json truth_to_json(const Truth& truth) {
  base::Json json;
  json["custodian"] = book_to_json(truth.custodian);
  json["manager"] = book_to_json(truth.manager);
  return json;
}

Truth truth_from_json(const base::Json& json, std::string_view where) {
  if (!json.is_object() || !json.contains("custodian") || !json.contains("manager")) {
    base::fail(base::ExitCode::data, "{}: the truth needs \"custodian\" and \"manager\"", where);
  }
  return {book_from_json(json["custodian"], fmt::format("{}: custodian", where)),
          book_from_json(json["manager"], fmt::format("{}: manager", where))};
}

std::string canonical_key(std::string_view written) {
  std::string letters, digits;
  enum class Kind { none, letter, digit } last = Kind::none;
  for (const char c : written) {
    const bool is_digit = c >= '0' && c <= '9', is_small = c >= 'a' && c <= 'z';
    if (!is_digit && !is_small && !(c >= 'A' && c <= 'Z')) {
      if (std::string_view("-./ #").find(c) == std::string_view::npos) return "";
      last = Kind::none;
      continue;
    }
    const Kind kind = is_digit ? Kind::digit : Kind::letter;
    std::string& run = is_digit ? digits : letters;
    if (kind != last && !run.empty()) return "";
    run += is_small ? static_cast<char>(c - 'a' + 'A') : c;
    last = kind;
  }
  return letters.empty() || digits.empty() ? "" : letters + digits;
}

}  // namespace finstill::tasks::reconciliation
