// preview: what training will see of a data set, with lengths and faults.

#include "data/preview.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "base/error.h"
#include "cli/verb.h"
#include "model/reference.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace finstill::cli {
namespace {

struct PreviewOptions {
  std::filesystem::path data, tokenizer;
  data::ReadOptions read;
  data::TokenizeOptions tokenize;
  std::optional<std::int64_t> samples;
  bool json = false;
};

int preview(const PreviewOptions& options) {
  const std::unique_ptr<text::Tokenizer> tokenizer = model::open_tokenizer(options.tokenizer);
  // Rows are coloured by what is trained: for eyes, unless a number says otherwise.
  const bool for_eyes = !options.json && isatty(STDOUT_FILENO) != 0;
  const data::DataPreview shown =
      data::preview_data(options.data, *tokenizer, text::chat_template_of(*tokenizer), options.read,
                         options.tokenize, options.samples.value_or(for_eyes ? 2 : 0));
  if (options.json) {
    print_json_line(data::preview_json(shown));
  } else {
    fmt::print("{}", data::render_preview(shown));
  }
  if (shown.lengths.empty()) {
    base::fail(base::ExitCode::data, "{}: no row can be trained on ({} faults)",
               options.data.string(), shown.faults.size());
  }
  return 0;
}

const bool registered_preview = add_verb(
    {"preview", "what training will see of a data set, with lengths and faults",
     [](CLI::App& app) -> std::function<int()> {
       auto options = std::make_shared<PreviewOptions>();
       app.add_option("data", options->data, "file or folder, as for the data of a training stage")
           ->required();
       app.add_option("--tokenizer", options->tokenizer, "model folder, artifact or tokenizer file")
           ->required();
       app.add_option("--split", options->read.split, "which of a folder's splits to read")
           ->capture_default_str();
       app.add_option("--max-records", options->read.max_records, "the first ones alone; 0 = all")
           ->check(not_negative());
       app.add_option("--max-length", options->tokenize.max_length,
                      "tokens a document, as training cuts them")
           ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
           ->capture_default_str();
       app.add_flag("--train-all", options->tokenize.train_all,
                    "every token of a chat is trained, as objective pretrain does");
       app.add_option("--samples", options->samples,
                      "rows to show, what is trained in green; 2 on a terminal")
           ->check(not_negative());
       app.add_flag("--json", options->json, "one JSON object with the length of every row");
       return [options] { return preview(*options); };
     }});

}  // namespace
}  // namespace finstill::cli
