#include "data/preview.h"

#include "base/error.h"
#include "base/unicode.h"
#include "text/tokenizer.h"

#include <algorithm>

namespace finstill::data {

namespace {

constexpr std::size_t shown_faults = 20;
constexpr std::size_t bar_width = 40;

std::string sample_text(const Record& record, const text::ChatTemplate& chat_template,
                        const TokenizeOptions& options) {
  if (!record.is_chat()) return "\x1b[32m" + base::terminal_text(record.text) + "\x1b[0m";
  text::RenderOptions render = options.render;
  render.tools = record.tools;
  return text::preview_chat(chat_template.render(
      text::fit_tool_arguments(chat_template, record.messages, render), render));
}

}  // namespace

DataPreview preview_data(const std::filesystem::path& path, const text::Tokenizer& tokenizer,
                         const text::ChatTemplate& chat_template, const ReadOptions& read,
                         const TokenizeOptions& tokenize, std::int64_t samples) {
  DataPreview preview;
  ReadOptions reading = read;
  reading.faults = &preview.faults;
  const std::vector<Record> records = read_records(path, reading);
  // Each record alone: whatever ends one of them is a fault of that row.
  DocumentSet set;
  for (const Record& record : records) {
    try {
      Document document = tokenize_record(record, tokenizer, chat_template, tokenize);
      preview.lengths.push_back(static_cast<std::int64_t>(document.ids.size()));
      if (document.scored() == 0) preview.faults.push_back(record.where + ": no trained token");
      if (static_cast<std::int64_t>(preview.samples.size()) < samples) {
        preview.samples.push_back(sample_text(record, chat_template, tokenize));
      }
      add_document(set, std::move(document), record, tokenize);
    } catch (const base::Error& error) {
      preview.faults.push_back(error.what());
    }
  }
  preview.summary = set.summary;
  preview.summary.warnings = warnings_about(set, tokenizer, chat_template);
  return preview;
}

std::string length_histogram(const std::vector<std::int64_t>& lengths) {
  std::vector<std::size_t> counts;
  for (const std::int64_t length : lengths) {
    std::size_t bin = 0;
    while ((std::int64_t{1} << bin) < length) ++bin;
    if (counts.size() <= bin) counts.resize(bin + 1);
    ++counts[bin];
  }
  const std::size_t most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  std::string text;
  bool begun = false;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    begun = begun || counts[bin] > 0;
    if (!begun) continue;
    const std::int64_t high = std::int64_t{1} << bin, low = bin == 0 ? 0 : high / 2 + 1;
    const std::size_t bar = (counts[bin] * bar_width + most - 1) / most;
    text += fmt::format("{:>7}-{:<7} {:<{}} {}\n", low, high, std::string(bar, '#'), bar_width,
                        counts[bin]);
  }
  return text;
}

std::string render_preview(const DataPreview& preview) {
  std::string text =
      preview.summary.line() + "\n\ntokens a document\n" + length_histogram(preview.lengths);
  for (const std::string& warning : preview.summary.warnings) text += "\nwarning: " + warning;
  if (!preview.summary.warnings.empty()) text += "\n";
  if (!preview.faults.empty()) text += fmt::format("\n{} faults\n", preview.faults.size());
  for (std::size_t i = 0; i < preview.faults.size() && i < shown_faults; ++i)
    text += "  " + preview.faults[i] + "\n";
  if (preview.faults.size() > shown_faults)
    text += fmt::format("  ... {} more\n", preview.faults.size() - shown_faults);
  for (const std::string& sample : preview.samples) text += "\n" + sample + "\n";
  return text;
}

base::Json preview_json(const DataPreview& preview) {
  return {{"summary", preview.summary.to_json()},
          {"lengths", preview.lengths},
          {"faults", preview.faults}};
}

}  // namespace finstill::data
