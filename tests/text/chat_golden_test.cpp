// Real templates against the renderings that jinja2 gave of them, as transformers configures it.

#include "tests/support/shared.h"
#include "tests/support/temporary.h"

#include "text/chat.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace finstill::text {
namespace {

std::string source_of(const std::filesystem::path& tokenizers, const std::string& name) {
  if (!name.starts_with("template:")) {
    return base::Json::parse(
        tests::read_text(tokenizers / name / "tokenizer_config.json"))["chat_template"];
  }
  return tests::read_text(tokenizers / "templates" / (name.substr(9) + ".jinja"));
}

RenderOptions options_of(const base::Json& input) {
  RenderOptions options;
  options.add_generation_prompt = base::json_bool(input, "add_generation_prompt", "input", false);
  options.date = "2025-01-15T09:30:00";
  options.variables = base::Json::object();
  for (const auto& [key, value] : input.items()) {
    if (key == "tools") options.tools = value;
    if (key != "tools" && key != "messages" && key != "add_generation_prompt")
      options.variables[key] = value;
  }
  return options;
}

TEST(ChatGolden, EveryRenderingOfTheRealTemplatesIsTheSame) {
  FINSTILL_SHARED_OR_SKIP(tokenizers, "tokenizers");
  std::size_t renderings = 0, raised = 0;
  for (const auto& entry : std::filesystem::directory_iterator(tokenizers / "golden" / "chat")) {
    const base::Json golden = base::read_json(entry.path());
    const std::string name = golden["template"];
    const ChatTemplate chat_template(
        source_of(tokenizers, name),
        {{"bos_token", golden["bos_token"]}, {"eos_token", golden["eos_token"]}}, name);
    for (const auto& [case_name, expected] : golden["cases"].items()) {
      SCOPED_TRACE(name + " / " + case_name);
      ++renderings;
      const base::Json& input = expected["input"];
      const std::vector<Message> messages = messages_from_json(input["messages"], case_name);
      if (expected.contains("error")) {
        ++raised;
        EXPECT_THROW(chat_template.render(messages, options_of(input)), base::Error);
        continue;
      }
      try {
        const RenderedChat chat = chat_template.render(messages, options_of(input));
        EXPECT_EQ(chat.text, expected["text"].get<std::string>());
      } catch (const base::Error& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }
  EXPECT_EQ(renderings, 189U);
  EXPECT_EQ(raised, 10U);
}

}  // namespace
}  // namespace finstill::text
