#include "trainer/measure.h"

namespace finstill::trainer {

[[maybe_unused]] static const bool listed_measures =
    base::list_registry<Measure>("measure", "numbers taken of a model while it trains");

}  // namespace finstill::trainer
