#pragma once

// The truth of a reconciliation: the same fund in two books, the custodian's and the manager's.
// Breaks are always worked out from the two books, by the generator's tests and by the verifier
// alike; nothing stores them.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tasks/answer.h"

namespace finstill::tasks::reconciliation {

/// Kinds of break. The first six exist at every level.
enum class BreakType {
  missing,   ///< a position of the custodian that the manager does not have
  extra,     ///< a position of the manager that the custodian does not have
  quantity,  ///< quantities differ
  price,     ///< prices differ
  fee,       ///< the fee line differs
  unit,      ///< the manager's price is in hundredths: exactly 100 times the custodian's
  sign,      ///< the manager's quantity has the other sign
  stale,     ///< the manager's price is the custodian's price of the day before
  value,     ///< quantity and price agree, the market values do not
  accrual,   ///< the accrued interest line differs
};
inline constexpr int break_type_count = 10;

/// "missing", "extra", ...
std::string_view break_type_name(BreakType type);
std::optional<BreakType> break_type_from_name(std::string_view name);

struct Position {
  std::string key;    ///< the security; equal in both books
  std::string shown;  ///< how this book writes it: the key, or an alias of it
  Figure quantity = 0, price = 0;
  Figure previous = 0;  ///< price of the day before, 0 where the level has none
  Figure value = 0;     ///< market value as the book states it
};

struct Book {
  std::vector<Position> positions;  ///< in the order of the table
  Figure fee = 0;
  Figure accrued = 0;
};

struct Truth {
  Book custodian, manager;
};

struct Break {
  BreakType type{};
  std::string key;  ///< "" for fee and accrual
  /// The two figures in dispute (quantity for missing and extra, with 0 on the side that lacks the
  /// position).
  Figure custodian = 0, manager = 0;

  friend bool operator==(const Break&, const Break&) = default;
};

/// Every break, positions in the custodian's order, extra ones in the manager's, then fee, then
/// accrual. One position may have several. Empty = the books agree.
std::vector<Break> find_breaks(const Truth& truth);

base::Json truth_to_json(const Truth& truth);
/// Throws Error(data) for a missing field, a key that is there twice or a figure out of range;
/// `where` begins the message.
Truth truth_from_json(const base::Json& json, std::string_view where);

/// The key in its one form: upper-case, without "-", ".", "/", spaces and "#", letters before
/// digits
/// ("47-k" = "K47"). "" for what is no run of letters and one of digits, in either order.
std::string canonical_key(std::string_view written);

}  // namespace finstill::tasks::reconciliation
