#include "tasks/baselines.h"
#include "tasks/overlap.h"
#include "tasks/reconciliation/generate.h"
#include "tasks/reconciliation/render.h"
#include "tasks/reconciliation/statement.h"
#include "tasks/reconciliation/task.h"

#include "base/error.h"

#include "tests/tasks/books.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <set>

namespace finstill::tasks::reconciliation {
namespace {

using enum BreakType;
using tests::config_of;
using tests::two_equal_books;
using tests::units;

TEST(Breaks, EqualBooksHaveNone) {
  EXPECT_TRUE(find_breaks(two_equal_books()).empty());
}

TEST(Breaks, EachTypeIsFoundWithItsFigures) {
  const auto only_break = [](auto change) {
    Truth truth = two_equal_books();
    change(truth.manager);
    const auto breaks = find_breaks(truth);
    EXPECT_EQ(breaks.size(), 1u);
    return breaks.at(0);
  };
  using B = Break;
  EXPECT_EQ(only_break([](Book& b) { b.positions.erase(b.positions.begin()); }),
            (B{missing, "K47", units(40), 0}));
  EXPECT_EQ(only_break([](Book& b) {
              b.positions.push_back({"Z90", "Z90", units(8), units(2), 0, units(16)});
            }),
            (B{extra, "Z90", 0, units(8)}));
  EXPECT_EQ(only_break([](Book& b) { b.positions[0].quantity = units(45); }),
            (B{quantity, "K47", units(40), units(45)}));
  EXPECT_EQ(only_break([](Book& b) { b.positions[0].quantity = units(-40); }),
            (B{sign, "K47", units(40), units(-40)}));
  EXPECT_EQ(only_break([](Book& b) { b.positions[1].price = units(33); }),
            (B{price, "B12", units(30), units(33)}));
  EXPECT_EQ(only_break([](Book& b) { b.positions[1].price = units(31); }),
            (B{stale, "B12", units(30), units(31)}));
  EXPECT_EQ(only_break([](Book& b) { b.positions[1].price = units(3000); }),
            (B{unit, "B12", units(30), units(3000)}));
  EXPECT_EQ(only_break([](Book& b) { b.positions[1].value = units(151); }),
            (B{value, "B12", units(150), units(151)}));
  EXPECT_EQ(only_break([](Book& b) { b.fee = units(15); }), (B{fee, "", units(12), units(15)}));
  EXPECT_EQ(only_break([](Book& b) { b.accrued = 0; }), (B{accrual, "", units(3), 0}));
}

TEST(Breaks, NeitherOrderNorAliasesAreBreaks) {
  Truth truth = two_equal_books();
  std::swap(truth.manager.positions[0], truth.manager.positions[1]);
  truth.manager.positions[0].shown = "12-B";
  EXPECT_TRUE(find_breaks(truth).empty());
}

TEST(Statement, IsReadInBothLanguagesAndSeveralLayouts) {
  const std::vector<Break> expected = {{quantity, "K47", units(40), units(45)},
                                       {fee, "", units(12), units(15)}};
  for (const char* text :
       {"K47 quantity 40 45\nfee 12 15", "K47 数量 40 45\n费用 12 15",
        "k-47 | Quantity | 40 | 45 ; fee | 12 | 15", "B12 =\n47K,quantity,40,45\n\nfee 12 15\n",
        "**K47 数量 ４０ ４５**\n费用　12　15", "B12 3 3 8 8\nK47 40 45 quantity 7 7\nfee 12 15",
        "k-47 | 40 | 45 | 数量 | 7 | 7 ; 费用 12 15"}) {
    const Statement statement = parse_statement(text);
    EXPECT_EQ(statement.fault, "") << text;
    EXPECT_EQ(statement.breaks, expected) << text;
  }
  EXPECT_TRUE(parse_statement("matched").breaks.empty());
  EXPECT_TRUE(parse_statement("一致。").breaks.empty() || !parse_statement("一致。").fault.empty());
}

TEST(Statement, AKeyIsARunOfLettersAndOneOfDigits) {
  for (const char* written :
       {"K33", "k33", "33K", "K-33", "33-k", "K.33", "33.K", "K/33", "# K 33"})
    EXPECT_EQ(canonical_key(written), "K33") << written;
  for (const char* written : {"3K3", "K3-3", "K-股33", "K", "33", "", "K33K", "K_33"})
    EXPECT_EQ(canonical_key(written), "") << written;
}

TEST(Statement, WhatIsNoVerdictIsAFault) {
  for (const char* text : {"",
                           "=",
                           "hello",
                           "K47",
                           "K47 quantity",
                           "K47 quantity 40",
                           "K47 quantity 40 45 5",
                           "K47 colour 1 2",
                           "fee",
                           "fee 1",
                           "fee quantity 1 2",
                           "K47 fee 1 2",
                           "matched\nK47 quantity 1 2",
                           "K47 40 45 7 7",
                           "K47 40 40 quantity 7 7",
                           "K47 40 40",
                           "K47 40 40 7",
                           "K47 40 45 price 7 7",
                           "K47 40 40 7 7 1 2",
                           "K47 40 40 7 7 1 1 2 2",
                           "K47 = =",
                           "quantity K47 40 45",
                           "K47 missing",
                           "K47 missing 1 2",
                           "47 quantity 1 2",
                           "matched matched"}) {
    EXPECT_NE(parse_statement(text).fault, "") << text;
  }
}

TEST(Statement, RepeatingABreakDoesNotCountTwice) {
  EXPECT_EQ(parse_statement("K47 missing 4\nK47 missing 4").breaks.size(), 1u);
}

TEST(Reconciliation, WrittenAnswersReadBackAsTheTrueBreaks) {
  for (const char* level : {"demo", "standard", "hard"}) {
    const Config config = config_of(std::string("{level: ") + level + "}");
    const Shape shape = shape_of(config);
    for (std::uint64_t index = 0; index < 60; ++index) {
      const Truth truth = make_truth(config, shape, Split::train, 5, index);
      for (const char* language : {"en", "zh"}) {
        for (const auto form : {AnswerForm::pairs, AnswerForm::verdicts, AnswerForm::breaks}) {
          const Statement statement = parse_statement(
              write_statement(truth, language, form, shape.with_value, shape.with_accrued));
          EXPECT_EQ(statement.fault, "");
          auto sorted = [](std::vector<Break> breaks) {
            std::sort(breaks.begin(), breaks.end(), [](const Break& a, const Break& b) {
              return std::tie(a.key, a.type) < std::tie(b.key, b.type);
            });
            return breaks;
          };
          EXPECT_EQ(sorted(statement.breaks), sorted(find_breaks(truth)));
        }
      }
      const Truth back = truth_from_json(truth_to_json(truth), "test");
      EXPECT_EQ(find_breaks(back), find_breaks(truth));
    }
  }
}

TEST(Reconciliation, TheTestSetIsNoToy) {
  const Reconciliation task(config_of("{}"));
  const auto examples = task.examples(Split::test, 1, 200);
  std::map<std::string, int> labels, rows;
  int swapped = 0, aliased = 0, chinese = 0;
  for (const Example& example : examples) {
    ++labels[example.label];
    const Truth truth = truth_from_json(example.truth, "test");
    ++rows[std::to_string(truth.custodian.positions.size())];
    chinese += example.language == "zh";
    std::vector<std::string> common;
    for (const auto& position : truth.manager.positions) aliased += position.shown != position.key;
    const auto order = [&](const Book& book, const Book& other) {
      std::vector<std::string> keys;
      for (const auto& position : book.positions) {
        for (const auto& match : other.positions) {
          if (match.key == position.key) keys.push_back(position.key);
        }
      }
      return keys;
    };
    swapped += order(truth.custodian, truth.manager) != order(truth.manager, truth.custodian);
  }
  EXPECT_GE(labels["matched"], 50);
  EXPECT_LE(labels["matched"], 70);
  EXPECT_GE(labels.size(), 6u) << "at least five types of break beside matched";
  for (const auto& [label, count] : labels) EXPECT_GE(count, 15) << label;
  EXPECT_EQ(rows.begin()->first, "2");
  EXPECT_EQ(rows.rbegin()->first, "6");
  EXPECT_GT(swapped, 60);
  EXPECT_GT(aliased, 40);
  EXPECT_GT(chinese, 20);
}

TEST(Reconciliation, SplitsShareNeitherKeysNorHeadsNorEightGrams) {
  const Reconciliation task(config_of("{}"));
  const auto train = task.examples(Split::train, 1, 1500),
             test = task.examples(Split::test, 1, 300);
  std::set<std::string> train_keys, test_keys, train_heads, test_heads;
  const auto collect = [](const std::vector<Example>& examples, std::set<std::string>& keys,
                          std::set<std::string>& heads) {
    for (const Example& example : examples) {
      const Truth truth = truth_from_json(example.truth, "test");
      for (const auto* book : {&truth.custodian, &truth.manager}) {
        for (const auto& position : book->positions) keys.insert(position.key);
      }
      heads.insert(example.input.substr(0, example.input.find('\n')));
    }
  };
  collect(train, train_keys, train_heads);
  collect(test, test_keys, test_heads);
  for (const auto& key : test_keys) EXPECT_FALSE(train_keys.contains(key)) << key;
  for (const auto& head : test_heads) EXPECT_FALSE(train_heads.contains(head)) << head;
  const Overlap overlap = measure_overlap(train, test);
  std::printf("reconciliation: %ld of %ld test 8-grams in training\n", overlap.shared_grams,
              overlap.test_grams);
  EXPECT_GT(overlap.test_grams, 1000);
  EXPECT_EQ(overlap.shared_grams, 0);
}

TEST(Reconciliation, AnExactJoinIsPerfectUntilKeysHaveAliases) {
  const auto accuracy = [](const std::string& yaml) {
    const Reconciliation task(config_of(yaml));
    int right = 0;
    const auto examples = task.examples(Split::test, 2, 100);
    for (const Example& example : examples) {
      right += task.grade(example, {.text = task.rule_answer(example).value_or("")}).outcome ==
               Outcome::right;
    }
    return right;
  };
  for (const char* level : {"demo", "standard", "hard"}) {
    EXPECT_EQ(accuracy(std::string("{aliases: 0, level: ") + level + "}"), 100) << level;
  }
  const int with_aliases = accuracy("{aliases: 0.3}");
  EXPECT_LT(with_aliases, 85);
  EXPECT_GT(with_aliases, 55);
}

TEST(Reconciliation, AFalseBreakCostsAsMuchAsAMiss) {
  const Reconciliation task(config_of("{answer: breaks}"));
  Example example = task.examples(Split::test, 1, 1).at(0);
  Truth truth = two_equal_books();
  truth.manager.fee = units(15);
  example.truth = truth_to_json(truth);
  EXPECT_EQ(task.grade(example, {.text = "fee 12 15"}).score, 1);
  const Grade added = task.grade(example, {.text = "fee 12 15\nK47 quantity 40 45"});
  EXPECT_EQ(added.outcome, Outcome::wrong);
  EXPECT_NEAR(added.score, 2.0 / 3, 1e-12);
  const Grade amount = task.grade(example, {.text = "fee 12 16"});
  EXPECT_EQ(amount.parts.at("type"), 1);
  EXPECT_EQ(amount.parts.at("amount"), 0);
  EXPECT_EQ(task.grade(example, {.text = "matched"}).predicted_label, "matched");
}

TEST(Statement, PairsShowBothFiguresOfEveryRow) {
  Truth truth = two_equal_books();
  truth.manager.positions[0].quantity = units(45);
  truth.manager.positions.pop_back();
  truth.manager.fee = units(15);
  const auto write = [&](std::string_view language, bool value) {
    return write_statement(truth, language, AnswerForm::pairs, value, false);
  };
  EXPECT_EQ(write("en", false), "K47 40 45 quantity 7 7\nB12 missing 5\nfee 12 15");
  EXPECT_EQ(write("zh", false), "K47 40 45 数量 7 7\nB12 缺失 5\n费用 12 15");
  truth.manager.positions[0].value = units(315);
  EXPECT_EQ(write("en", true), "K47 40 45 quantity 7 7 280 315\nB12 missing 5\nfee 12 15");
  EXPECT_EQ(parse_statement(write("en", true)).breaks, find_breaks(truth));
}

TEST(Reconciliation, EveryRowMustBeJudged) {
  const Reconciliation task(config_of("{}"));
  Example example = task.examples(Split::test, 1, 1).at(0);
  example.truth = truth_to_json(two_equal_books());
  EXPECT_EQ(task.grade(example, {.text = "K47 =\nB12 =\nfee ="}).outcome, Outcome::right);
  EXPECT_EQ(task.grade(example, {.text = "K47 =\nfee ="}).outcome, Outcome::malformed);
  EXPECT_EQ(task.grade(example, {.text = "K47 =\nB12 =\nfee =\nQ99 extra 3"}).outcome,
            Outcome::wrong);
}

TEST(Reconciliation, ARowOfNeitherBookAndTwoVerdictsOnOneRowAreWrongAnswers) {
  Truth truth = two_equal_books();
  truth.manager.positions[0].quantity = units(45);
  truth.manager.positions.push_back({"Z90", "Z90", units(8), units(2), 0, units(16)});
  const std::string answer = "K47 quantity 40 45\nB12 =\nZ90 extra 8\nfee =";
  for (const char* form : {"pairs", "verdicts", "breaks"}) {
    const Reconciliation task(config_of(fmt::format("{{answer: {}}}", form)));
    Example example = task.examples(Split::test, 1, 1).at(0);
    example.truth = truth_to_json(truth);
    EXPECT_EQ(task.grade(example, {.text = answer}).outcome, Outcome::right);
    EXPECT_EQ(task.grade(example, {.text = answer + "\naccrued =\nK47 quantity 40 45"}).outcome,
              Outcome::right);
    for (const auto& [more, reason] : std::map<std::string, std::string>{
             {"Q99 =", "Q99 is in neither book"},
             {"Q99 4 4 5 5", "Q99 is in neither book"},
             {"47-K =", "K47 both agrees and differs"},
             {"K47 40 40 7 7", "K47 both agrees and differs"},
             {"Z90 =", "Z90 both agrees and differs"},
             {"Q99 =\nK47 =", "K47 both agrees and differs; Q99 is in neither book"}}) {
      const Grade grade = task.grade(example, {.text = answer + "\n" + more});
      EXPECT_EQ(grade.outcome, Outcome::wrong) << more;
      EXPECT_EQ(grade.reason, reason);
      EXPECT_NEAR(grade.score, reason.find(';') == std::string::npos ? 0.8 : 4.0 / 6, 1e-12);
      EXPECT_EQ(grade.parts.at("key"), grade.score);
    }
  }
}

TEST(Reconciliation, ALineThatAgreesAndDiffersIsAWrongAnswerAndNotAFullScore) {
  const Reconciliation task(config_of("{level: hard, answer: verdicts}"));
  Example example = task.examples(Split::test, 1, 1).at(0);
  Truth truth = two_equal_books();
  truth.manager.accrued = units(4);
  example.truth = truth_to_json(truth);
  const std::string answer = "K47 =\nB12 =\nfee =\naccrued 3 4";
  EXPECT_EQ(task.grade(example, {.text = answer}).outcome, Outcome::right);
  EXPECT_EQ(task.grade(example, {.text = answer + "\naccrued ="}).reason,
            "accrued both agrees and differs");
  EXPECT_EQ(task.grade(example, {.text = answer + "\nfee 12 15"}).outcome, Outcome::wrong);
  example.truth = truth_to_json(two_equal_books());
  const Grade invented = task.grade(example, {.text = "K47 =\nB12 =\nfee =\naccrued =\nQ99 ="});
  EXPECT_EQ(invented.outcome, Outcome::wrong);
  EXPECT_EQ(invented.score, 0);
  EXPECT_EQ(task.revision(), 5);
}

TEST(Reconciliation, ImpossibleSettingsAreRefused) {
  for (const char* yaml : {"{rows_min: 6, rows_max: 3}", "{types: [stale]}", "{types: [colour]}",
                           "{types: []}", "{languages: [fr]}", "{languages: []}"}) {
    EXPECT_THROW(Reconciliation(config_of(yaml)), base::Error) << yaml;
  }
}

TEST(Reconciliation, AllTenTypesOccurAtTheHardestLevel) {
  const Reconciliation task(config_of("{level: hard}"));
  std::set<BreakType> found;
  for (const Example& example : task.examples(Split::train, 1, 60)) {
    for (const Break& one : find_breaks(truth_from_json(example.truth, "test")))
      found.insert(one.type);
  }
  EXPECT_EQ(found.size(), static_cast<std::size_t>(break_type_count));
}

}  // namespace
}  // namespace finstill::tasks::reconciliation
