#include "tasks/overlap.h"

#include "base/signals.h"
#include "tasks/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <unordered_set>

namespace finstill::tasks {
namespace {

/// A text of fewer words than `n` is one run.
std::vector<std::string> grams_of(std::string_view text, std::int64_t n) {
  const std::vector<std::string> words = words_of(text);
  std::vector<std::string> grams;
  const auto size = std::clamp<std::size_t>(words.size(), 1, static_cast<std::size_t>(n));
  for (std::size_t start = 0; start + size <= words.size(); ++start) {
    grams.push_back(fmt::format(
        "{}", fmt::join(words.begin() + static_cast<std::ptrdiff_t>(start),
                        words.begin() + static_cast<std::ptrdiff_t>(start + size), " ")));
  }
  return grams;
}

}  // namespace

Overlap measure_overlap(std::span<const Example> train, std::span<const Example> test,
                        std::int64_t n) {
  std::unordered_set<std::string> known, texts, seen;
  for (const Example& example : train) {
    base::check_stop();
    texts.insert(words_key(example.input));
    for (std::string& gram : grams_of(example.input, n)) known.insert(std::move(gram));
  }
  Overlap overlap{.n = n, .test_texts = static_cast<std::int64_t>(test.size())};
  for (const Example& example : test) {
    bool touched = false;
    for (const std::string& gram : grams_of(example.input, n)) {
      const bool shared = known.contains(gram);
      touched = touched || shared;
      if (!seen.insert(gram).second) continue;
      ++overlap.test_grams;
      overlap.shared_grams += shared;
    }
    overlap.touched_texts += touched;
    overlap.equal_texts += texts.contains(words_key(example.input));
  }
  return overlap;
}

base::Json overlap_to_json(const Overlap& overlap) {
  return {{"n", overlap.n},
          {"test_grams", overlap.test_grams},
          {"shared_grams", overlap.shared_grams},
          {"test_texts", overlap.test_texts},
          {"touched_texts", overlap.touched_texts},
          {"equal_texts", overlap.equal_texts}};
}

}  // namespace finstill::tasks
