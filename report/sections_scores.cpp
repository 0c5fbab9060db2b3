#include <fmt/format.h>

#include <algorithm>

#include "report/charts.h"
#include "report/html.h"
#include "report/sections.h"

namespace finstill::report {
namespace {

std::string card(const std::string& figure, const std::string& meaning) {
  return fmt::format("<div class=\"card\"><b>{}</b><span class=\"soft small\">{}</span></div>",
                     escape_html(figure), escape_html(meaning));
}

/// "200", or "200 – 995" where the tasks have different numbers of cases.
std::string items_a_task(const std::vector<Result>& results) {
  const auto [fewest, most] = std::ranges::minmax_element(results, {}, &Result::items);
  const std::string from = grouped(static_cast<double>(fewest->items));
  if (fewest->items == most->items) return from;
  return fmt::format("{} – {}", from, grouped(static_cast<double>(most->items)));
}

std::string cards(const Content& content, const Words& words, const ModelInfo& model) {
  std::string out;
  const ModelInfo* teacher = content.model_of_role("teacher");
  if (model.parameters > 0) {
    const std::string meaning =
        teacher != nullptr && teacher->parameters > 0 && teacher != &model
            ? fmt::format(fmt::runtime(words.card_parameters), model.name,
                          percent(model.parameters / teacher->parameters), teacher->name)
            : model.name;
    out += card(short_count(model.parameters), meaning);
  }
  double seconds = 0, items = 0;
  for (const Timing& timing : content.timings) {
    if (timing.model != model.name || timing.items_per_hour <= 0) continue;
    seconds += timing.seconds;
    items += timing.items_per_hour * timing.seconds / 3600;
  }
  if (seconds > 0) out += card(grouped(items / seconds * 3600), std::string(words.card_hour));
  if (!content.results.empty())
    out += card(items_a_task(content.results), std::string(words.card_items));
  return "<div class=\"cards\">" + out + "</div>";
}

/// (student - majority) / (teacher - majority), where the teacher's interval lies clear of the
/// majority's.
std::string kept_share(const Content& content, const Words& words, const std::string& task) {
  const ModelInfo* student = content.model_of_role("student");
  const ModelInfo* teacher = content.model_of_role("teacher");
  if (student == nullptr || teacher == nullptr) return "";
  const Result* of_student = content.result(task, student->name);
  const Result* of_teacher = content.result(task, teacher->name);
  const Result* majority = content.result(task, "majority");
  if (of_student == nullptr || of_teacher == nullptr || majority == nullptr) return "";
  // A share of a gain that is within the noise would mean nothing.
  if (of_teacher->low <= majority->high || teacher->parameters <= 0) return "";
  const double gain = of_teacher->accuracy - majority->accuracy;
  return fmt::format("<p>{}</p>",
                     fmt::format(fmt::runtime(words.student_share), escape_html(task),
                                 percent((of_student->accuracy - majority->accuracy) / gain),
                                 percent(student->parameters / teacher->parameters)));
}

std::string probability(double p) {
  return p < 0.001 ? "&lt; 0.001" : fmt::format("= {:.3f}", p);
}

std::string comparison_line(const Comparison& comparison, const Words& words) {
  const std::string_view verdict = comparison.corrected >= 0.05 ? words.no_difference
                                   : comparison.only_first > comparison.only_second ? words.better
                                                                                    : words.worse;
  return "<li>" +
         fmt::format(fmt::runtime(words.compared), escape_html(comparison.first),
                     escape_html(comparison.second), comparison.only_first, comparison.only_second,
                     probability(comparison.p_value), probability(comparison.corrected), verdict) +
         "</li>";
}

/// What is known of a task's cases: how many stand in training too, what was left out, and which
/// models had no room for right answers.
std::string data_lines(const Content& content, const Words& words, const std::string& task,
                       const TaskData& data) {
  std::string lines;
  if (data.test_texts > 0)
    lines += fmt::format(fmt::runtime(words.equal_texts), data.equal_texts, data.test_texts);
  std::int64_t left_out = 0;
  std::string reasons;
  for (const auto& [reason, count] : data.left_out) {
    left_out += count;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : ", ", reason, count);
  }
  if (left_out > 0) {
    lines += (lines.empty() ? "" : " ") + fmt::format(fmt::runtime(words.left_out), left_out);
    lines += words.language == "en" ? fmt::format(" ({}).", escape_html(reasons)) : "。";
  }
  for (const ModelInfo& model : content.models) {
    const auto count = model.too_long.find(task);
    if (count == model.too_long.end()) continue;
    lines += (lines.empty() ? "" : " ") +
             fmt::format(fmt::runtime(words.too_long), escape_html(model.name), count->second);
  }
  return lines.empty() ? "" : fmt::format("<p class=\"soft small\">{}</p>", lines);
}

std::vector<Bar> task_bars(const Content& content, const Words& words, const std::string& task) {
  std::vector<Bar> bars;
  for (const Result& result : content.results) {
    if (result.task != task) continue;
    Bar bar{.label = result.model,
            .value = result.accuracy,
            .low = result.low,
            .high = result.high,
            .style = style_of(content, result.model)};
    const ModelInfo* model = content.model(result.model);
    if (model != nullptr && model->few_shot > 0) {
      bar.label += fmt::format(" ({})", fmt::format(fmt::runtime(words.few_shot), model->few_shot));
    }
    if (result.is_baseline) bar.label += fmt::format(" ({})", words.baseline);
    bars.push_back(bar);
  }
  return bars;
}

/// A model's artifact, dtype, rounded weights and penalty of repetition under its name in a table;
/// "" for what is no model.
std::string made_of(const ModelInfo* model) {
  if (model == nullptr || model->artifact.empty()) return "";
  constexpr std::size_t digits = 16;
  const std::string adapter =
      model->adapter.empty() ? "" : " + " + model->adapter.substr(0, digits);
  const std::string weights = model->weights == "dense" ? "" : " " + model->weights;
  const std::string penalty =
      model->repetition_penalty == 1
          ? ""
          : fmt::format(" repetition_penalty {}", model->repetition_penalty);
  return fmt::format("<br><span class=\"soft small\">{}</span>",
                     escape_html(fmt::format("{}{} {}{}{}", model->artifact.substr(0, digits),
                                             adapter, model->dtype, weights, penalty)));
}

std::string scores_table(const Content& content, const Words& words) {
  std::string rows;
  for (const Result& result : content.results) {
    rows += fmt::format(
        "<tr><td>{}</td><td>{}{}</td><td class=\"number\">{} / {}</td><td class=\"number\">{}</td>"
        "<td class=\"number\">{} – {}</td><td class=\"number\">{:.3f}</td></tr>",
        escape_html(result.task), escape_html(result.model), made_of(content.model(result.model)),
        result.correct, result.items, percent(result.accuracy, 1), percent(result.low, 1),
        percent(result.high, 1), result.macro_f1);
  }
  return fmt::format(
      "<details><summary>{}</summary><div class=\"scroll\"><table><tr><th>{}</th><th>{}</th><th "
      "class=\"number\">{}</th>"
      "<th class=\"number\">{}</th><th class=\"number\">{}</th><th "
      "class=\"number\">{}</th></tr>{}</table></div></details>",
      words.exact_answers, words.task, words.model, words.items_correct, words.exact_answers,
      words.interval, words.macro_f1, rows);
}

}  // namespace

const ModelInfo* subject(const Content& content) {
  const ModelInfo* student = content.model_of_role("student");
  return student != nullptr || content.models.empty() ? student : &content.models.back();
}

std::string style_of(const Content& content, const std::string& model) {
  const ModelInfo* info = content.model(model);
  return info == nullptr || info->role.empty() ? "baseline" : info->role;
}

std::string lead_section(const Content& content, const Words& words) {
  const ModelInfo* model = subject(content);
  if (model == nullptr || content.results.empty()) return fmt::format("<p>{}</p>", words.no_scores);
  std::string out;
  for (const std::string& task : content.tasks) {
    const Result* result = content.result(task, model->name);
    if (result == nullptr) continue;
    out += "<p class=\"lead\">" +
           fmt::format(fmt::runtime(words.lead_one), escape_html(task), escape_html(model->name),
                       percent(result->accuracy), result->items, percent(result->low),
                       percent(result->high)) +
           "<br><span class=\"soft small\">";
    std::string others;
    for (const Result& other : content.results) {
      if (other.task != task || other.model == model->name) continue;
      others += (others.empty() ? "" : " · ") + fmt::format(fmt::runtime(words.lead_against),
                                                            escape_html(other.model),
                                                            percent(other.accuracy));
    }
    out += others + "</span></p>";
  }
  return out + cards(content, words, *model);
}

std::string scores_section(const Content& content, const Words& words) {
  if (content.results.empty()) return "";
  std::string figures;
  for (const std::string& task : content.tasks) {
    const std::string description = fmt::format("{}: {}", task, words.exact_answers);
    const TaskData data = content.data_of(task);
    figures += fmt::format(
        "<figure><figcaption>{}{}</figcaption>{}{}{}</figure>", escape_html(task),
        data.scorer.empty() ? "" : fmt::format(" · <code>{}</code>", escape_html(data.scorer)),
        bar_chart(task_bars(content, words, task), description), kept_share(content, words, task),
        data_lines(content, words, task, data));
  }
  std::string compared;
  for (const std::string& task : content.tasks) {
    std::string lines;
    for (const Comparison& comparison : content.comparisons) {
      if (comparison.task == task) lines += comparison_line(comparison, words);
    }
    if (!lines.empty())
      compared += fmt::format("<h3>{}</h3><ul class=\"small\">{}</ul>", escape_html(task), lines);
  }
  return fmt::format("<h2>{}</h2><p class=\"soft small\">{}</p><div class=\"two\">{}</div>{}{}",
                     words.how_good, words.scores_note, figures, compared,
                     scores_table(content, words));
}

std::string outcomes_section(const Content& content, const Words& words) {
  static constexpr std::string_view order[] = {"right",      "wrong",     "malformed",
                                               "unanswered", "truncated", "unjudgeable"};
  std::string out;
  for (const std::string& task : content.tasks) {
    std::string bars;
    for (const Result& result : content.results) {
      if (result.task != task || result.is_baseline) continue;
      std::vector<Share> shares;
      for (const std::string_view name : order) {
        const auto found = result.outcomes.find(std::string(name));
        if (found == result.outcomes.end() || found->second == 0) continue;
        shares.push_back({std::string(outcome_word(words, name)),
                          static_cast<double>(found->second), std::string(name)});
      }
      bars += fmt::format("<p class=\"small\">{}</p>{}", escape_html(result.model),
                          stacked_bar(shares, fmt::format("{}: {}", result.model, words.outcomes)));
    }
    if (!bars.empty())
      out += fmt::format("<figure><figcaption>{}</figcaption>{}</figure>", escape_html(task), bars);
  }
  if (out.empty()) return "";
  std::string legend;
  for (const std::string_view name : order) {
    if (name == "unjudgeable") continue;
    legend += fmt::format("<li><i class=\"key {}\"></i>{}</li>", name, outcome_word(words, name));
  }
  return fmt::format("<h2>{}</h2><ul class=\"legend\">{}</ul><div class=\"two\">{}</div>",
                     words.outcomes, legend, out);
}

}  // namespace finstill::report
