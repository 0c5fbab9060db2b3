#pragma once

#include "base/error.h"

#include <gtest/gtest.h>

#include <string>

namespace finstill::tests {

/// Runs `action`, which must throw a base::Error with `code` whose message contains `part` and is
/// one line.
template <typename Action>
void expect_error(Action&& action, base::ExitCode code, const std::string& part) {
  try {
    action();
    ADD_FAILURE() << "no error; expected one with: " << part;
  } catch (const base::Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    const std::string message = error.what();
    EXPECT_NE(message.find(part), std::string::npos)
        << "got: " << message << "\nexpected: " << part;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

}  // namespace finstill::tests
