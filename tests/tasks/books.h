#pragma once

#include <string>

#include "tasks/reconciliation/book.h"
#include "tasks/reconciliation/config.h"

namespace finstill::tests {

constexpr tasks::Figure units(std::int64_t count) {
  return count * tasks::figure_one;
}

/// Two positions, a fee of 12 and accrued interest of 3, the same in both books.
inline tasks::reconciliation::Truth two_equal_books() {
  tasks::reconciliation::Truth truth;
  truth.custodian.positions = {{"K47", "K47", units(40), units(7), units(6), units(280)},
                               {"B12", "B12", units(5), units(30), units(31), units(150)}};
  truth.custodian.fee = units(12);
  truth.custodian.accrued = units(3);
  truth.manager = truth.custodian;
  return truth;
}

inline tasks::reconciliation::Config config_of(const std::string& yaml) {
  return base::read_config<tasks::reconciliation::Config>(base::parse_yaml(yaml, "test"));
}

}  // namespace finstill::tests
