#pragma once

namespace finstill::cli {

/// The whole program: parses the command line, runs one verb, turns what it throws into one line on
/// standard error and an exit code. The only catch of base::Error.
int run_program(int argc, char** argv);

}  // namespace finstill::cli
