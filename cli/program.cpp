#include "cli/program.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/fields.h"
#include "base/signals.h"
#include "base/version.h"
#include "cli/stage_verbs.h"
#include "cli/verb.h"

namespace finstill::cli {
namespace {

int report_error(base::ExitCode code, const std::string& message) {
  std::string line = message;
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  // Not fmt::print: it throws where nobody reads any more, and nobody would catch that here.
  std::fputs(fmt::format("finstill: {}\n", line).c_str(), stderr);
  return static_cast<int>(code);
}

/// LibTorch's own exceptions carry a C++ stack trace; its first line is what a reader can use.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

int describe_and_exit(const std::exception& error) {
  const std::string message = first_line(error.what());
  for (const char* words : {"not enough memory", "out of memory", "allocate memory"}) {
    if (message.find(words) != std::string::npos)
      return report_error(base::ExitCode::out_of_memory,
                          message + ": use a smaller batch or max_length, or recompute: true");
  }
  return report_error(base::ExitCode::internal, "a bug in finstill, please report it: " + message);
}

/// What the operating system refused where nobody said more: a path below a folder that may not be
/// searched, a name too long, a closed pipe.
int describe_system_error(const std::system_error& error) {
  const int number = error.code().value();
  if (number == ENOMEM) return report_error(base::ExitCode::out_of_memory, error.what());
  const bool is_denied = number == EACCES || number == EPERM || number == EROFS;
  std::string message = error.what();
  if (message.starts_with("cannot write to file"))  // fmt::print's words
    message = fmt::format("cannot write to standard output: {}", error.code().message());
  return report_error(is_denied ? base::ExitCode::permission : base::ExitCode::io, message);
}

/// The verb's exit code, unless its output was lost: what is buffered is written here, not after
/// main(), where nobody would notice.
int after_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  return report_error(base::ExitCode::io, "cannot write to standard output");
}

/// CLI11 only says that a subcommand is missing; say which word is wrong and what was probably
/// meant.
void check_verb(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-' || verbs().contains(argv[1])) return;
  std::vector<std::string> known;
  for (const auto& [name, verb] : verbs()) known.push_back(name);
  const std::string near = base::nearest_name(argv[1], known);
  base::fail(base::ExitCode::usage, "no verb `{}`{} (finstill --help lists what there is)", argv[1],
             near.empty() ? "" : fmt::format(": did you mean `{}`?", near));
}

/// A number is what it looks like, as in a recipe: CLI11 would read 010 as eight and take -1 where
/// a number has no sign.
void refuse_guessed_numbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    const bool is_unsigned = type.starts_with("UINT");
    if (!is_unsigned && !type.starts_with("INT")) continue;
    option->check(
        [is_unsigned](const std::string& text) {
          const std::string digits = !is_unsigned && text.starts_with("-") ? text.substr(1) : text;
          const bool is_plain = !digits.empty() && (digits == "0" || digits.front() != '0') &&
                                digits.find_first_not_of("0123456789") == std::string::npos;
          if (!is_plain) {
            return fmt::format("{} is no {}number in plain digits", text,
                               is_unsigned ? "positive " : "");
          }
          std::int64_t value = 0;  // CLI11 would take the largest number for a larger one
          const char* const end = text.data() + text.size();
          return std::from_chars(text.data(), end, value).ec == std::errc()
                     ? std::string()
                     : fmt::format("{} is too large", text);
        },
        "");
  }
  for (CLI::App* sub : app.get_subcommands({})) refuse_guessed_numbers(*sub);
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    app.exit(error);  // --help and --version, on standard output
    std::cout.flush();
    return std::cout ? after_output(0)
                     : report_error(base::ExitCode::io, "cannot write to standard output");
  }
  return report_error(base::ExitCode::usage,
                      fmt::format("{} (finstill --help lists what there is)", error.what()));
}

}  // namespace

int run_program(int argc, char** argv) {
  std::signal(SIGPIPE,
              SIG_IGN);  // a closed pipe becomes a write error with a message, not a silent death
  std::signal(SIGXFSZ, SIG_IGN);  // likewise a file-size limit
  base::end_at_signals();
  add_stage_verbs();
  CLI::App app("finstill: makes a small finance model out of a large one", "finstill");
  app.set_version_flag("--version", base::version());
  app.require_subcommand(1);
  std::function<int()> chosen;
  for (const auto& [name, verb] : verbs()) {
    CLI::App* sub = app.add_subcommand(name, verb.summary);
    auto action = verb.configure(*sub);
    refuse_guessed_numbers(*sub);
    sub->callback([&chosen, action] { chosen = action; });
  }
  try {
    check_verb(argc, argv);
    app.parse(argc, argv);
    return after_output(chosen());
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  } catch (const base::Error& error) {
    return report_error(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return report_error(base::ExitCode::out_of_memory,
                        "out of memory: use a smaller batch or max_length, or recompute: true");
  } catch (const std::system_error& error) {
    return describe_system_error(error);
  } catch (const std::exception& error) {
    return describe_and_exit(error);
  }
}

}  // namespace finstill::cli
