#include "cli/verb.h"

#include <cassert>
#include <cstdio>
#include <iostream>
#include <string>

#include "base/error.h"
#include "base/jsonl.h"
#include "base/unicode.h"

namespace finstill::cli {
namespace {

std::map<std::string, Verb>& table() {
  static std::map<std::string, Verb> verbs;
  return verbs;
}

}  // namespace

bool add_verb(Verb verb) {
  const std::string name = verb.name;
  const bool is_new = table().emplace(name, std::move(verb)).second;
  assert(is_new && "two verbs of one name");
  return is_new;
}

const std::map<std::string, Verb>& verbs() {
  return table();
}

CLI::Validator not_negative() {
  return {[](const std::string& text) {
            std::int64_t number = 0;
            const bool is_number = CLI::detail::lexical_cast(text, number);
            return is_number && number < 0 ? fmt::format("{} is less than 0", text) : std::string();
          },
          "NONNEGATIVE"};
}

void add_runtime_options(CLI::App& app, base::Runtime& runtime) {
  app.add_option("--dtype", runtime.dtype,
                 "float32, bfloat16, or auto: what this processor is fastest with")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}));
  app.add_option("--device", runtime.device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--threads", runtime.threads, "0: every core this process may use")
      ->check(CLI::Range(0, 4096));
  app.add_option("--weights", runtime.weights,
                 "of models that generate or score: dense, or rounded to int8 or int4")
      ->check(CLI::IsMember({"dense", "int8", "int4"}));
  app.add_option("--kernels", runtime.kernels, "auto, or reference: plain and slow, for comparison")
      ->check(CLI::IsMember({"auto", "reference"}));
}

void for_each_input_line(const std::function<void(const std::string& line, int number)>& handle) {
  std::string line;
  for (int number = 1; base::read_line(std::cin, line); ++number) {
    if (!base::is_valid_utf8(line)) {
      base::fail(base::ExitCode::data,
                 "stdin:{}: not valid UTF-8: convert the input first (iconv -t utf-8)", number);
    }
    handle(line, number);
  }
}

void for_each_input_object(
    const std::function<void(const base::Json& object, const std::string& where)>& handle) {
  for_each_input_line([&](const std::string& line, int number) {
    if (line.find_first_not_of(" \t") == std::string::npos) return;
    const std::string where = fmt::format("stdin:{}", number);
    const base::Json value = base::parse_json(line, "stdin", number);
    if (!value.is_object())
      base::fail(base::ExitCode::data, "{}: expected one JSON object a line", where);
    handle(value, where);
  });
}

void print_json_line(const base::Json& value) {
  const std::string line = base::dump_json(value) + "\n";
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() || std::fflush(stdout) != 0) {
    base::fail(base::ExitCode::io,
               "cannot write to standard output: is the reader of the pipe gone or the disk full?");
  }
}

}  // namespace finstill::cli
