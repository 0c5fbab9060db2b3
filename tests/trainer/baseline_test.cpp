// The losses of three steps on a real model against those of a PyTorch loop on the same rows: what
// a speed benchmark never shows (masters taken from rounded weights, a mean of means, a shift by
// one).

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "base/jsonl.h"
#include "base/metrics.h"
#include "model/gguf_import.h"
#include "tests/support/shared.h"
#include "tests/trainer/stage.h"

namespace finstill::trainer {
namespace {

namespace fs = std::filesystem;

/// The text of a page: the sentences before the table, its rows with tabs, the sentences after it;
/// one a line.
std::string page_text(const base::Json& page) {
  std::string text;
  const auto add = [&](const std::string& line) { text += (text.empty() ? "" : "\n") + line; };
  for (const auto& sentence : page.at("pre_text")) add(sentence.get<std::string>());
  for (const auto& row : page.at("table")) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += (i == 0 ? "" : "\t") + row[i].get<std::string>();
    add(line);
  }
  for (const auto& sentence : page.at("post_text")) add(sentence.get<std::string>());
  return text;
}

/// The first 60 pages as a data set of texts.
fs::path write_pages(const fs::path& finqa, const fs::path& file) {
  base::JsonlReader pages(finqa);
  std::string lines;
  for (int i = 0; i < 60; ++i)
    lines += base::dump_json({{"text", page_text(*pages.next())}}) + "\n";
  tests::write_text(file, lines);
  return file;
}

class BaselineSlow : public testing::Test {
 protected:
  /// Losses of steps 1 to 3: rows of 512 tokens, 4 a step, AdamW 1e-4, clip 1, constant rate.
  std::vector<double> losses(const fs::path& finqa, const fs::path& gguf,
                             const std::string& dtype) {
    model::import_gguf(gguf, folder_ / "model");
    const fs::path data = write_pages(finqa, folder_ / "pages.jsonl");
    tests::run_stage(
        "train",
        "objective: pretrain\nmodel: " + (folder_ / "model").string() + "\ndata: " + data.string() +
            "\npacking: concatenate\nmax_length: 512\nbatch_tokens: 2048\nshuffle: false\nsteps: "
            "3\n"
            "learning_rate: 0.0001\nschedule: constant\nclip: 1\nsave_dtype: bfloat16\n",
        folder_ / dtype, dtype);
    std::vector<double> found;
    for (const base::Json& line : base::read_metrics(folder_ / dtype).steps) {
      EXPECT_EQ(line.at("trained_tokens").get<int>(), line.at("step").get<int>() * 4 * 511);
      found.push_back(line.at("loss").get<double>());
    }
    return found;
  }

  void expect_losses(const std::vector<double>& found, const std::vector<double>& expected,
                     double tolerance) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      std::printf("step %zu: loss %.4f, PyTorch %.4f\n", i + 1, found[i], expected[i]);
      EXPECT_NEAR(found[i], expected[i], tolerance) << "step " << i + 1;
    }
  }

  fs::path demo_model() const {
    return fs::path(FINSTILL_SOURCE_DIR) / ".deps/models/smollm2-135m-instruct.gguf";
  }

  tests::TemporaryFolder folder_;
};

TEST_F(BaselineSlow, Float32EqualsPyTorch) {
  FINSTILL_SHARED_OR_SKIP(finqa, "data/finqa/train.jsonl");
  if (!fs::exists(demo_model())) GTEST_SKIP() << "needs the demo model";
  expect_losses(losses(finqa, demo_model(), "float32"), {3.2065, 3.1482, 2.8656}, 1e-3);
}

TEST_F(BaselineSlow, BFloat16WithFloatMastersStaysNear) {
  FINSTILL_SHARED_OR_SKIP(finqa, "data/finqa/train.jsonl");
  if (!fs::exists(demo_model())) GTEST_SKIP() << "needs the demo model";
  expect_losses(losses(finqa, demo_model(), "bfloat16"), {3.2083, 3.1679, 2.8857}, 1e-2);
}

}  // namespace
}  // namespace finstill::trainer
