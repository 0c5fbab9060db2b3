#include "report/page.h"

#include <fmt/format.h>

#include "base/version.h"
#include "report/html.h"
#include "report/sections.h"
#include "report/style.h"
#include "report/words.h"

namespace finstill::report {

std::string render_page(const Content& content, const PageOptions& options) {
  const Words& text = words(options.language);
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      // Nothing may be loaded or run: what is shown comes from documents and models.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">"
      "<title>{}</title><style>{}</style></head><body><main>\n<h1>{}</h1>",
      text.language, escape_html(options.title), style_sheet(), escape_html(options.title));
  if (!options.about.empty())
    page += fmt::format("<p class=\"soft\">{}</p>", escape_html(options.about));
  for (const auto section : {lead_section, scores_section, outcomes_section, learning_section,
                             cost_section, cases_section, changes_section, provenance_section}) {
    page += section(content, text) + "\n";
  }
  page += fmt::format("<p class=\"soft small\">{}</p></main></body></html>\n",
                      fmt::format(fmt::runtime(text.generated_by), base::version()));
  return page;
}

}  // namespace finstill::report
