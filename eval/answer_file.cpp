#include "eval/answer_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace finstill::eval {
namespace {

constexpr const char* schema = "finstill-answers-1";

}  // namespace

StoredAnswers read_answers(const std::filesystem::path& file, std::size_t items) {
  StoredAnswers stored{.answers = Answers(items)};
  if (!std::filesystem::exists(file)) return stored;
  const base::Json json = base::read_json(file);
  const std::string where = file.string();
  if (base::json_string(json, "schema", where) != schema || !json.contains("answers") ||
      !json["answers"].is_array())
    base::fail(base::ExitCode::data, "{}: no {} file: remove it", where, schema);
  stored.seconds = base::json_number(json, "seconds", where);
  for (const base::Json& answer : json["answers"]) {
    const std::int64_t item = base::json_integer(answer, "item", where);
    if (item < 0 || static_cast<std::size_t>(item) >= items)
      base::fail(base::ExitCode::data, "{}: there is no item {}: remove the file", where, item);
    stored.answers[static_cast<std::size_t>(item)] = {
        .text = base::json_string(answer, "text", where),
        .prompt_tokens = base::json_integer(answer, "prompt_tokens", where),
        .generated_tokens = base::json_integer(answer, "generated_tokens", where),
        .cut = base::json_bool(answer, "cut", where, false)};
  }
  return stored;
}

void write_answers(const std::filesystem::path& file, const StoredAnswers& stored) {
  base::Json answers = base::Json::array();
  for (std::size_t item = 0; item < stored.answers.size(); ++item) {
    const auto& answer = stored.answers[item];
    if (!answer) continue;
    answers.push_back({{"item", item},
                       {"text", answer->text},
                       {"prompt_tokens", answer->prompt_tokens},
                       {"generated_tokens", answer->generated_tokens},
                       {"cut", answer->cut}});
  }
  base::make_folder(file.parent_path());
  base::write_file_atomic(
      file,
      base::dump_json({{"schema", schema}, {"seconds", stored.seconds}, {"answers", answers}}) +
          "\n");
}

}  // namespace finstill::eval
