// render: conversations -> the text that a model sees, its ids and which of them are trained.

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/verb.h"
#include "model/reference.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace finstill::cli {
namespace {

struct ChatRenderOptions {
  std::filesystem::path tokenizer;
  std::filesystem::path chat_template;
  bool add_generation_prompt = false;
  bool mask = false;
  bool json = false;
};

int render(const ChatRenderOptions& options) {
  const std::unique_ptr<text::Tokenizer> tokenizer = model::open_tokenizer(options.tokenizer);
  const text::ChatTemplate chat_template =
      options.chat_template.empty() ? text::chat_template_of(*tokenizer)
                                    : text::read_chat_template(options.chat_template, *tokenizer);
  if (chat_template.is_fallback()) {
    fmt::print(stderr, "render: {} brings no chat template, ChatML is used\n",
               options.tokenizer.string());
  }
  const bool for_eyes = !options.json && isatty(STDOUT_FILENO) != 0;
  std::int64_t lines = 0, tokens = 0;
  for_each_input_object([&](const base::Json& object, const std::string& where) {
    if (!object.contains("messages"))
      base::fail(base::ExitCode::data, "{}: no \"messages\" here", where);
    const std::vector<text::Message> messages =
        text::messages_from_json(object["messages"], where + ": messages");
    text::RenderOptions render;
    render.add_generation_prompt = options.add_generation_prompt;
    if (object.contains("tools")) render.tools = object["tools"];
    const text::RenderedChat chat = chat_template.render(messages, render);
    if (for_eyes) {
      fmt::print("{}\n", text::preview_chat(chat));
      return;
    }
    const text::EncodedChat encoded = text::encode_rendered(*tokenizer, chat);
    ++lines;
    tokens += static_cast<std::int64_t>(encoded.ids.size());
    print_json_line(text::render_line(chat, encoded, options.mask));
  });
  if (options.json) print_json_line({{"lines", lines}, {"tokens", tokens}});
  return 0;
}

const bool registered_render = add_verb(
    {"render", "conversations to the text that a model sees",
     [](CLI::App& app) -> std::function<int()> {
       auto options = std::make_shared<ChatRenderOptions>();
       app.add_option("--tokenizer", options->tokenizer, "model folder, artifact or tokenizer file")
           ->required();
       app.add_option("--template", options->chat_template,
                      "a Jinja chat template instead of the tokenizer's own");
       app.add_flag("--add-generation-prompt", options->add_generation_prompt,
                    "open the assistant's turn at the end");
       app.add_flag("--mask", options->mask, "also print which tokens are trained");
       app.add_flag("--json", options->json,
                    "end with one JSON object that counts lines and tokens");
       return [options] { return render(*options); };
     }});

}  // namespace
}  // namespace finstill::cli
