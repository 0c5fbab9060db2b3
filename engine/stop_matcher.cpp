#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace finstill::engine {
namespace {

/// Length of the longest end of `text` that is a proper beginning of `stop`.
std::size_t possible_beginning(std::string_view text, std::string_view stop) {
  for (std::size_t length = std::min(text.size(), stop.size() - 1); length > 0; --length) {
    if (stop.starts_with(text.substr(text.size() - length))) return length;
  }
  return 0;
}

}  // namespace

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopMatcher::push(std::string_view piece) {
  if (stopped_) return {};
  held_ += piece;
  std::size_t earliest = std::string::npos;
  std::size_t hold = 0;
  for (const std::string& stop : stops_) {
    earliest = std::min(earliest, held_.find(stop));
    hold = std::max(hold, possible_beginning(held_, stop));
  }
  if (earliest != std::string::npos) {
    stopped_ = true;
    std::string certain = held_.substr(0, earliest);
    held_.clear();
    return certain;
  }
  std::string certain = held_.substr(0, held_.size() - hold);
  held_.erase(0, certain.size());
  return certain;
}

std::string StopMatcher::finish() {
  return std::exchange(held_, {});
}

}  // namespace finstill::engine
