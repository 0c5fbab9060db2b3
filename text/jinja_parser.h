#pragma once

#include "text/jinja_ast.h"

#include <memory>
#include <string>
#include <string_view>

namespace finstill::text::jinja {

/// Parses a template. Throws Error(data) with name:line for anything outside the subset: include,
/// import, extends, blocks and further extensions are refused by name.
std::unique_ptr<const Program> parse_template(std::string_view source, const std::string& name);

}  // namespace finstill::text::jinja
