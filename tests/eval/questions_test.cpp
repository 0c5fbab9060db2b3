// What is asked, and what is found wrong with it before any model answers.

#include "eval/questions.h"

#include "base/jsonl.h"

#include "tests/base/expect_error.h"
#include "tests/eval/evaluate_stage.h"

#include <fmt/format.h>

#include <set>

namespace finstill::eval {
namespace {

class EvaluateQuestions : public tests::EvaluateStage {};

TEST_F(EvaluateQuestions, MoreShotsThanTrainingExamplesAreRefused) {
  const std::string start = "{" + models() + ", tasks: [sentiment], test: 2, max_new_tokens: 1, ";
  const std::string said = refusal(start + "train: 1}", base::ExitCode::config);
  for (const char* word : {"model two", "few_shot is 2", "task sentiment", "only 1 training"})
    EXPECT_NE(said.find(word), std::string::npos) << said;
  EXPECT_EQ(refusal(start + "train: 30}", base::ExitCode::config), "");
}

TEST_F(EvaluateQuestions, AnItemsOwnQuestionIsNoShot) {
  const auto config = read(
      "{models: {two: {model: two, few_shot: 2}}, tasks: [sentiment], test: 1, "
      "train: 3}");
  const auto& settings = *static_cast<const EvaluateConfig*>(config.get());
  Questions questions = gather_questions(settings, 1);
  check_shots(settings, questions);
  questions.train[0].resize(2);
  check_shots(settings, questions);
  questions.train[0][1].prompt = questions.items[0][0].prompt;
  EXPECT_THROW(check_shots(settings, questions), base::Error);
}

TEST_F(EvaluateQuestions, APromptThatIsTooLongForALaterModelIsFoundBeforeTheFirstAnswers) {
  make_model("short", 3, 64);
  // The first model cannot be opened: who came to it would say so.
  std::filesystem::remove(folder_ / "one" / "model.safetensors");
  const std::string models = "{models: {one: " + (folder_ / "one").string() +
                             ", small: " + (folder_ / "short").string() + "}";
  const std::string said = refusal(models + ", tasks: [sentiment], test: 2}", base::ExitCode::data);
  EXPECT_TRUE(said.starts_with("model small: sentiment-test-")) << said;
  EXPECT_NE(said.find("context of 64"), std::string::npos) << said;
  EXPECT_NE(said.find(" tokens"), std::string::npos) << said;
}

TEST_F(EvaluateQuestions, SaysWhichReferenceAnswersAModelHasNoRoomFor) {
  const std::string yaml = "{" + models() + ", tasks: [sentiment], test: 6, train: 30, ";
  run(yaml + "max_new_tokens: 100}", "enough");
  EXPECT_FALSE(base::read_json(folder_ / "enough/scores.json")["models"][0].contains("too_long"));
  run(yaml + "max_new_tokens: 2}", "short");
  EXPECT_EQ(base::read_json(folder_ / "short/scores.json")["models"][0]["too_long"],
            (base::Json{{"sentiment", 6}}));
}

TEST_F(EvaluateQuestions, RecordsThatATaskLeavesOutAreCountedInTheScores) {
  std::string lines;
  for (int row = 0; row < 40; ++row)
    lines += fmt::format("{{\"text\": \"{} {}\", \"label\": \"{}\"}}\n",
                         row % 4 == 0 ? "a long one" : "x", row, row % 2 == 0 ? "up" : "down");
  tests::write_text(folder_ / "rows.jsonl", lines);
  run("{" + models() + ", tasks: [{kind: labelled, maximum_characters: 5, file: " +
          (folder_ / "rows.jsonl").string() +
          ", validation_share: 0, test_share: 0.5}], test: 4, train: 4, max_new_tokens: 2}",
      "scores");
  EXPECT_EQ(base::read_json(folder_ / "scores/scores.json")["tasks"][0]["left_out"],
            (base::Json{{"longer than maximum_characters", 10}}));
}

TEST_F(EvaluateQuestions, ThePlanCountsEveryTaskWithItsOwnLongestAnswer) {
  const auto tokens = [&](const std::string& rest) {
    return stage("{" + models() + rest + "}")->plan().generated_tokens;
  };
  const std::string examples =
      ", max_new_tokens: 100, examples: " + (folder_ / "examples").string();
  EXPECT_EQ(tokens(", max_new_tokens: 100, tasks: [sentiment, reconciliation], test: 10"),
            2 * 20 * 25);
  // Not made yet: what is named, and one task more.
  EXPECT_EQ(tokens(examples), 2 * 200 * 25);
  EXPECT_EQ(tokens(examples + ", max_new_tokens_of: {sentiment: 16}"), 2 * 200 * (25 + 4));
  make_examples();
  EXPECT_EQ(tokens(examples), 2 * 8 * 25);
  EXPECT_EQ(tokens(examples + ", max_new_tokens_of: {sentiment: 16}"), 2 * 4 * (25 + 4));
  EXPECT_EQ(tokens(examples + ", tasks: [sentiment]"), 2 * 4 * 25);
  EXPECT_EQ(tokens(examples + ", test: 3"), 2 * 6 * 25);
}

TEST_F(EvaluateQuestions, AsksTheTestExamplesOfAnArtifact) {
  make_examples();
  const std::string examples =
      ", examples: " + (folder_ / "examples").string() + ", max_new_tokens: 2";
  run("{" + models() + examples + "}", "all");
  EXPECT_EQ(base::read_json(folder_ / "all/scores.json")["tasks"].size(), 2u);
  run("{" + models() + examples + ", tasks: [reconciliation], baselines: false, test: 3}",
      "one_task");
  const base::Json scores = base::read_json(folder_ / "one_task/scores.json");
  ASSERT_EQ(scores["tasks"].size(), 1u);
  EXPECT_EQ(scores["tasks"][0]["name"], "reconciliation");
  EXPECT_EQ(scores["tasks"][0]["items"], 3);
  EXPECT_EQ(scores["results"].size(), 2u);
  EXPECT_THROW(
      run("{" + models() + examples + ", tasks: [{kind: sentiment, name: other}]}", "none"),
      base::Error);
}

TEST_F(EvaluateQuestions, TasksOfExamplesAreNamedAsTheyAreThere) {
  std::string csv = "text,label\n";
  for (int row = 0; row < 200; ++row)
    csv += "remark " + std::to_string(row) + (row % 3 == 0 ? ",bad\n" : ",good\n");
  tests::write_text(folder_ / "remarks.csv", csv);
  make_examples("[sentiment, {kind: labelled, name: tfns, file: " +
                (folder_ / "remarks.csv").string() + "}]");
  const std::string start = "{" + models() + ", examples: " + (folder_ / "examples").string() +
                            ", max_new_tokens: 1, baselines: false, tasks: ";
  for (const char* tasks : {"[tfns]", "[{kind: labelled, name: tfns}]"}) {
    run(start + tasks + ", max_new_tokens_of: {tfns: 2}}", "scores");
    const base::Json scores = base::read_json(folder_ / "scores/scores.json");
    ASSERT_EQ(scores["tasks"].size(), 1u);
    EXPECT_EQ(scores["tasks"][0]["name"], "tfns");
  }
  for (const auto& [tasks, said] : std::vector<std::pair<std::string, std::string>>{
           {"[tfsn]", "the examples have no task 'tfsn'; they have sentiment, tfns"},
           {"[labelled]", "the examples have no task 'labelled'"},
           {"[tfns, tfns]", "'tfns' is asked already"},
           {"[{kind: sentiment, chinese: 0.5}]", "\"chinese\" of task 'sentiment' is set where"},
           {"[tfns], max_new_tokens_of: {sentiment: 3}", "no task 'sentiment' is asked, only tfns"},
           {"[], max_new_tokens_of: {tfsn: 3}", "no task 'tfsn' is asked, only sentiment, tfns"}}) {
    tests::expect_error([&] { stage(start + tasks + "}")->check(); }, base::ExitCode::config, said);
  }
  tests::expect_error([&] { stage("{" + models() + ", tasks: [tfns]}")->check(); },
                      base::ExitCode::config, "tfns");
}

TEST_F(EvaluateQuestions, ExamplesThatAStageMakesAreLookedAtOnlyWhenTheyAreThere) {
  make_examples("[sentiment]");
  const auto config = read("{" + models() + ", max_new_tokens_of: {later: 3}, tasks: [later]}");
  auto& settings = *static_cast<EvaluateConfig*>(config.get());
  settings.examples = {"${examples}", folder_ / "examples", "test:1:1"};
  EXPECT_NO_THROW(check_tasks(settings)) << "they may be about to change";
  tests::expect_error([&] { gather_questions(settings, 1); }, base::ExitCode::config,
                      "the examples have no task 'later'");
}

TEST_F(EvaluateQuestions, ATaskOfWhichNoItemCanBeJudgedIsRefused) {
  make_examples();
  const std::filesystem::path file = folder_ / "examples/test.jsonl";
  std::string lines;
  for (base::Json line : base::read_jsonl(file)) {
    if (line["task"] == "sentiment") line["truth"] = base::Json::object();
    lines += base::dump_json(line) + "\n";
  }
  tests::write_text(file, lines);
  const std::string yaml = "{" + models() +
                           ", max_new_tokens: 1, examples: " + (folder_ / "examples").string() +
                           ", tasks: ";
  const std::string said = refusal(yaml + "[sentiment]}", base::ExitCode::data);
  EXPECT_NE(said.find("task sentiment: none of its 4 test examples can be judged"),
            std::string::npos)
      << said;
  EXPECT_EQ(refusal(yaml + "[reconciliation]}", base::ExitCode::data), "");
}

}  // namespace
}  // namespace finstill::eval
