// golden_test: runs the golden numbers of FINSTILL_GOLDEN (a folder; default: golden/ of the shared material) and, where
// FINSTILL_MODEL_GOLDEN names files (separated by ':'), those of whole models (FINSTILL_MODEL: their model folder).
// Without shared material it says so and returns 77, which CTest counts as skipped; with FINSTILL_REQUIRE_SHARED=1 it
// fails instead.

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "ops/kernels.h"
#include "tests/golden/golden.h"

namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path golden_folder() {
  if (const std::string folder = environment("FINSTILL_GOLDEN"); !folder.empty()) return folder;
  const std::string shared = environment("FINSTILL_SHARED");
  return (shared.empty() ? fs::path(FINSTILL_SOURCE_DIR) / "../shared" : fs::path(shared)) / "golden";
}

int run() {
  finstill::ops::set_threads(0);
  const std::string model_files = environment("FINSTILL_MODEL_GOLDEN");
  bool good = true;
  std::istringstream list(model_files);
  for (std::string file; std::getline(list, file, ':');) {
    if (!file.empty()) good = finstill::golden::run_model_file(file, environment("FINSTILL_MODEL")) && good;
  }
  if (!model_files.empty() && environment("FINSTILL_GOLDEN").empty()) return good ? 0 : 1;
  const fs::path folder = golden_folder();
  if (environment("FINSTILL_GOLDEN").empty() && !fs::exists(folder) && environment("FINSTILL_REQUIRE_SHARED") != "1") {
    fmt::print("skipped: needs golden numbers at {}\n", folder.string());
    return 77;
  }
  good = finstill::golden::run_folder(folder, fs::path(FINSTILL_SOURCE_DIR) / "tests/golden/not_yet.txt") && good;
  return good ? 0 : 1;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "FAILED {}\n", error.what());
    return 1;
  }
}
