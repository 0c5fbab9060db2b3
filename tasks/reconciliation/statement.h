#pragma once

// The answer of a reconciliation, one line each:
//
//   matched                     nothing differs (form `breaks` only)
//   K47 =                       this position agrees (form `verdicts`)
//   K47 quantity 40 45          type, the custodian's figure, the manager's figure
//   K47 40 45 quantity 12 12    the same in form `pairs`: for each column the custodian's figure
//   and
//                               the manager's, and the type where they differ
//   K47 missing 40              only the custodian has it; its quantity
//   B12 extra 7                 only the manager has it; its quantity
//   fee =  /  fee 12 15         the fee line;  accrued likewise
//
// In Chinese: 一致, 数量, 缺失, ... Both languages are read for every example; keys in any of their
// forms. Fields are apart by spaces, tabs, commas or "|"; lines also by ";". A line may end in a
// full stop, and its figures may have thousands separators where more than commas part the fields.

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/reconciliation/book.h"

namespace finstill::tasks::reconciliation {

/// Both sides' figures of one column, shown without a break.
struct Shown {
  std::string row;         ///< as in Statement::agreed
  std::size_t column = 0;  ///< of a position: quantity, price, value
  Figure custodian = 0, manager = 0;
};

/// What an answer says.
struct Statement {
  std::vector<Break> breaks;     ///< in the answer's order, without repeats
  std::set<std::string> agreed;  ///< keys said to agree; "fee" and "accrued" for those lines
  std::vector<Shown> shown;      ///< of lines with pairs, agreed or not
  std::string fault;             ///< why the answer could not be read; "" when it could
};

Statement parse_statement(std::string_view answer);

/// How much of its work an answer shows.
enum class AnswerForm {
  pairs,     ///< every row with both sides' figures: each token follows from its neighbours
  verdicts,  ///< every row with a verdict
  breaks     ///< what differs alone, or "matched"
};
/// "pairs", "verdicts" or "breaks"; anything else is a programming error.
AnswerForm answer_form(std::string_view name);

/// Writes the true answer. `value` and `accrued` say whether the books show market values and a
/// line of accrued interest.
std::string write_statement(const Truth& truth, std::string_view language, AnswerForm form,
                            bool value, bool accrued);

/// "quantity 40 45" in one language: what follows the key.
std::string write_break(const Break& found, std::string_view language);

/// The word for a break type, and for the fee and accrued interest lines of a table, in a language.
std::string_view type_word(BreakType type, std::string_view language);
std::string_view fee_word(std::string_view language);
std::string_view accrued_word(std::string_view language);

/// Cuts a line at blanks, commas, ";" and "|"; empty fields are dropped. A comma stays in its field
/// where it groups the digits of a figure ("1,234.5"), unless commas alone part the fields.
std::vector<std::string> split_fields(std::string_view line);

}  // namespace finstill::tasks::reconciliation
