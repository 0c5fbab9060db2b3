#pragma once

// A verb of the command line. Each lives in one file of cli/ and registers itself:
//
//   static const bool registered = add_verb(
//       {"tokenize", "text to token ids", [](CLI::App& app) -> std::function<int()> {
//          auto options = std::make_shared<Options>();
//          app.add_option("--tokenizer", options->tokenizer, "folder or file")->required();
//          return [options] { return tokenize(*options); };
//        }});

#include <CLI/CLI.hpp>

#include <functional>
#include <map>
#include <string>

#include "base/json.h"
#include "base/stage.h"

namespace finstill::cli {

struct Verb {
  std::string name;
  std::string summary;  ///< one line for `finstill --help`
  /// Declares the options on `app`; what it returns runs once they are parsed, and gives the exit
  /// code.
  std::function<std::function<int()>(CLI::App& app)> configure;
};

bool add_verb(Verb verb);

/// All verbs by name.
const std::map<std::string, Verb>& verbs();

/// Takes whole numbers from 0.
CLI::Validator not_negative();

/// --dtype, --device, --threads, --kernels: the same words wherever a model runs.
void add_runtime_options(CLI::App& app, base::Runtime& runtime);

/// Sets threads and the kernel set for this process; resolves "auto" in `runtime` by what the
/// processor has. Throws Error(config) for values that this machine or build cannot serve.
void apply_runtime(base::Runtime& runtime);

/// Calls `handle` with each line of standard input and its number from 1. Throws Error(data) on
/// invalid UTF-8.
void for_each_input_line(const std::function<void(const std::string& line, int number)>& handle);

/// As for_each_input_line, each line parsed as one strict JSON object ("stdin:7:12: ..." in
/// errors). Empty lines are skipped.
void for_each_input_object(
    const std::function<void(const base::Json& object, const std::string& where)>& handle);

/// Prints one JSON object as a line on standard output and flushes: a reader of a pipe sees each
/// result at once.
void print_json_line(const base::Json& value);

}  // namespace finstill::cli
