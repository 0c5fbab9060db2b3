#include "data/preview.h"

#include "tests/support/temporary.h"

#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace finstill::data {
namespace {

TEST(Preview, CountsLengthsAndFaultsWithoutStoppingAtABadRow) {
  const tests::TemporaryFolder folder;
  tests::write_text(
      folder / "d.jsonl",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":"
      "\"A\"}]}\n"
      "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}]}\n{\"messages\":7}\nnot json\n");
  const auto tokenizer = text::byte_tokenizer();
  const DataPreview preview =
      preview_data(folder / "d.jsonl", *tokenizer, text::chat_template_of(*tokenizer));
  EXPECT_EQ(preview.lengths.size(), 2U);
  EXPECT_EQ(preview.faults.size(), 3U);
  EXPECT_EQ(preview.summary.documents, 2);
  EXPECT_EQ(preview.summary.scored, 2);
  const std::string page = render_preview(preview);
  EXPECT_NE(page.find("d.jsonl:2: no trained token"), std::string::npos);
  EXPECT_NE(page.find("\x1b[32mA\x1b[0m\x1b[32m<|im_end|>\x1b[0m"), std::string::npos);
  EXPECT_EQ(preview_json(preview)["faults"].size(), 3U);
}

TEST(Preview, ATextCannotCommandTheTerminal) {
  const tests::TemporaryFolder folder;
  tests::write_text(folder / "d.jsonl", "{\"text\":\"a\\u001b[2Jb\"}\n");
  const auto tokenizer = text::byte_tokenizer();
  const std::string page = render_preview(
      preview_data(folder / "d.jsonl", *tokenizer, text::chat_template_of(*tokenizer)));
  EXPECT_NE(page.find("\x1b[32ma␛[2Jb\x1b[0m"), std::string::npos) << page;
}

TEST(Preview, TheHistogramHasOneLineForEachPowerOfTwo) {
  EXPECT_EQ(length_histogram({}), "");
  const std::string text = length_histogram({3, 4, 5, 40});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
  EXPECT_NE(text.find("3-4"), std::string::npos);
  EXPECT_NE(text.find("33-64"), std::string::npos);
}

}  // namespace
}  // namespace finstill::data
