#include "data/packing.h"

#include "tests/data/documents_for_tests.h"

#include "base/error.h"
#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace finstill::data {
namespace {

constexpr std::int32_t eos = 999999;

std::vector<int> random_lengths(int count) {
  std::vector<int> lengths;
  base::Random random(11, "lengths");
  for (int i = 0; i < count; ++i) lengths.push_back(static_cast<int>(random.integer(1, 60)));
  return lengths;
}

PackingConfig config_of(const std::string& kind, std::int64_t row_tokens = 64) {
  PackingConfig config;
  config.kind = kind;
  config.row_tokens = row_tokens;
  config.rows_per_step = 3;
  config.window = 50;
  return config;
}

/// What must be true of every batch, whatever is in it.
void check_batch(const Batch& batch) {
  const std::size_t rows = batch.ids.size();
  ASSERT_EQ(batch.targets.size(), rows);
  ASSERT_EQ(batch.positions.size(), rows);
  ASSERT_EQ(batch.cu_seqlens.size(), batch.document_ids.size() + 1);
  ASSERT_EQ(batch.document_ids.size(), batch.group_ids.size());
  ASSERT_EQ(batch.cu_seqlens.front(), 0);
  ASSERT_EQ(batch.cu_seqlens.back(), static_cast<std::int32_t>(rows));
  for (std::size_t span = 0; span + 1 < batch.cu_seqlens.size(); ++span) {
    const std::int32_t begin = batch.cu_seqlens[span], end = batch.cu_seqlens[span + 1];
    ASSERT_LT(begin, end);
    for (std::int32_t row = begin; row < end; ++row) {
      const auto at = static_cast<std::size_t>(row);
      EXPECT_EQ(batch.positions[at], row - begin);
      if (row + 1 == end) {
        EXPECT_EQ(batch.targets[at], not_scored)
            << "the last row of a span would predict another document";
      } else if (batch.targets[at] != not_scored) {
        EXPECT_EQ(batch.targets[at], batch.ids[at + 1]);
      }
    }
  }
}

std::multiset<std::int64_t> targets_of(const BatchSource& source, std::int64_t steps) {
  std::multiset<std::int64_t> targets;
  for (std::int64_t step = 0; step < steps; ++step) {
    for (const Batch& batch : source.next(step)) {
      check_batch(batch);
      for (const std::int64_t target : batch.targets) {
        if (target != not_scored) targets.insert(target);
      }
    }
  }
  return targets;
}

class PackingOfBothKinds : public testing::TestWithParam<std::string> {};

TEST_P(PackingOfBothKinds, AnEpochHoldsEveryTokenExactlyOnce) {
  const std::vector<int> lengths = random_lengths(120);
  const auto source =
      make_batch_source(numbered_documents(lengths), config_of(GetParam()), 7, 1, eos);
  std::map<std::int64_t, int> seen;
  for (std::int64_t step = 0; step < source->steps(); ++step) {
    for (const Batch& batch : source->next(step)) {
      check_batch(batch);
      for (const std::int64_t id : batch.ids) ++seen[id];
    }
  }
  seen.erase(eos);
  std::size_t tokens = 0;
  for (const int length : lengths) tokens += static_cast<std::size_t>(length);
  EXPECT_EQ(seen.size(), tokens);
  for (const auto& [id, count] : seen) EXPECT_EQ(count, 1) << id;
  EXPECT_TRUE(source->next(source->steps()).empty());
}

TEST_P(PackingOfBothKinds, TwoEpochsHoldEveryTargetTwiceAndInAnotherOrder) {
  const auto one =
      make_batch_source(numbered_documents(random_lengths(90)), config_of(GetParam()), 7, 1, eos);
  const auto two =
      make_batch_source(numbered_documents(random_lengths(90)), config_of(GetParam()), 7, 2, eos);
  std::multiset<std::int64_t> doubled = targets_of(*one, one->steps());
  const std::multiset<std::int64_t> single = doubled;
  doubled.insert(single.begin(), single.end());
  EXPECT_EQ(targets_of(*two, two->steps()), doubled);
  EXPECT_DOUBLE_EQ(two->epoch_after(two->steps()), 2.0);
  std::vector<std::int64_t> first, second;
  const auto endless =
      make_batch_source(numbered_documents(random_lengths(90)), config_of(GetParam()), 7, 0, eos);
  EXPECT_EQ(endless->steps(), -1);
  PackingConfig single_row = config_of(GetParam());
  single_row.rows_per_step = 1;
  const auto rows =
      make_batch_source(numbered_documents(random_lengths(90)), single_row, 7, 1, eos);
  const auto both =
      make_batch_source(numbered_documents(random_lengths(90)), single_row, 7, 2, eos);
  for (std::int64_t step = 0; step < rows->steps(); ++step) {
    first.push_back(both->next(step)[0].ids[0]);
    second.push_back(both->next(rows->steps() + step)[0].ids[0]);
  }
  EXPECT_NE(first, second);
  EXPECT_EQ(std::multiset<std::int64_t>(first.begin(), first.end()),
            std::multiset<std::int64_t>(second.begin(), second.end()));
}

TEST_P(PackingOfBothKinds, AStepNeverReachesIntoTheNextEpochSoThatNoTokenIsInItTwice) {
  const std::vector<int> lengths(5, 64);
  for (const std::int64_t rows_per_step : {3, 8}) {
    PackingConfig config = config_of(GetParam());
    config.rows_per_step = rows_per_step;
    const auto source = make_batch_source(numbered_documents(lengths), config, 7, 3, eos);
    const auto endless = make_batch_source(numbered_documents(lengths), config, 7, 0, eos);
    const std::int64_t steps = source->steps() / 3;
    EXPECT_EQ(source->steps(), rows_per_step == 3 ? 6 : 3);
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      std::map<std::int64_t, int> seen;
      for (std::int64_t step = epoch * steps; step < (epoch + 1) * steps; ++step) {
        EXPECT_EQ(endless->next(step), source->next(step));
        EXPECT_DOUBLE_EQ(endless->epoch_after(step), source->epoch_after(step));
        for (const Batch& batch : source->next(step))
          for (const std::int64_t id : batch.ids) ++seen[id];
      }
      seen.erase(eos);
      EXPECT_EQ(seen.size(), 5U * 64);
      for (const auto& [id, count] : seen) EXPECT_EQ(count, 1) << id;
      EXPECT_DOUBLE_EQ(source->epoch_after((epoch + 1) * steps), static_cast<double>(epoch + 1));
    }
    EXPECT_TRUE(source->next(source->steps()).empty());
  }
}

TEST_P(PackingOfBothKinds, AStepIsAFunctionOfItsNumberSoResumingEqualsContinuing) {
  const auto continued =
      make_batch_source(numbered_documents(random_lengths(100)), config_of(GetParam()), 3, 0, eos);
  std::vector<std::vector<Batch>> steps;
  for (std::int64_t step = 0; step < 60; ++step) steps.push_back(continued->next(step));
  const auto resumed =
      make_batch_source(numbered_documents(random_lengths(100)), config_of(GetParam()), 3, 0, eos);
  for (const std::int64_t step : {59, 31, 0, 32})
    EXPECT_EQ(resumed->next(step), steps[static_cast<std::size_t>(step)]) << step;
  const auto other_seed =
      make_batch_source(numbered_documents(random_lengths(100)), config_of(GetParam()), 4, 0, eos);
  EXPECT_NE(other_seed->next(0), steps[0]);
}

TEST_P(PackingOfBothKinds, MicroBatchesHoldTheSameSpansWithinTheirBudget) {
  PackingConfig config = config_of(GetParam());
  const auto whole = make_batch_source(numbered_documents(random_lengths(100)), config, 3, 1, eos);
  config.micro_batch_tokens = 70;
  const auto split = make_batch_source(numbered_documents(random_lengths(100)), config, 3, 1, eos);
  ASSERT_EQ(whole->steps(), split->steps());
  for (std::int64_t step = 0; step < whole->steps(); ++step) {
    ASSERT_EQ(whole->next(step).size(), 1U);
    const Batch expected = whole->next(step)[0];
    std::vector<std::int64_t> ids, targets, documents;
    for (const Batch& batch : split->next(step)) {
      EXPECT_LE(batch.tokens(), 70);
      check_batch(batch);
      ids.insert(ids.end(), batch.ids.begin(), batch.ids.end());
      targets.insert(targets.end(), batch.targets.begin(), batch.targets.end());
      documents.insert(documents.end(), batch.document_ids.begin(), batch.document_ids.end());
    }
    EXPECT_EQ(ids, expected.ids);
    EXPECT_EQ(targets, expected.targets);
    EXPECT_EQ(documents, expected.document_ids);
  }
}

TEST_P(PackingOfBothKinds, TokensThatAreNotTrainedAreNeverTargets) {
  const auto source = make_batch_source(numbered_documents(random_lengths(30), {3, 4, 20}),
                                        config_of(GetParam()), 1, 1, eos);
  for (const std::int64_t target : targets_of(*source, source->steps())) {
    EXPECT_TRUE(target / 1000 != 3 && target / 1000 != 4 && target / 1000 != 20) << target;
  }
}

TEST_P(PackingOfBothKinds, EvaluationBatchesHoldEveryDocumentOnceInOrder) {
  PackingConfig config = config_of(GetParam());
  config.micro_batch_tokens = 100;
  const std::vector<Document> documents = numbered_documents(random_lengths(40));
  std::vector<std::int64_t> ids, expected;
  for (const Batch& batch : make_evaluation_batches(documents, config, eos)) {
    check_batch(batch);
    EXPECT_LE(batch.tokens(), 100);
    for (const std::int64_t id : batch.ids) {
      if (id != eos) ids.push_back(id);
    }
  }
  for (const Document& document : documents)
    expected.insert(expected.end(), document.ids.begin(), document.ids.end());
  EXPECT_EQ(ids, expected);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PackingOfBothKinds, testing::Values("best_fit", "concatenate"),
                         [](const auto& info) { return info.param; });

TEST(BestFit, DocumentsNeverSeeEachOtherAndAllTargetsAreInTheirOwnDocument) {
  const auto source =
      make_batch_source(numbered_documents(random_lengths(80)), config_of("best_fit"), 7, 1, eos);
  for (std::int64_t step = 0; step < source->steps(); ++step) {
    for (const Batch& batch : source->next(step)) {
      for (std::size_t span = 0; span < batch.document_ids.size(); ++span) {
        for (auto row = batch.cu_seqlens[span]; row < batch.cu_seqlens[span + 1]; ++row) {
          EXPECT_EQ(batch.ids[static_cast<std::size_t>(row)] / 1000, batch.document_ids[span]);
        }
      }
    }
  }
}

TEST(BestFit, RowsStayWithinTheBudgetAndWasteLittle) {
  std::vector<std::int64_t> lengths, order;
  for (const int length : random_lengths(400)) lengths.push_back(length);
  for (std::size_t i = 0; i < lengths.size(); ++i) order.push_back(static_cast<std::int64_t>(i));
  const std::vector<Row> rows = pack_best_fit(lengths, order, 64, 400);
  std::int64_t used = 0;
  for (const Row& row : rows) {
    std::int64_t tokens = 0;
    for (const Piece& piece : row) tokens += piece.end - piece.begin;
    EXPECT_LE(tokens, 64);
    used += tokens;
  }
  // No packing needs fewer rows than the tokens fill, or than there are documents of more than half
  // a row.
  const auto large =
      std::count_if(lengths.begin(), lengths.end(), [](std::int64_t n) { return n > 32; });
  const std::int64_t least = std::max<std::int64_t>((used + 63) / 64, large);
  EXPECT_LE(static_cast<std::int64_t>(rows.size()), least + least / 10);
}

TEST(BestFit, TheBestFitIsTakenAndNotTheFirst) {
  // Longest first: 7 opens a row with 3 left, 6 one with 4 left; 3 fits both and goes where it
  // leaves nothing.
  const std::vector<Row> rows = pack_best_fit({6, 7, 3, 4}, {0, 1, 2, 3}, 10, 10);
  const std::vector<Row> expected = {{{0, 0, 6}, {3, 0, 4}}, {{1, 0, 7}, {2, 0, 3}}};
  EXPECT_EQ(rows, expected);
}

TEST(BestFit, WindowsKeepDocumentsNearTheirPlaceInTheOrder) {
  const std::vector<Row> rows = pack_best_fit({5, 5, 5, 5}, {3, 2, 1, 0}, 10, 2);
  const std::vector<Row> expected = {{{3, 0, 5}, {2, 0, 5}}, {{1, 0, 5}, {0, 0, 5}}};
  EXPECT_EQ(rows, expected);
}

TEST(BestFit, ADocumentLongerThanARowIsAnErrorThatNamesIt) {
  try {
    make_batch_source(numbered_documents({10, 65}), config_of("best_fit"), 1, 1, eos);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    EXPECT_NE(std::string(error.what()).find("document d1: 65 tokens do not fit into a row of 64"),
              std::string::npos);
  }
}

TEST(Concatenated, RowsAreTheStreamOfDocumentsJoinedByEosAndCut) {
  std::vector<Document> documents = numbered_documents({5, 3, 6});
  documents[1].ids.back() = eos;  // ends with EOS by itself: no second one
  PackingConfig config = config_of("concatenate", 4);
  config.shuffle = false;
  config.rows_per_step = 2;
  const auto source = make_batch_source(documents, config, 1, 1, eos);
  EXPECT_EQ(source->steps(), 2);
  const std::vector<std::int64_t> stream = {0,   1,    2,    3,    4,    eos,  1000, 1001,
                                            eos, 2000, 2001, 2002, 2003, 2004, 2005, eos};
  std::vector<std::int64_t> ids;
  for (std::int64_t step = 0; step < 2; ++step) {
    for (const Batch& batch : source->next(step)) {
      ids.insert(ids.end(), batch.ids.begin(), batch.ids.end());
      EXPECT_EQ(batch.cu_seqlens, (std::vector<std::int32_t>{0, 4, 8}));
    }
  }
  EXPECT_EQ(ids, stream);
}

TEST(Concatenated, AllTokensButTheFirstOfARowAreScored) {
  std::vector<Document> documents = numbered_documents({7, 7, 7, 7});
  for (Document& document : documents) document.ids.back() = eos;
  PackingConfig config = config_of("concatenate", 4);
  config.shuffle = false;
  const auto source = make_batch_source(documents, config, 1, 1, eos);
  for (std::int64_t step = 0; step < source->steps(); ++step) {
    for (const Batch& batch : source->next(step))
      EXPECT_EQ(batch.scored(), batch.tokens() - batch.spans());
  }
}

TEST(Concatenated, ThePlaceOfAnEosThatOnlyJoinsIsNotScored) {
  PackingConfig config = config_of("concatenate", 100);
  config.shuffle = false;
  const auto source = make_batch_source(numbered_documents({3, 3}), config, 1, 1, eos);
  const Batch batch = source->next(0)[0];
  const std::vector<std::int64_t> expected = {1,    2,    not_scored, 1000,
                                              1001, 1002, not_scored, not_scored};
  EXPECT_EQ(batch.targets, expected);
}

TEST(Batch, AnEmptySpanIsIgnoredAndATokenAloneIsNotScored) {
  Batch batch;
  batch.append({}, {}, 0);
  EXPECT_EQ(batch.tokens(), 0);
  EXPECT_EQ(batch.spans(), 0);
  const std::vector<std::int32_t> one = {5};
  batch.append(one, {}, 3, 2);
  EXPECT_EQ(batch.scored(), 0);
  EXPECT_EQ(batch.group_ids, std::vector<std::int64_t>{2});
}

TEST(BatchSource, NoDocumentsIsAnError) {
  EXPECT_THROW(make_batch_source({}, config_of("best_fit"), 1, 1, eos), base::Error);
  EXPECT_THROW(make_batch_source(numbered_documents({0, 0}), config_of("concatenate"), 1, 1, eos),
               base::Error);
}

}  // namespace
}  // namespace finstill::data
