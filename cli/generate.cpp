// generate: prompts or conversations -> a model's answers.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "cli/generation.h"
#include "cli/verb.h"
#include "data/tools.h"
#include "engine/local.h"
#include "text/chat.h"

namespace finstill::cli {
namespace {

struct GenerateOptions : GenerationOptions {
  std::vector<std::string> stop;
  std::optional<int> log_probs;
  std::int64_t batch = 32;
  bool ignore_eos = false;
  bool keep_special = false;
  bool no_special = false;
  bool json = false;
};

engine::Request read_request(const base::Json& object, const std::string& where,
                             std::uint64_t number, const GenerateOptions& options,
                             const engine::Sampling& sampling, const engine::LocalModel& model) {
  engine::Request request;
  if (object.contains("prompt") == object.contains("messages")) {
    base::fail(base::ExitCode::data, "{}: expected either \"prompt\" or \"messages\"", where);
  }
  if (object.contains("prompt")) {
    request.ids = model.tokenizer().encode(base::json_string(object, "prompt", where),
                                           {.parse_special = !options.no_special});
    if (request.ids.empty())
      base::fail(base::ExitCode::data, "{}: the prompt is empty: give at least one token", where);
  } else {
    request.messages = text::messages_from_json(object["messages"], where + ": messages");
    if (base::Json tools = data::read_tools(object, where); !tools.is_null())
      request.ids = text::encode_chat(model.tokenizer(), model.chat_template(),
                                      std::exchange(request.messages, {}),
                                      {.add_generation_prompt = true, .tools = std::move(tools)})
                        .ids;
  }
  request.max_new_tokens = options.max_new_tokens;
  request.sampling = sampling;
  // Lines draw apart: the same prompt twice gives two samples.
  request.sampling.seed = base::derive_seed(options.seed, "generate", number);
  request.stop = options.stop;
  request.ignore_eos = options.ignore_eos;
  request.keep_special = options.keep_special;
  request.log_probs = options.log_probs;
  return request;
}

base::Json result_line(const engine::Result& result) {
  base::Json line = {{"text", result.text},
                     {"ids", result.ids},
                     {"finish_reason", std::string(engine::name(result.finish_reason))}};
  if (result.log_probs.empty()) return line;
  base::Json chosen = base::Json::array(), top = base::Json::array();
  for (const engine::TokenLogProbs& token : result.log_probs) {
    chosen.push_back(token.chosen);
    if (token.top.empty()) continue;
    base::Json alternatives = base::Json::array();
    for (const auto& [id, log_prob] : token.top) alternatives.push_back({id, log_prob});
    top.push_back(std::move(alternatives));
  }
  line["logprobs"] = std::move(chosen);
  if (!top.empty()) line["top_logprobs"] = std::move(top);
  return line;
}

struct Totals {
  std::int64_t requests = 0, prompt_tokens = 0, new_tokens = 0;
};

/// Answers what was submitted and prints the results in the order of `ids`, each as soon as those
/// before it are out.
Totals answer(engine::Generator& generator, const std::vector<engine::RequestId>& ids) {
  std::map<engine::RequestId, engine::Result> results;
  std::map<engine::RequestId, bool> finished;
  Totals totals;
  std::size_t next = 0;
  while (!generator.idle()) {
    for (const engine::Event& event : generator.step()) {
      engine::add_event(results[event.request], event);
      if (event.finished) finished[event.request] = true;
    }
    for (; next < ids.size() && finished.contains(ids[next]); ++next) {
      const engine::Result& result = results[ids[next]];
      print_json_line(result_line(result));
      ++totals.requests;
      totals.prompt_tokens += result.prompt_tokens;
      totals.new_tokens += static_cast<std::int64_t>(result.ids.size());
      results.erase(ids[next]);
    }
  }
  return totals;
}

int generate(GenerateOptions& options) {
  check_sampling(options, "generate");
  apply_runtime(options.runtime);
  const engine::LocalModel model(options.model, options.adapter, options.runtime);
  const std::unique_ptr<engine::Generator> generator =
      model.generator({.max_batch = options.batch});
  const engine::Sampling sampling = sampling_of(options, model.tokenizer());
  std::vector<engine::RequestId> ids;
  for_each_input_object([&](const base::Json& object, const std::string& where) {
    engine::Request request = read_request(object, where, ids.size(), options, sampling, model);
    try {
      ids.push_back(generator->submit(std::move(request)));
    } catch (const base::Error& error) {
      base::fail(error.code(), "{}: {}", where, error.what());
    }
  });
  const auto start = base::Clock::now();
  const Totals totals = answer(*generator, ids);
  const double seconds = base::seconds_since(start);
  if (options.json) {
    print_json_line({{"requests", totals.requests},
                     {"prompt_tokens", totals.prompt_tokens},
                     {"new_tokens", totals.new_tokens},
                     {"seconds", seconds}});
  }
  return 0;
}

const bool registered_generate = add_verb(
    {"generate", "answers of a model to prompts or conversations",
     [](CLI::App& app) -> std::function<int()> {
       auto options = std::make_shared<GenerateOptions>();
       add_generation_options(app, *options);
       app.add_option("--stop", options->stop,
                      "the answer ends before this text; may be given several times")
           ->allow_extra_args(false);  // else "[/INST]" would be read as a list
       app.add_option_function<std::vector<int>>(
              "--logprobs",
              [options](const std::vector<int>& values) {
                options->log_probs = values.empty() ? 0 : values.front();
              },
              "log-probabilities of the chosen tokens and, with a number, of the N likeliest")
           ->expected(0, 1)
           ->default_str("0")
           ->check(CLI::Range(0, 1000));
       app.add_option("--batch", options->batch, "answers that are made at once")
           ->check(CLI::Range(std::int64_t{1}, std::int64_t{4096}))
           ->capture_default_str();
       app.add_flag("--ignore-eos", options->ignore_eos, "go on after end tokens");
       app.add_flag("--keep-special", options->keep_special, "special tokens appear in the text");
       app.add_flag("--no-special", options->no_special,
                    "special tokens in \"prompt\" are plain text");
       app.add_flag("--json", options->json,
                    "end with one JSON object that counts tokens and seconds");
       return [options] { return generate(*options); };
     }});

}  // namespace
}  // namespace finstill::cli
