#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/generator.h"

#include "base/error.h"

namespace finstill::tests {

/// A generator whose answers a function writes. One "token" a byte of the last message; answers
/// over the budget are cut.
class Scripted : public engine::Generator {
 public:
  using Script = std::function<std::string(const engine::Request& request)>;
  explicit Scripted(Script script) : script_(std::move(script)) {}

  engine::RequestId submit(engine::Request request) override {
    seen.push_back(request);
    waiting_.emplace_back(next_, std::move(request));
    return next_++;
  }
  void cancel(engine::RequestId) override {}
  std::vector<engine::Event> step() override {
    std::vector<engine::Event> events;
    for (const auto& [id, request] : waiting_) {
      engine::Event event{.request = id, .token = 1};
      event.text = script_(request);
      const auto budget = static_cast<std::size_t>(request.max_new_tokens);
      const bool cut = event.text.size() > budget;
      event.text = event.text.substr(0, budget);
      event.finished = cut ? engine::FinishReason::length : engine::FinishReason::stop;
      event.prompt_tokens = static_cast<std::int64_t>(request.messages.back().content.size());
      events.push_back(std::move(event));
    }
    waiting_.clear();
    return events;
  }
  bool idle() const override { return waiting_.empty(); }
  std::vector<std::vector<double>> prompt_log_probs(
      std::span<const std::vector<std::int32_t>>) override {
    return {};
  }
  std::vector<std::int32_t> encode(std::span<const text::Message> messages) const override {
    return std::vector<std::int32_t>(messages.back().content.size(), 1);
  }
  std::int64_t context_length() const override { return context; }

  std::vector<engine::Request> seen;
  std::int64_t context = 1 << 20;

 private:
  Script script_;
  engine::RequestId next_ = 1;
  std::vector<std::pair<engine::RequestId, engine::Request>> waiting_;
};

}  // namespace finstill::tests
