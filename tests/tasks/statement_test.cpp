// How answers write figures and lines, and that the figures they show are the books'.

#include "tasks/reconciliation/statement.h"
#include "tasks/reconciliation/task.h"

#include "tests/tasks/books.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>

namespace finstill::tasks::reconciliation {
namespace {

using enum BreakType;
using tests::config_of;
using tests::two_equal_books;
using tests::units;

TEST(StatementFigures, ThousandsAreGroupedWhereMoreThanCommasPartTheFields) {
  const std::vector<Break> thousands = {
      {quantity, "K47", units(1234) + figure_one / 2, units(-12345678)}};
  for (const char* text :
       {"K47 quantity 1,234.5 -12,345,678", "K47\tquantity\t1,234.5\t-12,345,678",
        "K47|quantity|1,234.5|-12,345,678", "K47, quantity, 1,234.5, -12,345,678",
        "K47，数量， １，２３４．５ −12，345，678"}) {
    const Statement statement = parse_statement(text);
    EXPECT_EQ(statement.fault, "") << text;
    EXPECT_EQ(statement.breaks, thousands) << text;
  }
}

TEST(StatementFigures, CommasAlonePartFields) {
  EXPECT_EQ(parse_statement("fee,120,150").breaks,
            (std::vector<Break>{{fee, "", units(120), units(150)}}));
  EXPECT_EQ(parse_statement("B12 =\n fee,120,150 ").breaks,
            (std::vector<Break>{{fee, "", units(120), units(150)}}));
  EXPECT_EQ(split_fields("a,b,,c,"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(split_fields("K47,400 40,45 1,2345"),
            (std::vector<std::string>{"K47", "400", "40", "45", "1", "2345"}))
      << "a key takes no group, and a group has three digits";
  EXPECT_TRUE(split_fields(" ,\t|; ").empty());
}

TEST(StatementFigures, ALineMayEndInAFullStop) {
  const std::vector<Break> expected = {{quantity, "K47", units(40), units(45)},
                                       {fee, "", units(12), units(15) + figure_one / 2}};
  for (const char* text : {"K47 quantity 40 45.\nfee 12 15.5.", "K47 数量 40 45。 \n费用 12 15.5。",
                           "K47,quantity,40,45.; fee 12 15.5"}) {
    EXPECT_EQ(parse_statement(text).fault, "") << text;
    EXPECT_EQ(parse_statement(text).breaks, expected) << text;
  }
  for (const char* text : {"matched.", "一致。", "K47 =.\nfee =。"})
    EXPECT_EQ(parse_statement(text).fault, "") << text;
  for (const char* text : {".", "。", "fee 12 15..", "fee 12. 15"})
    EXPECT_NE(parse_statement(text).fault, "") << text;
}

TEST(StatementFigures, FiguresOfRowsThatAgreeMustBeTheBooks) {
  for (const char* form : {"pairs", "verdicts", "breaks"}) {
    const Reconciliation task(config_of(fmt::format("{{answer: {}}}", form)));
    Example example = task.examples(Split::test, 1, 1).at(0);
    example.truth = truth_to_json(two_equal_books());
    const std::string rest = "\nB12 5 5 30 30";
    for (const char* lines : {"K47 40 40 7 7\nfee 12 12", "K47 40 40 7 7 280 280\nfee =",
                              "47-k =\nfee 12 12", "K47 40 40 7 7\nfee =\naccrued 3 3"})
      EXPECT_EQ(task.grade(example, {.text = lines + rest}).outcome, Outcome::right) << lines;
    for (const auto& [lines, reason] : std::map<std::string, std::string>{
             {"K47 1 1 1 1\nfee 12 12", "K47 shows 1 1 instead of 40 40"},
             {"47-k 40 40 8 8\nfee =", "K47 shows 8 8 instead of 7 7"},
             {"K47 40 40 7 7 1 1\nfee =", "K47 shows 1 1 instead of 280 280"},
             {"K47 =\nfee 11 11", "fee shows 11 11 instead of 12 12"},
             {"K47 =\nfee =\naccrued 0 0", "accrued shows 0 0 instead of 3 3"}}) {
      const Grade grade = task.grade(example, {.text = lines + rest});
      EXPECT_EQ(grade.outcome, Outcome::wrong) << lines;
      EXPECT_EQ(grade.reason, reason);
      EXPECT_EQ(grade.score, 0);
    }
  }
}

TEST(StatementFigures, ARowThatDiffersShowsTheBooksInItsOtherColumns) {
  const Reconciliation task(config_of("{}"));
  Example example = task.examples(Split::test, 1, 1).at(0);
  Truth truth = two_equal_books();
  truth.manager.positions[0].quantity = units(45);
  truth.manager.positions[0].value = units(315);
  truth.manager.fee = units(15);
  example.truth = truth_to_json(truth);
  const auto grade = [&](const std::string& row, const std::string& fee) {
    return task.grade(example, {.text = row + "\nB12 5 5 30 30\n" + fee});
  };
  EXPECT_EQ(grade("K47 40 45 quantity 7 7 280 315", "fee 12 15").outcome, Outcome::right);
  EXPECT_EQ(grade("K47 40 45 quantity 9 9 280 315", "fee 12 15").reason,
            "K47 shows 9 9 instead of 7 7");
  EXPECT_EQ(grade("K47 40 45 quantity 7 7 280 280", "fee 12 15").reason,
            "K47 shows 280 280 instead of 280 315");
  EXPECT_NEAR(grade("K47 40 45 quantity 9 9 1 1", "fee 12 15").score, 0.8, 1e-12) << "once a row";
  EXPECT_NEAR(grade("K47 40 40 7 7", "fee 12 15").score, 2.0 / 3, 1e-12)
      << "a missed break costs no more for the figures that hide it";
}

TEST(StatementFigures, ReferenceAnswersAreRightInEveryFormAtEveryLevel) {
  for (const char* level : {"demo", "standard", "hard"}) {
    for (const char* form : {"pairs", "verdicts", "breaks"}) {
      const Reconciliation task(config_of(
          fmt::format("{{level: {}, answer: {}, chinese: 0.5, training_breaks: 5}}", level, form)));
      for (const Example& example : task.examples(Split::train, 3, 40)) {
        const Grade grade = task.grade(example, {.text = example.answer});
        EXPECT_EQ(grade.outcome, Outcome::right) << example.answer << ": " << grade.reason;
        EXPECT_EQ(grade.score, 1);
      }
    }
  }
}

}  // namespace
}  // namespace finstill::tasks::reconciliation
