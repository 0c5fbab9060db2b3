// chat: a conversation in the terminal; the answer appears while it is made.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/jsonl.h"
#include "base/signals.h"
#include "base/unicode.h"
#include "cli/generation.h"
#include "cli/verb.h"
#include "engine/local.h"

namespace finstill::cli {
namespace {

struct ChatOptions : GenerationOptions {
  std::string system;
};

void show(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    base::fail(base::ExitCode::io, "cannot write to standard output");
  }
}

/// Streams the answer to `messages`, or at a terminal what there is of it when a signal comes;
/// returns it.
std::string answer(engine::Generator& generator, const std::vector<text::Message>& messages,
                   std::int64_t max_new_tokens, const engine::Sampling& sampling,
                   bool at_terminal) {
  engine::Request request;
  request.messages = messages;
  request.max_new_tokens = max_new_tokens;
  request.sampling = sampling;
  const engine::RequestId id = generator.submit(std::move(request));
  if (at_terminal) base::stop_at_signals();
  std::string text;
  while (!generator.idle()) {
    if (base::stop_requested()) generator.cancel(id);
    for (const engine::Event& event : generator.step()) {
      show(event.text);
      text += event.text;
    }
  }
  base::request_stop(false);
  base::end_at_signals();
  show("\n");
  return text;
}

/// Drops the oldest turns while the conversation leaves less than `answer_tokens` of the context,
/// or, of a small context, half of it.
void forget_oldest(std::vector<text::Message>& messages, const engine::Generator& generator,
                   std::int64_t answer_tokens) {
  const std::int64_t context = generator.context_length();
  const std::int64_t most = context - std::min(answer_tokens, context / 2);
  const auto first = messages.front().role == "system" ? 1 : 0;
  while (std::ssize(messages) > first + 2 && std::ssize(generator.encode(messages)) > most) {
    messages.erase(messages.begin() + first, messages.begin() + first + 2);
  }
}

int chat(ChatOptions& options) {
  check_sampling(options, "chat");
  apply_runtime(options.runtime);
  const engine::LocalModel model(options.model, options.adapter, options.runtime);
  const std::unique_ptr<engine::Generator> generator =
      model.generator({.max_batch = 1, .keep_when_idle = true});
  engine::Sampling sampling = sampling_of(options, model.tokenizer());
  sampling.seed = options.seed;
  const bool at_terminal = isatty(STDIN_FILENO) != 0;
  std::vector<text::Message> messages;
  const auto begin = [&] {
    messages.clear();
    if (!options.system.empty()) messages.push_back({.role = "system", .content = options.system});
  };
  begin();
  if (at_terminal)
    fmt::print(stderr, "/new starts again, /quit or Ctrl-D ends, Ctrl-C ends an answer\n");
  std::string line;
  while (true) {
    if (at_terminal) show("> ");
    if (!base::read_line(std::cin, line)) break;
    line = base::repair_utf8(line);
    if (line == "/quit") break;
    if (line == "/new") {
      begin();
      continue;
    }
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    messages.push_back({.role = "user", .content = line});
    forget_oldest(messages, *generator, options.max_new_tokens);
    try {
      const std::string text =
          answer(*generator, messages, options.max_new_tokens, sampling, at_terminal);
      ++sampling.seed;
      messages.push_back({.role = "assistant", .content = text});
    } catch (const base::Error& error) {
      if (!at_terminal || error.code() != base::ExitCode::data) throw;
      fmt::print(stderr, "{}\n", error.what());  // too long a message: the conversation goes on
      messages.pop_back();
    }
  }
  if (at_terminal) show("\n");
  return 0;
}

const bool registered_chat = add_verb(
    {"chat", "a conversation in the terminal", [](CLI::App& app) -> std::function<int()> {
       auto options = std::make_shared<ChatOptions>();
       options->usual.temperature = 0.7;
       options->usual.top_p = 0.9;
       options->max_new_tokens = 512;
       add_generation_options(app, *options);
       app.add_option("--system", options->system, "a system message before the conversation");
       return [options] { return chat(*options); };
     }});

}  // namespace
}  // namespace finstill::cli
