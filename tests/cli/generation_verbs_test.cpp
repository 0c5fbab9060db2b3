// The verbs that read lines and answer with lines: tokenize, render, loglikelihood, generate, chat.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/checkpoint.h"
#include "model/init.h"
#include "tests/support/process.h"
#include "tests/support/temporary.h"
#include "text/tokenizer.h"

namespace finstill::cli {
namespace {

using base::Json;
using tests::ProcessResult;
using tests::run_finstill;

/// A folder with a model of random weights over bytes, made once.
class GenerationVerbs : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<tests::TemporaryFolder>();
    const model::ModelConfig config = model::config_from_json({{"model_type", "llama"},
                                                               {"vocab_size", 259},
                                                               {"hidden_size", 32},
                                                               {"intermediate_size", 64},
                                                               {"num_hidden_layers", 2},
                                                               {"num_attention_heads", 4},
                                                               {"num_key_value_heads", 2},
                                                               {"max_position_embeddings", 128},
                                                               {"tie_word_embeddings", true},
                                                               {"initializer_range", 0.3}},
                                                              "tiny");
    model::save_model(folder_->path(), config, model::random_weights(config, 5));
    text::byte_tokenizer()->save(folder_->path());
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string model() { return folder_->path().string(); }

  /// Runs a verb on `input`; the lines of its output as JSON.
  static std::vector<Json> run(std::vector<std::string> arguments, const std::string& input) {
    const ProcessResult result = run_finstill(std::move(arguments), {.input = input});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    std::vector<Json> lines;
    for (std::size_t begin = 0; begin < result.output.size();) {
      const std::size_t end = result.output.find('\n', begin);
      lines.push_back(Json::parse(result.output.substr(begin, end - begin)));
      begin = end + 1;
    }
    return lines;
  }

  static void refuses(std::vector<std::string> arguments, const std::string& input, int code,
                      const std::string& part) {
    const ProcessResult result = run_finstill(std::move(arguments), {.input = input});
    EXPECT_EQ(result.exit_code, code) << input;
    EXPECT_NE(result.errors.find(part), std::string::npos) << result.errors;
  }

  static std::vector<std::string> generate(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"generate", "--model",   model(), "--dtype",
                                          "float32",  "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

 private:
  static inline std::unique_ptr<tests::TemporaryFolder> folder_;
};

TEST_F(GenerationVerbs, TokenizeAndBack) {
  const std::vector<Json> ids =
      run({"tokenize", "--tokenizer", model()}, "ab\n\"a\\nb\"\n\n估\n<|im_end|>\n");
  ASSERT_EQ(ids.size(), 5U);
  EXPECT_EQ(ids[0], Json::array({97, 98}));
  EXPECT_EQ(ids[1], Json::array({97, 10, 98}));
  EXPECT_EQ(ids[2], Json::array());
  EXPECT_EQ(ids[3], Json::array({0xE4, 0xBC, 0xB0}));
  EXPECT_EQ(ids[4], Json::array({258}));
  EXPECT_EQ(run({"tokenize", "--tokenizer", model(), "--no-special"}, "<|im_end|>\n")[0].size(),
            10U);
  const std::vector<Json> texts =
      run({"tokenize", "--tokenizer", model(), "--decode"}, "[97,10,98]\n[228,188,176,258]\n");
  EXPECT_EQ(texts[0], "a\nb");
  EXPECT_EQ(texts[1], "估<|im_end|>");
  EXPECT_EQ(run({"tokenize", "--tokenizer", model(), "--json"}, "ab\nc\n").back(),
            Json({{"lines", 2}, {"tokens", 3}}));
}

TEST_F(GenerationVerbs, TheTokenizerOfWhatTrainingMadeIsFoundInIt) {
  const tests::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "trained");
  std::filesystem::copy(model(), folder / "trained/model",
                        std::filesystem::copy_options::recursive);
  const std::string trained = (folder / "trained").string();
  EXPECT_EQ(run({"tokenize", "--tokenizer", trained}, "ab\n")[0], Json::array({97, 98}));
  refuses({"tokenize", "--tokenizer", folder.path().string()}, "ab\n", 65,
          "neither tokenizer.json nor tokenizer.model");
  refuses({"preview", "d", "--tokenizer", trained, "--max-records", "-1"}, "", 64,
          "-1 is less than 0");
}

TEST_F(GenerationVerbs, TokenizeNamesTheLineThatIsWrong) {
  refuses({"tokenize", "--tokenizer", model()}, "fine\n\"\\ud800\"\n", 65, "stdin:2");
  refuses({"tokenize", "--tokenizer", model()}, "fine\n\xff\n", 65, "stdin:2");
  refuses({"tokenize", "--tokenizer", model(), "--decode"}, "[1]\n[1.5]\n", 65, "stdin:2");
  refuses({"tokenize", "--tokenizer", model(), "--decode"}, "[-1]\n", 65, "stdin:1");
  refuses({"tokenize", "--tokenizer", model(), "--decode"}, "[18446744073709551615]\n", 65,
          "stdin:1");
  refuses({"tokenize", "--tokenizer", model(), "--decode"}, "[1]\n[1, 999999]\n", 65,
          "stdin:2: element 1 is 999999");
  refuses({"tokenize", "--tokenizer", model(), "--decode"}, "[1]\n[1,\n", 65, "stdin:2:4");
}

TEST_F(GenerationVerbs, RenderMarksTheAnswer) {
  const std::string line =
      R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"}]})"
      "\n";
  const Json rendered = run({"render", "--tokenizer", model(), "--mask"}, line).at(0);
  EXPECT_EQ(rendered["ids"].size(), rendered["mask"].size());
  std::string trained;
  for (std::size_t i = 0; i < rendered["ids"].size(); ++i) {
    if (rendered["mask"][i] == 1 && rendered["ids"][i] < 256)
      trained += static_cast<char>(rendered["ids"][i].get<int>());
  }
  EXPECT_EQ(trained, "Yo");
  refuses({"render", "--tokenizer", model()}, "{\"message\":[]}\n", 65, "stdin:1");
  refuses({"render", "--tokenizer", model()}, "\n{\"messages\":[{\"role\":3}]}\n", 65, "stdin:2");
}

TEST_F(GenerationVerbs, PreviewShowsLengthsAndFaultsAndRowsWhenAsked) {
  const std::string data = model() + "/chats.jsonl";
  tests::write_text(data,
                    "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":"
                    "\"assistant\",\"content\":\"Yo\"}]}\nnot json\n");
  const std::vector<std::string> verb = {"preview", data, "--tokenizer", model()};
  std::vector<std::string> json = verb, samples = verb;
  json.push_back("--json");
  samples.insert(samples.end(), {"--samples", "1"});
  const Json object = run(json, "")[0];
  EXPECT_EQ(object["lengths"].size(), 1U);
  EXPECT_EQ(object["faults"].size(), 1U);
  const ProcessResult page = run_finstill(verb);
  EXPECT_EQ(page.exit_code, 0) << page.errors;
  EXPECT_NE(page.output.find("chats.jsonl:2"), std::string::npos) << page.output;
  EXPECT_EQ(page.output.find('\x1b'), std::string::npos) << "no colours in a file";
  EXPECT_NE(run_finstill(samples).output.find("\x1b[32mYo"), std::string::npos);
  refuses({"preview", model() + "/absent", "--tokenizer", model()}, "", 74, "absent");
  tests::write_text(data, "not json\n");
  refuses(verb, "", 65, "no row can be trained on (1 faults)");
}

TEST_F(GenerationVerbs, LoglikelihoodScoresTextsAndTheTrainedPartOfMessages) {
  const std::vector<std::string> verb = {"loglikelihood", "--model", model(),
                                         "--dtype",       "float32", "--json"};
  const std::vector<Json> lines =
      run(verb,
          "{\"text\":\"abcd\"}\n{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":"
          "\"assistant\",\"content\":\"Yo\"}]}\n"
          "{\"text\":\"a\"}\n");
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0]["tokens"], 3);
  EXPECT_NEAR(lines[0]["nll_mean"].get<double>() * 3, lines[0]["nll_sum"].get<double>(), 1e-12);
  EXPECT_EQ(lines[1]["tokens"], 3) << "two bytes and the end of the turn";
  EXPECT_EQ(lines[2]["tokens"], 0);
  EXPECT_TRUE(lines[2]["nll_mean"].is_null());
  EXPECT_EQ(lines[3]["tokens"], 6);
  EXPECT_EQ(lines[3]["lines"], 3);
  refuses(verb, "{\"text\":\"a\",\"messages\":[]}\n", 65, "stdin:1");
  refuses(verb, "{\"text\":\"\"}\n", 65, "stdin:1");
  refuses(verb, "{\"text\":\"" + std::string(200, 'x') + "\"}\n", 65, "context");
}

TEST_F(GenerationVerbs, ToolsOfALineAreReadAsTrainingReadsThem) {
  const tests::TemporaryFolder folder;
  std::filesystem::copy(model(), folder / "m", std::filesystem::copy_options::recursive);
  tests::write_text(folder / "m/chat_template.jinja",
                    "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}"
                    "<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
                    "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}");
  const std::string path = (folder / "m").string();
  const std::string messages =
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])";
  const std::string tools = R"(, "tools": [{"type": "function", "function": {"name": "f"}}])";
  const std::string lines = messages + "}\n" + messages + tools + "}\n";
  const auto scored = run({"loglikelihood", "--model", path, "--dtype", "float32"}, lines);
  ASSERT_EQ(scored.size(), 2U);
  EXPECT_NE(scored[0]["nll_sum"], scored[1]["nll_sum"]);
  const auto prompt_tokens = [&](const std::string& line) {
    return run({"generate", "--model", path, "--max-new-tokens", "1", "--json"}, line)
        .back()["prompt_tokens"]
        .get<int>();
  };
  const std::string array = R"([{"type": "function", "function": {"name": "f"}}])";
  EXPECT_EQ(prompt_tokens(messages + tools + "}\n"),
            prompt_tokens(messages + "}\n") + static_cast<int>(array.size()));
  refuses({"generate", "--model", path}, messages + ", \"tools\": 3}\n", 65,
          "tools must be a list");
}

TEST_F(GenerationVerbs, SmallIntegersScoreTextsWithEitherSetOfKernels) {
  double dense = 0;
  for (const std::string weights : {"dense", "int8", "int4"}) {
    for (const std::string kernels : {"auto", "reference"}) {
      const double nll = run({"loglikelihood", "--model", model(), "--dtype", "float32",
                              "--weights", weights, "--kernels", kernels},
                             "{\"text\":\"abcd\"}\n")[0]["nll_sum"];
      if (dense == 0) dense = nll;
      EXPECT_NEAR(nll, dense, weights == "int4" ? 0.2 * dense : 0.01 * dense) << weights << kernels;
      EXPECT_EQ(run({"generate", "--model", model(), "--dtype", "float32", "--weights", weights,
                     "--kernels", kernels, "--max-new-tokens", "3"},
                    "{\"prompt\":\"abc\"}\n")
                    .size(),
                1U);
    }
  }
}

TEST_F(GenerationVerbs, AStopStringInBracketsIsOneText) {
  const std::string input = "{\"prompt\":\"abc\"}\n";
  const std::vector<std::string> verb = generate({"--temperature", "0", "--max-new-tokens", "40"});
  const std::string whole = run(verb, input)[0]["text"];
  ASSERT_GE(whole.size(), 1U);
  // Read as a list it would stop at the bare letter.
  std::vector<std::string> bracketed = verb;
  bracketed.insert(bracketed.end(), {"--stop", "[" + whole.substr(0, 1) + "]"});
  EXPECT_EQ(run(bracketed, input)[0]["text"], whole);
}

TEST_F(GenerationVerbs, GenerateAnswersEachLineInOrder) {
  const std::string input =
      "{\"prompt\":\"abc\"}\n{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}\n{\"prompt\":"
      "\"估值\"}\n";
  const std::vector<std::string> verb =
      generate({"--temperature", "0", "--max-new-tokens", "8", "--ignore-eos", "--keep-special"});
  const std::vector<Json> together = run(verb, input);
  ASSERT_EQ(together.size(), 3U);
  for (const Json& line : together) {
    EXPECT_EQ(line["ids"].size(), 8U);
    EXPECT_EQ(line["finish_reason"], "length");
    EXPECT_FALSE(line.contains("logprobs"));
  }
  EXPECT_EQ(run(verb, "{\"prompt\":\"估值\"}\n").at(0)["ids"], together[2]["ids"]);
}

TEST_F(GenerationVerbs, TheModelsOwnSettingsOfDrawingCountUnlessTheCommandLineSaysOtherwise) {
  const tests::TemporaryFolder folder;
  const std::string own = (folder / "m").string();
  std::filesystem::copy(model(), own, std::filesystem::copy_options::recursive);
  const std::string settings = own + "/generation_config.json";
  const std::string input = "{\"prompt\":\"abcabc\"}\n";
  const auto ids = [&](const std::string& path, std::vector<std::string> more) {
    more.insert(more.end(), {"--max-new-tokens", "24", "--ignore-eos"});
    std::vector<std::string> verb = {"generate", "--model", path, "--dtype", "float32"};
    verb.insert(verb.end(), more.begin(), more.end());
    return run(verb, input).at(0)["ids"];
  };
  tests::write_text(settings, R"({"repetition_penalty": 5.0, "top_k": 1, "temperature": 0.5})");
  const Json greedy = ids(model(), {"--temperature", "0"});
  const Json penalised = ids(model(), {"--temperature", "0", "--repetition-penalty", "5"});
  ASSERT_NE(greedy, penalised);
  EXPECT_EQ(ids(own, {"--temperature", "0"}), penalised);
  EXPECT_EQ(ids(own, {}), penalised) << "top_k 1 leaves one token";
  EXPECT_EQ(ids(own, {"--temperature", "0", "--repetition-penalty", "1"}), greedy);
  EXPECT_EQ(ids(own, {"--repetition-penalty", "1", "--top-k", "0", "--temperature", "1"}),
            ids(model(), {}));
  tests::write_text(settings, R"({"top_p": 7})");
  refuses({"generate", "--model", own}, input, 65, "generation_config.json: top_p is 7");
  refuses({"generate", "--model", own, "--top-p", "7"}, input, 64, "top_p is 7");
}

TEST_F(GenerationVerbs, LogprobsComeWithAsManyAlternativesAsAsked) {
  const std::string input = "{\"prompt\":\"abc\"}\n";
  const Json chosen =
      run(generate({"--max-new-tokens", "4", "--ignore-eos", "--logprobs"}), input).at(0);
  EXPECT_EQ(chosen["logprobs"].size(), 4U);
  EXPECT_FALSE(chosen.contains("top_logprobs"));
  const Json top = run(generate({"--max-new-tokens", "4", "--ignore-eos", "--logprobs", "2",
                                 "--temperature", "0"}),
                       input)
                       .at(0);
  ASSERT_EQ(top["top_logprobs"].size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(top["top_logprobs"][i].size(), 2U);
    EXPECT_EQ(top["top_logprobs"][i][0][0], top["ids"][i]);
    EXPECT_EQ(top["top_logprobs"][i][0][1], top["logprobs"][i]);
  }
}

TEST_F(GenerationVerbs, EqualPromptsOnTwoLinesAreTwoSamplesAndASeedRepeatsThem) {
  const std::string input = "{\"prompt\":\"abc\"}\n{\"prompt\":\"abc\"}\n";
  const std::vector<std::string> verb =
      generate({"--max-new-tokens", "16", "--ignore-eos", "--seed", "3"});
  const std::vector<Json> first = run(verb, input);
  EXPECT_NE(first.at(0)["ids"], first.at(1)["ids"]);
  EXPECT_EQ(run(verb, input), first);
}

TEST_F(GenerationVerbs, GenerateRefusesWhatItCannotDo) {
  refuses(generate({"--temperature", "-1"}), "", 64, "temperature");
  refuses(generate({"--max-new-tokens", "0"}), "", 64, "--max-new-tokens");
  refuses(generate({}), "{\"prompt\":\"a\"}\nnot json\n", 65, "stdin:2");
  refuses(generate({}), "{\"question\":\"a\"}\n", 65, "stdin:1");
  refuses(generate({}), "{\"prompt\":\"" + std::string(200, 'x') + "\"}\n", 65, "stdin:1");
}

TEST_F(GenerationVerbs, ChatAnswersLineByLine) {
  const ProcessResult result =
      run_finstill({"chat", "--model", model(), "--max-new-tokens", "4", "--dtype", "float32"},
                   {.input = "Hi\n\n/new\nHi again\n/quit\nnever read\n"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_GE(std::count(result.output.begin(), result.output.end(), '\n'), 2);
}

}  // namespace
}  // namespace finstill::cli
