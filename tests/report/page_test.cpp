#include "report/page.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <utility>

#include "report/html.h"
#include "tests/report/sample_content.h"
#include "tests/support/temporary.h"

namespace finstill::report {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size()))
    ++found;
  return found;
}

TEST(ReportPage, LoadsNothingFromElsewhereAndRunsNothing) {
  const std::string page = render_page(tests::sample_content(), {.title = "t"});
  for (const std::string part : {"http://", "https://", "<script", "<img", "<link", "@import",
                                 "url(", "onload", "<iframe"}) {
    EXPECT_EQ(page.find(part), std::string::npos) << part;
  }
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

TEST(ReportPage, TextOfModelsAndDocumentsIsEscaped) {
  Content content = tests::sample_content();
  content.models[0].name = "<b>bold</b>";
  content.results[3].model = "<b>bold</b>";
  const std::string page = render_page(content, {.title = "<i>title</i>", .about = "a & b"});
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("<b>bold"), std::string::npos);
  EXPECT_EQ(page.find("<i>title"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;alert(1)"), std::string::npos);
  EXPECT_NE(page.find("a &amp; b"), std::string::npos);
}

TEST(ReportPage, FirstScreenSaysHowGoodTheStudentIs) {
  const std::string page = render_page(tests::sample_content(), {.title = "t"});
  const std::string first = page.substr(page.find("<h1>"), page.find("<h2>") - page.find("<h1>"));
  EXPECT_NE(first.find("<b>student</b> answers <b>83 %</b> of 200"), std::string::npos) << first;
  EXPECT_NE(first.find("majority: 30 %"), std::string::npos) << first;
}

TEST(ReportPage, ShareOfTheGainIsSaidOnlyWhereThereIsAGain) {
  Content content = tests::sample_content();
  const std::string sentence = "the student keeps";
  EXPECT_EQ(count(render_page(content, {.title = "t"}), sentence), 2u);
  for (Result& result : content.results) {
    if (result.task == "sentiment" && result.model == "teacher") result.low = 0.3;
  }
  EXPECT_EQ(count(render_page(content, {.title = "t"}), sentence), 1u);
}

TEST(ReportPage, ChangesAreCountedWholeAndSayWhenOnlySomeAreShown) {
  const Content content = tests::sample_content();  // 164 newly right, of which a list holds one
  const std::string english = render_page(content, {.title = "t"});
  EXPECT_EQ(count(english, "<b>Newly right</b> (164, the first 1 shown)"), 2u);
  EXPECT_EQ(count(english, "<b>Newly wrong</b> (12, the first 1 shown)"), 2u);
  EXPECT_EQ(count(english, "<b>Newly right</b> (7)</p></div>"), 2u) << "7 that cannot be shown";
  const std::string chinese = render_page(content, {.title = "t", .language = "zh"});
  EXPECT_EQ(count(chinese, "<b>新答对</b> (164，显示前 1 例)"), 2u);
}

TEST(ReportPage, NoChangeIsSaidAsNone) {
  Content content = tests::sample_content();
  content.comparisons.resize(1);
  content.comparisons[0].only_first = 0;
  content.comparisons[0].only_second = 1;
  const std::string page = render_page(content, {.title = "t"});
  EXPECT_NE(page.find("<b>Newly right</b> (1)</p><details>"), std::string::npos);
  EXPECT_NE(page.find("<b>Newly wrong</b> (0)</p><p class=\"soft small\">None.</p>"),
            std::string::npos);
}

TEST(ReportPage, ChangesAreTheSameWhereTheSubjectCameFirst) {
  const auto changes = [](const Content& content) {
    const std::string page = render_page(content, {.title = "t"});
    const std::size_t begin = page.find("<h2>Newly right, newly wrong</h2>");
    return page.substr(begin, page.find("<h2>", begin + 1) - begin);
  };
  const Content content = tests::sample_content();
  Content turned = content;
  for (Comparison& comparison : turned.comparisons) {
    std::swap(comparison.first, comparison.second);
    std::swap(comparison.only_first, comparison.only_second);
    std::swap(comparison.newly_right, comparison.newly_wrong);
  }
  EXPECT_NE(changes(content).find("student against base"), std::string::npos);
  EXPECT_EQ(changes(turned), changes(content));
}

TEST(ReportPage, ScorersAndArtifactsStandBesideTheFigures) {
  Content content = tests::sample_content();
  content.data["sentiment"].scorer = "sentiment@2:3f9a<b>";
  content.models[3].artifact = std::string(16, 'a') + std::string(48, 'b');
  content.models[3].adapter = std::string(16, 'c') + std::string(48, 'd');
  content.models[3].dtype = "bfloat16";
  const std::string page = render_page(content, {.title = "t"});
  EXPECT_EQ(count(page, "<figcaption>sentiment · <code>sentiment@2:3f9a&lt;b&gt;</code>"), 1u);
  const std::string made = std::string(16, 'a') + " + " + std::string(16, 'c') + " bfloat16</span>";
  EXPECT_EQ(count(page, made), 2u) << "once a task";
}

TEST(ReportPage, RoundedWeightsAndWhatIsKnownOfTheCasesAreSaid) {
  Content content = tests::sample_content();
  content.models[3].artifact = std::string(64, 'a');
  content.models[3].dtype = "float32";
  content.models[3].weights = "int4";
  content.models[3].repetition_penalty = 1.05;
  content.models[3].too_long = {{"sentiment", 7}};
  content.data["sentiment"] = {
      .test_texts = 200, .equal_texts = 3, .left_out = {{"<too> long", 5}}};
  const std::string page = render_page(content, {.title = "t"});
  EXPECT_EQ(count(page, " float32 int4 repetition_penalty 1.05</span>"), 2u) << "once a task";
  EXPECT_EQ(count(page,
                  "3 of 200 test cases stand in the training examples made with them too, "
                  "by their words. "
                  "5 records of its data were left out (&lt;too&gt; long: 5). student: 7 "
                  "reference answers are longer than an answer could be."),
            1u);
  EXPECT_EQ(count(page, "unseen"), 0u) << "nobody looked";
  EXPECT_NE(
      render_page(content, {.title = "t", .language = "zh"})
          .find("200 个测试案例中有 3 个（按词语）也出现在同时生成的训练样例中。 其数据中有 5 "
                "条记录未被采用。"),
      std::string::npos);
}

TEST(ReportPage, AModelIsBetterOnlyAfterTheCorrectionForManyComparisons) {
  Content content = tests::sample_content();
  content.comparisons.resize(1);
  content.comparisons[0].p_value = 0.02;
  content.comparisons[0].corrected = 0.02;
  EXPECT_EQ(count(render_page(content, {.title = "t"}),
                  "p = 0.020, corrected = 0.020: the second "
                  "is better"),
            1u);
  content.comparisons[0].corrected = 0.06;
  EXPECT_EQ(count(render_page(content, {.title = "t"}),
                  "p = 0.020, corrected = 0.060: not "
                  "distinguishable"),
            1u);
}

TEST(ReportPage, ALongNameEndsBeforeItsValueAndIsWholeWhenPointedAt) {
  const std::string latin(60, 'x');
  std::string chinese;
  for (int i = 0; i < 30; ++i) chinese += "净";
  for (const std::string& name : {latin, chinese}) {
    Content content = tests::sample_content();
    content.models[3].name = name;
    for (Result& result : content.results)
      if (result.model == "student") result.model = name;
    const std::string page = render_page(content, {.title = "t"});
    const std::size_t title = page.find("…<title>" + name + "</title></text>");
    ASSERT_NE(title, std::string::npos) << name;
    const std::size_t begin = page.rfind('>', title) + 1;
    EXPECT_LE(columns_of(page.substr(begin, title - begin)), 42u);
    EXPECT_GE(columns_of(page.substr(begin, title - begin)), 38u);
  }
}

TEST(ReportPage, TokensReadAndTokensInTheLossStandApart) {
  Content content = tests::sample_content();
  content.trainings[2].trained_tokens = 0;
  const std::string page = render_page(content, {.title = "t"});
  EXPECT_NE(page.find("tokens read</th><th class=\"number\">tokens in the loss</th>"),
            std::string::npos);
  const std::string read = "<td class=\"number\">112\u202f000</td><td class=\"number\">";
  EXPECT_EQ(count(page, read + "16\u202f000</td>"), 2u);
  EXPECT_EQ(count(page, read + "–</td>"), 1u) << "older metrics do not say";
}

TEST(ReportPage, TheCardOfCasesHoldsForEveryTask) {
  Content content = tests::sample_content();
  EXPECT_NE(render_page(content, {.title = "t"}).find("<b>200</b><span"), std::string::npos);
  for (Result& result : content.results) {
    if (result.task == "sentiment") result.items = 1995;
  }
  EXPECT_NE(render_page(content, {.title = "t"}).find("<b>200 – 1\u202f995</b><span"),
            std::string::npos);
}

TEST(ReportPage, ChineseAndEnglishPagesHaveTheSameSections) {
  const std::string english =
      render_page(tests::sample_content(), {.title = "t", .language = "en"});
  const std::string chinese =
      render_page(tests::sample_content(), {.title = "t", .language = "zh"});
  EXPECT_EQ(count(english, "<h2>"), 7u);
  EXPECT_EQ(count(chinese, "<h2>"), 7u);
  EXPECT_NE(chinese.find("lang=\"zh\""), std::string::npos);
  EXPECT_NE(chinese.find("在<b>reconciliation</b>任务上"), std::string::npos);
}

TEST(ReportPage, GradersSentencesStandOnEnglishPagesAndWhatTheyReadOnOthers) {
  Content content = tests::sample_content();
  for (Sample& sample : content.samples) {
    sample.reason = "misses a break";
    sample.predicted = "quantity A1 7";
  }
  const std::string english = render_page(content, {.title = "t", .language = "en"});
  const std::string chinese = render_page(content, {.title = "t", .language = "zh"});
  EXPECT_NE(english.find("(misses a break)"), std::string::npos);
  EXPECT_EQ(chinese.find("misses a break"), std::string::npos);
  EXPECT_NE(chinese.find("(读作：quantity A1 7)"), std::string::npos);
}

TEST(ReportPage, IsWrittenForEmptyAndBrokenFigures) {
  EXPECT_NE(render_page(Content{}, {.title = "t"}).find("no results"), std::string::npos);
  Content content = tests::sample_content();
  content.results[0].accuracy = NAN;
  content.trainings[0].loss = {{0, NAN}, {1, INFINITY}};
  content.trainings[1].loss = {{5, 2}};
  const std::string page = render_page(content, {.title = "t"});
  for (const std::string number :
       {"\"nan", "\"-nan", "Mnan", "Lnan", "\"inf", "\"-inf", " inf ", " nan "}) {
    EXPECT_EQ(page.find(number), std::string::npos) << number;
  }
}

TEST(ReportPage, EveryDrawingSaysWhatItShows) {
  const std::string page = render_page(tests::sample_content(), {.title = "t"});
  EXPECT_EQ(count(page, "<svg "), count(page, "role=\"img\" aria-label=\""));
  EXPECT_GE(count(page, "<svg "), 3u);
}

TEST(ReportFormats, NumbersReadAsPeopleWriteThem) {
  EXPECT_EQ(percent(0.834), "83 %");
  EXPECT_EQ(percent(0.8345, 1), "83.5 %");
  EXPECT_EQ(grouped(1234567), "1\u202f234\u202f567");
  EXPECT_EQ(grouped(-1234), "-1\u202f234");
  EXPECT_EQ(short_count(134515008), "134.5 M");
  EXPECT_EQ(duration(200), "3 min 20 s");
  EXPECT_EQ(clipped("净值净值", 7), "净值 …");
  EXPECT_EQ(columns_of("净值a"), 5u);
  EXPECT_EQ(fitted("净值a", 5), "净值a");
  EXPECT_EQ(fitted("净值ab", 5), "净值…");
  EXPECT_EQ(fitted("净值ab", 4), "净…");
}

TEST(ReportFormats, OnlyAllIsAllAndOnlyNothingIsNothing) {
  EXPECT_EQ(percent(199.0 / 200), "99.5 %");
  EXPECT_EQ(percent(1.0 / 300), "0.3 %");
  EXPECT_EQ(percent(0.99996, 1), "99.996 %");
  EXPECT_EQ(percent(999999.0 / 1000000), "99.9999 %");
  EXPECT_EQ(percent(1), "100 %");
  EXPECT_EQ(percent(0, 1), "0.0 %");
  EXPECT_EQ(percent(1 - 1e-16), "100 %") << "rounding of the arithmetic";
  EXPECT_EQ(percent(1e-16), "0 %");
}

/// Writes the page for people to look at: FINSTILL_KEEP_PAGE=file build/tests/report_test
/// --gtest_filter='*KeptPage*'
TEST(ReportPage, KeptPageForLooking) {
  const char* file = std::getenv("FINSTILL_KEEP_PAGE");
  const std::string page = render_page(tests::sample_content(), {.title = "A small finance model"});
  EXPECT_GT(page.size(), 10000u);
  if (file != nullptr) tests::write_text(file, page);
}

}  // namespace
}  // namespace finstill::report
