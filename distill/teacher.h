#pragma once

#include "model/reference.h"
#include "ops/loss_head.h"
#include "trainer/objective.h"

#include <filesystem>
#include <functional>
#include <string>

namespace finstill::distill {

/// Column with the teacher's hidden states after its final norm, [T, teacher's hidden size].
inline constexpr const char* teacher_hidden = "teacher_hidden";

/// An online teacher: runs on each micro-batch before the student and leaves its hidden states
/// there. Logits are made from them row by row inside the loss, where they are needed, and never as
/// a whole.
class OnlineTeacher : public trainer::Annotator {
 public:
  OnlineTeacher(const std::filesystem::path& reference, at::ScalarType dtype);

  void annotate(model::DeviceBatch& batch) override;

  /// Calls `use` with the teacher's side of the loss for an annotated batch.
  void with_rows(const model::DeviceBatch& batch,
                 const std::function<void(const ops::Teacher&)>& use);

  const model::ModelConfig& config() const { return opened_.config(); }

 private:
  model::OpenedModel opened_;
};

}  // namespace finstill::distill
