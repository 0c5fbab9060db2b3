// loglikelihood: how likely a model finds given texts or answers.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/verb.h"
#include "data/tools.h"
#include "engine/local.h"
#include "text/chat.h"

namespace finstill::cli {
namespace {

struct LoglikelihoodOptions {
  std::filesystem::path model;
  std::filesystem::path adapter;
  bool no_special = false;
  bool json = false;
  base::Runtime runtime;
};

struct Scored {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> mask;  ///< 1 = counts
};

/// Of a text every token after the first counts, of messages the trained ones.
Scored read_line(const base::Json& object, const std::string& where,
                 const engine::LocalModel& model, bool no_special) {
  Scored scored;
  if (object.contains("text") == object.contains("messages")) {
    base::fail(base::ExitCode::data, "{}: expected either \"text\" or \"messages\"", where);
  }
  if (object.contains("text")) {
    scored.ids = model.tokenizer().encode(base::json_string(object, "text", where),
                                          {.parse_special = !no_special});
    scored.mask.assign(scored.ids.size(), 1);
  } else {
    const std::vector<text::Message> messages =
        text::messages_from_json(object["messages"], where + ": messages");
    text::EncodedChat chat = text::encode_chat(model.tokenizer(), model.chat_template(), messages,
                                               {.tools = data::read_tools(object, where)});
    scored.ids = std::move(chat.ids);
    scored.mask = std::move(chat.mask);
  }
  if (!scored.mask.empty()) scored.mask[0] = 0;  // nothing precedes it
  return scored;
}

base::Json score_line(double nll_sum, std::int64_t tokens) {
  base::Json line = {{"nll_sum", nll_sum}, {"tokens", tokens}};
  line["nll_mean"] =
      tokens > 0 ? base::Json(nll_sum / static_cast<double>(tokens)) : base::Json(nullptr);
  return line;
}

/// Scores lines in packs: a pass over one short text would leave most of the processor idle.
class Scorer {
 public:
  explicit Scorer(engine::Generator& generator) : generator_(generator) {}

  void add(Scored line) {
    const auto size = static_cast<std::int64_t>(line.ids.size());
    if (rows_ + size > pack_rows) flush();
    rows_ += size;
    sequences_.push_back(std::move(line.ids));
    masks_.push_back(std::move(line.mask));
  }

  /// Scores what was added and prints a line for each.
  void flush() {
    const std::vector<std::vector<double>> log_probs = generator_.prompt_log_probs(sequences_);
    for (std::size_t i = 0; i < masks_.size(); ++i) {
      double sum = 0;
      std::int64_t tokens = 0;
      for (std::size_t t = 0; t < masks_[i].size(); ++t) {
        if (masks_[i][t] == 0) continue;
        sum -= log_probs[i][t];
        ++tokens;
      }
      total_ += sum;
      total_tokens_ += tokens;
      print_json_line(score_line(sum, tokens));
    }
    lines_ += static_cast<std::int64_t>(masks_.size());
    sequences_.clear();
    masks_.clear();
    rows_ = 0;
  }

  base::Json summary() const {
    base::Json summary = score_line(total_, total_tokens_);
    summary["lines"] = lines_;
    return summary;
  }

 private:
  static constexpr std::int64_t pack_rows = 2048;

  engine::Generator& generator_;
  std::vector<std::vector<std::int32_t>> sequences_;
  std::vector<std::vector<std::uint8_t>> masks_;
  std::int64_t rows_ = 0;
  double total_ = 0;
  std::int64_t total_tokens_ = 0, lines_ = 0;
};

int loglikelihood(LoglikelihoodOptions& options) {
  apply_runtime(options.runtime);
  const engine::LocalModel model(options.model, options.adapter, options.runtime);
  const std::unique_ptr<engine::Generator> generator = model.generator();
  Scorer scorer(*generator);
  for_each_input_object([&](const base::Json& object, const std::string& where) {
    Scored line = read_line(object, where, model, options.no_special);
    if (line.ids.empty())
      base::fail(base::ExitCode::data, "{}: the text is empty, nothing can be scored", where);
    if (static_cast<std::int64_t>(line.ids.size()) > generator->context_length()) {
      base::fail(base::ExitCode::data, "{}: {} tokens, the model's context is {}: shorten it",
                 where, line.ids.size(), generator->context_length());
    }
    scorer.add(std::move(line));
  });
  scorer.flush();
  if (options.json) print_json_line(scorer.summary());
  return 0;
}

const bool registered_loglikelihood = add_verb(
    {"loglikelihood", "how likely a model finds texts or answers",
     [](CLI::App& app) -> std::function<int()> {
       auto options = std::make_shared<LoglikelihoodOptions>();
       app.add_option("--model", options->model, "model folder, artifact or adapter")->required();
       app.add_option("--adapter", options->adapter, "PEFT adapter folder on top of the model");
       app.add_flag("--no-special", options->no_special,
                    "special tokens in \"text\" are plain text");
       app.add_flag("--json", options->json, "end with one JSON object over all lines");
       add_runtime_options(app, options->runtime);
       return [options] { return loglikelihood(*options); };
     }});

}  // namespace
}  // namespace finstill::cli
