#include "tasks/reconciliation/task.h"

#include "base/signals.h"
#include "tasks/generated.h"
#include "tasks/reconciliation/generate.h"
#include "tasks/reconciliation/render.h"
#include "tasks/reconciliation/statement.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

namespace finstill::tasks::reconciliation {
namespace {

const bool registered_reconciliation = base::Registry<Task>::add<Config>(
    "reconciliation", "估值对账: find, type and quantify the breaks between two valuation tables",
    [](const Config& config) { return std::make_unique<Reconciliation>(config); });

/// 2 x common / (both sizes): 1 when both are empty. A break that is not there costs as much as a
/// miss, and so does each of `more` verdicts that are false without naming a break.
template <typename Project>
double f1(const std::vector<Break>& predicted, const std::vector<Break>& gold, std::size_t more,
          Project project) {
  std::multiset<decltype(project(gold[0]))> open;
  for (const Break& found : gold) open.insert(project(found));
  std::size_t common = 0;
  for (const Break& found : predicted) {
    if (const auto at = open.find(project(found)); at != open.end()) {
      open.erase(at);
      ++common;
    }
  }
  const std::size_t sizes = predicted.size() + gold.size() + more;
  return sizes == 0 ? 1 : 2.0 * static_cast<double>(common) / static_cast<double>(sizes);
}

/// Fee and accrual breaks have no key; their type stands in for it.
std::string place(const Break& found) {
  return found.key.empty() ? std::string(break_type_name(found.type)) : found.key;
}

std::string describe(const std::vector<Break>& breaks) {
  if (breaks.empty()) return "matched";
  std::vector<std::string> lines;
  for (const Break& found : breaks) {
    const auto figures =
        fmt::format("{} {}", write_figure(found.custodian), write_figure(found.manager));
    lines.push_back(found.key.empty()
                        ? fmt::format("{} {}", break_type_name(found.type), figures)
                        : fmt::format("{} {} {}", found.key, break_type_name(found.type), figures));
  }
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "; "));
}

/// The row that a break is a verdict on, as Statement::agreed names it.
std::string row_of(const Break& found) {
  return found.type == BreakType::accrual ? "accrued" : place(found);
}

/// A book's figures by row and column, as Shown counts them.
using Figures = std::map<std::string, std::array<Figure, 3>>;

Figures figures_of(const Book& book) {
  Figures figures = {{"fee", {book.fee}}, {"accrued", {book.accrued}}};
  for (const Position& position : book.positions)
    figures[canonical_key(position.key)] = {position.quantity, position.price, position.value};
  return figures;
}

/// The rows of `breaks` that `others` lack.
std::set<std::string> rows_beside(const std::vector<Break>& breaks,
                                  const std::vector<Break>& others) {
  std::set<std::string> rows;
  for (const Break& found : breaks) {
    if (std::find(others.begin(), others.end(), found) == others.end()) rows.insert(row_of(found));
  }
  return rows;
}

/// What is false in a statement beside its breaks, a sentence a row: that a row agrees which
/// neither book has, or which is said to differ as well; and figures that are not the books', but
/// for rows with a break missed or invented, which costs enough.
std::vector<std::string> false_verdicts(const Statement& statement, const Truth& truth,
                                        const std::vector<Break>& gold) {
  const Figures custodian = figures_of(truth.custodian), manager = figures_of(truth.manager);
  const std::set<std::string> differing = rows_beside(statement.breaks, {}),
                              missed = rows_beside(gold, statement.breaks),
                              invented = rows_beside(statement.breaks, gold);
  std::map<std::string, std::string> faults;
  for (const std::string& row : statement.agreed) {
    if (!custodian.contains(row) && !manager.contains(row))
      faults[row] = fmt::format("{} is in neither book", row);
    else if (differing.contains(row))
      faults[row] = fmt::format("{} both agrees and differs", row);
  }
  for (const Shown& shown : statement.shown) {
    const auto ours = custodian.find(shown.row), theirs = manager.find(shown.row);
    if (ours == custodian.end() || theirs == manager.end() || missed.contains(shown.row) ||
        invented.contains(shown.row))
      continue;
    const Figure a = ours->second[shown.column], b = theirs->second[shown.column];
    if (shown.custodian == a && shown.manager == b) continue;
    faults.emplace(
        shown.row,
        fmt::format("{} shows {} {} instead of {} {}", shown.row, write_figure(shown.custodian),
                    write_figure(shown.manager), write_figure(a), write_figure(b)));
  }
  std::vector<std::string> sentences;
  for (const auto& [row, sentence] : faults) sentences.push_back(sentence);
  return sentences;
}

/// The first row of the custodian's table on which a statement gives no verdict, or "".
std::string uncovered(const Statement& statement, const Truth& truth, bool accrued) {
  std::set<std::string> judged = statement.agreed, rows = {"fee"};
  for (const Break& found : statement.breaks) judged.insert(row_of(found));
  if (accrued) rows.insert("accrued");
  for (const Position& position : truth.custodian.positions) rows.insert(position.key);
  for (const std::string& row : rows) {
    if (!judged.contains(row)) return fmt::format("no verdict on {}", row);
  }
  return "";
}

std::string difference(const Grade& grade) {
  if (grade.gold == "matched")
    return fmt::format("reports {} where nothing differs", grade.predicted);
  if (grade.predicted == "matched") return fmt::format("misses {}", grade.gold);
  return fmt::format("{} instead of {}", grade.predicted, grade.gold);
}

}  // namespace

Reconciliation::Reconciliation(const Config& config) : config_(config), shape_(shape_of(config)) {
  check_languages(config.name, config.languages);
}

base::Json Reconciliation::settings() const {
  return base::write_config(config_, base::Include::results);
}

std::string Reconciliation::id_start() const {
  return marked_name(config_.name, settings(),
                     base::write_config(Config{}, base::Include::results));
}

std::vector<Example> Reconciliation::examples(Split split, std::uint64_t seed,
                                              std::int64_t count) const {
  const std::string start = id_start();
  std::vector<Example> examples;
  examples.reserve(static_cast<std::size_t>(count));
  for (std::int64_t number = 0; number < count; ++number) {
    base::check_stop();
    const auto index = static_cast<std::uint64_t>(number);
    Example example;
    example.id = example_id(start, split, seed, index);
    example.task = config_.name;
    example.split = split;
    example.language =
        draw_language(config_.languages, config_.chinese,
                      fmt::format("reconciliation/{}", split_name(split)), seed, index);
    const Truth truth = make_truth(config_, shape_, split, seed, index);
    example.input = write_tables(truth, shape_, draw_style(example.language, split, seed, index),
                                 example.language);
    example.prompt = prompt_of(instruction_text(config_, example.language), example.input);
    example.answer = write(truth, example.language);
    example.label = label_of(find_breaks(truth));
    example.truth = truth_to_json(truth);
    examples.push_back(std::move(example));
  }
  return examples;
}

std::string Reconciliation::write(const Truth& truth, std::string_view language) const {
  return write_statement(truth, language, answer_form(config_.answer), shape_.with_value,
                         shape_.with_accrued);
}

std::string Reconciliation::label_of(const std::vector<Break>& breaks) {
  if (breaks.empty()) return "matched";
  return breaks.size() == 1 ? std::string(break_type_name(breaks[0].type)) : "several";
}

Grade Reconciliation::grade(const Example& example, const Response& response) const {
  Grade grade;
  Truth truth;
  try {
    truth = truth_from_json(example.truth, example.id);
  } catch (const base::Error& error) {
    grade.outcome = Outcome::unjudgeable;
    grade.reason = error.what();
    return grade;
  }
  const std::vector<Break> gold = find_breaks(truth);
  grade.gold = describe(gold);
  grade.gold_label = label_of(gold);
  const ExtractedAnswer answer = extract_answer(response);
  Statement statement = parse_statement(answer.text);
  if (statement.fault.empty() && is_cut(answer, response.finish))
    statement.fault = "the answer did not end";
  if (statement.fault.empty() && config_.answer != "breaks") {
    statement.fault = uncovered(statement, truth, shape_.with_accrued);
  }
  if (!statement.fault.empty()) {
    grade.outcome = unreadable_outcome(answer, response.finish);
    grade.reason = statement.fault;
    return grade;
  }
  grade.predicted = describe(statement.breaks);
  grade.predicted_label = label_of(statement.breaks);
  const auto faults = false_verdicts(statement, truth, gold);
  const auto share = [&](auto project) {
    return f1(statement.breaks, gold, faults.size(), project);
  };
  grade.parts["key"] = share(place);
  grade.parts["type"] =
      share([](const Break& found) { return std::pair(place(found), found.type); });
  grade.parts["amount"] = share([](const Break& found) {
    return std::tuple(place(found), found.type, found.custodian, found.manager);
  });
  grade.score = grade.parts["amount"];
  const bool same = grade.predicted == grade.gold;
  grade.outcome = same && faults.empty() ? Outcome::right : Outcome::wrong;
  grade.reason = same ? fmt::format("{}", fmt::join(faults, "; ")) : difference(grade);
  return grade;
}

std::optional<std::string> Reconciliation::answer_of_class(const Example& example,
                                                           const std::string& label) const {
  if (label != "matched") return std::nullopt;
  Truth truth = truth_from_json(example.truth, example.id);
  truth.manager = truth.custodian;
  return write(truth, example.language);
}

std::optional<std::string> Reconciliation::rule_answer(const Example& example) const {
  const auto truth = read_tables(example.prompt.back().content, shape_);
  if (!truth) return std::nullopt;
  return write(*truth, example.language);
}

}  // namespace finstill::tasks::reconciliation
