// Files: what is read beside a tokenizer, what is written, what is refused.

#include <gtest/gtest.h>

#include "text/tokenizer_sources.h"

#include "base/error.h"
#include "base/file.h"

#include "tests/support/temporary.h"
#include "tests/text/tokenizer_support.h"

namespace finstill::text {
namespace {

using base::Json;
using tests::write_text;
using Ids = std::vector<TokenId>;

Json chat_tree() {
  Json tree = byte_level_tree();
  tree["added_tokens"] = {added_token(256, "<s>"), added_token(257, "</s>"),
                          added_token(258, "<|end|>")};
  return tree;
}

std::string message_of(const std::function<void()>& action,
                       base::ExitCode code = base::ExitCode::data) {
  try {
    action();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "accepted";
}

TEST(TokenizerFolder, TakesRolesTemplatesAndStopsFromTheFilesBesideIt) {
  const tests::TemporaryFolder folder;
  write_text(folder / "tokenizer.json", base::dump_json(chat_tree()));
  write_text(folder / "tokenizer_config.json", R"({
    "add_bos_token": true, "bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null,
    "model_max_length": 1000000000000000019884624838656,
    "chat_template": [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T"}],
    "added_tokens_decoder": {"259": {"content": "<extra>", "special": true}}})");
  write_text(folder / "generation_config.json", R"({"eos_token_id": [258, 257, 99999]})");
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_EQ(tokenizer->special().bos, 256);
  EXPECT_EQ(tokenizer->special().eos, 257);
  EXPECT_EQ(tokenizer->special().pad, std::nullopt);
  EXPECT_EQ(tokenizer->special().names.at("eos_token"), "</s>");
  EXPECT_EQ(tokenizer->stop_ids(), (Ids{257, 258}));
  EXPECT_EQ(tokenizer->encode("a<extra>"), (Ids{256, 'a', 259}));
  ASSERT_NE(tokenizer->chat_template("tool_use"), nullptr);
  EXPECT_EQ(*tokenizer->chat_template("tool_use"), "T");
  EXPECT_EQ(*tokenizer->chat_template(), "D");
  EXPECT_EQ(tokenizer->chat_template("rag"), nullptr);
  write_text(folder / "chat_template.jinja", "J");
  EXPECT_EQ(*load_tokenizer(folder.path())->chat_template(), "J");
}

TEST(TokenizerFolder, AddBosTokenOverridesThePostProcessor) {
  const tests::TemporaryFolder folder;
  Json tree = chat_tree();
  tree["post_processor"] = Json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [256]}}})");
  write_text(folder / "tokenizer.json", base::dump_json(tree));
  EXPECT_EQ(load_tokenizer(folder.path())->encode("a"), (Ids{256, 'a'}));
  write_text(folder / "tokenizer_config.json", R"({"add_bos_token": false, "bos_token": "<s>"})");
  EXPECT_EQ(load_tokenizer(folder.path())->encode("a"), (Ids{'a'}));
}

TEST(TokenizerFolder, TheModelsConfigNamesTheStopWhereNothingElseDoes) {
  const tests::TemporaryFolder folder;
  write_text(folder / "tokenizer.json", base::dump_json(chat_tree()));
  write_text(folder / "config.json", R"({"eos_token_id": 257})");
  EXPECT_EQ(load_tokenizer(folder.path())->stop_ids(), (Ids{257}));
  write_text(folder / "generation_config.json", R"({"eos_token_id": 258})");
  EXPECT_EQ(load_tokenizer(folder.path())->stop_ids(), (Ids{258}));
}

TEST(TokenizerFolder, SavesWhatItLoadedByteForByte) {
  const tests::TemporaryFolder from, to;
  write_text(from / "tokenizer.json", base::dump_json(chat_tree()) + "\n\n");
  write_text(from / "tokenizer_config.json", R"({ "eos_token": "</s>" })");
  write_text(from / "chat_template.jinja", "{{ messages }}");
  load_tokenizer(from.path())->save(to / "模型");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}) {
    EXPECT_EQ(tests::read_text(to / "模型" / name), tests::read_text(from / name)) << name;
  }
  EXPECT_EQ(load_tokenizer(to / "模型")->identity(), load_tokenizer(from.path())->identity());
}

TEST(TokenizerFolder, WritesATokenizerThatWasMadeAndReadsItBack) {
  const tests::TemporaryFolder folder;
  const auto made = byte_tokenizer();
  made->save(folder.path());
  const auto read = load_tokenizer(folder.path());
  EXPECT_EQ(read->identity(), made->identity());
  EXPECT_EQ(read->stop_ids(), made->stop_ids());
  EXPECT_EQ(read->special().eos, made->special().eos);
  EXPECT_EQ(*read->chat_template(), *made->chat_template());
  EXPECT_EQ(read->encode("中<|im_start|>\"\\\n\x01"), made->encode("中<|im_start|>\"\\\n\x01"));
}

TEST(TokenizerFolder, SaysWhatIsMissing) {
  const tests::TemporaryFolder folder;
  EXPECT_NE(message_of([&] {
              load_tokenizer(folder.path());
            }).find("neither tokenizer.json nor tokenizer.model"),
            std::string::npos);
  message_of([&] { load_tokenizer(folder / "absent.json"); }, base::ExitCode::io);
  write_text(folder / "tokenizer.json", base::dump_json(chat_tree()));
  write_text(folder / "tokenizer_config.json", "{\"bos_token\":\n  nul}");
  EXPECT_NE(message_of([&] { load_tokenizer(folder.path()); }).find("tokenizer_config.json:2:"),
            std::string::npos);
  write_text(folder / "tokenizer_config.json", R"({"eos_token": "<odd>"})");
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_EQ(tokenizer->special().eos, std::nullopt);
  ASSERT_EQ(tokenizer->warnings().size(), 1u);
  EXPECT_EQ(tokenizer->warnings()[0], "the eos_token \"<odd>\" is not in the vocabulary");
}

struct Broken {
  std::string text, message;
};

void PrintTo(const Broken& broken, std::ostream* out) {
  *out << broken.text;
}

class TokenizerJsonBroken : public testing::TestWithParam<Broken> {};

TEST_P(TokenizerJsonBroken, IsRefusedWithItsPlace) {
  const std::string message = message_of(
      [&] { PipelineTokenizer(read_tokenizer_json(GetParam().text, "t.json"), {}, false); });
  EXPECT_TRUE(message.starts_with("t.json")) << message;
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    All, TokenizerJsonBroken,
    testing::Values(
        Broken{"", "t.json:1:1"}, Broken{"[]", "expected an object"},
        Broken{"{\"model\": {\"type\": \"BPE\"", "t.json:1:25"},
        Broken{R"({"version": "1.0"})", "\"model\" is missing"},
        Broken{R"({"model": {"type": "Unigram", "vocab": [["a", 0.5]]}})",
               "model.type: \"Unigram\""},
        Broken{R"({"model": {"vocab": {"a": 0}}})", "model.merges is missing"},
        Broken{R"({"model": {"vocab": {"a": 0, "b": 0}, "merges": []}})", "have the same id 0"},
        Broken{R"({"model": {"vocab": {"a": 0, "a": 1}, "merges": []}})", "\"a\" stands twice"},
        Broken{R"({"model": {"vocab": {"a": -1}, "merges": []}})", "the id of \"a\""},
        Broken{R"({"model": {"vocab": {"a": 1.5}, "merges": []}})", "the id of \"a\""},
        Broken{R"({"model": {"vocab": {"a": 2000000000}, "merges": []}})", "far beyond"},
        Broken{R"({"model": {"vocab": {"a": 99999999999}, "merges": []}})", "too large"},
        Broken{R"({"model": {"vocab": {"": 0}, "merges": []}})", "empty token"},
        Broken{R"({"model": {"vocab": {"a": 0}, "merges": ["a b"]}})",
               "model.merges[0]: \"b\" is not in model.vocab"},
        Broken{R"({"model": {"vocab": {"a": 0}, "merges": ["a a"]}})",
               "\"aa\" is not in model.vocab"},
        Broken{R"({"model": {"vocab": {"a": 0}, "merges": ["a"]}})", "model.merges[0]"},
        Broken{R"({"model": {"vocab": {"a": 0}, "merges": [["a", "a", "a"]]}})", "model.merges[0]"},
        Broken{R"({"model": {"vocab": {"a": 0}, "merges": [["a", 1]]}})", "model.merges[0]"},
        Broken{R"({"model": {"vocab": {"a": 0}, "merges": [], "dropout": 0.1}})", "model.dropout"},
        Broken{R"({"model": {"vocab": {"a": 0}, "merges": [], "end_of_word_suffix": "</w>"}})",
               "end_of_word_suffix"},
        Broken{R"({"model": {"vocab": {"a": 0}, "merges": [], "unk_token": "b"}})",
               "model.unk_token"},
        Broken{R"({"model": {"vocab": {"a": 0}, "merges": [], "type": "BPE", "type": "BPE"}})",
               "stands twice"},
        Broken{R"({"added_tokens": [{"id": 1}], "model": {"vocab": {"a": 0}, "merges": []}})",
               "added_tokens[0]"},
        Broken{
            R"({"added_tokens": [{"id": 0, "content": "b"}], "model": {"vocab": {"a": 0}, "merges": []}})",
            "contradicts"},
        Broken{
            R"({"added_tokens": [{"id": 9, "content": "a"}], "model": {"vocab": {"a": 0}, "merges": []}})",
            "contradicts"},
        Broken{
            R"({"added_tokens": [{"id": 900000, "content": "b"}], "model": {"vocab": {"a": 0}, "merges": []}})",
            "not an id of this vocabulary"},
        Broken{
            R"({"model": {"vocab": {"a": 0}, "merges": []}, "post_processor": {"type": "TemplateProcessing",
                   "single": [{"SpecialToken": {"id": "x"}}, {"Sequence": {}}], "special_tokens": {"x": {"ids": [7]}}}})",
            "beyond the vocabulary"},
        Broken{
            std::string(R"({"normalizer": )") + std::string(100, '[') + std::string(100, ']') + "}",
            "64 levels"},
        Broken{"{\"model\": \"\xFF\"}", "not valid JSON"}));

/// A file of ranks: 256 bytes, then "he" (aGU=) and "hel" (aGVs).
std::string ranks() {
  std::string lines;
  const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int b = 0; b < 256; ++b) {
    lines += {digits[b >> 2], digits[(b & 3) << 4], '=', '='};
    lines += " " + std::to_string(b) + "\n";
  }
  return lines + "aGU= 256\naGVs 257\n";
}

/// A tokenizer of ranks() with the settings of `folder`.
std::unique_ptr<Tokenizer> load_ranks(const std::filesystem::path& folder) {
  TokenizerSettings settings = read_tokenizer_settings(folder);
  TokenizerDefinition definition = read_tiktoken(ranks(), "t.model", settings);
  return std::make_unique<PipelineTokenizer>(std::move(definition), settings, true);
}

TEST(TokenizerFolder, TakesAddedTokensFromTheOlderFileBesideATokenizerModel) {
  const tests::TemporaryFolder folder;
  write_text(folder / "tokenizer.model", ranks());
  write_text(folder / "added_tokens.json", R"({"<|im_start|>": 258, "<tag>": 259})");
  write_text(folder / "special_tokens_map.json",
             R"({"additional_special_tokens": ["<|im_start|>"]})");
  const auto tokenizer = load_ranks(folder.path());
  EXPECT_EQ(tokenizer->encode("<|im_start|>he<tag>"), (Ids{258, 256, 259}));
  EXPECT_EQ(tokenizer->decode(Ids{258, 256, 259}), "he<tag>") << "the first is a control token";
  write_text(folder / "added_tokens.json", R"({"<x>": -1})");
  EXPECT_NE(message_of([&] { load_ranks(folder.path()); }).find("<x>"), std::string::npos);
}

TEST(TokenizerFolder, ObjectsMayHaveManyMembersButNoneTwice) {
  const tests::TemporaryFolder folder;
  write_text(folder / "tokenizer.json", base::dump_json(chat_tree()));
  std::string members = "\"a0\": 0";
  for (int i = 1; i < 10000; ++i) members += ", \"a" + std::to_string(i) + "\": 0";
  write_text(folder / "tokenizer_config.json", "{" + members + "}");
  EXPECT_NO_THROW(load_tokenizer(folder.path()));
  write_text(folder / "tokenizer_config.json", "{" + members + ", \"a77\": 0}");
  EXPECT_NE(message_of([&] { load_tokenizer(folder.path()); }).find("\"a77\" stands twice"),
            std::string::npos);
}

TEST(TokenizerFolder, ReadsTheTemplatesThatLieInAFolderOfTheirOwnAndSavesThem) {
  const tests::TemporaryFolder folder, written;
  write_text(folder / "tokenizer.json", base::dump_json(chat_tree()));
  write_text(folder / "chat_template.jinja", "usual");
  std::filesystem::create_directories(folder / "additional_chat_templates");
  write_text(folder / "additional_chat_templates/tool_use.jinja", "with tools");
  load_tokenizer(folder.path())->save(written.path());
  for (const auto& place : {folder.path(), written.path()}) {
    const auto tokenizer = load_tokenizer(place);
    EXPECT_EQ(*tokenizer->chat_template("default"), "usual");
    EXPECT_EQ(*tokenizer->chat_template("tool_use"), "with tools");
  }
}

TEST(TokenizerTiktoken, ReadsRanksAsMergesWithLlama3Words) {
  const tests::TemporaryFolder folder;
  EXPECT_EQ(load_ranks(folder.path())->encode("helhe"), (Ids{257, 256}));
  write_text(
      folder / "tokenizer_config.json",
      R"({"bos_token": "<b>", "added_tokens_decoder": {"258": {"content": "<b>", "special": true}}})");
  const auto tokenizer = load_ranks(folder.path());
  EXPECT_EQ(tokenizer->encode("hel1234"), (Ids{258, 257, '1', '2', '3', '4'}));
  EXPECT_EQ(tokenizer->decode(Ids{258, 257, 0xE4}), "hel\uFFFD");
  const tests::TemporaryFolder written;
  tokenizer->save(written.path());
  EXPECT_TRUE(std::filesystem::exists(written / "tokenizer.json"));
  EXPECT_EQ(load_tokenizer(written.path())->encode("he<b>helhe"), tokenizer->encode("he<b>helhe"));
}

TEST(TokenizerTiktoken, RefusesAVocabularyWhoseWordsItDoesNotKnow) {
  // The file says nothing of how texts are cut: other families cut otherwise.
  const tests::TemporaryFolder folder;
  write_text(folder / "tokenizer.model", ranks());
  EXPECT_NE(message_of([&] {
              load_tokenizer(folder.path());
            }).find("tokenizer.model: 258 ranks, and of tiktoken files only Llama 3's"),
            std::string::npos);
}

TEST(TokenizerTiktoken, RefusesBrokenLinesWithTheirNumber) {
  TokenizerSettings settings;
  const auto refuse = [&](const std::string& bytes) {
    return message_of([&] { read_tiktoken(bytes, "t.model", settings); });
  };
  EXPECT_NE(refuse("YQ== 0\nYQ= 1\n").find("t.model:2: expected"), std::string::npos);
  EXPECT_NE(refuse("YQ== 0\nYg== x\n").find("t.model:2: expected"), std::string::npos);
  EXPECT_NE(refuse("YQ== 0\nYg== 0\n").find("t.model:2: the rank 0"), std::string::npos);
  EXPECT_NE(refuse("YQ== 0\nYg== 9\n").find("t.model:2: the rank 9"), std::string::npos);
  EXPECT_NE(refuse("YQ== 0\nYQ== 1\n").find("stands twice"), std::string::npos);
  EXPECT_TRUE(is_tiktoken("YQ== 0\n"));
  EXPECT_FALSE(is_tiktoken("\x0A\x0B"));
  EXPECT_FALSE(is_tiktoken(""));
}

}  // namespace
}  // namespace finstill::text
