#include "tests/golden/loss_rows.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "ops/gradient.h"
#include "ops/tensor.h"

namespace finstill::golden {

LabelRows label_rows(const Case& c, const std::string& labels_name) {
  const bool has_labels = c.has_input(labels_name);
  const std::vector<std::int64_t> shape = c.shape(has_labels ? labels_name : "student_logits");
  const std::int64_t ignored = c.integer("ignore_index", -100), width = shape.at(1);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(shape.at(0) * width),
                                   0);  // without labels all rows count
  if (has_labels) labels = c.integers(labels_name);
  const bool shift = c.flag("shift", false);
  std::vector<std::int64_t> documents(labels.size(), 0);
  if (c.has_input("document_ids")) documents = c.integers("document_ids");
  std::vector<std::int64_t> targets(labels.size(), ignored);
  std::vector<double> weights(labels.size(), 0);
  LabelRows rows;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool is_last = static_cast<std::int64_t>(i) % width == width - 1;
    if (shift && (is_last || documents[i] != documents[i + 1])) continue;
    const std::int64_t target = labels[shift ? i + 1 : i];
    if (target == ignored) continue;
    targets[i] = target;
    weights[i] = 1;
    rows.scored += 1;
  }
  const std::string reduction = c.text("reduction");
  if (reduction == "mean_over_valid_tokens") {
    rows.denominator = std::max(rows.scored, 1.0);
  } else if (reduction == "sum_over_num_items") {
    rows.denominator = c.number("num_items_in_batch");
  } else if (reduction == "batchmean") {
    rows.denominator = static_cast<double>(shape.at(0));
  } else if (reduction == "mean_over_valid_tokens_times_vocab") {
    rows.denominator = rows.scored * static_cast<double>(c.shape("student_logits").back());
  } else if (reduction != "sum") {
    base::fail(base::ExitCode::data, "{}: unknown reduction \"{}\"", c.where(), reduction);
  }
  for (double& weight : weights) weight /= rows.denominator;
  rows.targets_T = ops::int64_tensor(targets);
  rows.weight_T = ops::tensor_from(weights, {static_cast<std::int64_t>(weights.size())});
  return rows;
}

IdentityHead identity_head(const at::Tensor& logits_BTV) {
  const std::int64_t vocabulary = logits_BTV.size(-1);
  std::vector<double> identity(static_cast<std::size_t>(vocabulary * vocabulary), 0);
  for (std::int64_t v = 0; v < vocabulary; ++v)
    identity[static_cast<std::size_t>(v * vocabulary + v)] = 1;
  IdentityHead made;
  made.hidden_TD = ops::leaf(logits_BTV.reshape({-1, vocabulary}));
  made.head.weight_VD =
      ops::cast(ops::tensor_from(identity, {vocabulary, vocabulary}), logits_BTV.scalar_type());
  return made;
}

}  // namespace finstill::golden
