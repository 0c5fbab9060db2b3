#include "data/documents.h"

#include "tests/support/shared.h"
#include "tests/support/temporary.h"

#include "data/packing.h"

#include "base/error.h"
#include "base/hash.h"
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

namespace finstill::data {
namespace {

using tests::TemporaryFolder;
using tests::write_text;

std::vector<Record> read(const std::string& content) {
  const TemporaryFolder folder;
  write_text(folder / "data.jsonl", content);
  return read_records(folder / "data.jsonl");
}

class Tokenized : public testing::Test {
 protected:
  Tokenized()
      : tokenizer_(text::byte_tokenizer()), chat_template_(text::chat_template_of(*tokenizer_)) {}

  DocumentSet tokenize(const std::string& rows, const TokenizeOptions& options = {}) {
    return tokenize_records(read(rows), *tokenizer_, chat_template_, options, "data.jsonl");
  }

  std::unique_ptr<text::Tokenizer> tokenizer_;
  text::ChatTemplate chat_template_;
};

TEST_F(Tokenized, ATextIsTrainedWholeAndEndsWithEos) {
  const DocumentSet set = tokenize("{\"text\":\"ab<|im_end|>\"}\n");
  const std::int32_t eos = tokenizer_->special().eos.value();
  const Document& document = set.documents[0];
  EXPECT_EQ(document.ids.back(), eos);
  EXPECT_EQ(std::count(document.ids.begin(), document.ids.end(), eos), 1)
      << "special tokens in a document are plain text";
  EXPECT_EQ(document.ids.size(), std::string("ab<|im_end|>").size() + 1);
  EXPECT_EQ(document.scored(), static_cast<std::int64_t>(document.ids.size()) - 1);
}

TEST_F(Tokenized, OfAChatTheAssistantTurnsAreTrained) {
  const DocumentSet set = tokenize(
      R"({"messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"An"}]})");
  EXPECT_EQ(set.summary.scored, 3);  // A, n, <|im_end|>
  EXPECT_EQ(set.summary.documents, 1);
}

TEST_F(Tokenized, AllOfAChatIsTrainedWhereThatIsAskedFor) {
  TokenizeOptions options;
  options.train_all = true;
  const DocumentSet set = tokenize(R"({"messages":[{"role":"user","content":"Q"}]})", options);
  const Document& document = set.documents.at(0);
  EXPECT_EQ(document.scored(), static_cast<std::int64_t>(document.ids.size()) - 1);
  EXPECT_EQ(set.summary.unscored, 0);
}

TEST_F(Tokenized, AChatThatNamesItsTaskKeepsItsAnswersAndTools) {
  const text::ChatTemplate with_tools(
      "{% if tools %}{{ tools[0]['name'] }}{% endif %}{% for message in messages %}{{ "
      "'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' }}{% endfor "
      "%}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
      {});
  const auto document = [&](const std::string& keys) {
    const std::string row =
        "{" + keys +
        R"("tools":[{"name":"rate"}],"messages":[{"role":"user","content":"Q"},{"role":"assistant",)"
        R"("content":"An"},{"role":"user","content":"R"},{"role":"assistant","content":"Bo"}]})";
    return tokenize_records(read(row), *tokenizer_, with_tools, {}).documents.at(0);
  };
  const Document plain = document(""), named = document(R"("task":"support",)");
  EXPECT_EQ(named.ids, plain.ids);
  EXPECT_EQ(named.trained, plain.trained);
  EXPECT_EQ(plain.scored(), 6);  // An and Bo with their ends
  for (const std::string example :
       {R"("task":"t","answer":"Bo",)", R"("schema":"finstill-example-1",)"}) {
    EXPECT_EQ(document(example).ids, plain.ids) << "tools are read of an example too";
    EXPECT_EQ(document(example).scored(), 3) << example;
  }
}

TEST_F(Tokenized, LongDocumentsAreCutDroppedOrRefusedAndCounted) {
  const std::string rows = "{\"text\":\"0123456789\"}\n{\"text\":\"01\"}\n";
  TokenizeOptions options;
  options.max_length = 5;
  const DocumentSet cut = tokenize(rows, options);
  EXPECT_EQ(cut.documents[0].ids.size(), 5U);
  EXPECT_EQ(cut.summary.cut, 1);
  EXPECT_EQ(cut.summary.cut_tokens, 6);
  EXPECT_EQ(cut.summary.longest, 11);
  options.truncation = "drop";
  const DocumentSet dropped = tokenize(rows, options);
  EXPECT_EQ(dropped.summary.dropped, 1);
  EXPECT_EQ(dropped.documents.size(), 1U);
  options.truncation = "error";
  try {
    tokenize(rows, options);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what())
                  .find("data.jsonl:1: the document has 11 tokens, more than max_length 5"),
              std::string::npos);
  }
}

TEST_F(Tokenized, AllLabelsMaskedIsAnErrorThatSaysWhatToDo) {
  try {
    tokenize(R"({"messages":[{"role":"user","content":"Q"}]})");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    EXPECT_NE(std::string(error.what())
                  .find("data.jsonl: all labels are masked: none of the 1 documents"),
              std::string::npos);
  }
  const DocumentSet mixed = tokenize(
      "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}]}\n"
      "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":"
      "\"A\"}]}\n");
  EXPECT_EQ(mixed.summary.unscored, 1);
  ASSERT_EQ(mixed.summary.warnings.size(), 1U);
  EXPECT_NE(mixed.summary.line().find("50.0 % without a trained token"), std::string::npos);
}

TEST_F(Tokenized, AnswersThatSpellAMarkOfReasoningAreTold) {
  const tests::TemporaryFolder folder;
  tokenizer_->save(folder.path());
  base::Json tree = base::read_json(folder / "tokenizer.json");
  tree["added_tokens"].push_back({{"id", 259}, {"content", "<think>"}, {"special", false}});
  write_text(folder / "tokenizer.json", base::dump_json(tree));
  const std::string rows =
      R"({"messages":[{"role":"user","content":"<think>"},{"role":"assistant","content":"A"}]})"
      "\n"
      R"({"messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"<think>B"}]})"
      "\n";
  EXPECT_TRUE(tokenize(rows).summary.warnings.empty()) << "no such token";
  tokenizer_ = text::load_tokenizer(folder.path());
  const auto warnings = tokenize(rows).summary.warnings;
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(warnings[0].starts_with("1 of 2 documents spell <think>")) << warnings[0];
}

TEST_F(Tokenized, WhatTheTemplateDoesNotWriteIsTold) {
  const auto warnings_of = [&](const std::string& row) { return tokenize(row).summary.warnings; };
  const std::string question = R"({"role":"user","content":"Q"})";
  const std::string plain = R"({"role":"assistant","content":"A"})";
  const auto chat = [&](const std::string& messages, const std::string& more = "") {
    return "{\"messages\":[" + messages + "]" + more + "}\n";
  };
  const std::string tools = R"(,"tools":[{"type":"function","function":{"name":"f"}}])";
  const std::string call =
      R"({"role":"assistant","content":"A","tool_calls":[{"function":{"name":"f"}}]})";
  const std::string thoughts =
      R"({"role":"assistant","content":"A","reasoning_content":"first think"})";
  EXPECT_TRUE(warnings_of(chat(question + "," + plain)).empty());
  EXPECT_EQ(warnings_of(chat(question + "," + plain, tools)).size(), 1U);
  EXPECT_EQ(warnings_of(chat(question + "," + call)).size(), 1U);
  EXPECT_EQ(warnings_of(chat(question + "," + thoughts)).size(), 1U);
  EXPECT_TRUE(warnings_of(chat(question + "," + thoughts + "," + question + "," + plain)).empty())
      << "of earlier turns many templates drop it on purpose";
  chat_template_ = text::ChatTemplate(
      "{{ tools | tojson }}{% for m in messages %}{% if m.role in ['user', 'assistant'] %}"
      "<{{ m.role }}>{{ m.reasoning_content }}{{ m.content }}{{ (m.tool_calls or []) | tojson }}"
      "{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
      {});
  const auto known = [&](const std::string& row) {
    for (const std::string& warning : warnings_of(row))
      if (warning.ends_with("is lost") || warning.ends_with("are lost")) return false;
    return true;
  };
  EXPECT_TRUE(known(chat(question + "," + call, tools)));
  EXPECT_TRUE(known(chat(question + "," + thoughts, tools)));
  EXPECT_FALSE(
      known(chat(R"({"role":"developer","content":"D"},)" + question + "," + plain, tools)));
}

TEST_F(Tokenized, NothingLeftIsAnError) {
  TokenizeOptions options;
  options.max_length = 2;
  options.truncation = "drop";
  EXPECT_THROW(tokenize("{\"text\":\"abc\"}\n", options), base::Error);
}

TEST_F(Tokenized, ATemplateThatRefusesAConversationNamesTheRow) {
  const text::ChatTemplate strict("{{ raise_exception('no') }}", {});
  try {
    tokenize_records(read(R"({"messages":[{"role":"user","content":"Q"}]})"), *tokenizer_, strict,
                     {});
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what()).find("data.jsonl:1: chat template:1: the template refuses"),
              std::string::npos);
  }
}

TEST_F(Tokenized, ThreadsChangeNothing) {
  std::string rows;
  for (int i = 0; i < 500; ++i)
    rows += "{\"text\":\"document " + std::to_string(i * 7919) + "\"}\n";
  TokenizeOptions one, many;
  one.threads = 1;
  many.threads = 4;
  const DocumentSet a = tokenize(rows, one), b = tokenize(rows, many);
  ASSERT_EQ(a.documents.size(), b.documents.size());
  for (std::size_t i = 0; i < a.documents.size(); ++i)
    EXPECT_EQ(a.documents[i].ids, b.documents[i].ids);
  EXPECT_EQ(a.summary.to_json(), b.summary.to_json());
}

/// The text that the peers' benchmark makes of a FinQA page.
std::string finqa_text(const base::Json& row) {
  std::string text;
  bool first = true;
  const auto add_line = [&text, &first](const std::string& line) {
    text += (first ? "" : "\n") + line;
    first = false;
  };
  for (const base::Json& line : row["pre_text"]) add_line(line);
  for (const base::Json& cells : row["table"]) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i)
      line += (i > 0 ? "\t" : "") + cells[i].get<std::string>();
    add_line(line);
  }
  for (const base::Json& line : row["post_text"]) add_line(line);
  return text;
}

TEST(ConcatenatedShared, RealPagesWithSmolLm2GiveThePeersRows) {
  FINSTILL_SHARED_OR_SKIP(file, "data/finqa/train.jsonl");
  const std::filesystem::path model =
      std::filesystem::path(FINSTILL_SOURCE_DIR) / ".deps/models/smollm2-135m-instruct.gguf";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << "needs " << model;
  const auto tokenizer = text::load_tokenizer(model);
  const std::int32_t eos = tokenizer->special().eos.value();
  std::ifstream lines(file);
  std::vector<Record> records;
  for (std::string line; records.size() < 12 && std::getline(lines, line);) {
    Record record;
    record.text = finqa_text(base::Json::parse(line));
    records.push_back(std::move(record));
  }
  TokenizeOptions options;
  options.max_length = 1 << 30;
  DocumentSet set =
      tokenize_records(records, *tokenizer, text::chat_template_of(*tokenizer), options);
  PackingConfig config;
  config.kind = "concatenate";
  config.row_tokens = 512;
  config.rows_per_step = 4;
  config.shuffle = false;
  const auto source = make_batch_source(std::move(set.documents), config, 0, 1, eos);
  std::string ids;
  for (std::int64_t step = 0; step < 3; ++step) {
    const Batch batch = source->next(step)[0];
    EXPECT_EQ(batch.tokens(), 4 * 512);
    EXPECT_EQ(batch.scored(), 4 * 511);
    for (const std::int64_t id : batch.ids) ids += (ids.empty() ? "" : " ") + std::to_string(id);
  }
  // Of rows 0 to 11 of packed(tokenizer, 12) with transformers' own tokenizer, ids in decimal with
  // a blank between them.
  EXPECT_EQ(base::sha256(ids), "76a6d1b1a3c248c2a9c4b4df0853ed8d9a76f6715e4895255d052ccf12574c41");
}

}  // namespace
}  // namespace finstill::data
