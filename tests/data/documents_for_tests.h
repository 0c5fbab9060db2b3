#pragma once

#include "data/documents.h"

#include <algorithm>
#include <string>
#include <vector>

namespace finstill::data {

/// Documents of these lengths whose tokens are all different (document i holds 1000 i, 1000 i + 1,
/// ...), every token trained except those of documents listed in `untrained`.
inline std::vector<Document> numbered_documents(const std::vector<int>& lengths,
                                                const std::vector<int>& untrained = {}) {
  std::vector<Document> documents;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    Document document;
    for (int k = 0; k < lengths[i]; ++k)
      document.ids.push_back(static_cast<std::int32_t>(1000 * i) + k);
    const bool trained =
        std::find(untrained.begin(), untrained.end(), static_cast<int>(i)) == untrained.end();
    document.trained.assign(document.ids.size(), trained ? 1 : 0);
    document.id = "d" + std::to_string(i);
    documents.push_back(std::move(document));
  }
  return documents;
}

}  // namespace finstill::data
