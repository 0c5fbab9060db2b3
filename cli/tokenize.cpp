// tokenize: lines of text -> lines of ids, and back with --decode.

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/verb.h"
#include "model/reference.h"
#include "text/tokenizer.h"

namespace finstill::cli {
namespace {

struct TokenizeOptions {
  std::filesystem::path tokenizer;
  bool no_special = false;
  bool decode = false;
  bool json = false;
};

/// A line that begins and ends with a double quote is a JSON string (so that any text fits on a
/// line), every other line is the text itself.
std::string text_of_line(const std::string& line, int number) {
  if (line.size() < 2 || line.front() != '"' || line.back() != '"') return line;
  try {
    return base::parse_json(line, "stdin", number).get<std::string>();
  } catch (const base::Error& error) {
    base::fail(base::ExitCode::data,
               "{}: a line between double quotes is read as a JSON string; write it as one",
               error.what());
  }
}

std::vector<text::TokenId> ids_of_line(const std::string& line, int number,
                                       std::int64_t vocabulary_size) {
  const std::string where = fmt::format("stdin:{}", number);
  const base::Json array = base::parse_json(line, "stdin", number);
  if (!array.is_array())
    base::fail(base::ExitCode::data, "{}: expected one JSON array of ids a line", where);
  std::vector<text::TokenId> ids;
  ids.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    const base::Json& id = array[i];
    const bool fits = id.is_number_integer() &&
                      !(id.is_number_unsigned() && id.get<std::uint64_t>() > INT32_MAX) &&
                      id.get<std::int64_t>() >= 0 && id.get<std::int64_t>() < vocabulary_size;
    if (!fits) {
      base::fail(base::ExitCode::data, "{}: element {} is {}, this tokenizer has ids from 0 to {}",
                 where, i, id.dump(), vocabulary_size - 1);
    }
    ids.push_back(id.get<text::TokenId>());
  }
  return ids;
}

int tokenize(const TokenizeOptions& options) {
  const std::unique_ptr<text::Tokenizer> tokenizer = model::open_tokenizer(options.tokenizer);
  std::int64_t lines = 0, tokens = 0;
  for_each_input_line([&](const std::string& line, int number) {
    ++lines;
    if (options.decode) {
      const std::vector<text::TokenId> ids =
          ids_of_line(line, number, tokenizer->vocabulary_size());
      tokens += static_cast<std::int64_t>(ids.size());
      print_json_line(tokenizer->decode(ids, !options.no_special));
      return;
    }
    const bool special = !options.no_special;
    const std::vector<text::TokenId> ids = tokenizer->encode(
        text_of_line(line, number), {.add_special_tokens = special, .parse_special = special});
    tokens += static_cast<std::int64_t>(ids.size());
    print_json_line(ids);
  });
  for (const std::string& warning : tokenizer->warnings())
    fmt::print(stderr, "tokenize: {}\n", warning);
  const text::EncodeCounters counters = tokenizer->counters();
  if (counters.dropped_bytes > 0) {
    fmt::print(stderr, "tokenize: {} bytes of the input have no token and were left out\n",
               counters.dropped_bytes);
  }
  if (options.json) print_json_line({{"lines", lines}, {"tokens", tokens}});
  return 0;
}

const bool registered_tokenize = add_verb(
    {"tokenize", "text to token ids", [](CLI::App& app) -> std::function<int()> {
       auto options = std::make_shared<TokenizeOptions>();
       app.add_option("--tokenizer", options->tokenizer,
                      "model folder, tokenizer.json, tokenizer.model or GGUF file")
           ->required();
       app.add_flag("--no-special", options->no_special,
                    "special tokens in the text are plain text and none are added; with --decode: "
                    "they are left out");
       app.add_flag("--decode", options->decode, "lines of ids to lines of text (JSON strings)");
       app.add_flag("--json", options->json,
                    "end with one JSON object that counts lines and tokens");
       return [options] { return tokenize(*options); };
     }});

}  // namespace
}  // namespace finstill::cli
