#include "tasks/reconciliation/render.h"

#include "tasks/reconciliation/statement.h"

#include "base/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace finstill::tasks::reconciliation {
namespace {

struct Heads {
  std::string custodian, manager;
};

const std::vector<Heads>& heads(std::string_view language, Split split) {
  static const std::vector<Heads> english[] = {
      {{"Custodian", "Manager"}, {"Bank", "Fund"}, {"Ledger A", "Ledger B"}},
      {{"Depositary", "Portfolio"}},
      {{"Trustee", "Adviser"}, {"Book 1", "Book 2"}}};
  static const std::vector<Heads> chinese[] = {{{"托管", "管理人"}, {"甲方", "乙方"}},
                                               {{"托管行", "投资方"}},
                                               {{"银行", "基金"}, {"账一", "账二"}}};
  return (language == "zh" ? chinese : english)[static_cast<std::size_t>(split)];
}

const std::vector<std::string>& separators(Split split) {
  static const std::vector<std::string> marks[] = {{",", "|", "\t"}, {", "}, {";", " | "}};
  return marks[static_cast<std::size_t>(split)];
}

std::string column_names(const Shape& shape, const Style& style, std::string_view language,
                         bool custodian) {
  std::vector<std::string> names = language == "zh"
                                       ? std::vector<std::string>{"代码", "数量", "价格"}
                                       : std::vector<std::string>{"code", "quantity", "price"};
  if (shape.with_value) names.push_back(language == "zh" ? "市值" : "value");
  if (shape.with_previous && custodian) names.push_back(language == "zh" ? "前日价" : "previous");
  return fmt::format("{}\n", fmt::join(names, style.separator));
}

std::string write_book(const Book& book, const Shape& shape, const Style& style,
                       std::string_view language, bool custodian) {
  std::string text;
  if (shape.with_value) text += column_names(shape, style, language, custodian);
  for (const Position& position : book.positions) {
    std::vector<std::string> cells = {position.shown, write_figure(position.quantity),
                                      write_figure(position.price)};
    if (shape.with_value) cells.push_back(write_figure(position.value));
    if (shape.with_previous && custodian) cells.push_back(write_figure(position.previous));
    text += fmt::format("{}\n", fmt::join(cells, style.separator));
  }
  text += fmt::format("{}{}{}\n", fee_word(language), style.separator, write_figure(book.fee));
  if (shape.with_accrued) {
    text += fmt::format("{}{}{}\n", accrued_word(language), style.separator,
                        write_figure(book.accrued));
  }
  return text;
}

/// Reads one line of a table into the book; false when it is none.
bool read_row(std::string_view line, const Shape& shape, bool custodian, Book& book) {
  // A blank inside an alias ("K 47") would split it; such a row is read by its last columns.
  std::vector<std::string> fields = split_fields(line);
  const std::size_t columns =
      3 + (shape.with_value ? 1 : 0) + (shape.with_previous && custodian ? 1 : 0);
  std::vector<Figure> figures;
  const std::size_t key_fields = fields.size() == 2        ? 1
                                 : fields.size() < columns ? 0
                                                           : fields.size() - columns + 1;
  if (key_fields == 0) return false;
  for (std::size_t at = key_fields; at < fields.size(); ++at) {
    const auto figure = parse_figure(fields[at]);
    if (!figure) return false;
    figures.push_back(*figure);
  }
  if (fields.size() == 2) {
    const bool is_fee = fields[0] == fee_word("en") || fields[0] == fee_word("zh");
    (is_fee ? book.fee : book.accrued) = figures[0];
    return true;
  }
  std::string key = fields[0];
  for (std::size_t at = 1; at < key_fields; ++at) key += " " + fields[at];
  Position position{.key = key, .shown = key, .quantity = figures[0], .price = figures[1]};
  if (shape.with_value) position.value = figures[2];
  if (shape.with_previous && custodian) position.previous = figures.back();
  book.positions.push_back(std::move(position));
  return true;
}

/// With a place for the list of break types.
std::string_view full_instruction(AnswerForm form, bool zh) {
  switch (form) {
    case AnswerForm::pairs:
      return zh ? "核对两份估值表。每行写：代码，再逐列写左值 右值；不同时其后写类型，类型为 "
                  "{}。只在一方的持仓写：代码 类型 数量。费用写：费用 左值 右值。"
                : "Compare the two valuation tables. Write for every row its code, then for each "
                  "column the first and the second figure, and where they differ the type, one of "
                  "{}. A position that one side lacks: code type quantity. The fee: fee first "
                  "second.";
    case AnswerForm::verdicts:
      return zh ? "核对两份估值表。每行一个结论，相同写 =。差异写作：代码 类型 左值 "
                  "右值；类型为 {}。费用不同写作：费用 左值 右值。"
                : "Compare the two valuation tables. Write one line for every row, with = where it "
                  "agrees. A break is written: code type first second, the type one of {}. A fee "
                  "that differs: fee first second.";
    case AnswerForm::breaks:
      break;
  }
  return zh ? "核对两份估值表。没有差异只写：一致。差异写作：代码 类型 左值 右值；类型为 "
              "{}。费用不同写作：费用 左值 右值。"
            : "Compare the two valuation tables. Write only the breaks, or the word matched. A "
              "break is written: code type first second, the type one of {}. A fee that differs: "
              "fee first second.";
}

}  // namespace

Style draw_style(std::string_view language, Split split, std::uint64_t seed, std::uint64_t index) {
  base::Random random(seed, fmt::format("reconciliation/style/{}", split_name(split)), index);
  const Heads& chosen = random.pick(heads(language, split));
  return {.custodian_head = chosen.custodian,
          .manager_head = chosen.manager,
          .separator = random.pick(separators(split))};
}

std::string write_tables(const Truth& truth, const Shape& shape, const Style& style,
                         std::string_view language) {
  std::string text =
      fmt::format("{}:\n{}{}:\n{}", style.custodian_head,
                  write_book(truth.custodian, shape, style, language, true), style.manager_head,
                  write_book(truth.manager, shape, style, language, false));
  text.pop_back();
  return text;
}

std::string instruction_text(const Config& config, std::string_view language) {
  if (config.instruction == "none") return "";
  const bool zh = language == "zh";
  const AnswerForm form = answer_form(config.answer);
  if (config.instruction == "short") {
    if (form == AnswerForm::breaks) return zh ? "找出差异。" : "Find the breaks.";
    return zh ? "逐行核对。" : "Check each row.";
  }
  std::vector<std::string_view> types;
  for (const BreakType type : shape_of(config).types) {
    if (type != BreakType::fee && type != BreakType::accrual)
      types.push_back(type_word(type, language));
  }
  return fmt::format(fmt::runtime(full_instruction(form, zh)), fmt::join(types, zh ? "、" : ", "));
}

std::optional<Truth> read_tables(std::string_view text, const Shape& shape) {
  Truth truth;
  Book* book = nullptr;
  bool after_head = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with(":")) {
      if (book == &truth.manager) return std::nullopt;
      book = book == nullptr ? &truth.custodian : &truth.manager;
      after_head = true;
      continue;
    }
    if (book == nullptr) return std::nullopt;
    const bool names = after_head && shape.with_value;
    after_head = false;
    if (names) continue;
    if (!read_row(line, shape, book == &truth.custodian, *book)) return std::nullopt;
  }
  if (book != &truth.manager) return std::nullopt;
  return truth;
}

}  // namespace finstill::tasks::reconciliation
