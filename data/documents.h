#pragma once

// From files to token documents:  file --read_records--> Record --tokenize_records--> Document.
// A row format (text, messages, sharegpt, alpaca, examples) is one small class in
// Registry<RowFormat>; `auto` asks each of them about the first row.

#include "base/json.h"
#include "base/registry.h"
#include "text/chat.h"
#include "text/message.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace finstill::text {
class Tokenizer;
}

namespace finstill::data {

/// One row of a data set, before tokenisation: either a text or a conversation.
struct Record {
  std::string id;     ///< the row's "id", or the hash of its content: stable when rows move
  std::string where;  ///< "chats.jsonl:7", for messages
  std::string text;   ///< empty when messages are there
  std::vector<text::Message> messages;
  base::Json tools = nullptr;

  bool is_chat() const { return !messages.empty(); }
};

/// Turns one JSON row into a record. Implementations register in Registry<RowFormat>.
class RowFormat {
 public:
  virtual ~RowFormat() = default;
  /// Whether a row looks like this format, by its keys alone.
  virtual bool fits(const base::Json& row) const = 0;
  /// Fills text or messages (and tools). Throws Error(data) with `where` and the field.
  virtual void read(const base::Json& row, const std::string& where, Record& record) const = 0;
  /// A row of this format, for documentation and tests.
  virtual base::Json example() const = 0;
};

struct ReadOptions {
  std::string format = "auto";
  std::string split = "train";   ///< of a folder or of rows that carry a "split": which to read
  std::int64_t max_records = 0;  ///< 0 = all
  /// Where given, a faulty row is noted here, one line each, and left out instead of ending the
  /// reading.
  std::vector<std::string>* faults = nullptr;
};

/// Reads a JSONL file, a JSON array (.json), or a folder that holds `<split>.jsonl`, `<split>.json`
/// or `examples.jsonl` (rows of another "split" are left out). Throws Error(io) for an unreadable
/// path and Error(data) with file:line (or file: row N of an array) and the field; an empty data
/// set is an Error(data) that says so.
std::vector<Record> read_records(const std::filesystem::path& path,
                                 const ReadOptions& options = {});

/// One tokenised document. trained[i] = 1: the token is predicted from those before it.
struct Document {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> trained;
  std::string id;
  bool is_chat = false;
  text::ChatRemarks remarks;

  /// Trained tokens that have a token before them.
  std::int64_t scored() const;
};

struct TokenizeOptions {
  std::int64_t max_length = 1024;  ///< tokens a document; as the stage train has it
  std::string truncation =
      "cut";               ///< "cut" = keep the beginning, "drop" = leave the document out, "error"
  bool append_eos = true;  ///< end a text (never a chat: its template does that) with EOS
  bool train_all = false;  ///< every token of a chat is trained, not the assistant's turns alone
  text::RenderOptions render = {};  ///< template variables and date; tools come from the records
  int threads = 0;  ///< 0 = as many as the machine has; the result does not depend on it
};

/// Counts of what happened, for the log, for `preview` and for the report.
struct DocumentSummary {
  std::int64_t records = 0;           ///< rows read
  std::int64_t documents = 0;         ///< rows kept
  std::int64_t tokens = 0;            ///< of the kept documents
  std::int64_t scored = 0;            ///< trained tokens that have a token before them
  std::int64_t cut = 0;               ///< documents shortened to max_length
  std::int64_t cut_tokens = 0;        ///< tokens lost by that
  std::int64_t dropped = 0;           ///< documents left out: longer than max_length
  std::int64_t unscored = 0;          ///< kept documents without a single scored token
  std::int64_t empty = 0;             ///< documents without a token, left out
  std::int64_t longest = 0;           ///< tokens, before cutting
  std::vector<std::string> warnings;  ///< one line each

  base::Json to_json() const;
  /// One line: "1,980 documents, 96,512 tokens, 31,200 trained, 3 cut (412 tokens), 0.2 % without a
  /// trained token".
  std::string line() const;
};

struct DocumentSet {
  std::vector<Document> documents;
  DocumentSummary summary;
};

/// One record as a document of any length. Special tokens in texts and message contents are plain
/// text. Throws Error(data) that begins with record.where when the template refuses the
/// conversation.
Document tokenize_record(const Record& record, const text::Tokenizer& tokenizer,
                         const text::ChatTemplate& chat_template, const TokenizeOptions& options);

/// Applies the length limit, counts the document and keeps it, unless it is empty or dropped.
/// Throws Error(data) with truncation "error" when it is too long.
void add_document(DocumentSet& set, Document document, const Record& record,
                  const TokenizeOptions& options);

/// What a user should hear about a set: its template, documents that teach nothing, bytes without a
/// token.
std::vector<std::string> warnings_about(const DocumentSet& set, const text::Tokenizer& tokenizer,
                                        const text::ChatTemplate& chat_template);

/// Tokenises records in order, on several threads. Throws Error(data) when no
/// document is left, when every label is masked (nothing would be trained), or with truncation
/// "error" at the first document that is too long; the message names `source` and says what to do.
DocumentSet tokenize_records(const std::vector<Record>& records, const text::Tokenizer& tokenizer,
                             const text::ChatTemplate& chat_template,
                             const TokenizeOptions& options, const std::string& source = "data");

/// Splits off a validation part by the hash of each record's id: the same row falls on the same
/// side whatever its place and whatever else is in the file. `share` in [0, 1).
struct Split {
  std::vector<Record> train, validation;
};
Split split_records(std::vector<Record> records, double share, std::uint64_t seed);

}  // namespace finstill::data
