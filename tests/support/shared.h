#pragma once

// Real test material outside the repository. Tests that need it are skipped by name where it is
// absent; with FINSTILL_REQUIRE_SHARED=1 (continuous integration) such a skip is a failure.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace finstill::tests {

inline std::filesystem::path shared_root() {
  const char* root = std::getenv("FINSTILL_SHARED");
  return root != nullptr && *root != '\0'
             ? root
             : std::filesystem::path(FINSTILL_SOURCE_DIR) / "../shared";
}

inline bool shared_required() {
  const char* required = std::getenv("FINSTILL_REQUIRE_SHARED");
  return required != nullptr && std::string(required) == "1";
}

}  // namespace finstill::tests

/// Declares `variable`, a path inside the shared material, or skips the test by name.
#define FINSTILL_SHARED_OR_SKIP(variable, relative)                                            \
  const std::filesystem::path variable = finstill::tests::shared_root() / (relative);          \
  if (!std::filesystem::exists(variable)) {                                                    \
    if (finstill::tests::shared_required()) FAIL() << "missing shared material: " << variable; \
    GTEST_SKIP() << "needs shared material: " << variable;                                     \
  }
