#include "distill/vocabulary.h"

#include "base/error.h"
#include "model/reference.h"
#include "text/tokenizer.h"

#include <algorithm>

namespace finstill::distill {
namespace {

/// Ids that stand for the same bytes in both.
std::int64_t agreeing_ids(const text::Tokenizer& one, const text::Tokenizer& other) {
  const std::int64_t common = std::min(one.vocabulary_size(), other.vocabulary_size());
  std::int64_t agreeing = 0;
  for (std::int64_t id = 0; id < common; ++id) {
    const auto token = static_cast<text::TokenId>(id);
    agreeing += one.token_bytes(token) == other.token_bytes(token);
  }
  return agreeing;
}

}  // namespace

std::int64_t shared_vocabulary(const std::filesystem::path& student,
                               const std::filesystem::path& teacher) {
  const model::ModelFolders student_folders = model::resolve_model(student);
  const model::ModelFolders teacher_folders = model::resolve_model(teacher);
  const auto student_tokenizer = text::load_tokenizer(student_folders.tokenizer);
  const auto teacher_tokenizer = text::load_tokenizer(teacher_folders.tokenizer);
  if (student_tokenizer->vocabulary_identity() != teacher_tokenizer->vocabulary_identity()) {
    base::fail(base::ExitCode::config,
               "distill: teacher {} and student {} have different tokenizers ({} and {} tokens, {} "
               "of them the same): "
               "their probabilities cannot be compared; use a teacher of the student's family, or "
               "train the student on "
               "the teacher's answers with objective sft",
               teacher.string(), student.string(), teacher_tokenizer->vocabulary_size(),
               student_tokenizer->vocabulary_size(),
               agreeing_ids(*student_tokenizer, *teacher_tokenizer));
  }
  const std::int64_t shared =
      std::min(model::read_model_config(student_folders.model).vocabulary_size,
               model::read_model_config(teacher_folders.model).vocabulary_size);
  if (shared < student_tokenizer->vocabulary_size()) {
    base::fail(base::ExitCode::config,
               "distill: teacher {} or student {} has fewer embedding rows ({}) than tokens ({})",
               teacher.string(), student.string(), shared, student_tokenizer->vocabulary_size());
  }
  return shared;
}

}  // namespace finstill::distill
