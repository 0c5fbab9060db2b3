#pragma once

// The sandboxed Jinja subset of chat templates: what transformers' environment gives them, without
// anything that reaches outside. A template can compute; it cannot import, change values, loop for
// ever, or fill memory.

#include "text/jinja_interpreter.h"
#include "text/jinja_parser.h"
#include "text/jinja_value.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finstill::text::jinja {

inline constexpr std::int64_t max_steps = 1000000;

class Template {
 public:
  /// Throws Error(data) with name:line.
  Template(std::string_view source, const std::string& name)
      : program_(parse_template(source, name)) {}

  /// Thread-safe. Throws Error(data) with name:line.
  TrackedText render(std::vector<std::pair<std::string, Value>> variables,
                     DateTime now = {}) const {
    return Interpreter(*program_, max_steps, now).run(std::move(variables));
  }

  /// Whether it says itself, by {% generation %}, what the assistant generates.
  bool has_generation() const { return program_->has_generation; }

 private:
  std::unique_ptr<const Program> program_;
};

}  // namespace finstill::text::jinja
