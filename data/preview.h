#pragma once

// What training will see, for people: the `preview` verb prints it.

#include "data/documents.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace finstill::data {

struct DataPreview {
  DocumentSummary summary;
  std::vector<std::int64_t> lengths;  ///< tokens of each row that tokenises, before cutting
  std::vector<std::string> faults;    ///< rows that cannot be used, one line each
  std::vector<std::string> samples;   ///< the first rows as text, what is trained in green (ANSI)
};

/// Reads and tokenises a data set without stopping at faulty rows. Throws Error only when the path
/// itself is no data set.
DataPreview preview_data(const std::filesystem::path& path, const text::Tokenizer& tokenizer,
                         const text::ChatTemplate& chat_template, const ReadOptions& read = {},
                         const TokenizeOptions& tokenize = {}, std::int64_t samples = 2);

/// Bars of a histogram over powers of two, one line each: "   65-128  ########  412".
std::string length_histogram(const std::vector<std::int64_t>& lengths);

/// Everything on a page: summary, histogram, the first faults, samples.
std::string render_preview(const DataPreview& preview);
base::Json preview_json(const DataPreview& preview);

}  // namespace finstill::data
