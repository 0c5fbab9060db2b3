#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace finstill::engine {

/// Finds stop strings in a text that arrives in pieces. Text that may still turn out to be the
/// beginning of a stop string is held back.
class StopMatcher {
 public:
  /// Empty stop strings are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  /// Takes the next piece; returns what is certain to stand before any stop string. Once stopped()
  /// everything is dropped.
  std::string push(std::string_view piece);

  /// What was held back, when the text ends without a stop string.
  std::string finish();

  /// A stop string was met; the text before the earliest one has been returned.
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace finstill::engine
