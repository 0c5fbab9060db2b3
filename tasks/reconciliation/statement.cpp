#include "tasks/reconciliation/statement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>

namespace finstill::tasks::reconciliation {
namespace {

using enum BreakType;

constexpr std::array<std::string_view, break_type_count> chinese = {
    "缺失", "多出", "数量", "价格", "费用", "单位", "方向", "旧价", "市值", "应计"};

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool says_agreed(std::string_view word) {
  return is_one_of(word, {"=", "ok", "matched", "一致"});
}

std::optional<BreakType> read_type(std::string_view word) {
  const auto at = std::find(chinese.begin(), chinese.end(), word);
  if (at != chinese.end()) return static_cast<BreakType>(at - chinese.begin());
  return break_type_from_name(word);
}

std::string lower(std::string_view word) {
  std::string small(word);
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return small;
}

bool names_line(std::string_view word, BreakType type) {
  return type == fee ? is_one_of(word, {"fee", "费用"})
                     : is_one_of(word, {"accrued", "accrual", "应计"});
}

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const auto first = std::min(text.find_first_not_of(blanks), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

/// Whether a field so far may be the digits before a thousands separator: no key has it.
bool ends_as_figure(std::string_view field) {
  const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  return !field.empty() && field.back() >= '0' && field.back() <= '9' &&
         std::none_of(field.begin(), field.end(), is_letter);
}

/// A key has letters and digits and nothing that a figure has.
bool is_key(std::string_view word) {
  const std::string key = canonical_key(word);
  return !key.empty() && key.front() > '9' && key.back() <= '9' && word.size() <= 32;
}

struct Line {
  std::vector<std::string> fields;
  std::vector<Figure> figures;  ///< of the fields from `from` on

  bool read_figures(std::size_t from, std::size_t least, std::size_t most) {
    if (fields.size() < from + least || fields.size() > from + most) return false;
    for (std::size_t at = from; at < fields.size(); ++at) {
      const auto figure = parse_figure(fields[at]);
      if (!figure) return false;
      figures.push_back(*figure);
    }
    return true;
  }
};

void add(Statement& statement, const Break& found) {
  if (std::find(statement.breaks.begin(), statement.breaks.end(), found) ==
      statement.breaks.end()) {
    statement.breaks.push_back(found);
  }
}

/// Whether a break of this type stands in column `column`: quantity, price, value.
bool belongs_to_column(BreakType type, std::size_t column) {
  switch (column) {
    case 0:
      return type == quantity || type == sign;
    case 1:
      return type == price || type == unit || type == stale;
    default:
      return type == value;
  }
}

/// Reads "40 45 quantity 12 12" after a key; false when it is no row of pairs. A market value may
/// differ without a word where quantity or price differ already.
bool read_pairs(const Line& line, const std::string& key, Statement& statement) {
  std::size_t at = 1, column = 0;
  bool differs = false;
  for (; at < line.fields.size(); ++column) {
    if (column == 3 || at + 1 >= line.fields.size()) return false;
    const auto ours = parse_figure(line.fields[at]), theirs = parse_figure(line.fields[at + 1]);
    if (!ours || !theirs) return false;
    at += 2;
    const auto type = at < line.fields.size() ? read_type(lower(line.fields[at])) : std::nullopt;
    const bool follows = column == 2 && differs;
    if (type) {
      if (*ours == *theirs || !belongs_to_column(*type, column)) return false;
      add(statement, {*type, key, *ours, *theirs});
      differs = true;
      ++at;
    } else if (*ours == *theirs || follows) {
      statement.shown.push_back({key, column, *ours, *theirs});
    } else {
      return false;
    }
  }
  if (column < 2) return false;
  if (!differs) statement.agreed.insert(key);
  return true;
}

/// Reads one line into the statement; false when it is none of the forms.
bool read_line(Line line, Statement& statement) {
  const std::string first = lower(line.fields[0]);
  if (line.fields.size() == 1) return says_agreed(first) && first != "=";
  const std::string second = lower(line.fields[1]);
  for (const BreakType type : {fee, accrual}) {
    if (!names_line(first, type)) continue;
    const std::string row = type == fee ? "fee" : "accrued";
    if (line.fields.size() == 2 && says_agreed(second)) {
      statement.agreed.insert(row);
      return true;
    }
    if (!line.read_figures(1, 2, 2)) return false;
    if (line.figures[0] == line.figures[1]) {
      statement.agreed.insert(row);
      statement.shown.push_back({row, 0, line.figures[0], line.figures[1]});
    } else {
      add(statement, {type, "", line.figures[0], line.figures[1]});
    }
    return true;
  }
  if (!is_key(first)) return false;
  const std::string key = canonical_key(first);
  if (says_agreed(second)) {
    statement.agreed.insert(key);
    return line.fields.size() == 2;
  }
  if (parse_figure(second)) return read_pairs(line, key, statement);
  const auto type = read_type(second);
  if (!type || *type == fee || *type == accrual) return false;
  const bool one_sided = *type == missing || *type == extra;
  if (!line.read_figures(2, one_sided ? 1 : 2, one_sided ? 1 : 2)) return false;
  if (*type == missing)
    add(statement, {missing, key, line.figures[0], 0});
  else if (*type == extra)
    add(statement, {extra, key, 0, line.figures[0]});
  else
    add(statement, {*type, key, line.figures[0], line.figures[1]});
  return true;
}

/// Writes the lines of one answer.
struct Writer {
  std::string_view language;
  AnswerForm form;
  bool value;
  std::vector<Break> breaks;

  void position(const Position& ours, const Truth& truth, std::vector<std::string>& lines) const {
    const auto& manager = truth.manager.positions;
    const auto theirs = std::find_if(manager.begin(), manager.end(),
                                     [&](const Position& other) { return other.key == ours.key; });
    if (form == AnswerForm::pairs && theirs != manager.end()) {
      lines.push_back(pairs(ours, *theirs));
      return;
    }
    bool differs = false;
    for (const Break& found : breaks) {
      if (found.key != ours.key) continue;
      lines.push_back(fmt::format("{} {}", ours.key, write_break(found, language)));
      differs = true;
    }
    if (!differs && form == AnswerForm::verdicts) lines.push_back(fmt::format("{} =", ours.key));
  }

  std::string pairs(const Position& ours, const Position& theirs) const {
    std::string line = ours.key;
    const auto column = [&](std::size_t number, Figure a, Figure b) {
      line += fmt::format(" {} {}", write_figure(a), write_figure(b));
      for (const Break& found : breaks) {
        if (found.key == ours.key && belongs_to_column(found.type, number))
          line += fmt::format(" {}", type_word(found.type, language));
      }
    };
    column(0, ours.quantity, theirs.quantity);
    column(1, ours.price, theirs.price);
    if (value) column(2, ours.value, theirs.value);
    return line;
  }

  void figure(BreakType type, Figure ours, Figure theirs, std::vector<std::string>& lines) const {
    const auto word = type == fee ? fee_word(language) : accrued_word(language);
    if (ours != theirs || form == AnswerForm::pairs)
      lines.push_back(fmt::format("{} {} {}", word, write_figure(ours), write_figure(theirs)));
    else if (form == AnswerForm::verdicts)
      lines.push_back(fmt::format("{} =", word));
  }
};

}  // namespace

std::vector<std::string> split_fields(std::string_view line) {
  constexpr std::string_view separators = " \t,;|";
  line = without_blanks(line);
  const bool commas_alone = line.find_first_of(" \t;|") == std::string_view::npos;
  std::vector<std::string> fields(1);
  for (std::size_t at = 0; at < line.size(); ++at) {
    std::string& field = fields.back();
    const bool groups = line[at] == ',' && !commas_alone && ends_as_figure(field) &&
                        is_thousands_group(line.substr(at + 1));
    if (groups || separators.find(line[at]) == std::string_view::npos)
      field += line[at];
    else if (!field.empty())
      fields.emplace_back();
  }
  if (fields.back().empty()) fields.pop_back();
  return fields;
}

Statement parse_statement(std::string_view answer) {
  Statement statement;
  const std::string plain = normalise_answer(answer);
  std::size_t start = 0, lines = 0;
  bool said_matched = false;
  while (start < plain.size()) {
    const auto end = std::min(plain.find_first_of("\n;", start), plain.size());
    std::string_view text = without_blanks(std::string_view(plain).substr(start, end - start));
    if (text.ends_with('.')) text.remove_suffix(1);
    Line line{.fields = split_fields(text)};
    start = end + 1;
    if (line.fields.empty()) continue;
    ++lines;
    said_matched = said_matched || line.fields.size() == 1;
    if (!read_line(line, statement)) {
      statement.fault = fmt::format("line {} is not a verdict", lines);
      return statement;
    }
  }
  if (lines == 0) statement.fault = "no verdict";
  if (said_matched && lines > 1) statement.fault = "'matched' beside other lines";
  return statement;
}

std::string_view type_word(BreakType type, std::string_view language) {
  return language == "zh" ? chinese[static_cast<std::size_t>(type)] : break_type_name(type);
}

std::string_view fee_word(std::string_view language) {
  return language == "zh" ? "费用" : "fee";
}

std::string_view accrued_word(std::string_view language) {
  return language == "zh" ? "应计" : "accrued";
}

std::string write_break(const Break& found, std::string_view language) {
  const std::string ours = write_figure(found.custodian), theirs = write_figure(found.manager);
  const auto word = type_word(found.type, language);
  switch (found.type) {
    case missing:
      return fmt::format("{} {}", word, ours);
    case extra:
      return fmt::format("{} {}", word, theirs);
    case fee:
    case accrual:
      return fmt::format("{} {}", ours, theirs);
    default:
      return fmt::format("{} {} {}", word, ours, theirs);
  }
}

AnswerForm answer_form(std::string_view name) {
  assert(name == "pairs" || name == "verdicts" || name == "breaks");
  return name == "pairs"      ? AnswerForm::pairs
         : name == "verdicts" ? AnswerForm::verdicts
                              : AnswerForm::breaks;
}

std::string write_statement(const Truth& truth, std::string_view language, AnswerForm form,
                            bool value, bool accrued) {
  const Writer writer{language, form, value, find_breaks(truth)};
  if (writer.breaks.empty() && form == AnswerForm::breaks)
    return language == "zh" ? "一致" : "matched";
  std::vector<std::string> lines;
  for (const Position& ours : truth.custodian.positions) writer.position(ours, truth, lines);
  for (const Break& found : writer.breaks) {
    if (found.type == extra)
      lines.push_back(fmt::format("{} {}", found.key, write_break(found, language)));
  }
  writer.figure(fee, truth.custodian.fee, truth.manager.fee, lines);
  if (accrued) writer.figure(accrual, truth.custodian.accrued, truth.manager.accrued, lines);
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace finstill::tasks::reconciliation
