#include "tasks/grade_lines.h"

#include "tasks/generated.h"

#include "base/error.h"
#include "base/jsonl.h"
#include "base/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <istream>
#include <list>
#include <ostream>
#include <set>
#include <utility>

namespace finstill::tasks {
namespace {

/// Examples made again from ids "TASK-SPLIT-SEED-NUMBER".
class Remade {
 public:
  explicit Remade(const Task& task) : task_(task) {}

  /// Null when the task has no such example; good until the next call.
  const Example* find(const std::string& id) {
    const std::string start = task_.id_start() + "-";
    if (!id.starts_with(start)) return nullptr;
    std::string_view rest = std::string_view(id).substr(start.size());
    const auto take = [&rest] {
      const auto dash = std::min(rest.find('-'), rest.size());
      const std::string_view part = rest.substr(0, dash);
      rest.remove_prefix(std::min(dash + 1, rest.size()));
      return part;
    };
    const std::string_view split_text = take(), seed_text = take(), number_text = take();
    const auto split = find_split(split_text);
    std::uint64_t seed = 0;
    std::int64_t number = 0;
    if (!split || !read(seed_text, seed) || !read(number_text, number) || number < 0 ||
        number >= most || example_id(task_.id_start(), *split, seed, number) != id)
      return nullptr;
    List& list = list_of(*split, seed);
    const auto at = static_cast<std::size_t>(number);
    grow(list, number + 1);
    // Where the number is not the place in the list, it is one in a finite supply that comes
    // shuffled: all of it has to be there.
    if (at < list.examples.size() && list.examples[at].id != id) grow(list, most);
    const auto found = list.places.find(id);
    return found == list.places.end() ? nullptr : &list.examples[found->second];
  }

 private:
  /// The first examples of a split and seed.
  struct List {
    Split split{};
    std::uint64_t seed = 0;
    std::int64_t asked = 0;  ///< how many the task was asked for
    std::vector<Example> examples;
    std::map<std::string, std::size_t> places;
  };

  static constexpr std::int64_t most = 1'000'000;
  static constexpr std::size_t most_lists = 3;  ///< one for each split of a seed

  template <typename Number>
  static bool read(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
  }

  /// The list, in front of the others; the one that was not asked for longest makes room.
  List& list_of(Split split, std::uint64_t seed) {
    const auto at = std::find_if(lists_.begin(), lists_.end(), [&](const List& list) {
      return list.split == split && list.seed == seed;
    });
    if (at != lists_.end()) {
      lists_.splice(lists_.begin(), lists_, at);
    } else {
      if (lists_.size() == most_lists) lists_.pop_back();
      lists_.push_front({.split = split, .seed = seed});
    }
    return lists_.front();
  }

  /// Makes at least `count` examples, and twice as many as before: ids that grow one by one do not
  /// make the list anew each time.
  void grow(List& list, std::int64_t count) const {
    if (count <= list.asked) return;
    list.asked = std::min(most, std::max({count, 2 * list.asked, std::int64_t{1000}}));
    list.examples = task_.examples(list.split, list.seed, list.asked);
    list.places.clear();
    for (std::size_t at = 0; at < list.examples.size(); ++at)
      list.places.emplace(list.examples[at].id, at);
  }

  const Task& task_;
  std::list<List> lists_;
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
    base::fail(base::ExitCode::data, "{}: \"finish\" is stop or length, not '{}'", where,
               base::printable(finish));
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
  for (std::int64_t number = 1; base::read_line(in, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("stdin:{}", number);
    const base::Json line = base::parse_json(text, "stdin", number);
    const std::string id = base::json_string(line, "id", where),
                      answer = base::json_string(line, "answer", where);
    if (!seen.insert(id).second)
      base::fail(base::ExitCode::data, "{}: id '{}' is there twice", where, base::printable(id));
    const auto at = known.find(id);
    const Example* example = at != known.end()  ? at->second
                             : examples.empty() ? remade.find(id)
                                                : nullptr;
    if (example == nullptr) {
      base::fail(
          base::ExitCode::data,
          "{}: task {} has no example '{}'; name the examples that were asked with --examples, or "
          "their settings with --set",
          where, task.name(), base::printable(id));
    }
    kept.emplace_back(*example,
                      task.grade(*example, {.text = answer,
                                            .finish = finish_of(line, where),
                                            .reasoning_opened = base::json_bool(
                                                line, "reasoning_opened", where, false)}));
    out << base::dump_json(grade_to_json(id, kept.back().second)) << "\n";
  }
  if (kept.empty())
    base::fail(base::ExitCode::data, "stdin: no answers: give lines of {{\"id\", \"answer\"}}");
  std::vector<Graded> graded;
  for (const auto& [example, grade] : kept) graded.push_back({&example, grade});
  base::Json result{{"task", task.name()}, {"scorer", scorer_id(task)}, {"items", kept.size()}};
  if (!examples.empty()) {
    result["asked"] = known.size();
    result["missing"] = known.size() - kept.size();
  }
  result["aggregate"] = scores_to_json(task.aggregate(graded));
  return result;
}

}  // namespace finstill::tasks
