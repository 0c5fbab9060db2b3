#include "data/documents.h"

#include "base/error.h"
#include "text/tokenizer.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

namespace finstill::data {

namespace {

constexpr std::pair<bool text::ChatRemarks::*, const char*> chat_warnings[] = {
    {&text::ChatRemarks::spells_marks,
     "spell <think> or <tool_call> in an answer's content, where they are plain text and not the "
     "tokenizer's own tokens: give thoughts as reasoning_content and calls as tool_calls"},
    {&text::ChatRemarks::loses_message,
     "hold a message of which the chat template writes nothing (is its role one that the template "
     "knows?): it is lost"},
    {&text::ChatRemarks::loses_tool_calls,
     "hold tool_calls that the chat template does not write: they are lost"},
    {&text::ChatRemarks::loses_reasoning,
     "end with an answer whose reasoning_content the chat template does not write: it is lost"},
    {&text::ChatRemarks::loses_tools,
     "bring tools that the chat template does not write: they are lost"},
};

Document tokenize_text(const Record& record, const text::Tokenizer& tokenizer,
                       const TokenizeOptions& options) {
  Document document;
  document.ids =
      tokenizer.encode(record.text, {.add_special_tokens = true, .parse_special = false});
  const auto eos = tokenizer.special().eos;
  if (options.append_eos && eos && (document.ids.empty() || document.ids.back() != *eos))
    document.ids.push_back(*eos);
  document.trained.assign(document.ids.size(), 1);
  return document;
}

Document tokenize_chat(const Record& record, const text::Tokenizer& tokenizer,
                       const text::ChatTemplate& chat_template, const TokenizeOptions& options) {
  text::RenderOptions render = options.render;
  render.tools = record.tools;
  Document document;
  try {
    text::EncodedChat chat = text::encode_chat(tokenizer, chat_template, record.messages, render);
    document.ids = std::move(chat.ids);
    document.trained = std::move(chat.mask);
    document.remarks = chat.remarks;
    if (options.train_all) std::ranges::fill(document.trained, std::uint8_t{1});
  } catch (const base::Error& error) {
    throw base::Error(error.code(), fmt::format("{}: {}", record.where, error.what()));
  }
  document.is_chat = true;
  return document;
}

/// Calls work(i) for 0..count-1 on several threads. Of several exceptions that of the smallest
/// index comes out, as it would on one thread.
template <typename Work>
void for_each_index(std::size_t count, int threads, Work work) {
  std::size_t workers =
      threads > 0 ? static_cast<std::size_t>(threads) : std::thread::hardware_concurrency();
  workers = std::clamp<std::size_t>(workers, 1, std::max<std::size_t>(1, count / 64));
  std::vector<std::exception_ptr> failures(workers);
  std::vector<std::size_t> failed_at(workers, count);
  std::atomic<std::size_t> next{0};
  const auto run = [&](std::size_t worker) {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        failures[worker] = std::current_exception();
        failed_at[worker] = i;
        next = count;
      }
    }
  };
  std::vector<std::thread> others;
  for (std::size_t worker = 1; worker < workers; ++worker) others.emplace_back(run, worker);
  run(0);
  for (std::thread& thread : others) thread.join();
  const auto first = std::min_element(failed_at.begin(), failed_at.end());
  if (*first < count)
    std::rethrow_exception(failures[static_cast<std::size_t>(first - failed_at.begin())]);
}

/// False = leave the document out.
bool fit_length(Document& document, const Record& record, const TokenizeOptions& options,
                DocumentSummary& summary) {
  const auto length = static_cast<std::int64_t>(document.ids.size());
  summary.longest = std::max(summary.longest, length);
  if (length <= options.max_length) return true;
  if (options.truncation == "error") {
    base::fail(base::ExitCode::data,
               "{}: the document has {} tokens, more than max_length {}; raise max_length, or set "
               "truncation to cut or "
               "drop",
               record.where, length, options.max_length);
  }
  if (options.truncation == "drop") {
    ++summary.dropped;
    return false;
  }
  ++summary.cut;
  summary.cut_tokens += length - options.max_length;
  document.ids.resize(static_cast<std::size_t>(options.max_length));
  document.trained.resize(static_cast<std::size_t>(options.max_length));
  return true;
}

void check_set(const DocumentSummary& summary, const TokenizeOptions& options,
               const std::string& source) {
  if (summary.documents == 0) {
    base::fail(base::ExitCode::data,
               "{}: the data set is empty: {} rows read, {} without a token, {} longer than "
               "max_length {} and dropped; give "
               "more data or raise max_length",
               source, summary.records, summary.empty, summary.dropped, options.max_length);
  }
  if (summary.scored == 0) {
    base::fail(base::ExitCode::data,
               "{}: all labels are masked: none of the {} documents has a trained token ({} were "
               "cut at max_length {}); "
               "chats need assistant turns with content, inside the length",
               source, summary.documents, summary.cut, options.max_length);
  }
}

}  // namespace

std::int64_t Document::scored() const {
  std::int64_t count = 0;
  for (std::size_t i = 1; i < trained.size(); ++i) count += trained[i] != 0 ? 1 : 0;
  return count;
}

base::Json DocumentSummary::to_json() const {
  return {{"records", records},  {"documents", documents},
          {"tokens", tokens},    {"trained_tokens", scored},
          {"cut", cut},          {"cut_tokens", cut_tokens},
          {"dropped", dropped},  {"untrained_documents", unscored},
          {"empty", empty},      {"longest", longest},
          {"warnings", warnings}};
}

std::string DocumentSummary::line() const {
  std::string text = fmt::format("{} documents, {} tokens, {} trained", documents, tokens, scored);
  if (cut > 0) text += fmt::format(", {} cut ({} tokens)", cut, cut_tokens);
  if (dropped > 0) text += fmt::format(", {} dropped as too long", dropped);
  if (empty > 0) text += fmt::format(", {} empty", empty);
  if (unscored > 0) {
    text += fmt::format(", {:.1f} % without a trained token",
                        100.0 * static_cast<double>(unscored) / static_cast<double>(documents));
  }
  return text;
}

Document tokenize_record(const Record& record, const text::Tokenizer& tokenizer,
                         const text::ChatTemplate& chat_template, const TokenizeOptions& options) {
  Document document = record.is_chat() ? tokenize_chat(record, tokenizer, chat_template, options)
                                       : tokenize_text(record, tokenizer, options);
  document.id = record.id;
  return document;
}

void add_document(DocumentSet& set, Document document, const Record& record,
                  const TokenizeOptions& options) {
  DocumentSummary& summary = set.summary;
  ++summary.records;
  if (document.ids.empty()) {
    ++summary.empty;
    return;
  }
  if (!fit_length(document, record, options, summary)) return;
  const std::int64_t scored = document.scored();
  ++summary.documents;
  summary.tokens += static_cast<std::int64_t>(document.ids.size());
  summary.scored += scored;
  summary.unscored += scored == 0 ? 1 : 0;
  set.documents.push_back(std::move(document));
}

std::vector<std::string> warnings_about(const DocumentSet& set, const text::Tokenizer& tokenizer,
                                        const text::ChatTemplate& chat_template) {
  std::vector<std::string> warnings;
  const bool chats = std::any_of(set.documents.begin(), set.documents.end(),
                                 [](const Document& d) { return d.is_chat; });
  if (chats) warnings = chat_template.warnings();
  if (set.summary.unscored > 0) {
    warnings.push_back(
        fmt::format("{} of {} documents have no trained token: they cost time and teach nothing",
                    set.summary.unscored, set.summary.documents));
  }
  for (const auto& [remark, text] : chat_warnings) {
    const auto count = std::ranges::count_if(
        set.documents, [remark = remark](const Document& d) { return d.remarks.*remark; });
    if (count > 0)
      warnings.push_back(fmt::format("{} of {} documents {}", count, set.summary.documents, text));
  }
  const text::EncodeCounters counters = tokenizer.counters();
  if (counters.dropped_bytes > 0) {
    warnings.push_back(fmt::format("{} bytes have no token and are lost", counters.dropped_bytes));
  }
  if (counters.invalid_utf8_bytes > 0) {
    warnings.push_back(fmt::format("{} bytes are not valid UTF-8 and are read as U+FFFD",
                                   counters.invalid_utf8_bytes));
  }
  return warnings;
}

DocumentSet tokenize_records(const std::vector<Record>& records, const text::Tokenizer& tokenizer,
                             const text::ChatTemplate& chat_template,
                             const TokenizeOptions& options, const std::string& source) {
  std::vector<Document> documents(records.size());
  for_each_index(records.size(), options.threads, [&](std::size_t i) {
    documents[i] = tokenize_record(records[i], tokenizer, chat_template, options);
  });
  DocumentSet set;
  for (std::size_t i = 0; i < documents.size(); ++i)
    add_document(set, std::move(documents[i]), records[i], options);
  check_set(set.summary, options, source);
  set.summary.warnings = warnings_about(set, tokenizer, chat_template);
  return set;
}

}  // namespace finstill::data
