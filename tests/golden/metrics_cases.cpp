#include "base/statistics.h"
#include "tests/golden/golden.h"

#include <algorithm>

namespace finstill::golden {
namespace {

std::vector<double> as_doubles(const std::vector<std::int64_t>& values) {
  return {values.begin(), values.end()};
}

Outputs run_classification(const Case& c, const Run&) {
  const auto scores =
      base::classify(c.integers("y_true"), c.integers("y_pred"), c.integer("classes"));
  Outputs outputs;
  outputs.set("accuracy", scores.accuracy);
  outputs.set("macro_f1", scores.macro_f1);
  outputs.set("weighted_f1", scores.weighted_f1);
  outputs.set("micro_f1", scores.micro_f1);
  outputs.set("balanced_accuracy", scores.balanced_accuracy);
  outputs.set("mcc", scores.mcc);
  outputs.set("cohen_kappa", scores.cohen_kappa);
  outputs.set("precision", scores.precision);
  outputs.set("recall", scores.recall);
  outputs.set("f1", scores.f1);
  outputs.set("support", as_doubles(scores.support));
  std::vector<double> confusion;
  for (const auto& row : scores.confusion)
    confusion.insert(confusion.end(), row.begin(), row.end());
  outputs.set("confusion_matrix", confusion);
  return outputs;
}

Outputs run_mcc(const Case& c, const Run&) {
  const std::vector<std::int64_t> truth = c.integers("y_true"), predicted = c.integers("y_pred");
  const std::int64_t highest = std::max(*std::max_element(truth.begin(), truth.end()),
                                        *std::max_element(predicted.begin(), predicted.end()));
  Outputs outputs;
  outputs.set("mcc", base::classify(truth, predicted, highest + 1).mcc);
  return outputs;
}

Outputs run_mcnemar(const Case& c, const Run&) {
  const base::McNemar test = base::mcnemar(c.integer("b"), c.integer("c"));
  Outputs outputs;
  outputs.set("p_value", test.p_value);
  outputs.set("chi2_corrected", test.chi2_corrected);
  outputs.set("chi2_p_value", test.chi2_p_value);
  return outputs;
}

Outputs run_interval(const Case& c, const Run&) {
  const std::int64_t successes = c.integer("successes"), n = c.integer("n");
  const base::Interval wilson = base::wilson_interval(successes, n, c.number("level"));
  const base::Interval exact = base::clopper_pearson_interval(successes, n, c.number("level"));
  Outputs outputs;
  outputs.set("wilson_low", wilson.low);
  outputs.set("wilson_high", wilson.high);
  outputs.set("clopper_pearson_low", exact.low);
  outputs.set("clopper_pearson_high", exact.high);
  return outputs;
}

Outputs run_pass_at_k(const Case& c, const Run&) {
  std::vector<double> chances;
  for (const std::int64_t correct : c.integers("correct")) {
    chances.push_back(base::pass_at_k(c.integer("n"), correct, c.integer("k")));
  }
  Outputs outputs;
  outputs.set("per_problem", chances);
  outputs.set("mean", base::mean(chances));
  return outputs;
}

const bool registered =
    add_op("classification", run_classification) && add_op("classification_mcc", run_mcc) &&
    add_op("mcnemar_exact", run_mcnemar) && add_op("binomial_interval", run_interval) &&
    add_op("pass_at_k", run_pass_at_k);

}  // namespace
}  // namespace finstill::golden
