#include "text/chat.h"

#include "text/tokenizer.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace finstill::text {
namespace {

const char* const chatml =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

ChatTemplate make(const std::string& source, const std::string& eos = "<|im_end|>") {
  return ChatTemplate(source, {{"bos_token", "<s>"}, {"eos_token", eos}});
}

/// The trained stretches of a rendering, each in brackets.
std::string trained(const RenderedChat& chat) {
  std::string result;
  bool open = false;
  for (const ChatSpan& span : chat.spans) {
    if (span.trained != open) result += span.trained ? "[" : "]";
    open = span.trained;
    if (open) result += chat.text.substr(span.begin, span.end - span.begin);
  }
  return open ? result + "]" : result;
}

const std::vector<Message> two_turns = {{"system", "Be brief."},
                                        {"user", "Q1"},
                                        {"assistant", "A1"},
                                        {"user", "Q2"},
                                        {"assistant", "A2"}};

TEST(Chat, SpansCoverTheTextWithoutGapsAndSayWhoWroteIt) {
  const RenderedChat chat = make(chatml).render(two_turns);
  std::size_t end = 0;
  for (const ChatSpan& span : chat.spans) {
    EXPECT_EQ(span.begin, end);
    EXPECT_LT(span.begin, span.end);
    end = span.end;
    const std::string text = chat.text.substr(span.begin, span.end - span.begin);
    if (text == "Q2") {
      EXPECT_EQ(span.origin, ChatSpan::Origin::from_message);
      EXPECT_EQ(span.message, 3);
    }
    if (text.find("<|im_start|>") != std::string::npos) {
      EXPECT_EQ(span.origin, ChatSpan::Origin::from_template);
    }
  }
  EXPECT_EQ(end, chat.text.size());
}

TEST(ChatMask, AssistantContentAndTheTokenThatEndsItsTurnAreTrainedAndNothingElse) {
  EXPECT_EQ(trained(make(chatml).render(two_turns)), "[A1<|im_end|>][A2<|im_end|>]");
  EXPECT_EQ(trained(make(chatml).render(std::vector<Message>{{"user", "Q"}},
                                        {.add_generation_prompt = true})),
            "");
}

TEST(ChatMask, AnAssistantTurnWithWeightZeroIsNotTrained) {
  std::vector<Message> messages = two_turns;
  messages[2].trained = false;
  EXPECT_EQ(trained(make(chatml).render(messages)), "[A2<|im_end|>]");
}

TEST(ChatMask, ReasoningToolCallsAndWhatTheTemplateWritesBetweenThemAreOneTrainedTurn) {
  const char* const source =
      "{% for m in messages %}<|im_start|>{{ m.role }}\n"
      "{% if m.reasoning_content is defined %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% "
      "endif %}"
      "{{ m.content or '' }}{% for c in m.tool_calls or [] %}<tool_call>\n{{ c.function | tojson "
      "}}\n</tool_call>"
      "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% "
      "endif %}";
  Message answer{"assistant", "done"};
  answer.reasoning_content = "first this";
  Message call{"assistant", ""};
  call.content_is_null = true;
  call.tool_calls = base::Json::parse(
      R"([{"type":"function","function":{"name":"rate","arguments":{"term":"1Y"}}}])");
  const std::vector<Message> messages = {{"user", "Q"}, call, {"tool", "3.1"}, answer};
  EXPECT_EQ(trained(make(source).render(messages)),
            "[<tool_call>\n{\"name\": \"rate\", \"arguments\": {\"term\": "
            "\"1Y\"}}\n</tool_call><|im_end|>]"
            "[<think>\nfirst this\n</think>\n\ndone<|im_end|>]");
}

TEST(ChatMask, WhatTheGenerationPromptAlreadyHoldsIsNotTrained) {
  const char* const source =
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' "
      "%}<think>\n\n</think>\n\n{% endif %}"
      "{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
      "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif "
      "%}{% endif %}";
  const std::vector<Message> messages = {{"user", "Q"}, {"assistant", "A"}};
  EXPECT_EQ(trained(make(source).render(messages)), "[<think>\n\n</think>\n\nA<|im_end|>]");
  EXPECT_EQ(trained(make(source).render(messages, {.variables = {{"enable_thinking", false}}})),
            "[A<|im_end|>]");
}

TEST(ChatMask, TemplatesWithoutAGenerationPromptTrainFromTheEndOfTheQuestion) {
  const char* const llama2 =
      "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token + '[INST] ' + m.content + ' "
      "[/INST]' }}{% else %}"
      "{{ ' ' + m.content + ' ' + eos_token }}{% endif %}{% endfor %}";
  EXPECT_EQ(trained(make(llama2, "</s>")
                        .render(std::vector<Message>{
                            {"user", "Q"}, {"assistant", "A"}, {"user", "R"}, {"assistant", "B"}})),
            "[ A </s>][ B </s>]");
}

TEST(ChatMask, AToolCallIsTrainedFromTheTextThatBeginsIt) {
  const char* const mistral =
      "{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% elif "
      "m.tool_calls is defined %}"
      "[TOOL_CALLS][{{ m.tool_calls[0].function | tojson }}]{{ eos_token }}{% else %}{{ m.content "
      "+ eos_token }}"
      "{% endif %}{% endfor %}";
  Message call{"assistant", ""};
  call.tool_calls = {{{"function", {{"name", "rate"}, {"arguments", {{"n", 1}}}}}}};
  EXPECT_EQ(trained(make(mistral, "</s>").render(std::vector<Message>{{"user", "Q"}, call})),
            "[[TOOL_CALLS][{\"name\": \"rate\", \"arguments\": {\"n\": 1}}]</s>]");
}

TEST(ChatMask, TheOpeningIsFoundWhereATemplateAlwaysWritesItOrEndsTheTextOtherwise) {
  const char* const always =
      "{% for m in messages %}<|{{ m.role }}|>\n{% if m.role == 'assistant' %}<say>{% endif %}"
      "{{ m.content }}<|end|>\n{% endfor %}{{ '<|assistant|>\n' }}";
  EXPECT_EQ(make(always, "</s>").generation_prompt(), "<|assistant|>\n");
  EXPECT_EQ(trained(make(always, "</s>").render(two_turns)), "[<say>A1<|end|>][<say>A2<|end|>]");
  const char* const phi =
      "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}";
  EXPECT_EQ(make(phi, "</s>").generation_prompt(), "<|assistant|>\n");
  EXPECT_EQ(make(phi, "</s>").end_of_turn(), "<|end|>");
}

TEST(ChatMask, GenerationBlocksDecideWhereATemplateHasThem) {
  const char* const source =
      "{% for m in messages %}{% if m.role == 'assistant' %}A:{% generation %} {{ m.content }}!{% "
      "endgeneration %}\n"
      "{% else %}U: {{ m.content }}\n{% endif %}{% endfor %}";
  EXPECT_EQ(trained(make(source).render(two_turns)), "[ A1!][ A2!]");
}

TEST(ChatMask, TextsThatLookLikeMarksInsideAnAnswerDoNotMoveTheMask) {
  const std::vector<Message> messages = {{"user", "<|im_start|>assistant\nfake<|im_end|>"},
                                         {"assistant", "x<|im_end|>y<|im_start|>assistant\nz"},
                                         {"user", "R"}};
  EXPECT_EQ(trained(make(chatml).render(messages)),
            "[x<|im_end|>y<|im_start|>assistant\nz<|im_end|>]");
}

TEST(ChatEncode, SpecialTokensInMessagesArePlainText) {
  const auto tokenizer = byte_tokenizer();
  const ChatTemplate chat_template = chat_template_of(*tokenizer);
  const std::vector<Message> messages = {{"user", "<|im_end|>"}, {"assistant", "<|im_start|>"}};
  const EncodedChat chat = encode_chat(*tokenizer, chat_template, messages);
  EXPECT_EQ(std::count(chat.ids.begin(), chat.ids.end(), 257), 2);
  EXPECT_EQ(std::count(chat.ids.begin(), chat.ids.end(), 258), 2);
  EXPECT_EQ(tokenizer->decode(chat.ids, true), chat_template.render(messages).text);
}

TEST(ChatEncode, TheMaskSelectsTheTokensOfTheAnswerAndTheEndOfTurn) {
  const auto tokenizer = byte_tokenizer();
  const ChatTemplate chat_template = chat_template_of(*tokenizer);
  const EncodedChat chat = encode_chat(*tokenizer, chat_template, two_turns);
  ASSERT_EQ(chat.ids.size(), chat.mask.size());
  std::vector<TokenId> selected;
  for (std::size_t i = 0; i < chat.ids.size(); ++i) {
    if (chat.mask[i] != 0) selected.push_back(chat.ids[i]);
  }
  EXPECT_EQ(tokenizer->decode(selected, true), "A1<|im_end|>A2<|im_end|>");
}

TEST(Chat, AToolsVariableThatIsNotThereIsUndefinedOrNoneAsTheTemplateTests) {
  const std::vector<Message> messages = {{"user", "Q"}};
  EXPECT_EQ(make("{{ 'none' if tools is none else 'list' }}{{ messages[0].content }}")
                .render(messages)
                .text,
            "noneQ");
  EXPECT_EQ(make("{{ tools is defined }}").render(messages).text, "False");
}

TEST(Chat, TheMarksOfATemplateAreFoundByProbing) {
  const ChatTemplate chat_template = make(chatml);
  EXPECT_EQ(chat_template.generation_prompt(), "<|im_start|>assistant\n");
  EXPECT_EQ(chat_template.end_of_turn(), "<|im_end|>");
  EXPECT_TRUE(chat_template.warnings().empty());
}

TEST(Chat, ATemplateThatNeverEndsATurnAndTheFallbackAreWarnedAbout) {
  EXPECT_EQ(make("{% for m in messages %}{{ m.content }}\n{% endfor %}").warnings().size(), 1U);
  const ChatTemplate fallback = ChatTemplate::fallback({{"eos_token", "</s>"}});
  EXPECT_TRUE(fallback.is_fallback());
  ASSERT_EQ(fallback.warnings().size(), 1U);
  EXPECT_EQ(
      fallback.render(std::vector<Message>{{"user", "Q"}}, {.add_generation_prompt = true}).text,
      "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n");
}

TEST(Chat, AnEndOfTurnAtWhichNothingStopsIsWarnedAbout) {
  const auto tokenizer = byte_tokenizer();
  EXPECT_TRUE(chat_template_of(*tokenizer).warnings().empty());
  ChatTemplate other = make("{% for m in messages %}{{ m.content }}</s>{% endfor %}");
  other.check_end_of_turn(*tokenizer);
  ASSERT_EQ(other.warnings().size(), 1U);
  EXPECT_NE(other.warnings()[0].find("</s>, which is no token of this tokenizer"),
            std::string::npos);
  ChatTemplate start = make("{% for m in messages %}{{ m.content }}<|im_start|>{% endfor %}");
  start.check_end_of_turn(*tokenizer);
  ASSERT_EQ(start.warnings().size(), 1U);
  EXPECT_NE(start.warnings()[0].find("generation does not stop there"), std::string::npos);
}

TEST(Chat, ToolArgumentsAreGivenToATemplateInTheFormThatItTakes) {
  const auto tokenizer = byte_tokenizer();
  const auto text_of = [&](const char* source, const base::Json& arguments) {
    Message call{"assistant", ""};
    call.tool_calls = {
        {{"type", "function"}, {"function", {{"name", "f"}, {"arguments", arguments}}}}};
    return tokenizer->decode(
        encode_chat(*tokenizer, make(source), std::vector<Message>{{"user", "Q"}, call}).ids, true);
  };
  const char* const dumps =
      "{% for m in messages %}{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}"
      "{% endfor %}{% endfor %}";
  const char* const joins =
      "{% for m in messages %}{% for c in m.tool_calls or [] %}{{ '' + c.function.arguments }}"
      "{% endfor %}{% endfor %}";
  const base::Json object = {{"a", 1}};
  EXPECT_EQ(text_of(dumps, object), "{\"a\": 1}");
  EXPECT_EQ(text_of(dumps, "{\"a\": 1}"), "{\"a\": 1}");
  EXPECT_EQ(text_of(joins, object), "{\"a\": 1}");
  EXPECT_EQ(text_of(joins, "{\"a\":1}"), "{\"a\":1}");
}

TEST(Chat, ConversationsWithToolsTakeTheTemplateForTools) {
  ChatTemplate usual("{% for m in messages %}{{ m.content }}</s>{% endfor %}", {});
  usual.use_with_tools(
      ChatTemplate("{% for m in messages %}[{{ tools[0] }}]{{ m.content }}</s>{% endfor %}", {}));
  const std::vector<Message> question = {{"user", "hello"}};
  EXPECT_EQ(usual.render(question).text, "hello</s>");
  EXPECT_EQ(usual.render(question, {.tools = {"t"}}).text, "[t]hello</s>");
}

TEST(ChatPreview, TheTrainedPartIsGreenAndControlCharactersCannotReachTheTerminal) {
  const std::vector<Message> messages = {{"user", "Q\x1b[31m"}, {"assistant", "A"}};
  const std::string preview = preview_chat(make(chatml).render(messages));
  EXPECT_NE(preview.find("\x1b[32mA\x1b[0m"), std::string::npos);
  EXPECT_EQ(preview.find("\x1b[31m"), std::string::npos);
  EXPECT_NE(preview.find("Q\u241b[31m"), std::string::npos);
}

TEST(ChatPreview, ARenderedLineHoldsTextIdsAndMask) {
  const auto tokenizer = byte_tokenizer();
  const RenderedChat chat = make(chatml).render(two_turns);
  const EncodedChat encoded = encode_rendered(*tokenizer, chat);
  const base::Json line = render_line(chat, encoded, true);
  EXPECT_EQ(line["text"], chat.text);
  EXPECT_EQ(line["ids"].size(), line["mask"].size());
  EXPECT_FALSE(render_line(chat, encoded, false).contains("mask"));
}

TEST(Message, ReadsWhatItWrites) {
  Message message{"assistant", "x"};
  message.reasoning_content = "r";
  message.tool_calls = {{{"function", {{"name", "f"}}}}};
  message.trained = false;
  message.extra = {{"tool_plan", "p"}};
  EXPECT_EQ(message_from_json(message_to_json(message), "here"), message);
  Message null_content{"assistant"};
  null_content.content_is_null = true;
  EXPECT_EQ(message_from_json(message_to_json(null_content), "here"), null_content);
}

TEST(Message, AContentThatIsNotThereIsNothingToTemplatesAndNullIsNone) {
  const auto rendered = [](const char* message) {
    return make("{% for m in messages %}[{{ m.content }}]{% endfor %}")
        .render(std::vector<Message>{message_from_json(base::Json::parse(message), "here")})
        .text;
  };
  const char* const call = R"({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]})";
  EXPECT_EQ(rendered(call), "[]");
  EXPECT_EQ(rendered(R"({"role": "assistant", "content": null})"), "[None]");
  const Message missing = message_from_json(base::Json::parse(call), "here");
  EXPECT_EQ(message_from_json(message_to_json(missing), "here"), missing);
}

TEST(Message, UnknownMembersAreKeptUpToALimit) {
  base::Json object = {{"role", "user"}, {"content", "x"}};
  for (int i = 0; i < 256; ++i) object[fmt::format("k{}", i)] = i;
  EXPECT_EQ(message_from_json(object, "a.jsonl:3").extra.size(), 256u);
  object["more"] = 1;
  try {
    message_from_json(object, "a.jsonl:3");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_STREQ(error.what(), "a.jsonl:3: more than 256 members that are not known");
  }
}

TEST(Message, TextPartsAreJoinedAndOtherPartsRefused) {
  const base::Json parts = {
      {"role", "user"},
      {"content", {{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}}}};
  EXPECT_EQ(message_from_json(parts, "x").content, "ab");
  const char* const bad[] = {R"({"role":"user","content":[{"type":"image_url"}]})",
                             R"({"content":"x"})",
                             R"({"role":"user"})",
                             R"({"role":7,"content":"x"})",
                             R"({"role":"","content":"x"})",
                             R"([])",
                             R"({"role":"user","content":7})",
                             R"({"role":"user","content":"x","tool_calls":{}})"};
  for (const char* text : bad) {
    EXPECT_THROW(message_from_json(base::Json::parse(text), "file:3: messages[0]"), base::Error)
        << text;
  }
  try {
    messages_from_json(base::Json::parse(R"([{"role":"user","content":"x"},{"role":"user"}])"),
                       "file:3");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_STREQ(error.what(), "file:3: messages[1]: content is missing");
  }
}

}  // namespace
}  // namespace finstill::text
