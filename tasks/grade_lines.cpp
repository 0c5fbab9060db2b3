#include "tasks/grade_lines.h"

#include "base/error.h"

#include <fmt/format.h>

#include <charconv>
#include <istream>
#include <ostream>
#include <set>
#include <utility>

namespace finstill::tasks {
namespace {

/// Examples made again from ids: one list for each (split, seed), grown as far as an id asks.
class Remade {
 public:
  explicit Remade(const Task& task) : task_(task) {}

  const Example* find(const std::string& id) {
    const std::string start = task_.name() + "-";
    if (!id.starts_with(start)) return nullptr;
    std::string_view rest = std::string_view(id).substr(start.size());
    const auto take = [&rest] {
      const auto dash = std::min(rest.find('-'), rest.size());
      const std::string_view part = rest.substr(0, dash);
      rest.remove_prefix(std::min(dash + 1, rest.size()));
      return part;
    };
    const std::string_view split = take(), seed_text = take(), number_text = take();
    std::uint64_t seed = 0;
    std::int64_t number = 0;
    if (split.empty() || !read(seed_text, seed) || !read(number_text, number) || number < 0 ||
        number >= most)
      return nullptr;
    auto& [made, byid] = lists_[{std::string(split), seed}];
    if (number >= made) {
      made = number + 1;
      byid.clear();
      for (Example& example :
           task_.examples(split_from_name(split), seed, std::max<std::int64_t>(made, 1000))) {
        byid.emplace(example.id, std::move(example));
      }
      made = std::max<std::int64_t>(made, 1000);
    }
    const auto at = byid.find(id);
    return at == byid.end() ? nullptr : &at->second;
  }

 private:
  static constexpr std::int64_t most = 1'000'000;

  template <typename Number>
  static bool read(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
  }

  const Task& task_;
  std::map<std::pair<std::string, std::uint64_t>,
           std::pair<std::int64_t, std::map<std::string, Example>>>
      lists_;
};

base::Json grade_to_json(const std::string& id, const Grade& grade) {
  return {{"id", id},
          {"outcome", outcome_name(grade.outcome)},
          {"score", grade.score},
          {"predicted", grade.predicted},
          {"gold", grade.gold},
          {"label", grade.gold_label},
          {"parts", grade.parts},
          {"reason", grade.reason}};
}

FinishReason finish_of(const base::Json& line, const std::string& where) {
  const std::string finish = base::json_string(line, "finish", where, "stop");
  if (finish != "stop" && finish != "length")
    base::fail(base::ExitCode::data, "{}: \"finish\" is stop or length, not '{}'", where, finish);
  return finish == "length" ? FinishReason::length : FinishReason::stop;
}

}  // namespace

base::Json grade_lines(const Task& task, std::span<const Example> examples, std::istream& in,
                       std::ostream& out) {
  std::map<std::string, const Example*> known;
  for (const Example& example : examples) known.emplace(example.id, &example);
  Remade remade(task);
  std::set<std::string> seen;
  std::vector<std::pair<Example, Grade>> kept;
  std::string text;
  for (std::int64_t number = 1; std::getline(in, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("stdin:{}", number);
    const base::Json line = base::parse_json(text, where);
    const std::string id = base::json_string(line, "id", where),
                      answer = base::json_string(line, "answer", where);
    if (!seen.insert(id).second)
      base::fail(base::ExitCode::data, "{}: id '{}' is there twice", where, id);
    const auto at = known.find(id);
    const Example* example = at != known.end()  ? at->second
                             : examples.empty() ? remade.find(id)
                                                : nullptr;
    if (example == nullptr) {
      base::fail(
          base::ExitCode::data,
          "{}: task {} has no example '{}'; name the examples that were asked with --examples",
          where, task.name(), id);
    }
    kept.emplace_back(*example,
                      task.grade(*example, {.text = answer, .finish = finish_of(line, where)}));
    out << base::dump_json(grade_to_json(id, kept.back().second)) << "\n";
  }
  if (kept.empty())
    base::fail(base::ExitCode::data, "stdin: no answers: give lines of {{\"id\", \"answer\"}}");
  std::vector<Graded> graded;
  for (const auto& [example, grade] : kept) graded.push_back({&example, grade});
  return {{"task", task.name()},
          {"scorer", scorer_id(task)},
          {"items", kept.size()},
          {"aggregate", scores_to_json(task.aggregate(graded))}};
}

}  // namespace finstill::tasks
