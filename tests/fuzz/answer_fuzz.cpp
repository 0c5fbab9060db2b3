// fuzz: links tasks
// Answers of models: extraction, figures, reconciliation statements and labels take any bytes; what
// a figure reader accepts is written and read back to the same value.

#include "tasks/answer.h"
#include "tasks/labels.h"
#include "tasks/reconciliation/render.h"
#include "tasks/reconciliation/statement.h"
#include "tasks/task.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace tasks = finstill::tasks;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const tasks::ExtractedAnswer answer = tasks::extract_answer(text);
  if (answer.text.size() > text.size()) std::abort();
  if (const auto figure = tasks::parse_figure(answer.text)) {
    if (tasks::parse_figure(tasks::write_figure(*figure)).value_or(*figure) != *figure)
      std::abort();
  }
  tasks::reconciliation::parse_statement(answer.text);
  static const tasks::reconciliation::Shape shape = tasks::reconciliation::shape_of({});
  tasks::reconciliation::read_tables(text, shape);
  static const auto sentiment = finstill::base::Registry<tasks::Task>::make("sentiment");
  static const auto reconciliation = finstill::base::Registry<tasks::Task>::make("reconciliation");
  static const tasks::Example questions[] = {
      sentiment->examples(tasks::Split::test, 1, 1).at(0),
      reconciliation->examples(tasks::Split::test, 1, 1).at(0)};
  for (const auto finish : {tasks::FinishReason::stop, tasks::FinishReason::length}) {
    sentiment->grade(questions[0], {.text = text, .finish = finish});
    reconciliation->grade(questions[1], {.text = text, .finish = finish});
  }
  return 0;
}
