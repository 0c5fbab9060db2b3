#include "data/batch.h"

#include <algorithm>
#include <cassert>

namespace finstill::data {

std::int64_t Batch::scored() const {
  return std::count_if(targets.begin(), targets.end(),
                       [](std::int64_t target) { return target != not_scored; });
}

void Batch::append(std::span<const std::int32_t> span_ids, std::span<const std::uint8_t> trained,
                   std::int64_t document, std::int64_t group) {
  assert(trained.empty() || trained.size() == span_ids.size());
  if (span_ids.empty()) return;
  if (cu_seqlens.empty()) cu_seqlens.push_back(0);
  for (std::size_t i = 0; i < span_ids.size(); ++i) {
    const bool scored = i + 1 < span_ids.size() && (trained.empty() || trained[i + 1] != 0);
    ids.push_back(span_ids[i]);
    targets.push_back(scored ? span_ids[i + 1] : not_scored);
    positions.push_back(static_cast<std::int64_t>(i));
  }
  cu_seqlens.push_back(static_cast<std::int32_t>(ids.size()));
  document_ids.push_back(document);
  group_ids.push_back(group);
}

}  // namespace finstill::data
