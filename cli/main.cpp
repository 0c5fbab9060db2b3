#include "cli/program.h"

int main(int argc, char** argv) {
  return finstill::cli::run_program(argc, argv);
}
