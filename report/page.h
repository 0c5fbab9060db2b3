#pragma once

#include <string>

#include "report/content.h"

namespace finstill::report {

struct PageOptions {
  std::string title, about;
  std::string language = "en";  ///< "en", "zh"
};

/// The whole page, self-contained. `content` is hostile text: everything is escaped.
std::string render_page(const Content& content, const PageOptions& options);

}  // namespace finstill::report
