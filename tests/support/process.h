#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/temporary.h"

namespace finstill::tests {

struct ProcessResult {
  int exit_code = -1;  ///< 128 + signal when it was killed
  std::string output, errors;
};

struct ProcessOptions {
  std::string input;
  std::map<std::string, std::string> environment;  ///< added to our own
  std::string prefix;  ///< shell words before the command, e.g. "ulimit -f 100;"
};

/// The binary under test.
inline std::string finstill_binary() {
  return (std::filesystem::path(FINSTILL_BINARY_DIR) / "finstill").string();
}

inline std::string shell_quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// Runs a command through the shell and waits for it.
inline ProcessResult run_process(const std::vector<std::string>& words,
                                 const ProcessOptions& options = {}) {
  const TemporaryFolder folder;
  write_text(folder / "in", options.input);
  std::string command = options.prefix + " ";
  for (const auto& [name, value] : options.environment)
    command += name + "=" + shell_quoted(value) + " ";
  for (const std::string& word : words) command += shell_quoted(word) + " ";
  command += "<" + shell_quoted((folder / "in").string()) + " >" +
             shell_quoted((folder / "out").string()) + " 2>" +
             shell_quoted((folder / "err").string());
  const int status = std::system(command.c_str());
  ProcessResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.output = read_text(folder / "out");
  result.errors = read_text(folder / "err");
  return result;
}

inline ProcessResult run_finstill(std::vector<std::string> arguments,
                                  const ProcessOptions& options = {}) {
  arguments.insert(arguments.begin(), finstill_binary());
  return run_process(arguments, options);
}

}  // namespace finstill::tests
