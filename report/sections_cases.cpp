#include <fmt/format.h>

#include <algorithm>

#include "report/html.h"
#include "report/sections.h"

namespace finstill::report {
namespace {

std::string mark(const Words& words, const std::string& outcome) {
  const bool right = outcome == "right";
  return fmt::format("<span class=\"mark {}\">{} {}</span>", right ? "right" : "wrong",
                     right ? "✓" : "✗", outcome_word(words, outcome));
}

/// Why an answer is not right: in the grader's words where the page speaks its language, else what
/// it read, since the outcome says the rest.
std::string why(const Sample& sample, const Words& words) {
  if (sample.outcome == "right") return "";
  if (words.read_as.empty()) return sample.reason;
  return sample.predicted.empty() ? "" : fmt::format(fmt::runtime(words.read_as), sample.predicted);
}

std::string answer_line(const Sample& sample, const Words& words) {
  const std::string said = why(sample, words);
  const std::string reason =
      said.empty() ? "" : fmt::format(" <span class=\"soft\">({})</span>", escape_html(said));
  return fmt::format("<b>{}</b><span>{} · <code>{}</code>{}</span>", escape_html(sample.model),
                     mark(words, sample.outcome), escape_html(clipped(sample.output, 400)), reason);
}

/// A case with what every system answered.
std::string one_case(const Content& content, const Words& words, const Sample& sample) {
  std::string answers;
  for (const ModelInfo& model : content.models) {
    const Sample* other = content.sample(sample.task, sample.id, model.name);
    if (other != nullptr) answers += answer_line(*other, words);
  }
  return fmt::format(
      "<div class=\"case\"><p class=\"soft small\">{} · <code>{}</code></p><pre>{}</pre>"
      "<div class=\"answer\"><b>{}</b><span><code>{}</code></span>{}</div></div>",
      escape_html(sample.task), escape_html(sample.id), escape_html(sample.prompt), words.expected,
      escape_html(sample.gold), answers);
}

/// Three cases that show the most: where the subject is right and the base model is not, and one
/// where it fails; spread over the tasks.
std::vector<const Sample*> telling_cases(const Content& content) {
  const ModelInfo* model = subject(content);
  if (model == nullptr) return {};
  const ModelInfo* base = content.model_of_role("base");
  std::vector<const Sample*> chosen;
  const auto take = [&](const std::string& task, bool wanted_right) {
    for (const Sample& sample : content.samples) {
      if (sample.model != model->name || sample.task != task ||
          (sample.outcome == "right") != wanted_right)
        continue;
      const Sample* before =
          base == nullptr ? nullptr : content.sample(task, sample.id, base->name);
      if (wanted_right && before != nullptr && before->outcome == "right") continue;
      if (std::find(chosen.begin(), chosen.end(), &sample) != chosen.end()) continue;
      chosen.push_back(&sample);
      return;
    }
  };
  for (const std::string& task : content.tasks) take(task, true);
  for (const std::string& task : content.tasks) {
    if (chosen.size() < 3) take(task, false);
  }
  for (const std::string& task : content.tasks) {
    if (chosen.size() < 3) take(task, true);
  }
  if (chosen.size() > 3) chosen.resize(3);
  return chosen;
}

/// `count` cases changed; `ids` are the first of them.
std::string changed_list(const Content& content, const Words& words, const Comparison& comparison,
                         std::int64_t count, const std::vector<std::string>& ids,
                         std::string_view heading) {
  constexpr std::size_t most = 5;
  std::int64_t shown = 0;
  std::string items;
  for (std::size_t i = 0; i < std::min(most, ids.size()); ++i) {
    const Sample* before = content.sample(comparison.task, ids[i], comparison.first);
    const Sample* after = content.sample(comparison.task, ids[i], comparison.second);
    if (before == nullptr || after == nullptr) continue;
    ++shown;
    items += fmt::format(
        "<details><summary><code>{}</code> {}</summary><pre>{}</pre><div class=\"answer\"><b>{}</b>"
        "<span><code>{}</code></span>{}{}</div></details>",
        escape_html(ids[i]), escape_html(after->gold), escape_html(after->prompt), words.expected,
        escape_html(after->gold), answer_line(*before, words), answer_line(*after, words));
  }
  if (count == 0) items = fmt::format("<p class=\"soft small\">{}</p>", words.none);
  const std::string figure = shown > 0 && shown < count
                                 ? fmt::format(fmt::runtime(words.first_shown), count, shown)
                                 : fmt::format("{}", count);
  return fmt::format("<div><p class=\"small\"><b>{}</b> ({})</p>{}</div>", heading, figure, items);
}

/// The same comparison with `second` as the model that came before.
Comparison turned(const Comparison& comparison) {
  return {.task = comparison.task,
          .first = comparison.second,
          .second = comparison.first,
          .only_first = comparison.only_second,
          .only_second = comparison.only_first,
          .p_value = comparison.p_value,
          .corrected = comparison.corrected,
          .newly_right = comparison.newly_wrong,
          .newly_wrong = comparison.newly_right};
}

std::string settings_text(const base::Json& settings) {
  constexpr std::size_t most = 1200;
  return clipped(base::dump_json(settings), most);
}

}  // namespace

std::string cases_section(const Content& content, const Words& words) {
  std::string out;
  for (const Sample* sample : telling_cases(content)) out += one_case(content, words, *sample);
  return out.empty() ? "" : fmt::format("<h2>{}</h2>{}", words.worked_cases, out);
}

std::string changes_section(const Content& content, const Words& words) {
  const ModelInfo* model = subject(content);
  if (model == nullptr) return "";
  std::string out;
  for (const Comparison& found : content.comparisons) {
    if (found.first != model->name && found.second != model->name) continue;
    const Comparison comparison = found.second == model->name ? found : turned(found);
    out += fmt::format("<h3>{}: {}</h3><div class=\"two\">{}{}</div>", escape_html(comparison.task),
                       fmt::format(fmt::runtime(words.against), escape_html(comparison.first),
                                   escape_html(comparison.second)),
                       changed_list(content, words, comparison, comparison.only_second,
                                    comparison.newly_right, words.newly_right),
                       changed_list(content, words, comparison, comparison.only_first,
                                    comparison.newly_wrong, words.newly_wrong));
  }
  return out.empty() ? "" : fmt::format("<h2>{}</h2>{}", words.changes, out);
}

std::string provenance_section(const Content& content, const Words& words) {
  if (content.origins.empty()) return "";
  std::string rows;
  for (const Origin& origin : content.origins) {
    rows += fmt::format(
        "<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td><td><details><summary>{}</"
        "summary><code>{}</code>"
        "</details></td></tr>",
        escape_html(origin.name), escape_html(origin.kind),
        escape_html(origin.identity.substr(0, 16)),
        escape_html(fmt::format("{}", fmt::join(origin.inputs, ", "))), words.settings,
        escape_html(settings_text(origin.settings)));
  }
  return fmt::format(
      "<h2>{}</h2><p class=\"soft small\">{}</p><div "
      "class=\"scroll\"><table><tr><th>{}</th><th>{}</th><th>{}</th>"
      "<th>{}</th><th>{}</th></tr>{}</table></div>",
      words.provenance, words.provenance_note, words.stage, words.kind, words.identity,
      words.made_from, words.settings, rows);
}

}  // namespace finstill::report
