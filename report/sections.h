#pragma once

// The sections of the page, in its order; each returns HTML, or "" when there is nothing to say.

#include <string>

#include "report/content.h"
#include "report/words.h"

namespace finstill::report {

std::string lead_section(const Content& content, const Words& words);
std::string scores_section(const Content& content, const Words& words);
std::string outcomes_section(const Content& content, const Words& words);
std::string learning_section(const Content& content, const Words& words);
std::string cost_section(const Content& content, const Words& words);
std::string cases_section(const Content& content, const Words& words);
std::string changes_section(const Content& content, const Words& words);
std::string provenance_section(const Content& content, const Words& words);

/// The model the page is about: the student, else the last model.
const ModelInfo* subject(const Content& content);

/// A style-sheet class for a system: its role, or "baseline".
std::string style_of(const Content& content, const std::string& model);

}  // namespace finstill::report
